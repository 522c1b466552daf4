"""The command ``course`` as a terminal starts it, and whether it leaves something running."""

import signal
import subprocess
import sys
import time

import psutil


def course(*arguments: str, **options: object) -> subprocess.Popen[str]:
    """The real command in a process of its own, as a terminal starts it: there Ctrl-C is not ignored.

    A shell that starts the tests in the background has it ignored, and children inherit that.
    """
    command = [sys.executable, "-m", "course_lib", *arguments]
    return subprocess.Popen(  # type: ignore[call-overload]
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **options,
    )


def still_running(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that are not gone ten seconds later: a pool's helper process ends only once it sees its parent gone."""

    def runs(process: psutil.Process) -> bool:
        try:
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    until = time.monotonic() + 10
    while (alive := [process for process in processes if runs(process)]) and time.monotonic() < until:
        time.sleep(0.05)
    return alive
