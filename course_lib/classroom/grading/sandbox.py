"""The sandbox from outside: start the warm process behind walls of bubblewrap, send it cells, take plain data back.

In there: the system, this Python and the course's library, read-only; data and weights, read-only; no network; nothing
of the instructor's, no solutions, and no bank of answers. See `warm` for what runs inside and `walls` for each fork.
"""

import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import threading
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from course_lib.classroom.grading.budget import Budget
from course_lib.classroom.grading.plain import MOST_WORDS, decode
from course_lib.classroom.grading.shown import mounts, search_path
from course_lib.classroom.grading.walls import SCRATCH, SHARED, STANDARD, Limits
from course_lib.data.fetch import sources
from course_lib.errors import CourseError
from course_lib.exercises.judge import Case, Raised
from course_lib.paths import ROOT, cache_dir

WITHOUT = (
    "Grading runs the students' code, and only bubblewrap keeps it away from your files and your network: {why}. With "
    "--trust-the-students it runs without: then their code can read, change and delete whatever you can."
)

FORGED = "the code writes into the grader's own report"
PATIENCE = 900  # seconds for one cell of a lesson, as nbval has
VARIABLES = {  # of the warm process
    "PATH": os.defpath,
    "HOME": str(SCRATCH),
    "TMPDIR": str(SCRATCH),
    "USER": "student",
    "LANG": "C.UTF-8",
    "COURSE_CACHE": str(SHARED / "cache"),
    "COURSE_BUILD": str(SHARED / "build"),
    "COURSE_DEVICE": "cpu",
    "MPLBACKEND": "agg",
    "CI": "true",  # no progress bars
    "HF_HUB_OFFLINE": "1",
    "JOBLIB_MULTIPROCESSING": "0",  # it would try to make semaphores, and warn
    "TOKENIZERS_PARALLELISM": "false",
}
PLACES = ("PATH", "HOME", "TMPDIR", "USER", "COURSE_CACHE", "COURSE_BUILD")  # which are another's without walls


class Ended(CourseError):
    """The sandbox was ended, and not by the grader: another one may live."""


@dataclass(frozen=True)
class Attempt:
    """What a fork told until its end: ``errors`` of the cells it ran, the answers it gave, and how it ended."""

    errors: tuple[str, ...]  # one for each cell that came to its end; empty where nothing was raised
    answers: tuple[Any, ...]  # one for each case that came to its end; a value is one answer
    instead: str  # the type of what was found where a function was wanted; else empty
    trouble: str  # "" when it came to its own end; else "time", "budget", "output", "died", "error", "report"
    words: str  # of that error
    called: tuple[str, ...] = ()  # functions of the course's library that ran while it answered


class Sandbox:
    """A lesson's warm process. A context manager: leaving it ends the process and everything in it."""

    def __init__(
        self, limits: Limits = STANDARD, trust: bool = False, threads: int = 1, private: Sequence[Path] = ()
    ) -> None:
        """trust: without walls. threads: the lesson's; an answer has one. private: the instructor's own folders.

        Raises CourseError where walls fail.
        """
        self.limits = limits
        self._late = False
        self._point, self._moved = 0, True
        self._scratch = tempfile.TemporaryDirectory(prefix="grading-")  # used without walls only
        warm = [sys.executable, "-m", "course_lib.classroom.grading.warm"]
        if trust:
            same = {name: value for name, value in VARIABLES.items() if name not in PLACES}
            own = dict.fromkeys(("COURSE_BUILD", "IPYTHONDIR"), self._scratch.name)
            own["OMP_NUM_THREADS"] = str(threads)
            command, variables = warm, os.environ | same | own
        else:
            command, variables = [*bubblewrap(threads, private), *warm, "--walls"], {}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=variables,
            cwd=self._scratch.name,
            start_new_session=True,  # Ctrl-C is the grader's; it ends this process in its own time
        )

    def __enter__(self) -> "Sandbox":
        try:
            self._ask({})
            self.attempt([], "None", [], function=False)  # says so at once where a fork cannot be walled off
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._scratch.cleanup()

    def run(self, source: str) -> str:
        """Run a cell of the lesson; returns what it shows, as text. Raises CourseError if it fails."""
        self._moved = True
        reply = self._ask({"run": source})
        if reply["error"]:
            raise CourseError(f"A cell of the lesson itself fails in the sandbox: {reply['error']}.")
        return reply["text"]

    def keep(self) -> int:
        """Keep the lesson as it is at this point; returns the number under which `attempt` finds it."""
        if self._moved:
            self._point, self._moved = self._ask({"keep": True})["point"], False
        return self._point

    def attempt(
        self,
        cells: Sequence[str],
        answer: str,
        cases: Sequence[Case],
        function: bool,
        budget: Budget | None = None,
        point: int | None = None,
        check: str = "",
    ) -> Attempt:
        """Run a student's ``cells`` at a ``point`` of the lesson; see what ``answer``, an expression, makes of cases.

        point: of `keep`; None means here. check: the label of the check that stands in ``cells``, if its own words say
        what the answer is. What that takes is taken from the student's ``budget``; an attempt that ends with it has the
        trouble "budget".
        """
        budget = budget or Budget(self.limits)
        point = self.keep() if point is None else point
        limits = replace(self.limits, seconds=budget.seconds(self.limits.seconds))
        task = {"cells": list(cells), "answer": answer, "function": function, "check": check}
        with budget.spending():
            attempt = self._attempt(task, cases, limits, point)
        if attempt.trouble == "time" and limits.seconds < self.limits.seconds:
            return replace(attempt, trouble="budget")
        return attempt

    def _attempt(self, task: dict[str, Any], cases: Sequence[Case], limits: Limits, point: int) -> Attempt:
        task["cases"] = b64encode(pickle.dumps(list(cases))).decode()
        data = json.dumps(task | {"limits": asdict(limits)})  # ASCII: as many bytes as characters
        reply = self._ask({"bytes": len(data), "point": point}, data)
        if reply["messages"] and reply["messages"][0].startswith('{"walls"'):  # told before any code of a student runs
            why = json.loads(reply["messages"][0])["walls"]
            raise CourseError(WITHOUT.format(why=f"one answer cannot be walled off here ({why})"))
        attempt = attempt_of(reply["messages"], reply["trouble"])
        wanted = len(cases) if task["function"] else 1
        whole = len(attempt.answers) == (0 if attempt.instead else wanted)
        ran = len(attempt.errors) == len(task["cells"])
        if len(attempt.answers) > wanted or not (attempt.trouble or (whole and ran)):
            return replace(attempt, answers=(), trouble="report", words=FORGED)
        return attempt

    def _too_late(self) -> None:
        self._late = True
        self._process.kill()

    def _ask(self, request: dict[str, Any], data: str = "") -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        watchdog = threading.Timer(PATIENCE, self._too_late)
        watchdog.start()
        try:
            if request:
                self._process.stdin.write(json.dumps(request) + "\n" + data)
                self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())
        except (OSError, ValueError) as error:
            if self._late:
                raise CourseError(f"A cell of the lesson took longer than {PATIENCE} s.") from error
            self._process.kill()
            said = " ".join(self._process.communicate()[1].split())[-300:]
            raise Ended(
                f"The sandbox has ended: {said or 'it was ended from outside; memory may be short'}."
            ) from error
        finally:
            watchdog.cancel()


def attempt_of(lines: Sequence[str], trouble: str) -> Attempt:
    """The report of a fork. A student's code can write into it what it likes: what is not ours makes it "report"."""
    errors: list[str] = []
    found: list[Any] = []
    called: list[str] = []
    instead, words, done, foreign = "", "", False, False
    for number, line in enumerate(lines):
        try:
            match json.loads(line) if line else {"at": 0}:
                case {"at": int()}:
                    pass
                case {"ran": int(), "error": str(error)}:
                    errors.append(error[:MOST_WORDS])
                case {"answer": document}:
                    found.append(_decoded(document))
                case {"value": str(name)}:
                    instead = name[:80]
                case {"failed": str(error)}:
                    words, trouble = error[:MOST_WORDS], trouble or "error"
                case {"done": True, "called": list(names)}:
                    done, called = True, [str(name)[:120] for name in names[:3]]
                case _:
                    foreign = True
        except (ValueError, RecursionError):  # half a line, at the end of a fork that was stopped, or not one of ours
            foreign = foreign or done or number < len(lines) - 1
    if foreign:
        return Attempt(tuple(errors), (), "", "report", FORGED)
    return Attempt(tuple(errors), tuple(found), instead, trouble if trouble or done else "died", words, tuple(called))


def _decoded(document: Any) -> Any:
    try:
        return decode(document)
    except ValueError as error:
        return Raised(str(error))


def bubblewrap(threads: int = 1, private: Sequence[Path] = ()) -> list[str]:
    """The command line that puts a program behind walls. Raises CourseError where there are none to be had.

    private: folders of the instructor's, which are covered where they lie inside one that has to be shown.
    """
    program = shutil.which("bwrap")
    if not program:
        raise CourseError(WITHOUT.format(why="it is not installed here (on Debian and Ubuntu: apt install bubblewrap)"))
    line = [program, "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]
    line += ["--uid", "1000", "--gid", "1000"]  # a user 0 could not be mapped once more, for the walls of a fork
    line += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", *mounts(private)]
    bank = ROOT / "course_lib" / "exercises"
    line += ["--tmpfs", str(bank)]  # the right answers stay outside
    for name in ("__init__.py", "judge.py", "difference.py"):
        line += ["--ro-bind", str(bank / name), str(bank / name)]
    line += ["--tmpfs", str(SCRATCH), "--tmpfs", str(SHARED)]
    for source in sources():
        line += ["--ro-bind-try", str(cache_dir() / source), f"{SHARED}/cache/{source}"]
    own = {"OMP_NUM_THREADS": str(threads), "PYTHONPATH": os.pathsep.join(search_path())}
    for name, value in (VARIABLES | own).items():
        line += ["--setenv", name, value]
    for path in (str(bank), "/tmp", "/dev", "/"):
        line += ["--remount-ro", path]
    probe = subprocess.run([*line, "/bin/true"], capture_output=True, text=True)
    if probe.returncode:
        why = f"it does not work here ({' '.join(probe.stderr.split())[:200]})"
        raise CourseError(WITHOUT.format(why=why))
    return [*line, "--chdir", str(SCRATCH)]
