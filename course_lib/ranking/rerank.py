"""Re-ranking a short list: for diversity (a list is worth more than its items one by one), and by a model that is too
slow for the whole catalogue."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import torch

from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError
from course_lib.evaluation.protocol import Recommender
from course_lib.inputs import COUNT, SHARE, array, settings, texts, whole
from course_lib.ranking.checks import checked, known
from course_lib.ranking.content import features_of
from course_lib.ranking.retrieval import unit
from course_lib.text.clicks import click_examples, profile_text
from course_lib.text.fine_tune import BertClassifier
from course_lib.text.training import Recipe

LIKE = 4  # stars from which a rating counts as a like


def mmr(relevance: np.ndarray, similarity: np.ndarray, n: int, trade: float) -> np.ndarray:
    """Maximal marginal relevance (Carbonell & Goldstein 1998): the places of ``n`` of c candidates, first choice first.

    relevance: (users, c). similarity: (users, c, c). Each step takes the candidate j with the largest

        trade * relevance_j - (1 - trade) * max over the chosen i of similarity_ij

    trade: from 0 to 1; 1 sorts by relevance, 0 looks at variety alone. Ties go to the first. n: from 1 to c. Result:
    (users, n) int.
    """
    relevance, similarity = array("relevance", relevance, ndim=2), array("similarity", similarity, ndim=3)
    if similarity.shape != (*relevance.shape, relevance.shape[1]):
        raise CourseError(
            f"relevance is (users, c), similarity (users, c, c); got {relevance.shape, similarity.shape}."
        )
    trade, n = SHARE("trade", trade), whole("n", n, at_least=1, at_most=relevance.shape[1])
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

    Relevance is the base's score, brought to 0..1 within the pool; similarity is the cosine of ``features``. trade from
    0 to 1; n ≥ 1; pool ≥ n.
    """

    base: Recommender
    features: np.ndarray = field(repr=False)
    trade: float = 0.7
    n: int = 10
    pool: int = 50

    def __post_init__(self) -> None:
        settings(self, trade=SHARE, n=COUNT, pool=COUNT)
        if self.pool < self.n:
            raise CourseError(f"The pool holds at least the n = {self.n} items that are chosen; it was {self.pool}.")

    def fit(self, train: Interactions) -> Self:
        """Remember what each user has seen. The base must be fitted already, on the same rows."""
        self.X_, self.seen_ = unit(features_of(self.features, train)), checked(train).matrix()
        return self

    def score(self, users: np.ndarray) -> np.ndarray:
        """Scores that rank as MMR chose: the chosen n above all others, (len(users), n_items)."""
        users = known(users, self.seen_.shape[0])
        scores = array("Scores of the base", self.base.score(users), ndim=2)
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


@dataclass
class BertReranked:
    """The ``n`` best unseen items of ``base``, in the order of BERT's click probability; the rest follows as it was.

    BERT reads film and user together and is fine-tuned on its examples: a film that the user liked or
    did not, and in words what they liked and disliked before. The training part of a ranking holds likes alone, so
    ``ratings`` lends the dislikes; of these, only what is not later than the training part is read, and never a like.
    n, past, n_examples ≥ 1.
    """

    base: Recommender
    ratings: Interactions = field(repr=False)
    item_texts: Sequence[str] = field(repr=False)
    titles: Sequence[str] = field(repr=False)
    n: int = 10
    past: int = 4  # films that a profile names
    n_examples: int = 1200
    recipe: Recipe = Recipe(batch_size=16, learning_rate=2e-4)  # noqa: RUF009 (frozen)
    device: torch.device | str = "cpu"

    def __post_init__(self) -> None:
        settings(self, n=COUNT, past=COUNT, n_examples=COUNT)
        self.item_texts, self.titles = texts("item_texts", self.item_texts), texts("titles", self.titles)

    def fit(self, train: Interactions) -> Self:
        """Fit the base, then the click model on four fifths of the examples; the last fifth chooses the epoch."""
        if not len(self.item_texts) == len(self.titles) == train.n_items:
            raise CourseError(
                f"One text and one title for each of {train.n_items} items are wanted;"
                f" got {len(self.item_texts)} and {len(self.titles)}."
            )
        self.seen_ = checked(train).matrix()
        self.base.fit(train)
        disliked = self.ratings.keep((self.ratings.rating < LIKE) & (self.ratings.time <= train.time.max()))
        log = train.concat(disliked)
        by_time = log.table.sort_values("time", kind="stable")
        self.history_ = {user: (h["item"].to_numpy(), h["rating"].to_numpy()) for user, h in by_time.groupby("user")}
        examples = click_examples(
            log, log, self.item_texts, self.titles, self.n_examples, self.recipe.seed, past=self.past, at_least=LIKE
        )
        cut = -(-len(examples) // 5)
        parts = [(examples.texts[rows], examples.label[rows]) for rows in (slice(cut, None), slice(cut))]
        self.clicks_ = BertClassifier(2, recipe=self.recipe, frozen_layers=4, metric="auc", device=self.device)
        self.clicks_.fit(*parts[0], parts[1])
        return self

    def score(self, users: np.ndarray) -> np.ndarray:
        """Scores that rank the n best as BERT does, (len(users), n_items); without a history, as the base does."""
        users = known(users, self.seen_.shape[0])
        scores = array("Scores of the base", self.base.score(users), ndim=2)
        masked = scores.copy()
        masked[self.seen_[users].nonzero()] = -np.inf
        pool = np.argsort(-masked, axis=1, kind="stable")[:, : self.n]  # (users, n)
        met = np.flatnonzero(np.isin(users, list(self.history_)))
        profiles = {k: profile_text(self.titles, *self.history_[users[k]], self.past, LIKE) for k in met}
        clicks = self.clicks_.predict_proba([(self.item_texts[j], profiles[k]) for k in met for j in pool[k]])[:, 1]
        top = scores[met].max(axis=1, keepdims=True) + 1
        scores[met[:, None], pool[met]] = top + clicks.reshape(pool[met].shape)
        return scores
