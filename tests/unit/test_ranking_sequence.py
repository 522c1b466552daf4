"""What came last counts most, what follows what is counted as the formula says, and time is what makes it work."""

import numpy as np
import pandas as pd
import pytest

from course_lib.data import movielens, splits
from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError
from course_lib.evaluation.protocol import evaluate
from course_lib.ranking.baselines import EASE, Popularity
from course_lib.ranking.sequence import RecentEASE, Transitions, by_time, recent


def log(rows: list[tuple[int, int, int]], n_users: int = 3, n_items: int = 4) -> Interactions:
    table = pd.DataFrame(rows, columns=["user", "item", "time"]).assign(rating=4.0)
    return Interactions(table[["user", "item", "rating", "time"]], n_users, n_items)


TOY = log([(1, 3, 5), (0, 2, 30), (0, 0, 10), (0, 1, 20), (1, 1, 5)])  # user 0: items 0, 1, 2; user 1: a tie, 3 then 1


def test_histories_are_read_in_order_of_time_and_ties_in_order_of_rows():
    rows, age = by_time(TOY)
    assert TOY.item[rows].tolist() == [0, 1, 2, 3, 1] and age.tolist() == [2, 1, 0, 1, 0]


def test_a_memory_fades_with_the_number_of_later_items():
    W = recent(TOY, tau=2.0).toarray()
    faded = [[np.exp(-1), np.exp(-0.5), 1, 0], [0, 1, 0, np.exp(-0.5)], [0, 0, 0, 0]]
    assert np.allclose(W, faded)
    twice = recent(log([(0, 0, 1), (0, 1, 2), (0, 0, 3)]), tau=1.0).toarray()
    assert twice[0] == pytest.approx([1, np.exp(-1), 0, 0])


def test_a_memory_that_never_fades_is_ease():
    users = np.arange(3)
    assert RecentEASE(2.0, tau=1e9).fit(TOY).score(users) == pytest.approx(EASE(2.0).fit(TOY).score(users))


def test_transitions_count_what_follows_what():
    model = Transitions(reach=1.0, window=1, tau=1e-9).fit(TOY)  # the chain knows 0 → 1 → 2 and 3 → 1, memory one item
    assert (model.T_ > 0).nonzero()[0].tolist() == [0, 1, 3] and (model.T_ > 0).nonzero()[1].tolist() == [1, 2, 1]
    assert model.score(np.array([0]))[0] == pytest.approx(0)  # nothing has ever followed item 2
    assert model.score(np.array([1]))[0].argmax() == 2  # after item 1 came item 2
    assert Transitions(window=2).fit(TOY).T_[0, 2] > 0


@pytest.mark.parametrize("model", [RecentEASE(), Transitions()], ids=repr)
def test_strangers_get_popularity_and_unknown_users_a_sentence(model):
    model.fit(TOY)
    assert model.score(np.array([2]))[0].tolist() == [1, 2, 1, 1]
    with pytest.raises(CourseError, match="user id 7 is unknown"):
        model.score(np.array([7]))


def test_a_memory_of_no_length_is_one_sentence():
    with pytest.raises(CourseError, match="tau is above 0; got 0"):
        RecentEASE(tau=0).fit(TOY)


def test_the_order_is_what_helps():
    """On the last film of each user; the same histories in a random order lose what was gained."""
    ratings = movielens.load_ratings()
    split = splits.leave_last_out(ratings)
    rng = np.random.default_rng(0)
    shuffled = Interactions(
        split.train.table.assign(time=rng.permutation(split.train.time)), ratings.n_users, ratings.n_items
    )
    models = {
        "popularity": Popularity().fit(split.train), "ease": EASE().fit(split.train),
        "recent": RecentEASE().fit(split.train), "next": Transitions().fit(split.train),
        "recent, shuffled": RecentEASE().fit(shuffled), "next, shuffled": Transitions().fit(shuffled),
    }  # fmt: skip
    ndcg = evaluate(models, split, relevant=split.valid).table.ndcg
    assert min(ndcg["recent"], ndcg["next"]) > 1.3 * ndcg["ease"] > 1.3 * ndcg["popularity"]
    assert max(ndcg["recent, shuffled"], ndcg["next, shuffled"]) < ndcg["ease"]
