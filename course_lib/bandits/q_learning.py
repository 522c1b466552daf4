"""A session simulator whose truth is known, exact value iteration for it, and tabular Q-learning in it.

Letters: s state, a action (the genre shown), r reward (1 for a click), γ discount; S states, A genres, R runs.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from course_lib import inputs
from course_lib.bandits.checks import checked_rates, checked_run
from course_lib.errors import CourseError


@dataclass(frozen=True)
class Session:
    """A user who is shown one film a turn, for at most ``turns`` turns, and may leave after each.

    Showing a genre for the k-th time in a row (k − 1 repeats) multiplies its click rate by fatigue^(k − 1) and adds
    boredom · (k − 1) to the chance of leaving; beyond ``longest_run`` the user is as tired as it gets.
    turns, longest_run: ≥ 1. fatigue: 0 to 1. leave, boredom, leave + boredom · (longest_run − 1): 0 to 1.
    The state is (turn, last genre, its run): all that click and leaving depend on, so the process is Markov.
    """

    click_rates: tuple[float, ...]
    turns: int = 8
    fatigue: float = 0.9
    leave: float = 0.02
    boredom: float = 0.15
    longest_run: int = 3

    def __post_init__(self) -> None:
        object.__setattr__(self, "click_rates", tuple(checked_rates(self.click_rates).tolist()))
        whole, number = inputs.whole, inputs.number
        inputs.settings(self, turns=whole, longest_run=whole, fatigue=number, leave=number, boredom=number)
        if min(self.turns, self.longest_run) < 1 or not 0 <= self.fatigue <= 1:
            raise CourseError("A session has turns and longest_run of at least 1 and a fatigue between 0 and 1.")
        if self.leave < 0 or self.boredom < 0 or self.leave + self.boredom * (self.longest_run - 1) > 1:
            raise CourseError("leave, boredom and leave + boredom * (longest_run - 1) must lie between 0 and 1.")

    @cached_property
    def states(self) -> list[tuple[int, int, int]]:
        """(turn, last genre, its run). State 0 is the start, (0, −1, 0); the last is the end, (turns, −1, 0)."""
        runs, genres = range(1, self.longest_run + 1), range(len(self.click_rates))
        middle = [(t, g, k) for t in range(1, self.turns) for g in genres for k in runs]
        return [(0, -1, 0), *middle, (self.turns, -1, 0)]

    @cached_property
    def model(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The truth: click probability (S, A), probability of staying (S, A), next state if the user stays (S, A)."""
        number = {state: index for index, state in enumerate(self.states)}
        shape = (len(self.states), len(self.click_rates))
        click, stay, after = np.zeros(shape), np.zeros(shape), np.full(shape, len(self.states) - 1)
        for s, (t, last, run) in enumerate(self.states[:-1]):
            for a, rate in enumerate(self.click_rates):
                k = min(run + 1, self.longest_run) if a == last else 1
                click[s, a] = rate * self.fatigue ** (k - 1)
                if t + 1 < self.turns:
                    stay[s, a] = 1 - self.leave - self.boredom * (k - 1)
                    after[s, a] = number[t + 1, a, k]
        return click, stay, after


def checked_discount(gamma: float) -> float:
    """``gamma``, or CourseError if it is no discount."""
    if not 0 <= inputs.number("The discount γ", gamma) <= 1:
        raise CourseError(f"The discount γ lies between 0 and 1; got {gamma}.")
    return float(gamma)


def value_iteration(world: Session, gamma: float) -> np.ndarray:
    """The exact Q*: (S, A), the fixed point of Q(s, a) = r(s, a) + γ · P(stay | s, a) · max_a' Q(s', a').

    Each sweep is right for one turn more, so ``turns`` sweeps from zero reach it exactly.
    """
    click, stay, after = world.model
    gamma, q = checked_discount(gamma), np.zeros_like(click)
    for _ in range(world.turns):
        q = click + gamma * stay * q.max(axis=1)[after]
    return q


def value(world: Session, actions: np.ndarray, gamma: float = 1.0) -> np.ndarray:
    """Exact expected discounted clicks of a session under deterministic policies; with γ = 1, clicks a session.

    actions: (..., S), the genre shown in each state. Returns (...).
    """
    click, stay, after = world.model
    gamma, actions = checked_discount(gamma), _actions(world, actions)
    states = np.arange(len(world.states))
    v = np.zeros(actions.shape)
    for _ in range(world.turns):
        v = click[states, actions] + gamma * stay[states, actions] * np.take_along_axis(
            v, after[states, actions], axis=-1
        )
    return v[..., 0]


def _actions(world: Session, actions: np.ndarray) -> np.ndarray:
    """``actions`` (..., S), a genre for each state, or CourseError."""
    click, found = world.model[0], np.asarray(actions)
    if not found.ndim or found.shape[-1] != len(click):
        raise CourseError(f"There is a genre for each of {len(click)} states; got the shape {found.shape}.")
    return inputs.ids("genres", found.ravel(), click.shape[1]).reshape(found.shape)


def random_value(world: Session) -> float:
    """Exact expected clicks of a session when every genre is drawn with the same probability."""
    click, stay, after = world.model
    v = np.zeros(len(click))
    for _ in range(world.turns):
        v = (click + stay * v[after]).mean(axis=1)
    return float(v[0])


def trace(world: Session, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Genres shown to a user who stays, (turns,), and the probability of still being there at each turn, (turns,).

    actions: (S,), the genre shown in each state.
    """
    actions = _actions(world, np.asarray(actions)[None])[0]
    _, stay, after = world.model
    s, there, genres, present = 0, 1.0, [], []
    for _ in range(world.turns):
        a = int(actions[s])
        genres.append(a)
        present.append(there)
        s, there = int(after[s, a]), there * stay[s, a]
    return np.array(genres), np.array(present)


@dataclass(frozen=True)
class Learned:
    """What `q_learning` returns. q: (R, S, A); steps: (C,); actions: (C, R, S), greedy policies at C checkpoints."""

    q: np.ndarray
    steps: np.ndarray
    actions: np.ndarray


def q_learning(
    world: Session,
    gamma: float,
    n_steps: int,
    seeds: Sequence[int],
    *,
    epsilon: float = 0.3,
    decay: float = 0.7,
    checkpoints: int = 20,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> Learned:
    """Tabular Q-learning (Watkins 1989), one independent learner for each seed, all learners at once.

    Q(s, a) ← Q(s, a) + α · (r + γ · max_a' Q(s', a') − Q(s, a)) with α = n(s, a)^−decay, n the visits so far; nothing
    follows the end of a session. The learner never sees ``world.model``: it acts (greedily, at random with probability
    epsilon), meets one click or none, and the user who stays or leaves. A new user comes when one has left.
    n_steps ≥ checkpoints ≥ 1; seeds: each ≥ 0, at least one; gamma, epsilon: 0 to 1; decay: ≥ 0.
    """
    checked_discount(gamma)
    n_steps, seeds = checked_run(n_steps, seeds)
    epsilon, decay = inputs.SHARE("epsilon", epsilon), inputs.NOT_NEGATIVE("decay", decay)
    checkpoints = inputs.whole("checkpoints", checkpoints, at_least=1, at_most=n_steps)
    click, stay, after = world.model
    learners, (n_states, n_genres) = np.arange(len(seeds)), click.shape
    streams = [inputs.generator(seed) for seed in seeds]
    q, visits = np.zeros((len(seeds), n_states, n_genres)), np.zeros((len(seeds), n_states, n_genres))
    s, end, actions = np.zeros(len(seeds), dtype=int), n_states - 1, []
    blocks = np.array_split(np.arange(n_steps), checkpoints)
    for block in progress(range(checkpoints)):
        dice = np.stack([stream.random((len(blocks[block]), 4)) for stream in streams], axis=1)  # (steps, R, 4)
        for explore, genre, clicked, stays in dice.transpose(0, 2, 1):
            a = np.where(explore < epsilon, (genre * n_genres).astype(int), q[learners, s].argmax(axis=1))
            r = clicked < click[s, a]
            s_next = np.where(stays < stay[s, a], after[s, a], end)
            visits[learners, s, a] += 1
            alpha = visits[learners, s, a] ** -decay
            q[learners, s, a] += alpha * (r + gamma * q[learners, s_next].max(axis=1) - q[learners, s, a])
            s = np.where(s_next == end, 0, s_next)
        actions.append(q.argmax(axis=2))
    return Learned(q, np.cumsum([len(block) for block in blocks]), np.array(actions))
