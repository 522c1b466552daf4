"""Rent the Runway as one typed table: who rented what, how it fitted, and what they wrote about it afterwards.

Source: Misra, Wan & McAuley (2018). Rating, fit, text and summary come from the same moment, *after* the rental: the
text of a review is a legitimate input for reading that review, never for predicting its rental.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pandera.pandas as pa

from course_lib.data.fetch import fetch
from course_lib.data.interactions import validated
from course_lib.errors import CourseError

FITS = ("small", "fit", "large")
OCCASIONS = ("wedding", "formal affair", "party", "everyday", "other", "work", "date", "vacation")
FILE = {  # column here: column in the file
    "user": "user_id",
    "item": "item_id",
    "rating": "rating",
    "fit": "fit",
    "text": "review_text",
    "summary": "review_summary",
    "category": "category",
    "occasion": "rented for",
    "date": "review_date",
    "size": "size",
    "body": "body type",
    "bust": "bust size",
    "age": "age",
    "height_cm": "height",
    "weight_kg": "weight",
}
SCHEMA = {
    "user": pa.Column("int64", pa.Check.ge(0)),
    "item": pa.Column("int64", pa.Check.ge(0)),
    "rating": pa.Column("float64", pa.Check.isin([2, 4, 6, 8, 10]), nullable=True),
    "fit": pa.Column(str, pa.Check.isin(FITS)),
    "text": pa.Column(str),
    "summary": pa.Column(str),
    "category": pa.Column(str, pa.Check.str_length(min_value=1)),
    "occasion": pa.Column(str, pa.Check.isin(["", *OCCASIONS])),
    "date": pa.Column("datetime64[ns]"),
    "size": pa.Column("int64", pa.Check.in_range(0, 58)),
    "body": pa.Column(str),
    "bust": pa.Column(str),
    "age": pa.Column("float64", pa.Check.in_range(14, 99), nullable=True),
    "height_cm": pa.Column("float64", pa.Check.in_range(130, 210), nullable=True),
    "weight_kg": pa.Column("float64", pa.Check.in_range(20, 150), nullable=True),
}
DEFAULT = ("user", "item", "rating", "fit", "text", "summary", "category", "occasion", "date")


def load_reviews(columns: Sequence[str] = DEFAULT) -> pd.DataFrame:
    """All 192,544 reviews in the order of the file, with ``columns`` (any of `SCHEMA`; fewer need less memory).

    user, item: int64 from 0, in order of the published ids (105,571 users, 5,850 items). rating: 2, 4 … 10 or NaN
    (82). fit: "small", "fit" or "large", what the renter said of the garment. text, summary: stripped, "" where
    missing (2 and 16; others wrote "na" or "."). category: 68 kinds. occasion: one of `OCCASIONS` or "" (10).
    date: day of the review. size: the shop's number. body, bust: the renter's own words or "". age: years; what is
    not in 14–99 is a slip of the keyboard and NaN. height_cm, weight_kg: from feet, inches and pounds, or NaN.
    """
    unknown = [column for column in columns if column not in SCHEMA]
    if unknown:
        raise CourseError(f"Reviews have no column {unknown[0]!r}; known are {', '.join(SCHEMA)}.")
    names = {FILE[column]: column for column in columns}
    path = fetch("rent-the-runway") / "data.csv"
    raw = pd.read_csv(path, usecols=list(names), dtype=str, keep_default_na=False).rename(columns=names)
    table = pd.DataFrame({column: _typed(column, raw.pop(column)) for column in columns})
    return validated(table, pa.DataFrameSchema({c: SCHEMA[c] for c in columns}, strict=True), "reviews")


def _typed(column: str, raw: pd.Series) -> pd.Series | np.ndarray:
    """One column of the file, all text, in its stated type."""
    if column in ("user", "item"):
        return np.unique(raw.astype("int64"), return_inverse=True)[1]
    if column == "rating":
        return pd.to_numeric(raw, errors="coerce")
    if column == "age":
        age = pd.to_numeric(raw, errors="coerce")
        return age.where(age.between(14, 99))
    if column == "size":
        return raw.astype("int64")
    if column == "date":
        return pd.to_datetime(raw, format="%B %d, %Y").astype("datetime64[ns]")
    if column == "height_cm":  # 5' 8"
        feet_inches = raw.str.extract(r"(\d+)' (\d+)\"").astype("float64")
        return (feet_inches[0] * 12 + feet_inches[1]) * 2.54
    if column == "weight_kg":  # 137lbs
        return raw.str.extract(r"(\d+)")[0].astype("float64") * 0.45359237
    text = raw.str.strip()
    return text.replace({"party: cocktail": "party"}) if column == "occasion" else text


def repeats(reviews: pd.DataFrame) -> np.ndarray:
    """(n,) bool: True where an earlier row has the same user, item and text.

    219 reviews were stored twice, some a few days apart. Drop them before a split: or one copy trains, one tests.
    """
    return reviews.duplicated(["user", "item", "text"]).to_numpy()
