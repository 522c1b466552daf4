import numpy as np
import pytest

from course_lib.exercises import check, check_function, difference


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def test_a_right_value_gets_its_points(capsys):
    check("1.1", 0.5, 1 / 2, points=2)
    assert said(capsys) == "✔ Exercise 1.1: right: 2 of 2 points.\n"


@pytest.mark.parametrize("nothing", [None, ...])
def test_an_unsolved_value_is_no_fault(capsys, nothing):
    check("1.1", nothing, 3)
    assert "not solved yet" in said(capsys)


def stub(x):
    raise NotImplementedError


@pytest.mark.parametrize("function", [stub, lambda x: None, lambda x: ...])
def test_an_unsolved_function_is_no_fault(capsys, function):
    check_function("1.1", function, abs, [(1,)])
    assert "○ Exercise 1.1: not solved yet" in said(capsys)


def test_a_wrong_shape_is_named(capsys):
    check("1.1", np.zeros(3), np.zeros((3, 2)))
    assert "the shape is (3,), expected (3, 2)" in said(capsys)


def test_a_number_outside_its_range_is_named(capsys):
    check("1.1", 50.0, 0.5)
    assert "outside the range from 0 to 1" in said(capsys)


def test_the_first_differing_case_is_shown(capsys):
    check_function("1.1", lambda x: abs(x) if x < 5 else 0, abs, [(1,), (-3,), (7,)])
    assert "for (7,), case 3, the answer is 0, smaller than expected" in said(capsys)


def test_a_known_mistake_gets_its_advice(capsys):
    advice = {"Use log2, not log.": np.log, "Use log2, not log10.": np.log10}
    check_function("1.1", np.log10, np.log2, [(3.0,), (5.0,)], mistakes=advice)
    out = said(capsys)
    assert "Use log2, not log10." in out and "not log." not in out


def test_no_advice_for_a_mistake_that_is_not_the_one_made(capsys):
    check_function("1.1", np.sqrt, np.log2, [(3.0,), (5.0,)], mistakes={"Use log2, not log.": np.log})
    assert "Use log2" not in said(capsys)


def test_an_exception_becomes_a_sentence(capsys):
    check_function("1.1", lambda x: 1 / 0, abs, [(1,)])
    assert "stops with ZeroDivisionError: division by zero" in said(capsys)


def test_something_that_is_no_function_is_named(capsys):
    check_function("1.1", 3, abs, [(1,)])
    assert "a function is wanted here, and this is a int" in said(capsys)


def test_a_student_cannot_change_the_arguments_of_the_reference(capsys):
    def spoil(x):
        x[:] = 0
        return 0.0

    check_function("1.1", spoil, np.sum, [(np.ones(3),)])
    assert "not yet" in said(capsys)


@pytest.mark.parametrize(
    ("answer", "expected", "words"),
    [
        (np.nan, 1.0, "NaN"),
        ("ten", 10, "a number or an array of numbers is wanted"),
        ([[1], [2, 3]], np.zeros(2), "a number or an array of numbers is wanted"),
        ({1, 2}, {1, 3}, "not the expected one"),
        (np.array([1.0, 2.5]), np.array([1.0, 2.0]), "at [1]: 2.5"),
        (True, False, "not the expected one"),
    ],
)
def test_what_differs_is_said_in_words(answer, expected, words):
    assert words in difference(answer, expected)


def test_equal_within_tolerance_is_equal():
    assert difference([0.1 + 0.2], np.array([0.3])) == ""
    assert difference(1.01, 1.0, rtol=0.02) == ""


def test_a_wrong_array_of_truths_gets_a_verdict_and_no_traceback(capsys):
    assert not check("x", np.array([True, False]), np.array([True, True]))
    assert "differing value is at [1]" in said(capsys)
