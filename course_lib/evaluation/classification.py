"""Scores of classifiers, with bootstrap intervals: accuracy, macro-F1, AUC.

Every score takes labels y (n,) in 0 … C - 1, probabilities P (n, C) and weights W (R, n): how often each example is
drawn in each of R resamples. It returns one value for each row of W: the bootstrap in one matrix product. NaN, infinite
probabilities and other labels raise CourseError.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pandas as pd

from course_lib.errors import CourseError
from course_lib.evaluation.significance import Interval, drawn
from course_lib.inputs import COUNT, SEED, array, choice, labels, same_length

Score = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a / b, and 0 where b is 0."""
    return np.divide(a, b, out=np.zeros_like(a, dtype=float), where=b > 0)


def _checked(y: np.ndarray, P: np.ndarray, W: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """y, P and W as arrays that belong together."""
    P = array("Probabilities", P, ndim=2, keep=True)
    y, W = labels("Labels", y, P.shape[1]), array("Weights", W, ndim=2, keep=True)
    n = same_length(labels=y, probabilities=P)
    if not n or W.shape[1] != n or (W < 0).any() or not W.any(axis=1).all():
        raise CourseError(
            f"A score wants an example at least, and in each row of weights one of at least 0 for each of {n} examples,"
            f" not all of them 0; the weights have the shape {W.shape}."
        )
    return y, P, W


def accuracy(y: np.ndarray, P: np.ndarray, W: np.ndarray) -> np.ndarray:
    """Share of examples whose most probable class is the right one."""
    y, P, W = _checked(y, P, W)
    return W @ (P.argmax(1) == y) / W.sum(1)


def macro_f1(y: np.ndarray, P: np.ndarray, W: np.ndarray) -> np.ndarray:
    """Mean over the classes of F1_c = 2 tp / (predicted + present): a rare class counts as much as a common one."""
    y, P, W = _checked(y, P, W)
    said = P.argmax(1)
    f1 = [_ratio(2 * W @ ((said == c) & (y == c)), W @ (said == c) + W @ (y == c)) for c in range(P.shape[1])]
    return np.mean(f1, axis=0)


def auc(y: np.ndarray, P: np.ndarray, W: np.ndarray) -> np.ndarray:
    """Chance that an example of a class gets more probability of it than an example of another; ties count one half.

    Two classes: that of class 1. More: the mean over the classes, each against the rest. A class that is absent or
    alone in a resample counts as 0.5.
    """
    y, P, W = _checked(y, P, W)
    return np.mean([_auc(y == c, P[:, c], W) for c in ([1] if P.shape[1] == 2 else range(P.shape[1]))], axis=0)


def _auc(positive: np.ndarray, score: np.ndarray, W: np.ndarray) -> np.ndarray:
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=-np.inf))  # where a new value of the score begins
    pos, neg = (np.add.reduceat((W * part)[:, order], starts, axis=1) for part in (positive, ~positive))  # (R, values)
    pairs = (pos.sum(1) * neg.sum(1)).astype(float)
    wins = (pos * (neg.cumsum(1) - 0.5 * neg)).sum(1)  # negatives below, and half of those level
    return np.divide(wins, pairs, out=np.full(len(W), 0.5), where=pairs > 0)


SCORES: dict[str, Score] = {"accuracy": accuracy, "macro_f1": macro_f1, "auc": auc}


def score(metric: str, y: np.ndarray, P: np.ndarray) -> float:
    """One number: ``metric`` ("accuracy", "macro_f1" or "auc") of probabilities P (n, C) for labels y (n,)."""
    return float(SCORES[choice("score", metric, SCORES)](y, P, np.ones((1, len(y))))[0])


def resamples(n: int, seed: int, groups: np.ndarray | None = None, n_resamples: int = 1000) -> Iterator[np.ndarray]:
    """Blocks of W (R, n), some rows at a time: how often each of n examples is drawn in each of R bootstrap samples.

    groups (n,): examples of one group (the rows of one user) are not independent, so whole groups are drawn.
    n, n_resamples ≥ 1; seed ≥ 0. The blocks bound the memory, and one after the other they are the whole W.
    """
    n, seed, n_resamples = COUNT("n", n), SEED("seed", seed), COUNT("n_resamples", n_resamples)
    if groups is None:
        return drawn(n, n_resamples, seed)
    ids, inverse = np.unique(np.asarray(groups), return_inverse=True)
    if inverse.shape != (n,):
        raise CourseError(f"groups hold one group for each of {n} examples; got the shape {np.shape(groups)}.")
    return (W[:, inverse] for W in drawn(len(ids), n_resamples, seed, columns=n))


def _over(metric: str, y: np.ndarray, P: np.ndarray, seed: int, groups: np.ndarray | None) -> np.ndarray:
    """The score on each resample, (R,)."""
    of = SCORES[choice("score", metric, SCORES)]
    return np.concatenate([of(y, P, W) for W in resamples(len(y), seed, groups)])


def compare(
    models: Mapping[str, np.ndarray],
    y: np.ndarray,
    seed: int,
    groups: np.ndarray | None = None,
    metrics: tuple[str, ...] = ("accuracy", "macro_f1", "auc"),
) -> pd.DataFrame:
    """One row a model: each score with its 95 % interval (_low, _high).

    models: {name: probabilities (n, C)}. seed ≥ 0.
    """
    rows = {}
    for name, P in models.items():
        row: dict[str, float] = {}
        for metric in metrics:
            low, high = np.quantile(_over(metric, y, P, seed, groups), [0.025, 0.975])
            row |= {metric: score(metric, y, P), f"{metric}_low": float(low), f"{metric}_high": float(high)}
        rows[name] = row
    return pd.DataFrame.from_dict(rows, orient="index")


def paired_difference(
    a: np.ndarray, b: np.ndarray, y: np.ndarray, metric: str, seed: int, groups: np.ndarray | None = None
) -> Interval:
    """Score of model a minus score of model b on the same resampled examples, with its 95 % interval.

    a, b: probabilities (n, C). An interval without 0 is a difference that another draw of users would show too.
    seed ≥ 0.
    """
    gap = _over(metric, y, a, seed, groups) - _over(metric, y, b, seed, groups)
    low, high = np.quantile(gap, [0.025, 0.975])
    return Interval(score(metric, y, a) - score(metric, y, b), float(low), float(high))
