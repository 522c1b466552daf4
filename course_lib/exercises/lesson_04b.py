"""Exercises of lesson 04b: a graph with facts, contrast, hidden links."""

import numpy as np
import torch
from scipy.special import logsumexp

from course_lib.exercises.drawing import differ, until
from course_lib.exercises.judge import Case, Exercise
from course_lib.ranking.retrieval import unit
from course_lib.ranking.variants import info_nce


def some_facts(rng: np.random.Generator) -> Case:
    """Likes and facts; a user, a film or an entity may have none, but not all of them."""
    n_users, n_items, n_entities = rng.integers(2, (6, 7, 5))
    R, T = (rng.random(shape) < 0.5 for shape in ((n_users, n_items), (n_items, n_entities)))
    R[0, 0] = T[0, 0] = True
    return R.astype(float), T.astype(float), float(rng.choice([0.1, 0.5, 2, 10, 30]))


def blocks(R: np.ndarray, T: np.ndarray, w: float, back: float = 1.0, swap: bool = False) -> np.ndarray:
    (u, i), e = R.shape, T.shape[1]
    above = np.zeros((u + i + e, u + i + e))
    above[:u, u : u + i] = R
    above[u : u + i, u + i :] = w * T
    A = above + back * above.T
    order = np.r_[:u, u + i : u + i + e, u : u + i] if swap else np.arange(u + i + e)
    return A[np.ix_(order, order)]


def films_first(R: np.ndarray, T: np.ndarray, w: float) -> np.ndarray:
    u, i = R.shape
    order = np.r_[u : u + i, :u, u + i : u + i + T.shape[1]]
    return blocks(R, T, w)[np.ix_(order, order)]


def weight_one_way(R: np.ndarray, T: np.ndarray, w: float) -> np.ndarray:
    A = blocks(R, T, 1)
    A[: sum(R.shape), sum(R.shape) :] *= w
    return A


def some_views(rng: np.random.Generator) -> Case:
    """Two views of some nodes, more or less alike, of any length."""
    k, d = rng.integers(3, 9), rng.integers(2, 7)
    Z = rng.normal(size=(k, d)) * rng.uniform(0.3, 3)
    tau = round(float(rng.choice([rng.uniform(0.2, 0.7), rng.uniform(1.4, 2.5)])), 2)
    return Z, Z + rng.normal(size=(k, d)) * rng.choice([0.3, 2]), tau


def contrast(Z1: np.ndarray, Z2: np.ndarray, tau: float) -> float:
    return float(info_nce(torch.from_numpy(np.asarray(Z1)), torch.from_numpy(np.asarray(Z2)), tau))


def of_products(Z1: np.ndarray, Z2: np.ndarray, tau: float) -> float:
    S = Z1 @ Z2.T / tau
    return float(np.mean(logsumexp(S, axis=1) - np.diag(S)))


def without_partner(Z1: np.ndarray, Z2: np.ndarray, tau: float) -> float:
    S = unit(Z1) @ unit(Z2).T / tau
    return float(np.mean(logsumexp(S - np.diag(np.full(len(S), 1e9)), axis=1) - np.diag(S)))


def over_all_pairs(Z1: np.ndarray, Z2: np.ndarray, tau: float) -> float:
    S = unit(Z1) @ unit(Z2).T / tau
    return float(np.mean(logsumexp(S, axis=1, keepdims=True) - S))


def of_mean_share(Z1: np.ndarray, Z2: np.ndarray, tau: float) -> float:
    S = unit(Z1) @ unit(Z2).T / tau
    return float(-np.log(np.mean(np.exp(np.diag(S) - logsumexp(S, axis=1)))))


def some_places(rng: np.random.Generator) -> Case:
    """Scores of entities, all different, and which are true of a film: others beside the hidden one, some before it."""
    n = rng.integers(9, 25)
    true, hidden = rng.random(n) < rng.choice([0.3, 0.5]), int(rng.integers(n))
    true[hidden] = True
    return rng.permutation(n) + round(rng.uniform(-0.4, 0.4), 2), true, hidden


def place(scores: np.ndarray, true: np.ndarray, hidden: int) -> int:
    return int(1 + (scores[~true] > scores[hidden]).sum())


R, T = np.array([[1.0, 0, 1], [0, 1, 1]]), np.array([[1.0, 0], [1, 1], [0, 1]])
true = np.isin(np.arange(9), [1, 4, 6])

PLACES = {
    "You count the other true entities too: leave them out.": lambda s, true, h: int(1 + (s > s[h]).sum()),
    "You count the true entities alone; those that are not true can stand in its way.": lambda s, true, h: int(
        1 + (s[true] > s[h]).sum()
    ),
    "Places start at 1.": lambda s, true, h: place(s, true, h) - 1,
    "The entity itself is not ahead of itself: that is one too many.": lambda s, true, h: place(s, true, h) + 1,
    "You count those with a smaller score; the place counts what is ahead, and higher is better.": lambda s, true, h: (
        int(1 + (s[~true] < s[h]).sum())
    ),
    "You count those with a smaller score, other true entities too; the place counts what is ahead and not true.": (
        lambda s, true, h: int(1 + (s < s[h]).sum())
    ),
    "np.argsort says which entity stands at a place, not at which place an entity stands.": lambda s, true, h: int(
        1 + np.argsort(-s)[h]
    ),
    "That is the score of the hidden entity; its place is wanted.": lambda s, true, h: s[h],
    "That is the number of entities that are not true; count only those ahead of the hidden one.": lambda s, true, h: (
        int((~true).sum())
    ),
    "That is 1 over the place; the place itself is wanted.": lambda s, true, h: 1 / place(s, true, h),
}

EXERCISES = (
    Exercise(
        "4b.1",
        2,
        blocks,
        [(R, T, 0.5), (R, T[:, :1], 3.0)],
        some_facts,
        {
            "The edges to entities do not carry their weight.": lambda R, T, w: blocks(R, T, 1),
            "Each edge is there in one direction only: A has to be symmetric.": lambda R, T, w: blocks(R, T, w, back=0),
            "Each edge is there in one direction only, and not that of R: A is symmetric.": lambda R, T, w: (
                blocks(R, T, w, back=0).T
            ),
            "The order of the nodes is users, items, entities.": lambda R, T, w: blocks(R, T, w, swap=True),
            "The order of the nodes is users, items, entities: users come first.": films_first,
            "The weight is for the edges to entities alone; an edge to a user weighs 1.": lambda R, T, w: (
                w * blocks(R, T, 1)
            ),
            "The weight belongs to the edges to entities, not to those to users.": lambda R, T, w: blocks(w * R, T, 1),
            "The weight stands on one of the two directions only: A has to be symmetric.": weight_one_way,
            "Multiply the edges to entities by w, do not divide.": lambda R, T, w: blocks(R, T, 1 / w),
            "The entities are missing: A has a row for each user, each film and each entity.": lambda R, T, w: blocks(
                R, T[:, :0], w
            ),
            "A itself is wanted, without loops on the diagonal.": lambda R, T, w: (
                (A := blocks(R, T, w)) + np.eye(len(A))
            ),
        },
        hint="R stands in the rows of the users and the columns of the films, w T in those of films and entities.",
    ),
    Exercise(
        "4b.2",
        3,
        contrast,
        [(*(np.random.default_rng(k).normal(size=(2, 5, 3))), tau) for k, tau in ((0, 0.2), (1, 1.5))],
        until(some_views, lambda Z1, Z2, tau: contrast(Z1, Z2, tau) > 0.1),
        {
            "Those are products, not cosines: bring the rows to length 1 first.": of_products,
            "Divide by τ, do not multiply.": lambda Z1, Z2, tau: contrast(Z1, Z2, 1 / tau),
            "τ is missing: divide the cosines by it.": lambda Z1, Z2, tau: contrast(Z1, Z2, 1),
            "Each row is summed over the partners in the other view; you sum over the columns.": lambda Z1, Z2, tau: (
                contrast(Z2, Z1, tau)
            ),
            "That is the mean of both directions; here only the rows of Z1 look for their partners.": (
                lambda Z1, Z2, tau: (contrast(Z2, Z1, tau) + contrast(Z1, Z2, tau)) / 2
            ),
            "That is the sum over the rows; the mean is wanted.": lambda Z1, Z2, tau: len(Z1) * contrast(Z1, Z2, tau),
            "The sign is missing: -log of a share is positive.": lambda Z1, Z2, tau: -contrast(Z1, Z2, tau),
            "The right partner belongs to the sum below as well, or it is no softmax.": without_partner,
            "Take the softmax at the right partner only, the diagonal, and not at all pairs.": over_all_pairs,
            "First the logarithm of each row, then the mean.": of_mean_share,
            "You compare a view with itself; the partners are in the other view.": lambda Z1, Z2, tau: contrast(
                Z1, Z1, tau
            ),
        },
        hint="Cosines over τ, a softmax along each row, -log at the diagonal, and the mean of those.",
    ),
    Exercise(
        "4b.3",
        2,
        place,
        [
            (np.array([6.0, 3, 4, 7, 5, 8, 0, 2, 1]), true, 4),
            (np.array([2.0, 7, 0, 4, 1, 3, 8, 6, 5]), true, 1),
            (np.array([8.0, 1, 5, 3, 7, 2, 6, 0, 4]), true, 6),
            (np.array([0.0, 8, 2, 6, 3, 7, 5, 1, 4]), true, 4),
        ],
        until(some_places, lambda s, true, h: place(s, true, h) > 2 and differ(place, *PLACES.values())(s, true, h)),
        PLACES,
        hint="Leave out what is true, count what has a higher score than the hidden one, and add 1.",
    ),
)
