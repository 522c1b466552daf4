"""Inside the sandbox: a warm process that lives through a lesson once, and answers exercises in forks of itself.

``python -m course_lib.classroom.grading.warm`` reads one JSON request a line and writes one JSON reply a line:
{"run": source} runs a cell of the lesson and replies with its text; {"bytes": n} announces an attempt, JSON of n bytes:
fork at this point of the lesson, run a student's cells in the fork, call what they define with the cases, and reply
with what came out until then.
"""

import json
import os
import pickle
import selectors
import signal
import sys
import time
from base64 import b64decode
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import pandas as pd
import torch
from IPython.core.displayhook import DisplayHook
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

import course_lib.exercises
from course_lib.classroom.grading.plain import encode
from course_lib.classroom.grading.walls import STANDARD, Limits, hide_memory, raise_walls
from course_lib.device import set_threads
from course_lib.exercises.judge import Unsolved, answers, raised

REPLY_BYTES = 20_000_000  # an answer is a small array
REPLY_LINES = 10_000  # two for a cell and one for a case


class Plain(DisplayHook):
    """Shows results as a notebook stores them: no "Out[3]: " in front, and nothing where a cell ends in a semicolon."""

    source = ""  # of the cell that runs; it is not in the history, where IPython would look

    def write_output_prompt(self) -> None:
        """Nothing."""

    def quiet(self) -> bool:
        """Whether the cell ends in a semicolon."""
        return self.semicolon_at_end_of_expression(self.source)


def serve(requests: Any, reply: Callable[[dict[str, Any]], None], walls: bool) -> None:
    """Answer requests, one line each, until there are no more."""
    course_lib.exercises.check = lambda label, answer: None  # a lesson's own checks are not what counts here
    no_file = Config({"HistoryManager": {"enabled": False}})
    shell = InteractiveShell.instance(displayhook_class=Plain, config=no_file)
    shell.colors = "nocolor"
    pd.set_option("display.max_columns", 20)  # as in a notebook; there is no terminal here whose width could say it
    for line in iter(requests.readline, b""):
        request = json.loads(line)
        if "run" in request:
            Plain.source = request["run"]
            with capture_output() as caught:
                result = shell.run_cell(request["run"], store_history=False)
            texts = [caught.stdout, *(out.data.get("text/plain", "") for out in caught.outputs)]
            reply({"text": "\n".join(texts), "error": _words(result.error_before_exec or result.error_in_exec)})
        else:
            _helped(shell, request["bytes"], requests, reply, walls)


def _helped(
    shell: InteractiveShell, size: int, requests: Any, reply: Callable[[dict[str, Any]], None], walls: bool
) -> None:
    """Let a helper read the attempt, ``size`` bytes, and reply to it.

    What a student wrote and answered never enters this process: every fork inherits its memory, and could search it.
    """
    threads = torch.get_num_threads()
    if threads > 1:
        set_threads(1)  # the others are not in a fork, and waiting for them would have no end
    helper = os.fork()
    if not helper:
        try:
            data = b""
            while len(data) < size and (more := requests.read(size - len(data))):
                data += more
            request = json.loads(data)
            del data
            reply(_attempt(shell, walls, Limits(**request.pop("limits")), **request))
            os._exit(0)
        finally:
            os._exit(1)
    if os.waitpid(helper, 0)[1]:
        sys.exit(1)  # the grader sees the end of the replies
    if threads > 1:
        set_threads(threads)


def _attempt(shell: InteractiveShell, walls: bool, limits: Limits, **work: Any) -> dict[str, Any]:
    """Fork, let the fork work, and reply with its messages; a fork that takes more than ``limits`` is stopped."""
    said, tells = os.pipe()
    printed, prints = os.pipe()
    child = os.fork()
    if not child:
        stage = "walls"
        try:
            os.setsid()
            if walls:
                raise_walls(limits)
            stage = "failed"
            _work(shell, tells, prints, **work)
        except BaseException as error:  # a wall that could not be raised, or what a student's code raised in its place
            with suppress(OSError):
                os.write(tells, json.dumps({stage: _words(error)}).encode() + b"\n")
        finally:
            os._exit(0)
    os.close(tells)
    os.close(prints)
    messages, trouble = _listen(said, printed, limits)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL) if not walls else os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(said)
    os.close(printed)
    return {"messages": messages, "trouble": trouble}


def _listen(said: int, printed: int, limits: Limits) -> tuple[list[str], str]:
    """The lines of a fork's report, and what it has to be stopped for: "time", "output" or nothing."""
    ends = time.monotonic() + limits.seconds
    most = {said: REPLY_BYTES, printed: int(limits.output_mb * 1e6)}
    report, lines, trouble = b"", 0, ""
    with selectors.DefaultSelector() as both:
        for pipe in most:
            both.register(pipe, selectors.EVENT_READ)
        while said in both.get_map() and not trouble:
            left = ends - time.monotonic()
            ready = both.select(left) if left > 0 else []
            if not ready and time.monotonic() >= ends:
                trouble = "time"
            for key, _ in ready:
                data = os.read(key.fd, 1 << 16)
                if not data:
                    both.unregister(key.fd)
                most[key.fd] -= len(data)
                if key.fd == said:
                    report += data
                    lines += data.count(b"\n")
                if most[key.fd] < 0 or lines > REPLY_LINES:
                    trouble = "output"
    return report.decode(errors="replace").splitlines(), trouble


def _work(
    shell: InteractiveShell, tells: int, prints: int, cells: Sequence[str], answer: str, cases: str, function: bool
) -> None:
    """In the fork: run ``cells``, find the answer, call it with the cases; every step is told as it is done."""
    for target in (1, 2):
        os.dup2(prints, target)
    os.closerange(3, tells)
    os.closerange(tells + 1, 1 << 16)
    sys.stdout, sys.stderr = (os.fdopen(fd, "w", buffering=1, encoding="utf-8", errors="replace") for fd in (1, 2))

    def tell(**message: Any) -> None:
        data = json.dumps(message).encode() + b"\n"
        while data:
            data = data[os.write(tells, data) :]

    for number, source in enumerate(cells):
        tell(at=number)
        result = shell.run_cell(source, store_history=False)
        tell(ran=number, error=_words(result.error_before_exec or result.error_in_exec))
    inputs = pickle.loads(b64decode(cases))  # made by the grader
    try:
        found = eval(answer, shell.user_ns)
    except NameError:
        found = None
    if not function:
        tell(answer=encode(found))
    elif callable(found):
        for case in inputs:
            tell(answer=encode(answers(found, [case])[0]))
    elif any(found is nothing for nothing in Unsolved):
        for _ in inputs:
            tell(answer=None)
    else:
        tell(value=type(found).__name__)
    tell(done=True)


def _words(error: BaseException | None) -> str:
    return raised(error).words[:300] if error else ""


def main() -> None:
    """Take the two pipes away from everything that a cell could print, and serve."""
    requests, replies = os.fdopen(os.dup(0), "rb", buffering=0), os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDWR)
    for target in (0, 1, 2):
        os.dup2(nothing, target)
    hide_memory()

    def reply(message: dict[str, Any]) -> None:
        replies.write(json.dumps(message) + "\n")
        replies.flush()

    reply({"limits": asdict(STANDARD)})
    serve(requests, reply, walls="--walls" in sys.argv)


if __name__ == "__main__":
    main()
