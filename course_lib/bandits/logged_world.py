"""A world that writes logs and whose truth is known, to rank the estimators of off-policy evaluation.

Contexts and items are few, so a log is two tables of counts, and thousands of logs of any length fit in one array.
Letters: X contexts, A items, R logs; each log comes in two halves, so that each half's q̂ is fitted on the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from course_lib import inputs
from course_lib.bandits.checks import checked_policy, checked_rates
from course_lib.bandits.off_policy import Tame, clipped, shrunk, switched, threshold_grid
from course_lib.errors import CourseError
from course_lib.evaluation.significance import Interval, bootstrap_interval


@dataclass(frozen=True)
class Logs:
    """shown, clicked: (2, R, X, A), how often each item was shown, and clicked, in each context of each half."""

    shown: np.ndarray
    clicked: np.ndarray

    def __post_init__(self) -> None:
        for name in ("shown", "clicked"):
            object.__setattr__(self, name, inputs.array(name, getattr(self, name), ndim=4, keep=True))
        if self.shown.shape != self.clicked.shape or len(self.shown) != 2 or not self.shown.size:
            got = f"{self.shown.shape} and {self.clicked.shape}"
            raise CourseError(f"shown and clicked have the shape (2, R, X, A), none of them 0; got {got}.")


@dataclass(frozen=True)
class LoggedWorld:
    """p: (X,), how often each context comes; q: (X, A), the click rates; pi_0: (X, A), the logging policy."""

    p: np.ndarray
    q: np.ndarray
    pi_0: np.ndarray

    def __post_init__(self) -> None:
        for name in ("p", "q", "pi_0"):
            object.__setattr__(self, name, inputs.array(name, getattr(self, name), finite=False, keep=True))
        checked_policy(self.p[None])
        checked_policy(self.pi_0)
        checked_rates(self.q.ravel())
        if self.q.shape != self.pi_0.shape or self.q.shape[0] != len(self.p):
            shapes = f"{self.p.shape}, {self.q.shape}, {self.pi_0.shape}"
            raise CourseError(f"p, q and pi_0 need the shapes (X,), (X, A), (X, A); got {shapes}.")

    def value(self, policy: np.ndarray) -> float:
        """The truth: Σ_x p(x) Σ_a π(a | x) q(x, a), expected clicks of a decision. policy: (X, A)."""
        return float(self.p @ (self._policy(policy) * self.q).sum(axis=1))

    def weights(self, policy: np.ndarray, propensity: np.ndarray | None = None) -> np.ndarray:
        """w = π / π_0, (X, A); 0 where the log can show nothing. ``propensity``: believed in place of pi_0."""
        believed = self.pi_0 if propensity is None else inputs.array("propensity", propensity)
        if believed.shape != self.q.shape or not ((believed >= 0) & (believed <= 1)).all():
            raise CourseError(f"propensity holds a chance, 0 to 1, for each of {self.q.shape}; got {believed.shape}.")
        return np.divide(self._policy(policy), believed, out=np.zeros_like(believed), where=believed > 0)

    def _policy(self, policy: np.ndarray) -> np.ndarray:
        """``policy``, checked, of this world's contexts and items."""
        found = checked_policy(policy)
        if found.shape != self.q.shape:
            raise CourseError(f"A policy of this world has the shape {self.q.shape}; got {found.shape}.")
        return found

    def effective_share(self, policy: np.ndarray) -> float:
        """(E w)² / E w²: the effective sample size of a long log, as a share of its rows."""
        w, often = self.weights(policy), self.p[:, None] * self.pi_0
        if not (often * w).any():
            raise CourseError("The log never shows what this policy shows: every weight is zero.")
        return float((often * w).sum() ** 2 / (often * w**2).sum())

    def draw(self, n: int, n_logs: int, seed: int | Sequence[int]) -> Logs:
        """``n_logs`` ≥ 1 logs of ``n`` rows, even: x from p, a from pi_0(· | x), a click with probability q(x, a)."""
        if inputs.whole("n", n) < 2 or n % 2 or inputs.whole("n_logs", n_logs) < 1:
            raise CourseError(
                f"A log has an even number of rows, at least 2, and there is one or more; got {n}, {n_logs}."
            )
        rng = inputs.generator(seed)
        often = (self.p[:, None] * self.pi_0).ravel()
        shown = rng.multinomial(n // 2, often / often.sum(), size=(2, n_logs)).reshape(2, n_logs, *self.q.shape)
        return Logs(shown.astype(float), rng.binomial(shown, self.q).astype(float))


def main_effects(shown: np.ndarray, clicked: np.ndarray, strength: float = 1.0, sweeps: int = 5) -> np.ndarray:
    """q̂(x, a) = rate · f_x · g_a from counts (..., X, A), returned in that shape: a log-linear model, no interaction.

    Each factor is (clicks + strength) / (clicks expected from the other factor + strength), in turns: the posterior
    mode of a Poisson regression with a Gamma prior of mean 1, worth ``strength`` > 0 clicks, on every factor. sweeps: ≥
    1. Each log shows something.
    """
    strength, sweeps = inputs.number("strength", strength, above=0, below=1e100), inputs.COUNT("sweeps", sweeps)
    shown, clicked = inputs.array("shown", shown), inputs.array("clicked", clicked)
    if shown.shape != clicked.shape or shown.ndim < 2 or (clicked < 0).any() or (clicked > shown).any():
        raise CourseError(f"Counts (..., X, A): clicks from 0 to what was shown; got {shown.shape}, {clicked.shape}.")
    if not shown.size or not (shown.sum(axis=(-2, -1)) > 0).all():
        raise CourseError("A log shows nothing at all, so it has no click rate: draw more rows.")
    rate = clicked.sum(axis=(-2, -1), keepdims=True) / shown.sum(axis=(-2, -1), keepdims=True)
    by_item, by_context = clicked.sum(axis=-2, keepdims=True), clicked.sum(axis=-1, keepdims=True)
    f = np.ones_like(by_context, dtype=float)
    for _ in range(sweeps):
        g = (by_item + strength) / (rate * (np.swapaxes(f, -1, -2) @ shown) + strength)  # (..., 1, A)
        f = (by_context + strength) / (rate * (shown @ np.swapaxes(g, -1, -2)) + strength)  # (..., X, 1)
    return np.minimum(rate * f * g, 1.0)


def cross_fitted_effects(logs: Logs, strength: float = 1.0) -> np.ndarray:
    """(2, R, X, A): `main_effects` of each half, fitted on the other half."""
    return main_effects(logs.shown[::-1], logs.clicked[::-1], strength)


def over_items(v: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Σ_a v(x, a) · table(…, x, a) for K choices of v, (K, X, A), and a table (2, R, X, A): (K, 2, R, X)."""
    v, table = inputs.array("v", v, ndim=3, keep=True), inputs.array("table", table, ndim=4, keep=True)
    if v.shape[1:] != table.shape[2:]:
        raise CourseError(f"v and table have the same contexts and items; got {v.shape} and {table.shape}.")
    return np.einsum("frxa,kxa->kfrx", table, v, optimize=True)


def _parts_of_estimate(
    logs: Logs, policy: np.ndarray, w: np.ndarray, q_hat: np.ndarray | float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The policy (X, A), weights (..., X, A) and q̂, checked against ``logs``."""
    policy, w, q_hat = checked_policy(policy), inputs.array("Weights", w, keep=True), inputs.array("q_hat", q_hat)
    shape = logs.shown.shape
    try:
        fits = np.broadcast_shapes(q_hat.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits or policy.shape != shape[2:] or w.shape[-2:] != shape[2:]:
        got = f"policy {policy.shape}, w {w.shape}, q_hat {q_hat.shape}"
        raise CourseError(f"policy, w and q_hat belong to logs of the shape {shape[2:]}; got {got}.")
    return policy, w, q_hat


def estimate(
    logs: Logs, policy: np.ndarray, w: np.ndarray, q_hat: np.ndarray | float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """(1/n) Σ [q̂(x, π) + w (r − q̂(x, a))] of each log and its standard error, for K choices of w at once.

    policy: (X, A); w: (K, X, A). One formula, many estimators: q̂ = 0 gives IPW, w = 0 the direct method, a tamed w
    clipping, switching or shrinking. Returns (K, R) and (K, R).
    """
    policy, w, q_hat = _parts_of_estimate(logs, policy, w, q_hat)
    N, C = logs.shown, logs.clicked
    q, n, rows = np.broadcast_to(q_hat, N.shape), N[:, 0].sum(), N.sum(axis=-1)
    base = (policy * q).sum(axis=-1)  # q̂(x, π): (2, R, X)
    corrections = over_items(w, C - N * q)  # Σ w (r − q̂) in each context: (K, 2, R, X)
    squares = over_items(w**2, C - 2 * C * q + N * q**2)  # Σ w² (r − q̂)², since r² = r
    mean = (rows * base + corrections).sum(axis=(1, 3)) / n
    second = (rows * base**2 + 2 * base * corrections + squares).sum(axis=(1, 3)) / n
    return mean, np.sqrt(np.maximum(second - mean**2, 0) / n)


def self_normalised(logs: Logs, policy: np.ndarray, w: np.ndarray, q_hat: np.ndarray | float = 0.0) -> np.ndarray:
    """(1/n) Σ q̂(x, π) + Σ w (r − q̂(x, a)) / Σ w: SNIPW with q̂ = 0, otherwise SNDR. Returns (R,)."""
    policy, w, q_hat = _parts_of_estimate(logs, policy, w, q_hat)
    N, C = logs.shown, logs.clicked
    q = np.broadcast_to(q_hat, N.shape)
    model = (N.sum(axis=-1) * (policy * q).sum(axis=-1)).sum(axis=(0, 2)) / N[:, 0].sum()
    corrections, weights = (over_items(w[None], table)[0].sum(axis=(0, 2)) for table in (C - N * q, N))
    if not (weights > 0).all():
        raise CourseError("In one of the logs every weight is zero: it holds nothing that this policy would show.")
    return model + corrections / weights


def tamed(
    logs: Logs, policy: np.ndarray, w: np.ndarray, q_hat: np.ndarray, tame: Tame, model: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`estimate` with the weights (X, A) tamed at every threshold of the grid, and `choose_threshold`'s bounds.

    Returns (K, R) three times: the estimates, their standard errors, the bounds on their squared errors.
    """
    policy, w, q_hat = _parts_of_estimate(logs, policy, w, q_hat)
    calm = np.array([tame(w, threshold) for threshold in threshold_grid(float(w.max()))])  # (K, X, A)
    value, error = estimate(logs, policy, calm, q_hat if model else 0.0)
    cut = over_items(w - calm, logs.shown * q_hat).sum(axis=(1, 3)) / logs.shown[:, 0].sum()
    return value, error, error**2 + cut**2


def chosen(value: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """(R,): the estimate (K, R) with the smallest bound (K, R) in each log, K ≥ 1."""
    value, bound = inputs.array("value", value, ndim=2), inputs.array("bound", bound, ndim=2)
    if value.shape != bound.shape or not len(value):
        raise CourseError(f"There is a bound for each of some estimates; got {value.shape} and {bound.shape}.")
    return np.take_along_axis(value, bound.argmin(axis=0)[None], axis=0)[0]


def all_estimates(
    logs: Logs, policy: np.ndarray, w: np.ndarray, q_hat: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """{name: (R,)}: `off_policy.all_estimates` of each log; ``q_hat`` by default `cross_fitted_effects`."""
    policy, w, q_hat = _parts_of_estimate(logs, policy, w, cross_fitted_effects(logs) if q_hat is None else q_hat)
    q = np.broadcast_to(q_hat, logs.shown.shape)
    tame = {"clipped DR": clipped, "switch-DR": switched, "DRos": shrunk}
    value, _, bound = tamed(logs, policy, w, q, clipped, model=False)
    (direct, robust), _ = estimate(logs, policy, np.stack([0 * w, w]), q)
    found = {
        "DM": direct,
        "IPW": estimate(logs, policy, w[None])[0][0],
        "SNIPW": self_normalised(logs, policy, w),
        "clipped IPW": chosen(value, bound),
        "DR": robust,
        "SNDR": self_normalised(logs, policy, w, q),
    }
    for name, way in tame.items():
        value, _, bound = tamed(logs, policy, w, q, way)
        found[name] = chosen(value, bound)
    return found


def relative_rmse(values: np.ndarray, truth: float, seed: int, n_resamples: int = 1000) -> Interval:
    """√(mean of (value / truth − 1)²) over the logs (R,), with its 95 % bootstrap interval over logs. truth: not 0."""
    values, truth = inputs.array("values", values, ndim=1), inputs.number("truth", truth)
    if not abs(truth) > 1e-100:
        raise CourseError("An error relative to a truth of 0 is not defined: compare the values themselves.")
    squared = bootstrap_interval((values / truth - 1) ** 2, seed, n_resamples)
    return Interval(*(float(np.sqrt(part)) for part in (squared.mean, squared.low, squared.high)))


def day_and_position(log: pd.DataFrame, n_items: int) -> tuple[np.ndarray, np.ndarray]:
    """Counts of an Open Bandit log, shown and clicked, (X, A) each; X = days · 3 contexts, 3 positions a day."""
    n_items = inputs.COUNT("n_items", n_items)
    if not len(log) or not log["position"].between(1, 3).all():
        raise CourseError("A log has rows, each at a position from 1 to 3: look at that column.")
    inputs.ids("items", log["item"], n_items)
    day = log["time"].dt.day_of_year.to_numpy()
    context = 3 * (day - day.min()) + log["position"].to_numpy() - 1
    shape = (int(context.max()) // 3 * 3 + 3, n_items)
    shown, clicked = np.zeros(shape), np.zeros(shape)
    np.add.at(shown, (context, log["item"].to_numpy()), 1)
    np.add.at(clicked, (context, log["item"].to_numpy()), log["click"].to_numpy())
    return shown, clicked


def world_from(
    logging: pd.DataFrame, others: Sequence[pd.DataFrame], n_items: int, interaction: float, seed: int
) -> LoggedWorld:
    """A world after Open Bandit logs of one week: x = (day, position).

    pi_0: how often ``logging`` shows each item on that day at that position, pulled towards its week's frequencies as
    if 50 rows were added. q: main effects of all logs' clicks, times exp(interaction · z − interaction² / 2) with z
    standard normal for each (x, a): this factor is invented (mean 1), for the clicks are too few to know it.
    n_items: ≥ 1. interaction: ≥ 0, at most 10. seed: ≥ 0.
    """
    interaction = inputs.number("interaction", interaction, at_least=0, at_most=10)
    shown, _ = day_and_position(logging, n_items)
    week = np.tile(shown.reshape(-1, 3, n_items).sum(axis=0) + 1, (len(shown) // 3, 1))  # no item is impossible
    week /= week.sum(axis=1, keepdims=True)
    pi_0 = (shown + 50 * week) / (shown.sum(axis=1, keepdims=True) + 50)
    counts = [day_and_position(log, n_items) for log in (logging, *others)]
    if len({n.shape for n, _ in counts}) != 1:
        raise CourseError("The logs cover different numbers of days: a world is made from logs of the same days.")
    q = main_effects(*np.sum(counts, axis=0))
    z = inputs.generator(seed).normal(size=q.shape)
    q = np.minimum(q * np.exp(interaction * z - interaction**2 / 2), 1.0)
    return LoggedWorld(shown.sum(axis=1) / shown.sum(), q, pi_0 / pi_0.sum(axis=1, keepdims=True))
