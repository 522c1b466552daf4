"""What a maintainer commits after a run: the same on every machine, and no trace of this one."""

import json
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_output
from test_classroom_run import Notes
from tiny_lessons import picture, write_lesson

from course_lib.classroom import report, update
from course_lib.classroom.run import LessonRun, run_lessons
from course_lib.errors import CourseError


@pytest.fixture
def repository(tmp_path):
    """A repository of two lessons with a run of both."""
    notebooks = tmp_path / "notebooks"
    write_lesson(notebooks, "00_a", "print('x', end='')", picture("A line", "main-figure"))
    write_lesson(notebooks, "01_b")
    (tmp_path / "README.md").write_text("# Title\n\n<!-- lessons -->\nold\n<!-- /lessons -->\n\nEnd.\n")
    (tmp_path / "tests/notebooks").mkdir(parents=True)
    return tmp_path


def run_both(repository: Path) -> list[LessonRun]:
    return run_lessons(sorted((repository / "notebooks").glob("*.ipynb")), repository / "out", {}, Notes())


def test_update_stores_lessons_figures_summary_and_table(repository):
    runs = run_both(repository)
    update.store(runs, repository / "out", repository / "notebooks", repository)
    notebook = nbformat.read(repository / "notebooks/00_a.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata == {"kernelspec": update.KERNEL, "language_info": {"name": "python"}}
    assert notebook.cells[1].metadata.pop("nbgrader").grade_id == "parameters"
    assert [cell.metadata for cell in notebook.cells] == [
        {},
        {"tags": ["parameters"]},
        {},
        {"tags": ["main-figure"]},
        {},
    ]
    assert notebook.cells[2].outputs[0].text == "x" and "image/png" in notebook.cells[3].outputs[0].data
    expected = repository / "tests/notebooks/expected"
    assert json.loads((expected / "00_a.json").read_text())["figures"] == {"films": 3}
    summary = json.loads((expected / "summary.json").read_text())
    assert [list(entry) for entry in summary] == [["lesson", "seconds", "peak_rss_mb", "cores"]] * 2
    readme = (repository / "README.md").read_text()
    assert readme.startswith("# Title\n\n<!-- lessons -->\n| Lesson | Time | Memory |\n") and readme.endswith(
        "\n\nEnd.\n"
    )
    assert "| [00 · 00_a](notebooks/00_a.ipynb) |" in readme and "old" not in readme


def test_second_update_of_the_same_run_changes_no_lesson(repository):
    stored = []
    for _ in range(2):
        update.store(run_both(repository), repository / "out", repository / "notebooks", repository)
        stored.append([path.read_text() for path in sorted((repository / "notebooks").glob("*.ipynb"))])
    assert stored[0] == stored[1]


def test_update_of_one_lesson_keeps_the_measures_of_the_other(repository):
    runs = run_both(repository)
    update.store(runs, repository / "out", repository / "notebooks", repository)
    update.store(runs[:1], repository / "out", repository / "notebooks", repository)
    summary = json.loads((repository / "tests/notebooks/expected/summary.json").read_text())
    assert [entry["lesson"] for entry in summary] == ["00_a", "01_b"]


def test_ids_follow_from_the_cell_so_that_one_change_touches_one_cell(tmp_path):
    first = update.clean(nbformat.read(write_lesson(tmp_path, "00_a", "1", "1", "2"), as_version=4))
    second = update.clean(nbformat.read(write_lesson(tmp_path, "00_a", "0", "1", "1", "2"), as_version=4))
    assert len({cell.id for cell in first.cells}) == 6
    assert {cell.id for cell in first.cells} < {cell.id for cell in second.cells}


@pytest.mark.parametrize("output", ["stream", "html", "error"])
def test_folder_of_this_machine_in_an_output_is_refused(tmp_path, output):
    notebook = nbformat.read(write_lesson(tmp_path, "00_a", "1"), as_version=4)
    text = "saved in /home/me/course/build."
    notebook.cells[2].outputs = [
        {
            "stream": new_output("stream", text=text),
            "html": new_output("display_data", {"text/html": f"<b>{text}</b>"}),
            "error": new_output("error", ename="E", evalue="", traceback=[text]),
        }[output]
    ]
    with pytest.raises(CourseError, match=r"Cell \[2\] of 00_a prints the folder /home/me of this machine"):
        update.refuse_paths("00_a", notebook, ["/home/me"])
    update.refuse_paths("00_a", notebook, ["/home/m", "/home/me/cou"])


def test_readme_without_marks_is_a_sentence():
    with pytest.raises(CourseError, match=r"README\.md has no marks <!-- lessons -->"):
        update.with_table("# Title", "| |")


def test_main_figure_is_the_tagged_one_else_the_first(tmp_path):
    notebook = nbformat.read(write_lesson(tmp_path, "00_a", picture("one"), picture("two")), as_version=4)
    for cell, alt in zip(notebook.cells[2:4], ("one", "two"), strict=True):
        cell.outputs = [new_output("display_data", {"image/png": "AAAA"}, metadata={"image/png": {"alt": alt}})]
    assert report.main_figure(notebook) == ("AAAA", "one")
    notebook.cells[3].metadata["tags"] = ["main-figure"]
    assert report.main_figure(notebook) == ("AAAA", "two")
    for cell in notebook.cells[2:4]:
        cell.outputs = []
    assert report.main_figure(notebook) == ("", "")


def test_half_a_run_json_is_no_reason_to_fail(tmp_path):
    (tmp_path / "run.json").write_text('[{"lesson": ')
    assert report.read_runs(tmp_path) == [] == report.read_runs(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s")]
)
def test_durations_are_said_as_people_do(seconds, words):
    assert report.duration(seconds) == words
