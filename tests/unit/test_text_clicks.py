import numpy as np
import pandas as pd
import pytest

from course_lib.data import movielens, splits
from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError
from course_lib.text.clicks import LikeMeans, click_examples, profile_text


@pytest.fixture(scope="module")
def split():
    return splits.time_per_user(movielens.load_ratings())


@pytest.fixture(scope="module")
def films():
    return movielens.load_films()


@pytest.mark.parametrize("part", ["train", "valid", "test"])
def test_no_profile_contains_the_target_or_anything_of_its_time_or_later(split, films, part):
    names = [f"<{i}>" for i in range(len(films))]
    examples = click_examples(getattr(split, part), split.train, names, names, 400, 0, past=8)
    assert len(examples) == 400
    for example, (film, profile) in zip(examples.table.itertuples(), examples.texts, strict=True):
        history = split.train.table.iloc[list(example.history)]
        assert (history["user"] == example.user).all() and (history["time"] < example.time).all()
        assert (history["item"] != example.item).all() and history["time"].is_monotonic_increasing
        assert film == f"<{example.item}>" and film not in profile
        assert all(f"<{i}>" in profile for i in history["item"].iloc[-8:])
        assert profile.count("<") == min(8, len(history))


def test_nothing_of_validation_or_test_is_in_any_profile(split, films):
    held_out = set(zip(split.valid.user, split.valid.item, strict=True)) | set(
        zip(split.test.user, split.test.item, strict=True)
    )
    examples = click_examples(split.test, split.train, films["title"], films["title"], 500, 0)
    for example in examples.table.itertuples():
        assert not held_out & {(example.user, i) for i in split.train.item[list(example.history)]}


def test_labels_are_four_stars_or_more(split, films):
    examples = click_examples(split.test, split.train, films["title"], films["title"], 300, 1)
    rating = split.test.table.set_index(["user", "item"])["rating"]
    truth = [rating[u, i] >= 4 for u, i in zip(examples.user, examples.item, strict=True)]
    assert (examples.label == np.array(truth)).all()


def test_the_same_seed_draws_the_same_examples(split, films):
    draws = [click_examples(split.train, split.train, films["title"], films["title"], 50, s).texts for s in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]


def test_a_profile_by_hand():
    words = profile_text(["A", "B", "C"], np.array([0, 1, 2]), np.array([5.0, 2.0, 4.0]), past=2)
    assert words == "likes many. liked: C. disliked: B."
    assert profile_text(["A"], np.array([0]), np.array([1.0])) == "likes almost none. liked: nothing. disliked: A."
    assert profile_text(["A"], np.array([0]), np.array([5.0])) == "likes almost all. liked: A. disliked: nothing."


def test_targets_without_history_are_refused():
    table = pd.DataFrame({"user": [0, 1], "item": [0, 1], "rating": [5.0, 1.0], "time": [1, 2]})
    with pytest.raises(CourseError, match="No row of the targets has 5 earlier ratings"):
        click_examples(Interactions(table, 2, 2), Interactions(table, 2, 2), ["a", "b"], ["a", "b"], 5, 0)


def test_means_by_hand():
    m = LikeMeans(k=1).fit(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), np.array([1, 0, 1, 1]))
    assert m.g_ == 0.75 and m.b_i_[0] == pytest.approx(0.5 / 3) and m.b_i_[1] == pytest.approx(-0.5 / 3)
    assert m.b_u_[0] == pytest.approx(-0.5 / 3) and m.b_u_[1] == pytest.approx(0.5 / 3)
    P = m.predict_proba(np.array([0, 7, 1]), np.array([1, 9, 0]))
    assert P[:, 1] == pytest.approx([0.75 - 1 / 3, 0.75, 1.0]) and P.sum(1) == pytest.approx([1, 1, 1])


def test_means_on_shuffled_labels_are_at_chance_and_on_real_ones_are_not(split):
    from course_lib.evaluation.classification import score

    train, test = split.train, split.test
    label = (train.rating >= 4).astype(int)
    real = LikeMeans().fit(train.user, train.item, label).predict_proba(test.user, test.item)
    noise = LikeMeans().fit(train.user, train.item, np.random.default_rng(0).permutation(label))
    truth = (test.rating >= 4).astype(int)
    assert score("auc", truth, real) > 0.74
    assert abs(score("auc", truth, noise.predict_proba(test.user, test.item)) - 0.5) < 0.03
