"""Vector rewards, scalarisation and Pareto fronts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.bandits.rewards import Funnel, chebyshev, checked_weights, linear, pareto, rental_prices, supported
from course_lib.errors import CourseError

BENT = np.array([[1.0, 0.0], [0.0, 1.0], [0.4, 0.4], [0.3, 0.3]])  # the third lies on the front and below the line


def test_prices_by_hand():
    np.testing.assert_allclose(rental_prices(np.array([1998, 1993, 1988, 2000])), [5, 3, 2, 5])


def test_the_funnel_pays_what_it_expects():
    funnel = Funnel(np.array([[0.5, 0.2]]), np.array([2.0, 4.0]))
    np.testing.assert_allclose(funnel.after_click(), [[[1, 0.5, 1], [1, 0.2, 0.8]]])
    n, dice = 40_000, np.random.default_rng(0)
    film, clicked = dice.integers(0, 2, n), dice.random(n) < 0.6
    r = funnel.draw(np.zeros(n, dtype=int), film, clicked, dice)
    assert (r[~clicked] == 0).all()
    for f in (0, 1):
        np.testing.assert_allclose(r[film == f].mean(axis=0), 0.6 * funnel.after_click()[0, f], atol=0.05)


def test_dearer_films_are_rented_less_and_liked_films_more():
    click = np.array([[0.2, 0.2, 0.8]])
    convert = Funnel.assumed(click, np.array([1.0, 5.0, 1.0])).convert[0]
    assert convert[1] < convert[0] < convert[2]


def test_the_inner_point_of_a_bent_front_has_no_weights():
    np.testing.assert_array_equal(pareto(BENT), [True, True, True, False])
    np.testing.assert_array_equal(supported(BENT), [True, True, False, False])
    sweep = np.linspace(0, 1, 101)
    assert {int(linear(BENT, np.array([w, 1 - w])).argmax()) for w in sweep} == {0, 1}
    found = {int(chebyshev(BENT, np.array([w, 1 - w]), np.array([1.0, 1.0])).argmax()) for w in sweep}
    assert found == {0, 1, 2}


def test_by_hand():
    assert linear(np.array([1.0, 2.0]), np.array([3.0, 0.5])) == 4
    assert chebyshev(np.array([0.5, 0.9]), np.array([1.0, 2.0]), np.array([1.0, 1.0])) == -0.5


def test_equal_points_do_not_dominate_each_other():
    assert pareto(np.array([[1.0, 1.0], [1.0, 1.0], [1.0, 0.5]])).tolist() == [True, True, False]


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 12), k=st.integers(1, 3), seed=st.integers(0, 999))
def test_fronts(n, k, seed):
    dice = np.random.default_rng(seed)
    points = dice.random((n, k)).round(2)
    front = pareto(points)
    brute = [not any((q >= p).all() and (q > p).any() for q in points) for p in points]
    assert front.tolist() == brute
    assert front.any() and pareto(points[front]).all()
    w = dice.random(k) + 0.1
    assert front[linear(points, w).argmax()]  # positive weights never choose a dominated point
    assert supported(points)[linear(points, w).argmax()]


@pytest.mark.parametrize("w", [[-0.1, 1.0], [0.0, 0.0], [np.nan, 1.0], [1.0], [[1.0, 0.0]], [np.inf, 1.0]])
def test_impossible_weights_are_refused(w):
    with pytest.raises(CourseError, match=r"[Ww]eight"):
        checked_weights(np.array(w), 2)
    with pytest.raises(CourseError):
        linear(BENT, np.array(w))


def test_other_bad_input_is_refused():
    with pytest.raises(CourseError, match="ideal"):
        chebyshev(BENT, np.array([1.0, 1.0]), np.array([0.5, 1.0]))
    with pytest.raises(CourseError, match="year"):
        rental_prices(np.array([1990.0, np.nan]))
    with pytest.raises(CourseError, match="convert is"):
        Funnel(np.full((2, 3), 0.5), np.ones(2))
    with pytest.raises(CourseError):
        Funnel(np.full((2, 3), 1.5), np.ones(3))
    with pytest.raises(CourseError, match="price"):
        Funnel(np.full((2, 3), 0.5), -np.ones(3))
    for points in (np.ones(3), np.array([[np.nan, 1.0]]), np.zeros((0, 2))):
        with pytest.raises(CourseError, match="Points"):
            pareto(points)
