"""MovieLens-100K as typed tables: ratings, people, films, and the (broken) link to a knowledge graph.

Users and items are numbered from 0: the published id minus 1. Source: Harper & Konstan (2015).
"""

import pandas as pd
import pandera.pandas as pa

from course_lib.data.fetch import fetch
from course_lib.data.interactions import Interactions, validated
from course_lib.inputs import number

N_USERS, N_ITEMS = 943, 1682
_OCCUPATION, _GENDER = pa.Column(str), pa.Column(str, pa.Check.isin(["F", "M"]))
USERS = pa.DataFrameSchema(
    {"age": pa.Column("int64", pa.Check.in_range(1, 120)), "gender": _GENDER, "occupation": _OCCUPATION}
)
FILMS = pa.DataFrameSchema(
    {"title": pa.Column(str), "year": pa.Column("Int64", nullable=True), "genres": pa.Column(object)}
)


def _read(member: str, names: list[str]) -> pd.DataFrame:
    """One tab-separated member of the source, its header replaced by ``names``, every value as text."""
    path = fetch("movielens-100k") / f"ml-100k.{member}"
    return pd.read_csv(path, sep="\t", names=names, header=0, dtype=str, keep_default_na=False, quoting=3)


def load_ratings() -> Interactions:
    """All 100,000 ratings, 1–5, in the order of the file (which is not the order of time)."""
    raw = _read("inter", ["user", "item", "rating", "time"])
    table = pd.DataFrame(
        {
            "user": raw["user"].astype("int64") - 1,
            "item": raw["item"].astype("int64") - 1,
            "rating": raw["rating"].astype("float64"),
            "time": raw["time"].astype("int64"),
        }
    )
    ratings = pa.DataFrameSchema({"rating": pa.Column("float64", pa.Check.isin([1, 2, 3, 4, 5]))})
    return Interactions(validated(table, ratings, "ratings"), N_USERS, N_ITEMS)


def positives(ratings: Interactions, at_least: float = 4) -> Interactions:
    """The ratings that count as "liked": at least ``at_least`` stars, a finite number."""
    return ratings.keep(ratings.rating >= number("at_least", at_least))


def load_users() -> pd.DataFrame:
    """People, indexed 0..942: age (years), gender, occupation."""
    raw = _read("user", ["user", "age", "gender", "occupation", "zip_code"])
    raw.index = raw.pop("user").astype("int64") - 1
    table = raw[["age", "gender", "occupation"]].astype({"age": "int64"})
    return validated(table.sort_index(), USERS, "users")


def load_films() -> pd.DataFrame:
    """Films, indexed 0..1681: title, year (missing for one), genres (tuple of names).

    One film, released on video, carries its year in the title alone: it is moved to where it belongs.
    """
    raw = _read("item", ["item", "title", "year", "genres"])
    raw.index = raw.pop("item").astype("int64") - 1
    in_title = raw["title"].str.extract(r"^(.*) \((\d{4})\)$")
    table = pd.DataFrame(
        {
            "title": in_title[0].fillna(raw["title"]),
            "year": pd.to_numeric(in_title[1].fillna(raw["year"]), errors="coerce").astype("Int64"),
            "genres": raw["genres"].map(lambda names: tuple(names.split())).astype(object),
        }
    )
    return validated(table.sort_index(), FILMS, "films")


def load_links() -> pd.DataFrame:
    """The file that claims to link films to entities: item (from 0), entity.

    It is wrong: joined by it, films and facts agree no better than by chance.
    """
    raw = _read("link", ["item", "entity"])
    return raw.assign(item=raw["item"].astype("int64") - 1)


def load_triples() -> pd.DataFrame:
    """The Freebase triples: head, relation, tail, all opaque names."""
    return _read("kg", ["head", "relation", "tail"])
