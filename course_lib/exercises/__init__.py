"""The exercises of all lessons: `check("5.1", answer)` says at once, in words, whether an answer is right, and why not.

Each lesson's exercises are in a module of their own, ``lesson_05`` for those of lesson 5, in a tuple EXERCISES.
"""

import importlib
import os
import pkgutil
from copy import deepcopy
from typing import Any

from course_lib import stale
from course_lib.errors import CourseError
from course_lib.exercises.judge import Case, Exercise, Verdict, judge

stale.watch()


def exercise(label: str) -> Exercise:
    """The exercise ``label``, such as "5.1" or "2c.3"."""
    lesson = label.split(".")[0]
    name = f"lesson_{lesson.zfill(2 + lesson[-1:].isalpha())}"
    if name in lessons():
        for one in importlib.import_module(f"{__name__}.{name}").EXERCISES:
            if one.label == label:
                return one
    raise CourseError(
        f"There is no exercise {label!r}: an exercise is called by its lesson and its number, as in '5.1'."
    )


def lessons() -> list[str]:
    """Names of the modules with exercises, in order."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name.startswith("lesson_"))


def check(label: str, answer: Any) -> float | None:
    """Print the verdict on ``answer``, a function or a value, to the exercise ``label``.

    An answer whose own cell has failed since is not judged: what its name stands for is an older one. Where nbgrader
    runs the notebook, it returns the points, which nbgrader takes as the cell's grade.
    """
    one = exercise(label)
    if reason := stale.reason(label):
        words = f"not yet: its cell stopped with {reason}. What is checked here is older: mend that cell, and run it."
        verdict = Verdict(label, 0, one.points, "✘", words)
    else:
        verdict = judge(one, answer)
    print(verdict)
    return verdict.points if "NBGRADER_EXECUTION" in os.environ else None


def case(label: str, number: int) -> Case:
    """The arguments of case ``number``, counted from 1, of those that the check of the exercise ``label`` tries.

    With it a verdict can be looked into: ``my_function(*case("2.1", 2))``.
    """
    cases = exercise(label).cases
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= len(cases):
        have = f"its cases are 1 to {len(cases)}" if cases else "it asks for a value and has no cases"
        raise CourseError(f"There is no case {number!r} of exercise {label}: {have}.")
    return deepcopy(cases[number - 1])
