"""index.html: what a run did, one card a lesson, in a file that needs nothing else."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import nbformat

from course_lib.classroom.notebooks import as_dict, as_text, read_notebook
from course_lib.errors import CourseError
from course_lib.paths import write_atomic


@dataclass(frozen=True)
class Card:
    """What index.html shows of one lesson."""

    run: dict[str, Any]  # its entry of run.json
    title: str
    promise: str
    error: str
    image: str  # PNG, base64
    alt: str
    link: str  # to the executed notebook; empty if there is none of this run


def read_runs(out: Path) -> list[dict[str, Any]]:
    """The entries of run.json that are whole; none if there is no such file, or half of one."""
    try:
        entries = json.loads((out / "run.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return []
    return [one for one in (entries if isinstance(entries, list) else ()) if _is_run(one)]


def _is_run(entry: Any) -> bool:
    texts = ("lesson", "profile", "device", "status")
    return (
        all(isinstance(as_dict(entry).get(key), str) for key in texts)
        and all(isinstance(entry.get(key), int | float) for key in ("seconds", "peak_rss_mb"))
        and "seed" in entry
    )


def write_index(out: Path) -> None:
    """Make ``out``/index.html from ``out``/run.json and the executed notebooks beside it."""
    environment = jinja2.Environment(loader=jinja2.PackageLoader("course_lib.classroom"), autoescape=True)
    environment.filters["duration"] = duration
    cards = [card(out, run) for run in read_runs(out)]
    write_atomic(out / "index.html", environment.get_template("index.html.j2").render(cards=cards))


def card(out: Path, run: dict[str, Any]) -> Card:
    """The card of ``run``; without a notebook (an interrupted run leaves none) it has words only."""
    path = out / f"{run['lesson']}.ipynb"
    if run["status"] == "interrupted" or not path.exists():
        words = (
            "Stopped before its end." if run["status"] == "interrupted" else "It ended before its notebook was kept."
        )
        return Card(run, run["lesson"], "", words, "", "", "")
    try:
        notebook = read_notebook(path)
    except CourseError as problem:
        return Card(run, run["lesson"], "", str(problem), "", "", "")
    title, promise = opening(notebook)
    image, alt = main_figure(notebook)
    error = as_text(as_dict(notebook.metadata.get("course")).get("error"))
    return Card(run, title or run["lesson"], promise, error, image, alt or f"Main figure of {title}", path.name)


def opening(notebook: nbformat.NotebookNode) -> tuple[str, str]:
    """Title and first paragraph of a lesson, as plain text."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (match := re.match(r"# (.+)\n*((?:.+\n?)*)", cell.source)):
            return plain(match[1]), plain(match[2])
    return "", ""


def plain(markdown: str) -> str:
    """``markdown`` without the marks for emphasis, code and links."""
    return " ".join(re.sub(r"\*\*|`|\[([^\]]+)\]\([^)]*\)", r"\1", markdown).split())


def main_figure(notebook: nbformat.NotebookNode) -> tuple[str, str]:
    """PNG and alt text of the first image in the cell tagged "main-figure", else of the first image of all."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    cells.sort(
        key=lambda cell: "main-figure" not in cell.metadata.get("tags", [])
    )  # stable: the others keep their order
    for cell in cells:
        for output in cell.outputs:
            if png := output.get("data", {}).get("image/png"):
                return png.replace("\n", ""), as_text(as_dict(output.metadata.get("image/png")).get("alt"))
    return "", ""


def duration(seconds: float) -> str:
    """``seconds`` as a person says it: 48 s, 1 min 05 s."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02} s"
