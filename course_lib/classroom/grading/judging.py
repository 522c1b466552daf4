"""From a student's answers to a `Mark`, in the grader's own process, which no student's code has touched."""

import builtins
import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from course_lib.classroom.grading.results import Mark
from course_lib.classroom.grading.sandbox import Attempt
from course_lib.classroom.grading.walls import Limits
from course_lib.exercises.judge import Case, Exercise, Raised, compare, mistake

HIDDEN = 4  # cases that nobody has seen, besides those of the lesson
UNSOLVED = "not solved yet."


def hidden_cases(exercise: Exercise, secret: str) -> list[Case]:
    """The same `HIDDEN` cases for the whole class: they depend on the class's secret and the exercise alone."""
    if exercise.draw is None:
        return []
    digest = hashlib.sha256(f"{secret}/{exercise.label}".encode()).digest()
    rng = np.random.default_rng(list(digest))
    return [exercise.draw(rng) for _ in range(HIDDEN)]


def mark_of(exercise: Exercise, hidden: Sequence[Case], attempt: Attempt, limits: Limits) -> Mark:
    """The mark for what ``attempt`` answered to the exercise's own cases and then to the ``hidden`` ones.

    Each right case earns its share, hidden or not, in half points. The words tell no hidden input: neither the case nor
    what the student's code says about it, since code can say the input itself.
    """
    cases = [*exercise.cases, *hidden] if exercise.is_function else [()]
    stopped = Raised(stopped_words(attempt, limits))
    found = [*attempt.answers, *[stopped] * (len(cases) - len(attempt.answers))]
    trouble = attempt.trouble or _memory(found)
    if attempt.instead:
        words = f"not yet: a function is wanted here, not a value of type {attempt.instead}."
        return Mark(exercise.label, 0, exercise.points, "✘", words)
    failed = next((words for words in reversed(attempt.errors) if words), "")
    if failed and all(answer is None for answer in found):
        return Mark(exercise.label, 0, exercise.points, "✘", f"not yet: the cell stops with {failed}", "", "error")
    whole = compare(exercise, cases, found)
    known = mistake(exercise, cases, found) if whole.mark == "✘" else ""
    words = whole.words
    if whole.mark == "✘" and exercise.is_function:
        words = _function_words(exercise, hidden, found, known, whole.points)
    return Mark(whole.label, whole.points, whole.of, whole.mark, words, known, trouble)


def _function_words(exercise: Exercise, hidden: Sequence[Case], found: Sequence[Any], known: str, points: float) -> str:
    n = len(exercise.cases)
    seen = compare(exercise, exercise.cases, found[:n])
    unseen = [compare(exercise, [case], [answer]).mark == "✔" for case, answer in zip(hidden, found[n:], strict=True)]
    summary = (
        f"{sum(unseen)} of the {len(hidden)} hidden cases are right; {points:g} of {exercise.points} points in all."
    )
    if seen.mark == "✘":
        return f"{seen.words} {summary}"
    raised = {answer.words.split(":")[0] for answer in found[n:] if isinstance(answer, Raised)}
    kinds = sorted(name for name in raised if isinstance(getattr(builtins, name, None), type))  # not a name of theirs
    stops = f" It stops with {' and '.join(kinds)} there." if kinds else ""
    return f"not yet: right in all {n} cases of the lesson, but {summary}{stops} {known or exercise.hint}".rstrip()


def stopped_words(attempt: Attempt, limits: Limits) -> str:
    """Why the answers of ``attempt`` end where they do, for the student."""
    return {
        "time": f"no answer within {limits.seconds:g} seconds",
        "budget": f"no answer before the {limits.budget_s:g} seconds for one student's whole lesson were used up",
        "output": f"more than {limits.output_mb:g} MB of output",
        "died": "the end of the whole process",
        "error": attempt.words,
        "": "no answer",
    }[attempt.trouble]


def _memory(found: Sequence[Any]) -> str:
    full = ("MemoryError", "RuntimeError: [enforce fail at alloc_cpu")  # Python's and torch's
    return "memory" if any(isinstance(answer, Raised) and answer.words.startswith(full) for answer in found) else ""
