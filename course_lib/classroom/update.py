"""What a maintainer commits after a measured run: executed lessons, their figures, the summary, the README's table."""

import hashlib
import json
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat

from course_lib.classroom.due import STORED, fingerprint, read_fingerprints
from course_lib.classroom.notebooks import read_notebook
from course_lib.classroom.release import mark
from course_lib.classroom.report import duration, opening
from course_lib.classroom.run import LessonRun
from course_lib.errors import CourseError
from course_lib.machine import cores
from course_lib.paths import cache_dir, write_atomic

BEGIN, END = "<!-- lessons -->", "<!-- /lessons -->"
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def store(runs: Sequence[LessonRun], out: Path, notebooks: Path, root: Path) -> list[str]:
    """Copy what ``runs`` left in ``out`` into the repository at ``root``; returns one line for each file changed."""
    expected = root / "tests" / "notebooks" / "expected"
    cleaned = {run.lesson: clean(read_notebook(out / f"{run.lesson}.ipynb")) for run in runs}
    for name, notebook in cleaned.items():  # all of them, before the first file is written
        refuse_paths(name, notebook, [str(root), str(out), str(cache_dir()), str(Path.home()), tempfile.gettempdir()])
    figures = {run.lesson: _figures(out / "figures" / f"{run.lesson}.json") for run in runs}
    summary = read_summary(expected / "summary.json")
    for run in runs:
        write_atomic(notebooks / f"{run.lesson}.ipynb", nbformat.writes(cleaned[run.lesson]) + "\n")
        write_atomic(expected / f"{run.lesson}.json", figures[run.lesson])
        summary[run.lesson] = {"seconds": run.seconds, "peak_rss_mb": run.peak_rss_mb, "cores": cores()}
    names = [path.stem for path in sorted(notebooks.glob("[0-9]*.ipynb"))]
    prints = read_fingerprints(root) | {name: fingerprint(notebooks / f"{name}.ipynb", root) for name in cleaned}
    kept = {name: prints[name] for name in names if name in prints}
    write_atomic(root / STORED, json.dumps(kept, indent=1) + "\n")
    entries = [{"lesson": name, **summary[name]} for name in names if name in summary]
    write_atomic(expected / "summary.json", json.dumps(entries, indent=1) + "\n")
    readme = root / "README.md"
    write_atomic(readme, with_table(readme.read_text(encoding="utf-8"), lesson_table(entries, notebooks)))
    return [f"Stored {run.lesson}: {run.seconds:.0f} s, {run.peak_rss_mb:,.0f} MB" for run in runs]


def _figures(path: Path) -> str:
    if not path.exists():
        raise CourseError(f"Lesson {path.stem} has left no figures: its last cell must be lesson.finish().")
    return path.read_text(encoding="utf-8")


def read_summary(path: Path) -> dict[str, dict[str, Any]]:
    """{lesson: its measures}; empty before the first run."""
    entries = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return {entry["lesson"]: {key: value for key, value in entry.items() if key != "lesson"} for entry in entries}


def clean(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """``notebook`` marked for nbgrader, with its outputs, without what differs between runs and machines."""
    ids: set[str] = set()
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if not cell.metadata.get("tags", True):  # papermill adds an empty list
            del cell.metadata["tags"]
        cell["id"] = _id(cell, ids)
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    return mark(notebook)


def _id(cell: nbformat.NotebookNode, taken: set[str]) -> str:
    """An id that follows from the cell's text, so that a change in one cell does not touch the others."""
    name, n = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:8], 1
    while f"{name}-{n}" in taken:
        n += 1
    taken.add(f"{name}-{n}")
    return f"{name}-{n}"


def refuse_paths(name: str, notebook: nbformat.NotebookNode, folders: Sequence[str]) -> None:
    """CourseError if an output of ``notebook`` names a folder of this machine."""
    for number, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), start=1):
        text = json.dumps([{**output, "data": _words(output)} for output in cell.outputs])
        for folder in folders:
            if re.search(re.escape(folder) + r"(?![\w-])", text):
                raise CourseError(
                    f"Cell [{number}] of {name} prints the folder {folder} of this machine: mend it first."
                )


def _words(output: nbformat.NotebookNode) -> dict[str, Any]:
    return {kind: data for kind, data in output.get("data", {}).items() if not kind.startswith("image/png")}


def lesson_table(summary: Sequence[dict[str, Any]], notebooks: Path) -> str:
    """The README's table of lessons, from the committed summary."""
    lines = ["| Lesson | Time | Memory |", "|---|--:|--:|"]
    for entry in summary:
        path = notebooks / f"{entry['lesson']}.ipynb"
        title, _ = opening(read_notebook(path))
        link = f"[{title or path.stem}](notebooks/{path.name})"
        lines.append(f"| {link} | {duration(entry['seconds'])} | {entry['peak_rss_mb']:,.0f} MB |")
    return "\n".join(lines)


def with_table(readme: str, table: str) -> str:
    """``readme`` with ``table`` between its two marks."""
    if BEGIN not in readme or END not in readme:
        raise CourseError(f"README.md has no marks {BEGIN} and {END}: put them where the table of lessons belongs.")
    before, rest = readme.split(BEGIN, 1)
    return f"{before}{BEGIN}\n{table}\n{END}{rest.split(END, 1)[1]}"
