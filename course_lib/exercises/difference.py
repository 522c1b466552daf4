"""What sets an answer apart from the expected one, in words that lead on and do not give the answer away."""

import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Kind = Literal["number", "share", "ids", "indices"]
Unsolved = (None, ..., NotImplemented)
HALF = ("float16", "bfloat16")
ROUNDED = "the values are right but rounded too far: give more decimals"


@dataclass(frozen=True)
class Raised:
    """In the place of an answer: the words of the exception that came instead."""

    words: str


def is_unsolved(answer: Any) -> bool:
    """Whether ``answer`` is what an empty stub gives: None, the dots, or NotImplemented."""
    return any(answer is nothing for nothing in Unsolved)


def plain(answer: Any) -> Any:
    """``answer`` with every tensor in it, also inside lists and tuples, as an array; bfloat16 becomes float16."""
    if isinstance(answer, list | tuple):
        return type(answer)([plain(one) for one in answer]) if type(answer) in (list, tuple) else answer
    if hasattr(answer, "detach"):
        tensor = answer.detach().cpu()
        return tensor.float().numpy().astype("float16") if str(tensor.dtype).endswith("bfloat16") else tensor.numpy()
    return answer


def numbers_of(answer: Any) -> np.ndarray | None:
    """``answer`` as an array of truth values, whole numbers, floats or texts in its own precision; None if it is not.

    A number, a list, a tuple, an array, a Series and a tensor, with a gradient or not, are taken alike.
    """
    try:
        found = np.asarray(plain(answer))
        if found.dtype.kind == "O" and all(isinstance(one, numbers.Real) for one in found.flat):
            found = found.astype(float)
    except Exception:  # the many words for "this is no array"; a student's class can have words of its own
        return None
    return found if found.dtype.kind in "biufUS" else None


def precision(values: np.ndarray) -> str:
    """The type in which float ``values`` were computed; float64 that float32 could hold is taken for float32.

    But not whole numbers beyond 1, which are rounded; float32 holds no other ones above 2²³.
    """
    if values.dtype.kind != "f" or values.dtype.itemsize < 8:
        return str(values.dtype)
    size = np.abs(values)
    if values.size and ((values == np.rint(values)) & (size > 1) & (size < 2**23)).all():
        return "float64"
    with np.errstate(over="ignore"):
        return "float32" if np.array_equal(values, values.astype("float32"), equal_nan=True) else "float64"


def near(got: np.ndarray, want: np.ndarray, rtol: float) -> np.ndarray:
    """Where ``got`` is ``want``, in the precision of ``got``: float32 errs in proportion to the largest value."""
    exact = want.astype(float)
    atol = 1e-9
    if want.dtype.kind == "f" and precision(got) in ("float32", *HALF):
        scale = np.abs(exact[np.isfinite(exact)]).max(initial=0)
        rtol, atol = max(rtol, 1e-4), max(atol, 1e-5 * scale)
    return np.isclose(got.astype(float), exact, rtol=rtol, atol=atol, equal_nan=True)


def difference(answer: Any, expected: Any, rtol: float = 1e-6, kind: Kind = "number") -> str:
    """What sets ``answer`` apart from ``expected``, in words; empty if nothing does. kind: see `judge.Exercise`."""
    if isinstance(answer, Raised):
        same = isinstance(expected, Raised) and answer.words.split(":")[0] == expected.words.split(":")[0]
        return "" if same else f"it stops with {answer.words}"
    if is_unsolved(answer):
        return "it returns nothing (does every way through the function end in `return`?)"
    if isinstance(expected, str):
        return _text(answer, expected)
    if isinstance(expected, set | dict | Raised):
        same = isinstance(answer, type(expected)) and answer == expected
        return "" if same else f"the answer is {show(answer)}, which is not the expected one"
    if isinstance(expected, tuple):
        return _several(answer, expected, rtol, kind)
    got, want = numbers_of(answer), np.asarray(expected)
    if got is None or (got.dtype.kind in "US") != (want.dtype.kind in "US"):
        return f"a number or an array of numbers is wanted, and this is a {type(answer).__name__}"
    if got.shape != want.shape:
        return _shape(got, want, kind)
    if want.dtype.kind in "US":
        return "" if (got == want).all() else f"the answer is {show(answer)}, which is not the expected one"
    right = near(got, want, rtol)
    return "" if right.all() else _values(got, want, right, kind)


def _text(answer: Any, expected: str) -> str:
    if not isinstance(answer, str):
        return f"a text is wanted, and this is a {type(answer).__name__}"
    if answer == expected:
        return ""
    what = f"the answer is {show(answer)}"
    if answer.lower() == expected.lower():
        return f"{what}: only capitals differ"
    if answer.replace(" ", "") == expected.replace(" ", ""):
        return f"{what}: only spaces differ"
    if sorted(answer.split()) == sorted(expected.split()):
        return f"{what}: the right words in another order"
    same = next((k for k, pair in enumerate(zip(answer, expected, strict=False)) if pair[0] != pair[1]), None)
    if same is None:
        return f"{what}: it {'goes on after' if len(answer) > len(expected) else 'stops before'} its end"
    return f"{what}, which differs from character {same + 1} on" if same else f"{what}, which differs from the start"


def _several(answer: Any, expected: Sequence[Any], rtol: float, kind: Kind) -> str:
    """The words for an answer that has to be several arrays of one length."""
    n = len(expected)
    try:
        parts = [answer[k] for k in range(len(answer))]
    except Exception:  # what came through the grader as a tuple that is no array: one of unequal lengths
        unequal = type(answer).__name__ in ("tuple", "list")
        return "the arrays differ in length" if unequal else f"{n} arrays are wanted, and this is no pair of them"
    if len(parts) != n:
        return f"{n} arrays are wanted, and these are {len(parts)}"
    words = [difference(part, wanted, rtol, kind) for part, wanted in zip(parts, expected, strict=True)]
    shapes = [np.shape(numbers_of(part)) for part in parts]  # type: ignore[arg-type]
    if any(words) and len({shape[:1] for shape in shapes}) > 1:
        lengths = " and ".join(str(shape[0]) if shape else "no length" for shape in shapes)
        return f"the {'two ' if n == 2 else ''}arrays differ in length: {lengths}"
    at = next((k for k, said in enumerate(words) if said), None)
    return "" if at is None else f"in array {at + 1} of {n}, {words[at]}"


def _shape(got: np.ndarray, want: np.ndarray, kind: Kind) -> str:
    if not want.ndim:
        return f"one number is wanted, and this is an array of shape {got.shape}"
    if not got.ndim:
        return f"this is one number, and an array of shape {want.shape} is wanted"
    if kind == "ids" and got.ndim == want.ndim == 1:
        few = len(got) < len(want)
        same = (got == want[: len(got)]).all() if few else (got[: len(want)] == want).all()
        start = f", though the first {min(len(got), len(want))} are right" if same and min(len(got), len(want)) else ""
        return f"these are {len(got)} ids, and {len(want)} are wanted{start}"
    turned = ": rows and columns are exchanged" if got.ndim > 1 and got.shape == want.shape[::-1] else ""
    return f"the shape is {got.shape}, expected {want.shape}{turned}"


def _values(got: np.ndarray, want: np.ndarray, right: np.ndarray, kind: Kind) -> str:
    """The words for an array of the right shape with wrong values."""
    if np.isnan(got.astype(float)).any() and not np.isnan(want.astype(float)).any():
        return "the answer holds NaN: from the input, from a user not found, or 0 divided by 0"
    if np.isinf(got.astype(float)).any() and np.isfinite(want.astype(float)).all():
        return "the answer holds an infinite value: a division by 0, or the logarithm of 0"
    at = tuple(int(i) for i in np.argwhere(~right)[0])  # () of a number alone
    if kind == "ids":
        return _ids(got, want, at)
    if want.dtype == bool:
        return _truth(got, want, at)
    if kind == "indices" and at:
        return f"[{', '.join(map(str, at))}]: {got[at]:.6g}, and another one is expected there"
    if words := _arranged(got, want) or pattern([got], [want]):
        return words
    if want.dtype.kind == "f" and precision(got) in HALF and np.isclose(got.astype(float), want, rtol=0.02).all():
        return f"the answer is in {got.dtype}, which holds three digits: compute in float32 or float64"
    what = f"the answer is {show(got[()])}"
    if at:
        place = f"[{', '.join(map(str, at))}]: {got[at]:.6g}"
        some = f"{(~right).sum()} of {right.size} values differ, the first at " if right.any() else ""
        what = some + place if some else f"the first differing value is at {place}"
    if kind == "share" and not 0 <= got[at] <= 1:
        return f"{what}, outside the range from 0 to 1"
    if np.isnan(want[at]):
        return f"{what}, and NaN is expected there"
    return f"{what}, {'larger' if got[at] > want[at] else 'smaller'} than expected"


def _ids(got: np.ndarray, want: np.ndarray, at: tuple[int, ...]) -> str:
    if not at:
        return f"the answer is {show(got[()])}, and another id is expected"
    if got.ndim == 1:
        if (got == want[::-1]).all():
            return "the same ids in reverse order"
        if (np.sort(got) == np.sort(want)).all():
            return f"the right ids in another order: another one is expected in place {at[0] + 1}"
        ids, counts = np.unique(got, return_counts=True)
        if counts.max() > 1 and len(np.unique(want)) == len(want):
            return f"the id {ids[counts.argmax()]:g} stands there more than once"
    return f"[{', '.join(map(str, at))}]: {got[at]:.6g}, and another id is expected in place {at[-1] + 1}"


def _truth(got: np.ndarray, want: np.ndarray, at: tuple[int, ...]) -> str:
    value = bool(got[at]) if got[at] in (0, 1) else f"{got[at]:.6g}"
    if not at:
        return f"the answer is {value}, and {bool(want)} is expected"
    if (got == ~want).all() and len(np.unique(want)) == 2:
        return "True and False are exchanged everywhere"
    return f"[{', '.join(map(str, at))}]: {value}, and {bool(want[at])} is expected there"


@np.errstate(invalid="ignore")  # of infinite values, which some right answers hold
def _arranged(got: np.ndarray, want: np.ndarray) -> str:
    """The words for the right values in wrong places, or rounded."""
    if want.ndim == 2 and got.shape == want.T.shape and near(got, want.T, 1e-6).all():
        return "rows and columns are exchanged"
    if want.ndim == 1 and near(got, want[::-1], 1e-6).all():
        return "the right values in reverse order"
    if want.ndim == 1 and near(np.sort(got), np.sort(want), 1e-6).all():
        in_order = (np.diff(got.astype(float)) >= 0).all() or (np.diff(got.astype(float)) <= 0).all()
        return f"the right values in another order{', that of their size' if in_order else ''}"
    value, exact = got.astype(float), want.astype(float)
    if want.dtype.kind == "f" and (value % 1 != 0).all() and any((value == exact.round(k)).all() for k in range(1, 5)):
        return ROUNDED
    return ""


def pattern(got: Sequence[np.ndarray], want: Sequence[np.ndarray]) -> str:
    """The words for numbers of which each differs from the expected one in the same way; empty if they do not.

    Two different numbers at least have to agree in it, or it would be no pattern.
    """
    value, exact = (np.concatenate([np.ravel(one).astype(float) for one in many]) for many in (got, want))
    if not (np.isfinite(value) & np.isfinite(exact)).all() or len(np.unique(np.abs(exact[exact != 0]).round(9))) < 2:
        return ""
    scale = np.abs(exact).max()
    nonzero = np.abs(exact) > 1e-6 * scale
    factor = float((value[nonzero] / exact[nonzero]).mean())
    if factor and abs(factor - 1) > 1e-6 and np.allclose(value, factor * exact, rtol=1e-5, atol=1e-7 * scale):
        return "the sign is the other way round" if abs(factor + 1) < 1e-5 else _times(factor)
    shift = float((value - exact).mean())
    if abs(shift) > 1e-6 * scale and np.allclose(value, exact + shift, rtol=0, atol=1e-6 * scale):
        return f"each value is {abs(shift):.4g} too {'large' if shift > 0 else 'small'}"
    return ""


def _times(factor: float) -> str:
    return f"each value is {factor:.4g} times the expected one"


def show(value: Any) -> str:
    """``value`` as code would write it, on one line of 90 characters at most; an array that is longer as its shape."""
    text = repr(value) if not isinstance(value, np.generic) else repr(value.item())
    text = " ".join(text.split())
    if len(text) <= 90:
        return text
    found = numbers_of(value)
    return text[:87] + "..." if found is None or not found.ndim else f"an array of shape {found.shape}"


def show_case(case: Sequence[Any]) -> tuple[str, bool]:
    """The arguments ``case`` as code would write them, and True; or their shapes where they are too long, and False."""
    text = " ".join(repr(tuple(case)).split())
    if len(text) <= 90:
        return text, True
    return f"({', '.join(_argument(one) for one in case)}{',' * (len(case) == 1)})", False


def _argument(value: Any) -> str:
    found = numbers_of(value)
    if found is None or not found.ndim or isinstance(value, list):
        text = " ".join(repr(value).split())
        return text if len(text) <= 40 else f"a {type(value).__name__} of {len(value)}"
    return f"{type(value).__name__} {found.shape} of {found.dtype}"
