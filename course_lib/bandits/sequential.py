"""Looking at a test while it runs: peeking, always-valid p-values, planned looks, and traffic that follows the clicks.

A test is looked at L times. ``difference`` and ``se`` are (..., L): the estimate from all data up to each look, and its
standard error. It may be a difference of click rates, of means, of ratios or of CUPED's values: only its being normal
for the data that a look holds is used.
"""

from typing import Literal, get_args

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaln

from course_lib import inputs
from course_lib.bandits.ab_test import checked_counts, inside
from course_lib.bandits.checks import checked_rates
from course_lib.bandits.policies import Policy, best
from course_lib.errors import CourseError

Boundary = Literal["pocock", "obrien-fleming"]


def _checked(difference: np.ndarray, se: np.ndarray, tau: float) -> tuple[np.ndarray, np.ndarray]:
    difference, se = (inputs.array("difference and se", part, finite=False) for part in (difference, se))
    if difference.shape != se.shape or difference.ndim < 1 or not difference.shape[-1]:
        raise CourseError(f"difference and se have one value for each look; got {difference.shape} and {se.shape}.")
    if not (np.isfinite(difference) & np.isfinite(se) & (se > 0)).all():
        raise CourseError("A look has no difference, or a standard error that is not above 0: begin with more data.")
    if not 1e-100 < inputs.number("tau", tau) < 1e100:
        raise CourseError(f"tau, the size of difference to watch for, is above 0; got {tau}.")
    return difference, se


def always_valid_p(difference: np.ndarray, se: np.ndarray, tau: float) -> np.ndarray:
    """Always-valid p-values of the mixture SPRT (Robbins 1970; Johari et al. 2017), (..., L).

    The likelihood of the data if the true difference is drawn from N(0, tau²), over their likelihood if it is 0:
    Λ = √(se² / (se² + tau²)) · exp(difference² tau² / (2 se² (se² + tau²))).
    Without a difference Λ is a martingale that starts at 1, so it *ever* exceeds 1/α with probability at most α
    (Ville 1939). The p-value at a look is the smallest 1/Λ so far: it never rises, and you may stop when you like.
    se, tau: > 0.
    """
    difference, se = _checked(difference, se, tau)
    v = se**2
    log_lambda = 0.5 * np.log(v / (v + tau**2)) + difference**2 * tau**2 / (2 * v * (v + tau**2))
    return np.exp(-np.maximum.accumulate(np.maximum(log_lambda, 0), axis=-1))


def confidence_sequence(
    difference: np.ndarray, se: np.ndarray, tau: float, alpha: float = 0.05
) -> tuple[np.ndarray, np.ndarray]:
    """Low and high ends, (..., L) each, that hold the true difference at *all* looks with probability 1 − alpha.

    All values that the mixture SPRT has not refused at this look: difference ± se √((se² + tau²)/tau² ·
    (ln((se² + tau²)/se²) + 2 ln(1/α)))   (Robbins 1970; Howard et al. 2021). se, tau: > 0; alpha: above 0, below 1.
    """
    difference, se = _checked(difference, se, tau)
    v = se**2
    width = np.sqrt(v * (v + tau**2) / tau**2 * (np.log((v + tau**2) / v) - 2 * np.log(inside("alpha", alpha))))
    return difference - width, difference + width


def always_valid_srm(counts: np.ndarray, shares: np.ndarray, strength: float = 10_000) -> np.ndarray:
    """Always-valid p-values of a sample-ratio mismatch, (..., L), exact at any size (Lindon & Malek 2022).

    1/Λ with Λ the likelihood of the users' groups if their shares are drawn from a Dirichlet around ``shares`` with
    weight ``strength`` > 0, over their likelihood with ``shares`` itself. counts: (..., L, K), users so far at each
    look; shares: (K,), above 0, of sum 1.
    """
    counts, shares = checked_counts(counts, shares)
    strength = inputs.number("strength", strength, below=1e12)
    if not strength > 0 or counts.ndim < 2 or (np.diff(counts, axis=-2) < 0).any():
        raise CourseError("Counts are sums up to each look, so they never fall, and strength is above 0.")
    prior = strength * shares
    log_lambda = gammaln(strength) - gammaln(strength + counts.sum(-1)) + (gammaln(prior + counts)).sum(-1)
    log_lambda = log_lambda - gammaln(prior).sum() - (counts * np.log(shares)).sum(-1)
    return np.exp(-np.maximum.accumulate(np.maximum(log_lambda, 0), axis=-1))


def boundary(looks: int, kind: Boundary, alpha: float = 0.05) -> np.ndarray:
    """Critical values of |z| at each of ``looks`` equally spaced, planned looks, (looks,).

    pocock (1977): the same at every look. obrien-fleming (1979): c √(looks / k) at look k, hard to cross early. The
    constant makes the chance of crossing at any look exactly ``alpha`` if there is no difference. looks: 1 to 1000;
    alpha: from 1e-9, below 1.
    """
    inputs.whole("looks", looks, at_most=1000)
    if inside("alpha", alpha) < 1e-9:
        raise CourseError(f"alpha is at least 1e-9; got {alpha}.")
    if looks < 1 or kind not in get_args(Boundary):
        raise CourseError(f"A boundary has a look or more and is one of {', '.join(get_args(Boundary))}; got {kind!r}.")
    k = np.arange(1, looks + 1)
    shape = np.ones(looks) if kind == "pocock" else np.sqrt(looks / k)
    return shape * brentq(lambda c: crossing_probability(c * shape) - inside("alpha", alpha), 0.01, 20, xtol=1e-6)


def crossing_probability(critical: np.ndarray, nodes: int = 101) -> float:
    """Chance that |z| ever exceeds ``critical`` (looks,), at equally spaced looks and without a difference.

    Recursion of Armitage, McPherson & Rowe (1969): the sum S_k = √k z_k of k normal steps that has not crossed has the
    density f_k(s) = ∫ f_{k−1}(u) φ(s − u) du between the bounds; what is left of it in the end has not crossed.
    critical: ≥ 0. nodes: of the integration, 1 to 10,000; with few of them the result is rough.
    """
    critical = inputs.array("critical", critical, ndim=1)
    if not len(critical) or (critical < 0).any():
        raise CourseError("critical holds a bound of at least 0 for each look, of which there is one or more.")
    x, weights = np.polynomial.legendre.leggauss(inputs.whole("nodes", nodes, at_least=1, at_most=10_000))
    bounds = critical * np.sqrt(np.arange(1, len(critical) + 1))  # of S_k
    s, mass = np.zeros(1), np.ones(1)  # S_0 is 0
    for b in bounds:
        step = np.exp(-((b * x[:, None] - s) ** 2) / 2) / np.sqrt(2 * np.pi)  # (nodes, nodes before)
        s, mass = b * x, b * weights * (step @ mass)
    return float(1 - mass.sum())


def first_look(crossed: np.ndarray) -> np.ndarray:
    """Number of the first look (from 1) at which each run stops, (...); 0 for runs that never do.

    crossed: (..., L), True or False.
    """
    crossed = np.asarray(crossed)
    if crossed.dtype != bool or not crossed.ndim or not crossed.shape[-1]:
        raise CourseError(f"crossed is True or False at each look; got {crossed.dtype} of shape {crossed.shape}.")
    return np.where(crossed.any(axis=-1), crossed.argmax(axis=-1) + 1, 0)


def allocate(
    policy: Policy, click_rates: np.ndarray, days: int, visitors: int, runs: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Let ``policy`` divide the traffic: cumulative clicks and plays at the end of each day, both (runs, days, A).

    A day has 100 groups of ``visitors`` / 100 people. The policy chooses once for each group, from what was known the
    evening before, as where the model is updated at night. days, runs: ≥ 1. visitors: a multiple of 100.
    """
    p, groups = checked_rates(click_rates), 100
    for name, value in (("days", days), ("visitors", visitors), ("runs", runs)):
        inputs.whole(name, value)
    if days < 1 or runs < 1 or visitors < groups or visitors % groups:
        raise CourseError(f"allocate needs a day, a run and visitors in hundreds; got {days}, {runs} and {visitors}.")
    order = rng.permuted(np.tile(np.arange(len(p)), (runs, 1)), axis=1)  # as in `simulate`: ties favour no arm
    clicks, plays = np.zeros((runs, days + 1, len(p))), np.zeros((runs, days + 1, len(p)))
    for day in range(days):
        known_clicks, known_plays = (np.repeat(counts[:, day], groups, axis=0) for counts in (clicks, plays))
        chosen = best(policy.scores(known_clicks, known_plays, rng)).reshape(runs, groups)
        shown = (chosen[..., None] == np.arange(len(p))).sum(axis=1) * (visitors // groups)  # (runs, A)
        plays[:, day + 1] = plays[:, day] + shown
        clicks[:, day + 1] = clicks[:, day] + rng.binomial(shown, p[order])
    back = np.argsort(order, axis=1)[:, None]
    return np.take_along_axis(clicks[:, 1:], back, axis=2), np.take_along_axis(plays[:, 1:], back, axis=2)
