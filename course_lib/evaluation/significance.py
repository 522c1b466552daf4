"""How sure we may be: bootstrap intervals and paired comparisons over users."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}]"


@lru_cache(maxsize=2)
def _resamples(n: int, n_resamples: int, seed: int) -> np.ndarray:
    """How often each of ``n`` users is drawn in each resample, (n_resamples, n): the bootstrap as one matrix.

    Kept, since a table of results asks for the same resamples once a model and metric.
    """
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), n_resamples).astype(float)


def bootstrap_interval(values: np.ndarray, seed: int, n_resamples: int = 1000, level: float = 0.95) -> Interval:
    """Mean of ``values`` (n,) with its percentile interval over resampled users (Efron & Tibshirani 1993).

    NaN values (users whom the metric leaves out) are dropped first. Raises ValueError if nothing is left.
    """
    values = np.asarray(values, dtype=float)
    values = values[~np.isnan(values)]
    if not len(values):
        raise ValueError("No user has a value, so there is nothing to take the mean of.")
    means = _resamples(len(values), n_resamples, seed) @ values / len(values)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(values.mean()), float(low), float(high))


def paired_difference(a: np.ndarray, b: np.ndarray, seed: int, n_resamples: int = 1000) -> tuple[Interval, float]:
    """Mean of a - b over the same users with its interval, and the p-value of a sign-flip randomisation test.

    Pairing removes what makes users easy or hard for every model, so it sees differences that two separate
    intervals hide. a, b: (n,), the same users in the same order (Smucker et al. 2007).
    """
    if np.shape(a) != np.shape(b):
        raise ValueError(f"Paired values belong to the same users; got {np.shape(a)} and {np.shape(b)}.")
    difference = np.asarray(a, dtype=float) - np.asarray(b, dtype=float)
    difference = difference[~np.isnan(difference)]
    interval = bootstrap_interval(difference, seed, n_resamples)
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(n_resamples, len(difference)))
    extreme = np.abs(signs @ difference) >= abs(difference.sum()) - 1e-12
    return interval, float((extreme.sum() + 1) / (n_resamples + 1))


def compare_pairs(values: Mapping[str, np.ndarray], seed: int) -> pd.DataFrame:
    """`paired_difference` of every two models: one row a pair (a, b), in the order of ``values``.

    values: {model: (n_users,) values of one metric}, the same users. Columns: mean (of a - b), low, high, p, and
    p_corrected, which keeps the expected share of false discoveries among all pairs (Benjamini & Hochberg 1995).
    """
    if len(values) < 2:
        raise ValueError(f"Two models make a pair; got {len(values)}.")
    rows = {}
    for a, b in combinations(values, 2):
        interval, p = paired_difference(values[a], values[b], seed)
        rows[a, b] = {"mean": interval.mean, "low": interval.low, "high": interval.high, "p": p}
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(rows, names=["a", "b"])
    return table.assign(p_corrected=false_discovery_control(table["p"]))
