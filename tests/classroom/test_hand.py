"""The instructor's table of marks is merged whole; grades can be imported and hold no formula."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.classroom.grading.copies import Pair
from course_lib.classroom.grading.hand import HandMark, apply_hand, grades_csv, read_hand, start_hand
from course_lib.classroom.grading.results import Mark, Paper, load, save
from course_lib.errors import CourseError

LESSON = "05_q_learning_bandits"


def paper(student: str = "ada", lesson: str = LESSON, points: tuple[float, ...] = (0, 2)) -> Paper:
    number = lesson.partition("_")[0].lstrip("0")
    marks = (
        Mark(f"{number}.{i}", p, 2, "✔" if p == 2 else "✘", "right." if p == 2 else "not yet: it is larger.")
        for i, p in enumerate(points, start=1)
    )
    return Paper(student, lesson, tuple(marks))


def row(
    student: str = "ada", lesson: str = "05", exercise: str = "5.1", points: str = "1.5", comment: str = ""
) -> HandMark:
    return HandMark(2, student, lesson, exercise, points, comment)


def written(tmp_path: Path, text: str | bytes) -> list[HandMark]:
    path = tmp_path / "hand_marks.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_hand(path)


def test_no_file_is_no_marks_and_makes_no_file(tmp_path):
    assert read_hand(tmp_path / "hand_marks.csv") == []
    assert list(tmp_path.iterdir()) == []


def test_a_new_table_is_empty_and_never_replaces_one(tmp_path):
    path = tmp_path / "hand_marks.csv"
    start_hand(path)
    assert path.read_text() == "student,lesson,exercise,points,comment\n"
    assert read_hand(path) == []
    path.write_text("mine")
    with pytest.raises(CourseError, match="there already"):
        start_hand(path)
    assert path.read_text() == "mine"


@pytest.mark.parametrize("points", ["1.5", "1,5"])
def test_a_table_from_excel_with_its_mark_and_semicolons_is_read(tmp_path, points):
    text = f"\ufeffstudent;lesson;exercise;points;comment\r\nada;5;5.1;{points};Gut, aber langsam\r\n;;;;\r\n"
    rows = written(tmp_path, text)
    assert rows == [HandMark(2, "ada", "5", "5.1", points, "Gut, aber langsam")]
    assert apply_hand([paper()], rows)[0][0].marks[0].points == 1.5


def test_a_comment_with_commas_and_no_quotes_keeps_its_words(tmp_path):
    rows = written(tmp_path, "student,lesson,exercise,points,comment\nada,05,5.1,1,Good, but slow\n")
    assert rows[0].comment == "Good, but slow"


def test_a_table_without_a_column_or_in_another_encoding_is_refused(tmp_path):
    with pytest.raises(CourseError, match="no column points"):
        written(tmp_path, "student,lesson,exercise,comment\n")
    with pytest.raises(CourseError, match="CSV UTF-8"):
        written(tmp_path, "student,lesson,exercise,points,comment\nJürgen,5,5.1,1,\n".encode("cp1252"))
    with pytest.raises(CourseError, match="no column"):
        written(tmp_path, "")


@pytest.mark.parametrize("lesson", ["05", "5", LESSON, f"{LESSON}.ipynb"])
def test_a_lesson_goes_by_number_or_name(lesson):
    merged, problems = apply_hand([paper()], [row(lesson=lesson)])
    assert (merged[0].points, problems) == (3.5, [])


def test_lesson_5_is_not_lesson_5b_and_00_is_0():
    papers = [paper(lesson="05_q"), paper(lesson="05b_context"), paper(lesson="00_start_here")]
    papers[2] = Paper("ada", "00_start_here", (Mark("0.1", 0, 2, "✘", "not yet."),))
    hand = [row(lesson="5b", exercise="5b.1", points="1"), row(lesson="0", exercise="0.1", points="2")]
    merged, problems = apply_hand(papers, hand)
    assert [one.points for one in merged] == [2, 3, 2]
    assert problems == []


def test_points_of_a_person_replace_the_machines_and_its_words_stay():
    [one], _ = apply_hand([paper()], [row(points="1.5", comment="The idea is right.")])
    mark, other = one.marks
    assert (mark.points, mark.by_hand, mark.comment, mark.mark) == (1.5, True, "The idea is right.", "✘")
    assert mark.words.startswith("a person has set the points") and "not yet: it is larger." in mark.words
    assert other == paper().marks[1]


def test_full_points_of_a_person_make_it_right_and_fewer_make_it_wrong():
    [one], _ = apply_hand([paper()], [row(points="2"), row(exercise="5.2", points="0")])
    assert [mark.mark for mark in one.marks] == ["✔", "✘"]


def test_a_row_without_points_only_comments():
    [one], problems = apply_hand([paper()], [row(points="", comment="Look again."), row(points="", comment="Please.")])
    assert (one.marks[0].points, one.marks[0].by_hand, one.marks[0].words) == (0, False, "not yet: it is larger.")
    assert one.marks[0].comment == "Look again.\nPlease."
    assert problems == []


def test_a_row_without_an_exercise_comments_on_the_notebook(tmp_path):
    [one], problems = apply_hand([paper()], [row(exercise="", points="", comment="A pleasure.")])
    assert (one.comment, one.points, problems) == ("A pleasure.", 2, [])
    save(one, tmp_path)
    assert load(tmp_path / "ada" / f"{LESSON}.json") == one


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (row(student="bob"), "'bob'"),
        (row(lesson="07"), "'07'"),
        (row(lesson="06"), "ada has not handed in 06_evaluation"),
        (row(lesson=""), "a lesson ''"),
        (row(lesson="05_another"), "'05_another'"),
        (row(exercise="5.9"), "no exercise '5.9'"),
        (row(points="2.5"), "not between 0 and 2"),
        (row(points="-1"), "not between 0 and 2"),
        (row(points="nan"), "not a number"),
        (row(points="two"), "not a number"),
        (row(points="1_0"), "not a number"),
        (row(exercise="", points="1"), "without an exercise"),
        (row(points=""), "neither"),
    ],
)
def test_a_row_that_cannot_be_followed_becomes_a_sentence_and_changes_nothing(wrong, words):
    papers = [paper(), paper("eve", "06_evaluation"), paper(lesson="00_start_here")]
    merged, problems = apply_hand(papers, [wrong])
    assert merged == papers
    assert len(problems) == 1 and words in problems[0] and "line 2" in problems[0]


def test_of_two_rows_for_one_exercise_the_later_counts_and_it_is_said():
    [one], problems = apply_hand([paper()], [row(points="1"), HandMark(3, "ada", "5", "5.1", "2", "")])
    assert one.marks[0].points == 2
    assert one.marks[0].words.count("a person") == 1
    assert len(problems) == 1 and "line 3" in problems[0] and "line 2" in problems[0]


def test_names_are_found_in_another_case_and_form_unless_two_students_share_it():
    merged, problems = apply_hand([paper("Jürgen")], [row(student="ju\u0308rgen")])
    assert (merged[0].points, problems) == (3.5, [])
    twins = [paper("ada"), paper("Ada")]
    assert apply_hand(twins, [row(student="Ada")])[0][1].points == 3.5
    assert apply_hand(twins, [row(student="ADA")])[0] == twins


@given(
    st.builds(
        row,
        student=st.sampled_from(["ada", "bob", ""]),
        lesson=st.sampled_from(["5", "6", ""]),
        exercise=st.sampled_from(["5.1", "5.2", "5.3", ""]),
        points=st.sampled_from(["0", "1.5", "2", "3", "x", ""]),
        comment=st.sampled_from(["well done", ""]),
    )
)
def test_every_row_either_changes_the_paper_or_becomes_a_sentence(one):
    merged, problems = apply_hand([paper()], [one])
    assert (merged != [paper()]) != (len(problems) == 1)
    assert 0 <= merged[0].points <= merged[0].of


def table(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_grades_have_a_row_a_student_and_a_column_a_lesson_handed_in():
    papers = [
        paper("eve", points=(1.5, 2)),
        paper("ada", points=(0, 0)),
        paper("eve", "06_evaluation", points=(2, 2, 0.5)),
    ]
    text = grades_csv(papers, ["04_gcn", LESSON, "06_evaluation"], ["bob", "eve", "ada"])
    assert table(text) == [
        ["student", f"{LESSON} (4)", "06_evaluation (6)", "total", "out_of", "look_by_hand"],
        ["ada", "0", "", "0", "10", ""],
        ["bob", "", "", "0", "10", ""],
        ["eve", "3.5", "4.5", "8", "10", ""],
    ]


def test_grades_say_who_needs_a_look():
    papers = [paper("ada"), paper("bob"), paper("eve")]
    rows = table(grades_csv(papers, [LESSON], [], [Pair(LESSON, "ada", "eve", 1.0, ("5.1",))]))
    assert [row[-1] for row in rows[1:]] == ["yes", "", "yes"]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_no_cell_of_the_grades_is_a_formula_and_a_name_stays_readable(name):
    cell = table(grades_csv([paper(name)], [LESSON], []).replace("\r", " "))[1][0]
    assert cell.lstrip()[:1] not in tuple("=+-@")
    assert cell.endswith(name.replace("\r", " "))


def test_a_name_as_the_grades_write_it_is_found_again():
    merged, problems = apply_hand([paper("=cmd|x")], [row(student="'=cmd|x")])
    assert (merged[0].points, problems) == (3.5, [])
