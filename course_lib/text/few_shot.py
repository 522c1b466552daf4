"""Few examples, a paper's table: ten past films, liked or not, and one to foresee (Bao et al. 2023).

An example is one rating with the ten before it, of one person, in order of time; liked means more than three stars. A
model learns from 16, 64 or 256 examples, drawn from the training part, and from nothing else: of a person to predict it
knows the ten past films alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import pandas as pd

from course_lib import inputs
from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError
from course_lib.evaluation.classification import score
from course_lib.text.clicks import profile_text

PUBLISHED = pd.DataFrame(
    {"TALLRec, 7 billion parameters": [0.6724, 0.6748, 0.7198], "SASRec": [0.5043, 0.5048, 0.5225]},
    index=pd.Index([16, 64, 256], name="examples"),
).T  # AUC on MovieLens-100K, table 1 of Bao et al. (2023)


@dataclass(frozen=True)
class FewShot:
    """n examples. user, time (n,): whose, and when the target was rated. items, liked (n, past + 1): films and labels
    in order of time, 1 for more than three stars; the last column is the target, the others, at least one, the input.
    """

    user: np.ndarray
    time: np.ndarray
    items: np.ndarray
    liked: np.ndarray

    def __post_init__(self) -> None:
        for name, ndim in (("user", 1), ("time", 1), ("items", 2), ("liked", 2)):
            inputs.array(name, getattr(self, name), ndim=ndim)
            object.__setattr__(self, name, np.asarray(getattr(self, name)))
        for name in ("user", "items"):
            inputs.ids(name, getattr(self, name).ravel(), np.iinfo(np.int64).max)
        inputs.same_length(user=self.user, time=self.time, items=self.items, liked=self.liked)
        if self.items.shape != self.liked.shape or self.items.shape[1] < 2 or not np.isin(self.liked, (0, 1)).all():
            got = f"{self.items.shape} and {self.liked.shape}"
            raise CourseError(f"items and liked (0 or 1) have a row of two films or more an example; got {got}.")

    def __len__(self) -> int:
        return len(self.user)

    @property
    def label(self) -> np.ndarray:
        """(n,) 0 or 1: was the target liked?"""
        return self.liked[:, -1]

    def take(self, rows: np.ndarray | slice) -> "FewShot":
        """The examples at positions ``rows``: ids, a mask (n,), or a slice."""
        if not isinstance(rows, slice):
            mask = np.asarray(rows).dtype.kind == "b"
            rows = np.flatnonzero(inputs.mask("rows", rows, len(self))) if mask else inputs.ids("rows", rows, len(self))
        return FewShot(self.user[rows], self.time[rows], self.items[rows], self.liked[rows])

    def draw(self, n: int, seed: int) -> "FewShot":
        """``n`` of the examples at random: the "shots"."""
        if not 0 < inputs.whole("n", n) <= len(self):
            raise CourseError(f"There are {len(self)} examples to draw from; got n = {n}: ask for 1 to {len(self)}.")
        return self.take(inputs.generator(seed).permutation(len(self))[:n])

    def texts(self, titles: Sequence[str]) -> list[tuple[str, str]]:
        """Each example in words: the target film, and what was liked and disliked before, newest first."""
        titles, stars = inputs.texts("titles", titles), np.where(self.liked, 5.0, 1.0)
        inputs.ids("films", self.items.ravel(), len(titles))
        return [
            (titles[films[-1]], profile_text(titles, films[:-1], likes[:-1], len(films) - 1))
            for films, likes in zip(self.items, stars, strict=True)
        ]


class Parts(NamedTuple):
    """Examples to train on, to choose on, and to report on."""

    train: FewShot
    valid: FewShot
    test: FewShot


def examples(ratings: Interactions, past: int = 10, above: float = 3) -> FewShot:
    """All examples: each rating that has ``past`` earlier ones of its user.

    Users in the order in which the file names them first, each one's ratings by time; what has the same second keeps
    the order of the file. past: ≥ 1. above: stars that a like exceeds.
    """
    past, above = inputs.COUNT("past", past), inputs.number("above", above)
    if past >= len(ratings):
        raise CourseError(f"No user has more than {past} ratings: give more data or a smaller past.")
    codes, _ = pd.factorize(ratings.user)  # users numbered by first appearance
    order = np.lexsort((np.arange(len(ratings)), ratings.time, codes))
    place = np.arange(len(order)) - np.searchsorted(codes[order], codes[order])  # 0 for a user's first rating
    rows = order[np.flatnonzero(place >= past)[:, None] + np.arange(-past, 1)]  # (n, past + 1)
    if not len(rows):
        raise CourseError(f"No user has more than {past} ratings: give more data or a smaller past.")
    liked = (ratings.rating > above).astype(np.int64)
    return FewShot(ratings.user[rows[:, -1]], ratings.time[rows[:, -1]], ratings.item[rows], liked[rows])


def by_time(all_examples: FewShot) -> Parts:
    """The protocol in the paper's words: examples of all users in order of time, the first 80 % to train on, then 10 %
    to choose on, then 10 % to report on."""
    return _cut(all_examples.take(np.argsort(all_examples.time, kind="stable")))


def by_listing(all_examples: FewShot, last: int = 10_000) -> Parts:
    """The protocol of the authors' published script: of the list, user after user, the last ``last`` examples, cut into
    80, 10 and 10 %. Not time but the users' order divides it: the test holds the last few users of the file.
    last: ≥ 10.
    """
    last = inputs.whole("last", last, at_least=10)
    return _cut(all_examples.take(slice(-last, None)))


def _cut(of: FewShot) -> Parts:
    if len(of) < 10:
        raise CourseError(f"80, 10 and 10 % of the examples are a part each from 10 examples on; got {len(of)}.")
    a, b = int(0.8 * len(of)), int(0.9 * len(of))
    return Parts(of.take(slice(0, a)), of.take(slice(a, b)), of.take(slice(b, None)))


def auc(of: FewShot, scores: np.ndarray) -> float:
    """AUC of ``scores`` (n,), higher for "more likely liked", on the targets of ``of``."""
    scores = inputs.array("scores", scores, ndim=1)
    inputs.same_length(examples=of, scores=scores)
    return score("auc", of.label, np.stack([-scores, scores], axis=1))


class ShotMeans:
    """Two lines of arithmetic: the film's share of likes in the examples, and the user's in the ten past films.

    With average g of all labels in the examples, n_i of them for film i, and h = 1 … H the past films of the example:

        b_i = Σ (l - g) / (n_i + k),   b_e = Σ_h (l_h - g) / (H + k),   score = g + b_i + b_e

    k: ≥ 0.
    """

    def __init__(self, k: float = 5.0):
        self.k = inputs.number("k", k, at_least=0)

    def fit(self, shots: FewShot) -> Self:
        """Count every rating that the examples hold (past films and target) once."""
        of = {
            "user": np.repeat(shots.user, shots.items.shape[1]),
            "item": shots.items.ravel(),
            "l": shots.liked.ravel(),
        }
        table = pd.DataFrame(of).drop_duplicates(["user", "item"])
        self.g_ = float(table["l"].mean())
        sums = (table["l"] - self.g_).groupby(table["item"]).agg(["sum", "size"])
        self.b_ = sums["sum"] / (sums["size"] + self.k)
        return self

    def scores(self, of: FewShot) -> np.ndarray:
        """(n,): higher means more likely liked. Reads the past labels of ``of``, never its targets' labels."""
        if not hasattr(self, "b_"):
            raise CourseError("This ShotMeans has not been fitted yet: call fit before scores.")
        film = self.b_.reindex(of.items[:, -1], fill_value=0.0).to_numpy()
        past = of.liked[:, :-1]
        return self.g_ + film + (past - self.g_).sum(1) / (past.shape[1] + self.k)
