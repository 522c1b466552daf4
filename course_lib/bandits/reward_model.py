"""q̂(x, a), the click rate that a model expects, fitted so that no row of the log predicts itself."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, hstack
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder

from course_lib import inputs
from course_lib.bandits.checks import checked_policy, columns
from course_lib.bandits.off_policy import policy_weights
from course_lib.data.open_bandit import USER
from course_lib.errors import CourseError


@dataclass
class ClickModel:
    """logit q̂(x, a) = bias + Σ_j context_j + item_a: a logistic regression on one-hots (sklearn), ridge 1/C.

    An item, or a code of the context, that the fitted rows never show has the coefficient 0: it is expected to be
    clicked like an average one. context: (n, d) codes, such as position and user features; item: (n,). n_items: A ≥ 1.
    C: > 0.
    """

    n_items: int
    C: float = 1.0

    def __post_init__(self) -> None:
        inputs.settings(self, n_items=inputs.COUNT, C=inputs.POSITIVE)

    def fit(self, context: np.ndarray, item: np.ndarray, click: np.ndarray) -> Self:
        """Learn from rows that were shown; click (n,) is 0 or 1."""
        context, (item, click) = _codes(context), columns(item=item, click=click)
        if len(context) != len(item):
            raise CourseError(
                f"The context has {len(context)} rows and the log {len(item)}: one row for each is needed."
            )
        if not np.isin(click, (0, 1)).all():
            raise CourseError("A click is 0 or 1, and the log holds other rewards: this model cannot be fitted to it.")
        if item.min() < 0 or item.max() >= self.n_items:
            raise CourseError(f"The log names item {item.max()}, but the model knows {self.n_items} items.")
        item = inputs.ids("item", item, self.n_items)
        if click.min() == click.max():
            raise CourseError(
                f"All {len(click)} rows to fit on have the reward {click[0]}: use more rows or fewer folds."
            )
        self.encoder_ = OneHotEncoder(handle_unknown="ignore").fit(context)
        items = csr_matrix((np.ones(len(item)), (np.arange(len(item)), item)), (len(item), self.n_items))
        X = hstack([self.encoder_.transform(context), items], format="csr")  # (n, codes + A)
        model = LogisticRegression(C=self.C, solver="newton-cholesky", tol=1e-6).fit(X, click)
        split = X.shape[1] - self.n_items
        inputs.all_finite("The coefficients", model.coef_, "choose a smaller C")
        self.bias_, self.context_, self.item_ = model.intercept_[0], model.coef_[0, :split], model.coef_[0, split:]
        return self

    def predict(self, context: np.ndarray) -> np.ndarray:
        """(n, A): q̂ of every item in every context."""
        if not hasattr(self, "encoder_"):
            raise CourseError("This ClickModel has not been fitted yet: call fit before it predicts.")
        context = _codes(context)
        if context.shape[1] != self.encoder_.n_features_in_:
            raise CourseError(f"A context has {self.encoder_.n_features_in_} codes, as in fit; got {context.shape[1]}.")
        logit = self.bias_ + (self.encoder_.transform(context) @ self.context_)[:, None] + self.item_
        return 1 / (1 + np.exp(-logit))


def _codes(context: np.ndarray) -> np.ndarray:
    """``context`` as a table (n, d), n ≥ 1, without a missing code."""
    table = np.asarray(context)
    if table.ndim != 2 or not table.size or pd.isna(table).any():
        raise CourseError(f"A context is a row of codes, none of them missing; got the shape {table.shape}.")
    return table


def fold_of_rows(n: int, folds: int, seed: int, group: np.ndarray | None = None) -> np.ndarray:
    """(n,): the fold of each row, at random, folds of nearly one size; rows of one ``group`` share a fold.

    Copies of one row that a bootstrap has drawn are a group: in two folds, a row would predict its own copy. n: ≥ 1.
    folds: from 2 to the number of groups. seed: ≥ 0.
    """
    n, folds = inputs.whole("n", n, at_least=1), inputs.whole("folds", folds)
    if group is not None and (np.ndim(group) != 1 or pd.isna(np.asarray(group)).any()):
        raise CourseError("A group is one name or number for each row, none of them missing.")
    _, member = np.unique(np.arange(n) if group is None else group, return_inverse=True)
    if len(member) != n:
        raise CourseError(f"{n} rows need {n} groups; got {len(member)}.")
    n_groups = int(member.max()) + 1
    if not 2 <= folds <= n_groups:
        raise CourseError(f"Cross-fitting needs from 2 to {n_groups} folds, one group or more in each; got {folds}.")
    return (inputs.generator(seed).permutation(n_groups) % folds)[member]


def cross_fitted(
    model: ClickModel,
    context: np.ndarray,
    item: np.ndarray,
    click: np.ndarray,
    seed: int,
    folds: int = 3,
    group: np.ndarray | None = None,
) -> np.ndarray:
    """q̂ (n, A) of every item in every row, by ``model`` fitted on the other folds (Chernozhukov et al. 2018).

    A model that has seen the click of a row expects it: the residuals r − q̂ that doubly robust corrects with shrink.
    """
    context, (item, click) = _codes(context), columns(item=item, click=click)
    if len(context) != len(item):
        raise CourseError(f"The context has {len(context)} rows and the log {len(item)}: one row for each is needed.")
    fold = fold_of_rows(len(item), folds, seed, group)
    q = np.empty((len(item), model.n_items))
    for k in range(folds):
        rest = fold != k
        q[~rest] = model.fit(context[rest], item[rest], click[rest]).predict(context[~rest])
    return q


def columns_of_log(
    log: pd.DataFrame, policy: np.ndarray, seed: int, resample: bool = False, folds: int = 3
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What the estimators need, (reward, w, q_logged, q_evaluation), of an Open Bandit ``log``; each (n,).

    policy: (3, A), by position, is the one to be evaluated. q̂ is cross-fitted from position, user features and item.
    ``resample``: from a bootstrap of the rows, with copies of a row in one fold. folds: ≥ 2. seed: ≥ 0.
    """
    rng, policy = inputs.generator(seed), checked_policy(policy)
    if not len(log) or policy.ndim != 2 or not log["position"].between(1, len(policy)).all():
        raise CourseError(f"The log has rows, each at a position from 1 to {len(policy)}, the rows of the policy.")
    rows = rng.integers(len(log), size=len(log)) if resample else np.arange(len(log))
    table = log.iloc[rows]
    context, item = table[["position", *USER]].to_numpy(), table["item"].to_numpy()
    reward, pi = table["click"].to_numpy(dtype=float), policy[table["position"] - 1]  # (n,) and (n, A)
    w = policy_weights(pi, item, table["propensity"].to_numpy())
    q = cross_fitted(ClickModel(policy.shape[1]), context, item, reward, seed, folds, group=rows)
    return reward, w, q[np.arange(len(item)), item], (pi * q).sum(axis=1)
