"""The core lessons in the quick profile: `course run`, lessons side by side, beside papermill, one after the other."""

import subprocess
import sys
import tempfile
from pathlib import Path

from runner import Row, in_turns, main, row

from course_lib.classroom.run import find_lessons
from course_lib.paths import ROOT

CORE = find_lessons(ROOT / "notebooks", list("0123456"))
PAPERMILL = [sys.executable, "-m", "papermill", "--log-level", "WARNING", "--no-progress-bar", "-p", "PROFILE", "quick"]


def side_by_side(out: str) -> None:
    """As the README says it: ``make course PROFILE=quick``."""
    numbers = [path.stem.split("_")[0] for path in CORE]
    command = [sys.executable, "-m", "course_lib", "run", "--profile", "quick", "--out", out, *numbers]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def one_by_one(out: str) -> None:
    """The same notebooks by papermill's own command."""
    for path in CORE:
        subprocess.run([*PAPERMILL, str(path), str(Path(out) / path.name)], check=True)


def quick_core() -> list[Row]:
    """Seconds from the command to the last executed notebook."""
    with tempfile.TemporaryDirectory() as out:
        ways = {"course run": lambda: side_by_side(out), "papermill, one by one": lambda: one_by_one(out)}
        seconds, _ = in_turns(ways, rounds=1)
    return [row(name, s, "s", ours=name == "course run", higher=False) for name, s in seconds.items()]


BENCHES = {"quick_core_seconds": quick_core}

if __name__ == "__main__":
    main(BENCHES)
