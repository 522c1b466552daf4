"""The figures of a run, for the tests in this folder."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from course_lib.classroom.due import due
from course_lib.paths import ROOT, build_dir

EXPECTED = ROOT / "tests" / "notebooks" / "expected"
DUE = {path.stem for path in due()}
LESSONS = [path.stem for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))]


def read(path: Path) -> dict[str, Any]:
    """A figures file; empty if there is none of a standard run."""
    document = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return document if document.get("profile") == "standard" else {}


def fresh(lesson: str) -> dict[str, Any]:
    """What the last standard run of ``lesson`` left in the build folder.

    `make test` names the folder of the very run it has just made in COURSE_BUILD, and there the figures have to be.
    """
    document = read(build_dir() / "figures" / f"{lesson}.json")
    if not document and lesson not in DUE:
        pytest.skip(f"{lesson} is as it was stored, and runs in quick: make test-all runs it in standard")
    if not document and "COURSE_BUILD" in os.environ:
        pytest.fail(f"{lesson} has left no figures in {build_dir()}")
    if not document:
        pytest.skip(f"{lesson} has not been run: course run {lesson}")
    return document


def figures_of(lesson: str) -> dict[str, float]:
    """Figures of the last standard run of ``lesson``, else the committed ones."""
    document = read(build_dir() / "figures" / f"{lesson}.json") or read(EXPECTED / f"{lesson}.json")
    assert document, f"{lesson} has neither been run nor are figures committed: course run {lesson}"
    return document["figures"]
