"""Recommenders that read the order of a history: what came last says most about what comes next.

Letters as in `baselines`. W (n_users, n_items) holds exp(-age / tau) for an item of u's history, age 0 for her latest,
1 for the one before it; ties in time in the order of the rows.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy.sparse as sp

from course_lib.data.interactions import Interactions
from course_lib.inputs import COUNT, POSITIVE, settings
from course_lib.ranking.baselines import EASE
from course_lib.ranking.checks import checked, known, or_popular

# At 10, on each user's last film, as published for a model of 7 billion weights: Yue et al. (2023), LlamaRec.
LLAMAREC = {"ndcg": 0.0759, "recall": 0.1524}


def by_time(train: Interactions) -> tuple[np.ndarray, np.ndarray]:
    """(rows, age), (n,) each: the row numbers of ``train`` user by user in order of time, and each row's age."""
    rows = np.lexsort((train.time, train.user))  # stable, so that ties keep the order of the rows
    ends = np.cumsum(np.bincount(train.user, minlength=train.n_users))  # where each user's rows end
    return rows, ends[train.user[rows]] - 1 - np.arange(len(rows))


def recent(train: Interactions, tau: float) -> sp.csr_matrix:
    """W (n_users, n_items); an item that comes twice counts by its last row.

    tau > 0: the number of items after which a memory has faded to 37 %.
    """
    train, tau = checked(train), POSITIVE("tau", tau)
    rows, age = by_time(train)
    faded = np.exp(-age / tau), (train.user[rows], train.item[rows])
    return sp.csr_matrix(faded, shape=(train.n_users, train.n_items))


@dataclass
class RecentEASE:
    """s_u = w_u B, with EASE's B: the same map between items as `EASE`, read from a history that fades.

    lam, tau > 0.
    """

    lam: float = 300.0
    tau: float = 10.0

    def __post_init__(self) -> None:
        settings(self, lam=POSITIVE, tau=POSITIVE)

    def fit(self, train: Interactions) -> Self:
        """EASE's matrix, and the faded histories."""
        ease = EASE(self.lam).fit(train)
        self.W_, self.B_, self.popularity_ = recent(train, self.tau), ease.B_, ease.popularity_
        return self

    def score(self, users: np.ndarray) -> np.ndarray:
        """W_u B, (len(users), n_items); popularity for a user without history."""
        rows = self.W_[known(users, self.W_.shape[0])]
        return or_popular(rows @ self.B_, rows, self.popularity_)


@dataclass
class Transitions:
    """s_uj = sum over l of w_ul T_lj, with T_lj = C_lj / sqrt(C_l. C_.j): what follows what, a Markov chain with skips.

    C_lj = sum over all pairs (l, then j, at most ``window`` places later) in a history of exp(-places / reach).
    Rendle, Freudenthaler, Schmidt-Thieme (2010), Factorizing personalized Markov chains, WWW, for the chain; here
    counted instead of factorised. reach, tau > 0; window ≥ 1.
    """

    reach: float = 10.0
    window: int = 20
    tau: float = 5.0

    def __post_init__(self) -> None:
        settings(self, reach=POSITIVE, window=COUNT, tau=POSITIVE)

    def fit(self, train: Interactions) -> Self:
        """Count the transitions."""
        train = checked(train)
        rows, _ = by_time(train)
        user, item = train.user[rows], train.item[rows]
        shape, C = (train.n_items, train.n_items), sp.csr_matrix((train.n_items, train.n_items))
        for places in range(1, min(self.window, int(np.bincount(user).max())) + 1):  # no history is longer
            same = user[:-places] == user[places:]
            pairs = item[:-places][same], item[places:][same]
            C += sp.csr_matrix((np.full(same.sum(), np.exp(-places / self.reach)), pairs), shape=shape)
        left, right = (np.maximum(np.asarray(C.sum(axis=axis)).ravel(), 1) for axis in (1, 0))
        self.T_ = (sp.diags_array(left**-0.5) @ C @ sp.diags_array(right**-0.5)).toarray()
        self.W_, self.popularity_ = recent(train, self.tau), np.bincount(train.item, minlength=train.n_items)
        return self

    def score(self, users: np.ndarray) -> np.ndarray:
        """W_u T, (len(users), n_items); popularity for a user without history."""
        rows = self.W_[known(users, self.W_.shape[0])]
        return or_popular(rows @ self.T_, rows, self.popularity_)
