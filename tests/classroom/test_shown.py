"""What the sandbox shows of this machine: what is needed, wherever it lies, and nothing of the instructor's."""

import os
import shutil
import sys

import pytest
from needs import need
from tiny_class import RIGHT, mark

from course_lib.classroom.grading import grade as grading
from course_lib.classroom.grading import replay, shown
from course_lib.classroom.grading.sandbox import Sandbox, bubblewrap
from course_lib.errors import CourseError
from course_lib.paths import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is Linux's")
FINDS = """
import os
found = []
for folder, _, names in os.walk({!r}):
    found += [name for name in names if not name.endswith(".py")]
def density(n_ratings, n_users, n_items):
    assert not found, found
    return n_ratings / (n_users * n_items)
"""


@pytest.fixture(autouse=True)
def _bubblewrap() -> None:
    need("bwrap")


def test_nothing_of_the_class_is_seen_in_a_folder_that_has_to_be_shown(tmp_path, monkeypatch, hand_in, grade):
    system = tmp_path / "system"
    mine = system / "teacher"
    (mine / "grades" / "papers").mkdir(parents=True)
    (mine / "grades" / "papers" / "earlier.json").write_text("{}")
    hand_in("spy", RIGHT | {"0.1": FINDS.format(str(system))})
    (tmp_path / "class").rename(mine / "class")
    monkeypatch.setattr(shown, "SYSTEM", (*shown.SYSTEM, str(system)))
    here = lambda jobs, workers: iter([(job.lesson, replay.grade(job)) for job in jobs])  # noqa: E731
    monkeypatch.setattr(grading, "run_here", here)  # a worker would not know of the folder
    places = {"out": mine / "grades", "hand": mine / "hand.csv", "secret": mine / "secret.txt"}
    found = mark(grade(mine / "class", **places)["spy"], "0.1")
    assert found.mark == "✔", found.words


@pytest.mark.parametrize("alias", [False, True])
def test_folders_of_the_instructor_are_covered_wherever_they_lie(tmp_path, monkeypatch, alias):
    system, elsewhere = tmp_path / "system", tmp_path / "link"
    for name in ("secret/deep", "open"):
        (system / name).mkdir(parents=True)
        (system / name / "file").write_text(name)
    elsewhere.symlink_to(system)
    monkeypatch.setattr(shown, "SYSTEM", (*shown.SYSTEM, str(elsewhere if alias else system)))
    with Sandbox(private=[system / "secret" / "deep", system / "secret" / "not there yet"]) as box:
        at = elsewhere if alias else system
        told = box.run(f"import os\nprint([names for _, _, names in os.walk({str(at)!r}) if names])")
    assert told.strip() == "[['file']]"


def test_what_is_needed_lies_uncovered_in_what_is_covered(tmp_path, monkeypatch):
    """As with a repository below /usr: its library and its environment are shown, and nothing else of it."""
    repository = tmp_path / "usr" / "course"  # its name stands for the one that this library lies in
    repository.mkdir(parents=True)
    for name in ("course_lib", "notebooks", "tests"):
        (repository / name).mkdir()
    monkeypatch.setattr(shown, "SYSTEM", (*shown.SYSTEM, str(tmp_path / "usr"), str(repository / "course_lib")))
    with Sandbox(private=[repository]) as box:
        told = box.run(f"import os\nprint(sorted(os.listdir({str(repository)!r})))")
    assert "course_lib" in told and "notebooks" not in told and "tests" not in told


@pytest.mark.parametrize("whose", ["hand", "secret", "out"])
def test_a_folder_that_must_be_shown_and_must_not_be_is_refused(tmp_path, monkeypatch, hand_in, grade, whose):
    hand_in("ada", RIGHT)
    (tmp_path / "both").mkdir()
    monkeypatch.setattr(shown, "SYSTEM", (*shown.SYSTEM, str(tmp_path / "both")))
    place = tmp_path / "both" if whose == "out" else tmp_path / "both" / "file"
    with pytest.raises(CourseError, match=r"both holds what students may not see.*move your files"):
        grade(**{whose: place})


@pytest.mark.parametrize("way", ["search path", "link"])
def test_packages_that_lie_elsewhere_are_shown(tmp_path, monkeypatch, way):
    packages = tmp_path / "layer" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "elsewhere.py").write_text("WHERE = 'here'")
    if way == "link":
        (tmp_path / "named").symlink_to(packages)
        packages = tmp_path / "named"
    monkeypatch.setattr(sys, "path", [*sys.path, str(packages), str(tmp_path / "missing")])
    with Sandbox() as box:
        assert box.run("import elsewhere\nprint(elsewhere.WHERE)").strip() == "here"


@pytest.mark.parametrize("holds", ["home", "class", "repository"])
def test_a_place_of_the_search_path_that_holds_the_instructor_s_files_is_not_shown(tmp_path, monkeypatch, holds):
    place = tmp_path / "mine"
    (place / "class").mkdir(parents=True)
    (place / "notes.txt").write_text("marks")
    if holds == "home":
        monkeypatch.setenv("HOME", str(place))
    private = [place / "class"] if holds == "class" else []
    entry = ROOT / "tests" if holds == "repository" else place
    monkeypatch.setattr(sys, "path", [str(entry), *sys.path])
    with Sandbox(private=private) as box:
        assert box.run(f"import os\nprint(os.path.exists({str(entry)!r}))").strip() == "False"


def test_a_package_that_cannot_be_shown_is_named_before_the_class_is_read(tmp_path, monkeypatch, hand_in, grade):
    home = tmp_path / "home"
    (home / "peft").mkdir(parents=True)
    (home / "peft" / "__init__.py").write_text("")
    shutil.rmtree(tmp_path / "class", ignore_errors=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(sys, "path", [str(home), *sys.path])
    monkeypatch.setattr(shown, "NEEDED", ("course_lib", "only_here"))
    (home / "only_here.py").write_text("")
    with pytest.raises(CourseError, match=rf"needs only_here.*does not show {home}.*make course"):
        grade()


@pytest.mark.parametrize("trust", [False, True])
def test_root_does_not_grade_unless_told_to_in_words(tmp_path, monkeypatch, hand_in, grade, trust):
    hand_in("ada", RIGHT)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(CourseError, match=r"You are root.*ordinary user.*--as-root"):
        grade(as_root=False, trust=trust)
    assert not (tmp_path / "grades").exists() and not (tmp_path / "secret.txt").exists()


def test_who_is_not_root_needs_no_such_word(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    settings = grading.Settings(tmp_path, tmp_path / "hand.csv", tmp_path / "secret.txt")
    grading.check_walls(tmp_path / "class", settings)
    assert "--as-root" not in " ".join(bubblewrap())
