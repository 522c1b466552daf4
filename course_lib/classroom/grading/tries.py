"""Which cells of a notebook may hold the answer to an exercise: its own first, then all that the student wrote."""

import ast
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from course_lib.classroom.grading.reading import Cell
from course_lib.classroom.release import CHECK

COSTLY = 1.0  # seconds: a lesson's cell that takes longer, and is as handed out, has run already


@dataclass(frozen=True)
class Try:
    """Numbers of cells that run in this order; ``check``: one of them calls the check and says what the answer is."""

    cells: tuple[int, ...]
    check: bool = False


def tries(
    cells: Sequence[Cell], label: str, handed_out: Mapping[str, str], costly: Collection[str], promised: bool
) -> list[Try]:
    """The ways to run the answer to exercise ``label``, in the order in which they are tried until one is right.

    First the exercise's own cells alone, on the lesson as handed out; then with all that the student wrote up to its
    check, at its place, edited cells of the lesson as well. If ``promised``, since the notebook's check said that the
    answer is right, then also with the lesson's other cells from the first of these on, as if the notebook ran from the
    top: all but the ``costly`` ones. handed_out: {id of a lesson's cell, or label of a check: its source}.
    """
    own = [i for i, cell in enumerate(cells) if (cell.kind, cell.name) == ("exercise", label)]
    end = _end(cells, label, own)
    until = range(end + 1)
    edited = {i for i in until if cells[i].kind == "lesson" and cells[i].source != handed_out.get(cells[i].name)}
    check = cells[end].kind == "check" and cells[end].source != handed_out.get(label) and _parses(cells[end].source)
    theirs = {i for i in until if cells[i].kind in ("own", "exercise") or i in edited or (i == end and check)}
    asks = check or cells[end].kind == "own" if cells else False
    found = [Try(tuple(own))] if own and not check else []
    found.append(Try(tuple(i for i in until if i in theirs), asks))
    if promised and theirs:
        rest = {i for i in until if i > min(theirs) and cells[i].kind == "lesson" and cells[i].name not in costly}
        found.append(Try(tuple(i for i in until if i in theirs or i in rest), asks))
    if own and check:
        found.append(Try(tuple(own)))
    return list(dict.fromkeys(found))


def _end(cells: Sequence[Cell], label: str, own: Sequence[int]) -> int:
    """The number of the last cell that answers or checks the exercise, wherever it stands; else of the last cell."""
    checks = [i for i, cell in enumerate(cells) if (cell.kind, cell.name) == ("check", label)]
    checks += [i for i, cell in enumerate(cells) if cell.kind == "own" and label in CHECK.findall(cell.source)]
    return max([*own, *checks], default=len(cells) - 1)


def _parses(source: str) -> bool:
    try:
        return bool(ast.parse(source).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
