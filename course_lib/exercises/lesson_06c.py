"""Exercises of lesson 06c: what to report after tuning, luck of the draw, the reach of ties."""

import numpy as np

from course_lib.exercises.drawing import clear, differ, until
from course_lib.exercises.judge import Case, Exercise


def some_trials(rng: np.random.Generator) -> Case:
    """Scores on validation and on test, related but not the same; no two equal."""
    n = rng.integers(5, 20)
    valid = rng.permutation(np.arange(100, 300))[:n] / 1000
    return valid, (valid + rng.normal(0, 0.06, size=n)).round(3)


def report(valid: np.ndarray, test: np.ndarray) -> float:
    return test[np.argmax(valid)]


REPORTS = {
    "That chooses on the test: the best of many test scores is too good.": lambda valid, test: test.max(),
    "That is the validation score, the best of many and so too good: report what the chosen trial reaches on "
    "the test.": lambda valid, test: valid.max(),
    "That chooses on the test and reports the validation score; it is the other way round.": lambda valid, test: valid[
        np.argmax(test)
    ],
    "The mean is of all trials; the chosen one is wanted.": lambda valid, test: test.mean(),
    "The median is of all trials; the chosen one is wanted.": lambda valid, test: np.median(test),
    "Higher is better: that is the trial with the worst validation score.": lambda valid, test: test[np.argmin(valid)],
    "That is the number of the trial; its test score is wanted.": lambda valid, test: np.argmax(valid),
    "That is the last trial; the one that is best on validation is wanted.": lambda valid, test: test[-1],
    "Both scores together choose on the test as well; validation alone chooses.": lambda valid, test: test[
        np.argmax(valid + test)
    ],
    "The test score alone is reported, not its mean with the validation score.": lambda valid, test: (
        (report(valid, test) + valid.max()) / 2
    ),
}


def some_scores(rng: np.random.Generator, n: int = 0, ahead: float = -0.03) -> Case:
    """An easy draw is easy for both models; a is behind."""
    luck = rng.normal(0.3, 0.03, size=n or rng.integers(3, 15)).round(3)
    return (luck + ahead + rng.normal(0, 0.01, size=len(luck))).round(3), luck


def over_draws(a: np.ndarray, b: np.ndarray, ddof: int = 1, root: bool = True, paired: bool = True) -> np.ndarray:
    sd = (a - b).std(ddof=ddof) if paired else np.sqrt(a.var(ddof=1) + b.var(ddof=1))
    return np.array([(a - b).mean(), sd / (np.sqrt(len(a)) if root else 1)])


def unlike(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether the differences have a mean and a spread."""
    return clear(np.sum(a - b), a - b, 0.3) and (a - b).std() > 0.002


def some_ties(rng: np.random.Generator, n_users: int = 0) -> Case:
    """Some users have one row alone, and so no tie; of the others some are hit by all rows, some by none."""
    rows = rng.integers(1, rng.integers(3, 8), size=n_users or rng.integers(5, 20))
    return ([rng.random(n) < rng.choice([0.3, 0.8]) for n in rows],)


def bounds(hits: list[np.ndarray]) -> np.ndarray:
    return np.array([np.mean([user.min() for user in hits]), np.mean([user.max() for user in hits])])


def averages(hits: list[np.ndarray]) -> list[float]:
    return [float(np.mean(user)) for user in hits]


TIES = {
    "That averages over the order of ties: the range is wanted, from the unluckiest row of each user to the "
    "luckiest.": lambda hits: np.full(2, np.mean(averages(hits))),
    "That is the mean over the orders of ties; two numbers are wanted, for the unluckiest order and the luckiest.": (
        lambda hits: np.mean(averages(hits))
    ),
    "Users count the same, however many rows they have: first one number a user, then the mean.": lambda hits: (
        bounds(hits) * len(hits) / sum(map(len, hits))
    ),
    "Users count the same, however many rows they have; all rows together are no order of ties.": lambda hits: np.full(
        2, np.mean(np.concatenate(hits))
    ),
    "That is the range over users; each user contributes to both ends.": lambda hits: np.array(
        [min(user.min() for user in hits), max(user.max() for user in hits)], dtype=float
    ),
    "That is the range of users' means; an order picks one row of each user.": lambda hits: np.array(
        [min(averages(hits)), max(averages(hits))]
    ),
    "An order of ties can pick any row, not only the first or the last.": lambda hits: np.array(
        [np.mean([user[0] for user in hits]), np.mean([user[-1] for user in hits])]
    ),
    "The lowest comes first, then the highest.": lambda hits: bounds(hits)[::-1],
    "Those are numbers of users; their share is wanted, the mean.": lambda hits: bounds(hits) * len(hits),
    "Users with one row alone have no tie, but they count in the mean.": lambda hits: bounds(
        [user for user in hits if len(user) > 1] or hits
    ),
    "That is how far apart the two are; both of them are wanted.": lambda hits: np.ptp(bounds(hits)),
    "Those are the bounds of each user; their means are wanted.": lambda hits: np.array(
        [[user.min() for user in hits], [user.max() for user in hits]]
    ),
}

rng = np.random.default_rng(6)

EXERCISES = (
    Exercise(
        "6c.1",
        1,
        report,
        [
            (np.array([0.20, 0.22, 0.21]), np.array([0.23, 0.20, 0.25])),
            (np.array([0.0, 0.3, 0.25, 0.1]), np.array([0.45, 0.2, 0.32, 0.3])),
        ],
        until(some_trials, differ(report, *REPORTS.values())),
        REPORTS,
        hint="Which trial would you have chosen without the test scores, and what does it reach there?",
    ),
    Exercise(
        "6c.2",
        2,
        over_draws,
        [some_scores(rng, 5, ahead) for ahead in (0.02, -0.02, 0.01)],
        until(some_scores, unlike),
        {
            "The difference is a - b, and yours is b - a.": lambda a, b: over_draws(b, a),
            "Divide by n - 1 inside the standard deviation: ddof=1.": lambda a, b: over_draws(a, b, ddof=0),
            "That is the standard deviation of one draw; the mean of n draws has one smaller by the root of n.": (
                lambda a, b: over_draws(a, b, root=False)
            ),
            "Divide the standard deviation by the root of n, not by n.": lambda a, b: (
                over_draws(a, b) / [1, np.sqrt(len(a))]
            ),
            "That is the squared standard error: take the root.": lambda a, b: over_draws(a, b) ** [1, 2],
            "That is the variance of one draw over the root of n: take the standard deviation.": lambda a, b: np.array(
                [np.mean(a - b), np.var(a - b, ddof=1) / np.sqrt(len(a))]
            ),
            "The mean first, then its standard error.": lambda a, b: over_draws(a, b)[::-1],
            "That treats the draws of a and b as strangers: take the differences first, then their spread.": (
                lambda a, b: over_draws(a, b, paired=False)
            ),
            "The spread of a difference is not the difference of the spreads: take the differences first.": (
                lambda a, b: np.array([np.mean(a - b), (a.std(ddof=1) - b.std(ddof=1)) / np.sqrt(len(a))])
            ),
            "The mean keeps its sign: a may be behind.": lambda a, b: np.abs(over_draws(a, b)),
            "That is the sum of the differences; their mean is wanted.": lambda a, b: over_draws(a, b) * [len(a), 1],
        },
        hint="With d = a - b: its mean, and its standard deviation (ddof=1) over the root of n.",
    ),
    Exercise(
        "6c.3",
        2,
        bounds,
        [some_ties(rng, 6) for _ in range(3)],
        until(some_ties, differ(bounds, *TIES.values())),
        TIES,
        hint="Lowest: every user's unluckiest row. Highest: every user's luckiest. Then the mean over users.",
        kind="share",
    ),
)
