import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from course_lib.errors import CourseError
from course_lib.evaluation import classification, significance
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
    with pytest.raises(CourseError, match="No user"):
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
    with pytest.raises(CourseError, match="belong together"):
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
    with pytest.raises(CourseError, match="Two models make a pair"):
        compare_pairs({"a": np.ones(3)}, seed=0)


def at_once(values: np.ndarray, seed: int, n_resamples: int) -> tuple[float, float]:
    """The interval from the whole matrix of resamples."""
    n = len(values)
    W = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), n_resamples)
    return tuple(np.quantile(W @ values / n, [0.025, 0.975]))


@pytest.mark.parametrize("block", [7, 100, 10**6])
def test_resamples_in_blocks_are_the_same_numbers_as_at_once(block, monkeypatch):
    monkeypatch.setattr(significance, "BLOCK", block)
    a, b = np.random.default_rng(6).normal(size=(2, 41))
    interval = bootstrap_interval(a, seed=9, n_resamples=60)
    assert (interval.low, interval.high) == pytest.approx(at_once(a, 9, 60), rel=1e-12)
    signs = np.random.default_rng(9).choice([-1.0, 1.0], size=(60, 41))
    extreme = np.abs(signs @ (a - b)) >= abs((a - b).sum()) - 1e-12
    assert paired_difference(a, b, seed=9, n_resamples=60)[1] == (extreme.sum() + 1) / 61
    groups = np.repeat(np.arange(20), 3)
    W = np.concatenate(list(classification.resamples(60, 3, groups, 50)))
    whole = np.random.default_rng(3).multinomial(20, np.full(20, 0.05), 50)[:, groups]
    assert (whole == W).all()


def megabytes(work: Callable[[], object]) -> float:
    """The most memory that ``work()`` holds at a time."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def test_memory_does_not_grow_with_users_times_resamples():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 200_000))
    assert megabytes(lambda: bootstrap_interval(a, 0, 100)) < 100  # the whole matrix is 160 MB, 1.6 GB for 1000
    assert megabytes(lambda: paired_difference(a, b, 0, 100)) < 100
    y, P = rng.integers(2, size=20_000), rng.dirichlet([1, 1], 20_000)
    assert megabytes(lambda: classification.paired_difference(P, P, y, "accuracy", 0)) < 100
    users = rng.integers(3000, size=20_000)
    assert megabytes(lambda: classification.compare({"m": P}, y, 0, users, metrics=("accuracy",))) < 100
