"""The whole course in the quick profile, as somebody types it."""

import json
import subprocess
import sys
import time

import pytest
from conftest import LESSONS


@pytest.mark.slow
def test_quick_course_runs_to_its_end_in_two_minutes_and_leaves_what_it_promises(tmp_path):
    command = [sys.executable, "-m", "course_lib", "run", "--profile", "quick", "--out", str(tmp_path)]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    assert done.returncode == 0, done.stdout + done.stderr
    runs = json.loads((tmp_path / "run.json").read_text())
    assert [(run["lesson"], run["status"], run["profile"]) for run in runs] == [
        (name, "ok", "quick") for name in LESSONS
    ]
    assert seconds < 120, runs
    assert all(run["peak_rss_mb"] < 2_000 for run in runs), runs
    for name in LESSONS:
        assert (tmp_path / f"{name}.ipynb").exists()
        assert json.loads((tmp_path / "figures" / f"{name}.json").read_text())["profile"] == "quick"
    page = (tmp_path / "index.html").read_text()
    assert page.count("ran to its end") == len(LESSONS) == page.count("<img ")
