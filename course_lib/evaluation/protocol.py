"""The one way in which the course ranks and evaluates: everything from popularity up goes through here."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, Self

import numpy as np
import pandas as pd
import torch
from scipy.sparse import csr_matrix

from course_lib.data.interactions import Interactions, Split
from course_lib.errors import CourseError
from course_lib.evaluation import metrics
from course_lib.evaluation.significance import Interval, bootstrap_interval
from course_lib.inputs import COUNT, SEED, array, mask, matrix


class Recommender(Protocol):
    """What a model must do to be compared with all others."""

    def fit(self, train: Interactions) -> Self:
        """Learn from ``train`` alone; returns the model."""

    def score(self, users: np.ndarray) -> np.ndarray:
        """Scores of all items for ``users`` (n,): (n, n_items), higher is better."""


def rank(scores: np.ndarray, seen: csr_matrix | None, n: int, seed: int = 0) -> np.ndarray:
    """The top ``n`` items a user, best first: (n_users, n) item ids; -1 where a user has no item left.

    scores: (n_users, n_items). seen: (n_users, n_items), its non-zero items are never recommended. An item scored
    -inf is never recommended either. Ties: by one random order of the items, drawn from ``seed`` and the same for
    all users, so that neither a lucky nor an unlucky item order decides. Raises CourseError on NaN and on +inf.
    n ≥ 1. seed ≥ 0.
    """
    scores, n = array("Scores", scores, ndim=2, finite=False), COUNT("n", n)
    if not scores.shape[1]:
        raise CourseError("There is no item to rank.")
    if np.isnan(scores).any() or np.isposinf(scores).any():
        raise CourseError(
            "Scores hold NaN or +inf, which cannot be ranked: look for 0 / 0 or a diverged training in the model."
        )
    if seen is not None:
        seen = matrix("The mask of seen items", seen, (scores.shape[0], scores.shape[1]))
        scores[seen.nonzero()] = -np.inf
    order, k = np.random.default_rng(SEED("seed", seed)).permutation(scores.shape[1]), min(n, scores.shape[1])
    kth = torch.topk(torch.from_numpy(scores), k).values[:, -1:].numpy()  # (n_users, 1), each user's k-th best score
    user, place = (scores[:, order] >= kth).nonzero()  # k a user, more with ties: only these are sorted
    best = np.lexsort((-scores[user, order[place]], user))  # stable: within a tie, by place in the random order
    first = np.searchsorted(user, np.arange(len(scores)))[:, None]
    top = order[place[best[first + np.arange(k)]]]
    top[np.isneginf(np.take_along_axis(scores, top, axis=1))] = -1
    return np.pad(top, ((0, 0), (0, n - top.shape[1])), constant_values=-1)


@dataclass(frozen=True)
class Evaluation:
    """Results of several models on one split.

    users: (n_users,) the users who were evaluated, those with at least one relevant item in test.
    per_user: {model: {metric: (n_users,) values}}. lists: {model: (n_users, n) item ids}.
    """

    n: int
    users: np.ndarray
    per_user: dict[str, dict[str, np.ndarray]]
    lists: dict[str, np.ndarray]
    n_items: int
    seed: int

    def interval(self, model: str, metric: str) -> Interval:
        """Mean over users with its bootstrap interval."""
        return bootstrap_interval(self.per_user[model][metric], self.seed)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a model: each metric's mean, its 95 % interval (_low, _high), and the coverage of the catalogue."""
        rows = {}
        for model, values in self.per_user.items():
            row: dict[str, float] = {}
            for metric in values:
                interval = self.interval(model, metric)
                row |= {metric: interval.mean, f"{metric}_low": interval.low, f"{metric}_high": interval.high}
            rows[model] = row | {"coverage": metrics.coverage(self.lists[model], self.n_items)}
        return pd.DataFrame.from_dict(rows, orient="index")

    def show(self, columns: tuple[str, ...] = ("ndcg", "recall", "mrr", "coverage")) -> pd.DataFrame:
        """The table for reading: "mean [low, high]" to three digits."""
        table = self.table
        return pd.DataFrame(
            {
                (f"{c}@{self.n}" if c != "coverage" else c): [
                    f"{row[c]:.3f}" + (f" [{row[f'{c}_low']:.3f}, {row[f'{c}_high']:.3f}]" if f"{c}_low" in row else "")
                    for _, row in table.iterrows()
                ]
                for c in columns
            },
            index=table.index,
        )


def evaluate(
    models: Mapping[str, Recommender],
    split: Split,
    n: int = 10,
    *,
    seed: int = 0,
    mask_valid: bool = False,
    relevant: Interactions | None = None,
    candidates: np.ndarray | None = None,
    users: np.ndarray | None = None,
) -> Evaluation:
    """Rank the whole catalogue for every user with test items, and score the lists. The models are already fitted.

    Seen items are those of ``split.train``, with ``mask_valid`` those of valid too (this alone adds about .025 to
    NDCG@10 on MovieLens-100K, so say which). relevant: what counts as a hit; default all of ``split.test``.
    candidates: the items that may be recommended, a mask (n_items,) bool or ids; default all. users: evaluate only
    these, a mask (n_users,) bool or ids. n ≥ 1. seed ≥ 0.
    """
    truth = (split.test if relevant is None else relevant).matrix()
    if truth.shape != (split.train.n_users, split.train.n_items):
        raise CourseError(f"The relevant items are of {truth.shape} users and items, the split is of others.")
    chosen = np.flatnonzero(np.diff(truth.indptr))
    if users is not None:
        chosen = chosen[mask("users", users, truth.shape[0])[chosen]]
    allowed = mask("candidates", np.ones(truth.shape[1], bool) if candidates is None else candidates, truth.shape[1])
    if not len(chosen):
        raise CourseError(f"No user of the split {split.name!r} has a relevant item in test: nothing can be evaluated.")
    seen = (split.fit_part if mask_valid else split.train).matrix()[chosen]
    relevant_of = np.asarray(truth[chosen].todense(), dtype=bool)
    per_user, lists = {}, {}
    for name, model in models.items():
        scores = array(f"Scores of {name!r}", model.score(chosen), finite=False)
        if scores.shape != relevant_of.shape:
            raise CourseError(f"The model {name!r} scores {scores.shape}, expected (users, items) {relevant_of.shape}.")
        scores[:, ~allowed] = -np.inf
        lists[name] = rank(scores, seen, n, seed)
        hits = np.take_along_axis(relevant_of, lists[name], axis=1) & (lists[name] >= 0)
        per_user[name] = {metric: f(hits, relevant_of.sum(axis=1)) for metric, f in metrics.RANKING.items()}
    return Evaluation(n, chosen, per_user, lists, truth.shape[1], seed)


def evaluate_splits(
    make_models: Callable[[], Mapping[str, Recommender]],
    make_split: Callable[[int], Split],
    seeds: Iterable[int],
    n: int = 10,
) -> list[Evaluation]:
    """`evaluate` once a split, one for each of ``seeds``: models are made and fitted anew on each.

    The interval over users of one split does not contain the luck of the split; `claims.over_splits` takes them. n ≥ 1.
    """
    found = []
    for seed in seeds:
        split = make_split(seed)
        models = {name: model.fit(split.train) for name, model in make_models().items()}
        found.append(evaluate(models, split, n, seed=seed))
    if not found:
        raise CourseError("There is no seed, and so no split: give seeds such as range(5).")
    return found
