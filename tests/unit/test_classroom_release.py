"""The edition for students: nothing of a solution in it, nbgrader can take it, and a student's work is never lost."""

import os
import re
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course_lib.classroom.release import STUB, hand_out, mark, release, student_edition, tagged
from course_lib.errors import CourseError
from course_lib.paths import ROOT, cache_dir

LESSONS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
every = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
SOLVED = '''def twice(x: int) -> int:
    """Two x."""
    ### BEGIN SOLUTION
    secret = 2 * x
    return secret
    ### END SOLUTION'''


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def lesson(solution: str = SOLVED, check: str = 'check("9.1", twice)') -> nbformat.NotebookNode:
    printed = nbformat.v4.new_output("stream", name="stdout", text="4\n")
    return new_notebook(
        cells=[
            new_code_cell("SEED: int = 1", metadata={"tags": ["parameters"]}),
            new_markdown_cell("for teachers", metadata={"tags": ["instructor"]}),
            new_markdown_cell("### Exercise 9.1 · Twice (2 points)"),
            new_code_cell(solution, metadata={"tags": ["exercise"]}, outputs=[printed], execution_count=3),
            new_code_cell(check, metadata={"tags": ["check"]}),
            new_code_cell("print('goes on')"),
        ]
    )


def without_tag(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    notebook.cells[3].metadata = {}
    return notebook


def test_a_solution_becomes_a_stub_and_nothing_else_changes():
    before = lesson()
    kept = deepcopy(before)
    edition = student_edition(before)
    assert before == kept  # the lesson itself stays
    stub = f'def twice(x: int) -> int:\n    """Two x."""\n    {STUB}'
    sources = [cell.source for cell in edition.cells if cell.cell_type == "code"]
    assert sources == ["SEED: int = 1", stub, 'check("9.1", twice)', "print('goes on')"]
    assert "teachers" not in str(edition) and "secret" not in str(edition)
    assert all(not c.outputs and c.execution_count is None for c in edition.cells if c.cell_type == "code")
    locked = {c.source: c.metadata.get("editable", True) for c in edition.cells}
    assert [source for source, editable in locked.items() if not editable] == ['check("9.1", twice)']


def test_nbgrader_finds_what_to_grade_and_for_how_many_points():
    of = {c.metadata.nbgrader.grade_id: c.metadata.nbgrader for c in mark(lesson()).cells if "nbgrader" in c.metadata}
    assert list(of) == ["parameters", "exercise_9_1", "check_9_1"]
    assert [(m.grade, m.solution, m.locked) for m in of.values()] == [
        (False, False, True), (False, True, False), (True, False, True),
    ]  # fmt: skip
    assert of["check_9_1"].points == 2 and "points" not in of["exercise_9_1"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lesson(solution=SOLVED.replace("### END SOLUTION", "")), "no whole solution"),
        (lesson(solution="def twice(x): return 2 * x"), "no whole solution"),
        (without_tag(lesson()), "in a cell without the tag exercise"),
        (lesson(check="print(twice(2))"), "has to call check"),
        (lesson(check='check("9.2", twice)'), "Exercise 9.2 has no heading"),
    ],
)
def test_a_lesson_that_would_give_itself_away_is_refused(wrong, words):
    with pytest.raises(CourseError, match=words):
        student_edition(wrong)


@every
def test_no_line_of_a_solution_is_left(path):
    whole, edition = read(path), student_edition(read(path))
    solutions = [c.source for c in whole.cells if tagged(c, "exercise")]
    blocks = [re.search(r"(?ms)### BEGIN SOLUTION$(.*?)### END SOLUTION", source)[1] for source in solutions]
    lines = {line.strip() for block in blocks for line in block.splitlines()}
    lines = {line for line in lines if len(line) > 14}  # `return total` gives nothing away
    left = [line.strip() for cell in edition.cells if cell.cell_type == "code" for line in cell.source.splitlines()]
    assert lines and not lines & set(left)
    assert sum(tagged(cell, "exercise") for cell in edition.cells) >= 3
    nbformat.validate(edition)


@every
def test_the_committed_lessons_carry_nbgraders_metadata(path):
    assert mark(read(path)) == read(path)


def test_release_writes_every_lesson_or_none(tmp_path):
    written = release(LESSONS[:2], tmp_path / "release")
    assert [path.name for path in written] == [path.name for path in LESSONS[:2]] and all(p.exists() for p in written)
    broken = tmp_path / "07_broken.ipynb"
    nbformat.write(lesson(check="pass"), broken)
    with pytest.raises(CourseError, match="has to call check"):
        release([*LESSONS[:1], broken], tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.fixture
def classroom(tmp_path):
    """(lessons, folder): one lesson, and a student's folder that does not exist yet."""
    source = tmp_path / "lessons" / "09_twice.ipynb"
    source.parent.mkdir()
    nbformat.write(lesson(), source)
    return source, tmp_path / "work"


def newer(source: Path) -> None:
    changed = lesson()
    changed.cells[-1].source = "print('better')"
    nbformat.write(changed, source)


def test_a_folder_is_filled_once_and_renewed_where_nothing_was_changed(classroom):
    source, folder = classroom
    assert list(hand_out([source], folder)) == ["09_twice.ipynb: new"]
    made = (folder / source.name).stat().st_mtime_ns
    assert list(hand_out([source], folder)) == [] and (folder / source.name).stat().st_mtime_ns == made  # may be open
    newer(source)
    assert list(hand_out([source], folder)) == ["09_twice.ipynb: renewed, since you had not changed it"]
    assert "better" in (folder / source.name).read_text()


def test_work_is_never_overwritten_and_a_newer_edition_is_named(classroom):
    source, folder = classroom
    list(hand_out([source], folder))
    mine = folder / source.name
    mine.write_text(mine.read_text().replace(STUB, "return x + x"))
    work = mine.read_text()
    assert list(hand_out([source], folder)) == []  # nothing newer: nothing to say
    newer(source)
    for _ in range(2):
        (line,) = hand_out([source], folder)
        assert "yours is kept" in line and mine.read_text() == work
    mine.rename(folder / "mine.ipynb")
    assert list(hand_out([source], folder)) == ["09_twice.ipynb: new"] and (folder / "mine.ipynb").read_text() == work


@pytest.mark.parametrize("torn", [None, "{", "\0"])
def test_work_survives_a_lost_or_torn_manifest(classroom, torn):
    source, folder = classroom
    list(hand_out([source], folder))
    mine = folder / source.name
    mine.write_text(mine.read_text().replace(STUB, "return x + x"))
    work = mine.read_text()
    manifest = folder / ".course.json"
    manifest.unlink() if torn is None else manifest.write_text(torn)
    list(hand_out([source], folder))
    assert mine.read_text() == work


@pytest.mark.slow
def test_nbgrader_takes_the_lessons_as_they_are(tmp_path):
    """generate_assignment clears them, validate accepts them, autograde gives a solved one its points."""
    name, settings = "00_start_here", {"HOME": str(tmp_path), "CI": "true"}
    settings |= {
        key: value for key, value in os.environ.items() if key.startswith(("COURSE_", "OMP_", "HF_", "PYTHON"))
    }
    settings["COURSE_CACHE"] = str(cache_dir())
    settings["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # nbgrader calls alembic by its name

    def nbgrader(*command: str) -> str:
        command = (sys.executable, "-m", "nbgrader", *command)
        done = subprocess.run(command, cwd=tmp_path, env=settings, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    source = tmp_path / "source" / "ps" / f"{name}.ipynb"
    source.parent.mkdir(parents=True)
    source.write_text((ROOT / "notebooks" / f"{name}.ipynb").read_text())
    nbgrader("generate_assignment", "ps", "--create")
    released = read(tmp_path / "release" / "ps" / f"{name}.ipynb")
    assert "BEGIN SOLUTION" not in str(released)
    submitted = tmp_path / "submitted" / "ada" / "ps" / f"{name}.ipynb"
    submitted.parent.mkdir(parents=True)
    submitted.write_text(source.read_text())
    assert "Success" in nbgrader("validate", str(submitted))
    nbgrader("autograde", "ps", "--create")
    graded = read(tmp_path / "autograded" / "ada" / "ps" / f"{name}.ipynb")
    points = [c.metadata.nbgrader.points for c in graded.cells if c.metadata.get("nbgrader", {}).get("grade")]
    nbgrader("export")
    (row,) = [line.split(",") for line in (tmp_path / "grades.csv").read_text().splitlines() if ",ada," in line]
    header = (tmp_path / "grades.csv").read_text().splitlines()[0].split(",")
    assert float(row[header.index("raw_score")]) == sum(points) == float(row[header.index("max_score")])
