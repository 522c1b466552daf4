"""The class on one page: scores, hardest exercises, common mistakes, likely copies, and who needs a look by hand."""

import base64
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from course_lib.classroom.grading.copies import Pair
from course_lib.classroom.grading.feedback import ENVIRONMENT, NOT_GRADED, TROUBLE, share, title_of
from course_lib.classroom.grading.people import Person
from course_lib.classroom.grading.results import Paper
from course_lib.paths import write_atomic
from course_lib.plots import COLOURS, use_style

QUIET = (  # findings that are common and harmless: they stay in the paper, and nobody has to look
    "Cells of the student's own",
    "It was not run",
    "Never run",
    "Run out of order",
    "Stopped with an error",
    "papermill's banner",
)
HARDEST = 15  # exercises in the picture
COMMON = 40  # mistakes in the table
BINS = 10
WIDTH = 5.6  # inches of a picture: narrow, so that its words can be read on a phone too


def write_report(
    papers: Sequence[Paper],
    copies: Sequence[Pair],
    problems: Sequence[str],
    folder: Path,
    titles: Mapping[str, str] | None = None,
    without: Sequence[Person] = (),
) -> Path:
    """Write ``folder``/report.html about the whole class; returns the file.

    problems: sentences about what could not be collected or merged. titles: {lesson: title}, as in `write_feedback`.
    without: students of whom nothing could be graded.
    """
    names = {lesson: title_of(lesson, titles or {}) for lesson in sorted({paper.lesson for paper in papers})}
    exercises = exercise_table(papers)
    looks = [(paper, reasons) for paper in papers if (reasons := needs_look(paper, copies))]
    mean = 100 * float(np.mean([share(paper) for paper in papers])) if papers else 0.0
    pictures = [picture(*drawn) for drawn in (draw_scores(papers, names), draw_hardest(exercises))] if papers else []
    page = ENVIRONMENT.get_template("class_report.html.j2").render(
        n_students=len({paper.person.key for paper in papers} | {who.key for who in without}),
        n_papers=len(papers),
        mean=mean,
        looks=sorted(looks, key=lambda look: (look[0].person.order, look[0].lesson)),
        pictures=pictures,
        exercises=exercises.to_dict("records"),
        mistakes=common_mistakes(papers)[:COMMON],
        copies=sorted(copies, key=lambda pair: (-pair.likeness, pair.lesson, pair.student_a, pair.student_b)),
        students=student_table(papers, list(names), {(paper.person.key, paper.lesson) for paper, _ in looks}),
        without=sorted(without, key=lambda who: who.order),
        not_graded=NOT_GRADED,
        worth={lesson: max(paper.of for paper in papers if paper.lesson == lesson) for lesson in names},
        names=names,
        machines=machines(papers),
        problems=problems,
        link=link,
    )
    path = folder / "report.html"
    write_atomic(path, page)
    return path


def needs_look(paper: Paper, copies: Sequence[Pair]) -> list[str]:
    """Why a person should look at ``paper``; empty if there is no need. What a person has marked is settled."""
    marks = [mark for mark in paper.marks if not mark.by_hand]
    reasons = [f"Exercise {mark.label}: {mark.finding}" for mark in marks if mark.finding]
    reasons += [] if paper.done else ["Its grading was interrupted."]
    for kind in dict.fromkeys(mark.trouble for mark in marks):
        told = kind in ("", "error") or (kind == "missing" and paper.findings)  # a plain mistake; a finding tells it
        labels = [mark.label for mark in marks if mark.trouble == kind]
        if not told:  # of whatever kind: a kind of trouble that has no words here needs a look all the same
            reasons.append(f"The answer to {', '.join(labels)} {TROUBLE.get(kind, f'had to be stopped ({kind})')}.")
    reasons += [finding for finding in paper.findings if not finding.startswith(QUIET)]
    if paper.reproduces == "no":
        more = f" (and {len(paper.differences) - 1} more)" if len(paper.differences) > 1 else ""
        reasons.append(f"Its outputs are not those of the replay: {'; '.join(paper.differences[:1])}{more}.")
    for pair in copies:
        if pair.lesson == paper.lesson and paper.person.folder in (pair.student_a, pair.student_b):
            other = pair.student_b if paper.person.folder == pair.student_a else pair.student_a
            reasons.append(f"Alike to {other}'s in {', '.join(pair.exercises)} ({pair.likeness:.0%}).")
    return reasons


def exercise_table(papers: Sequence[Paper]) -> pd.DataFrame:
    """One row an exercise, the hardest first: label, lesson, share of the points earned, and how many students have it
    right, partly or wholly wrong, and unsolved."""
    columns = ["label", "lesson", "share", "right", "wrong", "unsolved", "students"]
    rows: dict[str, dict[str, Any]] = {}
    for paper in papers:
        for mark in paper.marks:
            row = rows.setdefault(
                mark.label,
                dict.fromkeys(columns, 0) | {"label": mark.label, "lesson": paper.lesson, "points": 0.0, "of": 0},
            )
            row[{"✔": "right", "○": "unsolved"}.get(mark.mark, "wrong")] += 1
            row["students"] += 1
            row["points"] += mark.points
            row["of"] += mark.of
    table = pd.DataFrame(rows.values(), columns=[*columns, "points", "of"])
    table["share"] = table["points"] / table["of"].clip(lower=1)
    return table[columns].sort_values(["share", "label"], ignore_index=True)


def common_mistakes(papers: Sequence[Paper]) -> list[tuple[str, str, int]]:
    """(exercise, advice against the known mistake, students who made it), the most common first."""
    counts = Counter((mark.label, mark.mistake) for paper in papers for mark in paper.marks if mark.mistake)
    return [(label, advice, n) for (label, advice), n in sorted(counts.items(), key=lambda one: (-one[1], one[0]))]


def student_table(
    papers: Sequence[Paper], lessons: Sequence[str], looks: set[tuple[tuple[str, str], str]]
) -> list[tuple[Person, list[tuple[Paper | None, float, bool]], float]]:
    """For each student, by name: the paper of each of ``lessons`` (None if not handed in), its share of points and
    whether it is among ``looks``; then the total of points."""
    found = {(paper.person.key, paper.lesson): paper for paper in papers}
    table = []
    for who in sorted({paper.person.key: paper.person for paper in papers}.values(), key=lambda who: who.order):
        row = [found.get((who.key, lesson)) for lesson in lessons]
        cells = [
            (paper, share(paper) if paper else 0.0, bool(paper and (who.key, paper.lesson) in looks)) for paper in row
        ]
        table.append((who, cells, sum(paper.points for paper in row if paper)))
    return table


def machines(papers: Sequence[Paper]) -> list[tuple[str, list[tuple[str, int]]]]:
    """On what the notebooks ran, as they tell: ("device", [("cpu", 12), ...]), ..., the most common first."""
    kinds = ("device", "profile", "versions")
    told = {kind: Counter(paper.about[kind] for paper in papers if kind in paper.about) for kind in kinds}
    return [(kind, counts.most_common(10)) for kind, counts in told.items() if counts]


def link(folder: str, lesson: str) -> str:
    """Where the feedback page is, as the report's links say it. folder: the student's."""
    return f"feedback/{quote(folder, safe='')}/{quote(lesson, safe='')}.html"


# -- pictures ----------------------------------------------------------------------------------------------------------


def draw_scores(papers: Sequence[Paper], names: Mapping[str, str]) -> tuple[str, str, Callable[[Figure], None]]:
    """Title, alt text and the drawing of how many students earned what share of a lesson's points, a strip a lesson."""
    shares = {lesson: np.array([share(p) for p in papers if p.lesson == lesson]) for lesson in names}
    alt = "Distribution of scores in each lesson. " + " ".join(
        f"{names[lesson]}: {len(values)} notebooks, median {np.median(values):.0%} of the points."
        for lesson, values in shares.items()
    )

    def draw(figure: Figure) -> None:
        figure.set_size_inches(WIDTH, 0.7 + 1.0 * len(shares))
        rows = figure.subplots(len(shares), sharex=True, squeeze=False)[:, 0]
        for axes, (lesson, values) in zip(rows, shares.items(), strict=True):
            counts, _ = np.histogram(values, bins=BINS, range=(0, 1))
            axes.bar((np.arange(BINS) + 0.5) / BINS, counts, width=0.92 / BINS, color=COLOURS[0])
            axes.axvline(float(np.median(values)), color=COLOURS[1], lw=2.5)
            name = names[lesson] if len(names[lesson]) <= 55 else names[lesson][:54] + "…"
            axes.set_title(name, fontsize=11, parse_math=False, pad=18)
            told = f"{len(values)} notebook{'s' * (len(values) != 1)}, median {np.median(values):.0%} of the points"
            axes.annotate(told, (0, 1), (0, 4), "axes fraction", "offset points", fontsize=10)
            axes.set(yticks=[], ylim=(0, max(counts) * 1.05), xlim=(0, 1))
            axes.spines["left"].set_visible(False)
            axes.grid(visible=False)
        rows[-1].xaxis.set_major_formatter("{x:.0%}")
        rows[-1].set_xticks(np.linspace(0, 1, 6), [f"{x:.0%}" for x in np.linspace(0, 1, 6)])
        rows[-1].set_xlabel("share of the points; the line is the median")

    return "Scores, lesson by lesson", alt, draw


def draw_hardest(exercises: pd.DataFrame) -> tuple[str, str, Callable[[Figure], None]]:
    """Title, alt text and the drawing of the hardest exercises: who has them right, wrong, unsolved."""
    rows = exercises.head(HARDEST)
    alt = "The exercises with the smallest share of points. " + " ".join(
        f"{row.label}: {row.share:.0%} of the points, {row.unsolved} of {row.students} students did not solve it."
        for row in rows.itertuples()
    )

    def draw(figure: Figure) -> None:
        figure.set_size_inches(WIDTH, 1.3 + 0.34 * len(rows))
        axes = figure.subplots()
        left = np.zeros(len(rows))
        looks = {"right": (COLOURS[0], "white"), "wrong": (COLOURS[4], "black"), "unsolved": ("#d5dbe1", "black")}
        for kind, (colour, ink) in looks.items():
            width = (rows[kind] / rows["students"]).to_numpy()
            bars = axes.barh(rows["label"], width, left=left, color=colour, label=kind)
            words = [str(n) if w >= 0.06 else "" for n, w in zip(rows[kind], width, strict=True)]
            axes.bar_label(bars, words, label_type="center", color=ink, fontsize=9)
            left += width
        for y, value in enumerate(rows["share"]):
            axes.annotate(f"{value:.0%}", (1.02, y), va="center", fontsize=10, annotation_clip=False)
        axes.annotate("points", (1.02, -0.8), va="center", fontsize=10, annotation_clip=False)
        axes.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5), xticks=[], xlabel="number of students with such an answer")
        axes.spines["bottom"].set_visible(False)
        axes.grid(visible=False)
        figure.legend(loc="outside upper left", ncols=3, fontsize=10)

    return f"The {len(rows)} hardest exercises" if len(rows) > 1 else "The hardest exercise", alt, draw


def picture(title: str, alt: str, draw: Callable[[Figure], None]) -> dict[str, str]:
    """What the page needs to show a drawing: its title, alt text and PNG."""
    png = io.BytesIO()
    with rc_context({"figure.constrained_layout.h_pad": 0.08}):
        use_style()
        figure = Figure()
        draw(figure)
        figure.savefig(png, format="png", dpi=180, metadata={"Software": None})
    return {"title": title, "alt": alt, "png": base64.b64encode(png.getvalue()).decode()}
