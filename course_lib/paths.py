"""Where things live: the repository, the cache of downloads, the build folder."""

import errno
import os
import tempfile
from pathlib import Path

import platformdirs

from course_lib.errors import CourseError

BUILD, CACHE = (f"set COURSE_{name} to a folder that you may write to" for name in ("BUILD", "CACHE"))
OUT = f"name one that you may write to with --out, or {BUILD}"
ROOT = Path(__file__).resolve().parents[1]


def cache_dir() -> Path:
    """Folder of downloaded data and weights, outside the repository; COURSE_CACHE moves it."""
    return Path(os.environ.get("COURSE_CACHE") or platformdirs.user_cache_dir("llm-recommenders-course")).expanduser()


def build_dir() -> Path:
    """Folder of everything a run leaves behind; COURSE_BUILD moves it."""
    return Path(os.environ.get("COURSE_BUILD") or ROOT / "build" / "course").expanduser()


def make_dir(folder: Path, elsewhere: str = BUILD) -> Path:
    """Create ``folder``; where that is impossible, say so and how to write ``elsewhere``."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):  # the only honest test of "may I write here" (root ignores mode bits)
            return folder
    except OSError as error:
        raise disk_error(error, folder, elsewhere) from error


def disk_error(error: OSError, folder: Path, elsewhere: str) -> CourseError:
    """The sentence for a folder that cannot take a file; ``elsewhere`` says how to name another one."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return CourseError(f"The disk is full in {folder}: make room there, or {elsewhere}.")
    return CourseError(f"Cannot write ({error.strerror or error}) in {folder}: {elsewhere}.")


def write_atomic(path: Path, content: str | bytes, elsewhere: str = BUILD) -> None:
    """Write ``content`` to ``path`` whole or not at all: a reader never meets half a file.

    Half a character (a lone surrogate), which text from elsewhere may hold and no file can, becomes a question mark.
    """
    data = content.encode(errors="replace") if isinstance(content, str) else content
    make_dir(path.parent, elsewhere)
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(partial).chmod(0o644)  # mkstemp makes files that only their owner may read
        Path(partial).replace(path)
    except OSError as error:
        raise disk_error(error, path.parent, elsewhere) from error
    finally:
        Path(partial).unlink(missing_ok=True)
