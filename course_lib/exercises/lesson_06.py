"""Exercises of lesson 06: NDCG, a paired test, a list at random, and p-values of many comparisons."""

import numpy as np
from scipy.stats import false_discovery_control

from course_lib.evaluation import metrics
from course_lib.exercises.judge import Case, Exercise


def some_list(rng: np.random.Generator) -> Case:
    n, n_relevant = int(rng.integers(1, 16)), int(rng.integers(1, 30))
    hits = np.zeros(n, dtype=bool)
    hits[rng.choice(n, rng.integers(0, min(n, n_relevant) + 1), replace=False)] = True
    return hits, n_relevant


def ndcg(hits: np.ndarray, n_relevant: int) -> float:
    return metrics.ndcg(hits[None], np.array([n_relevant]))[0]


def dcg(hits: np.ndarray) -> float:
    return (hits / np.log2(np.arange(2, len(hits) + 2))).sum()


def some_flips(rng: np.random.Generator) -> Case:
    """Differences in eighths: their sums are exact, so no rounding decides what is at least as large."""
    n_users, n_flips = rng.integers(1, 20), rng.integers(20, 100)
    difference = rng.integers(-4, 5, size=n_users) / 8 + rng.integers(-2, 3) / 8
    return difference, rng.choice([-1, 1], size=(n_flips, n_users))


def share_of_flips(difference: np.ndarray, signs: np.ndarray) -> float:
    return (np.abs((signs * difference).mean(axis=1)) >= abs(difference.mean())).mean()


def some_films(rng: np.random.Generator) -> Case:
    """List, films, films seen, films in the test: neither the list nor the test holds more than is left unseen."""
    n_items = int(rng.integers(10, 2000))
    n_seen = int(rng.integers(0, n_items // 2 + 1))
    n, n_relevant = rng.integers(1, min(40, n_items - n_seen) + 1, size=2)
    return int(n), n_items, n_seen, int(n_relevant)


def some_p(rng: np.random.Generator) -> Case:
    """p-values of 1,000 flips each, some of them equal."""
    m = rng.integers(1, 40)
    p = np.where(rng.random(m) < 0.5, rng.beta(0.3, 6, m), rng.random(m))
    return (np.ceil(p * 1000).clip(1) / 1000,)


def times_m_over_rank(p: np.ndarray) -> np.ndarray:
    """In ascending order of p."""
    return np.sort(p) * len(p) / np.arange(1, len(p) + 1)


def in_place_of(p: np.ndarray, ascending: np.ndarray) -> np.ndarray:
    return ascending[np.argsort(np.argsort(p, kind="stable"))]


signs = np.random.default_rng(6).choice([-1, 1], size=(200, 12))

EXERCISES = (
    Exercise(
        "6.1",
        2,
        ndcg,
        [(np.array([True, False, True]), 2), (np.array([False, True, False, True]), 3), (np.array([True, True]), 9)],
        some_list,
        {
            "The ideal list holds min(n_relevant, N) hits, not as many as you happened to find.": lambda h, n: (
                dcg(h) / dcg(np.ones(max(1, h.sum())))
            ),
            "The ideal list has no more places than yours: it holds min(n_relevant, N) hits.": lambda h, n: (
                dcg(h) / dcg(np.ones(n))
            ),
            "That looks like log where log2 is wanted.": lambda h, n: ndcg(h, n) / np.log(2),
            "That is DCG: divide by the DCG of the ideal list.": lambda h, n: dcg(h),
            "That is recall: the places have to count.": lambda h, n: h.sum() / n,
        },
    ),
    Exercise(
        "6.2",
        2,
        share_of_flips,
        [
            (np.arange(12) / 8 - 0.375, signs),
            (np.array([0.25, 0.125, -0.125] * 4), signs),
            (-np.array([0.125, 0.25] * 6), signs),
            (np.array([0.5, 0.25, 0.375]), signs[:40, :3]),
        ],
        some_flips,
        {
            "Use absolute values on both sides: a difference may be negative.": lambda d, s: (
                (s * d).mean(axis=1) >= d.mean()
            ).mean(),
            "That is the share of smaller means; the p-value counts those at least as large.": lambda d, s: (
                1 - share_of_flips(d, s)
            ),
            "A flip that is exactly as large as the observed mean counts as well: >=.": lambda d, s: (
                np.abs((s * d).mean(axis=1)) > abs(d.mean())
            ).mean(),
            "The absolute value is that of the mean of a flip, not of each user's difference.": lambda d, s: (
                np.abs(s * d).mean(axis=1) >= abs(d.mean())
            ).mean(),
        },
    ),
    Exercise(
        "6.3",
        1,
        lambda n, n_items, n_seen, n_relevant: n / (n_items - n_seen),
        [(10, 1682, 60, 6), (5, 20, 4, 2), (10, 100, 0, 40)],
        some_films,
        {
            "The films already seen cannot be drawn: there are n_items - n_seen left.": lambda n, i, s, r: n / i,
            "That is the expected precision: each relevant film is in the list with the same probability, however many "
            "there are.": lambda n, i, s, r: r / (i - s),
            "That is the expected number of hits: recall divides it by n_relevant.": lambda n, i, s, r: n * r / (i - s),
        },
    ),
    Exercise(
        "6.4",
        2,
        false_discovery_control,
        [
            (np.array([0.011, 0.04, 0.012, 0.3]),),
            (np.array([0.9, 0.02, 0.03, 0.021, 0.001, 0.02]),),
            (np.array([0.04]),),
        ],
        some_p,
        {
            "That is Bonferroni's rule, which multiplies each by m; here the k-th smallest is multiplied by m / k.": (
                lambda p: np.minimum(1, p * len(p))
            ),
            "The minimum is missing: a smaller p-value may not end above a larger one.": lambda p: in_place_of(
                p, times_m_over_rank(p)
            ),
            "The minimum is taken over the larger p-values, l ≥ k, and this is over the smaller ones.": lambda p: (
                in_place_of(p, np.minimum.accumulate(times_m_over_rank(p)))
            ),
            "These are the right values in ascending order: put each where its p-value stood.": lambda p: np.sort(
                false_discovery_control(p)
            ),
            "The rank k is that among the sorted p-values: sort them first.": lambda p: np.minimum.accumulate(
                (p * len(p) / np.arange(1, len(p) + 1))[::-1]
            )[::-1],
        },
    ),
)
