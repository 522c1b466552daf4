"""Exercises of lesson 02b: what LoRA adds, two rankings into one, what chance would score."""

import math
from collections.abc import Callable

import numpy as np

from course_lib.exercises.judge import Case, Exercise


def some_matrices(rng: np.random.Generator) -> Case:
    """Layers, matrices a layer, their two sizes (at times equal) and the rank."""
    d_in, d_out = (int(size) for size in rng.integers(2, 100, size=2) * 8)
    d_out = d_in if rng.random() < 0.3 else d_out
    return int(rng.integers(1, 25)), int(rng.integers(1, 7)), d_in, d_out, int(2 ** rng.integers(0, 7))


def two_searches(rng: np.random.Generator) -> Case:
    """Scores of two searches for one question, and k."""
    n = rng.integers(1, 15)
    return rng.normal(size=n), rng.normal(size=n), float(rng.choice([60, 60, 20, 10, 1]))


def places(scores: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(scores))


def fused(
    a: np.ndarray,
    b: np.ndarray,
    k: float = 60,
    sign: int = -1,
    start: int = 1,
    places: Callable[[np.ndarray], np.ndarray] = places,
) -> np.ndarray:
    return 1 / (k + places(sign * a) + start) + 1 / (k + places(sign * b) + start)


def some_products(rng: np.random.Generator) -> Case:
    """Products, right ones among them (at times none or all) and how many are shown."""
    n = int(rng.integers(2, 300))
    few, any_number = int(rng.integers(1, min(n, 12) + 1)), int(rng.integers(n + 1))
    return n, int(rng.choice([few, few, few, any_number, 0, n])), int(rng.integers(1, min(n, 20) + 1))


def no_hit(n: int, r: int, k: int) -> float:
    return math.comb(n - r, k) / math.comb(n, k)


rng = np.random.default_rng(3)

EXERCISES = (
    Exercise(
        "2b.1",
        1,
        lambda layers, matrices, d_in, d_out, rank: layers * matrices * rank * (d_in + d_out),
        [(6, 2, 384, 384, 8), (12, 1, 768, 3072, 4), (1, 3, 5, 7, 1)],
        some_matrices,
        {
            "That is the size of the matrices themselves, which stay frozen.": lambda L, m, i, o, r: L * m * i * o,
            "A has r rows of d_in and B has d_out rows of r: add the two, they are not multiplied.": (
                lambda L, m, i, o, r: L * m * r * i * o
            ),
            "One of the two thin matrices is missing.": lambda L, m, i, o, r: L * m * r * i,
        },
    ),
    Exercise(
        "2b.2",
        2,
        fused,
        [(rng.normal(size=n), rng.normal(size=n), k) for n, k in ((6, 60), (9, 10), (5, 1))],
        two_searches,
        {
            "argsort says which product is at each place; you need the place of each product: argsort it again.": (
                lambda a, b, k: fused(a, b, k, places=np.argsort)
            ),
            "The best product has place 1; yours rewards the worst: mind the sign.": lambda a, b, k: fused(
                a, b, k, sign=1
            ),
            "Places begin at 1, numpy's at 0.": lambda a, b, k: fused(a, b, k, start=0),
            "Use the places, not the scores.": lambda a, b, k: 1 / (k + a) + 1 / (k + b),
        },
    ),
    Exercise(
        "2b.3",
        1,
        lambda n, r, k: 1 - no_hit(n, r, k),
        [(276, 1, 5), (276, 6, 5), (10, 3, 8)],
        some_products,
        {
            "That is the chance of *no* hit.": no_hit,
            "A product is shown once: draw without putting back.": lambda n, r, k: 1 - (1 - r / n) ** k,
            "That is how many hits to expect; two hits count as one here, and a probability is at most 1.": (
                lambda n, r, k: k * r / n
            ),
        },
    ),
)
