"""Inside the sandbox: a warm process that lives through a lesson once, and answers exercises in forks of itself.

``python -m course_lib.classroom.grading.warm`` reads one JSON request a line and writes one JSON reply a line:
{"run": source} runs a cell of the lesson and replies with its text; {"keep": true} leaves a process behind that stays
at this point of the lesson; {"bytes": n, "point": k} announces an attempt, JSON of n bytes: fork from the k-th process
that was kept, run a student's cells in the fork, call what they define with the cases, and reply with what came out.
"""

import gc
import json
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import pandas as pd
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

import course_lib.exercises
from course_lib.classroom.grading.shell import run, start_shell
from course_lib.classroom.grading.walls import STANDARD, Limits, hide_memory, raise_walls
from course_lib.classroom.grading.work import own_folder, take, work
from course_lib.device import set_threads
from course_lib.exercises.judge import raised

REPLY_BYTES = 20_000_000  # an answer is a small array
REPLY_LINES = 10_000  # two for a cell and one for a case
Reply = Callable[[dict[str, Any]], None]


def serve(requests: Any, reply: Reply, walls: bool) -> None:
    """Answer requests, one line each, until there are no more."""
    course_lib.exercises.check = take  # a lesson's own checks are not what counts here
    shell = start_shell()
    pd.set_option("display.max_columns", 20)  # as in a notebook; there is no terminal here whose width could say it
    points: list[socket.socket] = []
    for line in iter(requests.readline, b""):
        request = json.loads(line)
        if "run" in request:
            with capture_output() as caught:
                error = run(shell, request["run"])
            texts = [caught.stdout, *(out.data.get("text/plain", "") for out in caught.outputs)]
            reply({"text": "\n".join(texts), "error": raised(error).words[:300] if error else ""})
        elif "keep" in request:
            points.append(_kept(shell, points, requests, reply, walls))
            reply({"point": len(points) - 1})
        else:
            point = points[request["point"]]
            point.sendall(request["bytes"].to_bytes(8, "big"))
            if not point.recv(1):
                sys.exit(1)  # the grader sees the end of the replies


def _kept(
    shell: InteractiveShell, others: list[socket.socket], requests: Any, reply: Reply, walls: bool
) -> socket.socket:
    """Fork a process that stays at this point of the lesson; returns the socket that tells it of attempts."""
    ours, theirs = socket.socketpair()
    threads = torch.get_num_threads()
    set_threads(1)  # the others are not in a fork, and waiting for them would have no end
    gc.freeze()  # a collection would touch, and so copy, all that the lesson and its forks share
    if os.fork():
        set_threads(threads)
        theirs.close()
        return ours
    try:
        for one in (ours, *others):  # this process ends when the lesson's does, which then lets go of the last of them
            one.close()
        while size := theirs.recv(8, socket.MSG_WAITALL):
            _helped(shell, int.from_bytes(size, "big"), requests, reply, walls)
            theirs.sendall(b".")
    finally:
        os._exit(0)


def _helped(shell: InteractiveShell, size: int, requests: Any, reply: Reply, walls: bool) -> None:
    """Let a helper read the attempt, ``size`` bytes, and reply to it.

    What a student wrote and answered never enters this process: every fork inherits its memory, and could search it.
    """
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
        os._exit(1)


def _attempt(shell: InteractiveShell, walls: bool, limits: Limits, **task: Any) -> dict[str, Any]:
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
            else:
                own_folder()
            stage = "failed"
            work(shell, tells, prints, **task)
        except BaseException as error:  # a wall that could not be raised, or what a student's code raised in its place
            with suppress(OSError):
                os.write(tells, json.dumps({stage: raised(error).words[:300]}).encode() + b"\n")
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
    report, lines, trouble = bytearray(), 0, ""
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
    return report.decode(errors="replace").split("\n"), trouble


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
