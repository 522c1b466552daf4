"""Who is this user? Profiles from behaviour, profiles from text, and tags: from the training part alone.

Letters: X (n_users, n_items) is the binary matrix of the training part; u_i (d,) a user's profile, v_j (d,) an
item's place in the same space; a score is their product. Both profiles are recommenders: ``fit``, then ``score``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from sklearn.utils.extmath import randomized_svd

from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError
from course_lib.inputs import COUNT, NOT_NEGATIVE, SEED_32, array, ids, settings


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows (n, d) of length 1; a zero row stays zero."""
    rows = array("rows", rows, ndim=2, keep=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


@dataclass
class BehaviourProfile:
    """X ≈ U Σ Vᵀ with the d largest singular values: u_i is row i of U Σ, v_j row j of V.

    Cremonesi, Koren, Turrin (2010), Performance of recommender algorithms on top-N recommendation tasks, RecSys.
    d: width, ≥ 1. seed: ≥ 0, below 2³².
    """

    d: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        settings(self, d=COUNT, seed=SEED_32)

    def fit(self, train: Interactions) -> Self:
        """Decompose the training matrix."""
        U, sigma, Vt = randomized_svd(train.matrix(), self.d, n_iter=7, random_state=self.seed)
        self.users_, self.items_ = U * sigma, Vt.T  # (n_users, d), (n_items, d)
        return self

    def score(self, users: np.ndarray) -> np.ndarray:
        """u_i · v_j, (len(users), n_items)."""
        return self.users_[ids("users", users, len(self.users_))] @ self.items_.T


@dataclass
class TextProfile:
    """u_i is the mean of the text vectors of the items in i's history, s_ij the cosine of u_i and t_j.

    vectors: T (n_items, d), one text vector an item. Their common mean is subtracted first: what all texts share
    tells no two items apart.
    """

    vectors: np.ndarray

    def fit(self, train: Interactions) -> Self:
        """Average each user's history."""
        vectors = array("Text vectors", self.vectors, ndim=2, keep=True)
        if len(vectors) != train.n_items:
            raise CourseError(f"There are {train.n_items} items, but text vectors of {len(vectors)}.")
        self.items_ = unit(vectors - vectors.mean(axis=0))  # (n_items, d)
        self.users_ = unit(train.matrix() @ self.items_)  # (n_users, d)
        return self

    def score(self, users: np.ndarray) -> np.ndarray:
        """Cosines, (len(users), n_items)."""
        return self.users_[ids("users", users, len(self.users_))] @ self.items_.T


def user_tags(
    train: Interactions, facts: Sequence[Sequence[str]], *, at_least: int = 5, top: int = 3, prior: float = 5.0
) -> pd.DataFrame:
    """What sets a user apart: the ``top`` facts (genres, directors …) that fill more of his history than of others'.

    facts: for each item, its facts. lift = share of the user's rows with the fact, shrunk by ``prior`` rows of the
    average user, divided by the share of all rows. Columns user, tag, times, lift; best first; only facts that
    occur ``at_least`` times in the history and have a lift above 1. at_least, top: ≥ 1. prior: ≥ 0.
    """
    COUNT("at_least", at_least), COUNT("top", top), NOT_NEGATIVE("prior", prior)
    if len(facts) != train.n_items:
        raise CourseError(f"There are {train.n_items} items, but facts of {len(facts)}.")
    long = (
        pd.DataFrame({"user": train.user, "tag": [tuple(facts[item]) for item in train.item]}).explode("tag").dropna()
    )
    share = long["tag"].value_counts() / len(train)
    table = long.value_counts(["user", "tag"], sort=False).rename("times").reset_index()
    rows = np.bincount(train.user, minlength=train.n_users)[table["user"]]
    expected = share[table["tag"]].to_numpy()
    table["lift"] = (table["times"] + prior * expected) / (rows + prior) / expected
    table = table[(table["times"] >= at_least) & (table["lift"] > 1)]
    return table.sort_values(["user", "lift", "tag"], ascending=[True, False, True]).groupby("user").head(top)
