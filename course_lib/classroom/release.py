"""From the lessons with solutions to the edition for students, and into a folder of theirs without touching their work.

A lesson's exercise is a cell tagged ``exercise``, with the solution between two marks, and a cell tagged ``check`` that
calls ``check("5.1", answer)``. Both carry the metadata of nbgrader (version 3 of its schema), so that a course that
uses nbgrader can take the lessons as they are.
"""

import ast
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from course_lib.classroom.notebooks import as_dict, read_notebook
from course_lib.errors import CourseError
from course_lib.paths import OUT, write_atomic

SOLUTION = re.compile(r"(?ms)^( *)### BEGIN SOLUTION$.*?^ *### END SOLUTION$")
MARK = re.compile(r"### (?:BEGIN|END) SOLUTION")
STUB = "# YOUR CODE HERE"  # nbgrader's words, so that its users find what they know
HEADING = re.compile(r"(?m)^### Exercise (\w+\.\d+) .*\((\d{1,4}) points?\)$")
CHECK = re.compile(r"""check\(\s*["'](\w+\.\d+)["']""")
INSTRUCTOR = "instructor"  # cells with this tag stay at home
MANIFEST = ".course.json"  # in a student's folder: {notebook: hash of what we put there}
MINE = "name one that you may write to, course handout FOLDER"


def tagged(cell: NotebookNode, tag: str) -> bool:
    """Whether ``cell`` carries ``tag``."""
    return tag in cell.metadata.get("tags", [])


def mark(lesson: NotebookNode) -> NotebookNode:
    """``lesson`` with nbgrader's metadata on its exercises, its checks, and the cells that students leave alone."""
    lesson, label = deepcopy(lesson), ""
    points = {found[0]: int(found[1]) for cell in lesson.cells for found in HEADING.findall(cell.source)}
    for cell in reversed(lesson.cells):  # a check names its exercise, which stands before it
        cell.metadata.pop("nbgrader", None)
        kind = next((tag for tag in ("check", "exercise", "parameters") if tagged(cell, tag)), "")
        if kind == "check":
            label = label_of(cell)
            if label not in points:
                raise CourseError(f"Exercise {label} has no heading: write '### Exercise {label} · Title (2 points)'.")
        if kind:
            name = f"{kind}_{label.replace('.', '_')}" if kind != "parameters" else kind
            about = {"schema_version": 3, "grade_id": name, "cell_type": "code", "task": False}
            about |= {"grade": kind == "check", "solution": kind == "exercise", "locked": kind != "exercise"}
            cell.metadata["nbgrader"] = about | ({"points": points[label]} if kind == "check" else {})
    return lesson


def label_of(check: NotebookNode) -> str:
    """The exercise that the cell ``check`` is about: "5.1"."""
    found = CHECK.search(check.source)
    if not found:
        raise CourseError(f'A cell tagged check has to call check("1.1", answer); this one is: {check.source[:60]!r}.')
    return found[1]


def answer_of(check: NotebookNode) -> str:
    """The expression that the cell ``check`` hands to `check`, as source: most often a function's name."""
    calls = [node for node in ast.walk(ast.parse(check.source)) if isinstance(node, ast.Call)]
    return next(ast.unparse(call.args[1]) for call in calls if getattr(call.func, "id", "") == "check")


def student_edition(lesson: NotebookNode) -> NotebookNode:
    """``lesson`` without solutions, outputs and instructors' cells; checks and parameters cannot be edited."""
    edition = mark(lesson)
    edition.cells = [cell for cell in edition.cells if not tagged(cell, INSTRUCTOR)]
    for cell in edition.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        if tagged(cell, "exercise"):
            cell.source = SOLUTION.sub(rf"\1{STUB}", cell.source)
            if "SOLUTION" in cell.source or STUB not in cell.source:
                raise CourseError(f"An exercise has no whole solution between its two marks: {cell.source[:60]!r}.")
        elif MARK.search(cell.source):
            raise CourseError(f"A solution stands in a cell without the tag exercise: {cell.source[:60]!r}.")
        if "nbgrader" in cell.metadata:
            cell.metadata["deletable"] = False
            cell.metadata["editable"] = not tagged(cell, "check")
    return edition


def text_of(notebook: NotebookNode) -> str:
    """The file's content."""
    return nbformat.writes(notebook) + "\n"


def release(lessons: Sequence[Path], out: Path) -> list[Path]:
    """Write the student edition of each of ``lessons`` to the folder ``out``; returns the files."""
    editions = {out / path.name: student_edition(read_notebook(path)) for path in lessons}
    for path, edition in editions.items():  # all of them are ready before the first is written
        write_atomic(path, text_of(edition), OUT)
    return list(editions)


def hand_out(lessons: Sequence[Path], folder: Path) -> Iterator[str]:
    """Bring the student edition to ``folder``; a notebook that its owner has changed stays as it is.

    Yields one line for each file that is new, renewed, or kept although there is a newer edition of it.
    """
    manifest = folder / MANIFEST
    ours = _manifest(manifest)
    for path in lessons:
        text, place = text_of(student_edition(read_notebook(path))), folder / path.name
        new, known = _hash(text.encode()), ours.get(path.name)
        there = _hash(place.read_bytes()) if place.exists() else None
        if there == new:
            ours[path.name] = new
        elif there in (None, known):  # not there, or just as we left it
            write_atomic(place, text, MINE)
            ours[path.name] = new
            yield f"{path.name}: {'new' if there is None else 'renewed, since you had not changed it'}"
        elif known != new:
            yield f"{path.name}: yours is kept; there is a newer edition, which comes once yours is renamed"
    write_atomic(manifest, json.dumps(ours, indent=1) + "\n", MINE)


def _manifest(path: Path) -> dict[str, str]:
    """What we put into the folder; nothing is known where the file is missing or torn, and then nothing is renewed."""
    try:
        known = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return {name: text for name, text in as_dict(known).items() if isinstance(text, str)}


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
