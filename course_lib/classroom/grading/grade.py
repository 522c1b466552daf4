"""Grade a class: who handed in what, what of it is graded already, the rest side by side, then the pages.

What grading leaves in the folder of a class: grades.csv, report.html, feedback/STUDENT/LESSON.html, and papers/ for the
next time. Who is not in this grading has no page there.
"""

import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from nbformat import NotebookNode

from course_lib.classroom import report
from course_lib.classroom.grading.class_folder import claim, remove_others, renamed
from course_lib.classroom.grading.class_report import write_report
from course_lib.classroom.grading.copies import likely_copies
from course_lib.classroom.grading.feedback import write_feedback, write_reasons
from course_lib.classroom.grading.hand import GIVEN, apply_hand, grades_csv, read_given, read_hand
from course_lib.classroom.grading.reading import read
from course_lib.classroom.grading.replay import Job, Script, unreadable
from course_lib.classroom.grading.results import Paper, load, save
from course_lib.classroom.grading.sandbox import bubblewrap
from course_lib.classroom.grading.shown import check_packages
from course_lib.classroom.grading.submissions import Collected, Submission, collect
from course_lib.classroom.grading.walls import STANDARD, Limits
from course_lib.classroom.grading.workers import run_here, run_on_cluster
from course_lib.classroom.notebooks import read_notebook
from course_lib.classroom.release import label_of, student_edition, tagged, text_of
from course_lib.errors import CourseError
from course_lib.exercises import exercise
from course_lib.paths import write_atomic

AS_ROOT = (
    "You are root: what gets through a wall would be root too, and the system does not limit the threads of root. "
    "Grade as an ordinary user; where there is nothing else, as in a container, --as-root grades all the same."
)
MOST = 100  # students for whom a lesson runs once
MADE_ANEW = {"people", "layouts", "intake", "submissions", "hand", "copies", "feedback", "class_report", "class_folder"}


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
    zip_names: str = ""  # the encoding of names in zips that are not UTF-8
    as_root: bool = False

    def private(self, place: Path) -> tuple[Path, ...]:
        """Folders that no student's code may see when the class in ``place`` is graded."""
        return (place.parent, self.out, self.hand.parent, self.secret.parent)


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

    @property
    def worth(self) -> dict[str, int]:
        """The points of each of its exercises."""
        return {label: exercise(label).points for label in self.labels}


def grade_class(place: Path, lessons: Sequence[Path], settings: Settings, say: Callable[[str], None]) -> list[Paper]:
    """Grade what lies in ``place``, a folder or a zip, and write the pages; returns the papers with hand marks merged.

    What has been graded before, and has not changed since, is not run again. Raises CourseError where nothing can be
    graded, and, after all pages are written, where a lesson could not be.
    """
    check_walls(place, settings)
    known = {path.stem: Lesson.of(path) for path in lessons}
    with tempfile.TemporaryDirectory(prefix="submissions-") as scratch:
        handed_in = collect(place, list(known), Path(scratch), settings.zip_names)
        read_hand(settings.hand)  # says so now where it is no table
        secret = class_secret(settings.secret)  # nothing is written before all this is found
        claim(settings.out, place)
        papers, jobs = sort_out(handed_in.submissions, known, secret, settings)
    n = sum(len(job.scripts) for job in jobs)
    say(f"Notebooks: {len(handed_in.submissions)}, students: {len(handed_in.people)}, to be graded: {n}.")
    failed = []
    for name, result in run_jobs(jobs, settings, place):
        if isinstance(result, CourseError):
            failed.append(f"{name}: {result}")
            say(failed[-1])
            continue
        for paper in result:
            save(paper, settings.out / "papers")
        papers += result
        say(f"{name}: {len(result)} graded")
    handed_in.problems += failed
    papers = write_pages(papers, known, settings, handed_in)
    if failed:
        raise CourseError(f"Not everything could be graded; the rest is in {settings.out}. {' '.join(failed)}")
    return papers


def check_walls(place: Path, settings: Settings) -> None:
    """Raises CourseError, before anything of the class is read, where its code would not be kept apart here."""
    if os.name == "posix" and os.geteuid() == 0 and not settings.as_root:
        raise CourseError(AS_ROOT)
    if not (settings.trust or settings.scheduler):
        check_packages(bubblewrap(private=settings.private(place)))


def class_secret(path: Path) -> str:
    """The secret of the class in the file ``path``, which is made if it is not there: who has it knows all inputs."""
    try:
        if not path.exists():
            write_atomic(path, secrets.token_hex(16) + "\n", "name another file with --secret")
            path.chmod(0o600)
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        secret = ""
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
        begun = _begin(one, lessons[one.lesson], secret, settings)
        if isinstance(begun, Paper):
            done.append(begun)
        else:
            pending.setdefault(one.lesson, []).append(begun)
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


def _begin(one: Submission, lesson: Lesson, secret: str, settings: Settings) -> Paper | Script:
    """What is left to grade of a notebook; its paper where there is nothing."""
    who = one.person
    if one.path is None:
        return unreadable(Paper(who.name, one.lesson, (), id=who.id), lesson.labels, one.problem)
    content = one.path.read_bytes()
    digest = _digest(content, lesson.text, secret, settings)
    paper = _known(settings.out / "papers" / who.folder / f"{one.lesson}.json", digest, lesson.worth)
    if paper and paper.done:
        return replace(paper, student=who.name, id=who.id)
    reading = read(content, lesson.edition)
    answers = {cell.name: cell.source for cell in reading.cells if cell.kind == "exercise"}
    paper = paper or Paper(who.name, one.lesson, (), reading.findings, about=reading.about, answers=answers)
    paper = replace(paper, student=who.name, id=who.id, digest=digest, done=False)
    return unreadable(paper, lesson.labels, reading.problem) if reading.problem else Script(reading, paper)


def _known(path: Path, digest: str, worth: Mapping[str, int]) -> Paper | None:
    """The paper of an earlier run, if that is whole and the grade depends on nothing that has changed since."""
    try:
        paper = load(path, worth)
    except CourseError:
        return None
    return paper if paper.digest == digest else None


def _digest(content: bytes, lesson: str, secret: str, settings: Settings) -> str:
    digest = hashlib.sha256(content)
    digest.update(repr((lesson, secret, settings.limits, settings.trust)).encode())
    digest.update(_code())
    return digest.hexdigest()


@cache
def _code() -> bytes:
    """Of the code that decides what is right: the library, which references and lessons call, and what grades."""
    digest = hashlib.sha256()
    for path in decisive_files():
        digest.update(path.read_bytes())
    return digest.digest()


def decisive_files() -> list[Path]:
    """The files of the library but those of the classroom that make pages and run lessons."""
    library = Path(__file__).parents[2]
    for_all = {library / "classroom" / "notebooks.py", *library.glob("classroom/grading/*.py")}
    inside = (path for path in library.rglob("*.py") if "classroom" not in path.parts or path in for_all)
    return sorted(path for path in inside if path.stem not in MADE_ANEW)


def run_jobs(jobs: Sequence[Job], settings: Settings, place: Path) -> Iterator[tuple[str, list[Paper] | CourseError]]:
    """The lesson and the papers of each of ``jobs`` as they are done, or the reason why there are none."""
    if not jobs:
        return iter(())
    walled = [replace(job, private=settings.private(place)) for job in jobs]
    return run_on_cluster(walled, settings.scheduler) if settings.scheduler else run_here(walled, settings.workers)


def write_pages(
    papers: Sequence[Paper], lessons: dict[str, Lesson], settings: Settings, handed_in: Collected
) -> list[Paper]:
    """Merge the hand marks and write grades.csv, the feedback pages and report.html; returns the merged papers.

    Pages and papers of whoever is not among those who ``handed_in`` go away.
    """
    out, people = settings.out, handed_in.people
    given = read_given(out / "papers" / GIVEN)
    hand = read_hand(settings.hand)
    merged, unmatched = apply_hand(sorted(papers, key=lambda p: (p.person.order, p.lesson)), hand, people, given)
    write_atomic(out / "papers" / GIVEN, json.dumps(given, ensure_ascii=False, indent=1) + "\n")
    stubs = {
        label: cell.source
        for lesson in lessons.values()
        for label, cell in zip(lesson.labels, (c for c in lesson.edition.cells if tagged(c, "exercise")), strict=True)
    }
    copies = likely_copies(merged, stubs)
    titles = {lesson.name: lesson.title for lesson in lessons.values()}
    graded = {(paper.person.key, paper.lesson) for paper in merged}
    kept = [write_feedback(paper, out / "feedback", titles) for paper in merged]
    kept += [write_reasons(who, told, out / "feedback") for who, told in handed_in.reasons.items() if told]
    kept += [
        out / kind / one.person.folder / f"{one.lesson}{ending}"
        for one in handed_in.submissions
        for kind, ending in (("papers", ".json"), ("feedback", ".html"))
    ]
    problems = [*handed_in.problems, *renamed(out, people), *unmatched]
    remove_others(out, kept)
    without = [who for who in people if not any(one.person.key == who.key for one in handed_in.submissions)]
    write_report(merged, copies, problems, out, titles, without)
    ungraded = [(one.person, one.lesson) for one in handed_in.submissions if (one.person.key, one.lesson) not in graded]
    worth = {lesson.name: sum(lesson.worth.values()) for lesson in lessons.values()}
    write_atomic(out / "grades.csv", grades_csv(merged, worth, people, copies, ungraded))
    return merged
