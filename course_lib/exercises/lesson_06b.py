"""Exercises of lesson 06b: a user's ridge regression, the sum over all pairs of features, an error bar of stars."""

import numpy as np

from course_lib.exercises.drawing import clear, differ, until
from course_lib.exercises.judge import Case, Exercise


def some_user(rng: np.random.Generator, n: int = 0, k: int = 0) -> Case:
    """The last of the k numbers is the bias, as in the lesson: its column is 1. n may be less than k."""
    n, k = n or int(rng.integers(2, 12)), k or int(rng.integers(2, 6))
    factors = np.column_stack([rng.normal(size=(n, k - 1)), np.ones(n)])
    return factors.round(1), rng.normal(size=n).round(1), rng.uniform(0.3, 3, size=k).round(1)


def half_step(D: np.ndarray, t: np.ndarray, penalty: np.ndarray) -> np.ndarray:
    return np.linalg.solve(np.diag(penalty) + D.T @ D, D.T @ t)


def unbiased(D: np.ndarray, t: np.ndarray, penalty: np.ndarray) -> np.ndarray:
    """Without a penalty on the last number."""
    return half_step(D, t, np.append(penalty[:-1], 0))


STEPS = {
    "The penalty stands on the diagonal only: np.diag(penalty).": lambda D, t, p: np.linalg.solve(p + D.T @ D, D.T @ t),
    "Each of the k numbers has its own penalty: np.diag(penalty).": lambda D, t, p: half_step(
        D, t, np.full(len(p), p.mean())
    ),
    "Each of the k numbers has its own penalty, not the sum of all.": lambda D, t, p: half_step(
        D, t, np.full(len(p), p.sum())
    ),
    "The penalty is missing.": lambda D, t, p: np.linalg.lstsq(D, t)[0],
    "The penalty is penalty, not 1.": lambda D, t, p: half_step(D, t, np.ones(len(p))),
    "The penalty is not squared.": lambda D, t, p: half_step(D, t, p**2),
    "The last number, the bias, is penalised as well.": unbiased,
    "Sum over the films, do not average: with few ratings the penalty has to weigh more.": lambda D, t, p: half_step(
        D, t, p * len(D)
    ),
    "The ratings are missing a factor d_j: D.T @ t.": lambda D, t, p: np.linalg.solve(
        np.diag(p) + D.T @ D, np.full(len(p), t.sum())
    ),
    "That is the right side alone, Σ t_j d_j: solve the system with it.": lambda D, t, p: D.T @ t,
    "That multiplies by the matrix; its inverse is wanted.": lambda D, t, p: (np.diag(p) + D.T @ D) @ (D.T @ t),
    "The penalty is added to the matrix, not taken away.": lambda D, t, p: half_step(D, t, -p),
    "That divides each number by its own entry of the diagonal, as if the d were orthogonal.": lambda D, t, p: (
        (D.T @ t) / (p + (D**2).sum(axis=0))
    ),
}


def some_row(rng: np.random.Generator) -> Case:
    """Features of one row: some are 0 or 1, as ids are, the others numbers."""
    n_features, d = rng.integers(4, 10), rng.integers(2, 6)
    x = np.where(rng.random(n_features) < 0.4, rng.integers(0, 2, n_features), rng.normal(size=n_features).round(2))
    x[:2] = -0.7, 1.6
    return x, rng.normal(size=(n_features, d)).round(2)


def pair_by_pair(x: np.ndarray, V: np.ndarray) -> float:
    return sum((V[f] @ V[g] * x[f] * x[g] for f in range(len(x)) for g in range(f + 1, len(x))), start=0.0)


def no_remainder(x: np.ndarray, V: np.ndarray) -> bool:
    """Whether the sum is large beside the squares whose difference it is."""
    squares = np.append((x @ V) ** 2, (x[:, None] * V) ** 2)
    return clear(pair_by_pair(x, V), squares, 0.1) and differ(pair_by_pair, *PAIRS.values())(x, V)


PAIRS = {
    "Each pair counts twice here: halve it.": lambda x, V: 2 * pair_by_pair(x, V),
    "You have halved once too often.": lambda x, V: pair_by_pair(x, V) / 2,
    "No feature meets itself: take the squares away.": lambda x, V: ((x @ V) ** 2).sum() / 2,
    "No feature meets itself: take the squares away. And each pair counts twice: halve it.": lambda x, V: (
        (x @ V) ** 2
    ).sum(),
    "The squares to take away hold x_f squared too.": lambda x, V: ((x @ V) ** 2 - x @ V**2).sum() / 2,
    "The squares to take away hold v_f squared too.": lambda x, V: ((x @ V) ** 2 - (x**2) @ V).sum() / 2,
    "The squares to take away hold x_f, not v_f alone.": lambda x, V: ((x @ V) ** 2 - (V**2).sum(axis=0)).sum() / 2,
    "Each feature carries its x_f: multiply it in before summing.": lambda x, V: (
        (V.sum(axis=0) ** 2 - (V**2).sum(axis=0)).sum() / 2
    ),
    "Each of the d factors is squared by itself; only then sum over them.": lambda x, V: (
        ((x @ V).sum() ** 2 - ((x[:, None] * V) ** 2).sum()) / 2
    ),
    "Halve the whole, not only the squared sum.": lambda x, V: ((x @ V) ** 2 / 2 - (x**2) @ V**2).sum(),
    "Halve the whole, not only the squares taken away.": lambda x, V: ((x @ V) ** 2 - (x**2) @ V**2 / 2).sum(),
    "The squares are taken away from the squared sum, not the other way round.": lambda x, V: -pair_by_pair(x, V),
    "That is one number for each factor; their sum is wanted.": lambda x, V: ((x @ V) ** 2 - (x**2) @ V**2) / 2,
    "Those are the neighbours alone; every feature meets every other.": lambda x, V: sum(
        V[f] @ V[f + 1] * x[f] * x[f + 1] for f in range(len(x) - 1)
    ),
}


def some_draws(rng: np.random.Generator, n_draws: int = 0, n: int = 0) -> Case:
    size = n_draws or rng.integers(4, 12), n or rng.integers(2, 10)
    return rng.normal(3.5, 0.6, size=size).round(2), rng.uniform(0.3, 1.2, size=size).round(2)


def sd_of_ratings(draws: np.ndarray, noise: np.ndarray, ddof: int = 0, axis: int = 0) -> np.ndarray:
    return np.sqrt(draws.var(axis=axis, ddof=ddof) + noise.mean(axis=axis))


rng = np.random.default_rng(6)

EXERCISES = (
    Exercise(
        "6b.1",
        2,
        half_step,
        [some_user(rng, 3, 2), some_user(rng, 5, 3), some_user(rng, 2, 3)],
        until(some_user, differ(half_step, *STEPS.values())),
        STEPS,
        hint="Solve (diag(penalty) + D'D) a = D't.",
    ),
    Exercise(
        "6b.2",
        2,
        pair_by_pair,
        [(rng.normal(size=F).round(2), rng.normal(size=(F, d)).round(2)) for F, d in ((4, 2), (6, 3), (2, 5))],
        until(some_row, no_remainder),
        PAIRS,
        hint="For each of the d factors: the square of Σ x_f v_f, minus Σ x_f² v_f²; sum, and halve.",
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
            "The noise is a variance already: take its mean, not its root's.": lambda d, v: np.sqrt(
                d.var(axis=0) + np.sqrt(v).mean(axis=0)
            ),
            "The noise is a variance already: do not square it.": lambda d, v: np.sqrt(
                d.var(axis=0) + (v**2).mean(axis=0)
            ),
            "Variance and mean noise stand under one root.": lambda d, v: d.std(axis=0) + v.mean(axis=0),
            "The draws disagree by their variance, not by its root.": lambda d, v: np.sqrt(
                d.std(axis=0) + v.mean(axis=0)
            ),
            "That is the variance; its square root is in stars.": lambda d, v: d.var(axis=0) + v.mean(axis=0),
            "Average over the draws, axis 0, not over the pairs.": lambda d, v: sd_of_ratings(d, v, axis=1),
            "One number for each pair: axis 0, not over everything.": lambda d, v: np.sqrt(d.var() + v.mean()),
            "The noise is averaged over the draws, not added up.": lambda d, v: np.sqrt(d.var(axis=0) + v.sum(axis=0)),
            "The noise of all pairs together is not that of each: mean over the draws, axis 0.": lambda d, v: np.sqrt(
                d.var(axis=0) + v.mean()
            ),
            "The error of a mean is divided by S; that of a rating to come is not.": lambda d, v: (
                sd_of_ratings(d, v) / np.sqrt(len(d))
            ),
            "The variance is the mean squared distance from the mean: divide by S, not by S - 1.": lambda d, v: (
                sd_of_ratings(d, v, ddof=1)
            ),
        },
        hint="√(variance over the draws, divided by S, plus the mean noise), for each pair by itself.",
    ),
)
