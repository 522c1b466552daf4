"""Who handed in what: from a folder or a zip, as learning platforms export them, to one notebook a student and lesson.

Limits are each student's own, and nobody vanishes: whoever handed in anything is among the people, with the reasons why
something of theirs was not taken.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from course_lib.classroom.grading import layouts
from course_lib.classroom.grading.intake import MOST_MEMBERS, OUTSIDE, Found, Refused, Room, opened, upload
from course_lib.classroom.grading.layouts import METADATA, PLATFORM_FILES, Notes, Owner, bare, named, notebook_or_zip
from course_lib.classroom.grading.people import Person
from course_lib.classroom.notebooks import clean, listed
from course_lib.errors import CourseError

MOST_TRIES = 3  # damaged notebooks of one student and lesson
MOST_ZIPS = 20  # of one student
COPY = re.compile(r"(?:[ _+]?\(\d+\)|-copy\d*|-\d+| - copy| copy(?: \d+)?)*", re.IGNORECASE)  # as browsers say
NOBODYS = "nobody's: name a folder after the student"
OURS = "the course's own: what is in work/ counts"
UNNAMED = "named like no lesson"
MISNAMED = "not named as a notebook: its name has to end in .ipynb"
DOUBTFUL = "its name fits more than one person and counts for neither"


@dataclass(frozen=True)
class Submission:
    """A student's notebook of one lesson; where it could not be taken, there is no path, and ``problem`` says why."""

    person: Person
    lesson: str  # the name of its notebook, without the ending
    path: Path | None
    problem: str = ""


@dataclass
class Collected:
    """What a class handed in. ``reasons``: for each student why files of theirs were not taken."""

    people: list[Person] = field(default_factory=list)  # all who handed in anything
    submissions: list[Submission] = field(default_factory=list)  # by student, then by lesson
    problems: list[str] = field(default_factory=list)  # sentences for the instructor
    reasons: dict[Person, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class _File:
    """A file of a student's, and where it lies among what they handed in."""

    found: Found
    owner: Owner
    nested: bool = False  # in a zip of theirs

    @property
    def name(self) -> str:
        return self.owner.inside[-1]

    @property
    def said(self) -> str:
        return f"“{clean('/'.join(self.owner.inside[-2:]), 80)}”"


Reasons = dict[str, list[str]]  # {why: files}


def collect(place: Path, lessons: Sequence[str], scratch: Path, encoding: str = "") -> Collected:
    """What lies in ``place``, sorted by student and by the order of ``lessons``.

    place: a folder with a subfolder for each student, or with files whose names begin with the student's, or a zip of
    either. scratch: a folder for what comes out of zips. encoding: of names in zips that are not UTF-8. Raises
    CourseError where ``place`` is no such thing.
    """
    result = Collected()
    with opened(place, encoding) as files:
        if not files:
            raise CourseError(f"{place} holds no files: give a folder with one subfolder a student, or a zip of that.")
        files, words = _without_folder_around(files, place)
        result.problems += words
        by_key, nobodys = _by_person(files, lessons, _notes(files))
        for number, own in enumerate(sorted(by_key.values(), key=lambda own: _person_of(own).order)):
            who = _person_of(own)
            result.people.append(who)
            room = Room(scratch / f"{number:06}")
            submissions, told, reasons = _of_person(who, own, lessons, room, encoding)
            result.submissions += submissions
            result.problems += [*_spellings(who, own), *told, *_told(who.label, reasons)]
            if not submissions and not reasons:
                reasons["no notebook"] = ["nothing but what the platform adds"]
            if not submissions or set(reasons) - {"no notebook", OURS}:
                result.reasons[who] = [f"{listed(sorted(what))}: {why}." for why, what in sorted(reasons.items())]
    result.problems += _told("In no student’s folder", nobodys)
    return result


def _told(whose: str, reasons: Reasons) -> list[str]:
    return [f"{whose}: {listed(sorted(what))}, {why}." for why, what in sorted(reasons.items())]


def _without_folder_around(files: list[Found], place: Path) -> tuple[list[Found], list[str]]:
    """``files`` without the folders around all of them that are no student's, and what has to be said of that."""
    stripped = 0
    while True:
        tops = {file.parts[0] for file in files if len(file.parts) > 1}
        loose = any(len(file.parts) == 1 and notebook_or_zip(file.parts[0]) for file in files)
        if len(tops) != 1 or loose:
            return files, []
        [top] = tops
        inside = [replace(file, parts=file.parts[1:]) for file in files if len(file.parts) > 1]
        children = {file.parts[0] for file in inside if len(file.parts) > 1}
        own = [file.parts[0] for file in inside if len(file.parts) == 1]
        sure = layouts.is_folder_around(top, children, own, place.name.removesuffix(".zip"), _notes(files))
        if not sure or (sure == "likely" and stripped):  # in a class's folder, one alone in another is a student's
            return files, []
        files, stripped = [*inside, *(file for file in files if len(file.parts) == 1)], stripped + 1
        if sure == "likely":
            words = f"“{clean(top, 60)}” is read as the folder around the students' folders, not as a student's."
            return files, [words]


def _notes(files: Sequence[Found]) -> Notes:
    groups: dict[str, tuple[Person, ...]] = {}
    users: dict[str, Person] = {}
    times: dict[str, float] = {}
    for file in files:
        name = file.parts[-1]
        if file.parts == (METADATA,):
            groups = layouts.gradescope_groups(_text(file))
        elif len(file.parts) == 1 and name == f"{layouts.attempt_of(name)}.txt":
            users |= layouts.blackboard_user(name, _text(file))
        elif len(file.parts) == 2 and name == "timestamp.txt":
            times[file.parts[0]] = layouts.sakai_time(_text(file))
    return Notes(groups, users, layouts.sakai_folders(file.parts for file in files), times)


def _text(file: Found) -> str:
    """What a small file of the platform's says; nothing where it cannot be read."""
    if file.refused:
        return ""
    if isinstance(file.source, Path):
        return file.source.read_bytes()[:5_000_000].decode("utf-8", "replace")
    archive, member = file.source
    try:
        with archive.open(member) as content:
            return content.read(5_000_000).decode("utf-8", "replace")
    except Exception:  # a damaged member can raise almost anything
        return ""


def _by_person(
    files: Sequence[Found], lessons: Sequence[str], notes: Notes
) -> tuple[dict[tuple[str, str], list[tuple[Person, _File]]], Reasons]:
    """The files of each person, by key, and those that are nobody's."""
    by_key: dict[tuple[str, str], list[tuple[Person, _File]]] = {}
    nobodys: Reasons = {}
    for found in files:
        owner = layouts.owner(found.parts, lessons, notes)
        file = _File(found, owner)
        if len(found.parts) == 1 and len(layouts.readings(found.parts[0], notes)) > 1:
            nobodys.setdefault(DOUBTFUL, []).append(file.said)
        if not owner.people or found.refused == OUTSIDE:
            kind = NOBODYS if notebook_or_zip(file.name) else "no notebook"
            if found.refused or not PLATFORM_FILES.fullmatch(file.name):
                nobodys.setdefault(found.refused or kind, []).append(file.said)
            continue
        for who in owner.people:
            by_key.setdefault(who.key, []).append((who, file))
    return by_key, nobodys


def _person_of(own: Sequence[tuple[Person, _File]]) -> Person:
    """The person to whom these files belong, as the newest of them calls them."""
    return max(own, key=lambda one: (one[1].owner.attempt, one[1].found.when, one[0].name))[0]


def _spellings(who: Person, own: Sequence[tuple[Person, _File]]) -> Iterator[str]:
    """A sentence where one person stands under several names, and one where their name cannot be that of a folder."""
    others = sorted({one.shown for one, _ in own} - {who.shown})
    if others:
        yield f"{who.label} also stands there as {listed([f'“{other}”' for other in others])}: one person."
    if "~" in who.folder:
        yield f"{who.label}: their pages are in “{who.folder}”, since a folder cannot bear their name everywhere."


def _of_person(
    who: Person, own: Sequence[tuple[Person, _File]], lessons: Sequence[str], room: Room, encoding: str
) -> tuple[list[Submission], list[str], Reasons]:
    """The submissions of one student, sentences on what of several was taken, and why files were not."""
    reasons: Reasons = {}
    submissions, told = [], []
    with ExitStack() as stack:
        files = [file for _, file in own]
        files += [inner for file in files for inner in _in_zip(file, room, encoding, reasons, stack)]
        ours = layouts.repositories([file.owner.inside for file in files], lessons)
        candidates: dict[str, list[_File]] = {}
        for file in files:
            if layouts.is_ours(file.owner.inside, ours):
                reasons.setdefault(OURS, []).append(file.said)
            elif lesson := _lesson(file, lessons, reasons):
                candidates.setdefault(lesson, []).append(file)
        for lesson in sorted(candidates, key=lessons.index):
            path, words = _best(candidates[lesson], lesson, room, reasons)
            if path and words:
                told.append(f"{who.label} handed in {lesson} {words}")
            submissions.append(Submission(who, lesson, path, "" if path else f"This notebook was not graded: {words}."))
    return submissions, told, reasons


def _in_zip(file: _File, room: Room, encoding: str, reasons: Reasons, stack: ExitStack) -> Iterator[_File]:
    """The files of a zip that a student handed in, until ``stack`` is closed; a zip inside of it stays shut."""
    if not file.name.lower().endswith(".zip"):
        return
    try:
        if room.zips >= MOST_ZIPS or room.members > MOST_MEMBERS:
            raise Refused(f"more than {MOST_ZIPS} zips, or {MOST_MEMBERS:,} files in them")
        room.zips += 1
        path = room.take(file.found)
        if path != file.found.source:
            stack.callback(path.unlink)
        inner = stack.enter_context(upload(path, encoding))
        room.members += len(inner)
        if room.members > MOST_MEMBERS:
            raise Refused(f"more than {MOST_MEMBERS:,} files with those of the zips before")
    except Refused as refused:
        reasons.setdefault(str(refused), []).append(file.said)
        return
    for found in inner:
        one = _File(found, replace(file.owner, inside=(*file.owner.inside, *found.parts)), True)
        if one.name.lower().endswith(".zip"):
            reasons.setdefault("a zip inside a zip", []).append(one.said)
        else:
            yield one


def _lesson(file: _File, lessons: Sequence[str], reasons: Reasons) -> str:
    """The lesson whose notebook ``file`` is, or was meant to be; else empty, and the reason among ``reasons``."""
    kind = Path(file.name).suffix.lower()
    if file.owner.inside[0] == layouts.SAKAI_OWN[1] or kind == ".zip":  # the instructor's; looked into already
        return ""
    if kind == ".ipynb" or notebook_or_zip(file.name):
        lesson = named(bare(file.name), lessons)[1]
        why = file.found.refused or (UNNAMED if kind == ".ipynb" else MISNAMED)
        if not lesson:
            reasons.setdefault(why, []).append(file.said)
        return lesson
    if not PLATFORM_FILES.fullmatch(file.name):
        reasons.setdefault(file.found.refused or "no notebook", []).append(file.said)
    return ""


def _best(files: Sequence[_File], lesson: str, room: Room, reasons: Reasons) -> tuple[Path | None, str]:
    """The notebook that is graded of a student's ``files`` of a lesson, and words on that if there are several.

    No path where none can be read; the words then say why.
    """
    usable = []
    for file in files:
        why = file.found.refused or ("" if file.name.lower().endswith(".ipynb") else MISNAMED)
        if why:
            reasons.setdefault(why, []).append(file.said)
        else:
            usable.append(file)
    why = next(iter(file.found.refused for file in files if file.found.refused), MISNAMED)
    ranked = sorted(usable, key=lambda file: _rank(file, lesson), reverse=True)
    for file in ranked[:MOST_TRIES]:
        try:
            path = room.take(file.found, file.nested)
        except Refused as refused:
            why = str(refused)
            reasons.setdefault(why, []).append(file.said)
            continue
        return path, _chosen(file, ranked, lesson)
    return None, why


def _rank(file: _File, lesson: str) -> tuple[float, bool, float, str, tuple[str, ...]]:
    """The last attempt counts, in it what bears the lesson's name alone, of that the newest, else the last by name."""
    plain = bool(COPY.fullmatch(named(bare(file.name), [lesson])[2]))
    numbers = re.sub(r"\d+", lambda n: n[0].zfill(12), bare(file.name))
    return file.owner.attempt, plain, file.found.when, numbers, file.owner.inside


def _chosen(best: _File, ranked: Sequence[_File], lesson: str) -> str:
    """Why ``best`` is the one that is graded; empty where there is no other."""
    if len(ranked) == 1:
        return ""
    top = _rank(best, lesson)
    whys = ("of the last attempt", "which bears the lesson's name alone", "the newest", "the last by name")
    ties = [sum(_rank(file, lesson)[: i + 1] == top[: i + 1] for file in ranked) for i in range(len(whys))]
    why = next((why for why, n in zip(whys, ties, strict=True) if n == 1), whys[-1])
    return f"{len(ranked)} times: {best.said} is taken, {why}."
