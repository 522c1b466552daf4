"""Notebooks as they come: from odd or hostile bytes to cells of known types, for all that reads a notebook."""

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

MOST_BYTES = 50_000_000
MOST_PARTS = 1_000_000  # lists and objects, and three times as many values: two bytes of text can take 250 of memory
MOST_CELLS = 2_000
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
        return {}, "This notebook is of version 3 or older: open it in JupyterLab, save it, and hand it in again."
    if not isinstance(document, dict) or not isinstance(document.get("cells"), list):
        return {}, wrong + "it has no list of cells."
    if len(document["cells"]) > MOST_CELLS:
        return {}, f"This notebook was not read: it has more than {MOST_CELLS:,} cells."
    return document, ""


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
