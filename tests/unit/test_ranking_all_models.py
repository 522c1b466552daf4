"""What holds for every ranking model of the course: it learns from the training part alone, and bad input has words."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from course_lib.bandits.ranker import BanditRanked
from course_lib.data import films, movielens, splits
from course_lib.data.interactions import Interactions, Split
from course_lib.errors import CourseError
from course_lib.evaluation.protocol import Recommender, evaluate
from course_lib.ranking.baselines import ALS, EASE, ItemKNN, Popularity, Random, RecentPopularity, UserKNN
from course_lib.ranking.fusion import Fusion, Mix
from course_lib.ranking.gcn import KipfWelling
from course_lib.ranking.graph import LightGCN
from course_lib.ranking.knowledge import Edges, KnowledgeGCN, LabelPropagation, knowledge
from course_lib.ranking.retrieval import Content
from course_lib.ranking.sequence import RecentEASE, Transitions
from course_lib.ranking.variants import SimGCL, TwoHeads

N_ITEMS = 1682
VECTORS = np.random.default_rng(0).normal(size=(N_ITEMS, 8))


@pytest.fixture(scope="module")
def edges() -> dict[str, Edges]:
    return {"genre": knowledge(films.load_catalogue())["genre"]}


def makers(edges: dict[str, Edges]) -> dict[str, Callable[[], Recommender]]:
    """Every model that ranks, small."""
    few = {"steps": 12, "d": 16}
    return {
        "random": Random, "popularity": Popularity, "recent popularity": RecentPopularity, "item kNN": ItemKNN,
        "user kNN": UserKNN, "EASE": EASE, "ALS": lambda: ALS(d=16, sweeps=4), "content": lambda: Content(VECTORS),
        "mix": lambda: Mix({"EASE": (EASE(), 1.0), "popularity": (Popularity(), 0.1)}),
        "fading memory": RecentEASE, "chain": Transitions, "BPR": lambda: LightGCN(L=0, loss="bpr", **few),
        "LightGCN": lambda: LightGCN(**few), "contrast": lambda: SimGCL(**few), "two heads": lambda: TwoHeads(**few),
        "facts": lambda: KnowledgeGCN(edges=edges, **few), "labels": lambda: LabelPropagation(edges),
        "GCN": lambda: KipfWelling(VECTORS, steps=12), "bandit": lambda: BanditRanked(n_rounds=300),
    }  # fmt: skip


NAMES = list(makers({}))


@pytest.fixture(scope="module")
def split() -> Split:
    liked = movielens.positives(movielens.load_ratings())
    return splits.random_per_user(liked.keep(liked.user < 200), seed=0)


def anything(train: Interactions) -> Interactions:
    """``train`` with a random item in every row: nothing in it knows the test part any more."""
    item = np.random.default_rng(1).integers(train.n_items, size=len(train))
    return Interactions(train.table.assign(item=item), train.n_users, train.n_items)


def sees_more_than_train(model: Recommender, split: Split) -> bool:
    """Whether ``model``, fitted on nonsense, still finds the test films."""
    return evaluate({"m": model.fit(anything(split.train))}, split).table.loc["m", "ndcg"] > 0.02  # chance is .006


@pytest.mark.parametrize("name", NAMES)
def test_a_model_fitted_on_nonsense_is_at_chance(name, split, edges):
    assert not sees_more_than_train(makers(edges)[name](), split)


def test_a_model_that_looks_at_the_test_part_is_caught(split):
    class Peeping(EASE):
        def fit(self, train):
            return super().fit(train.concat(movielens.positives(movielens.load_ratings()).keep(np.arange(8000))))

    assert sees_more_than_train(Peeping(), split)


@pytest.mark.parametrize("name", NAMES)
def test_unknown_users_and_an_empty_training_part_are_one_sentence(name, edges):
    table = pd.DataFrame({"user": [0, 0, 1, 2], "item": [0, 1, 1, 2], "rating": 5.0, "time": [4, 3, 2, 1]})
    model = makers(edges)[name]().fit(Interactions(table, 5, N_ITEMS))
    scores = model.score(np.array([4, 0]))  # user 4 has no history
    assert scores.shape == (2, N_ITEMS) and np.isfinite(scores).all()
    with pytest.raises(CourseError, match="user"):
        model.score(np.array([5]))
    with pytest.raises(CourseError, match="no rows"):
        makers(edges)[name]().fit(Interactions(table.iloc[:0], 5, N_ITEMS))


@pytest.mark.parametrize("name", NAMES)
def test_a_row_that_comes_twice_counts_once(name, split, edges):
    doubled = split.train.concat(split.train)
    once, twice = (makers(edges)[name]().fit(train).score(np.arange(20)) for train in (split.train, doubled))
    np.testing.assert_allclose(once, twice, atol=1e-6)


@pytest.mark.parametrize("make", [LightGCN, SimGCL, TwoHeads, KnowledgeGCN, KipfWelling])
@pytest.mark.parametrize(("steps", "where"), [(1, "of the last step"), (3, "at step 2")])
def test_a_training_that_diverges_stops_with_one_sentence(make, steps, where, split):
    with pytest.raises(CourseError, match=f"{where}.*training diverged"):
        make(d=4, lr=1e29, lam=1e10, steps=steps).fit(split.train)


@pytest.mark.parametrize("way", ["product", "mlp", "attention"])
@pytest.mark.parametrize("validated", [False, True])
def test_a_fusion_that_diverges_stops_with_one_sentence(way, validated, split):
    with pytest.raises(CourseError, match="training diverged"):
        Fusion(VECTORS, epochs=3, lr=1e25, way=way, d=4, d_t=4).fit(split.train, split.valid if validated else None)
