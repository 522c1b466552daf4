"""The instructor's table of marks is merged whole; grades can be imported and hold no formula."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.classroom.grading.copies import Pair
from course_lib.classroom.grading.hand import GIVEN, HandMark, apply_hand, grades_csv, read_given, read_hand
from course_lib.classroom.grading.people import Person
from course_lib.classroom.grading.results import Mark, Paper, load, save
from course_lib.errors import CourseError

LESSON = "05_q_learning_bandits"
WORTH = {LESSON: 4}


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


def test_names_are_found_in_another_case_and_form():
    merged, problems = apply_hand([paper("Jürgen")], [row(student="ju\u0308rgen")])
    assert (merged[0].points, problems) == (3.5, [])


SAME = [replace(paper("Same Name"), id=number) for number in ("17", "18")]


def test_a_name_that_two_people_bear_is_a_sentence_and_an_id_is_no_guess():
    merged, [problem] = apply_hand(SAME, [row(student="Same Name")])
    assert merged == SAME and "Same Name #17 and Same Name #18" in problem and "write the id" in problem
    for student in ("Same Name", "same  name", "", "Same Name #18"):
        merged, problems = apply_hand(SAME, [replace(row(student=student), id="18")])
        assert ([one.points for one in merged], problems) == ([2, 3.5], [])
    assert [one.points for one in apply_hand(SAME, [row(student="Same Name #18")])[0]] == [2, 3.5]


def test_a_row_stays_with_the_student_to_whom_it_was_given_when_a_namesake_hands_in():
    given: dict[str, str] = {}
    assert apply_hand(SAME[1:], [row(student="Same Name")], given=given)[1] == []
    merged, [problem] = apply_hand(
        SAME, [row(student="Same Name"), row(student="Same Name", points="0")][:1], given=given
    )
    assert [one.points for one in merged] == [2, 3.5] and "stays with Same Name #18" in problem
    merged, [problem] = apply_hand(SAME, [row(student="Same Name", comment="another row")], given=given)
    assert merged == SAME and "counts for neither" in problem


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (replace(row(student="Same Name"), id="19"), "has the id '19'"),
        (replace(row(student="eve"), id="18"), "'18' is that of Same Name #18, the name that of eve"),
    ],
)
def test_an_id_that_is_nobodys_or_contradicts_the_name_is_a_sentence(one, words):
    papers = [*SAME, paper("eve")]
    merged, [problem] = apply_hand(papers, [one])
    assert merged == papers and words in problem


def test_an_id_without_its_zeros_is_found_where_it_can_be_only_one():
    zeros = [replace(paper("ada"), id="0017"), replace(paper("bob"), id="018")]
    assert apply_hand(zeros, [replace(row(student=""), id="17")])[0][0].points == 3.5
    both = [*zeros, replace(paper("eve"), id="17")]
    assert [one.points for one in apply_hand(both, [replace(row(student=""), id="17")])[0]] == [2, 2, 3.5]


def test_ada_and_minus_ada_do_not_exchange_their_marks():
    two = [paper("-ada"), paper("ada")]
    assert [one.points for one in apply_hand(two, [row(student="ada")])[0]] == [2, 3.5]
    assert [one.points for one in apply_hand(two, [row(student="-ada")])[0]] == [3.5, 2]
    three = [paper("'-ada"), *two]  # grades.csv writes the first and the second alike
    assert apply_hand(three, [row(student="'-ada")])[0] == three


@pytest.mark.parametrize(
    "text",
    [
        'ada,05,5.1,1,"Good\nbob,05,5.1,0,\n',
        'ada,05,5.1,1,"Good\nbob,05,5.1,0,"copied"\n',
        'ada,05,5.1,1,"Good\nbob,05,5.1,0,"\n',
        'ada,05,5.1,1,"Good\nbob,05,,,fine\n',
        'ada,05,5.1,1,"Good\nbob,05,,,"\n',
        'ada,05,5.1,1,"Good" but slow\n',
    ],
)
def test_a_quotation_mark_that_takes_in_other_rows_is_one_sentence_with_its_line(tmp_path, text):
    with pytest.raises(CourseError, match=r"2.*quotation mark"):
        written(tmp_path, "student,lesson,exercise,points,comment\n" + text)


def test_a_comment_of_several_lines_is_whole_and_the_next_row_too(tmp_path):
    rows = written(
        tmp_path, 'student,lesson,exercise,points,comment\nada,05,5.1,1,"Yes, no,\nso, la, la 5.1"\nbob,05,5.1,2,\n'
    )
    assert [(one.line, one.student) for one in rows] == [(2, "ada"), (4, "bob")] and rows[0].comment.endswith("la 5.1")


def test_a_folder_in_the_place_of_the_table_is_one_sentence(tmp_path):
    (tmp_path / "hand_marks.csv").mkdir()
    with pytest.raises(CourseError, match="cannot be read as a table"):
        read_hand(tmp_path / "hand_marks.csv")


def test_a_table_may_have_a_column_id(tmp_path):
    [one] = written(tmp_path, "id,student,lesson,exercise,points,comment\n17,Same Name,05,5.1,1,\n")
    assert (one.id, one.student) == ("17", "Same Name")


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', "{", '{"row": "17"}'])
def test_what_is_remembered_of_rows_is_read_as_a_strangers(tmp_path, content):
    (tmp_path / GIVEN).write_text(content)
    assert read_given(tmp_path / GIVEN) in ({}, {"row": "17"})


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
    text = grades_csv(papers, {"04_gcn": 2} | WORTH | {"06_evaluation": 6}, map(Person, ["bob", "eve", "ada"]))
    assert table(text) == [
        ["student", "id", f"{LESSON} (4)", "06_evaluation (6)", "total", "out_of", "look_by_hand"],
        ["ada", "", "0", "", "0", "10", ""],
        ["bob", "", "", "", "0", "10", "yes"],
        ["eve", "", "3.5", "4.5", "8", "10", ""],
    ]


def test_namesakes_have_a_row_each_and_go_by_their_ids():
    rows = table(grades_csv([*SAME, replace(paper("ada"), id="9")], WORTH, [Person("Same Name", "100")]))
    found = [("Same Name", "17", "2"), ("Same Name", "18", "2"), ("Same Name", "100", ""), ("ada", "9", "2")]
    assert [tuple(row[:3]) for row in rows[1:]] == found


def test_a_notebook_that_waits_for_its_grade_is_no_zero():
    text = grades_csv([paper("ada")], WORTH | {"06_evaluation": 6}, [], ungraded=[(Person("ada"), "06_evaluation")])
    assert table(text)[1] == ["ada", "", "2", "", "", "10", "yes"]


def test_grades_say_who_needs_a_look():
    papers = [paper("ada"), paper("bob"), paper("eve")]
    rows = table(grades_csv(papers, WORTH, [], [Pair(LESSON, "ada", "eve", 1.0, ("5.1",))]))
    assert [row[-1] for row in rows[1:]] == ["yes", "", "yes"]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_no_cell_of_the_grades_is_a_formula_and_a_name_stays_readable(name):
    cell = table(grades_csv([paper(name)], WORTH, []).replace("\r", " "))[1][0]
    assert cell.lstrip()[:1] not in tuple("=+-@")
    assert cell.endswith(Person(name).shown)


def test_a_name_as_the_grades_write_it_is_found_again():
    merged, problems = apply_hand([paper("=cmd|x")], [row(student="'=cmd|x")])
    assert (merged[0].points, problems) == (3.5, [])
