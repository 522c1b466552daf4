import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.data import movielens, splits
from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError


@pytest.fixture(scope="module")
def ratings():
    return movielens.load_ratings()


@pytest.fixture(scope="module")
def liked(ratings):
    return movielens.positives(ratings)


SPLITTERS = {
    "random": lambda x: splits.random_per_user(x, seed=0),
    "user time": splits.time_per_user,
    "last out": splits.leave_last_out,
    "global time": splits.global_time,
    "cold": lambda x: splits.cold_items(x, n=2, seed=0),
}


@st.composite
def tables(draw):
    n = draw(st.integers(30, 80))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pairs = rng.permutation(6 * 20)[:n]
    table = pd.DataFrame({"user": pairs // 20, "item": pairs % 20, "rating": 5.0, "time": rng.integers(0, 10_000, n)})
    return Interactions(table, 6, 20)


@pytest.mark.parametrize("name", SPLITTERS)
@given(tables())
@settings(max_examples=30, deadline=None)
def test_parts_are_disjoint_and_lose_nothing(name, interactions):
    split = SPLITTERS[name](interactions)
    parts = [set(zip(part.user, part.item, strict=True)) for part in (split.train, split.valid, split.test)]
    assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]
    assert sum(map(len, parts)) == len(interactions) == len(split.fit_part) + len(split.test)


def test_p1_has_its_published_sizes_and_the_same_rows_for_the_same_seed(liked):
    a, b, c = (splits.random_per_user(liked, seed) for seed in (0, 0, 1))
    assert (len(a.train), len(a.valid), len(a.test), len(np.unique(a.test.user))) == (44_205, 5_585, 5_585, 938)
    assert a.test.table.equals(b.test.table) and not a.test.table.equals(c.test.table)


def test_p3_tests_one_row_of_every_user_and_never_an_earlier_one(ratings):
    split = splits.leave_last_out(ratings)
    assert len(split.test) == len(split.valid) == 943
    last_train = split.train.table.groupby("user").time.max()
    test = split.test.table.set_index("user").time.sort_index()
    assert (split.valid.table.set_index("user").time.sort_index() <= test).all() and (last_train <= test).all()


def test_per_user_time_never_trains_on_a_users_future(ratings):
    split = splits.time_per_user(ratings)
    assert (split.train.table.groupby("user").time.max() <= split.test.table.groupby("user").time.min()).all()


def test_global_time_trains_on_nothing_after_the_first_test_instant(liked):
    split = splits.global_time(liked)
    assert split.train.time.max() < split.valid.time.min() and split.valid.time.max() < split.test.time.min()
    assert len(split.test) == pytest.approx(0.1 * len(liked), rel=0.02)


def test_the_canonical_fold_is_a_block_of_the_file(ratings):
    split = splits.canonical(ratings, 1)
    assert (len(split.train), len(split.valid), len(split.test)) == (80_000, 0, 20_000)
    assert split.test.table.equals(ratings.table.iloc[:20_000])
    assert len(np.unique(split.test.user)) == 459  # the published u1.test


def test_cold_items_have_no_row_in_train(liked):
    split = splits.cold_items(liked, 145, seed=0)
    assert len(np.unique(split.test.item)) == 145 and not np.isin(split.test.item, split.train.item).any()


@pytest.mark.parametrize(
    "bad",
    [
        lambda x: splits.canonical(x, 6),
        lambda x: splits.cold_items(x, 0, 0),
        lambda x: splits.canonical(x.keep(x.user < 5), 1),
    ],
)
def test_impossible_wishes_are_refused_in_a_sentence(ratings, bad):
    with pytest.raises(CourseError):
        bad(ratings)


def test_an_empty_part_is_refused():
    one = Interactions(pd.DataFrame({"user": [0], "item": [0], "rating": [5.0], "time": [0]}), 1, 1)
    with pytest.raises(CourseError, match="empty"):
        splits.random_per_user(one, seed=0)
