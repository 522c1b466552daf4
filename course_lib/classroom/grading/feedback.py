"""A page for each student and lesson: what was right, what was not and why, in a file that needs nothing else."""

from collections.abc import Mapping
from pathlib import Path

import jinja2

from course_lib.classroom.grading.results import Paper
from course_lib.paths import write_atomic

ENVIRONMENT = jinja2.Environment(loader=jinja2.PackageLoader("course_lib.classroom"), autoescape=True)
MOST = 5  # differences of outputs that a page lists
TROUBLE = {
    "time": "took longer than allowed",
    "budget": "came after the time for the whole lesson was used up",
    "memory": "needed more memory than allowed",
    "output": "printed more than allowed",
    "died": "ended its process",
    "error": "stops with an error",
    "missing": "is not in the notebook",
}


def write_feedback(paper: Paper, folder: Path, titles: Mapping[str, str] | None = None) -> Path:
    """Write what ``paper`` has for its student to ``folder``/STUDENT/LESSON.html; returns the file.

    titles: {lesson: title}; a lesson that is not in it goes by its file's name. Findings stay with the instructor.
    """
    words = {mark.words for mark in paper.marks}
    problem = next((finding for finding in paper.findings if words == {finding}), "")  # nothing could be read
    page = ENVIRONMENT.get_template("feedback.html.j2").render(
        paper=paper,
        title=title_of(paper.lesson, titles or {}),
        share=round(100 * share(paper), 1),
        problem=problem,
        trouble=TROUBLE,
        most=MOST,
    )
    path = folder / paper.student / f"{paper.lesson}.html"
    write_atomic(path, page)
    return path


def title_of(lesson: str, titles: Mapping[str, str]) -> str:
    """The title of ``lesson``, else its name made readable: "05 · q learning bandits"."""
    number, _, name = lesson.partition("_")
    return titles.get(lesson) or " · ".join(filter(None, [number, name.replace("_", " ")]))


def share(paper: Paper) -> float:
    """Points earned as a share of those there were, from 0 to 1."""
    return paper.points / paper.of if paper.of else 0.0
