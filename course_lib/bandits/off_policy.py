"""What a policy would have earned, estimated from the log of another one.

A row of the log holds the reward r and the propensity, the probability with which the logging policy chose what it
showed. The policy to be evaluated would have chosen it with probability ``evaluation``. The weight of the row is
w = evaluation / propensity. All arrays are (n,), one value for each row.
"""

from collections.abc import Callable

import numpy as np

from course_lib.errors import CourseError
from course_lib.evaluation.significance import Interval


def importance_weights(evaluation: np.ndarray, propensity: np.ndarray) -> np.ndarray:
    """w = evaluation / propensity. Refuses what cannot be a probability, and a propensity of zero.

    In expectation over the log the mean weight is 1 if the logging policy could choose all that the other one would.
    """
    evaluation, propensity = np.asarray(evaluation, dtype=float), np.asarray(propensity, dtype=float)
    same_length(evaluation=evaluation, propensity=propensity)
    for name, values, good in (
        ("propensity", propensity, (propensity > 0) & (propensity <= 1)),
        ("evaluation probability", evaluation, (evaluation >= 0) & (evaluation <= 1)),
    ):
        if not good.all():
            row = int(np.flatnonzero(~good)[0])
            rule = "above 0 and at most 1" if name == "propensity" else "between 0 and 1"
            raise CourseError(f"Row {row} has the {name} {values[row]}: it must be {rule}, so drop or mend that row.")
    return evaluation / propensity


def same_length(**columns: np.ndarray) -> None:
    """CourseError unless all columns have one value for each of the same rows, at least one, all finite."""
    shapes = {name: np.shape(column) for name, column in columns.items()}
    if len(set(shapes.values())) != 1 or len(next(iter(shapes.values()))) != 1 or 0 in next(iter(shapes.values())):
        found = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise CourseError(f"A log needs columns of one length, with at least one row; the shapes are {found}.")
    for name, column in columns.items():
        if not np.isfinite(column).all():
            row = int(np.argmin(np.isfinite(column)))
            raise CourseError(f"The column {name} of the log has a missing value in row {row}: drop or mend that row.")


def ipw(reward: np.ndarray, w: np.ndarray) -> float:
    """Inverse-propensity weighting (Horvitz & Thompson 1952): (1/n) Σ w r. Unbiased; wild where weights are large."""
    same_length(reward=reward, w=w)
    return float(np.mean(w * reward))


def snipw(reward: np.ndarray, w: np.ndarray) -> float:
    """Self-normalised IPW (Swaminathan & Joachims 2015): Σ w r / Σ w. A little biased, calmer, within [0, 1]."""
    same_length(reward=reward, w=w)
    if w.sum() <= 0:
        raise CourseError("Every weight is zero: the log holds nothing that the evaluated policy would have chosen.")
    return float(np.sum(w * reward) / np.sum(w))


def direct_method(q_evaluation: np.ndarray) -> float:
    """(1/n) Σ q̂, where q̂ in row i is Σ_a π(a | x_i) q̂(x_i, a), the reward that a model expects of the policy."""
    same_length(q_evaluation=q_evaluation)
    return float(np.mean(q_evaluation))


def doubly_robust(reward: np.ndarray, w: np.ndarray, q_logged: np.ndarray, q_evaluation: np.ndarray) -> float:
    """(1/n) Σ [q̂(x, π) + w (r − q̂(x, a))] (Dudík et al. 2011): right if either the weights or the model are right."""
    same_length(reward=reward, w=w, q_logged=q_logged, q_evaluation=q_evaluation)
    return float(np.mean(q_evaluation + w * (reward - q_logged)))


def effective_sample_size(w: np.ndarray) -> float:
    """(Σ w)² / Σ w²: how many equally weighted rows would tell as much (Kish 1965). Between 1 and n."""
    same_length(w=w)
    if not (w > 0).any():
        raise CourseError("Every weight is zero: the effective sample size is not defined.")
    return float(w.sum() ** 2 / (w**2).sum())


def bootstrap(
    estimator: Callable[..., float],
    columns: tuple[np.ndarray, ...],
    seed: int,
    n_resamples: int = 1000,
    level: float = 0.95,
) -> Interval:
    """``estimator(*columns)`` with its percentile interval over resampled rows (Efron & Tibshirani 1993)."""
    same_length(**{f"{number}": column for number, column in enumerate(columns)})
    rng, n = np.random.default_rng(seed), len(columns[0])
    values = []
    for _ in range(n_resamples):
        rows = rng.integers(n, size=n)
        values.append(estimator(*(column[rows] for column in columns)))
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimator(*columns), float(low), float(high))


def choice_frequencies(item: np.ndarray, position: np.ndarray, n_items: int, n_positions: int = 3) -> np.ndarray:
    """π̂(a | position): (n_positions, n_items), how often a log shows each item at each position (counted from 1)."""
    same_length(item=item, position=position)
    counts = np.zeros((n_positions, n_items))
    np.add.at(counts, (position - 1, item), 1)
    if not counts.sum(axis=1).all():
        raise CourseError("A position never occurs in the log, so nothing is known about what is shown there.")
    return counts / counts.sum(axis=1, keepdims=True)
