"""The whole course in the quick profile, as somebody types it."""

import json
import subprocess
import sys

import pytest
from conftest import LESSONS

CORE = [name for name in LESSONS if name.split("_")[0].isdecimal()]  # 00 to 06
DEEPER = [name for name in LESSONS if name not in CORE]
PARTS = {
    "core": CORE,
    "text": [name for name in DEEPER if name[:2] == "02"],
    "rankings": [name for name in DEEPER if name[:2] not in ("02", "05")],
    "decisions": [name for name in DEEPER if name[:2] == "05"],
}


@pytest.mark.slow
@pytest.mark.parametrize("lessons", PARTS.values(), ids=PARTS)
def test_quick_lessons_run_to_their_end_and_leave_what_they_promise(tmp_path, lessons):
    command = [sys.executable, "-m", "course_lib", "run", "--profile", "quick", "--out", str(tmp_path), *lessons]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    runs = json.loads((tmp_path / "run.json").read_text())
    assert [(run["lesson"], run["status"], run["profile"]) for run in runs] == [
        (name, "ok", "quick") for name in lessons
    ]
    assert all(run["peak_rss_mb"] < 1_500 for run in runs), runs
    for name in lessons:
        assert (tmp_path / f"{name}.ipynb").exists()
        assert json.loads((tmp_path / "figures" / f"{name}.json").read_text())["profile"] == "quick"
    page = (tmp_path / "index.html").read_text()
    assert page.count("ran to its end") == len(lessons) == page.count("<img ")
