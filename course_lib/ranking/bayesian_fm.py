"""A Bayesian factorisation machine of two blocks, user and item: Gibbs sampling with what ratings and features tell.

Letters as in ``course_lib.ranking.ratings``, whose ``half_step`` does most of the work: U (n_users, d + 1) and V
(n_items, d + 1) hold a row of factors for each user and item, its bias in the last column; k = d + 1. A precision is
1 / variance, and every precision is drawn as well.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError
from course_lib.inputs import COUNT, NATURAL, POSITIVE, SEED, array, same_length, settings
from course_lib.ranking.checks import known, known_pairs
from course_lib.ranking.ratings import DAY, Cells, half_step, pair_sums, unit_rows, with_one


class _Side:
    """What a group of features says about the factors of users (or items): G = F B, factors B for each feature.

    F (n, f) is known, B (f, k) has the prior N(0, 1 / lam_k). With a user's history as her features this is what SVD++
    adds to SVD; whatever can be written as a row of numbers may stand there.
    """

    def __init__(self, F: np.ndarray, k: int) -> None:
        self.F, self.lam, self.G = F, np.full(k, 10.0), np.zeros((len(F), k))
        wide = F.shape[0] <= F.shape[1]
        S, Q = np.linalg.eigh(F @ F.T if wide else F.T @ F)  # of the smaller of the two: the same S but for zeros
        there = S / S[-1] > 1e-9
        S, Q = S[there], Q[:, there]
        self.Q, self.S = Q if wide else F @ Q / np.sqrt(S), S[:, None]  # F F' = Q diag(S) Q'

    def draw(self, target: np.ndarray, precision: np.ndarray, rng: np.random.Generator) -> None:
        """A new G given target = G + N(0, 1 / precision), (n, k) each; then new lam given G.

        A draw from the prior, moved to the data by a regression on what it leaves unexplained, is a draw from the
        posterior (Hoffman & Ribak 1991): no (f, f) matrix is needed. The gain S / (S + lam / precision) is what ridge
        regression keeps of each direction of F.
        """
        prior = self.F @ (rng.normal(size=(self.F.shape[1], target.shape[1])) / np.sqrt(self.lam))
        noise = rng.normal(size=target.shape) / np.sqrt(precision)
        self.G = prior + self.Q @ (self.S / (self.S + self.lam / precision) * (self.Q.T @ (target - prior - noise)))
        self.lam = _draw_precision((self.Q.T @ self.G) / np.sqrt(self.S), rng)


def _draw_precision(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The precision of each column of x (n, k), given that its entries are N(0, 1 / precision): (k,).

    Prior Gamma(1, 1), so Gamma(1 + n / 2, rate 1 + |x_k|^2 / 2).
    """
    return rng.gamma(1 + len(x) / 2, 1 / (1 + (x**2).sum(axis=0) / 2))


def _draw_weights(ids: np.ndarray, squared: np.ndarray, nu: float, n: int, rng: np.random.Generator) -> np.ndarray:
    """The relative precision of each of n users (or items), given its cells' squared errors in units of the noise.

    Prior Gamma(nu / 2, nu / 2), with mean 1: an error is then distributed as Student's t with nu degrees of freedom.
    """
    count, total = np.bincount(ids, minlength=n), np.bincount(ids, squared, n)
    return rng.gamma((nu + count) / 2, 2 / (nu + total))


def _draw_factors_prior(
    sides: Sequence[_Side], factors: np.ndarray, precision: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """New G of each group given the factors (n, k) and the other groups; then the sum of all G, and a new precision."""
    mean = sum((side.G for side in sides), np.zeros_like(factors))
    for side in sides:
        others = mean - side.G
        side.draw(factors - others, precision, rng)
        mean = others + side.G
    return mean, _draw_precision(factors - mean, rng)


@dataclass(frozen=True)
class Draw:
    """One state of the chain: everything that a prediction needs."""

    mu: float
    U: np.ndarray  # (n_users, d + 1)
    V: np.ndarray  # (n_items, d + 1)
    session: np.ndarray  # (n_sessions,), stars; 0 without days
    spread: float  # variance of the sessions, stars^2
    noise: float  # variance of a rating of an average user and item
    w_u: np.ndarray  # (n_users,), relative precision of a user's ratings
    w_j: np.ndarray  # (n_items,)


@dataclass
class BayesianFM:
    """A Bayesian factorisation machine of two blocks, user and item, by Gibbs sampling: not one fit but many draws.

        r_uj = mu + b_u + b_j + u_u · v_j + s_(u, day) + N(0, 1 / (alpha w_u w_j))
        u_u = sum_g f_gu' B_g + N(0, 1 / Lam),   v_j likewise

    Every feature of a user meets every feature of an item through their factors; two features of one user only add to
    her bias.

    histories: the items that a user rated in the *training part* are features of the user, 1 / sqrt(n_u) each, and its
    raters those of an item. That a pair was rated is a fact of its own, apart from the stars. Which pairs are in the
    test part never enters, though an experiment knows them: nobody does when a prediction is due.
    own_noise: w_u and w_j, since users and items differ in how well they can be foreseen; priors Gamma(nu / 2, nu / 2).
    day: s, one number for all that a user rates on one day (UTC). Such a prediction must know the day, as one does
    today, and then leans on other ratings of the same user on the same day, which a shop has only if she rates several
    things in one visit. In an experiment with random rows they are as often later as earlier than the one foreseen.

    A prediction is the mean over the draws, so no penalty needs tuning: each precision is drawn along with the rest.
    Rendle (2010), Factorization machines, ICDM; Freudenthaler, Schmidt-Thieme, Rendle (2011), Bayesian factorization
    machines; Salakhutdinov, Mnih (2008), Bayesian probabilistic matrix factorization using MCMC, ICML; the features as
    in Simm et al. (2017), Macau, MLSP. Defaults were chosen on a tenth of the training part of u1.
    d, burn_in ≥ 0; samples ≥ 1; nu_u, nu_j > 0; seed ≥ 0.
    """

    user_features: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)  # name: (n_users, f)
    item_features: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)  # name: (n_items, f)
    d: int = 8
    histories: bool = True
    own_noise: bool = True
    day: bool = False
    samples: int = 200
    burn_in: int = 20
    nu_u: float = 10.0
    nu_j: float = 20.0
    seed: int = 0

    def __post_init__(self) -> None:
        settings(self, d=NATURAL, samples=COUNT, burn_in=NATURAL, nu_u=POSITIVE, nu_j=POSITIVE, seed=SEED)

    @threadpool_limits.wrap(limits=1)  # steps of milliseconds: a second thread costs more than it brings
    def fit(self, train: Interactions, progress: Callable[[Iterable[int]], Iterable[int]] = iter) -> Self:
        """``burn_in + samples`` rounds, the last ``samples`` of which are kept. ``progress`` wraps the rounds."""
        cells, rng, k = Cells.of(train), np.random.default_rng(self.seed), self.d + 1
        u, j, r, X = cells.u, cells.j, cells.r, train.matrix()
        sides_u, sides_j = self._sides(self.user_features, X), self._sides(self.item_features, X.T)
        U, V = (0.1 * rng.normal(size=(n, k)) for n in X.shape)
        mean_u, mean_j, lam_u, lam_j = np.zeros_like(U), np.zeros_like(V), np.full(k, 10.0), np.full(k, 10.0)
        self.sessions_, at = np.unique(self._session(u, cells.time), return_inverse=True)
        s, lam_s = np.zeros(len(self.sessions_)), np.array([10.0])
        mu, alpha, w_u, w_j = r.mean(), 1.0, np.ones(train.n_users), np.ones(train.n_items)
        self.range_, self.draws_ = (r.min(), r.max()), []
        for step in progress(range(self.burn_in + self.samples)):
            w, left = alpha * w_u[u] * w_j[j], r - mu - s[at]  # precision of each cell; what factors have to explain
            U = half_step(cells.rows, with_one(V), left - V[j, -1], w, lam_u, mean_u, rng)
            mean_u, lam_u = _draw_factors_prior(sides_u, U, lam_u, rng)
            left_j, w_by_item = (left - U[u, -1])[cells.by_item], w[cells.by_item]
            V = half_step(cells.columns, with_one(U), left_j, w_by_item, lam_j, mean_j, rng)
            mean_j, lam_j = _draw_factors_prior(sides_j, V, lam_j, rng)
            left = r - pair_sums(U, V, u, j)
            if self.day:
                precision = lam_s + np.bincount(at, w)
                s = np.bincount(at, w * (left - mu)) / precision + rng.normal(size=len(s)) / np.sqrt(precision)
                lam_s = _draw_precision(s[:, None], rng)
            mu = w @ (left - s[at]) / w.sum() + rng.normal() / np.sqrt(w.sum())
            squared = (left - s[at] - mu) ** 2
            alpha = rng.gamma(1 + len(r) / 2, 1 / (1 + w_u[u] * w_j[j] @ squared / 2))
            if self.own_noise:
                w_u = _draw_weights(u, alpha * w_j[j] * squared, self.nu_u, train.n_users, rng)
                w_j = _draw_weights(j, alpha * w_u[u] * squared, self.nu_j, train.n_items, rng)
            if step >= self.burn_in:
                self.draws_.append(Draw(mu, U, V, s, 1 / lam_s[0], 1 / alpha, w_u, w_j))
        return self

    def _sides(self, features: Mapping[str, np.ndarray], X: sp.csr_matrix) -> list[_Side]:
        """The groups of features of the rows of X, the history among them."""
        tables = {name: array(f"The features {name!r}", F, ndim=2) for name, F in features.items()}
        for name, F in tables.items():
            if len(F) != X.shape[0] or not F.any():
                raise CourseError(
                    f"The features {name!r} have the shape {F.shape}: a table of {X.shape[0]} rows of finite"
                    " numbers is wanted, not all of them 0."
                )
        groups = [*tables.values(), *([unit_rows(X.toarray())] if self.histories else [])]
        return [_Side(F, self.d + 1) for F in groups]

    def _session(self, users: np.ndarray, times: np.ndarray) -> np.ndarray:
        """One whole number for each user and day, in seconds since 1970 / DAY; without ``day`` one for each user."""
        return users * 1_000_000 + (times // DAY if self.day else 0)

    def draws(self, users: np.ndarray, items: np.ndarray, times: np.ndarray | None = None) -> np.ndarray:
        """The expected rating of each pair in each draw, not clipped, (samples, len(users)). times: seconds since 1970.

        A day on which the user has no training rating has s = 0.
        """
        users, items = known_pairs(users, items, len(self.draws_[0].U), len(self.draws_[0].V))
        if self.day != (times is not None):
            raise CourseError(
                f"This model has day={self.day}: " + ("give" if self.day else "leave out") + " the times."
            )
        R = np.stack([draw.mu + pair_sums(draw.U, draw.V, users, items) for draw in self.draws_])
        if times is not None:
            times = array("times", times, ndim=1).astype(np.int64)
            same_length(users=users, times=times)
            at, seen = self._places(users, times)
            R[:, seen] += np.stack([draw.session for draw in self.draws_])[:, at[seen]]
        return R

    def _places(self, users: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where each user's day is among ``sessions_``, and whether it is there, (len(users),) each."""
        wanted = self._session(users, times)
        at = np.searchsorted(self.sessions_, wanted).clip(max=len(self.sessions_) - 1)
        return at, self.sessions_[at] == wanted

    def predict(self, users: np.ndarray, items: np.ndarray, times: np.ndarray | None = None) -> np.ndarray:
        """The mean of the draws, within the range of the training part, in stars, (len(users),)."""
        return np.clip(self.draws(users, items, times).mean(axis=0), *self.range_)

    def sd(self, users: np.ndarray, items: np.ndarray, times: np.ndarray | None = None) -> np.ndarray:
        """Standard deviation of a rating as foreseen, in stars, (len(users),).

        The variance of the draws, for what the model does not know, plus the mean noise, for what nobody can.
        """
        users, items = known_pairs(users, items, len(self.draws_[0].U), len(self.draws_[0].V))
        variance = self.draws(users, items, times).var(axis=0)
        variance += np.mean([draw.noise / (draw.w_u[users] * draw.w_j[items]) for draw in self.draws_], axis=0)
        if times is not None:
            times = array("times", times, ndim=1).astype(np.int64)
            variance += np.where(self._places(users, times)[1], 0.0, np.mean([draw.spread for draw in self.draws_]))
        return np.sqrt(variance)

    def score(self, users: np.ndarray) -> np.ndarray:
        """Mean over the draws of all items' ratings, (len(users), n_items), not clipped; without the day."""
        users = known(users, len(self.draws_[0].U))
        total = np.zeros((len(users), len(self.draws_[0].V)))
        for draw in self.draws_:
            U = draw.U[users]
            total += draw.mu + U[:, -1:] + draw.V[:, -1] + U[:, :-1] @ draw.V[:, :-1].T
        return total / len(self.draws_)
