"""Bandit policies: what they score, what they lose, what they refuse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.bandits.policies import (
    UCB1,
    Counting,
    EpsilonDecaying,
    EpsilonGreedy,
    ThompsonSampling,
    Uniform,
    checked_rates,
    click_rate,
    lai_robbins,
    simulate,
    smoothed_rates,
)
from course_lib.errors import CourseError

POLICIES = [Uniform(), EpsilonGreedy(), EpsilonDecaying(), UCB1(), ThompsonSampling()]
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


# ── ε that decays ────────────────────────────────────────────────────────────────────────────────────────────
def test_epsilon_decays_as_one_over_t():
    for t, epsilon in ((9, 1.0), (399, 0.1 * 4 / 400), (39, 0.1 * 4 / 40)):
        plays = np.full((40_000, 4), t / 4)
        clicks = plays * np.array([0.9, 0.1, 0.1, 0.1])
        shown = EpsilonDecaying(100 if t == 9 else 0.1).scores(clicks, plays, np.random.default_rng(1)).argmax(axis=1)
        assert (shown != 0).mean() == pytest.approx(epsilon * 3 / 4, abs=0.008 if t == 9 else 0.0015)


def test_a_decaying_epsilon_loses_less_in_the_end_than_a_fixed_one():
    fixed, decaying = (simulate(p, ARMS, 8000, range(60)).regret for p in (EpsilonGreedy(0.1), EpsilonDecaying(5)))
    late = [(r[:, -1] - r[:, -2000]).mean() for r in (fixed, decaying)]
    assert late[1] < 0.5 * late[0]


# ── feedback that comes late ─────────────────────────────────────────────────────────────────────────────────
def test_no_delay_is_the_plain_simulation_and_what_is_late_is_not_counted_yet():
    for policy in POLICIES:
        np.testing.assert_array_equal(
            simulate(policy, ARMS, 200, [1, 2]).regret, simulate(policy, ARMS, 200, [1, 2], delay=0).regret
        )
    assert simulate(UCB1(), ARMS, 200, [1, 2], delay=30).plays.sum(axis=1).tolist() == [170, 170]


def test_until_the_first_answer_a_policy_without_dice_shows_the_same_arm():
    out = simulate(UCB1(), ARMS, 50, range(20), delay=50)
    np.testing.assert_allclose(np.diff(out.regret, axis=1), np.tile(out.regret[:, :1], 49), atol=1e-12)
    assert out.plays.sum() == 0


def test_delay_costs_ucb_more_than_thompson_which_has_dice():
    cost = {}
    for policy in (UCB1(), ThompsonSampling()):
        now, late = (simulate(policy, ARMS, 2000, range(60), delay=d).regret[:, -1].mean() for d in (0, 100))
        cost[type(policy).__name__] = late - now
    assert cost["UCB1"] > 2 * cost["ThompsonSampling"] > 0


# ── rates that change ────────────────────────────────────────────────────────────────────────────────────────
def test_phases_hold_for_equal_parts_and_regret_is_against_the_best_of_the_phase():
    phases = np.array([[0.9, 0.1], [0.2, 0.6]])
    out = simulate(EpsilonGreedy(0.0), phases, 10, range(50))
    steps = np.diff(out.regret, axis=1, prepend=0)
    assert set(steps[:, :5].round(9).ravel()) <= {0.0, 0.8} and set(steps[:, 5:].round(9).ravel()) <= {0.0, 0.4}
    same = simulate(ThompsonSampling(), np.tile(ARMS, (4, 1)), 300, range(3))
    np.testing.assert_array_equal(same.regret, simulate(ThompsonSampling(), ARMS, 300, range(3)).regret)


def test_a_window_remembers_its_last_answers_and_a_discount_a_geometric_sum():
    order, rng = np.tile(np.arange(3), (2, 1)), np.random.default_rng(0)
    window, discounted = Counting(UCB1(), order, window=4), Counting(UCB1(), order, discount=0.9)
    arms, clicks = rng.integers(3, size=(20, 2)), rng.random((20, 2)) < 0.5
    for arm, click in zip(arms, clicks, strict=True):
        window.learn(np.zeros(2, dtype=int), arm, click)
        discounted.learn(np.zeros(2, dtype=int), arm, click)
    weight = 0.9 ** np.arange(19, -1, -1.0)
    for run in range(2):
        for arm in range(3):
            shown = arms[:, run] == arm
            assert window.plays[run, arm] == shown[-4:].sum()
            assert window.clicks[run, arm] == (shown & clicks[:, run])[-4:].sum()
            assert discounted.plays[run, arm] == pytest.approx(weight[shown].sum())
            assert discounted.clicks[run, arm] == pytest.approx(weight[shown & clicks[:, run]].sum())


def test_a_window_as_long_as_the_run_forgets_nothing():
    for policy in (UCB1(), ThompsonSampling()):
        plain = simulate(policy, ARMS, 300, range(3)).regret
        np.testing.assert_array_equal(plain, simulate(policy, ARMS, 300, range(3), window=300).regret)


def test_forgetting_pays_where_rates_change_and_costs_where_they_do_not():
    phases = np.array([ARMS, ARMS[::-1], ARMS])
    ends = {}
    for name, rates in (("changing", phases), ("fixed", ARMS)):
        for forgets in (1.0, 0.995):
            out = simulate(ThompsonSampling(), rates, 6000, range(40), discount=forgets)
            ends[name, forgets] = out.regret[:, -1].mean()
    assert ends["changing", 0.995] < 0.8 * ends["changing", 1.0]
    assert ends["fixed", 0.995] > 1.3 * ends["fixed", 1.0]
    windowed = simulate(UCB1(0.25), phases, 6000, range(40), window=600).regret[:, -1].mean()
    assert windowed < 0.8 * simulate(UCB1(0.25), phases, 6000, range(40)).regret[:, -1].mean()


# ── the growth that theory allows ────────────────────────────────────────────────────────────────────────────
def test_lai_robbins_by_hand():
    kl = 0.4 * np.log(0.4 / 0.5) + 0.6 * np.log(0.6 / 0.5)
    assert lai_robbins([0.5, 0.4]) == pytest.approx(0.1 / kl)
    assert lai_robbins([0.5, 0.4, 0.5, 0.4]) == pytest.approx(0.2 / kl)
    assert lai_robbins([0.0, 0.5]) == pytest.approx(0.5 / np.log(2))  # KL(0, ½) = ln 2
    assert lai_robbins([0.3]) == lai_robbins([0.3, 0.3]) == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.01, 0.99), min_size=2, max_size=6))
def test_lai_robbins_lies_below_what_pinsker_allows(rates):
    gaps = max(rates) - np.array(rates)
    assert 0 <= lai_robbins(rates) <= np.sum(1 / (2 * gaps[gaps > 0])) * (1 + 1e-9)  # KL >= 2 Δ²


def test_thompson_s_late_slope_is_the_one_of_theory_and_ucb1_s_is_several_times_it():
    arms, t = np.array([0.5, 0.4, 0.3, 0.2]), (2000, 16_000)
    slope = {}
    for policy in (UCB1(), ThompsonSampling()):
        mean = simulate(policy, arms, t[1], range(150)).regret.mean(axis=0)
        slope[type(policy).__name__] = (mean[t[1] - 1] - mean[t[0] - 1]) / np.log(t[1] / t[0]) / lai_robbins(arms)
    assert 0.6 < slope["ThompsonSampling"] < 1.5
    assert 3 < slope["UCB1"] < 9


# ── bad input ────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_negative_delay_an_empty_window_and_an_impossible_discount_are_refused():
    with pytest.raises(CourseError, match="the delay is -1"):
        simulate(UCB1(), ARMS, 5, [1], delay=-1)
    for window in (0, -3):
        with pytest.raises(CourseError, match="A window holds at least"):
            simulate(UCB1(), ARMS, 5, [1], window=window)
    for discount in (0.0, 1.1, float("nan")):
        with pytest.raises(CourseError, match="A discount lies above 0"):
            simulate(UCB1(), ARMS, 5, [1], discount=discount)


def test_rates_that_change_into_something_that_is_no_rate_are_refused():
    for phases in (np.array([[0.1, 0.5], [0.1, 1.5]]), np.zeros((0, 3)), np.zeros((2, 2, 2))):
        with pytest.raises(CourseError, match=r"[Cc]lick rate"):
            simulate(UCB1(), phases, 5, [1])


class Divides:
    """A student's policy that forgets the arms never shown."""

    def scores(self, clicks, plays, rng):
        with np.errstate(invalid="ignore"):
            return clicks / plays


def test_scores_that_are_nan_choose_no_arm():
    with pytest.raises(CourseError, match="scores hold NaN: look for 0 / 0"):
        simulate(Divides(), [0.2, 0.4], 5, [1])
