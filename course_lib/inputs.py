"""What a public function takes: a list, a tuple, an array, a Series or a tensor of the same values means the same.

Each function here turns what it is given into one plain form, or raises CourseError with one sentence: what, where, and
what to do. They are called once where data comes in, not inside loops. A Series is taken in the order of its rows; its
index says nothing.
"""

import math
import numbers as kinds
from collections.abc import Callable, Iterable, Mapping, Set
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp

from course_lib.errors import CourseError


def number(
    name: str,
    value: Any,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> float:
    """The setting ``name`` as a Python float, inside its range; numpy's numbers count, truth values and NaN do not."""
    try:
        found = math.nan if isinstance(value, bool | np.bool_) or not isinstance(value, kinds.Real) else float(value)
    except OverflowError:  # a whole number of more than 300 digits
        found = math.inf
    if not math.isfinite(found):
        raise CourseError(f"{name} is a number; got {_short(value)}.")
    words = {"above": above, "at least": at_least, "below": below, "at most": at_most}
    outside = (
        (above is not None and not found > above)
        or (at_least is not None and not found >= at_least)
        or (below is not None and not found < below)
        or (at_most is not None and not found <= at_most)
    )
    if outside:
        limits = " and ".join(f"{word} {limit:g}" for word, limit in words.items() if limit is not None)
        raise CourseError(f"{name} is {limits}; got {found:g}.")
    return found


def whole(name: str, value: Any, *, at_least: int | None = None, at_most: int | None = None) -> int:
    """The setting ``name`` as a Python int, inside its range; numpy's whole numbers count, 3.0 and True do not."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, kinds.Integral):
        raise CourseError(f"{name} is a whole number; got {value!r}.")
    number(name, value, at_least=at_least, at_most=at_most)
    return int(value)


POSITIVE, NOT_NEGATIVE = partial(number, above=0), partial(number, at_least=0)
SHARE = partial(number, at_least=0, at_most=1)
COUNT, NATURAL = partial(whole, at_least=1), partial(whole, at_least=0)
SEED, SEED_32 = partial(whole, at_least=0, at_most=2**63 - 1), partial(whole, at_least=0, at_most=2**32 - 1)


RATE = partial(number, above=0, at_most=1e30)  # of learning; torch has no longer step in 32 bits


def settings(owner: Any, **ranges: Callable[[str, Any], int | float]) -> None:
    """Check the attributes of ``owner``, called in its ``__post_init__``: settings(self, lam=POSITIVE, seed=SEED)."""
    for name, check in ranges.items():
        value = getattr(owner, name)
        found = check(name, value)
        if isinstance(value, np.generic):
            object.__setattr__(owner, name, found)  # numpy's scalars as Python's, in frozen classes too


def choice(name: str, value: Any, known: Iterable[str]) -> str:
    """``value``, which has to be one of ``known``."""
    known = tuple(known)
    if not (isinstance(value, str) and value in known):
        raise CourseError(f"There is no {name} {_short(value)}: choose one of {', '.join(known)}.")
    return value


def generator(seed: Any) -> np.random.Generator:
    """NumPy's random numbers from ``seed``: a whole number of at least 0, or a list of them."""
    if isinstance(seed, list | tuple | np.ndarray) and np.ndim(seed) == 1 and len(seed):
        return np.random.default_rng([whole("a seed", one, at_least=0) for one in seed])
    return np.random.default_rng(whole("seed", seed, at_least=0))


def array(what: str, values: Any, *, ndim: int | None = None, finite: bool = True, keep: bool = False) -> np.ndarray:
    """``values`` as an array of floats, of ``ndim`` dimensions; with ``finite`` neither NaN nor infinite.

    The result is the caller's own, float64; with ``keep`` an array of floats is itself, in its own precision.
    """
    found = _plain(values)
    if found.dtype.kind not in "biuf":
        raise CourseError(f"{what} are numbers; got values of type {found.dtype}.")
    if ndim is not None and found.ndim != ndim:
        raise CourseError(f"{what} have {ndim} dimension{'s' * (ndim > 1)}; got the shape {found.shape}.")
    found = found if keep and found.dtype.kind == "f" else found.astype(float)
    return all_finite(what, found) if finite else found


def all_finite(what: str, values: np.ndarray, advice: str = "look for 0 / 0 or a training that diverged") -> np.ndarray:
    """``values`` themselves, where none is NaN or infinite: called before a maximum, an order or a mean is taken."""
    bad = ~np.isfinite(values)
    if bad.any():
        raise CourseError(f"{what} hold NaN or an infinite value, {int(bad.sum())} of {bad.size}: {advice}.")
    return values


def matrix(what: str, values: Any, shape: tuple[int | None, int | None] = (None, None)) -> sp.csr_matrix:
    """``values`` as a sparse matrix of finite numbers; ``shape``: rows and columns it must have, None for any."""
    found = values.tocsr() if sp.issparse(values) else sp.csr_matrix(array(what, values, ndim=2))
    if any(n is not None and n != m for n, m in zip(shape, found.shape, strict=True)):
        told = ", ".join("any" if n is None else str(n) for n in shape)
        raise CourseError(f"{what} have the shape {found.shape}, expected ({told}).")
    all_finite(what, found.data)
    return found if isinstance(found, sp.csr_matrix) else sp.csr_matrix(found)


def ids(what: str, values: Any, n: int) -> np.ndarray:
    """``values`` as ids (m,) int64, each from 0 to ``n`` - 1. A mask is refused: it would read as the ids 0 and 1."""
    found = _plain(values)
    if found.dtype.kind == "b":
        raise CourseError(f"{what} are ids, and this is a mask of True and False: write np.flatnonzero(mask).")
    if found.ndim != 1 or (found.dtype.kind not in "iu" and found.size):
        raise CourseError(f"{what} are a list of whole numbers; got the shape {found.shape}, type {found.dtype}.")
    found = found.astype(np.int64)
    if found.size and not (found.min() >= 0 and found.max() < n):
        wrong = found[(found < 0) | (found >= n)][0]
        raise CourseError(f"{what} are ids from 0 to {n - 1}; got {wrong}.")
    return found


def mask(what: str, values: Any, n: int) -> np.ndarray:
    """``values`` as a mask (n,) of truth values: it may be one, or a list of ids."""
    found = _plain(values)
    if found.dtype.kind == "b":
        if found.shape != (n,):
            raise CourseError(f"{what}: the mask has the shape {found.shape}, expected ({n},).")
        return found
    chosen = np.zeros(n, dtype=bool)
    chosen[ids(what, found, n)] = True
    return chosen


def labels(what: str, values: Any, n_classes: int) -> np.ndarray:
    """``values`` as class labels (m,) int64, each from 0 to ``n_classes`` - 1; 1.0 and True read as 1."""
    found = _plain(values)
    if found.dtype.kind == "f" and (found == np.floor(found)).all():
        found = found.astype(np.int64)
    return ids(what, found.astype(np.int64) if found.dtype.kind == "b" else found, n_classes)


def texts(what: str, values: Iterable[Any], *, empty: bool = False) -> list[str]:
    """``values`` as a list of strings. A single string, a missing value (None, NaN) and, unless ``empty``, no text at
    all are refused.
    """
    found = listed(what, values, "strings")
    for place, text in enumerate(found):
        if not isinstance(text, str):
            raise CourseError(f"{what} are strings, and number {place} is {_short(text)}: write '' for a missing one.")
    if not (found or empty):
        raise CourseError(f"There is no text among {what}: at least one is needed.")
    return [str(text) for text in found]  # numpy's strings as Python's


def listed(what: str, values: Any, kind: str) -> list[Any]:
    """``values``, which have an order, as a list. A single string, a mapping, a set and a table are refused: what
    stands in their rows would be left out or shuffled.
    """
    if isinstance(values, str | bytes):
        raise CourseError(f"{what} are a list of {kind}: wrap one text as [text].")
    unordered = isinstance(values, Mapping | Set) or hasattr(values, "columns")
    if unordered or not isinstance(values, Iterable) or (hasattr(values, "ndim") and values.ndim == 0):
        raise CourseError(f"{what} are a list of {kind}; got a {type(values).__name__}.")
    return list(values)


def same_length(**parts: Any) -> int:
    """The common length of ``parts``, which belong together row by row: ``same_length(texts=texts, labels=labels)``."""
    lengths = {name: len(part) for name, part in parts.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{n} {name}" for name, n in lengths.items())
        raise CourseError(f"{' and '.join(lengths)} belong together, one of each a row; got {told}.")
    return next(iter(lengths.values()))


def _plain(values: Any) -> np.ndarray:
    """``values`` as an array; a tensor that learns is detached first."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().double() if values.dtype.is_floating_point else values.detach().cpu()
    try:
        return np.asarray(values)
    except ValueError as error:  # rows of different lengths
        raise CourseError("The rows are of different lengths, so they make no table of numbers.") from error


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else text[:57] + "..."
