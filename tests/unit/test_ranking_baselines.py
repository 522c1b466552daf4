"""The baselines compute what their formulas say, and reach the numbers that the best libraries reach."""

import functools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.data import movielens, splits
from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError
from course_lib.evaluation.protocol import evaluate
from course_lib.ranking.baselines import (
    ALS,
    EASE,
    BiasModel,
    ItemKNN,
    Popularity,
    Random,
    RecentPopularity,
    UserKNN,
    als_step,
)

# users 0..3, items 0..2; user 3 has no history
PAIRS = [(0, 0, 5.0), (0, 1, 4.0), (1, 0, 3.0), (1, 1, 1.0), (1, 2, 2.0), (2, 2, 5.0)]
X = np.array([[1, 1, 0], [1, 1, 1], [0, 0, 1], [0, 0, 0]], dtype=float)


def interactions(pairs: list[tuple[int, int, float]], n_users: int, n_items: int) -> Interactions:
    table = pd.DataFrame(pairs, columns=["user", "item", "rating"]).astype(
        {"user": "int64", "item": "int64", "rating": "float64"}
    )
    return Interactions(table.assign(time=np.arange(len(table), dtype="int64")), n_users, n_items)


TOY = interactions(PAIRS, 4, 3)
ALL = [Random(), Popularity(), RecentPopularity(), ItemKNN(), UserKNN(), EASE(), ALS(d=2), BiasModel()]


def test_popularity_counts_users():
    assert Popularity().fit(TOY).score(np.array([0, 3])).tolist() == [[2, 2, 2], [2, 2, 2]]
    more = interactions([*PAIRS, (3, 2, 1.0)], 4, 3)
    assert Popularity().fit(more).score(np.array([1])).tolist() == [[2, 2, 3]]


def test_random_is_the_same_for_a_user_in_any_company():
    model = Random(seed=3).fit(TOY)
    both, one = model.score(np.array([0, 2])), model.score(np.array([2]))
    assert (both[1] == one[0]).all() and (both[0] != both[1]).any()
    assert (Random(seed=4).fit(TOY).score(np.array([2])) != one).any()


def test_knn_is_the_cosine_of_columns():
    plain, shrunk = (ItemKNN(K=10, shrink=shrink).fit(TOY).S_ for shrink in (0, 2))
    expected = np.array([[0, 1, 1 / 2], [1, 0, 1 / 2], [1 / 2, 1 / 2, 0]])  # every column has length sqrt(2)
    assert plain == pytest.approx(expected) and shrunk == pytest.approx(expected * 2 / 4)


def test_knn_keeps_the_neighbours_of_the_target():
    S = ItemKNN(K=1, shrink=0).fit(TOY).S_
    assert S[:, 0] == pytest.approx([0, 1, 0]) and S[:, 1] == pytest.approx([1, 0, 0])
    assert S[:, 2] == pytest.approx([1 / 2, 1 / 2, 0])  # a tie at the K-th place keeps both


def test_user_neighbours_are_item_neighbours_of_the_transposed_table():
    turned = interactions([(j, u, r) for u, j, r in PAIRS], 3, 4)
    S = UserKNN(K=1, shrink=2).fit(TOY).S_
    assert np.allclose(S, ItemKNN(K=1, shrink=2).fit(turned).S_)
    S = UserKNN(K=10, shrink=0).fit(TOY).S_
    assert S[0] == pytest.approx([0, 2 / np.sqrt(6), 0, 0])  # two films in common, of two and of three
    assert UserKNN(K=10, shrink=0).fit(TOY).score(np.array([0]))[0] == pytest.approx(S[0, 1] * X[1])


def test_ease_solves_its_constrained_least_squares():
    lam = 0.7
    B = EASE(lam).fit(TOY).B_
    for j in range(3):  # column by column: ridge regression of item j on the other two
        others = [i for i in range(3) if i != j]
        Z = X[:, others]
        assert B[others, j] == pytest.approx(np.linalg.solve(Z.T @ Z + lam * np.eye(2), Z.T @ X[:, j]))
    assert (B.diagonal() == 0).all()


def test_als_step_solves_the_normal_equations():
    rng, lam, alpha = np.random.default_rng(0), 0.3, 4.0
    V = rng.normal(size=(3, 2))
    U = als_step(TOY.matrix(), V, lam, alpha)
    for u in range(4):
        C = np.diag(1 + alpha * X[u])
        assert U[u] == pytest.approx(np.linalg.solve(V.T @ C @ V + lam * np.eye(2), V.T @ C @ X[u]))


def test_als_lowers_its_objective():
    def objective(model: ALS) -> float:
        error = (1 + model.alpha * X) * (X - model.U_ @ model.V_.T) ** 2
        return error.sum() + model.lam * ((model.U_**2).sum() + (model.V_**2).sum())

    values = [objective(ALS(d=2, lam=0.1, sweeps=n).fit(TOY)) for n in (1, 2, 4, 8)]
    assert values == sorted(values, reverse=True) and values[-1] < values[0]


def test_biases_are_the_least_squares_answer():
    lam, u, j, r = 1.5, TOY.user, TOY.item, TOY.rating
    model = BiasModel(lam, sweeps=500).fit(TOY)
    A = np.concatenate([np.eye(4)[u], np.eye(3)[j]], axis=1)  # one-hot user and item of each rating
    b = np.linalg.solve(A.T @ A + lam * np.eye(7), A.T @ (r - r.mean()))
    assert np.concatenate([model.b_u_, model.b_j_]) == pytest.approx(b)
    assert model.predict(u, j) == pytest.approx(r.mean() + A @ b)
    assert model.score(np.array([1]))[0] == pytest.approx(model.predict(np.array([1, 1, 1]), np.arange(3)))


@pytest.mark.parametrize("model", [ItemKNN(), UserKNN(), EASE(), ALS(d=2)], ids=repr)
def test_a_user_without_history_gets_popularity(model):
    assert model.fit(TOY).score(np.array([3]))[0].tolist() == [2, 2, 2]


@pytest.mark.parametrize("model", ALL, ids=repr)
def test_unknown_users_are_one_sentence(model):
    fitted = model.fit(TOY)
    for users in ([0, 4], [-1]):
        with pytest.raises(CourseError, match=r"user id (4|-1) is unknown.*numbered 0 to 3"):
            fitted.score(np.array(users))
    with pytest.raises(CourseError, match="whole numbers"):
        fitted.score(np.array([0.5]))
    assert fitted.score(np.array([], dtype=int)).shape == (0, 3)


@pytest.mark.parametrize("model", ALL[1:], ids=repr)
def test_an_empty_training_part_is_one_sentence(model):
    with pytest.raises(CourseError, match="no rows"):
        model.fit(interactions([], 4, 3))


def test_infinite_ratings_are_one_sentence():
    with pytest.raises(CourseError, match="Ratings hold NaN or an infinite value, 1 of 1"):
        BiasModel().fit(interactions([(0, 0, float("inf"))], 4, 3))


@settings(max_examples=30, deadline=None)
@given(st.sets(st.tuples(st.integers(0, 5), st.integers(0, 6)), min_size=1, max_size=25), st.permutations(range(7)))
def test_renaming_the_items_renames_the_scores(pairs, names):
    names, users = np.array(names), np.arange(6)
    plain = interactions([(u, j, 1.0) for u, j in sorted(pairs)], 6, 7)
    renamed = interactions([(u, int(names[j]), 1.0) for u, j in sorted(pairs)], 6, 7)
    for model in (Popularity(), ItemKNN(K=7), EASE(1.0)):
        before, after = model.fit(plain).score(users), model.fit(renamed).score(users)
        assert np.isfinite(before).all() and after[:, names] == pytest.approx(before, abs=1e-9)


@functools.cache
def p1_ndcg(seed: int) -> dict[str, float]:
    split = splits.random_per_user(movielens.positives(movielens.load_ratings()), seed)
    models = {type(m).__name__: m.fit(split.train) for m in (Random(), Popularity(), ItemKNN(), EASE(), ALS())}
    return evaluate(models, split).table["ndcg"].to_dict()


# What the best library of each kind reaches on the same protocol (random per user, ratings >= 4, only the
# training part masked): our mean over two splits is no more than one standard error (.007) below.
@pytest.mark.parametrize(
    ("name", "published"), [("Popularity", 0.1016), ("ItemKNN", 0.1992), ("EASE", 0.2128), ("ALS", 0.2196)]
)
def test_baselines_reach_the_libraries(name, published):
    mean = np.mean([p1_ndcg(seed)[name] for seed in (0, 42)])
    assert published - 0.007 < mean < published + 0.02


def test_random_is_at_chance():
    assert p1_ndcg(0)["Random"] < 0.012 and p1_ndcg(42)["Random"] < 0.012


def test_the_bias_model_beats_the_global_mean_as_published():
    ratings = movielens.load_ratings()
    split = splits.random_per_user(ratings, 0)
    model = BiasModel().fit(split.fit_part)
    error = model.predict(split.test.user, split.test.item) - split.test.rating
    assert 0.92 < np.sqrt(np.mean(error**2)) < 0.945  # published .938, the global mean 1.128


def test_recent_popularity_counts_the_last_days_and_breaks_ties_by_older_ones():
    day = 86_400
    table = TOY.table.assign(time=[0, 0, 0, 0, 9 * day, 10 * day])  # item 2 twice in the last two days
    s = RecentPopularity(days=2).fit(Interactions(table, 4, 3)).score(np.array([3]))[0]
    assert s[2] > 2 > 1 > s[0] == s[1] > 0
