import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest

from course_lib.data import runway
from course_lib.data.interactions import validated
from course_lib.data.runway import DEFAULT, FITS, OCCASIONS, SCHEMA, load_reviews, repeats
from course_lib.errors import CourseError


@pytest.fixture(scope="module")
def reviews() -> pd.DataFrame:
    return load_reviews(tuple(SCHEMA))


def test_counts_are_the_published_ones(reviews):
    assert len(reviews) == 192_544
    assert reviews["user"].nunique() == 105_571 and reviews["item"].nunique() == 5_850
    assert reviews["category"].nunique() == 68
    assert reviews["fit"].value_counts().to_dict() == {"fit": 142_058, "small": 25_779, "large": 24_707}
    assert (reviews["rating"] == 10).sum() == 124_537


def test_types_and_missing_values_are_as_stated(reviews):
    kinds = {"user": "int64", "item": "int64", "size": "int64", "date": "datetime64[ns]"}
    kinds |= dict.fromkeys(["rating", "age", "height_cm", "weight_kg"], "float64")
    assert reviews.dtypes.astype(str).to_dict() == {column: kinds.get(column, "str") for column in SCHEMA}
    assert reviews["rating"].isna().sum() == 82
    assert (reviews["text"] == "").sum() == 2 and (reviews["summary"] == "").sum() == 16
    assert (reviews["occasion"] == "").sum() == 10
    assert set(reviews["occasion"]) == {"", *OCCASIONS} and set(reviews["fit"]) == set(FITS)
    texts = reviews[["text", "summary", "category", "occasion", "fit", "body", "bust"]]
    assert not texts.isna().any().any()


def test_users_and_items_are_numbered_without_gaps_in_order_of_the_published_ids(reviews):
    for column, file in (("user", "user_id"), ("item", "item_id")):
        numbers = reviews[column].to_numpy()
        assert np.array_equal(np.unique(numbers), np.arange(numbers.max() + 1))
        published = pd.read_csv(runway.fetch("rent-the-runway") / "data.csv", usecols=[file])[file].to_numpy()
        order = np.argsort(published, kind="stable")
        assert (np.diff(numbers[order]) >= 0).all() and (
            (np.diff(numbers[order]) > 0) == (np.diff(published[order]) > 0)
        ).all()


def test_the_first_review_is_read_right(reviews):
    first = reviews.iloc[0]
    assert first["text"].startswith("An adorable romper!") and first["summary"] == "So many compliments!"
    assert (first["category"], first["occasion"], first["size"], first["age"]) == ("romper", "vacation", 14, 28)
    assert first["date"] == pd.Timestamp("2016-04-20")
    assert first["height_cm"] == pytest.approx(172.72) and first["weight_kg"] == pytest.approx(62.14, abs=0.01)


def test_slips_of_the_keyboard_are_missing_and_not_ages(reviews):
    assert reviews["age"].between(14, 99).sum() + reviews["age"].isna().sum() == len(reviews)
    assert reviews["age"].isna().sum() == 1_091  # 960 missing in the file, 131 impossible


def test_the_default_columns_are_what_most_lessons_need():
    reviews = load_reviews()
    assert tuple(reviews.columns) == DEFAULT


def test_reviews_stored_twice_are_found(reviews):
    again = repeats(reviews)
    assert again.sum() == 219 and not again[0]
    assert not repeats(reviews[~again]).any()


def test_an_unknown_column_is_refused_with_the_known_ones():
    with pytest.raises(CourseError, match=r"no column 'colour'; known are user, item"):
        load_reviews(("user", "colour"))


def test_a_table_with_a_wrong_label_is_refused_in_one_sentence(reviews):
    broken = reviews[["fit"]].head(3).assign(fit=["fit", "huge", "small"])
    with pytest.raises(CourseError, match=r"column 'fit' fails .*found 'huge' \(row 1\)"):
        validated(broken, pa.DataFrameSchema({"fit": SCHEMA["fit"]}, strict=True), "reviews")
