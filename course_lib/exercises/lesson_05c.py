"""Exercises of lesson 05c: double Q-learning among candidates, dominated points, gliding weights, returns to come."""

import numpy as np

from course_lib.exercises.drawing import differ, until
from course_lib.exercises.judge import Case, Exercise


def some_transitions(rng: np.random.Generator) -> Case:
    """Two networks that disagree, values of either sign; of those that ended some have no candidate left."""
    n, n_actions = int(rng.integers(8, 14)), int(rng.integers(4, 7))
    q, frozen = rng.normal(size=(2, n, n_actions)).round(2)
    q[0], frozen[0] = -np.abs(q[0]) - 0.1, -np.abs(frozen[0]) - 0.1
    ended = np.arange(n) % 3 == 2
    candidates = rng.random((n, n_actions)) < 0.5
    candidates[np.arange(n), rng.integers(n_actions, size=n)] = True
    candidates[2] = False
    return rng.uniform(0.1, 1, n).round(2), q, frozen, candidates, ended, round(rng.uniform(0.4, 0.95), 2)


def chosen(values: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Of each row of ``values``, the one where ``by`` is largest, (n,)."""
    return np.take_along_axis(values, by.argmax(axis=1)[:, None], axis=1)[:, 0]


def only(values: np.ndarray, candidates: np.ndarray, other: float = -np.inf) -> np.ndarray:
    return np.where(candidates, values, other)


def double(r: np.ndarray, q: np.ndarray, f: np.ndarray, c: np.ndarray, ended: np.ndarray, g: float) -> np.ndarray:
    return r + g * chosen(f, by=only(q, c)) * ~ended


def some_points(rng: np.random.Generator) -> Case:
    """Points on a coarse grid, so that some agree in a goal and some in all."""
    points = rng.integers(0, 4, size=(rng.integers(6, 12), rng.integers(2, 4))) / 4
    points[0] = points[1]
    return (points,)


def dominators(points: np.ndarray) -> np.ndarray:
    return np.array([((points >= p).all(axis=1) & (points > p).any(axis=1)).sum() for p in points])


def some_weights(rng: np.random.Generator) -> Case:
    """Weights of a layer, a vector or a matrix, of the same sign in both networks, and a few steps."""
    shape = tuple(rng.integers(2, 5, size=rng.integers(1, 3)))
    sign = rng.choice([-1, 1], size=shape)
    frozen, learned = sign * rng.uniform(0.2, 2, (2, *shape)).round(2)
    return frozen, learned, round(rng.uniform(0.05, 0.4), 3), int(rng.integers(2, 12))


def glided(frozen: np.ndarray, learned: np.ndarray, share: float) -> np.ndarray:
    """``share`` is what is left of the frozen weights."""
    return share * frozen + (1 - share) * learned


def some_sessions(rng: np.random.Generator) -> Case:
    """Clicks or amounts of some sessions of a few turns."""
    n, turns = rng.integers(2, 7), rng.integers(4, 12)
    seen = (rng.random((n, turns)) < 0.6) * rng.choice([np.ones((n, turns)), rng.uniform(1, 5, size=(n, turns))])
    seen[0, -3:] = [1, 0, 2]
    return seen.round(2), round(rng.uniform(0.4, 0.9), 2)


def to_come(r: np.ndarray, gamma: float) -> np.ndarray:
    found = np.zeros_like(r)
    later = np.zeros(len(r), dtype=r.dtype)
    for turn in reversed(range(r.shape[1])):
        found[:, turn] = later = r[:, turn] + gamma * later
    return found


def powers(r: np.ndarray, gamma: float) -> np.ndarray:
    return gamma ** np.arange(r.shape[1])


batch = (
    np.array([1.0, 0.0, 1.0, 0.0]),
    np.array([[0.5, 2.0, 1.0], [-1.0, 0.2, -0.4], [3.0, 1.0, 2.0], [1.0, 3.0, 2.0]]),
    np.array([[4.0, 1.0, 3.0], [-0.3, 0.7, -0.9], [2.0, 5.0, 1.0], [1.5, 0.4, 0.8]]),
    np.array([[True, False, True], [True, False, True], [False, False, False], [True, True, False]]),
    np.array([False, False, True, False]),
)

TARGETS = {
    "That is plain Q-learning with a target network: let q choose the film and q_frozen value it.": (
        lambda r, q, f, c, ended, g: r + g * np.where(ended, 0, only(f, c).max(axis=1))
    ),
    "There the same network chooses and values: the value comes from q_frozen.": lambda r, q, f, c, ended, g: (
        r + g * np.where(ended, 0, only(q, c).max(axis=1))
    ),
    "The roles are swapped: q chooses, q_frozen values.": lambda r, q, f, c, ended, g: (
        r + g * chosen(q, by=only(f, c)) * ~ended
    ),
    "Only candidates can be shown: q chooses among them.": lambda r, q, f, c, ended, g: (
        r + g * chosen(f, by=q) * ~ended
    ),
    "A value of 0 is not the least: give -inf to what is no candidate before q chooses.": (
        lambda r, q, f, c, ended, g: r + g * chosen(f, by=q * c) * ~ended
    ),
    "The film that q chooses has to be a candidate; 0 for one that is not comes too late.": (
        lambda r, q, f, c, ended, g: r + g * chosen(f * c, by=q) * ~ended
    ),
    "The value is that of the film which q chooses, not the largest of q_frozen; and 0 is not the least.": (
        lambda r, q, f, c, ended, g: r + g * (f * c).max(axis=1) * ~ended
    ),
    "candidates is used the wrong way round.": lambda r, q, f, c, ended, g: r + g * chosen(f, by=only(q, ~c)) * ~ended,
    "After the end nothing follows: where ended is True, the target is the reward alone.": (
        lambda r, q, f, c, ended, g: r + g * chosen(f, by=only(q, c))
    ),
    "After the end nothing follows, and 0 times infinity is NaN: use np.where for the rows that ended.": (
        lambda r, q, f, c, ended, g: r + g * chosen(only(f, c), by=only(q, c)) * (1 - ended)
    ),
    "ended is used the wrong way round.": lambda r, q, f, c, ended, g: r + g * chosen(f, by=only(q, c)) * ended,
    "gamma is missing: what follows is discounted.": lambda r, q, f, c, ended, g: double(r, q, f, c, ended, 1),
    "The reward is missing.": lambda r, q, f, c, ended, g: double(0 * r, q, f, c, ended, g),
}

DOMINATED = {
    "You say whether a point is dominated; count the points that dominate it.": lambda points: dominators(points) > 0,
    "You count the points that each one dominates; those that dominate it are wanted.": lambda points: dominators(
        -points
    ),
    "As good in every goal and better in one is enough: not every goal must be better.": lambda points: np.array(
        [(points > p).all(axis=1).sum() for p in points]
    ),
    "A point does not dominate itself, nor its equal: one goal must be better.": lambda points: np.array(
        [(points >= p).all(axis=1).sum() for p in points]
    ),
    "A point's equal does not dominate it either: one goal must be better.": lambda points: np.array(
        [(points >= p).all(axis=1).sum() - 1 for p in points]
    ),
    "Better in one goal is not enough: the other point must be as good in all the others.": lambda points: np.array(
        [(points > p).any(axis=1).sum() for p in points]
    ),
    "A point dominates in all goals together: that counts goals, not points.": lambda points: np.array(
        [(points > p).sum() for p in points]
    ),
    "A larger sum does not make a point dominate: it may be worse in one goal.": lambda points: np.array(
        [(points.sum(axis=1) > p.sum()).sum() for p in points]
    ),
    "You count the points that do not dominate.": lambda points: len(points) - dominators(points),
    "Compare with all points, not only with those further down.": lambda points: np.array(
        [dominators(points[k:])[0] for k in range(len(points))]
    ),
    "You say which points are on the front; count for each the points that dominate it.": lambda points: (
        dominators(points) == 0
    ),
}

EXERCISES = (
    Exercise(
        "5c.1",
        2,
        double,
        [(*batch, 0.9), (*batch, 0.5)],
        until(some_transitions, differ(double, *TARGETS.values())),
        TARGETS,
        hint="q chooses among the candidates of each row, q_frozen values that one, and nothing follows an end.",
    ),
    Exercise(
        "5c.2",
        2,
        dominators,
        [
            (np.array([[1.0, 0.0], [0.0, 1.0], [0.4, 0.4], [0.3, 0.4], [0.3, 0.0]]),),
            (np.array([[1.0, 1.0], [1.0, 1.0], [0.5, 0.5]]),),
        ],
        until(some_points, differ(dominators, *DOMINATED.values())),
        DOMINATED,
        hint="For each point: of how many others are all goals as good and one better?",
    ),
    Exercise(
        "5c.3",
        1,
        lambda frozen, learned, tau, steps: glided(frozen, learned, (1 - tau) ** steps),
        [
            (np.array([1.0, 2.0]), np.array([3.0, 0.0]), 0.1, 2),
            (np.ones((2, 2)), np.zeros((2, 2)), 0.05, 10),
            (np.array([1.0, 2.0]), np.array([3.0, 0.0]), 0.1, 0),
        ],
        some_weights,
        {
            "That is one step: each further one starts from where the last has left the weights.": lambda f, w, t, k: (
                glided(f, w, 1 - t)
            ),
            "Steps do not add up: each takes a share τ of what is left of the way.": lambda f, w, t, k: glided(
                f, w, 1 - k * t
            ),
            "The shares are swapped: τ belongs to the learned weights.": lambda f, w, t, k: glided(f, w, t**k),
            "The two ends are swapped: what is left of the frozen weights is (1 − τ) to the power of the steps.": (
                lambda f, w, t, k: glided(w, f, (1 - t) ** k)
            ),
            "After k steps a share τ to the power k is not what has been learned: 1 − (1 − τ)^k is.": (
                lambda f, w, t, k: glided(f, w, 1 - t**k)
            ),
            "There is one step too few.": lambda f, w, t, k: glided(f, w, (1 - t) ** (k - 1)),
            "There is one step too many.": lambda f, w, t, k: glided(f, w, (1 - t) ** (k + 1)),
            "The frozen weights keep only their share 1 − τ in each step.": lambda f, w, t, k: f + k * t * w,
            "The two shares add up to 1: beside (1 − τ)^k of the frozen weights not τ^k, but the rest.": (
                lambda f, w, t, k: (1 - t) ** k * f + t**k * w
            ),
            "What is left of the frozen weights is right; the learned ones have the rest.": lambda f, w, t, k: (
                (1 - t) ** k * f + t * w
            ),
            "What is left of the frozen weights is right; the learned ones are missing.": lambda f, w, t, k: (
                (1 - t) ** k * f
            ),
            "That is the way gone: add it to the frozen weights.": lambda f, w, t, k: (1 - (1 - t) ** k) * (w - f),
        },
        hint="A step leaves 1 − τ of the distance between the two; ask what `steps` of them leave.",
    ),
    Exercise(
        "5c.4",
        1,
        to_come,
        [(np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]), 0.9), (np.ones((2, 4)), 0.5)],
        some_sessions,
        {
            "That is the return of the whole session; from each turn on one is wanted, (n, T).": lambda r, g: (
                r @ powers(r, g)
            ),
            "From a turn on that turn itself counts in full: discount from there, not from the first turn.": (
                lambda r, g: (r * powers(r, g))[:, ::-1].cumsum(axis=1)[:, ::-1]
            ),
            "Those are the discounted rewards themselves: add up what comes from each turn on.": lambda r, g: (
                r * powers(r, g)
            ),
            "You add up what was before; from each turn on the rewards to come count.": lambda r, g: to_come(
                r[:, ::-1], g
            )[:, ::-1],
            "You add up the discounted rewards up to each turn; those to come count.": lambda r, g: (
                r * powers(r, g)
            ).cumsum(axis=1),
            "The turn itself is not discounted.": lambda r, g: g * to_come(r, g),
            "The turn itself counts as well.": lambda r, g: to_come(r, g) - r,
            "The first entry of each row is the first turn: yours are in reversed order.": lambda r, g: to_come(r, g)[
                :, ::-1
            ],
            "Those are the sums without discount.": lambda r, g: r[:, ::-1].cumsum(axis=1)[:, ::-1],
            "Only the next turn is added; all later ones count.": lambda r, g: (
                r + g * np.pad(r, ((0, 0), (0, 1)))[:, 1:]
            ),
            "The sessions are the rows: go along the turns, axis 1.": lambda r, g: to_come(r.T, g).T,
        },
        hint="Go backwards: what a turn is worth is its reward plus gamma times what the next one is worth.",
    ),
)
