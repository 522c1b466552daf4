"""Jobs side by side: in processes of this machine, of which one that dies costs its own job alone, or on a cluster."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, as_completed, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context
from typing import TYPE_CHECKING

from course_lib.classroom.grading import replay
from course_lib.classroom.grading.replay import Job
from course_lib.classroom.grading.results import Paper
from course_lib.classroom.grading.sandbox import Ended
from course_lib.classroom.process import end_children
from course_lib.errors import CourseError

if TYPE_CHECKING:
    from distributed import Client

Result = list[Paper] | CourseError
ENDED = "its process was ended from outside, twice; memory may be short."


def run_here(jobs: Sequence[Job], workers: int) -> Iterator[tuple[str, Result]]:
    """The lesson and the papers of each of ``jobs`` as they are done, or the reason why there are none.

    A job whose worker or sandbox is ended from outside is tried once more; the others do not notice.
    """
    waiting = deque((job, 2) for job in jobs)
    running: dict[Future[list[Paper]], tuple[ProcessPoolExecutor, Job, int]] = {}
    free: list[ProcessPoolExecutor] = []
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                job, tries = waiting.popleft()
                one = free.pop() if free else _worker()
                running[one.submit(replay.grade, job)] = one, job, tries
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                one, job, tries = running.pop(future)
                error = future.exception()
                if isinstance(error, BrokenProcessPool):
                    one.shutdown(wait=False)
                else:
                    free.append(one)
                if isinstance(error, BrokenProcessPool | Ended) and tries > 1:
                    waiting.append((job, tries - 1))
                else:
                    yield job.lesson, _result(future)
        for one in free:
            one.shutdown()
    except BaseException:
        for process in active_children():  # what is graded by then is kept
            end_children(process.pid)
            process.kill()
        raise


def run_on_cluster(jobs: Sequence[Job], scheduler: str) -> Iterator[tuple[str, Result]]:
    """The same on the Dask cluster with this scheduler. Raises CourseError where that does not answer."""
    with dask_client(scheduler) as client:
        pool = client.get_executor(pure=False)
        waiting = {pool.submit(replay.grade, job): job for job in jobs}
        for future in as_completed(waiting):
            yield waiting[future].lesson, _result(future)


def _result(future: Future[list[Paper]]) -> Result:
    try:
        return future.result()
    except CourseError as error:
        return error
    except BrokenProcessPool:
        return CourseError(ENDED)
    except Exception as error:  # of the grader itself; the other lessons are graded all the same
        return CourseError(f"grading fails with {type(error).__name__}: {error}.")


def _worker() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, get_context("spawn"), _begin)


def _begin() -> None:
    """In a worker: Ctrl-C is the business of the process that started it, and it ends with that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        end_children()
        os._exit(1)


def dask_client(address: str) -> "Client":
    """The client of the Dask cluster whose scheduler is at ``address``."""
    try:
        from distributed import Client
    except ImportError as error:
        raise CourseError("Grading on a Dask cluster needs its client: pip install distributed.") from error
    try:
        return Client(address, timeout=10)
    except (OSError, ValueError) as error:
        raise CourseError(f"No Dask scheduler answers at {address}: is the address right?") from error
