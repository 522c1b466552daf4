"""Whose a file is, in each platform's layout: one student each, the last attempt, whoever else hands in."""

import os
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course_lib.classroom.grading.people import Person
from course_lib.classroom.grading.submissions import Collected, Submission, collect

LESSONS = ["00_start_here", "05_q_learning_bandits"]
FIVE = "05_q_learning_bandits"
FILE = f"{FIVE}.ipynb"
WHEN = 1_700_000_000
GRADESCOPE = """submission_203:
  :submitters:
  - :name: Ada Lovelace
    :sid: '17'
    :email: ada@x.org
  :created_at: 2024-05-01 10:11:12.000000000 Z
submission_204:
  :submitters:
  - :name: Bob
    :email: bob@x.org
  - :name: Cleo
    :sid: 19
"""


def folder(root: Path, files: dict[str, str]) -> Path:
    """``files`` in the folder ``root``, all as old as one another."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        os.utime(path, (WHEN, WHEN))
    return root


def zipped(place: Path, files: dict[str, str]) -> Path:
    """``files`` in the zip ``place``, as old as one another."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(place, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), content)
    return place


def collected(root: Path, files: dict[str, str]) -> Collected:
    """What ``files`` are, which has to be the same in a folder and in a zip."""
    root.mkdir(exist_ok=True)
    ways = [
        collect(folder(root / "1/class", files), LESSONS, root),
        collect(zipped(root / "2/class.zip", files), LESSONS, root),
    ]
    one, other = ((way.people, contents(way.submissions), way.problems, way.reasons) for way in ways)
    assert one == other
    return ways[0]


def contents(found: Iterable[Submission]) -> dict[tuple[str, str, str], str]:
    """{(name, id, lesson): content, or in brackets why there is none}."""
    return {
        (one.person.name, one.person.id, one.lesson): one.path.read_text() if one.path else f"[{one.problem}]"
        for one in found
    }


@pytest.mark.parametrize(
    ("who", "files", "last"),
    [
        (("Ada Lovelace", "17"), ["Ada Lovelace_17_assignsubmission_file_/{}"], 0),
        (("Ada Lovelace", "17"), ["Ada Lovelace_17_assignsubmission_file_/work/{}"], 0),
        (("Ada Lovelace", "17"), ["Ada Lovelace_17_assignsubmission_file_{}"], 0),
        (("lovelaceada", "17"), ["lovelaceada_17_203_{}", f"lovelaceada_LATE_17_204_{FIVE}-1.ipynb"], 1),
        (("anon_Xy3kQ", ""), ["anon_Xy3kQ_203_{}"], 0),
        (
            ("ada", "ada"),
            [f"W 4_x_ada_attempt_2024-05-{day}-10-11-12_{{}}" for day in ("09", "11", "10")],
            1,
        ),
        (
            ("Ada Lovelace", "17"),
            [
                f"17-203 - Ada Lovelace - {date}/{{}}"
                for date in ("May 1, 2024 111 PM", "May 1, 2024 1011 AM", "Apr 9, 2024 1100 PM")
            ],
            0,
        ),
        (
            ("Ada Lovelace", "17"),
            [f"17-203 - Ada Lovelace - {date} - {{}}" for date in ("1 May, 2024 1011", "2 May, 2024 0911")],
            1,
        ),
        (("Lovelace, Ada", "ada"), ["W 4/Lovelace, Ada(ada)/Submission attachment(s)/{}"], 0),
        (("Lovelace, Ada", "ada"), ["Lovelace, Ada(ada)_Submission attachment(s)_{}"], 0),
        (("Ada Lovelace", ""), ["Ada Lovelace - {}"], 0),
        (("Ada Lovelace", ""), ["Ada Lovelace - Copy of {}"], 0),
        (("Ada Lovelace", ""), ["class/Ada Lovelace/{}"], 0),
        (("Ada Lovelace", ""), ["submissions/class/Ada Lovelace/my own/{}"], 0),
        (("Ada Lovelace", ""), ["Ada Lovelace/week 2/deep/{}"], 0),
        (("ada", ""), ["ada/llm-course-main/work/{}"], 0),
    ],
)
def test_each_layout_is_one_student_and_the_last_attempt(tmp_path, who, files, last):
    found = collected(tmp_path, {name.format(FILE): str(n) for n, name in enumerate(files)})
    assert contents(found.submissions) == {(*who, FIVE): str(last)} and found.people == [Person(*who)]
    assert len(found.problems) <= 1 and all(f"{len(files)} times" in problem for problem in found.problems)


def test_gradescope_says_in_a_file_whose_a_folder_is_also_of_a_group(tmp_path):
    files = {f"submission_{n}/{FILE}": str(n) for n in (203, 204, 205)} | {"submission_metadata.yml": GRADESCOPE}
    found = collected(tmp_path, {f"assignment_9_export/{name}": content for name, content in files.items()})
    assert contents(found.submissions) == {
        ("Ada Lovelace", "17", FIVE): "203",
        ("Bob", "bob@x.org", FIVE): "204",
        ("Cleo", "19", FIVE): "204",
        ("submission_205", "", FIVE): "205",
    }


@pytest.mark.parametrize(
    "text", ["", "[]", "a: [", "submission_203: 4", "submission_203:\n  :submitters: [4, {}]", "&a [*a]"]
)
def test_a_damaged_file_of_gradescopes_leaves_the_folders_names(tmp_path, text):
    found = collected(tmp_path, {"submission_metadata.yml": text, f"submission_203/{FILE}": ""})
    assert found.people == [Person("submission_203")]


def test_blackboards_own_file_tells_a_user_name_with_an_underscore_from_the_assignments(tmp_path):
    attempt, forged = "W4_ada_l_attempt_2024-05-01-10-11-12", "W4_eve_attempt_2024-05-01-10-11-12"
    files = {f"{attempt}_{FILE}": "ada", f"{attempt}.txt": "Name: Ada Lovelace (ada_l)\nAssignment: W4\n"}
    files |= {f"{forged}_{FILE}": "eve", f"{forged}.txt": "Name: Ada Lovelace (ada_l)\n"}
    found = collected(tmp_path, files)
    assert contents(found.submissions) == {("Ada Lovelace", "ada_l", FIVE): "ada", ("eve", "eve", FIVE): "eve"}


def test_sakais_timestamp_is_the_attempts_and_what_an_instructor_wrote_is_not_handed_in(tmp_path):
    own = "Lovelace, Ada(ada)"
    files = {f"A/{own}/Submission attachment(s)/{FILE}": "ada", f"A/{own}/timestamp.txt": "20240501101112345"}
    files |= {f"A/{own}/Feedback Attachment(s)/{FILE}": "corrected", "A/grades.csv": ""}
    found = collected(tmp_path, files)
    assert contents(found.submissions) == {("Lovelace, Ada", "ada", FIVE): "ada"} and found.problems == []


@pytest.mark.parametrize(
    ("theirs", "name"),
    [
        ("Bob_99_assignsubmission_file__17_assignsubmission_file_/{}", "Bob_99_assignsubmission_file_"),
        ("bob_99_assignsubmission_file__17_203_{}", ""),
        ("17-203 - Bob_99_assignsubmission_file_ - May 1, 2024 1011 AM - {}", ""),
        ("17-203 - 99-1 - Bob - May 1, 2024 1011 AM - May 2, 2024 1011 AM/{}", "99-1 - Bob - May 1, 2024 1011 AM"),
        ("eve_17_7000_99_1000_{}", ""),
        ("bob_99_123_4567_{}", ""),
        ("Eve_17_assignsubmission_file_Bob_99_assignsubmission_file_{}", ""),
    ],
)
def test_what_a_student_calls_themselves_or_a_file_makes_them_nobody_else(tmp_path, theirs, name):
    bobs = {f"Bob_99_assignsubmission_file_/{FILE}": "bob", f"Bob/{FILE}": "the other Bob"}
    found = collected(tmp_path, bobs | {theirs.format(FILE): "eve"})
    assert len(found.people) == 3 and contents(found.submissions)["Bob", "99", FIVE] == "bob"
    [eve] = [one for one in found.submissions if one.path and one.path.read_text() == "eve"]
    assert eve.person.id in ("17", "") and (not name or eve.person == Person(name, "17"))
    assert name or any("fits more than one person" in problem for problem in found.problems)


def test_a_folder_given_as_its_parent_is_read_as_the_zip_of_it_is(tmp_path):
    files = {f"class/{name}/{FILE}": name for name in ("ada", "bob")}
    assert list(contents(collected(tmp_path / "1", files).submissions).values()) == ["ada", "bob"]
    files = {f"Spring term/{name}/{FILE}": name for name in ("ada", "bob")}
    found = collected(tmp_path / "2", files)
    assert (
        found.people == [Person("ada"), Person("bob")]
        and "“Spring term” is read as the folder around" in found.problems[0]
    )


def test_a_whole_copy_of_the_course_counts_for_what_is_in_work(tmp_path):
    copy = {
        f"work/{FILE}": "mine",
        f"notebooks/{FILE}": "ours",
        f"build/course/{FILE}": "solved",
        "course_lib/paths.py": "",
    }
    copy |= {"notebooks/00_start_here.ipynb": "ours", "build/course/00_start_here.ipynb": "solved"}
    files = {f"ada/course/{name}": content for name, content in copy.items()}
    files |= {f"bob/{name}": content for name, content in copy.items() if name[0] != "w"}
    files |= {f"cleo/notebooks/{FILE}": "theirs", f"dan/work/{FILE}": "mine", f"dan/notebooks/{FILE}": "ours"}
    files |= {"dan/notebooks/00_start_here.ipynb": "ours"}
    found = collected(tmp_path, files)
    assert list(contents(found.submissions).items()) == [
        (("ada", "", FIVE), "mine"),
        (("cleo", "", FIVE), "theirs"),
        (("dan", "", FIVE), "mine"),
    ]
    assert list(found.reasons) == [Person("bob")] and "what is in work/ counts" in found.reasons[Person("bob")][0]


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"mine.ipynb": "{}"}, "named like no lesson"),
        ({f"{FILE}.txt": "{}"}, "has to end in .ipynb"),
        ({"essay.pdf": ""}, "no notebook"),
        ({"work.zip": "PK no zip"}, "not a whole zip"),
        ({f"notebooks/{FILE}": "ours", "course_lib/a.py": ""}, "the course's own"),
    ],
)
def test_whoever_handed_in_anything_is_there_and_is_told_why_it_is_not_graded(tmp_path, files, why):
    found = collected(tmp_path, {f"ada/{name}": text for name, text in files.items()} | {f"bob/{FILE}": "bob"})
    assert found.people == [Person("ada"), Person("bob")] and why in " ".join(found.reasons[Person("ada")])
    assert all(one.problem for one in found.submissions if one.person.name == "ada")


def test_names_in_utf8_without_the_flag_and_in_a_named_encoding(tmp_path):
    for raw, encoding in (("学生甲", "utf-8"), ("学生甲", "gbk"), ("José", "utf-8")):
        place = zipped(
            tmp_path / encoding / f"{raw}.zip", {f"{'x' * len(raw.encode(encoding))}/{FILE}": raw, f"y/{FILE}": ""}
        )
        content = place.read_bytes().replace(b"x" * len(raw.encode(encoding)), raw.encode(encoding))
        place.write_bytes(content)
        found = collect(place, LESSONS, tmp_path / "scratch", "gbk")
        assert Person(raw) in found.people
        with zipfile.ZipFile(place) as archive:
            assert not archive.infolist()[0].flag_bits & 0x800


def test_a_name_composed_and_decomposed_is_one_student_and_that_is_said(tmp_path):
    files = {f"José/{FILE}": "composed", f"Jose\u0301/{FILE}": "decomposed", "José/00_start_here.ipynb": "0"}
    found = collected(tmp_path, files)
    assert len(found.people) == 1 and len(found.submissions) == 2 and "2 times" in found.problems[0]
    found = collected(tmp_path / "x", {f"ada/{FILE}": "a", f"ADA/{FILE}": "A"})
    assert len(found.people) == 1 and "also stands there as" in " ".join(found.problems)


NAME = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='/\\:*?"<>|_-()'), min_size=1, max_size=12
)
PLAIN = NAME.map(str.strip).filter(lambda name: name.strip(". ") == name != "" and len(name.encode()) < 100)
LAYOUTS = {
    "plain": "{name}/{inside}{file}",
    "moodle": "{name}_{id}_assignsubmission_file_/{inside}{file}",
    "moodle flat": "{name}_{id}_assignsubmission_file_{file}",
    "canvas": "{name}_{id}_20345_{file}",
    "blackboard": "W4_u{id}_attempt_2024-05-01-10-11-12_{file}",
    "brightspace": "{id}-7 - {name} - May 1, 2024 1011 AM/{inside}{file}",
    "sakai": "{name}({id})/Submission attachment(s)/{file}",
}


@st.composite
def classes(draw: st.DrawFn) -> dict[str, str]:
    """Files of a class on one platform: {name: content}, one for each student."""
    form = LAYOUTS[draw(st.sampled_from(sorted(LAYOUTS)))]
    around = draw(st.sampled_from(["", "class/", "Submissions/"]))
    inside = draw(st.sampled_from(["", "work/", "week 2/deep/", *(["my own/", "a/b/"] if around else [])]))
    names = draw(st.lists(PLAIN, min_size=1, max_size=6))
    lesson = draw(st.sampled_from([FILE, "mine.ipynb", f"{FILE}.txt", "essay.pdf"]))
    return {
        around + form.format(name=name, id=1000 + i, inside=inside, file=lesson): str(i) for i, name in enumerate(names)
    }


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(classes(), st.data())
def test_who_a_student_is_depends_on_nobody_else(tmp_path_factory, files, data):
    root = tmp_path_factory.mktemp("class")
    whole = collect(zipped(root / "class.zip", files), LESSONS, root / "s").people
    some = data.draw(st.lists(st.sampled_from(sorted(files)), min_size=1, unique=True))
    part = collect(zipped(root / "class.zip", {name: files[name] for name in some}), LESSONS, root / "s").people
    folders = {who.key: who.folder for who in whole}
    assert all(who.key in folders for who in part)
    single = {
        who.key for name in files for who in collect(zipped(root / "class.zip", {name: ""}), LESSONS, root / "s").people
    }
    assert single == set(folders)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(classes())
def test_a_folder_and_a_zip_of_it_are_the_same_class(tmp_path_factory, files):
    collected(tmp_path_factory.mktemp("class"), files)
