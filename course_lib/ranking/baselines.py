"""The recommenders every later idea has to beat: counts, neighbours, one linear map, two factor tables.

Letters: X (n_users, n_items) is the binary matrix of the training part, x_u its row for user u, R the same cells
with their ratings. Every model stores its arguments, learns in ``fit(train)`` and answers ``score(users)`` with
one row of scores a user, higher is better. Ids are row and column numbers from 0. A user without a training
row is scored by popularity, since nothing else is known; an unknown id is an error, in one sentence. So is an argument
out of its range: seed ≥ 0 everywhere, the others where they are named.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy.sparse as sp

from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError
from course_lib.inputs import COUNT, NOT_NEGATIVE, POSITIVE, SEED, all_finite, matrix, settings
from course_lib.ranking.checks import checked, known, known_pairs, or_popular, solve


@dataclass
class Random:
    """Noise, the same for a user whenever and in whatever company he is asked about: the floor of every table."""

    seed: int = 0

    def __post_init__(self) -> None:
        settings(self, seed=SEED)

    def fit(self, train: Interactions) -> Self:
        """Remember the sizes; there is nothing to learn."""
        train = checked(train)
        self.n_users_, self.n_items_ = train.n_users, train.n_items
        return self

    def score(self, users: np.ndarray) -> np.ndarray:
        """Uniform noise, (len(users), n_items)."""
        rows = [np.random.default_rng([self.seed, u]).random(self.n_items_) for u in known(users, self.n_users_)]
        return np.reshape(rows, (len(rows), self.n_items_))


@dataclass
class Popularity:
    """s_uj = number of users with item j in the training part: everybody gets the same list."""

    def fit(self, train: Interactions) -> Self:
        """Count each item's users."""
        train, self.n_users_ = checked(train), train.n_users
        self.count_ = np.bincount(train.item, minlength=train.n_items).astype(float)  # (n_items,)
        return self

    def score(self, users: np.ndarray) -> np.ndarray:
        """The counts, once for each user, (len(users), n_items)."""
        return np.tile(self.count_, (len(known(users, self.n_users_)), 1))


@dataclass
class RecentPopularity:
    """s_uj = number of users with item j in the last ``days`` of the training part; older counts only break ties.

    What is in fashion now. Ji, Sun, Zhang, Li (2020), A re-visit of the popularity baseline, SIGIR. days > 0.
    """

    days: float = 30.0

    def __post_init__(self) -> None:
        settings(self, days=POSITIVE)

    def fit(self, train: Interactions) -> Self:
        """Count each item's users, all of them and the recent ones."""
        train, self.n_users_ = checked(train), train.n_users
        recent = train.time > train.time.max() - self.days * 86_400
        ever, lately = (np.bincount(items, minlength=train.n_items) for items in (train.item, train.item[recent]))
        self.count_ = lately + ever / (len(train) + 1)  # (n_items,)
        return self

    def score(self, users: np.ndarray) -> np.ndarray:
        """The counts, once for each user, (len(users), n_items)."""
        return np.tile(self.count_, (len(known(users, self.n_users_)), 1))


def nearest(X: sp.csr_matrix, K: int, shrink: float) -> np.ndarray:
    """S (n, n) of the n columns of X: (x_l . x_j) / (|x_l| |x_j| + shrink) where l is among j's K nearest, else 0.

    The cosine of two binary columns, shrunk where few rows stand behind it; nobody is his own neighbour. K ≥ 1,
    shrink ≥ 0.
    """
    X, K, shrink = matrix("X", X), COUNT("K", K), NOT_NEGATIVE("shrink", shrink)
    S = (X.T @ X).toarray()  # co-occurrence counts
    norm = np.sqrt(S.diagonal())
    S /= np.maximum(np.outer(norm, norm) + shrink, 1e-12)
    np.fill_diagonal(S, 0.0)
    if len(S) > K:
        kth = np.partition(S, -K, axis=0)[-K]  # (n,), each column's K-th largest value
        S[kth > S] = 0.0
    return S


@dataclass
class ItemKNN:
    """s_uj = sum of S_lj over the items l in u's history, where S holds item j's K `nearest` items only.

    Sarwar, Karypis, Konstan, Riedl (2001), Item-based collaborative filtering recommendation algorithms, WWW.
    K ≥ 1, shrink ≥ 0.
    """

    K: int = 200
    shrink: float = 10.0

    def __post_init__(self) -> None:
        settings(self, K=COUNT, shrink=NOT_NEGATIVE)

    def fit(self, train: Interactions) -> Self:
        """Cosines of all pairs of columns of X; each column of S keeps its K largest."""
        self.X_ = checked(train).matrix()
        self.popularity_ = np.asarray(self.X_.sum(axis=0)).ravel()
        self.S_ = nearest(self.X_, self.K, self.shrink)  # (n_items, n_items)
        return self

    def score(self, users: np.ndarray) -> np.ndarray:
        """x_u S, (len(users), n_items)."""
        rows = self.X_[known(users, self.X_.shape[0])]
        return or_popular(rows @ self.S_, rows, self.popularity_)


@dataclass
class UserKNN:
    """s_uj = sum of S_vu over the users v with item j, where S holds user u's K `nearest` users only.

    Resnick, Iacovou, Suchak, Bergstrom, Riedl (1994), GroupLens: an open architecture for collaborative filtering
    of netnews, CSCW; here for likes instead of ratings. K ≥ 1, shrink ≥ 0.
    """

    K: int = 100
    shrink: float = 10.0

    def __post_init__(self) -> None:
        settings(self, K=COUNT, shrink=NOT_NEGATIVE)

    def fit(self, train: Interactions) -> Self:
        """Cosines of all pairs of rows of X; each column of S keeps its K largest."""
        self.X_ = checked(train).matrix()
        self.popularity_ = np.asarray(self.X_.sum(axis=0)).ravel()
        self.S_ = nearest(self.X_.T.tocsr(), self.K, self.shrink)  # (n_users, n_users)
        return self

    def score(self, users: np.ndarray) -> np.ndarray:
        """S_u' X, (len(users), n_items)."""
        users = known(users, self.X_.shape[0])
        return or_popular(self.S_[:, users].T @ self.X_, self.X_[users], self.popularity_)


@dataclass
class EASE:
    """s_u = x_u B, the B with zero diagonal that minimises |X - X B|^2 + lam |B|^2, in closed form.

    With P = (X'X + lam I)^-1 the answer is B_lj = -P_lj / P_jj off the diagonal.
    Steck (2019), Embarrassingly shallow autoencoders for sparse data, WWW. lam > 0.
    """

    lam: float = 300.0

    def __post_init__(self) -> None:
        settings(self, lam=POSITIVE)

    def fit(self, train: Interactions) -> Self:
        """One inverse of an (n_items, n_items) matrix."""
        self.X_ = checked(train).matrix()
        G = (self.X_.T @ self.X_).toarray()
        self.popularity_ = G.diagonal().copy()
        try:
            P = np.linalg.inv(G + self.lam * np.eye(len(G)))
        except np.linalg.LinAlgError as error:
            raise CourseError(f"X'X + lam I has no inverse for lam = {self.lam:g}: raise lam.") from error
        self.B_ = all_finite("EASE's matrix B", -P / P.diagonal(), "raise lam")
        np.fill_diagonal(self.B_, 0.0)
        return self

    def score(self, users: np.ndarray) -> np.ndarray:
        """x_u B, (len(users), n_items)."""
        rows = self.X_[known(users, self.X_.shape[0])]
        return or_popular(rows @ self.B_, rows, self.popularity_)


def als_step(X: sp.csr_matrix, V: np.ndarray, lam: float, alpha: float, gram: np.ndarray | None = None) -> np.ndarray:
    """The best U for a fixed V: u = (V'V + alpha V_u'V_u + lam I)^-1 (1 + alpha) V_u'1, V_u the rows of u's items.

    All (d, d) matrices V_u'V_u come from one sparse product, since each is a sum of outer products v v'. gram: V'V, of
    the rows that count as "not liked" for everybody; all of them unless it is given.
    """
    n, d = len(V), V.shape[1]
    outer = (V[:, :, None] * V[:, None, :]).reshape(n, d * d)
    everybody = V.T @ V if gram is None else gram
    A = alpha * (X @ outer).reshape(-1, d, d) + everybody + lam * np.eye(d)  # (n_users, d, d)
    return solve(A, (1 + alpha) * (X @ V)[:, :, None])[:, :, 0]


@dataclass
class ALS:
    """s_uj = u_u . v_j, minimising sum_uj c_uj (x_uj - u_u . v_j)^2 + lam (|U|^2 + |V|^2), c = 1 + alpha x.

    Every cell counts, a seen one 1 + alpha times: each half-step has a closed form (``als_step``).
    Hu, Koren, Volinsky (2008), Collaborative filtering for implicit feedback datasets, ICDM. d, sweeps ≥ 1; lam > 0;
    alpha ≥ 0.
    """

    d: int = 48
    lam: float = 25.0
    alpha: float = 2.0
    sweeps: int = 15
    seed: int = 0

    def __post_init__(self) -> None:
        settings(self, d=COUNT, lam=POSITIVE, alpha=NOT_NEGATIVE, sweeps=COUNT, seed=SEED)

    def fit(self, train: Interactions) -> Self:
        """``sweeps`` rounds of solving for U, then for V."""
        self.X_ = checked(train).matrix()
        Xt = self.X_.T.tocsr()
        self.popularity_ = np.diff(Xt.indptr).astype(float)
        self.V_ = np.random.default_rng(self.seed).normal(scale=0.1, size=(train.n_items, self.d))  # (n_items, d)
        for _ in range(self.sweeps):
            self.U_ = als_step(self.X_, self.V_, self.lam, self.alpha)  # (n_users, d)
            self.V_ = als_step(Xt, self.U_, self.lam, self.alpha)
        return self

    def score(self, users: np.ndarray) -> np.ndarray:
        """U V', (len(users), n_items)."""
        users = known(users, self.X_.shape[0])
        return or_popular(self.U_[users] @ self.V_.T, self.X_[users], self.popularity_)


@dataclass
class BiasModel:
    """r_uj = mu + b_u + b_j, minimising sum (r_uj - mu - b_u - b_j)^2 + lam (|b_u|^2 + |b_j|^2).

    Each half-step is a shrunk mean of what is left over, b_j = sum_u (r_uj - mu - b_u) / (n_j + lam); the rounds
    converge to the least-squares answer. Koren, Bell, Volinsky (2009), Matrix factorization techniques for
    recommender systems, IEEE Computer 42(8). lam > 0, sweeps ≥ 1.
    """

    lam: float = 2.0
    sweeps: int = 50

    def __post_init__(self) -> None:
        settings(self, lam=POSITIVE, sweeps=COUNT)

    def fit(self, train: Interactions) -> Self:
        """Alternate the two shrunk means."""
        R = checked(train).matrix("rating").tocoo()
        u, j, self.mu_ = R.row, R.col, R.data.mean()
        n_u, n_j = (np.bincount(x, minlength=n) + self.lam for x, n in zip((u, j), R.shape, strict=True))
        self.b_u_, self.b_j_ = np.zeros(train.n_users), np.zeros(train.n_items)
        for _ in range(self.sweeps):
            left = R.data - self.mu_ - self.b_u_[u]
            self.b_j_ = np.bincount(j, left, minlength=train.n_items) / n_j
            left = R.data - self.mu_ - self.b_j_[j]
            self.b_u_ = np.bincount(u, left, minlength=train.n_users) / n_u
        return self

    def predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """The rating of each pair (users[m], items[m]) in stars, (len(users),)."""
        users, items = known_pairs(users, items, len(self.b_u_), len(self.b_j_))
        return self.mu_ + self.b_u_[users] + self.b_j_[items]

    def score(self, users: np.ndarray) -> np.ndarray:
        """Ratings of all items, (len(users), n_items): one order for everybody."""
        return self.mu_ + self.b_u_[known(users, len(self.b_u_)), None] + self.b_j_
