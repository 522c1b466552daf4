"""Who handed in what: from a folder or a zip, as learning platforms export them, to one notebook a student and lesson.

Zips are hostile: their members are written under names of our own making, and what is refused costs only itself.
"""

import os
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from course_lib.classroom.notebooks import clean, listed
from course_lib.classroom.release import MANIFEST
from course_lib.errors import CourseError
from course_lib.paths import write_atomic

MOST_FILE = 50_000_000  # bytes of a notebook, or of a zip inside a zip
MOST_UPLOAD = 200_000_000  # that one student's zips may unpack to
MOST_DEPTH = 30  # folders in folders
MOST_TOTAL = 2_000_000_000
MOST_MEMBERS = 10_000  # of a student's zip
SKIPPED = {"__MACOSX", ".ipynb_checkpoints", ".DS_Store", ".git", "Thumbs.db", "desktop.ini", MANIFEST}
BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError, OverflowError, OSError)
MOODLE = re.compile(r"(.+?)_(\d+)_assignsubmission_")  # Ada Lovelace_12345_assignsubmission_file_/…
CANVAS = re.compile(r"(.+?)(?:_LATE)?_(\d+)_\d{3,}(?:_.*)?", re.IGNORECASE)  # lovelaceada_123_4567_….ipynb
COPY = re.compile(r"(?:[ _+]?\(\d+\)|-copy\d*|-\d+| - copy| copy(?: \d+)?)*", re.IGNORECASE)  # as browsers say


@dataclass(frozen=True)
class Submission:
    """A student's notebook of one lesson."""

    student: str  # safe as the name of a folder
    lesson: str  # the name of its notebook, without the ending
    path: Path


@dataclass(frozen=True)
class _Found:
    """A file that was handed in, and where it lay: names of folders and zips, then its own."""

    parts: tuple[str, ...]
    path: Path
    when: float  # of its last change

    @property
    def kind(self) -> str:
        return Path(self.parts[-1]).suffix.lower()

    @property
    def stem(self) -> str:
        return Path(self.parts[-1]).stem

    @property
    def said(self) -> str:
        return f"“{clean('/'.join(self.parts[-2:]), 80)}”"


@dataclass
class _Intake:
    """What was taken out of zips so far, and what was not taken: {(where, why): names}."""

    scratch: Path
    left: int = MOST_TOTAL
    taken: int = 0
    refused: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def refuse(self, where: str, why: str, name: str) -> None:
        self.refused.setdefault((clean(where, 60), why), []).append(f"“{clean(name, 60)}”")

    def walk(self, folder: Path, parts: tuple[str, ...] = ()) -> Iterator[_Found]:
        """The files of a folder. No link is followed: it could lead anywhere."""
        if len(parts) > MOST_DEPTH:
            self.refuse(parts[0], f"more than {MOST_DEPTH} folders in one another", folder.name)
            return
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            self.refuse(folder.parent.name, "cannot be opened", folder.name)
            return
        for entry in entries:
            inside = (*parts, entry.name)
            if _skipped(entry.name):
                continue
            if entry.is_symlink():
                self.refuse(folder.name, "links are not followed", entry.name)
            elif entry.is_dir():
                yield from self.walk(Path(entry.path), inside)
            elif not entry.is_file() or not os.access(entry.path, os.R_OK):
                self.refuse(folder.name, "cannot be read", entry.name)
            elif entry.stat().st_size > MOST_FILE and _wanted(entry.name):
                self.refuse(folder.name, f"larger than {MOST_FILE / 1e6:g} MB", entry.name)
            else:
                yield _Found(inside, Path(entry.path), entry.stat().st_mtime)

    def unpack(self, archive: zipfile.ZipFile, parts: tuple[str, ...], most: int) -> Iterator[_Found]:
        """The files of the zip ``parts``; notebooks and zips are written out and take at most ``most`` bytes in all."""
        where = "/".join(parts)
        for member in archive.infolist():
            names = tuple(name for name in re.split(r"[/\\]+", member.filename) if name not in ("", "."))
            if member.filename.endswith("/") or not names or any(_skipped(name) for name in names):
                continue
            if why := _unsafe(member):
                self.refuse(where, why, member.filename)
                continue
            found = _Found((*parts[1:], *names), self.scratch / f"{self.taken:06}", _date(member))
            if _wanted(names[-1]):
                room = min(MOST_FILE, most, self.left)
                try:
                    with archive.open(member) as file:
                        content = file.read(room + 1)  # its header may lie about its size
                except BROKEN:
                    self.refuse(where, "damaged", member.filename)
                    continue
                if len(content) > room:
                    why = "too large" if room == MOST_FILE else "too large together with what was taken before"
                    self.refuse(where, f"{why} when unpacked", member.filename)
                    continue
                write_atomic(found.path, content, "TMPDIR")
                self.taken, self.left, most = self.taken + 1, self.left - len(content), most - len(content)
            yield found

    def open_upload(self, upload: _Found, where: str, most: int) -> Iterator[_Found]:
        """The files of a zip that a student handed in, at most ``most`` bytes; a zip inside of it stays shut."""
        if upload.path.read_bytes().count(b"PK\1\2") > MOST_MEMBERS:  # the list of them alone would fill the memory
            self.refuse(where, f"more than {MOST_MEMBERS:,} files in it", "/".join(upload.parts))
            return
        try:
            with zipfile.ZipFile(upload.path) as archive:
                for found in self.unpack(archive, (where, *upload.parts), most):
                    if found.kind == ".zip":
                        self.refuse("/".join(upload.parts), "a zip inside a zip", found.parts[-1])
                    else:
                        yield found
        except BROKEN:
            self.refuse(where, "not a whole zip", "/".join(upload.parts))


def collect(place: Path, lessons: Sequence[str], scratch: Path) -> tuple[list[Submission], list[str]]:
    """The submissions in ``place``, by student and then by the order of ``lessons``, and sentences on what was left.

    place: a folder with a subfolder for each student, or with files whose names begin with the student's, or a zip of
    either. scratch: a folder for what comes out of zips. Raises CourseError where ``place`` is no such thing.
    """
    intake = _Intake(scratch)
    files = _files(place, intake)
    rooms: dict[str, int] = {}  # what is left to a student, so that nobody uses up what is there for all
    for upload in [file for file in files if file.kind == ".zip"]:  # after all that lie open: bombs cost others nothing
        room, before = rooms.get(upload.parts[0], MOST_UPLOAD), intake.left
        files += intake.open_upload(upload, place.name, room)
        rooms[upload.parts[0]] = room - (before - intake.left)
    files = [file for file in files if file.kind != ".zip"]
    owners = {file: _owner(file, lessons) for file in files}
    names = _names({owner for owner in owners.values() if owner})
    problems = [f"Not taken from “{where}”: {listed(what)} ({why})." for (where, why), what in intake.refused.items()]
    candidates: dict[tuple[str, str], list[_Found]] = {}
    others: dict[tuple[str, str], list[str]] = {}
    for file, owner in owners.items():
        student, lesson = names[owner] if owner else "", _named(file.stem, lessons)[1]
        if file.kind != ".ipynb":
            others.setdefault((student, "no notebook"), []).append(file.said)
        elif not lesson:
            others.setdefault((student, "named like no lesson"), []).append(file.said)
        elif not student:
            others.setdefault((student, "nobody's: name a folder after the student"), []).append(file.said)
        else:
            candidates.setdefault((student, lesson), []).append(file)
    submissions = []
    for student, lesson in sorted(candidates, key=lambda key: (key[0], lessons.index(key[1]))):
        best, words = _best(candidates[student, lesson], lesson)
        submissions.append(Submission(student, lesson, best.path))
        if words:
            problems.append(f"{student} handed in {lesson} {words}")
    for (student, why), what in sorted(others.items()):
        problems.append(f"{student or 'In no student’s folder'}: {listed(what)}, {why}.")
    return submissions, problems


def _files(place: Path, intake: _Intake) -> list[_Found]:
    advice = "give a folder with one subfolder a student, or the zip that your learning platform makes."
    if not place.exists():
        raise CourseError(f"There is nothing at {place}: {advice}")
    if place.is_dir():
        files = list(intake.walk(place))
    else:
        try:
            with zipfile.ZipFile(place) as archive:
                files = _without_top(list(intake.unpack(archive, (place.name,), MOST_TOTAL)))
        except BROKEN as error:
            raise CourseError(f"{place} is neither a folder nor a whole zip: download it again, or {advice}") from error
    if not files and not intake.refused:
        raise CourseError(f"{place} holds no files: {advice}")
    return files


def _without_top(files: list[_Found]) -> list[_Found]:
    """``files`` of a zip without the one folder around all of them, where that is not a student's own."""
    work = [file for file in files if _wanted(file.parts[-1])]
    tops = {file.parts[0] for file in work}
    top = tops.pop() if len(tops) == 1 else ""
    zips = sum(file.kind == ".zip" for file in work)
    inner = (len(f.parts) > 2 or CANVAS.fullmatch(f.stem) or (zips > 1 and f.kind == ".zip") for f in work)
    if not top or MOODLE.match(top) or not all(inner):
        return files
    return [replace(file, parts=file.parts[1:]) if len(file.parts) > 1 else file for file in files]


def _skipped(name: str) -> bool:
    return name in SKIPPED or name.startswith("._")  # the latter come from macOS


def _wanted(name: str) -> bool:
    return name.lower().endswith((".ipynb", ".zip"))


def _unsafe(member: zipfile.ZipInfo) -> str:
    """Why a member of a zip is not touched; empty if it may be."""
    if len(member.filename) > 1000:
        return "its name is too long"
    if re.match(r"[/\\]|[A-Za-z]:", member.filename) or ".." in re.split(r"[/\\]", member.filename):
        return "its path leads out of the zip"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "links are not followed"
    if member.flag_bits & 1:
        return "encrypted"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # of others zipfile unpacks any amount
        return "packed otherwise than zips are"
    return ""


def _date(member: zipfile.ZipInfo) -> float:
    try:
        return datetime(*member.date_time).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0


def _owner(file: _Found, lessons: Sequence[str]) -> tuple[str, str] | None:
    """The student's name as it stands there, and the platform's number; None of a file that bears no name."""
    first = file.parts[0]
    stem = Path(first).stem if _wanted(first) or len(file.parts) == 1 else first
    if hit := MOODLE.match(first):
        return hit[1], hit[2]
    if len(file.parts) > 1 and not first.lower().endswith(".zip"):
        return first, ""
    if hit := CANVAS.fullmatch(stem):
        return hit[1], hit[2]
    before, lesson, _ = _named(stem, lessons)
    whole = not lesson and len(file.parts) > 1  # a zip is a student's; a file may be anything
    name = stem if whole else before.strip(" ._-")
    return (name, "") if name else None


def _named(stem: str, lessons: Sequence[str]) -> tuple[str, str, str]:
    """The lesson whose name stands in ``stem`` as a whole, between what is before and after it; else three times ""."""
    for lesson in sorted(lessons, key=len, reverse=True):
        if hit := re.search(rf"(?<![^\W_]){re.escape(lesson)}(?![^\W_])", stem, re.IGNORECASE):
            return stem[: hit.start()], lesson, stem[hit.end() :]
    return "", "", ""


def _best(files: Sequence[_Found], lesson: str) -> tuple[_Found, str]:
    """The one of a student's ``files`` of a lesson that is graded, and if there are several, the words for that."""
    plain = [file for file in files if COPY.fullmatch(_named(file.stem, [lesson])[2])]
    among = plain or files  # a lesson's name with more behind it counts only where nothing else does
    best = max(among, key=lambda file: (file.when, re.sub(r"\d+", lambda n: n[0].zfill(12), file.stem), file.parts))
    if len(files) == 1:
        return best, ""
    newest = sum(file.when == best.when for file in among) == 1
    why = "the newest" if newest else "the last by name"
    why = why if len(among) > 1 else "which bears the lesson's name alone"
    return best, f"{len(files)} times: {best.said} is taken, {why}."


def _names(owners: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """A safe name for each of ``owners``; of two that become the same the second gets a " 2"."""
    names: dict[tuple[str, str], str] = {}
    used = set()
    for owner in sorted(owners):
        number, name = 1, _safe(owner[0])
        while name.casefold() in used:
            number += 1
            name = f"{_safe(owner[0])[:75].rstrip()} {number}"
        used.add(name.casefold())
        names[owner] = name
    return names


def _safe(name: str) -> str:
    """``name`` as the name of a folder on every system: letters, digits and a few marks, at most 80 of them."""
    letters = unicodedata.normalize("NFC", clean(name, 200))
    kept = "".join(c if c in " ._-'’()," or unicodedata.category(c)[0] in "LMN" else "_" for c in letters)
    cut = kept.lstrip(" .-'")[:80].encode()[:240].decode(errors="ignore")  # a file system counts bytes
    return cut.rstrip(" .") or "student"
