"""Ways to divide interactions into train, valid and test, and what each lets through.

Every function returns a `Split` whose three parts are disjoint and together hold what went in (``cold_items`` too).
valid, test: shares from 0 to 1, together at most 1. seed: a whole number ≥ 0.
"""

import numpy as np

from course_lib.data.interactions import Interactions, Split
from course_lib.errors import CourseError
from course_lib.inputs import SEED, SHARE, whole


def _split(name: str, interactions: Interactions, part: np.ndarray) -> Split:
    """part: (n,) with 0 for train, 1 for valid, 2 for test."""
    train, valid, test = (interactions.keep(part == k) for k in range(3))
    if not len(train) or not len(test):
        raise CourseError(
            f"The split {name!r} leaves train or test empty: ask for smaller shares or give it more data."
        )
    return Split(name, train, valid, test)


def _per_user(interactions: Interactions) -> list[np.ndarray]:
    """Row positions of each user, in order of user, rows in file order."""
    order = np.argsort(interactions.user, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(interactions.user[order])) + 1)


def _shares(valid: float, test: float) -> None:
    if SHARE("valid", valid) + SHARE("test", test) > 1:
        raise CourseError(f"valid and test are shares of all rows, together at most 1; got {valid} and {test}.")


def _count(share: float, rows: np.ndarray) -> int:
    return int(share * len(rows) + 0.5)


def random_per_user(interactions: Interactions, seed: int, valid: float = 0.1, test: float = 0.1) -> Split:
    """A random share of each user's rows. Used by LightGCN, RecBole's default and most papers.

    Leaks time: a film of next month helps to predict last week. With the positives of MovieLens-100K, seed by
    seed, this is the course's protocol P1.
    """
    _shares(valid, test)
    rng, part = np.random.default_rng(SEED("seed", seed)), np.zeros(len(interactions), dtype=int)
    for rows in _per_user(interactions):
        shuffled, n_test, n_valid = rng.permutation(rows), _count(test, rows), _count(valid, rows)
        part[shuffled[:n_test]], part[shuffled[n_test : n_test + n_valid]] = 2, 1
    return _split("random per user", interactions, part)


def time_per_user(interactions: Interactions, valid: float = 0.1, test: float = 0.1) -> Split:
    """The last share of each user's rows by time (ties in file order). Used by sequential recommenders.

    Leaks across users: what others did after this user's cut is in train.
    """
    _shares(valid, test)
    part = np.zeros(len(interactions), dtype=int)
    for rows in _per_user(interactions):
        late = rows[np.argsort(interactions.time[rows], kind="stable")][::-1]
        n_test, n_valid = _count(test, rows), _count(valid, rows)
        part[late[:n_test]], part[late[n_test : n_test + n_valid]] = 2, 1
    return _split("per-user time", interactions, part)


def leave_last_out(interactions: Interactions, seed: int | None = None) -> Split:
    """Each user's last row is the test, the one before it validation: protocol P3.

    Rows of one instant come in file order; with a ``seed`` in a random order, as good as any other.

    Used by SASRec, BERT4Rec and most LLM recommenders. Leaks across users as `time_per_user` does: it may
    recommend items that did not exist yet (Ji et al. 2020). On MovieLens-100K 44 % of the users have a tie in
    time at their last row, so the rule for ties moves the result.
    """
    rng = None if seed is None else np.random.default_rng(SEED("seed", seed))
    part = np.zeros(len(interactions), dtype=int)
    for rows in _per_user(interactions):
        rows = rows if rng is None else rng.permutation(rows)
        late = rows[np.argsort(interactions.time[rows], kind="stable")][::-1]
        part[late[:1]], part[late[1:2]] = 2, 1
    return _split("leave last out", interactions, part)


def global_time(interactions: Interactions, valid: float = 0.1, test: float = 0.1) -> Split:
    """Everything before one date trains, everything after the next is the test: what a launch looks like.

    Leaks nothing. Rows of one instant stay together. Users who appear only after the cut have no history.
    """
    _shares(valid, test)
    if not len(interactions):
        raise CourseError("There is no row to split: check the filter before it.")
    for_valid, for_test = np.quantile(interactions.time, [1 - test - valid, 1 - test], method="lower")
    return _split(
        "global time", interactions, (interactions.time > for_valid).astype(int) + (interactions.time > for_test)
    )


def canonical(ratings: Interactions, fold: int) -> Split:
    """The published fold u1–u5: the ``fold``-th block of 20,000 rows is the test. Used by GC-MC, IGMC, GLocal-K.

    The blocks are in file order, which is random in time: leaks like `random_per_user`. It is not random in users: u1
    hides 38 % of the ratings of 459 of them, and none of the others'. There is no validation part; take one out of
    train. fold: from 1 to 5.
    """
    fold = whole("fold", fold, at_least=1, at_most=5)
    if len(ratings) != 100_000:
        raise CourseError(f"The canonical folds are those of all 100,000 ratings; got {len(ratings):,} rows.")
    part = np.zeros(len(ratings), dtype=int)
    part[(fold - 1) * 20_000 : fold * 20_000] = 2
    return _split(f"canonical u{fold}", ratings, part)


def cold_items(interactions: Interactions, n: int, seed: int) -> Split:
    """All rows of ``n`` random items are the test: nobody has ever rated them. Used in cold-start papers.

    Leaks time like `random_per_user`, but no behaviour on the test items. There is no validation part; hold out
    further items of train for choosing. n: from 1 to the number of items that have rows, minus 1.
    """
    known = np.unique(interactions.item)
    if not 0 < whole("n", n) < len(known):
        raise CourseError(
            f"cold_items can hold out 1 to {len(known) - 1} of the {len(known)} items that have rows; got {n}."
        )
    cold = np.random.default_rng(SEED("seed", seed)).choice(known, n, replace=False)
    return _split("cold items", interactions, 2 * np.isin(interactions.item, cold))
