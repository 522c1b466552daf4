"""Multi-armed bandits: who is shown which film while the click rates are still unknown.

A policy is a score for each arm; the arm with the largest score is shown. Everything is vectorised over runs:
clicks, plays: (R, A), how often each of A arms was clicked and shown in each of R runs. There is one simulator, `play`;
`simulate` hands it arms without visitors, `course_lib.bandits.contextual` visitors with profiles.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import rel_entr

from course_lib import inputs
from course_lib.bandits.checks import checked_rates, checked_run, checked_table
from course_lib.errors import CourseError
from course_lib.inputs import NOT_NEGATIVE, POSITIVE, SHARE


class Policy(Protocol):
    """What `simulate` asks of a policy."""

    def scores(self, clicks: np.ndarray, plays: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(R, A): the arm with the largest score is shown next."""
        ...


def click_rate(clicks: np.ndarray, plays: np.ndarray) -> np.ndarray:
    """Share of clicks of each arm; infinite for an arm never shown, so that every arm is tried once.

    clicks, plays: of one shape. Called in every round, so what comes in is not looked through.
    """
    return np.divide(clicks, plays, out=np.full(np.shape(plays), np.inf), where=plays > 0)


@dataclass(frozen=True)
class Uniform:
    """Show any arm with the same probability, for ever."""

    def scores(self, clicks: np.ndarray, plays: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Noise."""
        return rng.random(plays.shape)


@dataclass(frozen=True)
class EpsilonGreedy:
    """Show the best arm so far; with probability ``epsilon``, 0 to 1, show any arm."""

    epsilon: float = 0.1

    def __post_init__(self) -> None:
        inputs.settings(self, epsilon=SHARE)

    def scores(self, clicks: np.ndarray, plays: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The observed click rates, or noise in the runs that explore now."""
        return _noise_in_some(click_rate(clicks, plays), self.epsilon, rng)


@dataclass(frozen=True)
class EpsilonDecaying:
    """ε-greedy that explores less and less (Auer et al. 2002): ε_t = min(1, c · A / t) in round t, with A arms.

    c: ≥ 0.
    """

    c: float = 0.1

    def __post_init__(self) -> None:
        inputs.settings(self, c=NOT_NEGATIVE)

    def scores(self, clicks: np.ndarray, plays: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The observed click rates, or noise in the runs that explore now; t − 1 clicks or misses are known."""
        epsilon = np.minimum(1, self.c * plays.shape[1] / (plays.sum(axis=1) + 1))  # (R,)
        return _noise_in_some(click_rate(clicks, plays), epsilon, rng)


def _noise_in_some(scores: np.ndarray, epsilon: float | np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """``scores`` (R, A), replaced by noise in each run with probability ``epsilon``."""
    explore = rng.random(len(scores)) < epsilon
    scores[explore] = rng.random((explore.sum(), scores.shape[1]))
    return scores


@dataclass(frozen=True)
class UCB1:
    """Optimism (Auer et al. 2002): observed rate + width · √(2 ln t / n), with n plays of the arm after t rounds.

    width: ≥ 0.
    """

    width: float = 1.0

    def __post_init__(self) -> None:
        inputs.settings(self, width=NOT_NEGATIVE)

    def scores(self, clicks: np.ndarray, plays: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Upper confidence bounds; ``width`` 1 is the published bound, less is bolder."""
        t = np.maximum(plays.sum(axis=1, keepdims=True), 1)
        n = np.maximum(plays, 1)
        return click_rate(clicks, plays) + self.width * np.sqrt(2 * np.log(t) / n)


@dataclass(frozen=True)
class ThompsonSampling:
    """Draw a click rate from each arm's posterior Beta(a + clicks, b + plays − clicks); show the largest draw.

    a, b: > 0.
    """

    a: float = 1.0
    b: float = 1.0

    def __post_init__(self) -> None:
        inputs.settings(self, a=POSITIVE, b=POSITIVE)

    def scores(self, clicks: np.ndarray, plays: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """One draw from each posterior."""
        return rng.beta(self.a + clicks, self.b + plays - clicks)


def best(scores: np.ndarray) -> np.ndarray:
    """The arm with the largest of ``scores`` (R, A) in each run, the first among equals: (R,). CourseError for NaN."""
    scores = np.asarray(scores)
    arm = scores.argmax(axis=1)  # that of a NaN, where there is one
    if np.isnan(scores[np.arange(len(arm)), arm]).any():
        raise CourseError("The policy's scores hold NaN: look for 0 / 0, such as the rate of an arm never shown.")
    return arm


class Learner(Protocol):
    """What `play` asks of whoever chooses, in R runs at once. All arrays are (R,), one value a run."""

    def choose(self, visitor: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The arm to show to each run's visitor."""
        ...

    def learn(self, visitor: np.ndarray, arm: np.ndarray, click: np.ndarray) -> None:
        """What became of an arm that was shown to a visitor."""
        ...


class Counting:
    """A `Policy` at work: it counts clicks and plays, and can forget. It does not look at who the visitor is.

    order: (R, A), each run's own order of the arms, so that ties (the first wins) favour none. window: only the last W
    answers count, ≥ 1 (Garivier & Moulines 2011). discount: with each answer all counts shrink by this factor, above 0
    to 1 (Raj & Kalyani 2017), so that the memory reaches about 1 / (1 − discount) answers back.
    """

    def __init__(self, policy: Policy, order: np.ndarray, window: int | None = None, discount: float = 1.0) -> None:
        if window is not None and inputs.whole("window", window) < 1:
            raise CourseError(
                f"A window holds at least the last answer; got {window}: give 1 or more, or None for all."
            )
        if isinstance(discount, bool) or not 0 < discount <= 1:
            raise CourseError(f"A discount lies above 0 and at most at 1, which forgets nothing; got {discount}.")
        self.policy, self.order, self.window, self.discount = policy, order, window, discount
        self.runs, self.place = np.arange(len(order)), np.argsort(order, axis=1)
        self.clicks, self.plays = np.zeros(order.shape), np.zeros(order.shape)  # in each run's own order
        self.recent: deque[tuple[np.ndarray, np.ndarray]] = deque()

    def choose(self, visitor: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The arm with the largest score, (R,)."""
        return self.order[self.runs, best(self.policy.scores(self.clicks, self.plays, rng))]

    def learn(self, visitor: np.ndarray, arm: np.ndarray, click: np.ndarray) -> None:
        """Count; forget what is too old."""
        if self.discount < 1:
            self.clicks *= self.discount
            self.plays *= self.discount
        place = self.place[self.runs, arm]
        self.plays[self.runs, place] += 1
        self.clicks[self.runs, place] += click
        if self.window is not None:
            self.recent.append((place, click))
            if len(self.recent) > self.window:
                old, clicked = self.recent.popleft()
                self.plays[self.runs, old] -= 1
                self.clicks[self.runs, old] -= clicked


def play(
    learner: Learner,
    p: np.ndarray,
    rows: np.ndarray,
    luck: np.ndarray,
    rng: np.random.Generator,
    delay: int = 0,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> np.ndarray:
    """The simulator: regret (R, T), cumulative, of R runs of T rounds, all runs at once.

    p: (N, A) click probabilities of A arms. rows: (T, R), which of the N rows holds in a round of a run: who visits, or
    which phase it is. luck: (T, R) uniform numbers; a click happens where luck < p. rng: the learner's own dice.
    delay: a click or a miss becomes known only after so many further rounds, ≥ 0.
    Regret after T rounds is Σ_t (the best arm's p − p of the arm shown), both in the row that holds in round t.
    """
    p, luck = checked_table(p), inputs.array("luck", luck, ndim=2)
    rows = inputs.ids("rows", np.ravel(rows), len(p)).reshape(np.shape(rows))
    if rows.shape != luck.shape or not rows.size:
        raise CourseError(f"Rows and luck are (T, R), one for each round and run; got {rows.shape}, {luck.shape}.")
    if inputs.whole("the delay", delay) < 0:
        raise CourseError(
            f"Feedback cannot come before the round that it is about: the delay is {delay}, give 0 or more."
        )
    top, regret, waiting = p.max(axis=1), np.empty(rows.shape[::-1]), deque()  # type: ignore[var-annotated]
    for t in progress(range(len(rows))):
        arm = learner.choose(rows[t], rng)
        chance = p[rows[t], arm]
        regret[:, t] = top[rows[t]] - chance
        waiting.append((rows[t], arm, luck[t] < chance))
        if len(waiting) > delay:
            learner.learn(*waiting.popleft())
    return regret.cumsum(axis=1)


@dataclass(frozen=True)
class Outcome:
    """What `simulate` saw. regret: (R, T), cumulative; clicks, plays: (R, A), what is known (and kept) at the end."""

    regret: np.ndarray
    clicks: np.ndarray
    plays: np.ndarray


def simulate(
    policy: Policy,
    click_rates: Sequence[float] | np.ndarray,
    n_rounds: int,
    seeds: Sequence[int],
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
    *,
    delay: int = 0,
    window: int | None = None,
    discount: float = 1.0,
) -> Outcome:
    """Play ``n_rounds`` rounds against Bernoulli arms, one run for each seed, all runs at once.

    n_rounds: T ≥ 1. seeds: each ≥ 0, at least one.
    click_rates: (A,); or (K, A), rates that change: row k holds in the k-th of K equally long phases. Regret after T
    rounds is Σ_t (p* − p of the arm shown): clicks lost in expectation against always showing the best arm. Two
    policies with the same seeds meet the same luck: in round t of a run both compare the same uniform number with the
    click rate of their arm. Each run has its own order of arms. delay: see `play`; window, discount: see `Counting`.
    """
    p = checked_table(click_rates)  # (K, A)
    n_rounds, seeds = checked_run(n_rounds, seeds)
    streams = [inputs.generator(seed) for seed in seeds]
    order = np.array([stream.permutation(p.shape[1]) for stream in streams])  # (R, A)
    luck = np.array([stream.random(n_rounds) for stream in streams]).T  # (T, R)
    learner = Counting(policy, order, window, discount)
    phase = np.repeat(np.arange(n_rounds) * len(p) // n_rounds, len(seeds)).reshape(luck.shape)  # (T, R)
    regret = play(learner, p, phase, luck, np.random.default_rng([*seeds]), delay, progress)
    back = learner.place
    return Outcome(regret, np.take_along_axis(learner.clicks, back, 1), np.take_along_axis(learner.plays, back, 1))


def lai_robbins(click_rates: Sequence[float] | np.ndarray) -> float:
    """Σ_a Δ_a / KL(p_a, p*): no consistent policy's regret grows slower than this times ln t (Lai & Robbins 1985).

    Over the arms below the best one, p*; Δ_a = p* − p_a, KL between Bernoulli variables in nats. The unit is clicks.
    """
    p = checked_rates(click_rates)
    top = p.max()
    if top == 1:
        return 0.0  # an arm that is always clicked gives every other one away at its first miss
    below = p[p < top - 1e-12]  # nearer ones are the best arm too, but for rounding
    return float(np.sum((top - below) / (rel_entr(below, top) + rel_entr(1 - below, 1 - top))))


def smoothed_rates(clicks: np.ndarray, plays: np.ndarray, strength: float = 10.0) -> np.ndarray:
    """(clicks + strength · overall) / (plays + strength): few plays are pulled towards the overall rate.

    clicks, plays: (A,), counts of at least 0. strength: ≥ 0, and > 0 if an arm has no plays.
    """
    clicks, plays = inputs.array("clicks", clicks), inputs.array("plays", plays)
    strength = inputs.number("strength", strength, at_least=0, below=1e100)
    if clicks.shape != plays.shape or not plays.sum() > 0 or (clicks < 0).any() or (plays < 0).any():
        raise CourseError(
            "Clicks and plays have one value for each arm, none below 0, and some plays; got shapes"
            f" {clicks.shape} and {plays.shape}."
        )
    if not strength and not plays.all():
        raise CourseError("An arm without plays has no rate of its own: take a strength above 0.")
    overall = np.sum(clicks) / np.sum(plays)
    return (clicks + strength * overall) / (plays + strength)
