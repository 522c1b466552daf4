import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from course_lib.bandits import worlds
from course_lib.bandits.worlds import CALIBRATION, FIT, PROFILE, World
from course_lib.errors import CourseError


def a_truth(n_users: int = 150, n_items: int = 120, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """P (U, A) of low rank on the logit scale, and likes drawn from it."""
    rng = np.random.default_rng(seed)
    z = rng.normal(-1.5, 1, size=(n_users, 1)) + rng.normal(size=n_items)
    z = z + rng.normal(size=(n_users, 3)) @ rng.normal(size=(3, n_items))
    P = 1 / (1 + np.exp(-z))
    return P, (rng.random(P.shape) < P).astype(int)


def test_parts_have_their_shares_and_every_cell_is_in_one():
    part = worlds.three_parts((400, 300), seed=1)
    assert [(part == p).mean() for p in (FIT, CALIBRATION, PROFILE)] == pytest.approx([0.6, 0.1, 0.3], abs=0.01)
    np.testing.assert_array_equal(part, worlds.three_parts((400, 300), seed=1))


def test_the_click_model_finds_and_calibrates_probabilities_it_has_not_seen():
    P, likes = a_truth()
    part = worlds.three_parts(P.shape, seed=1)
    found, hidden = worlds.click_model(likes, part, d=3, lam=1.0), part == PROFILE
    assert roc_auc_score(likes[hidden], found[hidden]) > roc_auc_score(likes[hidden], P[hidden]) - 0.06
    for low in np.arange(0, 1, 0.2):
        here = hidden & (found >= low) & (found < low + 0.2)
        assert abs(found[here].mean() - likes[here].mean()) < 0.07


def test_what_lies_in_the_profile_part_does_not_move_the_truth():
    _, likes = a_truth(60, 50)
    part = worlds.three_parts(likes.shape, seed=1)
    other = np.where(part == PROFILE, 1 - likes, likes)
    np.testing.assert_array_equal(*(worlds.click_model(table, part, steps=20) for table in (likes, other)))


def test_profiles_by_hand():
    vectors = np.array([[1.0, 0.0], [0.0, 2.0], [4.0, 4.0]])
    known = np.array([[1, 1, 0], [0, 0, 1], [0, 0, 0]])
    phi = worlds.profiles(known, vectors, shrink=1.0)
    average = np.array([[1 / 3, 2 / 3], [2.0, 2.0], [0.0, 0.0]])
    np.testing.assert_allclose(phi[:, 0], 1)
    np.testing.assert_allclose(phi[:, 2:], (average - average.mean(0)) / average.std(0))
    np.testing.assert_allclose(phi[:, 1:].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(phi[:, 1:].std(axis=0), 1)


def test_a_constant_column_is_standardised_to_zero():
    np.testing.assert_allclose(worlds.standardised(np.array([[3.0, 1.0], [3.0, 3.0]])), [[0, -1], [0, 1]])


def test_the_linear_projection_is_the_truth_where_the_truth_is_linear_and_loses_elsewhere():
    rng = np.random.default_rng(3)
    users, items = worlds.with_constant(rng.normal(size=(40, 2))), worlds.with_constant(rng.normal(size=(30, 2)))
    scores = users @ rng.normal(size=(3, 3)) @ items.T
    linear = World((scores - scores.min()) / np.ptp(scores), users, items)
    np.testing.assert_allclose(linear.linear(), linear.click, atol=1e-10)
    assert linear.loss(linear.linear().argmax(axis=1)) == pytest.approx(0, abs=1e-12)
    other = World(rng.random((40, 30)), users, items)
    assert other.loss(other.linear().argmax(axis=1)) > 0.1


def test_loss_by_hand():
    world = World(np.array([[0.1, 0.4], [0.8, 0.2]]), np.ones((2, 1)), np.ones((2, 1)))
    assert world.loss(np.array([1, 0])) == 0
    assert world.loss(np.array([0, 1])) == pytest.approx((0.3 + 0.6) / 2)


def test_shares_and_likes_that_make_no_sense_are_refused():
    with pytest.raises(CourseError, match="leave a rest to fit"):
        worlds.three_parts((3, 3), 0, profile=0.9, calibration=0.1)
    for likes, part in ((np.ones((2, 3)), np.zeros((3, 2))), (np.full((2, 2), 0.5), np.zeros((2, 2)))):
        with pytest.raises(CourseError, match="table of 0 and 1"):
            worlds.click_model(likes, part)
