"""Somebody new: three films she likes, or one sentence, and no training anew.

X (k, n_items) holds what k new people like, 0 or 1. Every model of the course can be asked about a row it has never
seen, as long as it knows its items: a closed form, a least-squares step, or one hop over the graph.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import scipy.sparse as sp

from course_lib.data.interactions import Interactions, Split
from course_lib.errors import CourseError
from course_lib.inputs import COUNT, POSITIVE, SEED, array, matrix, settings
from course_lib.ranking.baselines import ALS, EASE, Popularity, als_step
from course_lib.ranking.checks import checked, known, solve
from course_lib.ranking.content import features_of
from course_lib.ranking.graph import LightGCN
from course_lib.ranking.knowledge import LabelPropagation

Model = EASE | ALS | LightGCN | LabelPropagation | Popularity


def fold_in(model: Model, X: sp.csr_matrix) -> np.ndarray:
    """Scores (k, n_items) of a fitted model for new rows X (k, n_items); nothing is fitted again.

    EASE: x B. ALS: u by one half-step with V fixed, as in its own fit. LightGCN: the mean of her films' z, one hop in
    the graph. Label propagation: her films are the labels. Popularity: the same for everybody.
    """
    if not isinstance(model, Model):
        raise CourseError(
            f"fold_in knows EASE, ALS, LightGCN, LabelPropagation and Popularity; got {type(model).__name__}."
        )
    X = matrix("X", X, (None, len(model.count_) if isinstance(model, Popularity) else len(model.popularity_)))
    if isinstance(model, EASE):
        return X @ model.B_
    if isinstance(model, ALS):
        return als_step(X, model.V_, model.lam, model.alpha) @ model.V_.T
    if isinstance(model, LabelPropagation):
        return model.spread(X)
    if isinstance(model, LightGCN):
        Z = model.embed().detach().cpu().double().numpy()[model.X_.shape[0] :]  # (n_items, d)
        return (X @ Z) / np.maximum(np.diff(X.indptr), 1)[:, None] @ Z.T
    return np.tile(model.count_, (X.shape[0], 1))


@dataclass
class SentenceMap:
    """A sentence as a film that somebody might like: s = u · V' with u folded in from the sentence's place in ALS.

    The vectors of the items' texts (n_items, d_t) are mapped to ALS's item vectors, v_j ≈ m + x_j B by ridge regression
    over the items with users, as in `content.ContentMap`; a sentence x gets v = m + x B. ``fold_in`` then solves for
    u with that one "film", beside the films that she named, if any. lam > 0.
    """

    vectors: np.ndarray = field(repr=False)
    als: ALS
    lam: float = 10.0

    def __post_init__(self) -> None:
        settings(self, lam=POSITIVE)

    def fit(self, train: Interactions) -> Self:
        """B (d_t, d) for the fitted ``als``."""
        warm = np.unique(checked(train).item)
        X, V = features_of(self.vectors, train)[warm], self.als.V_[warm]
        self.m_ = V.mean(axis=0)
        self.B_ = solve(X.T @ X + self.lam * np.eye(X.shape[1]), X.T @ (V - self.m_))
        return self

    def score(self, sentences: np.ndarray, X: sp.csr_matrix | None = None) -> np.ndarray:
        """Scores (k, n_items) for sentences (k, d_t), vectors in the space of ``vectors``, and films X (k, n_items)."""
        sentences = array("sentences", sentences, ndim=2)
        if sentences.shape[1] != len(self.B_):
            raise CourseError(f"A sentence is a vector of {len(self.B_)} numbers; got {sentences.shape[1]}.")
        k, V = len(sentences), self.als.V_
        everything = np.vstack([V, self.m_ + sentences @ self.B_])  # the k sentences stand behind the items
        films = sp.csr_matrix((k, len(V))) if X is None else matrix("X", X, (k, len(V)))
        likes = sp.csr_matrix(sp.hstack([films, sp.eye_array(k)]))
        gram = V.T @ V  # every item counts a little; of the sentences only one's own
        return als_step(likes, everything, self.als.lam, self.als.alpha, gram) @ V.T


# ── an experiment ────────────────────────────────────────────────────────────────────────────────────────────
def hold_out_users(
    interactions: Interactions, n: int, given: Sequence[int], seed: int
) -> tuple[Interactions, dict[int, Split]]:
    """``n`` whole users apart: the others' interactions, and for each number in ``given`` a Split of the new ones.

    Its train are that many random films of each new user, its test the rest of them. Users have at least ten films more
    than the largest of ``given``; more films given always contain the fewer. n, given ≥ 1; seed ≥ 0.
    """
    given = [COUNT("given", k) for k in given]
    if not given:
        raise CourseError("given says how many films are known of each new user, such as [1, 3, 5]; it is empty.")
    n, rng, most = COUNT("n", n), np.random.default_rng(SEED("seed", seed)), max(given)
    count = np.bincount(interactions.user, minlength=interactions.n_users)
    able = np.flatnonzero(count >= most + 10)
    if not 0 < n <= len(able):
        raise CourseError(f"{len(able)} users have {most + 10} films or more; {n} were to be held out.")
    new = np.isin(interactions.user, rng.choice(able, n, replace=False))
    rows = interactions.keep(new)
    rows = rows.keep(rng.permutation(len(rows)))
    place = rows.table.groupby("user").cumcount().to_numpy()  # a random order of each user's films
    nobody = rows.keep(np.zeros(len(rows), dtype=bool))
    splits = {k: Split(f"{k} films given", rows.keep(place < k), nobody, rows.keep(place >= most)) for k in given}
    return interactions.keep(~new), splits


@dataclass(frozen=True)
class NewUsers:
    """A recommender for `protocol.evaluate` whose scores come from ``score_rows``, given the users' films X."""

    X: sp.csr_matrix = field(repr=False)
    score_rows: Callable[[sp.csr_matrix, np.ndarray], np.ndarray]

    def __post_init__(self) -> None:
        object.__setattr__(self, "X", matrix("X", self.X))

    def fit(self, train: Interactions) -> Self:
        """Nothing: the models were fitted on others."""
        return self

    def score(self, users: np.ndarray) -> np.ndarray:
        """(len(users), n_items)."""
        users = known(users, self.X.shape[0])
        return self.score_rows(self.X[users], users)
