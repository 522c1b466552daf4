"""How a run is shown while it goes on: as bars on a terminal, as plain lines in a log."""

import os
import sys

import click
from tqdm import tqdm

from course_lib.classroom.run import LessonRun, Watcher


def watcher() -> Watcher:
    """Bars where a person watches, plain lines otherwise."""
    return Terminal() if sys.stderr.isatty() and not os.environ.get("CI") else Lines()


def _result(run: LessonRun, error: str) -> str:
    status = {"ok": "ok", "failed": "FAILED", "interrupted": "interrupted"}[run.status]
    return f"{run.lesson}: {status}, {run.seconds:.0f} s, {run.peak_rss_mb:,.0f} MB" + (f", {error}" if error else "")


class Lines:
    """Progress of a run as plain lines: one when a lesson starts, one when it ends."""

    def lesson(self, name: str, number: int, of: int, cells: int) -> None:
        """The lesson starts."""
        click.echo(f"[{number}/{of}] {name}, {cells} cells ...")

    def cell(self, index: int) -> None:
        """Nothing: a log is no place for it."""

    def done(self, run: LessonRun, error: str) -> None:
        """The lesson has ended."""
        click.echo(_result(run, error))


class Terminal:
    """Progress of a run as two bars: lessons, and the cells of the present one."""

    def lesson(self, name: str, number: int, of: int, cells: int) -> None:
        """The lesson starts."""
        if number == 1:
            self.lessons = tqdm(total=of, desc="lessons", unit="lesson", position=0)
        self.cells = tqdm(total=cells, desc=name, unit="cell", position=1, leave=False)

    def cell(self, index: int) -> None:
        """The cell starts."""
        self.cells.update(index + 1 - self.cells.n)

    def done(self, run: LessonRun, error: str) -> None:
        """The lesson has ended."""
        self.cells.close()
        self.lessons.write(_result(run, error))
        self.lessons.update()
        if run.status == "interrupted" or self.lessons.n == self.lessons.total:
            self.lessons.close()
