"""The repository agrees with itself: versions, direction of imports, notebooks, the README's table."""

import ast
import graphlib
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from course_lib.classroom.doctor import locked
from course_lib.classroom.update import BEGIN, END, lesson_table
from course_lib.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "course_lib").rglob("*.py"))
}
# From the ground up: a room may call its own floor and those below; no circle on a floor either.
FLOORS = [
    ("errors", "inputs", "machine", "paths", "kind_errors", "stale", "etc"),
    ("device", "data"),
    ("plots", "exercises", "evaluation", "text", "ranking", "bandits", "lesson"),
    ("classroom", "__main__"),
]


def pins(requirements: list[str]) -> dict[str, str]:
    """{package: version} of requirements that are all pinned."""
    parsed = [Requirement(text) for text in requirements]
    assert all(len(r.specifier) == 1 and str(r.specifier).startswith("==") for r in parsed)
    return {canonicalize_name(r.name): str(r.specifier)[2:] for r in parsed}


def imports(path: Path) -> set[str]:
    """Every module that the file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names} & MODULES.keys()
    return found


def test_direct_dependencies_have_one_version_in_project_lock_and_conda_environment():
    direct, lock = pins(PROJECT["dependencies"]), locked(ROOT / "requirements.lock")
    assert direct.items() <= lock.items()
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    (by_pip,) = [entry["pip"] for entry in conda if isinstance(entry, dict)]
    assert pins(by_pip) == {name: version for name, version in direct.items() if name != "torch"}
    assert (
        f"pytorch={direct['torch']}=cpu*" in conda and "python=3.11" in conda and {"pip", "make"} <= {*map(str, conda)}
    )


def test_test_tools_have_one_version_in_project_and_lock():
    tools, lock = pins(PROJECT["optional-dependencies"]["test"]), locked(ROOT / "requirements-test.lock")
    assert tools.items() <= lock.items()
    assert not lock.keys() & locked(ROOT / "requirements.lock").keys()


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-test.lock"])
def test_lock_holds_plain_pins_and_nothing_of_the_machine_that_made_it(name):
    lines = [line for line in (ROOT / name).read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9._-]+==[0-9][0-9a-z.]*", line) for line in lines)
    assert not [line for line in lines if re.match(r"nvidia|cuda|triton", line)]


def test_every_package_that_the_library_imports_is_a_direct_dependency():
    direct = pins(PROJECT["dependencies"]).keys() | pins(PROJECT["optional-dependencies"]["cluster"]).keys()
    of_module = importlib.metadata.packages_distributions()
    for path in MODULES.values():
        for name in {module.split(".")[0] for module in imports(path)} - sys.stdlib_module_names - {"course_lib"}:
            assert {canonicalize_name(package) for package in of_module[name]} & direct, f"{name} in {path}"


def test_imports_run_downwards():
    floor = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
    for module, path in MODULES.items():
        if module == "course_lib":
            continue
        for other in imports(path):
            if other.startswith("course_lib."):
                assert floor[other.split(".")[1]] <= floor[module.split(".")[1]], f"{module} imports {other}"


def test_no_circle_among_modules_nor_among_rooms():
    below = {module: imports(path) & MODULES.keys() - {module, "course_lib"} for module, path in MODULES.items()}
    graphlib.TopologicalSorter(below).prepare()  # raises CycleError
    rooms: dict[str, set[str]] = {}
    for module, others in below.items():
        room = ".".join(module.split(".")[:2])
        rooms.setdefault(room, set()).update(
            {".".join(other.split(".")[:2]) for other in others} - {room, "course_lib"}
        )
    graphlib.TopologicalSorter(rooms).prepare()


def test_library_knows_no_notebook():
    names = [path.stem for path in NOTEBOOKS]
    assert not [(path, name) for path in MODULES.values() for name in names if name in path.read_text()]


def test_no_file_of_the_library_is_two_rooms():
    assert not [path for path in MODULES.values() if len(path.read_text().splitlines()) > 300]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_valid_free_of_errors_and_of_folders_of_some_machine(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert output.output_type != "error"
            assert not (output.output_type == "stream" and output.name == "stderr"), output.text
        text = json.dumps({key: value for key, value in cell.items() if key != "attachments"})
        text = re.sub(r'"image/png": "[^"]*"', "", text)
        assert not re.search(r"(?<![\w.:/])/(home|root|tmp|work|Users|opt|usr)/|[A-Z]:\\\\", text), cell.source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_has_the_frame_of_a_lesson(path):
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    title = notebook.cells[0].source.splitlines()[0]
    assert re.fullmatch(rf"# {path.stem.split('_')[0]} · \S.*", title)
    assert "parameters" in code[0].metadata.get("tags", [])
    for name in ("PROFILE", "SEED", "DEVICE"):
        assert re.search(rf"^{name}\b.*=", code[0].source, re.MULTILINE)
    assert f'"{path.stem}"' in code[1].source and "Lesson.start" in code[1].source
    assert "lesson.finish()" in code[-1].source
    assert "papermill" not in notebook.metadata and not [
        c for c in code if "injected-parameters" in c.metadata.get("tags", [])
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_stored_as_one_run_from_top_to_bottom(path):
    counts = [cell.execution_count for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1)), "store it with: course run --update"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_picture_has_words_for_people_who_hear_it(path):
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                assert len(output.metadata["image/png"].get("alt", "").split()) >= 5, cell.source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_cell_shows_a_number_with_all_its_digits(path):
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            shown = output.get("data", {}).get("text/plain", "")
            assert not re.fullmatch(r"-?\d+\.\d{6,}", shown), f"{shown}: record before you print"


def test_readme_table_is_the_committed_summary_of_a_measured_run():
    summary = json.loads((ROOT / "tests/notebooks/expected/summary.json").read_text())
    assert [entry["lesson"] for entry in summary] == [path.stem for path in NOTEBOOKS]
    readme = (ROOT / "README.md").read_text()
    assert readme.split(BEGIN)[1].split(END)[0].strip() == lesson_table(summary, ROOT / "notebooks")


def test_measured_run_keeps_the_limits_of_two_cores():
    summary = json.loads((ROOT / "tests/notebooks/expected/summary.json").read_text())
    assert all(entry["cores"] == 2 for entry in summary)
    assert all(entry["seconds"] <= 180 and entry["peak_rss_mb"] <= 2_000 for entry in summary)
    large = {entry["lesson"].split("_")[0] for entry in summary if entry["peak_rss_mb"] > 1_500}
    assert large <= {"02", "02b", "02c", "02d", "06"}  # may only shrink: 1,500 MB leave room for a browser on Binder
    core = [entry for entry in summary if entry["lesson"].split("_")[0].isdecimal()]  # 02b and the like go beyond it
    assert len(core) == 7 and sum(entry["seconds"] for entry in core) <= 720


def make(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """``make`` in a copy of what it needs to begin, with a pip that knows no index but those of ``variables``."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "requirements-test.lock"):
        (folder / name).write_text((ROOT / name).read_text())
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "MAKE", "MFLAGS"))}
    settings = {"PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0", **variables}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=clean | settings, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("target", ["course", "test"])
def test_make_without_network_on_the_first_run_ends_in_one_sentence(tmp_path, target):
    done = make(tmp_path, target, f"PYTHON={sys.executable}", PIP_INDEX_URL="http://127.0.0.1:9/simple")
    said = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("make")]
    assert done.returncode == 2
    assert said[-1].startswith("The packages could not be installed") and "connect to the network" in said[-1]
    assert said[-3].startswith("ERROR: Could not find a version") and len(said) <= 5
    assert not list((tmp_path / ".venv").glob("course"))


def test_make_with_another_python_says_which_one_it_needs(tmp_path):
    other = tmp_path / "python3.9"
    other.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.1"\nexit 1\n')
    other.chmod(0o755)
    done = make(tmp_path, "course", f"PYTHON={other}")
    assert done.returncode == 2
    assert (
        "needs Python 3.11" in done.stdout and "is Python 3.9.1" in done.stdout and "make course PYTHON=" in done.stdout
    )


def test_ci_runs_make_test():
    assert (ROOT / ".ci/run").read_text().splitlines()[-1] == "make test"
    assert os.access(ROOT / ".ci/run", os.X_OK)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_exercise_without_its_solution_still_defines_what_its_check_asks_for(path):
    cells = [c for c in nbformat.read(path, as_version=4).cells if "exercise" in c.metadata.get("tags", [])]
    assert len(cells) >= 3
    for cell in cells:
        unsolved, whole = (
            {getattr(node, "name", None) or ast.unparse(node.targets[0]) for node in ast.parse(source).body}
            for source in (re.sub(r"(?ms)^ *### BEGIN SOLUTION.*?### END SOLUTION", "", cell.source), cell.source)
        )
        assert unsolved == whole, cell.source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_lesson_lets_guess_asks_questions_and_explains_their_answers(path):
    """A quiz in plain cells, each question with one right answer of several and the reason; notes that stay at home."""
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
    (quiz,) = [cell.source for cell in cells if cell.source.startswith("## Quiz")]
    questions = re.split(r"(?m)^\*\*\d\.\*\* ", quiz)[1:]
    assert 3 <= len(questions) <= 5
    for number, question in enumerate(questions, start=1):
        options = re.findall(r"(?m)^- ([a-e])\) ", question)
        right = re.search(rf"<summary>Answer to question {number}</summary>\n\n\*\*([a-e])\.\*\* \S", question)
        assert len(options) >= 3 and right and right[1] in options and question.rstrip().endswith("</details>")
    assert sum("predict" in cell.source.lower() for cell in cells) >= 2
    (notes,) = [cell for cell in cells if "instructor" in cell.metadata.get("tags", [])]
    assert "For instructors" in notes.source


def test_the_library_cites_no_lesson_numbers():
    """Lessons use the library, and may be renumbered; the bank of exercises is theirs."""
    for path in (ROOT / "course_lib").rglob("*.py"):
        if "exercises" not in path.parts:
            assert not re.search(r"[Ll]essons? 0?\d", path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", *sorted(p.name for p in (ROOT / "docs").glob("*.md"))]
)
def test_links_and_named_files_of_the_documents_exist(page):
    path = ROOT / page if (ROOT / page).exists() else ROOT / "docs" / page
    text = path.read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!http|#)([^)#]+)", text):
        assert (path.parent / link).exists(), link
    for name in re.findall(r"`((?:course_lib|tests|notebooks|datasets|docs|binder)/[\w./*-]*)`", text):
        assert re.search("NN|NAME", name) or any(ROOT.glob(name.rstrip("/"))), name


def test_architecture_names_every_room():
    drawing = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").split("```")[1]
    assert not [room for rooms in FLOORS for room in rooms if room not in drawing and room not in ("etc", "__main__")]
