"""Bandit policies: what they score, what they lose, what they refuse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.bandits.policies import (
    UCB1,
    EpsilonGreedy,
    ThompsonSampling,
    Uniform,
    checked_rates,
    click_rate,
    simulate,
    smoothed_rates,
)
from course_lib.errors import CourseError

POLICIES = [Uniform(), EpsilonGreedy(), UCB1(), ThompsonSampling()]
ARMS = np.array([0.8, 0.6, 0.5, 0.5, 0.4, 0.3, 0.3, 0.2, 0.1, 0.1])


def test_ucb1_score_by_hand():
    clicks, plays = np.array([[3.0, 1.0]]), np.array([[4.0, 1.0]])
    bonus = np.sqrt(2 * np.log(5) / np.array([4.0, 1.0]))
    scores = UCB1().scores(clicks, plays, np.random.default_rng(0))
    np.testing.assert_allclose(scores, [[0.75 + bonus[0], 1.0 + bonus[1]]])
    np.testing.assert_allclose(UCB1(width=0).scores(clicks, plays, np.random.default_rng(0)), [[0.75, 1.0]])


def test_an_arm_never_shown_comes_first():
    assert click_rate(np.array([1.0, 0.0]), np.array([1.0, 0.0])).tolist() == [1.0, np.inf]
    for policy in (EpsilonGreedy(0.0), UCB1()):
        played = simulate(policy, ARMS, len(ARMS), seeds=range(5)).plays
        assert (played == 1).all()


def test_epsilon_greedy_explores_as_often_as_it_says():
    clicks, plays = np.tile([9.0, 1.0, 1.0, 1.0], (20_000, 1)), np.full((20_000, 4), 10.0)
    shown = EpsilonGreedy(0.2).scores(clicks, plays, np.random.default_rng(1)).argmax(axis=1)
    assert (shown == 0).mean() == pytest.approx(0.8 + 0.2 / 4, abs=0.01)


def test_thompson_draws_from_the_beta_posterior():
    clicks, plays = np.tile([3.0, 0.0], (50_000, 1)), np.tile([10.0, 0.0], (50_000, 1))
    draws = ThompsonSampling().scores(clicks, plays, np.random.default_rng(2))
    a, b = 4, 8  # Beta(1 + 3, 1 + 7)
    assert draws[:, 0].mean() == pytest.approx(a / (a + b), abs=0.003)
    assert draws[:, 0].var() == pytest.approx(a * b / (a + b) ** 2 / (a + b + 1), rel=0.03)
    assert draws[:, 1].mean() == pytest.approx(0.5, abs=0.005)  # nothing seen: uniform


def test_random_policy_loses_linearly_and_exactly_what_it_should():
    regret = simulate(Uniform(), ARMS, 2000, seeds=range(200)).regret
    a_round = ARMS.max() - ARMS.mean()
    for t in (500, 1000, 2000):
        values = regret[:, t - 1]
        assert abs(values.mean() - t * a_round) < 4 * values.std() / np.sqrt(len(values))


def test_learning_beats_chance_and_thompson_beats_epsilon_greedy_in_the_end():
    end = {type(p).__name__: simulate(p, ARMS, 4000, seeds=range(40)).regret[:, -1].mean() for p in POLICIES}
    assert end["ThompsonSampling"] < 0.6 * end["EpsilonGreedy"]
    assert end["EpsilonGreedy"] < 0.3 * end["Uniform"]
    assert end["UCB1"] < 0.3 * end["Uniform"]


def test_thompson_regret_grows_as_the_logarithm_not_as_the_time():
    regret = simulate(ThompsonSampling(), ARMS, 8000, seeds=range(40)).regret.mean(axis=0)
    assert regret[7999] - regret[3999] < 0.25 * (regret[3999] - regret[0])


def test_regret_is_what_the_plays_say_and_clicks_match_the_rates():
    out = simulate(UCB1(), ARMS, 3000, seeds=range(30))
    np.testing.assert_allclose(out.regret[:, -1], out.plays @ (ARMS.max() - ARMS))
    assert out.plays.sum(axis=1).tolist() == [3000] * 30
    np.testing.assert_allclose(out.clicks.sum(0) / out.plays.sum(0), ARMS, atol=0.06)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda p: type(p).__name__)
def test_same_seeds_same_outcome_other_seeds_another(policy):
    first, again, other = (simulate(policy, ARMS, 200, seeds) for seeds in ([1, 2], [1, 2], [3, 4]))
    np.testing.assert_array_equal(first.regret, again.regret)
    assert (first.regret != other.regret).any()


def test_ties_favour_no_arm():
    first = simulate(EpsilonGreedy(0.0), np.zeros(5), 1, seeds=range(2000)).plays.mean(axis=0)
    np.testing.assert_allclose(first, 0.2, atol=0.04)


@settings(max_examples=40, deadline=None)
@given(
    rates=st.lists(st.floats(0, 1), min_size=1, max_size=6),
    rounds=st.integers(1, 30),
    seed=st.integers(0, 1000),
    which=st.sampled_from(POLICIES),
)
def test_regret_never_falls_and_never_exceeds_the_worst_arm(rates, rounds, seed, which):
    out = simulate(which, rates, rounds, [seed, seed + 1])
    steps = np.diff(out.regret, axis=1, prepend=0)
    assert (steps >= -1e-12).all()
    assert (out.regret[:, -1] <= rounds * (max(rates) - min(rates)) + 1e-9).all()
    assert (out.clicks <= out.plays).all()


@pytest.mark.parametrize("rates", [[0.2, 1.2], [-0.1, 0.5], [0.1, float("nan")], [], [[0.1, 0.2]]])
def test_what_is_no_click_rate_is_refused_in_one_sentence(rates):
    with pytest.raises(CourseError, match=r"[Cc]lick rate"):
        checked_rates(rates)


def test_no_rounds_or_no_seeds_are_refused():
    for rounds, seeds in ((0, [1]), (5, [])):
        with pytest.raises(CourseError, match="at least one round and one seed"):
            simulate(Uniform(), [0.5], rounds, seeds)


def test_smoothing_pulls_few_plays_towards_the_overall_rate():
    rates = smoothed_rates(np.array([1, 40]), np.array([1, 79]), strength=10)
    overall = 41 / 80
    np.testing.assert_allclose(rates, [(1 + 10 * overall) / 11, (40 + 10 * overall) / 89])
    np.testing.assert_allclose(smoothed_rates(np.array([1, 40]), np.array([1, 79]), strength=0), [1, 40 / 79])
    with pytest.raises(CourseError, match="one value for each arm"):
        smoothed_rates(np.array([1]), np.array([1, 2]))
