"""What grading finds out, as plain data: a `Mark` for an exercise, a `Paper` for a student's notebook of a lesson."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from course_lib.classroom.grading.people import Person
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
    id: str = ""  # the platform's, of the student

    @property
    def person(self) -> Person:
        """The student."""
        return Person(self.student, self.id)

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
    write_atomic(folder / paper.person.folder / f"{paper.lesson}.json", text + "\n")


def load(path: Path, worth: Mapping[str, int] | None = None) -> Paper:
    """The paper that `save` wrote to ``path``; worth: the points of each exercise of its lesson.

    Raises CourseError where the file is anything else: nothing in it is believed that `save` could not have written.
    """
    try:
        paper: Paper = _read(json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number), Paper)
        if (paper.person.folder, paper.lesson) != (path.parent.name, path.stem):
            raise ValueError("of another student or lesson")
        if any(not 0 <= one.points <= one.of or one.mark not in ("✔", "✘", "○") for one in paper.marks):
            raise ValueError("points out of range")
        found = Counter((one.label, one.of) for one in paper.marks)
        wanted = Counter(found.keys() if worth is None else worth.items())  # each once
        if not found <= wanted or (paper.done and found != wanted):
            raise ValueError("of other exercises")
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise CourseError(f"{path} is not a paper that grading has written: delete it and grade again.") from error
    return paper


def _read(value: Any, kind: Any) -> Any:
    """``value`` as JSON gives it, as one of ``kind``: of exactly that type, down to the last part. Else TypeError."""
    if isinstance(kind, type) and is_dataclass(kind):
        kinds = get_type_hints(kind)
        if not isinstance(value, dict) or value.keys() != kinds.keys():
            raise TypeError(f"no {kind}")
        return kind(**{name: _read(value[name], kinds[name]) for name in kinds})
    if get_origin(kind) is tuple and isinstance(value, list):
        return tuple(_read(part, get_args(kind)[0]) for part in value)
    if get_origin(kind) is dict and isinstance(value, dict):
        return {name: _read(part, get_args(kind)[1]) for name, part in value.items()}
    if type(value) is kind or (kind is float and type(value) is int):
        return value
    raise TypeError(f"{value!r} is no {kind}")


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number")


def with_mark(paper: Paper, mark: Mark) -> Paper:
    """``paper`` with ``mark`` in the place of the one with the same label."""
    return replace(paper, marks=tuple(mark if old.label == mark.label else old for old in paper.marks))
