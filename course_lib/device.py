"""Which device computes, and why; seeds; threads; memory. Every lesson starts here."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import psutil
import threadpoolctl
import torch

from course_lib.errors import CourseError
from course_lib.machine import cores

KNOWN = ("auto", "cuda", "mps", "cpu")


@dataclass(frozen=True)
class Choice:
    """The device and the sentence that says why."""

    device: torch.device
    why: str


def _failure(device: str) -> str:
    """Why a tiny computation on ``device`` fails; empty if it works."""
    try:
        ones = torch.ones(8, 8, device=device)
        return "" if float((ones @ ones).sum().cpu()) == 512.0 else "it computes wrong numbers"
    except Exception as error:  # drivers fail with whatever they like: the message is what matters here
        return str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__


def choose(prefer: str = "auto") -> Choice:
    """The best device that works: cuda, then mps, then cpu.

    An explicit choice wins: ``prefer``, or the variable COURSE_DEVICE while ``prefer`` is "auto". A device that is
    present (or asked for) and does not work is replaced by the CPU, and `Choice.why` says so in one sentence.
    Raises CourseError for a device that the course does not know.
    """
    asked, by = (
        (prefer, "the parameter DEVICE")
        if prefer != "auto"
        else (os.environ.get("COURSE_DEVICE", "auto"), "COURSE_DEVICE")
    )
    if asked not in KNOWN:
        raise CourseError(f"Unknown device {asked!r} in {by}: choose one of {', '.join(KNOWN)}.")
    if asked == "cpu":
        return Choice(torch.device("cpu"), f"{by} asks for it")
    present = {"cuda": torch.version.cuda is not None and _has_nvidia(), "mps": torch.backends.mps.is_available()}
    for name in ("cuda", "mps") if asked == "auto" else (asked,):
        if not present[name] and asked == "auto":
            continue
        failure = _failure(name)
        if not failure:
            return Choice(
                torch.device(name), "a test computation on it works" if asked == "auto" else f"{by} asks for it"
            )
        return Choice(torch.device("cpu"), f"{name} does not work here ({failure}), so the lesson runs on the CPU")
    return Choice(torch.device("cpu"), "there is no GPU that this build of torch can use")


def _has_nvidia() -> bool:
    """True where an NVIDIA card or its driver shows itself, working or not."""
    return torch.cuda.is_available() or os.path.exists("/proc/driver/nvidia") or os.path.exists("/dev/nvidia0")  # noqa: PTH110


def seed_everything(seed: int) -> None:
    """Seed Python, numpy and torch (all devices) and ask torch for deterministic kernels where it has them."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 (libraries that still use the global generator)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # NaN into all memory


def set_threads(n: int | None = None) -> int:
    """Fix the number of threads of torch and of numpy's BLAS; returns it.

    ``n``, else OMP_NUM_THREADS, else two: what a small laptop or a Binder launch has, and the same everywhere, so
    that sums are added up in the same order.
    """
    wish = os.environ.get("OMP_NUM_THREADS", "")
    if wish and not (wish.isdecimal() and int(wish)):
        raise CourseError(f"OMP_NUM_THREADS is {wish!r}: set it to a whole number of threads, or unset it.")
    threads = n or int(wish or min(2, cores()))
    torch.set_num_threads(threads)
    threadpoolctl.threadpool_limits(threads)
    return threads


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for torch inside a ``with``: for steps of milliseconds, which are too small to share.

    Two threads gain little there, lose much where a core is busy, and add sums up in another order.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def tree_memory_mb(pid: int | None = None) -> float:
    """Resident memory, in MB, of process ``pid`` (default: this one) and everything it started."""
    total, root = 0, psutil.Process(pid)
    for process in [root, *root.children(recursive=True)]:
        try:
            total += process.memory_info().rss
        except psutil.Error:  # it ended while we were looking
            continue
    return total / 1e6
