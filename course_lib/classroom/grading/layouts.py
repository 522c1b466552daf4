"""Whose a file is, by its name: the layouts in which learning platforms export what was handed in.

Each platform writes a name or an id, and then what the student chose. Only the former is read; where it cannot be told
from the latter, the file belongs to nobody else: a name that fits two people is no evidence for either.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from typing import Any

import yaml

from course_lib.classroom.grading.people import Person, person

DATE = r"(?:[^\W\d]+\.? \d{1,2}|\d{1,2} [^\W\d]+\.?),? \d{4} \d{3,4}(?: ?[AP]M)?"  # May 1, 2024 1011 AM
MOODLE = re.compile(r"(.+)_(\d+)_assignsubmission_[a-z]+_?")  # Ada Lovelace_17_assignsubmission_file_/…
MOODLE_FILE = re.compile(r"([^_]+)_(\d+)_assignsubmission_[a-z]+_(.+)")  # Moodle leaves no "_" in a name
BRIGHTSPACE = re.compile(rf"(\d+)-\d+ - (.+) - ({DATE})")  # 17-203 - Ada Lovelace - May 1, 2024 1011 AM/…
BRIGHTSPACE_FILE = re.compile(rf"(\d+)-\d+ - (.+?) - ({DATE}) - (.+)")
BLACKBOARD = re.compile(r"(.+?)_attempt_(\d{4}(?:-\d\d){5})(?:_(.+))?")  # Week 4_ada_attempt_2024-05-01-10-11-12_…
SAKAI = re.compile(r"(.+)\(([^()]+)\)")  # Lovelace, Ada(ada)/Submission attachment(s)/…
SAKAI_FILE = re.compile(r"(.+)\(([^()]+)\)_Submission attachment\(s\)_(.+)")
SAKAI_OWN = ("Submission attachment(s)", "Feedback Attachment(s)")
CANVAS = re.compile(r"(?=((?:_LATE)?_(\d+)_\d{3,}_).)", re.IGNORECASE)  # lovelaceada_LATE_17_203_….ipynb
CANVAS_NAMELESS = re.compile(r"(?:LATE_)?(anon_[0-9A-Za-z]{5})_\d{3,}_(.+)")
GRADESCOPE = re.compile(r"assignment_\d+_export")  # submission_203/…, and whose that is in submission_metadata.yml
METADATA = "submission_metadata.yml"
AROUND = re.compile(r"(class|submissions?|students|exports?|downloads?)", re.IGNORECASE)  # no student is called so
WITHIN = re.compile(
    r".*course.*|.*[-_](main|master)|(work|notebooks?|build|src|code|lessons?|exercises?|solutions?|homework|hw|week|labs?|assignments?|old|new"
    r"|final|backup|attempts?|repo\w*)?[\W_]*\d{0,2}",
    re.IGNORECASE,
)  # nor so: a folder of theirs
OURS = {"notebooks", "build", "course_lib", "tests", "docs", "binder", "datasets"}  # folders of the course's
PLATFORM_FILES = re.compile(  # what platforms add, and no student has handed in
    r"timestamp\.txt|feedbackText\.html|comments\.txt|.*_submissionText\.html"
    r"|grades\.(csv|xlsx?)|index\.html|submission_metadata\.yml|.*_attempt_\d{4}(-\d\d){5}\.txt",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Owner:
    """Whose a file is: nobody's if ``people`` is empty, several people's if a group has handed it in."""

    people: tuple[Person, ...]
    inside: tuple[str, ...]  # where it lies among what they handed in; the last is its name
    attempt: float = 0.0  # when, as the platform says in the name; 0 where it does not


@dataclass(frozen=True)
class Notes:
    """What files of the platform's own say about the others."""

    groups: Mapping[str, tuple[Person, ...]]  # Gradescope: of each folder
    users: Mapping[str, Person]  # Blackboard: of each attempt, as in its .txt file
    sakai: frozenset[str]  # folders of Sakai's form
    times: Mapping[str, float]  # Sakai: of each folder


def owner(parts: Sequence[str], lessons: Sequence[str], notes: Notes) -> Owner:
    """Whose the file ``parts`` is, the names of its folders and its own."""
    first, rest = parts[0], tuple(parts[1:])
    found = _of_folder(first, rest, notes) if rest else _of_file(first, notes)
    if found:
        return found
    if rest:
        return Owner((person(first),), rest)
    before, lesson, _ = named(bare(first), lessons)
    if not lesson and not notebook_or_zip(first):
        return Owner((), tuple(parts))
    own = before if lesson else bare(first).partition(" - ")[0]
    name = re.sub(r"[\W_]*copy of\s*$", "", own, flags=re.IGNORECASE).strip(" ._-")
    return Owner((person(name),) if name else (), tuple(parts))


def _of_folder(first: str, rest: tuple[str, ...], notes: Notes) -> Owner | None:
    if hit := MOODLE.fullmatch(first):
        return Owner((person(hit[1], hit[2]),), rest)
    if hit := BRIGHTSPACE.fullmatch(first):
        return Owner((person(hit[2], hit[1]),), rest, _brightspace(hit[3]))
    if first in notes.groups:
        return Owner(notes.groups[first], rest)
    if first in notes.sakai and (hit := SAKAI.fullmatch(first)):
        return Owner((person(hit[1].strip(), hit[2]),), rest, notes.times.get(first, 0.0))
    return None


def _of_file(name: str, notes: Notes) -> Owner | None:
    found = readings(name, notes)
    return found[0] if len(found) == 1 else None


def readings(name: str, notes: Notes) -> list[Owner]:
    """All ways to read the ``name`` of a file that lies in no folder; where there are two, one is a student's doing."""
    found: list[Owner] = []
    if hit := MOODLE_FILE.fullmatch(name):
        found.append(Owner((person(hit[1], hit[2]),), (hit[3],)))
        if again := MOODLE_FILE.fullmatch(f"-{hit[3]}"):
            found.append(Owner((person(hit[1], again[2]),), (again[3],)))
    if hit := BRIGHTSPACE_FILE.fullmatch(name):
        found.append(Owner((person(hit[2], hit[1]),), (hit[4],), _brightspace(hit[3])))
    if hit := BLACKBOARD.match(name):
        user = hit[1].rpartition("_")[2]
        who = notes.users.get(attempt_of(name)) or person(user, user)
        found.append(Owner((who,), (hit[3] or name,), _time(hit[2], "%Y-%m-%d-%H-%M-%S")))
    if hit := SAKAI_FILE.fullmatch(name):
        found.append(Owner((person(hit[1].strip(), hit[2]),), (hit[3],)))
    if hit := CANVAS_NAMELESS.fullmatch(name):
        found.append(Owner((person(hit[1]),), (hit[2],)))
    met: set[int] = set()
    for hit in CANVAS.finditer(name, 1):
        end = hit.end() + len(hit[1])
        if end not in met:
            found.append(Owner((person(name[: hit.start()], hit[2]),), (name[end:],)))
        met.add(end)
    return found


def attempt_of(name: str) -> str:
    """What all files of one attempt on Blackboard begin with; empty for other names."""
    hit = BLACKBOARD.match(name)
    return f"{hit[1]}_attempt_{hit[2]}" if hit else ""


def blackboard_user(name: str, text: str) -> dict[str, Person]:
    """Who made an attempt, as Blackboard's file ``name`` says: "Name: Ada Lovelace (ada)"; it begins with that user."""
    hit = re.match(r"\s*Name:\s*(.*?)\s*\(([^()]+)\)\s*$", text[:2000], re.MULTILINE)
    if not hit or not name.partition("_attempt_")[0].endswith(f"_{hit[2]}"):
        return {}
    return {attempt_of(name): person(hit[1] or hit[2], hit[2])}


def gradescope_groups(text: str) -> dict[str, tuple[Person, ...]]:
    """Whose each folder is, as Gradescope's `METADATA` says; nothing where it says nothing."""
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    groups = {}
    for folder, about in (document if isinstance(document, dict) else {}).items():
        listed = about.get(":submitters") if isinstance(about, dict) else None
        people = tuple(filter(None, map(_submitter, listed if isinstance(listed, list) else ())))
        if isinstance(folder, str) and people:
            groups[folder] = people
    return groups


def _submitter(about: Any) -> Person | None:
    if not isinstance(about, dict):
        return None
    name, number, mail = (str(about.get(f":{field}") or "") for field in ("name", "sid", "email"))
    return person(name or mail, number or mail) if name or mail or number else None


def sakai_folders(paths: Iterable[Sequence[str]]) -> frozenset[str]:
    """The folders that are of Sakai's form: beside a name with an id they hold what only Sakai calls so."""
    pairs = {pair for parts in paths for pair in pairwise(parts[:3])}  # one folder may lie around all
    return frozenset(
        name
        for name, child in pairs
        if SAKAI.fullmatch(name) and (child in SAKAI_OWN or child == f"{name}_submissionText.html")
    )


def sakai_time(text: str) -> float:
    """The time that Sakai's timestamp.txt tells, such as 20240501101112345; 0 if it tells none."""
    return _time(text.strip()[:14], "%Y%m%d%H%M%S")


def _brightspace(date: str) -> float:
    words = re.sub(r"[,.]", "", date).replace("AM", " AM").replace("PM", " PM").split()
    words = words if words[0].isdigit() else [words[1], words[0], *words[2:]]
    day, month, year, clock, *half = words
    form = f"%d %b %Y %H%M{' %p' if half else ''}".replace("%H", "%I" if half else "%H")
    return _time(" ".join([day, month[:3], year, clock.zfill(4), *half]), form)


def _time(text: str, form: str) -> float:
    try:
        return datetime.strptime(text, form).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def is_folder_around(name: str, children: set[str], files: Sequence[str], place: str, notes: Notes) -> str:
    """How sure it is that the folder ``name``, alone in ``place``, is no student's but holds the students' folders.

    children, files: the names of the folders and the files in it. Returns "yes", "likely", or empty for a student's.
    """
    if _of_folder(name, ("",), notes):
        return ""
    known = any(_of_folder(child, ("",), notes) for child in children) or METADATA in files
    handed_in = [file for file in files if notebook_or_zip(file)]
    told = all(readings(file, notes) for file in handed_in)
    if known or (handed_in and told):
        return "yes"
    if AROUND.fullmatch(name) or GRADESCOPE.fullmatch(name) or name.casefold() == place.casefold():
        return "yes" if children or len(handed_in) > 1 else ""
    if handed_in and not (len(handed_in) > 1 and all(file.lower().endswith(".zip") for file in handed_in)):
        return ""
    return "" if any(WITHIN.fullmatch(child) for child in children) else "likely"


def repositories(paths: Iterable[tuple[str, ...]], lessons: Sequence[str]) -> set[tuple[str, ...]]:
    """The folders in ``paths`` that are a copy of the whole course, in which only ``work`` is the student's."""
    folders: dict[tuple[str, ...], set[str]] = {}  # {folder: the lessons in it}
    for path in paths:
        for depth in range(1, len(path)):
            held = folders.setdefault(path[:depth], set())
            if depth == len(path) - 1:
                held.add(named(bare(path[-1]), lessons)[1])
    roots = set()
    for *above, name in folders:
        root = tuple(above)
        both = folders.get((*root, "work"), set()) & folders.get((*root, "notebooks"), set()) - {""}
        if name == "course_lib" or (name == "build" and (*root, "build", "course") in folders) or both:
            roots.add(root)
    return roots


def is_ours(path: tuple[str, ...], roots: Iterable[tuple[str, ...]]) -> bool:
    """Whether a file is the course's own, in a copy of it at one of ``roots``."""
    return any(path[: len(root)] == root and path[len(root) : -1][:1] and path[len(root)] in OURS for root in roots)


def notebook_or_zip(name: str) -> bool:
    """Whether the file was meant as one of those that are graded, also where a program has added an ending."""
    return bool(re.search(r"\.(ipynb|zip)(\.\w{1,5})?$", name, re.IGNORECASE))


def bare(name: str) -> str:
    """``name`` of a file without its ending, and without the one of a notebook before it."""
    return re.sub(r"(\.ipynb)?\.[^.\s]{1,8}$", "", name, flags=re.IGNORECASE)


def named(stem: str, lessons: Sequence[str]) -> tuple[str, str, str]:
    """The lesson whose name stands in ``stem`` as a whole, between what is before and after it; else three times ""."""
    longest = tuple(sorted(lessons, key=len, reverse=True))
    hit = _pattern(longest).search(stem)
    return (stem[: hit.start()], longest[(hit.lastindex or 1) - 1], stem[hit.end() :]) if hit else ("", "", "")


@lru_cache
def _pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    either = "|".join(f"({re.escape(name)})" for name in names) or r"(?!)"
    return re.compile(rf"(?<![^\W_])(?:{either})(?![^\W_])", re.IGNORECASE)
