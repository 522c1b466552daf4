"""The instructor's table of marks and comments, merged into the papers; and the grades as a table to import.

The table is a CSV file with the columns student, lesson, exercise, points, comment. Points replace the machine's; a row
without points only comments; a row without an exercise comments on the whole notebook.
"""

import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from course_lib.classroom.grading.class_report import needs_look
from course_lib.classroom.grading.copies import Pair
from course_lib.classroom.grading.results import Mark, Paper, with_mark
from course_lib.errors import CourseError
from course_lib.paths import write_atomic

COLUMNS = ("student", "lesson", "exercise", "points", "comment")
NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)")  # Excel writes 1,5 in half of Europe


@dataclass(frozen=True)
class HandMark:
    """A row of the table, as it stands there; ``line`` is its place in the file."""

    line: int
    student: str
    lesson: str
    exercise: str
    points: str
    comment: str


def read_hand(path: Path) -> list[HandMark]:
    """The rows of the table in ``path``, none if there is no such file. Commas, semicolons or tabs set cells apart.

    Raises CourseError where the file is not UTF-8, or lacks a column.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")  # Excel's UTF-8 begins with a mark of its own
    except FileNotFoundError:
        return []
    except UnicodeDecodeError as error:
        raise CourseError(f"{path} is not UTF-8: save it in your spreadsheet program as “CSV UTF-8”.") from error
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise CourseError(f"{path} is not a table, see line {reader.line_num} ({error}): mend it there.") from error
    header = [name.casefold() for name in rows[0][1]] if rows else []
    absent = [name for name in COLUMNS if name not in header]
    if absent:
        raise CourseError(f"{path} has no column {', '.join(absent)}: its first line has to be {','.join(COLUMNS)}.")
    hand = []
    for line, cells in rows[1:]:
        cells += [""] * (len(header) - len(cells))
        last = len(header) - 1  # a comment with commas and without quotes runs on to the end of the line
        cells[last:] = [f"{delimiter} ".join(cells[last:])]
        if any(cells):
            hand.append(HandMark(line, *(cells[header.index(name)] for name in COLUMNS)))
    return hand


def start_hand(path: Path) -> None:
    """Write a table without rows to ``path``. Raises CourseError if there is a file already: it may hold marks."""
    if path.exists():
        raise CourseError(f"{path} is there already and stays as it is: add your rows to it.")
    write_atomic(path, ",".join(COLUMNS) + "\n")


def apply_hand(papers: Sequence[Paper], hand: Sequence[HandMark]) -> tuple[list[Paper], list[str]]:
    """``papers`` with the marks and comments of ``hand``, and a sentence for each row that could not be followed.

    Of two rows with points for one exercise the later counts, which the sentences tell too; all comments stay.
    """
    merged = {(paper.student, paper.lesson): paper for paper in papers}
    names, stems = {paper.student for paper in papers}, {paper.lesson for paper in papers}
    by_key = _unique((_key(name), name) for name in names)
    by_number = _unique((_bare(stem.partition("_")[0]), stem) for stem in stems)
    set_in: dict[tuple[str, str, str], int] = {}  # {(student, lesson, label): the line that gave the points}
    problems = []
    for row in hand:
        at = row.student if row.student in names else by_key.get(_key(row.student), "")
        wanted = row.lesson.removesuffix(".ipynb")
        lesson = wanted if wanted in stems else by_number.get(_bare(wanted), "")
        paper = merged.get((at, lesson))
        problem = _problem(row, at, lesson, paper)
        if problem or paper is None:
            problems.append(f"Hand marks, line {row.line}: {problem}")
            continue
        if not row.exercise:
            merged[at, lesson] = replace(paper, comment=_joined(paper.comment, row.comment))
            continue
        mark = next(mark for mark in paper.marks if _bare(mark.label) == _bare(row.exercise))
        if row.points and set_in.get((at, lesson, mark.label)):
            earlier = set_in[at, lesson, mark.label]
            problems.append(f"Hand marks, line {row.line}: sets the points of line {earlier} anew; this line counts.")
        if row.points:
            set_in[at, lesson, mark.label] = row.line
        merged[at, lesson] = with_mark(paper, _marked(mark, row))
    return list(merged.values()), problems


def _problem(row: HandMark, student: str, lesson: str, paper: Paper | None) -> str:
    """Why ``row`` cannot be followed; empty if it can."""
    if not student:
        return f"nobody who has handed in is called {row.student!r}."
    if not lesson:
        return f"nobody has handed in a lesson {row.lesson!r}."
    if paper is None:
        return f"{student} has not handed in {lesson}."
    if not row.exercise:
        if row.points:
            return f"{row.points} points without an exercise: name one of {lesson}."
        return "" if row.comment else "it has neither points nor a comment."
    mark = next((mark for mark in paper.marks if _bare(mark.label) == _bare(row.exercise)), None)
    if mark is None:
        return f"{lesson} has no exercise {row.exercise!r}; it has {', '.join(mark.label for mark in paper.marks)}."
    if not row.points:
        return "" if row.comment else "it has neither points nor a comment."
    if not NUMBER.fullmatch(row.points):
        return f"{row.points!r} is not a number of points."
    if not 0 <= _number(row.points) <= mark.of:
        return f"{row.points} points are not between 0 and {mark.of}, what exercise {mark.label} is worth."
    return ""


def _marked(mark: Mark, row: HandMark) -> Mark:
    mark = replace(mark, comment=_joined(mark.comment, row.comment))
    if not row.points:
        return mark
    points = _number(row.points)
    sign = "✔" if points == mark.of else "○" if mark.mark == "○" and not points else "✘"
    said = mark.words if mark.by_hand else f"a person has set the points. The automatic check said: {mark.words}"
    return replace(mark, points=points, mark=sign, words=said, by_hand=True)


def _number(points: str) -> float:
    return float(points.replace(",", "."))


def _joined(*comments: str) -> str:
    return "\n".join(comment for comment in comments if comment)


def _key(name: str) -> str:
    """What two spellings of a student's name have in common; grades.csv may have put an apostrophe before it."""
    return unicodedata.normalize("NFC", name).casefold().strip().removeprefix("'")


def _bare(number: str) -> str:
    """The number of a lesson or an exercise as a spreadsheet leaves it: "5" of "05", "5.1" of "5,1"."""
    return number.casefold().replace(",", ".").lstrip("0") or number[:1]


def _unique(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """{key: name} of the keys that stand for one name only."""
    listed = list(pairs)
    times = Counter(key for key, _ in listed)
    return {key: name for key, name in listed if times[key] == 1}


def grades_csv(
    papers: Sequence[Paper], lessons: Sequence[str], students: Sequence[str], copies: Sequence[Pair] = ()
) -> str:
    """The grades, one row for each of ``students`` and of those with a paper, sorted, as a CSV text.

    Columns: student; one for each of ``lessons`` that anybody has handed in, such as "NN_name (7)", empty
    where this student has not; total; out_of, the points of all these lessons; look_by_hand, "yes" or empty.
    """
    by_place = {(paper.student, paper.lesson): paper for paper in papers}
    worth = {name: max((paper.of for paper in papers if paper.lesson == name), default=0) for name in lessons}
    handed_in = [name for name in lessons if any(paper.lesson == name for paper in papers)]
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    columns = [f"{name} ({worth[name]})" for name in handed_in]
    table.writerow(["student", *map(_harmless, columns), "total", "out_of", "look_by_hand"])
    for student in sorted({*students, *(paper.student for paper in papers)}):
        own = [by_place.get((student, name)) for name in handed_in]
        points = [paper.points for paper in own if paper]
        look = any(needs_look(paper, copies) for paper in own if paper)
        cells = [f"{paper.points:g}" if paper else "" for paper in own]
        total, out_of = f"{sum(points):g}", sum(worth[name] for name in handed_in)
        table.writerow([_harmless(student), *cells, total, out_of, "yes" if look else ""])
    return out.getvalue()


def _harmless(cell: str) -> str:
    """``cell`` so that no spreadsheet takes it for a formula: students choose the names of their folders."""
    return f"'{cell}" if cell.lstrip().startswith(("=", "+", "-", "@")) or cell[:1] in "\t\r" else cell
