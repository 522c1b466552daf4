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
from course_lib.classroom.grading.sandbox import Attempt, _attempt
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
    assert isinstance(_attempt(lines, ""), Attempt)


def test_a_report_that_ends_early_is_that_of_a_process_that_died():
    assert _attempt(['{"ran": 0, "error": ""}', '{"answer": null}'], "").trouble == "died"
    assert _attempt(['{"ran": 0, "error": ""}', '{"done": true}'], "").trouble == ""


def test_hidden_cases_are_the_same_for_the_whole_class_and_others_for_another_class():
    one = exercise("0.1")
    assert hidden_cases(one, "ours") == hidden_cases(one, "ours") != hidden_cases(one, "theirs")
    assert hidden_cases(exercise("0.3"), "ours") == []  # a value has no inputs


def attempt_of(function, label, **more):
    one = exercise(label)
    hidden = hidden_cases(one, "secret")
    found = tuple(sent(answer) for answer in answers(function, [*one.cases, *hidden]))
    return (
        one,
        hidden,
        Attempt(**({"errors": ("",), "answers": found, "instead": "", "trouble": "", "words": ""} | more)),
    )


def test_half_of_the_cases_earn_half_of_the_points():
    one, hidden, attempt = attempt_of(exercise("4.1").reference, "4.1")  # 2 cases and 4 hidden ones, 2 points
    assert mark_of(one, hidden, attempt, STANDARD).points == 2
    half = Attempt(("",), attempt.answers[:3], "", "time", "")
    mark = mark_of(one, hidden, half, STANDARD)
    assert (mark.points, mark.mark, mark.trouble) == (1, "✘", "time")
    assert "no answer within 10 seconds" in mark.words or "1 of the 4 hidden cases" in mark.words


@pytest.mark.parametrize("trouble", ["time", "output", "died"])
def test_whoever_is_stopped_before_the_first_answer_gets_nothing_and_is_told_why(trouble):
    one, hidden, attempt = attempt_of(lambda *case: 0, "0.1", answers=(), trouble=trouble)
    mark = mark_of(one, hidden, attempt, STANDARD)
    assert (mark.points, mark.mark, mark.trouble) == (0, "✘", trouble)


def test_a_cell_that_cannot_run_is_not_called_unsolved():
    one, hidden, attempt = attempt_of(lambda *case: None, "0.1", errors=("SyntaxError: expected ':'",))
    mark = mark_of(one, hidden, attempt, STANDARD)
    assert mark.mark == "✘" and "SyntaxError" in mark.words and mark.trouble == "error"


def test_a_value_where_a_function_is_wanted_is_called_by_its_type():
    one, hidden, attempt = attempt_of(lambda *case: 0, "0.1", answers=(), instead="float")
    assert "type float" in mark_of(one, hidden, attempt, STANDARD).words


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
