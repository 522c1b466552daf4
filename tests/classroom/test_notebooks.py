"""One reader of notebooks: progress, grading and release find the same in a file, however odd, or say one sentence."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course_lib.classroom.grading.reading import read
from course_lib.classroom.notebooks import read_notebook
from course_lib.classroom.progress import VERDICT, read_progress
from course_lib.classroom.release import hand_out, release, student_edition, text_of
from course_lib.classroom.report import card
from course_lib.errors import CourseError
from course_lib.paths import ROOT

NAME = "09_odd.ipynb"
SOLUTION = "def {0}(x):\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION"
RUN = {"lesson": "09_odd", "status": "ok", "profile": "quick", "device": "cpu", "seed": 1, "seconds": 1}


@cache
def lesson() -> NotebookNode:
    """Parameters, and two exercises of one point with their checks."""
    cells = [
        new_markdown_cell("# 09 · Odd\n\nTwo exercises.\n"),
        new_code_cell("SEED: int = 1", metadata={"tags": ["parameters"]}),
    ]
    for label, name in (("9.1", "one"), ("9.2", "two")):
        cells += [
            new_markdown_cell(f"### Exercise {label} · {name} (1 point)"),
            new_code_cell(SOLUTION.format(name), metadata={"tags": ["exercise"]}),
            new_code_cell(f'check("{label}", {name})', metadata={"tags": ["check"]}),
        ]
    return new_notebook(cells=cells)


def solved() -> dict[str, Any]:
    """A student's notebook, run and saved, as plain data: both checks say right."""
    document = json.loads(text_of(student_edition(lesson())))
    for number, cell in enumerate((c for c in document["cells"] if c["cell_type"] == "code"), start=1):
        cell["execution_count"] = number
        if "check(" in "".join(cell["source"]):
            words = f"✔ Exercise 9.{number // 2}: right: 1 of 1 point.\n"
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": [words]}]
    return document


def drop(document: dict[str, Any], *keys: str) -> None:
    """Take ``keys`` out of all cells and outputs."""
    for cell in document["cells"]:
        for place in (cell, *cell.get("outputs", [])):
            for key in keys:
                place.pop(key, None)


def text_as(kind: Any) -> Any:
    def change(document: dict[str, Any]) -> None:
        for cell in document["cells"]:
            cell["source"] = kind("".join(cell["source"]))
            for output in cell.get("outputs", []):
                output["text"] = kind("".join(output["text"]))

    return change


ODD = {
    "as saved": lambda document: None,
    "outputs without a name": lambda document: drop(document, "name"),
    "cells without metadata": lambda document: drop(document, "metadata"),
    "cells without ids and metadata": lambda document: drop(document, "metadata", "id"),
    "texts in one piece": text_as(str),
    "texts in letters": text_as(list),
    "metadata of null": lambda document: [cell.update(metadata=None) for cell in document["cells"]],
    "something between": lambda document: document["cells"].insert(1, None),
    "a later format": lambda document: document.update(nbformat_minor=99),
    "no format": lambda document: document.pop("nbformat"),
}


def progress(folder: Path, content: bytes) -> Any:
    """The state of the one lesson where the student's notebook holds ``content``."""
    (folder / "lessons").mkdir(exist_ok=True)
    (folder / "lessons" / NAME).write_text(text_of(lesson()))
    (folder / NAME).write_bytes(content)
    (state,) = read_progress(folder, [folder / "lessons" / NAME])
    return state


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["", "BOM"])
@pytest.mark.parametrize("kind", ODD)
def test_what_grading_reads_progress_reads(tmp_path, kind, start):
    document = solved()
    ODD[kind](document)
    content = start + json.dumps(document, ensure_ascii=False).encode()
    state = progress(tmp_path, content)
    assert (state.trouble, state.earned, [one.mark for one in state.exercises]) == ("", 2, ["✔", "✔"])
    graded = read(content, student_edition(lesson()))
    assert [cell.shown.count("✔") for cell in graded.cells if cell.kind == "check"] == [1, 1]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def places(document: Any) -> list[tuple[Any, Any]]:
    """Each place in a document: (what holds it, its key)."""
    keys = document.keys() if isinstance(document, dict) else range(len(document)) if isinstance(document, list) else ()
    return [place for key in keys for place in [(document, key), *places(document[key])]]


@st.composite
def odd(draw: st.DrawFn, document: dict[str, Any]) -> bytes:
    """``document`` with something else, or nothing, in some of its places, with or without a mark of its encoding."""
    for _ in range(draw(st.integers(1, 5))):
        where, key = draw(st.sampled_from(places(document)))
        if draw(st.booleans()):
            where[key] = draw(JSON)
        else:
            del where[key]
        if not places(document):
            break
    start = draw(st.sampled_from([b"", b"\xef\xbb\xbf", b" "]))
    return start + json.dumps(document, ensure_ascii=draw(st.booleans())).encode("utf-8", "replace")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_in_any_odd_notebook_progress_and_grading_find_the_same(tmp_path_factory, data):
    content = data.draw(odd(solved()))
    graded = read(content, student_edition(lesson()))
    state = progress(tmp_path_factory.mktemp("odd"), content)
    assert bool(state.trouble) == bool(graded.problem)
    if graded.problem:
        assert state.trouble.endswith("make lab brings the lesson anew.") and "\n" not in state.trouble
        return
    checks = {cell.name: cell for cell in graded.cells if cell.kind == "check"}
    for one in state.exercises:
        cell = checks.get(one.label)
        assert (cell is None) == ("no longer" in one.words)
        said = [v for v in VERDICT.findall(cell.shown if cell else "") if v[1] == one.label]
        assert one.mark == (said[-1][0] if said else "·")
    assert state.cells == sum(bool(cell.source.strip()) for cell in graded.cells)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_odd_lesson_is_released_and_shown_or_refused_in_a_sentence(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("odd")
    (folder / NAME).write_bytes(data.draw(odd(json.loads(text_of(lesson()))) | st.binary(max_size=99)))
    card(folder, RUN)  # raises nothing
    try:
        (written,) = release([folder / NAME], folder / "release")
        assert list(hand_out([folder / NAME], folder / "work"))
        assert not list(hand_out([folder / NAME], folder / "work"))  # the same each time
    except CourseError as error:
        assert str(error).endswith(".") and "\n" not in str(error)
        return
    nbformat.v4.reads(written.read_text())
    assert "BEGIN SOLUTION" not in written.read_text()


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")), ids=lambda path: path.stem)
def test_a_whole_lesson_is_read_as_jupyter_reads_it(path):
    assert read_notebook(path) == nbformat.read(path, as_version=4)


def test_a_deep_lesson_and_one_that_is_a_folder_are_a_sentence(tmp_path):
    deep = tmp_path / "deep.ipynb"
    deep.write_text('{"cells": [], "metadata": {"a": ' + "[" * 400 + "]" * 400 + "}}")
    (tmp_path / "folder.ipynb").mkdir()
    for path, words in ((deep, "too deeply"), (tmp_path / "folder.ipynb", "Is a directory")):
        with pytest.raises(CourseError, match=words):
            release([path], tmp_path / "release")
