"""What every recommender asks of its ids, its training part and its equations, in one place."""

import numpy as np
import scipy.sparse as sp

from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError
from course_lib.inputs import all_finite, same_length


def known(ids: np.ndarray, n: int, what: str = "user") -> np.ndarray:
    """``ids`` as int64, refused with one sentence if one of them is not a whole number from 0 to n - 1."""
    ids = np.atleast_1d(np.asarray(ids))
    if ids.size and not np.issubdtype(ids.dtype, np.integer):
        raise CourseError(f"{what.capitalize()} ids must be whole numbers; these have type {ids.dtype}.")
    wrong = ids[(ids < 0) | (ids >= n)]
    if wrong.size:
        raise CourseError(
            f"The {what} id {wrong[0]} is unknown: the model was fitted on {n} {what}s, numbered 0 to {n - 1}."
        )
    return ids.astype(np.int64)


def known_pairs(users: np.ndarray, items: np.ndarray, n_users: int, n_items: int) -> tuple[np.ndarray, np.ndarray]:
    """Both sides of the pairs (users[m], items[m]), each as by ``known``; refused where they differ in length."""
    users, items = known(users, n_users), known(items, n_items, "item")
    same_length(users=users, items=items)
    return users, items


def solve(A: np.ndarray, b: np.ndarray) -> np.ndarray:
    """x of A x = b; CourseError where there is no single answer, or none that is finite."""
    try:
        return all_finite("The solution", np.linalg.solve(A, b), "raise the penalty lam, or scale the input")
    except np.linalg.LinAlgError as error:
        raise CourseError(f"The equations have no single solution ({error}): raise the penalty lam.") from error


def checked(train: Interactions) -> Interactions:
    """``train`` with each pair once; one sentence if it is empty."""
    if len(train) == 0:
        raise CourseError("The training part has no rows: check the split and the filter before it.")
    return train.distinct()


def or_popular(scores: np.ndarray, rows: sp.csr_matrix, popularity: np.ndarray) -> np.ndarray:
    """``scores`` with the popularity counts in the rows of users whose history ``rows`` is empty."""
    empty = np.diff(rows.indptr) == 0
    scores[empty] = popularity
    return scores
