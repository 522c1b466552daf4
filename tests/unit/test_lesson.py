import errno
import json
import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from course_lib import paths, plots
from course_lib.errors import CourseError
from course_lib.evaluation.claims import paired
from course_lib.lesson import Lesson


@pytest.fixture(autouse=True)
def own_build(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_BUILD", str(tmp_path / "build"))


def test_a_lesson_opens_with_four_lines_and_leaves_its_figures(tmp_path, capsys):
    lesson = Lesson.start("42_test", "quick", seed=1, device="cpu")
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        "Lesson",
        "Device",
        "Versions",
        "Data",
    ]
    lesson.record({"ndcg": 0.25}, rel=0.1)
    lesson.finish()
    kept = json.loads((tmp_path / "build/figures/42_test.json").read_text())
    assert kept["figures"] == {"ndcg": 0.25} and kept["tolerance"] == {"ndcg": 0.1}
    assert (kept["lesson"], kept["profile"], kept["seed"], kept["device"]) == ("42_test", "quick", 1, "cpu")


def test_the_profile_picks_the_value():
    lesson = Lesson.start("42_test", "quick", seed=1, device="cpu")
    assert lesson.pick(quick=1, standard=2, full=3) == 1


def test_an_unknown_profile_is_refused_with_the_known_ones():
    with pytest.raises(CourseError, match="quick, standard, full"):
        Lesson.start("42_test", "fast", seed=1)


def test_a_figure_that_is_no_number_is_refused_and_the_last_one_stays():
    lesson = Lesson.start("42_test", "quick", seed=1, device="cpu")
    with pytest.raises(CourseError, match="'loss' is nan"):
        lesson.record({"auc": 0.5, "loss": float("nan")})
    for wrong in (None, "0.2", np.ones(2), torch.tensor(float("nan"))):
        with pytest.raises(CourseError, match="'loss' is"):
            lesson.record({"loss": wrong})
    assert lesson.figures == {}  # all or none
    lesson.record({"loss": np.float32(0.5), "held": True, "n": torch.tensor(3)}, rel=0)
    assert lesson.figures == {"loss": 0.5, "held": 1, "n": 3} and lesson.tolerance == {"loss": 0, "held": 0, "n": 0}
    lesson.record({"loss": 0.3}, rel=0.1)
    assert lesson.figures["loss"] == 0.3 and lesson.tolerance["loss"] == 0.1
    assert Lesson.start("42_test", "quick", seed=np.int64(1), device="cpu").figures == {}


RISES = paired(np.arange(40.0) + 1, np.arange(40.0) * 0.9, "users", split_sd=0)


def test_a_claim_is_said_where_the_reader_is_and_kept_beside_the_figures(tmp_path, capsys):
    lesson = Lesson.start("42_test", "standard", seed=1, device="cpu")
    lesson.claim("The second ranks better than the first", RISES, name="second")
    lesson.claim("The first is better than the second", RISES.swapped())
    said = capsys.readouterr().out.splitlines()[4:]
    assert said[0] == "Claim: The second ranks better than the first"
    assert said[1].startswith("       holds: +2.95 [+2.") and said[1].endswith("paired over 40 users")
    assert said[3].startswith("       does not hold: -2.95 [-")
    lesson.finish()
    kept = json.loads((tmp_path / "build/figures/42_test.json").read_text())["claims"]
    assert {name: claim["verdict"] for name, claim in kept.items()} == {
        "second": "holds",
        "the-first-is-better-than-the-second": "does not hold",
    }
    assert kept["second"]["evidence"][0]["estimate"] == RISES.estimate


def test_a_claim_that_cannot_be_told_says_what_could_have_been_seen(capsys):
    rng = np.random.default_rng(0)
    evidence = paired(rng.normal(size=100), rng.normal(size=100), "users", split_sd=0)
    Lesson.start("42_test", "standard", seed=1, device="cpu").claim("Text helps", evidence)
    said, seen = capsys.readouterr().out.splitlines()[-2:]
    assert said.startswith("       cannot tell: ")
    assert seen == f"       a difference of {evidence.smallest:.2g} would have been found four times in five"


def test_a_quick_run_concludes_nothing(capsys):
    lesson = Lesson.start("42_test", "quick", seed=1, device="cpu")
    lesson.claim("The second ranks better than the first", RISES)
    assert "too little data: +2.95" in capsys.readouterr().out
    assert [claim["verdict"] for claim in lesson.claims.values()] == ["too little data"]


def test_progress_bars_are_off_where_nobody_watches(monkeypatch, capsys):
    monkeypatch.setenv("CI", "true")
    assert list(Lesson("42_test", "quick", 1, None).progress(range(3), "epochs")) == [0, 1, 2]
    assert capsys.readouterr().err == ""


def test_an_unwritable_folder_is_one_sentence_that_names_the_variable(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("COURSE_BUILD", str(tmp_path / "file"))
    lesson = Lesson.start("42_test", "quick", seed=1, device="cpu")
    with pytest.raises(CourseError, match="set COURSE_BUILD to a folder"):
        lesson.finish()


def test_a_full_disk_leaves_the_old_file_whole(tmp_path, monkeypatch):
    target = tmp_path / "figures.json"
    paths.write_atomic(target, "old")

    class Full:
        def __init__(self, handle, _mode):
            self.handle = handle

        def __enter__(self):
            return self

        def __exit__(self, *_):
            os.close(self.handle)

        def write(self, _):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(paths.os, "fdopen", Full)
    with pytest.raises(CourseError, match="disk is full"):
        paths.write_atomic(target, "new")
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]


def test_text_that_no_file_can_hold_is_written_all_the_same(tmp_path):
    paths.write_atomic(tmp_path / "half.txt", "half \ud800 a character, 我 whole")
    assert (tmp_path / "half.txt").read_text() == "half ? a character, 我 whole"


def test_a_figure_needs_words_for_those_who_cannot_see_it():
    with pytest.raises(CourseError, match="alt"):
        plots.show(plt.figure(), alt="a plot")
    plt.close("all")


def test_interval_bars_draw_one_bar_a_row_in_the_given_order():
    table = pd.DataFrame({"ndcg": [0.1, 0.2], "ndcg_low": [0.05, 0.1], "ndcg_high": [0.2, 0.3]}, index=["a", "b"])
    axes = plots.interval_bars(table, "ndcg", "Two models").axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "a"]
    assert [patch.get_width() for patch in axes.patches] == [0.2, 0.1]
    plt.close("all")
