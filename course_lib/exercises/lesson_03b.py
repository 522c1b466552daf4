"""Exercises of lesson 03b: attention on a history, a memory that fades, transitions."""

import numpy as np

from course_lib.exercises.judge import Case, Exercise


def some_history(rng: np.random.Generator) -> Case:
    """A user's ratings, the film asked about among them; two others at least are rated, and one is not."""
    n = int(rng.integers(5, 13))
    rated = rng.random(n) < rng.uniform(0.2, 0.9)
    item, one, other, none = rng.choice(n, 4, replace=False)
    rated[[item, one, other]], rated[none] = True, False
    deviation = np.where(rated, rng.uniform(0.4, 2, size=n) * rng.choice([-1, 1], size=n), np.nan)
    logits = rng.normal(size=n)
    logits[none] = logits[item] = logits[rated].max() + 0.5  # what must not count would count much
    return logits, deviation, int(item)


def attend(
    logits: np.ndarray, deviation: np.ndarray, item: int, own: bool = False, all_items: bool = False, soft: bool = True
) -> float:
    chosen = ~np.isnan(deviation) & (own | (np.arange(len(deviation)) != item))
    weight = np.where(chosen | all_items, np.exp(logits) if soft else logits, 0)
    return (weight @ np.nan_to_num(deviation * chosen)) / weight.sum()


def without_item(logits: np.ndarray, deviation: np.ndarray, item: int) -> float:
    """The film itself is left out, films without a rating only of the sum."""
    weight = np.delete(np.exp(logits), item)
    return np.nansum(weight * np.delete(deviation, item)) / weight.sum()


def without_division(logits: np.ndarray, deviation: np.ndarray, item: int) -> float:
    chosen = ~np.isnan(deviation) & (np.arange(len(deviation)) != item)
    return np.exp(logits[chosen]) @ deviation[chosen]


def some_times(rng: np.random.Generator) -> Case:
    """Different times in an order that is neither up nor down: seconds or days."""
    times = rng.choice(200, rng.integers(4, 12), replace=False)
    return (times + 880_000_000 if rng.random() < 0.5 else times / 2), round(rng.uniform(0.5, 15), 1)


def memory(times: np.ndarray, tau: float, first: int = 0) -> np.ndarray:
    return np.exp(-(first + np.argsort(np.argsort(-times))) / tau)


def some_films(rng: np.random.Generator) -> Case:
    """A history in which the same step comes twice, a window of two or more, and how far memory reaches."""
    n_items = int(rng.integers(4, 8))
    start = rng.choice(n_items, 3, replace=False)
    history = [*start, *start, *rng.integers(n_items, size=rng.integers(1, 9))]
    return [int(one) for one in history], n_items, int(rng.integers(2, 6)), round(rng.uniform(1.5, 12), 1)


def transitions(
    history: list[int], n_items: int, window: int, reach: float, first: int = 1, last: int = 0, decay: bool = True
) -> np.ndarray:
    """``first`` and ``last`` move the ends of the steps that count: here from 1 to the window."""
    C = np.zeros((n_items, n_items))
    for n in range(first, window + last + 1):
        for left, right in zip(history, history[n:], strict=False):
            C[left, right] += np.exp(-n / reach) if decay else 1
    return C


def added_once(history: list[int], n_items: int, window: int, reach: float) -> np.ndarray:
    C, h = np.zeros((n_items, n_items)), np.asarray(history)
    for n in range(1, window + 1):
        if n < len(h):
            C[h[:-n], h[n:]] += np.exp(-n / reach)
    return C


def set_once(history: list[int], n_items: int, window: int, reach: float) -> np.ndarray:
    C = np.zeros((n_items, n_items))
    for at, left in enumerate(history):
        for n, right in enumerate(history[at + 1 : at + 1 + window], start=1):
            C[left, right] = np.exp(-n / reach)
    return C


def round_the_end(history: list[int], n_items: int, window: int, reach: float) -> np.ndarray:
    C = np.zeros((n_items, n_items))
    for at, left in enumerate(history):
        for n in range(1, window + 1):
            C[left, history[(at + n) % len(history)]] += np.exp(-n / reach)
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
            "The weights are a softmax; yours are all the same.": lambda a, d, j: attend(0 * a, d, j),
            "The softmax is of the logits, not of minus the logits.": lambda a, d, j: attend(-a, d, j),
            "The weights have to sum to 1, and the film itself has none.": lambda a, d, j: float(
                np.exp(a) @ np.nan_to_num(d)
            ),
            "That is the plain mean: weigh the deviations, and leave the film itself out.": lambda a, d, j: float(
                np.nanmean(d)
            ),
            "NaN marks films without a rating: leave them out of the sum.": lambda a, d, j: float(
                np.exp(a) @ d / np.exp(a).sum()
            ),
            "The sum of weight times deviation is wanted, not the deviation of the largest weight.": lambda a, d, j: (
                float(d[max((i for i in range(len(d)) if i != j and not np.isnan(d[i])), key=lambda i: a[i])])
            ),
            "The weighted sum is over deviations, not over logits.": lambda a, d, j: attend(a, a + 0 * d, j),
            "Divide by the sum of the weights once; yours is also divided by the number of films.": lambda a, d, j: (
                attend(a, d, j) / (~np.isnan(d)).sum()
            ),
            "Neither the film itself nor films without a rating take part: leave "
            "both out before the softmax.": lambda a, d, j: float(np.nansum(np.exp(a) * d) / np.exp(a).sum()),
            "The film itself is out, and films without a rating still take part in your softmax: leave them out too.": (
                without_item
            ),
            "The weights are a softmax, exp(logit) over its sum; yours are the logits themselves.": lambda a, d, j: (
                float(np.nansum(np.delete(a * d, j)))
            ),
            "The weights sum to 1, so the weighted sum is a mean already: do not divide by how many films there are.": (
                lambda a, d, j: attend(a, d, j) / (~np.isnan(np.delete(d, j))).sum()
            ),
            "A logit of 0 still counts exp(0) = 1: what does not take part is -∞.": lambda a, d, j: attend(
                np.where(np.isnan(d) | (np.arange(len(d)) == j), 0, a), d, j, all_items=True
            ),
            "The softmax is of the logits and the sum over the deviations: yours exchanges the two.": lambda a, d, j: (
                attend(np.nan_to_num(d), a + 0 * d, j)
            ),
        },
        "Keep the rated films other than `item`; the weights are the softmax of their logits alone.",
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
            "The weights belong to the films as they are given: put them back in their order.": lambda t, tau: np.exp(
                -np.arange(len(t)) / tau
            ),
            "The order is that of the times, not of the places in the list.": lambda t, tau: np.exp(
                -np.arange(len(t))[::-1] / tau
            ),
            "An older film counts less: mind the minus.": lambda t, tau: 1 / memory(t, tau),
            "The age is divided by τ, not multiplied by it.": lambda t, tau: memory(t, 1 / tau),
            "These are the ages; the weight is e to the minus age over τ.": lambda t, tau: np.argsort(
                np.argsort(-t)
            ).astype(float),
            "The weights are not divided by their sum here.": lambda t, tau: memory(t, tau) / memory(t, tau).sum(),
            "τ is missing: divide the age by it.": lambda t, tau: memory(t, 1),
            "The weight is e to the minus age over τ, not 1 over 1 + age / τ.": lambda t, tau: (
                1 / (1 - np.log(memory(t, 1)) / tau)
            ),
            "Raise e, not 2.": lambda t, tau: memory(t, tau) ** np.log(2),
            "argsort says who is at each place, from the oldest on; the age is how many are later.": lambda t, tau: (
                np.exp(-np.argsort(t) / tau)
            ),
        },
        "The age of a film is how many of the times are later than its own.",
    ),
    Exercise(
        "3b.3",
        2,
        transitions,
        [([0, 1, 2, 1], 3, 2, 10.0), ([3, 0, 3, 2, 1], 4, 3, 2.0), ([0, 1, 0, 1, 0], 2, 2, 3.0), ([1], 2, 5, 1.0)],
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
            "n goes up to the window, not beyond it.": lambda h, n, w, r: transitions(h, n, w, r, last=1),
            "A pair that comes twice counts twice: C[l, j] += … over arrays adds only once; use np.add.at or a loop.": (
                added_once
            ),
            "Only the next film counts here: all up to the window do.": lambda h, n, w, r: transitions(h, n, 1, r),
            "A step counts exp(-n / reach): divide by reach, do not multiply.": lambda h, n, w, r: transitions(
                h, n, w, 1 / r
            ),
            "Both directions count in yours; only “l, then j” does.": lambda h, n, w, r: (
                transitions(h, n, w, r) + transitions(h, n, w, r).T
            ),
            "The rows are not divided by their sums here.": lambda h, n, w, r: (
                (C := transitions(h, n, w, r)) / np.maximum(C.sum(axis=1, keepdims=True), 1e-12)
            ),
            "All steps from 1 to the window count, not the longest alone.": lambda h, n, w, r: transitions(
                h, n, w, r, first=w
            ),
            "A longer step counts less, exp(-n / reach): mind the minus.": lambda h, n, w, r: transitions(h, n, w, -r),
            "A pair that comes again is added to what is there: +=, not =.": set_once,
            "Nothing comes after the last film: yours goes on at the first.": round_the_end,
            "A step of n places counts exp(-n / reach), not 1 / n.": lambda h, n, w, r: sum(
                (transitions(h, n, k, r, first=k, decay=False) / k for k in range(1, w + 1)), np.zeros((n, n))
            ),
        },
        "For each place and each n from 1 to the window: add exp(-n / reach) to C[history[place], history[place + n]].",
    ),
)
