"""A/B tests of a fixed length: formulas against exact sums and scipy, false alarms counted, nonsense refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from course_lib.bandits.ab_test import (
    corrected,
    cuped,
    inside,
    mean_test,
    power_proportions,
    random_halves,
    ratio_test,
    ratio_variance,
    sample_size_means,
    sample_size_proportions,
    share,
    srm_p,
    z_test,
)
from course_lib.errors import CourseError

NAN = float("nan")


def test_sample_sizes_are_those_of_the_tables():
    assert sample_size_proportions(0.5, 0.75, power=0.9) == 77  # R: power.prop.test, 76.7
    assert sample_size_proportions(0.5, 0.6) == 388  # R: 387.3
    assert sample_size_means(sd=1, difference=1, power=0.9) == 22  # 2 (1.95996 + 1.28155)² = 21.01
    assert sample_size_means(sd=1, difference=-1, power=0.9) == 22


@pytest.mark.parametrize(("p_c", "p_t", "n"), [(0.3, 0.4, 300), (0.1, 0.14, 700), (0.5, 0.5001, 200)])
def test_power_is_that_of_the_exact_sum_over_all_outcomes(p_c, p_t, n):
    counts = np.arange(n + 1)
    chance = stats.binom.pmf(counts, n, p_c)[:, None] * stats.binom.pmf(counts, n, p_t)
    rejected = z_test(counts[:, None], n, counts, n).p < 0.05
    assert power_proportions(p_c, p_t, n) == pytest.approx((chance * rejected).sum(), abs=0.01)


def test_power_is_that_of_scipys_simulation():
    found = stats.power(
        lambda x, y, axis: mean_test(x, y).p,
        (stats.norm(0, 2).rvs, stats.norm(0.5, 2).rvs),
        (sample_size_means(2, 0.5),) * 2,
        significance=0.05,
        n_resamples=4000,
    )
    assert found.power == pytest.approx(0.8, abs=0.025)


@settings(max_examples=60, deadline=None)
@given(p=st.floats(0.01, 0.6), lift=st.floats(0.05, 0.5), power=st.floats(0.2, 0.99))
def test_the_sample_size_has_its_power_and_one_user_less_has_not(p, lift, power):
    n = sample_size_proportions(p, p * (1 + lift), power=power)
    assert power_proportions(p, p * (1 + lift), n) >= power - 1e-9
    assert n == 1 or power_proportions(p, p * (1 + lift), n - 1) < power + 0.002  # the other tail is counted, too


@settings(max_examples=60, deadline=None)
@given(n=st.tuples(st.integers(5, 400), st.integers(5, 400)), part=st.tuples(st.floats(0.1, 0.9), st.floats(0.1, 0.9)))
def test_z_test_is_the_chi_square_test_of_two_by_two(n, part):
    clicks = [max(1, min(size - 1, round(size * p))) for size, p in zip(n, part, strict=True)]
    table = [[clicks[0], n[0] - clicks[0]], [clicks[1], n[1] - clicks[1]]]
    ours = z_test(clicks[0], n[0], clicks[1], n[1])
    assert ours.p == pytest.approx(stats.chi2_contingency(table, correction=False).pvalue, abs=1e-12)
    assert ours.difference == pytest.approx(clicks[1] / n[1] - clicks[0] / n[0])


def test_z_test_by_hand_and_where_nothing_speaks():
    result = z_test([10, 0, 50], [100, 100, 50], [20, 0, 50], [100, 100, 50])
    z = 0.1 / np.sqrt(0.15 * 0.85 * 2 / 100)
    np.testing.assert_allclose(result.p, [2 * stats.norm.sf(z), 1, 1])
    np.testing.assert_allclose(result.se[0], np.sqrt((0.1 * 0.9 + 0.2 * 0.8) / 100))
    low, high = result.interval(0.9)
    assert (low[0], high[0]) == pytest.approx((0.1 - 1.6448536 * result.se[0], 0.1 + 1.6448536 * result.se[0]))


def test_mean_test_is_welchs_and_takes_many_experiments_at_once():
    rng = np.random.default_rng(1)
    a, b = rng.normal(0, 1, (5, 30)), rng.normal(0.3, 2, (5, 40))
    ours = mean_test(a, b)
    for run in range(5):
        theirs = stats.ttest_ind(b[run], a[run], equal_var=False)
        assert ours.p[run] == pytest.approx(theirs.pvalue)
        assert ours.difference[run] / ours.se[run] == pytest.approx(theirs.statistic)


def test_ratio_variance_by_hand_and_with_one_view_a_user_it_is_the_binomial_one():
    ratio, variance = ratio_variance(np.array([1.0, 0.0, 2.0]), np.array([2.0, 1.0, 3.0]))
    residual = np.array([1, 0, 2]) - 0.5 * np.array([2, 1, 3])
    assert (ratio, variance) == pytest.approx((0.5, residual.var(ddof=1) / 3 / 4))
    clicks = np.random.default_rng(2).random(400) < 0.3
    ratio, variance = ratio_variance(clicks, np.ones(400))
    assert variance == pytest.approx(ratio * (1 - ratio) / 399)


def clustered(runs, users, seed):
    """Users with rates and activity of their own: clicks and views, (runs, users) each."""
    rng = np.random.default_rng(seed)
    views = 1 + rng.poisson(rng.exponential(20, (runs, users)))
    return rng.binomial(views, rng.beta(2, 6, (runs, users))).astype(float), views.astype(float)


def test_ratio_variance_is_the_variance_over_repeated_experiments():
    ratio, variance = ratio_variance(*clustered(4000, 300, seed=3))
    assert variance.mean() == pytest.approx(ratio.var(), rel=0.1)


def test_views_as_units_raise_false_alarms_and_users_as_units_do_not():
    (clicks_c, views_c), (clicks_t, views_t) = clustered(3000, 300, seed=4), clustered(3000, 300, seed=5)
    naive = share(z_test(clicks_c.sum(1), views_c.sum(1), clicks_t.sum(1), views_t.sum(1)).p < 0.05)
    right = share(ratio_test(clicks_c, views_c, clicks_t, views_t).p < 0.05)
    assert naive.low > 0.3
    assert right.low < 0.055 and right.high > 0.045 and right.high < 0.07


def test_p_values_of_a_a_tests_are_uniform():
    rng = np.random.default_rng(6)
    clicks = rng.binomial(200_000, 0.3, (2, 5000))
    assert stats.kstest(z_test(clicks[0], 200_000, clicks[1], 200_000).p, "uniform").pvalue > 0.001
    values = rng.exponential(size=(2, 5000, 200))
    assert stats.kstest(mean_test(*values).p, "uniform").pvalue > 0.001


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), slope=st.floats(-3, 3), n=st.integers(5, 60))
def test_cuped_keeps_the_mean_and_removes_the_share_rho_squared(seed, slope, n):
    x, noise = np.random.default_rng(seed).normal(size=(2, n))
    y = slope * x + noise
    adjusted, theta = cuped(y, x)
    rho2 = np.corrcoef(x, y)[0, 1] ** 2
    assert adjusted.mean() == pytest.approx(y.mean(), abs=1e-9)
    assert adjusted.var() == pytest.approx((1 - rho2) * y.var(), rel=1e-6)
    assert theta == pytest.approx(stats.linregress(x, y).slope, rel=1e-6)


def test_cuped_finds_the_effect_more_often_and_unbiased():
    rng = np.random.default_rng(7)
    x, noise = rng.normal(size=(2, 3000, 200))
    y = x + noise  # ρ² = ½
    y[:, 100:] += 0.4
    adjusted, _ = cuped(y, x)
    plain, better = mean_test(y[:, :100], y[:, 100:]), mean_test(adjusted[:, :100], adjusted[:, 100:])
    assert better.difference.mean() == pytest.approx(0.4, abs=0.015)
    assert better.difference.var() == pytest.approx(0.5 * plain.difference.var(), rel=0.12)
    assert (better.p < 0.05).mean() > (plain.p < 0.05).mean() + 0.15


def test_srm_by_hand_and_its_false_alarms():
    assert srm_p([5200, 4800], [0.5, 0.5]) == pytest.approx(stats.chi2.sf(200**2 / 5000 * 2, 1))
    assert srm_p([10, 0], [0.5, 0.5]) < 0.01 < srm_p([9000, 1000], [0.9, 0.1]) == 1
    counts = np.random.default_rng(8).multinomial(10_000, [0.2, 0.3, 0.5], 5000)
    alarms = share(srm_p(counts, [0.2, 0.3, 0.5]) < 0.05)
    assert 0.043 < alarms.mean < 0.058
    assert (srm_p(counts, [0.25, 0.25, 0.5]) < 1e-6).all()


def test_corrections_by_hand():
    p = np.array([0.01, 0.04, 0.03, 0.005])
    np.testing.assert_allclose(corrected(p, "bonferroni"), [0.04, 0.16, 0.12, 0.02])
    np.testing.assert_allclose(corrected(p, "holm"), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(corrected(p, "benjamini-hochberg"), [0.02, 0.04, 0.04, 0.02])
    assert (corrected(p, "none") == p).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_corrections_are_ordered_and_keep_the_order_of_the_questions(p):
    bonferroni, holm, bh = (corrected(p, m) for m in ("bonferroni", "holm", "benjamini-hochberg"))
    assert (p <= bh + 1e-12).all() and (bh <= holm + 1e-12).all() and (holm <= bonferroni + 1e-12).all()
    order = np.argsort(p)
    assert (np.diff(holm[order]) >= -1e-12).all()
    np.testing.assert_allclose(corrected([p, p], "holm"), [holm, holm])


def test_family_wise_error_is_what_each_correction_promises():
    p = np.random.default_rng(9).random((20_000, 20))
    alarm = {m: share((corrected(p, m) < 0.05).any(1)) for m in ("none", "bonferroni", "holm", "benjamini-hochberg")}
    assert alarm["none"].mean == pytest.approx(1 - 0.95**20, abs=0.015)
    for method in ("bonferroni", "holm", "benjamini-hochberg"):
        assert alarm[method].low < 0.0505 and alarm[method].high > 0.045


def test_share_is_wilsons_interval():
    none = share(np.zeros(10, dtype=bool))
    assert (none.mean, none.low, none.high) == pytest.approx((0, 0, 0.2775), abs=1e-4)


def test_halves_hold_everybody_once_and_differ_between_runs():
    control, treatment = random_halves(7, 20, np.random.default_rng(0))
    both = np.sort(np.concatenate([control, treatment], axis=1), axis=1)
    assert control.shape == (20, 3) and (both == np.arange(7)).all()
    assert len(np.unique(control, axis=0)) > 5


USERS = np.array([1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: z_test(11, 10, 1, 10), "control group has 11.0 clicks"),
        (lambda: z_test(1, 10, -1, 10), "treatment group has -1.0 clicks"),
        (lambda: z_test(1, 10, NAN, 10), "treatment group has nan clicks"),
        (lambda: z_test(0, 0, 1, 10), "control group has 0.0 users"),
        (lambda: z_test(0, NAN, 1, 10), "control group has nan users"),
        (lambda: sample_size_proportions(0.1, 0.1), "not there"),
        (lambda: sample_size_proportions(0, 0.1), "p_control lies between"),
        (lambda: sample_size_proportions(0.1, 0.2, alpha=0), "alpha lies between"),
        (lambda: sample_size_proportions(0.1, 0.2, power=1.2), "power lies between"),
        (lambda: sample_size_proportions(0.1, NAN), "p_treatment lies between"),
        (lambda: power_proportions(0.1, 0.2, 0), "at least one user"),
        (lambda: sample_size_means(0, 1), "sd above 0"),
        (lambda: sample_size_means(1, 0), "not 0"),
        (lambda: sample_size_means(1, NAN), "difference is a number; got nan"),
        (lambda: mean_test(USERS, [1.0, NAN, 2.0]), "missing or infinite"),
        (lambda: mean_test([], USERS), "at least 2 values"),
        (lambda: mean_test(USERS, [1.0]), "at least 2 values"),
        (lambda: ratio_test(USERS, USERS, USERS, [0, 0, 0]), "somebody in the group"),
        (lambda: ratio_test(USERS, USERS, USERS, [-1, 2, 2]), "somebody in the group"),
        (lambda: ratio_test(USERS, USERS[:2], USERS, USERS), "same users"),
        (lambda: cuped(USERS, [1, 1, 1]), "explains nothing"),
        (lambda: cuped(USERS, [1, 2]), "same users"),
        (lambda: cuped(USERS, [1, 2, NAN]), "missing or infinite"),
        (lambda: srm_p([5, 5], [0.5, 0.6]), "sum to 1"),
        (lambda: srm_p([5, 5], [1.0, 0.0]), "above 0"),
        (lambda: srm_p([5, -5], [0.5, 0.5]), "at least 0"),
        (lambda: srm_p([5, 5, 5], [0.5, 0.5]), "one for each of 2 groups"),
        (lambda: srm_p([0, 0], [0.5, 0.5]), "All groups are empty"),
        (lambda: corrected([0.1, 1.2], "holm"), "between 0 and 1; got 1.2"),
        (lambda: corrected([0.1, NAN], "holm"), "missing or infinite"),
        (lambda: corrected([], "holm"), "at least 1 values"),
        (lambda: corrected([0.1], "sidak"), "Unknown correction 'sidak'"),
        (lambda: share(np.array([0.1])), "counts booleans"),
        (lambda: share(np.zeros(0, dtype=bool)), "counts booleans"),
        (lambda: random_halves(1, 5, np.random.default_rng(0)), "at least two users"),
        (lambda: inside("level", NAN), "level lies between"),
        (lambda: z_test(1, 10, 2, 10).interval(95), "level lies between"),
    ],
)
def test_nonsense_is_refused_in_one_sentence(call, words):
    with pytest.raises(CourseError, match=words):
        call()
