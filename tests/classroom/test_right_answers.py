"""A right answer is right in whatever ordinary way it is written, in every exercise of every lesson."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell
from test_exercises_bank import BANK, solved, written
from tiny_class import RIGHT, mark
from ways import WAYS, learning, narrow, single

from course_lib.classroom.grading.plain import decode, encode
from course_lib.exercises.judge import Exercise, answers, answers_of_ours, compare

DRAWS = 20
WITH_DRAWS = [pytest.param(one, id=one.label) for of_lesson in BANK.values() for one in of_lesson if one.draw]


def drawn(one: Exercise) -> list[Any]:
    assert one.draw
    return [one.draw(np.random.default_rng([20, k])) for k in range(DRAWS)]


@pytest.mark.parametrize(("lesson", "one", "source"), solved())
def test_every_way_to_write_it_is_right_on_the_shown_and_on_unseen_cases(lesson, one, source):
    solution = written(lesson, source)
    if not one.is_function:
        for way in (single, learning, np.float32, np.longdouble, lambda value: pd.Series([value])[0]):
            assert compare(one, [()], [decode(encode(way(solution)))]).mark == "✔", way
        return
    cases = [*one.cases, *drawn(one)]
    for name, way in WAYS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = [decode(encode(answer)) for answer in answers(way(solution), cases)]
        verdict = compare(one, cases, found)
        assert verdict.mark == "✔", f"{name}: {verdict}"


@pytest.mark.parametrize("one", WITH_DRAWS)
def test_the_reference_in_float32_is_right(one):
    """Arguments and answers in float32, as whoever works with torch has them."""
    cases = drawn(one)
    found = [narrow(answer) for answer in answers_of_ours(one.reference, [tuple(map(narrow, case)) for case in cases])]
    assert compare(one, cases, found).mark == "✔"


HEAD, BODY = RIGHT["0.1"].splitlines()
ALSO = {  # {way: (what stands in the cell of 0.1, own cells below it, own cells above it)}
    "below the stub": (None, [RIGHT["0.1"]], []),
    "stub emptied": ("", [RIGHT["0.1"]], []),
    "stub split": ("cells = math.prod", [f"{HEAD}\n    return n_ratings / cells((n_users, n_items))"], ["import math"]),
    "helper in another cell": (f"{HEAD}\n    return ratio(n_ratings, n_users * n_items)", [],
                               ["def ratio(a, b):\n    return a / b"]),
    "import in another cell": (f"{HEAD}\n    return operator.truediv(n_ratings, n_users * n_items)", [],
                               ["import operator"]),
    "magics above": (f"%matplotlib inline\n!ls\n%pip list\n{RIGHT['0.1']}", [],
                     ["%%time\nx = 1", "%load_ext autoreload"]),
    "own module": (f"from mine import ratio\n{HEAD}\n    return ratio(n_ratings, n_users * n_items)", [],
                   ["%%writefile mine.py\ndef ratio(a, b):\n    return a / b"]),
    "lesson's name overridden": (f"{HEAD}\n    return np.divide(n_ratings, n_users * n_items)", [],
                                 ["class np:\n    divide = staticmethod(lambda a, b: a / b)"]),
    "class": (
        "class Density:\n    def __call__(self, a, b, c):\n        return a / (b * c)\ndensity = Density()", [], []),
}  # fmt: skip


def placed(below: list[str], above: list[str]) -> Callable[..., None]:
    """Own cells around the one of exercise 0.1."""

    def change(notebook) -> None:
        heading = next(i for i, cell in enumerate(notebook.cells) if "Exercise 0.1" in cell.source)
        notebook.cells[heading + 2 : heading + 2] = [new_code_cell(cell) for cell in below]
        notebook.cells[heading:heading] = [new_code_cell(cell) for cell in above]

    return change


def test_every_place_to_write_it_counts_when_graded(hand_in, grade):
    rest = {label: source for label, source in RIGHT.items() if label != "0.1"}
    for number, (answer, below, above) in enumerate(ALSO.values()):
        given = rest if answer is None else rest | {"0.1": answer}
        hand_in(f"student {number}", given, placed(below, above))
    papers = grade()
    earned = {way: mark(papers[f"student {number}"], "0.1").points for number, way in enumerate(ALSO)}
    assert earned == dict.fromkeys(ALSO, 1)


def test_an_earlier_exercises_function_may_be_used(hand_in, grade):
    uses = RIGHT["0.2"].replace("return", "assert density(1, 1, 1) == 1\n    return")
    hand_in("ada", RIGHT | {"0.2": uses})
    assert mark(grade()["ada"], "0.2").points == 1
