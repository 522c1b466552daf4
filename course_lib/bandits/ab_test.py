"""A/B tests of a fixed length: how many users, which test, and what makes a test lie.

"Control" is the old page, "treatment" the new one; a difference is always treatment minus control. Every test also
takes many experiments at once: leading axes are runs, and the results have one value for each run.
"""

from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, get_args

import numpy as np
from scipy import stats
from scipy.special import ndtr, ndtri

from course_lib import inputs
from course_lib.errors import CourseError
from course_lib.evaluation.significance import Interval

Correction = Literal["none", "bonferroni", "holm", "benjamini-hochberg"]


@dataclass(frozen=True)
class Comparison:
    """Treatment minus control: the difference, its standard error, the two-sided p-value; one of each for a run."""

    difference: np.ndarray
    se: np.ndarray
    p: np.ndarray

    def interval(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Low and high end of the normal interval, difference ± z · se. level: above 0, below 1."""
        z = ndtri((1 + inside("level", level)) / 2)
        return self.difference - z * self.se, self.difference + z * self.se


# Before the test: how many users


def sample_size_proportions(p_control: float, p_treatment: float, alpha: float = 0.05, power: float = 0.8) -> int:
    """Users in each group so that `z_test` at level ``alpha`` finds the difference with probability ``power``.

    n = (z_{1−α/2} √(2 p̄ (1 − p̄)) + z_power √(p_c (1 − p_c) + p_t (1 − p_t)))² / (p_t − p_c)²   (Fleiss, Levin &
    Paik 2003, Statistical Methods for Rates and Proportions), rounded up, with p̄ the mean of both rates. All four:
    above 0, below 1.
    """
    no_difference, difference = _spreads(p_control, p_treatment)
    z = ndtri(1 - inside("alpha", alpha) / 2) * no_difference + ndtri(inside("power", power)) * difference
    return _rounded_up(1.0, float(z), p_treatment - p_control)


def power_proportions(p_control: float, p_treatment: float, n: int, alpha: float = 0.05) -> float:
    """Probability that `z_test` with ``n`` users in each group rejects at level ``alpha`` (normal approximation).

    Rates and alpha: above 0, below 1. n: ≥ 1.
    """
    no_difference, difference = _spreads(p_control, p_treatment)
    shift, margin = abs(p_treatment - p_control) * np.sqrt(_users(n)), ndtri(1 - inside("alpha", alpha) / 2)
    return float(
        ndtr((shift - margin * no_difference) / difference) + ndtr((-shift - margin * no_difference) / difference)
    )


def _spreads(p_control: float, p_treatment: float) -> tuple[float, float]:
    """Standard deviation of √n · (difference) if both groups share the mean rate, and with the rates as they are."""
    rates = [inside("p_control", p_control), inside("p_treatment", p_treatment)]
    if p_control == p_treatment:
        raise CourseError(f"Both rates are {p_control}: no sample finds a difference that is not there.")
    middle = sum(rates) / 2
    return np.sqrt(2 * middle * (1 - middle)), np.sqrt(sum(p * (1 - p) for p in rates))


def sample_size_means(sd: float, difference: float, alpha: float = 0.05, power: float = 0.8) -> int:
    """Users in each group to find a ``difference`` of means: n = 2 (z_{1−α/2} + z_power)² (sd / difference)².

    sd: standard deviation of one user's value, > 0, in the unit of ``difference``, which is not 0.
    """
    sd, difference = inputs.number("sd", sd), inputs.number("difference", difference)
    if not (sd > 0 and difference != 0):
        raise CourseError(f"A sample size needs sd above 0 and a difference that is not 0; got {sd} and {difference}.")
    z = ndtri(1 - inside("alpha", alpha) / 2) + ndtri(inside("power", power))
    return _rounded_up(2.0, float(z * sd), difference)


def _rounded_up(factor: float, spread: float, difference: float) -> int:
    """factor · (spread / difference)², rounded up, at least 1; CourseError if nobody has so many users."""
    needed = spread / difference if abs(difference) > 1e-100 else np.inf
    if not abs(needed) < 1e9:
        raise CourseError(f"A difference of {difference:.3g} takes over 10^18 users to find: look for a larger one.")
    return max(1, int(np.ceil(factor * needed**2)))


# After the test: what to conclude


def z_test(clicks_c: Any, n_c: Any, clicks_t: Any, n_t: Any) -> Comparison:
    """z-test of two click rates: z = (p̂_t − p̂_c) / √(p̂ (1 − p̂) (1/n_c + 1/n_t)), p̂ the rate of both together.

    Counts: numbers or arrays that broadcast. ``se`` is that of the interval, √(p̂_c (1 − p̂_c)/n_c + p̂_t (1 − p̂_t)/n_t).
    Without a single click, or with nothing but clicks, nothing speaks for a difference: p = 1.
    """
    clicks_c, n_c, clicks_t, n_t = (
        inputs.array("Counts of clicks and users", x, finite=False) for x in (clicks_c, n_c, clicks_t, n_t)
    )
    try:
        np.broadcast_shapes(clicks_c.shape, n_c.shape, clicks_t.shape, n_t.shape)
    except ValueError as error:
        got = f"{clicks_c.shape}, {n_c.shape}, {clicks_t.shape} and {n_t.shape}"
        raise CourseError(f"Counts are numbers, or one for each of the same runs; got the shapes {got}.") from error
    for group, clicks, n in (("control", clicks_c, n_c), ("treatment", clicks_t, n_t)):
        if not (np.isfinite(n) & (n >= 1)).all():
            raise CourseError(f"The {group} group has {_first(n, n >= 1)} users: a test needs at least one in each.")
        good = np.isfinite(clicks) & (clicks >= 0) & (clicks <= n)
        if not good.all():
            raise CourseError(f"The {group} group has {_first(clicks, good)} clicks: between 0 and its users' number.")
    p_c, p_t, both = clicks_c / n_c, clicks_t / n_t, (clicks_c + clicks_t) / (n_c + n_t)
    pooled = np.sqrt(both * (1 - both) * (1 / n_c + 1 / n_t))
    z = np.divide(p_t - p_c, pooled, out=np.zeros(np.shape(pooled)), where=pooled > 0)
    return Comparison(p_t - p_c, np.sqrt(p_c * (1 - p_c) / n_c + p_t * (1 - p_t) / n_t), 2 * ndtr(-np.abs(z)))


def mean_test(control: np.ndarray, treatment: np.ndarray) -> Comparison:
    """Welch's t-test of one value for each user. control: (..., n_c), treatment: (..., n_t)."""
    control, treatment = _values(2, control=control), _values(2, treatment=treatment)
    se = np.sqrt(sum(x.var(axis=-1, ddof=1) / x.shape[-1] for x in (control, treatment)))
    p = stats.ttest_ind(treatment, control, axis=-1, equal_var=False).pvalue
    return Comparison(treatment.mean(axis=-1) - control.mean(axis=-1), se, p)


def ratio_variance(clicks: np.ndarray, views: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ratio R = Σ clicks / Σ views over users, and its variance by the delta method (Deng et al. 2018).

    Var(R) ≈ (s²_clicks − 2 R s_{clicks,views} + R² s²_views) / (n · mean(views)²), where users, not views, are the
    independent draws. The numerator is the variance of the residuals clicks − R · views. clicks, views: (..., n).
    """
    clicks, views = _values(2, clicks=clicks), _values(2, views=views)
    if clicks.shape != views.shape:
        raise CourseError(f"Clicks and views belong to the same users; got shapes {clicks.shape} and {views.shape}.")
    if (views < 0).any() or (views.sum(axis=-1) == 0).any():
        raise CourseError("Views are counts of at least 0, and somebody in the group has one: look at that column.")
    ratio = clicks.sum(axis=-1) / views.sum(axis=-1)
    residual = clicks - ratio[..., None] * views
    return ratio, residual.var(axis=-1, ddof=1) / views.shape[-1] / views.mean(axis=-1) ** 2


def ratio_test(clicks_c: np.ndarray, views_c: np.ndarray, clicks_t: np.ndarray, views_t: np.ndarray) -> Comparison:
    """Difference of two ratios (clicks per view) whose unit of randomisation is the user, by the delta method."""
    (ratio_c, variance_c), (ratio_t, variance_t) = ratio_variance(clicks_c, views_c), ratio_variance(clicks_t, views_t)
    difference, se = ratio_t - ratio_c, np.sqrt(variance_c + variance_t)
    z = np.divide(difference, se, out=np.zeros(np.shape(se)), where=se > 0)
    return Comparison(difference, se, 2 * ndtr(-np.abs(z)))


def cuped(y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """y − θ (x − mean x) with θ = Cov(x, y) / Var(x), and θ (Deng et al. 2013): a share ρ² of the variance goes away.

    y: (..., n), the metric of all users of both groups; x: (..., n), a covariate of the same users from *before* the
    test, which the treatment cannot have changed. θ is one number for both groups, so the difference stays unbiased.
    """
    y, x = _values(2, y=y), _values(2, x=x)
    if y.shape != x.shape:
        raise CourseError(f"CUPED needs y and x of the same users; got shapes {y.shape} and {x.shape}.")
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = (centred**2).sum(axis=-1, keepdims=True)
    if not (variance > 0).all():
        raise CourseError("The covariate x is the same for every user: it explains nothing, so leave CUPED out.")
    theta = (centred * y).sum(axis=-1, keepdims=True) / variance
    return y - theta * centred, theta[..., 0]


# Around the test: is the split right, and how many questions were asked


def srm_p(counts: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """p-value of a sample-ratio mismatch: χ² = Σ (count − expected)² / expected. counts: (..., K); shares: (K,).

    Small (below .001, say) means that users were lost or counted twice on the way, and no other number is to be read.
    """
    counts, shares = checked_counts(counts, shares)
    return stats.chisquare(counts, counts.sum(axis=-1, keepdims=True) * shares, axis=-1).pvalue


def checked_counts(counts: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts of users (..., K) and the shares they were meant to have (K,), or CourseError."""
    counts, shares = (inputs.array("Counts and shares", part, finite=False) for part in (counts, shares))
    if shares.ndim != 1 or len(shares) < 2 or not (shares > 0).all() or not np.isclose(shares.sum(), 1):
        raise CourseError(f"The shares of at least two groups are above 0 and sum to 1; got {shares.tolist()}.")
    if counts.shape[-1:] != shares.shape or not (np.isfinite(counts) & (counts >= 0)).all():
        raise CourseError(f"Counts are at least 0, one for each of {len(shares)} groups; got shape {counts.shape}.")
    if not (counts.sum(axis=-1) > 0).all():
        raise CourseError("All groups are empty: count again once somebody has come.")
    return counts, shares


def corrected(p: np.ndarray, method: Correction) -> np.ndarray:
    """Adjusted p-values of M questions asked of one experiment, to be compared with the level. p: (..., M).

    bonferroni: M p. holm (1979): the k-th smallest times M − k + 1, never less than the one before. Both keep the
    chance of *any* false alarm. benjamini-hochberg (1995) keeps the expected share of false alarms among all alarms.
    """
    p = _values(1, p=p)
    if not ((p >= 0) & (p <= 1)).all():
        raise CourseError(f"A p-value lies between 0 and 1; got {_first(p, (p >= 0) & (p <= 1))}.")
    if method not in get_args(Correction):
        raise CourseError(f"Unknown correction {method!r}: choose one of {', '.join(get_args(Correction))}.")
    if method == "benjamini-hochberg":
        return stats.false_discovery_control(p, axis=-1)
    if method == "bonferroni":
        return np.minimum(1, p * p.shape[-1])
    if method == "none":
        return p
    order = np.argsort(p, axis=-1)
    stepped = np.take_along_axis(p, order, axis=-1) * np.arange(p.shape[-1], 0, -1)
    rising = np.minimum(1, np.maximum.accumulate(stepped, axis=-1))
    return np.take_along_axis(rising, np.argsort(order, axis=-1), axis=-1)


def share(hits: np.ndarray) -> Interval:
    """How often something happened in simulated runs, with Wilson's (1927) 95 % interval. hits: (runs,) booleans."""
    hits = np.asarray(hits)
    if hits.ndim != 1 or not len(hits) or hits.dtype != bool:
        raise CourseError(f"share() counts booleans, one for each run; got {hits.dtype} of shape {hits.shape}.")
    found = stats.binomtest(int(hits.sum()), len(hits)).proportion_ci(method="wilson")
    return Interval(float(hits.mean()), float(found.low), float(found.high))


def random_halves(n: int, runs: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """``runs`` random splits of n users into two groups: (runs, n // 2) and (runs, n − n // 2), users' numbers.

    n: ≥ 2. runs: ≥ 1.
    """
    if inputs.whole("n", n) < 2 or inputs.whole("runs", runs) < 1:
        raise CourseError(f"Two groups need at least two users, and there is at least one run; got {n} and {runs}.")
    order = rng.permuted(np.tile(np.arange(n), (runs, 1)), axis=1)
    return order[:, : n // 2], order[:, n // 2 :]


def inside(name: str, value: float) -> float:
    """``value`` if it lies strictly between 0 and 1; otherwise CourseError."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real) or not 0 < value < 1:  # also catches NaN
        raise CourseError(f"{name} lies between 0 and 1, both excluded; got {value}.")
    return float(value)


def _users(n: int) -> int:
    if not inputs.number("n", n) >= 1:
        raise CourseError(f"A group has at least one user; got {n}.")
    return n


def _values(at_least: int, **named: Any) -> np.ndarray:
    """The one array in ``named`` as floats, if it has enough values on its last axis and no NaN."""
    ((name, given),) = named.items()
    values = inputs.array(name, given, finite=False)
    if values.ndim < 1 or values.shape[-1] < at_least:
        raise CourseError(f"{name} needs at least {at_least} values in each group; got shape {values.shape}.")
    if not np.isfinite(values).all():
        raise CourseError(f"{name} has a missing or infinite value: drop those users, or say what they count for.")
    return values


def _first(values: np.ndarray, good: np.ndarray) -> float:
    """The first value that is not good, to be named in a message."""
    values, good = np.broadcast_arrays(values, good & np.isfinite(values))
    return float(values[~good][0])
