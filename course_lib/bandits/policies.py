"""Multi-armed bandits: who is shown which film while the click rates are still unknown.

A policy is a score for each arm; the arm with the largest score is shown. Everything is vectorised over runs:
clicks, plays: (R, A), how often each of A arms was clicked and shown in each of R runs.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from course_lib.errors import CourseError


class Policy(Protocol):
    """What `simulate` asks of a policy."""

    def scores(self, clicks: np.ndarray, plays: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(R, A): the arm with the largest score is shown next."""
        ...


def click_rate(clicks: np.ndarray, plays: np.ndarray) -> np.ndarray:
    """Share of clicks of each arm; infinite for an arm never shown, so that every arm is tried once."""
    return np.divide(clicks, plays, out=np.full(np.shape(plays), np.inf), where=plays > 0)


@dataclass(frozen=True)
class Uniform:
    """Show any arm with the same probability, for ever."""

    def scores(self, clicks: np.ndarray, plays: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Noise."""
        return rng.random(plays.shape)


@dataclass(frozen=True)
class EpsilonGreedy:
    """Show the best arm so far; with probability ``epsilon`` show any arm."""

    epsilon: float = 0.1

    def scores(self, clicks: np.ndarray, plays: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The observed click rates, or noise in the runs that explore now."""
        scores = click_rate(clicks, plays)
        explore = rng.random(len(plays)) < self.epsilon
        scores[explore] = rng.random((explore.sum(), plays.shape[1]))
        return scores


@dataclass(frozen=True)
class UCB1:
    """Optimism (Auer et al. 2002): observed rate + width · √(2 ln t / n), with n plays of the arm after t rounds."""

    width: float = 1.0

    def scores(self, clicks: np.ndarray, plays: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Upper confidence bounds; ``width`` 1 is the published bound, less is bolder."""
        t = np.maximum(plays.sum(axis=1, keepdims=True), 1)
        n = np.maximum(plays, 1)
        return click_rate(clicks, plays) + self.width * np.sqrt(2 * np.log(t) / n)


@dataclass(frozen=True)
class ThompsonSampling:
    """Draw a click rate from each arm's posterior Beta(a + clicks, b + plays − clicks); show the largest draw."""

    a: float = 1.0
    b: float = 1.0

    def scores(self, clicks: np.ndarray, plays: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """One draw from each posterior."""
        return rng.beta(self.a + clicks, self.b + plays - clicks)


@dataclass(frozen=True)
class Outcome:
    """What `simulate` saw. regret: (R, T), cumulative; clicks, plays: (R, A), at the end."""

    regret: np.ndarray
    clicks: np.ndarray
    plays: np.ndarray


def simulate(
    policy: Policy,
    click_rates: Sequence[float] | np.ndarray,
    n_rounds: int,
    seeds: Sequence[int],
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> Outcome:
    """Play ``n_rounds`` rounds against Bernoulli arms, one run for each seed, all runs at once.

    Regret after T rounds is Σ_t (p* − p of the arm shown): clicks lost in expectation against always showing the best
    arm. Two policies with the same seeds meet the same luck: in round t of a run both compare the same uniform number
    with the click rate of their arm. Each run has its own order of arms, so that ties (the first wins) favour none.
    """
    p = checked_rates(click_rates)
    if n_rounds < 1 or len(seeds) < 1:
        raise CourseError(f"A simulation needs at least one round and one seed; got {n_rounds} and {len(seeds)}.")
    streams = [np.random.default_rng(seed) for seed in seeds]
    order = np.array([stream.permutation(len(p)) for stream in streams])  # (R, A)
    luck = np.array([stream.random(n_rounds) for stream in streams])  # (R, T)
    rng = np.random.default_rng([*seeds])  # the policy's own dice
    runs, rates = np.arange(len(seeds)), p[order]
    clicks, plays = np.zeros(order.shape), np.zeros(order.shape)
    regret = np.empty((len(seeds), n_rounds))
    for t in progress(range(n_rounds)):
        arm = policy.scores(clicks, plays, rng).argmax(axis=1)
        shown = rates[runs, arm]
        plays[runs, arm] += 1
        clicks[runs, arm] += luck[:, t] < shown
        regret[:, t] = p.max() - shown
    back = np.argsort(order, axis=1)
    return Outcome(regret.cumsum(axis=1), np.take_along_axis(clicks, back, 1), np.take_along_axis(plays, back, 1))


def checked_rates(click_rates: Sequence[float] | np.ndarray) -> np.ndarray:
    """``click_rates`` as a vector, or CourseError if one is not a probability."""
    p = np.asarray(click_rates, dtype=float)
    if p.ndim != 1 or not len(p):
        raise CourseError(f"Click rates are one number for each arm; got an array of shape {p.shape}.")
    wrong = np.flatnonzero(~((p >= 0) & (p <= 1)))  # also catches NaN
    if len(wrong):
        raise CourseError(f"A click rate lies between 0 and 1; arm {wrong[0]} has {p[wrong[0]]}.")
    return p


def smoothed_rates(clicks: np.ndarray, plays: np.ndarray, strength: float = 10.0) -> np.ndarray:
    """(clicks + strength · overall) / (plays + strength): few plays are pulled towards the overall rate."""
    if np.shape(clicks) != np.shape(plays) or not np.sum(plays) > 0:
        got = f"{np.shape(clicks)} and {np.shape(plays)}"
        raise CourseError(f"Clicks and plays have one value for each arm, and some plays; got shapes {got}.")
    overall = np.sum(clicks) / np.sum(plays)
    return (np.asarray(clicks) + strength * overall) / (np.asarray(plays) + strength)
