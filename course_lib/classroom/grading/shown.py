"""What of this machine's files the sandbox shows: the system, this Python with its packages, the course and its data.

All of it read-only, and nothing of the instructor's, wherever that lies: a folder of theirs inside one that is shown is
covered by an empty one.
"""

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from course_lib.errors import CourseError
from course_lib.paths import ROOT

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts")
NEEDED = ("course_lib", "IPython", "torch", "numpy", "pandas", "scipy", "sklearn", "matplotlib", "transformers", "peft")
FIND = "import sys, importlib.util as u\nprint(*[name for name in sys.argv[1:] if not u.find_spec(name)])"


def mounts(private: Sequence[Path]) -> list[str]:
    """Arguments for bubblewrap: what it shows, and what of ``private``, the instructor's folders, it covers there.

    Raises CourseError where one of them is itself a folder that has to be shown.
    """
    home, theirs = Path.home().resolve(), [_existing(path.resolve()) for path in (ROOT, *private)]
    shown = [*SYSTEM, sys.base_prefix, sys.prefix, str(ROOT / "datasets"), str(ROOT / "course_lib")]
    shown += [entry for entry in search_path() if _is_packages(Path(entry), home, theirs)]
    steps = {Path(place): ["--ro-bind-try", place, place] for place in shown}
    for place in list(steps):
        for path in (home, *theirs):
            if path == place.resolve() and path in theirs:
                raise CourseError(
                    f"{path} holds what students may not see, and is a folder that their code needs to run: move your "
                    "files to a folder of their own, or the environment of the course to another."
                )
            if path != place.resolve() and path.is_relative_to(place.resolve()):
                cover = place / path.relative_to(place.resolve())
                steps.setdefault(cover, ["--tmpfs", str(cover)])
    return [word for place in sorted(steps, key=lambda place: len(place.parts)) for word in steps[place]]


def _existing(path: Path) -> Path:
    """The folder ``path``, or the one in which it will be made."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def search_path() -> list[str]:
    """Where this Python looks for modules, for the sandbox's to look there too."""
    return [str(Path(entry).absolute()) for entry in sys.path if entry and Path(entry).exists()]


def _is_packages(entry: Path, home: Path, theirs: Sequence[Path]) -> bool:
    """Whether ``entry`` of the search path holds modules and nothing that is the instructor's."""
    at = entry.resolve()
    if any(path.is_relative_to(at) for path in (home, *theirs)):
        return False
    return next(at.glob("*.dist-info"), None) is not None or not any(at.is_relative_to(path) for path in theirs)


def check_packages(sandbox: Sequence[str]) -> None:
    """Raises CourseError where Python behind ``sandbox``, a command line, misses a package that it finds here."""
    found = {name: spec.origin or "the place" for name in NEEDED if (spec := importlib.util.find_spec(name))}
    probe = subprocess.run([*sandbox, sys.executable, "-c", FIND, *found], capture_output=True, text=True)
    if probe.returncode:
        raise CourseError(f"Python does not start in the sandbox: {' '.join(probe.stderr.split())[-300:]}")
    if missing := probe.stdout.split():
        raise CourseError(
            f"The students' code needs {missing[0]}, and the sandbox does not show {found[missing[0]]}, where it lies "
            "here: install the course in an environment of its own (make course), and grade with that."
        )
