import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from course_lib.data import movielens, splits
from course_lib.data.interactions import Interactions, Split
from course_lib.errors import CourseError
from course_lib.evaluation import metrics
from course_lib.evaluation.protocol import evaluate, rank


class Constant:
    """A scorer that knows nothing."""

    def fit(self, train):
        self.shape_ = (train.n_users, train.n_items)
        return self

    def score(self, users):
        return np.zeros((len(users), self.shape_[1]))


class Fixed(Constant):
    def __init__(self, scores):
        self.scores = np.asarray(scores)

    def score(self, users):
        return self.scores[users]


def interactions(pairs, n_users=3, n_items=4):
    table = pd.DataFrame(pairs, columns=["user", "item"]).astype("int64")
    return Interactions(table.assign(rating=5.0, time=0), n_users, n_items)


@pytest.fixture(scope="module")
def p1():
    return splits.random_per_user(movielens.positives(movielens.load_ratings()), seed=0)


def test_rank_puts_the_best_first_and_masks_what_was_seen():
    seen = csr_matrix(np.array([[0, 1, 0, 0]]))
    assert rank(np.array([[1, 9, 3, 2]]), seen, 3).tolist() == [[2, 3, 0]]


def test_a_user_with_too_few_items_left_gets_empty_places():
    seen = csr_matrix(np.array([[1, 1, 1, 0]]))
    assert rank(np.array([[1, 9, 3, 2]]), seen, 3).tolist() == [[3, -1, -1]]
    assert rank(np.array([[1.0, 2.0]]), None, 4).tolist() == [[1, 0, -1, -1]]


def test_ties_are_broken_by_one_random_order_for_all_users():
    lists = rank(np.zeros((5, 50)), None, 10, seed=3)
    assert (lists == lists[0]).all() and lists[0].tolist() != list(range(10))
    assert (rank(np.zeros((1, 50)), None, 10, seed=4) != lists[0]).any()


def test_scores_with_nan_or_of_the_wrong_shape_are_refused_in_a_sentence():
    with pytest.raises(CourseError, match="NaN"):
        rank(np.array([[1.0, np.nan]]), None, 1)
    with pytest.raises(CourseError, match="inf"):
        rank(np.array([[1.0, np.inf]]), None, 1)
    with pytest.raises(CourseError, match="shape"):
        rank(np.zeros(3), None, 1)
    with pytest.raises(CourseError, match="n is at least 1; got 0"):
        rank(np.zeros((1, 3)), None, 0)
    with pytest.raises(CourseError, match="mask"):
        rank(np.zeros((1, 3)), csr_matrix((1, 2)), 1)


def test_candidates_and_users_are_ids_or_a_mask_and_nothing_else():
    split = Split("hand", interactions([(0, 0), (1, 1)]), interactions([]), interactions([(0, 1), (1, 0), (2, 2)]))
    models = {"fixed": Fixed([[9, 8, 7, 6], [1, 9, 2, 3], [5, 5, 6, 5]])}
    assert evaluate(models, split, 1, candidates=np.array([1, 2])).lists["fixed"].ravel().tolist() == [1, 2, 2]
    assert evaluate(models, split, users=[False, True, True]).users.tolist() == [1, 2]
    assert evaluate(models, split, users=pd.Series([2, 1], index=[1, 0])).users.tolist() == [1, 2]
    for wrong in ({"candidates": [-1]}, {"candidates": [True]}, {"users": [3]}, {"users": [0.5]}):
        with pytest.raises(CourseError, match=r"candidates|users"):
            evaluate(models, split, **wrong)


def test_evaluate_by_hand():
    split = Split(
        "hand", interactions([(0, 0), (1, 1)]), interactions([(0, 3)]), interactions([(0, 1), (1, 0), (1, 2)])
    )
    scores = [[9, 8, 7, 6], [1, 9, 2, 3], [0, 0, 0, 0]]
    result = evaluate({"fixed": Fixed(scores)}, split, n=2)
    assert result.users.tolist() == [0, 1]  # user 2 has nothing in test
    assert result.lists["fixed"].tolist() == [[1, 2], [3, 2]]
    assert result.per_user["fixed"]["recall"].tolist() == [1, 0.5]
    assert result.per_user["fixed"]["mrr"].tolist() == [1, 0.5]
    assert result.table.loc["fixed", "coverage"] == 3 / 4


def test_the_mask_may_include_the_validation_part():
    split = Split("hand", interactions([(0, 0)]), interactions([(0, 1)]), interactions([(0, 2)]))
    model = {"fixed": Fixed([[9, 8, 7, 6]] * 3)}
    assert evaluate(model, split, n=1).lists["fixed"].tolist() == [[1]]
    assert evaluate(model, split, n=1, mask_valid=True).lists["fixed"].tolist() == [[2]]


def test_constant_scorer_is_at_chance(p1):
    """The expected hits of a random list of ten are 10 / (candidates) a relevant item: recall@10 is near 10 / 1,635."""
    recall = np.mean(
        [np.nanmean(evaluate({"c": Constant().fit(p1.train)}, p1, seed=s).per_user["c"]["recall"]) for s in range(20)]
    )
    n_seen = np.diff(p1.train.matrix().indptr)[np.unique(p1.test.user)]
    assert recall == pytest.approx(np.mean(10 / (p1.train.n_items - n_seen)), rel=0.25)


def test_a_scorer_that_knows_the_test_part_is_perfect(p1):
    truth = np.asarray(p1.test.matrix().todense())
    assert evaluate({"oracle": Fixed(truth)}, p1).table.loc["oracle", "ndcg"] == pytest.approx(1)


def test_popularity_reaches_its_published_figures(p1):
    """Measured elsewhere on this protocol: NDCG@10 .1016, recall .1128; the spread over split seeds is .006."""
    counts = np.asarray(p1.train.matrix().sum(axis=0)).ravel()
    table = evaluate({"popularity": Fixed(np.tile(counts, (943, 1)))}, p1).table
    assert table.loc["popularity", "ndcg"] == pytest.approx(0.1016, abs=0.007)
    assert table.loc["popularity", "recall"] == pytest.approx(0.1128, abs=0.007)


def test_a_model_that_scores_the_wrong_shape_is_named(p1):
    with pytest.raises(CourseError, match="'short' scores"):
        evaluate({"short": Fixed(np.zeros((943, 3)))}, p1)


def test_candidates_limit_what_may_be_recommended(p1):
    candidates = np.zeros(1682, dtype=bool)
    candidates[:20] = True
    lists = evaluate({"c": Constant().fit(p1.train)}, p1, candidates=candidates).lists["c"]
    assert lists.max() < 20


def test_the_interval_covers_the_mean_and_the_table_shows_it(p1):
    result = evaluate({"c": Fixed(np.random.default_rng(0).random((943, 1682)))}, p1)
    row = result.table.loc["c"]
    assert row["ndcg_low"] < row["ndcg"] < row["ndcg_high"]
    assert row["ndcg"] == pytest.approx(np.nanmean(result.per_user["c"]["ndcg"]))
    assert metrics.coverage(result.lists["c"], 1682) == row["coverage"]
    assert list(result.show().columns) == ["ndcg@10", "recall@10", "mrr@10", "coverage"]
