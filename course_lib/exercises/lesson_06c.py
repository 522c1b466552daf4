"""Exercises of lesson 06c: what to report after tuning, luck of the draw, the reach of ties."""

import numpy as np

from course_lib.exercises.judge import Case, Exercise


def some_trials(rng: np.random.Generator) -> Case:
    """Scores on validation and on test, related but not the same; no two equal."""
    n = rng.integers(1, 20)
    valid = rng.permutation(np.arange(100, 300))[:n] / 1000
    return valid, (valid + rng.normal(0, 0.06, size=n)).round(3)


def some_scores(rng: np.random.Generator, n: int = 0) -> Case:
    """An easy draw is easy for both models."""
    luck = rng.normal(0.2, 0.01, size=n or rng.integers(2, 15))
    return luck + rng.normal(0, 0.002) + rng.normal(0, 0.001, size=len(luck)), luck


def over_draws(a: np.ndarray, b: np.ndarray, ddof: int = 1, root: bool = True, paired: bool = True) -> np.ndarray:
    sd = (a - b).std(ddof=ddof) if paired else np.sqrt(a.var(ddof=1) + b.var(ddof=1))
    return np.array([(a - b).mean(), sd / (np.sqrt(len(a)) if root else 1)])


def some_ties(rng: np.random.Generator, n_users: int = 0) -> Case:
    """Many users have one row alone, and so no tie."""
    rows = rng.integers(1, rng.integers(2, 8), size=n_users or rng.integers(1, 20))
    return ([rng.random(n) < 0.4 for n in rows],)


def bounds(hits: list[np.ndarray]) -> np.ndarray:
    return np.array([np.mean([user.min() for user in hits]), np.mean([user.max() for user in hits])])


rng = np.random.default_rng(6)

EXERCISES = (
    Exercise(
        "6c.1",
        1,
        lambda valid, test: test[np.argmax(valid)],
        [
            (np.array([0.20, 0.22, 0.21]), np.array([0.23, 0.20, 0.25])),
            (np.array([0.1, 0.3, 0.2, 0.0]), np.array([0.1, 0.2, 0.3, 0.4])),
        ],
        some_trials,
        {
            "That chooses on the test: the best of many test scores is too good.": lambda valid, test: test.max(),
            "That is the validation score, the best of many and so too good: report what the chosen trial reaches on "
            "the test.": lambda valid, test: valid.max(),
            "The mean is of all trials; the chosen one is wanted.": lambda valid, test: test.mean(),
        },
    ),
    Exercise(
        "6c.2",
        2,
        over_draws,
        [some_scores(rng, 6) for _ in range(3)],
        some_scores,
        {
            "Divide by n - 1 inside the standard deviation: ddof=1.": lambda a, b: over_draws(a, b, ddof=0),
            "That is the standard deviation of one draw; the mean of n draws has one smaller by the root of n.": (
                lambda a, b: over_draws(a, b, root=False)
            ),
            "That treats the draws of a and b as strangers: take the differences first, then their spread.": (
                lambda a, b: over_draws(a, b, paired=False)
            ),
        },
    ),
    Exercise(
        "6c.3",
        2,
        bounds,
        [some_ties(rng, 8) for _ in range(3)],
        some_ties,
        {
            "That averages over the order of ties: the range is wanted, from the unluckiest row of each user to the "
            "luckiest.": lambda hits: np.full(2, np.mean([user.mean() for user in hits])),
            "Users count the same, however many rows they have: first one number a user, then the mean.": lambda hits: (
                bounds(hits) * len(hits) / sum(map(len, hits))
            ),
            "That is the range over users; each user contributes to both ends.": lambda hits: np.array(
                [min(user.min() for user in hits), max(user.max() for user in hits)], dtype=float
            ),
        },
    ),
)
