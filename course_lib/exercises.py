"""Checks that answer at once, in words, and never stop a lesson."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.sparse import issparse

Unsolved = (None, ..., NotImplemented)


def check(
    label: str,
    answer: Any,
    expected: Any,
    *,
    points: int = 1,
    hint: str = "",
    rtol: float = 1e-6,
    mistakes: Mapping[str, Any] | None = None,
) -> None:
    """Compare a value or array with the expected one and print one verdict.

    ``hint`` is shown with a wrong answer. ``mistakes``: {advice: the value that mistake gives}.
    """
    if _unsolved(answer):
        return _say(label, "○", f"not solved yet; {points} point{'s wait' if points > 1 else ' waits'} here.")
    wrong = difference(answer, expected, rtol)
    if not wrong:
        return _say(label, "✔", f"right: {points} of {points} point{'s' * (points > 1)}.")
    advice = [words for words, value in (mistakes or {}).items() if not difference(answer, value, rtol)]
    return _say(label, "✘", " ".join(filter(None, [f"not yet: {wrong}.", *advice[:1], hint if not advice else ""])))


def check_function(
    label: str,
    function: Callable[..., Any],
    reference: Callable[..., Any],
    cases: Sequence[tuple[Any, ...]],
    *,
    points: int = 1,
    rtol: float = 1e-6,
    mistakes: Mapping[str, Callable[..., Any]] | None = None,
) -> None:
    """Run the student's ``function`` and the library's ``reference`` on each tuple of arguments and compare.

    Reports the first case that differs. ``mistakes``: {advice: a wrong function}; the advice is shown when the
    student's answers are those of the wrong function in every case.
    """
    if not callable(function):
        return _say(label, "✘", f"not yet: a function is wanted here, and this is a {type(function).__name__}.")
    answers = []
    for number, arguments in enumerate(cases, start=1):
        try:
            answer = function(*(_copy(value) for value in arguments))
        except NotImplementedError:
            answer = None
        except Exception as error:  # whatever a student's code raises becomes a sentence
            words = f"case {number}, {_show(arguments)}, stops with {type(error).__name__}: {error}."
            return _say(label, "✘", f"not yet: {words}")
        if _unsolved(answer):
            more = " (does the function end in `return`?)" if number > 1 else ""
            return _say(label, "○", f"not solved yet{more}; {points} point{'s wait' if points > 1 else ' waits'} here.")
        answers.append(answer)
    for number, (arguments, answer) in enumerate(zip(cases, answers, strict=True), start=1):
        wrong = difference(answer, reference(*arguments), rtol)
        if wrong:
            advice = [
                words
                for words, mistaken in (mistakes or {}).items()
                if all(not difference(a, mistaken(*c), rtol) for a, c in zip(answers, cases, strict=True))
            ]
            return _say(
                label, "✘", " ".join([f"not yet: for {_show(arguments)}, case {number}, {wrong}.", *advice[:1]])
            )
    return _say(label, "✔", f"right in all {len(cases)} cases: {points} of {points} point{'s' * (points > 1)}.")


def difference(answer: Any, expected: Any, rtol: float = 1e-6) -> str:
    """What sets ``answer`` apart from ``expected``, in words; empty if nothing does."""
    if isinstance(expected, str | bool | set | dict) or expected is None:
        return "" if answer == expected else f"the answer is {_show(answer)}, which is not the expected one"
    try:
        got, want = (np.asarray(x.toarray() if issparse(x) else x) for x in (answer, expected))
        if got.dtype == object or (got.dtype.kind in "US" and want.dtype.kind not in "US"):
            return f"a number or an array of numbers is wanted, and this is a {type(answer).__name__}"
    except Exception:  # numpy's many words for "this is no array"
        return f"a number or an array of numbers is wanted, and this is a {type(answer).__name__}"
    if got.shape != want.shape:
        return f"the shape is {got.shape}, expected {want.shape}"
    if want.dtype.kind in "US":
        return "" if (got == want).all() else f"the answer is {_show(answer)}, which is not the expected one"
    if np.isnan(got).any() and not np.isnan(want).any():
        return "the answer holds NaN (0 divided by 0?)"
    near = np.isclose(got.astype(float), want.astype(float), rtol=rtol, atol=1e-9, equal_nan=True)
    if near.all():
        return ""
    if got.ndim == 0:
        return f"the answer is {_show(answer)}" + _range_words(got, want)
    first = tuple(int(i) for i in np.argwhere(~near)[0])
    place = first[0] if len(first) == 1 else first
    return f"the first differing value is at [{place}]: {got[first]:.6g}" + _range_words(got, want)


def _range_words(got: np.ndarray, want: np.ndarray) -> str:
    if bool in (got.dtype, want.dtype):
        return ""
    if (want >= 0).all() and (want <= 1).all() and not ((got >= 0) & (got <= 1)).all():
        return ", outside the range from 0 to 1"
    return ", larger than expected" if np.nansum(got - want) > 0 else ", smaller than expected"


def _unsolved(answer: Any) -> bool:
    return any(answer is nothing for nothing in Unsolved)


def _copy(value: Any) -> Any:
    return value.copy() if hasattr(value, "copy") else value


def _show(value: Any) -> str:
    text = repr(value) if not isinstance(value, np.generic) else repr(value.item())
    text = " ".join(text.split())
    return text if len(text) <= 90 else text[:87] + "..."


def _say(label: str, mark: str, words: str) -> None:
    print(f"{mark} Exercise {label}: {words}")
