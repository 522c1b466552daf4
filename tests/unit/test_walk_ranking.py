"""Everything public in course_lib.ranking, found by inspection, with what goes wrong elsewhere."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from pantry import (
    COMMON,
    N_ITEMS,
    N_USERS,
    WIDTH,
    Each,
    Fixed,
    Ids,
    Knob,
    Matrix,
    Numbers,
    Rows,
    Texts,
    interactions,
    numbers,
    split,
    texts,
)  # fmt: skip
from walk import Pantry, Target, check, targets, untold

from course_lib import ranking
from course_lib.data import films, movielens
from course_lib.ranking import rerank
from course_lib.ranking.baselines import ALS, EASE, Popularity
from course_lib.ranking.graph import bipartite, normalise, sparse
from course_lib.ranking.knowledge import Edges
from course_lib.ranking.ratings import Cells
from course_lib.ranking.ways import histories

TRAIN = split().train
X = TRAIN.matrix()
NODES = N_USERS + N_ITEMS
FACTS = sp.csr_matrix(np.random.default_rng(0).random((N_ITEMS, 5)) < 0.6, dtype=float)
NAMES = [f"genre {letter}" for letter in "abcde"]
CELLS = Cells.of(TRAIN)


class Lengths:
    """A click model and an encoder that read the number of letters: BERT's place, in a millisecond."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def fit(self, *_: object) -> "Lengths":
        return self

    def predict_proba(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        return np.array([[0.5, len(text) / 100] for text, _ in pairs]).reshape(-1, 2)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([[len(text), text.count("a"), text.count("e"), 1.0] for text in texts])


def edges() -> dict[str, Edges]:
    return {"genre": Edges(FACTS, NAMES)}


def tensor(*shape: int) -> Fixed:
    return Fixed(torch.from_numpy(np.random.default_rng(0).normal(size=shape)).float())


def graph() -> torch.Tensor:
    return sparse(normalise(bipartite(TRAIN)))


PANTRY: Pantry = COMMON | {
    "ids": lambda: Ids(np.array([0, 2, 5]), N_USERS),
    "known.n": lambda: Knob(N_USERS),
    "what": lambda: "user",
    "or_popular.scores": numbers(N_USERS, N_ITEMS),
    "or_popular.rows": lambda: Matrix(X),
    "popularity": lambda: Numbers(np.arange(N_ITEMS, dtype=float)),
    "X": lambda: Matrix(X),
    "K": lambda: Knob(2),
    "KipfWelling.K": lambda: Knob(2, dear=True),
    "Fusion.K": lambda: Knob(2, dear=True),
    "shrink": lambda: Knob(1.0),
    "V": numbers(N_ITEMS, 2),
    "U": numbers(N_USERS, 2, seed=1),
    "gram": lambda: Numbers(np.eye(2)),
    "lam": lambda: Knob(2.0),
    "alpha": lambda: Knob(0.5),
    # bayesian_fm
    "user_features": lambda: Each({"age": numbers(N_USERS, 2)()}),
    "item_features": lambda: Each({"year": numbers(N_ITEMS, 2)()}),
    "times": lambda: None,
    # content, knowledge
    "catalogue": lambda: films.load_catalogue().head(40),
    "columns": lambda: Texts(["genres", "cast"], words=True),
    "at_least": lambda: Knob(2),
    "T": lambda: Matrix(FACTS),
    "year": lambda: pd.Series([1990, 1995, None], dtype="Int64"),
    "base": lambda: ALS(d=2, sweeps=2),
    "Diversified.base": lambda: Popularity().fit(TRAIN),
    "BertReranked.base": Popularity,
    "features_of.X": numbers(N_ITEMS, WIDTH),
    "names": lambda: Texts(NAMES, words=True),
    "R": lambda: Matrix(X),
    "edges": edges,
    "weights": lambda: Each({"genre": Knob(0.5)}),
    "share": lambda: Knob(0.3),
    "says.texts": lambda: Texts([f"a film of genre {c}" for c in "abcdeabcd"]),
    "films": lambda: Ids(np.array([1, 3, 4]), N_ITEMS),
    "of": lambda: Ids(np.array([0, 2, 4]), 5),
    "predict_links.X": numbers(N_ITEMS, WIDTH),
    "link_ranks.scores": numbers(N_ITEMS, 5),
    # fusion, ways
    "PairText.e": numbers(N_ITEMS, WIDTH),
    "PairText.ratings": lambda: Numbers(np.array([3.0, 4.0, 5.0])),
    "models": lambda: {"a": (Popularity(), 1.0), "b": (EASE(), 0.5)},
    "zscore.scores": numbers(N_USERS, N_ITEMS),
    "Fusion.valid": lambda: Rows(split().valid),
    "d_t": lambda: Knob(3, dear=True),
    "e": numbers(N_ITEMS, WIDTH),
    "way.e": lambda: tensor(N_ITEMS, WIDTH),
    "Fusion.way": lambda: "attention",
    "way.name": lambda: "product",
    "history": lambda: Fixed(histories(TRAIN)),
    "neighbours": lambda: Knob(2),
    # graph, variants
    "node_features.items": numbers(N_ITEMS, WIDTH),
    "A": lambda: Matrix(bipartite(TRAIN)),
    "A_hat": graph,
    "lightgcn.E": lambda: tensor(NODES, 2),
    "Z": lambda: tensor(NODES, 2),
    "batch": lambda: Knob(8, dear=True),
    "watch": lambda: Fixed(None),
    "Z1": lambda: tensor(5, 3),
    "Z2": lambda: tensor(5, 3),
    "ratings": lambda: Rows(interactions()),
    "TwoHeads.ratings": lambda: Knob(8, dear=True),
    "views": lambda: Knob(4),
    # new users
    "fold_in.model": lambda: Fixed(EASE().fit(TRAIN)),
    "als": lambda: Fixed(ALS(d=2, sweeps=2).fit(TRAIN)),
    "sentences": numbers(2, WIDTH),
    "SentenceMap.score.X": lambda: Matrix(X[:2]),
    "hold_out_users.n": lambda: Knob(2),
    "hold_out_users.interactions": lambda: Rows(MANY),
    "given": lambda: Numbers(np.array([1, 3])),
    "score_rows": lambda: Fixed(lambda rows, users: rows.toarray()),
    # ratings
    "F": numbers(N_USERS, WIDTH),
    "memberships.labels": lambda: Fixed([("a", "b"), ("a",)]),
    "demographics.users": movielens.load_users,
    "half_step.rows": lambda: Fixed(CELLS.rows),
    "SVD.penalty.n": lambda: Numbers(np.array([1, 5, 3])),
    "D": numbers(N_ITEMS, 3),
    "half_step.target": lambda: Numbers(CELLS.r),
    "half_step.weight": lambda: Numbers(np.ones(len(CELLS.r))),
    "half_step.precision": lambda: Numbers(np.ones(3)),
    "mean": numbers(N_USERS, 3),
    "with_one.factors": numbers(N_USERS, 3),
    "rmse_table.test": lambda: Rows(split().test),
    "predicted": lambda: Each({"a": numbers(N_USERS)(), "b": numbers(N_USERS, seed=1)()}),
    # rerank, retrieval, sequence
    "relevance": numbers(3, 6),
    "similarity": numbers(3, 6, 6),
    "trade": lambda: Knob(0.7),
    "item_texts": texts(N_ITEMS),
    "titles": texts(N_ITEMS),
    "n_examples": lambda: Knob(20),
    "pool": lambda: Knob(5),
    "E": numbers(N_ITEMS, WIDTH),
    "encoder": Lengths,
    "TextSearch.score.texts": texts(3),
    "work": lambda: Fixed(lambda number: number),
    "rounds": lambda: Knob(3, dear=True),
    "warm_up": lambda: Knob(1, dear=True),
    "tau": lambda: Knob(2.0),
    "window": lambda: Knob(3),
    "principal.d": lambda: Knob(2),
}
MANY = movielens.load_ratings().keep(np.arange(4000))
HELD = {"Draw", "Cells", "Edges"}
STEPS = {  # inside of fit and score, where the arguments have been checked
    "checks.known", "checks.known_pairs", "checks.or_popular", "baselines.als_step", "checks.solve",
    "gcn.node_features", "graph.descend", "graph.dot_scores", "graph.sample_triples", "graph.softmax_loss",
    "ratings.pair_sums", "ratings.with_one",
}  # fmt: skip


WALKED = [t for t in targets(ranking, HELD) if str(t) not in STEPS]


@pytest.mark.parametrize("target", WALKED, ids=str)
def test_every_parameter(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rerank, "BertClassifier", Lengths)
    check(target, PANTRY, varies=["retrieval.milliseconds"])


def test_every_range_is_told() -> None:
    assert [knob for target in WALKED for knob in untold(target, PANTRY)] == []
