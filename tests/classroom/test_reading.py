"""What was handed in is read, whatever it is: each cell is known for what it is, and what was changed is said."""

import json
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import nbformat
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from course_lib.classroom import notebooks
from course_lib.classroom.grading.reading import Reading, read
from course_lib.classroom.release import student_edition, text_of
from course_lib.paths import ROOT

LESSONS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
START = 'from course_lib.lesson import Lesson\nlesson = Lesson.start("09_tiny", PROFILE, SEED, DEVICE)'
OPENING = (
    "Lesson    09_tiny, profile quick, seed 3\n"
    "Device    cuda: an \x1b[1mH100\x1b[0m is there; 2 threads\n"
    "Versions  Python 3.11.7, torch 2.13.0\n"
    "Data      all there and whole\n"
)
NOT_RUN = ("It was not run: no code cell has an execution number.",)


@cache
def edition() -> NotebookNode:
    """Of a lesson of nine code cells: parameters, start, one, two exercises with checks, another one, finish."""

    def exercise(name: str) -> NotebookNode:
        source = f"def {name}(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION"
        return new_code_cell(source, metadata={"tags": ["exercise"]})

    def check(label: str, name: str) -> NotebookNode:
        return new_code_cell(f'check("{label}", {name})', metadata={"tags": ["check"]})

    parameters = 'PROFILE: str = "standard"  # "quick", or "standard"\nSEED: int = 1\nDEVICE: str = "auto"'
    lesson = [
        new_markdown_cell("# 09 · Tiny\n\nTwo exercises."),
        new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        new_code_cell(START),
        new_code_cell("print('first')\nprint('and more')"),
        new_markdown_cell("### Exercise 9.1 · Twice (1 point)\n### Exercise 9.2 · Again (2 points)"),
        exercise("twice"),
        check("9.1", "twice"),
        exercise("again"),
        check("9.2", "again"),
        new_code_cell("print('second')"),
        new_code_cell("lesson.finish()"),
    ]
    return student_edition(new_notebook(cells=lesson))


def notebook() -> dict[str, Any]:
    """The edition as a student has it, as plain data, all cells run in order."""
    document = json.loads(text_of(edition()))
    for count, cell in enumerate(code(document), start=1):
        cell["execution_count"] = count
    return document


def code(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in document["cells"] if cell["cell_type"] == "code"]


def own(source: str, **more: Any) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None} | more


def reading(document: Any) -> Reading:
    return read(json.dumps(document).encode(), edition())


def changed(change: Callable[[dict[str, Any], list[dict[str, Any]]], Any]) -> Reading:
    """The reading of the notebook after ``change(document, its code cells)``."""
    document = notebook()
    change(document, code(document))
    return reading(document)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_lesson_as_handed_out_has_no_finding_but_that_it_was_not_run(path):
    lesson = nbformat.read(path, as_version=4)
    ours = student_edition(lesson)
    found = read(text_of(ours).encode(), ours)
    assert (found.problem, found.findings, found.about, found.parameters) == ("", NOT_RUN, {}, True)
    kinds = {kind: [cell.name for cell in found.cells if cell.kind == kind] for kind in ("exercise", "check", "own")}
    assert kinds["exercise"] == kinds["check"] and len(kinds["check"]) >= 3 and not kinds["own"]


def test_the_first_lesson_as_we_ran_it_tells_of_its_run_and_of_its_solutions():
    content = (ROOT / "notebooks" / "00_start_here.ipynb").read_bytes()
    lesson = nbformat.reads(content.decode(), as_version=4)
    found = read(content, student_edition(lesson))
    outputs = [out.text for cell in lesson.cells for out in cell.get("outputs", []) if out.output_type == "stream"]
    assert found.about["device"] == "cpu" and found.about["profile"] == "standard"
    assert f"Versions  {found.about['versions']}\n" in outputs[0]
    assert outputs[-1].startswith(f"Done in {found.about['seconds']} s;")
    assert len(found.findings) == 1 and "solution marks are in code cells 10, 12 and 14" in found.findings[0]
    assert [cell.shown for cell in found.cells if cell.name == "0.3"] == ["", "✔ Exercise 0.3: right: 2 of 2 points.\n"]


def test_a_notebook_run_in_order_has_no_finding():
    found = reading(notebook())
    assert found == Reading("", found.cells, (), {}, True)
    assert [(cell.kind, cell.name) for cell in found.cells if cell.kind != "lesson"] == [
        ("exercise", "9.1"),
        ("check", "9.1"),
        ("exercise", "9.2"),
        ("check", "9.2"),
    ]
    assert [cell.name for cell in found.cells if cell.kind == "lesson"] == [
        cell["id"] for i, cell in enumerate(code(notebook())) if i not in (3, 4, 5, 6)
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the file is empty"),
        (b" \n", "the file is empty"),
        (b"\x89PNG\r\n\x1a\n", "it is not JSON"),
        (b"\xff\xfe\x00", "it is not JSON"),
        (b'{"cells": [', "it is not JSON"),
        (b"9" * 5000, "it is not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"cells":' * 100_000, "nested too deeply"),
        (b"[" * 1_000_001, "too many parts"),
        (b'{"cells": [' + b"1.5," * 3_000_001 + b"1]}", "too many parts"),
        (b"[1, 2]", "no list of cells"),
        (b'{"cells": {"a": 1}}', "no list of cells"),
        (b"null", "no list of cells"),
        (b'{"nbformat": 3, "worksheets": [{"cells": []}]}', "version 3"),
        (b'{"cells": [' + b"1," * 2000 + b"1]}", "more than 2,000 cells"),
        (b'{"cells": []}', "not lesson “09 · Tiny”: none of its exercises is in it"),
        (b'{"cells": [{"cell_type": "code", "source": "print(1)"}, 3, null]}', "not lesson “09 · Tiny”"),
    ],
)
def test_what_cannot_be_graded_is_said_in_a_sentence(content, problem):
    found = read(content, edition())
    assert problem in found.problem and found == Reading(found.problem)
    assert found.problem.startswith("This ") and found.problem.endswith(".")


def test_a_file_that_is_too_large_is_not_read(monkeypatch):
    content = json.dumps(notebook()).encode()
    monkeypatch.setattr(notebooks, "MOST_BYTES", len(content))
    assert not read(content, edition()).problem
    assert "larger than" in read(content + b" ", edition()).problem


def test_another_encoding_and_lists_of_lines_and_a_later_format_are_read_as_they_mean():
    document = notebook()
    for cell in code(document):
        cell["source"] = "".join(cell["source"]).splitlines(keepends=True)
    document["nbformat"] = 5
    for encoding in ("utf-8-sig", "utf-16", "utf-32"):
        assert read(json.dumps(document).encode(encoding), edition()) == reading(notebook())


def test_exercises_and_checks_are_known_by_metadata_or_id_or_call_and_lesson_cells_by_their_text():
    def lose(*what: str) -> Reading:
        def change(document: dict[str, Any], ours: list[dict[str, Any]]) -> None:
            ours[3]["source"] = "def twice(x):\n    return x + x"
            for number, cell in enumerate(ours):
                if "metadata" in what:
                    cell["metadata"] = {}
                if "id" in what:
                    cell["id"] = f"new-{number}"

        return changed(change)

    assert lose().findings == lose("metadata").findings == lose("id").findings == ()
    assert lose().cells == lose("metadata").cells == lose("id").cells
    both = lose("metadata", "id")
    assert [cell.kind for cell in both.cells] == [
        *("lesson", "lesson", "lesson", "own", "check", "exercise", "check", "lesson", "lesson")
    ]
    assert both.findings == ("Missing: exercise 9.1.", "Cells of the student's own: 1.")


def test_a_check_without_its_metadata_is_known_by_its_call_but_a_cell_that_does_more_is_the_students_own():
    def strip(source: str) -> Reading:
        return changed(lambda document, ours: ours[4].update(source=source, metadata={}, id="new"))

    assert [cell.kind for cell in strip("check('9.1', twice)  # mine").cells][4] == "check"
    assert [cell.kind for cell in strip("def twice(x):\n    return 2 * x\ncheck('9.1', twice)").cells][4] == "own"
    added = changed(lambda document, ours: document["cells"].append(own("check('9.1', lambda x: 2 * x)")))
    assert [cell.kind for cell in added.cells][-1] == "own"  # the real one is there


def insert(at: int, *added: dict[str, Any]) -> Callable[[dict[str, Any], list[dict[str, Any]]], None]:
    def change(document: dict[str, Any], ours: list[dict[str, Any]]) -> None:
        place = document["cells"].index(ours[at])
        document["cells"][place:place] = added

    return change


def remove(*numbers: int) -> Callable[[dict[str, Any], list[dict[str, Any]]], None]:
    def change(document: dict[str, Any], ours: list[dict[str, Any]]) -> None:
        for number in numbers:
            document["cells"].remove(ours[number])

    return change


def edit(number: int, source: str) -> Callable[[dict[str, Any], list[dict[str, Any]]], None]:
    return lambda document, ours: ours[number].update(source=source)


def move(start: int, end: int) -> Callable[[dict[str, Any], list[dict[str, Any]]], None]:
    def change(document: dict[str, Any], ours: list[dict[str, Any]]) -> None:
        document["cells"].remove(ours[start])
        document["cells"].insert(document["cells"].index(ours[end]) + 1, ours[start])
        for count, cell in enumerate(code(document), start=1):
            cell["execution_count"] = count

    return change


def double(number: int) -> Callable[[dict[str, Any], list[dict[str, Any]]], None]:
    def change(document: dict[str, Any], ours: list[dict[str, Any]]) -> None:
        document["cells"].append(ours[number] | {"id": "copy", "execution_count": 99})

    return change


def counts(*numbers: int | None) -> Callable[[dict[str, Any], list[dict[str, Any]]], None]:
    return lambda document, ours: [c.update(execution_count=n) for c, n in zip(ours, numbers, strict=True)]


def error(name: Any, *numbers: int) -> Callable[[dict[str, Any], list[dict[str, Any]]], None]:
    stored = {"output_type": "error", "ename": name, "evalue": "x", "traceback": ["x"]}
    return lambda document, ours: [ours[number]["outputs"].append(stored) for number in numbers]


@pytest.mark.parametrize(
    ("change", "findings"),
    [
        (remove(3, 6), ["Missing: exercise 9.1 and check 9.2."]),
        (remove(2, 7), ["Lesson cells deleted: 2."]),
        (remove(0), ["The cell of the parameters is missing."]),
        (double(3), ["Doubled: exercise 9.1 (code cells 4 and 10); the last one counts."]),
        (double(4), ["Doubled: check 9.1 (code cells 5 and 10); the last one counts."]),
        (double(2), ["Lesson cells doubled: code cell 10."]),
        (double(0), ["Doubled: the parameters (code cells 1 and 10)."]),
        (edit(4, 'check("9.1", abs)'), ["Edited: check 9.1 (code cell 5)."]),
        (edit(2, "print('other')"), ["Lesson cells edited: 1 (code cell 3)."]),
        (edit(2, "print('first')  \r\nprint('and more')\n"), []),
        (
            edit(0, 'PROFILE: str = "quick"  # "quick", or "standard"\nSEED = 1\nROUNDS = [1, 2]'),
            ["(code cell 1): PROFILE is 'quick', was 'standard'; DEVICE is gone; ROUNDS is new, [1, 2]."],
        ),
        (edit(0, 'PROFILE: str = "standard"\nSEED: int = 1\nDEVICE: str = "auto"'), ["their values are the same"]),
        (move(7, 1), ["Our cells stand in another order, from code cell 4 on."]),
        (edit(3, "def twice(x):\n    return 2 * x"), []),
        (
            edit(3, "from course_lib.exercises import exercise\ntwice = exercise('9.1').reference"),
            ["course_lib is used in the answer: exercise 9.1 (code cell 4)."],
        ),
        (edit(5, "def again(x):\n    ### BEGIN SOLUTION\n    return 2"), ["solution marks are in code cell 6:"]),
        (insert(3, own("y = 1", execution_count=3), own(" ")), ["Cells of the student's own: 1.", "Run out of order"]),
        (counts(*[None] * 9), ["It was not run: no code cell has an execution number."]),
        (counts(1, 2, None, 4, None, 6, 7, 8, 9), ["Never run: code cells 3 and 5."]),
        (
            counts(1, 2, 3, 12, 5, 6, 7, 8, 9),
            ["Run out of order: code cell 5 is [5], code cell 4 before it is [12]."],
        ),
        (error("\x1b[31mKeyError\x1b[0m\n", 1, 3), ["an error: code cell 2 (KeyError) and code cell 4 (KeyError)."]),
        (error({"a": 1}, 1), ["Stopped with an error: code cell 2 (without a name)."]),
        (
            insert(0, {"cell_type": "markdown", "source": "!", "metadata": {"tags": ["papermill-error-cell-tag"]}}),
            ["papermill's banner"],
        ),
        (insert(0, {"cell_type": "markdown", "source": 7}, "what"), ["Malformed cells: 2."]),
        (edit(2, "x" * 200_001), ["and read as empty: code cell 3.", "Lesson cells edited: 1"]),
    ],
)
def test_what_an_instructor_should_look_at_is_said_with_its_place(change, findings):
    found = changed(change).findings
    assert [words in finding for words, finding in zip(findings, found, strict=True)] == [True] * len(findings), found


def test_long_lists_are_cut_so_that_findings_stay_few():
    found = changed(lambda document, ours: [cell.update(source="1 + 1") for cell in ours])
    assert len(found.findings) == 3
    assert found.findings[2] == "Lesson cells edited: 4 (code cells 2, 3, 8 and 9)."
    many = changed(lambda document, ours: document["cells"].extend(own(f"x = {n}") for n in range(40)))
    assert many.findings == ("Cells of the student's own: 40.", "Never run: code cells 10, 11, 12, 13 and 36 more.")


def test_injected_parameters_are_left_out_and_said():
    source = '# Parameters\nPROFILE = "quick"\nSEED = 1\ndef check(*a): return 99'
    injected = own(source, metadata={"tags": ["injected-parameters"]}, execution_count=None)
    found = changed(insert(1, injected))
    assert not found.parameters and len(found.cells) == 9
    assert (
        found.findings[0] == "Parameters injected, and left out here (code cell 2): PROFILE is 'quick', was 'standard'."
    )
    assert not changed(edit(0, "SEED = 1")).parameters and not changed(remove(0)).parameters
    assert changed(edit(2, "SEED = 2")).parameters


def test_what_the_run_tells_of_itself_is_kept_short_and_clean():
    def run(document: dict[str, Any], ours: list[dict[str, Any]]) -> None:
        ours[1]["outputs"] = [new_output("stream", name="stdout", text=OPENING)]
        ours[2]["outputs"] = [new_output("stream", name="stdout", text="Device    abacus\nDone in 1 s; not ours")]
        ours[-1]["outputs"] = [
            new_output("stream", name="stdout", text="Done in 72 s; 3 figures kept; 9 MB in use now.")
        ]
        document["metadata"]["language_info"] = {"version": "3.\x1b[1m11\x00.7" + "9" * 100}

    about = changed(run).about
    assert about.pop("Python") == "3.11.7" + "9" * 13 + "…"
    assert about == {"profile": "quick", "device": "cuda", "versions": "Python 3.11.7, torch 2.13.0", "seconds": "72"}


def test_of_outputs_only_texts_are_kept():
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": ["a\n", "b\n", 3]},
        {"output_type": "stream", "name": "stderr", "text": "a warning"},
        {"output_type": "display_data", "data": {"text/plain": "figure", "image/png": "A" * 10**6}, "metadata": {}},
        {"output_type": "execute_result", "data": {"text/plain": {"deep": [[]]}}},
        "no output",
    ]
    cell = changed(lambda document, ours: ours[2].update(outputs=outputs)).cells[2]
    assert cell.shown.split() == ["a", "b", "figure"]
    assert "AAAA" not in repr(cell.outputs) and "deep" not in repr(cell.outputs)


def test_half_characters_do_not_travel_since_no_file_could_hold_them():
    def change(document: dict[str, Any], ours: list[dict[str, Any]]) -> None:
        ours[3]["source"] = "x = '\ud800'"
        ours[3]["outputs"] = [{"output_type": "error", "ename": "\udc00Odd"}]
        document["metadata"]["language_info"] = {"version": "\ud8003"}

    repr(changed(change)).encode()
    assert changed(change).cells[3].source == "x = '?'"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def nodes(document: Any) -> list[tuple[Any, Any]]:
    """Each place in a document: (what holds it, its key)."""
    keys = document.keys() if isinstance(document, dict) else range(len(document)) if isinstance(document, list) else ()
    return [place for key in keys for place in [(document, key), *nodes(document[key])]]


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_a_notebook_with_anything_anywhere_is_read(data):
    document = notebook()
    document["cells"][3]["outputs"] = [
        {"output_type": "stream", "name": "stdout", "text": "x"},
        {"data": {"text/plain": 1}},
    ]
    for _ in range(data.draw(st.integers(1, 4))):
        where, key = data.draw(st.sampled_from(nodes(document)))
        where[key] = data.draw(JSON)
        if not nodes(document):
            break
    found = reading(document)
    assert found.problem or found.cells
    json.dumps([found.findings, found.about, [cell.source for cell in found.cells]], ensure_ascii=False).encode()
    assert all(
        finding.isprintable() and finding.endswith((".", "?")) and len(finding) < 400 for finding in found.findings
    )
    assert all(isinstance(cell.shown, str) for cell in found.cells)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
@example(b'{"cells": [[[]]]}')
def test_any_bytes_are_a_sentence(content):
    found = read(content, edition())
    assert found.problem.startswith("This ") and found.problem.endswith(".") and not found.cells


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8), st.integers(0, 10**4))
def test_flipped_and_missing_bytes_are_read_or_a_sentence(flips, cut):
    content = bytearray(json.dumps(notebook()).encode())
    for at, value in flips:
        content[at % len(content)] = value
    found = read(bytes(content[: len(content) - cut % 50]), edition())
    assert bool(found.problem) != bool(found.cells)


@pytest.mark.parametrize(
    "source",
    [
        "a" * 199_999,
        " " * 199_999 + "x",
        "\t#" * 99_999,
        "x: " + "=" * 199_990,
        "x = " + " " * 199_000 + "y",
        "check(" * 33_000,
        'check("' + "9" * 199_000,
        "x\n" * 99_999,
        "Device " + " " * 199_000 + "\nLesson " + ", profile " * 19_000 + "\nDone in " + "1." * 50_000,
        "\x1b[" + "0" * 100_000 + "\x1b[" * 20_000,
        "\x1b]" * 99_999,
    ],
    ids=lambda source: repr(source[:6]),
)
def test_no_text_makes_reading_slow(source):
    def change(document: dict[str, Any], ours: list[dict[str, Any]]) -> None:
        for cell in ours:
            stream, error = {"output_type": "stream", "name": "stdout", "text": source}, {"output_type": "error"}
            cell["outputs"] = [stream, error | {"ename": source}]
        ours[0]["source"] = source
        ours[2].update(source=source, metadata={}, id="new")

    started = time.perf_counter()
    assert changed(change).cells
    assert time.perf_counter() - started < 5  # a tenth of a second; what grows with the square takes minutes
