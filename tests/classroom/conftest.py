"""A class in a temporary folder: hand in notebooks, grade them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from needs import need
from tiny_class import LESSON, write_lesson

from course_lib.classroom.grading.grade import Settings, grade_class
from course_lib.classroom.grading.results import Paper
from course_lib.classroom.grading.walls import Limits
from course_lib.classroom.release import student_edition, tagged


@pytest.fixture(scope="session")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lesson, with solutions."""
    return write_lesson(tmp_path_factory.mktemp("lessons"))


@pytest.fixture
def hand_in(tmp_path: Path, lesson: Path) -> Callable[..., NotebookNode]:
    """``hand_in("ada", {"0.1": source})``: her notebook, with these cells in the place of the stubs, in her folder."""

    def write(student: str, answers: dict[str, str], change: Callable[[NotebookNode], None] | None = None) -> None:
        edition = student_edition(nbformat.read(lesson, as_version=4))
        for cell in edition.cells:
            label = cell.metadata.get("nbgrader", {}).get("grade_id", "").removeprefix("exercise_").replace("_", ".")
            if tagged(cell, "exercise") and label in answers:
                cell.source = answers[label]
        if change:
            change(edition)
        folder = tmp_path / "class" / student
        folder.mkdir(parents=True)
        nbformat.write(edition, folder / f"{LESSON}.ipynb")

    return write


@pytest.fixture
def grade(tmp_path: Path, lesson: Path) -> Callable[..., dict[str, Paper]]:
    """Grade the class in ``tmp_path``/class: {student: paper}."""
    need("bwrap")

    def run(place: Path | None = None, lessons: Sequence[Path] = (), **settings: object) -> dict[str, Paper]:
        said: list[str] = []
        own = {
            "out": tmp_path / "grades",
            "hand": tmp_path / "hand.csv",
            "secret": tmp_path / "secret.txt",
            "limits": Limits(seconds=3),
            "workers": 2,
            "as_root": True,  # the tests may run in a container, as root
        }
        papers = grade_class(
            place or tmp_path / "class", list(lessons) or [lesson], Settings(**(own | settings)), said.append
        )
        run.said = said
        return {paper.student: paper for paper in papers}

    return run
