"""Exercises of lesson 06b: a user's ridge regression, the sum over all pairs of features, an error bar of stars."""

import numpy as np

from course_lib.exercises.judge import Case, Exercise


def some_user(rng: np.random.Generator) -> Case:
    """The last of the k numbers is the bias, as in the lesson: its column is 1. n may be less than k."""
    n, k = rng.integers(1, 12), rng.integers(2, 6)
    factors = np.column_stack([rng.normal(size=(n, k - 1)), np.ones(n)])
    return factors.round(2), rng.normal(size=n).round(2), rng.uniform(0.2, 3, size=k).round(2)


def half_step(D: np.ndarray, t: np.ndarray, penalty: np.ndarray) -> np.ndarray:
    return np.linalg.solve(np.diag(penalty) + D.T @ D, D.T @ t)


def some_row(rng: np.random.Generator) -> Case:
    """Features of one row: some are 0 or 1, as ids are, the others numbers."""
    n_features, d = rng.integers(2, 10), rng.integers(1, 6)
    x = np.where(rng.random(n_features) < 0.5, rng.integers(0, 2, n_features), rng.normal(size=n_features).round(2))
    return x, rng.normal(size=(n_features, d)).round(2)


def pair_by_pair(x: np.ndarray, V: np.ndarray) -> float:
    return sum((V[f] @ V[g] * x[f] * x[g] for f in range(len(x)) for g in range(f + 1, len(x))), start=0.0)


def some_draws(rng: np.random.Generator, n_draws: int = 0, n: int = 0) -> Case:
    size = n_draws or rng.integers(2, 30), n or rng.integers(1, 10)
    return rng.normal(3.5, 0.4, size=size).round(2), rng.uniform(0.3, 1.2, size=size).round(2)


def sd_of_ratings(draws: np.ndarray, noise: np.ndarray, ddof: int = 0, axis: int = 0) -> np.ndarray:
    return np.sqrt(draws.var(axis=axis, ddof=ddof) + noise.mean(axis=axis))


rng = np.random.default_rng(6)

EXERCISES = (
    Exercise(
        "6b.1",
        2,
        half_step,
        [some_user(rng) for _ in range(3)],
        some_user,
        {
            "The penalty stands on the diagonal only: np.diag(penalty).": lambda D, t, p: np.linalg.solve(
                p + D.T @ D, D.T @ t
            ),
            "The penalty is missing.": lambda D, t, p: np.linalg.lstsq(D, t)[0],
            "Sum over the films, do not average: with few ratings the penalty has to weigh more.": lambda D, t, p: (
                half_step(D, t, p * len(D))
            ),
            "The ratings are missing a factor d_j: D.T @ t.": lambda D, t, p: np.linalg.solve(
                np.diag(p) + D.T @ D, np.full(len(p), t.sum())
            ),
        },
    ),
    Exercise(
        "6b.2",
        2,
        pair_by_pair,
        [(rng.normal(size=F).round(2), rng.normal(size=(F, d)).round(2)) for F, d in ((4, 2), (6, 3), (2, 5))],
        some_row,
        {
            "Each pair counts twice here: halve it.": lambda x, V: 2 * pair_by_pair(x, V),
            "No feature meets itself: take the squares away.": lambda x, V: ((x @ V) ** 2).sum() / 2,
            "The squares to take away hold x_f squared too.": lambda x, V: ((x @ V) ** 2 - x @ V**2).sum() / 2,
            "Each of the d factors is squared by itself; only then sum over them.": lambda x, V: (
                ((x @ V).sum() ** 2 - ((x[:, None] * V) ** 2).sum()) / 2
            ),
        },
    ),
    Exercise(
        "6b.3",
        2,
        sd_of_ratings,
        [some_draws(rng, 9, n) for n in (4, 3)],
        some_draws,
        {
            "This is the uncertainty of the mean rating; a single rating scatters around it: add the noise.": (
                lambda d, v: d.std(axis=0)
            ),
            "This is the noise alone; the draws disagree as well.": lambda d, v: np.sqrt(v.mean(axis=0)),
            "Variances add up, standard deviations do not.": lambda d, v: d.std(axis=0) + np.sqrt(v.mean(axis=0)),
            "That is the variance; its square root is in stars.": lambda d, v: d.var(axis=0) + v.mean(axis=0),
            "Average over the draws, axis 0, not over the pairs.": lambda d, v: sd_of_ratings(d, v, axis=1),
            "The variance is the mean squared distance from the mean: divide by S, not by S - 1.": lambda d, v: (
                sd_of_ratings(d, v, ddof=1)
            ),
        },
    ),
)
