"""The online loop: killed where it hurts most, it loses nothing, counts nothing twice, and goes on."""

import math
import multiprocessing
import os
import random
import signal
import sqlite3
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.bandits.off_policy import importance_weights, snipw
from course_lib.bandits.online import OnlineLoop, SimulatedUser, play
from course_lib.bandits.policies import UCB1, EpsilonGreedy, ThompsonSampling, Uniform
from course_lib.errors import CourseError

ARMS, RATES = ["A", "B", "C"], (0.2, 0.4, 0.6)
KILLS, FOR_EVER = 50, 10**9


def loop_in(folder, policy=ThompsonSampling(), **others):  # noqa: B008 (frozen)
    return OnlineLoop(
        folder / "loop.sqlite", **({"arms": ARMS, "policy": policy, "seed": 7, "draws": 20, "durable": False} | others)
    )


def everything(loop):
    """State and events, to be compared."""
    return [x.tolist() for x in (*loop.counts(), *loop.replay(), *loop.log().values())]


def child(folder, until, die_before_statement):
    """Run the loop; send every feedback once more after each restart; die before the n-th SQL statement, if any."""
    loop, user = loop_in(folder), SimulatedUser(RATES, seed=3)
    left = [die_before_statement]

    def count_down(_):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    if die_before_statement:
        loop.connection.set_trace_callback(count_down)
    log = loop.log()
    for decision, reward in list(zip(log["id"], log["reward"], strict=True))[-5:]:  # was it counted? send it again
        assert not loop.observe(int(decision), int(reward))
    play(loop, user, until)


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")
def test_killed_fifty_times_every_feedback_counts_once_and_the_stream_goes_on(tmp_path):
    dice, fork = random.Random(1), multiprocessing.get_context("fork")
    killed, in_the_middle = 0, 0
    with loop_in(tmp_path) as loop:
        assert loop.pending() == []
    for number in range(KILLS):
        # every other child dies before a random SQL statement, also within a transaction; the others at a random time
        statement = dice.randint(25, 80) if number % 2 else 0
        process = fork.Process(target=child, args=(tmp_path, FOR_EVER, statement))
        process.start()
        if not statement:
            time.sleep(dice.uniform(0.002, 0.02))
            process.kill()
        process.join(timeout=20)
        killed += process.exitcode == -signal.SIGKILL
        with loop_in(tmp_path) as loop:
            np.testing.assert_array_equal(loop.counts(), loop.replay())  # the counts are those of the events
            in_the_middle += bool(loop.pending())
            assert len(loop.pending()) <= 1
    assert killed == KILLS and in_the_middle >= 5
    with loop_in(tmp_path) as loop:
        decisions = int(loop.counts()[1].sum()) + 50
    child(tmp_path, decisions, 0)
    (tmp_path / "calm").mkdir()
    with loop_in(tmp_path) as loop, loop_in(tmp_path / "calm") as calm:
        play(calm, SimulatedUser(RATES, seed=3), decisions)
        assert everything(loop) == everything(calm)  # the same decisions, propensities and counts as without a kill
        assert loop.counts()[1].sum() == decisions and not loop.pending()


def test_feedback_late_in_any_order_and_twice_counts_once(tmp_path):
    with loop_in(tmp_path) as loop:
        made = [loop.choose() for _ in range(30)]
        assert [decision.id for decision in made] == list(range(1, 31)) and loop.pending() == made
        for decision in reversed(made):
            assert loop.observe(decision.id, 1) is True
            assert loop.observe(decision.id, 1) is False
        clicks, plays = loop.counts()
        assert clicks.tolist() == plays.tolist() == [sum(d.arm == a for d in made) for a in range(3)]
        with pytest.raises(CourseError, match="Decision 3 has the reward 1 already; 0 is not counted"):
            loop.observe(3, 0)
        assert loop.counts()[0].sum() == 30


def test_an_arm_never_seen_has_zero_counts_and_can_still_be_chosen(tmp_path):
    with loop_in(tmp_path, EpsilonGreedy(0.0)) as loop:
        assert [x.tolist() for x in (*loop.counts(), *loop.replay())] == [[0, 0, 0]] * 4
        seen = []
        for _ in range(3):
            decision = loop.choose()
            seen.append(decision.arm)
            loop.observe(decision.id, 1)
        assert sorted(seen) == [0, 1, 2]  # an infinite score for what was never shown


@pytest.mark.parametrize(
    ("policy", "expected"), [(EpsilonGreedy(0.3), [0.1, 0.1, 0.8]), (UCB1(), None), (Uniform(), [1 / 3] * 3)]
)
def test_logged_propensities_are_the_policys_probabilities(tmp_path, policy, expected):
    with loop_in(tmp_path, policy, draws=2000) as loop:
        play(loop, SimulatedUser((0.0, 0.0, 1.0), seed=1), 40)
        log = loop.log()
        if expected is None:  # no chance in UCB1
            assert (log["propensity"] == 1).all()
        else:
            late = log["id"] > 20
            np.testing.assert_allclose(log["propensity"][late], np.array(expected)[log["arm"][late]], atol=0.04)


def test_the_log_can_judge_another_policy(tmp_path):
    with loop_in(tmp_path, EpsilonGreedy(0.5), draws=200) as loop:
        play(loop, SimulatedUser(RATES, seed=2), 1500)
        log = loop.log()
    w = importance_weights((log["arm"] == 1).astype(float), log["propensity"])
    assert w.mean() == pytest.approx(1, abs=0.25)
    assert snipw(log["reward"], w) == pytest.approx(RATES[1], abs=0.1)


@settings(max_examples=15, deadline=None)
@given(events=st.lists(st.tuples(st.integers(1, 12), st.integers(0, 1)), max_size=40), cut=st.integers(0, 40))
def test_any_feedback_with_a_restart_anywhere_equals_its_replay(tmp_path_factory, events, cut):
    folder, truth = tmp_path_factory.mktemp("loop"), {}
    loop = loop_in(folder, draws=2)
    made = {decision.id: decision for decision in (loop.choose() for _ in range(8))}
    for number, (decision, reward) in enumerate(events):
        if number == cut:
            loop.close()
            loop = loop_in(folder, draws=2)
        if decision not in made or truth.get(decision, reward) != reward:
            with pytest.raises(CourseError):
                loop.observe(decision, reward)
        else:
            assert loop.observe(decision, reward) == (decision not in truth)
            truth[decision] = reward
    for arm, (clicks, plays) in enumerate(zip(*loop.counts(), strict=True)):
        rewards = [reward for decision, reward in truth.items() if made[decision].arm == arm]
        assert (clicks, plays) == (sum(rewards), len(rewards))
    np.testing.assert_array_equal(loop.counts(), loop.replay())
    assert {decision.id for decision in loop.pending()} == made.keys() - truth.keys()
    loop.close()


def test_two_processes_at_one_file_take_turns(tmp_path):
    first, second = loop_in(tmp_path), loop_in(tmp_path)
    made = [loop.choose().id for _ in range(10) for loop in (first, second)]
    assert made == list(range(1, 21))
    assert second.observe(1, 1) and not first.observe(1, 1)
    first.close(), second.close()


@pytest.mark.parametrize("reward", [None, 2, -1, 0.5, math.nan, "1"])
def test_a_reward_that_is_missing_or_not_0_or_1_is_refused_and_changes_nothing(tmp_path, reward):
    with loop_in(tmp_path) as loop:
        decision = loop.choose()
        with pytest.raises(CourseError, match=r"The reward of decision 1 is .*: it must be 1"):
            loop.observe(decision.id, reward)
        assert loop.pending() == [decision]
        assert loop.observe(decision.id, np.float64(1.0)) and not loop.observe(decision.id, True)


def test_feedback_for_a_decision_never_made_is_refused(tmp_path):
    with loop_in(tmp_path) as loop, pytest.raises(CourseError, match="Decision 5 was never made in"):
        loop.observe(5, 1)


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"arms": ["A", "B"]}, "arms"),
        ({"arms": ["A", "C", "B"]}, "arms"),
        ({"seed": 8}, "seed"),
        ({"policy": UCB1()}, "policy"),
    ],
)
def test_the_file_of_another_experiment_is_refused(tmp_path, other, named):
    with loop_in(tmp_path) as loop:
        play(loop, SimulatedUser(RATES, seed=1), 5)
    with pytest.raises(CourseError, match=f"holds another experiment, with {named} .* instead of"):
        loop_in(tmp_path, **other)
    with loop_in(tmp_path) as loop:
        assert loop.counts()[1].sum() == 5


def test_a_corrupt_file_is_refused_in_one_sentence(tmp_path):
    path = tmp_path / "loop.sqlite"
    path.write_bytes(b"this was never a database, and it is long enough to be read as the header of one" * 20)
    with pytest.raises(CourseError, match=r"loop\.sqlite .* is no sound SQLite database"):
        loop_in(tmp_path)
    path.unlink()
    with loop_in(tmp_path) as loop:
        play(loop, SimulatedUser(RATES, seed=1), 200)
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with pytest.raises(CourseError, match="is no sound SQLite database"):
        loop_in(tmp_path)


def test_a_folder_that_is_missing_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(CourseError, match=r"cannot be written in .*choose a folder that exists"):
        loop_in(tmp_path / "nowhere")


@pytest.mark.skipif(sys.platform == "win32" or os.getuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_refused_in_one_sentence(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(CourseError, match="cannot be written in"):
        loop_in(tmp_path)
    tmp_path.chmod(0o700)


def test_a_file_that_turns_read_only_is_refused_in_one_sentence(tmp_path):
    with loop_in(tmp_path) as loop:
        loop.connection.execute("PRAGMA query_only = ON")  # what SQLite says of a disk mounted read-only
        with pytest.raises(CourseError, match=r"cannot be written in .*readonly"):
            loop.choose()
        loop.connection.execute("PRAGMA query_only = OFF")
        assert loop.choose().id == 1


def test_a_closed_loop_says_so(tmp_path):
    loop = loop_in(tmp_path)
    loop.close()
    with pytest.raises(CourseError, match=r"loop\.sqlite was closed .*open it again"):
        loop.choose()


@pytest.mark.parametrize("settings", [{"arms": []}, {"arms": ["A", "A"]}, {"draws": 0}])
def test_settings_that_make_no_experiment_are_refused(tmp_path, settings):
    with pytest.raises(CourseError, match="at least one arm"):
        loop_in(tmp_path, **settings)


def test_each_step_is_one_transaction_in_the_write_ahead_log(tmp_path):
    with loop_in(tmp_path) as loop:
        assert loop.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        said = []
        loop.connection.set_trace_callback(said.append)
        loop.observe(loop.choose().id, 1)
        assert [s.split()[0] for s in said if s.split()[0] in ("BEGIN", "COMMIT")] == ["BEGIN", "COMMIT"] * 2
        with pytest.raises(sqlite3.IntegrityError):  # the table itself refuses a reward of 2
            loop.connection.execute("INSERT INTO feedback VALUES (99, 2)")


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"seed": 0.5}, {"draws": 0}, {"draws": True}, {"arms": ["a", None]}])
def test_settings_out_of_range_are_refused_and_leave_no_file(tmp_path, wrong):
    given = {"path": tmp_path / "l.sqlite", "arms": ["a", "b"], "policy": Uniform(), "seed": 1} | wrong
    with pytest.raises(CourseError):
        OnlineLoop(**given)
    assert not list(tmp_path.iterdir())


def test_numpys_seed_is_pythons(tmp_path):
    with OnlineLoop(tmp_path / "l.sqlite", np.array(["a", "b"]), Uniform(), np.int64(1), np.int64(5)) as loop:
        loop.choose()
    again = OnlineLoop(tmp_path / "l.sqlite", ["a", "b"], Uniform(), 1, 5)
    with again as loop, pytest.raises(CourseError, match="whole number"):
        loop.observe(1.5, 1)
