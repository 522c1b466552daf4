"""What one student's work in one lesson may take of the class's time."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from needs import need
from tiny_class import RIGHT

from course_lib.classroom.grading.budget import LEAST, Budget
from course_lib.classroom.grading.judging import mark_of
from course_lib.classroom.grading.sandbox import Attempt, Sandbox
from course_lib.classroom.grading.walls import STANDARD, Limits
from course_lib.exercises import exercise

SLOW = "import time; time.sleep(99)"


def test_what_is_spent_is_gone_also_where_the_block_fails():
    budget = Budget(Limits(seconds=5, answers=2))
    assert budget.left == 10
    with pytest.raises(ValueError), budget.spending():
        time.sleep(0.1)
        raise ValueError
    assert 8 < budget.left <= 9.9


@given(st.floats(0.1, 100), st.lists(st.floats(0, 1000)))
def test_attempts_take_at_most_the_budget_and_the_least_of_each(limit, wanted):
    budget, taken = Budget(Limits(seconds=limit)), 0.0
    for seconds in wanted:
        spent = min(seconds, budget.seconds(limit))
        assert min(limit, LEAST) <= budget.seconds(limit) <= limit
        budget.left -= spent
        taken += spent
    assert taken <= STANDARD.answers * limit + LEAST * len(wanted) + 1e-6


@pytest.fixture(scope="module")
def box():
    need("bwrap")
    with Sandbox(Limits(seconds=2, answers=1.5)) as box:
        yield box


def test_a_student_who_is_always_slow_is_stopped_sooner_each_time_and_told_why(box):
    budget, troubles = Budget(box.limits), []
    started = time.monotonic()
    for _ in range(4):
        attempt = box.attempt([SLOW], "answer", [], False, budget)
        troubles.append(attempt.trouble)
    assert time.monotonic() - started < 3 + 3 * LEAST + 3  # four forks
    assert troubles == ["time", "budget", "budget", "budget"] and budget.left < 0
    assert box.attempt(["answer = 7"], "answer", [], False, budget).answers == (7,)  # quick ones count all the same
    assert box.attempt([SLOW], "answer", [], False).trouble == "time"  # another student's


@pytest.mark.slow
def test_a_class_takes_at_most_twice_as_long_with_the_worst_student(tmp_path, hand_in, grade):
    for number in range(12):
        hand_in(f"student_{number}", RIGHT)
    limits, seconds = Limits(seconds=10, answers=0.3), []
    worst = {label: f"{source}\nimport time; time.sleep(99)" for label, source in RIGHT.items()}
    for out in ("without", "with"):
        started = time.monotonic()
        papers = grade(out=tmp_path / out, limits=limits)
        seconds.append(time.monotonic() - started)
        assert {paper.points for name, paper in papers.items() if name != "worst"} == {4}
        hand_in("worst", worst) if out == "without" else None
    assert {mark.trouble for mark in papers["worst"].marks} == {"budget"} and papers["worst"].points == 0
    assert seconds[1] < 2 * seconds[0], seconds


def test_the_words_for_it_are_not_those_of_a_single_answer():
    mark = mark_of(exercise("0.1"), [], Attempt((), (), "", "budget", ""), None, STANDARD)
    assert mark.trouble == "budget" and "12 seconds for one student's whole lesson" in mark.words
