"""Exercises of lesson 03: EASE, the fused score and its collapse, gates, retrieval."""

import numpy as np

from course_lib.exercises.judge import Case, Exercise


def some_likes(rng: np.random.Generator) -> Case:
    """Who liked what; a film may have no fan, and a user no film."""
    X = (rng.random((rng.integers(2, 14), rng.integers(2, 8))) < rng.uniform(0.2, 0.7)).astype(float)
    return X, round(rng.uniform(0.1, 20), 1)


def ease(X: np.ndarray, lam: float, axis: int = 0, sign: int = -1, diagonal: bool = False) -> np.ndarray:
    P = np.linalg.inv(X.T @ X + lam * np.eye(X.shape[1]))
    B = sign * P / np.expand_dims(np.diag(P), axis)
    return B if diagonal else B * (1 - np.eye(len(B)))


def lambda_everywhere(X: np.ndarray, lam: float) -> np.ndarray:
    P = np.linalg.inv(X.T @ X + lam)
    return -P / np.diag(P) * (1 - np.eye(len(P)))


def some_layers(rng: np.random.Generator) -> Case:
    K = rng.integers(1, 6)
    return rng.normal(size=K), rng.normal(size=(K, rng.integers(1, 7)))


def some_pairs(rng: np.random.Generator) -> Case:
    B, d, d_t, K = rng.integers(1, (8, 6, 6, 5))
    return tuple(rng.normal(size=shape) for shape in ((B, d), (B, d), (B, d_t), (K, d_t), (B, K)))


def gated(u: np.ndarray, v: np.ndarray, t: np.ndarray, w: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return (alpha * ((u * v).sum(axis=1, keepdims=True) + t @ w.T)).sum(axis=1)


def vectors(rng: np.random.Generator, n_items: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """A query and films, of any length."""
    return rng.normal(size=d) * rng.choice([0.3, 5]), rng.normal(size=(n_items, d)) * rng.uniform(0.2, 3, (n_items, 1))


def some_query(rng: np.random.Generator) -> Case:
    n_items, d = (int(n) for n in rng.integers(2, (16, 8)))
    return *vectors(rng, n_items, d), int(rng.integers(1, n_items + 1))


def nearest(q: np.ndarray, vectors: np.ndarray, n: int, sign: int = -1) -> np.ndarray:
    return np.argsort(sign * (vectors @ q) / np.linalg.norm(vectors, axis=1))[:n]


likes = np.array([[1.0, 1, 0], [1, 1, 1], [0, 1, 1], [1, 0, 0]])
more_likes = np.array([[1.0, 0, 0, 1], [1, 1, 0, 0], [0, 1, 1, 1], [1, 1, 0, 1], [0, 0, 1, 0], [1, 0, 0, 1]])
two_pairs, three_pairs = (some_pairs(np.random.default_rng(seed)) for seed in (6, 11))
w3, w2 = np.array([[0.2, -1.0], [1.5, 0.4], [-0.3, 2.0]]), np.array([[1.0, 0.0, -2.0, 0.5], [0.5, 1.0, 1.0, -1.0]])

EXERCISES = (
    Exercise(
        "3.1",
        2,
        ease,
        [(likes, 0.5), (more_likes, 2.0)],
        some_likes,
        {
            "The diagonal has to be 0, or every film recommends itself.": lambda X, lam: ease(X, lam, diagonal=True),
            "Divide each column by its own P_jj: numpy divides columns if the divisor has the shape (n_items,).": (
                lambda X, lam: ease(X, lam, axis=1)
            ),
            "Mind the sign: similar films have negative entries in P.": lambda X, lam: ease(X, lam, sign=1),
            "Add λ to the diagonal only: λ times the identity matrix.": lambda_everywhere,
        },
    ),
    Exercise(
        "3.2",
        1,
        lambda alpha, w: np.concatenate([[alpha.sum()], alpha @ w]),
        [(np.array([0.5, 0.3, -0.1]), w3), (np.array([2.0, 1.0]), w2)],
        some_layers,
        {
            "Each w_k counts α_k times in the sum; yours counts them all once.": lambda alpha, w: np.concatenate(
                [[alpha.sum()], w.sum(axis=0)]
            ),
            "The layers are added, not averaged.": lambda alpha, w: np.concatenate(
                [[alpha.mean()], alpha @ w / len(alpha)]
            ),
            "That is the w inside a·(u·v + t·w); here w stands outside the bracket, so do not divide by a.": (
                lambda alpha, w: np.concatenate([[alpha.sum()], alpha @ w / alpha.sum()])
            ),
        },
    ),
    Exercise(
        "3.3",
        2,
        gated,
        [two_pairs, three_pairs],
        some_pairs,
        {
            "α weighs the whole bracket: u·v too, not only the text.": lambda u, v, t, w, alpha: (
                (u * v).sum(axis=1) + (alpha * (t @ w.T)).sum(axis=1)
            ),
            "α weighs the whole bracket: the text too, not only u·v.": lambda u, v, t, w, alpha: (
                alpha.sum(axis=1) * (u * v).sum(axis=1) + (t @ w.T).sum(axis=1)
            ),
            "Sum over k, do not average.": lambda u, v, t, w, alpha: gated(u, v, t, w, alpha) / len(w),
            "Each pair has its own α: do not average them over the batch.": lambda u, v, t, w, alpha: gated(
                u, v, t, w, alpha.mean(axis=0)
            ),
        },
    ),
    Exercise(
        "3.4",
        1,
        nearest,
        [(*vectors(np.random.default_rng(seed), 9, 4), 5) for seed in (1, 2, 3)],
        some_query,
        {
            "Long vectors win here: divide each product by the film vector's length.": lambda q, V, n: np.argsort(
                -(V @ q)
            )[:n],
            "These are the least similar films: sort the other way.": lambda q, V, n: nearest(q, V, n, sign=1),
            "These are the nearest by distance; the cosine ignores length.": lambda q, V, n: np.argsort(
                np.linalg.norm(V - q, axis=1)
            )[:n],
            "The length of a film is over its features, axis=1.": lambda q, V, n: np.argsort(
                -(V / np.linalg.norm(V, axis=0)) @ q
            )[:n],
        },
    ),
    Exercise(
        "3.5",
        1,
        231,
        mistakes={
            "One α is kept too, as a.": 232,
            "One w of 32 numbers is kept.": 263,
            "Count each α_k and all d_t numbers of each w_k.": 14,
        },
        hint="Before: K alphas and K vectors of d_t. After: one a and one w.",
    ),
)
