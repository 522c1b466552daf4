"""What a policy would have earned, estimated from the log of another one.

A row of the log holds the reward r and the propensity, the probability with which the logging policy chose what it
showed. The policy to be evaluated would have chosen it with probability ``evaluation``. The weight of the row is
w = evaluation / propensity. All arrays are (n,), one value for each row.
"""

from collections.abc import Callable

import numpy as np

from course_lib import inputs
from course_lib.bandits.checks import checked_policy, checked_threshold, checked_weights, columns
from course_lib.errors import CourseError
from course_lib.evaluation.significance import Interval

Tame = Callable[[np.ndarray, float], np.ndarray]  # weights and a threshold in, calmer weights out


def importance_weights(evaluation: np.ndarray, propensity: np.ndarray) -> np.ndarray:
    """w = evaluation / propensity. Refuses what cannot be a probability, and a propensity of zero.

    In expectation over the log the mean weight is 1 if the logging policy could choose all that the other one would.
    """
    evaluation, propensity = columns(evaluation=evaluation, propensity=propensity)
    for name, values, good in (
        ("propensity", propensity, (propensity > 0) & (propensity <= 1)),
        ("evaluation probability", evaluation, (evaluation >= 0) & (evaluation <= 1)),
    ):
        if not good.all():
            row = int(np.flatnonzero(~good)[0])
            rule = "above 0 and at most 1" if name == "propensity" else "between 0 and 1"
            raise CourseError(f"Row {row} has the {name} {values[row]}: it must be {rule}, so drop or mend that row.")
    return evaluation / propensity


def ipw(reward: np.ndarray, w: np.ndarray) -> float:
    """Inverse-propensity weighting (Horvitz & Thompson 1952): (1/n) Σ w r. Unbiased; wild where weights are large."""
    reward, w = columns(reward=reward, w=w)
    return float(np.mean(w * reward))


def snipw(reward: np.ndarray, w: np.ndarray) -> float:
    """Self-normalised IPW (Swaminathan & Joachims 2015): Σ w r / Σ w. A little biased, calmer, within [0, 1]."""
    reward, w = columns(reward=reward, w=w)
    if w.sum() <= 0:
        raise CourseError("Every weight is zero: the log holds nothing that the evaluated policy would have chosen.")
    return float(np.sum(w * reward) / np.sum(w))


def direct_method(q_evaluation: np.ndarray) -> float:
    """(1/n) Σ q̂, where q̂ in row i is Σ_a π(a | x_i) q̂(x_i, a), the reward that a model expects of the policy."""
    (q_evaluation,) = columns(q_evaluation=q_evaluation)
    return float(np.mean(q_evaluation))


def doubly_robust(reward: np.ndarray, w: np.ndarray, q_logged: np.ndarray, q_evaluation: np.ndarray) -> float:
    """(1/n) Σ [q̂(x, π) + w (r − q̂(x, a))] (Dudík et al. 2011): right if either the weights or the model are right."""
    reward, w, q_logged, q_evaluation = columns(reward=reward, w=w, q_logged=q_logged, q_evaluation=q_evaluation)
    return float(np.mean(q_evaluation + w * (reward - q_logged)))


def effective_sample_size(w: np.ndarray) -> float:
    """(Σ w)² / Σ w²: how many equally weighted rows would tell as much (Kish 1965). Between 1 and n."""
    (w,) = columns(w=w)
    if not (w > 0).any():
        raise CourseError("Every weight is zero: the effective sample size is not defined.")
    return float(w.sum() ** 2 / (w**2).sum())


def bootstrap(
    estimator: Callable[..., float],
    log: tuple[np.ndarray, ...],
    seed: int,
    n_resamples: int = 1000,
    level: float = 0.95,
) -> Interval:
    """``estimator(*log)`` with its percentile interval over resampled rows (Efron & Tibshirani 1993).

    log: columns (n,). n_resamples: ≥ 1, drawn one after the other, so that memory is that of one. level: above 0, below
    1. seed: ≥ 0.
    """
    log = columns(**{f"number {number}": column for number, column in enumerate(log)})
    rng, n, level = inputs.generator(seed), len(log[0]), inputs.number("level", level, above=0, below=1)
    values = np.empty(inputs.whole("n_resamples", n_resamples, at_least=1))
    for resample in range(len(values)):
        rows = rng.integers(n, size=n)
        values[resample] = estimator(*(column[rows] for column in log))
    inputs.all_finite("The estimates of resamples", values, "this estimator is not defined for some of them")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(estimator(*log)), float(low), float(high))


def choice_frequencies(item: np.ndarray, position: np.ndarray, n_items: int, n_positions: int = 3) -> np.ndarray:
    """π̂(a | position): (n_positions, n_items), how often a log shows each item at each position (counted from 1).

    n_items, n_positions: ≥ 1.
    """
    n_items, n_positions = inputs.COUNT("n_items", n_items), inputs.COUNT("n_positions", n_positions)
    item, position = columns(item=item, position=position)
    item = inputs.ids("items", item, n_items)
    position = inputs.ids("positions", position, n_positions + 1)
    if not position.min():
        raise CourseError(f"Positions are counted from 1 to {n_positions}; got 0.")
    counts = np.zeros((n_positions, n_items))
    np.add.at(counts, (position - 1, item), 1)
    if not counts.sum(axis=1).all():
        raise CourseError("A position never occurs in the log, so nothing is known about what is shown there.")
    return counts / counts.sum(axis=1, keepdims=True)


def self_normalised_doubly_robust(
    reward: np.ndarray, w: np.ndarray, q_logged: np.ndarray, q_evaluation: np.ndarray
) -> float:
    """(1/n) Σ q̂(x, π) + Σ w (r − q̂(x, a)) / Σ w (Kallus & Uehara 2019): SNIPW's calm for the correction of DR."""
    reward, w, q_logged, q_evaluation = columns(reward=reward, w=w, q_logged=q_logged, q_evaluation=q_evaluation)
    return direct_method(q_evaluation) + snipw(reward - q_logged, w)


def clipped(w: np.ndarray, lam: float) -> np.ndarray:
    """min(w, λ) (Ionides 2008). In IPW it makes estimates of rewards ≥ 0 too low; in DR it trusts q̂ for the rest.

    w: ≥ 0, of any shape. λ: ≥ 0, or ∞, as for the other two.
    """
    return np.minimum(checked_weights(w), checked_threshold(lam))


def switched(w: np.ndarray, tau: float) -> np.ndarray:
    """w where w ≤ τ, else 0: in DR the estimator switch-DR (Wang et al. 2017), which leaves heavy rows to q̂ alone."""
    w = checked_weights(w)
    return np.where(w <= checked_threshold(tau), w, 0.0)


def shrunk(w: np.ndarray, lam: float) -> np.ndarray:
    """λ² w / (w² + λ²): in DR the estimator DRos (Su et al. 2020; their λ is this one squared), a soft switch.

    At w = λ half of the weight is left, and no weight exceeds λ / 2. λ = 0 is DM, λ → ∞ is DR.
    """
    w = checked_weights(w)
    if checked_threshold(lam) > 1e100:  # no weight comes near it
        return w
    return np.divide(lam**2 * w, w**2 + lam**2, out=np.zeros(np.shape(w)), where=w > 0)


def switch_dr(reward: np.ndarray, w: np.ndarray, q_logged: np.ndarray, q_evaluation: np.ndarray, tau: float) -> float:
    """(1/n) Σ [q̂(x, π) + w 1(w ≤ τ) (r − q̂(x, a))] (Wang et al. 2017). τ = 0 is DM (for w > 0), τ = ∞ is DR."""
    return doubly_robust(reward, switched(w, tau), q_logged, q_evaluation)


def policy_weights(policy: np.ndarray, item: np.ndarray, propensity: np.ndarray) -> np.ndarray:
    """Importance weights of logged ``item`` (n,) under ``policy`` (n, A), whose rows are checked. Returns (n,)."""
    policy, (item, propensity) = checked_policy(policy), columns(item=item, propensity=propensity)
    if len(policy) != len(item):
        raise CourseError(f"The policy has {len(policy)} rows and the log {len(item)}: one row for each is needed.")
    if item.min() < 0 or item.max() >= policy.shape[1]:
        raise CourseError(f"The log names an item outside the {policy.shape[1]} of the policy: give it a column.")
    item = inputs.ids("items", item, policy.shape[1])
    return importance_weights(policy[np.arange(len(item)), item], propensity)


def unsupported_mass(policy: np.ndarray, logging: np.ndarray) -> float:
    """Mean probability with which ``policy`` shows what ``logging`` never shows; both (n, A). Should be 0.

    On that share of its decisions no weight can help: IPW counts them as reward 0, DM and DR as whatever q̂ says.
    """
    policy, logging = checked_policy(policy), checked_policy(logging)
    if policy.shape != logging.shape:
        raise CourseError(f"Two policies over the same rows and items are needed; got {policy.shape}, {logging.shape}.")
    return float(np.where(logging > 0, 0.0, policy).sum(axis=-1).mean())


def mean_and_error(terms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the last axis and its standard error: an estimator that is a mean over rows, (..., n) → (...) twice."""
    terms = inputs.array("Terms", terms, keep=True)
    if not terms.ndim or not terms.shape[-1]:
        raise CourseError("Terms have one value for each row, at least one: there is no mean of nothing.")
    return terms.mean(axis=-1), terms.std(axis=-1) / np.sqrt(terms.shape[-1])


def slope(value: np.ndarray, error: np.ndarray, width: float = 2.0) -> np.ndarray:
    """SLOPE (Su, Srinath & Krishnamurthy 2020): which of K settings to trust, without the truth. (..., K) → (...).

    Order the settings from the largest standard error to the smallest. Go on as long as the intervals value ± width ·
    error of all settings so far have a point in common; the last such setting is chosen. The first ones have little
    bias and much noise, the last ones the reverse: an interval apart from the others shows bias that noise cannot.
    width: ≥ 0.
    """
    width = inputs.NOT_NEGATIVE("width", width)
    value, error = (inputs.array("values and errors", part, finite=False) for part in (value, error))
    finite = np.isfinite(value).all() and np.isfinite(error).all()
    if value.shape != error.shape or not value.ndim or not value.size or not (finite and (error >= 0).all()):
        raise CourseError("SLOPE needs one finite value and one standard error of at least 0 for each setting.")
    order = np.argsort(-error, axis=-1, kind="stable")
    v, e = np.take_along_axis(value, order, -1), np.take_along_axis(error, order, -1)
    low, high = np.maximum.accumulate(v - width * e, -1), np.minimum.accumulate(v + width * e, -1)
    last = (low <= high).sum(axis=-1, keepdims=True) - 1
    return np.take_along_axis(order, last, -1)[..., 0]


def choose_threshold(
    tame: Tame, reward: np.ndarray, w: np.ndarray, q_logged: np.ndarray, q_evaluation: np.ndarray, model: bool = True
) -> float:
    """The threshold of ``tame`` (`clipped`, `switched` or `shrunk`) with the smallest bound on the squared error.

    Var/n + ((1/n) Σ (w − tame(w)) q̂(x, a))²: the rule of Wang et al. (2017, section 4), who bound the reward of what
    the threshold cuts off by a known maximum. Clicks at .004 make 1 a useless maximum, so q̂ stands for it: as if the
    model could be wrong there by all that it expects. ``model=False`` tames IPW instead of doubly robust.
    """
    reward, w, q_logged, q_evaluation = columns(reward=reward, w=w, q_logged=q_logged, q_evaluation=q_evaluation)
    grid, used = threshold_grid(float(np.max(w))), float(model)
    bound = []
    for value in grid:
        tamed = tame(w, value)
        _, error = mean_and_error(used * q_evaluation + tamed * (reward - used * q_logged))
        bound.append(error**2 + np.mean((w - tamed) * q_logged) ** 2)
    return float(grid[np.argmin(inputs.all_finite("The bounds", np.array(bound)))])


def threshold_grid(largest: float, n: int = 12) -> np.ndarray:
    """The ``n`` ≥ 1 thresholds that are tried: from 1 to the largest weight, each the same number of times the last."""
    largest, n = inputs.NOT_NEGATIVE("the largest weight", largest), inputs.COUNT("n", n)
    return np.geomspace(1.0, max(largest, 1.0), n)


def all_estimates(
    reward: np.ndarray,
    w: np.ndarray,
    q_logged: np.ndarray,
    q_evaluation: np.ndarray,
    threshold: float | Callable[..., float] = choose_threshold,
) -> dict[str, float]:
    """{name: estimate} of every estimator, with one ``threshold`` for all that need one, or chosen for each."""
    log = columns(reward=reward, w=w, q_logged=q_logged, q_evaluation=q_evaluation)
    reward, w, q_logged, q_evaluation = log

    def calm(tame: Tame, model: bool = True) -> np.ndarray:
        return tame(w, threshold(tame, *log, model) if callable(threshold) else threshold)

    return {
        "DM": direct_method(q_evaluation),
        "IPW": ipw(reward, w),
        "SNIPW": snipw(reward, w),
        "clipped IPW": ipw(reward, calm(clipped, model=False)),
        "DR": doubly_robust(*log),
        "SNDR": self_normalised_doubly_robust(*log),
        "clipped DR": doubly_robust(reward, calm(clipped), q_logged, q_evaluation),
        "switch-DR": doubly_robust(reward, calm(switched), q_logged, q_evaluation),
        "DRos": doubly_robust(reward, calm(shrunk), q_logged, q_evaluation),
    }
