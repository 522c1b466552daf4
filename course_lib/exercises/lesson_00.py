"""Exercises of lesson 00: how full a table is, what is popular, a score by hand."""

import numpy as np

from course_lib.evaluation import metrics
from course_lib.exercises.judge import Case, Exercise


def some_table(rng: np.random.Generator) -> Case:
    """Ratings, users and items of a table, at times a full one or an empty one."""
    m, n = (int(size) for size in rng.integers(1, 3000, size=2))
    some = int(rng.integers(1, m * n + 1))
    return int(rng.choice([some, some, some, m * n, 0])), m, n


def some_items(rng: np.random.Generator) -> Case:
    """Items of a log, some ids missing. No two are equally frequent: which comes first then, the task leaves open."""
    k = int(rng.integers(2, 9))
    ids, counts = rng.choice(3 * k, k, replace=False), 1 + rng.choice(2 * k, k, replace=False)
    return rng.permutation(np.repeat(ids, counts)), int(rng.integers(1, k + 1))


def popular(items: np.ndarray, n: int) -> np.ndarray:
    return np.argsort(-np.bincount(items), kind="stable")[:n]


hits = np.array([[False, True, False, False, True]])

EXERCISES = (
    Exercise(
        "0.1",
        1,
        lambda r, m, n: r / (m * n),
        [(100_000, 943, 1682), (6, 3, 4)],
        some_table,
        {
            "That is a percentage: the answer goes from 0 to 1.": lambda r, m, n: 100 * r / (m * n),
            "A table has rows times columns cells, not rows plus columns.": lambda r, m, n: r / (m + n),
        },
    ),
    Exercise(
        "0.2",
        1,
        popular,
        [(np.array([3, 1, 3, 2, 3, 1]), 2), (np.array([0, 0, 5, 5, 5, 2]), 3)],
        some_items,
        {
            "These are the counts; the ids are wanted.": lambda items, n: np.sort(np.bincount(items))[::-1][:n],
            "These are the least frequent ones: sort the other way.": lambda items, n: np.argsort(
                np.bincount(items), kind="stable"
            )[:n],
            "These are positions in the list of the ids that occur: look up which ids stand there.": lambda items, n: (
                np.argsort(-np.unique(items, return_counts=True)[1])[:n]
            ),
        },
    ),
    Exercise(
        "0.3",
        2,
        metrics.ndcg(hits, np.array([3]))[0],
        mistakes={
            "Places count from 1, so a hit at place k is divided by log2(k + 1).": (1 + 1 / np.log2(5))
            / (1 + 1 / np.log2(3) + 1 / 2),
            "The best list possible has only three hits, not five.": metrics.ndcg(hits, np.array([5]))[0],
        },
        hint="Divide the sum for places 2 and 5 by the sum for places 1, 2 and 3.",
        rtol=1e-3,
    ),
)
