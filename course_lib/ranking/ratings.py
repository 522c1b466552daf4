"""Stars: how a user will rate an item, from means and factors, and the table that compares such predictions.

    r_uj = mu + b_u + b_j + u_u · v_j

Letters: U (n_users, d + 1) and V (n_items, d + 1) hold a row of factors for each user and item, its bias b in the last
column. A weight of a rating is its precision, 1 / variance. Everything is learned from the rows of ``fit(train)``; a
pair rated twice counts once, with its last rating. Errors are in stars. seed ≥ 0 everywhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.preprocessing import MultiLabelBinarizer

from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError
from course_lib.evaluation.classification import resamples
from course_lib.evaluation.metrics import rmse
from course_lib.inputs import COUNT, NATURAL, POSITIVE, SEED, array, choice, same_length, settings
from course_lib.ranking.checks import checked, known, known_pairs, solve

PUBLISHED = pd.Series(
    {"GC-MC": 0.910, "GC-MC with features": 0.905, "IGMC": 0.905, "GLocal-K": 0.8889}, name="RMSE (stars)"
)  # on the fold u1, as printed: van den Berg et al. 2017, Zhang & Chen 2020, Han et al. 2021
DAY = 86_400  # seconds


# ── what is known beside the ratings ─────────────────────────────────────────────────────────────────────────
def unit_rows(F: np.ndarray) -> np.ndarray:
    """Rows of F (n, f) of length 1, so that nobody counts more for having more features; a zero row stays zero."""
    F = array("F", F, ndim=2, keep=True)
    return F / np.maximum(np.linalg.norm(F, axis=1, keepdims=True), 1e-12)


def memberships(labels: Sequence[Iterable[str]]) -> np.ndarray:
    """F (n, n_labels): 1 / sqrt(number of labels) where row i has the label, labels in alphabetical order."""
    return unit_rows(MultiLabelBinarizer().fit_transform(labels))


def demographics(users: pd.DataFrame) -> np.ndarray:
    """Age in bands of five years, gender and occupation of `movielens.load_users`, (n_users, n_labels)."""
    people = zip(users["age"] // 5, users["gender"], users["occupation"], strict=True)
    return memberships([(f"age {5 * age}", gender, occupation) for age, gender, occupation in people])


# ── one half-step, for the fitted and the drawn ──────────────────────────────────────────────────────────────
def half_step(
    rows: sp.csr_matrix,
    D: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray,
    precision: np.ndarray,
    mean: np.ndarray | float = 0.0,
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """All users' factors at once for fixed factors D of the items, or the other way round: (n, k).

    Row i explains its ratings by a weighted regression on the rows d_j of D (m, k) with prior N(mean_i, 1 / precision):

        A_i = diag(precision) + sum_j weight_ij d_j d_j'
        a_i = A_i^-1 (precision mean_i + sum_j weight_ij target_ij d_j)

    Without ``rng`` the answer is a_i, the best one; with it a draw from N(a_i, A_i^-1), which says what the data leave
    open. rows (n, m): who meets whom. target, weight: a value a cell, in the order of ``rows.data``. precision: (k,) or
    (n, k), above 0.
    """
    given = {"D": D, "target": target, "weight": weight, "precision": precision, "mean": mean}
    D, target, weight, precision, mean = (array(name, values, keep=True) for name, values in given.items())
    (n, m), k = rows.shape, D.shape[-1]
    shapes = D.shape == (m, k), target.shape == weight.shape == rows.data.shape, precision.shape in ((k,), (n, k))
    if not all(shapes) or mean.shape not in ((), (k,), (n, k)):
        raise CourseError(f"D is ({m}, k), target and weight have one value a cell, precision k and mean k a row.")
    W = sp.csr_matrix((weight, rows.indices, rows.indptr), shape=(n, m))
    A = (W @ (D[:, :, None] * D[:, None, :]).reshape(m, k * k)).reshape(n, k, k)  # sums of outer products
    A[:, range(k), range(k)] += precision
    right = precision * mean + sp.csr_matrix((weight * target, rows.indices, rows.indptr), shape=(n, m)) @ D
    if rng is not None:  # A^-1 (right + L z) has the covariance A^-1 L L' A^-1 = A^-1
        try:
            right = right + (np.linalg.cholesky(A) @ rng.normal(size=(n, k, 1)))[:, :, 0]
        except np.linalg.LinAlgError as error:
            raise CourseError("A precision or a weight is not above 0: nothing can be drawn.") from error
    return solve(A, right[:, :, None])[:, :, 0]


def with_one(factors: np.ndarray) -> np.ndarray:
    """The last column, which holds biases, replaced by 1: what the other side's bias is multiplied with."""
    return np.hstack([factors[:, :-1], np.ones((len(factors), 1))])


def pair_sums(U: np.ndarray, V: np.ndarray, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """b_u + b_j + u_u · v_j of each pair, (len(users),)."""
    return U[users, -1] + V[items, -1] + np.einsum("nk,nk->n", U[users, :-1], V[items, :-1])


@dataclass
class Cells:
    """The rated cells, sorted by user, then item. rows, columns: the sparse patterns; by_item: order of the second."""

    u: np.ndarray  # (n,)
    j: np.ndarray
    r: np.ndarray
    time: np.ndarray
    rows: sp.csr_matrix  # (n_users, n_items)
    columns: sp.csr_matrix  # (n_items, n_users)
    by_item: np.ndarray  # (n,): cell numbers in the order of columns.data

    @classmethod
    def of(cls, train: Interactions) -> Self:
        """The cells of ``train``."""
        table = checked(train).table.sort_values(["user", "item"])
        u, j, r, time = (table[column].to_numpy() for column in ("user", "item", "rating", "time"))
        rows = sp.csr_matrix((np.arange(len(u)), (u, j)), shape=(train.n_users, train.n_items))
        columns = rows.T.tocsr()
        return cls(u, j, r, time, rows, columns, columns.data)


# ── how good, how sure ───────────────────────────────────────────────────────────────────────────────────────
def rmse_table(test: Interactions, predicted: Mapping[str, np.ndarray], seed: int, first: str = "") -> pd.DataFrame:
    """One row a model: RMSE on ``test`` and ``gain``, by how much it is below the row above, with 95 % intervals.

    Whole users are resampled, since a user's errors resemble one another; all models on the same resamples, so that the
    interval of a gain leaves out what makes users easy or hard for both. ``first``: gains are over this row instead.
    """
    ids, of = np.unique(test.user, return_inverse=True)
    predicted = {name: array(f"Ratings of {name!r}", p, ndim=1) for name, p in predicted.items()}
    if not predicted:
        raise CourseError("There is no model to compare.")
    same_length(**{"test": test, **predicted})
    if first:
        choice("model", first, predicted)
    drawn = {}
    for name, p in predicted.items():
        squared, count = np.bincount(of, (test.rating - p) ** 2), np.bincount(of)
        blocks = resamples(len(ids), seed)  # W (rows, users): how often each is drawn
        drawn[name] = np.concatenate([np.sqrt(W @ squared / (W @ count)) for W in blocks])
    table, above = {}, first or next(iter(predicted))
    for name, p in predicted.items():
        error, gain = rmse(test.rating, p), drawn[above] - drawn[name]
        row = {"rmse": error, "gain": rmse(test.rating, predicted[above]) - error}
        for column, values in (("rmse", drawn[name]), ("gain", gain)):
            row[f"{column}_low"], row[f"{column}_high"] = np.quantile(values, [0.025, 0.975])
        table[name], above = row, first or name
    return pd.DataFrame.from_dict(table, orient="index")


# ── SVD ──────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass
class SVD:
    """r_uj = mu + b_u + b_j + u_u · v_j, minimising the squared error with two penalties, by alternating least squares.

        sum (r_uj - r^_uj)^2 + lam (sum_u sqrt(n_u) |u_u|^2 + sum_j sqrt(n_j) |v_j|^2) + lam_b (|b_u|^2 + |b_j|^2)

    n_u, n_j: numbers of ratings. A penalty that grows with n keeps those with many ratings from fitting their noise in
    every direction (Zhou, Wilkinson, Schreiber, Pan 2008, AAIM, have n; sqrt(n) did better here). Defaults were chosen
    on validation. The name is Funk's, who used gradient steps in the Netflix Prize; no singular values are involved.
    d ≥ 0, where 0 leaves the biases; lam, lam_b > 0; sweeps ≥ 1.
    """

    d: int = 20
    lam: float = 1.4
    lam_b: float = 4.0
    sweeps: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        settings(self, d=NATURAL, lam=POSITIVE, lam_b=POSITIVE, sweeps=COUNT, seed=SEED)

    def fit(self, train: Interactions) -> Self:
        """``sweeps`` rounds of solving for all users, then for all items."""
        cells, rng = Cells.of(train), np.random.default_rng(self.seed)
        self.mu_, self.range_, weight = cells.r.mean(), (cells.r.min(), cells.r.max()), np.ones(len(cells.r))
        penalty_u, penalty_j = (self.penalty(np.diff(X.indptr)) for X in (cells.rows, cells.columns))
        self.V_ = rng.normal(scale=0.1, size=(train.n_items, self.d + 1))
        for _ in range(self.sweeps):
            left = cells.r - self.mu_ - self.V_[cells.j, -1]
            self.U_ = half_step(cells.rows, with_one(self.V_), left, weight, penalty_u)
            left = (cells.r - self.mu_ - self.U_[cells.u, -1])[cells.by_item]
            self.V_ = half_step(cells.columns, with_one(self.U_), left, weight, penalty_j)
        return self

    def penalty(self, n: np.ndarray) -> np.ndarray:
        """Of every factor and, last, of the bias, for rows with ``n`` ratings: (len(n), d + 1)."""
        of_factor = self.lam * np.sqrt(np.maximum(array("n", n, ndim=1), 1))[:, None]
        return np.hstack([np.tile(of_factor, self.d), np.full_like(of_factor, self.lam_b)])

    def predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """The rating of each pair (users[m], items[m]), within the range of the training part, (len(users),)."""
        users, items = known_pairs(users, items, len(self.U_), len(self.V_))
        return np.clip(self.mu_ + pair_sums(self.U_, self.V_, users, items), *self.range_)

    def score(self, users: np.ndarray) -> np.ndarray:
        """Ratings of all items, not clipped, since ties at five stars would hide an order: (len(users), n_items)."""
        U = self.U_[known(users, len(self.U_))]
        return self.mu_ + U[:, -1:] + self.V_[:, -1] + U[:, :-1] @ self.V_[:, :-1].T
