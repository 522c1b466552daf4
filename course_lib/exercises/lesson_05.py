"""Exercises of lesson 05: bandits, Q-learning, off-policy evaluation."""

import numpy as np

from course_lib.bandits import off_policy
from course_lib.bandits.policies import UCB1
from course_lib.exercises.judge import Case, Exercise


def some_plays(rng: np.random.Generator) -> Case:
    """Clicks and plays of a few arms, all shown."""
    plays = rng.integers(1, 60, size=rng.integers(2, 8)).astype(float)
    return rng.binomial(plays.astype(int), 0.4).astype(float), plays


def ucb(clicks: np.ndarray, plays: np.ndarray) -> np.ndarray:
    return UCB1().scores(clicks[None], plays[None], np.random.default_rng(0))[0]


def some_transitions(rng: np.random.Generator) -> Case:
    n, n_actions = rng.integers(2, 9), rng.integers(2, 5)
    return rng.random(n), rng.normal(size=(n, n_actions)), rng.random(n) < 0.4, round(rng.uniform(0.2, 0.99), 2)


def some_log(rng: np.random.Generator) -> Case:
    n = rng.integers(3, 40)
    return rng.integers(0, 2, size=n).astype(float), rng.uniform(0.01, 1, n), rng.uniform(0.05, 1, n)


batch = (np.array([1.0, 0.0, 1.0]), np.array([[0.5, 2.0], [1.0, 0.2], [3.0, 1.0]]), np.array([False, False, True]))
small_log = (np.array([1.0, 0.0, 1.0, 0.0]), np.array([0.5, 0.1, 0.3, 0.1]), np.array([0.25, 0.25, 0.5, 0.4]))

EXERCISES = (
    Exercise(
        "5.1",
        2,
        ucb,
        [(np.array([3.0, 1.0]), np.array([4.0, 1.0])), (np.array([0.0, 50.0, 7.0]), np.array([10.0, 100.0, 30.0]))],
        some_plays,
        {
            "The bonus is the root of 2 ln t / n: the root is missing.": lambda c, n: c / n + 2 * np.log(n.sum()) / n,
            "The logarithm takes t, all rounds so far, not the plays of the arm itself.": lambda c, n: (
                c / n + np.sqrt(2 * np.log(n) / n)
            ),
            "The factor 2 under the root is missing.": lambda c, n: c / n + np.sqrt(np.log(n.sum()) / n),
            "That is the bonus alone: add the observed click rate.": lambda c, n: np.sqrt(2 * np.log(n.sum()) / n),
        },
    ),
    Exercise(
        "5.2",
        2,
        lambda r, q, ended, gamma: r + gamma * q.max(axis=1) * (1 - ended),
        [(*batch, 0.9), (*batch, 0.5)],
        some_transitions,
        {
            "After the end nothing follows: where ended is True, the target is the reward alone.": lambda r, q, e, g: (
                r + g * q.max(axis=1)
            ),
            "The best next action counts, so take the maximum over actions, not the mean.": lambda r, q, e, g: (
                r + g * q.mean(axis=1) * (1 - e)
            ),
            "Only the future is discounted: the reward of now counts in full.": lambda r, q, e, g: (
                g * (r + q.max(axis=1) * (1 - e))
            ),
            "That is the largest value in the whole batch: take it row by row, axis=1.": lambda r, q, e, g: (
                r + g * q.max() * (1 - e)
            ),
            "ended is used the wrong way round.": lambda r, q, e, g: r + g * q.max(axis=1) * e,
        },
    ),
    Exercise(
        "5.3",
        2,
        lambda r, e, p: off_policy.ipw(r, off_policy.importance_weights(e, p)),
        [small_log, (np.array([0.0, 1.0]), np.array([0.2, 0.1]), np.array([0.1, 0.5]))],
        some_log,
        {
            "The weight is upside down: evaluation / propensity.": lambda r, e, p: np.mean(r * p / e),
            "That is the self-normalised estimate: here divide by the number of rows, not by the sum of the weights.": (
                lambda r, e, p: np.sum(r * e / p) / np.sum(e / p)
            ),
            "The evaluated policy is missing from the weight: evaluation / propensity.": lambda r, e, p: np.mean(r / p),
            "That is the plain average, the value of the logging policy: weight each row.": lambda r, e, p: np.mean(r),
            "That is the sum: divide by the number of rows.": lambda r, e, p: np.sum(r * e / p),
        },
    ),
    Exercise(
        "5.4",
        1,
        lambda p, share: 1.96**2 * p * (1 - p) / (share * p) ** 2,
        [(0.0042, 0.1), (0.5, 0.05)],
        lambda rng: (round(rng.uniform(0.001, 0.6), 4), round(rng.uniform(0.02, 0.4), 2)),
        {
            "The half-width is a share of p: share · p, not share itself.": lambda p, s: 1.96**2 * p * (1 - p) / s**2,
            "Solving for n squares everything on the other side of the root: 1.96 as well.": lambda p, s: (
                1.96 * p * (1 - p) / (s * p) ** 2
            ),
            "Solving for n squares everything on the other side of the root: the half-width as well.": lambda p, s: (
                1.96**2 * p * (1 - p) / (s * p)
            ),
        },
    ),
)
