"""In a fork of the lesson: run a student's cells, find the answer, call it with the cases, and tell each step."""

import json
import os
import pickle
import sys
import tempfile
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from course_lib.classroom.grading.plain import encode
from course_lib.classroom.grading.shell import run
from course_lib.exercises.judge import Unsolved, answers, raised
from course_lib.paths import ROOT
from course_lib.stale import names_of

MOST_CALLS = 20_000  # are looked at; after them an answer runs at its own speed
LIBRARY = str(ROOT / "course_lib") + os.sep
NOT_SOLUTIONS = tuple(LIBRARY + part for part in ("classroom", "exercises", "inputs.py", "errors.py", "kind_errors.py"))
handed_to_checks: dict[str, Any] = {}  # {label: answer}, by the checks that a student's cells call themselves


def take(label: Any, answer: Any) -> None:
    """In the place of `course_lib.exercises.check`: nothing is judged in here."""
    handed_to_checks[str(label)] = answer


def work(
    shell: InteractiveShell,
    tells: int,
    prints: int,
    cells: Sequence[str],
    answer: str,
    cases: str,
    function: bool,
    check: str = "",
) -> None:
    """Run ``cells`` and answer ``cases``, pickled; what is told goes to ``tells``, what is printed to ``prints``.

    answer: the expression whose value is the answer; or, if ``check`` is a label, what the cells handed to its check.
    """
    _redirect(tells, prints)

    def tell(**message: Any) -> None:
        data = json.dumps(message).encode() + b"\n"
        while data:
            data = data[os.write(tells, data) :]

    called: set[str] = set()
    stale = False
    for number, source in enumerate(cells):
        tell(at=number)
        before = shell.user_ns.get(answer)
        with _calls_of_the_library(called) if not function and number == len(cells) - 1 else _nothing():
            error = run(shell, source)
        if answer in names_of(source):
            stale = error is not None and shell.user_ns.get(answer) is before
        tell(ran=number, error=raised(error).words[:300] if error else "")
    inputs = pickle.loads(b64decode(cases))  # made by the grader
    with shell.builtin_trap, _calls_of_the_library(called):
        _answer(tell, None if stale else _found(shell, answer, check), inputs, function)
    tell(done=True, called=sorted(called)[:3])


def _answer(tell: Callable[..., None], found: Any, cases: Sequence[Any], function: bool) -> None:
    if not function:
        tell(answer=encode(found))
    elif callable(found):
        for case in cases:
            tell(answer=encode(answers(found, [case])[0]))
    elif any(found is nothing for nothing in Unsolved):
        for _ in cases:
            tell(answer=None)
    else:
        tell(value=type(found).__name__[:80])


def _found(shell: InteractiveShell, answer: str, check: str) -> Any:
    if check in handed_to_checks:
        return handed_to_checks[check]
    try:
        return eval(answer, shell.user_ns)
    except NameError:
        return None


def _redirect(tells: int, prints: int) -> None:
    """Leave open nothing but the two pipes, and print to one of them."""
    for target in (1, 2):
        os.dup2(prints, target)
    os.closerange(3, tells)
    os.closerange(tells + 1, 1 << 16)
    sys.stdout, sys.stderr = (os.fdopen(fd, "w", buffering=1, encoding="utf-8", errors="replace") for fd in (1, 2))


def own_folder() -> None:
    """Go to a new folder: where there are no walls, a module that one student writes must not be another's."""
    sys.path.insert(0, tempfile.mkdtemp(dir=Path.cwd()))
    os.chdir(sys.path[0])


@contextmanager
def _nothing() -> Iterator[None]:
    yield


@contextmanager
def _calls_of_the_library(called: set[str]) -> Iterator[None]:
    """Collect which functions of the course's library run in the block: "bandits.policies.UCB1.scores"."""
    left = MOST_CALLS

    def look(frame: FrameType, event: str, _: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            sys.setprofile(None)
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(LIBRARY) and not code.co_filename.startswith(NOT_SOLUTIONS):
            module = code.co_filename[len(LIBRARY) : -len(".py")].replace(os.sep, ".")
            called.add(f"{module}.{code.co_qualname}"[:120])

    sys.setprofile(look)
    try:
        yield
    finally:
        sys.setprofile(None)
