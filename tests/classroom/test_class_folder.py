"""The folder of a class's grades: no class replaces another, nothing foreign is believed, replaced or deleted."""

import csv
import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from real_command import course
from tiny_class import LESSON, POINTS, RIGHT, mark

from course_lib.classroom.grading.class_folder import claim, class_folder
from course_lib.classroom.grading.results import Mark, Paper, load, save
from course_lib.errors import CourseError

PAPER = Paper("ada", LESSON, tuple(Mark(label, of, of, "✔", "right.") for label, of in POINTS.items()), digest="d")


def rows(folder: Path) -> dict[tuple[str, str], dict[str, str]]:
    """Of grades.csv, by name and id."""
    with (folder / "grades.csv").open(encoding="utf-8", newline="") as file:
        return {(row["student"], row["id"]): row for row in csv.DictReader(file)}


def unreadable(folder: Path, *students: str) -> Path:
    """A class in which each of ``students`` hands in a notebook that cannot be read, which is graded at once."""
    for name in students:
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / f"{LESSON}.ipynb").write_text("no notebook")
    return folder


def test_nobody_vanishes(tmp_path, hand_in, grade):
    hand_in("ada", RIGHT)
    (tmp_path / "class/bob").mkdir()
    (tmp_path / "class/bob/mine.ipynb").write_text("{}")
    (tmp_path / "class/cleo").mkdir()
    (tmp_path / f"class/cleo/{LESSON}.ipynb.txt").write_text("{}")
    papers = grade()
    table = rows(tmp_path / "grades")
    assert [(name, row["total"], row["look_by_hand"]) for (name, _), row in table.items()] == [
        ("ada", "4", ""),
        ("bob", "0", "yes"),
        ("cleo", "0", "yes"),
    ]
    assert "“mine.ipynb”: named like no lesson." in (tmp_path / "grades/feedback/bob/not_graded.html").read_text()
    assert "has to end in .ipynb" in (tmp_path / f"grades/feedback/cleo/{LESSON}.html").read_text()
    assert papers["cleo"].points == 0
    report = (tmp_path / "grades/report.html").read_text()
    assert "feedback/bob/not_graded.html" in report and "<dt>students</dt><dd>3</dd>" in report


def test_namesakes(tmp_path, hand_in, grade):
    hand_in("Same Name_18_assignsubmission_file_", RIGHT)
    (tmp_path / "hand.csv").write_text("student,lesson,exercise,points,comment\nSame Name,00,0.3,0,copied\n")
    grade()
    hand_in("Same Name_17_assignsubmission_file_", RIGHT | {"0.1": "density = 3"})
    assert grade()["Same Name"].points == 2
    table = rows(tmp_path / "grades")
    assert [table["Same Name", number]["total"] for number in ("17", "18")] == ["3", "2"]
    pages = [(tmp_path / f"grades/feedback/Same Name #{n}/{LESSON}.html").read_text() for n in (17, 18)]
    assert ["copied" in page for page in pages] == [False, True]
    assert "write the id" in (tmp_path / "grades/report.html").read_text()


def test_ada_and_minus_ada_keep_their_own(tmp_path, hand_in, grade):
    hand_in("ada", RIGHT)
    grade()
    hand_in("-ada", {})
    (tmp_path / "hand.csv").write_text("student,lesson,exercise,points,comment\nada,00,0.3,0,copied\n")
    papers = grade()
    assert (papers["ada"].points, papers["-ada"].points) == (2, 0) and "to be graded: 1." in grade.said[0]
    assert not mark(papers["-ada"], "0.3").by_hand


def test_pages_of_whoever_is_not_in_this_grading_go_away_and_nothing_else(tmp_path, grade):
    grade(unreadable(tmp_path / "one", "ada", "bob"))
    out = tmp_path / "grades"
    save(replace(PAPER, student="bob"), out / "papers")
    (out / "feedback/bob/notes.html").write_text("<p>of the instructor's</p>")
    (out / "papers/zoe").mkdir()
    (out / "papers/zoe/mine.json").write_text("{}")
    grade(unreadable(tmp_path / "two", "ada", "cleo"))
    pages = sorted(str(path.relative_to(out)) for path in out.glob("*/*/*"))
    assert pages == [
        f"feedback/ada/{LESSON}.html",
        "feedback/bob/notes.html",
        f"feedback/cleo/{LESSON}.html",
        "papers/zoe/mine.json",
    ]
    assert {name for name, _ in rows(out)} == {"ada", "cleo"}


def test_a_link_in_the_results_is_not_followed_to_delete(tmp_path, grade):
    grade(unreadable(tmp_path / "one", "ada", "bob"))
    (tmp_path / "grades/feedback/bob").rename(tmp_path / "elsewhere")
    (tmp_path / "grades/feedback/bob").symlink_to(tmp_path / "elsewhere")
    grade(unreadable(tmp_path / "two", "ada"))
    assert (tmp_path / f"elsewhere/{LESSON}.html").exists()


def test_who_is_called_otherwise_than_at_the_last_grading_is_named_once(tmp_path, grade):
    out = tmp_path / "grades"
    save(replace(PAPER, student="Ada Lovelace", id="17"), out / "papers")
    place = unreadable(tmp_path / "class", "Ada King_17_assignsubmission_file_")
    grade(place)
    assert "Ada King #17 was called Ada Lovelace" in (out / "report.html").read_text()
    grade(place)
    assert "was called" not in (out / "report.html").read_text()


TAMPERED = {
    "no object": lambda d: [],
    "another's name": lambda d: d | {"student": "../../climbed"},
    "another lesson": lambda d: d | {"lesson": "../climbed"},
    "too many points": lambda d: d | {"marks": [d["marks"][0] | {"points": 297}, *d["marks"][1:]]},
    "negative": lambda d: d | {"marks": [d["marks"][0] | {"points": -1}, *d["marks"][1:]]},
    "worth more": lambda d: d | {"marks": [d["marks"][0] | {"points": 9, "of": 9}, *d["marks"][1:]]},
    "no number": lambda d: d | {"marks": [d["marks"][0] | {"points": float("nan")}, *d["marks"][1:]]},
    "true": lambda d: d | {"marks": [d["marks"][0] | {"points": True}, *d["marks"][1:]]},
    "a text": lambda d: d | {"marks": [d["marks"][0] | {"points": "1"}, *d["marks"][1:]]},
    "another mark": lambda d: d | {"marks": [d["marks"][0] | {"mark": "<b>"}, *d["marks"][1:]]},
    "another label": lambda d: d | {"marks": [d["marks"][0] | {"label": "9.9"}, *d["marks"][1:]]},
    "a mark twice": lambda d: d | {"marks": [*d["marks"], d["marks"][0]]},
    "a mark less": lambda d: d | {"marks": d["marks"][1:]},
    "a field more": lambda d: d | {"more": 1},
    "a field less": lambda d: {name: value for name, value in d.items() if name != "digest"},
    "words": lambda d: d | {"findings": [1]},
    "about": lambda d: d | {"about": {"device": 4}},
}


@pytest.mark.parametrize("how", TAMPERED)
def test_a_paper_that_grading_has_not_written_is_refused(tmp_path, how):
    save(PAPER, tmp_path)
    path = tmp_path / "ada" / f"{LESSON}.json"
    assert load(path, POINTS) == PAPER
    path.write_text(json.dumps(TAMPERED[how](json.loads(path.read_text()))))
    with pytest.raises(CourseError, match="not a paper that grading has written"):
        load(path, POINTS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text(max_size=3),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=3), part, max_size=3),
    max_leaves=5,
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_stands_in_a_field_a_paper_is_whole_or_refused(tmp_path, data):
    document = json.loads(json.dumps(asdict(PAPER)))
    part = data.draw(st.sampled_from([document, document["marks"][0], document["marks"][2]]))
    part[data.draw(st.sampled_from(sorted(part)))] = data.draw(JSON)
    (tmp_path / "ada").mkdir(exist_ok=True)
    path = tmp_path / "ada" / f"{LESSON}.json"
    path.write_text(json.dumps(document))
    try:
        paper = load(path, POINTS)
    except CourseError:
        return
    assert (paper.student, paper.lesson) == ("ada", LESSON) and 0 <= paper.points <= paper.of == 4
    save(paper, tmp_path)
    assert load(path, POINTS) == paper


def test_a_tampered_paper_is_graded_anew(tmp_path, hand_in, grade):
    hand_in("ada", RIGHT)
    first = grade()
    path = tmp_path / "grades/papers/ada" / f"{LESSON}.json"
    text = path.read_text()
    path.write_text(text.replace('"points": 1.0', '"points": 297.0').replace('"points": 1,', '"points": 297,'))
    assert path.read_text() != text and grade() == first and "to be graded: 1." in grade.said[0]
    assert path.read_text() == text


def grading(tmp_path: Path, lesson: Path, place: object, *more: str) -> tuple[int, str]:
    """Exit status and what ``course grade`` says on its error stream, with its grades in ``tmp_path``/grades."""
    env = os.environ | {"COURSE_BUILD": str(tmp_path / "course"), "HOME": str(tmp_path / "home")}
    env |= {
        "COURSE_CACHE": os.environ.get("COURSE_CACHE") or str(Path("~/.cache/llm-recommenders-course").expanduser())
    }
    process = course("grade", str(place), "--notebooks", str(lesson.parent), "--as-root", *more, env=env)
    _, errors = process.communicate()
    return process.returncode, errors


def test_each_class_has_a_folder_of_its_name_and_a_namesake_of_it_is_refused(tmp_path, lesson):
    grading(tmp_path, lesson, unreadable(tmp_path / "a", "ada"), "--trust-the-students")
    grading(tmp_path, lesson, unreadable(tmp_path / "b", "bob"), "--trust-the-students")
    made = {path.name: {name for name, _ in rows(path)} for path in (tmp_path / "grades").iterdir()}
    assert made == {"a": {"ada"}, "b": {"bob"}}
    status, errors = grading(tmp_path, lesson, unreadable(tmp_path / "x" / "a", "eve"), "--trust-the-students")
    assert status == 1 and len(errors.splitlines()) == 1 and str(tmp_path / "a") in errors and "--out" in errors
    assert {name for name, _ in rows(tmp_path / "grades/a")} == {"ada"} and not (
        tmp_path / "x/class_secret.txt"
    ).exists()


def test_a_home_is_expanded_once_and_a_mistyped_path_writes_nothing(tmp_path, lesson):
    unreadable(tmp_path / "home/x", "ada")
    assert grading(tmp_path, lesson, "~/x", "--trust-the-students") == (0, "")
    assert {path.name for path in (tmp_path / "home").glob("[!.]*")} == {"x", "class_secret.txt"}
    before = sorted(tmp_path.glob("[!.]*/[!.]*"))
    for place in ("~/y", tmp_path / "new" / "y", "~nobody-is-called-so/x"):
        status, errors = grading(tmp_path, lesson, place, "--trust-the-students")
        assert status == 1 and len(errors.splitlines()) == 1
    status, errors = grading(tmp_path, lesson, "~/x", "--zip-names", "klingon")
    assert status == 1 and "klingon" in errors and len(errors.splitlines()) == 1
    assert sorted(tmp_path.glob("[!.]*/[!.]*")) == before


def test_a_place_without_submissions_leaves_no_secret_and_no_folder(tmp_path, grade):
    (tmp_path / "empty").mkdir()
    with pytest.raises(CourseError, match="holds no files"):
        grade(tmp_path / "empty")
    unreadable(tmp_path / "class", "ada")
    (tmp_path / "hand.csv").mkdir()
    with pytest.raises(CourseError, match="cannot be read as a table"):
        grade()
    assert not (tmp_path / "secret.txt").exists() and not (tmp_path / "grades").exists()


@pytest.mark.parametrize("make", [lambda path: path.write_bytes(b"\xff" * 20), lambda path: path.mkdir()])
def test_a_secret_that_is_no_text_is_one_sentence(tmp_path, grade, make):
    make(tmp_path / "secret.txt")
    with pytest.raises(CourseError, match="holds no secret"):
        grade(unreadable(tmp_path / "class", "ada"))


@pytest.mark.parametrize("name", ["grades.csv", "report.html"])
def test_a_file_that_grading_has_not_made_is_never_replaced(tmp_path, grade, name):
    (tmp_path / "grades").mkdir()
    (tmp_path / "grades" / name).write_text("mine")
    with pytest.raises(CourseError, match="is not replaced"):
        grade(unreadable(tmp_path / "class", "ada"))
    assert (tmp_path / "grades" / name).read_text() == "mine"


def test_the_folder_of_a_class_bears_its_name_made_safe(tmp_path):
    for place, name in (("w4", "w4"), ("w4.zip", "w4"), ("Übung 1", "Übung 1")):
        assert class_folder(tmp_path, Path("/x") / place).name == name
    assert class_folder(tmp_path, Path("/x/=4")).name != class_folder(tmp_path, Path("/x/+4")).name
    claim(tmp_path / "w4", Path("/x/w4"))
    assert class_folder(tmp_path, Path("/x/w4")) == tmp_path / "w4"
    with pytest.raises(CourseError, match="another class"):
        class_folder(tmp_path, Path("/x/w4.zip"))
