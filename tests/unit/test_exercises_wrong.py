"""Wrong answers are told what is wrong with them, and never by size alone."""

import importlib
import re
import warnings

import numpy as np
import pytest
import wrong_answers_00_02d
import wrong_answers_03
import wrong_answers_04_05c
import wrong_answers_05d_06

from course_lib.exercises import exercise, lessons
from course_lib.exercises.judge import answers, compare, judge

BANKS = (wrong_answers_00_02d, wrong_answers_03, wrong_answers_04_05c, wrong_answers_05d_06)
WRONG = {label: wrong for bank in BANKS for label, wrong in bank.WRONG.items()}
FUNCTIONS = [label for label in WRONG if exercise(label).is_function]
VAGUE = re.compile(r"(larger|smaller) than expected\.|which is not the expected one\.")


def said(label: str) -> list[str]:
    """The words for each wrong answer to an exercise."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [judge(exercise(label), answer).words for answer in WRONG[label]]


def is_vague(label: str, words: str) -> bool:
    """Whether they say no more than that a value is too large or too small, or another one."""
    advice = exercise(label).mistakes
    return bool(VAGUE.search(words)) and not words.endswith((*advice, "what the function is given."))


@pytest.mark.parametrize("label", WRONG)
def test_a_wrong_answer_is_wrong_and_told_so_in_a_sentence(label):
    assert len(WRONG[label]) >= 4
    for words in said(label):
        assert words.startswith("not yet: ") and words.endswith((".", "?"))


def test_few_wrong_answers_are_told_their_size_alone():
    vague = [is_vague(label, words) for label in WRONG for words in said(label)]
    assert len(vague) > 600 and sum(vague) <= 0.1 * len(vague)


@pytest.mark.parametrize("lesson", lessons())
def test_every_exercise_has_wrong_answers(lesson):
    bank = importlib.import_module(f"course_lib.exercises.{lesson}").EXERCISES
    assert {one.label for one in bank} <= WRONG.keys()


@pytest.mark.parametrize("label", FUNCTIONS)
def test_hidden_cases_know_the_wrong_answers_too(label):
    """Whatever the cases of the lesson refuse earns less than a quarter on inputs that nobody has seen."""
    one = exercise(label)
    assert one.draw
    cases = [one.draw(np.random.default_rng([4, k])) for k in range(12)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        right = [
            np.mean([compare(one, [case], answers(function, [case])).mark == "✔" for case in cases])
            for function in WRONG[label]
        ]
    assert np.mean(right) < 0.1 and max(right) < 0.5, right
