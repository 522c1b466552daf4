"""The two tables everything passes through: `Interactions` and `Split`."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
import pandera.pandas as pa
from scipy.sparse import csr_matrix

from course_lib import inputs
from course_lib.errors import CourseError


def validated(table: pd.DataFrame, schema: pa.DataFrameSchema, name: str) -> pd.DataFrame:
    """``table`` if it satisfies ``schema``; otherwise one sentence about the first thing that is wrong."""
    try:
        return schema.validate(table, lazy=True)
    except pa.errors.SchemaErrors as error:
        first = error.failure_cases.iloc[0]
        column = f"column {first['column']!r}" if first["column"] is not None else "the table"
        found = first["failure_case"]
        where = "" if pd.isna(first["index"]) else f" (row {first['index']})"
        raise CourseError(
            f"The table {name!r} has a wrong schema: {column} fails {first['check']!r}, found {found!r}{where};"
            " give it the columns and types that its loader's docstring names."
        ) from None


INTERACTIONS = pa.DataFrameSchema(
    {
        "user": pa.Column("int64", pa.Check.ge(0)),
        "item": pa.Column("int64", pa.Check.ge(0)),
        "rating": pa.Column("float64", nullable=False),
        "time": pa.Column("int64"),
    },
    strict=True,
)


@dataclass(frozen=True)
class Interactions:
    """Who rated what: one row per interaction, users and items numbered from 0.

    table: columns user, item (int64), rating (float64, finite), time (int64, seconds since 1970).
    n_users, n_items ≥ 0 are those of the catalogue, not of this table: a cold item has a number and no row.
    """

    table: pd.DataFrame
    n_users: int
    n_items: int

    def __post_init__(self) -> None:
        validated(self.table, INTERACTIONS, "interactions")
        inputs.all_finite("Ratings", self.rating, "drop those rows")
        inputs.settings(self, n_users=inputs.NATURAL, n_items=inputs.NATURAL)
        for column, size in (("user", self.n_users), ("item", self.n_items)):
            if len(self.table) and self.table[column].max() >= size:
                raise CourseError(f"Interactions name {column} {self.table[column].max()}, but there are only {size}.")

    def __len__(self) -> int:
        return len(self.table)

    @property
    def user(self) -> np.ndarray:
        """Users, (n,) int64."""
        return self.table["user"].to_numpy()

    @property
    def item(self) -> np.ndarray:
        """Items, (n,) int64."""
        return self.table["item"].to_numpy()

    @property
    def rating(self) -> np.ndarray:
        """Ratings, (n,) float64."""
        return self.table["rating"].to_numpy()

    @property
    def time(self) -> np.ndarray:
        """Seconds since 1970, (n,) int64."""
        return self.table["time"].to_numpy()

    def keep(self, rows: np.ndarray) -> "Interactions":
        """The interactions selected by ``rows``: a boolean mask (n,) or positions from 0 to n - 1, in their order."""
        rows = np.asarray(rows)
        if rows.dtype == bool:
            return Interactions(self.table[inputs.mask("rows", rows, len(self))], self.n_users, self.n_items)
        return Interactions(self.table.iloc[inputs.ids("rows", rows, len(self))], self.n_users, self.n_items)

    def concat(self, other: "Interactions") -> "Interactions":
        """Both tables, one after the other."""
        return Interactions(pd.concat([self.table, other.table]), self.n_users, self.n_items)

    def distinct(self) -> "Interactions":
        """One row a pair: where a user has several rows for an item, the last of them."""
        again = self.table.duplicated(["user", "item"], keep="last").to_numpy()
        return self.keep(~again) if again.any() else self

    def matrix(self, values: Literal["ones", "rating"] = "ones") -> csr_matrix:
        """R: (n_users, n_items), users are rows; the last of several ratings of one pair counts."""
        inputs.choice("matrix of", values, ("ones", "rating"))
        last = self.distinct()
        data = np.ones(len(last)) if values == "ones" else last.rating
        return csr_matrix((data, (last.user, last.item)), shape=(self.n_users, self.n_items))


@dataclass(frozen=True)
class Split:
    """A division of interactions: fit on ``train``, choose on ``valid``, report on ``test``."""

    name: str
    train: Interactions
    valid: Interactions
    test: Interactions

    @cached_property
    def fit_part(self) -> Interactions:
        """train and valid together, for the last fit after everything has been chosen."""
        return self.train.concat(self.valid)
