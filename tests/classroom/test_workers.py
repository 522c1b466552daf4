"""Workers that die, and graders that die: nothing is left running, and nobody else's work is lost."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from needs import need
from real_command import course, still_running
from test_grade import ENDLESS, command
from tiny_class import RIGHT

from course_lib.classroom.grading import sandbox
from course_lib.classroom.grading.replay import Job
from course_lib.classroom.grading.results import Paper
from course_lib.classroom.grading.sandbox import Ended, Sandbox
from course_lib.classroom.grading.workers import run_here
from course_lib.errors import CourseError


def job(lesson: str, folder: Path) -> Job:
    return Job(lesson, "", (), "secret", folder=folder)


def pretend(job: Job) -> list[Paper]:
    """In a worker, in the place of grading: the name of the lesson says what happens there."""
    tries = job.folder / job.lesson
    with tries.open("a") as file:
        file.write("x")
    if "dies" in job.lesson and (tries.stat().st_size == 1 or "twice" in job.lesson):
        os.kill(os.getpid(), signal.SIGKILL)
    if "ends" in job.lesson and tries.stat().st_size == 1:
        raise Ended("The sandbox has ended.")
    if "fails" in job.lesson:
        raise CourseError("A cell fails.")
    time.sleep(0.3)
    return [Paper(f"by {os.getpid()}", job.lesson, ())]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_a_worker_that_dies_costs_its_own_job_alone_which_is_tried_once_more(tmp_path, monkeypatch, workers):
    monkeypatch.setattr("course_lib.classroom.grading.replay.grade", pretend)
    lessons = ["one", "dies once", "two", "dies twice", "ends once", "fails", "three"]
    found = dict(run_here([job(lesson, tmp_path) for lesson in lessons], workers))
    assert set(found) == set(lessons)
    assert isinstance(found["dies twice"], CourseError) and "ended from outside, twice" in str(found["dies twice"])
    assert isinstance(found["fails"], CourseError) and str(found["fails"]) == "A cell fails."
    assert all(isinstance(found[lesson], list) for lesson in set(lessons) - {"dies twice", "fails"})
    assert {name: len((tmp_path / name).read_text()) for name in lessons} == {
        "one": 1,
        "two": 1,
        "three": 1,
        "fails": 1,
        "dies once": 2,
        "dies twice": 2,
        "ends once": 2,
    }


@pytest.mark.parametrize("trust", [False, True])
def test_a_grader_that_is_killed_leaves_nothing_running(tmp_path, lesson, hand_in, trust):
    need("bwrap")
    for name in ("ada", "bob", "cleo"):
        hand_in(name, RIGHT | {"0.1": ENDLESS})
    more = ["--trust-the-students"] if trust else []
    process = course(*command(tmp_path, lesson, "--seconds", "4", *more), start_new_session=True)
    started_by_it: list[psutil.Process] = []
    try:
        ends = time.monotonic() + 100
        while (n := warm(process.pid)) < 3 and time.monotonic() < ends:  # it, who listens, and an answer without an end
            time.sleep(0.1)
        started_by_it = children(process.pid)
        assert n >= 3
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert not still_running(started_by_it)
    finally:
        for one in [*started_by_it, *children(process.pid)]:  # what is left would hold the pipes open
            with suppress(psutil.Error):
                one.kill()
        process.kill()
        process.communicate()


def warm(pid: int) -> int:
    """How many processes of a lesson run below the process ``pid``."""
    lines = []
    for one in children(pid):
        with suppress(psutil.Error):
            lines.append(one.cmdline())
    return sum("course_lib.classroom.grading.warm" in line and "bwrap" not in line[0] for line in lines)


def children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def test_the_reason_for_the_end_of_a_sandbox_is_the_real_one(monkeypatch):
    need("bwrap")
    with Sandbox() as box:
        box._process.kill()
        with pytest.raises(Ended, match="ended from outside; memory may be short"):
            box.run("1")
    with Sandbox() as box:
        with pytest.raises(CourseError, match="fails in the sandbox: ZeroDivisionError"):
            box.run("1 / 0")
        monkeypatch.setattr(sandbox, "PATIENCE", 0.5)
        with pytest.raises(CourseError, match=r"took longer than 0\.5 s") as late:
            box.run("import time; time.sleep(60)")
        assert not isinstance(late.value, Ended)


def test_what_a_sandbox_says_at_its_end_is_the_reason():
    need("bwrap")
    with Sandbox() as box, pytest.raises(Ended, match="ended"):
        box.run("import os; os._exit(3)")


def test_a_sandbox_that_is_left_has_ended():
    need("bwrap")
    with Sandbox() as box:
        inside = children(box._process.pid)
        assert inside
    assert not still_running(inside)
