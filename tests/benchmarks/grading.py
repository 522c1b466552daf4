"""Grading a class: seconds a student beside nbgrader's autograde on the same notebooks, and the memory it takes.

Ours runs the students' code in a sandbox with hidden inputs, and compares outputs; nbgrader's autograde runs the whole
notebook for each student, as the user who grades, with the checks that stand in the notebook.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import psutil
from runner import Row, main, row

from course_lib.classroom.grading.grade import Settings, grade_class
from course_lib.classroom.release import SOLUTION, release, student_edition, tagged
from course_lib.classroom.run import find_lessons
from course_lib.paths import ROOT

CLASS, LARGE = 10, 100  # students; the large class hands in two lessons each
START, NEXT = find_lessons(ROOT / "notebooks", ["00", "01"])


def hand_in(lesson: Path, folder: Path, students: int) -> None:
    """``students`` notebooks of ``lesson``: every other student has solved all, the others all but one exercise."""
    solved = nbformat.read(lesson, as_version=4)
    for number in range(students):
        edition, left = student_edition(solved), number % 2
        whole = {cell.id: cell.source for cell in solved.cells}
        for cell in edition.cells:
            if tagged(cell, "exercise"):
                marks = SOLUTION.search(whole[cell.id])
                body = "\n".join(marks[0].splitlines()[1:-1])
                cell.source = cell.source if left else SOLUTION.sub(lambda _, body=body: body, whole[cell.id])
                left = 0
        place = folder / f"student_{number:03}"
        place.mkdir(parents=True, exist_ok=True)
        nbformat.write(edition, place / lesson.name)


def ours(folder: Path, lessons: list[Path]) -> None:
    """Grade ``folder``, from nothing."""
    with tempfile.TemporaryDirectory() as out:
        at = Path(out)
        settings = Settings(
            out=at / "grades", hand=at / "hand.csv", secret=at / "secret", workers=psutil.cpu_count() or 1
        )
        papers = grade_class(folder, lessons, settings, print)
        assert all(paper.points in (paper.of, paper.of - paper.marks[0].of) for paper in papers)


def nbgrader(folder: Path, lesson: Path) -> Callable[[], None]:
    """nbgrader's course of one assignment with the notebooks of ``folder`` handed in; returns what autogrades it."""
    course = Path(tempfile.mkdtemp(prefix="nbgrader-"))
    (course / "source" / "one").mkdir(parents=True)
    release([lesson], course / "unused")
    (course / "source" / "one" / lesson.name).write_bytes(lesson.read_bytes())
    command = [sys.executable, "-m", "nbgrader"]
    scripts = Path(nbformat.__file__).parents[4] / "bin"  # of the course: nbgrader calls alembic there by its name
    settings = os.environ | {"PATH": f"{scripts}:{os.environ['PATH']}"}
    subprocess.run([*command, "generate_assignment", "one"], cwd=course, env=settings, check=True)
    for student in sorted(folder.iterdir()):
        place = course / "submitted" / student.name / "one"
        place.mkdir(parents=True)
        (place / lesson.name).write_bytes((student / lesson.name).read_bytes())
    command += ["autograde", "one", "--force"]
    return lambda: subprocess.run(command, cwd=course, env=settings, check=True) and None


def seconds_per_student() -> list[Row]:
    """Both grade the same `CLASS` notebooks of lesson 00."""
    with tempfile.TemporaryDirectory() as folder:
        hand_in(START, Path(folder), CLASS)
        ways: dict[str, Callable[[], Any]] = {
            "course_lib": lambda: ours(Path(folder), [START]),
            "nbgrader autograde": nbgrader(Path(folder), START),
        }
        seconds = {}
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            seconds[name] = (time.perf_counter() - started) / CLASS
    return [row(name, s, "s", ours=name == "course_lib", higher=False) for name, s in seconds.items()]


def memory_of_200() -> list[Row]:
    """What the machine lacks while two lessons of `LARGE` students are graded: its drop of available memory."""
    free = least = psutil.virtual_memory().available
    over = threading.Event()

    def watch() -> None:
        nonlocal least
        while not over.wait(0.1):
            least = min(least, psutil.virtual_memory().available)

    with tempfile.TemporaryDirectory() as folder:
        for lesson in (START, NEXT):
            hand_in(lesson, Path(folder), LARGE)
        watcher = threading.Thread(target=watch)
        watcher.start()
        ours(Path(folder), [START, NEXT])
        over.set()
        watcher.join()
    return [row(f"course_lib, {2 * LARGE} notebooks", (free - least) / 1e6, "MB", ours=True, higher=False)]


BENCHES = {"grade_seconds_per_student": seconds_per_student, "grade_200_peak_rss_mb": memory_of_200}

if __name__ == "__main__":
    main(BENCHES)
