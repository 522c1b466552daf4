import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib.errors import CourseError
from course_lib.exercises import case, check, exercise
from course_lib.exercises.difference import difference
from course_lib.exercises.judge import Exercise, compare, judge

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
    assert "outside the range from 0 to 1" in str(judge(Exercise("1.1", 1, 0.5, kind="share"), 50.0))
    assert "outside" not in str(judge(Exercise("1.1", 1, 0.5), 50.0))


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
        (np.array([True, False]), np.array([True, True]), "[1]: False, and True is expected there"),
        (np.array([1, 0]), np.array([True, True]), "[1]: False, and True is expected there"),
        (np.array([True, False]), np.array([False, True]), "exchanged everywhere"),
        (True, False, "the answer is True, and False is expected"),
        (np.zeros(3), "a word", "a text is wanted"),
        ("A Word", "a word", "only capitals"),
        ("aword", "a word", "only spaces"),
        ("word a", "a word", "in another order"),
        ("a ward", "a word", "from character 4 on"),
        ("a wo", "a word", "stops before its end"),
        (np.zeros((3, 2)), np.zeros((2, 3)), "rows and columns are exchanged"),
        (np.arange(4.0).reshape(2, 2).T, np.arange(4.0).reshape(2, 2), "rows and columns are exchanged"),
        (np.array([3.0, 2.0, 5.0]), np.array([5.0, 2.0, 3.0]), "in reverse order"),
        (np.array([2.0, 3.0, 5.0]), np.array([5.0, 2.0, 3.0]), "another order, that of their size"),
        (np.array([-0.5, 2.0]), np.array([0.5, -2.0]), "the sign is the other way round"),
        (np.array([1.0, 4.0]), np.array([0.5, 2.0]), "2 times the expected one"),
        (np.array([1.5, 3.0]), np.array([0.5, 2.0]), "1 too large"),
        (0.48, 0.47783, "rounded too far"),
        (np.array([0.48, 0.12]), np.array([0.47783, 0.1201]), "rounded too far"),
        (np.inf, 1.0, "infinite"),
        (0.5, np.nan, "NaN is expected"),
        (np.float16(0.3333), 1 / 3, "compute in float32"),
        (np.ones(3), 1.0, "one number is wanted, and this is an array of shape (3,)"),
        (1.0, np.ones(3), "this is one number, and an array of shape (3,) is wanted"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), np.zeros(1), "a number or an array of numbers is wanted"),
        (1 + 5j, 1.0, "a number or an array of numbers is wanted"),
        (np.array([1.5, -5.0]), np.array([1.0, 2.0]), "at [0]: 1.5, larger than expected"),
        (5, 1, "the answer is 5, larger than expected"),
    ],
)
def test_what_differs_is_said_in_words(answer, expected, words):
    assert words in difference(answer, expected)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([3, 9, 7], "another order: another one is expected in place 2"),
        ([9, 7, 3], "in reverse order"),
        ([3, 7, 8], "[2]: 8, and another id is expected in place 3"),
        ([3, 7], "2 ids, and 3 are wanted, though the first 2 are right"),
        ([3, 3, 9], "the id 3 stands there more than once"),
    ],
)
def test_ids_are_not_compared_by_size(answer, words):
    said = difference(np.array(answer), np.array([3, 7, 9]), kind="ids")
    assert words in said and "larger" not in said and "smaller" not in said
    assert "another id is expected" in difference(4, 5, kind="ids")


def test_of_two_arrays_the_wrong_one_is_named():
    want = np.array([0, 2, 3]), np.array([1, 1, 0])
    assert difference([want[0].tolist(), torch.tensor(want[1])], want) == ""
    assert difference((want[0], want[1][:2]), want) == "the two arrays differ in length: 3 and 2"
    assert difference(type("tuple", (), {})(), want) == "the arrays differ in length"
    assert "in array 2 of 2, the right values" in difference((want[0], want[1][[2, 0, 1]]), want)
    assert "2 arrays are wanted, and these are 3" in difference(want[0], want)
    assert "2 arrays are wanted" in difference(7, want)


def test_answers_that_are_all_wrong_in_one_way_are_told_so():
    assert "in every case each value is 3 times the expected one" in judge(ABSOLUTE, lambda x: 3 * abs(x)).words
    assert "in every case the sign is the other way round" in judge(ABSOLUTE, lambda x: -abs(x)).words
    assert "every case" not in judge(ABSOLUTE, lambda x: 3 * x).words


def test_a_function_without_return_is_told_so_and_a_stub_is_not():
    def prints(x):
        print(abs(x))

    verdict = judge(ABSOLUTE, prints)
    assert verdict.mark == "○" and verdict.words.endswith("If you have written it: does it end in `return`?")


def test_a_mistake_that_explains_all_wrong_answers_gets_its_advice():
    positive = Exercise(
        "1.1", 3, abs, [(1,), (-3,), (7,)], mistakes={"Mind the sign.": np.positive, "Zero.": lambda x: 0}
    )
    assert judge(positive, lambda x: x if x < 5 else abs(x)).words.endswith("Mind the sign.")
    assert "Mind" not in judge(positive, lambda x: {1: 1, -3: -3, 7: 8}[x]).words


def test_a_mistake_that_stops_is_known_by_its_exception():
    broken = Exercise("1.1", 1, abs, [(1,), (2,)], mistakes={"Too long.": lambda x: [1][x]}, hint="Think.")
    assert judge(broken, lambda x: (1, 2)[x + 5]).words.endswith("Too long.")
    assert not judge(broken, lambda x: x / 0).words.endswith("Think.")


def test_a_long_case_is_shown_by_its_shapes_and_can_be_had():
    words = judge(exercise("2.1"), lambda hidden, mask: hidden[:, 0]).words
    assert "(Tensor (2, 4, 3) of float32, Tensor (2, 4) of int64), case 1" in words and 'case("2.1", 1)' in words
    hidden, mask = case("2.1", 2)
    hidden[:] = 0
    assert case("2.1", 2)[0].any() and mask.shape == (2, 4)
    for number in (0, 9, "1", True):
        with pytest.raises(CourseError, match="its cases are 1 to"):
            case("2.1", number)


VALUES = np.array([0.1, -2.5, 1000.0, 3e-5])


@pytest.mark.parametrize(
    "give",
    [
        list, tuple, pd.Series, torch.tensor, np.float32, np.longdouble,
        lambda x: torch.tensor(x, requires_grad=True), lambda x: torch.tensor(x, dtype=torch.float32),
        lambda x: list(torch.tensor(x, requires_grad=True)), lambda x: list(np.float32(x)),
        lambda x: pd.Series(x, dtype=object), lambda x: np.float32(x).astype(float) + 0,
    ],
)  # fmt: skip
def test_every_container_and_precision_of_the_right_values_is_right(give):
    assert difference(give(VALUES), VALUES) == ""
    assert difference(give(VALUES * (1 + 1e-3)), VALUES) != ""


@given(st.lists(st.floats(-100, 100, width=32), min_size=2, max_size=20), st.integers(0, 2**32))
def test_float32_may_err_as_float32_does(values, seed):
    want = np.array(values) @ np.random.default_rng(seed).normal(size=(len(values), 5))
    found = np.float32(values) @ np.random.default_rng(seed).normal(size=(len(values), 5)).astype("float32")
    scale = np.abs(want).max()
    if scale > 1e-3 + 0.1 * np.abs(values).sum():
        assert difference(found, want) == ""
        assert difference(found + np.float32(0.01 * scale), want) != ""


def test_half_precision_is_right_where_it_is_precise_enough():
    assert difference(torch.tensor([0.5, 2.0], dtype=torch.bfloat16), np.array([0.5, 2.0])) == ""
    assert "in float16" in difference(torch.tensor([0.3, 2.1], dtype=torch.bfloat16), np.array([0.3, 2.1]))


def test_whole_numbers_are_exact_in_any_precision():
    assert difference(np.float32(100_001), 100_000) != ""


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


def test_a_rounded_number_is_not_taken_for_one_in_single_precision():
    assert difference(12346.0, 12345.6) and difference(np.array([3842.0, 3843.0]), np.array([3841.6, 3842.9]))
    assert not difference(np.float64(np.float32(12345.6)), 12345.6)
    assert not difference(np.array([1.0, 0.0]), np.array([1 - 1e-8, 1e-8]).astype(np.float64))  # saturated, not rounded
    assert not difference(np.float64(np.float32(20_000_000.9)), 20_000_000.9)  # float32 has no digits left there
