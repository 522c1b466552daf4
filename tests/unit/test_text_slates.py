import numpy as np
import pandas as pd
import pytest

from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError
from course_lib.text.slates import BertSlates, Slate, slate_examples, slate_report
from course_lib.text.training import Recipe

LIKED, DISLIKED = ["a lovely comedy", "a funny cartoon"], ["a brutal murder", "a bloody war"]
RECIPE = Recipe(epochs=3, batch_size=8, learning_rate=5e-4)


def slates(n: int, seed: int) -> tuple[list[Slate], list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    clicked = [rng.random(3) < 0.5 for _ in range(n)]
    items = [tuple(str(rng.choice(LIKED if c else DISLIKED)) for c in row) for row in clicked]
    return [Slate("likes to laugh", row) for row in items], clicked


@pytest.fixture(scope="module")
def model() -> BertSlates:
    train, valid = slates(48, 0), slates(12, 1)
    return BertSlates(recipe=RECIPE, frozen_layers=4, max_tokens=40).fit(*train, valid)


def test_items_are_told_apart_inside_one_slate(model):
    test, clicked = slates(20, 2)
    p = model.predict_proba(test)
    assert [row.shape for row in p] == [(3,)] * 20
    truth = np.concatenate(clicked)
    assert ((np.concatenate(p) > 0.5) == truth).mean() > 0.9
    report = slate_report(model.predict_tokens(test), clicked)
    assert report.loc[("token", "O"), "f1"] > 0.95 and report.loc[("whole item", "Click"), "f1"] > 0.8
    assert report.loc["whole item", "support"].sum() == 60


def test_tokens_are_the_profile_then_the_items_each_with_its_number(model):
    tokens = model._tokens([Slate("a b", ("one film", "two"))])[0]
    words = model.tokenizer_.convert_ids_to_tokens(tokens["input_ids"])
    assert words == ["[CLS]", "a", "b", "[SEP]", "one", "film", ",", "two", ",", "[SEP]"]
    assert tokens["item"] == [-1, -1, -1, -1, 0, 0, -1, 1, -1, -1]
    assert tokens["token_type_ids"] == [0, 0, 0, 0, 1, 1, 1, 1, 1, 1]
    assert list(model._prepare([np.array([True, False])], [tokens], "test")[0]) == [0, 0, 0, 0, 1, 1, 0, 2, 0, 0]


def test_too_long_slates_are_cut_and_items_cut_off_are_undecided(model):
    long = Slate("word " * 100, ("film " * 30, "film " * 30, "late"))
    assert len(model._tokens([long])[0]["input_ids"]) == 40
    assert model.predict_proba([long])[0][2] == 0.5
    short_profile = Slate("word " * 100, ("a film",))
    assert len(model._tokens([short_profile])[0]["input_ids"]) == 40  # the profile gives way, not the item


def test_awkward_slates_get_an_answer(model):
    for slate in (Slate("", ("",)), Slate("🎬 喜欢", ("🍿", "电影"))):
        p = model.predict_proba([slate])[0]
        assert p.shape == (len(slate.items),) and np.isfinite(p).all()


@pytest.mark.parametrize("targets", [[], [[True]], [[1, 0, 1]], [[True, False]]])
def test_targets_that_do_not_match_the_slates_are_refused(targets):
    slate = Slate("p", ("a", "b", "c"))
    with pytest.raises(CourseError, match="one True or False for each of its items"):
        BertSlates().fit([slate], targets, ([slate], [np.array([True, False, True])]))


def test_the_report_by_hand():
    item = np.array([-1, 0, 0, -1, 1, 1, -1])
    predicted = np.array([0, 1, 1, 0, 2, 1, 1])  # item 0 wholly Click, item 1 torn, one O taken for Click
    report = slate_report([(predicted, item)], [np.array([True, False])])
    assert report.loc[("token", "Click")].tolist() == pytest.approx([2 / 4, 1, 2 / 3, 2])
    assert report.loc[("token", "Ignore")].tolist() == pytest.approx([1, 1 / 2, 2 / 3, 2])
    assert report.loc[("token", "O")].tolist() == pytest.approx([1, 2 / 3, 4 / 5, 3])
    assert report.loc[("whole item", "Click")].tolist() == pytest.approx([1, 1, 1, 1])
    assert report.loc[("whole item", "Ignore")].tolist() == pytest.approx([0, 0, 0, 1])


def test_slates_show_what_came_later_and_profiles_what_came_before():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        [
            (u, int(j), float(rng.integers(1, 6)), 100 * u + t)
            for u in range(6)
            for t, j in enumerate(rng.permutation(30))
        ],
        columns=["user", "item", "rating", "time"],
    ).astype({"time": "int64"})
    log = Interactions(table, 6, 30)
    place = table.groupby("user").cumcount().to_numpy()
    train, targets = log.keep(place < 20), log.keep(place >= 20)
    titles = [f"<film {j}>" for j in range(30)]
    examples = slate_examples(targets, train, titles, titles, 100, seed=0, size=4)
    assert len(examples) == 12  # two slates of four in ten later ratings, for six people
    shown = examples.table
    assert not shown.duplicated(["user", "item"]).any() and (shown.groupby("slate").size() == 4).all()
    merged = shown.merge(table, on=["user", "item"])
    assert ((merged["rating"] >= 4) == (merged["label"] == 1)).all()
    for k, slate in enumerate(examples.slates):
        user = shown.loc[shown["slate"] == k, "user"].iloc[0]
        before = {f"<film {j}>" for j in train.item[train.user == user]}
        named = {f"<film {word}" for word in slate.profile.replace("<film ", "\n").split() if word.endswith(">")}
        assert not named - before and not set(slate.items) & before
    with pytest.raises(CourseError, match="No user has 4 ratings to show"):
        slate_examples(targets, train.keep(train.user < 0), titles, titles, 5, seed=0)
