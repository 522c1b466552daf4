"""A lesson of a few cells with real exercises, for tests of what grades a class."""

from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course_lib.classroom.grading.results import Mark, Paper

LESSON = "00_tiny"
RIGHT = {
    "0.1": "def density(n_ratings, n_users, n_items):\n    return n_ratings / (n_users * n_items)",
    "0.2": "def most_popular(items, n):\n    return np.argsort(-np.bincount(items), kind='stable')[:n]",
    "0.3": "my_ndcg = (1 / np.log2(3) + 1 / np.log2(6)) / (1 + 1 / np.log2(3) + 1 / 2)",
}
STUBS = {
    "0.1": 'def density(n_ratings: int, n_users: int, n_items: int) -> float:\n    """A share."""',
    "0.2": 'def most_popular(items: np.ndarray, n: int) -> np.ndarray:\n    """Ids."""',
    "0.3": "my_ndcg = ...",
}
ANSWERS = {"0.1": "density", "0.2": "most_popular", "0.3": "my_ndcg"}
POINTS = {"0.1": 1, "0.2": 1, "0.3": 2}


def _exercise(label: str) -> NotebookNode:
    head, body = STUBS[label], RIGHT[label].splitlines()[-1]
    space = "    " if head.startswith("def") else ""
    source = f"{head}\n{space}### BEGIN SOLUTION\n{body}\n{space}### END SOLUTION"
    return new_code_cell(source, metadata={"tags": ["exercise"]})


def write_lesson(folder: Path) -> Path:
    """The lesson, with solutions, as it stands in ``notebooks``."""
    cells = [
        new_markdown_cell("# 00 · Tiny\n\nNothing but three exercises."),
        new_code_cell('PROFILE: str = "quick"\nSEED: int = 1\nDEVICE: str = "cpu"', metadata={"tags": ["parameters"]}),
        new_code_cell(
            "from types import SimpleNamespace\n\nimport numpy as np\nfrom course_lib.exercises import check\n\n"
            "lesson = SimpleNamespace(tolerance={'half': 0.02}, finish=lambda: None)",  # starts faster than a real one
            metadata={"tags": ["nbval-ignore-output"]},
        ),
        new_code_cell('print(f"Half of {SEED}: {SEED / 2:.3f}")'),
    ]
    for label in RIGHT:
        heading = f"### Exercise {label} · Title ({POINTS[label]} point{'s' * (POINTS[label] > 1)})"
        check = new_code_cell(f'check("{label}", {ANSWERS[label]})', metadata={"tags": ["check"]})
        cells += [new_markdown_cell(heading), _exercise(label), check]
    cells.append(new_code_cell("lesson.finish()", metadata={"tags": ["nbval-ignore-output"]}))
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    path = folder / f"{LESSON}.ipynb"
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def mark(paper: Paper, label: str) -> Mark:
    """The mark for one exercise."""
    return next(mark for mark in paper.marks if mark.label == label)
