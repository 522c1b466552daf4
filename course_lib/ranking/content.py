"""What an item is, as vectors: its text, its facts in the knowledge graph; and cold items scored from them.

The knowledge graph has films on one side and entities (a genre, a person, a country) on the other: T (n_items,
n_entities) is 1 where a film has the entity. An entity of many films says little, so column e is weighted with
log(n_items / films with e), as words are in TF-IDF. X (n_items, f) are the features of the items.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

import numpy as np
import pandas as pd
import scipy.sparse as sp

from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError
from course_lib.inputs import COUNT, POSITIVE, array, choice, matrix, settings, texts
from course_lib.ranking.baselines import ALS
from course_lib.ranking.checks import checked, known, solve
from course_lib.ranking.retrieval import centred

PEOPLE = ("director", "writer", "cast")


class Factors(Protocol):
    """A recommender with s_uj = U_u · V_j after ``fit``, such as ALS."""

    U_: np.ndarray
    V_: np.ndarray

    def fit(self, train: Interactions) -> Self:
        """Learn from ``train``."""


def entities(catalogue: pd.DataFrame, columns: Sequence[str], at_least: int = 2) -> tuple[sp.csr_matrix, list[str]]:
    """T (n_items, n_entities), 0 or 1, and the entities' names, for those with ``at_least`` films.

    columns: columns of tuples, such as "genres" or "cast"; somebody who is in several of them is one entity.
    at_least ≥ 1.
    """
    COUNT("at_least", at_least)
    columns = [choice("column", column, catalogue.columns) for column in texts("columns", columns)]
    pairs = sorted({(item, name) for c in columns for item, names in enumerate(catalogue[c]) for name in names})
    names, column = np.unique([name for _, name in pairs], return_inverse=True)
    T = sp.csr_matrix((np.ones(len(pairs)), ([i for i, _ in pairs], column)), shape=(len(catalogue), len(names)))
    kept = np.flatnonzero(np.asarray(T.sum(axis=0)).ravel() >= at_least)
    return T[:, kept], names[kept].tolist()


def idf(T: sp.csr_matrix) -> sp.csr_matrix:
    """T with column e times log(n_items / films with e)."""
    T = matrix("T", T)
    films = np.asarray(T.sum(axis=0)).ravel()
    return sp.csr_matrix(T @ sp.diags_array(np.log(T.shape[0] / np.maximum(films, 1))))


def year_features(year: pd.Series) -> np.ndarray:
    """Soft bins (n_items, 14): closeness, with a width of three years, to years that lie denser towards 1998.

    A missing year gets zeros.
    """
    bins = np.array([1930, 1940, 1950, 1960, 1970, 1980, 1985, 1990, 1993, 1994, 1995, 1996, 1997, 1998])
    distance = (year.astype("float64").to_numpy()[:, None] - bins) / 3
    return np.nan_to_num(np.exp(-(distance**2) / 2))


def graph_features(catalogue: pd.DataFrame) -> np.ndarray:
    """X from the knowledge graph alone: genres, people, countries by IDF, the year, how much is known; each centred.

    How much is known (matched or not, number of names) is a fact too: little is written about obscure films.
    """
    facts = [idf(entities(catalogue, columns, 3)[0]).toarray() for columns in (("genres",), PEOPLE, ("country",))]
    known_facts = [catalogue["matched"].astype(float)] + [np.log1p(catalogue[c].map(len)) for c in ("cast", "writer")]
    blocks = [*facts, year_features(catalogue["year"]), np.stack(known_facts, axis=1)]
    return np.hstack([centred(block) for block in blocks])


@dataclass
class ContentProfile:
    """s_uj = x_j · mean of x_l over the items l that u liked: her profile, compared with every item's features."""

    features: np.ndarray = field(repr=False)

    def fit(self, train: Interactions) -> Self:
        """The users' profiles P (n_users, f)."""
        X, R = features_of(self.features, train), checked(train).matrix()
        self.X_ = X
        self.P_ = (R @ X) / np.maximum(np.diff(R.indptr), 1)[:, None]
        return self

    def score(self, users: np.ndarray) -> np.ndarray:
        """P_u X', (len(users), n_items); zeros for a user without a training row."""
        return self.P_[known(users, len(self.P_))] @ self.X_.T


@dataclass
class ContentMap:
    """s_uj = u_u · (x_j B): features mapped into the collaborative space, so that a cold item gets a vector there.

    U, V come from ``base`` fitted on the training part; B minimises sum_j |v_j - m - x_j B|^2 + lam |B|^2 over the
    items that have a training row, m their mean v. All items, warm ones too, are scored by the mapped vector. lam > 0.
    """

    features: np.ndarray = field(repr=False)
    base: Factors = field(default_factory=ALS)
    lam: float = 10.0

    def __post_init__(self) -> None:
        settings(self, lam=POSITIVE)

    def fit(self, train: Interactions) -> Self:
        """The base first, then one ridge regression from features to its item vectors."""
        X = features_of(self.features, train)
        warm = np.unique(checked(train).item)
        self.base.fit(train)
        self.U_, V = self.base.U_, self.base.V_[warm]
        m = V.mean(axis=0)
        K = X @ X[warm].T  # (n_items, warm): how alike; the dual form has one equation per warm item
        self.V_ = m + K @ solve(K[warm] + self.lam * np.eye(len(warm)), V - m)  # (n_items, d)
        return self

    def score(self, users: np.ndarray) -> np.ndarray:
        """U V', (len(users), n_items)."""
        return self.U_[known(users, len(self.U_))] @ self.V_.T


def features_of(X: np.ndarray, train: Interactions) -> np.ndarray:
    """X as floats, refused with one sentence unless it has one finite row for each item."""
    X = array("Features", X, ndim=2)
    if len(X) != train.n_items:
        raise CourseError(f"Features are one finite row for each of {train.n_items} items; this array is {X.shape}.")
    return X
