"""The processes of a lesson: a kernel of this very Python, the memory it takes, its end."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

from course_lib.classroom.notebooks import clean

SAID = "stderr.txt"


def own_kernel(out: Path, place: Path) -> type[AsyncKernelManager]:
    """A kernel of this very Python, whatever a user's kernel "python3" may be, with the variables of a course run.

    place: an empty folder, which takes the IPython profile (a user's own would change what cells show), the
    connection file and what the kernel says on its error stream, so that nothing depends on the user's home.
    """
    variables = {
        "COURSE_BUILD": str(out),
        "CI": "true",  # no progress bars: nobody watches them, and they do not survive in a stored notebook
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "IPYTHONDIR": str(place),
        "PYTHONSTARTUP": "",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    command = [sys.executable, "-m", "ipykernel_launcher", "--log-level=ERROR", "-f", "{connection_file}"]
    spec = KernelSpec(argv=command, display_name="Python 3 (ipykernel)", language="python", env=variables)

    class OwnKernel(AsyncKernelManager):
        process: subprocess.Popen[bytes] | None = None  # the last one started

        def __init__(self, **options: Any) -> None:
            super().__init__(**options | {"connection_file": str(place / "kernel.json")})

        @property
        def kernel_spec(self) -> KernelSpec:
            return spec

        async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
            with (place / SAID).open("wb") as said:  # what a cell prints comes by message
                await super().start_kernel(stderr=said, **options)
            OwnKernel.process = getattr(self.provisioner, "process", None)

    return OwnKernel


def how_it_died(kernel: type[AsyncKernelManager], place: Path) -> str:
    """What ended the ``kernel`` of ``place``, from its exit code, and its last words where it had any."""
    process, words = kernel.process, last_words(place)  # type: ignore[attr-defined]
    code = process.poll() if process else None
    if code is None or code in (-signal.SIGKILL, 0):
        how = "the kernel died, most often because the memory was full: try --profile quick"
    elif code < 0:
        how = f"the kernel died of {signal.Signals(-code).name}, a fault in the machine code of some library"
    else:
        how = f"the kernel ended with exit code {code}"
    return f"{how} ({words})" if words else how


def last_words(place: Path) -> str:
    """Why the kernel of ``place`` ended, from its error stream: the line of an error; empty if it said nothing."""
    try:
        text = (place / SAID).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    lines = [line for line in text.split("\n") if line.strip() and not line[0].isspace()]
    fatal = [line for line in lines if line.startswith("Fatal Python error")]  # what follows says where
    return clean(fatal[0] if fatal else lines[-1] if lines else "", 300)


class Peak:
    """The most resident memory seen so far."""

    megabytes = 0.0


@contextmanager
def peak_memory(every: float = 0.1) -> Iterator[Peak]:
    """Watch the resident memory of everything that this process has started."""
    peak, over, here = Peak(), threading.Event(), psutil.Process()

    def watch() -> None:
        while not over.wait(every):
            peak.megabytes = max(peak.megabytes, sum(map(_resident, here.children(recursive=True))) / 1e6)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def _resident(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.Error:  # it has just ended
        return 0


def end_children(pid: int | None = None) -> None:
    """End what process ``pid`` (default: this one) has started: a kernel interrupted while it started, its workers."""
    with suppress(psutil.Error):  # it has just ended
        for process in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.Error):
                process.kill()
