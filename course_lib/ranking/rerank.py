"""Re-ranking for diversity: a list is worth more than its items one by one."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError
from course_lib.evaluation.protocol import Recommender
from course_lib.ranking.content import features_of
from course_lib.ranking.retrieval import unit


def mmr(relevance: np.ndarray, similarity: np.ndarray, n: int, trade: float) -> np.ndarray:
    """Maximal marginal relevance (Carbonell & Goldstein 1998): the places of ``n`` of c candidates, first choice first.

    relevance: (users, c). similarity: (users, c, c). Each step takes the candidate j with the largest

        trade * relevance_j - (1 - trade) * max over the chosen i of similarity_ij

    trade 1 sorts by relevance, trade 0 looks at variety alone. Ties go to the first. Result: (users, n) int.
    """
    if not 0 <= trade <= 1 or not 0 < n <= relevance.shape[1]:
        raise CourseError(
            f"mmr wants a trade from 0 to 1 and n from 1 to {relevance.shape[1]} candidates; got {trade} and {n}."
        )
    users, places = np.arange(len(relevance)), np.empty((len(relevance), n), dtype=int)
    nearest = np.zeros_like(relevance, dtype=float)  # similarity to the nearest item chosen so far
    free = np.ones(relevance.shape, dtype=bool)
    for step in range(n):
        value = np.where(free, trade * relevance - (1 - trade) * nearest, -np.inf)
        places[:, step] = best = value.argmax(axis=1)
        free[users, best] = False
        gained = similarity[users, best]  # (users, c)
        nearest = gained.copy() if step == 0 else np.maximum(nearest, gained)
    return places


@dataclass
class Diversified:
    """The first n places of ``base``, chosen by MMR from its ``pool`` best unseen items; the rest follows in order.

    Relevance is the base's score, brought to 0..1 within the pool; similarity is the cosine of ``features``.
    """

    base: Recommender
    features: np.ndarray = field(repr=False)
    trade: float = 0.7
    n: int = 10
    pool: int = 50

    def fit(self, train: Interactions) -> Self:
        """Remember what each user has seen. The base must be fitted already, on the same rows."""
        self.X_, self.seen_ = unit(features_of(self.features, train)), train.matrix()
        return self

    def score(self, users: np.ndarray) -> np.ndarray:
        """Scores that rank as MMR chose: the chosen n above all others, (len(users), n_items)."""
        scores = np.array(self.base.score(users), dtype=float)
        masked = scores.copy()
        masked[self.seen_[users].nonzero()] = -np.inf
        pool = np.argsort(-masked, axis=1, kind="stable")[:, : self.pool]  # (users, pool)
        relevance = np.take_along_axis(scores, pool, axis=1)
        low, high = relevance.min(axis=1, keepdims=True), relevance.max(axis=1, keepdims=True)
        relevance = (relevance - low) / np.where(high > low, high - low, 1)
        X = self.X_[pool]  # (users, pool, f)
        chosen = np.take_along_axis(pool, mmr(relevance, X @ X.transpose(0, 2, 1), self.n, self.trade), axis=1)
        top = scores.max(axis=1, keepdims=True) + np.arange(self.n, 0, -1)
        np.put_along_axis(scores, chosen, top, axis=1)
        return scores
