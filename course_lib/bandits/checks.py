"""What the bandits are given, checked once where it comes in: rates, runs, logs, weights, policies."""

from collections.abc import Sequence
from numbers import Real

import numpy as np

from course_lib import inputs
from course_lib.errors import CourseError


def checked_rates(click_rates: Sequence[float] | np.ndarray) -> np.ndarray:
    """``click_rates`` as a vector, or CourseError if one is not a probability."""
    p = inputs.array("Click rates", click_rates, finite=False)
    if p.ndim != 1 or not len(p):
        raise CourseError(f"Click rates are one number for each arm; got an array of shape {p.shape}.")
    wrong = np.flatnonzero(~((p >= 0) & (p <= 1)))  # also catches NaN
    if len(wrong):
        raise CourseError(f"A click rate lies between 0 and 1; arm {wrong[0]} has {p[wrong[0]]}.")
    return p


def checked_table(click_rates: Sequence[float] | np.ndarray) -> np.ndarray:
    """``click_rates`` (A,) or (K, A) as a table (K, A), or CourseError if one is not a probability."""
    table = inputs.array("Click rates", click_rates, finite=False)
    return np.array([checked_rates(row) for row in (table if table.ndim == 2 and len(table) else [table])])


def checked_run(n_rounds: int, seeds: Sequence[int]) -> tuple[int, list[int]]:
    """Rounds and seeds of a simulation, one of each or more, or CourseError."""
    seeds = [inputs.whole("a seed", seed, at_least=0) for seed in inputs.listed("seeds", seeds, "whole numbers")]
    if inputs.whole("n_rounds", n_rounds) < 1 or not seeds:
        raise CourseError(f"A simulation needs at least one round and one seed; got {n_rounds} and {len(seeds)}.")
    return n_rounds, seeds


def columns(**named: np.ndarray) -> tuple[np.ndarray, ...]:
    """The columns of a log as arrays, whatever a Series' index says; CourseError unless all have one value for each of
    the same rows, at least one, all finite. Weights, named w, are not negative.
    """
    found = {name: np.asarray(column) for name, column in named.items()}
    shapes = {column.shape for column in found.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 1 or 0 in next(iter(shapes)):
        told = ", ".join(f"{name} {column.shape}" for name, column in found.items())
        raise CourseError(f"A log needs columns of one length, with at least one row; the shapes are {told}.")
    for name, column in found.items():
        if column.dtype.kind not in "biuf":
            raise CourseError(f"The column {name} of the log holds no numbers; got the type {column.dtype}.")
        if not np.isfinite(column).all():
            row = int(np.argmin(np.isfinite(column)))
            raise CourseError(f"The column {name} of the log has a missing value in row {row}: drop or mend that row.")
    if "w" in found and (found["w"] < 0).any():
        raise CourseError(f"Row {int(np.argmax(found['w'] < 0))} has a weight below 0: weights are ratios of chances.")
    return tuple(found.values())


def checked_threshold(value: float) -> float:
    """``value``, or CourseError if no weight can be compared with it."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real) or not value >= 0:  # also catches NaN
        raise CourseError(f"A threshold for weights is a number of at least 0; got {value}.")
    return float(value)


def checked_weights(w: np.ndarray) -> np.ndarray:
    """Weights of any shape, finite and not negative."""
    found = inputs.array("Weights", w, keep=True)
    if (found < 0).any():
        raise CourseError("A weight is below 0: weights are ratios of chances.")
    return found


def checked_policy(policy: np.ndarray, tolerance: float = 1e-6) -> np.ndarray:
    """``policy`` (..., A), probabilities of A items in each row; CourseError where they do not sum to one.

    tolerance: by how much a sum may miss, ≥ 0.
    """
    tolerance = inputs.NOT_NEGATIVE("tolerance", tolerance)
    policy = inputs.array("The policy's probabilities", policy, finite=False)
    if policy.ndim < 2 or not policy.size:
        raise CourseError(f"A policy holds a row of probabilities for each decision; got the shape {policy.shape}.")
    total, negative = policy.sum(axis=-1), np.any(~(policy >= 0), axis=-1)  # NaN counts as negative
    wrong = negative | (np.abs(total - 1) > tolerance)
    if wrong.any():
        row = tuple(int(i) for i in np.argwhere(wrong)[0])
        place = row[0] if len(row) == 1 else row
        what = "hold a negative or missing one" if negative[row] else f"sum to {total[row]:.6g}, not to 1"
        raise CourseError(f"The probabilities in row {place} of the policy {what}: divide each row by its sum first.")
    return policy
