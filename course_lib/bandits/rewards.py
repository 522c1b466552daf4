"""Several goals at once: click, conversion and basket value as one vector, and how vectors are compared.

Letters: U users, F films, K goals; n points or policies; w (K,) weights, not negative. Larger is better in every goal.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.special import expit, logit

from course_lib import inputs
from course_lib.bandits.checks import checked_rates
from course_lib.errors import CourseError


def checked_weights(weights: np.ndarray, n_goals: int) -> np.ndarray:
    """``weights`` as a vector of ``n_goals`` finite numbers, none negative, not all zero; else CourseError."""
    w = inputs.array("Weights", weights, finite=False)
    if w.shape != (n_goals,):
        raise CourseError(f"There is one weight for each of {n_goals} goals; got an array of shape {w.shape}.")
    if not np.isfinite(w).all() or (w < 0).any() or not w.any():
        raise CourseError(f"Weights are finite, not negative and not all zero; got {w.tolist()}.")
    return w


def rental_prices(
    years: np.ndarray, today: int = 1998, low: float = 1.0, high: float = 5.0, half: float = 5.0
) -> np.ndarray:
    """Price of each film, (F,): low + (high − low) · 2^(−age / half), ``half`` and age in years, never younger than 0.

    An assumption, no data: new films cost more, as in any video shop. ``today``, a year ≥ 0, is when MovieLens-100K
    ends. 0 < low ≤ high; half > 0.
    """
    years, today = inputs.array("years", years, finite=False), inputs.whole("today", today, at_least=0, at_most=9999)
    low, high, half = (inputs.number(n, x) for n, x in (("low", low), ("high", high), ("half", half)))
    if not np.isfinite(years).all() or not 0 < low <= high or not half > 0:
        raise CourseError("Prices need the year of every film, 0 < low ≤ high and a half-life above 0.")
    return low + (high - low) * 2 ** (-np.maximum(today - years, 0) / half)


@dataclass(frozen=True)
class Funnel:
    """What a film brings: a click, then perhaps a rental (the conversion), and with a rental its price (the basket).

    convert: (U, F), P(conversion | click). price: (F,). The reward of one film shown is the vector
    r = (c, c · b, c · b · price), c and b being 1 or 0: whoever does not click rents nothing.
    """

    convert: np.ndarray
    price: np.ndarray

    def __post_init__(self) -> None:
        for name in ("convert", "price"):
            object.__setattr__(self, name, inputs.array(name, getattr(self, name), finite=False, keep=True))
        if self.convert.ndim != 2 or self.price.shape != self.convert.shape[1:]:
            raise CourseError(
                f"convert is (users, films), price (films,); got {self.convert.shape}, {self.price.shape}."
            )
        checked_rates(self.convert.ravel())
        if not (np.isfinite(self.price) & (self.price >= 0)).all():
            raise CourseError("A price is a finite number and not negative.")

    @classmethod
    def assumed(cls, click: np.ndarray, price: np.ndarray, base: float = 0.25, cost: float = 0.5) -> "Funnel":
        """logit P(conversion | click) = logit(base) + ½ logit(click) − cost · (price − mean price).

        An assumption, no data: who likes a film rents it more often, and a higher price deters. click: (U, F), 0 to 1;
        price: (F,). base: above 0, below 1. cost: ≥ 0.
        """
        click, price = inputs.array("click", click, ndim=2, keep=True), inputs.array("price", price, ndim=1)
        base, cost = inputs.number("base", base, above=0, below=1), inputs.number("cost", cost, at_least=0, below=1e100)
        checked_rates(click.ravel())
        if price.shape != click.shape[1:] or not price.size:
            raise CourseError(f"click is (users, films), price (films,); got {click.shape} and {price.shape}.")
        liking = 0.5 * logit(np.clip(click, 1e-3, 1 - 1e-3))
        return cls(expit(logit(base) + liking - cost * (price - np.mean(price))), price)

    def after_click(self) -> np.ndarray:
        """E[r | user, film, clicked]: (U, F, 3)."""
        return np.stack([np.ones_like(self.convert), self.convert, self.convert * self.price], axis=2)

    def draw(self, user: np.ndarray, film: np.ndarray, clicked: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """r of films shown, (…, 3), given who clicked. user, film, clicked: (…)."""
        user, film, clicked = (np.asarray(values) for values in (user, film, clicked))
        if not user.shape == film.shape == clicked.shape or not np.isin(clicked, (0, 1)).all():
            raise CourseError("user, film and clicked (True or False) have one value each for every film shown.")
        for name, values, n in zip(("user", "film"), (user, film), self.convert.shape, strict=True):
            inputs.ids(name, values.ravel(), n)
        clicked = clicked.astype(bool)
        rents = clicked & (rng.random(np.shape(film)) < self.convert[user, film])
        return np.stack([clicked, rents, rents * self.price[film]], axis=-1).astype(float)


def linear(vectors: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Σ_k w_k v_k: one number for each of ``vectors`` (…, K)."""
    vectors = inputs.array("vectors", vectors, keep=True)
    return vectors @ checked_weights(weights, np.shape(vectors)[-1])


def chebyshev(vectors: np.ndarray, weights: np.ndarray, ideal: np.ndarray) -> np.ndarray:
    """−max_k w_k (ideal_k − v_k), (…): minus the weighted distance to ``ideal`` (K,) in the goal that lags most.

    With an ideal above every vector, each point of the Pareto front is the best one for some weights, also where the
    front bends inwards (Bowman 1976). It is no sum, so it does not add up over turns.
    """
    vectors, ideal = inputs.array("vectors", vectors), inputs.array("ideal", ideal, ndim=1)
    if vectors.shape[-1:] != ideal.shape:
        raise CourseError(f"The ideal point has a value for each goal, {vectors.shape[-1:]}; got {ideal.shape}.")
    short = ideal - vectors
    if (short < 0).any():
        raise CourseError("The ideal point is at least as large as every vector, in every goal.")
    return -(checked_weights(weights, np.shape(vectors)[-1]) * short).max(axis=-1)


def _points(points: np.ndarray) -> np.ndarray:
    p = inputs.array("Points", points, finite=False)
    if p.ndim != 2 or not p.size or not np.isfinite(p).all():
        raise CourseError(f"Points are a table (n, goals) of finite numbers; got an array of shape {p.shape}.")
    return p


def pareto(points: np.ndarray) -> np.ndarray:
    """(n,) booleans: True where no other point is at least as good in every goal and better in one. points: (n, K)."""
    p = _points(points)
    as_good = (p[:, None] >= p).all(axis=2)  # (n, n): row i is at least as good as column j
    better = (p[:, None] > p).any(axis=2)
    return np.logical_not((as_good & better).any(axis=0))


def supported(points: np.ndarray) -> np.ndarray:
    """(n,) booleans: True where some weights w ≥ 0, Σ w = 1 make the point (one of) the best under `linear`.

    For each point a linear programme: is there a w with w · (q − p) ≤ 0 for all other points q?
    """
    p = _points(points)
    ones = np.ones((1, p.shape[1]))
    found = [linprog(np.zeros(p.shape[1]), p - here, np.zeros(len(p)), ones, [1.0], bounds=(0, 1)) for here in p]
    return np.array([result.status == 0 for result in found])
