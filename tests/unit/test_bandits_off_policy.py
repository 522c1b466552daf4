"""Off-policy estimators: by hand, unbiased where they should be, and clear about bad logs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.bandits.off_policy import (
    bootstrap,
    choice_frequencies,
    direct_method,
    doubly_robust,
    effective_sample_size,
    importance_weights,
    ipw,
    snipw,
)
from course_lib.errors import CourseError

REWARD = np.array([1.0, 0.0, 1.0, 0.0])
W = np.array([2.0, 1.0, 0.5, 0.5])

LOGGING = np.array([0.6, 0.25, 0.1, 0.05])
TARGET = np.array([0.1, 0.2, 0.3, 0.4])
RATES = np.array([0.1, 0.3, 0.5, 0.2])
TRUTH = float(TARGET @ RATES)


def logs(n_logs: int, n_rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    item = rng.choice(4, size=(n_logs, n_rows), p=LOGGING)
    return item, (rng.random(item.shape) < RATES[item]).astype(float)


def test_estimators_by_hand():
    assert importance_weights(np.array([0.5, 0.2]), np.array([0.25, 0.2])).tolist() == [2.0, 1.0]
    assert ipw(REWARD, W) == pytest.approx(2.5 / 4)
    assert snipw(REWARD, W) == pytest.approx(2.5 / 4.0)
    assert snipw(REWARD, 2 * W) == pytest.approx(2.5 / 4.0)  # a scale of the weights does not matter
    assert effective_sample_size(W) == pytest.approx(16 / 5.5)
    q_logged, q_eval = np.array([0.5, 0.5, 0.5, 0.5]), np.array([0.4, 0.4, 0.4, 0.4])
    assert direct_method(q_eval) == pytest.approx(0.4)
    assert doubly_robust(REWARD, W, q_logged, q_eval) == pytest.approx(0.4 + (1.0 - 0.5 + 0.25 - 0.25) / 4)


def test_ipw_is_unbiased_where_the_truth_is_known():
    item, reward = logs(4000, 200)
    values = np.array([ipw(r, importance_weights(TARGET[i], LOGGING[i])) for i, r in zip(item, reward, strict=True)])
    assert abs(values.mean() - TRUTH) < 4 * values.std() / np.sqrt(len(values))


def test_the_plain_average_answers_another_question():
    _, reward = logs(400, 200)
    assert reward.mean() == pytest.approx(LOGGING @ RATES, abs=0.005)
    assert abs(reward.mean() - TRUTH) > 0.1


def test_self_normalising_reduces_the_spread_when_rewards_are_common():
    item, reward = logs(1000, 200)
    reward = 1 - 0.2 * reward  # rewards near one: the weights' luck is what IPW pays for
    weights = [importance_weights(TARGET[i], LOGGING[i]) for i in item]
    plain, normalised = (np.std([f(r, w) for r, w in zip(reward, weights, strict=True)]) for f in (ipw, snipw))
    assert normalised < 0.5 * plain


@pytest.mark.parametrize("wrong", ["weights", "model"])
def test_doubly_robust_survives_one_wrong_part(wrong):
    item, reward = logs(2000, 300)
    q = RATES if wrong == "weights" else np.full(4, 0.9)
    logging = np.full(4, 0.25) if wrong == "weights" else LOGGING
    values = np.array(
        [
            doubly_robust(r, importance_weights(TARGET[i], logging[i]), q[i], np.full(len(i), TARGET @ q))
            for i, r in zip(item, reward, strict=True)
        ]
    )
    assert abs(values.mean() - TRUTH) < 4 * values.std() / np.sqrt(len(values))


def test_evaluating_the_logging_policy_itself_gives_the_mean():
    w = importance_weights(LOGGING, LOGGING)
    assert ipw(REWARD, w) == snipw(REWARD, w) == REWARD.mean()
    assert effective_sample_size(w) == pytest.approx(len(w))


@settings(max_examples=80)
@given(
    st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.floats(0.001, 1), st.floats(0.001, 1)), min_size=1, max_size=40)
)
def test_snipw_stays_a_rate_and_the_effective_size_stays_within_the_rows(rows):
    reward, evaluation, propensity = (np.array(column) for column in zip(*rows, strict=True))
    w = importance_weights(evaluation, propensity)
    assert -1e-12 <= snipw(reward, w) <= 1 + 1e-12
    assert 1 - 1e-9 <= effective_sample_size(w) <= len(w) * (1 + 1e-9)
    assert ipw(reward, w) == pytest.approx(doubly_robust(reward, w, np.zeros(len(w)), np.zeros(len(w))))


def test_one_huge_weight_leaves_one_row():
    assert effective_sample_size(np.array([1e6] + [1.0] * 999)) < 1.01


def test_bootstrap_interval_is_that_of_the_normal_theory_for_a_mean():
    values = np.random.default_rng(3).random(2000)
    interval = bootstrap(lambda x: float(x.mean()), (values,), seed=1, n_resamples=2000)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert interval.mean == values.mean()
    assert interval.high - interval.mean == pytest.approx(half, rel=0.12)
    assert interval == bootstrap(lambda x: float(x.mean()), (values,), seed=1, n_resamples=2000)


def test_bootstrap_keeps_the_columns_of_a_row_together():
    a = np.arange(1.0, 101.0)
    assert bootstrap(lambda x, y: float((x / y).mean()), (a, 2 * a), seed=0, n_resamples=50).high == pytest.approx(0.5)


def test_choice_frequencies_by_hand():
    table = choice_frequencies(np.array([0, 0, 1, 2]), np.array([1, 1, 1, 2]), n_items=3, n_positions=2)
    np.testing.assert_allclose(table, [[2 / 3, 1 / 3, 0], [0, 0, 1]])
    with pytest.raises(CourseError, match="never occurs"):
        choice_frequencies(np.array([0]), np.array([1]), 2)


@pytest.mark.parametrize("bad", [0.0, -0.1, 1.0001, float("nan")])
def test_a_propensity_that_is_none_is_refused_with_its_row(bad):
    with pytest.raises(CourseError, match=r"(^Row 1 has the propensity|missing value in row 1).*mend that row\.$"):
        importance_weights(np.array([0.5, 0.5]), np.array([0.5, bad]))


def test_an_impossible_evaluation_probability_is_refused():
    with pytest.raises(CourseError, match="Row 0 has the evaluation probability"):
        importance_weights(np.array([1.5]), np.array([0.5]))


def test_columns_of_different_length_missing_rewards_and_empty_logs_are_refused():
    with pytest.raises(CourseError, match="one length"):
        importance_weights(np.ones(3), np.ones(2))
    with pytest.raises(CourseError, match=r"reward \(3,\), w \(2,\)"):
        ipw(np.ones(3), np.ones(2))
    with pytest.raises(CourseError, match="missing value in row 1"):
        snipw(np.array([0.0, np.nan]), np.ones(2))
    with pytest.raises(CourseError, match="at least one row"):
        ipw(np.array([]), np.array([]))
    with pytest.raises(CourseError, match="Every weight is zero"):
        snipw(np.ones(2), np.zeros(2))
    with pytest.raises(CourseError, match="Every weight is zero"):
        effective_sample_size(np.zeros(2))
