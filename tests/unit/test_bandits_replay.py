"""Replay: a policy that learns meets in a uniform log what it would have met live."""

import numpy as np
import pytest

from course_lib.bandits.policies import EpsilonGreedy, ThompsonSampling, Uniform, simulate
from course_lib.bandits.replay import replay
from course_lib.errors import CourseError

RATES = np.array([0.2, 0.5, 0.35])


class Always:
    """Shows item 1."""

    def scores(self, clicks, plays, rng):
        return np.tile([0.0, 1.0, 0.0], (len(plays), 1))


def uniform_log(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    item = rng.integers(3, size=n)
    return np.arange(n), item, (rng.random(n) < RATES[item]).astype(int)


def test_a_fixed_policy_keeps_its_own_rows_by_hand():
    seen = replay(Always(), np.arange(5), np.array([1, 0, 1, 2, 1]), np.array([1, 1, 0, 1, 1]), 3, [0, 1])
    assert seen.plays.tolist() == [[0, 3, 0]] * 2 and seen.clicks.tolist() == [[0, 2, 0]] * 2


def test_one_row_in_three_matches():
    seen = replay(Uniform(), *uniform_log(6000), 3, range(5))
    assert seen.plays.sum(axis=1) == pytest.approx(np.full(5, 2000), abs=150)


@pytest.mark.parametrize("policy", [EpsilonGreedy(0.1), ThompsonSampling()])
def test_replay_earns_what_playing_live_earns(policy):
    earned = []
    for seed in range(12):
        seen = replay(policy, *uniform_log(900, seed), 3, range(20))
        earned.append(seen.clicks.sum() / seen.plays.sum())
    live = simulate(policy, RATES, 300, seeds=range(200))
    rate = (live.clicks.sum(axis=1) / 300).mean()
    assert abs(np.mean(earned) - rate) < 4 * np.std(earned) / np.sqrt(12)


def test_a_log_that_runs_backwards_is_refused_and_equal_times_are_not():
    time, item, click = uniform_log(10)
    with pytest.raises(CourseError, match=r"Row 4 of the log is earlier than the row before it: sort"):
        replay(Uniform(), np.where(time == 4, 1, time), item, click, 3, [0])
    assert replay(Uniform(), np.zeros(10), item, click, 3, [0]).plays.sum() >= 0
    with pytest.raises(CourseError, match="chooses among 2"):
        replay(Uniform(), time, np.full(10, 2), click, 2, [0])
    with pytest.raises(CourseError, match="missing value in row 0"):
        replay(Uniform(), time, item, np.where(time == 0, np.nan, click), 3, [0])
    with pytest.raises(CourseError, match="10 rows and 9 times"):
        replay(Uniform(), time[1:], item, click, 3, [0])
