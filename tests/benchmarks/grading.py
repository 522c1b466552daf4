"""Grading a class: seconds a student beside nbgrader's autograde on the same notebooks, its memory, its worst student.

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
from course_lib.machine import cores
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


def ours(folder: Path, lessons: list[Path], but: str = "") -> None:
    """Grade ``folder``, from nothing; everybody gets what the work deserves, ``but`` one."""
    with tempfile.TemporaryDirectory() as out:
        at = Path(out)
        places = {"out": at / "grades", "hand": at / "hand.csv", "secret": at / "secret"}
        settings = Settings(**places, workers=cores(), as_root=True)
        papers = grade_class(folder, lessons, settings, print)
        assert all(paper.points in (paper.of, paper.of - paper.marks[0].of) for paper in papers if paper.student != but)


def nbgrader(folder: Path, lesson: Path) -> Callable[[], None]:
    """nbgrader's course of one assignment with the notebooks of ``folder`` handed in; returns what autogrades it."""
    course = Path(tempfile.mkdtemp(prefix="nbgrader-"))
    (course / "source" / "one").mkdir(parents=True)
    release([lesson], course / "unused")
    (course / "source" / "one" / lesson.name).write_bytes(lesson.read_bytes())
    command = [sys.executable, "-m", "nbgrader"]
    alembic = course / "bin" / "alembic"  # nbgrader calls it by its name; the course's own does not know of nbgrader
    alembic.parent.mkdir()
    alembic.write_text(f"#!/bin/sh\nexec '{sys.executable}' -m alembic \"$@\"\n", encoding="utf-8")
    alembic.chmod(0o755)
    settings = os.environ | {"PATH": f"{alembic.parent}:{os.environ['PATH']}"}
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


def the_whole_class() -> tuple[float, float]:
    """Two lessons of `LARGE` students: seconds a student, and the most memory that grading takes, in MB.

    Memory is the proportional set size, in which what processes share is counted once.
    """
    most, over, here = 0.0, threading.Event(), psutil.Process()

    def watch() -> None:
        nonlocal most
        while not over.wait(1):
            most = max(most, sum(map(proportional, here.children(recursive=True))) / 1e6)

    with tempfile.TemporaryDirectory() as folder:
        for lesson in (START, NEXT):
            hand_in(lesson, Path(folder), LARGE)
        watcher = threading.Thread(target=watch)
        watcher.start()
        started = time.perf_counter()
        ours(Path(folder), [START, NEXT])
        seconds = time.perf_counter() - started
        over.set()
        watcher.join()
    return seconds / LARGE, most


def proportional(process: psutil.Process) -> int:
    """The proportional set size of ``process`` in bytes; 0 if it has just ended."""
    try:
        return process.memory_full_info().pss
    except psutil.Error:
        return 0


def class_of_200() -> list[Row]:
    """Memory of 200 notebooks."""
    seconds, memory = the_whole_class()
    print(f"{seconds:.2f} s a student with two lessons")
    return [row(f"course_lib, {2 * LARGE} notebooks", memory, "MB", ours=True, higher=False)]


WORST = {  # what one student can cost: each answer sleeps or computes until it is stopped
    "sleeps": "import time; time.sleep(1000)",
    "floods": "print('\\x0b' * 900_000); return [0.0] * 900_000",
    "computes": "while True: pass",
}


def worst_student() -> list[Row]:
    """How much longer a class of 20 takes with the worst student of `WORST` among them: at most twice."""
    with tempfile.TemporaryDirectory() as folder:
        hand_in(START, Path(folder), 20)
        started = time.perf_counter()
        ours(Path(folder), [START])
        without, ratios = time.perf_counter() - started, []
        for body in WORST.values():
            started = time.perf_counter()
            spoil(Path(folder) / "student_000" / START.name, body)
            ours(Path(folder), [START], but="student_000")
            ratios.append((time.perf_counter() - started) / without)
    print(f"{without:.1f} s without")
    return [
        row(f"course_lib, who {name}", r, "times", ours=True, higher=False)
        for name, r in zip(WORST, ratios, strict=True)
    ]


def spoil(notebook: Path, body: str) -> None:
    """Put ``body`` into each function that is an answer, and in front of each other answer."""
    work = nbformat.read(notebook, as_version=4)
    for cell in work.cells:
        if tagged(cell, "exercise"):
            head = cell.source.split("\n    ")[0]
            cell.source = (
                f"{head}\n    {body}" if head.startswith("def") else f"{body.split('; return')[0]}\n{cell.source}"
            )
    nbformat.write(work, notebook)


BENCHES = {
    "grade_seconds_per_student": seconds_per_student,
    "grade_200_peak_pss_mb": class_of_200,
    "grade_20_with_the_worst_times": worst_student,
}

if __name__ == "__main__":
    main(BENCHES)
