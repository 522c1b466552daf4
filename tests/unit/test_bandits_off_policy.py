"""Off-policy estimators: by hand, unbiased where they should be, and clear about bad logs."""

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.bandits.off_policy import (
    all_estimates,
    bootstrap,
    checked_policy,
    choice_frequencies,
    choose_threshold,
    clipped,
    direct_method,
    doubly_robust,
    effective_sample_size,
    importance_weights,
    ipw,
    policy_weights,
    self_normalised_doubly_robust,
    shrunk,
    slope,
    snipw,
    switch_dr,
    switched,
    unsupported_mass,
)
from course_lib.bandits.policies import smoothed_rates
from course_lib.data import open_bandit
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


# --- lesson 05d: the estimators that tame weights, against the Open Bandit Pipeline's and by hand ---

OBP = json.loads((Path(__file__).parent / "data" / "off_policy_obp.json").read_text(encoding="utf-8"))
Q_LOGGED, Q_EVALUATION = np.array([0.5, 0.25, 0.5, 0.25]), np.array([0.4, 0.3, 0.2, 0.1])
LOG = (REWARD, W, Q_LOGGED, Q_EVALUATION)


@pytest.mark.parametrize("case", OBP["cases"])
def test_every_estimator_equals_the_open_bandit_pipelines(case):
    rows, item = np.arange(len(case["item"])), np.array(case["item"])
    policy, q = (np.array(case[name])[rows, :, case["position"]] for name in ("policy", "q_hat"))
    w = policy_weights(policy, item, np.array(case["propensity"]))
    ours = all_estimates(
        np.array(case["reward"]), w, q[rows, item], (policy * q).sum(axis=1), threshold=OBP["threshold"]
    )
    assert ours.keys() == case["values"].keys()
    for name, value in case["values"].items():
        assert ours[name] == pytest.approx(value, abs=1e-6), name


@pytest.mark.parametrize("label", OBP["real_log"])
def test_every_estimator_equals_the_open_bandit_pipelines_on_the_real_log(label):
    logging, campaign = label.split()
    n_items = open_bandit.N_ITEMS[campaign]
    log = open_bandit.load_log(logging, campaign)
    other = open_bandit.load_log("bts" if logging == "random" else "random", campaign)
    item, click = log["item"].to_numpy(), log["click"].to_numpy(dtype=float)
    pi = choice_frequencies(other["item"].to_numpy(), other["position"].to_numpy(), n_items)
    q = smoothed_rates(np.bincount(item, click, n_items), np.bincount(item, minlength=n_items))
    policy = pi[log["position"] - 1]
    w = policy_weights(policy, item, log["propensity"].to_numpy())
    ours = all_estimates(click, w, q[item], policy @ q, threshold=OBP["threshold"])
    for name, value in OBP["real_log"][label].items():
        assert ours[name] == pytest.approx(value, abs=1e-6), name


def test_with_the_pipelines_own_thompson_policy_the_published_relative_errors_come_out():
    log, truth = open_bandit.load_log("random", "all"), open_bandit.load_log("bts", "all")["click"].mean()
    pi = np.array(OBP["thompson_prior_all"])
    pi /= pi.sum(axis=1, keepdims=True)  # stored with seven decimals
    w = importance_weights(pi[log["position"] - 1, log["item"]], log["propensity"].to_numpy())
    click, errors = log["click"].to_numpy(), []
    for run in range(30):
        rows = np.random.RandomState(run).choice(len(log), size=len(log))  # as the pipeline draws its bootstraps
        errors.append([abs(f(click[rows], w[rows]) / truth - 1) for f in (ipw, snipw)])
    mean, spread = np.mean(errors, axis=0), np.std(errors, axis=0, ddof=1)
    assert mean == pytest.approx([0.311, 0.312], abs=0.01)  # published: IPW .311, SNIPW .312,
    assert spread == pytest.approx(mean, rel=0.12)  # and standard deviations about as large


def test_tamed_weights_by_hand():
    w = np.array([0.0, 1.0, 2.0, 8.0])
    assert clipped(w, 2).tolist() == [0, 1, 2, 2]
    assert switched(w, 2).tolist() == [0, 1, 2, 0]
    np.testing.assert_allclose(shrunk(w, 2), [0, 0.8, 1, 32 / 68])
    np.testing.assert_array_equal(shrunk(w, 0), 0)
    for tame in (clipped, switched, shrunk):
        np.testing.assert_array_equal(tame(w, np.inf), w)
        with pytest.raises(CourseError, match="at least 0; got nan"):
            tame(w, float("nan"))


def test_switching_and_self_normalising_by_hand():
    corrections = W * (REWARD - Q_LOGGED)  # 1, -1/4, 1/4, -1/8
    assert switch_dr(*LOG, tau=1.0) == pytest.approx(0.25 + (-0.25 + 0.25 - 0.125) / 4)
    assert switch_dr(*LOG, tau=0.0) == direct_method(Q_EVALUATION)
    assert switch_dr(*LOG, tau=2.0) == doubly_robust(*LOG)
    assert self_normalised_doubly_robust(*LOG) == pytest.approx(0.25 + corrections.sum() / W.sum())
    zeros = np.zeros(4)
    assert self_normalised_doubly_robust(REWARD, W, zeros, zeros) == snipw(REWARD, W)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.floats(0, 50), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30))
def test_clipped_estimates_lie_between_and_order_of_rows_does_not_matter(rows):
    reward, w, q_logged, q_evaluation = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    assert 0 <= ipw(reward, clipped(w, 3.0)) <= ipw(reward, w) + 1e-9
    if w.sum() > 0:
        log = (reward, w, q_logged, q_evaluation)
        forward, backward = (all_estimates(*(column[::step] for column in log)) for step in (1, -1))
        assert forward == pytest.approx(backward, abs=1e-9)


def test_the_rule_cuts_when_rows_are_few_and_leaves_weights_alone_when_they_are_many():
    logging, target, largest = np.array([0.5, 0.3, 0.198, 0.002]), np.array([0.3, 0.3, 0.3, 0.1]), 50
    rng, chosen = np.random.default_rng(0), {}
    for n, n_logs in ((1000, 30), (1_000_000, 1)):
        item = rng.choice(4, size=(n_logs, n), p=logging)
        reward, w = (rng.random(item.shape) < RATES[item]).astype(float), (target / logging)[item]
        base = np.full(n, target @ RATES)
        chosen[n] = [
            choose_threshold(clipped, *log, base, model=False) for log in zip(reward, w, RATES[item], strict=True)
        ]
    assert np.mean(chosen[1000]) < 0.85 * largest and chosen[1_000_000] == [pytest.approx(largest)]
    assert choose_threshold(switched, REWARD, W / 10, Q_LOGGED, Q_EVALUATION) == 1.0  # all weights below 1: no matter


def test_slope_stops_where_bias_shows():
    value, error = np.array([1.0, 1.1, 1.3, 3.0]), np.array([1.0, 0.5, 0.2, 0.1])
    assert slope(value, error) == 2  # 3.0 ± 0.2 has no point in common with 1.3 ± 0.4
    assert slope(value[::-1], error[::-1]) == 1  # the order of the settings is that of their errors
    assert slope(np.stack([value, np.ones(4)]), np.stack([error, error])).tolist() == [2, 3]
    with pytest.raises(CourseError, match="SLOPE needs"):
        slope(value, -error)


def test_a_policy_whose_probabilities_do_not_sum_to_one_is_refused_with_its_row():
    with pytest.raises(CourseError, match=r"row 1 of the policy sum to 0\.9, not to 1: divide each row by its sum"):
        checked_policy(np.array([[0.5, 0.5], [0.5, 0.4]]))
    with pytest.raises(CourseError, match="row 0 of the policy hold a negative or missing one"):
        checked_policy(np.array([[1.5, -0.5]]))
    with pytest.raises(CourseError, match="negative or missing"):
        checked_policy(np.array([[np.nan, 1.0]]))
    with pytest.raises(CourseError, match="a row of probabilities for each decision"):
        checked_policy(np.array([0.5, 0.5]))
    even = np.full((2, 2), 0.5)
    np.testing.assert_allclose(policy_weights(even, np.array([0, 1]), np.array([0.25, 1.0])), [2, 0.5])
    with pytest.raises(CourseError, match="names an item outside the 2"):
        policy_weights(even, np.array([0, 2]), np.array([0.5, 0.5]))
    with pytest.raises(CourseError, match="2 rows and the log 1"):
        policy_weights(even, np.array([0]), np.array([0.5]))
    with pytest.raises(CourseError, match="the propensity 0"):
        policy_weights(even, np.array([0, 1]), np.array([0.5, 0.0]))


def test_what_the_log_never_shows_is_measured_and_ipw_counts_it_as_nothing():
    logging, policy = np.tile([0.5, 0.5, 0.0], (4000, 1)), np.tile([0.2, 0.2, 0.6], (4000, 1))
    assert unsupported_mass(policy, logging) == pytest.approx(0.6)
    item = np.random.default_rng(0).integers(2, size=4000)
    w = policy_weights(policy, item, np.full(4000, 0.5))
    assert w.mean() == pytest.approx(0.4) and ipw(np.ones(4000), w) == pytest.approx(0.4)  # the truth is 1
    assert snipw(np.ones(4000), w) == pytest.approx(1.0)  # as if the third item were like the others
    with pytest.raises(CourseError, match="same rows and items"):
        unsupported_mass(policy, logging[:, :2] * 1.0)


def test_a_series_that_a_filter_left_is_read_in_its_order():
    w, reward = np.array([0.5, 2.0, 1.0, 3.0]), np.array([1.0, 0, 1, 0])
    shuffled = pd.Series(w, index=[3, 1, 0, 2])  # against the index of the rewards, pandas would pair other rows
    for estimate in (ipw, snipw):
        assert estimate(pd.Series(reward), shuffled) == estimate(reward, w)
    intervals = [bootstrap(snipw, log, 1, 20) for log in ((reward, w), (pd.Series(reward), shuffled))]
    assert intervals[0] == intervals[1]


def test_a_weight_below_zero_is_refused():
    with pytest.raises(CourseError, match="Row 1 has a weight below 0"):
        ipw(np.array([1.0, 0.0]), np.array([1.0, -1.0]))
    with pytest.raises(CourseError, match="weight is below 0"):
        clipped(np.array([-1.0]), 2)


def test_the_bootstrap_holds_one_resample_at_a_time():
    log = (np.ones(20_000), np.ones(20_000))
    tracemalloc.start()
    bootstrap(ipw, log, 1, n_resamples=200)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 20 * log[0].nbytes  # 200 of them at once would be 10 times as much
