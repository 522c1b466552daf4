"""Exercises of lesson 05c: the target of double Q-learning, dominated points, soft updates, discounted returns."""

import numpy as np

from course_lib.bandits import rewards
from course_lib.exercises.judge import Case, Exercise


def some_transitions(rng: np.random.Generator) -> Case:
    """Transitions and the values of two networks that mostly disagree; now and then all or none have ended."""
    n, n_actions = rng.integers(2, 9), rng.integers(2, 6)
    q, q_frozen = rng.normal(size=(2, n, n_actions))
    ended = rng.random(n) < rng.choice([0.0, 0.3, 0.3, 0.3, 0.3, 1.0])
    return rng.random(n), q, q_frozen, ended, round(rng.uniform(0.2, 0.99), 2)


def chosen(values: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Of each row of ``values``, the one where ``by`` is largest, (n,)."""
    return np.take_along_axis(values, by.argmax(axis=1)[:, None], axis=1)[:, 0]


def some_points(rng: np.random.Generator) -> Case:
    """Points on a coarse grid, so that some agree in a goal and some in all; now and then one alone."""
    n = 1 if rng.random() < 0.1 else rng.integers(3, 12)
    return (rng.integers(0, 5, size=(n, rng.integers(1, 4))) / 4,)


def some_weights(rng: np.random.Generator) -> Case:
    """Weights of a layer, a vector or a matrix; τ is 0 or 1 now and then."""
    shape = tuple(rng.integers(1, 5, size=rng.integers(1, 3)))
    frozen, learned = rng.normal(size=(2, *shape))
    return frozen, learned, float(rng.choice([0, 1, *rng.uniform(0.001, 0.4, 8).round(3)]))


def some_sessions(rng: np.random.Generator) -> Case:
    """Clicks or amounts of some sessions, of one turn or more; γ is 0 or 1 now and then."""
    n, turns = rng.integers(1, 7), rng.integers(1, 16)
    seen = rng.integers(0, 2, size=(n, turns)) * rng.choice([np.ones((n, turns)), rng.uniform(1, 5, size=(n, turns))])
    return seen, float(rng.choice([0, 1, *rng.uniform(0.2, 0.99, 8).round(2)]))


batch = (
    np.array([1.0, 0.0, 1.0]),
    np.array([[0.5, 2.0], [1.0, 0.2], [3.0, 1.0]]),
    np.array([[4.0, 1.0], [0.3, 0.7], [2.0, 5.0]]),
    np.array([False, False, True]),
)

EXERCISES = (
    Exercise(
        "5c.1",
        2,
        lambda r, q, f, ended, g: r + g * np.where(ended, 0.0, chosen(f, by=q)),
        [(*batch, 0.9), (*batch, 0.5)],
        some_transitions,
        {
            "That is plain Q-learning with a target network: let q choose the film and q_frozen value it.": (
                lambda r, q, f, ended, g: r + g * f.max(axis=1) * ~ended
            ),
            "There the same network chooses and values: the value comes from q_frozen.": lambda r, q, f, ended, g: (
                r + g * q.max(axis=1) * ~ended
            ),
            "The roles are swapped: q chooses, q_frozen values.": lambda r, q, f, ended, g: (
                r + g * chosen(q, by=f) * ~ended
            ),
            "After the end nothing follows: where ended is True, the target is the reward alone.": (
                lambda r, q, f, ended, g: r + g * chosen(f, by=q)
            ),
            "ended is used the wrong way round.": lambda r, q, f, ended, g: r + g * chosen(f, by=q) * ended,
        },
    ),
    Exercise(
        "5c.2",
        2,
        lambda points: ~rewards.pareto(points),
        [
            (np.array([[1.0, 0.0], [0.0, 1.0], [0.4, 0.4], [0.3, 0.4]]),),
            (np.array([[1.0, 1.0], [1.0, 1.0], [0.5, 0.5]]),),
        ],
        some_points,
        {
            "Those are the points that are not dominated: the other way round.": rewards.pareto,
            "As good in every goal and better in one is enough: not every goal must be better.": lambda points: (
                np.array([(points > p).all(axis=1).any() for p in points])
            ),
            "A point does not dominate itself, nor its equal: one goal must be better.": lambda points: np.array(
                [(points >= p).all(axis=1).any() for p in points]
            ),
            "Better in one goal is not enough: the other point must be as good in all the others.": lambda points: (
                np.array([(points > p).any() for p in points])
            ),
        },
    ),
    Exercise(
        "5c.3",
        1,
        lambda frozen, learned, tau: frozen + tau * (learned - frozen),
        [(np.array([1.0, 2.0]), np.array([3.0, 0.0]), 0.1), (np.ones((2, 2)), np.zeros((2, 2)), 0.005)],
        some_weights,
        {
            "The shares are swapped: τ belongs to the learned weights.": lambda f, w, tau: tau * f + (1 - tau) * w,
            "The frozen weights keep only their share 1 − τ.": lambda f, w, tau: f + tau * w,
            "That is the step alone: add it to the frozen weights.": lambda f, w, tau: tau * (w - f),
        },
    ),
    Exercise(
        "5c.4",
        1,
        lambda r, gamma: (r * gamma ** np.arange(r.shape[1])).sum(axis=1),
        [(np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]), 0.9), (np.ones((2, 4)), 0.5)],
        some_sessions,
        {
            "The first turn is not discounted: γ to the power t − 1.": lambda r, g: (
                r @ g ** np.arange(1, r.shape[1] + 1)
            ),
            "Rewards are discounted the more the later they come.": lambda r, g: (
                r[:, ::-1] @ g ** np.arange(r.shape[1])
            ),
            "That is the sum without discount.": lambda r, g: r.sum(axis=1),
            "That is one number for all sessions together: each session has its own, axis=1.": lambda r, g: (
                r @ g ** np.arange(r.shape[1])
            ).sum(),
        },
    ),
)
