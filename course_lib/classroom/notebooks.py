"""Notebooks as they come: from odd or hostile bytes to cells of known types, for all that reads a notebook."""

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbformat import NotebookNode, from_dict

from course_lib.errors import CourseError

KINDS = ("code", "markdown", "raw")
BANNER = "papermill-error-cell-tag"  # papermill adds cells with this tag to a notebook that failed,
INJECTED = "injected-parameters"  # and one with this tag where a parameter is changed
MOST_BYTES = 50_000_000
MOST_PARTS = 1_000_000  # lists and objects, and three times as many values: two bytes of text can take 250 of memory
MOST_CELLS = 2_000
MOST_DEEP = 50  # of a lesson's; copying goes down a few steps for each
MOST_SOURCE = 200_000  # characters of a cell's source; a longer one reads as empty
MOST_OUTPUT = 1_000_000  # characters of one output that are kept
ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")


@dataclass(frozen=True)
class Stored:
    """A code cell as it stands in the file; what is of a wrong type is left out."""

    number: int  # among the code cells, from 1
    source: str
    id: str
    grade_id: str
    tags: tuple[str, ...]
    count: int | None
    outputs: tuple[dict[str, Any], ...]


def clean(text: str, most: int) -> str:
    """``text`` on one line of at most ``most`` characters, without colours, control and invisible characters."""
    text = " ".join(ANSI.sub("", text[: 20 * most]).split())
    text = "".join(letter for letter in text if unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Co", "Cn"))
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def parse(content: bytes) -> tuple[dict[str, Any], str]:
    """The notebook's document, with a list of cells in it; or nothing, and a sentence that says why."""
    if len(content) > MOST_BYTES:
        return {}, f"This notebook was not read: it is larger than {MOST_BYTES / 1e6:g} MB."
    wrong = "This is not a Jupyter notebook: "
    if not content.strip():
        return {}, wrong + "the file is empty."
    if content.count(b"[") + content.count(b"{") > MOST_PARTS or content.count(b",") > 3 * MOST_PARTS:
        return {}, "This notebook was not read: it consists of too many parts."
    try:
        document = json.loads(content)
    except RecursionError:
        return {}, wrong + "it is nested too deeply."
    except ValueError:  # of JSON, of its encoding, of a number with too many digits
        return {}, wrong + "it is not JSON."
    if isinstance(document, dict) and "worksheets" in document:
        return {}, "This notebook is of version 3 or older: open it in JupyterLab, and save it there."
    if not isinstance(document, dict) or not isinstance(document.get("cells"), list):
        return {}, wrong + "it has no list of cells."
    if len(document["cells"]) > MOST_CELLS:
        return {}, f"This notebook was not read: it has more than {MOST_CELLS:,} cells."
    return document, ""


def read_document(path: Path) -> tuple[dict[str, Any], str]:
    """`parse` of the file ``path``, which may be a folder, or one that may not be read."""
    try:
        return parse(path.read_bytes())
    except OSError as error:
        return {}, f"This file cannot be read: {error.strerror or error}."


def read_notebook(path: Path) -> NotebookNode:
    """The notebook in the file ``path``, a lesson's, whole: what is odd in it is as JupyterLab would have written it.

    Every cell has a kind, a text and metadata, and one of code outputs; what is no cell or no output is left out.
    Raises CourseError, one sentence, where the file holds no notebook.
    """
    document, problem = read_document(path)
    if problem:
        raise CourseError(f"{path}: {problem}")
    if _deep(document):
        raise CourseError(f"{path}: This is not a Jupyter notebook: it is nested too deeply.")
    cells = [_whole(cell) for cell in document["cells"] if as_dict(cell).get("cell_type") in KINDS]
    minor = document.get("nbformat_minor")
    minor = minor if type(minor) is int and 0 <= minor < 100 else 5
    taken: set[str] = set()
    for number, cell in enumerate(cells, start=1):
        name = as_text(cell.pop("id", ""))
        if minor >= 5:  # before, cells had no ids
            good = re.fullmatch(r"[\w-]{1,64}", name, re.ASCII) and name not in taken
            cell["id"] = name if good else f"cell-{number}"
            taken.add(cell["id"])
    metadata = as_dict(document.get("metadata"))
    return from_dict({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": minor})


def _deep(document: Any) -> bool:
    """Whether lists and objects stand in one another more than `MOST_DEEP` times."""
    level = [document]
    for _ in range(MOST_DEEP):
        inner = (value.values() if isinstance(value, dict) else value for value in level)
        level = [value for values in inner for value in values if isinstance(value, dict | list)]
    return bool(level)


def _whole(cell: dict[str, Any]) -> dict[str, Any]:
    """``cell`` with all that a cell of its kind has."""
    whole = cell | {"source": as_text(cell.get("source")), "metadata": as_dict(cell.get("metadata"))}
    if "tags" in whole["metadata"]:
        whole["metadata"] = whole["metadata"] | {"tags": list(tags_of(cell))}
    if "nbgrader" in whole["metadata"] and not isinstance(whole["metadata"]["nbgrader"], dict):
        whole["metadata"] = {key: value for key, value in whole["metadata"].items() if key != "nbgrader"}
    for key in ("outputs", "execution_count"):
        whole.pop(key, None)
    if cell["cell_type"] == "code":
        outputs, count = cell.get("outputs"), cell.get("execution_count")
        whole["outputs"] = [_output(one) for one in (outputs if isinstance(outputs, list) else ()) if _known(one)]
        whole["execution_count"] = count if type(count) is int and count > 0 else None
    return whole


def _known(output: Any) -> bool:
    return as_dict(output).get("output_type") in ("stream", "error", "display_data", "execute_result")


def _output(output: dict[str, Any]) -> dict[str, Any]:
    """``output`` with all that one of its kind has."""
    kind = output["output_type"]
    if kind == "stream":
        return output | {"name": as_text(output.get("name")) or "stdout", "text": as_text(output.get("text"))}
    if kind == "error":
        trace = output.get("traceback")
        lines = [as_text(line) for line in trace] if isinstance(trace, list) else []
        return output | {key: as_text(output.get(key)) for key in ("ename", "evalue")} | {"traceback": lines}
    data = {
        mime: value if "json" in mime and not isinstance(value, str) else as_text(value)
        for mime, value in as_dict(output.get("data")).items()
    }
    about = {mime: value for mime, value in as_dict(output.get("metadata")).items() if isinstance(value, dict | bool)}
    whole = output | {"data": data, "metadata": about}
    return whole | {"execution_count": output.get("execution_count")} if kind == "execute_result" else whole


def without_papermills(cells: Iterable[Stored]) -> list[Stored]:
    """``cells`` without those that papermill has added."""
    return [cell for cell in cells if not {INJECTED, BANNER} & set(cell.tags)]


def stored_cells(cells: Sequence[Any]) -> tuple[list[Stored], list[str]]:
    """The code cells among ``cells``, and findings about what could not be read of them."""
    stored: list[Stored] = []
    malformed, long = 0, []
    for cell in cells:
        source = as_dict(cell).get("source")
        lines = source if isinstance(source, list) else [source]
        malformed += not all(isinstance(line, str) for line in lines)
        if as_dict(cell).get("cell_type") != "code":
            continue
        about, count = as_dict(cell.get("metadata")), cell.get("execution_count")
        outputs, text = cell.get("outputs"), as_text(source)
        if len(text) > MOST_SOURCE:
            long.append(len(stored) + 1)
        stored.append(
            Stored(
                number=len(stored) + 1,
                source=text if len(text) <= MOST_SOURCE else "",
                id=as_text(cell.get("id")),
                grade_id=as_text(as_dict(about.get("nbgrader")).get("grade_id")),
                tags=tags_of(cell),
                count=count if type(count) is int and 0 < count < 1e6 else None,
                outputs=tuple(_kept(output) for output in (outputs if isinstance(outputs, list) else ())),
            )
        )
    findings = [f"Malformed cells: {malformed}."] if malformed else []
    if long:
        findings.append(f"Longer than {MOST_SOURCE:,} characters, and read as empty: {places(long)}.")
    return stored, findings


def _kept(output: Any) -> dict[str, Any]:
    """The texts of an output, which alone are compared: no figures, nothing nested."""
    output = as_dict(output)
    kept: dict[str, Any] = {
        key: as_text(output[key])[:MOST_OUTPUT]
        for key in ("output_type", "name", "text", "ename", "evalue")
        if key in output
    }
    if kept.get("output_type") == "stream":
        kept.setdefault("name", "stdout")
    if "text/plain" in as_dict(output.get("data")):
        kept["data"] = {"text/plain": as_text(output["data"]["text/plain"])[:MOST_OUTPUT]}
    return kept


def as_dict(value: Any) -> dict[str, Any]:
    """``value`` if it is a dict, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_text(value: Any) -> str:
    """A text of a notebook, which may be a list of lines; half characters, which no file can hold, become "?"."""
    text = "".join(line for line in value if isinstance(line, str)) if isinstance(value, list) else value
    return text.encode("utf-8", "replace").decode() if isinstance(text, str) else ""


def tags_of(cell: Any) -> tuple[str, ...]:
    """The tags of a cell of the document."""
    tags = as_dict(as_dict(cell).get("metadata")).get("tags")
    return tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else ()


def listed(words: Sequence[str], most: int = 4) -> str:
    """ "a, b and c"; of a long list the first few and how many more."""
    if len(words) > most:
        return f"{', '.join(words[:most])} and {len(words) - most} more"
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def places(numbers: Iterable[int]) -> str:
    """ "code cells 3 and 7"."""
    words = [str(number) for number in numbers]
    return f"code cell{'s' * (len(words) > 1)} {listed(words)}"
