"""Films with names: MovieLens-100K joined with Wikidata by title and year, and one text of facts per film.

MovieLens knows a film's title, year and genres; Wikidata also knows who made it. Nothing but title and year ties
the two together, so the join is a list of rules from strict to loose plus a small table of aliases for what no
rule can know. Where two films could be meant, neither is taken: a missing director is better than a wrong one.
For well-known films that the packed Wikidata lacks (it starts in 1940) the course has a small table of facts.
"""

import csv
import re
import sqlite3
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

import pandas as pd
import pandera.pandas as pa

from course_lib.data.fetch import fetch
from course_lib.data.interactions import validated
from course_lib.data.movielens import load_films
from course_lib.inputs import NATURAL
from course_lib.paths import ROOT

ALIASES = ROOT / "datasets" / "film_aliases.csv"
FACTS = ROOT / "datasets" / "film_facts.csv"
_TUPLES = ("genres", "director", "writer", "cast", "language", "country")
_TUPLE = pa.Column(object, pa.Check(lambda cell: isinstance(cell, tuple), element_wise=True, name="is a tuple"))
WIKIDATA = pa.DataFrameSchema(
    {
        "title": pa.Column(str),
        "year": pa.Column("int64", pa.Check.in_range(1940, 2014)),
        **dict.fromkeys(_TUPLES, _TUPLE),
    }
)
CATALOGUE = pa.DataFrameSchema(
    {
        "title": pa.Column(str),
        "year": pa.Column("Int64", pa.Check.in_range(1900, 2000), nullable=True),
        **dict.fromkeys(_TUPLES, _TUPLE),
        "matched": pa.Column(bool),
        "wikidata_title": pa.Column(str),
        "rule": pa.Column(str),
    },
    strict=True,
)


# ── titles ───────────────────────────────────────────────────────────────────────────────────────────────────
_ARTICLES = "the|a|an|le|la|les|l'|il|lo|i|gli|el|los|las|der|die|das|den|det|o|un|une|ein|eine"
_MOVED = re.compile(rf"(.+), ({_ARTICLES})", re.IGNORECASE)
_LEADING = re.compile(rf"^({_ARTICLES}) (?=.)")
_ASCII = str.maketrans({"ø": "o", "æ": "ae", "ß": "ss", "ł": "l", "&": " and ", "'": "", "’": "", "`": ""})


def article_first(title: str) -> str:
    """Put the article where one says it: "Enfer, L'" → "L'Enfer"; also inside brackets."""
    main, *bracket = re.split(r"\s*\((.+)\)$", title.strip())[:2]
    if moved := _MOVED.fullmatch(main):
        main = f"{moved[2]}{'' if moved[2].endswith(chr(39)) else ' '}{moved[1]}"
    return f"{main} ({article_first(bracket[0])})" if bracket else main


def fold(title: str) -> str:
    """Lower case without accents and punctuation, words one space apart: "Pret-à-Porter!" → "pret a porter"."""
    plain = unicodedata.normalize("NFKD", title.lower().translate(_ASCII)).replace("⁄", "/")
    return " ".join(re.findall("[a-z0-9]+", "".join(c for c in plain if not unicodedata.combining(c))))


def squeeze(folded: str) -> str:
    """A folded title without its first article and without spaces: "the rocket man" → "rocketman"."""
    return _LEADING.sub("", folded, count=1).replace(" ", "")


@dataclass(frozen=True)
class Names:
    """The ways in which one title can be read."""

    whole: frozenset[str]  # folded, article first
    bracketed: frozenset[str]  # folded text of the bracket: "(Reine Margot, La)", "(a.k.a. …)"
    halves: frozenset[str]  # squeezed parts around a colon, dash or slash; empty if there is none

    @classmethod
    def of(cls, title: str) -> "Names":
        """Read ``title``."""
        main, *bracket = re.split(r"\s*\((.+)\)$", title.strip())[:2]
        parts = [article_first(part) for part in re.split(r":\s+|\s+[-–/]\s+", main)]
        whole = {fold(article_first(main)), fold(" ".join(parts))}
        aka = {fold(article_first(re.sub(r"^a\.?k\.?a\.?\s+", "", b, flags=re.IGNORECASE))) for b in bracket}
        halves = {squeeze(fold(part)) for part in parts} if len(parts) > 1 else set()
        return cls(frozenset(whole - {""}), frozenset(aka - {""}), frozenset(halves - {""}))


# ── the join ─────────────────────────────────────────────────────────────────────────────────────────────────
def _whole(names: Names) -> set[str]:
    return set(names.whole)


def _any_spelling(names: Names) -> set[str]:
    return {squeeze(name) for name in names.whole | names.bracketed}


def _with_bracket(names: Names) -> set[str]:
    return set(names.whole | names.bracketed)


def _half_and_first_word(names: Names) -> set[str]:
    first_words = {name.split()[0] for name in names.whole}
    return {f"{word}…{half}" for word in first_words for half in names.halves if half != word}


def _half_or_whole(names: Names) -> set[str]:
    return {f"half {half}" for half in names.halves} | {f"whole {squeeze(name)}" for name in names.whole}


def _whole_or_half(names: Names) -> set[str]:
    return {f"whole {half}" for half in names.halves} | {f"half {squeeze(name)}" for name in names.whole}


@dataclass(frozen=True)
class Rule:
    """Two films agree if they share a key, their years differ by at most ``years``, and, if asked, a genre agrees."""

    name: str
    movielens: Callable[[Names], set[str]]
    wikidata: Callable[[Names], set[str]]
    years: int
    genre: bool


RULES = (
    Rule("same title, same year", _whole, _whole, 0, False),
    Rule("other spelling, same year", _any_spelling, _any_spelling, 0, False),
    Rule("same title, year ± 1", _with_bracket, _with_bracket, 1, False),
    Rule("same half, same first word", _half_and_first_word, _half_and_first_word, 1, True),
    Rule("half is the whole title", _half_or_whole, _whole_or_half, 1, True),
)
ALIAS, OWN = "alias table", "table of the course"
_GENRE_NAMES = {"Children's": "Family", "Film-Noir": "Crime"}  # MovieLens' words → Wikidata's


def join_films(films: pd.DataFrame, wikidata: pd.DataFrame, aliases: pd.DataFrame) -> pd.DataFrame:
    """Tie ``films`` to rows of ``wikidata``: index of ``films``, columns wikidata (its index or NA) and rule.

    Aliases come first, then each rule in turn takes what is unambiguous among the films still free on both sides.
    Films that MovieLens lists twice (same title and year) share their partner.
    """
    years, genres = wikidata["year"].to_dict(), wikidata["genres"].map(set).to_dict()
    wiki_names = wikidata["title"].map(Names.of)
    named = films["title"].map(Names.of)
    identity = {film: (row.title, row.year) for film, row in zip(films.index, films.itertuples(), strict=True)}
    wiki_of = {(film.title, film.year): film.Index for film in wikidata.itertuples()}
    meant = {(a.title, a.year): wiki_of[a.wikidata_title, a.wikidata_year] for a in aliases.itertuples()}
    found = {film: (meant[key], ALIAS) for film, key in identity.items() if key in meant}

    def agree(film: int, rule: Rule, rows: Iterable[int]) -> set[int]:
        mine = {_GENRE_NAMES.get(genre, genre) for genre in films.at[film, "genres"]}
        near = {row for row in rows if abs(years[row] - films.at[film, "year"]) <= rule.years}
        near = {row for row in near if not rule.genre or not genres[row] or mine & genres[row]}
        closest = min((abs(years[row] - films.at[film, "year"]) for row in near), default=0)
        return {row for row in near if abs(years[row] - films.at[film, "year"]) == closest}

    for rule in RULES:
        keys: dict[str, set[int]] = defaultdict(set)
        taken = {row for row, _ in found.values()}
        for row, names in wiki_names.items():
            if row not in taken:
                for key in rule.wikidata(names):
                    keys[key].add(row)
        proposed: dict[int, list[int]] = defaultdict(list)
        for film in films.index.difference(list(found)):
            if pd.notna(films.at[film, "year"]):
                rows = agree(film, rule, set().union(*(keys.get(key, set()) for key in rule.movielens(named[film]))))
                if len(rows) == 1:
                    proposed[rows.pop()].append(film)
        for row, claimants in proposed.items():
            if len({identity[film] for film in claimants}) == 1:
                found |= dict.fromkeys(claimants, (row, rule.name))
    partner = pd.Series({film: row for film, (row, _) in found.items()}, dtype="Int64")
    rule_of = pd.Series({film: rule for film, (_, rule) in found.items()}, dtype=str)
    return pd.DataFrame({"wikidata": partner.reindex(films.index), "rule": rule_of.reindex(films.index, fill_value="")})


# ── tables ───────────────────────────────────────────────────────────────────────────────────────────────────
def split_names(cell: str | None) -> tuple[str, ...]:
    """Cut a cell at its commas: "Ed Begley, Jr., Cher" → ("Ed Begley Jr.", "Cher"); "list of …" is nobody."""
    cell = re.sub(r", (Jr\.|Sr\.)(?=,|$)", r" \1", cell or "")
    names = (part.strip() for part in cell.split(","))
    return tuple(dict.fromkeys(name for name in names if name and not name.startswith("list of ")))


@cache
def _wikidata() -> pd.DataFrame:
    path = fetch("wikidata-films") / "movies.db"
    with sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True) as database:
        query = 'SELECT Title, Year, Genre, Director, Writer, "Cast", Language, Country FROM omdb ORDER BY ID'
        raw = pd.read_sql(query, database)
    table = pd.DataFrame({"title": raw["Title"].astype(str), "year": raw["Year"].astype("int64")})
    for column, source in zip(_TUPLES, ("Genre", "Director", "Writer", "Cast", "Language", "Country"), strict=True):
        table[column] = pd.Series([split_names(cell) for cell in raw[source].fillna("")], dtype=object)
    films_of = Counter(name for cast in table["cast"] for name in cast)
    table["cast"] = pd.Series([tuple(sorted(c, key=lambda n: (-films_of[n], n))) for c in table["cast"]], dtype=object)
    return validated(table, WIKIDATA, "wikidata films")


def load_wikidata() -> pd.DataFrame:
    """17,472 films, 1940–2014: title, year, and tuples genres, director, writer, cast, language, country.

    The source lists casts by alphabet; here they are ordered by the number of films each person is in.
    """
    return _wikidata().copy()


def load_aliases() -> pd.DataFrame:
    """The course's own table: title and year in MovieLens, title and year in Wikidata, and how we know."""
    with ALIASES.open(encoding="utf-8", newline="") as file:
        table = pd.DataFrame(list(csv.DictReader(file)))
    return table.astype({"year": "int64", "wikidata_year": "int64"})


def load_facts() -> pd.DataFrame:
    """The course's own table of facts, indexed like the films: title, year, and tuples director to country."""
    table = pd.read_csv(FACTS, dtype=str, keep_default_na=False)
    table.index = pd.Index(table.pop("id").astype("int64") - 1, name="item")
    for column in _TUPLES[1:]:
        table[column] = pd.Series([split_names(cell) for cell in table[column]], index=table.index, dtype=object)
    return table.astype({"year": "int64"})


@cache
def _catalogue() -> pd.DataFrame:
    films, wikidata = load_films(), _wikidata()
    joined, own = join_films(films, wikidata, load_aliases()), load_facts()
    partner = wikidata.reindex(joined["wikidata"].fillna(-1).astype("int64")).set_axis(films.index)
    titles = films["title"].map(article_first).replace("unkonwn", "unknown")  # a slip of the file: film 266
    table = films.assign(title=titles)
    for column in _TUPLES[1:]:
        cells = [cell if isinstance(cell, tuple) else () for cell in partner[column]]
        table[column] = pd.Series(cells, index=films.index, dtype=object)
        for film, names in own[column].items():
            table.at[film, column] = names
    table["matched"] = joined["wikidata"].notna().astype(bool) | films.index.isin(own.index)
    table["wikidata_title"] = partner["title"].fillna("").astype(str)
    rule = joined["rule"].mask(films.index.isin(own.index), OWN)
    return validated(table.assign(rule=rule), CATALOGUE, "catalogue")


def load_catalogue() -> pd.DataFrame:
    """The 1,682 films, indexed 0..1681: what MovieLens says, and what Wikidata adds.

    title (article first), year (missing for one), genres; director, writer, cast, language, country (tuples,
    empty where nothing is known); matched (these are known), wikidata_title (empty without a partner), rule (which
    rule of the join found the partner, or the course's own table).
    """
    return _catalogue().copy()


def item_texts(catalogue: pd.DataFrame, people: int = 6) -> list[str]:
    """One text a film, made of facts: title, year, genres, at most ``people`` ≥ 0 of each kind, country. No ratings."""
    NATURAL("people", people)
    texts = []
    for film in catalogue.itertuples():
        facts = [
            ("{}.", [genre for genre in film.genres if genre != "unknown"]),
            ("Directed by {}.", film.director[:people]),
            ("Written by {}.", [name for name in film.writer if name not in film.director][:people]),
            ("With {}.", film.cast[:people]),
            ("From {}.", film.country),
        ]
        year = f" ({film.year})" if pd.notna(film.year) else ""
        said = [words.format(", ".join(names)) for words, names in facts if names]
        texts.append(" ".join([f"{film.title}{year}.", *said]))
    return texts


def short_texts(catalogue: pd.DataFrame) -> list[str]:
    """One line a film, such as "The Godfather (1972). Crime, Drama.": for models that have little time to read."""
    years = [f" ({year})" if pd.notna(year) else "" for year in catalogue["year"]]
    facts = zip(catalogue["title"], years, catalogue["genres"], strict=True)
    return [f"{article_first(title)}{year}. {', '.join(genres)}." for title, year, genres in facts]
