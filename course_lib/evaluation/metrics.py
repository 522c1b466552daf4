"""Metrics of ratings and of rankings, each a few lines.

A ranking metric sees two things: ``hits``, (n_users, N) bool, whether the item at each place of a user's list is
relevant; and ``n_relevant``, (n_users,) int, how many relevant items the user has in all. It returns one value a
user, (n_users,). A user without relevant items has no value: NaN, never a silent 0 or 1. What is not such a table, or
holds NaN, raises CourseError.
"""

import numpy as np
from scipy.sparse import csr_matrix

from course_lib.errors import CourseError
from course_lib.inputs import COUNT, array, matrix, same_length


def _checked(hits: np.ndarray, n_relevant: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """hits (n_users, N) bool and n_relevant (n_users,) int."""
    found, n = array("hits", hits, ndim=2, keep=True), array("n_relevant", n_relevant, ndim=1)
    same_length(hits=found, n_relevant=n)
    if not found.shape[1] or (n < 0).any() or (n % 1).any():
        raise CourseError("A list has a place at least, and n_relevant are whole numbers of at least 0.")
    return found > 0, n.astype(np.int64)


def _lists(lists: np.ndarray, n_items: int) -> np.ndarray:
    """lists (n_users, N) as ids from -1, an empty place, to n_items - 1."""
    found = array("lists", lists, ndim=2)
    if (found % 1).any() or not ((found >= -1) & (found < n_items)).all():
        raise CourseError(
            f"lists hold item ids from 0 to {n_items - 1}, or -1 for an empty place; one is none of them."
        )
    return found.astype(np.int64)


def _per_user(values: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
    return np.where(n_relevant > 0, values, np.nan)


def precision(hits: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
    """Share of the N places that hold a relevant item: |hits| / N."""
    hits, n_relevant = _checked(hits, n_relevant)
    return _per_user(hits.sum(axis=1) / hits.shape[1], n_relevant)


def recall(hits: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
    """Share of the relevant items that are in the list: |hits| / n_relevant."""
    hits, n_relevant = _checked(hits, n_relevant)
    return _per_user(hits.sum(axis=1) / np.maximum(n_relevant, 1), n_relevant)


def f1(hits: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
    """Harmonic mean of precision and recall, 2|hits| / (N + n_relevant); 0 where there is no hit."""
    hits, n_relevant = _checked(hits, n_relevant)
    return _per_user(2 * hits.sum(axis=1) / (hits.shape[1] + n_relevant), n_relevant)


def hit_rate(hits: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
    """1 if at least one relevant item is in the list."""
    hits, n_relevant = _checked(hits, n_relevant)
    return _per_user(hits.any(axis=1).astype(float), n_relevant)


def mrr(hits: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
    """Reciprocal rank of the first hit, 1 / rank; 0 without a hit."""
    hits, n_relevant = _checked(hits, n_relevant)
    return _per_user(np.where(hits.any(axis=1), 1 / (hits.argmax(axis=1) + 1), 0), n_relevant)


def average_precision(hits: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
    """AP@N = sum over hits of precision at that rank, divided by min(n_relevant, N); its mean is MAP@N."""
    hits, n_relevant = _checked(hits, n_relevant)
    ranks = np.arange(1, hits.shape[1] + 1)
    at_hits = (hits.cumsum(axis=1) / ranks * hits).sum(axis=1)
    return _per_user(at_hits / np.clip(n_relevant, 1, hits.shape[1]), n_relevant)


def ndcg(hits: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
    """DCG / ideal DCG with binary gains and discount 1 / log2(rank + 1) (Järvelin & Kekäläinen 2002)."""
    hits, n_relevant = _checked(hits, n_relevant)
    discount = 1 / np.log2(np.arange(2, hits.shape[1] + 2))
    ideal = np.concatenate([[0], discount.cumsum()])[np.minimum(n_relevant, hits.shape[1])]
    return _per_user((hits * discount).sum(axis=1) / np.where(ideal > 0, ideal, 1), n_relevant)


RANKING = {
    "precision": precision,
    "recall": recall,
    "f1": f1,
    "ndcg": ndcg,
    "mrr": mrr,
    "hit_rate": hit_rate,
    "map": average_precision,
}


def coverage(lists: np.ndarray, n_items: int) -> float:
    """Share of the catalogue that is in at least one list. lists: (n_users, N) item ids, -1 for an empty place.

    n_items: ≥ 1.
    """
    lists = _lists(lists, COUNT("n_items", n_items))
    return len(np.unique(lists[lists >= 0])) / n_items


def intra_list_diversity(lists: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Mean cosine distance, 0 to 2, between the items of each list (Ziegler et al. 2005): (n_users,).

    lists: (n_users, N) item ids without empty places. features: (n_items, d); an item whose features are all zero
    is at distance 1 from every other.
    """
    features = array("features", features, ndim=2, keep=True)
    lists = _lists(lists, len(features))
    n = lists.shape[1]
    if n < 2:
        raise CourseError("Diversity compares the items of a list with one another: it needs lists of at least two.")
    if (lists < 0).any():
        raise CourseError("Diversity is of whole lists: leave out the users whose list has empty places (-1).")
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    unit = (features / np.where(norms > 0, norms, 1))[lists]  # (n_users, N, d)
    together = np.einsum("und,umd->unm", unit, unit).sum(axis=(1, 2)) - (unit**2).sum(axis=(1, 2))
    return 1 - together / (n * (n - 1))


def novelty(lists: np.ndarray, train: csr_matrix) -> np.ndarray:
    """Mean self-information -log2 p(item), in bits, of each list (Vargas & Castells 2011): (n_users,).

    p(item): share of users with the item in ``train`` (n_users, n_items), add-one smoothed. Empty places (-1) do not
    count; a list of nothing else has no novelty, NaN.
    """
    train = matrix("train", train)
    lists = _lists(lists, train.shape[1])
    counts = np.asarray((train > 0).sum(axis=0)).ravel()
    bits = -np.log2((counts + 1) / (train.shape[0] + 1))
    there = lists >= 0
    return np.where(there, bits[lists], 0).sum(axis=1) / np.where(there.any(axis=1), there.sum(axis=1), np.nan)


def _errors(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    truth, predicted = array("truth", truth), array("predicted", predicted)
    if truth.shape != predicted.shape or not truth.size:
        raise CourseError(
            f"An error compares each rating with its prediction; got the shapes {truth.shape} and {predicted.shape}."
        )
    return truth - predicted


def rmse(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Root mean squared error, in stars."""
    return float(np.sqrt(np.mean(_errors(truth, predicted) ** 2)))


def mae(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean absolute error, in stars."""
    return float(np.mean(np.abs(_errors(truth, predicted))))
