"""The files of a folder or of a zip, alike: where each lies, when it was last changed, and, when asked, its content.

Zips are hostile: what is taken out of them is written under names of our own making, and only as much as is asked for.
"""

import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from course_lib.classroom.release import MANIFEST
from course_lib.errors import CourseError
from course_lib.paths import write_atomic

MOST_FILE = 50_000_000  # bytes of a notebook, or of a zip inside a zip
MOST_UPLOAD = 200_000_000  # that is taken out of one student's zips
MOST_MEMBERS = 10_000  # of one student's zips
MOST_DEPTH = 30  # folders in folders
SKIPPED = {"__MACOSX", ".ipynb_checkpoints", ".DS_Store", ".git", "Thumbs.db", "desktop.ini", MANIFEST}
BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError, OverflowError, OSError)
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # of others zipfile unpacks any amount
OUTSIDE = "its path leads out of the zip"


class Refused(Exception):
    """Why a file is not taken, in a few words."""


@dataclass(frozen=True)
class Found:
    """A file that was handed in. ``refused`` says why it is not touched; empty if it may be."""

    parts: tuple[str, ...]  # names of folders, then its own
    when: float  # of its last change
    refused: str
    source: Path | tuple[zipfile.ZipFile, zipfile.ZipInfo]


@dataclass
class Room:
    """A place for what one student handed in; ``left``: bytes that may still be taken out of their zips."""

    folder: Path
    left: int = field(default_factory=lambda: MOST_UPLOAD)
    taken: int = 0
    zips: int = 0  # that were opened
    members: int = 0  # of these

    def take(self, found: Found, nested: bool = False) -> Path:
        """Where the content of ``found`` lies. Raises Refused where it is damaged or there is no room for it.

        nested: it comes from a zip that the student made, and takes of the room that they have for these.
        """
        if found.refused:
            raise Refused(found.refused)
        if isinstance(found.source, Path):
            return found.source
        archive, member = found.source
        most = min(MOST_FILE, self.left) if nested else MOST_FILE
        try:
            with archive.open(member) as file:
                content = file.read(most + 1)  # its header may lie about its size
        except BROKEN as error:
            raise Refused("damaged") from error
        if len(content) > most:
            why = _too_large() if most == MOST_FILE else "too large together with what was taken before"
            raise Refused(f"{why} when unpacked")
        self.left, self.taken = self.left - nested * len(content), self.taken + 1
        path = self.folder / f"{self.taken:06}"
        write_atomic(path, content, "set TMPDIR to a folder that you may write to")
        return path


@contextmanager
def opened(place: Path, encoding: str) -> Iterator[list[Found]]:
    """The files in ``place``, a folder or a zip, by name. Raises CourseError where it is neither."""
    advice = "give a folder with one subfolder a student, or the zip that your learning platform makes."
    if not place.exists():
        raise CourseError(f"There is nothing at {place}: {advice}")
    if place.is_dir():
        yield sorted(walk(place), key=lambda found: found.parts)
        return
    try:
        archive = zipfile.ZipFile(place)
    except BROKEN as error:
        raise CourseError(f"{place} is neither a folder nor a whole zip: download it again, or {advice}") from error
    with archive:
        yield sorted(members(archive, encoding), key=lambda found: found.parts)


@contextmanager
def upload(path: Path, encoding: str) -> Iterator[list[Found]]:
    """The files of the zip ``path`` that a student has handed in. Raises Refused where it is none, or a huge one."""
    try:
        if path.read_bytes().count(b"PK\1\2") > MOST_MEMBERS:  # the list of them alone would fill the memory
            raise Refused(f"more than {MOST_MEMBERS:,} files in it")
        archive = zipfile.ZipFile(path)
    except BROKEN as error:
        raise Refused("not a whole zip") from error
    with archive:
        yield sorted(members(archive, encoding), key=lambda found: found.parts)


def walk(folder: Path, parts: tuple[str, ...] = ()) -> Iterator[Found]:
    """The files of a folder. No link is followed: it could lead anywhere."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        yield Found((*parts, "…"), 0.0, "its folder cannot be opened", folder)
        return
    for entry in entries:
        inside, path = (*parts, entry.name), Path(entry.path)
        if skipped(entry.name):
            continue
        if entry.is_symlink():
            yield Found((*inside, "…") if path.is_dir() else inside, 0.0, "links are not followed", path)
        elif entry.is_dir():
            if len(inside) > MOST_DEPTH:
                yield Found(inside, 0.0, f"more than {MOST_DEPTH} folders in one another", path)
            else:
                yield from walk(path, inside)
        elif not entry.is_file() or not os.access(path, os.R_OK):
            yield Found(inside, 0.0, "cannot be read", path)
        else:
            about = entry.stat()
            when = float(about.st_mtime // 2 * 2)  # as exact as a zip has it
            yield Found(inside, when, _too_large() if about.st_size > MOST_FILE else "", path)


def members(archive: zipfile.ZipFile, encoding: str) -> Iterator[Found]:
    """The files of a zip; the same, with the same reasons to refuse one, as if it had been unpacked and walked."""
    for member in archive.infolist():
        name = name_of(member, encoding)
        parts = tuple(part for part in re.split(r"[/\\]+", name) if part not in ("", "."))
        if name.endswith(("/", "\\")) or not parts or any(map(skipped, parts)):
            continue
        if len(parts) > MOST_DEPTH + 1:
            parts, why = parts[: MOST_DEPTH + 1], f"more than {MOST_DEPTH} folders in one another"
        else:
            why = _unsafe(member, name)
        yield Found(parts, _date(member), why, (archive, member))


def name_of(member: zipfile.ZipInfo, encoding: str = "") -> str:
    """The name of a member: UTF-8 where it is that, whatever the zip says of itself; else as ``encoding`` has it."""
    if member.flag_bits & 0x800:
        return member.filename
    raw = member.orig_filename.encode("cp437")
    for each in ("utf-8", encoding or "cp437"):
        try:
            return raw.decode(each).partition("\0")[0]
        except UnicodeDecodeError:
            continue
    return member.filename


def known_encoding(name: str) -> str:
    """``name``, if it is one of an encoding of texts. Raises CourseError if it is none."""
    try:
        b"a".decode(name or "cp437")
    except (LookupError, ValueError) as error:
        raise CourseError(
            f"{name!r} is no encoding that Python knows: names in zips may be in gbk, big5, shift_jis, cp1251 …"
        ) from error
    return name


def skipped(name: str) -> bool:
    """Whether the file or folder is one that programs leave, and nobody hands in."""
    return name in SKIPPED or name.startswith("._")  # the latter come from macOS


def _too_large() -> str:
    return f"larger than {MOST_FILE / 1e6:g} MB"


def _unsafe(member: zipfile.ZipInfo, name: str) -> str:
    """Why a member of a zip is not touched; empty if it may be."""
    reasons: dict[str, Callable[[], bool]] = {
        "its name is too long": lambda: len(name) > 1000,
        OUTSIDE: lambda: bool(re.match(r"[/\\]|[A-Za-z]:", name)) or ".." in re.split(r"[/\\]", name),
        "links are not followed": lambda: stat.S_ISLNK(member.external_attr >> 16),
        "encrypted": lambda: bool(member.flag_bits & 1),
        # of others zipfile unpacks any amount
        "packed otherwise than zips are": lambda: (
            member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        ),
        _too_large(): lambda: member.file_size > MOST_FILE,
    }
    return next((why for why, is_so in reasons.items() if is_so()), "")


def _date(member: zipfile.ZipInfo) -> float:
    try:
        return datetime(*member.date_time).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0
