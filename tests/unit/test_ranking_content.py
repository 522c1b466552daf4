import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from course_lib.data import films, movielens, splits
from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError
from course_lib.evaluation.metrics import intra_list_diversity
from course_lib.evaluation.protocol import evaluate
from course_lib.ranking import content
from course_lib.ranking.baselines import ALS, Popularity
from course_lib.ranking.content import ContentMap, ContentProfile
from course_lib.ranking.gcn import KipfWelling, node_features
from course_lib.ranking.rerank import Diversified, mmr


def interactions(likes: np.ndarray) -> Interactions:
    table = pd.DataFrame(np.argwhere(likes), columns=["user", "item"]).astype("int64")
    return Interactions(table.assign(rating=5.0, time=np.int64(0)), *likes.shape)


def planted(seed: int = 0, n_users: int = 80, n_items: int = 60, blocks: int = 4) -> Interactions:
    rng = np.random.default_rng(seed)
    same = np.arange(n_users)[:, None] % blocks == np.arange(n_items) % blocks
    return interactions(same & (rng.random(same.shape) < 0.6))


BLOCK = np.eye(4)[np.arange(60) % 4] + 0.01 * np.random.default_rng(5).normal(size=(60, 4))
CATALOGUE = pd.DataFrame(
    {"genres": [("a", "b"), ("a",), ("a",)], "cast": [("x",), ("x", "y"), ()], "director": [("x",), (), ()]}
)


@pytest.fixture(scope="module")
def liked():
    return movielens.positives(movielens.load_ratings())


# ── the knowledge graph ──
def test_entities_of_a_small_catalogue_are_those_drawn_by_hand():
    T, names = content.entities(CATALOGUE, ["genres"], at_least=1)
    assert names == ["a", "b"]
    np.testing.assert_array_equal(T.toarray(), [[1, 1], [1, 0], [1, 0]])


def test_somebody_who_directs_and_plays_is_one_entity_with_one_edge():
    T, names = content.entities(CATALOGUE, ["cast", "director"])
    assert names == ["x"]  # y has one film only
    np.testing.assert_array_equal(T.toarray(), [[1], [1], [0]])


def test_an_entity_of_every_film_weighs_nothing_and_a_rare_one_much():
    weighted = content.idf(sp.csr_matrix([[1.0, 1.0], [1.0, 0.0]])).toarray()
    np.testing.assert_allclose(weighted, [[0, np.log(2)], [0, 0]])


def test_graph_features_are_finite_one_row_a_film_and_know_no_ratings():
    catalogue = films.load_catalogue()
    G = content.graph_features(catalogue)
    assert len(G) == len(catalogue) and np.isfinite(G).all()
    assert not {"rating", "user", "time"} & set(catalogue.columns)


# ── cold items ──
@pytest.mark.parametrize("model", [ContentProfile(BLOCK), ContentMap(BLOCK, ALS(d=8, lam=1.0), lam=0.1)])
def test_cold_items_of_a_planted_graph_are_found_and_with_shuffled_features_only_by_chance(model):
    cold = splits.cold_items(planted(), 16, seed=0)
    candidates = np.isin(np.arange(60), cold.test.item)
    found = evaluate({"m": model.fit(cold.train)}, cold, n=4, candidates=candidates).interval("m", "recall").mean
    model.features = BLOCK[np.random.default_rng(1).permutation(60)]
    shuffled = evaluate({"m": model.fit(cold.train)}, cold, n=4, candidates=candidates).interval("m", "recall").mean
    assert found > 0.8
    assert shuffled == pytest.approx(4 / 16, abs=0.15)


@pytest.mark.parametrize("make", [ContentProfile, ContentMap])
def test_score_of_a_cold_item_does_not_depend_on_its_held_out_ratings(make):
    everything = planted()
    cold = splits.cold_items(everything, 16, seed=0)
    fewer = everything.keep(~(np.isin(everything.item, cold.test.item) & (everything.user % 2 == 0)))
    held_out = np.unique(cold.test.item)
    without = fewer.keep(~np.isin(fewer.item, held_out))
    first, second = (make(BLOCK).fit(train).score(np.arange(80)) for train in (cold.train, without))
    np.testing.assert_array_equal(first[:, held_out], second[:, held_out])


def test_map_gives_a_warm_item_back_its_own_vector_when_features_identify_it_and_nothing_is_penalised():
    train = planted()
    model = ContentMap(np.eye(60), ALS(d=8, lam=1.0), lam=1e-9).fit(train)
    np.testing.assert_allclose(model.score(np.arange(80)), model.base.score(np.arange(80)), atol=1e-6)


def test_mapped_facts_beat_profiles_and_chance_on_real_cold_films(liked):
    cold = splits.cold_items(liked, 145, seed=0)
    G = content.graph_features(films.load_catalogue())
    models = {"profile": ContentProfile(G).fit(cold.train), "mapped": ContentMap(G).fit(cold.train)}
    candidates = np.isin(np.arange(liked.n_items), cold.test.item)
    table = evaluate(models, cold, n=20, candidates=candidates).table
    assert table.loc["mapped", "recall_low"] > table.loc["profile", "recall_high"]
    assert table.loc["profile", "recall_low"] > 0.2  # chance is .14


@pytest.mark.parametrize("bad", [np.zeros((59, 4)), np.full((60, 4), np.nan), np.zeros(60)])
@pytest.mark.parametrize("make", [ContentProfile, ContentMap, KipfWelling])
def test_features_of_the_wrong_shape_or_with_nan_are_one_sentence(make, bad):
    with pytest.raises(
        CourseError, match=r"one finite row for each of 60 items|Features hold NaN|Features have 2 dimensions"
    ):
        make(bad).fit(planted())


@pytest.mark.parametrize("model", [ContentProfile(BLOCK), ContentMap(BLOCK), KipfWelling(d=4, steps=1)])
def test_unknown_user_is_one_sentence(model):
    with pytest.raises(CourseError, match="user id 80 is unknown"):
        model.fit(planted()).score(np.array([80]))


# ── Kipf–Welling ──
def test_a_user_carries_the_mean_of_the_training_items_features():
    train = interactions(np.array([[1, 1, 0], [0, 0, 0]]))
    X = node_features(np.array([[1.0], [3.0], [5.0]]), train)
    np.testing.assert_array_equal(X, [[2], [0], [1], [3], [5]])


@pytest.mark.parametrize("features", [None, BLOCK])
def test_kipf_welling_learns_a_planted_block_graph(features):
    split = splits.random_per_user(planted(), seed=0, valid=0.0, test=0.2)
    model = KipfWelling(features, d=8, steps=100).fit(split.train)
    assert evaluate({"m": model}, split).interval("m", "recall").mean > 0.9


# ── diversity ──
def brute_force(relevance, similarity, n, trade):
    chosen = []
    while len(chosen) < n:
        value = [
            -np.inf if j in chosen
            else trade * r - (1 - trade) * max((similarity[i][j] for i in chosen), default=0.0)
            for j, r in enumerate(relevance)
        ]  # fmt: skip
        chosen.append(int(np.argmax(value)))
    return chosen


@given(st.integers(0, 10_000), st.floats(0, 1), st.integers(1, 6))
def test_mmr_equals_its_definition_by_brute_force(seed, trade, n):
    rng = np.random.default_rng(seed)
    X = content.centred(rng.normal(size=(6, 3)))
    relevance, similarity = rng.random(6), X @ X.T
    assert mmr(relevance[None], similarity[None], n, trade)[0].tolist() == brute_force(relevance, similarity, n, trade)


def test_two_near_twins_do_not_both_enter_a_diverse_list():
    relevance, similarity = np.array([[1.0, 0.95, 0.5]]), np.array([[[1, 0.99, 0], [0.99, 1, 0], [0, 0, 1.0]]])
    assert mmr(relevance, similarity, 2, 1.0)[0].tolist() == [0, 1]
    assert mmr(relevance, similarity, 2, 0.5)[0].tolist() == [0, 2]


def test_trade_one_changes_no_list_and_less_makes_lists_more_diverse_and_never_shows_seen_items(liked):
    split = splits.random_per_user(liked, seed=0)
    base = Popularity().fit(split.train)
    genres = content.entities(films.load_catalogue(), ["genres"], at_least=1)[0].toarray()
    models = {"base": base, **{f"{t}": Diversified(base, genres, trade=t).fit(split.train) for t in (1.0, 0.5)}}
    result = evaluate(models, split)
    diversity = {name: intra_list_diversity(result.lists[name], genres).mean() for name in models}
    assert diversity["1.0"] == pytest.approx(diversity["base"], abs=0.02)  # ties in popularity fall differently
    assert diversity["0.5"] > diversity["base"] + 0.05
    assert not np.asarray(split.train.matrix()[result.users[:, None], result.lists["0.5"]].todense()).any()


@pytest.mark.parametrize(("trade", "n"), [(1.5, 2), (0.5, 0), (0.5, 4)])
def test_a_trade_or_length_that_makes_no_sense_is_one_sentence(trade, n):
    with pytest.raises(CourseError, match=r"trade is at least 0 and at most 1|n is at least 1 and at most 3"):
        mmr(np.ones((1, 3)), np.ones((1, 3, 3)), n, trade)
