"""Bandits that know the visitor and the films: LinUCB and linear Thompson sampling.

A click is modelled as linear in features, E[r | u, j] = x · θ. Two ways to choose x for user u and film j:
- one model for all films: x = φ_u ⊗ ψ_j, every product of a user's feature with a film's, d = m k numbers. What is
  learned about a film holds for all that resemble it;
- one model for each film: x = φ_u, and films are strangers to each other ("disjoint").
Letters: R runs, A films, φ (U, m) users, ψ (A, k) films; ridge regression with A = λ I + Σ x x', θ̂ = A⁻¹ Σ r x.
With x = φ ⊗ ψ a question to d numbers is first answered for the visitor, which leaves k: no array (R, A, d) is made.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from course_lib import inputs
from course_lib.bandits.checks import checked_run
from course_lib.bandits.policies import Counting, Learner, Policy, best, play
from course_lib.bandits.worlds import World
from course_lib.inputs import NOT_NEGATIVE, POSITIVE


class ContextualPolicy(Protocol):
    """Settings that can be put to work in a world."""

    def learner(self, world: World, order: np.ndarray) -> Learner:
        """A learner that has seen nothing yet. It may look at world.users and world.items, not at world.click.

        order: (R, A), each run's own order of the films, for breaking ties.
        """
        ...


def visit(
    policy: Policy | ContextualPolicy, world: World, n_rounds: int, seeds: Sequence[int], delay: int = 0
) -> np.ndarray:
    """Regret (R, T), cumulative: in each round of each run one of the users comes by, is shown a film, clicks or not.

    A `Policy`, which counts, treats all visitors alike. Policies with the same seeds meet the same visitors and luck.
    n_rounds: T ≥ 1. seeds: each ≥ 0, at least one. delay: ≥ 0, see `play`.
    """
    n_rounds, seeds = checked_run(n_rounds, seeds)
    streams, (n_users, n_items) = [inputs.generator(seed) for seed in seeds], world.click.shape
    order = np.array([stream.permutation(n_items) for stream in streams])  # (R, A)
    visitors = np.array([stream.integers(n_users, size=n_rounds) for stream in streams]).T  # (T, R)
    luck = np.array([stream.random(n_rounds) for stream in streams]).T
    contextual = getattr(policy, "learner", None)
    learner: Learner = contextual(world, order) if contextual else Counting(policy, order)  # type: ignore[arg-type]
    return play(learner, world.click, visitors, luck, np.random.default_rng([*seeds]), delay)


def visit_all(
    policies: Mapping[str, Policy | ContextualPolicy],
    world: World,
    n_rounds: int,
    seeds: Sequence[int],
    delay: int = 0,
    progress: Callable[[Iterable[str]], Iterable[str]] = iter,
) -> dict[str, np.ndarray]:
    """`visit` for each policy, {name: regret (R, T)}; as many at a time as the lesson has threads."""
    with threadpool_limits(1), ThreadPoolExecutor(torch.get_num_threads()) as pool:  # many small products: a core each
        running = {name: pool.submit(visit, policy, world, n_rounds, seeds, delay) for name, policy in policies.items()}
        return {name: running[name].result() for name in progress(policies)}


# ── one model for all films ──────────────────────────────────────────────────────────────────────────────────
class SharedModel:
    """Ridge regression on x = φ_u ⊗ ψ_j, one for each run, updated click by click.

    Sherman & Morrison (1950), with q = x' A⁻¹ x: (A + x x')⁻¹ = A⁻¹ − A⁻¹ x x' A⁻¹ / (1 + q). Thompson sampling draws
    with a root of A⁻¹, so that is what is kept, L with L L' = A⁻¹; the same identity for it (Potter 1963) is
    L ← L − c (L v) v' with v = L' x and c = (1 − 1/√(1 + q)) / q. It costs as much, and L L' cannot become indefinite.
    """

    def __init__(self, world: World, n_runs: int, ridge: float) -> None:
        self.users, self.items = world.users, world.items
        m, k = self.users.shape[1], self.items.shape[1]
        self.theta = np.zeros((n_runs, m, k))
        self.root = np.tile(np.eye(m * k) / np.sqrt(ridge), (n_runs, 1, 1))  # L: (R, d, d)
        self._change = np.empty_like(self.root)
        self._upper = np.triu_indices(k)  # a quadratic form needs each pair of its k numbers once
        self._pairs = (self.items[:, self._upper[0]] * self.items[:, self._upper[1]]).T.copy()  # (k (k + 1) / 2, A)
        self._pairs[self._upper[0] != self._upper[1]] *= 2

    def mean(self, visitor: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """φ' Θ ψ_j for all films, (R, A). theta: (R, m, k)."""
        return (self.users[visitor][:, None, :] @ theta)[:, 0] @ self.items.T

    def variance(self, visitor: np.ndarray) -> np.ndarray:
        """x' A⁻¹ x for all films, (R, A), as ψ' (M M') ψ with M (R, k, d), the rows of L weighted by φ."""
        n_runs, m, k = self.theta.shape
        M = (self.users[visitor][:, None, :] @ self.root.reshape(n_runs, m, -1)).reshape(n_runs, k, m * k)
        return (M @ M.transpose(0, 2, 1))[:, self._upper[0], self._upper[1]] @ self._pairs

    def draw(self, width: float, rng: np.random.Generator) -> np.ndarray:
        """One Θ (R, m, k) for each run from its posterior N(θ̂, width² A⁻¹)."""
        z = rng.standard_normal((len(self.theta), self.root.shape[1], 1))
        return self.theta + width * (self.root @ z).reshape(self.theta.shape)

    def learn(self, visitor: np.ndarray, arm: np.ndarray, click: np.ndarray) -> None:
        """One click or miss for each run; all (R,)."""
        x = (self.users[visitor][:, :, None] * self.items[arm][:, None, :]).reshape(len(visitor), -1, 1)
        v = self.root.transpose(0, 2, 1) @ x  # (R, d, 1)
        q = (v * v).sum(axis=1, keepdims=True)  # (R, 1, 1)
        gain = self.root @ v  # A⁻¹ x
        error = click[:, None, None] - self.theta.reshape(len(x), 1, -1) @ x
        self.theta += (gain * error / (1 + q)).reshape(self.theta.shape)
        c = np.divide(1 - 1 / np.sqrt(1 + q), q, out=np.zeros_like(q), where=q > 0)
        self.root -= np.multiply(c * gain, v.transpose(0, 2, 1), out=self._change)


@dataclass(frozen=True)
class LinUCB:
    """Optimism with features (Li, Chu, Langford, Schapire 2010): show the largest x · θ̂ + width · √(x' A⁻¹ x).

    width: ≥ 0. ridge: > 0.
    """

    width: float = 0.3
    ridge: float = 10.0

    def __post_init__(self) -> None:
        inputs.settings(self, width=NOT_NEGATIVE, ridge=POSITIVE)

    def learner(self, world: World, order: np.ndarray) -> "SharedLearner":
        """Ready to choose."""
        return SharedLearner(self, world, len(order))

    def scores(self, model: SharedModel, visitor: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Upper confidence bounds of all films for each run's visitor, (R, A)."""
        bonus = self.width * np.sqrt(np.maximum(model.variance(visitor), 0))
        return model.mean(visitor, model.theta) + bonus


@dataclass(frozen=True)
class LinearThompson:
    """Draw θ from N(θ̂, width² A⁻¹), show the film with the largest x · θ (Agrawal & Goyal 2013).

    width: ≥ 0. ridge: > 0.
    """

    width: float = 0.05
    ridge: float = 10.0

    def __post_init__(self) -> None:
        inputs.settings(self, width=NOT_NEGATIVE, ridge=POSITIVE)

    def learner(self, world: World, order: np.ndarray) -> "SharedLearner":
        """Ready to choose."""
        return SharedLearner(self, world, len(order))

    def scores(self, model: SharedModel, visitor: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Drawn click rates of all films for each run's visitor, (R, A)."""
        return model.mean(visitor, model.draw(self.width, rng))


class SharedLearner:
    """LinUCB or linear Thompson sampling at work: they learn alike, and differ in their scores."""

    def __init__(self, policy: LinUCB | LinearThompson, world: World, n_runs: int) -> None:
        self.policy, self.model = policy, SharedModel(world, n_runs, policy.ridge)
        self.learn = self.model.learn

    def choose(self, visitor: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The film with the largest score, (R,)."""
        return best(self.policy.scores(self.model, visitor, rng))


# ── one model for each film ──────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class DisjointLinUCB:
    """LinUCB with a model for each film (Li et al. 2010, Algorithm 1): the largest φ · θ̂_j + width · √(φ' A_j⁻¹ φ).

    width: ≥ 0. ridge: > 0.
    """

    width: float = 0.1
    ridge: float = 1.0

    def __post_init__(self) -> None:
        inputs.settings(self, width=NOT_NEGATIVE, ridge=POSITIVE)

    def learner(self, world: World, order: np.ndarray) -> "DisjointLearner":
        """Ready to choose."""
        return DisjointLearner(self, world, order)


class DisjointLearner:
    """Disjoint LinUCB at work. Films lie in each run's own order, since films never shown are tied.

    inverse: A_j⁻¹ (R, A, m, m), A_j = λ I + Σ φ φ'; b: (R, A, m), b_j = Σ r φ.
    """

    def __init__(self, policy: DisjointLinUCB, world: World, order: np.ndarray) -> None:
        self.policy, self.users, m = policy, world.users, world.users.shape[1]
        self.order, self.place, self.runs = order, np.argsort(order, axis=1), np.arange(len(order))
        self.inverse = np.tile(np.eye(m) / policy.ridge, (*order.shape, 1, 1))
        self.b = np.zeros((*order.shape, m))

    def choose(self, visitor: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The film with the largest upper confidence bound, (R,)."""
        x = self.users[visitor][:, :, None]  # (R, m, 1)
        gain = (self.inverse.reshape(len(x), -1, x.shape[1]) @ x).reshape(self.b.shape)  # A_j⁻¹ φ
        mean, variance = np.einsum("ram,ram->ra", gain, self.b), (gain @ x)[:, :, 0]
        return self.order[self.runs, best(mean + self.policy.width * np.sqrt(variance))]

    def learn(self, visitor: np.ndarray, arm: np.ndarray, click: np.ndarray) -> None:
        """Sherman & Morrison for the film shown: A⁻¹ − g g' / (1 + x · g) with g = A⁻¹ x."""
        x, here = self.users[visitor], (self.runs, self.place[self.runs, arm])
        g = (self.inverse[here] @ x[:, :, None])[:, :, 0]
        self.inverse[here] -= g[:, :, None] * g[:, None, :] / (1 + (x * g).sum(axis=1))[:, None, None]
        self.b[here] += click[:, None] * x
