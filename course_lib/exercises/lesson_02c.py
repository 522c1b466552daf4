"""Exercises of lesson 02c: the strict past, perplexity, the softmax inside the batch, adding up pieces."""

from collections.abc import Callable

import numpy as np

from course_lib.exercises.judge import Case, Exercise


def some_rentals(rng: np.random.Generator) -> Case:
    """A person's rentals in no order, several on some days; `today` is at times before them all or after."""
    n = int(rng.integers(1, 15))
    return rng.integers(10, 10 + n, size=n), rng.integers(0, 3, size=n), int(rng.integers(9, 12 + n))


def some_probabilities(rng: np.random.Generator) -> Case:
    """Probabilities of the true tokens, at times some that are very small or 1."""
    p = rng.uniform(0.001, 1, size=rng.integers(1, 25))
    return (np.where(rng.random(len(p)) < 0.2, rng.choice([1e-9, 1.0]), p),)


def some_films(rng: np.random.Generator, B: int, d: int) -> np.ndarray:
    E = rng.normal(size=(B, d))
    return E / np.linalg.norm(E, axis=1, keepdims=True)


def some_batch(rng: np.random.Generator) -> Case:
    """A batch of unit vectors, a partner for each (one film may be the partner of several) and a temperature."""
    B = int(rng.integers(3, 9))
    partner = (np.arange(B) + rng.integers(1, B, size=B)) % B
    return some_films(rng, B, int(rng.integers(2, 9))), partner, round(rng.uniform(0.05, 1), 2)


def info_nce(
    E: np.ndarray,
    partner: np.ndarray,
    tau: float,
    own: bool = False,
    reduce: Callable[[np.ndarray], float] = np.mean,
) -> float:
    """The loss; own: with each film among its own negatives."""
    S = E @ E.T / tau
    if not own:
        np.fill_diagonal(S, -np.inf)
    return float(reduce(np.log(np.exp(S).sum(axis=1)) - S[np.arange(len(E)), partner]))


def some_pieces(rng: np.random.Generator) -> Case:
    """A batch and the size of its pieces, at times such that no piece is shorter, or that there is one piece only."""
    piece, whole = int(rng.integers(1, 40)), int(rng.integers(1, 8))
    return piece * whole + int(rng.choice([0, 1, 1]) * rng.integers(piece)), piece


def factors(n: int, piece: int) -> np.ndarray:
    return np.diff(np.append(np.arange(0, n, piece), n)) / n


def small_batch(B: int, d: int, seed: int, tau: float) -> Case:
    return some_films(np.random.default_rng(seed), B, d), np.roll(np.arange(B), 1), tau


EXERCISES = (
    Exercise(
        "2c.1",
        1,
        lambda days, fits, today: np.bincount(fits[days < today], minlength=3),
        [
            (np.array([3, 5, 5, 9]), np.array([1, 0, 1, 2]), 5),
            (np.array([1, 2, 3, 4]), np.array([0, 0, 2, 1]), 4),
            (np.array([7, 7]), np.array([1, 1]), 7),
        ],
        some_rentals,
        {
            "That counts the rentals of the same day: their fit is not known yet.": lambda d, f, t: np.bincount(
                f[d <= t], minlength=3
            ),
            "That counts everything, the future too.": lambda d, f, t: np.bincount(f, minlength=3),
            "That counts what comes after the day.": lambda d, f, t: np.bincount(f[d > t], minlength=3),
        },
    ),
    Exercise(
        "2c.2",
        1,
        lambda p: np.exp(-np.log(p).mean()),
        [(np.array([0.5, 0.25, 0.125]),), (np.full(4, 0.1),), (np.array([0.9, 0.01]),)],
        some_probabilities,
        {
            "That is the mean negative log-probability; raise e to it.": lambda p: -np.log(p).mean(),
            "The logarithm comes before the mean: average log p, not p.": lambda p: 1 / p.mean(),
            "The signs: it is the mean of minus log p, so that rarer is larger.": lambda p: np.exp(np.log(p).mean()),
            "The base of the logarithm and of the power must agree: you took log2 and e.": lambda p: np.exp(
                -np.log2(p).mean()
            ),
        },
    ),
    Exercise(
        "2c.3",
        2,
        info_nce,
        [small_batch(4, 3, 0, 0.5), small_batch(6, 8, 1, 0.1), small_batch(5, 2, 2, 1.0)],
        some_batch,
        {
            "Each film is among its own negatives: leave the diagonal out of the sum.": lambda E, p, t: info_nce(
                E, p, t, own=True
            ),
            "Divide the cosines by the temperature.": lambda E, p, t: info_nce(E, p, 1.0),
            "The mean over the films is wanted, not the sum.": lambda E, p, t: info_nce(E, p, t, reduce=np.sum),
        },
    ),
    Exercise(
        "2c.4",
        1,
        factors,
        [(20, 8), (16, 4), (5, 5), (7, 3)],
        some_pieces,
        {
            "Every piece the same: right only if all are equally long. A short piece must count less.": lambda n, p: (
                np.full(-(-n // p), 1 / -(-n // p))
            ),
            "These are the sizes of the pieces: divide by n.": lambda n, p: factors(n, p) * n,
            "The last piece is shorter than the others.": lambda n, p: np.full(-(-n // p), p / n),
        },
    ),
)
