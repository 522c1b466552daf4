import numpy as np
import pytest
from scipy import stats

from course_lib.evaluation.significance import bootstrap_interval, compare_pairs, paired_difference


def test_the_interval_agrees_with_the_normal_one_for_many_users():
    values = np.random.default_rng(0).normal(2, 3, size=4000)
    interval = bootstrap_interval(values, seed=0)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert interval.mean == pytest.approx(values.mean())
    assert (interval.low, interval.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.1 * half)


def test_the_interval_agrees_with_scipys_bootstrap():
    values = np.random.default_rng(1).exponential(size=300)
    ours = bootstrap_interval(values, seed=0, n_resamples=5000)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=5000, rng=2).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_the_interval_covers_the_truth_about_95_times_in_100():
    rng = np.random.default_rng(2)
    intervals = [bootstrap_interval(rng.normal(size=60), seed=k, n_resamples=300) for k in range(400)]
    assert 0.90 <= np.mean([i.low <= 0 <= i.high for i in intervals]) <= 0.98


def test_users_without_a_value_do_not_count():
    assert bootstrap_interval(np.array([1.0, np.nan, 3.0]), seed=0).mean == 2
    with pytest.raises(ValueError, match="No user"):
        bootstrap_interval(np.array([np.nan]), seed=0)


def test_pairing_sees_a_small_difference_that_separate_intervals_hide():
    rng = np.random.default_rng(3)
    easy_or_hard = rng.normal(size=500)
    a, b = easy_or_hard + 0.05 + rng.normal(0, 0.1, 500), easy_or_hard + rng.normal(0, 0.1, 500)
    difference, p = paired_difference(a, b, seed=0)
    assert difference.low > 0 and p < 0.01
    assert bootstrap_interval(a, 0).low < bootstrap_interval(b, 0).high


def test_no_difference_gives_uniform_p_values():
    rng = np.random.default_rng(4)
    ps = [paired_difference(rng.normal(size=80), rng.normal(size=80), seed=k, n_resamples=200)[1] for k in range(300)]
    assert stats.kstest(ps, "uniform").pvalue > 0.001
    assert np.mean(np.array(ps) < 0.05) < 0.09


def test_the_p_value_agrees_with_the_t_test():
    rng = np.random.default_rng(5)
    a = rng.normal(0.15, 1, 200)
    assert paired_difference(a, np.zeros(200), 0, 5000)[1] == pytest.approx(stats.ttest_1samp(a, 0).pvalue, abs=0.02)


def test_values_of_different_users_are_refused():
    with pytest.raises(ValueError, match="same users"):
        paired_difference(np.zeros(3), np.zeros(4), seed=0)


def test_all_pairs_are_compared_once_and_corrected_together():
    rng = np.random.default_rng(0)
    base = rng.random(300)
    values = {"a": base + 0.2, "b": base + rng.normal(0, 0.1, 300), "c": base + rng.normal(0, 0.1, 300)}
    table = compare_pairs(values, seed=1)
    assert list(table.index) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert table.loc[("a", "b"), "mean"] == pytest.approx((values["a"] - values["b"]).mean())
    interval, p = paired_difference(values["b"], values["c"], seed=1)
    assert (
        table.loc[("b", "c"), ["mean", "low", "high", "p"]] == [interval.mean, interval.low, interval.high, p]
    ).all()
    ordered = np.sort(table["p"])  # Benjamini & Hochberg by hand: p times pairs over place, made monotone from above
    by_hand = np.minimum.accumulate((ordered * 3 / np.arange(1, 4))[::-1])[::-1]
    np.testing.assert_allclose(np.sort(table["p_corrected"]), by_hand)


def test_one_model_has_nothing_to_be_compared_with():
    with pytest.raises(ValueError, match="Two models make a pair"):
        compare_pairs({"a": np.ones(3)}, seed=0)
