"""An exercise, and what an answer to it is worth, in words and points. Nothing here ever stops a lesson."""

import dis
import warnings
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from course_lib.exercises.difference import (
    Kind,
    Raised,
    Unsolved,
    difference,
    is_unsolved,
    numbers_of,
    pattern,
    show_case,
)

__all__ = ["Case", "Exercise", "Raised", "Unsolved", "Verdict", "answers", "compare", "judge", "mistake", "raised"]
Case = tuple[Any, ...]
EMPTY = {"RESUME", "NOP", "POP_TOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST"}  # all that an empty stub does
NOTHING = "It returns nothing. If you have written it: does it end in `return`?"


@dataclass(frozen=True)
class Exercise:
    """A graded exercise: a function to write, or a value to find.

    reference: the right function, or the right value. cases: the arguments on which a function is tried at once.
    draw(rng): the arguments of one more case, for grading with inputs that nobody has seen. mistakes: {advice: the
    function, or value, that this mistake gives}. hint: said of any other wrong value. kind: "share" where every value
    is from 0 to 1 by its meaning, "ids" where values name things and their size says nothing, otherwise "number".
    rtol: how far a value may be off, relative to the right one; an answer in float32 may be off by 1e-4.
    """

    label: str  # "5.1": lesson 5, first exercise
    points: int
    reference: Any
    cases: Sequence[Case] = ()
    draw: Callable[[np.random.Generator], Case] | None = None
    mistakes: Mapping[str, Any] = field(default_factory=dict)
    hint: str = ""
    rtol: float = 1e-6
    kind: Kind = "number"

    @property
    def is_function(self) -> bool:
        """Whether a function is wanted, not a value."""
        return bool(self.cases)


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


def answers_of_ours(function: Callable[..., Any], cases: Sequence[Case]) -> list[Any]:
    """`answers` of a reference or a known mistake: what warns in there is no business of who asks."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return answers(function, cases)


def raised(error: BaseException) -> Raised:
    """``error`` in words; an exception that a student has made may have none."""
    try:
        return Raised(f"{type(error).__name__}: {error}")
    except Exception:
        return Raised(f"{type(error).__name__}")


def is_stub(function: Callable[..., Any]) -> bool:
    """Whether ``function`` does nothing at all: a docstring, dots, `pass`, or NotImplementedError alone."""
    code = getattr(function, "__code__", None)
    if code is None:
        return False
    return code.co_names == ("NotImplementedError",) or {step.opname for step in dis.get_instructions(code)} <= EMPTY


def judge(exercise: Exercise, answer: Any) -> Verdict:
    """The verdict on a student's function, tried on the exercise's cases, or on a value."""
    if not exercise.is_function:
        return compare(exercise, [()], [answer])
    if callable(answer):
        return compare(exercise, exercise.cases, answers(answer, exercise.cases), written=not is_stub(answer))
    if is_unsolved(answer):
        return compare(exercise, exercise.cases, [None] * len(exercise.cases))
    words = f"not yet: a function is wanted here, not a value of type {type(answer).__name__}."
    return Verdict(exercise.label, 0, exercise.points, "✘", words)


def compare(exercise: Exercise, cases: Sequence[Case], found: Sequence[Any], written: bool = False) -> Verdict:
    """The verdict on the answers ``found`` for ``cases``: each right case earns its share, in half points.

    written: whether a function that returns nothing is more than the empty stub, and should be told so.
    """
    total = f"{exercise.points} point{'s' * (exercise.points > 1)}"
    if all(is_unsolved(answer) for answer in found):
        words = f"not solved yet; {total} {'wait' if exercise.points > 1 else 'waits'} here."
        return Verdict(exercise.label, 0, exercise.points, "○", f"{words} {NOTHING}" if written else words)
    wrong = _wrong(exercise, found, exercise.reference, cases)
    right = wrong.count("")
    earned = 2 * exercise.points * right // len(cases) / 2
    worth = f"{earned:g} of {total}"
    if right == len(cases):
        where = f" in all {len(cases)} cases" if exercise.is_function else ""
        return Verdict(exercise.label, earned, exercise.points, "✔", f"right{where}: {worth}.")
    some = f"right in {right} of {len(cases)} cases, {worth}; " if right else ""
    first = next(number for number, words in enumerate(wrong) if words)
    what = "" if right else _in_every_case(exercise, cases, found)
    what = what or _place(exercise, cases, first) + wrong[first]
    advice = mistake(exercise, cases, found) or _unmoved(exercise, cases, found)
    advice = advice or ("" if isinstance(found[first], Raised) else exercise.hint)
    return Verdict(exercise.label, earned, exercise.points, "✘", f"not yet: {some}{what}. {advice}".rstrip())


def mistake(exercise: Exercise, cases: Sequence[Case], found: Sequence[Any]) -> str:
    """The advice against the known mistake that gives the answers ``found``; empty if none does.

    A mistake that gives them all goes before one that gives those which are wrong.
    """
    wrong = [number for number, words in enumerate(_wrong(exercise, found, exercise.reference, cases)) if words]
    same = {advice: _wrong(exercise, found, m, cases) for advice, m in exercise.mistakes.items() if wrong}
    whole = (advice for advice, words in same.items() if not any(words))
    part = (advice for advice, words in same.items() if not any(words[number] for number in wrong))
    return next(whole, "") or next(part, "")


def _unmoved(exercise: Exercise, cases: Sequence[Case], found: Sequence[Any]) -> str:
    """The words for numbers that are all the same, whatever was asked; empty if they are not."""
    got = [None if isinstance(one, Raised) or is_unsolved(one) else numbers_of(one) for one in found]
    if len(cases) < 2 or any(one is None or one.dtype.kind not in "biuf" for one in got):
        return ""
    values = np.unique(np.concatenate([np.ravel(one) for one in got]))  # type: ignore[arg-type]
    if len(values) == 1:
        return f"In every case your answer is {values[0]:.6g}: it has to depend on what the function is given."
    same = all(one.shape == got[0].shape and (one == got[0]).all() for one in got)  # type: ignore[union-attr]
    return "Your answer is the same in every case: it has to depend on what the function is given." if same else ""


def right_cases(exercise: Exercise, cases: Sequence[Case], found: Sequence[Any]) -> list[bool]:
    """For each of ``cases`` whether its answer in ``found`` is right; no words are looked for."""
    return [not words for words in _wrong(exercise, found, exercise.reference, cases)]


def _wrong(exercise: Exercise, found: Sequence[Any], thing: Any, cases: Sequence[Case]) -> list[str]:
    """What sets each answer apart from that of ``thing``, a function or the value itself; empty where nothing does."""
    expected = _expected(exercise, thing, cases)
    return [difference(*pair, exercise.rtol, exercise.kind) for pair in zip(found, expected, strict=True)]


def _expected(exercise: Exercise, thing: Any, cases: Sequence[Case]) -> list[Any]:
    return answers_of_ours(thing, cases) if exercise.is_function else [thing]


def _place(exercise: Exercise, cases: Sequence[Case], number: int) -> str:
    """Which case is spoken of, so that a student can try it."""
    if not exercise.is_function:
        return ""
    shown, whole = show_case(cases[number])
    call = f'case("{exercise.label}", {number + 1})'
    get = "" if whole else f" (to get it: `from course_lib.exercises import case`, then `{call}`)"
    return f"for {shown}, case {number + 1}{get}, "


def _in_every_case(exercise: Exercise, cases: Sequence[Case], found: Sequence[Any]) -> str:
    """The words for answers that are all wrong in the same way, such as twice as large; empty if they are not."""
    got = [None if isinstance(one, Raised) or is_unsolved(one) else numbers_of(one) for one in found]
    want = [numbers_of(one) for one in _expected(exercise, exercise.reference, cases)]
    if exercise.kind == "ids" or len(cases) < 2:
        return ""
    pairs = [(a, b) for a, b in zip(got, want, strict=True) if a is not None and b is not None and a.shape == b.shape]
    if len(pairs) < len(cases) or any(array.dtype.kind not in "iuf" for pair in pairs for array in pair):
        return ""
    words = pattern(*zip(*pairs, strict=True))
    return f"in every case {words}" if words else ""
