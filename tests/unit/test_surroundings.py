"""The command starts, or says the real reason: consoles, homes, profiles, folders and disks that are not as usual."""

import errno
import os
import shutil
from pathlib import Path

import nbformat
import pytest
from real_command import course
from tiny_lessons import write_lesson

from course_lib.classroom import cli as command
from course_lib.classroom.process import last_words
from course_lib.classroom.run import run_lesson
from course_lib.paths import ROOT

ODD = ["a space", "a 'quote'", 'a "double" one', "a $dollar", "半角 `tick`"]


def said(*arguments: str, cwd: Path = ROOT, **variables: str) -> tuple[int, str, str]:
    """Exit code, output and errors of the real command."""
    process = course(*arguments, env=os.environ | variables, cwd=cwd, encoding="utf-8", errors="replace")
    output, errors = process.communicate(timeout=120)
    return process.returncode, output, errors


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "gbk", "ascii", "utf-8"])
def test_no_console_stops_the_command_for_a_letter(tmp_path, encoding):
    write_lesson(tmp_path / "nb", "00_推荐", "print('é ✔')")
    work = str(tmp_path / "工作 ✔")
    names = ["--notebooks", str(tmp_path / "nb")]
    for arguments in (["handout", work, *names], ["progress", work, *names], ["doctor"], ["run", "77"], ["--help"]):
        code, output, errors = said(*arguments, PYTHONIOENCODING=encoding)
        assert code == (arguments == ["run", "77"]) and output + errors and "Traceback" not in errors, errors


def kernel_outputs(tmp_path: Path, source: str) -> list[str]:
    """Run a lesson of one cell in this process; returns what the cell shows."""
    lesson = write_lesson(tmp_path / "nb", "00_a", source)
    (tmp_path / "out").mkdir()
    assert run_lesson(lesson, tmp_path / "out", {}) == ""
    cell = nbformat.read(tmp_path / "out/00_a.ipynb", 4).cells[2]
    return [output.get("text", "") or output.data["text/plain"] for output in cell.outputs]


def test_a_users_own_profile_changes_nothing_of_what_a_run_shows(tmp_path, monkeypatch):
    profile = tmp_path / "ipython/profile_default"
    (profile / "startup").mkdir(parents=True)
    (profile / "ipython_config.py").write_text("c.InteractiveShell.ast_node_interactivity = 'all'")
    (profile / "startup/mine.py").write_text("print('from the profile'); films = 7")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    assert kernel_outputs(tmp_path, "1\n2\n'films' in globals()") == ["False"]


@pytest.mark.parametrize("variable", ["IPYTHONDIR", "HOME", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR"])
def test_a_home_that_nobody_can_write_to_does_not_keep_a_lesson_from_running(tmp_path, monkeypatch, variable):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(variable, str(tmp_path / "file/below"))
    assert kernel_outputs(tmp_path, "print(1)") == ["1\n"]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import os\nos._exit(3)", "the kernel ended with exit code 3"),
        ("import ctypes\nctypes.string_at(0)", "the kernel died of SIGSEGV, a fault in the machine code"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "most often because the memory was full"),
    ],
)
def test_how_a_kernel_died_is_what_its_exit_code_says(tmp_path, source, words):
    lesson = write_lesson(tmp_path / "nb", "00_a", source)
    (tmp_path / "out").mkdir()
    assert words in run_lesson(lesson, tmp_path / "out", {})


def test_the_last_words_are_the_line_of_the_error_and_not_where_it_stands(tmp_path):
    assert last_words(tmp_path) == ""
    (tmp_path / "stderr.txt").write_text("Traceback (most recent call last):\n  File 'x'\nOSError: no room\n\n")
    assert last_words(tmp_path) == "OSError: no room"


@pytest.mark.parametrize("name", ODD)
def test_a_run_may_read_from_and_write_to_a_folder_of_any_name(tmp_path, name):
    write_lesson(tmp_path / name / "nb", "00_a", "print(1)")
    out = tmp_path / name / "out"
    code, output, errors = said(
        "run", "--notebooks", str(tmp_path / name / "nb"), "--out", str(out), cwd=tmp_path / name
    )
    assert (code, errors) == (0, "") and str(out / "index.html") in output
    assert (out / "00_a.ipynb").exists() and (out / "figures/00_a.json").exists()


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["handout", "{}"], "course handout FOLDER"),
        (["release", "--out", "{}"], "with --out"),
        (["run", "--out", "{}"], "with --out"),
    ],
)
def test_a_folder_that_nobody_can_write_to_is_one_sentence_with_the_remedy_that_helps(tmp_path, arguments, remedy):
    write_lesson(tmp_path / "nb", "00_a")
    (tmp_path / "file").write_text("")
    place = str(tmp_path / "file/below")
    code, _, errors = said(*(a.format(place) for a in arguments), "--notebooks", str(tmp_path / "nb"))
    assert code == 1 and errors.startswith("Cannot write (Not a directory) in ") and errors.count("\n") == 1
    assert remedy in errors


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/x"), "No space left on device at /x: make room there, and"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), "Permission denied at /x: mend that, and"),
        (OSError("a library's own words"), "a library's own words: mend that, and"),
    ],
)
def test_what_nobody_foresaw_of_a_disk_is_a_sentence_too(monkeypatch, capsys, error, sentence):
    def fail(**_):
        raise error

    monkeypatch.setattr(command, "cli", fail)
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == f"{sentence} run the same command again.\n"


def test_a_library_without_its_repository_says_where_the_course_runs(tmp_path):
    shutil.copytree(ROOT / "course_lib", tmp_path / "course_lib", ignore=shutil.ignore_patterns("__pycache__"))
    for arguments in (["fetch"], ["run"], ["doctor"]):
        code, _, errors = said(*arguments, cwd=tmp_path)
        assert code == 1 and errors.count("\n") == 1
        assert errors.startswith("The course runs from a clone of its repository") and str(tmp_path) in errors
    assert said("--help", cwd=tmp_path)[0] == 0
