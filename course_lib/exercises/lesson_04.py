"""Exercises of lesson 04: the normalised graph, LightGCN, diverse lists, paths that explain."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from course_lib.data.interactions import Interactions
from course_lib.exercises.judge import Case, Exercise
from course_lib.ranking import graph
from course_lib.ranking.rerank import mmr


def some_graph(rng: np.random.Generator) -> Case:
    """A small graph, at times with weights on its edges, at times with nodes that have none."""
    n = rng.integers(2, 10)
    A = np.triu(rng.random((n, n)) < rng.uniform(0.2, 0.8), k=1) * rng.choice([np.ones((n, n)), rng.random((n, n))])
    A[0, 1] = 1
    return (A + A.T,)


def normalised(A: np.ndarray, loops: bool = False) -> np.ndarray:
    return graph.normalise(csr_matrix(A), loops).toarray()


def degrees(A: np.ndarray) -> np.ndarray:
    """With 1 for a node without edges, (n, 1)."""
    d = A.sum(axis=1, keepdims=True)
    return np.where(d > 0, d, 1)


def some_vectors(rng: np.random.Generator) -> Case:
    A_hat = normalised(*some_graph(rng))
    return A_hat, rng.normal(size=(len(A_hat), rng.integers(1, 5))), int(rng.integers(5))


def layers(A_hat: np.ndarray, E: np.ndarray, L: int, first: int = 0) -> np.ndarray:
    """The sum of the layers from ``first`` to L."""
    return sum((np.linalg.matrix_power(A_hat, k) @ E for k in range(first, L + 1)), 0 * E)


def candidates(rng: np.random.Generator, c: int) -> tuple[np.ndarray, np.ndarray]:
    X = rng.random((c, 3))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    similarity = X @ X.T
    np.fill_diagonal(similarity, 1)
    return rng.random(c), similarity


def some_candidates(rng: np.random.Generator) -> Case:
    """Candidates for a list, now and then with twins: the same relevance, and alike in everything."""
    c = int(rng.integers(2, 20))
    relevance, similarity = candidates(rng, c)
    if rng.random() < 0.3:
        film = rng.integers(c, size=c)
        relevance, similarity = relevance[film], similarity[np.ix_(film, film)]
    return relevance, similarity, int(rng.integers(1, c + 1)), float(rng.choice([1, *rng.uniform(0.05, 1, 9).round(2)]))


def greedy(value_of: Callable[..., np.ndarray]) -> Callable[..., list[int]]:
    """MMR with another idea of a candidate's value, value_of(theta, relevance, similarity to the chosen (k, c))."""

    def wrong(relevance: np.ndarray, similarity: np.ndarray, n: int, theta: float) -> list[int]:
        chosen = [int(relevance.argmax())]
        while len(chosen) < n:
            value = value_of(theta, relevance, similarity[chosen])
            value[chosen] = -np.inf
            chosen.append(int(value.argmax()))
        return chosen

    return wrong


def some_walk(rng: np.random.Generator) -> Case:
    """Who liked what, a user and a film; either may have no edges, and the film may be one of hers."""
    R = (rng.random((rng.integers(2, 9), rng.integers(2, 9))) < rng.uniform(0.3, 0.7)).astype(float)
    user, item = (int(rng.integers(n)) for n in R.shape)
    R[0, 0] = 1  # not an empty graph
    return R, user, item


def path_weights(R: np.ndarray, user: int, item: int) -> np.ndarray:
    users, items = np.nonzero(R)
    train = Interactions(pd.DataFrame({"user": users, "item": items, "rating": 5.0, "time": 0}), *R.shape)
    return graph.path_weights(train, user, item)


def walks(R: np.ndarray, user: int, item: int) -> np.ndarray:
    """How many there are over each film."""
    return R[user] * (R.T @ R[:, item])


star = np.array([[0.0, 1, 1, 1, 0], [1, 0, 0, 0, 0], [1, 0, 0, 1, 0], [1, 0, 1, 0, 0], [0, 0, 0, 0, 0]])
start = np.array([[0.1, -0.1], [0.6, 0.1], [-0.5, 0.4], [1.3, 0.9], [-0.7, -1.3]])
fans = np.array([[1.0, 1, 0, 0, 0], [1, 1, 1, 0, 0], [0, 1, 1, 0, 0], [1, 0, 0, 1, 0]])  # nobody likes the last film

EXERCISES = (
    Exercise(
        "4.1",
        2,
        normalised,
        [(star,), (star[:4, :4],)],
        some_graph,
        {
            "That is D⁻¹A: its rows sum to 1, but it is no longer symmetric; share the root of the degree between both "
            "ends.": lambda A: A / degrees(A),
            "You added loops; this exercise wants A as it is.": lambda A: normalised(A, loops=True),
            "Divide by the root of the degrees, not by the degrees.": lambda A: A / degrees(A) / degrees(A).T,
        },
    ),
    Exercise(
        "4.2",
        2,
        lambda A_hat, E, L: layers(A_hat, E, L) / (L + 1),
        [(normalised(star), start, 3), (normalised(star), start, 1)],
        some_vectors,
        {
            "That is the last layer alone: the mean over all layers is wanted.": lambda A_hat, E, L: layers(
                A_hat, E, L, first=L
            ),
            "Layer 0, E itself, belongs to the mean.": lambda A_hat, E, L: layers(A_hat, E, L, first=1) / max(L, 1),
            "There are L + 1 layers to take the mean of: count E too.": lambda A_hat, E, L: (
                layers(A_hat, E, L) / max(L, 1)
            ),
            "That is the sum; the mean is wanted.": layers,
        },
    ),
    Exercise(
        "4.3",
        3,
        lambda relevance, similarity, n, theta: mmr(relevance[None], similarity[None], n, theta)[0],
        [
            (*candidates(np.random.default_rng(c), c), n, theta)
            for c, n, theta in ((12, 6, 0.5), (20, 8, 0.3), (9, 4, 0.7))
        ],
        some_candidates,
        {
            "That sorts by relevance alone: subtract the similarity to what is in the list.": greedy(
                lambda t, r, S: r.copy()
            ),
            "You take the mean similarity to the list; MMR takes the largest, so that no near-twin slips in.": greedy(
                lambda t, r, S: t * r - (1 - t) * S.mean(axis=0)
            ),
            "Similarity is added: then the list gets more alike. Subtract it.": greedy(
                lambda t, r, S: t * r + (1 - t) * S.max(axis=0)
            ),
            "θ weighs relevance and 1 − θ similarity; yours are exchanged.": greedy(
                lambda t, r, S: (1 - t) * r - t * S.max(axis=0)
            ),
        },
    ),
    Exercise(
        "4.4",
        2,
        path_weights,
        [(fans, 0, 2), (fans, 3, 1), (fans, 0, 1), (fans, 1, 4)],
        some_walk,
        {
            "You count the walks; divide each edge by the roots of the degrees of both its ends.": walks,
            "That is the way from film to film alone: it begins with her own edge, so multiply by Â_uj.": (
                lambda R, u, i: (
                    (S := R / np.sqrt(degrees(R) * degrees(R.T).T)).T @ S[:, i]  # the block of Â from users to films
                )
            ),
            "That is the sum over all films, an entry of Â³; the weight of each film is wanted.": lambda R, u, i: (
                path_weights(R, u, i).sum()
            ),
            "Those are shares of the sum; the weights themselves are wanted.": lambda R, u, i: (
                path_weights(R, u, i) / max(path_weights(R, u, i).sum(), 1e-12)
            ),
            "Divide each edge by the roots of the two degrees, not by the degrees.": lambda R, u, i: walks(
                R / degrees(R) / degrees(R.T).T, u, i
            ),
        },
    ),
)
