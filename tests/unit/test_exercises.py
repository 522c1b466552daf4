import numpy as np
import pytest
import torch

from course_lib.errors import CourseError
from course_lib.exercises import check, exercise
from course_lib.exercises.judge import Exercise, compare, difference, judge

ABSOLUTE = Exercise("1.1", 3, abs, [(1,), (-3,), (7,)])
LOGARITHM = Exercise(
    "1.1", 1, np.log2, [(3.0,), (5.0,)], mistakes={"Use log2, not log.": np.log, "Not log10.": np.log10}
)


def test_a_right_value_gets_its_points():
    verdict = judge(Exercise("1.1", 2, 1 / 2), 0.5)
    assert (verdict.points, str(verdict)) == (2, "✔ Exercise 1.1: right: 2 of 2 points.")


@pytest.mark.parametrize("nothing", [None, ...])
def test_an_unsolved_value_is_no_fault(nothing):
    verdict = judge(Exercise("1.1", 1, 3), nothing)
    assert verdict.mark == "○" and verdict.points == 0 and "not solved yet; 1 point waits" in verdict.words


def stub(x):
    raise NotImplementedError


@pytest.mark.parametrize("function", [stub, lambda x: None, lambda x: ..., None, ...])
def test_an_unsolved_function_is_no_fault(function):
    verdict = judge(ABSOLUTE, function)
    assert str(verdict) == "○ Exercise 1.1: not solved yet; 3 points wait here."


def test_a_wrong_shape_is_named():
    assert "the shape is (3,), expected (3, 2)" in str(judge(Exercise("1.1", 1, np.zeros((3, 2))), np.zeros(3)))


def test_a_number_outside_its_range_is_named():
    assert "outside the range from 0 to 1" in str(judge(Exercise("1.1", 1, 0.5), 50.0))


def test_the_first_differing_case_is_shown_and_the_right_ones_earn_their_share():
    verdict = judge(ABSOLUTE, lambda x: abs(x) if x < 5 else 0)
    assert verdict.points == 2 and verdict.mark == "✘"
    assert "right in 2 of 3 cases, 2 of 3 points; for (7,), case 3, the answer is 0, smaller than" in verdict.words


@pytest.mark.parametrize(("points", "earned"), [(1, 0), (2, 0.5), (3, 1), (6, 2)])
def test_one_of_three_cases_earns_a_third_rounded_down_to_half_points(points, earned):
    assert judge(Exercise("1.1", points, abs, [(2,), (-1,), (-3,)]), np.positive).points == earned


def test_a_known_mistake_gets_its_advice():
    words = judge(LOGARITHM, np.log10).words
    assert "Not log10." in words and "not log." not in words


def test_no_advice_for_a_mistake_that_is_not_the_one_made():
    assert "log" not in judge(LOGARITHM, np.sqrt).words


def test_a_mistake_that_cannot_be_computed_is_no_advice():
    broken = Exercise("1.1", 1, abs, [(1,)], mistakes={"Never.": lambda x: 1 / 0})
    assert "Never" not in judge(broken, lambda x: 5).words


def test_the_hint_is_said_of_any_other_wrong_value():
    value = Exercise("1.1", 1, 2.0, mistakes={"Half of it.": 1.0}, hint="Think of two.")
    assert judge(value, 1.0).words.endswith("Half of it.") and judge(value, 7.0).words.endswith("Think of two.")


def test_an_exception_becomes_a_sentence_and_costs_its_case_alone():
    verdict = judge(ABSOLUTE, lambda x: x if x > 0 else 1 / 0)
    assert (
        verdict.points == 2 and "for (-3,), case 2, it stops with ZeroDivisionError: division by zero" in verdict.words
    )


def test_a_way_without_return_is_named():
    assert "case 2, it returns nothing" in judge(ABSOLUTE, lambda x: x if x > 0 else None).words


def test_something_that_is_no_function_is_named():
    assert "a function is wanted here, not a value of type int" in judge(ABSOLUTE, 3).words


@pytest.mark.parametrize("argument", [np.ones(3), [np.ones(3)], torch.ones(3)])
def test_a_student_cannot_change_the_arguments_of_the_reference(argument):
    def spoil(x):
        for part in x if isinstance(x, list) else [x]:
            part[:] = 0
        return 0.0

    one = Exercise("1.1", 1, lambda x: float(sum(x[0]) if isinstance(x, list) else x.sum()), [(argument,)])
    assert judge(one, spoil).points == 0 == judge(one, spoil).points


def test_leaving_python_stops_no_lesson():
    assert "it stops with SystemExit" in judge(ABSOLUTE, exit).words


def test_answers_from_elsewhere_are_compared_with_the_reference_here():
    assert compare(ABSOLUTE, [(-2,), (4,)], [2, 4]).points == 3
    assert compare(ABSOLUTE, [(-2,), (4,)], [2, -4]).points == 1.5


@pytest.mark.parametrize(
    ("answer", "expected", "words"),
    [
        (np.nan, 1.0, "NaN"),
        ("ten", 10, "a number or an array of numbers is wanted"),
        ([[1], [2, 3]], np.zeros(2), "a number or an array of numbers is wanted"),
        ({1, 2}, {1, 3}, "not the expected one"),
        (np.array([1.0, 2.5]), np.array([1.0, 2.0]), "at [1]: 2.5"),
        (np.array([True, False]), np.array([True, True]), "at [1]"),
        (True, False, "the answer is True"),
        (np.zeros(3), "a word", "not the expected one"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), np.zeros(1), "a number or an array of numbers is wanted"),
        (1 + 5j, 1.0, "a number or an array of numbers is wanted"),
        (np.array([1.5, -5.0]), np.array([1.0, 2.0]), "at [0]: 1.5, larger than expected"),
        (5, 1, "the answer is 5, larger than expected"),
    ],
)
def test_what_differs_is_said_in_words(answer, expected, words):
    assert words in difference(answer, expected)


def test_equal_within_tolerance_is_equal():
    assert difference([0.1 + 0.2], np.array([0.3])) == ""
    assert difference(1.01, 1.0, rtol=0.02) == ""


def test_the_check_of_a_lesson_says_its_verdict(capsys):
    check("5.4", lambda p, share: 1.96**2 * (1 - p) / (p * share**2))
    assert capsys.readouterr().out == "✔ Exercise 5.4: right in all 2 cases: 1 of 1 point.\n"


@pytest.mark.parametrize("label", ["5.99", "99.1", "five", "", "judge.1"])
def test_an_exercise_that_does_not_exist_is_one_sentence(label):
    with pytest.raises(CourseError, match="There is no exercise"):
        exercise(label)
