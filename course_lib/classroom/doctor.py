"""`course doctor`: what this machine has, line by line, and what to do where something is missing."""

import importlib.metadata
import platform
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import Version

from course_lib.data.fetch import missing, source, sources
from course_lib.errors import CourseError
from course_lib.machine import cores, memory_mb
from course_lib.paths import BUILD, CACHE, ROOT, build_dir, cache_dir, make_dir

README_GFLOPS = 193  # a core, on the machine of the times in README.md
NEEDED_MB = 2_000  # what a lesson may take, and what a Binder launch has


@dataclass(frozen=True)
class Finding:
    """One line of the doctor: level is OK, WARN or FAIL."""

    level: str
    text: str

    def __str__(self) -> str:
        return f"[{self.level}]".ljust(7) + self.text


def examine() -> Iterator[Finding]:
    """All checks in order, each as soon as it is done."""
    yield python()
    yield packages(ROOT / "requirements.lock")
    yield device()
    yield speed()
    yield memory()
    yield folder("cache", cache_dir(), CACHE)
    yield folder("results", build_dir(), BUILD)
    for name in sources():
        yield data(name)


def python() -> Finding:
    """Python 3.11, the one the lock file was made for."""
    found = f"Python {platform.python_version()} in {sys.prefix}"
    if sys.version_info[:2] == (3, 11):
        return Finding("OK", found)
    return Finding("FAIL", f"{found}: the course needs Python 3.11; make an environment with it.")


def locked(path: Path) -> dict[str, str]:
    """{package: version} of a lock file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pins = (line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {canonicalize_name(name): version.strip() for name, version in pins}


def packages(lock: Path) -> Finding:
    """The installed packages against the lock file; a build such as +cpu may differ."""
    wanted = locked(lock)
    found: dict[str, str] = {
        canonicalize_name(distribution.name): Version(distribution.version).public
        for distribution in importlib.metadata.distributions()
        if distribution.name
    }
    absent = sorted(wanted.keys() - found.keys())
    other = sorted(
        f"{name} {found[name]} (lock: {wanted[name]})"
        for name in wanted
        if found.get(name, wanted[name]) != wanted[name]
    )
    advice = f"run pip install -r {lock.name}"
    if absent:
        return Finding("FAIL", f"{len(absent)} of {len(wanted)} packages are missing, {_some(absent)}: {advice}.")
    if other:
        return Finding(
            "WARN", f"{len(other)} of {len(wanted)} packages differ from the lock, {_some(other)}: {advice}."
        )
    return Finding("OK", f"All {len(wanted)} packages have the versions of {lock.name}")


def _some(names: list[str], n: int = 4) -> str:
    return ", ".join(names[:n]) + (" ..." if len(names) > n else "")


def device() -> Finding:
    """The device that lessons will use, why, and the threads."""
    try:
        from course_lib.device import choose, set_threads

        choice = choose()
    except CourseError as error:
        return Finding("FAIL", str(error))
    except ImportError as error:
        return Finding("FAIL", f"torch cannot be imported ({error}): install the packages of requirements.lock.")
    level = "WARN" if "does not work" in choice.why else "OK"
    return Finding(level, f"Device {choice.device}: {choice.why}; {set_threads()} threads of {cores()} cores")


def speed(n: int = 1024) -> Finding:
    """How fast a core multiplies matrices of float32, which is most of what BERT does, beside the machine of README."""
    try:
        import torch

        from course_lib.device import set_threads

        threads, a = set_threads(), torch.rand(n, n)
    except (CourseError, ImportError):
        return Finding("WARN", "Speed not measured: see the line above.")
    taken = []
    for _ in range(10):
        started = time.perf_counter()
        a @ a
        taken.append(time.perf_counter() - started)
    each = 2 * n**3 / min(taken) / threads / 1e9
    times = README_GFLOPS / each
    wait = f"about {times:.1f} times as long as README says" if times > 1.2 else "as long as README says, or less"
    return Finding("OK", f"Speed {each:.0f} GFLOPS a core in float32 products: lessons with BERT take {wait}")


def memory() -> Finding:
    """Memory that is free now, in a container that is the container's."""
    free, total = memory_mb()
    text = f"Memory {free:,.0f} MB free of {total:,.0f} MB"
    if free >= NEEDED_MB:
        return Finding("OK", text)
    return Finding(
        "WARN", f"{text}: a lesson takes up to {NEEDED_MB:,} MB; close other programs, or use --profile quick."
    )


def folder(what: str, path: Path, elsewhere: str) -> Finding:
    """A folder that the course writes to: may it, and is there room?"""
    try:
        make_dir(path, elsewhere)
    except CourseError as error:
        return Finding("FAIL", str(error))
    free = shutil.disk_usage(path).free / 1e6
    text = f"Folder for {what} {path}, {free:,.0f} MB free"
    return Finding("OK", text) if free > 1_000 else Finding("WARN", f"{text}: make room, or {elsewhere}.")


def data(name: str) -> Finding:
    """A source: is every file in the cache, with the registered hash?"""
    absent, entry = missing(name), source(name)
    if not absent:
        return Finding("OK", f"Data {name}: {len(entry.members)} files, there and whole")
    return Finding(
        "WARN",
        f"Data {name}: {len(absent)} of {len(entry.members)} files are missing or damaged: run `course fetch {name}`.",
    )
