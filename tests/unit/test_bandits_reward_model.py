"""The click model: what it knows of items it never saw, and that no row predicts itself."""

import numpy as np
import pytest

from course_lib.bandits.reward_model import ClickModel, cross_fitted, fold_of_rows
from course_lib.errors import CourseError


def log_of(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Item 3 is never shown; items 0, 1, 2 are clicked at .1, .3, .6, twice the odds in context 1."""
    rng = np.random.default_rng(seed)
    context, item = rng.integers(2, size=(n, 1)), rng.integers(3, size=n)
    odds = np.array([0.1, 0.3, 0.6])[item] / (1 - np.array([0.1, 0.3, 0.6]))[item] * 2 ** context[:, 0]
    return context, item, (rng.random(n) < odds / (1 + odds)).astype(int)


def test_the_click_model_finds_the_rates_of_its_own_kind_of_world():
    q = ClickModel(4, C=1e4).fit(*log_of(60_000)).predict(np.array([[0], [1]]))
    np.testing.assert_allclose(q[0, :3], [0.1, 0.3, 0.6], atol=0.015)
    np.testing.assert_allclose(q[1, :3], [2 / 11, 6 / 13, 3 / 4], atol=0.015)


def test_an_arm_or_a_code_never_seen_is_taken_for_average():
    model = ClickModel(4).fit(*log_of(3000))
    q = model.predict(np.array([[0], [1], [7]]))
    assert model.item_[3] == 0
    assert q[0, 0] < q[0, 3] < q[0, 2]
    assert np.isfinite(q).all() and q[2, 3] == pytest.approx(1 / (1 + np.exp(-model.bias_)))


def test_no_row_predicts_itself():
    context, item, click = log_of(60)
    q = cross_fitted(ClickModel(4), context, item, click, seed=1)
    for row in (0, 7, 33):
        changed = click.copy()
        changed[row] = 1 - changed[row]
        again = cross_fitted(ClickModel(4), context, item, changed, seed=1)
        same = np.isclose(again, q, atol=1e-12).all(axis=1)
        assert same[row] and not same.all()  # its own prediction stays, those of the other folds move


def test_copies_of_a_row_share_a_fold():
    rows = np.random.default_rng(0).integers(500, size=500)  # a bootstrap
    fold = fold_of_rows(500, 3, seed=0, group=rows)
    assert all(len(set(fold[rows == row])) == 1 for row in np.unique(rows))
    sizes = np.bincount(fold_of_rows(100, 3, seed=0))
    assert sizes.sum() == 100 and np.ptp(sizes) <= 1


def test_a_model_that_has_seen_the_answer_looks_better_than_it_is():
    rng = np.random.default_rng(2)
    context, item, click = rng.integers(40, size=(400, 1)), rng.integers(40, size=400), rng.integers(2, size=400)
    rows = np.arange(400)
    inside = ClickModel(40, C=100).fit(context, item, click).predict(context)[rows, item]
    outside = cross_fitted(ClickModel(40, C=100), context, item, click, seed=0)[rows, item]
    assert np.abs(click - inside).mean() < 0.43 < 0.48 < np.abs(click - outside).mean()  # coin tosses: .5


def test_bad_logs_are_refused_in_words():
    context, item, click = log_of(30)
    with pytest.raises(CourseError, match="missing value in row 2"):
        ClickModel(4).fit(context, item, np.where(np.arange(30) == 2, np.nan, click))
    with pytest.raises(CourseError, match="A click is 0 or 1"):
        ClickModel(4).fit(context, item, click + 1)
    with pytest.raises(CourseError, match="names item 2, but the model knows 2 items"):
        ClickModel(2).fit(context, item, click)
    with pytest.raises(CourseError, match="All 30 rows to fit on have the reward 0"):
        ClickModel(4).fit(context, item, 0 * click)
    with pytest.raises(CourseError, match="The context has 29 rows and the log 30"):
        ClickModel(4).fit(context[1:], item, click)
    with pytest.raises(CourseError, match="from 2 to 30 folds"):
        cross_fitted(ClickModel(4), context, item, click, seed=0, folds=1)
    with pytest.raises(CourseError, match="30 rows need 30 groups; got 4"):
        fold_of_rows(30, 2, seed=0, group=np.arange(4))
