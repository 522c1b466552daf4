"""One lesson, many students: the lesson runs once in a sandbox, and every student's answers run in forks of it.

The cells of the lesson are ours, as handed out; a student's are those of the exercises and the student's own. An answer
first runs alone, and with all that the student wrote before it only where it misses a name.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from course_lib.classroom.grading import reproduce
from course_lib.classroom.grading.budget import Budget
from course_lib.classroom.grading.judging import hidden_cases, mark_of
from course_lib.classroom.grading.reading import Cell, Reading
from course_lib.classroom.grading.results import Mark, Paper, save
from course_lib.classroom.grading.sandbox import Attempt, Sandbox
from course_lib.classroom.grading.walls import STANDARD, Limits
from course_lib.classroom.release import answer_of, label_of, student_edition, tagged
from course_lib.exercises import exercise
from course_lib.exercises.judge import Case, Exercise, Raised, compare

MOST_BAD = 3  # cells of a student that end a fork; one more, and what is wrong is not looked for any longer
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
    lesson = nbformat.reads(job.notebook, as_version=4)
    replayed: dict[str, str] = {}
    for script in job.scripts:
        script.budget = Budget(job.limits)
    with Sandbox(job.limits, job.trust, job.threads, job.private) as box:
        for cell in student_edition(lesson).cells:
            if cell.cell_type != "code":
                continue
            if not tagged(cell, "check"):
                replayed[cell.id] = box.run(cell.source)
                continue
            one, answer = exercise(label_of(cell)), answer_of(cell)
            hidden = hidden_cases(one, job.secret)
            for script in job.scripts:
                if all(mark.label != one.label for mark in script.paper.marks):
                    _grade_one(job, box, script, one, answer, hidden)
        rel = float(box.run(WIDEST))
    for script in job.scripts:
        _compare_outputs(script, lesson, replayed, rel)
    return [script.paper for script in job.scripts]


def _grade_one(job: Job, box: Sandbox, script: Script, one: Exercise, answer: str, hidden: Sequence[Case]) -> None:
    """Add the mark for exercise ``one`` to the script's paper, and what its check's stored output says otherwise."""
    own, before = cells_for(script.reading.cells, one.label)
    attempt = _tried(box, script, own, own, one, answer, hidden)
    if before != own and len(script.bad) <= MOST_BAD and (not own or _misses_a_name(attempt)):
        attempt = _tried(box, script, before, own, one, answer, hidden)
    try:
        with script.budget.spending():
            mark = mark_of(one, hidden, attempt, job.limits)
    except Exception:  # an answer that the judge is not made for costs itself, and nobody else
        attempt = replace(attempt, answers=(), trouble="error", words="an answer that could not be judged")
        mark = mark_of(one, hidden, attempt, job.limits)
    if mark.mark == "○" and not own:
        mark = replace(mark, words="the cell of this exercise is not in the notebook.", trouble="missing")
    checks = [cell.shown for cell in script.reading.cells if (cell.kind, cell.name) == ("check", one.label)]
    differences = script.paper.differences
    if checks and checks[-1].strip() and not attempt.trouble and not attempt.instead:
        found = [*attempt.answers, *[None] * len(one.cases)][: len(one.cases) or 1]
        ours = str(compare(one, one.cases or [()], found))
        if words := reproduce.difference(checks[-1], ours, 1e-3):
            differences += (f"the check of exercise {one.label}: {words}",)
    script.paper = replace(script.paper, marks=(*script.paper.marks, mark), differences=differences)
    if job.folder:
        save(script.paper, job.folder)


def cells_for(cells: Sequence[Cell], label: str) -> tuple[list[int], list[int]]:
    """Numbers of the cells that answer exercise ``label``, and of all that the student wrote until its check.

    A cell that stands twice runs twice, as it would in a notebook: the last one counts.
    """
    own = [i for i, cell in enumerate(cells) if (cell.kind, cell.name) == ("exercise", label)]
    checks = [i for i, cell in enumerate(cells) if (cell.kind, cell.name) == ("check", label)]
    last = max([*own, *checks], default=len(cells) - 1)
    return own, [i for i, cell in enumerate(cells[: last + 1]) if cell.kind in ("own", "exercise")]


def _tried(
    box: Sandbox,
    script: Script,
    numbers: Sequence[int],
    own: Sequence[int],
    one: Exercise,
    answer: str,
    hidden: Sequence[Case],
) -> Attempt:
    """The attempt with the cells ``numbers``; again without one that ends it and is not the exercise's ``own``."""
    while True:
        running = [number for number in numbers if number not in script.bad]
        sources = [script.reading.cells[number].source for number in running]
        attempt = box.attempt(sources, answer, one.cases, one.is_function, script.budget)
        ended = running[len(attempt.errors) :][:1] if attempt.trouble else []
        script.bad.update(ended)
        if not ended or ended[0] in own or len(script.bad) > MOST_BAD:
            break
    if not hidden or attempt.trouble or attempt.instead:
        return attempt
    # In a fork of its own, of which nothing but answers is told: a page may quote what a student's code says, and the
    # code can say all that it finds. The hidden inputs are not there before.
    unseen = box.attempt(sources, answer, hidden, one.is_function, script.budget)
    return replace(attempt, answers=(*attempt.answers, *unseen.answers), trouble=unseen.trouble)


def _misses_a_name(attempt: Attempt) -> bool:
    raised = [answer.words for answer in attempt.answers if isinstance(answer, Raised)]
    return any(words.startswith("NameError") for words in (*attempt.errors, *raised))


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
