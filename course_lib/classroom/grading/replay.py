"""One lesson, many students: the lesson runs once in a sandbox, and every student's answers run in forks of it.

The cells of the lesson are ours, as handed out, and are kept at each check. Then come the answers: all that is shown,
of all students, before the first hidden case of any. Whatever an answer to a hidden case could leave behind, nobody
comes after it whose words are quoted.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from course_lib.classroom.grading import reproduce
from course_lib.classroom.grading.answering import Answering, Asked
from course_lib.classroom.grading.budget import Budget
from course_lib.classroom.grading.cells import our_cells
from course_lib.classroom.grading.judging import class_cases
from course_lib.classroom.grading.reading import Reading
from course_lib.classroom.grading.results import Mark, Paper, save
from course_lib.classroom.grading.sandbox import Sandbox
from course_lib.classroom.grading.tries import COSTLY
from course_lib.classroom.grading.walls import STANDARD, Limits
from course_lib.classroom.release import answer_of, label_of, student_edition, tagged
from course_lib.exercises import exercise

WIDEST = "print(max(lesson.tolerance.values(), default=0.02))"  # tolerance of the lesson's figures; see `Lesson.record`


@dataclass
class Script:
    """What one student handed in for the lesson; ``paper`` holds what is known of it already."""

    reading: Reading
    paper: Paper
    bad: set[int] = field(default_factory=set)  # numbers of cells that ended a fork: they do not run again
    budget: Budget = field(default_factory=lambda: Budget(STANDARD))  # `grade` starts a new one


@dataclass(frozen=True)
class Job:
    """Scripts of one lesson. ``folder``: where papers are kept as they grow; None where that is no shared folder."""

    lesson: str
    notebook: str  # the lesson's, as text
    scripts: tuple[Script, ...]
    secret: str
    limits: Limits = STANDARD
    trust: bool = False
    threads: int = 1
    folder: Path | None = None
    private: tuple[Path, ...] = ()  # folders that no student's code may see


def grade(job: Job) -> list[Paper]:
    """The papers of ``job``'s scripts. Raises CourseError where the lesson itself does not run in the sandbox."""
    lesson, replayed, asked, seconds = nbformat.reads(job.notebook, as_version=4), {}, [], {}
    with Sandbox(job.limits, job.trust, job.threads, job.private) as box:
        for cell in student_edition(lesson).cells:
            if cell.cell_type != "code":
                continue
            if tagged(cell, "check"):
                one = exercise(label_of(cell))
                asked.append(Asked(one, answer_of(cell), class_cases(one.label, job.secret), box.keep()))
                continue
            started = time.monotonic()
            replayed[cell.id] = box.run(cell.source)
            seconds[cell.id] = time.monotonic() - started
        rel = float(box.run(WIDEST))
        handed_out = sources_of(student_edition(lesson))
        costly = {name for name, taken in seconds.items() if taken > COSTLY}
        for script in job.scripts:
            script.budget = Budget(job.limits)
        waiting = [
            (script, Answering(box, script.reading.cells, script.budget, script.bad, one, handed_out, costly))
            for one in asked
            for script in job.scripts
            if all(mark.label != one.exercise.label for mark in script.paper.marks)
        ]
        for _, answering in waiting:
            answering.try_shown()
        for script, answering in waiting:
            script.paper = replace(script.paper, marks=(*script.paper.marks, answering.mark()))
            if job.folder:
                save(script.paper, job.folder)
    for script in job.scripts:
        _compare_outputs(script, lesson, replayed, rel)
    return [script.paper for script in job.scripts]


def sources_of(edition: NotebookNode) -> dict[str, str]:
    """{id of a lesson's cell, or label of a check: its source}, as handed out."""
    return {cell.name if cell.kind == "check" else cell.id: cell.source for cell in our_cells(edition)}


def _compare_outputs(script: Script, lesson: NotebookNode, replayed: dict[str, str], rel: float) -> None:
    """Set whether the outputs handed in agree with ``replayed``, as far as the lesson's cells are as handed out."""
    ours = {cell.id: cell for cell in lesson.cells if cell.id in replayed and not tagged(cell, "exercise")}
    differences, compared = list(script.paper.differences), 0
    for cell in script.reading.cells if script.reading.parameters else ():
        if cell.kind != "lesson":
            continue
        if cell.source != ours[cell.name].source:
            break  # what comes after an edited cell may differ for good reason
        if cell.shown.strip() and not tagged(ours[cell.name], "nbval-ignore-output"):
            compared += 1
            if words := reproduce.difference(cell.shown, replayed[cell.name], rel):
                differences.append(f"the cell that begins {cell.source.strip()[:40]!r}: {words}")
    verdict = "no" if differences else "yes" if compared else "not compared"
    script.paper = replace(script.paper, reproduces=verdict, differences=tuple(differences), done=True)


def unreadable(paper: Paper, labels: Sequence[str], problem: str) -> Paper:
    """``paper`` of a file in which nothing can be graded: no points, and the reason."""
    marks = tuple(Mark(label, 0, exercise(label).points, "○", problem, trouble="missing") for label in labels)
    return replace(paper, marks=marks, findings=(problem,), done=True)
