"""The doctor says what is there, what is missing and what to do."""

import re
from collections import namedtuple

import pytest
from click.testing import CliRunner

from course_lib.classroom import doctor
from course_lib.classroom.cli import cli
from course_lib.errors import CourseError
from course_lib.paths import CACHE, ROOT


def test_this_machine_is_fit_and_every_line_has_its_mark(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_BUILD", str(tmp_path / "build"))
    done = CliRunner().invoke(cli, ["doctor"], standalone_mode=False)
    lines = done.output.splitlines()
    assert done.exception is None
    assert all(re.match(r"\[(OK|WARN)\] +\S", line) for line in lines)
    text = done.output
    for word in (
        "Python 3.11",
        "packages",
        "Device",
        "threads",
        "Memory",
        "cache",
        "results",
        "movielens-100k",
        "minilm",
    ):
        assert word in text


def test_packages_of_the_lock_are_compared_by_name_and_version(tmp_path):
    lock = tmp_path / "requirements.lock"
    lock.write_text("# words\npytest==1.0\nPyYAML==0.1\ntorch==2.13.0\n")
    found = doctor.packages(lock)
    assert found.level == "WARN" and "2 of 3 packages differ" in found.text and "(lock: 1.0)" in found.text
    lock.write_text("no-such-package==1.0\ntorch==2.13.0\n")
    assert str(doctor.packages(lock)).startswith("[FAIL] 1 of 2 packages are missing, no-such-package: run pip install")


def test_build_of_torch_is_no_difference():
    assert "torch" not in doctor.packages(ROOT / "requirements.lock").text


def test_wrong_python_fails(monkeypatch):
    monkeypatch.setattr(doctor.sys, "version_info", (3, 12, 1))
    assert doctor.python().level == "FAIL"


def test_little_memory_and_little_disk_are_warnings(monkeypatch, tmp_path):
    disk = namedtuple("disk", "free")
    monkeypatch.setattr(doctor, "memory_mb", lambda: (1e3, 4e3))
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _path: disk(5e6))
    assert doctor.memory().level == "WARN" and "quick" in doctor.memory().text
    found = doctor.folder("cache", tmp_path, CACHE)
    assert found.level == "WARN" and "set COURSE_CACHE" in found.text


def test_folder_that_cannot_be_written_fails_and_names_the_variable(tmp_path):
    (tmp_path / "file").write_text("")
    found = doctor.folder("cache", tmp_path / "file", CACHE)
    assert found.level == "FAIL" and "set COURSE_CACHE" in found.text


def test_data_that_is_missing_or_damaged_is_named_with_the_command_that_helps(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    found = doctor.data("movielens-100k")
    assert found.level == "WARN" and "5 of 5 files" in found.text and "course fetch movielens-100k" in found.text


def test_device_that_is_unknown_fails_and_one_that_does_not_work_warns(monkeypatch):
    monkeypatch.setenv("COURSE_DEVICE", "tpu")
    assert doctor.device().level == "FAIL"
    monkeypatch.setenv("COURSE_DEVICE", "mps")
    found = doctor.device()
    assert found.level == "WARN" or "mps" in found.text


def test_one_failure_makes_the_exit_code_1(monkeypatch):
    monkeypatch.setattr(doctor, "examine", lambda: iter([doctor.Finding("OK", "a"), doctor.Finding("FAIL", "b")]))
    done = CliRunner().invoke(cli, ["doctor"], standalone_mode=False)
    assert isinstance(done.exception, CourseError) and "1 of 2 checks failed" in str(done.exception)
    assert done.output == "[OK]   a\n[FAIL] b\n"


@pytest.mark.parametrize("name", ["movielens-100k"])
def test_fetch_says_what_is_there(name):
    done = CliRunner().invoke(cli, ["fetch", name], standalone_mode=False)
    assert done.output == f"{name}: there and whole\n"


@pytest.mark.parametrize(("seconds", "words"), [(2 * 64**3 / 1e9 / 100, "about 3.9 times as long"), (1e-9, "or less")])
def test_the_speed_of_this_machine_is_set_beside_that_of_readmes_times(monkeypatch, seconds, words):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    clock = iter(k * seconds for k in range(100))
    monkeypatch.setattr(doctor.time, "perf_counter", lambda: next(clock))
    found = doctor.speed(64)
    assert found.level == "OK" and "GFLOPS a core" in found.text and words in found.text
    assert f"{doctor.README_GFLOPS} GFLOPS" in (ROOT / "README.md").read_text().replace("\n", " ")
