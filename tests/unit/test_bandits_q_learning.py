"""The session simulator, its exact solution, and Q-learning against it."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.bandits.q_learning import Session, q_learning, random_value, trace, value, value_iteration
from course_lib.errors import CourseError

WORLD = Session((0.66, 0.62, 0.5, 0.47), turns=6, fatigue=0.95, boredom=0.15)


def brute_force(world: Session, gamma: float) -> float:
    """The best discounted clicks of a session, by trying every sequence of genres."""
    best = 0.0
    for sequence in product(range(len(world.click_rates)), repeat=world.turns):
        total, there, last, run = 0.0, 1.0, -1, 0
        for t, a in enumerate(sequence):
            run = min(run + 1, world.longest_run) if a == last else 1
            total += gamma**t * there * world.click_rates[a] * world.fatigue ** (run - 1)
            there *= 1 - world.leave - world.boredom * (run - 1)
            last = a
        best = max(best, total)
    return best


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.9, 1.0])
def test_value_iteration_finds_the_best_of_all_sequences(gamma):
    world = Session((0.7, 0.6, 0.3), turns=6, boredom=0.2, fatigue=0.9)
    q = value_iteration(world, gamma)
    assert q[0].max() == pytest.approx(brute_force(world, gamma), rel=1e-12)
    assert value(world, q.argmax(axis=1), gamma) == pytest.approx(q[0].max(), rel=1e-12)


def test_two_turns_by_hand():
    world = Session((0.8, 0.5), turns=2, fatigue=0.5, leave=0.1, boredom=0.2)
    q = value_iteration(world, 1.0)
    again = 0.5  # the fresh genre; the repeated one would give 0.8 · 0.5 = 0.4
    np.testing.assert_allclose(q[0], [0.8 + 0.9 * again, 0.5 + 0.9 * 0.8])


def test_value_iteration_is_a_fixed_point():
    click, stay, after = WORLD.model
    q = value_iteration(WORLD, 0.9)
    np.testing.assert_allclose(q, click + 0.9 * stay * q.max(axis=1)[after], rtol=1e-12)


def test_the_exact_value_is_what_simulated_users_click():
    click, stay, after = WORLD.model
    rng, policy = np.random.default_rng(0), value_iteration(WORLD, 0.0).argmax(axis=1)
    total, s, there = np.zeros(40_000), np.zeros(40_000, dtype=int), np.ones(40_000, dtype=bool)
    for _ in range(WORLD.turns):
        a = policy[s]
        total += there & (rng.random(40_000) < click[s, a])
        there &= rng.random(40_000) < stay[s, a]
        s = after[s, a]
    assert total.mean() == pytest.approx(float(value(WORLD, policy)), abs=4 * total.std() / 200)


def test_trace_and_value_agree():
    policy = value_iteration(WORLD, 0.9).argmax(axis=1)
    genres, present = trace(WORLD, policy)
    assert (np.diff(genres)[:-1] != 0).all()  # it changes the genre at every turn but the last, when nothing is to lose
    again = np.append(False, np.diff(genres) == 0)
    click = np.array(WORLD.click_rates)[genres] * np.where(again, WORLD.fatigue, 1)
    assert (present * click).sum() == pytest.approx(float(value(WORLD, policy)))


def test_looking_ahead_pays_and_chance_is_worst():
    near, far = (float(value(WORLD, value_iteration(WORLD, gamma).argmax(axis=1))) for gamma in (0.0, 0.9))
    assert far > 1.1 * near
    assert random_value(WORLD) < far


def test_q_learning_reaches_the_exact_optimum_within_one_percent():
    learned = q_learning(WORLD, 0.9, 60_000, seeds=range(8), decay=0.8)
    values = value(WORLD, learned.actions[-1], 0.9)
    best = value_iteration(WORLD, 0.9)[0].max()
    assert values.mean() > 0.99 * best
    assert values.max() <= best + 1e-12
    assert learned.q[:, 0].max(axis=1).mean() == pytest.approx(best, rel=0.05)  # the values, not only the policy


def test_with_discount_zero_q_learning_is_a_bandit():
    learned = q_learning(WORLD, 0.0, 40_000, seeds=range(4), decay=1.0)
    np.testing.assert_allclose(learned.q[:, 0], np.tile(WORLD.click_rates, (4, 1)), atol=0.08)


def test_after_the_end_nothing_is_expected():
    learned = q_learning(WORLD, 0.9, 2000, seeds=[1, 2])
    assert (learned.q[:, -1] == 0).all()
    assert (value_iteration(WORLD, 1.0)[-1] == 0).all()


def test_same_seed_same_table():
    a, b = (q_learning(WORLD, 0.9, 1000, seeds=[5, 6]) for _ in range(2))
    np.testing.assert_array_equal(a.q, b.q)
    alone = q_learning(WORLD, 0.9, 1000, seeds=[6])
    np.testing.assert_array_equal(alone.q[0], a.q[1])  # a learner does not depend on who learns beside it


@settings(max_examples=30, deadline=None)
@given(
    rates=st.lists(st.floats(0, 1), min_size=1, max_size=4),
    turns=st.integers(1, 5),
    gamma=st.floats(0, 1),
    boredom=st.floats(0, 0.4),
)
def test_values_are_bounded_and_grow_with_the_discount(rates, turns, gamma, boredom):
    world = Session(tuple(rates), turns=turns, boredom=boredom)
    q, q_most = value_iteration(world, gamma), value_iteration(world, 1.0)
    assert (q >= 0).all() and (q <= turns).all() and (q <= q_most + 1e-12).all()
    assert random_value(world) <= q_most[0].max() + 1e-12


@pytest.mark.parametrize(
    "wrong",
    [{"click_rates": (0.5, 2.0)}, {"turns": 0}, {"longest_run": 0}, {"fatigue": 1.2}, {"boredom": 0.9}, {"leave": -1}],
)
def test_impossible_sessions_are_refused(wrong):
    with pytest.raises(CourseError):
        Session(**{"click_rates": (0.5, 0.4), **wrong})


def test_a_discount_above_one_is_refused():
    with pytest.raises(CourseError, match="γ lies between 0 and 1"):
        value_iteration(WORLD, 1.5)
    with pytest.raises(CourseError, match="γ lies between 0 and 1"):
        q_learning(WORLD, -0.1, 10, [1])
