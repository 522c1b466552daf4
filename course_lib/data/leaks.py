"""Does a split let the test into the training? Every way of asking that the tables alone can answer."""

import numpy as np
import pandas as pd

from course_lib.data.interactions import Interactions, Split
from course_lib.errors import CourseError


def pairs(interactions: Interactions) -> np.ndarray:
    """One number a (user, item) pair: (n,) int64."""
    return interactions.user * interactions.n_items + interactions.item


def leaks(split: Split) -> dict[str, float]:
    """Shares of the test rows, from 0 to 1:

    repeated: the same user and item are also in train. future of others: train holds rows from after the test row.
    own future: train holds rows of the same user from after it. new user, new item: train has no row of them.
    """
    train, test = split.train, split.test
    if not len(train) or not len(test):
        raise CourseError(f"The split {split.name!r} has no row in train or in test: there is nothing to compare.")
    last = pd.Series(train.time).groupby(train.user).max().reindex(test.user).to_numpy()
    return {
        "repeated": float(np.isin(pairs(test), pairs(train)).mean()),
        "future of others": float((test.time < train.time.max()).mean()),
        "own future": float((test.time < np.nan_to_num(last, nan=-np.inf)).mean()),
        "new user": float((~np.isin(test.user, train.user)).mean()),
        "new item": float((~np.isin(test.item, train.item)).mean()),
    }


def require_disjoint(split: Split) -> Split:
    """``split``, refused with one sentence if a (user, item) pair stands in two of its parts."""
    parts = {"train": split.train, "valid": split.valid, "test": split.test}
    for one, other in (("train", "test"), ("train", "valid"), ("valid", "test")):
        shared = np.intersect1d(pairs(parts[one]), pairs(parts[other]))
        if len(shared):
            user, item = divmod(int(shared[0]), split.train.n_items)
            raise CourseError(
                f"The split {split.name!r} has {len(shared):,} pairs in both {one} and {other}, the first is user"
                f" {user} with item {item}: drop duplicates before splitting."
            )
    return split
