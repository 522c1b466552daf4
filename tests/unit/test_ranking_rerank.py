import numpy as np
import pandas as pd
import pytest

from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError
from course_lib.evaluation.protocol import rank
from course_lib.ranking.baselines import Popularity
from course_lib.ranking.rerank import BertReranked
from course_lib.text.training import Recipe

N_USERS, N_ITEMS = 40, 20
TEXTS = [f"{'a lovely comedy' if j % 2 else 'a brutal murder'}, part {j}" for j in range(N_ITEMS)]
QUICK = Recipe(epochs=1, batch_size=8, learning_rate=5e-4)


def comedies_are_liked(seed: int = 0) -> Interactions:
    rng = np.random.default_rng(seed)
    rows = [
        (u, j, 5.0 if j % 2 else 1.0, t) for u in range(N_USERS) for t, j in enumerate(rng.permutation(N_ITEMS)[:14])
    ]
    table = pd.DataFrame(rows, columns=["user", "item", "rating", "time"]).astype({"time": "int64", "item": "int64"})
    return Interactions(table, N_USERS, N_ITEMS)


RATINGS = comedies_are_liked()
TRAIN = RATINGS.keep((RATINGS.rating >= 4) & (RATINGS.user < 39))


class Descending:
    """Item 0 first, item 1 next and so on, for everybody: a base without ties."""

    def fit(self, train: Interactions) -> "Descending":
        return self

    def score(self, users: np.ndarray) -> np.ndarray:
        return np.tile(-np.arange(N_ITEMS, dtype=float), (len(users), 1))


@pytest.fixture(scope="module")
def model() -> BertReranked:
    return BertReranked(Descending(), RATINGS, TEXTS, TEXTS, n=6, past=2, n_examples=100, recipe=QUICK).fit(TRAIN)


def test_the_best_of_the_base_are_reordered_by_what_bert_has_learned(model):
    users, seen = np.arange(30), TRAIN.matrix()[:30]
    ours, base = (rank(m.score(users), seen, 10) for m in (model, Descending()))
    assert all(set(a[:6]) == set(b[:6]) and set(a) <= set(range(N_ITEMS)) for a, b in zip(ours, base, strict=True))
    comedy = [[np.flatnonzero(row[:6] % 2 == kind) for kind in (1, 0)] for row in ours]
    mixed = [(a.mean(), b.mean()) for a, b in comedy if len(a) and len(b)]
    assert len(mixed) > 5 and np.mean([a < b for a, b in mixed]) > 0.9  # comedies before murders


def test_a_user_without_history_gets_the_list_of_the_base(model):
    stranger = np.array([39])  # none of his likes is in train, and his dislikes are taken away here
    lent = RATINGS.keep(RATINGS.user < 39)
    alone = BertReranked(Popularity(), lent, TEXTS, TEXTS, past=2, n_examples=20, recipe=Recipe(epochs=1)).fit(TRAIN)
    np.testing.assert_array_equal(alone.score(stranger), alone.base.score(stranger))


def test_nothing_later_than_the_training_part_and_no_like_outside_it_is_read():
    early = TRAIN.keep(TRAIN.time < 7)
    model = BertReranked(Popularity(), RATINGS, TEXTS, TEXTS, past=2, n_examples=20, recipe=Recipe(epochs=1)).fit(early)
    for user, (items, stars) in model.history_.items():
        likes = early.item[early.user == user]
        assert set(items[stars >= 4]) == set(likes)
        later = RATINGS.item[(RATINGS.user == user) & (RATINGS.time > early.time.max())]
        assert not set(items) & set(later)


def test_texts_that_do_not_belong_to_the_catalogue_are_refused():
    with pytest.raises(CourseError, match="for each of 20 items are wanted; got 20 and 3"):
        BertReranked(Popularity(), RATINGS, TEXTS, TEXTS[:3]).fit(TRAIN)
