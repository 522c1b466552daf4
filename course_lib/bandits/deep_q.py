"""Deep Q-learning (DQN): a network in place of the table, several learners trained at once as a batch.

Letters: R learners, E sessions each, B = R · E; s state features (…, d_s); a action (a film's number); C candidates;
F films with features x_a (d_a); r reward; γ discount. Mnih et al. (2015), Nature 518; van Hasselt et al. (2016), AAAI.
"""

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from course_lib import inputs
from course_lib.bandits.q_learning import Session, checked_discount
from course_lib.bandits.q_network import QNetwork
from course_lib.bandits.sessions import Features, Policy, surely
from course_lib.device import one_thread
from course_lib.errors import CourseError


class Environment(Protocol):
    """What a learner meets: B sessions, each replaced by a new one when its user has left."""

    items: np.ndarray  # (F, d_a): the features of every action
    views: int  # how many vectors of d_a numbers a state begins with, and
    groups: np.ndarray | None  # (d_a, G): see `QNetwork`

    def observe(self) -> tuple[np.ndarray, np.ndarray]:
        """State features (B, d_s) and candidate actions (B, C)."""
        ...

    def step(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Show ``action`` (B,) to all; returns reward (B,) and ended (B,) booleans."""
        ...


@dataclass
class Table:
    """The small `q_learning.Session` as an environment: one-hot states, genres as actions, ``n`` ≥ 1 sessions."""

    world: Session
    n: int
    seed: int

    def __post_init__(self) -> None:
        inputs.settings(self, n=inputs.COUNT)
        self.click, self.stay, self.after = self.world.model
        self.items, self.rng = np.eye(self.click.shape[1]), inputs.generator(self.seed)
        self.views, self.groups = 0, None
        self.s = np.zeros(self.n, dtype=int)

    def observe(self) -> tuple[np.ndarray, np.ndarray]:
        """One-hot states (B, S), and all genres."""
        return np.eye(len(self.click), dtype=np.float32)[self.s], np.tile(np.arange(len(self.items)), (self.n, 1))

    def step(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A click or none; the user stays, or a new one comes."""
        action = inputs.ids("Actions", action, len(self.items))
        if len(action) != self.n:
            raise CourseError(f"There is an action for each of {self.n} sessions; got {len(action)}.")
        clicked = self.rng.random(self.n) < self.click[self.s, action]
        ended = self.rng.random(self.n) >= self.stay[self.s, action]
        self.s = np.where(ended, 0, self.after[self.s, action])
        return clicked.astype(float), ended


@dataclass
class Replay:
    """A ring of the last ``capacity`` ≥ 1 transitions of each of R learners: s, a, r, s', its candidates, ended."""

    capacity: int
    size: int = field(default=0, init=False)
    at: int = field(default=0, init=False)
    columns: dict[str, np.ndarray] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        inputs.settings(self, capacity=inputs.COUNT)

    def add(self, rows: Mapping[str, np.ndarray]) -> None:
        """Keep E ≤ capacity new transitions a learner; each of ``rows`` is (R, E, …). The oldest make room."""
        n = next(iter(rows.values())).shape[1]
        if not all(np.isfinite(value).all() for value in rows.values() if value.dtype.kind == "f"):
            raise CourseError(
                "A transition holds NaN or infinity: look at the state features and rewards of the environment."
            )
        if not self.columns:
            self.columns = {
                name: np.zeros((len(value), self.capacity, *value.shape[2:]), value.dtype)
                for name, value in rows.items()
            }
        places = (self.at + np.arange(n)) % self.capacity
        for name, value in rows.items():
            self.columns[name][:, places] = value
        self.at, self.size = (self.at + n) % self.capacity, min(self.size + n, self.capacity)

    def sample(self, n: int, rng: np.random.Generator, latest: bool = False) -> dict[str, Tensor]:
        """``n`` ≥ 1 transitions a learner, drawn at random with replacement, or the ``latest`` n; each (R, n, …)."""
        if not self.size:
            raise CourseError("The replay buffer is empty: act before you learn.")
        R = len(next(iter(self.columns.values())))
        back = 1 + np.arange(min(n, self.size))[None] if latest else rng.integers(1, self.size + 1, (R, n))
        places = (self.at - back) % self.capacity  # (R, n) or (1, n)
        return {name: torch.from_numpy(value[np.arange(R)[:, None], places]) for name, value in self.columns.items()}


def bellman_targets(
    batch: Mapping[str, Tensor], net: QNetwork, frozen: QNetwork, gamma: float, double: bool = True
) -> Tensor:
    """y = r + γ · Q⁻(s', a*), and y = r where the user has left; (R, n).

    double: a* = argmax_a Q(s', a), chosen by ``net`` and valued by ``frozen``; else a* = argmax_a Q⁻(s', a), so that
    the largest of C noisy values is also believed.
    """
    gamma = checked_discount(gamma)
    with torch.no_grad():
        s, candidates = batch["s_next"], batch["candidates"]
        best = (net if double else frozen)(s, candidates).argmax(dim=2, keepdim=True)
        later = frozen(s, candidates.gather(2, best)).squeeze(2)
        return batch["r"] + gamma * torch.where(batch["ended"], 0.0, later)


@dataclass(frozen=True)
class DQN:
    """The settings of a run.

    Without ``target`` the network that learns also values, without ``replay`` a batch is the latest transitions, and
    without ``double`` the network that values also chooses. The share of random films falls from 1 to ``epsilon``
    within the first ``explore`` of the steps, and the learning rate from ``rate`` to 0 at the end.
    gamma, epsilon: 0 to 1. explore: above 0 to 1. rate: > 0. steps, hidden, batch, capacity, target_every: ≥ 1.
    """

    gamma: float = 0.9
    steps: int = 2000
    hidden: int = 64
    batch: int = 64
    rate: float = 2e-3
    capacity: int = 20_000
    target_every: int = 100
    epsilon: float = 0.1
    explore: float = 0.4
    target: bool = True
    replay: bool = True
    double: bool = True

    def __post_init__(self) -> None:
        checked_discount(self.gamma)
        for names, kind in (
            (("steps", "hidden", "batch", "capacity", "target_every"), inputs.whole),
            (("gamma", "rate", "epsilon", "explore"), inputs.number),
        ):
            inputs.settings(self, **dict.fromkeys(names, kind))
        if min(self.steps, self.hidden, self.batch, self.capacity, self.target_every) < 1 or not self.rate > 0:
            raise CourseError("steps, hidden, batch, capacity and target_every are at least 1, and rate is above 0.")
        if not 0 <= self.epsilon <= 1 or not 0 < self.explore <= 1:
            raise CourseError("epsilon lies between 0 and 1, and explore above 0 and at most 1.")


ADVICE = "lower the learning rate, or the rewards"


@dataclass(frozen=True)
class Trained:
    """What `train` returns. nets: the networks at each of K checkpoints; steps: (K,); loss: (steps, R)."""

    nets: list[QNetwork]
    steps: np.ndarray
    loss: np.ndarray

    def values(self, s: np.ndarray, candidates: np.ndarray, learner: int, checkpoint: int = -1) -> np.ndarray:
        """Q-values of one learner, (B, C). s: (B, d_s); candidates: (B, C). checkpoint: 0 to K - 1, or -1, the last."""
        net = self._net(learner, checkpoint)
        films = inputs.ids("candidates", np.ravel(candidates), len(net.items)).reshape(np.shape(candidates))
        given = torch.tensor(inputs.array("s", s, ndim=2), dtype=torch.float32)
        if films.ndim != 2 or not films.size or given.shape != (len(films), net.W_s.shape[1]):
            got = f"{tuple(given.shape)} and {films.shape}"
            raise CourseError(f"s is (B, {net.W_s.shape[1]}), candidates are (B, C), for the same states; got {got}.")
        with torch.no_grad(), one_thread():
            found = net(given[None], torch.from_numpy(films)[None])[0].numpy()
        return inputs.all_finite("Q-values", found)

    def _net(self, learner: int, checkpoint: int) -> QNetwork:
        learner = inputs.whole("learner", learner, at_least=0, at_most=self.loss.shape[1] - 1)
        return self.nets[inputs.whole("checkpoint", checkpoint, at_least=-1, at_most=len(self.nets) - 1)].only(learner)

    def policy(self, features: Features, learner: int, checkpoint: int = -1) -> Policy:
        """The greedy policy of one learner: it shows the candidate with the largest Q-value and explores no more."""
        self._net(learner, checkpoint)
        return lambda state: surely(self.values(features.state(state), state.candidates, learner, checkpoint))


def train(
    environment: Environment,
    settings: DQN,
    learners: int,
    seed: int,
    *,
    checkpoints: int = 1,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> Trained:
    """Deep Q-learning of ``learners`` independent learners, who share the environment's B sessions equally.

    Each step: every session shows one film (ε-greedy), the transition goes to the learner's own replay memory, and one
    step of Adam follows the Huber loss of Q(s, a) − y on a batch from it. Learner i has its own start, its own
    experience and its own sessions, and none sees another's. learners: ≥ 1. seed: ≥ 0. checkpoints: 1 to the steps.
    CourseError where the loss is not finite.
    """
    learners, seed = inputs.whole("learners", learners), inputs.SEED("seed", seed)
    checkpoints = inputs.whole("checkpoints", checkpoints, at_least=1, at_most=settings.steps)
    s, candidates = environment.observe()
    if learners < 1 or len(s) % learners:
        raise CourseError(f"{len(s)} sessions cannot be shared equally by {learners} learners.")
    net = QNetwork(
        learners, s.shape[1], environment.items, settings.hidden, seed, environment.views, environment.groups
    )
    frozen, optimiser = deepcopy(net), torch.optim.Adam(net.parameters(), lr=settings.rate)
    rng, memory, rows = np.random.default_rng([seed, 1]), Replay(settings.capacity), np.arange(len(s))
    marks = set(np.linspace(0, settings.steps, checkpoints + 1).astype(int)[1:].tolist())
    nets, losses = [], []

    def own(x: np.ndarray) -> np.ndarray:  # (B, …) to (R, E, …)
        return x.reshape(learners, -1, *x.shape[1:])

    with one_thread():
        for step in progress(range(1, settings.steps + 1)):
            epsilon = max(settings.epsilon, 1 - (1 - settings.epsilon) * step / (settings.explore * settings.steps))
            with torch.no_grad():
                q = net(torch.from_numpy(own(s)), torch.from_numpy(own(candidates))).flatten(0, 1).numpy()
            anything = rng.integers(0, candidates.shape[1], len(s))
            a = candidates[rows, np.where(rng.random(len(s)) < epsilon, anything, q.argmax(axis=1))]
            r, ended = environment.step(a)
            before, (s, candidates) = s, environment.observe()
            new = {
                "s": before,
                "a": a[:, None],
                "r": r.astype(np.float32),
                "s_next": s,
                "candidates": candidates,
                "ended": ended,
            }
            memory.add({name: own(column) for name, column in new.items()})

            batch = memory.sample(settings.batch, rng, latest=not settings.replay)
            y = bellman_targets(batch, net, frozen if settings.target else net, settings.gamma, settings.double)
            loss = smooth_l1_loss(net(batch["s"], batch["a"]).squeeze(2), y, reduction="none").mean(dim=1)
            optimiser.param_groups[0]["lr"] = settings.rate * (1 - (step - 1) / settings.steps)
            optimiser.zero_grad()
            loss.sum().backward()  # a sum: the gradient of each learner is its own
            optimiser.step()
            losses.append(inputs.all_finite(f"The losses of step {step}", loss.detach().numpy(), ADVICE))
            if step % settings.target_every == 0:
                frozen.load_state_dict(net.state_dict())
            if step in marks:
                nets.append(deepcopy(net).requires_grad_(False))
    return Trained(nets, np.array(sorted(marks)), np.array(losses))
