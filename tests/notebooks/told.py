"""Which sentences of the lessons compare, and point to no claim that has been computed.

A sentence of a "How to read it", a quiz or the take-aways that says better, worse, more than and the like points to its
claim by a comment behind it, which no reader sees: `<!-- claim: name -->`. `lesson.claim(…, name="name")` has made it.
Run as a program, this writes the list of those that do not yet, which may only shrink, anew.
"""

import json
import re
import sys
from pathlib import Path

import nbformat

from course_lib.evaluation.claims import COMPARES

ROOT = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_name("unclaimed.json")
EXPLAINS = re.compile(r"How to read it|^## (Quiz|Take-aways)", re.MULTILINE)
POINTER = re.compile(r"<!-- claim: ([a-z0-9@.-]+) -->")
END = re.compile(r"(?<=[.!?])\**(?!\s*<!--)\s+|\n\s*\n|\n(?=[-*|] )")  # a comment belongs to the sentence before it


def compares(text: str) -> list[str]:
    """The sentences of ``text`` that compare and point to no claim."""
    sentences = [one.strip() for one in END.split(text) if one and one.strip()]
    return [one for one in sentences if COMPARES.search(one) and not POINTER.search(one)]


def unclaimed(notebook: Path) -> list[str]:
    """The beginnings of the sentences that compare and point to no claim, in order."""
    cells = nbformat.read(notebook, as_version=4).cells
    told = [cell.source for cell in cells if cell.cell_type == "markdown" and EXPLAINS.search(cell.source)]
    return [" ".join(one.split())[:80] for source in told for one in compares(source)]


def pointers(notebook: Path) -> set[str]:
    """The names of the claims to which ``notebook`` points."""
    return set(POINTER.findall("\n".join(cell.source for cell in nbformat.read(notebook, as_version=4).cells)))


if __name__ == "__main__":
    listed = json.loads(LIST.read_text(encoding="utf-8"))
    found = {path.stem: unclaimed(path) for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))}
    for lesson, sentences in found.items():
        if len(sentences) > len(listed.get(lesson, [])):
            new = [one for one in sentences if one not in listed.get(lesson, [])]
            sys.exit(
                f"{lesson} has more sentences that compare than the list allows; point to claims, or say less: {new}"
            )
    LIST.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(sum(map(len, found.values())), "sentences compare and point to no claim")
