"""Looking at a running test: what peeking costs, what stays valid, and that the bounds are those of the books."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad

from course_lib.bandits.ab_test import share, srm_p
from course_lib.bandits.policies import EpsilonGreedy, ThompsonSampling, Uniform
from course_lib.bandits.sequential import (
    allocate,
    always_valid_p,
    always_valid_srm,
    boundary,
    confidence_sequence,
    crossing_probability,
    first_look,
)
from course_lib.errors import CourseError


def running_means(runs, looks, truth, seed):
    """Estimates of ``truth`` from 1 .. looks standard normal values, (runs, looks), and their standard errors."""
    n = np.arange(1, looks + 1)
    steps = np.random.default_rng(seed).normal(truth, 1, (runs, looks))
    return steps.cumsum(axis=1) / n, np.broadcast_to(1 / np.sqrt(n), (runs, looks))


@settings(max_examples=50, deadline=None)
@given(difference=st.floats(-3, 3), se=st.floats(0.2, 2), tau=st.floats(0.2, 2))
def test_the_mixture_is_the_integral_it_stands_for(difference, se, tau):
    density = stats.norm.pdf
    mixed, _ = quad(
        lambda theta: density(difference, theta, se) * density(theta, 0, tau), -20, 20, points=[0, difference]
    )
    p = always_valid_p([difference], [se], tau)
    assert p[0] == pytest.approx(min(1, density(difference, 0, se) / mixed), rel=1e-5)


def test_peeking_raises_false_alarms_and_the_always_valid_test_does_not_even_at_every_value():
    difference, se = running_means(6000, 400, 0.0, seed=1)
    peeking = share((2 * stats.norm.sf(np.abs(difference / se)) < 0.05).any(axis=1))
    valid = share(always_valid_p(difference, se, tau=0.2)[:, -1] < 0.05)
    assert peeking.low > 0.4
    assert valid.low > 0.005 and valid.high < 0.05


def test_always_valid_p_never_rises_and_finds_what_is_there():
    p = always_valid_p(*running_means(500, 200, 0.4, seed=2), tau=0.4)
    assert (np.diff(p, axis=1) <= 0).all() and (p <= 1).all()
    assert (p[:, -1] < 0.05).mean() > 0.95


def test_confidence_sequence_holds_the_truth_at_all_looks_at_once():
    low, high = confidence_sequence(*running_means(4000, 300, 0.3, seed=3), tau=0.3, alpha=0.1)
    assert share(((low <= 0.3) & (high >= 0.3)).all(axis=1)).low > 0.9
    assert (np.diff(high - low, axis=1) < 0).all()


@given(difference=st.floats(-5, 5), se=st.floats(0.1, 2), tau=st.floats(0.1, 2), alpha=st.floats(0.01, 0.5))
def test_the_sequence_leaves_out_zero_exactly_where_the_p_value_is_below_alpha(difference, se, tau, alpha):
    low, high = confidence_sequence([difference], [se], tau, alpha)
    p = always_valid_p([difference], [se], tau)[0]
    if abs(p - alpha) > 1e-9:
        assert (low[0] <= 0 <= high[0]) == (p > alpha)


@pytest.mark.parametrize(
    ("looks", "pocock", "obrien_fleming"), [(1, 1.960, 1.960), (2, 2.178, 1.977), (5, 2.413, 2.040), (10, 2.555, 2.087)]
)
def test_boundaries_are_those_of_jennison_and_turnbull(looks, pocock, obrien_fleming):
    np.testing.assert_allclose(boundary(looks, "pocock"), pocock, atol=6e-4)
    np.testing.assert_allclose(
        boundary(looks, "obrien-fleming"), obrien_fleming * np.sqrt(looks / np.arange(1, looks + 1)), rtol=3e-4
    )


def test_crossing_probability_is_that_of_simulated_walks():
    difference, se = running_means(40_000, 14, 0.0, seed=4)
    z = np.abs(difference / se)
    assert share((z > 1.959964).any(axis=1)).low < crossing_probability(np.full(14, 1.959964))
    assert share((z > 1.959964).any(axis=1)).high > crossing_probability(np.full(14, 1.959964))
    assert crossing_probability(np.array([1.959964])) == pytest.approx(0.05, abs=1e-6)
    assert (z > boundary(14, "obrien-fleming")).any(axis=1).mean() == pytest.approx(0.05, abs=0.005)


def test_srm_bayes_factor_is_the_ratio_of_beta_binomial_and_binomial():
    a, n = np.array([40, 130, 250]), np.array([100, 250, 400])
    ratio = stats.betabinom.pmf(a, n, 30, 70) / stats.binom.pmf(a, n, 0.3)
    p = always_valid_srm(np.stack([a, n - a], axis=-1), np.array([0.3, 0.7]), strength=100)
    np.testing.assert_allclose(p, np.minimum.accumulate(np.minimum(1, 1 / ratio)))


def test_srm_looked_at_after_every_user_is_safe_only_with_the_always_valid_test():
    side = np.random.default_rng(5).random((2000, 400)) < 0.5
    counts = np.stack([side.cumsum(axis=1), (~side).cumsum(axis=1)], axis=-1)
    assert share((srm_p(counts[:, 20:], [0.5, 0.5]) < 0.05).any(axis=1)).low > 0.2
    valid = share(always_valid_srm(counts, [0.5, 0.5], strength=100)[:, -1] < 0.05)
    assert valid.high < 0.05
    lost = np.stack([counts[..., 0], (counts[..., 1] * 0.5).astype(int)], axis=-1)[:, 20:]
    assert (always_valid_srm(lost, [0.5, 0.5], strength=100)[:, -1] < 0.05).mean() > 0.95


def test_first_look_counts_from_one_and_says_zero_for_never():
    crossed = np.array([[False, True, False, True], [False] * 4, [True] * 4])
    assert first_look(crossed).tolist() == [2, 0, 1]


def test_traffic_is_divided_by_hundreds_and_follows_the_clicks():
    rng = np.random.default_rng(6)
    clicks, plays = allocate(ThompsonSampling(), [0.1, 0.2], days=10, visitors=500, runs=200, rng=rng)
    assert clicks.shape == plays.shape == (200, 10, 2)
    assert (plays.sum(axis=2) == 500 * np.arange(1, 11)).all() and (plays % 5 == 0).all()
    assert (np.diff(clicks, axis=1) >= 0).all() and (clicks <= plays).all()
    assert (plays[:, -1, 1] > 0.85 * 5000).mean() > 0.95
    _, even = allocate(Uniform(), [0.1, 0.2], days=10, visitors=500, runs=200, rng=rng)
    assert even[:, -1, 1].mean() == pytest.approx(2500, rel=0.02)


def test_before_anything_is_known_no_arm_is_favoured():
    _, plays = allocate(EpsilonGreedy(0.0), [0.1, 0.1, 0.1], 1, 100, runs=3000, rng=np.random.default_rng(8))
    np.testing.assert_allclose(plays[:, 0].mean(axis=0), 100 / 3, atol=3.5)


def test_traffic_that_follows_the_clicks_biases_the_losers_rate_downwards():
    clicks, plays = allocate(ThompsonSampling(), [0.1, 0.1], 10, 200, runs=2000, rng=np.random.default_rng(7))
    rate = clicks[:, -1, 0] / np.maximum(plays[:, -1, 0], 1)
    assert rate.mean() < 0.1 - 4 * rate.std() / np.sqrt(2000)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: always_valid_p([0.1, 0.2], [0.1], 1), "one value for each look"),
        (lambda: always_valid_p([], [], 1), "one value for each look"),
        (lambda: always_valid_p([0.1, float("nan")], [0.1, 0.1], 1), "A look has no difference"),
        (lambda: always_valid_p([0.1], [0.0], 1), "standard error that is not above 0"),
        (lambda: always_valid_p([0.1], [0.1], 0), "tau"),
        (lambda: confidence_sequence([0.1], [0.1], 1, alpha=5), "alpha lies between"),
        (lambda: boundary(0, "pocock"), "a look or more"),
        (lambda: boundary(3, "haybittle"), "pocock, obrien-fleming"),
        (lambda: boundary(3, "pocock", alpha=0), "alpha lies between"),
        (lambda: always_valid_srm([[5, 5], [4, 9]], [0.5, 0.5]), "never fall"),
        (lambda: always_valid_srm([[5, 5]], [0.5, 0.5], strength=0), "strength is above 0"),
        (lambda: always_valid_srm([[5, 5]], [0.5, 0.4]), "sum to 1"),
        (lambda: allocate(Uniform(), [0.1, 1.1], 1, 100, 1, np.random.default_rng(0)), "click rate"),
        (lambda: allocate(Uniform(), [0.1, 0.1], 1, 150, 1, np.random.default_rng(0)), "in hundreds"),
        (lambda: allocate(Uniform(), [0.1, 0.1], 0, 100, 1, np.random.default_rng(0)), "a day"),
    ],
)
def test_nonsense_is_refused_in_one_sentence(call, words):
    with pytest.raises(CourseError, match=words):
        call()
