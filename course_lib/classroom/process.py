"""The processes of a lesson: a kernel of this very Python, the memory it takes, its end."""

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


def own_kernel(out: Path) -> type[AsyncKernelManager]:
    """A kernel of this very Python, whatever a user's kernel "python3" may be, with the variables of a course run."""
    variables = {
        "COURSE_BUILD": str(out),
        "CI": "true",  # no progress bars: nobody watches them, and they do not survive in a stored notebook
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    command = [sys.executable, "-m", "ipykernel_launcher", "--log-level=ERROR", "-f", "{connection_file}"]
    spec = KernelSpec(argv=command, display_name="Python 3 (ipykernel)", language="python", env=variables)

    class OwnKernel(AsyncKernelManager):
        @property
        def kernel_spec(self) -> KernelSpec:
            return spec

        async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
            await super().start_kernel(
                stderr=subprocess.DEVNULL, **options
            )  # its log; what a cell prints comes by message

    return OwnKernel


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
