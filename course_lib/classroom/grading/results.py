"""What grading finds out, as plain data: a `Mark` for an exercise, a `Paper` for a student's notebook of a lesson."""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from course_lib.errors import CourseError
from course_lib.paths import write_atomic


@dataclass(frozen=True)
class Mark:
    """The points for one exercise, and why. ``words`` are for the student: they never tell a hidden input."""

    label: str  # "5.1"
    points: float
    of: int
    mark: str  # "✔" right, "✘" not right, "○" not solved
    words: str
    mistake: str = ""  # the advice of the known mistake that explains the answers, if one does
    trouble: str = ""  # what the sandbox had to stop: "time", "memory", "output", "died"; or "missing", "error"
    by_hand: bool = False  # a person has set the points
    comment: str = ""  # that person's, for the student
    finding: str = ""  # a sentence for the instructor alone, such as on a manipulation: never on the student's page


@dataclass(frozen=True)
class Paper:
    """One student's notebook of one lesson, graded. Findings and differences are sentences for the instructor."""

    student: str
    lesson: str  # the name of its notebook, without the ending
    marks: tuple[Mark, ...]
    findings: tuple[str, ...] = ()  # cells missing, doubled, edited; order; errors: who wants to know looks by hand
    reproduces: str = "not compared"  # "yes", "no", "not compared": the outputs handed in against the replay
    differences: tuple[str, ...] = ()  # where they do not agree
    about: dict[str, str] = field(default_factory=dict)  # device, versions, time: as the notebook itself tells
    answers: dict[str, str] = field(default_factory=dict)  # {label: what the student wrote}, to look for copies
    digest: str = ""  # of everything that the grade depends on: the same digest need not be graded again
    done: bool = True  # False of a paper whose grading was interrupted
    comment: str = ""  # a person's, on the notebook as a whole, for the student

    @property
    def points(self) -> float:
        """Points earned in all exercises."""
        return sum(mark.points for mark in self.marks)

    @property
    def of(self) -> int:
        """Points there were to earn."""
        return sum(mark.of for mark in self.marks)


def save(paper: Paper, folder: Path) -> None:
    """Write ``paper`` to ``folder``/STUDENT/LESSON.json."""
    text = json.dumps(asdict(paper), ensure_ascii=False, indent=1)
    write_atomic(folder / paper.student / f"{paper.lesson}.json", text + "\n")


def load(path: Path) -> Paper:
    """The paper that `save` wrote to ``path``."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        document["marks"] = tuple(Mark(**mark) for mark in document["marks"])
        document |= {name: tuple(document[name]) for name in ("findings", "differences")}
        return Paper(**document)
    except (ValueError, KeyError, TypeError) as error:
        raise CourseError(f"{path} is not a paper that grading has written: delete it and grade again.") from error


def with_mark(paper: Paper, mark: Mark) -> Paper:
    """``paper`` with ``mark`` in the place of the one with the same label."""
    return replace(paper, marks=tuple(mark if old.label == mark.label else old for old in paper.marks))
