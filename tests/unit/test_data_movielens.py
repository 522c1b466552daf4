import numpy as np
import pandas as pd
import pytest

from course_lib.data import movielens
from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError


def test_ratings_are_the_published_ones():
    ratings = movielens.load_ratings()
    assert (len(ratings), ratings.n_users, ratings.n_items) == (100_000, 943, 1682)
    assert ratings.rating.mean() == pytest.approx(3.52986)
    assert np.bincount(ratings.rating.astype(int)).tolist() == [0, 6110, 11370, 27145, 34174, 21201]
    assert ratings.table.iloc[0].tolist() == [195, 241, 3, 881250949]
    assert not ratings.table.duplicated(["user", "item"]).any()


def test_people_and_films_are_the_published_ones():
    people, films = movielens.load_users(), movielens.load_films()
    assert len(people) == 943 and people.gender.value_counts().to_dict() == {"M": 670, "F": 273}
    assert people.occupation.nunique() == 21 and people.loc[0, "occupation"] == "technician"
    assert films.index.tolist() == list(range(1682))
    assert films.loc[0, "title"] == "Toy Story" and films.loc[0, "genres"] == ("Animation", "Children's", "Comedy")
    assert films.index[films.year.isna()].tolist() == [266]
    assert films.loc[1411, "year"] == 1995  # its year is a "V" in the file, and stands in its title


def test_positives_are_the_ratings_of_at_least_four_stars():
    liked = movielens.positives(movielens.load_ratings())
    assert len(liked) == 55_375 and liked.rating.min() == 4 and len(np.unique(liked.item)) == 1447


def test_the_knowledge_graph_has_its_published_size():
    assert len(movielens.load_triples()) == 91_631 and len(movielens.load_links()) == 1_598


def table(**columns):
    good = {"user": [0, 1], "item": [0, 2], "rating": [4.0, 5.0], "time": [10, 20]}
    return pd.DataFrame({k: v for k, v in (good | columns).items() if v is not None})


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"rating": None}, "rating"),
        ({"rating": ["4", "5"]}, "rating"),
        ({"rating": [4.0, np.nan]}, "rating"),
        ({"user": [0, -1]}, "user"),
        ({"user": [0.0, 1.0]}, "user"),
        ({"stars": [1, 2]}, "stars"),
        ({"item": [0, 3]}, "item 3"),
    ],
)
def test_a_table_of_the_wrong_schema_is_refused_in_one_sentence(wrong, word):
    with pytest.raises(CourseError, match=word) as refused:
        Interactions(table(**wrong), n_users=2, n_items=3)
    assert "\n" not in str(refused.value) and refused.value._render_traceback_() == [f"CourseError: {refused.value}"]


def test_the_matrix_has_users_as_rows_and_the_last_rating_of_a_pair():
    twice = Interactions(table(user=[1, 1], item=[2, 2]), n_users=2, n_items=3)
    assert twice.matrix("rating").toarray().tolist() == [[0, 0, 0], [0, 0, 5]]
    assert twice.matrix().toarray().tolist() == [[0, 0, 0], [0, 0, 1]]


def test_parts_join_again():
    whole = Interactions(table(), 2, 3)
    halves = whole.keep(np.array([True, False])), whole.keep(np.array([1]))
    assert halves[0].concat(halves[1]).table.equals(whole.table)


@pytest.mark.parametrize("stars", ["0", "6", "3.5"])
def test_a_rating_out_of_range_is_refused_by_its_row(monkeypatch, stars):
    raw = pd.DataFrame({"user": ["1", "2"], "item": ["1", "2"], "rating": ["4", stars], "time": ["1", "2"]})
    monkeypatch.setattr(movielens, "_read", lambda *_: raw)
    with pytest.raises(CourseError, match=r"'ratings'.*row 1"):
        movielens.load_ratings()
