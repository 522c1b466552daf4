"""A ✔ of the notebook's own check is a promise, and what grading cannot confirm is said in words of its own."""

import json
import sys

import pytest
from nbformat.v4 import new_code_cell, new_output
from tiny_class import RIGHT, mark

from course_lib.classroom.grading import judging
from course_lib.classroom.grading.answering import UNCONFIRMED
from course_lib.classroom.grading.sandbox import FORGED, Sandbox, attempt_of
from course_lib.classroom.grading.walls import Limits
from course_lib.classroom.release import tagged

TICK = "✔ Exercise 0.1: right in all 3 cases: 1 of 1 point.\n"
BODY = RIGHT["0.1"].splitlines()[-1]
# In the frames of the process that runs it, an answer finds the function that reports, and ends the report early.
ENDS_THE_REPORT = """
import sys
def density(n_ratings, n_users, n_items):
    frame = sys._getframe()
    while frame:
        if "tell" in frame.f_locals:
            frame.f_locals["tell"](done=True, called=[])
            import os
            os._exit(0)
        frame = frame.f_back
"""


def check_says(words: str):
    """A change of a notebook: the check of 0.1 has stored ``words``."""

    def change(notebook) -> None:
        for cell in notebook.cells:
            if tagged(cell, "check") and '"0.1"' in cell.source:
                cell.outputs = [new_output("stream", name="stdout", text=words)]

    return change


def edit(old: str, new: str):
    """A change of a notebook: ``new`` for ``old`` in every cell of code, and the check of 0.1 has said ✔."""

    def change(notebook) -> None:
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.source = cell.source.replace(old, new)
        check_says(TICK)(notebook)

    return change


NOTED = """class Noted(int):
    def __truediv__(self, other):
        stash.append(1)
        return int(self) / other
SEED, stash = Noted(SEED), []"""


def noted(notebook) -> None:
    """An own cell that changes what the lesson's next one, as handed out, does: the answer needs both."""
    notebook.cells.insert(3, new_code_cell(NOTED))
    check_says(TICK)(notebook)


@pytest.mark.parametrize(
    ("answer", "change"),
    [
        ("def density(n_ratings, n_users, n_items):\n    return ratio(n_ratings, n_users * n_items)",
         edit("import numpy as np\n", "import numpy as np\n\ndef ratio(a, b):\n    return a / b\n")),
        ("def density(n_ratings, n_users, n_items):\n    return float(np.divide(n_ratings, n_users * n_items))",
         edit('print(f"Half', 'import numpy\nprint(f"Half')),
        ('globals()["density"] = lambda n_ratings, *rest: n_ratings / (rest[0] * rest[1])', check_says(TICK)),
        (f"def density(n_ratings, n_users, n_items):\n{BODY.replace('return ', 'return np.longdouble(1) * ')}",
         check_says(TICK)),
        ("def density(n_ratings, n_users, n_items):\n    return n_ratings / (n_users * n_items) * stash[0]", noted),
    ],
    ids=["helper in a lesson's cell", "lesson's cell edited", "globals", "longdouble", "a lesson's cell as handed out"],
)  # fmt: skip
def test_what_the_notebook_accepts_counts_whatever_else_was_written(hand_in, grade, answer, change):
    hand_in("ada", RIGHT | {"0.1": answer}, change)
    paper = grade()["ada"]
    assert mark(paper, "0.1").points == 1 and not mark(paper, "0.1").finding


def test_a_check_that_was_spoilt_costs_no_right_answer(hand_in, grade):
    hand_in("ada", RIGHT, edit('check("0.1", density)', 'check("0.1", densty)'))
    assert mark(grade()["ada"], "0.1").points == 1


def test_a_tick_that_the_replay_does_not_confirm_is_a_finding_of_its_own(hand_in, grade):
    hand_in("ada", RIGHT | {"0.1": "def density(n_ratings, n_users, n_items):\n    return 3"}, check_says(TICK))
    found = mark(grade()["ada"], "0.1")
    assert (found.points, found.finding) == (0, UNCONFIRMED)


def test_a_tick_that_is_right_in_the_shown_cases_alone_is_no_such_finding(hand_in, grade):
    table = "def density(*case):\n    return {cases}.get(case, 0)"
    cases = {case: case[0] / (case[1] * case[2]) for case in judging.exercise_of("0.1").cases}
    hand_in("ada", RIGHT | {"0.1": table.format(cases=cases)}, check_says(TICK))
    found = mark(grade()["ada"], "0.1")
    assert (found.points, found.finding) == (0, judging.BY_HEART)


@pytest.mark.parametrize("left_over", ["1 / 0\n" + RIGHT["0.1"], RIGHT["0.1"].replace("):", ")")])
def test_a_function_that_its_failed_cell_has_left_over_is_not_judged(hand_in, grade, left_over):
    def above(notebook) -> None:
        notebook.cells.insert(4, new_code_cell(RIGHT["0.1"]))

    hand_in("ada", RIGHT | {"0.1": left_over}, above)
    assert mark(grade()["ada"], "0.1").points == 0


def test_an_answer_that_calls_the_lessons_own_solution_is_a_finding(hand_in, grade):
    calls = (
        "from course_lib.evaluation.metrics import rmse\n"
        "def density(n_ratings, n_users, n_items):\n"
        "    rmse(np.ones(1), np.ones(1))\n    return n_ratings / (n_users * n_items)"
    )
    hand_in("ada", RIGHT | {"0.1": calls})
    found = mark(grade()["ada"], "0.1")
    assert found.points == 1 and "evaluation.metrics.rmse" in found.finding


def test_who_ends_the_report_early_gets_nothing_and_is_reported(hand_in, grade):
    hand_in("eve", RIGHT | {"0.1": ENDS_THE_REPORT})
    found = mark(grade()["eve"], "0.1")
    assert (found.points, found.finding) == (0, judging.FORGED)


@pytest.mark.parametrize("told", [0, 1, 2, 4])
def test_a_report_with_other_answers_than_were_asked_for_is_void(told):
    lines = [json.dumps({"answer": None})] * told + ['{"done": true, "called": []}', ""]

    class Replies(Sandbox):
        def __init__(self) -> None:
            pass

        def _ask(self, request, data=""):
            return {"messages": lines, "trouble": ""}

    task = {"cells": [], "function": True}
    attempt = Replies()._attempt(task, [(1,)] * 3, Limits(), 0)
    assert (attempt.answers, attempt.trouble, attempt.words) == ((), "report", FORGED)
    assert len(attempt_of(lines, "").answers) == told  # it is the number that is wrong


def test_all_shown_cases_of_all_students_run_before_the_first_hidden_one(hand_in, grade, monkeypatch):
    order: list[bool] = []
    attempt = Sandbox.attempt

    def noted(self, cells, answer, cases, *rest, **named):
        if cells:
            shown = [repr(list(one.cases)) for one in map(judging.exercise_of, RIGHT)]
            order.append(not cases or repr(list(cases)) in shown)
        return attempt(self, cells, answer, cases, *rest, **named)

    monkeypatch.setattr(Sandbox, "attempt", noted)
    monkeypatch.setattr(sys.modules["course_lib.classroom.grading.grade"], "run_jobs", in_this_process)
    for student in ("ada", "bob"):
        hand_in(student, RIGHT)
    grade()
    first_hidden = order.index(False)
    assert all(order[:first_hidden]) and first_hidden >= 6 and not any(order[first_hidden:])


def in_this_process(jobs, settings, place):
    """`run_jobs` without workers."""
    from course_lib.classroom.grading import replay

    return [(job.lesson, replay.grade(job)) for job in jobs]
