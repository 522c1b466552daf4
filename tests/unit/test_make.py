"""`make` from a folder of any name, and what it says where the environment cannot be made. Nothing is installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_lessons import write_lesson

from course_lib.paths import ROOT

FILES = ("Makefile", "pyproject.toml", "requirements.lock", "requirements-test.lock")
FOLDERS = ["a space", "a 'quote'", 'a "double" one', "a $dollar and $(one)", "半角 `tick`", "{braces} & ;"]
TARGETS = ["course", "lab", "fetch", "doctor", "bench", "release", "progress", "grade", "test", "test-all"]
TARGETS += ["lock", "clean"]
STUB = """#!/bin/sh
[ "$1" = -c ] && exit 0
{ printf '%s|' "$@"; echo "$PWD"; } >> "$CALLS"
"""


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def checkout(tmp_path):
    """``checkout(name)``: a folder of that name with what make reads, and a Python that notes its calls."""

    def copy(name: str, python: str = STUB) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for file in FILES:
            shutil.copy(ROOT / file, folder / file)
        for tool in ("python", "pip", "ruff"):
            program(folder / ".venv/bin" / tool, python)
        (folder / ".venv/course").touch()
        (folder / ".venv/test").touch()
        return folder

    return copy


def make(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "MAKE", "MFLAGS", "CI"))}
    settings = {"CALLS": str(folder.parent / "calls"), "PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0", **variables}
    command = ["make", *arguments]
    return subprocess.run(command, cwd=folder, env=clean | settings, capture_output=True, text=True, check=False)


def calls(folder: Path) -> list[str]:
    """What the stub Python was called with, one line a call: the arguments and the folder it ran in."""
    return (folder.parent / "calls").read_text().splitlines()


@pytest.mark.parametrize("name", FOLDERS)
def test_every_target_runs_in_a_folder_of_any_name(checkout, name):
    folder = checkout(name)
    for target in TARGETS[:-2]:
        done = make(folder, target, "SUBMISSIONS=class")
        assert done.returncode == 0 and not done.stderr.replace("+", "").startswith("make"), done.stdout + done.stderr
    assert all(line.endswith(f"|{folder}") for line in calls(folder))
    said = [line.removesuffix(f"|{folder}") for line in calls(folder)]
    assert "-m|course_lib|run|--profile|standard|0|1|2|3|4|5|6" in said and "-m|jupyterlab" in said
    assert {f"-m|course_lib|{target}" for target in ("fetch", "doctor", "bench", "release", "progress")} <= set(said)
    assert "format|--check|." in said and "-m|pytest|tests/notebooks" in said
    for target in TARGETS:
        assert make(folder, "-n", target).returncode == 0
    assert make(folder, "clean").returncode == 0 and not (folder / ".venv").exists()


@pytest.mark.parametrize("name", FOLDERS)
def test_what_was_handed_in_may_have_any_name(checkout, name):
    folder = checkout("plain")
    assert make(folder, "grade", f"SUBMISSIONS={name}").returncode == 0
    assert make(folder, "grade", SUBMISSIONS=name).returncode == 0
    assert calls(folder) == [f"-m|course_lib|grade|--|{name}|{folder}"] * 2


@pytest.mark.parametrize("name", FOLDERS)
def test_the_real_command_works_in_a_folder_of_any_name(tmp_path, name):
    folder = tmp_path / name
    shutil.copytree(ROOT / "course_lib", folder / "course_lib", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "datasets", folder / "datasets")
    for file in FILES:
        shutil.copy(ROOT / file, folder / file)
    write_lesson(folder / "notebooks", "00_a", "import os, pathlib\npathlib.Path('was_here').write_text(os.getcwd())")
    python = program(folder / ".venv/bin/python", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (folder / ".venv/bin/pip").touch()
    (folder / ".venv/course").touch()
    (folder / ".venv/test").touch()
    done = make(folder, "release")
    assert done.returncode == 0 and (folder / "build/release/00_a.ipynb").exists(), done.stderr
    variables = os.environ | {"CI": "1", "COURSE_BUILD": str(folder / "build/course")}
    for arguments in (["handout"], ["progress"]):
        command = [python, "-m", "course_lib", *arguments]
        done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert (folder / "work/progress.html").exists()
    code = "import sys; from pathlib import Path; from course_lib.classroom.run import run_lesson; "
    code += "print(run_lesson(Path('notebooks/00_a.ipynb').resolve(), Path('build/course').resolve(), {}), end='')"
    (folder / "build/course").mkdir()
    done = subprocess.run([python, "-c", code], cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert (folder / "notebooks/was_here").read_text() == str(folder / "notebooks")
    assert (folder / "build/course/00_a.ipynb").exists() and (folder / "build/course/figures/00_a.json").exists()


PIP = """#!/bin/sh
[ "$1" = -c ] && exit 0
printf '{}' >&2
exit 1
"""


@pytest.mark.parametrize(
    ("said", "shown", "advice"),
    [
        (r"\033[31mERROR: No space left on device\033[0m\n", "ERROR: No space left on device", "make room on the disk"),
        (
            "WARNING: x\nERROR: Missing dependencies for SOCKS support.\n\n",
            "ERROR: Missing dependencies for SOCKS support.",
            "mend what pip says above",
        ),
        (
            "Configuration file could not be loaded.\nFile contains no section headers.\n",
            "File contains no section headers.",
            "mend what pip says above",
        ),
        (
            ".venv/bin/python: No module named pip\n",
            ".venv/bin/python: No module named pip",
            "has no pip, so delete .venv",
        ),
        ("ERROR: x (from versions: none)\n", "ERROR: x (from versions: none)", "connect to the network"),
    ],
)
def test_a_failed_installation_shows_pips_own_words_without_colours(checkout, said, shown, advice):
    folder = checkout("plain", PIP.format(said))
    (folder / ".venv/course").unlink()
    done = make(folder, "course", FORCE_COLOR="1")
    lines = [line for line in done.stdout.splitlines() if not line.startswith("Installing")]
    assert done.returncode == 2 and lines[-2] == shown and "\x1b" not in done.stdout
    assert lines[-1].startswith("The packages could not be installed") and advice in lines[-1]
    assert ("connect to the network" in lines[-1]) == (advice == "connect to the network")
    assert not (folder / ".venv/course").exists()


def test_a_python_that_cannot_make_an_environment_says_why(checkout, tmp_path):
    folder = checkout("plain")
    shutil.rmtree(folder / ".venv")
    python = program(
        tmp_path / "my python", '#!/bin/sh\n[ "$1" = -c ] && exit 0\necho "ensurepip is missing:"\necho "apt x"\nexit 1'
    )
    done = make(folder, "course", f"PYTHON={python}")
    assert done.returncode == 2
    assert done.stdout.splitlines() == ["No environment could be made in .venv: ensurepip is missing: apt x"]


def dangling(folder: Path) -> None:
    (folder / ".venv").symlink_to(folder / "nowhere")


def a_file(folder: Path) -> None:
    (folder / ".venv").write_text("")


def without_its_python(folder: Path) -> None:
    program(folder / ".venv/bin/pip", "")
    (folder / ".venv/bin/python").symlink_to(folder / "removed/python3.11")


@pytest.mark.parametrize("broken", [dangling, a_file, without_its_python])
def test_an_environment_that_cannot_run_is_named_and_make_clean_takes_it_away(checkout, broken):
    folder = checkout("plain")
    shutil.rmtree(folder / ".venv")
    broken(folder)
    for target in TARGETS[:-1]:
        done = make(folder, target, "SUBMISSIONS=class")
        assert done.returncode == 2 and ".venv is no environment with a Python that runs" in done.stderr
        assert done.stderr.count("\n") == 1 and not done.stdout
    assert make(folder, "clean").returncode == 0 and not os.path.lexists(folder / ".venv")
    assert "Installing the packages" in make(folder, "course", f"PYTHON={tmp_python(folder)}").stdout


def tmp_python(folder: Path) -> Path:
    """A Python whose ``-m venv`` makes an environment of the stub."""
    made = f'mkdir -p .venv/bin; cp "{folder}/stub" .venv/bin/python; cp "{folder}/stub" .venv/bin/pip'
    program(folder / "stub", STUB)
    return program(folder / "python3.11", f'#!/bin/sh\n[ "$1" = -c ] && exit 0\n{made}\n')


def test_an_environment_half_made_is_made_again(checkout):
    folder = checkout("plain")
    shutil.rmtree(folder / ".venv")
    (folder / ".venv/bin").mkdir(parents=True)
    done = make(folder, "course", f"PYTHON={tmp_python(folder)}")
    assert done.returncode == 0 and (folder / ".venv/course").exists(), done.stderr
