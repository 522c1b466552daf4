"""Who handed in what: every platform's export gives the same class, and a hostile zip costs its owner alone."""

import io
import os
import stat
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.classroom.grading import intake
from course_lib.classroom.grading.people import Person
from course_lib.classroom.grading.submissions import Submission, collect
from course_lib.errors import CourseError

LESSONS = ["00_start_here", "05_q_learning_bandits", "05b_bandits_with_context"]
FIVE = "05_q_learning_bandits"
EARLY, LATE = (2026, 1, 1, 8, 0, 0), (2026, 1, 2, 8, 0, 0)


def make_zip(path: Path, members: dict[str, bytes | str], date: tuple[int, ...] = EARLY) -> Path:
    """A zip with ``members``, all of the same date."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name, date)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return path


def zip_bytes(members: dict[str, bytes | str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def write(path: Path, content: str, when: int = 1_000_000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    os.utime(path, (when, when))


def collected(place: Path, tmp_path: Path) -> tuple[dict[tuple[str, str], str], list[str]]:
    """{(student, lesson): content} in the order of the answer, and the sentences."""
    result = collect(place, LESSONS, tmp_path / "scratch")
    assert all(problem.endswith(".") and "\n" not in problem for problem in result.problems)
    assert {one.person for one in result.submissions} <= set(result.people)
    return {(one.person.name, one.lesson): read(one) for one in result.submissions}, result.problems


def read(one: Submission) -> str:
    """The notebook, or why there is none, in brackets."""
    return f"[{one.problem}]" if one.path is None else one.path.read_text()


def test_a_folder_with_a_subfolder_for_each_student(tmp_path):
    place = tmp_path / "class"
    write(place / "Zoë" / "week 2" / "deep" / f"{FIVE}.ipynb", "z5")
    write(place / "Ada Lovelace" / "05b_bandits_with_context.ipynb", "a5b")
    write(place / "Ada Lovelace" / "00_start_here.ipynb", "a0")
    found, problems = collected(place, tmp_path)
    assert list(found.items()) == [
        (("Ada Lovelace", "00_start_here"), "a0"),
        (("Ada Lovelace", "05b_bandits_with_context"), "a5b"),
        (("Zoë", FIVE), "z5"),
    ]
    assert problems == []


def test_a_zip_from_moodle(tmp_path):
    place = make_zip(
        tmp_path / "class.zip",
        {
            f"Ada Lovelace_12345_assignsubmission_file_/{FIVE}.ipynb": "ada",
            "Ada Lovelace_12345_assignsubmission_onlinetext_/onlinetext.html": "<p>Here it is</p>",
            f"Zoë Müller_99_assignsubmission_file_/{FIVE}.ipynb": "zoë",
        },
    )
    found, problems = collected(place, tmp_path)
    assert found == {("Ada Lovelace", FIVE): "ada", ("Zoë Müller", FIVE): "zoë"}
    assert len(problems) == 1 and "onlinetext.html" in problems[0] and problems[0].startswith("Ada Lovelace")


def test_moodles_flat_files_bear_the_same_names(tmp_path):
    place = make_zip(tmp_path / "class.zip", {f"Ada Lovelace_12345_assignsubmission_file_{FIVE}.ipynb": "ada"})
    assert collected(place, tmp_path)[0] == {("Ada Lovelace", FIVE): "ada"}


@pytest.mark.parametrize("top", ["", "submissions/"])
def test_a_zip_from_canvas_with_a_resubmission_and_a_late_one(tmp_path, top):
    place = make_zip(
        tmp_path / "class.zip",
        {
            f"{top}lovelaceada_123_4567_{FIVE}.ipynb": "first",
            f"{top}lovelaceada_123_4567_{FIVE}-1.ipynb": "second",
            f"{top}hopper_LATE_124_4568_{FIVE}.ipynb": "late",
        },
    )
    found, problems = collected(place, tmp_path)
    assert found == {("hopper", FIVE): "late", ("lovelaceada", FIVE): "second"}
    assert len(problems) == 1 and "2 times" in problems[0] and "the last by name" in problems[0]


def test_one_folder_around_all_of_them_is_no_student_but_a_lone_students_folder_is(tmp_path):
    around = make_zip(tmp_path / "a.zip", {f"class/{name}/{FIVE}.ipynb": name for name in ("Ada", "Bob")})
    alone = make_zip(tmp_path / "b.zip", {f"Ada/{FIVE}.ipynb": "Ada"})
    moodle = make_zip(tmp_path / "c.zip", {f"Ada_1_assignsubmission_file_/sub/{FIVE}.ipynb": "Ada"})
    assert collected(around, tmp_path / "1")[0] == {("Ada", FIVE): "Ada", ("Bob", FIVE): "Bob"}
    assert collected(alone, tmp_path / "2")[0] == collected(moodle, tmp_path / "3")[0] == {("Ada", FIVE): "Ada"}


def test_what_a_student_hands_in_may_be_a_zip(tmp_path):
    inside = zip_bytes({f"work/{FIVE}.ipynb": "five", "work/00_start_here.ipynb": "zero", "__MACOSX/work/._x": "mac"})
    members = {
        "Ada_1_assignsubmission_file_/work.zip": inside,
        "hopper_124_4568_work.zip": inside,
        "Bob.zip": inside,
    }
    write(tmp_path / "class" / "nobody" / "empty.txt", "")
    for name, content in members.items():
        (tmp_path / "class" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "class" / name).write_bytes(content)
    from_zip, none = collected(make_zip(tmp_path / "class.zip", members), tmp_path / "1")
    from_folder, _ = collected(tmp_path / "class", tmp_path / "2")
    assert from_zip == from_folder
    both = {FIVE: "five", "00_start_here": "zero"}
    assert from_zip == {(who, what): both[what] for who in ("Ada", "Bob", "hopper") for what in both}
    assert none == []


def test_a_name_before_the_lessons_owns_a_flat_file_and_a_bare_one_is_nobodys(tmp_path):
    write(tmp_path / "class" / f"Ada Lovelace - {FIVE}.ipynb", "ada")
    write(tmp_path / "class" / f"{FIVE}.ipynb", "whose?")
    found, problems = collected(tmp_path / "class", tmp_path)
    assert found == {("Ada Lovelace", FIVE): "ada"}
    assert len(problems) == 1 and f"{FIVE}.ipynb" in problems[0] and "nobody's" in problems[0]


@pytest.mark.parametrize(
    "name",
    [
        "{} (1)",
        "{}-Copy1",
        "{}-Copy1-Copy2",
        "{}-1",
        "{} - Copy",
        "{} copy 2",
        "{}(1)",
        "Copy of {}",
        "{}_final",
        "my_{}",
    ],
)
def test_copies_and_new_names_are_still_the_lesson(tmp_path, name):
    write(tmp_path / "class" / "Ada" / f"{name.format(FIVE)}.ipynb", "copy")
    assert collected(tmp_path / "class", tmp_path) == ({("Ada", FIVE): "copy"}, [])


def test_the_newest_of_two_is_taken_and_of_two_as_old_the_last_by_name(tmp_path):
    write(tmp_path / "class" / "Ada" / f"{FIVE}.ipynb", "new", when=2_000_000)
    write(tmp_path / "class" / "Ada" / "old" / f"{FIVE} (1).ipynb", "old", when=1_000_000)
    for n in ("", "-2", "-10", "-9"):
        write(tmp_path / "class" / "Bob" / f"{FIVE}{n}.ipynb", n)
    write(tmp_path / "class" / "Cyd" / f"{FIVE}.ipynb", "the lesson", when=1_000_000)
    write(tmp_path / "class" / "Cyd" / f"{FIVE}_notes.ipynb", "notes", when=2_000_000)
    found, problems = collected(tmp_path / "class", tmp_path)
    assert found == {("Ada", FIVE): "new", ("Bob", FIVE): "-10", ("Cyd", FIVE): "the lesson"}
    ends = ["is taken, the newest.", "is taken, the last by name.", "is taken, which bears the lesson's name alone."]
    assert [problem.endswith(end) for problem, end in zip(problems, ends, strict=True)] == [True] * 3
    assert "“05_q_learning_bandits.ipynb”" in problems[0] and "4 times" in problems[1]


def test_in_zips_the_date_of_the_member_counts(tmp_path):
    place = make_zip(tmp_path / "class.zip", {f"Ada/{FIVE}.ipynb": "new", f"Bob/{FIVE}.ipynb": "bob"}, LATE)
    with zipfile.ZipFile(place, "a") as archive:
        archive.writestr(zipfile.ZipInfo(f"Ada/{FIVE}-1.ipynb", EARLY), "old")
        archive.writestr(zipfile.ZipInfo(f"Bob/{FIVE}-1.ipynb", (2026, 0, 0, 0, 0, 0)), "without a date")
    assert collected(place, tmp_path)[0] == {("Ada", FIVE): "new", ("Bob", FIVE): "bob"}


def test_what_is_no_lesson_is_said_once_a_student_and_what_programs_leave_not_at_all(tmp_path):
    for name in ("a.pdf", "b.py", "c.csv", "d.txt", "e.png", "f.docx"):
        write(tmp_path / "class" / "Ada" / name, "")
    for name in ("shopping.ipynb", f"{FIVE}2.ipynb", "05_q.ipynb"):
        write(tmp_path / "class" / "Ada" / name, "")
    for name in ("__MACOSX/x", f".ipynb_checkpoints/{FIVE}-checkpoint.ipynb", ".DS_Store", ".git/x", ".course.json"):
        write(tmp_path / "class" / "Ada" / name, "")
    write(tmp_path / "class" / "Ada" / f"._{FIVE}.ipynb", "")
    found, problems = collected(tmp_path / "class", tmp_path)
    assert found == {}
    assert problems == [
        "Ada: “05_q.ipynb”, “05_q_learning_bandits2.ipynb” and “shopping.ipynb”, named like no lesson.",
        "Ada: “a.pdf”, “b.py”, “c.csv”, “d.txt” and 2 more, no notebook.",
    ]


def special(name: str, **about: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, EARLY)
    for attribute, value in about.items():
        setattr(info, attribute, value)
    return info


@pytest.mark.parametrize(
    ("member", "why"),
    [
        (f"../../climbed/{FIVE}.ipynb", "leads out"),
        (f"Eve/../../climbed/{FIVE}.ipynb", "leads out"),
        (f"Eve\\..\\..\\{FIVE}.ipynb", "leads out"),
        (f"/climbed/{FIVE}.ipynb", "leads out"),
        (f"\\\\server\\climbed\\{FIVE}.ipynb", "leads out"),
        (f"C:\\climbed\\{FIVE}.ipynb", "leads out"),
        (f"C:climbed/{FIVE}.ipynb", "leads out"),
        (special(f"Eve/{FIVE}.ipynb", external_attr=(stat.S_IFLNK | 0o777) << 16), "links"),
        (special(f"Eve/{FIVE}.ipynb", compress_type=zipfile.ZIP_BZIP2), "packed"),
        (special(f"Eve/{FIVE}.ipynb", compress_type=zipfile.ZIP_LZMA), "packed"),
        (f"Eve/{'x' * 2000}/{FIVE}.ipynb", "too long"),
    ],
)
def test_a_hostile_member_is_refused_and_costs_itself_alone(tmp_path, member, why):
    place = tmp_path / "class.zip"
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr(member, "/etc/passwd")
        archive.writestr(f"Ada/{FIVE}.ipynb", "ada")
        archive.writestr(f"Eve/{FIVE}-1.ipynb", "what else Eve handed in")
    found, problems = collected(place, tmp_path)
    assert found == {("Ada", FIVE): "ada", ("Eve", FIVE): "what else Eve handed in"}
    assert len(problems) == 1 and why in problems[0] and problems[0].startswith(("In no student", "Eve"))
    written = {path for path in tmp_path.rglob("*") if path.is_file()} - {place}
    assert {path.parent.parent for path in written} == {tmp_path / "scratch"} and len(written) == 2
    assert not any(path.is_symlink() for path in tmp_path.rglob("*")) and not Path("/climbed").exists()


def test_an_encrypted_member_is_refused(tmp_path):
    place = make_zip(tmp_path / "class.zip", {f"Ada/{FIVE}.ipynb": "secret", f"Bob/{FIVE}.ipynb": "bob"})
    content = bytearray(place.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1  # the flag, in the first entry of the list of members
    place.write_bytes(content)
    found, problems = collected(place, tmp_path)
    assert found == {("Ada", FIVE): "[This notebook was not graded: encrypted.]", ("Bob", FIVE): "bob"}
    assert problems == ["Ada: “05_q_learning_bandits.ipynb”, encrypted."]


def test_a_member_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(intake, "MOST_FILE", 1000)
    place = make_zip(tmp_path / "class.zip", {f"Ada/{FIVE}.ipynb": "a" * 1000, f"Eve/{FIVE}.ipynb": "a" * 1001})
    found, problems = collected(place, tmp_path)
    assert found["Ada", FIVE] == "a" * 1000 and "larger than 0.001 MB" in found["Eve", FIVE] and len(problems) == 1
    assert "Eve" in problems[0] and "larger than 0.001 MB" in problems[0]


def test_a_member_that_lies_about_its_size_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(intake, "MOST_FILE", 1000)
    place = make_zip(tmp_path / "class.zip", {f"Eve/{FIVE}.ipynb": "a" * 10**6, f"Ada/{FIVE}.ipynb": "ada"})
    place.write_bytes(place.read_bytes().replace((10**6).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    found, problems = collected(place, tmp_path)
    assert found["Ada", FIVE] == "ada" and "damaged" in found["Eve", FIVE]
    assert len(problems) == 1 and "Eve" in problems[0]
    assert size_of(tmp_path / "scratch") == 3


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_a_students_zips_cannot_fill_the_disk_and_use_up_nobody_elses_room(tmp_path, monkeypatch):
    monkeypatch.setattr(intake, "MOST_UPLOAD", 2500)
    bomb = zip_bytes({f"{lesson}.ipynb": "a" * 1000 for lesson in LESSONS})
    members = {"Ada/bomb.zip": bomb, f"Bob/{FIVE}.ipynb": "bob", "Cyd/fine.zip": zip_bytes({f"{FIVE}.ipynb": "cyd"})}
    found, problems = collected(make_zip(tmp_path / "class.zip", members), tmp_path)
    assert [(who, text) for (who, _), text in found.items() if len(text) < 9] == [("Bob", "bob"), ("Cyd", "cyd")]
    assert "taken before" in found["Ada", LESSONS[2]] and found["Ada", FIVE] == "a" * 1000
    assert len(problems) == 1 and "bomb.zip" in problems[0] and "taken before" in problems[0]
    assert size_of(tmp_path / "scratch") == 2000 + 3 + 3


def test_loose_notebooks_of_one_student_cost_no_other_a_row(tmp_path, monkeypatch):
    monkeypatch.setattr(intake, "MOST_FILE", 1000)
    monkeypatch.setattr(intake, "MOST_UPLOAD", 1000)
    members = {f"Ada/{n}/{FIVE}.ipynb": "a" * 1000 for n in range(40)} | {
        f"{n}/{FIVE}.ipynb": n for n in ("Bob", "Cyd")
    }
    found, problems = collected(make_zip(tmp_path / "class.zip", members), tmp_path)
    assert found == {("Ada", FIVE): "a" * 1000, ("Bob", FIVE): "Bob", ("Cyd", FIVE): "Cyd"}
    assert len(problems) == 1 and "40 times" in problems[0] and size_of(tmp_path / "scratch") == 1006


def test_what_lies_open_takes_no_room_of_a_students_zips(tmp_path, monkeypatch):
    monkeypatch.setattr(intake, "MOST_UPLOAD", 1000)
    own = {
        "Ada/00_start_here.ipynb": "a" * 900,
        "Ada/work.zip": zip_bytes({f"{FIVE}.ipynb": "b" * 900}),
        "Bob/x.txt": "",
    }
    found, problems = collected(make_zip(tmp_path / "class.zip", own), tmp_path)
    assert [text[0] for text in found.values()] == ["a", "b"] and len(problems) == 1


def test_many_zips_of_many_files_each_are_not_all_read(tmp_path):
    many = zip_bytes({f"{n}/{FIVE}.ipynb": "" for n in range(6_000)})
    own = {f"Ada/{n:02}.zip": many for n in range(5)} | {f"Bob/{FIVE}.ipynb": "bob"}
    start = time.perf_counter()
    found, problems = collected(make_zip(tmp_path / "class.zip", own), tmp_path)
    assert time.perf_counter() - start < 20 and found == {("Ada", FIVE): "", ("Bob", FIVE): "bob"}
    assert any("6000 times" in problem for problem in problems) and any(
        "10,000 files" in problem for problem in problems
    )


def test_damaged_notebooks_and_zips_without_end_are_not_all_tried(tmp_path, monkeypatch):
    tried = []
    monkeypatch.setattr(intake.Room, "take", lambda room, found, nested=False: tried.append(found) or refuse())
    names = [*(f"{n}.zip" for n in range(99)), *(f"{FIVE}-{n}.ipynb" for n in range(99))]
    write(tmp_path / "class" / "Bob" / "a.txt", "")
    for name in names:
        write(tmp_path / "class" / "Ada" / name, "")
    found, problems = collected(tmp_path / "class", tmp_path)
    assert "damaged" in found["Ada", FIVE] and len(tried) == 20 + 3 and any("more than 20 zips" in p for p in problems)


def refuse() -> Path:
    raise intake.Refused("damaged")


def test_folders_without_end_cost_themselves_alone(tmp_path):
    write(tmp_path / "class" / "Cyd" / f"{FIVE}.ipynb", "cyd")
    write(tmp_path / "class" / "Ada" / "/".join("a" * 200) / f"{FIVE}.ipynb", "ada")
    found, problems = collected(tmp_path / "class", tmp_path)
    assert found == {("Cyd", FIVE): "cyd"} and "more than 30 folders" in problems[0]
    assert collect(tmp_path / "class", LESSONS, tmp_path / "scratch").people == [Person("Ada"), Person("Cyd")]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"PK not really", "not a whole zip"),
        (zip_bytes({"a.zip": zip_bytes({f"{FIVE}.ipynb": "x"})}), "a zip inside a zip"),
        (zip_bytes({f"../{FIVE}.ipynb": "x"}), "leads out"),
        (b"PK\1\2" * 10_001, "more than 10,000 files"),
    ],
)
def test_a_hostile_upload_costs_its_owner_alone(tmp_path, content, why):
    place = make_zip(tmp_path / "class.zip", {"Eve/work.zip": content, f"Ada/{FIVE}.ipynb": "ada"})
    found, problems = collected(place, tmp_path)
    assert found.pop(("Ada", FIVE)) == "ada" and all(who == "Eve" for who, _ in found)
    assert len(problems) == 1 and why in problems[0] and problems[0].startswith("Eve: ")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=12))
def test_a_zip_with_flipped_bytes_is_a_sentence_or_a_course_error(tmp_path_factory, flips):
    folder = tmp_path_factory.mktemp("flips")
    inner = zip_bytes({f"{FIVE}.ipynb": "x" * 100})
    content = bytearray(zip_bytes({f"Ada/{FIVE}.ipynb": "y" * 100, "Bob/b.zip": inner, f"Cyd/{FIVE}.ipynb": "z"}))
    for at, value in flips:
        content[at % len(content)] = value
    (folder / "class.zip").write_bytes(content)
    try:
        found = collect(folder / "class.zip", LESSONS, folder / "scratch")
    except CourseError:
        return
    assert all(
        one.problem if one.path is None else one.path.is_relative_to(folder / "scratch") for one in found.submissions
    )
    assert {one.person for one in found.submissions} | set(found.reasons) <= set(found.people)


def test_links_in_a_folder_are_not_followed(tmp_path):
    write(tmp_path / "private" / f"{FIVE}.ipynb", "not handed in")
    write(tmp_path / "class" / "Ada" / "00_start_here.ipynb", "ada")
    (tmp_path / "class" / "Ada" / f"{FIVE}.ipynb").symlink_to(tmp_path / "private" / f"{FIVE}.ipynb")
    (tmp_path / "class" / "Eve").symlink_to(tmp_path / "private")
    (tmp_path / "class" / "Ada" / "loop").symlink_to(tmp_path / "class")
    found, problems = collected(tmp_path / "class", tmp_path)
    assert found.pop(("Ada", FIVE)) == "[This notebook was not graded: links are not followed.]"
    assert found == {("Ada", "00_start_here"): "ada"}
    assert problems == [
        "Ada: “05_q_learning_bandits.ipynb” and “loop/…”, links are not followed.",
        "Eve: “…”, links are not followed.",
    ]


@pytest.mark.skipif(os.name != "posix", reason="only there are there pipes among files")
def test_a_pipe_and_a_huge_file_are_not_read(tmp_path):
    (tmp_path / "class" / "Eve").mkdir(parents=True)
    os.mkfifo(tmp_path / "class" / "Eve" / "00_start_here.ipynb")
    with (tmp_path / "class" / "Eve" / f"{FIVE}.ipynb").open("wb") as file:
        file.truncate(10**12)
    found, problems = collected(tmp_path / "class", tmp_path)
    assert ["cannot be read" in found["Eve", "00_start_here"], "larger than 50 MB" in found["Eve", FIVE]] == [
        True,
        True,
    ]
    assert "cannot be read" in problems[0] and "larger than 50 MB" in problems[1]


def test_what_is_no_class_is_refused_in_words(tmp_path):
    (tmp_path / "empty" / "Ada").mkdir(parents=True)
    (tmp_path / "note.txt").write_text("no zip")
    whole = make_zip(tmp_path / "whole.zip", {f"Ada/{FIVE}.ipynb": "x" * 1000}).read_bytes()
    (tmp_path / "half.zip").write_bytes(whole[: len(whole) // 2])
    for name, words in {
        "nowhere": "There is nothing at",
        "empty": "holds no files",
        "note.txt": "neither a folder nor a whole zip",
        "half.zip": "neither a folder nor a whole zip",
        "none.zip": "holds no files",
    }.items():
        if name == "none.zip":
            make_zip(tmp_path / name, {})
        with pytest.raises(CourseError, match=words):
            collect(tmp_path / name, LESSONS, tmp_path / "scratch")
