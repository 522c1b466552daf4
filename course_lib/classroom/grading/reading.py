"""Read what a student handed in: which cell is which, and what an instructor should look at."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from nbformat import NotebookNode

from course_lib.classroom.grading.cells import Ours, Pairs, match, our_cells, same
from course_lib.classroom.grading.reproduce import shown
from course_lib.classroom.notebooks import Stored, as_dict, as_text, clean, listed, parse, places, stored_cells, tags_of
from course_lib.classroom.report import opening

BANNER = "papermill-error-cell-tag"  # `course_lib.classroom.run` has it too, and takes a second to import
ASSIGNED = re.compile(r"^(\w+)[ \t]*(?::[^=\n]*)?=(?!=)[ \t]*(.*)$", re.MULTILINE)
ABOUT = {  # in what `Lesson.start` and `Lesson.finish` print
    "profile": r"^Lesson .*, profile (\w+)",
    "device": r"^Device +([^:\n]+)",
    "versions": r"^Versions +(.+)$",
    "seconds": r"^Done in ([\d.]+) s\b",
}


@dataclass(frozen=True)
class Cell:
    """A code cell: one of the lesson's, an exercise, a check, or the student's own."""

    kind: str  # "lesson", "exercise", "check" or "own"
    name: str  # of a lesson cell our id, of an exercise or a check its label ("5.1"), else empty
    source: str
    outputs: tuple[dict[str, Any], ...] = ()  # only what is text in them

    @property
    def shown(self) -> str:
        """What the stored outputs show as text."""
        return shown(self.outputs)


@dataclass(frozen=True)
class Reading:
    """A notebook handed in. Where ``problem`` says why nothing can be graded, there is nothing else."""

    problem: str
    cells: tuple[Cell, ...] = ()  # code cells, in the student's order
    findings: tuple[str, ...] = ()  # sentences for the instructor
    about: dict[str, str] = field(default_factory=dict)  # "device", "versions", "seconds", "profile", "Python"
    parameters: bool = False  # they are as handed out, and nothing was injected


def read(content: bytes, edition: NotebookNode) -> Reading:
    """What the notebook in ``content`` holds, compared with the student ``edition`` of its lesson. Raises nothing."""
    document, problem = parse(content)
    if problem:
        return Reading(problem)
    stored, odd = stored_cells(document["cells"])
    ours = our_cells(edition)
    kept = [cell for cell in stored if not {"injected-parameters", BANNER} & set(cell.tags)]
    pairs = match(kept, ours)
    if not any(one and one.kind != "lesson" for _, one in pairs):
        title = clean(opening(edition)[0], 80)
        return Reading(f"This is a notebook, but not lesson “{title}”: none of its exercises is in it.")
    injected = [cell for cell in stored if "injected-parameters" in cell.tags]
    changed = list(_parameter_findings(pairs, ours, injected))
    findings = [
        *odd,
        *changed,
        *_cell_findings(pairs, ours),
        *_answer_findings(pairs),
        *_run_findings(stored, document["cells"]),
    ]
    cells = tuple(
        Cell(one.kind, one.name, one.source if same(one, cell) else cell.source, cell.outputs)
        if one
        else Cell("own", "", cell.source, cell.outputs)
        for cell, one in pairs
    )
    return Reading("", cells, tuple(findings), _about(pairs, document), parameters=not changed)


def _parameter_findings(pairs: Pairs, ours: Sequence[Ours], injected: Sequence[Stored]) -> Iterator[str]:
    one = next((one for one in ours if one.grade_id == "parameters"), None)
    there = [cell for cell, found in pairs if found and found is one]
    if one and not there:
        yield "The cell of the parameters is missing."
    if len(there) > 1:
        yield f"Doubled: the parameters ({places(cell.number for cell in there)})."
    before = one.source if one else ""
    if edited := [cell for cell in there if one and not same(one, cell)]:
        changes = _changes(before, "\n".join(cell.source for cell in edited))
        yield f"Parameters edited ({places(cell.number for cell in edited)}): {changes}."
    if injected:
        changes = _changes(before, "\n".join([before, *(cell.source for cell in injected)]))
        yield f"Parameters injected, and left out here ({places(cell.number for cell in injected)}): {changes}."


def _changes(before: str, after: str) -> str:
    """What the source ``after`` sets otherwise than ``before``: "PROFILE is 'quick', was 'standard'"."""
    old, new = _values(before), _values(after)
    changes = [f"{name} is {value}, was {old[name]}" for name, value in new.items() if old.get(name, value) != value]
    changes += [f"{name} is gone" for name in old if name not in new]
    changes += [f"{name} is new, {value}" for name, value in new.items() if name not in old]
    return "; ".join(changes[:4]) or "their values are the same"


def _values(source: str) -> dict[str, str]:
    return {
        clean(name, 40): clean(re.sub(r"[ \t]+#.*", "", value[:200]), 40).replace('"', "'")
        for name, value in ASSIGNED.findall(source)
    }


def _cell_findings(pairs: Pairs, ours: Sequence[Ours]) -> Iterator[str]:
    at: dict[Ours, list[int]] = {}
    for cell, one in pairs:
        if one:
            at.setdefault(one, []).append(cell.number)
    lesson = [one for one in ours if one.kind == "lesson" and one.grade_id != "parameters"]
    graded = [one for one in ours if one.kind != "lesson"]
    if missing := [one.words for one in graded if one not in at]:
        yield f"Missing: {listed(missing)}."
    for one in graded:
        if len(at.get(one, ())) > 1:
            yield f"Doubled: {one.words} ({places(at[one])}); the last one counts."
    if doubled := [number for one in lesson for number in at.get(one, ())[1:]]:
        yield f"Lesson cells doubled: {places(doubled)}."
    edited = [(cell, one) for cell, one in pairs if one and one.kind != "exercise" and not same(one, cell)]
    if checks := [f"{one.words} (code cell {cell.number})" for cell, one in edited if one.kind == "check"]:
        yield f"Edited: {listed(checks)}."
    if numbers := [cell.number for cell, one in edited if one in lesson]:
        yield f"Lesson cells edited: {len(numbers)} ({places(numbers)})."
    if deleted := sum(one not in at for one in lesson):
        yield f"Lesson cells deleted: {deleted}."
    single = [(one.order, numbers[0]) for one, numbers in at.items() if len(numbers) == 1]
    if moved := [number for (before, _), (order, number) in pairwise(single) if order < before]:
        yield f"Our cells stand in another order, from code cell {moved[0]} on."
    if own := sum(one is None and bool(cell.source.strip()) for cell, one in pairs):
        yield f"Cells of the student's own: {own}."


def _answer_findings(pairs: Pairs) -> Iterator[str]:
    if marked := [cell.number for cell, _ in pairs if "### BEGIN SOLUTION" in cell.source]:
        yield f"Our solution marks are in {places(marked)}: was this made from the edition with solutions?"
    calls = [
        f"{one.words} (code cell {cell.number})"
        for cell, one in pairs
        if one and one.kind == "exercise" and "course_lib" in cell.source and "course_lib" not in one.source
    ]
    if calls:
        yield f"course_lib is used in the answer: {listed(calls)}."


def _run_findings(stored: Sequence[Stored], cells: Sequence[Any]) -> Iterator[str]:
    full = [cell for cell in stored if cell.source.strip()]
    ran = [(cell.count, cell.number) for cell in full if cell.count is not None]
    if not ran:
        yield "It was not run: no code cell has an execution number."
    elif never := [cell.number for cell in full if cell.count is None]:
        yield f"Never run: {places(never)}."
    for (before, earlier), (count, number) in pairwise(ran):
        if count <= before:
            yield f"Run out of order: code cell {number} is [{count}], code cell {earlier} before it is [{before}]."
            break
    errors = [
        f"code cell {cell.number} ({clean(output.get('ename', ''), 40) or 'without a name'})"
        for cell in stored
        for output in cell.outputs
        if output.get("output_type") == "error"
    ]
    if errors:
        yield f"Stopped with an error: {listed(errors)}."
    if any(BANNER in tags_of(cell) for cell in cells):
        yield "papermill's banner stands in it: its run has failed."


def _about(pairs: Pairs, document: Mapping[str, Any]) -> dict[str, str]:
    """What the outputs of the lesson's first and last cells tell of the run, and which Python the notebook names."""
    said = "\n".join(
        shown(cell.outputs)
        for cell, one in pairs
        if one and ("Lesson.start(" in one.source or "lesson.finish()" in one.source)
    )
    found = {name: re.search(pattern, said, re.MULTILINE) for name, pattern in ABOUT.items()}
    about = {name: clean(hit[1], 120) for name, hit in found.items() if hit}
    python = as_text(as_dict(as_dict(document.get("metadata")).get("language_info")).get("version"))
    return {name: words for name, words in (about | {"Python": clean(python, 20)}).items() if words}
