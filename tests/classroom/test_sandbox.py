"""What goes into the sandbox and what comes out of it; what its forks may do is tried in test_hostile_class."""

import json
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib.classroom.grading.judging import hidden_cases, mark_of
from course_lib.classroom.grading.plain import decode, encode
from course_lib.classroom.grading.reproduce import difference, shown
from course_lib.classroom.grading.sandbox import Attempt, Sandbox, attempt_of
from course_lib.classroom.grading.walls import STANDARD
from course_lib.exercises import exercise
from course_lib.exercises.judge import Raised, answers

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["dtype", "shape", "data", "set", "dict", "text"]), inner)
    ),
)


def sent(answer):
    """As it comes out of the sandbox."""
    return decode(json.loads(json.dumps(encode(answer))))


@pytest.mark.parametrize(
    "answer",
    [
        3,
        2.5,
        float("nan"),
        True,
        [1, 2],
        (1.5, 2),
        [[1], [2]],
        [True, False],
        np.arange(6).reshape(2, 3),
        np.float32(1),
    ],
)
def test_numbers_come_out_as_they_went_in(answer):
    np.testing.assert_array_equal(sent(answer), answer)
    assert np.asarray(sent(answer)).dtype == np.asarray(answer).dtype


def test_texts_sets_dictionaries_and_tensors_come_out_and_of_the_rest_only_the_name():
    assert sent("film") == "film" and sent({1, 2}) == {1, 2} and sent({"a": 1.5, 2: "b"}) == {"a": 1.5, 2: "b"}
    np.testing.assert_array_equal(sent(torch.ones(2, 3)), np.ones((2, 3)))
    assert type(sent(object())).__name__ == "object" and type(sent([[1], [2, 3]])).__name__ == "list"
    assert sent(None) is None and sent(...) is None and sent(Raised("ValueError: no")) == Raised("ValueError: no")


def test_an_answer_too_large_is_said_to_be():
    assert "80 MB" in sent(np.zeros(10_000_000)).words


@given(JSON)
def test_what_a_student_writes_into_the_report_is_an_answer_or_a_value_error(document):
    with suppress(ValueError):
        decode(document)


@given(st.lists(st.text() | JSON.map(json.dumps) | JSON.map(lambda d: json.dumps({"answer": d}))))
def test_a_report_may_hold_anything(lines):
    assert isinstance(attempt_of(lines, ""), Attempt)


DONE = '{"done": true, "called": []}'


def test_a_report_that_ends_early_is_that_of_a_process_that_died():
    assert attempt_of(['{"ran": 0, "error": ""}', '{"answer": null}'], "").trouble == "died"
    assert attempt_of(['{"ran": 0, "error": ""}', '{"answer": nu'], "").trouble == "died"
    assert attempt_of(['{"ran": 0, "error": ""}', DONE, ""], "").trouble == ""


@pytest.mark.parametrize("line", ['{"points": 1}', "1", "half a li", '{"done": true}', '{"ran": "0", "error": ""}'])
def test_a_line_that_is_not_of_the_grader_makes_the_whole_report_void(line):
    for lines in ([line, '{"answer": null}', DONE], ['{"answer": null}', DONE, line]):
        found = attempt_of(lines, "")
        assert (found.trouble, found.answers) == ("report", ())


def test_hidden_cases_are_the_same_for_the_whole_class_and_others_for_another_class():
    one = exercise("0.1")
    assert hidden_cases(one, "ours") == hidden_cases(one, "ours") != hidden_cases(one, "theirs")
    assert hidden_cases(exercise("0.3"), "ours") == []  # a value has no inputs


def two_attempts(function, label, **more):
    one = exercise(label)
    hidden = hidden_cases(one, "secret")
    like = {"errors": ("",), "instead": "", "trouble": "", "words": ""}
    shown, unseen = (
        Attempt(**(like | {"answers": tuple(sent(answer) for answer in answers(function, cases))} | more))
        for cases in (one.cases, hidden)
    )
    return one, hidden, shown, unseen


def test_the_hidden_cases_earn_the_points():
    one, hidden, shown, unseen = two_attempts(exercise("4.1").reference, "4.1")  # 2 points
    assert mark_of(one, hidden, shown, unseen, STANDARD).points == 2
    for right, points in ((6, 2), (5, 1.5), (3, 1), (2, 0.5), (1, 0), (0, 0)):
        some = Attempt(("",), unseen.answers[:right], "", "time" if right < 6 else "", "")
        mark = mark_of(one, hidden, shown, some, STANDARD)
        assert (mark.points, mark.trouble) == (points, "time" if right < 6 else "")
        assert right == 6 or f"{right} of the 6 hidden cases" in mark.words
    wrong = Attempt(("",), (0.0,) * len(one.cases), "", "", "")
    assert mark_of(one, hidden, wrong, unseen, STANDARD).points == 1.5  # 6 of 8 cases, rounded down


def test_a_table_of_the_shown_cases_earns_nothing_and_is_said():
    for label in ("4.1", "5.4", "6.3"):
        one, hidden, shown, _ = two_attempts(exercise(label).reference, label)
        blank = Attempt(("",), (0.123,) * len(hidden), "", "", "")
        mark = mark_of(one, hidden, shown, blank, STANDARD)
        assert mark.points == 0 and "by heart" in mark.finding


def test_what_stops_in_a_hidden_case_is_not_named():
    one, hidden, shown, _ = two_attempts(exercise("4.1").reference, "4.1")
    stops = Attempt(("",), tuple(Raised(f"KeyError: {case}") for case in hidden), "", "", "")
    words = mark_of(one, hidden, shown, stops, STANDARD).words
    assert "It stops with an error there." in words and "KeyError" not in words


@pytest.mark.parametrize("trouble", ["time", "output", "died", "report"])
def test_whoever_is_stopped_before_the_first_answer_gets_nothing_and_is_told_why(trouble):
    one, hidden, shown, _ = two_attempts(lambda *case: 0, "0.1", answers=(), trouble=trouble)
    mark = mark_of(one, hidden, shown, None, STANDARD)
    assert (mark.points, mark.mark, mark.trouble) == (0, "✘", trouble)
    assert bool(mark.finding) == (trouble == "report")


def test_a_cell_that_cannot_run_is_not_called_unsolved():
    one, hidden, shown, _ = two_attempts(lambda *case: None, "0.1", errors=("SyntaxError: expected ':'",))
    mark = mark_of(one, hidden, shown, None, STANDARD)
    assert mark.mark == "✘" and "SyntaxError" in mark.words and mark.trouble == "error"


def test_a_value_where_a_function_is_wanted_is_called_by_its_type():
    one, hidden, shown, _ = two_attempts(lambda *case: 0, "0.1", answers=(), instead="float")
    assert "type float" in mark_of(one, hidden, shown, None, STANDARD).words


@pytest.mark.parametrize(
    ("handed_in", "replayed", "agree"),
    [
        ("NDCG@10 0.2194", "NDCG@10 0.2201", True),  # 0.3 %
        ("NDCG@10 0.2194", "NDCG@10 0.2394", False),  # 9 %
        ("NDCG@10 0.2194", "NDCG@20 0.2194", False),
        ("0.21", "0.22", True),  # one unit of the last digit
        ("1,682 films", "1,683 films", True),
        ("1,682 films", "1,982 films", False),
        ("a   b\nc", "a b c", True),  # as wide as a table happens to be
        ("left", "left over", False),
        ("<Figure size 640x480 with 1 Axes>", "<Figure size 600x400 with 2 Axes>", True),
        ("−3.5 to 2e-5", "-3.5 to 2.01e-5", True),
        ("nan", "0.5", False),
    ],
)
def test_outputs_agree_in_words_and_within_the_tolerance_in_numbers(handed_in, replayed, agree):
    assert (difference(handed_in, replayed, rel=0.02) == "") is agree


@given(st.text())
def test_every_text_agrees_with_itself(text):
    assert difference(text, text, rel=0) == ""


def test_shown_is_what_a_reader_sees_and_nothing_of_the_error_stream():
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": ["one\n", "two\n"]},
        {"output_type": "stream", "name": "stderr", "text": "a warning"},
        {"output_type": "execute_result", "data": {"text/plain": "3", "image/png": "…"}},
    ]
    assert shown(outputs).split() == ["one", "two", "3"]


def test_without_walls_nothing_is_written_to_the_graders_own_ipython(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    with Sandbox(trust=True) as box:
        assert box.attempt(["answer = 7"], "answer", [], False).answers == (7,)
    assert not (tmp_path / "ipython").exists()
