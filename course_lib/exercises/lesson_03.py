"""Exercises of lesson 03: EASE, the fused score and its collapse, gates, retrieval."""

import numpy as np

from course_lib.exercises.judge import Case, Exercise


def some_likes(rng: np.random.Generator) -> Case:
    """Who liked what, each film by a different number of people."""
    n_items = int(rng.integers(3, 8))
    X = (rng.random((rng.integers(8, 16), n_items)) < np.linspace(0.25, 0.75, n_items)).astype(float)
    return X, round(rng.uniform(0.3, 4), 1)


def ease(X: np.ndarray, lam: float, axis: int = 0, sign: int = -1, diagonal: bool = False) -> np.ndarray:
    P = np.linalg.inv(X.T @ X + lam * np.eye(X.shape[1]))
    B = sign * P / np.expand_dims(np.diag(P), axis)
    return B if diagonal else B * (1 - np.eye(len(B)))


def lambda_everywhere(X: np.ndarray, lam: float) -> np.ndarray:
    P = np.linalg.inv(X.T @ X + lam)
    return -P / np.diag(P) * (1 - np.eye(len(P)))


def some_layers(rng: np.random.Generator) -> Case:
    K = rng.integers(2, 6)
    return rng.normal(size=K), rng.normal(size=(K, rng.integers(2, 7))), rng.normal(size=K)


def some_pairs(rng: np.random.Generator) -> Case:
    B, d, d_t, K = rng.integers(2, (8, 6, 6, 5))
    return tuple(rng.normal(size=shape) for shape in ((B, d), (B, d), (B, d_t), (K, d_t), (B, K)))


def gated(u: np.ndarray, v: np.ndarray, t: np.ndarray, w: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return (alpha * ((u * v).sum(axis=1, keepdims=True) + t @ w.T)).sum(axis=1)


def vectors(rng: np.random.Generator, n_items: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """A query and films, of any length."""
    return rng.normal(size=d) * rng.choice([0.3, 5]), rng.normal(size=(n_items, d)) * rng.uniform(0.2, 3, (n_items, 1))


def some_query(rng: np.random.Generator) -> Case:
    n_items, d = (int(n) for n in rng.integers((8, 3), (16, 8)))
    return *vectors(rng, n_items, d), int(rng.integers(3, n_items))


def nearest(q: np.ndarray, vectors: np.ndarray, n: int, sign: int = -1) -> np.ndarray:
    return np.argsort(sign * (vectors @ q) / np.linalg.norm(vectors, axis=1))[:n]


def collapsed(alpha: np.ndarray, w: np.ndarray, c: np.ndarray) -> np.ndarray:
    return np.concatenate([[alpha.sum()], alpha @ w, [alpha @ c]])


likes = np.array([[1.0, 1, 0], [1, 1, 1], [0, 1, 1], [1, 0, 0]])
more_likes = np.array([[1.0, 0, 0, 1], [1, 1, 0, 0], [0, 1, 1, 1], [1, 1, 0, 1], [0, 0, 1, 0], [1, 0, 0, 1]])
two_pairs, three_pairs = (some_pairs(np.random.default_rng(seed)) for seed in (6, 10))
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
            "λ is missing.": lambda X, lam: ease(X, 1e-9 * lam),
            "That is P; divide each column by its own P_jj, and mind the sign.": lambda X, lam: np.linalg.inv(
                X.T @ X + lam * np.eye(X.shape[1])
            ),
            "The division by P_jj is missing.": lambda X, lam: (
                -(P := np.linalg.inv(X.T @ X + lam * np.eye(X.shape[1]))) * (1 - np.eye(len(P)))
            ),
            "X'X is (n_items, n_items): the users are summed over, so it is X.T @ X.": lambda X, lam: ease(X.T, lam)[
                : X.shape[1], : X.shape[1]
            ],
            "The inverse of the matrix is wanted (np.linalg.inv), not 1 over each entry.": lambda X, lam: (
                -(P := 1 / (X.T @ X + lam * np.eye(X.shape[1]) + 1e-12)) / np.diag(P) * (1 - np.eye(len(P)))
            ),
            "That is X'X, which counts who likes both films: its inverse is "
            "wanted, with λ on the diagonal.": lambda X, lam: X.T @ X * (1 - np.eye(X.shape[1])),
        },
        "P is np.linalg.inv(…); divide it by np.diag(P), change the sign, and put 0 on the diagonal.",
    ),
    Exercise(
        "3.2",
        1,
        collapsed,
        [
            (np.array([0.5, 0.3, -0.1]), w3, np.array([1.0, -2.0, 0.5])),
            (np.array([2.0, 1.0]), w2, np.array([0.3, 4.0])),
        ],
        some_layers,
        {
            "Each w_k counts α_k times in the sum; yours counts them all once.": lambda alpha, w, c: np.concatenate(
                [[alpha.sum()], w.sum(axis=0), [alpha @ c]]
            ),
            "Each c_k stands inside the bracket: it counts α_k times.": lambda alpha, w, c: np.concatenate(
                [[alpha.sum()], alpha @ w, [c.sum()]]
            ),
            "The layers are added, not averaged.": lambda alpha, w, c: collapsed(alpha, w, c) / len(alpha),
            "Here w and c stand outside the bracket, so do not divide them by a.": lambda alpha, w, c: (
                collapsed(alpha, w, c) / np.append(1, np.full(w.shape[1] + 1, alpha.sum()))
            ),
            "a comes first, then w, and c last.": lambda alpha, w, c: np.concatenate(
                [[alpha.sum()], [alpha @ c], alpha @ w]
            ),
            "The last number is missing: c = Σ α_k c_k.": lambda alpha, w, c: collapsed(alpha, w, c)[:-1],
            "w has d_t numbers, one for each column: sum over the layers, not over the columns.": lambda alpha, w, c: (
                np.concatenate([[alpha.sum()], alpha * w.sum(axis=1), [alpha @ c]])
            ),
            "a is the sum of all α_k: each layer has the same u·v.": lambda alpha, w, c: np.append(
                1, collapsed(alpha, w, c)[1:]
            ),
            "a is the sum of all α_k, not of their sizes.": lambda alpha, w, c: np.append(
                np.abs(alpha).sum() + 1e-6, collapsed(alpha, w, c)[1:]
            ),
            "Multiply the brackets out: each w_k and each c_k counts α_k times.": lambda alpha, w, c: np.concatenate(
                [[alpha.sum()], w.sum(axis=0), [c.sum()]]
            ),
            "Each w_k and each c_k counts its own α_k times: multiply before you sum.": lambda alpha, w, c: (
                np.concatenate([[alpha.sum()], alpha.sum() * w.sum(axis=0), [alpha.sum() * c.sum()]])
            ),
            "a is the sum of all α_k, not their number.": lambda alpha, w, c: np.append(
                len(alpha), collapsed(alpha, w, c)[1:]
            ),
            "a is the sum of all α_k, not their product.": lambda alpha, w, c: np.append(
                alpha.prod(), collapsed(alpha, w, c)[1:]
            ),
        },
        "Multiply the brackets out: what stands before u·v, what before each number of t, and what before neither?",
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
            "Each pair has its own α: yours takes the first pair's for all.": lambda u, v, t, w, alpha: gated(
                u, v, t, w, alpha[:1]
            ),
            "α weighs each layer: yours counts them all once.": lambda u, v, t, w, alpha: gated(
                u, v, t, w, np.ones_like(alpha)
            ),
            "u·v is one number a pair: multiply row by row and sum; u @ v.T pairs everybody with everybody.": (
                lambda u, v, t, w, alpha: (alpha * ((u @ v.T).sum(axis=1, keepdims=True) + t @ w.T)).sum(axis=1)
            ),
            "u·v counts once in each layer, so α sums over it: do not leave it out.": lambda u, v, t, w, alpha: (
                alpha * (t @ w.T)
            ).sum(axis=1),
            "The text term is missing.": lambda u, v, t, w, alpha: gated(u, v, 0 * t, w, alpha),
            "One score a pair is wanted: sum over the layers.": lambda u, v, t, w, alpha: (
                alpha * ((u * v).sum(axis=1, keepdims=True) + t @ w.T)
            ),
            "α is the weight as given: no softmax.": lambda u, v, t, w, alpha: gated(
                u, v, t, w, np.exp(alpha) / np.exp(alpha).sum(axis=1, keepdims=True)
            ),
            "u·v is one number for each pair, yours is one for the whole "
            "batch: sum over axis=1.": lambda u, v, t, w, alpha: (alpha * ((u * v).sum() + t @ w.T)).sum(axis=1),
            "u·v is the sum over d, not the mean.": lambda u, v, t, w, alpha: gated(u / u.shape[1], v, t, w, alpha),
        },
        "(u * v).sum(axis=1, keepdims=True) is (B, 1), t @ w.T is (B, K): add them, weigh by α, sum over the layers.",
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
            "The largest cosine comes first: turn the list round.": lambda q, V, n: nearest(q, V, n)[::-1],
            "These are the cosines; the ids of the films are wanted.": lambda q, V, n: (
                -np.sort(-(V @ q) / np.linalg.norm(V, axis=1) / np.linalg.norm(q))[:n]
            ),
            "The sign counts: a cosine of -1 is the least similar.": lambda q, V, n: np.argsort(
                -np.abs(V @ q) / np.linalg.norm(V, axis=1)
            )[:n],
            "These are all films; only the first n are wanted.": lambda q, V, n: nearest(q, V, len(V)),
            "argsort says which film is at each place, and that is what is wanted: do not sort a second time.": (
                lambda q, V, n: np.argsort(nearest(q, V, len(V)))[:n]
            ),
            "Divide by the length, not by its square.": lambda q, V, n: np.argsort(-(V @ q) / (V**2).sum(axis=1))[:n],
        },
        "vectors @ q, divided by the length of each film's vector, is in the order of the cosines.",
        kind="ids",
    ),
    Exercise(
        "3.5",
        1,
        231,
        mistakes={
            "One α is kept too, as a.": 232,
            "One w of 32 numbers is kept.": 263,
            "Count each α_k and all d_t numbers of each w_k.": 14,
            "The w_k are counted; the α_k are missing.": 256 - 32,
            "That is how many there are; one a and one w of 32 numbers stay.": 264,
            "That is how many stay.": 33,
            "Only the numbers in the α_k and w_k are asked for: d, of users and films, plays no part.": 8 * 16
            + 8 * 32
            - 33,
            "That is how many layers go: each of them has an α_k and the d_t numbers of a w_k.": 7,
            "The α_k count too, and one w stays.": 256,
            "The α_k count too: the w_k are there, and what stays has been taken off.": 223,
        },
        hint="Before: K alphas and K vectors of d_t. After: one a and one w.",
    ),
)
