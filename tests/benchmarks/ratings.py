"""RMSE of predicted stars on two splits of MovieLens-100K: the published fold u1, and a random tenth of each user.

The course's models are fitted as they come. Of the peers, myFM has the same features (relation blocks, rank 10, 200
samples), Surprise its defaults and the better of two settings on the validation part of the random split.
"""

import time
from functools import cache
from typing import Any

import numpy as np
from runner import Row, main, row
from scipy.sparse import csr_matrix

from course_lib.data import movielens, splits
from course_lib.data.interactions import Interactions, Split
from course_lib.evaluation.metrics import mae, rmse
from course_lib.ranking.baselines import BiasModel
from course_lib.ranking.bayesian_fm import BayesianFM
from course_lib.ranking.ratings import DAY, PUBLISHED, SVD, demographics, memberships, unit_rows

SEED, SAMPLES = 2026, 300
PEOPLE, GENRES = demographics(movielens.load_users()), memberships(movielens.load_films().genres)
ALONE = {"histories": False, "own_noise": False}
TOLD = {"user_features": {"people": PEOPLE}, "item_features": {"genres": GENRES}}
FMS: dict[str, dict[str, Any]] = {  # each has what the one before it has, and one thing more
    "Bayesian FM, ids": ALONE,
    "Bayesian FM, + both histories": {"own_noise": False},
    "Bayesian FM, + genres, demographics": TOLD | {"own_noise": False},
    "Bayesian FM, + noise of each user and film": TOLD,
    "Bayesian FM, + day": TOLD | {"day": True},
}


@cache
def u1() -> Split:
    """The fold u1."""
    return splits.canonical(movielens.load_ratings(), 1)


def told(name: str, started: float, test: Interactions, predicted: np.ndarray) -> tuple[float, float]:
    """RMSE of a model and its seconds since ``started``; prints them with the mean absolute error."""
    error, seconds = rmse(test.rating, predicted), time.perf_counter() - started
    print(f"{name}: RMSE {error:.4f}, MAE {mae(test.rating, predicted):.4f}, {seconds:.1f} s", flush=True)
    return error, seconds


@cache
def our_fm(name: str) -> tuple[float, float]:
    """RMSE on u1 and seconds of fitting and predicting, of one line of ``FMS``."""
    started, test = time.perf_counter(), u1().test
    model = BayesianFM(samples=SAMPLES, seed=SEED, **FMS[name]).fit(u1().train)
    when = (test.time,) if model.day else ()
    return told(name, started, test, model.predict(test.user, test.item, *when))


@cache
def my_fm(day: bool) -> tuple[float, float]:
    """RMSE on u1 and seconds of myFM, with what our best line knows; ``day``: each user's day is one more feature."""
    import myfm

    started, train, test = time.perf_counter(), u1().train, u1().test
    X, days = train.matrix().toarray(), np.unique(sessions(train))
    blocks = [
        [np.eye(train.n_users), unit_rows(X), PEOPLE],
        [np.eye(train.n_items), unit_rows(X.T), GENRES],
        [np.eye(len(days) + 1)[:, :-1]],  # the last row is for a day without training ratings
    ][: 3 if day else 2]
    groups = [n for n, F in enumerate(F for block in blocks for F in block) for _ in range(F.shape[1])]

    def related(part: Interactions) -> list[Any]:
        place = np.searchsorted(days, sessions(part)).clip(max=len(days) - 1)
        ids = (part.user, part.item, np.where(days[place] == sessions(part), place, len(days)))
        return [myfm.RelationBlock(x.tolist(), csr_matrix(np.hstack(F))) for x, F in zip(ids, blocks, strict=False)]

    model = myfm.MyFMGibbsRegressor(rank=10, random_seed=SEED)
    model.fit(None, train.rating, X_rel=related(train), n_iter=200, n_kept_samples=180, grouping=groups)
    name = "myFM with the day" if day else "myFM"
    return told(name, started, test, np.clip(model.predict(None, related(test)), 1, 5))


def sessions(part: Interactions) -> np.ndarray:
    """One whole number for each user and day, (n,)."""
    return part.user * 1_000_000 + part.time // DAY


def u1_rmse() -> list[Row]:
    """Means and SVD; the factorisation machine with one thing more a line, the best first; the peer; the papers."""
    train, test = u1().train, u1().test
    rows = [row(name, our_fm(name)[0], "stars", ours=True, higher=False) for name in reversed(FMS)]
    for name, model in (("SVD", SVD(seed=SEED)), ("user and item means", BiasModel())):
        started = time.perf_counter()
        error, _ = told(name, started, test, model.fit(train).predict(test.user, test.item))
        rows.append(row(name, error, "stars", ours=True, higher=False))
    rows.append(row("myFM, both histories, genres, demographics, day", my_fm(True)[0], "stars", higher=False))
    rows.append(row("myFM, both histories, genres, demographics", my_fm(False)[0], "stars", higher=False))
    return rows + [row(name, error, "stars", higher=False, published=True) for name, error in PUBLISHED.items()]


def u1_seconds() -> list[Row]:
    """Seconds of fitting and predicting."""
    best = next(reversed(FMS))
    return [
        row(f"{best}, {SAMPLES} samples", our_fm(best)[1], "s", ours=True, higher=False),
        row("myFM with the day, 200 samples", my_fm(True)[1], "s", higher=False),
        row("myFM, 200 samples", my_fm(False)[1], "s", higher=False),
    ]


def random_rmse() -> list[Row]:
    """A random tenth of each user's ratings is the test; the validation part goes to the training part."""
    import pandas as pd
    import surprise

    split = splits.random_per_user(movielens.load_ratings(), SEED)
    train, test = split.fit_part, split.test
    ours = {
        "SVD": SVD(seed=SEED),
        "user and item means": BiasModel(),
        "Bayesian FM, + noise of each user and film": BayesianFM(samples=SAMPLES, seed=SEED, **TOLD),
    }
    quiet = {"verbose": False}
    peers = {
        "Surprise, SVD tuned": surprise.SVD(n_factors=200, n_epochs=80, lr_all=0.007, reg_all=0.1, random_state=SEED),
        "Surprise, SVD as it comes": surprise.SVD(random_state=SEED),
        "Surprise, item kNN with baselines": surprise.KNNBaseline(sim_options={"user_based": False}, **quiet),
        "Surprise, baselines": surprise.BaselineOnly(**quiet),
    }
    rows = []
    for name, model in ours.items():
        started = time.perf_counter()
        error, _ = told(name, started, test, model.fit(train).predict(test.user, test.item))
        rows.append(row(name, error, "stars", ours=True, higher=False))
    table: pd.DataFrame = train.table[["user", "item", "rating"]]
    known = surprise.Dataset.load_from_df(table, surprise.Reader(rating_scale=(1, 5))).build_full_trainset()
    for name, model in peers.items():
        started = time.perf_counter()
        model.fit(known)
        predicted = np.array([model.predict(u, j).est for u, j in zip(test.user, test.item, strict=True)])
        rows.append(row(name, told(name, started, test, predicted)[0], "stars", higher=False))
    return rows


BENCHES = {"u1_rmse": u1_rmse, "u1_seconds": u1_seconds, "random_90_10_rmse": random_rmse}

if __name__ == "__main__":
    main(BENCHES)
