"""Exercises of lesson 06: NDCG, a paired test, a list at random, and p-values of many comparisons."""

from collections.abc import Callable

import numpy as np
from scipy.stats import false_discovery_control

from course_lib.evaluation import metrics
from course_lib.exercises.drawing import differ, until
from course_lib.exercises.judge import Case, Exercise


def some_lists(rng: np.random.Generator) -> Case:
    """Lists of some users: of one more items are relevant than there are places, of another fewer, of one none."""
    n, N = int(rng.integers(4, 9)), int(rng.integers(5, 12))
    n_relevant = rng.integers(3, 2 * N, size=n)
    n_relevant[:3] = N + rng.integers(1, 9), rng.integers(3, N - 1), 0
    hits = np.zeros((n, N), dtype=bool)
    for user, most in enumerate(np.minimum(n_relevant, N)):
        hits[user, 1 + rng.choice(N - 1, rng.integers(1, most), replace=False) if most else []] = True
    order = rng.permutation(n)
    return hits[order], n_relevant[order]


def mean_ndcg(hits: np.ndarray, n_relevant: np.ndarray) -> float:
    return np.nanmean(metrics.ndcg(hits, n_relevant))


def mean_of(value: Callable[[np.ndarray, int], float], all_users: bool = False) -> Callable[..., float]:
    """Over users with a relevant item, of value(hits, n_relevant) of each."""

    def mean(hits: np.ndarray, n_relevant: np.ndarray) -> float:
        values = [value(h, int(n)) for h, n in zip(hits, n_relevant, strict=True) if n]
        return sum(values) / (len(hits) if all_users else len(values))

    return mean


def ndcg(hits: np.ndarray, n_relevant: int) -> float:
    return dcg(hits) / best(min(n_relevant, len(hits)))


def dcg(hits: np.ndarray, first: int = 2) -> float:
    """``first`` is the number whose logarithm divides the first place."""
    return (hits / np.log2(np.arange(first, first + len(hits)))).sum()


def best(n: int, first: int = 2) -> float:
    return dcg(np.ones(n), first)


def ratio_of_sums(hits: np.ndarray, n_relevant: np.ndarray) -> float:
    return sum(map(dcg, hits)) / sum(best(min(n, hits.shape[1])) for n in n_relevant)


def some_flips(rng: np.random.Generator) -> Case:
    """Eighths of 8 or 16 users: their means are exact, so no rounding decides what is at least as large."""
    n_users, n_flips = rng.choice([8, 16]), rng.integers(40, 100)
    difference = rng.integers(-4, 5, size=n_users) / 8 + rng.choice([-0.125, 0.125])
    return difference, rng.choice([-1, 1], size=(n_flips, n_users))


def share_of_flips(difference: np.ndarray, signs: np.ndarray) -> float:
    return (np.abs((signs * difference).mean(axis=1)) >= abs(difference.mean())).mean()


def one_sided(difference: np.ndarray, signs: np.ndarray) -> float:
    return ((signs * difference).mean(axis=1) >= difference.mean()).mean()


def against_each(difference: np.ndarray, signs: np.ndarray) -> float:
    return (np.abs(signs * difference).mean(axis=1) >= abs(difference.mean())).mean()


def some_films(rng: np.random.Generator) -> Case:
    """List, films, films seen, films in the test: neither the list nor the test holds more than is left unseen."""
    n_items = int(rng.integers(30, 2000))
    n_seen = int(rng.integers(n_items // 10, n_items // 2 + 1))
    n = int(rng.integers(3, min(40, n_items - n_seen)))
    return n, n_items, n_seen, int(rng.choice([rng.integers(2, n), n + rng.integers(1, n_items - n_seen - n + 1)]))


def some_p(rng: np.random.Generator) -> Case:
    """p-values of 1,000 flips each, some of them equal."""
    m = rng.integers(8, 40)
    p = np.where(rng.random(m) < 0.5, rng.beta(0.3, 6, m), rng.random(m))
    p[:2] = p[2]
    return (rng.permutation(np.ceil(p * 1000).clip(1) / 1000),)


def times_m_over_rank(p: np.ndarray) -> np.ndarray:
    """In ascending order of p."""
    return np.sort(p) * len(p) / np.arange(1, len(p) + 1)


def in_place_of(p: np.ndarray, ascending: np.ndarray) -> np.ndarray:
    return ascending[np.argsort(np.argsort(p, kind="stable"), kind="stable")]


def from_the_end(values: np.ndarray) -> np.ndarray:
    return np.minimum.accumulate(values[::-1])[::-1]


signs = np.random.default_rng(6).choice([-1, 1], size=(200, 12))

LISTS = {
    "A user without a relevant item has no NDCG: leave them out of the mean, they are no 0.": mean_of(
        ndcg, all_users=True
    ),
    "A user without a relevant item has no NDCG, 0 divided by 0: leave them out of the mean.": lambda h, n: (
        mean_ndcg(h, n) if n.all() else np.nan
    ),
    "That is one number for each user; their mean is wanted.": lambda h, n: metrics.ndcg(h, n)[n > 0],
    "That is DCG over ideal DCG of all users together; the mean of each user's own ratio is wanted.": ratio_of_sums,
    "The ideal list holds min(n_relevant, N) hits, not as many as you happened to find.": mean_of(
        lambda h, n: dcg(h) / best(max(1, h.sum()))
    ),
    "The ideal list has no more places than yours: it holds min(n_relevant, N) hits.": mean_of(
        lambda h, n: dcg(h) / best(n)
    ),
    "The ideal list holds min(n_relevant, N) hits, not a hit at every place.": mean_of(
        lambda h, n: dcg(h) / best(len(h))
    ),
    "log2(1) is 0, so the first place would be divided by 0: place k counts 1 / log2(k + 1).": mean_of(
        lambda h, n: dcg(h, 1) / best(min(n, len(h)), 1)
    ),
    "Place k counts 1 / log2(k + 1), and the first place is k = 1: yours begins with log2(3).": mean_of(
        lambda h, n: dcg(h, 3) / best(min(n, len(h)), 3)
    ),
    "Place k counts 1 / log2(k + 1), not 1 / k.": mean_of(
        lambda h, n: (h / (k := np.arange(1, len(h) + 1))).sum() / (1 / k)[: min(n, len(h))].sum()
    ),
    "The logarithm is the same in DCG and in the ideal DCG: log2.": lambda h, n: mean_ndcg(h, n) / np.log(2),
    "The logarithm is the same in DCG and in the ideal DCG: log2, not log.": lambda h, n: mean_ndcg(h, n) * np.log(2),
    "That is DCG: divide by the DCG of the ideal list.": mean_of(lambda h, n: dcg(h)),
    "That is the ideal DCG; it is what DCG is divided by.": mean_of(lambda h, n: best(min(n, len(h)))),
    "That is recall: the places have to count.": mean_of(lambda h, n: h.sum() / n),
    "That is precision: the places have to count.": mean_of(lambda h, n: h.mean()),
    "That is DCG over n_relevant; divide by the DCG of the ideal list.": mean_of(lambda h, n: dcg(h) / n),
    "The best place stands first: you have read the lists from their end.": lambda h, n: mean_ndcg(h[:, ::-1], n),
}

FLIPS = {
    "Use absolute values on both sides: a difference may be negative.": one_sided,
    "Use absolute values on both sides, on that of the observed mean too.": lambda d, s: (
        np.abs((s * d).mean(axis=1)) >= d.mean()
    ).mean(),
    "Use absolute values on both sides, on that of each flip too.": lambda d, s: (
        (s * d).mean(axis=1) >= abs(d.mean())
    ).mean(),
    "That is the share of smaller means; the p-value counts those at least as large.": lambda d, s: (
        1 - share_of_flips(d, s)
    ),
    "That is the share of means no larger; the p-value counts those at least as large.": lambda d, s: (
        np.abs((s * d).mean(axis=1)) <= abs(d.mean())
    ).mean(),
    "A flip that is exactly as large as the observed mean counts as well: >=.": lambda d, s: (
        np.abs((s * d).mean(axis=1)) > abs(d.mean())
    ).mean(),
    "The absolute value is that of the mean of a flip, not of each user's difference.": against_each,
    "Only the given flips count here: no 1 is added, above or below.": lambda d, s: (
        (share_of_flips(d, s) * len(s) + 1) / (len(s) + 1)
    ),
    "That is the number of flips; their share is wanted.": lambda d, s: share_of_flips(d, s) * len(s),
    "Divide by the number of flips, not by that of the users.": lambda d, s: share_of_flips(d, s) * len(s) / len(d),
    "Compare means with the observed mean: that is the sum of each flip.": lambda d, s: (
        np.abs((s * d).sum(axis=1)) >= abs(d.mean())
    ).mean(),
    "The observed value is the absolute mean, not the mean of absolute differences.": lambda d, s: (
        np.abs((s * d).mean(axis=1)) >= np.abs(d).mean()
    ).mean(),
}

CORRECTIONS = {
    "That is Bonferroni's rule, which multiplies each by m; here the k-th smallest is multiplied by m / k.": lambda p: (
        np.minimum(1, p * len(p))
    ),
    "That is Bonferroni's rule, and above 1; here the k-th smallest is multiplied by m / k.": lambda p: p * len(p),
    "The minimum is missing: a smaller p-value may not end above a larger one.": lambda p: in_place_of(
        p, times_m_over_rank(p)
    ),
    "The minimum is missing, and the values are in ascending order: put each where its p-value stood.": (
        times_m_over_rank
    ),
    "The minimum is taken over the larger p-values, l ≥ k, and this is over the smaller ones.": lambda p: in_place_of(
        p, np.minimum.accumulate(times_m_over_rank(p))
    ),
    "That is the maximum over the smaller p-values; the minimum over the larger ones is wanted.": lambda p: in_place_of(
        p, np.maximum.accumulate(times_m_over_rank(p))
    ),
    "These are the right values in ascending order: put each where its p-value stood.": lambda p: np.sort(
        false_discovery_control(p)
    ),
    "`s[order]` sorts once more; `out[order] = s` puts each back where its p-value stood.": lambda p: np.sort(
        false_discovery_control(p)
    )[np.argsort(p)],
    "The rank k is that among the sorted p-values: sort them first.": lambda p: from_the_end(
        p * len(p) / np.arange(1, len(p) + 1)
    ),
    "The rank 1 is that of the smallest p-value: yours are sorted from the largest.": lambda p: in_place_of(
        p, from_the_end(np.sort(p) * len(p) / np.arange(len(p), 0, -1))
    ),
    "The rank k divides: the smallest is multiplied by m, the largest by 1.": lambda p: in_place_of(
        p, from_the_end(np.sort(p) * np.arange(1, len(p) + 1) / len(p))
    ),
    "The k-th smallest is multiplied by m / k, not by m − k + 1.": lambda p: in_place_of(
        p, from_the_end(np.sort(p) * np.arange(len(p), 0, -1))
    ),
    "You divide by the rank and leave out the factor m.": lambda p: false_discovery_control(p) / len(p),
    "The multiplier is m / k: this is the rule of Benjamini and Yekutieli, for tests that depend on each other.": (
        lambda p: false_discovery_control(p, method="by")
    ),
    "You say which are below .05; the corrected p-values are wanted.": lambda p: false_discovery_control(p) < 0.05,
}

EXERCISES = (
    Exercise(
        "6.1",
        2,
        mean_ndcg,
        [
            (np.array([[True, False, True], [False, True, False]]), np.array([2, 9])),
            (np.array([[False, True, False, True], [False] * 4, [True] * 4]), np.array([3, 0, 6])),
        ],
        until(some_lists, differ(mean_ndcg, *LISTS.values())),
        LISTS,
        hint="Of each user: the sum of 1 / log2(k + 1) over the hits, by that over min(n_relevant, N) places.",
        kind="share",
    ),
    Exercise(
        "6.2",
        2,
        share_of_flips,
        [
            (np.arange(12) / 8 - 0.375, signs),
            (np.array([0.25, 0.125, -0.125, 0.25] * 2), signs[:, :8]),
            (-np.array([0.125, 0.25] * 6), signs),
            (np.array([0.5, 0.25, 0.375]), signs[:40, :3]),
        ],
        until(some_flips, differ(share_of_flips, *FLIPS.values())),
        FLIPS,
        hint="For each flip the absolute mean; the share of them that is at least the absolute observed mean.",
        kind="share",
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
            "The films in the test are not seen: they are among those that can be drawn.": lambda n, i, s, r: (
                n / (i - s + r)
            ),
            "The films in the test are among those that can be drawn: do not take them away.": lambda n, i, s, r: (
                n / max(i - s - r, 1)
            ),
            "No film is drawn twice, so the chance is n of those unseen, not 1 − (1 − 1/unseen)ⁿ.": lambda n, i, s, r: (
                1 - (1 - 1 / (i - s)) ** n
            ),
            "That is the chance of any hit in n draws; recall is the share of the relevant films found.": (
                lambda n, i, s, r: 1 - (1 - r / (i - s)) ** n
            ),
            "That is the chance of any hit at all; recall is the share of the relevant films found.": (
                lambda n, i, s, r: 1 - (1 - n / (i - s)) ** r
            ),
            "That is one place of the list; there are n of them.": lambda n, i, s, r: 1 / (i - s),
            "Expected hits are n · n_relevant / unseen, and recall divides them by n_relevant once.": (
                lambda n, i, s, r: n / (i - s) / r
            ),
            "A list of n is a share of the unseen films, not of those seen.": lambda n, i, s, r: n / max(s, 1),
        },
        hint="With what probability is one given relevant film among the n drawn?",
        kind="share",
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
        until(some_p, differ(false_discovery_control, *CORRECTIONS.values())),
        CORRECTIONS,
        hint="Sort, multiply by m / k, take the minimum from the largest downwards, and put each back in its place.",
        kind="share",
    ),
)
