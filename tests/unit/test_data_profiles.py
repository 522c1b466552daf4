"""Profiles, tags and leak checks, against cases small enough to compute by hand."""

import numpy as np
import pandas as pd
import pytest

from course_lib.data import films, leaks, movielens, profiles, splits
from course_lib.data.interactions import Interactions, Split
from course_lib.errors import CourseError


def log(*rows: tuple[int, int, int], n_users: int = 3, n_items: int = 4) -> Interactions:
    """Rows (user, item, time), all rated 4."""
    user, item, time = (np.array(column, dtype="int64") for column in zip(*rows, strict=True))
    return Interactions(pd.DataFrame({"user": user, "item": item, "rating": 4.0, "time": time}), n_users, n_items)


def split(train: Interactions, test: Interactions) -> Split:
    return Split("by hand", train, train.keep(np.zeros(len(train), dtype=bool)), test)


def test_leaks_are_counted_as_by_hand():
    train = log((0, 0, 10), (0, 1, 20), (1, 0, 30))
    test = log((0, 2, 15), (0, 0, 25), (1, 1, 40), (2, 1, 5))
    assert leaks.leaks(split(train, test)) == {
        "repeated": 0.25,  # (0, 0)
        "future of others": 0.75,  # all but time 40
        "own future": 0.25,  # user 0 at 15, since train has him at 20
        "new user": 0.25,  # user 2
        "new item": 0.25,  # item 2
    }


def test_a_pair_in_two_parts_is_refused_by_name():
    with pytest.raises(CourseError, match="train and test, the first is user 0 with item 1"):
        leaks.require_disjoint(split(log((0, 1, 1), (1, 1, 1)), log((0, 1, 9))))


def test_the_global_time_split_leaks_nothing_and_the_random_one_the_future():
    ratings = movielens.load_ratings()
    by_date = leaks.leaks(leaks.require_disjoint(splits.global_time(ratings)))
    at_random = leaks.leaks(leaks.require_disjoint(splits.random_per_user(ratings, seed=0)))
    assert by_date["future of others"] == by_date["own future"] == by_date["repeated"] == 0
    assert at_random["future of others"] > 0.99 and at_random["own future"] > 0.8
    assert leaks.leaks(splits.time_per_user(ratings))["own future"] == 0


def test_a_behaviour_profile_of_full_rank_is_the_matrix():
    train = log((0, 0, 1), (0, 1, 1), (1, 2, 1), (2, 3, 1), (2, 0, 1))
    model = profiles.BehaviourProfile(d=3, seed=1).fit(train)
    assert np.allclose(model.score(np.arange(3)), train.matrix().toarray(), atol=1e-8)


def test_a_text_profile_points_at_what_was_liked():
    T = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]])
    model = profiles.TextProfile(T).fit(log((0, 0, 1), (1, 2, 1)))
    scores = model.score(np.array([0, 1, 2]))
    assert set(scores[0].argsort()[::-1][:2]) == {0, 1}
    assert set(scores[1].argsort()[::-1][:2]) == {2, 3}
    assert np.allclose(scores[2], 0)  # no history, no opinion


def test_profiles_do_not_see_what_is_not_in_train():
    liked = movielens.positives(movielens.load_ratings())
    part = splits.random_per_user(liked, seed=3)
    T = np.random.default_rng(0).normal(size=(1682, 8))
    shuffled = Split("x", part.train, part.valid, part.test.keep(np.arange(len(part.test))[::-1]))
    for model in (profiles.BehaviourProfile(8), profiles.TextProfile(T)):
        once = model.fit(part.train).score(np.arange(5))
        assert np.allclose(once, model.fit(shuffled.train).score(np.arange(5)))


def test_lift_as_by_hand():
    facts = [("a",), ("a", "b"), ("b",), ()]
    train = log((0, 0, 1), (0, 1, 1), (1, 2, 1), (1, 3, 1))
    tags = profiles.user_tags(train, facts, at_least=1, prior=0).set_index(["user", "tag"])
    # shares of all four rows: a 1/2, b 1/2; user 0 has a in 2 of 2 rows, b in 1 of 2; user 1 has b in 1 of 2
    assert tags.loc[(0, "a")].tolist() == [2, 2.0]
    assert (0, "b") not in tags.index and (1, "b") not in tags.index  # a lift of 1 tells nothing


def test_tags_of_a_user_hold_beyond_train():
    catalogue, liked = films.load_catalogue(), movielens.positives(movielens.load_ratings())
    part = splits.random_per_user(liked, seed=0)
    first = profiles.user_tags(part.train, catalogue["genres"].tolist(), top=1).set_index("user")["tag"]
    test = part.test.table[part.test.table["user"].isin(first.index)]
    genres, tags = catalogue["genres"][test["item"]], first[test["user"]]
    hit = np.mean([tag in g for tag, g in zip(tags, genres, strict=True)])
    chance = np.mean([tag in g for tag, g in zip(np.random.default_rng(0).permutation(tags), genres, strict=True)])
    assert hit > 1.3 * chance


@pytest.mark.parametrize(
    "use", [lambda t: profiles.TextProfile(np.zeros((3, 2))).fit(t), lambda t: profiles.user_tags(t, [()])]
)
def test_a_table_of_the_wrong_length_is_refused(use):
    with pytest.raises(CourseError, match="There are 4 items"):
        use(log((0, 0, 1)))
