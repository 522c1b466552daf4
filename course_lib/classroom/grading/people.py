"""Who a student is: the platform's id where there is one, else the name. Neither depends on who else hands in."""

import hashlib
import unicodedata
from dataclasses import dataclass
from functools import cached_property

from course_lib.classroom.notebooks import clean

RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}  # of Windows


@dataclass(frozen=True)
class Person:
    """A student, as the platform or the name of their folder calls them."""

    name: str
    id: str = ""  # the platform's; empty where it gives none

    @cached_property
    def key(self) -> tuple[str, str]:
        """What two people never share, and two spellings of one person do."""
        return (normal(self.id), "") if self.id.strip() else ("", normal(self.name))

    @cached_property
    def shown(self) -> str:
        """The name on one line; with a mark of its own where that leaves out what tells it from another name."""
        line = clean(unicodedata.normalize("NFC", self.name), 80)
        return line if line and (self.key[0] or normal(line) == normal(self.name)) else f"{line} ~{self._mark}".lstrip()

    @cached_property
    def label(self) -> str:
        """Name and id, for a person to read."""
        return f"{self.shown} #{clean(self.id, 40)}" if self.key[0] else self.shown

    @cached_property
    def folder(self) -> str:
        """The name of the folder of their pages: safe on every system, and nobody else's, whatever that one is called.

        Neither "#" nor "~" is left in a name, so no name can look like another one with an id or a mark.
        """
        name, number = safe(self.name, 60), self.key[0]
        if number:
            return f"{name or 'student'} #{number if safe(number, 40) == number else '~' + self._mark}"
        whole = safe(self.name, 80)
        plain = whole and normal(whole) == self.key[1] and self.key[1].partition(".")[0] not in RESERVED
        return whole if plain else f"{name or 'student'} ~{self._mark}"

    @cached_property
    def order(self) -> tuple[str, int, str]:
        """Sorts by name, and namesakes by number."""
        return self.shown, len(self.key[0]), self.key[0]

    @cached_property
    def _mark(self) -> str:
        return hashlib.sha256(repr(self.key).encode()).hexdigest()[:10]


def person(name: str, number: str = "") -> Person:
    """The person called ``name``, which may hold half characters, as names of files do that are not UTF-8."""
    whole = (text.encode("utf-8", "backslashreplace").decode() for text in (name, number))
    return Person(*whole)


def normal(name: str) -> str:
    """``name`` without what two spellings of one name differ in: composition, case, space."""
    composed = unicodedata.normalize("NFC", name)
    return " ".join(unicodedata.normalize("NFC", composed.casefold()).split())


def safe(name: str, most: int = 80) -> str:
    """``name`` as the name of a folder on every system: letters, digits and a few marks, at most ``most`` of them."""
    letters = unicodedata.normalize("NFC", clean(name, 2 * most))
    kept = "".join(c if c in " ._-'’()," or unicodedata.category(c)[0] in "LMN" else "_" for c in letters)
    cut = kept.lstrip(" .-'")[:most].encode()[: 2 * most].decode(errors="ignore")  # a file system counts bytes
    return cut.rstrip(" .")
