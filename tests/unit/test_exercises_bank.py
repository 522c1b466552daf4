"""Every exercise of every lesson: solved it is right, with unseen inputs too, and its mistakes are told apart."""

import ast
import importlib
import inspect
import re
import warnings
from functools import cache
from typing import Any

import nbformat
import numpy as np
import pytest

from course_lib import exercises
from course_lib.exercises.judge import Exercise, Raised, answers, compare, judge
from course_lib.paths import ROOT

BANK = {
    name.removeprefix("lesson_"): importlib.import_module(f"course_lib.exercises.{name}").EXERCISES
    for name in exercises.lessons()
}
ALL = [one for of_lesson in BANK.values() for one in of_lesson]
every = pytest.mark.parametrize("one", ALL, ids=lambda one: one.label)
NOTEBOOKS = {path.stem.split("_")[0]: path for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))}
SOLUTION = re.compile(r"(?ms)^ *### BEGIN SOLUTION\n(.*?)^ *### END SOLUTION$")


@cache
def cells(lesson: str) -> list[Any]:
    return nbformat.read(NOTEBOOKS[lesson], as_version=4).cells


def tagged(lesson: str, tag: str) -> list[str]:
    return [cell.source for cell in cells(lesson) if tag in cell.metadata.get("tags", [])]


@cache
def imported(lesson: str) -> dict[str, Any]:
    """What the lesson's first cells put into its namespace, without starting the lesson."""
    found: dict[str, Any] = {}
    for cell in cells(lesson)[:4]:
        if cell.cell_type == "code":
            exec(re.sub(r"(?m)^lesson = .*$", "", cell.source), found)
    return found


def written(lesson: str, source: str) -> Any:
    """What the cell of an exercise defines: a function, or a value."""
    last = ast.parse(source).body[-1]
    name = last.name if isinstance(last, ast.FunctionDef) else ast.unparse(last.targets[0])  # type: ignore[attr-defined]
    space = dict(imported(lesson))
    exec(source, space)
    return space[name]


def solved() -> list[Any]:
    return [
        pytest.param(lesson, one, source, id=one.label)
        for lesson, of_lesson in BANK.items()
        for one, source in zip(of_lesson, tagged(lesson, "exercise"), strict=True)
    ]


def hidden(one: Exercise, n: int, seed: int = 0) -> list[Any]:
    assert one.draw
    return [one.draw(np.random.default_rng([seed, k])) for k in range(n)]


@pytest.mark.parametrize("lesson", BANK)
def test_a_lesson_checks_each_of_its_exercises_once_in_order(lesson):
    labels = [one.label for one in BANK[lesson]]
    number = lesson.lstrip("0") or "0"
    assert labels == [f"{number}.{k}" for k in range(1, len(labels) + 1)]
    assert [re.findall(r'check\(\s*"(\w+\.\d+)"', source) for source in tagged(lesson, "check")] == [
        [x] for x in labels
    ]
    stated = re.findall(
        r"(?m)^### Exercise (\w+\.\d+) .*\((\d+) points?\)$", "\n".join(c.source for c in cells(lesson))
    )
    assert stated == [(one.label, str(one.points)) for one in BANK[lesson]]


def test_every_lesson_has_its_exercises_in_the_bank():
    assert sorted(BANK) == sorted(NOTEBOOKS)


@every
def test_the_reference_is_right_everywhere_and_a_stub_earns_nothing(one):
    assert judge(one, one.reference).points == one.points
    assert judge(one, None).points == 0
    if one.is_function:
        cases = hidden(one, 30)
        found = answers(one.reference, cases)
        assert not [answer for answer in found if isinstance(answer, Raised)]
        assert compare(one, cases, found).points == one.points
        assert compare(one, cases, [None] * 30).mark == "○"


@every
def test_every_mistake_is_told_apart_and_gets_its_own_advice(one):
    for words, mistake in one.mistakes.items():
        with warnings.catch_warnings():  # as a student's own division by 0 only warns
            warnings.simplefilter("ignore")
            verdict = judge(one, mistake)
        assert verdict.points < one.points and verdict.words.endswith(words)
        if one.is_function:
            cases = hidden(one, 12)
            assert compare(one, cases, answers(mistake, cases)).points < one.points, words


@every
def test_hidden_inputs_come_from_the_seed_alone_and_differ(one):
    if one.is_function:
        assert repr(hidden(one, 3)) == repr(hidden(one, 3)) != repr(hidden(one, 3, seed=1))


@pytest.mark.parametrize("lesson", BANK)
def test_the_stored_verdicts_are_those_of_today(lesson):
    checks = [cell for cell in cells(lesson) if "check" in cell.metadata.get("tags", [])]
    said = ["".join(output.text for output in cell.outputs) for cell in checks]
    assert said == [f"{judge(one, one.reference)}\n" for one in BANK[lesson]]


@pytest.mark.parametrize(("lesson", "one", "source"), solved())
def test_the_solution_of_the_lesson_earns_all_points_and_its_stub_none(lesson, one, source):
    answer, stub = written(lesson, source), written(lesson, SOLUTION.sub("", source))
    assert judge(one, answer).points == one.points
    assert judge(one, stub).mark == "○"
    if one.is_function:
        assert inspect.signature(answer) == inspect.signature(stub) and stub.__doc__ == answer.__doc__
        cases = hidden(one, 20)
        verdict = compare(one, cases, answers(answer, cases))
        assert verdict.points == one.points, verdict
