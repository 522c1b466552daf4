"""How sure we may be: bootstrap intervals and paired comparisons over users."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from course_lib.errors import CourseError
from course_lib.inputs import COUNT, NATURAL, SEED, all_finite, array, number, same_length

BLOCK = 2_000_000  # numbers that a block of resamples holds at most: 16 MB


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}]"


def blocks(n: int, n_resamples: int) -> list[int]:
    """How many of the ``n_resamples`` ≥ 1 rows of ``n`` ≥ 1 numbers are drawn and held at a time, in turn."""
    n_resamples, rows = COUNT("n_resamples", n_resamples), max(1, BLOCK // COUNT("n", n))
    return [min(rows, n_resamples - done) for done in range(0, n_resamples, rows)]


def drawn(n: int, n_resamples: int, seed: int, columns: int = 0) -> Iterator[np.ndarray]:
    """How often each of ``n`` users is drawn in each resample: blocks (rows, n) of the matrix (n_resamples, n).

    The same numbers as drawn at once. A small matrix is kept, since a table of results asks for the same resamples once
    a model and metric. columns: what the caller makes of a row, if that is longer than n. n, n_resamples ≥ 1; seed,
    columns ≥ 0.
    """
    n, n_resamples, seed = COUNT("n", n), COUNT("n_resamples", n_resamples), SEED("seed", seed)
    widest = max(n, NATURAL("columns", columns))
    if widest * n_resamples <= BLOCK:
        yield _kept(n, n_resamples, seed)
        return
    rng, share = np.random.default_rng(seed), np.full(n, 1 / n)
    for rows in blocks(widest, n_resamples):
        yield rng.multinomial(n, share, rows).astype(float)


@lru_cache(maxsize=2)
def _kept(n: int, n_resamples: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), n_resamples).astype(float)


def bootstrap_interval(values: np.ndarray, seed: int, n_resamples: int = 1000, level: float = 0.95) -> Interval:
    """Mean of ``values`` (n,) with its percentile interval over resampled users (Efron & Tibshirani 1993).

    NaN values (users whom the metric leaves out) are dropped first; CourseError if nothing is left, or for an infinite
    one. seed ≥ 0, n_resamples ≥ 1, level above 0 and below 1.
    """
    seed, n_resamples = SEED("seed", seed), COUNT("n_resamples", n_resamples)
    level = number("level", level, above=0, below=1)
    values = _there(array("Values", values, ndim=1, finite=False))
    means = np.concatenate([W @ values for W in drawn(len(values), n_resamples, seed)]) / len(values)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(values.mean()), float(low), float(high))


def _there(values: np.ndarray) -> np.ndarray:
    values = values[~np.isnan(values)]
    if not len(values):
        raise CourseError("No user has a value, so there is nothing to take the mean of.")
    return all_finite("Values", values)


def paired_difference(a: np.ndarray, b: np.ndarray, seed: int, n_resamples: int = 1000) -> tuple[Interval, float]:
    """Mean of a - b over the same users with its interval, and the p-value of a sign-flip randomisation test.

    Pairing removes what makes users easy or hard for every model, so it sees differences that two separate
    intervals hide. a, b: (n,), the same users in the same order (Smucker et al. 2007). seed ≥ 0, n_resamples ≥ 1.
    """
    a, b = array("a", a, ndim=1, finite=False), array("b", b, ndim=1, finite=False)
    same_length(a=a, b=b)
    with np.errstate(invalid="ignore"):  # infinite minus infinite is refused below
        difference = a - b
    interval = bootstrap_interval(difference, seed, n_resamples)
    difference = _there(difference)
    rng = np.random.default_rng(seed)
    sums = [
        rng.choice([-1.0, 1.0], size=(rows, len(difference))) @ difference
        for rows in blocks(len(difference), n_resamples)
    ]
    extreme = np.abs(np.concatenate(sums)) >= abs(difference.sum()) - 1e-12
    return interval, float((extreme.sum() + 1) / (n_resamples + 1))


def compare_pairs(values: Mapping[str, np.ndarray], seed: int) -> pd.DataFrame:
    """`paired_difference` of every two models: one row a pair (a, b), in the order of ``values``.

    values: {model: (n_users,) values of one metric}, the same users. Columns: mean (of a - b), low, high, p, and
    p_corrected, which keeps the expected share of false discoveries among all pairs (Benjamini & Hochberg 1995).
    seed ≥ 0.
    """
    if len(values) < 2:
        raise CourseError(f"Two models make a pair; got {len(values)}.")
    rows = {}
    for a, b in combinations(values, 2):
        interval, p = paired_difference(values[a], values[b], seed)
        rows[a, b] = {"mean": interval.mean, "low": interval.low, "high": interval.high, "p": p}
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(rows, names=["a", "b"])
    return table.assign(p_corrected=false_discovery_control(table["p"]))
