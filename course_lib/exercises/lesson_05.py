"""Exercises of lesson 05: bandits, Q-learning, off-policy evaluation."""

from collections.abc import Callable

import numpy as np

from course_lib.bandits import off_policy
from course_lib.exercises.drawing import differ, until
from course_lib.exercises.judge import Case, Exercise


def some_plays(rng: np.random.Generator) -> Case:
    """Clicks and plays of a few arms; one or two were never shown."""
    plays = rng.integers(2, 60, size=rng.integers(4, 9)).astype(float)
    plays[rng.choice(len(plays), rng.integers(1, 3), replace=False)] = 0
    return rng.binomial(plays.astype(int), 0.4).astype(float), plays


def ucb(clicks: np.ndarray, plays: np.ndarray, width: float = 2.0, rate: float = 1.0) -> np.ndarray:
    """Of an arm that was never shown infinity; ``width`` is the factor under the root, ``rate`` that of the rate."""
    n = np.where(plays > 0, plays, 1)
    return np.where(plays > 0, rate * clicks / n + np.sqrt(width * np.log(plays.sum()) / n), np.inf)


def shown_only(clicks: np.ndarray, plays: np.ndarray) -> np.ndarray:
    return ucb(clicks, plays)[plays > 0]


def instead_of_infinity(value: float) -> Callable[..., np.ndarray]:
    return lambda c, n: np.where(n > 0, ucb(c, n), value)


def never_is_once(clicks: np.ndarray, plays: np.ndarray) -> np.ndarray:
    n = np.maximum(plays, 1)
    return clicks / n + np.sqrt(2 * np.log(plays.sum()) / n)


def no_care(clicks: np.ndarray, plays: np.ndarray) -> np.ndarray:
    return clicks / plays + np.sqrt(2 * np.log(plays.sum()) / plays)


def some_transitions(rng: np.random.Generator) -> Case:
    """Some ended, some not; the values are of either sign, so that nothing is not the same as the least."""
    n, n_actions = rng.integers(4, 9), rng.integers(2, 5)
    ended = np.arange(n) < rng.integers(1, n - 1)
    q = rng.choice([-1, 1], size=(n, 1)) * rng.uniform(0.3, 2, (n, n_actions))
    return rng.uniform(0.1, 1, n).round(2), q.round(2), rng.permutation(ended), round(rng.uniform(0.2, 0.95), 2)


def bellman(r: np.ndarray, q: np.ndarray, ended: np.ndarray, gamma: float) -> np.ndarray:
    return r + gamma * q.max(axis=1) * ~ended


def some_log(rng: np.random.Generator) -> Case:
    """A log, the favourites of an ε-greedy policy in its rows, about a third of them shown, and ε."""
    n, n_items = int(rng.integers(12, 40)), int(rng.integers(3, 8))
    item, favourite = rng.integers(n_items, size=(2, n))
    favourite = np.where(rng.random(n) < 0.3, item, favourite)
    reward = rng.integers(0, 2, size=n).astype(float)
    return reward, item, rng.uniform(0.1, 0.9, n).round(2), favourite, round(rng.uniform(0.1, 0.6), 2), n_items


def greedy(
    item: np.ndarray, favourite: np.ndarray, epsilon: float, n_items: int, any_of: int = 0, else_only: bool = False
) -> np.ndarray:
    """The probability of ``item`` under ε-greedy; ``any_of``: fewer items to explore; ``else_only``: never both."""
    explored = epsilon / (any_of or n_items)
    exploited = (1 - epsilon) * (item == favourite)
    return np.where(item == favourite, exploited, explored) if else_only else explored + exploited


def ipw(r: np.ndarray, i: np.ndarray, p: np.ndarray, f: np.ndarray, e: float, k: int) -> float:
    return off_policy.ipw(r, off_policy.importance_weights(greedy(i, f, e, k), p))


def some_rate(rng: np.random.Generator) -> Case:
    return round(rng.uniform(0.05, 0.6), 4), round(rng.uniform(0.1, 0.4), 2)


def rows(p: float, share: float) -> float:
    return 1.96**2 * p * (1 - p) / (share * p) ** 2


LOG = (
    np.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0]),
    np.array([0, 2, 1, 1, 0, 2]),
    np.array([0.5, 0.1, 0.25, 0.4, 0.5, 0.2]),
    np.array([0, 0, 1, 2, 2, 2]),
)
batch = (np.array([1.0, 0.0, 1.0]), np.array([[0.5, 2.0], [1.0, 0.2], [3.0, 1.0]]), np.array([False, False, True]))
cold = (np.array([0.0, 1.0]), np.array([[-0.5, -2.0], [-1.0, 0.2]]), np.array([False, True]))

PLAIN = {
    "The weight is upside down: evaluation / propensity.": lambda r, i, p, f, e, k: np.mean(r * p / greedy(i, f, e, k)),
    "That is the self-normalised estimate: here divide by the number of rows, not by the sum of the weights.": (
        lambda r, i, p, f, e, k: np.sum(r * greedy(i, f, e, k) / p) / np.sum(greedy(i, f, e, k) / p)
    ),
    "The evaluated policy is missing from the weight: evaluation / propensity.": lambda r, i, p, f, e, k: np.mean(
        r / p
    ),
    "The propensity is missing from the weight: evaluation / propensity.": lambda r, i, p, f, e, k: np.mean(
        r * greedy(i, f, e, k)
    ),
    "That is the plain average, the value of the logging policy: weight each row.": lambda r, i, p, f, e, k: np.mean(r),
    "That is the mean weight, which says how far the log can be trusted: multiply each weight by its reward.": (
        lambda r, i, p, f, e, k: np.mean(greedy(i, f, e, k) / p)
    ),
    "That is the sum: divide by the number of rows.": lambda r, i, p, f, e, k: np.sum(r * greedy(i, f, e, k) / p),
    "Divide by the number of all rows, also those without a click.": lambda r, i, p, f, e, k: np.mean(
        (r * greedy(i, f, e, k) / p)[r > 0]
    ),
    "Exploring draws from all items, the favourite too: it has 1 − ε + ε / A.": lambda r, i, p, f, e, k: np.mean(
        r * greedy(i, f, e, k, else_only=True) / p
    ),
    "Exploring draws from all A items, the favourite too: ε / A, not ε / (A − 1).": lambda r, i, p, f, e, k: np.mean(
        r * greedy(i, f, e, k, any_of=k - 1, else_only=True) / p
    ),
    "The favourite is among the A items that exploring draws from: ε / A for each of them.": (
        lambda r, i, p, f, e, k: np.mean(r * greedy(i, f, e, k, any_of=k - 1) / p)
    ),
    "ε is shared by the A items: each of them is explored with probability ε / A.": lambda r, i, p, f, e, k: np.mean(
        r * greedy(i, f, e, k, any_of=1, else_only=True) / p
    ),
    "An item that is not the favourite is shown as well, with probability ε / A.": lambda r, i, p, f, e, k: np.mean(
        r * (i == f) * (1 - e + e / k) / p
    ),
    "That is the policy that always shows its favourite; this one explores with probability ε.": (
        lambda r, i, p, f, e, k: np.mean(r * (i == f) / p)
    ),
    "Each item with the same probability 1 / A is uniform choice; this policy mostly shows its favourite.": (
        lambda r, i, p, f, e, k: np.mean(r / k / p)
    ),
    "ε and 1 − ε are exchanged: with probability ε the policy explores.": lambda r, i, p, f, e, k: np.mean(
        r * greedy(i, f, 1 - e, k) / p
    ),
}

EXERCISES = (
    Exercise(
        "5.1",
        2,
        ucb,
        [(np.array([3.0, 1.0, 0.0]), np.array([4.0, 1.0, 0.0])), (np.array([0.0, 50, 7]), np.array([10.0, 100, 30]))],
        some_plays,
        {
            "An arm that was never shown has the score np.inf, so that it is shown next.": instead_of_infinity(0.0),
            "An arm that was never shown has the score np.inf; 0 divided by 0 is NaN, which is never the largest.": (
                no_care
            ),
            "An arm that was never shown is not the same as one shown once: its score is np.inf.": never_is_once,
            "An arm that was never shown has the score np.inf itself; a tiny number below the line is not it.": (
                lambda c, n: c / (n + 1e-9) + np.sqrt(2 * np.log(n.sum()) / (n + 1e-9))
            ),
            "Every arm has a score, also those that were never shown: theirs is np.inf.": shown_only,
            "The bonus is the root of 2 ln t / n: the root is missing.": lambda c, n: np.where(
                n > 0, (c + 2 * np.log(n.sum())) / np.maximum(n, 1), np.inf
            ),
            "The logarithm takes t, all rounds so far, not the plays of the arm itself.": lambda c, n: np.where(
                n > 0, c / (m := np.maximum(n, 1)) + np.sqrt(2 * np.log(m) / m), np.inf
            ),
            "t is the sum of plays, all rounds so far, not the number of arms.": lambda c, n: np.where(
                n > 0, c / (m := np.maximum(n, 1)) + np.sqrt(2 * np.log(len(n)) / m), np.inf
            ),
            "t is the sum of plays, all rounds so far, not that of the clicks.": lambda c, n: np.where(
                n > 0, c / (m := np.maximum(n, 1)) + np.sqrt(2 * np.log(c.sum()) / m), np.inf
            ),
            "The factor 2 under the root is missing.": lambda c, n: ucb(c, n, width=1),
            "The 2 stands under the root.": lambda c, n: ucb(c, n, width=4),
            "ln is the natural logarithm: np.log.": lambda c, n: ucb(c, n, width=2 / np.log(10)),
            "ln is the natural logarithm, np.log, not np.log2.": lambda c, n: ucb(c, n, width=2 / np.log(2)),
            "That is the bonus alone: add the observed click rate.": lambda c, n: ucb(c, n, rate=0),
            "The bonus is added: what is unsure could be better than it looks.": lambda c, n: np.where(
                n > 0, 2 * c / np.maximum(n, 1) - ucb(c, n), np.inf
            ),
        },
        hint="The click rate plus the bonus where an arm was shown, infinity where it never was.",
    ),
    Exercise(
        "5.2",
        2,
        bellman,
        [(*batch, 0.9), (*batch, 0.5), (*cold, 0.5)],
        until(some_transitions, lambda r, q, ended, gamma: (q.max(axis=1) < 0)[~ended].any()),
        {
            "After the end nothing follows: where ended is True, the target is the reward alone.": lambda r, q, e, g: (
                r + g * q.max(axis=1)
            ),
            "Where a session ends the reward still counts: only what follows is nothing.": lambda r, q, e, g: (
                bellman(r, q, e, g) * ~e
            ),
            "The best next action counts, so take the maximum over actions, not the mean.": lambda r, q, e, g: (
                r + g * q.mean(axis=1) * ~e
            ),
            "The best next action counts, so take the maximum over actions, not the minimum.": lambda r, q, e, g: (
                r + g * q.min(axis=1) * ~e
            ),
            "argmax says which action is best; its value is wanted: max.": lambda r, q, e, g: (
                r + g * q.argmax(axis=1) * ~e
            ),
            "Only the future is discounted: the reward of now counts in full.": lambda r, q, e, g: (
                g * (r + q.max(axis=1) * ~e)
            ),
            "The future is not discounted: multiply the best next value by gamma.": lambda r, q, e, g: (
                r + q.max(axis=1) * ~e
            ),
            "The reward is missing: what happened now comes before what follows.": lambda r, q, e, g: (
                g * q.max(axis=1) * ~e
            ),
            "The best value counts as it is, also below 0.": lambda r, q, e, g: (
                r + g * np.maximum(q.max(axis=1), 0) * ~e
            ),
            "That is the largest value in the whole batch: take it row by row, axis=1.": lambda r, q, e, g: (
                r + g * q.max() * ~e
            ),
            "That is the largest value of each action: take that of each row, axis=1.": lambda r, q, e, g: (
                r[: q.shape[1]] + g * q.max(axis=0)
            ),
            "ended is used the wrong way round.": lambda r, q, e, g: r + g * q.max(axis=1) * e,
        },
        hint="The reward, plus gamma times the largest value of the row where the session goes on.",
    ),
    Exercise(
        "5.3",
        2,
        ipw,
        [(*LOG, 0.3, 3), (*LOG, 1.0, 3), (*LOG, 0.0, 3)],
        until(some_log, differ(ipw, *PLAIN.values())),
        PLAIN,
        hint="Weight each reward by ε / A, plus 1 − ε where the item is the favourite, over the propensity; then mean.",
    ),
    Exercise(
        "5.4",
        1,
        rows,
        [(0.0042, 0.1), (0.5, 0.05)],
        until(some_rate, lambda p, share: rows(p, share) < 500 and 0.2 < rows(p, share) % 1 < 0.8),
        {
            "The half-width is a share of p: share · p, not share itself.": lambda p, s: 1.96**2 * p * (1 - p) / s**2,
            "Solving for n squares everything on the other side of the root: 1.96 as well.": lambda p, s: (
                1.96 * p * (1 - p) / (s * p) ** 2
            ),
            "Solving for n squares everything on the other side of the root: the half-width as well.": lambda p, s: (
                1.96**2 * p * (1 - p) / (s * p)
            ),
            "p (1 − p) stands under the root already: it is not squared again.": lambda p, s: (
                (1.96 * p * (1 - p) / (s * p)) ** 2
            ),
            "That is the root of n: square it.": lambda p, s: 1.96 * np.sqrt(p * (1 - p)) / (s * p),
            "The half-width is share · p: you took half of it.": lambda p, s: 1.96**2 * p * (1 - p) / (s * p / 2) ** 2,
            "The half-width is share · p, not the whole width.": lambda p, s: 1.96**2 * p * (1 - p) / (2 * s * p) ** 2,
            "1 − p is missing under the root.": lambda p, s: 1.96**2 * p / (s * p) ** 2,
            "Take 1.96, as the formula says, not 2.": lambda p, s: 4 * p * (1 - p) / (s * p) ** 2,
            "Do not round: leave the number as it comes out.": lambda p, s: np.ceil(rows(p, s)),
            "Do not cut the fraction off: leave the number as it comes out.": lambda p, s: int(rows(p, s)),
        },
        hint="Solve 1.96 √(p (1 − p) / n) = share · p for n.",
    ),
)
