"""The text of a pair: what of an item's text speaks to what a user rates above their own mean."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from course_lib.data.interactions import Interactions
from course_lib.inputs import POSITIVE, array, same_length, settings
from course_lib.ranking.checks import checked, known, known_pairs
from course_lib.ranking.retrieval import vectors_of


@dataclass
class PairText:
    """t_ij = p_i * e_j with p_i = sum_l (r_il - mean_i) e_l / (n_i + shrink), l the training items of user i.

    p_i points to the texts that user i rates above his own mean. For a training pair the profile leaves out that
    pair's own rating: otherwise t_ij would hold the answer, and the weights would learn to read it off. shrink > 0.
    """

    e: np.ndarray  # (n_items, d_t)
    shrink: float = 5.0

    def __post_init__(self) -> None:
        self.e = array("Text vectors", self.e, ndim=2, keep=True)
        settings(self, shrink=POSITIVE)

    def fit(self, train: Interactions) -> Self:
        """Each user's sums over the training part; then one scale, so that |t_ij| is about 1."""
        R, X = checked(train).matrix("rating"), train.matrix()
        vectors_of(self.e, train)
        self.n_, self.sum_ = np.asarray(X.sum(axis=1)).ravel(), np.asarray(R.sum(axis=1)).ravel()  # (n_users,)
        self.Re_, self.Xe_, self.scale_ = R @ self.e, X @ self.e, 1.0  # (n_users, d_t)
        lengths = np.linalg.norm(self.pairs(train.user, train.item, train.rating), axis=1)
        self.scale_ = 1 / max(float(lengths.mean()), 1e-9)
        return self

    def pairs(self, users: np.ndarray, items: np.ndarray, ratings: np.ndarray | None = None) -> np.ndarray:
        """t of each pair, (len(users), d_t). ``ratings``: the pairs' own training ratings, to be left out."""
        users, items = known_pairs(users, items, len(self.n_), len(self.e))
        return self.profiles(users, items, ratings) * self.e[items]

    def profiles(
        self, users: np.ndarray, items: np.ndarray | None = None, ratings: np.ndarray | None = None
    ) -> np.ndarray:
        """p of each user, (len(users), d_t), without the rating ``ratings`` of the item ``items`` if they are given."""
        users = known(users, len(self.n_))
        n, total, Re, Xe = self.n_[users], self.sum_[users], self.Re_[users], self.Xe_[users]
        if items is not None and ratings is not None:
            ratings, items = array("ratings", ratings, ndim=1), known(items, len(self.e), "item")
            same_length(users=users, items=items, ratings=ratings)
            n, total = n - 1, total - ratings
            Re, Xe = Re - ratings[:, None] * self.e[items], Xe - self.e[items]
        mean = total / np.maximum(n, 1)
        return self.scale_ * (Re - mean[:, None] * Xe) / (n + self.shrink)[:, None]
