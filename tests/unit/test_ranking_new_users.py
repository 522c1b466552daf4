import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError
from course_lib.evaluation.protocol import evaluate
from course_lib.ranking.baselines import ALS, EASE, ItemKNN, Popularity
from course_lib.ranking.graph import LightGCN
from course_lib.ranking.knowledge import LabelPropagation
from course_lib.ranking.new_users import NewUsers, SentenceMap, fold_in, hold_out_users


def planted(n_users: int = 60, n_items: int = 40) -> Interactions:
    rng = np.random.default_rng(0)
    likes = (np.arange(n_users)[:, None] % 2 == np.arange(n_items) % 2) & (rng.random((n_users, n_items)) < 0.8)
    user, item = np.nonzero(likes)
    return Interactions(
        pd.DataFrame({"user": user, "item": item, "rating": 5.0, "time": np.int64(0)}), n_users, n_items
    )


MODELS = [EASE(10), ALS(d=4), LightGCN(d=4, steps=30), LabelPropagation()]


@pytest.mark.parametrize("model", [EASE(10), LabelPropagation(), Popularity()])
def test_folding_in_a_known_row_gives_the_scores_of_its_user(model):
    train = planted()
    np.testing.assert_allclose(fold_in(model.fit(train), train.matrix()), model.score(np.arange(60)), atol=1e-9)


def test_folding_in_with_als_is_the_next_half_step_of_its_fit():
    train = planted()
    one, two = ALS(d=4, sweeps=30).fit(train), ALS(d=4, sweeps=31).fit(train)
    np.testing.assert_allclose(fold_in(one, train.matrix()), two.U_ @ one.V_.T, atol=1e-9)


@pytest.mark.parametrize("model", MODELS)
def test_three_films_place_a_stranger_in_the_right_half(model):
    model.fit(planted())
    X = sp.csr_matrix(([1.0] * 6, ([0, 0, 0, 1, 1, 1], [0, 2, 4, 1, 3, 5])), shape=(2, 40))
    scores = fold_in(model, X)[:, 6:]
    even = np.arange(6, 40) % 2 == 0
    assert scores[0, even].mean() > scores[0, ~even].mean() and scores[1, even].mean() < scores[1, ~even].mean()


def test_a_model_that_cannot_be_folded_is_one_sentence():
    with pytest.raises(CourseError, match="got ItemKNN"):
        fold_in(ItemKNN(), sp.csr_matrix((1, 3)))


def test_sentence_that_is_the_text_of_a_film_is_treated_like_that_film():
    train, vectors = planted(), np.eye(40)
    als = ALS(d=4).fit(train)
    model = SentenceMap(vectors, als, lam=1e-9).fit(train)  # no penalty: the map is exact
    film = sp.csr_matrix(([1.0], ([0], [6])), shape=(1, 40))
    np.testing.assert_allclose(model.score(vectors[[6]]), fold_in(als, film), atol=1e-6)
    np.testing.assert_allclose(
        model.score(vectors[[6]], film), fold_in(als, sp.csr_matrix(2 * film.toarray())), atol=1e-6
    )  # one film twice: the sentence counts as much as a film


def test_held_out_users_are_gone_and_more_films_given_contain_the_fewer():
    likes = planted()
    rest, new = hold_out_users(likes, 12, (1, 3), seed=0)
    strangers = np.unique(new[3].test.user)
    assert len(strangers) == 12 and not np.isin(rest.user, strangers).any()
    assert (np.bincount(new[1].train.user)[strangers] == 1).all() and (
        np.bincount(new[3].train.user)[strangers] == 3
    ).all()
    given = {k: set(zip(s.train.user, s.train.item, strict=True)) for k, s in new.items()}
    asked = set(zip(new[3].test.user, new[3].test.item, strict=True))
    assert given[1] < given[3] and not given[3] & asked
    assert len(rest) + len(given[3]) + len(asked) == len(likes)
    assert new[1].test.table.equals(new[3].test.table)  # the same films to be found, whatever is given


def test_more_users_than_there_are_is_one_sentence():
    with pytest.raises(CourseError, match="were to be held out"):
        hold_out_users(planted(), 100, (3,), seed=0)


def test_new_users_pass_through_the_common_evaluation_and_shuffled_histories_are_at_chance():
    rest, new = hold_out_users(planted(), 20, (3,), seed=0)
    split, model = new[3], EASE(10).fit(rest)
    X = split.train.matrix()
    wrong = sp.csr_matrix(X.toarray()[np.roll(np.arange(60), 1)])  # a neighbour is of the other half
    models = {name: NewUsers(rows, lambda X, users: fold_in(model, X)) for name, rows in (("own", X), ("wrong", wrong))}
    result = evaluate(models, split, n=5)
    assert result.table.loc["own", "precision"] > 0.7
    assert result.table.loc["wrong", "precision"] < 0.3
