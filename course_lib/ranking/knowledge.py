"""The knowledge graph as further nodes: users, films, genres, people, countries, and what flows between them.

Nodes are all users, then all items, then the entities of each type of edge. With R (n_users, n_items) and one
T (n_items, n_entities) of 0 and 1 for each type, weighted w:

        users  items  entities
    A = [ 0     R      0   ]        Â = D^-1/2 A D^-1/2, as in ``graph``
        [ R'    0      w T ]
        [ 0     w T'   0   ]

A film without a single user still has edges here, and a path from film to film may lead over a director.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from torch import Tensor

from course_lib.data.films import fold
from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError
from course_lib.inputs import NATURAL, NOT_NEGATIVE, POSITIVE, SEED, SHARE, array, ids, matrix, same_length, settings
from course_lib.inputs import texts as strings
from course_lib.ranking.checks import checked, known, or_popular, solve
from course_lib.ranking.content import PEOPLE, entities
from course_lib.ranking.graph import LightGCN, Watch, lightgcn, normalise

KINDS = {"genre": ("genres",), "person": PEOPLE, "country": ("country",)}


# ── the graph ────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Edges:
    """One type of edge: T (n_items, n_entities), 1 where a film has the entity, and the entities' names."""

    T: sp.csr_matrix = field(repr=False)
    names: Sequence[str] = field(repr=False)


def knowledge(catalogue: pd.DataFrame, at_least: int = 2) -> dict[str, Edges]:
    """{"genre", "person", "country": Edges}, of entities with ``at_least`` ≥ 1 films; who directed and wrote is one."""
    return {kind: Edges(*entities(catalogue, columns, at_least)) for kind, columns in KINDS.items()}


def adjacency(R: sp.csr_matrix, edges: Mapping[str, Edges], weights: Mapping[str, float]) -> sp.csr_matrix:
    """A (n, n) of users, items and entities; a type of edge that ``weights`` leaves out weighs 1, and 0 removes it.

    weights: ≥ 0.
    """
    R = matrix("R", R)
    for kind, weight in weights.items():
        if kind not in edges:
            raise CourseError(f"The weight of {kind!r}: types of edge are {', '.join(edges)}.")
        NOT_NEGATIVE(f"The weight of {kind!r}", weight)
    short = [kind for kind, of in edges.items() if of.T.shape[0] != R.shape[1]]
    if short:
        raise CourseError(
            f"The {short[0]} edges are of {edges[short[0]].T.shape[0]} films, the ratings of {R.shape[1]}."
        )
    nothing = sp.csr_matrix((R.shape[1], 0))  # without any edges A is `graph.bipartite`'s
    T = sp.hstack([nothing, *(weights.get(kind, 1.0) * of.T for kind, of in edges.items())])
    A = sp.csr_matrix(sp.block_array([[None, R, None], [R.T, None, T], [None, T.T, None]]))
    A.eliminate_zeros()
    return A


# ── two models on it ─────────────────────────────────────────────────────────────────────────────────────────
@dataclass
class LabelPropagation:
    """F <- alpha Â F + (1 - alpha) Y, ``steps`` times: a user's films are her labels in Y (n, n_users), and they flow.

    s_uj = F_ju, without any training. Zhou, Bousquet, Lal, Weston, Schölkopf (2004), Learning with local and global
    consistency, NeurIPS. alpha from 0 to 1; steps, weights ≥ 0.
    """

    edges: Mapping[str, Edges] = field(default_factory=dict, repr=False)
    weights: Mapping[str, float] = field(default_factory=dict)
    alpha: float = 0.5
    steps: int = 4

    def __post_init__(self) -> None:
        settings(self, alpha=SHARE, steps=NATURAL)

    def fit(self, train: Interactions) -> Self:
        """Build and normalise the graph."""
        self.X_ = checked(train).matrix()
        self.popularity_ = np.asarray(self.X_.sum(axis=0)).ravel()
        self.A_hat_ = normalise(adjacency(self.X_, self.edges, self.weights))
        return self

    def spread(self, X: sp.csr_matrix) -> np.ndarray:
        """Scores (k, n_items) of k people with the liked films X (k, n_items), who need not be users of the graph."""
        n_users, n_items = self.X_.shape
        X = matrix("X", X, (None, n_items))
        Y = np.zeros((self.A_hat_.shape[0], X.shape[0]))
        Y[n_users : n_users + n_items] = X.T.toarray()
        F = Y
        for _ in range(self.steps):
            F = self.alpha * (self.A_hat_ @ F) + (1 - self.alpha) * Y
        return F[n_users : n_users + n_items].T

    def score(self, users: np.ndarray) -> np.ndarray:
        """(len(users), n_items)."""
        rows = self.X_[known(users, self.X_.shape[0])]
        return or_popular(self.spread(rows), rows, self.popularity_)


@dataclass
class KnowledgeGCN(LightGCN):
    """LightGCN over users, items and entities; the loss is LightGCN's, over users and items.

    An item without a user in the training part starts from zero: what it is comes from its entities alone. lam is the
    mean over all nodes, entities too, so it has to be larger than without them. Ranges as LightGCN's; weights ≥ 0.
    """

    edges: Mapping[str, Edges] = field(default_factory=dict, repr=False)
    weights: Mapping[str, float] = field(default_factory=dict)
    lam: float = 0.085

    def fit(self, train: Interactions, watch: Watch | None = None) -> Self:
        """Learn E, one row for each user, item with users, and entity."""
        count = np.bincount(checked(train).item, minlength=train.n_items)
        self.cold_ = train.n_users + np.flatnonzero(count == 0)  # nodes
        self.n_ranked_ = train.n_users + train.n_items
        return super().fit(train, watch)

    def adjacency(self, train: Interactions) -> sp.csr_matrix:
        """A of the module's formula."""
        return adjacency(train.matrix(), self.edges, self.weights)

    def embed(self) -> Tensor:
        """Z (n_users + n_items, d): the entities have passed on what they carry."""
        warm = torch.ones(len(self.E_), 1, device=self.E_.device)
        warm[self.cold_] = 0
        return lightgcn(self.A_hat_, self.E_ * warm, self.L)[: self.n_ranked_]


# ── why this film? ───────────────────────────────────────────────────────────────────────────────────────────
def paths(
    R: sp.csr_matrix, edges: Mapping[str, Edges], weights: Mapping[str, float], user: int, item: int
) -> pd.DataFrame:
    """All paths user → liked film → somebody or something → item, strongest first.

    Columns: film (a liked item), kind ("user" or a type of edge), via (a user's number or an entity's name), and
    weight: Â_uj Â_jm Â_mi, the product along the path. The weights add up to (Â³)_ui.
    """
    n_users, n_items = R.shape
    known(np.array([user]), n_users)
    known(np.array([item]), n_items, "item")
    A_hat = normalise(adjacency(R, edges, weights))
    start = A_hat[[user], :].toarray()[0]
    liked = np.flatnonzero(start)  # nodes of films
    end = A_hat[[n_users + item], :].toarray()[0]
    walks = sp.coo_matrix(sp.diags_array(start[liked]) @ A_hat[liked] @ sp.diags_array(end))
    walks.eliminate_zeros()
    kind = np.repeat(["user", "item", *edges], [n_users, n_items, *(len(of.names) for of in edges.values())])
    name = np.array([*range(n_users), *range(n_items), *(name for of in edges.values() for name in of.names)], object)
    table = {"film": liked[walks.row] - n_users, "kind": kind[walks.col], "via": name[walks.col], "weight": walks.data}
    return pd.DataFrame(table).sort_values("weight", ascending=False, kind="stable", ignore_index=True)


# ── links that are missing ───────────────────────────────────────────────────────────────────────────────────
def hide(T: sp.csr_matrix, share: float, seed: int) -> tuple[sp.csr_matrix, np.ndarray, np.ndarray]:
    """T without a random ``share``, from 0 to 1, of its edges, and the hidden edges: their films and their entities.

    seed ≥ 0.
    """
    T, share, seed = matrix("T", T), SHARE("share", share), SEED("seed", seed)
    C = sp.coo_matrix(T)
    hidden = np.zeros(C.nnz, dtype=bool)
    hidden[np.random.default_rng(seed).permutation(C.nnz)[: int(share * C.nnz)]] = True
    kept = sp.csr_matrix((C.data[~hidden], (C.row[~hidden], C.col[~hidden])), shape=T.shape)
    return kept, C.row[hidden].astype(np.int64), C.col[hidden].astype(np.int64)


def says(texts: Sequence[str], films: np.ndarray, names: Sequence[str], of: np.ndarray) -> np.ndarray:
    """(m,) bool: whether the text of film films[k] holds the name of entity of[k], whatever the case and accents."""
    texts, names = strings("texts", texts), strings("names", names)
    films, of = ids("films", films, len(texts)), ids("of", of, len(names))
    same_length(films=films, of=of)
    folded_texts, folded_names = [f" {fold(text)} " for text in texts], [f" {fold(name)} " for name in names]
    return np.array([folded_names[e] in folded_texts[f] for f, e in zip(films, of, strict=True)], dtype=bool)


def predict_links(X: np.ndarray, T: sp.csr_matrix, lam: float) -> np.ndarray:
    """Scores (n_items, n_entities) by ridge regression from a film's vector x_j (n_items, d) to its row of T.

    mean of T + X B, where B (d, n_entities) minimises sum_j |t_j - mean - x_j B|² + lam |B|², lam > 0.
    """
    X, lam = array("X", X, ndim=2), POSITIVE("lam", lam)
    if not len(X):
        raise CourseError("There is no film to learn from.")
    T = matrix("T", T, (len(X), None))
    mean = np.asarray(T.mean(axis=0)).ravel()
    B = solve(X.T @ X + lam * np.eye(X.shape[1]), X.T @ (T.toarray() - mean))
    return mean + X @ B


def link_ranks(scores: np.ndarray, T: sp.csr_matrix, films: np.ndarray, of: np.ndarray) -> np.ndarray:
    """(m,) place, from 1, of entity of[k] for film films[k] among the entities that T does not give the film.

    T holds all true edges, hidden ones too: another true answer does not stand in the way ("filtered", Bordes et al.
    2013). Equal scores share their places: half of them count as ahead.
    """
    scores = array("scores", scores, ndim=2)
    T = matrix("T", T, (scores.shape[0], scores.shape[1]))
    films, of = ids("films", films, scores.shape[0]), ids("of", of, scores.shape[1])
    same_length(films=films, of=of)
    own = scores[films, of][:, None]
    others = np.where(T[films].toarray() > 0, -np.inf, scores[films])
    return 1 + (others > own).sum(axis=1) + (others == own).sum(axis=1) / 2
