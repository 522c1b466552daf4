"""Valid arguments for `walk`, each with what is tried in its place; small, and the same in every run."""

import inspect
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch

from course_lib.data.interactions import Interactions, Split

NOTHING = object()
NAN, INF = float("nan"), float("inf")


@dataclass(frozen=True)
class Trial:
    """A value and what it has to lead to: CourseError ("refused"), that or finite results ("sound"), that or the same
    results as ``like`` ("same"), the same results ("equal"). ``like`` is the valid value unless it is given.
    """

    label: str
    value: Any
    expect: Literal["refused", "sound", "same", "equal"]
    like: Any = NOTHING


@dataclass(frozen=True)
class Kind:
    """A valid value."""

    value: Any

    def fresh(self) -> Any:
        """The value, for one call: a call may change it."""
        return deepcopy(self.value)

    def trials(self, parameter: inspect.Parameter) -> Iterator[Trial]:
        """What is tried in its place."""
        return iter(())


class Fixed(Kind):
    """Passed as it is: a function, a path, a fitted model."""

    def fresh(self) -> Any:
        """The value itself; some cannot be copied."""
        return self.value


class Choice(Kind):
    """One of a few words."""

    def trials(self, parameter: inspect.Parameter) -> Iterator[Trial]:
        yield Trial("'something else'", "something else", "refused")


@dataclass(frozen=True)
class Knob(Kind):
    """A number. dear: time or memory grows with it, so that nobody tries it huge. truth: True counts as 1."""

    dear: bool = False
    truth: bool = False

    def trials(self, parameter: inspect.Parameter) -> Iterator[Trial]:
        whole = "float" not in str(parameter.annotation)
        yield Trial("NaN", NAN, "refused")
        yield Trial("True", True, "equal" if self.truth else "refused", 1)
        yield Trial("a minus", -abs(self.value) or -1, "sound")
        yield Trial("0", 0, "sound")
        if not self.dear:
            yield Trial("huge", 10**12 if whole else 1e300, "sound")
        if self.value == int(self.value):
            yield Trial("np.int64", np.int64(self.value), "equal", int(self.value))
        if whole:
            yield Trial("np.float32", np.float32(self.value), "same")
        else:
            yield Trial("infinity", INF, "sound")
            yield Trial("np.float32", np.float32(self.value), "equal", float(np.float32(self.value)))
            yield Trial("np.float64", np.float64(self.value), "equal")


def series(values: np.ndarray) -> pd.Series:
    """``values`` with an index that says another order."""
    return pd.Series(values, index=np.arange(len(values))[::-1])


def filtered(values: np.ndarray) -> pd.Series:
    """``values`` as what a filter leaves of a longer Series: its index has gaps."""
    return pd.Series(np.repeat(values, 2))[np.arange(2 * len(values)) % 2 == 1]


def forms(values: np.ndarray) -> Iterator[tuple[str, Any]]:
    """The same values written in other ways."""
    yield "a list", values.tolist()
    yield "a tuple", tuple(values.tolist())
    if values.ndim == 1:
        yield "a shuffled Series", series(values)
        yield "a filtered Series", filtered(values)
    if values.ndim == 2:
        yield "a DataFrame", pd.DataFrame(values).set_axis(np.arange(len(values))[::-1])
    if values.dtype.kind in "biuf":
        yield "a tensor", torch.tensor(values)


@dataclass(frozen=True)
class Numbers(Kind):
    """An array of numbers."""

    def trials(self, parameter: inspect.Parameter) -> Iterator[Trial]:
        for label, value in forms(self.value):
            yield Trial(label, value, "same")
        if self.value.dtype.kind == "f":
            for label, bad in (("NaN", NAN), ("infinity", INF), ("minus infinity", -INF)):
                spoilt = self.value.copy()
                spoilt.flat[0] = bad
                yield Trial(f"one {label} in it", spoilt, "sound")
            yield Trial("all NaN", np.full_like(self.value, NAN), "refused")
        yield Trial("nothing", self.value[:0], "sound")
        yield Trial("one row less", self.value[:-1], "sound")


@dataclass(frozen=True)
class Ids(Kind):
    """Ids from 0 to n - 1, each once and in order."""

    n: int

    def trials(self, parameter: inspect.Parameter) -> Iterator[Trial]:
        for label, value in forms(self.value):
            yield Trial(label, value, "same")
        mask = np.zeros(self.n, dtype=bool)
        mask[self.value] = True
        yield Trial("a mask", mask, "same")
        yield Trial("a mask as a list", mask.tolist(), "same")
        yield Trial("nothing", self.value[:0], "sound")
        for label, bad in (("a negative id", -1), ("too large an id", self.n), ("half an id", 0.5), ("NaN", NAN)):
            yield Trial(label, np.array([*self.value[:-1], bad]), "refused")


@dataclass(frozen=True)
class OneId(Kind):
    """One id from 0 to n - 1."""

    n: int

    def trials(self, parameter: inspect.Parameter) -> Iterator[Trial]:
        for label, bad in (("NaN", NAN), ("True", True), ("-1", -1), ("too large an id", self.n), ("half", 0.5)):
            yield Trial(label, bad, "refused")
        yield Trial("np.int64", np.int64(self.value), "equal")


@dataclass(frozen=True)
class Labels(Kind):
    """Classes from 0 to n - 1, one a row."""

    n: int

    def trials(self, parameter: inspect.Parameter) -> Iterator[Trial]:
        for label, value in [*forms(self.value), ("floats", self.value.astype(float))]:
            yield Trial(label, value, "same")
        yield Trial("one row less", self.value[:-1], "refused")
        for label, bad in (("a negative class", -1), ("too large a class", self.n), ("NaN", NAN), ("None", None)):
            yield Trial(label, np.array([*self.value[:-1], bad]), "refused")


@dataclass(frozen=True)
class Mask(Kind):
    """True or False for each of n."""

    def trials(self, parameter: inspect.Parameter) -> Iterator[Trial]:
        for label, value in [*forms(self.value), ("its ids", np.flatnonzero(self.value))]:
            yield Trial(label, value, "same")
        yield Trial("too short a mask", self.value[:-1], "refused")
        yield Trial("a negative id", np.array([-1]), "refused")
        yield Trial("too large an id", np.array([len(self.value)]), "refused")


@dataclass(frozen=True)
class Texts(Kind):
    """A list of texts, one a row; ``words``: names, of which there may be any number."""

    words: bool = False

    def trials(self, parameter: inspect.Parameter) -> Iterator[Trial]:
        for label, value in forms(np.array(self.value, dtype=object)):
            yield Trial(label, value, "same")
        yield Trial("one text", self.value[0], "refused")
        yield Trial("None in it", [*self.value[:-1], None], "refused")
        yield Trial("NaN in it", [*self.value[:-1], NAN], "refused")
        if not self.words:
            yield Trial("one text less", self.value[:-1], "sound")
        yield Trial("nothing", [], "sound")


@dataclass(frozen=True)
class Each(Kind):
    """{name: a kind of value}; what is tried on the first is tried on the mapping."""

    def fresh(self) -> dict[str, Any]:
        return {name: kind.fresh() for name, kind in self.value.items()}

    def trials(self, parameter: inspect.Parameter) -> Iterator[Trial]:
        first, kind = next(iter(self.value.items()))
        for trial in kind.trials(parameter):
            like = NOTHING if trial.like is NOTHING else self.fresh() | {first: trial.like}
            yield Trial(f"{first}: {trial.label}", self.fresh() | {first: trial.value}, trial.expect, like)
        yield Trial("nothing", {}, "sound")


@dataclass(frozen=True)
class Rows(Kind):
    """Interactions."""

    def trials(self, parameter: inspect.Parameter) -> Iterator[Trial]:
        yield Trial("no rows", self.value.keep(np.zeros(0, dtype=int)), "sound")


@dataclass(frozen=True)
class Parts(Kind):
    """A Split."""

    def trials(self, parameter: inspect.Parameter) -> Iterator[Trial]:
        nothing = self.value.train.keep(np.zeros(0, dtype=int))
        parts = {name: getattr(self.value, name) for name in ("train", "valid", "test")}
        for name in parts:
            yield Trial(f"no rows in {name}", Split("walk", **(parts | {name: nothing})), "sound")


@dataclass(frozen=True)
class Matrix(Kind):
    """A sparse matrix."""

    def trials(self, parameter: inspect.Parameter) -> Iterator[Trial]:
        spoilt = self.value.copy().astype(float)
        spoilt.data[0] = NAN
        yield Trial("one NaN in it", spoilt, "sound")
        yield Trial("nothing in it", sp.csr_matrix(self.value.shape), "sound")
        yield Trial("an array", self.value.toarray(), "same")


# ── the common data ──────────────────────────────────────────────────────────────────────────────────────────
N_USERS, N_ITEMS, WIDTH = 12, 9, 4


def interactions() -> Interactions:
    """Every user with six of the nine items, stars and times."""
    rng = np.random.default_rng(0)
    rows = [
        (u, j, float(rng.integers(1, 6)), 86_400 * int(rng.integers(100)))
        for u in range(N_USERS)
        for j in rng.permutation(N_ITEMS)[:6]
    ]
    table = pd.DataFrame(rows, columns=["user", "item", "rating", "time"])
    return Interactions(table.astype({"user": "int64", "item": "int64", "time": "int64"}), N_USERS, N_ITEMS)


def split() -> Split:
    """Of each user four rows, one, and one."""
    rows, place = interactions(), np.arange(6 * N_USERS) % 6
    return Split("walk", rows.keep(place < 4), rows.keep(place == 4), rows.keep(place == 5))


def numbers(*shape: int, seed: int = 0) -> Callable[[], Numbers]:
    """Normal numbers."""
    return lambda: Numbers(np.random.default_rng(seed).normal(size=shape))


def texts(n: int) -> Callable[[], Texts]:
    """``n`` texts, all different."""
    return lambda: Texts([f"{'a lovely' if k % 2 else 'an awful'} film, part {k}" for k in range(n)])


COMMON: dict[str, Callable[[], Any]] = {
    "train": lambda: Rows(split().train),
    "interactions": lambda: Rows(interactions()),
    "split": lambda: Parts(split()),
    "users": lambda: Ids(np.array([0, 2, 5]), N_USERS),
    "items": lambda: Ids(np.array([1, 3, 4]), N_ITEMS),
    "vectors": numbers(N_ITEMS, WIDTH),
    "features": numbers(N_ITEMS, WIDTH),
    "rng": lambda: np.random.default_rng(0),
    "seed": lambda: Knob(3),
    "user": lambda: OneId(2, N_USERS),
    "item": lambda: OneId(1, N_ITEMS),
    "metric": lambda: Choice("ndcg"),
    "n": lambda: Knob(3, dear=True),
    "d": lambda: Knob(2, dear=True),
    **{name: lambda: Knob(2, dear=True) for name in ("steps", "epochs", "sweeps", "samples", "burn_in", "trials", "L")},
}
