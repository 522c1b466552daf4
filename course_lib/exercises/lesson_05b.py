"""Exercises of lesson 05b: an updated inverse, LinUCB's bonus, the price of exploring, the least slope of regret."""

import numpy as np

from course_lib.bandits import policies
from course_lib.exercises.drawing import until
from course_lib.exercises.judge import Case, Exercise


def rows(rng: np.random.Generator, d: int, n: int = 3) -> np.ndarray:
    """Features of d + n rounds that a linear bandit may have seen."""
    return rng.normal(size=(d + n, d)).round(2)


def one_row(rng: np.random.Generator, d: int, weight: float) -> Case:
    """A row that is in A if its weight is negative, and another one if not."""
    X = rows(rng, d)
    return np.linalg.inv(np.eye(d) + X.T @ X), X[0] if weight < 0 else rows(rng, d)[0], weight


def some_row(rng: np.random.Generator) -> Case:
    """A row to be forgotten, wholly or in part."""
    return one_row(rng, int(rng.integers(2, 8)), float(rng.choice([-1, round(rng.uniform(-0.9, -0.3), 2)])))


def changes(A: np.ndarray, x: np.ndarray, weight: float) -> bool:
    """Whether the row changes the inverse by much, and 1 + weight x' A⁻¹ x is neither near 0 nor near 1."""
    below = 1 + weight * x @ A @ x
    return 0.2 < below < 0.9 or below > 1.2


def updated(A: np.ndarray, x: np.ndarray, weight: float) -> np.ndarray:
    return np.linalg.inv(np.linalg.inv(A) + weight * np.outer(x, x))


def other_update(A: np.ndarray, x: np.ndarray, factor: float, below: float) -> np.ndarray:
    return A - factor * np.outer(A @ x, A @ x) / below


def visitor(rng: np.random.Generator, n: int, m: int, k: int, width: float) -> Case:
    """A visitor's m features, the k features of n films, an inverse for their m k products."""
    phi, psi = rng.normal(size=m).round(2), rng.normal(size=(n, k)).round(2)
    X = rows(rng, m * k)
    return phi, psi, np.linalg.inv(np.eye(m * k) + X.T @ X), width


def some_visitor(rng: np.random.Generator) -> Case:
    n, m, k = int(rng.integers(2, 9)), int(rng.integers(2, 4)), int(rng.integers(2, 5))
    return visitor(rng, n, m, k, float(rng.choice([rng.uniform(0.05, 0.7), rng.uniform(1.5, 3)]).round(2)))


def products(phi: np.ndarray, psi: np.ndarray, swap: bool = False) -> np.ndarray:
    """φ ⊗ ψ_j of each film, (A, m k)."""
    return np.array([np.kron(film, phi) if swap else np.kron(phi, film) for film in psi])


def bonus(
    phi: np.ndarray, psi: np.ndarray, A: np.ndarray, w: float, root: bool = True, swap: bool = False
) -> np.ndarray:
    X = products(phi, psi, swap)
    squares = np.einsum("jd,de,je->j", X, A, X)
    return w * (np.sqrt(squares) if root else squares)


def some_decay(rng: np.random.Generator) -> Case:
    """c, click rates and rounds; some rounds explore for sure, some not."""
    p = rng.uniform(0.05, 0.95, size=rng.integers(3, 12)).round(2)
    c = round(rng.uniform(0.5, 4), 2)
    return c, p, int(c * len(p) * rng.uniform(2, 8))


def explored(c: float, A: int, T: int, first: int = 1, most: float = 1.0) -> float:
    """The expected number of exploring rounds."""
    return float(np.minimum(most, c * A / np.arange(first, T + 1)).sum())


def price(c: float, p: np.ndarray, T: int) -> float:
    return explored(c, len(p), T) * (p.max() - p.mean())


def some_rates(rng: np.random.Generator) -> Case:
    """Click rates with one best arm, clearly ahead; two of the others are alike now and then."""
    p = rng.uniform(0.02, 0.7, size=rng.integers(3, 9)).round(3)
    if rng.random() < 0.3:
        low = p.argsort()[:2]
        p[low[0]] = p[low[1]]
    p[rng.integers(len(p))] = p.max() + round(rng.uniform(0.1, 0.25), 3)
    return (p,)


def slope(p: np.ndarray, swap: bool = False, terms: tuple[float, float] = (1, 1), gap: bool = True) -> float:
    best, q = p.max(), p[p < p.max()]
    a, b = (best, q) if swap else (q, best)
    kl = terms[0] * a * np.log(a / b) + terms[1] * (1 - a) * np.log((1 - a) / (1 - b))
    return float(np.sum((best - q if gap else 1) / kl))


def least_of_means(p: np.ndarray) -> float:
    best, q = p.max(), p[p < p.max()]
    kl = q * np.log(q / best) + (1 - q) * np.log((1 - q) / (1 - best))
    return float((best - q).sum() / kl.sum())


EXERCISES = (
    Exercise(
        "5b.1",
        2,
        updated,
        [one_row(np.random.default_rng(d), d, weight) for d, weight in ((2, 1.0), (3, -1.0), (3, 0.5))],
        until(some_row, changes),
        {
            "Only the term above carries the weight; it belongs below as well: 1 + weight · x' A⁻¹ x.": (
                lambda A, x, w: other_update(A, x, w, 1 + x @ A @ x)
            ),
            "Only the term below carries the weight; it belongs above as well.": lambda A, x, w: other_update(
                A, x, 1, 1 + w * x @ A @ x
            ),
            "The weight is missing: that is one more row, of weight 1.": lambda A, x, w: updated(A, x, 1),
            "A negative weight takes a row away again: keep its sign.": lambda A, x, w: updated(A, x, abs(w)),
            "The weight belongs to x x', so x itself carries its root: w · x counts it twice.": lambda A, x, w: updated(
                A, w * x, 1
            ),
            "The denominator is 1 + weight · x' A⁻¹ x: the 1 is missing.": lambda A, x, w: other_update(
                A, x, w, w * x @ A @ x
            ),
            "The sign is the wrong way round: a row of positive weight makes the inverse smaller.": lambda A, x, w: (
                other_update(A, x, -w, 1 + w * x @ A @ x)
            ),
            "The sign is the wrong way round, above and below: that is the weight -w.": lambda A, x, w: updated(
                A, x, -w
            ),
            "The numerator is A⁻¹ x x' A⁻¹, with A⁻¹ on both sides.": lambda A, x, w: (
                A - w * np.outer(A @ x, x) / (1 + w * x @ A @ x)
            ),
            "The numerator is A⁻¹ x x' A⁻¹, with A⁻¹ on both sides and not x x' alone.": lambda A, x, w: (
                A - w * np.outer(x, x) / (1 + w * x @ A @ x)
            ),
            "The numerator is missing the division by 1 + weight · x' A⁻¹ x.": lambda A, x, w: other_update(A, x, w, 1),
            "You have added the row to the inverse; it is added to A.": lambda A, x, w: A + w * np.outer(x, x),
            "The numerator is a matrix, A⁻¹ x x' A⁻¹: the outer product of A⁻¹ x with itself.": lambda A, x, w: (
                A - w * (x @ A @ x) / (1 + w * x @ A @ x)
            ),
            "A⁻¹ is given, and the row is added to A: neither invert A⁻¹ nor add x x' to it.": lambda A, x, w: (
                np.linalg.inv(A + w * np.outer(x, x))
            ),
            "That is A itself with the row added; its inverse is wanted.": lambda A, x, w: (
                np.linalg.inv(A) + w * np.outer(x, x)
            ),
            "That is the step alone: take it away from A⁻¹.": lambda A, x, w: (
                w * np.outer(A @ x, A @ x) / (1 + w * x @ A @ x)
            ),
        },
        hint="In section 2's formula put w x x' for x x', above the line and below it.",
    ),
    Exercise(
        "5b.2",
        2,
        bonus,
        [visitor(np.random.default_rng(n), n, m, k, w) for n, m, k, w in ((3, 2, 2, 0.5), (4, 2, 3, 2.0))],
        some_visitor,
        {
            "The order of the products is that of φ ⊗ ψ: all of ψ times φ's first feature, then times its second.": (
                lambda f, s, A, w: bonus(f, s, A, w, swap=True)
            ),
            "That is the variance: the bonus is its root.": lambda f, s, A, w: bonus(f, s, A, w, root=False),
            "The width stands in front of the root, not under it.": lambda f, s, A, w: np.sqrt(w) * bonus(f, s, A, 1),
            "The width is missing.": lambda f, s, A, w: bonus(f, s, A, 1),
            "One number a film is wanted: of X A⁻¹ X' keep the diagonal.": lambda f, s, A, w: (
                w * np.sqrt(np.abs((X := products(f, s)) @ A @ X.T))
            ),
            "That sums over the other films as well: of X A⁻¹ X' keep the diagonal.": lambda f, s, A, w: (
                w * np.sqrt(np.abs(((X := products(f, s)) @ A @ X.T).sum(axis=1)))
            ),
            "A⁻¹ is between the two x: without it every direction counts as equally known.": lambda f, s, A, w: (
                w * np.linalg.norm(products(f, s), axis=1)
            ),
            "A⁻¹ is given already: do not invert it again.": lambda f, s, A, w: bonus(f, s, np.linalg.inv(A), w),
            "The diagonal of A⁻¹ alone leaves out what the features say about each other.": lambda f, s, A, w: bonus(
                f, s, np.diag(np.diag(A)), w
            ),
            "The bonus of a film is under one root: not each product by itself.": lambda f, s, A, w: (
                w * np.abs(products(f, s)) @ np.sqrt(np.diag(A))
            ),
        },
        hint="Build x = np.kron(φ, ψ_j) for each film first; the bonus is width · √(x' A⁻¹ x).",
    ),
    Exercise(
        "5b.3",
        1,
        price,
        [(0.5, np.array([0.5, 0.4, 0.1, 0.1]), 10), (0.1, np.array([0.9, 0.3]), 50), (2.0, np.array([0.2, 0.6]), 3)],
        until(some_decay, lambda c, p, T: np.ptp(p) > 0.3 and p.max() > 1.2 * p.mean()),
        {
            "A probability is at most 1: take the minimum with 1 in each round.": lambda c, p, T: (
                explored(c, len(p), T, most=np.inf) * (p.max() - p.mean())
            ),
            "Rounds are counted from 1 to T, T included.": lambda c, p, T: (
                explored(c, len(p), T - 1) * (p.max() - p.mean())
            ),
            "That is what the exploring of round T costs: sum over all rounds.": lambda c, p, T: (
                min(1.0, c * len(p) / T) * (p.max() - p.mean())
            ),
            "The number of arms is missing: the probability is c A / t.": lambda c, p, T: (
                explored(c, 1, T) * (p.max() - p.mean())
            ),
            "That is the number of exploring rounds: each of them costs p* minus the mean rate.": lambda c, p, T: (
                explored(c, len(p), T)
            ),
            "A round that explores does earn something, the mean rate: it costs p* minus that.": lambda c, p, T: (
                explored(c, len(p), T) * p.max()
            ),
            "That is what the exploring rounds earn; what they cost is p* minus the mean rate.": lambda c, p, T: (
                explored(c, len(p), T) * p.mean()
            ),
            "Exploring draws from all arms, and may draw the best one: take the mean over all of them.": (
                lambda c, p, T: explored(c, len(p), T) * (p.max() - np.sort(p)[:-1].mean())
            ),
            "Exploring draws any arm, not the worst one.": lambda c, p, T: explored(c, len(p), T) * (p.max() - p.min()),
            "Exploring draws one arm a round: take the mean of the gaps, not their sum.": lambda c, p, T: (
                explored(c, len(p), T) * (p.max() - p).sum()
            ),
            "That is the cost of a policy that always explores.": lambda c, p, T: T * (p.max() - p.mean()),
            "That is the cost of the rounds that do not explore; those that do are wanted.": lambda c, p, T: (
                (T - explored(c, len(p), T)) * (p.max() - p.mean())
            ),
        },
        hint="Σ min(1, c A / t), times what a round of showing any arm loses against the best one.",
    ),
    Exercise(
        "5b.4",
        2,
        policies.lai_robbins,
        [(np.array([0.5, 0.4, 0.3]),), (np.array([0.02, 0.9, 0.7, 0.85]),)],
        some_rates,
        {
            "The order matters: KL(p_a, p*), the bad arm first.": lambda p: slope(p, swap=True),
            "A Bernoulli variable has two outcomes: the term with 1 - p is missing.": lambda p: slope(p, terms=(1, 0)),
            "A Bernoulli variable has two outcomes: the term with p itself is missing.": lambda p: slope(
                p, terms=(0, 1)
            ),
            "The two terms of KL are added; one of them is negative already.": lambda p: slope(p, terms=(1, -1)),
            "Each showing costs Δ_a: the numerator is the gap, not 1.": lambda p: slope(p, gap=False),
            "Add one fraction for each arm; a sum over a sum is something else.": least_of_means,
            "That is in bits: use natural logarithms.": lambda p: slope(p) * np.log(2),
            "That is with log10: use natural logarithms.": lambda p: slope(p) * np.log(10),
            "That is the mean over the arms below the best; their sum is wanted.": lambda p: (
                slope(p) / (p < p.max()).sum()
            ),
            "That is the mean over the arms; the sum is wanted.": lambda p: slope(p) / len(p),
            "For the best arm both the gap and KL are 0, and 0 divided by 0 is NaN: leave it out.": lambda p: (
                slope(p) + np.nan
            ),
        },
        hint="Δ_a is p* − p_a, KL takes p_a first and p* second, and the best arm is left out.",
    ),
)
