"""How far a student is: read from the notebooks as they were saved, since every check leaves its verdict in its cell.

Nothing is run, and nothing is kept elsewhere: the same folder always gives the same page.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import jinja2

from course_lib.classroom.grading.cells import Ours, match, our_cells
from course_lib.classroom.notebooks import Stored, clean, read_document, read_notebook, stored_cells, without_papermills
from course_lib.classroom.release import HEADING, student_edition
from course_lib.classroom.report import opening, plain
from course_lib.errors import CourseError
from course_lib.paths import write_atomic

VERDICT = re.compile(r"([✔✘○]) Exercise (\w+\.\d+): (.*)")  # as `judge.Verdict` prints it
POINTS = re.compile(
    r"(?:right|right in all \d+ cases|not yet: right in \d+ of \d+ cases)[:,] (\d+(?:\.5)?) of \d+ point"
)
NOT_RUN = "·"
PAGE = "progress.html"


@dataclass(frozen=True)
class ExerciseState:
    """Where an exercise stands: its mark, "✔", "✘", "○" (not solved yet) or "·" (not checked yet), and a sentence."""

    label: str  # "3.2"
    title: str
    of: int
    earned: float = 0
    mark: str = NOT_RUN
    words: str = "not checked yet."


@dataclass(frozen=True)
class LessonState:
    """Where a lesson stands. ``trouble``: why nothing could be read of it, and what to do; empty if all is well."""

    notebook: str  # its file's name
    title: str
    exercises: tuple[ExerciseState, ...]
    there: bool = False
    cells_run: int = 0
    cells: int = 0  # of code; an empty one cannot be run and does not count
    finished: bool = False  # its closing cell has said "Done in ..."
    trouble: str = ""

    @property
    def earned(self) -> float:
        """The points so far."""
        return sum(exercise.earned for exercise in self.exercises)

    @property
    def of(self) -> int:
        """The points that there are."""
        return sum(exercise.of for exercise in self.exercises)

    @property
    def core(self) -> bool:
        """Whether everybody takes it: the lessons with a letter, such as 02b, go deeper and can wait."""
        return self.notebook.split("_")[0].isdecimal()


def read_progress(folder: Path, lessons: Sequence[Path]) -> list[LessonState]:
    """Where each of ``lessons`` stands in ``folder``, which has student editions of them under the same names.

    A notebook that is missing, torn or foreign has its ``trouble`` said. CourseError if none of the lessons is there.
    """
    if not any((folder / path.name).exists() for path in lessons):
        raise CourseError(f"There is no lesson in {folder}: call make lab first, or name the folder of your notebooks.")
    return [_state(folder / path.name, *_unread(path)) for path in lessons]


def _unread(lesson: Path) -> tuple[LessonState, list[Ours]]:
    """The state of ``lesson`` before anything is known of the student's notebook, and its cells as handed out."""
    edition = student_edition(read_notebook(lesson))
    exercises = []
    for heading in [found for cell in edition.cells for found in HEADING.finditer(cell.source)]:
        name = heading[0].removeprefix(f"### Exercise {heading[1]} ").rpartition(" (")[0].removeprefix("· ")
        exercises.append(ExerciseState(heading[1], plain(name), int(heading[2])))
    return LessonState(lesson.name, opening(edition)[0] or lesson.stem, tuple(exercises)), our_cells(edition)


def _state(path: Path, unread: LessonState, ours: Sequence[Ours]) -> LessonState:
    if not path.exists():
        return replace(unread, trouble="It is not in this folder: make lab brings it.")
    document, problem = read_document(path)
    if problem:
        return replace(unread, there=True, trouble=f"{problem} Once it is renamed, make lab brings the lesson anew.")
    stored, _ = stored_cells(document["cells"])
    pairs = match(without_papermills(stored), ours)
    if unread.exercises and not any(one and one.kind != "lesson" for _, one in pairs):
        words = "It has none of the lesson's exercises: once it is renamed, make lab brings the lesson anew."
        return replace(unread, there=True, trouble=words)
    checks = {one.name: cell for cell, one in pairs if one and one.kind == "check"}
    exercises = tuple(_checked(one, checks.get(one.label)) for one in unread.exercises)
    written = [cell for cell, _ in pairs if cell.source.strip()]
    run = sum(cell.count is not None for cell in written)
    finished = any("lesson.finish()" in cell.source and "Done in " in _printed(cell) for cell in written)
    return replace(unread, exercises=exercises, there=True, cells_run=run, cells=len(written), finished=finished)


def _checked(exercise: ExerciseState, cell: Stored | None) -> ExerciseState:
    """``exercise`` with the last verdict on it in ``cell``; what a student's function prints may stand before it."""
    if cell is None:
        return replace(exercise, words="its check is no longer in the notebook.")
    for mark, label, words in reversed(VERDICT.findall(_printed(cell))):
        if label == exercise.label:
            points = POINTS.match(words)
            earned = min(float(points[1]), exercise.of) if points else 0  # there may have been more when it was saved
            return replace(exercise, mark=mark, earned=earned, words=clean(words, 1000))
    for output in cell.outputs:
        if output.get("output_type") == "error":
            name = clean(output.get("ename", ""), 40) or "an error"
            return replace(exercise, words=f"its check stopped with {name}: run the exercise's own cell first.")
    return exercise


def _printed(cell: Stored) -> str:
    streams = [one for one in cell.outputs if (one.get("output_type"), one.get("name")) == ("stream", "stdout")]
    return "".join(one.get("text", "") for one in streams)


def next_exercise(states: Sequence[LessonState]) -> tuple[LessonState, ExerciseState] | None:
    """The first exercise that is not right yet; a lesson that goes deeper comes last, unless it has been begun."""
    for lesson in sorted(states, key=lambda state: not (state.core or state.cells_run)):
        for exercise in lesson.exercises if not lesson.trouble else ():
            if exercise.mark != "✔":
                return lesson, exercise
    return None


def points(lessons: Sequence[LessonState]) -> str:
    """The points of ``lessons`` in words: "4.5 of 8"."""
    return f"{sum(lesson.earned for lesson in lessons):g} of {sum(lesson.of for lesson in lessons)}"


def table(states: Sequence[LessonState]) -> Iterator[str]:
    """One line a lesson: title, marks and points, or its trouble; then the sum."""
    rows = [(s.title.replace(" · ", " ", 1), "".join(e.mark for e in s.exercises), s) for s in states]
    wide, marks = max(len(title) for title, _, _ in rows), max(len(shown) for _, shown, _ in rows)
    for title, shown, state in rows:
        yield f"{title:{wide}}  " + (state.trouble or f"{shown:{marks}}  {points([state])}")
    yield f"{'All lessons':{wide}}  {'':{marks}}  {points(states)}"


def write_progress(states: Sequence[LessonState], folder: Path, now: datetime | None = None) -> Path:
    """Write ``states`` to a page in ``folder`` that needs nothing else; returns its path."""
    environment = jinja2.Environment(loader=jinja2.PackageLoader("course_lib.classroom"), autoescape=True)
    environment.filters["points"] = points
    now = now or datetime.now()
    page = environment.get_template(f"{PAGE}.j2").render(
        lessons=states, next=next_exercise(states), made=f"{now.day} {now:%B %Y, %H:%M}"
    )
    write_atomic(folder / PAGE, page, "name one that you may write to, course progress FOLDER")
    return folder / PAGE
