"""Exercises of lesson 00: how full a table is, what is popular, a score by hand."""

import numpy as np

from course_lib.evaluation import metrics
from course_lib.exercises.judge import Case, Exercise


def some_table(rng: np.random.Generator) -> Case:
    """Ratings, users and items of a table that is neither nearly empty nor half full."""
    m, n = (int(size) for size in rng.choice(np.arange(3, 3000), 2, replace=False))
    return int(rng.uniform(0.02, 0.4) * m * n) + 1, m, n


def some_items(rng: np.random.Generator) -> Case:
    """Items of a log, some ids missing. No two are equally frequent: which comes first then, the task leaves open."""
    k = int(rng.integers(4, 9))
    ids, counts = rng.choice(3 * k, k, replace=False), 1 + rng.choice(2 * k, k, replace=False)
    return rng.permutation(np.repeat(ids, counts)), int(rng.integers(2, k))


def popular(items: np.ndarray, n: int) -> np.ndarray:
    return np.argsort(-np.bincount(items), kind="stable")[:n]


def found(items: np.ndarray) -> np.ndarray:
    """Ids that occur, the most frequent first."""
    return popular(items, len(np.unique(items)))


hits = np.array([[False, True, False, False, True]])
dcg = 1 / np.log2(3) + 1 / np.log2(6)

EXERCISES = (
    Exercise(
        "0.1",
        1,
        lambda r, m, n: r / (m * n),
        [(100_000, 943, 1682), (5, 3, 4)],
        some_table,
        {
            "That is a percentage: the answer goes from 0 to 1.": lambda r, m, n: 100 * r / (m * n),
            "A table has rows times columns cells, not rows plus columns.": lambda r, m, n: r / (m + n),
            "That is the share of the empty cells.": lambda r, m, n: 1 - r / (m * n),
            "That is upside down: the filled cells go above the line, all cells below it.": lambda r, m, n: m * n / r,
            "That is the number of ratings for each user: divide by the number of items too.": lambda r, m, n: r / m,
            "That is the number of ratings for each item: divide by the number of users too.": lambda r, m, n: r / n,
            "A share has digits after the point: divide with /, not with //.": lambda r, m, n: r // (m * n),
        },
        "Divide the number of filled cells by the number of all cells.",
        kind="share",
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
            "These are the least frequent ones among those that occur: sort the other way.": lambda items, n: found(
                items
            )[::-1][:n],
            "These are positions in the list of the ids that occur: look up which ids stand there.": (
                lambda items, n: np.argsort(-np.unique(items, return_counts=True)[1])[:n]
            ),
            "The most frequent one comes first: turn the list round.": lambda items, n: popular(items, n)[::-1],
            "These are the largest ids; how often an id occurs is what counts.": lambda items, n: np.unique(items)[
                ::-1
            ][:n],
            "These are the smallest ids; how often an id occurs is what counts.": lambda items, n: np.unique(items)[:n],
            "These are all ids; only the n most frequent are wanted.": lambda items, n: found(items),
        },
        "Count how often each id occurs, sort the ids by their counts, and take the first n.",
        kind="ids",
    ),
    Exercise(
        "0.3",
        2,
        metrics.ndcg(hits, np.array([3]))[0],
        mistakes={
            "Places count from 1, so a hit at place k is divided by log2(k + 1).": (1 + 1 / np.log2(5))
            / (1 + 1 / np.log2(3) + 1 / 2),
            "The best list possible has only three hits, not five.": metrics.ndcg(hits, np.array([5]))[0],
            "The best list possible has three hits, as the user has three liked films; yours has two.": (
                metrics.ndcg(hits, np.array([2]))[0]
            ),
            "That is the sum of your list alone: divide it by that of the best list possible.": dcg,
            "That is the share of the liked films that were found; here the places count.": 2 / 3,
            "That is the share of hits in the list; here the places count.": 2 / 5,
            "The hit at place 5 is missing.": (1 / np.log2(3)) / (1 + 1 / np.log2(3) + 1 / 2),
            "A hit at place k counts 1 / log2(k + 1), not 1 / k.": (1 / 2 + 1 / 5) / (1 + 1 / 2 + 1 / 3),
            "Divide by the sum of the best list possible, not by the number of liked films.": dcg / 3,
            "Divide by the sum of the best list possible, not by the number of hits.": dcg / 2,
            "Divide by the sum of the best list possible, not by the length of the list.": dcg / 5,
            "A hit counts 1 / log2(k + 1), so that early ones count most; yours counts the logarithm itself.": (
                np.log2(3) + np.log2(6)
            )
            / (1 + np.log2(3) + 2),
        },
        hint="Divide the sum for places 2 and 5 by the sum for places 1, 2 and 3.",
        rtol=1e-3,
        kind="share",
    ),
)
