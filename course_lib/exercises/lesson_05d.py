"""Exercises of lesson 05d: doubly robust, switching within a budget, clipping and its bias."""

import numpy as np

from course_lib.bandits import off_policy
from course_lib.exercises.drawing import clear, differ, until
from course_lib.exercises.judge import Case, Exercise


def tables(rng: np.random.Generator, n: int, n_items: int) -> Case:
    """Reward, item and propensity (n,), policy and q̂ (n, A)."""
    reward, item = rng.integers(2, size=n).astype(float), rng.integers(n_items, size=n)
    return reward, item, rng.uniform(0.05, 1, n), rng.dirichlet(np.ones(n_items), n), rng.random((n, n_items))


def some_tables(rng: np.random.Generator) -> Case:
    """Now and then a policy that is sure of one item in each row."""
    n, n_items = int(rng.integers(8, 40)), int(rng.integers(3, 9))
    reward, item, propensity, policy, q_hat = tables(rng, n, n_items)
    if rng.random() < 0.2:
        policy = np.eye(n_items)[rng.integers(n_items, size=n)]
        policy[: n // 3] = np.eye(n_items)[item[: n // 3]]
    return reward, item, propensity, policy, q_hat


def dr(
    reward: np.ndarray,
    item: np.ndarray,
    propensity: np.ndarray,
    policy: np.ndarray,
    q_hat: np.ndarray,
    *,
    base: float = 1.0,
    correct: float = 1.0,
    mean: bool = False,
) -> float:
    """The library's, with both of its parts to be left out: ``base``, Σ π q̂, and ``correct``, the residuals."""
    w = of_item(policy, item) / propensity
    expected = q_hat.mean(axis=1) if mean else (policy * q_hat).sum(axis=1)
    return off_policy.doubly_robust(reward, correct * w, of_item(q_hat, item), base * expected)


def of_item(table: np.ndarray, item: np.ndarray) -> np.ndarray:
    return table[np.arange(len(item)), item]


def steady(r: np.ndarray, a: np.ndarray, p: np.ndarray, pi: np.ndarray, q: np.ndarray) -> bool:
    """Whether the parts of DR do not cancel, and its corrections count."""
    terms = of_item(pi, a) / p * (r - of_item(q, a))
    return clear(dr(r, a, p, pi, q) * len(r), terms) and clear(terms.sum(), terms, 0.2)


def some_weights(rng: np.random.Generator) -> np.ndarray:
    """Mostly small, a few heavy, some zero; the heaviest two are alike at times."""
    w = rng.lognormal(0, 1.5, size=int(rng.integers(6, 40))).round(1)
    w[rng.random(len(w)) < 0.1] = 0.0
    w[:3] = 0.5, 0.9, 2.5
    if rng.random() < 0.3:
        w[w.argmin()] = w.max()
    return rng.permutation(w)


def some_budget(rng: np.random.Generator) -> Case:
    return some_weights(rng), round(rng.uniform(0.2, 0.8), 3)


def threshold(w: np.ndarray, share: float) -> float:
    """The smallest weight above which no more than ``share`` of all weight lies."""
    return min(tau for tau in w if w[w > tau].sum() <= share * w.sum())


def within_budget(w: np.ndarray, share: float) -> np.ndarray:
    return off_policy.switched(w, threshold(w, share))


def one_more(w: np.ndarray, share: float) -> np.ndarray:
    above = w[w > threshold(w, share)]
    return off_policy.switched(w, above.min() if len(above) else w.max())


def no_close_call(w: np.ndarray, share: float) -> bool:
    """Whether some but not all rows go, and no sum comes near the budget."""
    left = np.array([w[w > tau].sum() / w.sum() for tau in w])
    return bool((np.abs(left - share) > 0.01).all()) and threshold(w, share) < w.max()


def some_clip(rng: np.random.Generator) -> Case:
    return some_weights(rng), round(rng.uniform(0.6, 4), 1)


def cuts(w: np.ndarray, lam: float) -> bool:
    """Whether a good part of the weight is cut off."""
    return 0.1 < 1 - np.minimum(w, lam).sum() / w.sum() < 0.9 and (w <= lam).sum() > 2


def ess(w: np.ndarray) -> float:
    return w.sum() ** 2 / (w**2).sum()


def clip(w: np.ndarray, lam: float, calm: np.ndarray | None = None, last: float | None = None) -> np.ndarray:
    """Both sample sizes and the share cut off, or another tamed w or another ``last`` number."""
    kept = off_policy.clipped(w, lam) if calm is None else calm
    return np.array([ess(w), ess(kept), 1 - kept.sum() / w.sum() if last is None else last])


def some_world(rng: np.random.Generator) -> Case:
    """p, q, π_0, π and λ."""
    n_contexts, n_items = int(rng.integers(2, 7)), int(rng.integers(3, 9))
    pi_0, pi = (rng.dirichlet(np.ones(n_items), n_contexts) for _ in range(2))
    pi_0 = 0.9 * pi_0 + 0.1 / n_items  # nothing is impossible
    p = rng.dirichlet(np.full(n_contexts, 3.0))
    return p, rng.random((n_contexts, n_items)), pi_0, pi, round(rng.uniform(0.3, 2), 2)


def expectation(p: np.ndarray, q: np.ndarray, kept: np.ndarray) -> float:
    return float(p @ (kept * q).sum(axis=1))


def clipping_bias(p: np.ndarray, q: np.ndarray, pi_0: np.ndarray, pi: np.ndarray, lam: float) -> float:
    return expectation(p, q, pi_0 * off_policy.clipped(pi / pi_0, lam) - pi)


def relative_bias(p: np.ndarray, q: np.ndarray, pi_0: np.ndarray, pi: np.ndarray, lam: float) -> float:
    return clipping_bias(p, q, pi_0, pi, lam) / expectation(p, q, pi)


several = np.array([0.5, 6.0, 2.0, 3.0, 8.0, 1.5, 4.0])
click_rates = np.array([[0.1, 0.4, 0.2], [0.3, 0.6, 0.5]])
logging, new = np.array([[0.6, 0.3, 0.1], [0.2, 0.1, 0.7]]), np.array([[0.1, 0.6, 0.3], [0.2, 0.5, 0.3]])

SWITCHES = {
    "That is clipping: a heavy row keeps τ. Switching gives it to the model, weight 0.": lambda w, share: np.minimum(
        w, threshold(w, share)
    ),
    "A weight of exactly τ is still used: w <= τ.": lambda w, share: np.where(w < threshold(w, share), w, 0.0),
    "The wrong way round: the light rows keep their weights.": lambda w, share: np.where(
        w > threshold(w, share), w, 0.0
    ),
    "The light rows keep their own weight w, not 1.": lambda w, share: (w <= threshold(w, share)).astype(float),
    "That is the threshold τ; the weights are wanted.": threshold,
    "share is a share of all weight, no threshold for a single weight.": lambda w, share: np.where(w <= share, w, 0.0),
    "share is a share of all weight; a row with a larger share by itself is something else.": lambda w, share: np.where(
        w <= share * w.sum(), w, 0.0
    ),
    "share is a share of the weight, not of the rows.": lambda w, share: np.where(
        w <= np.quantile(w, 1 - share, method="lower"), w, 0.0
    ),
    "share is a share of the weight, not of the largest one.": lambda w, share: np.where(w <= share * w.max(), w, 0.0),
    "share is what the model may have, not what stays with the log.": lambda w, share: within_budget(w, 1 - share),
    "The model could have more: a smaller τ still leaves it no more than its share.": one_more,
}

EXERCISES = (
    Exercise(
        "5d.1",
        2,
        dr,
        [tables(np.random.default_rng(seed), 6, 3) for seed in range(3)],
        until(some_tables, steady),
        {
            "That is the direct method alone: add the weighted residuals.": lambda *log: dr(*log, correct=0),
            "The residuals are there; what the model expects of the policy, Σ π q̂, is missing.": lambda *log: dr(
                *log, base=0
            ),
            "The residuals have to be weighted by π / propensity.": lambda r, a, p, pi, q: (
                dr(r, a, p, pi, q, correct=0) + np.mean(r - of_item(q, a))
            ),
            "The residuals are weighted by π / propensity: π is missing.": lambda r, a, p, pi, q: (
                dr(r, a, p, pi, q, correct=0) + np.mean((r - of_item(q, a)) / p)
            ),
            "The weight is upside down: π / propensity.": lambda r, a, p, pi, q: (
                dr(r, a, p, pi, q, correct=0) + np.mean(p / np.maximum(of_item(pi, a), 1e-9) * (r - of_item(q, a)))
            ),
            "The expectation is over the policy: weight q̂ by π, do not average the items.": lambda *log: dr(
                *log, mean=True
            ),
            "What the model expects of the policy is Σ π q̂ over all items, not q̂ of the item shown.": (
                lambda r, a, p, pi, q: dr(r, a, p, pi, q, base=0) + np.mean(of_item(q, a))
            ),
            "That is IPW: the model is missing.": lambda r, a, p, pi, q: np.mean(r * of_item(pi, a) / p),
            "The residual is reward minus q̂, not the other way round.": lambda *log: 2 * dr(*log, correct=0) - dr(*log),
            "The residuals are added to what the model expects; you subtract what it expects.": lambda *log: (
                dr(*log, base=0) - dr(*log, correct=0)
            ),
            "That is the sum over the rows; the mean is wanted.": lambda *log: len(log[0]) * dr(*log),
        },
        hint="In each row Σ π q̂ over the items, plus π / propensity times (reward − q̂) of the item shown; the mean.",
    ),
    Exercise(
        "5d.2",
        1,
        within_budget,
        [(several, 0.4), (several, 0.7), (np.array([4.0, 1.0, 4.0, 2.0, 1.0]), 0.5), (several, 0.1)],
        until(until(some_budget, no_close_call), differ(within_budget, *SWITCHES.values())),
        SWITCHES,
        hint="Try each weight as τ: how much of all weight lies above it? The smallest within the budget is wanted.",
    ),
    Exercise(
        "5d.3",
        2,
        clip,
        [(np.array([1.0, 1.0, 2.0, 16.0]), 4.0), (np.array([0.5, 3.0, 3.5]), 2.0), (np.array([0.5, 2.0]), 3.0)],
        until(some_clip, cuts),
        {
            "The last number is the share of weight, not of rows.": lambda w, lam: clip(w, lam, last=np.mean(w > lam)),
            "The last number is the share that is cut off, not the one that is left.": lambda w, lam: clip(
                w, lam, last=np.minimum(w, lam).sum() / w.sum()
            ),
            "The last number is the share that is cut off, not the weight that is.": lambda w, lam: clip(
                w, lam, last=(w - np.minimum(w, lam)).sum()
            ),
            "The share is of all weight before clipping, not of what is left.": lambda w, lam: clip(
                w, lam, last=w.sum() / np.minimum(w, lam).sum() - 1
            ),
            "Of a heavy row only what is above λ is cut off, not all of it.": lambda w, lam: clip(
                w, lam, last=w[w > lam].sum() / w.sum()
            ),
            "That drops heavy rows; clipping keeps them with weight λ.": lambda w, lam: clip(
                w, lam, calm=np.where(w <= lam, w, 0.0)
            ),
            "That clips from below; a weight above λ becomes λ.": lambda w, lam: clip(w, lam, calm=np.maximum(w, lam)),
            "The first is before clipping, the second after.": lambda w, lam: clip(w, lam)[[1, 0, 2]],
            "The effective sample size is the squared sum over the sum of squares: square the sum.": lambda w, lam: (
                np.array([w.sum() / (w**2).sum(), (c := np.minimum(w, lam)).sum() / (c**2).sum(), clip(w, lam)[2]])
            ),
            "That is the number of rows; the effective sample size is (Σw)² / Σw².": lambda w, lam: np.array(
                [len(w), (w <= lam).sum(), clip(w, lam)[2]]
            ),
        },
        hint="With c = min(w, λ): the sample size of w, that of c, and 1 − Σc / Σw.",
    ),
    Exercise(
        "5d.4",
        2,
        clipping_bias,
        [(np.array([0.6, 0.4]), click_rates, logging, new, lam) for lam in (0.5, 1.5, 2.5)],
        until(some_world, lambda *world: -0.8 < relative_bias(*world) < -0.15),
        {
            "The sign is turned round: expectation minus truth.": lambda *world: -clipping_bias(*world),
            "That is the expectation; subtract the truth, Σ p Σ π q.": lambda p, q, pi_0, pi, lam: expectation(
                p, q, pi_0 * np.minimum(pi / pi_0, lam)
            ),
            "That is the truth; it is what is taken from the expectation.": lambda p, q, pi_0, pi, lam: expectation(
                p, q, pi
            ),
            "Rows come from the logging policy: weigh each item by π_0.": lambda p, q, pi_0, pi, lam: expectation(
                p, q, np.minimum(pi / pi_0, lam) - pi
            ),
            "Rows come from the logging policy: weigh each item by π_0, not by π.": lambda p, q, pi_0, pi, lam: (
                expectation(p, q, pi * np.minimum(pi / pi_0, lam) - pi)
            ),
            "The weight is upside down: π / π_0.": lambda p, q, pi_0, pi, lam: expectation(
                p, q, pi_0 * np.minimum(pi_0 / np.maximum(pi, 1e-9), lam) - pi
            ),
            "Clipping keeps a heavy item with weight λ; that drops it.": lambda p, q, pi_0, pi, lam: expectation(
                p, q, pi_0 * np.where(pi / pi_0 <= lam, pi / pi_0, 0) - pi
            ),
            "The truth is that of the new policy π, not that of π_0.": lambda p, q, pi_0, pi, lam: expectation(
                p, q, pi_0 * np.minimum(pi / pi_0, lam) - pi_0
            ),
            "Contexts count by their probability p, not all alike.": lambda p, q, pi_0, pi, lam: clipping_bias(
                np.full(len(p), 1 / len(p)), q, pi_0, pi, lam
            ),
            "Contexts count by their probability p.": lambda p, q, pi_0, pi, lam: clipping_bias(
                np.ones(len(p)), q, pi_0, pi, lam
            ),
            "That is the bias as a share of the truth; the bias itself is wanted.": relative_bias,
        },
        hint="Σ p Σ π_0 min(π / π_0, λ) q, minus Σ p Σ π q.",
    ),
)
