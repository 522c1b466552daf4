"""Exercises of lesson 02b: the rank that a budget allows, two rankings into one, what chance would score."""

import math
from collections.abc import Callable

import numpy as np

from course_lib.exercises.drawing import differ, until
from course_lib.exercises.judge import Case, Exercise


def some_matrices(rng: np.random.Generator) -> Case:
    """Layers, matrices a layer, their two sizes, and budgets: one allows no rank, one more than can be used."""
    d_in, d_out = (int(size) for size in rng.choice(np.arange(4, 100), 2, replace=False) * 8)
    layers, matrices = int(rng.integers(2, 25)), int(rng.integers(2, 7))
    rank = rng.uniform(3.2, 0.8 * min(d_in, d_out), size=rng.integers(2, 5))
    rank = np.append(rank, [rng.uniform(0.1, 0.9), 3 * max(d_in, d_out)])
    return layers, matrices, d_in, d_out, (rank * layers * matrices * (d_in + d_out)).astype(int)


def largest_ranks(layers: int, matrices: int, d_in: int, d_out: int, budgets: np.ndarray) -> np.ndarray:
    return at_most(budgets // (layers * matrices * (d_in + d_out)), d_in, d_out)


def at_most(rank: np.ndarray, *sizes: int) -> np.ndarray:
    return np.minimum(rank, min(sizes))


def two_searches(rng: np.random.Generator, n: int = 0, k: float = 0) -> Case:
    """Scores of two searches for one question, each of which has not found one product, and k."""
    n = n or int(rng.integers(5, 15))
    a, b = rng.normal(size=(2, n))
    missing = rng.choice(n, 2, replace=False)
    a[missing[0]] = b[missing[1]] = np.nan
    return a, b, float(k or rng.choice([40, 20, 10, 5, 1]))


def places(scores: np.ndarray) -> np.ndarray:
    """From 0, the smallest first; NaN last."""
    return np.argsort(np.argsort(scores))


def place(scores: np.ndarray) -> np.ndarray:
    """From 1: how many are larger; NaN is larger than nothing, and nothing larger than NaN."""
    return 1 + (scores[None, :] > scores[:, None]).sum(axis=1)


def fused(
    a: np.ndarray,
    b: np.ndarray,
    k: float = 60,
    sign: int = -1,
    start: int = 1,
    places: Callable[[np.ndarray], np.ndarray] = places,
) -> np.ndarray:
    return np.sum([np.where(np.isnan(s), 0, 1 / (k + places(sign * s) + start)) for s in (a, b)], axis=0)


def some_products(rng: np.random.Generator) -> Case:
    """Products, right ones among them, how many are shown, and how many hits are asked for."""
    n = int(rng.integers(20, 60))
    m = int(rng.integers(2, 4))
    return n, int(rng.integers(m + 4, 15)), int(rng.integers(m + 2, m + 5)), m


def exactly(n: int, r: int, k: int, i: int) -> float:
    return math.comb(r, i) * math.comb(n - r, k - i) / math.comb(n, k)


def at_least(n: int, r: int, k: int, m: int) -> float:
    return 1 - sum(exactly(n, r, k, i) for i in range(m))


def without_the_last(n: int, r: int, k: int, m: int) -> float:
    return at_least(n, r, k, m) - exactly(n, r, k, k)


EXERCISES = (
    Exercise(
        "2b.1",
        1,
        largest_ranks,
        [
            (6, 2, 384, 384, np.array([100_000, 20_000, 9_000])),
            (12, 1, 768, 3072, np.array([1_000_000, 50_000_000])),
            (1, 3, 5, 7, np.array([1_000, 72, 71])),
        ],
        some_matrices,
        {
            "A has r rows of d_in and B has d_out rows of r: add the two, they are not multiplied.": (
                lambda L, m, i, o, n: at_most(n // (L * m * i * o), i, o)
            ),
            "One of the two thin matrices is missing.": lambda L, m, i, o, n: at_most(n // (L * m * i), i, o),
            "The budget is for all layers and all matrices together.": lambda L, m, i, o, n: at_most(
                n // (i + o), i, o
            ),
            "The matrices of all layers count: multiply by the number of layers.": lambda L, m, i, o, n: at_most(
                n // (m * (i + o)), i, o
            ),
            "Each layer has several matrices: multiply by their number.": lambda L, m, i, o, n: at_most(
                n // (L * (i + o)), i, o
            ),
            "A rank above the smaller of the two sizes adds nothing: stop there.": lambda L, m, i, o, n: (
                n // (L * m * (i + o))
            ),
            "A rank is at most the smaller of the two sizes, not the larger.": lambda L, m, i, o, n: at_most(
                n // (L * m * (i + o)), max(i, o)
            ),
            "A rank is a whole number: round down.": lambda L, m, i, o, n: at_most(n / (L * m * (i + o)), i, o),
            "Round down: the next rank would be above the budget.": lambda L, m, i, o, n: at_most(
                -(-n // (L * m * (i + o))), i, o
            ),
            "That is how many numbers learn; the rank is wanted.": lambda L, m, i, o, n: (
                largest_ranks(L, m, i, o, n) * L * m * (i + o)
            ),
            "Both thin matrices learn: A has r · d_in numbers, and they are missing.": lambda L, m, i, o, n: at_most(
                n // (L * m * o), i, o
            ),
            "Round down, not to the nearest whole number: the rank must fit into the budget.": lambda L, m, i, o, n: (
                at_most(np.round(n / (L * m * (i + o))), i, o)
            ),
            "A budget that is too small for rank 1 allows rank 0.": lambda L, m, i, o, n: np.maximum(
                largest_ranks(L, m, i, o, n), 1
            ),
        },
        "LoRA of rank r has r · (d_in + d_out) numbers for one matrix: how often does that fit into the budget?",
    ),
    Exercise(
        "2b.2",
        2,
        fused,
        [two_searches(np.random.default_rng(n), n, k) for n, k in ((6, 60), (9, 10), (5, 1))],
        two_searches,
        {
            "argsort says which product is at each place; you need the place of each product: argsort it again.": (
                lambda a, b, k: fused(a, b, k, places=np.argsort)
            ),
            "The best product has place 1; yours rewards the worst: mind the sign.": lambda a, b, k: fused(
                a, b, k, sign=1
            ),
            "Places begin at 1, numpy's at 0.": lambda a, b, k: fused(a, b, k, start=0),
            "NaN is larger than nothing, so what was not found seems to have place 1: it earns 0.": lambda a, b, k: (
                1 / (k + place(a)) + 1 / (k + place(b))
            ),
            "What was not found takes no place and earns nothing: do not make it a score of 0.": lambda a, b, k: (
                1 / (k + place(np.nan_to_num(a))) + 1 / (k + place(np.nan_to_num(b)))
            ),
            "Use the places, not the scores.": lambda a, b, k: (
                np.where(np.isnan(a), 0, 1 / (k + a)) + np.where(np.isnan(b), 0, 1 / (k + b))
            ),
            "A product that a search has not found earns nothing from it; yours earns for the last place.": (
                lambda a, b, k: 1 / (k + places(-a) + 1) + 1 / (k + places(-b) + 1)
            ),
            "A product that one search has not found earns from the other: NaN must not spread.": lambda a, b, k: (
                np.where(np.isnan(a + b), np.nan, fused(a, b, k))
            ),
            "A product that one search has not found still earns from the other.": lambda a, b, k: np.where(
                np.isnan(a + b), 0, fused(a, b, k)
            ),
            "What was not found takes no place: numpy sorts 0 among the scores.": lambda a, b, k: sum(
                np.where(np.isnan(s), 0, 1 / (k + places(-np.nan_to_num(s)) + 1)) for s in (a, b)
            ),
            "k is added to each place; it does not divide.": lambda a, b, k: fused(a, b, 0) / k,
            "Both searches count.": lambda a, b, k: fused(a, np.full(len(a), np.nan), k),
            "Add the two parts; do not average them.": lambda a, b, k: fused(a, b, k) / 2,
            "argsort gives the products in order of their place, and the place of each product is wanted; "
            "the best has place 1, and what was not found earns nothing.": lambda a, b, k: (
                1 / (k + np.argsort(-a)) + 1 / (k + np.argsort(-b))
            ),
            "k is given: do not take 60 whatever it is.": lambda a, b, k: fused(a, b, 60),
            "k is missing: add it to each place.": lambda a, b, k: fused(a, b, 0),
            "A product that a search has not found earns nothing from it; yours earns 1 / k.": lambda a, b, k: (
                fused(a, b, k) + (np.isnan(a) + 0.0 + np.isnan(b)) / k
            ),
            "The scores of two searches have no common scale: add what their places give.": lambda a, b, k: (
                np.nan_to_num(a) + np.nan_to_num(b)
            ),
            "Each ranking has a fraction of its own: yours adds the places first.": lambda a, b, k: (
                1 / (k + places(-a) + places(-b) + 2)
            ),
            "Each search has a ranking of its own: yours adds the scores and ranks the sum.": lambda a, b, k: (
                1 / (k + places(-np.nan_to_num(a) - np.nan_to_num(b)) + 1)
            ),
        },
        "The place of a product is 1 + how many have a larger score in that search; NaN is never larger.",
    ),
    Exercise(
        "2b.3",
        1,
        at_least,
        [(276, 6, 5, 1), (10, 3, 8, 2), (20, 9, 6, 3)],
        until(some_products, differ(at_least, without_the_last)),
        {
            "At least m: subtract the chances of 0, 1, … m - 1 hits from 1.": lambda n, r, k, m: exactly(n, r, k, m),
            "At least m includes m: stop the sum one earlier.": lambda n, r, k, m: at_least(n, r, k, m + 1),
            "At least m: fewer than m is 0 to m - 1, m - 1 included.": lambda n, r, k, m: at_least(n, r, k, m - 1),
            "That is the chance of *fewer* than m hits.": lambda n, r, k, m: 1 - at_least(n, r, k, m),
            "That is the chance of at least one hit.": lambda n, r, k, m: at_least(n, r, k, 1),
            "The chance of no hit is in it too: i starts at 0.": lambda n, r, k, m: (
                1 - sum(exactly(n, r, k, i) for i in range(1, m))
            ),
            "A product is shown once: draw without putting back.": lambda n, r, k, m: (
                1 - sum(math.comb(k, i) * (r / n) ** i * (1 - r / n) ** (k - i) for i in range(m))
            ),
            "That is how many hits to expect, not how likely m of them are.": lambda n, r, k, m: k * r / n,
            "The other k - i shown ones are wrong: choose them from the n - r wrong products.": lambda n, r, k, m: (
                1 - sum(math.comb(r, i) * math.comb(n, k - i) for i in range(m)) / math.comb(n, k)
            ),
            "That is the chance of m hits at most; m or more are asked for.": lambda n, r, k, m: (
                1 - at_least(n, r, k, m + 1)
            ),
            "That is the chance of any number of hits but m: all that are fewer have "
            "to go from 1, and m stays.": lambda n, r, k, m: 1 - exactly(n, r, k, m),
            "The chance of k hits is in it too: range(m, k) ends before k.": without_the_last,
            "A product is shown once, so draw without putting back; and m hits "
            "are asked for, not one.": lambda n, r, k, m: 1 - (1 - r / n) ** k,
        },
        "Add the chances of exactly 0, 1, … m - 1 hits, and subtract the sum from 1.",
        kind="share",
    ),
)
