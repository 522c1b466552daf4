"""The large session simulator: its rules by hand, its luck, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.bandits import q_learning
from course_lib.bandits.session_state import checked_choice
from course_lib.bandits.sessions import (
    Features,
    State,
    Visitors,
    World,
    greedy,
    kinship,
    likes,
    look_ahead,
    simulate,
    surely,
    uniform,
)
from course_lib.errors import CourseError

rng = np.random.default_rng(0)
WORLD = World(rng.random((20, 12)), kinship(rng.normal(size=(12, 5)), rng.random((12, 3)) < 0.5), 6, 5, boredom=0.3)
USERS = rng.integers(0, 20, 4000)


def test_tiredness_click_and_leaving_by_hand():
    alike = np.array([[1, 0.5, 0], [0.5, 1, 0.2], [0, 0.2, 1]])
    world = World(np.array([[0.8, 0.6, 0.4]]), alike, 4, 2, fatigue=0.5, memory=0.7, leave=0.1, boredom=0.2)
    state = State(np.array([0, 0]), np.array([[0, 2, -1, -1], [-1, -1, -1, -1]]), np.array([[0, 1], [0, 1]]))
    k = [0.7 * 1 + 0, 0.7 * 0.5 + 0.2]
    np.testing.assert_allclose(world.tiredness(state), [k, [0, 0]])
    click, stay = world.truth(state)
    np.testing.assert_allclose(click, [[0.8 * 0.5 ** k[0], 0.6 * 0.5 ** k[1]], [0.8, 0.6]])
    np.testing.assert_allclose(stay, [[0.9 - 0.2 * k[0], 0.9 - 0.2 * k[1]], [0.9, 0.9]])


def test_nobody_stays_after_the_last_turn():
    state = State(np.array([0]), np.array([[1, 2, 3, 4, 5, -1]]), np.array([[0, 7]]))
    assert (WORLD.truth(state)[1] == 0).all()


def test_the_small_session_is_a_special_case():
    """Genres as films, all candidates, alike to themselves alone, no memory: lesson 05's Session with runs of 2."""
    rates = (0.66, 0.62, 0.5, 0.47)
    small = q_learning.Session(rates, turns=6, fatigue=0.9, leave=0.02, boredom=0.15, longest_run=2)
    large = World(np.array([rates]), np.eye(4), 6, 4, fatigue=0.9, memory=0.0, leave=0.02, boredom=0.15)
    actions = q_learning.value_iteration(small, 0.0).argmax(axis=1)
    seen = simulate(large, greedy(large), np.zeros(40_000, dtype=int), 1).discounted()
    assert seen.mean() == pytest.approx(float(q_learning.value(small, actions)), abs=4 * seen.std() / 200)


def test_who_has_left_is_shown_nothing_and_does_not_come_back():
    seen = simulate(WORLD, uniform, USERS, 3)
    assert seen.there[:, 0].all() and (np.diff(seen.there.astype(int), axis=1) <= 0).all()
    assert not (seen.clicked & ~seen.there).any()


def test_candidates_do_not_repeat_and_are_drawn_alike():
    drawn = WORLD.draw(6000, np.random.default_rng(1))
    assert drawn.shape == (6000, 5) and all(len(set(row)) == 5 for row in drawn[:100])
    share = np.bincount(drawn.ravel(), minlength=12) / 6000
    np.testing.assert_allclose(share, 5 / 12, atol=5 * np.sqrt(5 / 12 * 7 / 12 / 6000))


def test_two_policies_meet_the_same_luck():
    a, b = simulate(WORLD, uniform, USERS, 4), simulate(WORLD, uniform, USERS, 4)
    np.testing.assert_array_equal(a.clicked, b.clicked)
    seen = []
    for policy in (greedy(WORLD), uniform):
        simulate(WORLD, lambda s, policy=policy: (seen.append(s.candidates), policy(s))[1], USERS[:50], 4)
    np.testing.assert_array_equal(seen[:6], seen[6:])  # turn by turn the same candidates, whatever is shown


def test_a_stochastic_policy_shows_what_it_says():
    first = simulate(WORLD, lambda s: np.tile([0.5, 0, 0.2, 0.3, 0], (len(s.user), 1)), USERS, 5)
    rng_again = np.random.default_rng(5)
    candidates = WORLD.start(USERS, rng_again).candidates
    share = (first.film[:, :1] == candidates).mean(axis=0)
    np.testing.assert_allclose(share, [0.5, 0, 0.2, 0.3, 0], atol=0.04)
    assert share[1] == share[4] == 0


def test_planning_with_the_truth_beats_greed_and_greed_beats_chance():
    value = {
        name: simulate(WORLD, policy, USERS, 6).discounted().mean()
        for name, policy in {
            "random": uniform,
            "greedy": greedy(WORLD),
            "planner": look_ahead(WORLD, USERS[:1000], 1.0, 7),
        }.items()
    }
    assert value["planner"] > 1.02 * value["greedy"] > 1.1 * value["random"]


def test_planning_with_discount_zero_is_greed():
    a, b = (simulate(WORLD, p, USERS, 8) for p in (greedy(WORLD), look_ahead(WORLD, USERS[:100], 0.0, 9)))
    np.testing.assert_array_equal(a.film, b.film)


def test_discounted_return_by_hand():
    seen = simulate(replace(WORLD, turns=3), uniform, USERS[:1], 1)
    seen = replace(seen, clicked=np.array([[True, False, True]]), there=np.array([[True, True, True]]))
    assert seen.discounted(0.5)[0] == 1 + 0.25
    assert replace(seen, there=np.array([[True, True, False]])).discounted(0.5, np.array([[2.0, 4.0, 9.0]]))[0] == 4


def test_features_by_hand():
    X, P = np.array([[1.0, 0.0], [0.0, 2.0], [5.0, 5.0]]), np.array([[7.0, 8.0]])
    state = State(np.array([0, 0]), np.array([[0, 1, -1, -1], [-1, -1, -1, -1]]), np.zeros((2, 1), dtype=int))
    np.testing.assert_allclose(Features(X, P, 0.5).state(state), [[7, 8, 0.5, 2, 0, 2, 0.5], [7, 8, 0, 0, 0, 0, 0]])


def test_visitors_come_and_go_and_count_their_turns():
    visitors = Visitors(WORLD, Features(np.eye(12), np.zeros((20, 12)), 0.7), np.arange(5), 300, 1)
    lengths = 0
    for _ in range(30):
        before = visitors.state
        r, ended = visitors.step(before.candidates[:, 0])
        assert (visitors.state.turn == np.where(ended, 0, before.turn + 1)).all()
        assert (visitors.state.user[~ended] == before.user[~ended]).all() and visitors.state.user.max() < 5
        assert set(np.unique(r)) <= {0.0, 1.0}
        lengths += ended.sum()
    assert 300 * 30 / lengths < WORLD.turns  # some leave before the last turn


def test_likes_is_a_probability_and_calibrated():
    stars = np.array([3.5, 4.4, 2.6])
    np.testing.assert_allclose(likes(stars, 0.9), [0.5, 0.841345, 0.158655], atol=1e-6)
    rating = np.round(3.9 + 0.9 * np.random.default_rng(1).normal(size=100_000))
    assert (rating >= 4).mean() == pytest.approx(float(likes(np.array([3.9]), 0.9)[0]), abs=0.005)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 8), d=st.integers(1, 4), seed=st.integers(0, 99))
def test_kinship_is_symmetric_and_between_0_and_1(n, d, seed):
    dice = np.random.default_rng(seed)
    alike = kinship(dice.normal(size=(n, d)), dice.random((n, 3)) < 0.5)
    assert (alike >= 0).all() and (alike <= 1).all() and (np.diag(alike) == 1).all()
    np.testing.assert_allclose(alike, alike.T)


@pytest.mark.parametrize(
    "wrong",
    [
        {"click": np.full((20, 12), 1.2)},
        {"click": np.full((20, 12), np.nan)},
        {"click": np.ones(12)},
        {"alike": np.ones((12, 11))},
        {"alike": -np.ones((12, 12))},
        {"turns": 0},
        {"n_candidates": 13},
        {"fatigue": 1.1},
        {"memory": -0.1},
        {"leave": 2},
        {"boredom": -1},
    ],
)
def test_impossible_worlds_are_refused(wrong):
    with pytest.raises(CourseError):
        replace(WORLD, **wrong)


@pytest.mark.parametrize(
    "p", [np.full((4, 5), 0.3), np.full((4, 5), np.nan), np.array([[1.5, -0.5, 0, 0, 0]] * 4), np.full((4, 4), 0.25)]
)
def test_a_policy_that_is_no_distribution_is_refused(p):
    with pytest.raises(CourseError, match="policy"):
        checked_choice(p, (4, 5))
    with pytest.raises(CourseError):
        simulate(WORLD, lambda state: p, USERS[:4], 1)


def test_other_bad_input_is_refused():
    with pytest.raises(CourseError, match="NaN"):
        surely(np.array([[0.1, np.nan]]))
    with pytest.raises(CourseError, match="users are ids from 0"):
        simulate(WORLD, uniform, np.array([20]), 1)
    with pytest.raises(CourseError, match="γ"):
        simulate(WORLD, uniform, USERS[:3], 1).discounted(1.1)
    with pytest.raises(CourseError, match="γ"):
        look_ahead(WORLD, USERS[:3], -0.1, 1)
    with pytest.raises(CourseError, match="finite"):
        Features(np.full((12, 2), np.nan), np.zeros((20, 2)), 0.7)
    with pytest.raises(CourseError, match="share a space"):
        Features(np.zeros((12, 2)), np.zeros((20, 3)), 0.7)
    with pytest.raises(CourseError, match="spread"):
        likes(np.ones(3), 0.0)
    with pytest.raises(CourseError, match="text vector"):
        kinship(np.ones((3, 2)), np.ones((4, 2)))
