"""A lesson runs again exactly where something that its outputs depend on has changed."""

import json

import nbformat
import pytest
from tiny_lessons import write_lesson

from course_lib.classroom import due as module
from course_lib.classroom.due import STORED, due, fingerprint
from course_lib.paths import ROOT

SOURCES = {
    "course_lib/__init__.py": "",
    "course_lib/a.py": '"""Of a."""\nfrom course_lib import b\n\nVALUE = b.VALUE  # one\n',
    "course_lib/b.py": "def value():\n    'Of a value.'\n    return 1\n\n\nVALUE = value()\n",
    "course_lib/c.py": "VALUE = 3\n",
    "course_lib/room/__init__.py": "from course_lib.c import VALUE\n",
    "course_lib/room/d.py": "",
    "requirements.lock": "numpy==2.4.6\n",
    "datasets/films.csv": "id\n1\n",
    "datasets/sources.toml": "[films]\n",
    "datasets/films.md": "Films.\n",
}


@pytest.fixture
def root(tmp_path, monkeypatch):
    for name, text in SOURCES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(module, "LIBRARY", tmp_path / "course_lib")
    write_lesson(tmp_path / "notebooks", "03_core", "import course_lib.c")
    write_lesson(
        tmp_path / "notebooks", "03b_deeper", "## 1 · Text", "%matplotlib inline\nfrom course_lib.a import VALUE\nVALUE"
    )
    stamp(tmp_path)
    return tmp_path


def stamp(root):
    module._of_module.cache_clear()
    prints = {path.stem: fingerprint(path, root) for path in (root / "notebooks").glob("*.ipynb")}
    (root / STORED).parent.mkdir(parents=True, exist_ok=True)
    (root / STORED).write_text(json.dumps(prints))


def names(root):
    module._of_module.cache_clear()
    return [path.stem for path in due(root)]


def test_the_core_is_always_due_and_the_rest_where_it_was_never_stored(root):
    assert names(root) == ["03_core"]
    (root / STORED).unlink()
    assert names(root) == ["03_core", "03b_deeper"]


@pytest.mark.parametrize(
    ("name", "old", "new", "again"),
    [
        ("course_lib/a.py", "# one", "# another comment", False),
        ("course_lib/a.py", "Of a.", "Another docstring.", False),
        ("course_lib/b.py", "return 1", "return 2", True),  # imported by what it imports
        ("course_lib/c.py", "VALUE = 3", "VALUE = 4", False),
        ("course_lib/__init__.py", "", "X = 1\n", True),
        ("requirements.lock", "2.4.6", "2.4.7", True),
        ("datasets/films.csv", "1", "2", True),
        ("datasets/sources.toml", "films", "film", True),
        ("datasets/films.md", "Films", "Film", False),
    ],
)
def test_what_the_outputs_depend_on_makes_a_lesson_due_and_nothing_else(root, name, old, new, again):
    path = root / name
    path.write_text(path.read_text().replace(old, new, 1) if old else new)
    assert names(root) == ["03_core", "03b_deeper"][: 1 + again]


@pytest.mark.parametrize(("kind", "again"), [("markdown", False), ("code", True)])
def test_a_lessons_own_text_makes_it_not_due_and_its_code_does(root, kind, again):
    path = root / "notebooks/03b_deeper.ipynb"
    notebook = nbformat.read(path, as_version=4)
    next(cell for cell in reversed(notebook.cells) if cell.cell_type == kind).source += "\nVALUE + 1"
    nbformat.write(notebook, path)
    assert names(root) == ["03_core", "03b_deeper"][: 1 + again]


def test_a_package_that_is_imported_counts_with_what_it_imports(root):
    write_lesson(root / "notebooks", "03b_deeper", "from course_lib.room import d")
    stamp(root)
    (root / "course_lib/c.py").write_text("VALUE = 9\n")
    assert names(root) == ["03_core", "03b_deeper"]


def test_each_lesson_of_the_course_depends_on_its_protocol_and_not_on_the_classroom():
    for lesson in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        code = "\n".join(c.source for c in nbformat.read(lesson, as_version=4).cells if c.cell_type == "code")
        found = {path.relative_to(ROOT / "course_lib").as_posix() for path in module._imports(code)}
        assert "lesson.py" in found and not [path for path in found if path.startswith("classroom")]
