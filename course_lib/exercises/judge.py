"""An exercise, and what an answer to it is worth, in words and points. Nothing here ever stops a lesson."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Unsolved = (None, ..., NotImplemented)
Case = tuple[Any, ...]


@dataclass(frozen=True)
class Exercise:
    """A graded exercise: a function to write, or a value to find.

    reference: the right function, or the right value. cases: the arguments on which a function is tried at once.
    draw(rng): the arguments of one more case, for grading with inputs that nobody has seen. mistakes: {advice: the
    function, or value, that this mistake gives}. hint: said of any other wrong value.
    """

    label: str  # "5.1": lesson 5, first exercise
    points: int
    reference: Any
    cases: Sequence[Case] = ()
    draw: Callable[[np.random.Generator], Case] | None = None
    mistakes: Mapping[str, Any] = field(default_factory=dict)
    hint: str = ""
    rtol: float = 1e-6

    @property
    def is_function(self) -> bool:
        """Whether a function is wanted, not a value."""
        return bool(self.cases)


@dataclass(frozen=True)
class Raised:
    """In the place of an answer: the words of the exception that came instead."""

    words: str


@dataclass(frozen=True)
class Verdict:
    """``points`` earned of those there were, the mark "✔", "✘" or "○" (not solved yet), and a sentence."""

    label: str
    points: float
    of: int
    mark: str
    words: str

    def __str__(self) -> str:
        return f"{self.mark} Exercise {self.label}: {self.words}"


def answers(function: Callable[..., Any], cases: Sequence[Case]) -> list[Any]:
    """What ``function`` returns for each of ``cases``, on copies of the arguments; `Raised` where it stops."""
    found: list[Any] = []
    for case in cases:
        try:
            found.append(function(*deepcopy(case)))
        except NotImplementedError:
            found.append(None)
        except (Exception, SystemExit) as error:  # whatever a student's code raises becomes a sentence
            found.append(raised(error))
    return found


def raised(error: BaseException) -> Raised:
    """``error`` in words; an exception that a student has made may have none."""
    try:
        return Raised(f"{type(error).__name__}: {error}")
    except Exception:
        return Raised(f"{type(error).__name__}")


def judge(exercise: Exercise, answer: Any) -> Verdict:
    """The verdict on a student's function, tried on the exercise's cases, or on a value."""
    if not exercise.is_function:
        return compare(exercise, [()], [answer])
    if callable(answer) or _unsolved(answer):
        found = answers(answer, exercise.cases) if callable(answer) else [None] * len(exercise.cases)
        return compare(exercise, exercise.cases, found)
    words = f"not yet: a function is wanted here, not a value of type {type(answer).__name__}."
    return Verdict(exercise.label, 0, exercise.points, "✘", words)


def compare(exercise: Exercise, cases: Sequence[Case], found: Sequence[Any]) -> Verdict:
    """The verdict on the answers ``found`` for ``cases``: each right case earns its share, in half points."""
    total = f"{exercise.points} point{'s' * (exercise.points > 1)}"
    if all(_unsolved(answer) for answer in found):
        words = f"not solved yet; {total} {'wait' if exercise.points > 1 else 'waits'} here."
        return Verdict(exercise.label, 0, exercise.points, "○", words)
    wrong = _wrong(exercise, found, exercise.reference, cases)
    right = wrong.count("")
    earned = 2 * exercise.points * right // len(cases) / 2
    worth = f"{earned:g} of {total}"
    if right == len(cases):
        where = f" in all {len(cases)} cases" if exercise.is_function else ""
        return Verdict(exercise.label, earned, exercise.points, "✔", f"right{where}: {worth}.")
    first = next(number for number, words in enumerate(wrong) if words)
    place = f"for {_show(cases[first])}, case {first + 1}, " if exercise.is_function else ""
    some = f"right in {right} of {len(cases)} cases, {worth}; " if right else ""
    advice = mistake(exercise, cases, found) or exercise.hint
    return Verdict(
        exercise.label, earned, exercise.points, "✘", f"not yet: {some}{place}{wrong[first]}. {advice}".rstrip()
    )


def mistake(exercise: Exercise, cases: Sequence[Case], found: Sequence[Any]) -> str:
    """The advice against the known mistake that gives just the answers ``found``; empty if none does."""
    explained = (advice for advice, m in exercise.mistakes.items() if not any(_wrong(exercise, found, m, cases)))
    return next(explained, "")


def _wrong(exercise: Exercise, found: Sequence[Any], thing: Any, cases: Sequence[Case]) -> list[str]:
    """What sets each answer apart from that of ``thing``, a function or the value itself; empty where nothing does."""
    expected = answers(thing, cases) if exercise.is_function else [thing]
    return [difference(*pair, exercise.rtol) for pair in zip(found, expected, strict=True)]


def difference(answer: Any, expected: Any, rtol: float = 1e-6) -> str:
    """What sets ``answer`` apart from ``expected``, in words; empty if nothing does."""
    if isinstance(answer, Raised):
        return f"it stops with {answer.words}"
    if _unsolved(answer):
        return "it returns nothing (does every way through the function end in `return`?)"
    other = f"the answer is {_show(answer)}, which is not the expected one"
    if isinstance(expected, str | set | dict | Raised):
        return "" if isinstance(answer, type(expected)) and answer == expected else other
    want = np.asarray(expected)
    got: np.ndarray | None
    try:
        got = np.asarray(answer)
        if want.dtype.kind not in "US":
            got = got.astype(float) if got.dtype.kind in "biuf" else None
    except Exception:  # numpy's many words for "this is no array"
        got = None
    if got is None:
        return f"a number or an array of numbers is wanted, and this is a {type(answer).__name__}"
    if got.shape != want.shape:
        return f"the shape is {got.shape}, expected {want.shape}"
    if want.dtype.kind in "US":
        return "" if got.dtype.kind in "US" and (got == want).all() else other
    near = np.isclose(got, want.astype(float), rtol=rtol, atol=1e-9, equal_nan=True)
    if near.all():
        return ""
    if np.isnan(got).any() and not np.isnan(want).any():
        return "the answer holds NaN (0 divided by 0?)"
    at = tuple(int(i) for i in np.argwhere(~near)[0])  # () of a number alone
    what = (
        f"the first differing value is at [{', '.join(map(str, at))}]: {got[at]:.6g}"
        if at
        else f"the answer is {_show(answer)}"
    )
    if want.dtype == bool:
        return what
    if want.dtype.kind == "f" and ((want >= 0) & (want <= 1)).all() and not 0 <= got[at] <= 1:
        return f"{what}, outside the range from 0 to 1"
    return f"{what}, {'larger' if got[at] > want[at] else 'smaller'} than expected"


def _unsolved(answer: Any) -> bool:
    return any(answer is nothing for nothing in Unsolved)


def _show(value: Any) -> str:
    text = repr(value) if not isinstance(value, np.generic) else repr(value.item())
    text = " ".join(text.split())
    return text if len(text) <= 90 else text[:87] + "..."
