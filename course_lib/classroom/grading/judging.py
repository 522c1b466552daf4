"""From a student's answers to a `Mark`, in the grader's own process, which no student's code has touched."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from course_lib.classroom.grading.results import Mark
from course_lib.classroom.grading.sandbox import Attempt
from course_lib.classroom.grading.walls import Limits
from course_lib.exercises import exercise as exercise_of
from course_lib.exercises.judge import Case, Exercise, Raised, answers_of_ours, compare, mistake, right_cases

HIDDEN = 6  # cases that nobody has seen, besides those of the lesson
DRAWN = 60  # from which they are chosen
UNTRIED = "it was not tried"
BY_HEART = "all shown cases are right and no hidden one: were the shown ones learnt by heart?"
LIBRARY = "it answers by calling the lesson's own solution or another part of course_lib: {}."
FORGED = "its code writes into the grader's own report."


def hidden_cases(exercise: Exercise, secret: str) -> list[Case]:
    """The same `HIDDEN` cases for the whole class: they depend on the class's secret and the exercise alone.

    Of `DRAWN` draws those are taken for which the known mistakes give a right answer least often.
    """
    if exercise.draw is None:
        return []
    digest = hashlib.sha256(f"{secret}/{exercise.label}".encode()).digest()
    rng = np.random.default_rng(list(digest))
    drawn = [exercise.draw(rng) for _ in range(DRAWN)]
    right = _right_by_mistake(exercise, drawn)
    chosen: list[int] = []
    for _ in range(HIDDEN):
        so_far = right[:, chosen].sum(axis=1, keepdims=True)
        cost = ((so_far + right) ** 2).sum(axis=0).astype(float)  # one mistake that is always right costs most
        cost[chosen] = np.inf
        chosen.append(int(cost.argmin()))
    return [drawn[number] for number in sorted(chosen)]


def _right_by_mistake(exercise: Exercise, cases: Sequence[Case]) -> np.ndarray:
    """(number of known mistakes, number of cases): 1 where the mistake gives the right answer all the same."""
    found = [right_cases(exercise, cases, answers_of_ours(wrong, cases)) for wrong in exercise.mistakes.values()]
    return np.array(found, dtype=int).reshape(len(found), len(cases))


@cache
def class_cases(label: str, secret: str) -> tuple[Case, ...]:
    """`hidden_cases`, once for a process."""
    return tuple(hidden_cases(exercise_of(label), secret))


def mark_of(exercise: Exercise, hidden: Sequence[Case], shown: Attempt, unseen: Attempt | None, limits: Limits) -> Mark:
    """The mark for the answers of ``shown`` to the exercise's own cases and of ``unseen`` to the ``hidden`` ones.

    Hidden cases earn the points: the smaller of the shares that are right, of the hidden ones and of all, in half
    points. The words tell no hidden input: neither the case nor what the student's code says about it, since code can
    say the input itself; of an exception there only that it was one.
    """
    cases, n = (exercise.cases, len(exercise.cases)) if exercise.is_function else ([()], 1)
    found = _answers(shown, n, limits)
    mark = Mark(exercise.label, 0, exercise.points, "✘", "", trouble=shown.trouble or _memory(found))
    mark = replace(mark, finding=_finding(shown, unseen))
    failed = next((words for words in reversed(shown.errors) if words), "")
    if shown.instead:
        return replace(mark, words=f"not yet: a function is wanted here, not a value of type {shown.instead}.")
    if failed and all(answer is None for answer in found):
        return replace(mark, words=f"not yet: the cell stops with {failed}", trouble="error")
    seen = compare(exercise, cases, found)
    if exercise.is_function and hidden and seen.mark != "○":
        return _with_hidden(exercise, hidden, found, unseen, limits, mark)
    known = mistake(exercise, cases, found) if seen.mark == "✘" else ""
    return replace(mark, points=seen.points, mark=seen.mark, words=seen.words, mistake=known)


def _with_hidden(
    exercise: Exercise, hidden: Sequence[Case], found: list[Any], unseen: Attempt | None, limits: Limits, mark: Mark
) -> Mark:
    """``mark`` with the points that the hidden cases earn as well, and words that count them."""
    n, stopped = len(found), Raised(UNTRIED)
    rest = _answers(unseen, len(hidden), limits) if unseen else [stopped] * len(hidden)
    trouble = mark.trouble or (unseen.trouble or _memory(rest) if unseen else "")
    seen, hits = compare(exercise, exercise.cases, found), right_cases(exercise, hidden, rest)
    right = sum(right_cases(exercise, exercise.cases, found)) + sum(hits)
    share = min(right / (n + len(hits)), sum(hits) / len(hits))
    points = float(np.floor(2 * exercise.points * share + 1e-9) / 2)
    worth = f"{points:g} of {exercise.points} point{'s' * (exercise.points > 1)}"
    if seen.mark == "✔" and all(hits):
        return replace(mark, points=points, mark="✔", words=f"right in all {n + len(hits)} cases: {worth}.")
    known = mistake(exercise, [*exercise.cases, *hidden], [*found, *rest])
    summary = f"{sum(hits)} of the {len(hits)} hidden cases are right; {worth} in all."
    words = f"{_without_points(seen.words)} {summary}"
    finding = mark.finding
    if seen.mark == "✔":
        stops = " It stops with an error there." if any(isinstance(one, Raised) for one in rest) else ""
        words = f"not yet: right in all {n} cases of the lesson, but {summary}{stops} {known or exercise.hint}".rstrip()
        finding = finding or ("" if any(hits) or trouble else BY_HEART)
    return replace(mark, points=points, words=words, mistake=known, trouble=trouble, finding=finding)


def _finding(shown: Attempt, unseen: Attempt | None) -> str:
    """What an instructor should know of how the two attempts came to their answers."""
    both = [shown, *([unseen] if unseen else [])]
    if any(attempt.trouble == "report" for attempt in both):
        return FORGED
    called = sorted({name for attempt in both for name in attempt.called})
    return LIBRARY.format(", ".join(called[:3])) if called else ""


def _without_points(words: str) -> str:
    """The check's words, which count the shown cases alone, without the points that those would earn."""
    head, found, tail = words.partition(" cases, ")
    return f"{head} of the lesson's cases; {tail.partition('; ')[2]}" if found and "; " in tail else words


def _answers(attempt: Attempt, n: int, limits: Limits) -> list[Any]:
    """``n`` answers: those of the attempt, and in the place of those that it did not give the reason."""
    stopped = Raised(stopped_words(attempt, limits))
    return [*attempt.answers, *[stopped] * (n - len(attempt.answers))][:n]


def stopped_words(attempt: Attempt, limits: Limits) -> str:
    """Why the answers of ``attempt`` end where they do, for the student."""
    return {
        "time": f"no answer within {limits.seconds:g} seconds",
        "budget": f"no answer before the {limits.budget_s:g} seconds for one student's whole lesson were used up",
        "output": f"more than {limits.output_mb:g} MB of output",
        "died": "the end of the whole process",
        "error": attempt.words,
        "report": attempt.words,
        "": "no answer",
    }[attempt.trouble]


def _memory(found: Sequence[Any]) -> str:
    full = ("MemoryError", "RuntimeError: [enforce fail at alloc_cpu")  # Python's and torch's
    return "memory" if any(isinstance(answer, Raised) and answer.words.startswith(full) for answer in found) else ""
