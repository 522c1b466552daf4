"""Exercises of lesson 05d: doubly robust, switching, clipping and its bias."""

import numpy as np

from course_lib.bandits import off_policy
from course_lib.exercises.judge import Case, Exercise


def tables(rng: np.random.Generator, n: int, n_items: int) -> Case:
    """Reward, item and propensity (n,), policy and q̂ (n, A)."""
    reward, item = rng.integers(2, size=n).astype(float), rng.integers(n_items, size=n)
    return reward, item, rng.uniform(0.05, 1, n), rng.dirichlet(np.ones(n_items), n), rng.random((n, n_items))


def some_tables(rng: np.random.Generator) -> Case:
    """Now and then a policy that is sure of one item in each row."""
    n, n_items = int(rng.integers(1, 40)), int(rng.integers(2, 9))
    reward, item, propensity, policy, q_hat = tables(rng, n, n_items)
    if rng.random() < 0.2:
        policy = np.eye(n_items)[rng.integers(n_items, size=n)]
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
    w = off_policy.policy_weights(policy, item, propensity)
    q_logged = q_hat[np.arange(len(item)), item]
    expected = q_hat.mean(axis=1) if mean else (policy * q_hat).sum(axis=1)
    return off_policy.doubly_robust(reward, correct * w, q_logged, base * expected)


def some_weights(rng: np.random.Generator) -> np.ndarray:
    """Mostly small, a few heavy, some zero, with ties; the first is never zero."""
    w = rng.lognormal(0, 1.5, size=int(rng.integers(2, 40))).round(1)
    w[rng.random(len(w)) < 0.1] = 0.0
    w[0] = max(w[0], 0.5)
    return w


def some_switch(rng: np.random.Generator) -> Case:
    """The threshold is at times one of the weights, and at times 0."""
    w = some_weights(rng)
    return w, float(rng.choice([rng.choice(w), w.max(), rng.uniform(0.5, 5), 0.0], p=[0.4, 0.2, 0.3, 0.1]))


def some_clip(rng: np.random.Generator) -> Case:
    """The threshold is at times above all weights, so that nothing is cut off."""
    w = some_weights(rng)
    return w, float(rng.choice([round(rng.uniform(0.2, 6), 1), w.max() + 1], p=[0.85, 0.15]))


def clip(w: np.ndarray, lam: float, calm: np.ndarray | None = None, last: float | None = None) -> np.ndarray:
    """Both sample sizes and the share cut off, or another tamed w or another ``last`` number."""
    kept = off_policy.clipped(w, lam) if calm is None else calm
    cut = 1 - kept.sum() / w.sum() if last is None else last
    return np.array([off_policy.effective_sample_size(w), off_policy.effective_sample_size(kept), cut])


def some_world(rng: np.random.Generator) -> Case:
    """p, q, π_0, π and λ; now and then λ above all weights, where the bias is 0."""
    n_contexts, n_items = int(rng.integers(1, 7)), int(rng.integers(2, 9))
    pi_0, pi = (rng.dirichlet(np.ones(n_items), n_contexts) for _ in range(2))
    pi_0 = 0.9 * pi_0 + 0.1 / n_items  # nothing is impossible
    lam = float(rng.choice([round(rng.uniform(0.3, 3), 2), round((pi / pi_0).max() + 1, 2)], p=[0.85, 0.15]))
    return rng.dirichlet(np.ones(n_contexts)), rng.random((n_contexts, n_items)), pi_0, pi, lam


def expectation(p: np.ndarray, q: np.ndarray, kept: np.ndarray) -> float:
    return float(p @ (kept * q).sum(axis=1))


def clipping_bias(p: np.ndarray, q: np.ndarray, pi_0: np.ndarray, pi: np.ndarray, lam: float) -> float:
    return expectation(p, q, pi_0 * off_policy.clipped(pi / pi_0, lam) - pi)


some = np.array([0.0, 0.5, 2.0, 3.0, 40.0])
click_rates = np.array([[0.1, 0.4, 0.2], [0.3, 0.6, 0.5]])
logging, new = np.array([[0.6, 0.3, 0.1], [0.2, 0.1, 0.7]]), np.array([[0.1, 0.6, 0.3], [0.2, 0.5, 0.3]])

EXERCISES = (
    Exercise(
        "5d.1",
        2,
        dr,
        [tables(np.random.default_rng(seed), 6, 3) for seed in range(3)],
        some_tables,
        {
            "That is the direct method alone: add the weighted residuals.": lambda *log: dr(*log, correct=0),
            "The residuals are there; what the model expects of the policy, Σ π q̂, is missing.": lambda *log: dr(
                *log, base=0
            ),
            "The residuals have to be weighted by π / propensity.": lambda r, a, p, pi, q: (
                dr(r, a, p, pi, q, correct=0) + np.mean(r - q[np.arange(len(a)), a])
            ),
            "The expectation is over the policy: weight q̂ by π, do not average the items.": lambda *log: dr(
                *log, mean=True
            ),
        },
    ),
    Exercise(
        "5d.2",
        1,
        off_policy.switched,
        [(some, 2.0), (some, 10.0), (some, 0.0)],
        some_switch,
        {
            "That is clipping: a heavy row keeps τ. Switching gives it to the model, weight 0.": np.minimum,
            "A weight of exactly τ is still used: w <= τ.": lambda w, tau: np.where(w < tau, w, 0.0),
            "The wrong way round: the light rows keep their weights.": lambda w, tau: np.where(w > tau, w, 0.0),
            "The light rows keep their own weight w, not 1.": lambda w, tau: (w <= tau).astype(float),
        },
    ),
    Exercise(
        "5d.3",
        2,
        clip,
        [(np.array([1.0, 1.0, 2.0, 16.0]), 4.0), (np.array([0.5, 3.0, 3.5]), 2.0)],
        some_clip,
        {
            "The last number is the share of weight, not of rows.": lambda w, lam: clip(w, lam, last=np.mean(w > lam)),
            "The last number is the share that is cut off, not the one that is left.": lambda w, lam: clip(
                w, lam, last=np.minimum(w, lam).sum() / w.sum()
            ),
            "That drops heavy rows; clipping keeps them with weight λ.": lambda w, lam: clip(
                w, lam, calm=np.where(w <= lam, w, 0.0)
            ),
        },
    ),
    Exercise(
        "5d.4",
        2,
        clipping_bias,
        [(np.array([0.6, 0.4]), click_rates, logging, new, lam) for lam in (0.5, 1.5, 2.5)],
        some_world,
        {
            "The sign is turned round: expectation minus truth.": lambda *world: -clipping_bias(*world),
            "That is the expectation; subtract the truth, Σ p Σ π q.": lambda p, q, pi_0, pi, lam: expectation(
                p, q, pi_0 * np.minimum(pi / pi_0, lam)
            ),
            "Rows come from the logging policy: weigh each item by π_0.": lambda p, q, pi_0, pi, lam: expectation(
                p, q, np.minimum(pi / pi_0, lam) - pi
            ),
        },
    ),
)
