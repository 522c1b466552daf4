"""For whom, for which films, and on which draw of the split? What one mean over all users hides."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError
from course_lib.evaluation.metrics import RANKING
from course_lib.evaluation.protocol import Evaluation
from course_lib.evaluation.significance import bootstrap_interval
from course_lib.inputs import array, choice


def thirds(values: np.ndarray, names: tuple[str, str, str]) -> np.ndarray:
    """A name for each of ``values`` (n,): the lowest, the middle, the highest third. Equal values stay together."""
    values = array("values", values, ndim=1)
    if not len(values):
        raise CourseError("There is no value to divide into thirds.")
    cuts = np.quantile(values, [1 / 3, 2 / 3], method="lower")
    return np.asarray(names, dtype=object)[np.searchsorted(cuts, values, side="left")]


def popularity_thirds(train: Interactions, names: tuple[str, str, str] = ("tail", "middle", "head")) -> np.ndarray:
    """A name for each item (n_items,), such that each name has about a third of the *rows* of ``train``.

    A few popular items make up the head, many rare ones the tail. Items of equal count stay together.
    """
    count = np.bincount(train.item, minlength=train.n_items)
    in_order = np.sort(count)
    below = np.concatenate([[0], in_order.cumsum()])[np.searchsorted(in_order, count)]  # rows of all rarer items
    return np.asarray(names, dtype=object)[np.minimum(3 * below // max(len(train), 1), 2)]


def by_group(result: Evaluation, metric: str, group_of_user: pd.Series, seed: int = 0) -> pd.DataFrame:
    """Mean of ``metric`` in each group of users: one row a (model, group) with mean, low, high (95 %) and n users.

    group_of_user: indexed by user id. Its order of groups is kept if it is categorical, else they are sorted. seed ≥ 0.
    """
    choice("metric", metric, RANKING)
    group_of_user = _named(group_of_user)
    unknown = np.setdiff1d(result.users, group_of_user.index)
    if len(unknown):
        raise CourseError(f"{len(unknown)} evaluated users have no group, the first is user {unknown[0]}.")
    group = group_of_user.loc[result.users]
    members = {name: (group == name).to_numpy() for name in _order(group_of_user)}
    values = {
        (model, name): per_user[metric][rows]
        for model, per_user in result.per_user.items()
        for name, rows in members.items()
        if rows.any()
    }
    return _intervals(values, seed)


def recall_by_item_group(
    result: Evaluation, relevant: Interactions, group_of_item: np.ndarray, seed: int = 0
) -> pd.DataFrame:
    """Recall of the relevant items of each group alone: rows as in `by_group`, n the users who have such an item.

    For user i and group g: |list ∩ relevant ∩ g| / |relevant ∩ g|, mean over the users for whom it is defined.
    relevant: the split's test part. group_of_item: (n_items,) names. seed ≥ 0.
    """
    groups = _named(group_of_item)
    if len(groups) != result.n_items:
        raise CourseError(f"There are {result.n_items} items, but groups of {len(groups)}.")
    truth = np.asarray(relevant.matrix()[result.users].todense(), dtype=bool)  # (n_users, n_items)
    values = {}
    for model, lists in result.lists.items():
        shown = np.take_along_axis(truth, lists, axis=1) & (lists >= 0)
        for name in _order(groups):
            inside = (groups == name).to_numpy()
            wanted = truth[:, inside].sum(axis=1)
            found = (shown & inside[lists]).sum(axis=1)
            if wanted.any():
                values[model, name] = found[wanted > 0] / wanted[wanted > 0]
    return _intervals(values, seed)


def _named(groups: pd.Series | np.ndarray) -> pd.Series:
    """``groups`` as a Series of names, each id once and none without a name."""
    found = pd.Series(groups)
    if found.isna().any() or not found.index.is_unique:
        raise CourseError("Each id has one group, and its name is not missing: drop repeated rows, fill in the names.")
    return found


def _order(groups: pd.Series) -> list:
    return list(groups.cat.categories) if isinstance(groups.dtype, pd.CategoricalDtype) else sorted(set(groups))


def _intervals(values: Mapping[tuple, np.ndarray], seed: int) -> pd.DataFrame:
    rows = {}
    if not values:
        raise CourseError("There is no user in any group: nothing can be averaged.")
    for key, per_user in values.items():
        interval = bootstrap_interval(per_user, seed)
        rows[key] = {"mean": interval.mean, "low": interval.low, "high": interval.high, "n": len(per_user)}
    return pd.DataFrame.from_dict(rows, orient="index").set_axis(
        pd.MultiIndex.from_tuples(rows, names=["model", "group"])
    )
