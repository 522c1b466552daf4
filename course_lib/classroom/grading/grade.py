"""Grade a class: who handed in what, what of it is graded already, the rest side by side, then the pages.

What grading leaves in its folder: grades.csv, report.html, feedback/STUDENT/LESSON.html, and papers/ for the next time.
"""

import hashlib
import secrets
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import TYPE_CHECKING

from nbformat import NotebookNode

from course_lib.classroom import report
from course_lib.classroom.grading import replay
from course_lib.classroom.grading.class_report import write_report
from course_lib.classroom.grading.copies import likely_copies
from course_lib.classroom.grading.feedback import write_feedback
from course_lib.classroom.grading.hand import apply_hand, grades_csv, read_hand
from course_lib.classroom.grading.reading import read
from course_lib.classroom.grading.replay import Job, Script, unreadable
from course_lib.classroom.grading.results import Paper, load, save
from course_lib.classroom.grading.sandbox import bubblewrap
from course_lib.classroom.grading.submissions import Submission, collect
from course_lib.classroom.grading.walls import STANDARD, Limits
from course_lib.classroom.notebooks import read_notebook
from course_lib.classroom.process import end_children
from course_lib.classroom.release import label_of, student_edition, tagged, text_of
from course_lib.errors import CourseError
from course_lib.paths import write_atomic

if TYPE_CHECKING:
    from distributed import Client

MOST = 100  # students for whom a lesson runs once


@dataclass(frozen=True)
class Settings:
    """How a class is graded, and where things lie."""

    out: Path  # everything that grading makes; can be made again
    hand: Path  # the instructor's table of marks and comments; cannot
    secret: Path  # what the hidden inputs are drawn from; made at the first grading, and then kept
    workers: int = 1
    scheduler: str = ""  # of a Dask cluster
    limits: Limits = STANDARD
    trust: bool = False


@dataclass(frozen=True)
class Lesson:
    """A lesson of ours, read once: its text, its student edition, the labels of its exercises, and its tolerance."""

    name: str
    title: str
    text: str
    edition: NotebookNode
    labels: tuple[str, ...]

    @classmethod
    def of(cls, path: Path) -> "Lesson":
        """The lesson in the notebook ``path``."""
        notebook = read_notebook(path)
        text = text_of(notebook)
        labels = tuple(label_of(cell) for cell in notebook.cells if tagged(cell, "check"))
        return cls(path.stem, report.opening(notebook)[0], text, student_edition(notebook), labels)


def grade_class(place: Path, lessons: Sequence[Path], settings: Settings, say: Callable[[str], None]) -> list[Paper]:
    """Grade what lies in ``place``, a folder or a zip, and write the pages; returns the papers with hand marks merged.

    What has been graded before, and has not changed since, is not run again. Raises CourseError where nothing can be
    graded, and, after all pages are written, where a lesson could not be.
    """
    if not (settings.trust or settings.scheduler):
        bubblewrap()  # says so at once where there is none
    known = {path.stem: Lesson.of(path) for path in lessons}
    secret = class_secret(settings.secret)
    with tempfile.TemporaryDirectory(prefix="submissions-") as scratch:
        submissions, problems = collect(place, list(known), Path(scratch))
        papers, jobs = sort_out(submissions, known, secret, settings)
    n = sum(len(job.scripts) for job in jobs)
    students = sorted({one.student for one in submissions})
    say(f"Notebooks: {len(submissions)}, students: {len(students)}, to be graded: {n}.")
    failed = []
    for name, result in run_jobs(jobs, settings):
        if isinstance(result, CourseError):
            failed.append(f"{name}: {result}")
            say(failed[-1])
            continue
        for paper in result:
            save(paper, settings.out / "papers")
        papers += result
        say(f"{name}: {len(result)} graded")
    papers = write_pages(papers, known, settings, students, [*problems, *failed])
    if failed:
        raise CourseError(f"Not everything could be graded; the rest is in {settings.out}. {' '.join(failed)}")
    return papers


def class_secret(path: Path) -> str:
    """The secret of the class in the file ``path``, which is made if it is not there: who has it knows all inputs."""
    if not path.exists():
        write_atomic(path, secrets.token_hex(16) + "\n")
        path.chmod(0o600)
    secret = path.read_text(encoding="utf-8").strip()
    if len(secret) < 8:
        raise CourseError(
            f"{path} holds no secret: delete it, and the next grading makes one, with other hidden inputs."
        )
    return secret


def sort_out(
    submissions: Sequence[Submission], lessons: dict[str, Lesson], secret: str, settings: Settings
) -> tuple[list[Paper], list[Job]]:
    """Papers graded already, or that cannot be; jobs for the rest, each of one lesson and at most `MOST` students."""
    done: list[Paper] = []
    pending: dict[str, list[Script]] = {}
    for one in submissions:
        lesson, content = lessons[one.lesson], one.path.read_bytes()
        digest = _digest(content, lesson.text, secret, settings)
        paper = _known(settings.out / "papers" / one.student / f"{one.lesson}.json", digest)
        if paper and paper.done:
            done.append(paper)
            continue
        reading = read(content, lesson.edition)
        answers = {cell.name: cell.source for cell in reading.cells if cell.kind == "exercise"}
        paper = paper or Paper(
            one.student,
            one.lesson,
            (),
            reading.findings,
            about=reading.about,
            answers=answers,
            digest=digest,
            done=False,
        )
        if reading.problem:
            done.append(unreadable(paper, lesson.labels, reading.problem))
        else:
            pending.setdefault(one.lesson, []).append(Script(reading, paper))
    folder = None if settings.scheduler else settings.out / "papers"
    batches = [
        (lesson, tuple(scripts[i : i + MOST]))
        for lesson, scripts in pending.items()
        for i in range(0, len(scripts), MOST)
    ]
    threads = max(1, settings.workers // max(1, len(batches)))
    jobs = [
        Job(name, lessons[name].text, scripts, secret, settings.limits, settings.trust, threads, folder)
        for name, scripts in batches
    ]
    return done, jobs


def _known(path: Path, digest: str) -> Paper | None:
    """The paper of an earlier run, if the grade depends on nothing that has changed since."""
    paper = load(path) if path.exists() else None
    return paper if paper and paper.digest == digest else None


def _digest(content: bytes, lesson: str, secret: str, settings: Settings) -> str:
    digest = hashlib.sha256(content)
    digest.update(repr((lesson, secret, settings.limits, settings.trust)).encode())
    for files in ("exercises/*.py", "classroom/grading/*.py", "classroom/notebooks.py"):  # what is right, and how found
        for path in sorted(Path(__file__).parents[2].glob(files)):
            if path.stem not in ("hand", "copies", "feedback", "class_report"):  # made anew each time
                digest.update(path.read_bytes())
    return digest.hexdigest()


def run_jobs(jobs: Sequence[Job], settings: Settings) -> Iterator[tuple[str, list[Paper] | CourseError]]:
    """The lesson and the papers of each of ``jobs`` as they are done, or the reason why there are none."""
    if not jobs:
        return
    with executor(settings) as pool:
        waiting = {pool.submit(replay.grade, job): job for job in jobs}
        for future in as_completed(waiting):
            try:
                yield waiting[future].lesson, future.result()
            except CourseError as error:
                yield waiting[future].lesson, error
            except BrokenProcessPool:
                yield waiting[future].lesson, CourseError("its process was ended from outside; memory may be short.")
            except Exception as error:  # of the grader itself; the other lessons are graded all the same
                yield waiting[future].lesson, CourseError(f"grading fails with {type(error).__name__}: {error}.")


@contextmanager
def executor(settings: Settings) -> Iterator[Executor]:
    """Processes of this machine, or a Dask cluster. Raises CourseError where that does not answer."""
    if settings.scheduler:
        with dask_client(settings.scheduler) as client:
            yield client.get_executor(pure=False)
        return
    ignore = (signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the business of the process that starts the workers
    with ProcessPoolExecutor(settings.workers, get_context("spawn"), signal.signal, ignore) as pool:
        try:
            yield pool
        except BaseException:
            for worker in active_children():  # what is graded by then is kept
                end_children(worker.pid)
                worker.kill()
            raise


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


def write_pages(
    papers: Sequence[Paper],
    lessons: dict[str, Lesson],
    settings: Settings,
    students: Sequence[str],
    problems: Sequence[str],
) -> list[Paper]:
    """Merge the hand marks and write grades.csv, the feedback pages and report.html; returns the merged papers."""
    merged, unmatched = apply_hand(sorted(papers, key=lambda p: (p.student, p.lesson)), read_hand(settings.hand))
    stubs = {
        label: cell.source
        for lesson in lessons.values()
        for label, cell in zip(lesson.labels, (c for c in lesson.edition.cells if tagged(c, "exercise")), strict=True)
    }
    copies = likely_copies(merged, stubs)
    titles = {lesson.name: lesson.title for lesson in lessons.values()}
    for paper in merged:
        write_feedback(paper, settings.out / "feedback", titles)
    write_report(merged, copies, [*problems, *unmatched], settings.out, titles)
    write_atomic(settings.out / "grades.csv", grades_csv(merged, list(lessons), students, copies))
    return merged
