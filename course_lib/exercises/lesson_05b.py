"""Exercises of lesson 05b: an updated inverse, LinUCB's bonus, an ε that decays, the least slope of regret."""

import numpy as np

from course_lib.bandits import policies
from course_lib.exercises.judge import Case, Exercise


def inverse(rng: np.random.Generator, d: int) -> np.ndarray:
    """Of I + B B', as after some rounds of a linear bandit, (d, d)."""
    B = rng.normal(size=(d, d))
    return np.linalg.inv(np.eye(d) + B @ B.T)


def one_row(rng: np.random.Generator, d: int) -> Case:
    return inverse(rng, d), rng.normal(size=d)


def some_row(rng: np.random.Generator) -> Case:
    """A row for an inverse; now and then a row of one feature alone, the rest zeros."""
    A_inverse, x = one_row(rng, int(rng.integers(2, 8)))
    if rng.random() < 0.2:
        x[1:] = 0
    return A_inverse, x


def films(rng: np.random.Generator, n: int, d: int, width: float) -> Case:
    return rng.normal(size=(n, d)), inverse(rng, d), width


def some_films(rng: np.random.Generator) -> Case:
    """Films and a width; now and then a film without any feature, or a single film."""
    n, d = int(rng.integers(1, 9)), int(rng.integers(2, 7))
    X, A_inverse, width = films(rng, n, d, round(rng.uniform(0.05, 3), 2))
    if rng.random() < 0.2:
        X[-1] = 0
    return X, A_inverse, width


def bonus(X: np.ndarray, A_inverse: np.ndarray, width: float, root: bool = True) -> np.ndarray:
    squares = np.array([x @ A_inverse @ x for x in X])
    return width * (np.sqrt(squares) if root else squares)


def some_decay(rng: np.random.Generator) -> Case:
    """c, arms and rounds; at times few rounds, all of them exploring."""
    return (
        round(rng.uniform(0.01, 1), 3),
        int(rng.integers(2, 200)),
        int(rng.choice([5, 50, 500]) * rng.uniform(0.5, 2)),
    )


def some_rates(rng: np.random.Generator) -> Case:
    """Click rates with one best arm; now and then two of the others are alike."""
    p = rng.uniform(0.01, 0.99, size=rng.integers(2, 9))
    if len(p) > 2 and rng.random() < 0.3:
        low = p.argsort()[:2]
        p[low[0]] = p[low[1]]
    return (p,)


def slope(p: np.ndarray, swap: bool = False, half: bool = False, gap: bool = True) -> float:
    best, q = p.max(), p[p < p.max()]
    a, b = (best, q) if swap else (q, best)
    kl = a * np.log(a / b) + (0 if half else (1 - a) * np.log((1 - a) / (1 - b)))
    return float(np.sum((best - q if gap else 1) / kl))


EXERCISES = (
    Exercise(
        "5b.1",
        2,
        lambda A, x: np.linalg.inv(np.linalg.inv(A) + np.outer(x, x)),
        [one_row(np.random.default_rng(d), d) for d in (2, 3)],
        some_row,
        {
            "The denominator is 1 + x' A⁻¹ x: the 1 is missing.": lambda A, x: A - np.outer(A @ x, A @ x) / (x @ A @ x),
            "More data make the inverse smaller: subtract.": lambda A, x: A + np.outer(A @ x, A @ x) / (1 + x @ A @ x),
            "The numerator is A⁻¹ x x' A⁻¹, with A⁻¹ on both sides.": lambda A, x: (
                A - np.outer(A @ x, x) / (1 + x @ A @ x)
            ),
            "The numerator is missing the division by 1 + x' A⁻¹ x.": lambda A, x: A - np.outer(A @ x, A @ x),
        },
    ),
    Exercise(
        "5b.2",
        2,
        bonus,
        [films(np.random.default_rng(n), n, d, width) for n, d, width in ((3, 2, 0.5), (4, 3, 2.0))],
        some_films,
        {
            "That is the variance: the bonus is its root.": lambda X, A, w: bonus(X, A, w, root=False),
            "The width stands in front of the root, not under it.": lambda X, A, w: np.sqrt(w) * bonus(X, A, 1.0),
            "The width is missing.": lambda X, A, w: bonus(X, A, 1.0),
            "One number a film is wanted: of X A⁻¹ X' keep the diagonal.": lambda X, A, w: (
                w * np.sqrt(np.abs(X @ A @ X.T))
            ),
            "A⁻¹ is between the two x: without it every direction counts as equally known.": lambda X, A, w: (
                w * np.linalg.norm(X, axis=1)
            ),
        },
    ),
    Exercise(
        "5b.3",
        1,
        lambda c, A, T: sum(min(1.0, c * A / t) for t in range(1, T + 1)),
        [(0.1, 20, 50), (0.03, 1000, 3000)],
        some_decay,
        {
            "A probability is at most 1: take the minimum with 1 in each round.": lambda c, A, T: sum(
                c * A / t for t in range(1, T + 1)
            ),
            "Rounds are counted from 1 to T, T included.": lambda c, A, T: sum(
                min(1.0, c * A / t) for t in range(1, T)
            ),
            "That is the probability in round T: sum over all rounds.": lambda c, A, T: min(1.0, c * A / T),
            "The number of arms is missing.": lambda c, A, T: sum(min(1.0, c / t) for t in range(1, T + 1)),
        },
    ),
    Exercise(
        "5b.4",
        2,
        policies.lai_robbins,
        [(np.array([0.5, 0.4, 0.3]),), (np.array([0.02, 0.9, 0.7, 0.85]),)],
        some_rates,
        {
            "The order matters: KL(p_a, p*), the bad arm first.": lambda p: slope(p, swap=True),
            "A Bernoulli variable has two outcomes: the term with 1 - p is missing.": lambda p: slope(p, half=True),
            "Each showing costs Δ_a: the numerator is the gap, not 1.": lambda p: slope(p, gap=False),
            "That is in bits: use natural logarithms.": lambda p: slope(p) * np.log(2),
        },
    ),
)
