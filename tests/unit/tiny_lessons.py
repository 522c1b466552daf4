"""Lessons of a few lines, for tests of what runs lessons."""

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

OPENING = """# {title}

You will see a **picture** and `code`,
and a [link](https://example.org).

**Time**: none."""
PARAMETERS = """PROFILE: str = "standard"  # "quick", "standard" or "full"
SEED: int = 2026  # any whole number
DEVICE: str = "auto"  # "cpu"
FILMS: int = 3  # how many"""
FIGURES = """import json, os, pathlib
folder = pathlib.Path(os.environ["COURSE_BUILD"]) / "figures"
folder.mkdir(parents=True, exist_ok=True)
document = {{"lesson": "{name}", "profile": PROFILE, "seed": SEED, "device": "cpu", "figures": {{"films": FILMS}},
            "tolerance": {{"films": 0.02}}}}
(folder / "{name}.json").write_text(json.dumps(document))"""
PICTURE = """from IPython.display import Image, display
display(Image(bytes.fromhex("{png}"), format="png", alt="{alt}"))"""
PIXEL = (  # a whole PNG of one pixel
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
)


def write_lesson(folder: Path, name: str, *cells: str | nbformat.NotebookNode) -> Path:
    """A lesson with title, parameters and ``cells``: source of code, markdown if it starts with ``## ``, or a cell."""
    content = [
        new_markdown_cell(OPENING.format(title=f"{name.split('_')[0]} · {name}")),
        new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
    ]
    for cell in cells:
        if isinstance(cell, str):
            cell = new_markdown_cell(cell) if cell.startswith("## ") else new_code_cell(cell)
        content.append(cell)
    content.append(new_code_cell(FIGURES.format(name=name)))
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=content, metadata={"kernelspec": kernel}), folder / f"{name}.ipynb")
    return folder / f"{name}.ipynb"


def picture(alt: str, *tags: str) -> nbformat.NotebookNode:
    """A cell that shows a picture."""
    return new_code_cell(PICTURE.format(png=PIXEL, alt=alt), metadata={"tags": list(tags)} if tags else {})
