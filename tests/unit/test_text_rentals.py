from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from course_lib.data.runway import FITS, load_reviews, repeats
from course_lib.errors import CourseError
from course_lib.evaluation.classification import score
from course_lib.text.rentals import (
    RentalExamples,
    counts_before,
    means_proba,
    past_vectors,
    rental_examples,
    shares,
)

SECRET = "xylophonequartz"


def world(n: int = 3000, seed: int = 0, users: int = 150, items: int = 25) -> pd.DataFrame:
    """Made-up rentals: small items run small, and whoever asks for less than their size finds it small."""
    rng = np.random.default_rng(seed)
    user, item, day = rng.integers(0, users, n), rng.integers(0, items, n), rng.integers(0, 400, n)
    size = 2 * (user % 6) + 4 + rng.choice([-4, 0, 4], n, p=[0.2, 0.6, 0.2])
    pull = (size - 2 * (user % 6) - 4) / 4 + (item % 3 - 1) + rng.normal(0, 0.5, n)
    return pd.DataFrame(
        {
            "user": user,
            "item": item,
            "category": np.where(item % 2, "gown", "dress"),
            "size": size,
            "rating": rng.choice([8.0, 10.0, np.nan], n),
            "fit": np.array(FITS)[np.digitize(pull, [-0.8, 0.8])],
            "summary": [f"note {i}" for i in range(n)],
            "text": [f"worn on day {d} by {u}" for d, u in zip(day, user, strict=True)],
            "date": pd.Timestamp("2015-01-01") + pd.to_timedelta(day, unit="D"),
        }
    )


CUT = pd.Timestamp("2015-11-01")


@cache
def halves() -> tuple[pd.DataFrame, pd.DataFrame]:
    rentals = world()
    return rentals[rentals.date < CUT].reset_index(drop=True), rentals[rentals.date >= CUT].reset_index(drop=True)


def inputs(examples: RentalExamples) -> list:
    """Everything that a model gets to see."""
    return [
        examples.item.to_numpy().tolist(),
        examples.behaviour.to_numpy().tolist(),
        examples.past_texts,
        examples.prompts(),
        examples.prompts(own_words=False),
        past_vectors(examples, lambda texts: np.array([[len(t), hash(t) % 97] for t in texts], dtype=float)).tolist(),
    ]


@pytest.mark.parametrize("columns", [["user"], ["item"], ["user", "item"], ["category"]])
def test_counts_are_those_of_a_plain_loop_over_earlier_days(columns):
    known, targets = halves()
    for rows in (targets[:60], known[:60]):
        for got, (_, target) in zip(counts_before(known, rows, columns), rows.iterrows(), strict=True):
            like = (known[columns] == target[columns]).all(axis=1) & (known.date < target.date)
            assert got.tolist() == [(known.fit[like] == name).sum() for name in FITS]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5), st.sampled_from(FITS)), min_size=1, max_size=30))
@settings(max_examples=50, deadline=None)
def test_a_day_knows_nothing_of_itself(rows):
    table = pd.DataFrame(rows, columns=["user", "day", "fit"])
    table["date"] = pd.Timestamp("2016-02-28") + pd.to_timedelta(table.day, unit="D")
    counts = counts_before(table, table, ["user"]).sum(1)
    first = table.groupby("user").day.transform("min")
    assert (counts[table.day == first] == 0).all()
    assert (counts[table.day > first] > 0).all()


def test_shares_lie_between_the_counts_and_the_prior():
    prior = np.array([0.2, 0.6, 0.2])
    got = shares(np.array([[0, 0, 0], [3, 0, 1]]), prior, 4)
    np.testing.assert_allclose(got, [prior, [3.8 / 8, 2.4 / 8, 1.8 / 8]])


def test_the_past_is_the_persons_own_and_strictly_earlier():
    known, targets = halves()
    for part in (known, targets):
        examples = rental_examples(part, known, 300, 0)
        for row, words in zip(examples.table.itertuples(), examples.past_texts, strict=True):
            past = known.iloc[list(row.past)]
            assert (past.user == row.user).all() and (past.date < row.date).all() and past.date.is_monotonic_increasing
            assert len(past) == ((known.user == row.user) & (known.date < row.date)).sum() >= 2
            assert words == tuple((past.summary + ". " + past.text)[::-1][:2])


def test_the_review_of_the_rental_ahead_is_never_read():
    known, targets = halves()
    before = inputs(rental_examples(targets, known, 200, 0))
    whispering = targets.assign(text=SECRET, summary=SECRET, rating=2.0)
    assert inputs(rental_examples(whispering, known, 200, 0)) == before
    assert SECRET not in str(before)
    # the same probe does find a secret where it is allowed: in what the person wrote earlier
    told = rental_examples(targets, known.assign(text=SECRET), 200, 0)
    assert SECRET in str(inputs(told)) and inputs(told) != before


def test_in_training_a_rental_does_not_see_its_own_review_or_those_of_its_day():
    known, _ = halves()
    examples = rental_examples(known, known, 1, 0)
    row = examples.table.iloc[0]
    same_day = (known.date == row.date) & ((known.user == row.user) | (known.item == row["item"]))
    assert same_day.any()
    other_answer = known.assign(
        fit=known.fit.where(~same_day, known.fit.map(dict(zip(FITS, FITS[1:] + FITS[:1], strict=True)))),
        text=known.text.where(~same_day, SECRET),
        rating=known.rating.where(~same_day, 2.0),
    )
    again = rental_examples(other_answer, other_answer, 1, 0)
    assert again.label[0] != examples.label[0]
    # the average of all training answers pulls every share a little; nothing else may move
    np.testing.assert_allclose(again.item, examples.item, atol=0.01)
    np.testing.assert_allclose(again.behaviour, examples.behaviour, atol=0.01)
    assert again.past_texts == examples.past_texts and SECRET not in str(again.prompts())


def test_inputs_stay_when_the_test_answers_change():
    known, targets = halves()
    examples = rental_examples(targets, known, 200, 0)
    shuffled = targets.assign(fit=np.random.default_rng(0).permutation(targets.fit.to_numpy()))
    other = rental_examples(shuffled, known, 200, 0)
    assert (other.label != examples.label).any()
    assert inputs(other) == inputs(examples)


def test_an_items_numbers_come_from_other_people():
    known, targets = halves()
    examples = rental_examples(targets, known, 50, 0)
    row = examples.table.iloc[0]
    mine = (known.user == row.user) & (known["item"] == row["item"])
    theirs = (known.user != row.user) & (known["item"] == row["item"])
    assert theirs.any()
    counts = counts_before(known, examples.table, ["item"]) - counts_before(known, examples.table, ["user", "item"])
    assert counts[0].sum() == theirs.sum() == np.expm1(examples.item["log rentals"][0]).round()
    assert counts[0].tolist() == [(known.fit[theirs & ~mine] == name).sum() for name in FITS]


def proba(train: RentalExamples, test: RentalExamples) -> np.ndarray:
    X, Z = (np.hstack([e.item, e.behaviour]) for e in (train, test))
    scale = StandardScaler().fit(X)
    model = LogisticRegression(C=0.1, class_weight="balanced").fit(scale.transform(X), train.label)
    return model.predict_proba(scale.transform(Z))


def test_what_can_be_foreseen_is_foreseen_and_shuffled_answers_are_not():
    known, targets = halves()
    train, test = rental_examples(known, known, 800, 1), rental_examples(targets, known, 500, 2)
    assert score("auc", test.label, means_proba(test)) > 0.65  # the items differ
    assert score("auc", test.label, proba(train, test)) > 0.85  # and so do the sizes asked for
    chance = np.random.default_rng(0).permutation(test.label)
    assert abs(score("auc", chance, proba(train, test)) - 0.5) < 0.06


def test_answers_shuffled_before_the_split_leave_nothing_to_learn():
    rentals = world(4000, seed=3)
    rentals["fit"] = np.random.default_rng(1).permutation(rentals.fit.to_numpy())
    known, targets = rentals[rentals.date < CUT], rentals[rentals.date >= CUT]
    train, test = rental_examples(known, known, 1000, 1), rental_examples(targets, known, 800, 2)
    assert abs(score("auc", test.label, proba(train, test)) - 0.5) < 0.06
    assert abs(score("auc", test.label, means_proba(test)) - 0.5) < 0.06


def test_each_past_text_is_encoded_once():
    known, targets = halves()
    examples, asked = rental_examples(targets, known, 300, 0), []

    def encode(texts: list[str]) -> np.ndarray:
        asked.extend(texts)
        return np.arange(2.0 * len(texts)).reshape(-1, 2)

    vectors = past_vectors(examples, encode)
    assert len(asked) == len(set(asked)) < 2 * len(examples)
    place = [asked.index(text) for text in examples.past_texts[7]]
    np.testing.assert_allclose(vectors[7], np.mean([[2 * p, 2 * p + 1] for p in place], axis=0))


def test_words_say_what_the_numbers_say():
    known, targets = halves()
    examples = rental_examples(targets, known, 400, 0)
    step = examples.behaviour["size asked - usual"].to_numpy()
    for d, profile in zip(step, examples.profiles, strict=True):
        assert ("above" in profile.split(".")[0]) == (d >= 0.75) and ("below" in profile.split(".")[0]) == (d < -0.75)
    item, person = examples.prompts()[0]
    assert item == examples.item_texts[0] and person.endswith(" / ".join(examples.past_texts[0]))


def test_nobody_with_a_past_is_an_error_in_words():
    known, targets = halves()
    with pytest.raises(CourseError, match="No target has 999 earlier rentals"):
        rental_examples(targets, known, 10, 0, min_history=999)


def test_real_rentals_become_examples_of_earlier_days():
    reviews = load_reviews(("user", "item", "category", "size", "rating", "fit", "summary", "text", "date"))
    reviews = reviews[~repeats(reviews)]
    known, targets = reviews[reviews.date < "2017-04-01"], reviews[reviews.date >= "2017-07-01"]
    examples = rental_examples(targets, known, 500, 0)
    assert (
        len(examples) == 500
        and np.isfinite(examples.item.to_numpy()).all()
        and np.isfinite(examples.behaviour.to_numpy()).all()
    )
    for row in examples.table.itertuples():
        assert (known.date.iloc[list(row.past)] < row.date).all() and len(row.past) >= 2
