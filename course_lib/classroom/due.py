"""Which lessons have to run again: those whose code, library, data or packages changed since their outputs were stored.

``python -m course_lib.classroom.due`` names the notebooks that `make test` runs in standard: those of the core, and the
deeper ones that are due; with ``--all`` all of them. `course run --update` stores the fingerprints.
"""

import ast
import hashlib
import json
import sys
from functools import cache
from pathlib import Path

from course_lib.classroom.notebooks import read_notebook
from course_lib.paths import ROOT

STORED = Path("tests", "notebooks", "expected", "fingerprints.json")
LIBRARY = Path(__file__).resolve().parents[1]


def is_core(lesson: Path) -> bool:
    """Whether everybody takes it: 02 is of the core, 02b goes deeper."""
    return lesson.stem.split("_")[0].isdecimal()


def due(root: Path = ROOT) -> list[Path]:
    """The notebooks of the repository at ``root`` to run in standard: the core, and what has changed."""
    stored = read_fingerprints(root)
    lessons = sorted((root / "notebooks").glob("[0-9]*.ipynb"))
    return [one for one in lessons if is_core(one) or stored.get(one.stem) != fingerprint(one, root)]


def read_fingerprints(root: Path) -> dict[str, str]:
    """{lesson: its fingerprint when its outputs were stored}."""
    path = root / STORED
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def fingerprint(lesson: Path, root: Path = ROOT) -> str:
    """A hash of all that the outputs of ``lesson`` depend on: comments, docstrings and text do not count."""
    code = "\n".join(cell.source for cell in read_notebook(lesson).cells if cell.cell_type == "code")
    found = hashlib.sha256(code.encode())
    todo, seen = _imports(code), set()
    while todo:
        module = todo.pop()
        if module not in seen:
            seen.add(module)
            todo |= _of_module(module)[1] - seen
    for module in sorted(seen):
        found.update(_of_module(module)[0].encode())
    for path in (root / "requirements.lock", *sorted((root / "datasets").glob("*.*[vl]"))):
        found.update(path.read_bytes() if path.exists() else b"")
    return found.hexdigest()


@cache
def _of_module(path: Path) -> tuple[str, frozenset[Path]]:
    """A module's code without comments and docstrings, and the modules of the course that it imports."""
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node
        ):
            del node.body[0]
    return ast.unparse(tree), frozenset(_imports(source))


def _imports(source: str) -> set[Path]:
    """Files of the modules of the course that ``source`` imports, wherever in it, and of the packages they are in."""
    names: set[str] = set()
    lines = [line for line in source.splitlines() if not line.lstrip().startswith(("%", "!"))]
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    found = set()
    for name in names:
        head, *parts = name.split(".")
        for end in range(len(parts) + 1) if head == LIBRARY.name else ():
            place = LIBRARY.joinpath(*parts[:end])
            found |= {path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()}
    return found


if __name__ == "__main__":
    chosen = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")) if "--all" in sys.argv[1:] else due()
    print(*(path.relative_to(ROOT).as_posix() for path in chosen), sep="\n")
