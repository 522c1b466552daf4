"""Which cell of ours each code cell of a student's notebook is."""

from collections.abc import Sequence
from dataclasses import dataclass

from nbformat import NotebookNode

from course_lib.classroom.notebooks import Stored
from course_lib.classroom.release import CHECK, label_of, tagged


@dataclass(frozen=True)
class Ours:
    """A code cell of the edition. Each is one object, found by ``grade_id``, ``id`` or ``source``."""

    order: int
    kind: str
    name: str
    source: str
    id: str
    grade_id: str

    @property
    def words(self) -> str:
        """As a finding names it: "exercise 5.1"."""
        return f"{self.kind} {self.name}"


Pairs = Sequence[tuple[Stored, Ours | None]]  # None: a cell of the student's own


def our_cells(edition: NotebookNode) -> list[Ours]:
    """The code cells of the student ``edition`` of a lesson."""
    code = [cell for cell in edition.cells if cell.cell_type == "code"]
    labels = [label_of(cell) for cell in code if tagged(cell, "check")]
    names = {f"{kind}_{label.replace('.', '_')}": (kind, label) for label in labels for kind in ("exercise", "check")}
    ours = []
    for order, cell in enumerate(code):
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        kind, name = names.get(grade_id, ("lesson", cell.get("id", "")))
        ours.append(Ours(order, kind, name, cell.source, cell.get("id", ""), grade_id))
    return ours


def match(stored: Sequence[Stored], ours: Sequence[Ours]) -> Pairs:
    """Each stored cell with ours: by what cannot be edited in Jupyter; else, where a program lost that, by its text."""
    by_grade = {one.grade_id: one for one in ours if one.grade_id}
    by_id = {one.id: one for one in ours if one.id}
    by_text = {_bare(one.source): one for one in ours}
    found = [by_grade.get(cell.grade_id) or by_id.get(cell.id) or by_text.get(_bare(cell.source)) for cell in stored]
    calls = {one.name: one for one in ours if one.kind == "check" and one not in found}
    for i, cell in enumerate(stored):
        call = CHECK.match(cell.source.lstrip())
        if not found[i] and call:
            found[i] = calls.get(call[1])
    return list(zip(stored, found, strict=True))


def _bare(source: str) -> str:
    return "\n".join(line.rstrip() for line in source.strip().splitlines())


def same(one: Ours, cell: Stored) -> bool:
    """Whether a cell says what ours says, but for spaces at the end of a line."""
    return _bare(one.source) == _bare(cell.source)
