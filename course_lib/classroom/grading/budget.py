"""The time that one student's work in one lesson may take: of all attempts, and of the grader's own work on them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from course_lib.classroom.grading.walls import Limits

LEAST = 0.5  # seconds that an attempt has in any case: slow cells must not cost a student the quick answers too


class Budget:
    """Seconds ``left`` of ``limits.budget_s``; below 0 where more was spent than that."""

    def __init__(self, limits: Limits) -> None:
        self.left = limits.budget_s

    @contextmanager
    def spending(self) -> Iterator[None]:
        """The time in the block is the student's, on the clock on the wall: the class waits for a sleeper too."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.left -= time.monotonic() - started

    def seconds(self, limit: float) -> float:
        """Of an attempt that may take ``limit`` seconds: what it may take by now, at least `LEAST` of them."""
        return min(limit, max(self.left, LEAST))
