"""A student's page says what was found, shows nothing that is not theirs, and runs nothing that they wrote."""

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course_lib.classroom.grading.feedback import write_feedback
from course_lib.classroom.grading.results import Mark, Paper

LESSON = "05_q_learning_bandits"
HOSTILE = "<script>alert('&\"1')</script>"
MARKS = (
    Mark("5.1", 2, 2, "✔", "right in all 5 cases: 2 of 2 points."),
    Mark("5.2", 1.5, 3, "✘", "not yet: for (1, 2), case 1, it is larger.", mistake="Sum over the other axis."),
    Mark("5.3", 0, 2, "○", "not solved yet; 2 points wait here."),
)
PAPER = Paper("ada", LESSON, MARKS)


class Page(HTMLParser):
    """The text of a page, and its elements with their attributes."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.words: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.elements and self.elements[-1][0] != "style":
            self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag]


def page(paper: Paper, tmp_path: Path, titles: dict[str, str] | None = None) -> Page:
    return Page(write_feedback(paper, tmp_path / "feedback", titles))


def test_a_page_lies_in_the_students_folder_under_the_lessons_name(tmp_path):
    assert write_feedback(PAPER, tmp_path) == tmp_path / "ada" / f"{LESSON}.html"


def test_the_page_tells_points_marks_words_and_advice(tmp_path):
    told = page(PAPER, tmp_path)
    for words in (
        "05 · q learning bandits",
        "3.5 of 7 points",
        "Exercise 5.2",
        "1.5 of 3 points",
        "Right in all 5 cases",
        "Sum over the other axis.",
    ):
        assert words in told.text
    assert [attrs["class"] for attrs in told.all("article")] == ["right", "wrong", "open"]
    [bar] = [attrs for attrs in told.all("span") if "style" in attrs]
    assert bar["style"] == "width: 50.0%"


def test_a_title_that_is_known_replaces_the_files_name(tmp_path):
    told = page(PAPER, tmp_path, {LESSON: "05 · Q-learning and bandits"})
    assert "05 · Q-learning and bandits" in told.text
    assert "q learning bandits" not in told.text


def test_advice_that_the_words_hold_already_is_not_said_twice(tmp_path):
    mark = replace(MARKS[1], words="not yet. Sum over the other axis.")
    assert page(replace(PAPER, marks=(mark,)), tmp_path).text.count("Sum over the other axis.") == 1


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("time", "took longer than allowed"),
        ("memory", "needed more memory than allowed"),
        ("output", "printed more than allowed"),
        ("died", "ended its process"),
        ("missing", "is not in the notebook"),
        ("error", "stops with an error"),
    ],
)
def test_what_had_to_be_stopped_is_said(tmp_path, trouble, words):
    marks = (replace(MARKS[1], trouble=trouble), MARKS[2])
    assert page(replace(PAPER, marks=marks), tmp_path).text.count(words) == 1


def test_the_words_of_a_person_are_there(tmp_path):
    marks = (replace(MARKS[0], comment="Well thought."),)
    told = page(replace(PAPER, marks=marks, comment="A pleasure to read."), tmp_path)
    assert "Well thought." in told.text and "A pleasure to read." in told.text


def test_findings_and_answers_stay_with_the_instructor(tmp_path):
    marks = (replace(MARKS[0], finding="forged_report"), *MARKS[1:])
    paper = replace(PAPER, marks=marks, findings=("course_lib is used.",), answers={"5.1": "secret_answer"})
    told = write_feedback(paper, tmp_path).read_text()
    assert not any(words in told for words in ("course_lib", "secret_answer", "forged_report"))


def test_a_file_that_could_not_be_read_is_explained_once(tmp_path):
    problem = "This is not a Jupyter notebook: it is not JSON."
    marks = tuple(replace(mark, points=0, mark="○", words=problem, trouble="missing") for mark in MARKS)
    told = page(replace(PAPER, marks=marks, findings=(problem,)), tmp_path)
    assert told.text.count(problem) == 1
    assert "0 of 7 points" in told.text


def test_outputs_that_differ_are_told_apart_from_points(tmp_path):
    differences = tuple(f"the cell that begins 'print({i})': '1' was handed in" for i in range(7))
    told = page(replace(PAPER, reproduces="no", differences=differences), tmp_path)
    assert "no matter of points" in told.text
    assert "'print(4)'" in told.text and "'print(5)'" not in told.text and "And 2 more." in told.text
    assert "fresh run" not in page(replace(PAPER, reproduces="yes"), tmp_path).text


def test_nothing_that_a_student_chose_becomes_markup(tmp_path):
    mark = Mark("5.1", 0, 2, "✘", f"not yet: {HOSTILE}", mistake=HOSTILE + "!", comment=HOSTILE + "?")
    told = page(
        Paper("x", LESSON, (mark,), reproduces="no", differences=(HOSTILE,), comment=HOSTILE),
        tmp_path,
        {LESSON: HOSTILE},
    )
    assert told.all("script") == []
    assert told.text.count(HOSTILE) == 7  # title and heading, words, mistake, comments of both kinds, difference


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_no_text_changes_the_elements_of_a_page(tmp_path, text):
    mark = Mark("5.1", 0, 2, "✘", f"w{text}", comment=f"c{text}")
    plain = Mark("5.1", 0, 2, "✘", "w", comment="c")
    found = page(Paper("ada", LESSON, (mark,)), tmp_path)
    assert found.elements == page(Paper("ada", LESSON, (plain,)), tmp_path).elements


def test_a_page_needs_nothing_from_outside_and_says_its_language(tmp_path):
    told = page(PAPER, tmp_path)
    assert told.all("html") == [{"lang": "en"}]
    assert told.all("link") == told.all("script") == told.all("img") == []
    assert "url(" not in write_feedback(PAPER, tmp_path).read_text()


def test_a_lesson_without_points_has_an_empty_bar(tmp_path):
    assert "0 of 0 points" in page(Paper("ada", LESSON, ()), tmp_path).text
