import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_matrix

from course_lib.data import movielens, splits
from course_lib.data.interactions import Interactions, Split
from course_lib.errors import CourseError
from course_lib.evaluation.groups import by_group, popularity_thirds, recall_by_item_group, thirds
from course_lib.evaluation.protocol import Evaluation, evaluate, evaluate_splits, rank
from course_lib.ranking.baselines import Popularity, Random

NAMES = ("low", "middle", "high")


@pytest.fixture(scope="module")
def liked():
    return movielens.positives(movielens.load_ratings())


@pytest.fixture(scope="module")
def split(liked):
    return splits.random_per_user(liked, seed=0)


@pytest.fixture(scope="module")
def result(split):
    return evaluate({"random": Random().fit(split.train), "popularity": Popularity().fit(split.train)}, split)


def interactions(pairs, n_users=3, n_items=4):
    table = pd.DataFrame(pairs, columns=["user", "item"]).astype("int64")
    return Interactions(table.assign(rating=5.0, time=0), n_users, n_items)


# --- groups ---
def test_thirds_by_hand():
    assert thirds(np.array([9, 1, 5, 2, 6, 8]), NAMES).tolist() == ["high", "low", "middle", "low", "middle", "high"]


@given(arrays(np.int64, st.integers(1, 40), elements=st.integers(0, 9)))
def test_equal_values_share_a_third_and_larger_ones_are_never_in_a_lower_one(values):
    place = {name: k for k, name in enumerate(NAMES)}
    found = np.array([place[name] for name in thirds(values, NAMES)])
    for a in range(len(values)):
        assert (found[values == values[a]] == found[a]).all() and (found[values > values[a]] >= found[a]).all()


def test_users_fall_into_thirds_of_about_equal_size(split):
    counts = np.unique(thirds(np.bincount(split.train.user, minlength=943), NAMES), return_counts=True)[1]
    assert len(counts) == 3 and counts.min() > 0.3 * 943


def test_popularity_thirds_by_hand_and_items_without_rows_are_in_the_tail():
    train = interactions([(u, 0) for u in range(3)] + [(u, 1) for u in range(2)] + [(0, 2)], n_items=5)
    # 6 rows: items 3 and 4 have none below and are tail; 2 (0 rows below) tail; 1 (1 below) tail; 0 (3 below) middle
    assert popularity_thirds(train).tolist() == ["middle", "tail", "tail", "tail", "tail"]


def test_each_popularity_third_has_about_a_third_of_the_rows(split):
    third = popularity_thirds(split.train)
    share = pd.Series(third[split.train.item]).value_counts(normalize=True)
    assert share.between(0.31, 0.36).all() and len(share) == 3
    items = pd.Series(third).value_counts()
    assert items["head"] < 120 < items["middle"] < 300 < items["tail"]
    count = np.bincount(split.train.item, minlength=1682)
    assert count[third == "head"].min() > count[third == "middle"].max() > count[third == "tail"].max()


# --- tables of groups ---
def test_group_means_by_hand():
    values = {"m": {"ndcg": np.array([1.0, 0.0, 0.5])}}
    hand = Evaluation(1, np.array([2, 5, 7]), values, {"m": np.zeros((3, 1), int)}, 4, 0)
    group = pd.Series(["b", "a", "b"], index=[2, 5, 7])
    table = by_group(hand, "ndcg", group)
    assert table.index.tolist() == [("m", "a"), ("m", "b")]
    assert table["mean"].tolist() == [0.0, 0.75] and table["n"].tolist() == [1, 2]
    order = pd.Categorical(group, ["b", "a", "nobody"])
    assert by_group(hand, "ndcg", pd.Series(order, index=group.index)).index.tolist() == [("m", "b"), ("m", "a")]


def test_groups_together_give_the_mean_of_all(result):
    users = movielens.load_users()
    for model in result.per_user:
        table = by_group(result, "ndcg", users["gender"]).loc[model]
        assert np.average(table["mean"], weights=table["n"]) == pytest.approx(result.table.loc[model, "ndcg"])
        assert (table["low"] <= table["mean"]).all() and (table["mean"] <= table["high"]).all()


def test_shuffled_groups_do_not_differ(result):
    """Each group's mean is that of all but for sampling: a z-score of 4 would happen once in 16,000."""
    gender = movielens.load_users()["gender"]
    shuffled = pd.Series(np.random.default_rng(1).permutation(gender), index=gender.index)
    a, b = by_group(result, "ndcg", shuffled).loc["popularity"].to_records(index=False)
    assert abs(a["mean"] - b["mean"]) < 4 * ((a["high"] - a["low"]) + (b["high"] - b["low"])) / 3.92


def test_a_user_without_a_group_is_named(result):
    with pytest.raises(CourseError, match="the first is user 10"):
        by_group(result, "ndcg", movielens.load_users()["gender"].drop(10))


def test_recall_of_groups_of_items_by_hand():
    test = interactions([(0, 0), (0, 1), (0, 2), (1, 2), (2, 0)])
    lists = {"m": np.array([[0, 2], [3, -1], [0, 1]])}
    hand = Evaluation(2, np.array([0, 1, 2]), {"m": {}}, lists, 4, 0)
    table = recall_by_item_group(hand, test, np.array(["a", "a", "b", "b"]))
    assert table.loc[("m", "a"), "mean"] == pytest.approx((1 / 2 + 1) / 2)  # user 1 wants nothing of a
    assert table.loc[("m", "b"), "mean"] == pytest.approx((1 + 0) / 2)
    assert table["n"].tolist() == [2, 2]


def test_one_group_of_all_items_is_plain_recall_and_popularity_never_reaches_the_tail(result, split):
    one = recall_by_item_group(result, split.test, np.full(1682, "all"))
    assert one.loc[("popularity", "all"), "mean"] == pytest.approx(result.table.loc["popularity", "recall"])
    parts = recall_by_item_group(result, split.test, popularity_thirds(split.train))["mean"]
    assert parts["popularity", "tail"] == 0 < 0.2 < parts["popularity", "head"]
    assert (parts["random"] < 0.02).all()  # chance, about 10 / 1635, for every group alike


def test_groups_of_the_wrong_length_are_refused(result, split):
    with pytest.raises(CourseError, match="groups of 3"):
        recall_by_item_group(result, split.test, np.array(["a", "b", "c"]))


# --- draws of the split ---
def test_several_splits_are_evaluate_once_a_seed(liked):
    few = liked.keep(liked.user < 80)
    made = lambda: {"popularity": Popularity()}  # noqa: E731
    runs = evaluate_splits(made, lambda s: splits.random_per_user(few, s), [3, 1])
    split = splits.random_per_user(few, 1)
    again = evaluate({"popularity": Popularity().fit(split.train)}, split, seed=1)
    np.testing.assert_array_equal(runs[1].per_user["popularity"]["ndcg"], again.per_user["popularity"]["ndcg"])
    assert runs[0].table.loc["popularity", "ndcg"] != runs[1].table.loc["popularity", "ndcg"]


def test_no_split_is_refused():
    with pytest.raises(CourseError, match="There is no seed"):
        evaluate_splits(dict, lambda s: Split("x", None, None, None), [])


# --- leave-last-out and its ties ---
def test_leave_last_out_with_a_seed_moves_only_rows_of_one_instant():
    ratings = movielens.load_ratings()
    default, a, b, c = (splits.leave_last_out(ratings, seed) for seed in (None, 0, 0, 1))
    assert a.test.table.equals(b.test.table) and not a.test.table.equals(c.test.table)
    tests = [part.test.table.set_index("user").sort_index() for part in (default, a, c)]
    assert tests[0].time.equals(tests[1].time) and tests[0].time.equals(
        tests[2].time
    )  # always a row of the user's last instant
    tied = (ratings.table.groupby("user").time.apply(lambda t: (t == t.max()).sum()) > 1).mean()
    for part, test in zip((a, c), tests[1:], strict=True):
        assert len(part.test) == len(part.valid) == 943 and len(part.train) == 100_000 - 2 * 943
        assert tied / 4 < (test.item != tests[0].item).mean() < tied
    assert splits.leave_last_out(ratings).test.table.equals(default.test.table)


# --- ranking: only the best are sorted, and nothing else changes ---
def by_full_sort(scores, seen, n, seed):
    """The rule of `rank`, written as one sort of everything."""
    scores = np.array(scores, dtype=float)
    if seen is not None:
        scores[seen.nonzero()] = -np.inf
    order = np.random.default_rng(seed).permutation(scores.shape[1])
    top = order[np.argsort(-scores[:, order], axis=1, kind="stable")[:, :n]]
    top[np.isneginf(np.take_along_axis(scores, top, axis=1))] = -1
    return np.pad(top, ((0, 0), (0, n - top.shape[1])), constant_values=-1)


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 40), st.integers(1, 50), st.booleans())
@settings(max_examples=400, deadline=None)
def test_rank_equals_a_full_stable_sort_with_ties_infinities_and_short_lists(seed, n_users, n_items, n, few_values):
    rng = np.random.default_rng(seed)
    shape = (n_users, n_items)
    few = rng.choice([-np.inf, 0.0, -0.0, 1.0, 2.0, -3.0], size=shape)
    scores = few if few_values else rng.normal(size=shape).round(rng.integers(0, 4))
    seen = csr_matrix(rng.random(shape) < rng.random()) if rng.random() < 0.7 else None
    assert np.array_equal(rank(scores, seen, n, seed), by_full_sort(scores, seen, n, seed))


def test_metrics_equal_the_oracle_through_ties_empty_users_and_short_lists():
    """trec_eval on 3,000 users: scores with ties (it breaks them by name, so names follow our order), users who want
    nothing (no value), users who have seen nearly everything (lists of fewer than ten), lists longer than the wants."""
    import pytrec_eval

    rng, n_users, n_items, n, seed = np.random.default_rng(5), 3000, 30, 10, 7
    scores = rng.integers(0, 4, (n_users, n_items)).astype(float)
    crowd = rng.choice([0.1, 0.5, 0.9], n_users)[:, None]
    seen = rng.random((n_users, n_items)) < crowd
    truth = (rng.random((n_users, n_items)) < 0.15) & ~seen
    assert (~truth.any(1)).sum() > 200 and ((~seen).sum(1) < n).sum() > 500
    table = {part: [(u, i) for u, i in np.argwhere(cells)] for part, cells in (("train", seen), ("test", truth))}
    parts = {part: interactions(pairs, n_users, n_items) for part, pairs in table.items()}
    hand = Split("hand", parts["train"], interactions([(0, 0)], n_users, n_items), parts["test"])

    class Fixed:
        def score(self, users):
            return scores[users]

    ours = evaluate({"m": Fixed()}, hand, n, seed=seed)
    assert ours.users.tolist() == np.flatnonzero(truth.any(1)).tolist()
    place = np.empty(n_items, dtype=int)
    place[np.random.default_rng(seed).permutation(n_items)] = np.arange(n_items)
    name = {i: f"{n_items - place[i]:03d}" for i in range(n_items)}  # of equal scores trec_eval takes the later name
    wants = {str(u): {name[i]: 1 for i in np.flatnonzero(truth[u])} for u in ours.users}
    run = {str(u): {name[i]: scores[u, i] for i in np.flatnonzero(~seen[u])} for u in ours.users}
    measures = {"precision": "P_10", "recall": "recall_10", "ndcg": "ndcg_cut_10", "hit_rate": "success_10"}
    theirs = pytrec_eval.RelevanceEvaluator(wants, set(measures.values())).evaluate(run)
    for metric, label in measures.items():
        expected = [theirs[str(u)][label] for u in ours.users]
        np.testing.assert_allclose(ours.per_user["m"][metric], expected, atol=1e-9, err_msg=metric)
