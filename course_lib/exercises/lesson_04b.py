"""Exercises of lesson 04b: a graph with facts, contrast, hidden links."""

import numpy as np
import torch
from scipy.special import logsumexp

from course_lib.exercises.judge import Case, Exercise
from course_lib.ranking.retrieval import unit
from course_lib.ranking.variants import info_nce


def some_facts(rng: np.random.Generator) -> Case:
    """Likes and facts; a user, a film or an entity may have none."""
    n_users, n_items, n_entities = rng.integers(1, (6, 7, 5))
    R, T = (rng.random(shape) < 0.5 for shape in ((n_users, n_items), (n_items, n_entities)))
    return R.astype(float), T.astype(float), float(rng.choice([0.1, 0.5, 1, 2, 10, 30]))


def blocks(R: np.ndarray, T: np.ndarray, w: float, back: float = 1.0, swap: bool = False) -> np.ndarray:
    (u, i), e = R.shape, T.shape[1]
    above = np.zeros((u + i + e, u + i + e))
    above[:u, u : u + i] = R
    above[u : u + i, u + i :] = w * T
    A = above + back * above.T
    order = np.r_[:u, u + i : u + i + e, u : u + i] if swap else np.arange(u + i + e)
    return A[np.ix_(order, order)]


def some_views(rng: np.random.Generator) -> Case:
    """Two views of some nodes, alike or not, of any length."""
    k, d = rng.integers(1, 9), rng.integers(2, 7)
    Z = rng.normal(size=(k, d)) * rng.uniform(0.3, 3)
    return Z, Z + rng.normal(size=(k, d)) * rng.choice([0.2, 2]), round(rng.uniform(0.1, 2), 2)


def contrast(Z1: np.ndarray, Z2: np.ndarray, tau: float) -> float:
    return float(info_nce(torch.from_numpy(Z1), torch.from_numpy(Z2), tau))


def some_places(rng: np.random.Generator) -> Case:
    """Scores of entities, all different, and which are true of a film: at least the hidden one, at times all."""
    n = rng.integers(1, 20)
    true, hidden = rng.random(n) < rng.choice([0.2, 0.5, 1]), int(rng.integers(n))
    true[hidden] = True
    return rng.permutation(n) + rng.normal(), true, hidden


R, T = np.array([[1.0, 0, 1], [0, 1, 1]]), np.array([[1.0, 0], [1, 1], [0, 1]])
true = np.isin(np.arange(9), [1, 4, 6])

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
            "The order of the nodes is users, items, entities.": lambda R, T, w: blocks(R, T, w, swap=True),
            "The weight is for the edges to entities alone; an edge to a user weighs 1.": lambda R, T, w: (
                w * blocks(R, T, 1)
            ),
        },
    ),
    Exercise(
        "4b.2",
        3,
        contrast,
        [(*(np.random.default_rng(k).normal(size=(2, 5, 3))), tau) for k, tau in ((0, 0.2), (1, 1.5))],
        some_views,
        {
            "Those are products, not cosines: bring the rows to length 1 first.": lambda Z1, Z2, tau: float(
                np.mean(logsumexp(S := Z1 @ Z2.T / tau, axis=1) - np.diag(S))
            ),
            "Divide by τ, do not multiply.": lambda Z1, Z2, tau: contrast(Z1, Z2, 1 / tau),
            "Each row is summed over the partners in the other view; you sum over the columns.": lambda Z1, Z2, tau: (
                contrast(Z2, Z1, tau)
            ),
            "That is the sum over the rows; the mean is wanted.": lambda Z1, Z2, tau: len(Z1) * contrast(Z1, Z2, tau),
            "The right partner belongs to the sum below as well, or it is no softmax.": lambda Z1, Z2, tau: float(
                np.mean(
                    logsumexp((S := unit(Z1) @ unit(Z2).T / tau) - np.diag(np.full(len(S), 1e9)), axis=1) - np.diag(S)
                )
            ),
        },
    ),
    Exercise(
        "4b.3",
        2,
        lambda scores, true, hidden: int(1 + (scores[~true] > scores[hidden]).sum()),
        [
            (np.array([6.0, 3, 4, 7, 5, 8, 0, 2, 1]), true, 4),
            (np.array([2.0, 7, 0, 4, 1, 3, 8, 6, 5]), true, 1),
            (np.array([8.0, 1, 5, 3, 7, 2, 6, 0, 4]), true, 6),
            (np.array([0.0, 8, 2, 6, 3, 7, 5, 1, 4]), true, 4),
        ],
        some_places,
        {
            "You count the other true entities too: leave them out.": lambda s, true, h: int(1 + (s > s[h]).sum()),
            "Places start at 1.": lambda s, true, h: int((s[~true] > s[h]).sum()),
            "You count those with a smaller score; the place counts what is ahead.": lambda s, true, h: int(
                1 + (s[~true] < s[h]).sum()
            ),
        },
    ),
)
