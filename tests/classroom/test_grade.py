"""Grading as a whole: again, interrupted, corrected by hand, on a cluster, from the command line."""

import csv
import json
import os
import signal
import time
from pathlib import Path

import psutil
import pytest
from distributed import LocalCluster
from real_command import course, still_running
from tiny_class import LESSON, RIGHT, mark

from course_lib.classroom.grading import grade as grading
from course_lib.classroom.grading.grade import decisive_files
from course_lib.classroom.grading.results import load
from course_lib.errors import CourseError
from course_lib.paths import ROOT

ENDLESS = (  # in the hidden cases, after which papers are kept
    "def density(n_ratings, n_users, n_items):\n    while n_users not in (943, 3): pass\n"
    "    return n_ratings / (n_users * n_items)"
)


def rows(tmp_path: Path) -> dict[str, dict[str, str]]:
    """Of grades.csv, by student."""
    with (tmp_path / "grades" / "grades.csv").open(encoding="utf-8", newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def test_grading_again_gives_the_same_grades_and_runs_nothing(tmp_path, hand_in, grade):
    hand_in("ada", RIGHT)
    hand_in("bob", {"0.2": RIGHT["0.2"]})
    first = grade()
    grades = (tmp_path / "grades" / "grades.csv").read_bytes()
    assert grade() == first and "to be graded: 0." in grade.said[0]
    assert (tmp_path / "grades" / "grades.csv").read_bytes() == grades
    assert rows(tmp_path)["ada"]["total"] == "4" and rows(tmp_path)["bob"]["total"] == "1"
    assert grade(out=tmp_path / "elsewhere") == first  # from nothing, with the same secret
    assert (tmp_path / "secret.txt").stat().st_mode & 0o077 == 0


def test_only_what_has_changed_is_graded_anew(tmp_path, hand_in, grade):
    hand_in("ada", RIGHT)
    hand_in("bob", {})
    grade()
    path = tmp_path / "class" / "bob" / f"{LESSON}.ipynb"
    path.write_text(path.read_text().replace("my_ndcg = ...", "my_ndcg = 0.4776237"))
    assert grade()["bob"].points == 2 and "to be graded: 1." in grade.said[0]


def test_a_paper_graded_before_a_reference_changed_is_graded_anew(tmp_path, hand_in, grade, monkeypatch):
    """References call the library: whatever of it they reach is part of what a grade depends on."""
    files = {path.relative_to(ROOT / "course_lib").as_posix() for path in decisive_files()}
    reached = {"evaluation/metrics.py", "bandits/off_policy.py", "ranking/graph.py", "data/splits.py", "inputs.py"}
    assert reached | {"exercises/judge.py", "classroom/grading/judging.py", "classroom/notebooks.py"} <= files
    assert not files & {"classroom/cli.py", "classroom/grading/feedback.py", "classroom/doctor.py"}
    hand_in("ada", RIGHT)
    first = grade()["ada"].digest
    monkeypatch.setattr(grading, "_code", lambda: b"another reference")
    assert grade()["ada"].digest != first and "1 graded" in " ".join(grade.said)


def test_an_interrupted_paper_goes_on_where_it_stopped(tmp_path, hand_in, grade):
    hand_in("ada", RIGHT | {"0.3": ""})
    grade()
    path = tmp_path / "grades" / "papers" / "ada" / f"{LESSON}.json"
    document = json.loads(path.read_text())
    kept = document["marks"][0] | {"words": "kept from the first time"}
    path.write_text(json.dumps(document | {"marks": [kept], "done": False}))
    paper = grade()["ada"]
    assert paper.marks[0].words == "kept from the first time"
    assert [one.points for one in paper.marks] == [1, 1, 0] and load(path).done


def command(tmp_path: Path, lesson: Path, *more: str) -> list[str]:
    """Arguments of ``course`` that grade the class in ``tmp_path``."""
    where = ["--out", str(tmp_path / "grades"), "--notebooks", str(lesson.parent), "--as-root"]
    return ["grade", str(tmp_path / "class"), *where, *more]


@pytest.mark.parametrize(("kill", "how"), [(os.killpg, signal.SIGINT), (os.kill, signal.SIGTERM)])
def test_ctrl_c_stops_everything_and_the_same_command_goes_on(tmp_path, lesson, hand_in, kill, how):
    for name in ("ada", "bob", "cleo", "dan"):
        hand_in(name, RIGHT | {"0.1": ENDLESS})
    process = course(*command(tmp_path, lesson, "--seconds", "3"), start_new_session=True)
    papers = tmp_path / "grades" / "papers"
    ends = time.monotonic() + 100
    while not list(papers.rglob("*.json")) and time.monotonic() < ends:
        time.sleep(0.2)
    started_by_it = psutil.Process(process.pid).children(recursive=True)
    kill(process.pid, how)
    assert "the same command goes on" in process.communicate(timeout=30)[1] and process.returncode == 130
    graded = len(list(papers.rglob("*.json")))
    assert not still_running(started_by_it)
    assert 0 < graded < 4 and not (tmp_path / "grades" / "grades.csv").exists()
    again = course(*command(tmp_path, lesson, "--seconds", "3")).communicate()[0]
    assert "to be graded: 4." in again  # none was whole
    assert {row["total"] for row in rows(tmp_path).values()} == {"3"}


def test_hand_marks_are_merged_each_time_and_never_lost(tmp_path, hand_in, grade):
    hand_in("ada", {})
    table = "student,lesson,exercise,points,comment\nada,00,0.1,0.5,Look at the units.\nzoe,00,0.1,1,Nobody.\n"
    (tmp_path / "hand.csv").write_text(table)
    for _ in range(2):
        found = mark(grade()["ada"], "0.1")
        assert (found.points, found.by_hand, found.comment) == (0.5, True, "Look at the units.")
        assert rows(tmp_path)["ada"]["total"] == "0.5"
    assert (tmp_path / "hand.csv").read_text() == table
    assert "zoe" in (tmp_path / "grades" / "report.html").read_text()


def test_a_cluster_of_two_workers_gives_the_grades_of_this_machine(tmp_path, hand_in, grade):
    hand_in("ada", RIGHT)
    hand_in("bob", {"0.2": RIGHT["0.2"]})
    here = grade()
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        there = grade(out=tmp_path / "there", scheduler=cluster.scheduler_address)
    assert there == here
    assert "to be graded: 2." in grade.said[0]


def test_a_cluster_that_does_not_answer_is_named(hand_in, grade):
    hand_in("ada", RIGHT)
    with pytest.raises(CourseError, match=r"tcp://127\.0\.0\.1:9.*address"):
        grade(scheduler="tcp://127.0.0.1:9")


def test_a_place_that_is_not_there_is_one_sentence(tmp_path, lesson):
    process = course(*command(tmp_path, lesson))
    _, errors = process.communicate()
    assert process.returncode == 1 and len(errors.strip().splitlines()) == 1 and "class" in errors


def test_what_is_no_secret_is_not_taken_for_one(tmp_path, hand_in, grade):
    hand_in("ada", RIGHT)
    (tmp_path / "secret.txt").write_text("")
    with pytest.raises(CourseError, match="holds no secret"):
        grade()
