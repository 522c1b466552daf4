"""The world that writes logs: its counts say what rows would say, and its estimators are those of rows."""

import numpy as np
import pytest

from course_lib.bandits import off_policy
from course_lib.bandits.logged_world import (
    LoggedWorld,
    Logs,
    all_estimates,
    cross_fitted_effects,
    day_and_position,
    estimate,
    main_effects,
    relative_rmse,
    world_from,
)
from course_lib.data import open_bandit
from course_lib.errors import CourseError

WORLD = LoggedWorld(
    p=np.array([0.7, 0.3]),
    q=np.array([[0.2, 0.4, 0.1], [0.4, 0.1, 0.5]]),
    pi_0=np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]]),
)
POLICY = np.array([[0.1, 0.6, 0.3], [0.5, 0.25, 0.25]])


def rows_of(logs: Logs, run: int) -> tuple[np.ndarray, ...]:
    """half, context, item, reward of every row of one log."""
    parts = []
    for reward, counts in ((1, logs.clicked[:, run]), (0, (logs.shown - logs.clicked)[:, run])):
        cells = np.repeat(np.arange(counts.size), counts.ravel().astype(int))
        parts.append(np.stack([*np.unravel_index(cells, counts.shape), np.full(len(cells), reward)]))
    return tuple(np.concatenate(parts, axis=1))


def test_the_truth_by_hand():
    assert WORLD.value(WORLD.pi_0) == pytest.approx(0.7 * (0.14 + 0.08 + 0.01) + 0.3 * (0.04 + 0.03 + 0.3))
    assert WORLD.weights(POLICY)[1].tolist() == pytest.approx([5, 25 / 30, 25 / 60])
    assert WORLD.effective_share(WORLD.pi_0) == pytest.approx(1)
    w = WORLD.weights(POLICY)
    assert WORLD.effective_share(POLICY) == pytest.approx(1 / (WORLD.p @ (WORLD.pi_0 * w**2).sum(axis=1)))


def test_the_counts_of_logs_have_the_worlds_rates():
    logs = WORLD.draw(200_000, 2, seed=0)
    assert logs.shown.shape == (2, 2, 2, 3) and (logs.shown.sum(axis=(0, 2, 3)) == 200_000).all()
    np.testing.assert_allclose(logs.shown.sum(axis=(0, 1)) / 400_000, WORLD.p[:, None] * WORLD.pi_0, atol=0.004)
    np.testing.assert_allclose(logs.clicked.sum(axis=(0, 1)) / logs.shown.sum(axis=(0, 1)), WORLD.q, atol=0.02)


def test_estimators_of_counts_are_those_of_rows():
    logs = WORLD.draw(400, 3, seed=1)
    w, q = WORLD.weights(POLICY), cross_fitted_effects(logs)
    found = all_estimates(logs, POLICY, w, q)
    for run in range(3):
        half, x, a, reward = rows_of(logs, run)
        base = (POLICY[x] * q[half, run, x]).sum(axis=1)
        # the grid of thresholds ends at the largest weight: of the world there, of the log here, so both must hold it
        assert w[x, a].max() == w.max()
        log = (reward.astype(float), w[x, a], q[half, run, x, a], base)
        assert {name: v[run] for name, v in found.items()} == pytest.approx(off_policy.all_estimates(*log), abs=1e-12)
        value, error = estimate(logs, POLICY, w[None], q)
        terms = log[3] + log[1] * (log[0] - log[2])
        assert (value[0, run], error[0, run]) == pytest.approx(off_policy.mean_and_error(terms))


def test_ipw_and_doubly_robust_are_right_on_average_and_the_direct_method_is_not():
    logs = WORLD.draw(2000, 4000, seed=2)
    found, truth = all_estimates(logs, POLICY, WORLD.weights(POLICY)), WORLD.value(POLICY)
    for name in ("IPW", "DR"):
        assert abs(found[name].mean() - truth) < 4 * found[name].std() / np.sqrt(4000), name
    assert abs(found["DM"].mean() - truth) > 20 * found["DM"].std() / np.sqrt(4000)  # main effects miss the interaction


def test_main_effects_are_exact_where_there_is_no_interaction_and_shrink_where_there_are_no_clicks():
    q = 0.1 * np.array([[0.5], [1.5]]) * np.array([0.5, 1.0, 2.0])
    shown = np.array([[4e6, 1e6, 2e6], [1e6, 5e6, 1e6]])
    np.testing.assert_allclose(main_effects(shown, shown * q, sweeps=20), q, rtol=1e-4)
    few = main_effects(np.full((1, 2), 100.0), np.array([[2.0, 0.0]]))
    np.testing.assert_allclose(
        few, [[0.015, 0.005]], rtol=0.01
    )  # the rate is .01; (2 + 1) / (1 + 1), (0 + 1) / (1 + 1)
    never = main_effects(np.array([[100.0, 0.0]]), np.array([[5.0, 0.0]]))
    assert never[0, 1] == pytest.approx(0.05, rel=0.01)  # an item never shown is taken for average


def test_each_half_is_predicted_by_the_other():
    logs = WORLD.draw(400, 1, seed=3)
    changed = Logs(logs.shown, logs.clicked.copy())
    changed.clicked[0] = 0
    before, after = cross_fitted_effects(logs), cross_fitted_effects(changed)
    np.testing.assert_array_equal(before[0], after[0])
    assert (after[1] < before[1]).all()


def test_the_world_after_the_real_log_is_as_hard_as_the_real_log():
    bts, random = (open_bandit.load_log(policy, "all") for policy in ("bts", "random"))
    world = world_from(bts, [random], 80, interaction=0.5, seed=0)
    assert world.q.shape == (21, 80)
    assert world.value(world.pi_0) == pytest.approx(bts["click"].mean(), rel=0.1)
    uniform = np.full(world.q.shape, 1 / 80)
    real = off_policy.effective_sample_size(1 / 80 / bts["propensity"].to_numpy()) / len(bts)
    assert world.effective_share(uniform) == pytest.approx(real, rel=0.25)
    shown, clicked = day_and_position(bts, 80)
    assert shown.sum() == 10_000 and clicked.sum() == 42
    with pytest.raises(CourseError, match="different numbers of days"):
        world_from(bts, [random.iloc[:3000]], 80, 0.5, seed=0)


def test_relative_rmse_by_hand():
    interval = relative_rmse(np.array([1.1, 0.9, 1.1, 0.9]), 1.0, seed=0)
    assert (interval.mean, interval.low, interval.high) == pytest.approx((0.1, 0.1, 0.1))


def test_what_is_no_world_and_no_log_is_refused():
    with pytest.raises(CourseError, match="sum to"):
        LoggedWorld(np.array([0.5, 0.4]), WORLD.q, WORLD.pi_0)
    with pytest.raises(CourseError, match="shapes"):
        LoggedWorld(np.array([1.0]), WORLD.q, WORLD.pi_0)
    with pytest.raises(CourseError, match="click rate lies between 0 and 1"):
        LoggedWorld(WORLD.p, 3 * WORLD.q, WORLD.pi_0)
    with pytest.raises(CourseError, match="even number of rows"):
        WORLD.draw(7, 1, seed=0)
    with pytest.raises(CourseError, match="not to 1"):
        WORLD.value(POLICY[:, :2])
