"""Exercises of lesson 03b: attention on a history, a memory that fades, transitions."""

import numpy as np

from course_lib.exercises.judge import Case, Exercise


def some_history(rng: np.random.Generator) -> Case:
    """A user's ratings; the film asked about is one of them, or not, and there is always another."""
    n = rng.integers(2, 13)
    rated = rng.random(n) < rng.uniform(0.2, 0.9)
    item, other = rng.choice(n, 2, replace=False)
    rated[other], rated[item] = True, rng.random() < 0.7
    return rng.normal(size=n) * 2, np.where(rated, rng.normal(size=n), np.nan), int(item)


def attend(
    logits: np.ndarray, deviation: np.ndarray, item: int, own: bool = False, all_items: bool = False, soft: bool = True
) -> float:
    chosen = ~np.isnan(deviation) & (own | (np.arange(len(deviation)) != item))
    weight = np.where(chosen | all_items, np.exp(logits) if soft else logits, 0)
    return (weight @ np.nan_to_num(deviation * chosen)) / weight.sum()


def without_division(logits: np.ndarray, deviation: np.ndarray, item: int) -> float:
    chosen = ~np.isnan(deviation) & (np.arange(len(deviation)) != item)
    return np.exp(logits[chosen]) @ deviation[chosen]


def some_times(rng: np.random.Generator) -> Case:
    """Different times in any order: seconds or days, one film or many."""
    times = 880_000_000 * rng.integers(2) + rng.choice(200, rng.integers(1, 12), replace=False)
    return times if rng.random() < 0.5 else times / 2, round(rng.uniform(0.5, 15), 1)


def memory(times: np.ndarray, tau: float, first: int = 0) -> np.ndarray:
    return np.exp(-(first + np.argsort(np.argsort(-times))) / tau)


def some_films(rng: np.random.Generator) -> Case:
    """A history, at times a single film or shorter than the window, with the same film again now and then."""
    n_items = int(rng.integers(2, 8))
    history = rng.integers(n_items, size=rng.integers(1, 15)).tolist()
    return history, n_items, int(rng.integers(1, 6)), round(rng.uniform(0.5, 12), 1)


def transitions(
    history: list[int], n_items: int, window: int, reach: float, first: int = 1, last: int = 0, decay: bool = True
) -> np.ndarray:
    """``first`` and ``last`` move the ends of the steps that count: here from 1 to the window."""
    C = np.zeros((n_items, n_items))
    for n in range(first, window + last + 1):
        for left, right in zip(history, history[n:], strict=False):
            C[left, right] += np.exp(-n / reach) if decay else 1
    return C


nan = np.nan
EXERCISES = (
    Exercise(
        "3b.1",
        2,
        attend,
        [
            (np.array([0.5, -1.0, 2.0, 0.3]), np.array([0.5, 1.5, nan, -1.0]), 0),
            (np.array([-0.8, 1.2, 0.1, 0.4, -0.5]), np.array([-0.5, 1.5, 0.25, nan, nan]), 1),
            (np.array([1.0, -0.3, 0.7]), np.array([nan, 1.5, -0.6]), 2),
            (np.array([0.2, 1.1, -1.4, 0.6, 0.9, -0.1]), np.array([0.5, 1.5, nan, -2.1, nan, 0.8]), 0),
        ],
        some_history,
        {
            "The film itself must not be among its own witnesses.": lambda a, d, j: attend(a, d, j, own=True),
            "Films without a rating take part in your softmax: their weight is lost.": lambda a, d, j: attend(
                a, d, j, all_items=True
            ),
            "The weights are exp(logit) over their sum, not the logits.": lambda a, d, j: attend(a, d, j, soft=False),
            "The weights have to sum to 1: divide by the sum of the exponentials.": without_division,
        },
    ),
    Exercise(
        "3b.2",
        1,
        memory,
        [(np.array([30, 10, 20]), 2.0), (np.array([5.0, 9.0, 7.0, 1.0]), 10.0), (np.array([4]), 3.0)],
        some_times,
        {
            "The latest film has age 0; yours starts with the oldest.": lambda t, tau: memory(-t, tau),
            "Age counts films, not seconds.": lambda t, tau: np.exp(-(t.max() - t) / tau),
            "argsort says who is at each place; you need the place of each film.": lambda t, tau: np.exp(
                -np.argsort(-t) / tau
            ),
            "The latest film has age 0, not 1.": lambda t, tau: memory(t, tau, first=1),
        },
    ),
    Exercise(
        "3b.3",
        2,
        transitions,
        [([0, 1, 2, 1], 3, 2, 10.0), ([3, 0, 3, 2, 1], 4, 3, 2.0), ([1], 2, 5, 1.0)],
        some_films,
        {
            "Rows are what came first: you have C transposed.": lambda h, n, w, r: transitions(h, n, w, r).T,
            "A step of n places counts exp(-n / reach), not 1.": lambda h, n, w, r: transitions(
                h, n, w, r, decay=False
            ),
            "Steps start at 1: a film does not follow itself.": lambda h, n, w, r: transitions(h, n, w, r, first=0),
            "The last step counts too: n goes up to the window itself.": lambda h, n, w, r: transitions(
                h, n, w, r, last=-1
            ),
        },
    ),
)
