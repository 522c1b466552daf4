"""Every exercise of every lesson in one notebook, whose other cells are imports, solved in the ways of a notebook."""

import ast
import re
from pathlib import Path

import nbformat
import ways
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from test_exercises_bank import BANK, cells, solved, tagged
from tiny_class import write_lesson
from ways import WAYS

START = re.compile(r"(?m)^lesson = .*$")
CLEAN = re.compile(r"(?m)^ *### (BEGIN|END) SOLUTION\n?")
Cells = tuple[list[str], str | None, list[str]]  # own cells above; what stands in the stub's cell; own cells below


def imports(lesson: str) -> str:
    """The code of the lesson's first cells, without starting it."""
    code = [cell.source for cell in cells(lesson)[:4] if cell.cell_type == "code"]
    return START.sub("", "\n".join(code))


def all_exercises(folder: Path) -> Path:
    """The lesson of all exercises, solved."""
    path = write_lesson(folder)
    lesson = nbformat.read(path, as_version=4)
    frame, lesson.cells = lesson.cells, lesson.cells[:3]
    for name in BANK:
        lesson.cells.append(new_code_cell(imports(name)))
        for one, source, check in zip(BANK[name], tagged(name, "exercise"), tagged(name, "check"), strict=True):
            lesson.cells += [
                new_markdown_cell(f"### Exercise {one.label} · Title ({one.points} points)"),
                new_code_cell(source, metadata={"tags": ["exercise"]}),
                new_code_cell(check, metadata={"tags": ["check"]}),
            ]
    lesson.cells.append(frame[-1])
    nbformat.write(lesson, path)
    return path


def in_cells(source: str, lesson: str, before: str, number: int) -> dict[str, Cells]:
    """{way: cells} of the solution ``source``; ``before`` is the name of an earlier exercise, ``number`` this one's."""
    last = ast.parse(source).body[-1]
    if isinstance(last, ast.FunctionDef):
        name, end, inside = last.name, "", last.body[0].lineno - 1
        mine = source.replace(f"def {name}(", f"def my_{name}(")
        asks = f"def {name}(*args):\n    return my_{name}(*args)"
        lines = source.splitlines()
        later = "\n".join([*lines[:inside], f"    assert {before} is not None", *lines[inside:]])
    else:
        name, end, later = ast.unparse(last.targets[0]), "()", f"assert {before} is not None\n{source}"
        mine, asks = f"def my_{name}():\n    return {ast.unparse(last.value)}", f"{name} = my_{name}()"
    forms, own = list(WAYS), f"%%writefile own_{number}.py\n{imports(lesson)}\n{source}"
    return {
        "below the stub": ([], None, [source]),
        "stub emptied": ([], "", [source]),
        "stub split": ([], mine, [asks]),
        "helper in another cell": ([mine], asks, []),
        "import in another cell": (["import functools as ft"], f"{mine}\n{name} = ft.partial(my_{name}){end}", []),
        "magics": (["%%time\nx = 1", "%load_ext autoreload"], f"%matplotlib inline\n!true\n%who\n{source}", ["!ls"]),
        "own module": ([own], f"from own_{number} import {name}", []),
        "earlier exercise used": ([], later, []),
    } | {
        f"ways {k}": (
            ["%%writefile ways.py\n" + Path(ways.__file__).read_text(encoding="utf-8")],
            f"from ways import WAYS\n{mine}\n{name} = WAYS[{forms[(number + k) % len(forms)]!r}](my_{name}){end}",
            [],
        )
        for k in (0, 4, 8)
    }


CELL_WAYS = list(in_cells("x = 1", "00", "print", 0))


def handed_in(edition: NotebookNode, first: int, step: int = 0) -> NotebookNode:
    """The lesson of all exercises solved: in the way ``first`` of `CELL_WAYS`, each next exercise ``step`` ways on."""
    places = [place for place, cell in enumerate(edition.cells) if "exercise" in cell.metadata.get("tags", [])]
    before, todo = "print", []
    for number, (place, param) in enumerate(zip(places, solved(), strict=True)):
        lesson, _, source = param.values
        way = CELL_WAYS[(first + number * step) % len(CELL_WAYS)]
        todo.append((place, in_cells(CLEAN.sub("", source), lesson, before, number)[way]))
        before = edition.cells[place + 1].source.split(", ")[1].rstrip(")")
    for place, (above, answer, below) in reversed(todo):
        edition.cells[place].source = edition.cells[place].source if answer is None else answer
        edition.cells[place + 1 : place + 1] = [new_code_cell(cell) for cell in below]
        edition.cells[place:place] = [new_code_cell(cell) for cell in above]
    return edition
