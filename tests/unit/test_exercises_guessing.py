"""Guessing does not pay: mistakes and constants earn next to nothing, with a table of the shown cases or without."""

import importlib
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from course_lib import exercises
from course_lib.classroom.grading.judging import class_cases
from course_lib.exercises.judge import Exercise, answers_of_ours, right_cases

SECRETS = ("first class", "second class")
FUNCTIONS = [
    one
    for name in exercises.lessons()
    for one in importlib.import_module(f"course_lib.exercises.{name}").EXERCISES
    if one.is_function
]


def mean_of_all(*case: Any) -> float:
    return float(np.mean([np.mean(np.asarray(part, dtype=float)) for part in case]))


GUESSES: dict[str, Callable[..., Any]] = {
    "0": lambda *case: 0,
    "1": lambda *case: 1,
    "the first argument": lambda *case: case[0],
    "the last argument": lambda *case: case[-1],
    "zeros like the first": lambda *case: np.zeros_like(np.asarray(case[0], dtype=float)),
    "ones like the first": lambda *case: np.ones_like(np.asarray(case[0], dtype=float)),
    "the mean": mean_of_all,
    "nothing": lambda *case: [],
}


def earned(one: Exercise, guess: Callable[..., Any], secret: str, table: bool) -> float:
    """The share of the points that ``guess`` earns at grading; table: it knows the answers to the shown cases."""
    hidden = class_cases(one.label, secret)
    unseen = right_cases(one, hidden, answers_of_ours(guess, hidden))
    shown = [True] * len(one.cases) if table else right_cases(one, one.cases, answers_of_ours(guess, one.cases))
    share = min(np.mean(unseen), np.mean([*shown, *unseen]))
    return np.floor(2 * one.points * share + 1e-9) / 2 / one.points


@pytest.mark.parametrize("one", FUNCTIONS, ids=lambda one: one.label)
def test_no_mistake_and_no_constant_earns_a_tenth(one):
    for words, guess in (one.mistakes | GUESSES).items():
        for table in (False, True):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                mean = np.mean([earned(one, guess, secret, table) for secret in SECRETS])
            assert mean < 0.1, f"{words!r} earns {mean:.2f} of the points{', with a table' * table}"


@pytest.mark.parametrize("one", FUNCTIONS, ids=lambda one: one.label)
def test_the_reference_earns_all(one):
    assert earned(one, one.reference, SECRETS[0], table=False) == 1
