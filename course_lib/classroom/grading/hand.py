"""The instructor's table of marks and comments, merged into the papers; and the grades as a table to import.

The table is a CSV file with the columns student, lesson, exercise, points, comment, and id where two bear one name.
Points replace the machine's; a row without points only comments; one without an exercise comments on the notebook.
"""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from course_lib.classroom.grading.class_report import needs_look
from course_lib.classroom.grading.copies import Pair
from course_lib.classroom.grading.people import Person, normal
from course_lib.classroom.grading.results import Mark, Paper, with_mark
from course_lib.classroom.notebooks import listed
from course_lib.errors import CourseError

COLUMNS = ("student", "lesson", "exercise", "points", "comment")
NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)")  # Excel writes 1,5 in half of Europe
GIVEN = "hand_marks.json"  # beside the papers
LESSON = re.compile(r"\d{1,2}[a-z]?(_.*)?", re.IGNORECASE)
LABEL = re.compile(r"\d+\w*[.,]\d+")  # of an exercise


@dataclass(frozen=True)
class HandMark:
    """A row of the table, as it stands there; ``line`` is its place in the file."""

    line: int
    student: str
    lesson: str
    exercise: str
    points: str
    comment: str
    id: str = ""  # the platform's, of the student

    @property
    def said(self) -> str:
        """All that stands in the row."""
        return json.dumps([self.id, self.student, self.lesson, self.exercise, self.points, self.comment])


def read_hand(path: Path) -> list[HandMark]:
    """The rows of the table in ``path``, none if there is no such file. Commas, semicolons or tabs set cells apart.

    Raises CourseError where the file is no text in UTF-8, lacks a column, or has a quotation mark that is not closed.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")  # Excel's UTF-8 begins with a mark of its own
    except FileNotFoundError:
        return []
    except UnicodeDecodeError as error:
        raise CourseError(f"{path} is not UTF-8: save it in your spreadsheet program as “CSV UTF-8”.") from error
    except OSError as error:
        raise CourseError(
            f"{path} cannot be read as a table ({error.strerror}): put a file there, or nothing."
        ) from error
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    rows = _rows(path, text, delimiter)
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
            number = cells[header.index("id")] if "id" in header else ""
            texts = {name: cells[header.index(name)] for name in COLUMNS}
            hand.append(HandMark(line, **texts, id=number))
    return hand


def _rows(path: Path, text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    """The rows of a table, each with the line on which it begins."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, line = [], 1
    try:
        for row in reader:
            rows.append((line, [cell.strip() for cell in row]))
            line = reader.line_num + 1
    except csv.Error as error:
        raise CourseError(
            f"{path} is not a table from line {line} on ({error}): mend the quotation marks there."
        ) from error
    header = [name.casefold() for name in rows[0][1]] if rows else []
    for line, cells in rows:
        if any(_is_row(part.split(delimiter), header) for cell in cells for part in cell.splitlines()[1:]):
            raise CourseError(f"{path}, line {line}: a quotation mark there takes in the rows below: close it.")
    return rows


def _is_row(cells: Sequence[str], header: Sequence[str]) -> bool:
    """Whether a line within a comment is a row of the table, which a quotation mark has taken in."""
    lesson = header.index("lesson") if "lesson" in header else 0
    whole = len(cells) >= len(header) and LESSON.fullmatch(cells[lesson].strip())
    return bool(whole) or any(LABEL.fullmatch(cell.strip(' "')) for cell in cells[1:-1])


def read_given(path: Path) -> dict[str, str]:
    """{row without an id: id of the student to whom it was given}, as `apply_hand` left it; empty if there is none."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    given = document if isinstance(document, dict) else {}
    return {row: number for row, number in given.items() if isinstance(number, str)}


def apply_hand(
    papers: Sequence[Paper],
    hand: Sequence[HandMark],
    people: Iterable[Person] = (),
    given: MutableMapping[str, str] | None = None,
) -> tuple[list[Paper], list[str]]:
    """``papers`` with the marks and comments of ``hand``, and a sentence for each row that could not be followed.

    Of two rows with points for one exercise the later counts, which the sentences tell too; all comments stay. people:
    who else handed in something. given: to whom rows without an id were given before, which is also kept there: such
    a row stays with its student when a namesake hands in.
    """
    merged = {(paper.person.key, paper.lesson): paper for paper in papers}
    known = {who.key: who for who in [*people, *(paper.person for paper in papers)]}
    spelled: dict[str, list[Person]] = {}
    for who in sorted(known.values(), key=lambda who: who.order):
        for spelling in _spellings(who):
            spelled.setdefault(spelling, []).append(who)
    stems = {paper.lesson for paper in papers}
    by_number = _unique((_bare(stem.partition("_")[0]), stem) for stem in stems)
    set_in: dict[tuple[Person, str, str], int] = {}  # {(student, lesson, label): the line that gave the points}
    problems: list[str] = []
    for row in hand:
        n = len(problems)
        named = spelled.get(normal(row.student), [])
        found, problem = find(row, named, known.values(), {} if given is None else given)
        problems += [problem] if problem else []
        wanted = row.lesson.removesuffix(".ipynb")
        lesson = wanted if wanted in stems else by_number.get(_bare(wanted), "")
        paper = merged.get((found.key, lesson)) if found else None
        if found and (problem := _problem(row, found, lesson, paper)):
            problems.append(problem)
        elif found and paper:
            merged[found.key, lesson] = paper = _followed(paper, row)
            if row.points:
                earlier = set_in.get(at := (found, lesson, _bare(row.exercise)))
                problems += [f"sets the points of line {earlier} anew; this line counts."] if earlier else []
                set_in[at] = row.line
        problems[n:] = [f"Hand marks, line {row.line}: {problem}" for problem in problems[n:]]
    return list(merged.values()), problems


def find(
    row: HandMark, named: Sequence[Person], people: Iterable[Person], given: MutableMapping[str, str]
) -> tuple[Person | None, str]:
    """Whose ``row`` is, by the id in it, else by the name, which those ``named`` bear; and what has to be said of it.

    Nobody's where it fits none, or several.
    """
    others = listed([who.label for who in named]) if named else ""
    if row.id:
        number = normal(row.id)
        fit = [who for who in people if who.key[0] == number]
        fit = fit or [who for who in people if who.key[0] and who.key[0].lstrip("0") == number.lstrip("0")]  # Excel's
        if len(fit) != 1:
            return None, f"{'more than one' if fit else 'nobody'} who has handed in has the id {row.id!r}."
        if named and fit[0] not in named:
            return None, f"the id {row.id!r} is that of {fit[0].label}, the name that of {others}: mend one of them."
        return fit[0], ""
    if not named:
        return None, f"nobody who has handed in is called {row.student!r}."
    if len(named) == 1:
        if named[0].key[0]:
            given[row.said] = named[0].key[0]
        return named[0], ""
    before = next((who for who in named if who.key[0] and who.key[0] == given.get(row.said)), None)
    if before:
        return before, f"{row.student!r} may be {others}; it stays with {before.label}, as before: write the id too."
    return None, f"{row.student!r} may be {others}, and counts for neither: write the id in a column id."


def _followed(paper: Paper, row: HandMark) -> Paper:
    """``paper`` with what ``row`` says."""
    if not row.exercise:
        return replace(paper, comment=_joined(paper.comment, row.comment))
    mark = next(mark for mark in paper.marks if _bare(mark.label) == _bare(row.exercise))
    return with_mark(paper, _marked(mark, row))


def _spellings(who: Person) -> set[str]:
    """The ways to write a student's name in the table; grades.csv may have put an apostrophe before it."""
    return {normal(name) for name in (who.name, who.shown, who.label, who.folder, _harmless(who.shown))}


def _problem(row: HandMark, who: Person, lesson: str, paper: Paper | None) -> str:
    """Why ``row`` cannot be followed; empty if it can."""
    if not lesson:
        return f"nobody has handed in a lesson {row.lesson!r}."
    if paper is None:
        return f"{who.label} has not handed in {lesson}."
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


def _bare(number: str) -> str:
    """The number of a lesson or an exercise as a spreadsheet leaves it: "5" of "05", "5.1" of "5,1"."""
    return number.casefold().replace(",", ".").lstrip("0") or number[:1]


def _unique(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """{key: name} of the keys that stand for one name only."""
    listed = list(pairs)
    times = Counter(key for key, _ in listed)
    return {key: name for key, name in listed if times[key] == 1}


def grades_csv(
    papers: Sequence[Paper],
    worth: Mapping[str, int],
    people: Iterable[Person],
    copies: Sequence[Pair] = (),
    ungraded: Collection[tuple[Person, str]] = (),
) -> str:
    """The grades, one row for each of ``people`` and of those with a paper, sorted, as a CSV text.

    Columns: student; id, the platform's; one for each lesson of ``worth``, {lesson: points}, that anybody has handed
    in, such as "NN_name (7)", empty where this student has not; total, empty where a notebook is ``ungraded``; out_of,
    the points of all these lessons; look_by_hand, "yes" or empty.
    """
    by_place = {(paper.person.key, paper.lesson): paper for paper in papers}
    waiting = {(who.key, lesson) for who, lesson in ungraded}
    met = {lesson for _, lesson in (*by_place, *waiting)}
    handed_in = [name for name in worth if name in met]
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    columns = [f"{name} ({worth[name]})" for name in handed_in]
    table.writerow(["student", "id", *map(_harmless, columns), "total", "out_of", "look_by_hand"])
    everybody = {who.key: who for who in [*(paper.person for paper in papers), *people]}
    for who in sorted(everybody.values(), key=lambda who: who.order):
        own = [paper for name in handed_in if (paper := by_place.get((who.key, name)))]
        open_ = any((who.key, name) in waiting for name in handed_in)
        look = open_ or not own or any(needs_look(paper, copies) for paper in own)
        points = {paper.lesson: f"{paper.points:g}" for paper in own}
        total = "" if open_ else f"{sum(paper.points for paper in own):g}"
        cells = [*(points.get(name, "") for name in handed_in), total, sum(worth[name] for name in handed_in)]
        table.writerow([_harmless(who.shown), _harmless(who.id), *cells, "yes" if look else ""])
    return out.getvalue()


def _harmless(cell: str) -> str:
    """``cell`` so that no spreadsheet takes it for a formula: students choose the names of their folders."""
    return f"'{cell}" if cell.lstrip().startswith(("=", "+", "-", "@")) or cell[:1] in ("\t", "\r") else cell
