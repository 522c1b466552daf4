"""Exercises of lesson 04: the normalised graph, LightGCN, diverse lists, paths that explain."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from course_lib.data.interactions import Interactions
from course_lib.exercises.drawing import differ, until
from course_lib.exercises.judge import Case, Exercise
from course_lib.ranking import graph
from course_lib.ranking.rerank import mmr


def some_graph(rng: np.random.Generator) -> Case:
    """A small graph with weights on its edges and a node that has none; some degrees are below 1, no two alike."""
    n = rng.integers(4, 10)
    A = np.triu(rng.random((n, n)) < rng.uniform(0.3, 0.7), k=1) * rng.uniform(0.05, 0.9, (n, n)).round(2)
    A[:2] = 0
    A[0, 1:3], A[1, 2] = (0.2, 0.5), 0.3
    empty = int(rng.integers(3, n))
    A[empty], A[:, empty] = 0, 0
    return (A + A.T,)


def normalised(A: np.ndarray, loops: bool = False) -> np.ndarray:
    return graph.normalise(csr_matrix(A), loops).toarray()


def degrees(A: np.ndarray) -> np.ndarray:
    """With 1 for a node without edges, (n, 1)."""
    d = A.sum(axis=1, keepdims=True)
    return np.where(d > 0, d, 1)


def divided(A: np.ndarray, d: np.ndarray) -> np.ndarray:
    """By the roots of d, (n, 1), of both ends."""
    return A / np.sqrt(d) / np.sqrt(d).T


def not_finite(A: np.ndarray) -> np.ndarray:
    return divided(A, A.sum(axis=1, keepdims=True))


def some_vectors(rng: np.random.Generator) -> Case:
    A_hat = normalised(*some_graph(rng))
    return A_hat, rng.normal(size=(len(A_hat), rng.integers(1, 5))), int(rng.integers(2, 6))


def layers(A_hat: np.ndarray, E: np.ndarray, L: int, first: int = 0) -> np.ndarray:
    """The sum of the layers from ``first`` to L."""
    return sum((np.linalg.matrix_power(A_hat, k) @ E for k in range(first, L + 1)), 0 * E)


def candidates(rng: np.random.Generator, c: int) -> tuple[np.ndarray, np.ndarray]:
    """Of three kinds, all of a kind much alike: without an eye on similarity a list is of one kind."""
    X = np.eye(3)[rng.integers(3, size=c)] + rng.normal(0, 0.4, (c, 3))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    similarity = (X @ X.T).round(3)
    np.fill_diagonal(similarity, 1)
    return rng.uniform(0.3, 1, c).round(3), similarity


def some_candidates(rng: np.random.Generator) -> Case:
    """Candidates for a list, now and then with twins: the same relevance, and alike in everything."""
    c = int(rng.integers(8, 20))
    relevance, similarity = candidates(rng, c)
    if rng.random() < 0.3:
        film = rng.integers(c, size=c)
        relevance, similarity = relevance[film], similarity[np.ix_(film, film)]
    return relevance, similarity, int(rng.integers(5, c - 1)), round(rng.uniform(0.2, 0.8), 2)


def greedy(value_of: Callable[..., np.ndarray], again: bool = False) -> Callable[..., list[int]]:
    """MMR with another idea of a candidate's value, value_of(theta, relevance, similarity to the chosen (k, c))."""

    def wrong(relevance: np.ndarray, similarity: np.ndarray, n: int, theta: float) -> list[int]:
        chosen = [int(relevance.argmax())]
        while len(chosen) < n:
            value = value_of(theta, relevance, similarity[chosen])
            if not again:
                value[chosen] = -np.inf
            chosen.append(int(value.argmax()))
        return chosen

    return wrong


def no_near_tie(relevance: np.ndarray, similarity: np.ndarray, n: int, theta: float) -> bool:
    """Whether no last digit decides: at each step whatever is not chosen is a twin of what is, or clearly behind it."""
    chosen = diverse(relevance, similarity, n, theta)
    for k in range(1, n):
        near, best = similarity[chosen[:k]].max(axis=0), chosen[k]
        twin = (relevance == relevance[best]) & (near == near[best])
        value = theta * relevance - (1 - theta) * near
        if (value[best] - np.delete(value - 9 * twin, chosen[: k + 1]) < 1e-4).any():
            return False
    return True


def diverse(relevance: np.ndarray, similarity: np.ndarray, n: int, theta: float) -> np.ndarray:
    return mmr(relevance[None], similarity[None], n, theta)[0]


def by_relevance(relevance: np.ndarray, similarity: np.ndarray, n: int, theta: float) -> np.ndarray:
    return np.argsort(-relevance, kind="stable")[:n]


def some_walk(rng: np.random.Generator) -> Case:
    """Who liked what, a user and a film; one other user and one other film have no edges."""
    R = (rng.random((rng.integers(5, 9), rng.integers(5, 9))) < rng.uniform(0.3, 0.7)).astype(float)
    user, item = (int(rng.integers(n)) for n in R.shape)
    R[user - 1], R[:, item - 1] = 0, 0
    return R, user, item


def has_walks(R: np.ndarray, user: int, item: int) -> bool:
    """Over two films or more."""
    return (walks(R, user, item) > 0).sum() >= 2


def block(R: np.ndarray) -> np.ndarray:
    """The block of Â from users to films."""
    return R / np.sqrt(degrees(R) * degrees(R.T).T)


def path_weights(R: np.ndarray, user: int, item: int) -> np.ndarray:
    users, items = np.nonzero(R)
    train = Interactions(pd.DataFrame({"user": users, "item": items, "rating": 5.0, "time": 0}), *R.shape)
    return graph.path_weights(train, user, item)


def walks(R: np.ndarray, user: int, item: int) -> np.ndarray:
    """How many there are over each film."""
    return R[user] * (R.T @ R[:, item])


star = np.array([[0.0, 1, 1, 1, 0], [1, 0, 0, 0, 0], [1, 0, 0, 1, 0], [1, 0, 1, 0, 0], [0, 0, 0, 0, 0]])
weighted = star[:4, :4] * np.array([[0, 0.1, 0.5, 0.2], [0.1, 0, 0, 0], [0.5, 0, 0, 0.3], [0.2, 0, 0.3, 0]])
start = np.array([[0.1, -0.1], [0.6, 0.1], [-0.5, 0.4], [1.3, 0.9], [-0.7, -1.3]])
# the last user likes no film, and nobody likes the last film
fans = np.array([[1.0, 1, 0, 0, 0], [1, 1, 1, 0, 0], [0, 1, 1, 0, 0], [1, 0, 0, 1, 0], [0, 0, 0, 0, 0]])

GREEDY: dict[str, Callable[..., Any]] = {
    "That sorts by relevance alone: subtract the similarity to what is in the list.": by_relevance,
    "You take the mean similarity to the list; MMR takes the largest, so that no near-twin slips in.": greedy(
        lambda t, r, S: t * r - (1 - t) * S.mean(axis=0)
    ),
    "You add up the similarities to the list; MMR takes the largest, not the sum.": greedy(
        lambda t, r, S: t * r - (1 - t) * S.sum(axis=0)
    ),
    "You take the smallest similarity to the list; MMR takes the largest.": greedy(
        lambda t, r, S: t * r - (1 - t) * S.min(axis=0)
    ),
    "You compare with the film chosen last; compare with the whole list.": greedy(
        lambda t, r, S: t * r - (1 - t) * S[-1]
    ),
    "You compare with the first film alone; compare with the whole list, which grows.": greedy(
        lambda t, r, S: t * r - (1 - t) * S[0]
    ),
    "Similarity is added: then the list gets more alike. Subtract it.": greedy(
        lambda t, r, S: t * r + (1 - t) * S.max(axis=0)
    ),
    "θ weighs relevance and 1 − θ similarity; yours are exchanged.": greedy(
        lambda t, r, S: (1 - t) * r - t * S.max(axis=0)
    ),
    "θ weighs relevance and 1 − θ similarity; you subtract the whole similarity.": greedy(
        lambda t, r, S: t * r - S.max(axis=0)
    ),
    "An item is chosen again: set the value of what is in the list to -inf before the maximum.": greedy(
        lambda t, r, S: t * r - (1 - t) * S.max(axis=0), again=True
    ),
    "You take the item of the smallest value; the largest is wanted.": greedy(
        lambda t, r, S: -(t * r - (1 - t) * S.max(axis=0))
    ),
}

EXERCISES = (
    Exercise(
        "4.1",
        2,
        normalised,
        [(star,), (weighted,)],
        some_graph,
        {
            "That is D⁻¹A: its rows sum to 1, but it is no longer symmetric; share the root of the degree between both "
            "ends.": lambda A: A / degrees(A),
            "That is AD⁻¹: its columns sum to 1, but it is no longer symmetric; share the root of the degree between "
            "both ends.": lambda A: A / degrees(A).T,
            "That is D − A, the Laplacian; D^-1/2 stands on both sides of A.": lambda A: np.diag(A.sum(axis=1)) - A,
            "You added loops; this exercise wants A as it is.": lambda A: normalised(A, loops=True),
            "Divide by the root of the degrees, not by the degrees.": lambda A: A / degrees(A) / degrees(A).T,
            "Divide by the root of both degrees, that of the row's node and that of the column's.": lambda A: (
                A / np.sqrt(degrees(A))
            ),
            "D^-1/2 is 1 over the root: divide by the roots, do not multiply.": lambda A: (
                A * np.sqrt(degrees(A)) * np.sqrt(degrees(A)).T
            ),
            "Edges may have weights: a degree is the sum of a node's weights, not the number of its edges.": lambda A: (
                divided(A, np.maximum(np.count_nonzero(A, axis=1, keepdims=True), 1))
            ),
            "Edges may have weights, so a degree can lie between 0 and 1: put 1 only where it is exactly 0.": (
                lambda A: divided(A, np.maximum(A.sum(axis=1, keepdims=True), 1))
            ),
            "A node without edges has degree 0, and 0 divided by 0 is NaN: its row and column stay 0.": not_finite,
        },
        hint="An entry is A_ij / √(d_i d_j), and 0 where there is no edge.",
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
            "You divide by L + 1, but layer 0, E itself, is missing from the sum.": lambda A_hat, E, L: (
                layers(A_hat, E, L, first=1) / (L + 1)
            ),
            "Layer L is missing: the layers are 0, 1, … and L, that one included.": lambda A_hat, E, L: (
                layers(A_hat, E, L - 1) / max(L, 1)
            ),
            "Layer L is missing from the sum: the layers are 0, 1, … and L, that one included.": lambda A_hat, E, L: (
                layers(A_hat, E, L - 1) / (L + 1)
            ),
            "There is one layer too many: L is the last.": lambda A_hat, E, L: layers(A_hat, E, L + 1) / (L + 2),
            "That is the sum; the mean is wanted.": layers,
            "Each layer is Â times the layer before: k times Â E is not Âᵏ E.": lambda A_hat, E, L: (
                (E + L * (A_hat @ E)) / (L + 1)
            ),
            "A power of a matrix is a product of matrices: Â ** k raises each entry by itself.": lambda A_hat, E, L: (
                sum(A_hat**k @ E for k in range(L + 1)) / (L + 1)
            ),
        },
        hint="Layer k is Âᵏ E; add the layers 0 to L and divide by L + 1.",
    ),
    Exercise(
        "4.3",
        3,
        diverse,
        [
            (*candidates(np.random.default_rng(c), c), n, theta)
            for c, n, theta in ((12, 6, 0.5), (20, 8, 0.3), (9, 5, 0.7))
        ],
        until(until(some_candidates, no_near_tie), differ(diverse, *GREEDY.values())),
        GREEDY,
        hint="At each step the similarity of an item is the largest to any that is in the list already.",
        kind="ids",
    ),
    Exercise(
        "4.4",
        2,
        path_weights,
        [(fans, 0, 2), (fans, 3, 1), (fans, 0, 1), (fans, 1, 4), (fans, 4, 0)],
        until(some_walk, has_walks),
        {
            "You count the walks; divide each edge by the roots of the degrees of both its ends.": walks,
            "That is the way from film to film alone: it begins with her own edge, so multiply by Â_uj.": (
                lambda R, u, i: (S := block(R)).T @ S[:, i]
            ),
            "That is her own edge alone: multiply by the way from each film to the recommended one, (ÂÂ)_ji.": (
                lambda R, u, i: block(R)[u]
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
            "Each edge has two ends: divide by the root of the film's degree as well as of the user's.": (
                lambda R, u, i: walks(R / np.sqrt(degrees(R)), u, i)
            ),
            "Each edge has two ends: divide by the root of the user's degree as well as of the film's.": (
                lambda R, u, i: walks(R / np.sqrt(degrees(R.T).T), u, i)
            ),
            "That holds for each user on the way; add them up, so that one number a film is left.": lambda R, u, i: (
                block(R)[u] * (S := block(R)) * S[:, [i]]
            ),
            "A user or a film without edges has degree 0, and 0 divided by 0 is NaN: its weights are 0.": (
                lambda R, u, i: walks(R / np.sqrt(R.sum(axis=1, keepdims=True) * R.sum(axis=0)), u, i)
            ),
        },
        hint="With S the block of Â from users to films: S_uj times the sum over users w of S_wj S_wi.",
    ),
)
