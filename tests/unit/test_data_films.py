"""The join of MovieLens with Wikidata: what each rule does, and that the result agrees with pairs checked by hand."""

import string

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.data import films
from course_lib.data.interactions import validated
from course_lib.data.movielens import load_films, load_ratings
from course_lib.errors import CourseError
from course_lib.paths import ROOT


@pytest.fixture(scope="module")
def catalogue() -> pd.DataFrame:
    return films.load_catalogue()


@pytest.fixture(scope="module")
def joined() -> pd.DataFrame:
    """Who was joined with whom: index item (from 0), columns wikidata_title, wikidata_year."""
    wikidata = films.load_wikidata()
    pairs = films.join_films(load_films(), wikidata, films.load_aliases())["wikidata"].dropna()
    return wikidata.loc[pairs.astype(int), ["title", "year"]].set_axis(pairs.index)


@pytest.fixture(scope="module")
def checked() -> pd.DataFrame:
    return pd.read_csv(ROOT / "datasets" / "film_matches_checked.csv")


def small(*rows: tuple[str, int, tuple[str, ...]]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["title", "year", "genres"]).astype({"year": "Int64"})


NO_ALIASES = pd.DataFrame({"title": [], "year": [], "wikidata_title": [], "wikidata_year": []})


def rule_for(movielens: tuple, *wikidata: tuple) -> str:
    return films.join_films(small(movielens), small(*wikidata).astype({"year": "int64"}), NO_ALIASES)["rule"][0]


@pytest.mark.parametrize(
    ("title", "wanted"),
    [
        ("Usual Suspects, The", "The Usual Suspects"),
        ("Enfer, L'", "L'Enfer"),
        ("Hate (Haine, La)", "Hate (La Haine)"),
        ("Postino, Il", "Il Postino"),
        ("Good, the Bad and the Ugly, The", "The Good, the Bad and the Ugly"),
        ("I, Worst of All", "I, Worst of All"),
    ],
)
def test_the_article_goes_where_one_says_it(title, wanted):
    assert films.article_first(title) == wanted


def test_folding_forgets_accents_case_and_punctuation():
    assert films.fold("Prêt-à-Porter!") == films.fold("PRET A PORTER") == "pret a porter"
    assert films.fold("Blood & Wine") == films.fold("Blood and Wine")
    assert films.squeeze(films.fold("The Rocket Man")) == "rocketman"


@given(st.text(alphabet=string.printable + "éøßÀ’–½", max_size=40))
def test_folding_twice_changes_nothing_more(title):
    assert films.fold(films.fold(title)) == films.fold(title)


@pytest.mark.parametrize(
    ("movielens", "wikidata", "rule"),
    [
        (("Sting, The", 1973, ("Crime",)), ("The Sting", 1973, ("Drama",)), "same title, same year"),
        (("Hate (Haine, La)", 1995, ("Drama",)), ("La Haine", 1995, ("Drama",)), "other spelling, same year"),
        (("Orlando", 1993, ("Drama",)), ("Orlando", 1992, ("Drama",)), "same title, year ± 1"),
        (("Star Wars", 1977, ("Sci-Fi",)), ("Star Wars: A New Hope", 1977, ("Sci-Fi",)), "half is the whole title"),
        (
            ("Three Colors: Red", 1994, ("Drama",)),
            ("Three Colours: Red", 1994, ("Drama",)),
            "same half, same first word",
        ),
        (("Orlando", 1993, ("Drama",)), ("Orlando", 1991, ("Drama",)), ""),
        (("Boys, Les", 1997, ("Comedy",)), ("The Boys", 1998, ("Drama",)), ""),
        (("Gilligan: The Movie", 1998, ("Comedy",)), ("Rudolph: The Movie", 1998, ("Comedy",)), ""),
        (("Star Wars", 1977, ("Sci-Fi",)), ("Star Wars: The Making", 1977, ("Documentary",)), ""),
    ],
)
def test_each_rule_joins_what_it_should_and_no_more(movielens, wikidata, rule):
    assert rule_for(movielens, wikidata) == rule


def test_of_two_possible_partners_neither_is_taken():
    film = ("Noise", 1997, ("Drama",))
    assert rule_for(film, ("Noise", 1997, ("Drama",)), ("Noise", 1997, ("Comedy",))) == ""
    assert rule_for(film, ("Noise", 1996, ("Drama",)), ("Noise", 1998, ("Drama",))) == ""


def test_two_films_that_claim_one_partner_get_none_unless_listed_twice():
    wikidata = small(("Sabrina", 1954, ("Comedy",))).astype({"year": "int64"})
    rivals = small(("Sabrina", 1953, ("Comedy",)), ("Sabrina", 1955, ("Comedy",)))
    twice = small(("Sabrina", 1954, ("Comedy",)), ("Sabrina", 1954, ("Comedy",)))
    assert films.join_films(rivals, wikidata, NO_ALIASES)["wikidata"].isna().all()
    assert films.join_films(twice, wikidata, NO_ALIASES)["wikidata"].tolist() == [0, 0]


def test_coverage_of_films_and_ratings(catalogue):
    """Wikidata's file starts in 1940 and holds 1,440 of the films; the course's table adds well-known ones it lacks."""
    joined, ratings = catalogue["wikidata_title"] != "", load_ratings()
    assert joined.sum() >= 1440 and joined[catalogue["year"] >= 1940].mean() >= 0.87
    assert joined.to_numpy()[ratings.item].mean() >= 0.97
    assert catalogue["matched"].mean() >= 0.88
    assert (catalogue["director"][catalogue["matched"]].map(len) > 0).mean() > 0.98


def test_the_table_of_the_course_speaks_only_of_films_that_wikidata_lacks(catalogue):
    facts, wikidata = films.load_facts(), films.load_wikidata()
    assert (catalogue.loc[facts.index, "wikidata_title"] == "").all() and not facts.index.has_duplicates
    assert (catalogue.loc[facts.index, "year"] == facts["year"]).all()
    for film in facts.itertuples():
        names = films.Names.of(catalogue.at[film.Index, "title"])
        assert films.Names.of(film.title).whole & (names.whole | names.bracketed), film.title
        near = wikidata[(wikidata["year"] - film.year).abs() <= 1]
        assert film.director[0] not in {
            d for t, d in zip(near["title"], near["director"], strict=True) if t == film.title
        }


def test_the_join_agrees_with_every_pair_checked_by_hand(joined, checked):
    right, wrong = (checked[checked["verdict"] == verdict] for verdict in ("right", "wrong"))
    assert len(right) >= 250 and len(wrong) >= 15
    for pair in right.itertuples():
        assert tuple(joined.loc[pair.item - 1]) == (pair.wikidata_title, pair.wikidata_year), pair.title
    for pair in wrong.itertuples():
        assert pair.item - 1 not in joined.index or joined.at[pair.item - 1, "title"] != pair.wikidata_title


def test_every_match_by_a_loose_rule_or_an_alias_was_checked(catalogue, checked):
    loose = catalogue.index[(catalogue["wikidata_title"] != "") & (catalogue["rule"] != films.RULES[0].name)] + 1
    assert set(loose) <= set(checked["item"])
    assert checked["why_in_the_sample"].str.startswith("random").sum() >= 130


def test_one_wikidata_film_serves_two_films_only_where_movielens_lists_a_film_twice(joined):
    films_of = load_films().loc[joined.index, ["title", "year"]]
    for _, group in films_of.groupby([joined["title"], joined["year"]]):
        assert len(group.drop_duplicates()) == 1 or set(group["title"]) == {
            "Maybe, Maybe Not (Bewegte Mann, Der)",
            "Bewegte Mann, Der",
        }


def test_aliases_name_films_that_exist_on_both_sides():
    aliases, wikidata, movielens = films.load_aliases(), films.load_wikidata(), load_films()
    assert set(zip(aliases["title"], aliases["year"], strict=True)) <= set(
        zip(movielens["title"], movielens["year"], strict=True)
    )
    named = set(zip(wikidata["title"], wikidata["year"], strict=True))
    assert set(zip(aliases["wikidata_title"], aliases["wikidata_year"], strict=True)) <= named


def test_unmatched_films_keep_what_movielens_says(catalogue):
    alone = catalogue[~catalogue["matched"]]
    assert (alone["director"].map(len) == 0).all() and (alone["wikidata_title"] == "").all()
    pd.testing.assert_series_equal(catalogue["genres"], load_films()["genres"])


def test_the_two_broken_rows_are_mended(catalogue):
    assert catalogue.loc[266, ["title", "matched"]].tolist() == ["unknown", False] and pd.isna(
        catalogue.at[266, "year"]
    )
    assert catalogue.at[1411, "title"] == "Land Before Time III: The Time of the Great Giving"
    assert catalogue.at[1411, "year"] == 1995
    assert catalogue["year"].isna().sum() == 1


def test_names_are_cut_at_commas_but_not_before_junior():
    assert films.split_names("Ed Begley, Jr., Mae Whitman") == ("Ed Begley Jr.", "Mae Whitman")
    assert (
        films.split_names("list of Harry Potter cast members") == films.split_names("") == films.split_names(None) == ()
    )


def test_texts_hold_facts_and_no_ratings(catalogue):
    texts = films.item_texts(catalogue)
    assert len(texts) == 1682 and all(texts)
    assert texts[266] == "unknown."
    assert texts[1].startswith("GoldenEye (1995). Action, Adventure, Thriller. Directed by Martin Campbell.")
    assert "Pierce Brosnan" in texts[1] and "rating" not in texts[1].lower()


def test_short_texts_are_title_year_and_genres(catalogue):
    texts = films.short_texts(catalogue)
    assert texts[0] == "Toy Story (1995). Animation, Children's, Comedy." and texts[266] == "unknown. unknown."
    assert texts[126] == "The Godfather (1972). Action, Crime, Drama."


def test_a_loader_gives_a_fresh_table_each_time():
    first = films.load_catalogue()
    first.loc[0, "title"] = "spoilt"
    assert films.load_catalogue().at[0, "title"] == "Toy Story"


def test_a_catalogue_with_a_wrong_column_is_refused_in_one_sentence(catalogue):
    with pytest.raises(CourseError, match="cast"):
        validated(catalogue.assign(cast="Tom Hanks"), films.CATALOGUE, "catalogue")
