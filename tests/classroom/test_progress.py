"""A student's progress is what the saved notebooks say, and no notebook, however broken, hides the others."""

import json
import re
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_output

from course_lib.classroom.cli import cli
from course_lib.classroom.progress import next_exercise, read_progress, table, write_progress
from course_lib.classroom.release import MANIFEST, hand_out, student_edition, tagged, text_of
from course_lib.errors import CourseError
from course_lib.exercises.judge import Exercise, Verdict, compare, judge
from course_lib.paths import ROOT

LESSONS = sorted((ROOT / "notebooks").glob("0[0-3]*.ipynb"))
START, PREPROCESSING, BERT, ADAPTING, OWN_TEXTS, SMALL, FUSION, MORE_FUSION = (path.name for path in LESSONS)
FULL = {"0.1": 1, "0.2": 1, "0.3": 2}  # lesson 00: its exercises, and the points of each


def verdict(label: str, of: int, right: int, cases: int = 2) -> str:
    """What a check prints about a function that is right in ``right`` of ``cases`` cases."""
    exercise = Exercise(label, of, reference=lambda x: x, cases=[(case,) for case in range(cases)])
    return str(judge(exercise, lambda x: x if x < right else -1))


ALL_RIGHT = {label: verdict(label, of, 2) for label, of in FULL.items()}


def shown(text: str, name: str = "stdout") -> list[nbformat.NotebookNode]:
    return [new_output("stream", name=name, text=text)]


def work(place: Path, printed: dict[str, str | list[nbformat.NotebookNode]], finished: bool = False) -> None:
    """Give the checks of the notebook ``place`` outputs, as if it had been run in JupyterLab and saved."""
    notebook = nbformat.read(place, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in code:
        for label, output in printed.items():
            if tagged(cell, "check") and f'"{label}"' in cell.source:
                cell.execution_count = 1
                cell.outputs = shown(f"{output}\n") if isinstance(output, str) else output
    if finished:
        for number, cell in enumerate(code, 1):
            cell.execution_count = number
        code[-1].outputs = shown("Done in 12 s; 4 figures kept; 680 MB in use now.\n")
    nbformat.write(notebook, place)


@pytest.fixture
def folder(tmp_path):
    """A student's folder, just handed out."""
    list(hand_out(LESSONS, tmp_path / "work"))
    return tmp_path / "work"


def states(folder):
    return {state.notebook: state for state in read_progress(folder, LESSONS)}


def test_nothing_is_begun_in_a_folder_just_handed_out(folder):
    for state in states(folder).values():
        assert state.there and not state.trouble and not state.finished
        assert (state.earned, state.cells_run) == (0, 0) and state.cells > 10
        assert {exercise.mark for exercise in state.exercises} == {"·"}
    start = states(folder)[START]
    assert start.title == "00 · Start here" and {one.label: one.of for one in start.exercises} == FULL
    assert [one.title for one in start.exercises][2] == "A score by hand"


def test_marks_and_points_are_those_of_the_saved_verdicts(folder):
    some = {"1.1": verdict("1.1", 1, 2), "1.2": verdict("1.2", 1, 1), "1.3": str(judge(Exercise("1.3", 1, 5), None))}
    work(folder / PREPROCESSING, some)
    state = states(folder)[PREPROCESSING]
    assert [(one.mark, one.earned) for one in state.exercises] == [("✔", 1), ("✘", 0.5), ("○", 0), ("·", 0)]
    assert (state.earned, state.of, state.cells_run, state.finished) == (1.5, 5, 3, False)
    assert "right in 1 of 2 cases" in state.exercises[1].words
    work(folder / START, ALL_RIGHT, finished=True)
    notebook = nbformat.read(folder / START, as_version=4)
    notebook.cells.append(new_code_cell("\n"))  # JupyterLab leaves one at the end, and never runs it
    nbformat.write(notebook, folder / START)
    start = states(folder)[START]
    assert start.finished and start.cells_run == start.cells and start.earned == start.of == 4


@given(
    of=st.integers(1, 9),
    answers=st.lists(st.sampled_from([0, 1, None]), min_size=1, max_size=7),
    noise=st.sampled_from(["", "0.5", "looking\n", "✔ Exercise 9.9: right: 9 of 9 points.\n"]),
)
def test_whatever_the_judge_says_is_read_as_it_was_meant(tmp_path_factory, of, answers, noise):
    """``noise`` is what the student's own function prints before the verdict."""
    said: Verdict = compare(Exercise("9.1", of, reference=lambda: 1, cases=[()]), [()] * len(answers), answers)
    place = tmp_path_factory.mktemp("class")
    lesson = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell(f"### Exercise 9.1 · One ({of} point{'s' * (of > 1)})"),
            new_code_cell('check("9.1", one)', metadata={"tags": ["check"]}, outputs=shown(f"{noise}{said}\n")),
        ]
    )
    nbformat.write(lesson, place / "09_one.ipynb")
    (state,) = read_progress(place, [place / "09_one.ipynb"])
    assert [(one.mark, one.earned, one.words) for one in state.exercises] == [(said.mark, said.points, said.words)]


def test_of_several_verdicts_in_one_cell_the_last_on_its_exercise_counts(folder):
    told = [verdict("0.3", 2, 2), verdict("0.3", 2, 1), verdict("0.1", 1, 2)]
    work(folder / START, {"0.3": "\n".join(told)})
    assert [(one.mark, one.earned) for one in states(folder)[START].exercises] == [("·", 0), ("·", 0), ("✘", 1)]


def test_an_error_that_speaks_of_points_earns_none(folder):
    def boast(x):
        raise ValueError("right: 2 of 2 points")

    exercise = Exercise("0.3", 2, reference=lambda x: x, cases=[(1,), (2,)])
    work(folder / START, {"0.3": str(judge(exercise, boast))})
    assert [(one.mark, one.earned) for one in states(folder)[START].exercises][2] == ("✘", 0)


def test_a_verdict_in_pieces_and_a_check_that_stopped(folder):
    whole = verdict("0.1", 1, 2)
    pieces = [*shown(whole[:9]), *shown("a warning\n", "stderr"), *shown(whole[9:] + "\n")]
    work(folder / START, {"0.1": pieces, "0.2": [new_output("error", ename="NameError", evalue="x", traceback=[])]})
    first, second, _ = states(folder)[START].exercises
    assert (first.mark, first.earned) == ("✔", 1)
    assert second.mark == "·" and "NameError" in second.words and "first" in second.words


def test_without_nbgraders_name_the_tag_and_the_call_tell_the_check(folder):
    work(folder / START, ALL_RIGHT)
    notebook = nbformat.read(folder / START, as_version=4)
    for cell in notebook.cells:
        cell.metadata.pop("nbgrader", None)
    nbformat.write(notebook, folder / START)
    assert states(folder)[START].earned == 4


BROKEN = {
    "half": lambda text: text[: len(text) // 2].encode(),
    "empty": lambda text: b"",
    "no text": lambda text: b"\xff\xfe\x00",
    "another JSON": lambda text: b'[{"a": 1}]',
    "a number": lambda text: b"3",
    "cells of another kind": lambda text: b'{"cells": [1, null], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
    "the third format": lambda text: b'{"worksheets": [], "metadata": {}, "nbformat": 3, "nbformat_minor": 0}',
    "a deep one": lambda text: b"[" * 100_000,
    "a merge": lambda text: text.replace('"cells"', '<<<<<<< HEAD\n"cells"', 1).encode(),
    "another lesson": lambda text: text_of(student_edition(nbformat.read(LESSONS[1], as_version=4))).encode(),
    "no cells": lambda text: json.dumps(json.loads(text) | {"cells": []}).encode(),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_notebook_is_one_sentence_and_stops_nothing(folder, kind):
    work(folder / PREPROCESSING, {"1.1": verdict("1.1", 1, 2)})
    place = folder / START
    place.write_bytes(BROKEN[kind](place.read_text()))
    before = place.read_bytes()
    found = states(folder)
    assert found[START].there and found[START].of == 4 and found[START].earned == 0
    assert re.fullmatch(r"(It|This) .*nce it is renamed, make lab brings the lesson anew\.", found[START].trouble)
    assert found[PREPROCESSING].earned == 1 and not found[PREPROCESSING].trouble
    page = write_progress(list(found.values()), folder).read_text()
    assert found[START].trouble in page.replace("&#39;", "'") and place.read_bytes() == before
    place.rename(folder / "mine.ipynb")  # what the sentence says is true
    assert list(hand_out(LESSONS, folder)) == [f"{START}: new"] and not states(folder)[START].trouble


def test_a_lesson_that_lost_its_outputs_or_one_check_is_no_trouble(folder):
    work(folder / START, ALL_RIGHT, finished=True)
    notebook = nbformat.read(folder / START, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if '"0.2"' not in cell.source]
    for cell in notebook.cells:
        if '"0.3"' in cell.source:
            del cell["outputs"]  # some tools leave the key away
    (folder / START).write_text(json.dumps(notebook))
    state = states(folder)[START]
    assert not state.trouble and "".join(one.mark for one in state.exercises) == "✔··" and state.finished
    assert "no longer" in state.exercises[1].words


def test_a_missing_notebook_is_named_and_a_folder_without_lessons_refused(folder, tmp_path):
    (folder / BERT).unlink()
    state = states(folder)[BERT]
    assert not state.there and "make lab" in state.trouble and state.of == 6
    for nowhere in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(CourseError, match="make lab first"):
            read_progress(nowhere, LESSONS)


def test_what_comes_next_is_in_the_core_unless_a_deeper_lesson_was_begun(folder):
    def label() -> str:
        found = next_exercise(read_progress(folder, LESSONS))
        return found[1].label if found else ""

    def solve(name: str) -> None:
        exercises = states(folder)[name].exercises
        work(folder / name, {one.label: verdict(one.label, one.of, 2) for one in exercises})

    assert label() == "0.1"
    work(folder / START, {**ALL_RIGHT, "0.2": verdict("0.2", 1, 1)})
    assert label() == "0.2"
    solve(START)
    (folder / PREPROCESSING).write_text("{")  # nothing can be said of it
    assert label() == "2.1"
    work(folder / ADAPTING, {"2b.1": verdict("2b.1", 1, 2)})
    solve(BERT)
    for name, first in {ADAPTING: "2b.2", FUSION: "3.1", OWN_TEXTS: "2c.1", SMALL: "2d.1", MORE_FUSION: "3b.1"}.items():
        assert label() == first
        solve(name)
    assert label() == ""
    page = write_progress(read_progress(folder, LESSONS), folder)
    assert "Every exercise is right" not in page.read_text() and "that could be read are right" in page.read_text()
    (folder / PREPROCESSING).unlink()
    list(hand_out(LESSONS, folder))
    solve(PREPROCESSING)
    assert "Every exercise is right" in write_progress(read_progress(folder, LESSONS), folder).read_text()


def test_the_table_has_one_line_a_lesson_and_the_sum(folder):
    work(folder / START, {"0.1": ALL_RIGHT["0.1"], "0.3": verdict("0.3", 2, 1)})
    first, *_, last = lines = list(table(read_progress(folder, LESSONS)))
    assert len(lines) == len(LESSONS) + 1
    assert first.split() == ["00", "Start", "here", "✔·✘", "2", "of", "4"]
    total = sum(state.of for state in states(folder).values())
    assert last.split() == ["All", "lessons", "2", "of", str(total)]


class Page(HTMLParser):
    """The attributes of every element of a page, and whether each element is closed in turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_needs_nothing_else_and_says_every_mark_in_words(folder):
    evil = '✘ Exercise 0.1: not yet: it stops with ValueError: "><script>alert(1)</script>.'
    work(folder / START, {"0.1": evil, "0.2": ALL_RIGHT["0.2"]})
    path = write_progress(read_progress(folder, LESSONS), folder, datetime(2026, 5, 3, 14, 5))
    page = Page(path.read_text())
    assert path == folder / "progress.html" and not page.open
    assert not [tag for tag, _ in page.found if tag in ("script", "link", "img", "iframe")]
    assert "http" not in path.read_text() and "url(" not in path.read_text() and "3 May 2026, 14:05" in path.read_text()
    assert not [tag for tag, _ in page.found if tag == "a"]  # neither JupyterLab nor a browser opens a notebook by one
    assert all(f"<code>{lesson.name}</code>" in path.read_text() for lesson in LESSONS)
    marks = [about for _, about in page.found if about.get("role") == "img"]
    assert len(marks) == sum(len(state.exercises) for state in states(folder).values())
    assert all(about["aria-label"] == about["title"] for about in marks)
    assert marks[0]["title"] == f"Exercise 0.1 · How full is the table?: {evil[16:]}"
    widths = [float(re.search(r"[\d.]+", about["style"])[0]) for tag, about in page.found if "%" in str(about)]
    assert widths[1] == 25 and widths[0] == pytest.approx(100 / sum(s.of for s in states(folder).values()), abs=0.05)


def test_the_command_prints_and_writes_and_leaves_notebooks_and_manifest_alone(folder):
    work(folder / START, ALL_RIGHT)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for _ in range(2):
        done = CliRunner().invoke(cli, ["progress", str(folder)])
        assert done.exit_code == 0, done.output
    assert done.output.splitlines()[0].split() == ["00", "Start", "here", "✔✔✔", "4", "of", "4"]
    assert str(folder / "progress.html") in done.output.splitlines()[-1]
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert after.pop("progress.html") and after == before and MANIFEST in before
    assert list(hand_out(LESSONS, folder)) == []
