"""Recommending by text alone: centred vectors, the profile of a user's texts, and search by a sentence."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError
from course_lib.inputs import COUNT, NATURAL, all_finite, array
from course_lib.inputs import texts as strings
from course_lib.ranking.checks import checked, known, or_popular


class Encodes(Protocol):
    """Anything that turns texts into vectors, such as `course_lib.text.encoder.Encoder`."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """(len(texts), d_t)."""


def unit(E: np.ndarray) -> np.ndarray:
    """Rows of ``E`` (n, d) scaled to length 1; a row of zeros stays zero."""
    E = array("E", E, ndim=2, keep=True)
    length = np.linalg.norm(E, axis=1, keepdims=True)
    return np.divide(E, length, out=np.zeros_like(E), where=length > 1e-9)


def middle(E: np.ndarray) -> np.ndarray:
    """Mean (d_t,) of the rows that say something; a row of zeros is a missing text. Raises CourseError on NaN."""
    E = array("Text vectors", E, ndim=2, keep=True, finite=False)
    all_finite("Text vectors", E, "look at the texts and encode them again")
    said = E.any(axis=1)
    return E[said].mean(axis=0) if said.any() else np.zeros(E.shape[1])


def centred(E: np.ndarray) -> np.ndarray:
    """Rows of ``E`` (n, d_t) minus their mean, scaled to length 1: what sets a text apart from the others."""
    E = array("Text vectors", E, ndim=2)
    return unit(np.where(E.any(axis=1, keepdims=True), E - middle(E), 0.0))


def principal(E: np.ndarray, d: int) -> np.ndarray:
    """The first ``d`` principal coordinates (n, d) of the centred rows of ``E``, d ≥ 1. No rating plays a part."""
    d, E = COUNT("d", d), array("Text vectors", E, ndim=2)
    if not E.size:
        raise CourseError(f"There are no text vectors; the table has the shape {E.shape}.")
    W, s, Vt = np.linalg.svd(centred(E), full_matrices=False)
    signs = np.sign(Vt[np.arange(len(Vt)), np.abs(Vt).argmax(axis=1)])  # the same on every machine
    return (W * s * signs)[:, :d]


def vectors_of(E: np.ndarray, train: Interactions) -> np.ndarray:
    """``E`` as text vectors (n_items, d_t), refused with one sentence unless it has one finite row for each item."""
    E = array("Text vectors", E, ndim=2, keep=True)
    if len(E) != train.n_items:
        raise CourseError(f"There are {len(E)} text vectors for {train.n_items} items: encode one an item.")
    return E


@dataclass
class Content:
    """s_uj = cos(p_u, e_j), where p_u is the mean of e_l over the items l in u's history and e_j = centred text vector.

    A user without history is scored by popularity; so is one whose films have no text.
    """

    vectors: np.ndarray  # (n_items, d_t), as they come from the encoder

    def fit(self, train: Interactions) -> Self:
        """Each user's profile, from the training part alone."""
        X = checked(train).matrix()
        vectors = vectors_of(self.vectors, train)
        self.X_, self.popularity_ = X, np.asarray(X.sum(axis=0)).ravel()
        self.e_ = centred(vectors)
        self.P_ = unit(X @ self.e_)  # (n_users, d_t)
        return self

    def score(self, users: np.ndarray) -> np.ndarray:
        """P e', (len(users), n_items)."""
        users = known(users, len(self.P_))
        scores = or_popular(self.P_[users] @ self.e_.T, self.X_[users], self.popularity_)
        scores[~self.P_[users].any(axis=1)] = self.popularity_
        return scores


@dataclass
class TextSearch:
    """Free text -> vector -> cosine with every item, in the space where the items' mean is the origin.

    The items are encoded once and kept; a query costs one short encoding and one product (n_items, d_t) x (d_t,).
    """

    encoder: Encodes
    vectors: np.ndarray  # (n_items, d_t)

    def __post_init__(self) -> None:
        vectors = array("Text vectors", self.vectors, ndim=2)
        self.middle_, self.e_ = middle(vectors), centred(vectors)

    def score(self, texts: Sequence[str]) -> np.ndarray:
        """Cosines, (len(texts), n_items), from -1 to 1."""
        texts = strings("texts", texts)
        if not all(text.strip() for text in texts):
            raise CourseError("TextSearch takes a list of texts that are not empty: leave the empty ones out.")
        return unit(np.asarray(self.encoder.encode(texts), dtype=float) - self.middle_) @ self.e_.T


def milliseconds(work: Callable[[int], object], rounds: int, warm_up: int = 5) -> np.ndarray:
    """What each call ``work(number)`` takes, (rounds,), after ``warm_up`` calls: the first ones fill caches.

    rounds ≥ 1, warm_up ≥ 0.
    """
    rounds, warm_up = COUNT("rounds", rounds), NATURAL("warm_up", warm_up)
    taken = np.empty(warm_up + rounds)
    for number in range(warm_up + rounds):
        started = time.perf_counter()
        work(number)
        taken[number] = 1000 * (time.perf_counter() - started)
    return taken[warm_up:]
