"""The folder of a class's grades: which class it is of, and what in it grading has made and may replace or delete."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from course_lib.classroom.grading.people import Person, person
from course_lib.classroom.grading.results import Paper, load
from course_lib.errors import CourseError
from course_lib.paths import OUT, write_atomic

GENERATOR = '<meta name="generator" content="course grade">'  # in all pages
FROM = "papers/graded_from.txt"  # where the class lies whose grades these are


def class_folder(base: Path, place: Path) -> Path:
    """Where in ``base`` the grades of the class in ``place`` belong: a folder of the same name.

    Raises CourseError where that holds the grades of a class that lies elsewhere.
    """
    folder = base / person(place.name.removesuffix(".zip") or "class").folder
    try:
        earlier = (folder / FROM).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return folder
    if earlier != _line(place):
        raise CourseError(
            f"{folder} holds the grades of another class, {earlier}: give this one a folder with --out, or delete that."
        )
    return folder


def claim(folder: Path, place: Path) -> None:
    """Make ``folder`` that of the class in ``place``. Raises CourseError where a foreign file is in the way."""
    for name, sign in (("grades.csv", "student,id,"), ("report.html", GENERATOR)):
        path = folder / name
        if path.exists() and sign not in _beginning(path):
            raise CourseError(f"{path} is no file of grading's, and is not replaced: name another folder with --out.")
    write_atomic(folder / FROM, _line(place) + "\n", OUT)


def _line(place: Path) -> str:
    return " ".join(str(place).encode("utf-8", "replace").decode().split())


def _beginning(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(2000).decode("utf-8", "replace")
    except OSError:
        return ""


def renamed(folder: Path, people: Iterable[Person]) -> Iterator[str]:
    """A sentence for each of ``people`` with an id who bore another name when this class was graded the last time."""
    by_id = {who.folder.rpartition(" #")[2]: who for who in people if who.key[0]}
    for old in sorted(folder.glob("papers/* #*")):
        now = by_id.get(old.name.rpartition(" #")[2])
        papers = [] if now is None or now.folder == old.name else list(filter(None, map(_paper, old.glob("*.json"))))
        if now and papers and papers[0].person.key == now.key:
            yield f"{now.label} was called {papers[0].person.shown} when this class was last graded."


def remove_others(folder: Path, kept: Iterable[Path]) -> None:
    """Delete the pages and papers in ``folder`` that are not among ``kept``, but none that grading has not made."""
    by_name = {str(path).casefold(): path for path in kept}
    for kind, is_ours in (("feedback/*/*.html", _is_page), ("papers/*/*.json", _paper)):
        for path in sorted(folder.glob(kind)):
            same = by_name.get(
                str(path).casefold()
            )  # on a disk that does not tell "Ada" from "ada" one file has two names
            if same and (same == path or (same.exists() and path.samefile(same))):
                continue
            if path.is_symlink() or path.parent.is_symlink() or not is_ours(path):
                continue
            path.unlink()
            if not any(path.parent.iterdir()):
                path.parent.rmdir()


def _is_page(path: Path) -> bool:
    return GENERATOR in _beginning(path)


def _paper(path: Path) -> Paper | None:
    try:
        return load(path)
    except CourseError:
        return None
