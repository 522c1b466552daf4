"""The class on one page: numbers that can be checked by hand, links that lead somewhere, nothing hidden or run."""

import re
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import matplotlib as mpl
import pytest

from course_lib.classroom.grading.class_report import common_mistakes, exercise_table, needs_look, write_report
from course_lib.classroom.grading.copies import Pair
from course_lib.classroom.grading.feedback import write_feedback
from course_lib.classroom.grading.people import Person
from course_lib.classroom.grading.results import Mark, Paper

LESSON = "05_q_learning_bandits"
RIGHT = Mark("5.1", 2, 2, "✔", "right.")
WRONG = Mark("5.2", 0.5, 2, "✘", "not yet.", mistake="Sum over the other axis.")
OPEN = Mark("5.2", 0, 2, "○", "not solved yet.")
PAPER = Paper("ada", LESSON, (RIGHT, WRONG))
COPY = Pair(LESSON, "ada", "bob", 0.93, ("5.1", "5.3"))


def test_a_plain_paper_needs_no_look():
    ordinary = (
        "Cells of the student's own: 3.",
        "Never run: code cell 4.",
        "Stopped with an error: code cell 3 (KeyError).",
    )
    assert needs_look(replace(PAPER, reproduces="yes", findings=ordinary), []) == []
    assert needs_look(replace(PAPER, marks=(replace(WRONG, trouble="error"),)), []) == []


@pytest.mark.parametrize("trouble", ["time", "memory", "output", "died", "missing"])
def test_an_answer_that_was_stopped_needs_a_look_until_a_person_has_marked_it(trouble):
    stopped = replace(WRONG, trouble=trouble)
    [reason] = needs_look(replace(PAPER, marks=(RIGHT, stopped)), [])
    assert "5.2" in reason
    assert needs_look(replace(PAPER, marks=(RIGHT, replace(stopped, by_hand=True))), []) == []


@pytest.mark.parametrize("mark", [RIGHT, WRONG, OPEN])
def test_a_finding_about_an_answer_comes_first_until_a_person_has_marked_it(mark):
    found = replace(mark, finding="it wrote into the grader's report.")
    paper = replace(PAPER, marks=(replace(WRONG, label="5.9", trouble="time"), found), findings=("Edited: check 5.1.",))
    assert needs_look(paper, [COPY])[0] == f"Exercise {mark.label}: it wrote into the grader's report."
    assert not any("report" in why for why in needs_look(replace(paper, marks=(replace(found, by_hand=True),)), []))


def test_a_trouble_of_a_kind_without_words_needs_a_look_too():
    [reason] = needs_look(replace(PAPER, marks=(replace(WRONG, trouble="forged"),)), [])
    assert "5.2" in reason and "forged" in reason


def test_edits_outputs_interruptions_and_copies_need_a_look():
    edited = "Edited: check 5.1 (code cell 7)."
    paper = replace(PAPER, findings=(edited,), reproduces="no", differences=("the check: 1, not 2", "more"), done=False)
    reasons = needs_look(paper, [COPY, replace(COPY, lesson="06_evaluation"), replace(COPY, student_a="eve")])
    assert len(reasons) == 4
    assert edited in reasons
    assert any("the check: 1, not 2" in reason and "1 more" in reason for reason in reasons)
    assert any("bob" in reason and "5.1, 5.3" in reason and "93%" in reason for reason in reasons)
    [other] = needs_look(replace(PAPER, student="bob"), [COPY])
    assert "ada" in other


def test_a_file_that_could_not_be_read_has_one_reason():
    problem = "This is not a Jupyter notebook: it is not JSON."
    marks = (Mark("5.1", 0, 2, "○", problem, trouble="missing"),)
    assert needs_look(Paper("ada", LESSON, marks, (problem,)), []) == [problem]


def test_the_hardest_exercise_comes_first_and_unsolved_is_not_wrong():
    papers = [PAPER, replace(PAPER, student="bob", marks=(RIGHT, OPEN)), replace(PAPER, student="eve")]
    first, second = exercise_table(papers).to_dict("records")
    counts = {"right": 0, "wrong": 2, "unsolved": 1, "students": 3}
    assert first == {"label": "5.2", "lesson": LESSON, "share": pytest.approx(1 / 6)} | counts
    assert (second["label"], second["share"], second["right"]) == ("5.1", 1, 3)


def test_mistakes_are_counted_by_exercise_the_most_common_first():
    other = replace(WRONG, label="5.1", mistake="Divide by n.")
    papers = [PAPER, replace(PAPER, student="bob"), replace(PAPER, student="eve", marks=(other,))]
    assert common_mistakes(papers) == [("5.2", "Sum over the other axis.", 2), ("5.1", "Divide by n.", 1)]


def report(tmp_path: Path, papers: list[Paper], **more: object) -> str:
    given = {"copies": [], "problems": []} | more
    path = write_report(papers, folder=tmp_path, **given)
    assert path == tmp_path / "report.html"
    return path.read_text(encoding="utf-8")


def test_the_headline_is_the_class_in_numbers(tmp_path):
    papers = [PAPER, replace(PAPER, student="bob", marks=(RIGHT,), done=False), replace(PAPER, lesson="06_evaluation")]
    text = report(tmp_path, papers)
    tiles = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", text))
    mean = (2.5 / 4 + 1 + 2.5 / 4) / 3
    assert tiles == {
        "students": "2",
        "notebooks": "3",
        "mean share of points": f"{100 * mean:.0f} %",
        "notebooks to look at by hand": "1",
    }


def test_every_link_leads_to_a_page_whatever_students_are_called(tmp_path):
    papers = [replace(PAPER, student=name) for name in ("ada", "a b", "50% #1?", "Jürgen & <b>", "=x")]
    for paper in papers:
        write_feedback(paper, tmp_path / "feedback")
    links = re.findall(
        r'href="([^"]+)"', report(tmp_path, papers, copies=[replace(COPY, student_b=Person("50% #1?").folder)])
    )
    assert len(links) >= len(papers) + 2
    assert all((tmp_path / unquote(link)).is_file() and not {*"#?&<"} & {*link} for link in links)


def test_the_page_is_whole_in_itself_and_its_pictures_have_words(tmp_path):
    text = report(tmp_path, [PAPER, replace(PAPER, student="bob", marks=(RIGHT, OPEN))])
    assert '<html lang="en">' in text
    assert not re.findall(r"<script|<link|https?://", text)
    images = re.findall(r'<img src="data:image/png;base64,[\w+/=]{2000,}" alt="([^"]+)">', text)
    assert len(images) == text.count("<img") == 2
    assert "median 56%" in images[0]
    assert "5.2: 12% of the points, 1 of 2 students did not solve it" in images[1]


def test_copies_mistakes_and_problems_are_told(tmp_path):
    text = report(tmp_path, [PAPER, replace(PAPER, student="bob")], copies=[COPY], problems=["eve.zip is no zip."])
    for words in ("5.1, 5.3", "93 %", "Sum over the other axis.", "eve.zip is no zip."):
        assert words in text
    assert "Alike to bob&#39;s" in text


def test_a_lesson_not_handed_in_is_an_empty_cell(tmp_path):
    text = report(tmp_path, [PAPER, replace(PAPER, student="bob", lesson="06_evaluation")])
    assert text.count("<td></td>") == 2


def test_nothing_that_a_student_chose_becomes_markup(tmp_path):
    hostile = "<script>alert('&\"1')</script>$x_1$"
    marks = (replace(WRONG, trouble="time", words=hostile, mistake=hostile),)
    paper = Paper(hostile, LESSON, marks, (hostile,), "no", (hostile,))
    copies = [Pair(LESSON, hostile, "ada", 0.9, (hostile,))]
    text = report(tmp_path, [paper, PAPER], copies=copies, problems=[hostile], titles={LESSON: hostile})
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 8


def test_a_class_without_papers_has_a_page_too(tmp_path):
    assert "ada.zip is empty." in report(tmp_path, [], problems=["ada.zip is empty."])


def test_the_report_leaves_the_style_of_other_figures_alone(tmp_path):
    before = dict(mpl.rcParams)
    report(tmp_path, [PAPER])
    assert dict(mpl.rcParams) == before


def test_the_same_class_gives_the_same_page(tmp_path):
    papers = [PAPER, replace(PAPER, student="bob")]
    assert report(tmp_path / "a", papers) == report(tmp_path / "b", papers)


def test_200_students_and_6_lessons_are_quick_and_small(tmp_path):
    papers = [
        replace(PAPER, student=f"student {i}", lesson=f"{lesson:02}_lesson", findings=("Edited: check 5.1.",))
        for i in range(200)
        for lesson in range(6)
    ]
    start = time.perf_counter()
    size = len(report(tmp_path, papers).encode())
    assert time.perf_counter() - start < 20
    assert size < 5e6
