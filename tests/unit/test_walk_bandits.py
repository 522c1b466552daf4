"""Everything public in course_lib.bandits, found by inspection, with what goes wrong elsewhere."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from inspect import Parameter
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pantry import COMMON, NAN, Fixed, Ids, Kind, Knob, Labels, Numbers, OneId, Trial, forms, numbers
from walk import Pantry, Target, check, targets

from course_lib import bandits
from course_lib.bandits import (
    contextual,
    deep_q,
    logged_world,
    off_policy,
    online,
    policies,
    q_learning,
    sessions,
    worlds,
)
from course_lib.bandits.q_network import QNetwork
from course_lib.bandits.reward_model import ClickModel
from course_lib.data import open_bandit

FOLDER = tempfile.TemporaryDirectory()
FILES = count()


def some(*shape: int, seed: int = 0) -> Callable[[], Numbers]:
    """Chances."""
    return lambda: Numbers(0.1 + 0.8 * np.random.default_rng(seed).random(shape))


def counts(*shape: int, most: int = 9, seed: int = 0) -> Callable[[], Numbers]:
    return lambda: Numbers(np.random.default_rng(seed).integers(1, most, shape).astype(float))


@dataclass(frozen=True)
class Probabilities(Numbers):
    """Rows that sum to 1."""

    def trials(self, parameter: Parameter) -> Iterator[Trial]:
        yield from super().trials(parameter)
        yield Trial("a row that sums to 0.9", self.value * 0.9, "refused")
        yield Trial("a negative one", np.where(np.arange(self.value.shape[-1]) == 0, -0.1, self.value), "refused")


def policy(*shape: int, seed: int = 0) -> Callable[[], Probabilities]:
    def make() -> Probabilities:
        rows = np.random.default_rng(seed).random(shape) + 0.1
        return Probabilities(rows / rows.sum(axis=-1, keepdims=True))

    return make


@dataclass(frozen=True)
class Seeds(Kind):
    """A seed for each run."""

    def trials(self, parameter: Parameter) -> Iterator[Trial]:
        yield Trial("a tuple", tuple(self.value), "same")
        yield Trial("an array", np.array(self.value), "same")
        for label, bad in (("no seed", []), ("-1", [-1]), ("NaN", [float("nan")]), ("True", [True])):
            yield Trial(label, bad, "refused")


@dataclass(frozen=True)
class Codes(Kind):
    """Whole numbers from ``least`` to ``below`` - 1, in any order and number."""

    below: int
    least: int = 0

    def trials(self, parameter: Parameter) -> Iterator[Trial]:
        for label, value in forms(self.value):
            yield Trial(label, value, "same")
        yield Trial("one row less", self.value[:-1], "sound")
        for label, bad in (("too small", self.least - 1), ("too large", self.below), ("half", 0.5), ("NaN", NAN)):
            spoilt = self.value.astype(float if isinstance(bad, float) else int)
            spoilt.flat[-1] = bad
            yield Trial(label, spoilt, "refused")
        yield Trial("a mask", self.value > self.least, "refused")


class Made(Kind):
    """Made anew for each call, since the call changes it."""

    def fresh(self) -> Any:
        return self.value()


def loop() -> online.OnlineLoop:
    path = Path(FOLDER.name) / f"{next(FILES)}.sqlite"
    return online.OnlineLoop(path, ["a", "b"], policies.ThompsonSampling(), 1, draws=5, durable=False)


def a_world() -> worlds.World:
    rng = np.random.default_rng(0)
    return worlds.World(rng.random((4, 3)), rng.normal(size=(4, 2)), rng.normal(size=(3, 2)))


def films() -> sessions.World:
    rng = np.random.default_rng(0)
    alike = sessions.kinship(rng.normal(size=(6, 3)), np.eye(6))
    return sessions.World(rng.random((4, 6)), alike, turns=3, n_candidates=2)


def features() -> sessions.Features:
    rng = np.random.default_rng(0)
    return sessions.Features(rng.normal(size=(6, 2)), rng.normal(size=(4, 2)), 0.5)


def logged() -> logged_world.LoggedWorld:
    q = some(2, 3)().value
    return logged_world.LoggedWorld(policy(2)().value, q, policy(2, 3)().value)


def logs() -> logged_world.Logs:
    return logged_world.LoggedWorld(policy(2)().value, some(2, 3)().value, policy(2, 3)().value).draw(400, 3, 1)


def state() -> sessions.State:
    return films().start(np.array([0, 1]), np.random.default_rng(0))


SESSION = q_learning.Session((0.5, 0.3), turns=3)
STATES = len(SESSION.states)
DQN = deep_q.DQN(steps=3, hidden=3, batch=2)
TRAINED = deep_q.train(deep_q.Table(SESSION, 2, 1), DQN, 2, 1)
LOG = open_bandit.load_log("random", "men").head(300).assign(click=np.arange(300) % 2)
N = 12
IDS = np.array([0, 1, 2] * 4)
ORDER = np.array([[0, 1, 2], [2, 0, 1]])
NETWORK = QNetwork(2, 1, np.eye(3), 2, 1)
TRANSITIONS = {
    "r": torch.zeros(2, 4),
    "ended": torch.zeros(2, 4, dtype=torch.bool),
    "s_next": torch.zeros(2, 4, 1),
    "candidates": torch.zeros(2, 4, 3, dtype=torch.int64),
}
CONTEXTUAL = ("LinUCB", "LinearThompson", "DisjointLinUCB")
SIMULATED = ("World", "simulate", "look_ahead", "Visitors")
OF_A_LOG = ("LoggedWorld", "estimate", "self_normalised", "tamed", "all_estimates")
BATCH = {name: np.zeros((2, 3, 4), dtype=np.float32) for name in ("s", "r")}
PANTRY: Pantry = (
    COMMON
    | {
        # policies and simulations
        "policy": policies.ThompsonSampling,
        "policies": lambda: {"Thompson": policies.ThompsonSampling(), "LinUCB": contextual.LinUCB()},
        "world": lambda: Fixed(SESSION),
        **{f"contextual.{name}.world": a_world for name in ("visit", "visit_all", *CONTEXTUAL)},
        **{f"sessions.{name}.world": films for name in ("greedy", "simulate", "look_ahead", "Visitors")},
        **{f"{name}.order": lambda: Fixed(ORDER) for name in CONTEXTUAL},
        **{f"{name}.scores.model": lambda: Fixed(contextual.SharedModel(a_world(), 2, 1.0)) for name in CONTEXTUAL},
        "visitor": lambda: Fixed(np.array([0, 1])),
        "n_rounds": lambda: Knob(20, dear=True),
        "seeds": lambda: Seeds([3, 1]),
        "delay": lambda: Knob(2),
        "window": lambda: Knob(3),
        "click_rates": some(3),
        "clicks": counts(3),
        "plays": lambda: Numbers(counts(3)().value + 9),
        **{
            f"{name}.scores.{what}": lambda: Fixed(
                np.array([[1.0, 2, 3], [2, 1, 1]])
            )  # in a round: looked at by `best`
            for name in ("Uniform", "EpsilonGreedy", "EpsilonDecaying", "UCB1", "ThompsonSampling")
            for what in ("clicks", "plays")
        },
        "click_rate.clicks": lambda: Fixed(np.array([1.0, 2.0])),
        "click_rate.plays": lambda: Fixed(np.array([2.0, 2.0])),
        "scores": numbers(4, 3),
        "policies.play.learner": lambda: Made(lambda: policies.Counting(policies.Uniform(), ORDER)),
        "policies.play.p": some(2, 3),
        "policies.play.rows": lambda: Codes(np.array([[0, 1], [1, 1], [0, 0]]), 2),
        "policies.play.luck": some(3, 2),
        "BanditRanked.n_rounds": lambda: Knob(50, dear=True),
        # A/B tests
        "p_control": lambda: Knob(0.1),
        "p_treatment": lambda: Knob(0.2),
        "power_proportions.n": lambda: Knob(100),
        "sd": lambda: Knob(1.5),
        "difference": lambda: Knob(0.5),
        **{f"{name}.difference": numbers(4) for name in ("always_valid_p", "confidence_sequence")},
        "se": some(4),
        **{f"Comparison.{name}": lambda: Fixed(np.array([0.1, 0.2])) for name in ("difference", "se", "p")},
        "clicks_c": lambda: Numbers(np.array([3.0, 1, 2, 0])),
        "views_c": lambda: Numbers(np.array([9.0, 4, 5, 1])),
        "clicks_t": lambda: Numbers(np.array([3.0, 2, 2, 1])),
        "views_t": lambda: Numbers(np.array([9.0, 5, 5, 2])),
        "n_c": lambda: Numbers(np.array([9.0, 5, 5, 2])),
        "n_t": lambda: Numbers(np.array([9.0, 5, 5, 2])),
        "control": numbers(5),
        "treatment": numbers(6),
        "views": lambda: Numbers(np.array([12.0, 15, 14])),
        "x": numbers(6),
        "y": numbers(6, seed=1),
        "counts": lambda: Numbers(np.array([[40.0, 60], [90, 110]])),
        "shares": policy(2),
        "p": some(5),
        "hits": lambda: Fixed(np.array([True, False, True])),
        "random_halves.n": lambda: Knob(6, dear=True),
        "runs": lambda: Knob(2, dear=True),
        "name": lambda: "alpha",
        "inside.value": lambda: Knob(0.5),
        "tau": lambda: Knob(0.3),
        "looks": lambda: Knob(3),
        "critical": lambda: Numbers(np.array([2.0, 2.5])),
        "nodes": lambda: Knob(31),
        "crossed": lambda: Fixed(np.array([[True, False], [False, False]])),
        "days": lambda: Knob(2, dear=True),
        "visitors": lambda: Knob(200, dear=True),
        # logs
        "w": lambda: Numbers(np.linspace(0.5, 4, N)),
        "reward": lambda: Numbers(np.array([0.0, 1] * 6)),
        "q_logged": some(N),
        "q_evaluation": some(N, seed=1),
        "evaluation": some(N),
        "propensity": some(N),
        "estimator": lambda: off_policy.snipw,
        "log": lambda: (np.array([0.0, 1] * 6), np.linspace(0.5, 4, N)),
        "n_resamples": lambda: Knob(30, dear=True),
        "item": lambda: Codes(IDS, 3),
        "position": lambda: Codes(IDS + 1, 4, 1),
        "click": lambda: Labels(np.array([0, 1] * 6), 2),
        "time": lambda: Numbers(np.arange(N).astype(float)),
        "n_items": lambda: Knob(3, dear=True),
        "n_positions": lambda: Knob(3, dear=True),
        "lam": lambda: Knob(2.0),
        "checked_threshold.value": lambda: Fixed(2.0),
        "policy_weights.policy": policy(N, 3),
        "unsupported_mass.policy": policy(4, 3),
        "unsupported_mass.logging": policy(4, 3, seed=1),
        "checked_policy.policy": policy(4, 3),
        "terms": numbers(3, 5),
        "value": numbers(4, 3),
        "error": some(4, 3),
        "bound": some(4, 3),
        "tame": lambda: off_policy.clipped,
        "largest": lambda: Knob(9.0),
        "threshold_grid.n": lambda: Knob(4, dear=True),
        "off_policy.all_estimates.threshold": lambda: Knob(2.0),
        # worlds with logs
        "logs": lambda: Fixed(logs()),
        **{f"logged_world.{name}.policy": policy(2, 3, seed=1) for name in OF_A_LOG},
        **{f"logged_world.{name}.w": some(2, 3) for name in ("self_normalised", "tamed", "all_estimates")},
        "logged_world.estimate.w": some(2, 2, 3),
        "q_hat": some(2, 3),
        "LoggedWorld.propensity": some(2, 3),
        "LoggedWorld.p": policy(2),
        "LoggedWorld.q": some(2, 3),
        "LoggedWorld.pi_0": policy(2, 3),
        "LoggedWorld.n": lambda: Knob(10, dear=True),
        "LoggedWorld.seed": lambda: Knob(3),
        "n_logs": lambda: Knob(2, dear=True),
        "Logs.shown": lambda: Numbers(logs().shown),
        "Logs.clicked": lambda: Numbers(logs().clicked),
        "shown": lambda: Numbers(counts(2, 3)().value + 9),
        "clicked": counts(2, 3),
        "v": some(2, 2, 3),
        "table": some(2, 2, 2, 3),
        "values": numbers(5),
        "truth": lambda: Knob(0.5),
        "strength": lambda: Knob(2.0),
        "day_and_position.log": lambda: LOG,
        "columns_of_log.log": lambda: LOG,
        "logging": lambda: LOG,
        "others": lambda: [LOG],
        **{f"{name}.n_items": lambda: Knob(34, dear=True) for name in ("day_and_position", "world_from")},
        "interaction": lambda: Knob(0.5),
        # click models
        "ClickModel.fit.context": lambda: Numbers(np.arange(2 * N).reshape(N, 2) % 3),
        "context": lambda: Numbers(np.arange(2 * N).reshape(N, 2) % 3),
        "cross_fitted.model": lambda: ClickModel(3),
        "fold_of_rows.n": lambda: Knob(N, dear=True),
        "folds": lambda: Knob(3),
        "group": lambda: Numbers(np.arange(N) // 2),
        "columns_of_log.policy": policy(3, 34),
        # goals
        "weights": lambda: Numbers(np.array([1.0, 2.0])),
        "n_goals": lambda: Knob(2),
        "years": lambda: Numbers(np.array([1990.0, 1997.0])),
        "convert": some(4, 3),
        "price": counts(3),
        "Funnel.assumed.click": some(4, 3),
        "Funnel.draw.user": lambda: Codes(np.array([0, 3]), 4),
        "film": lambda: Codes(np.array([0, 2]), 3),
        "Funnel.draw.clicked": lambda: Fixed(np.array([True, False])),
        "vectors": numbers(4, 2),
        "ideal": lambda: Numbers(np.array([9.0, 9.0])),
        "points": numbers(5, 2),
        # sessions and Q-learning
        "gamma": lambda: Knob(0.9),
        "actions": lambda: Codes(np.arange(STATES) % 2, 2),
        "n_steps": lambda: Knob(20, dear=True),
        "checkpoints": lambda: Knob(1),
        "q_learning.Session.click_rates": some(2),
        "turns": lambda: Knob(3, dear=True),
        "longest_run": lambda: Knob(2, dear=True),
        "Table.n": lambda: Knob(2, dear=True),
        "Table.action": lambda: Codes(np.array([0, 1]), 2),
        "Visitors.action": lambda: Codes(np.array([0, 1]), 6),
        "capacity": lambda: Knob(5, dear=True),
        "Replay.rows": lambda: Fixed(BATCH),
        "Replay.ready": lambda: lambda replay: replay.add(BATCH),
        "Replay.n": lambda: Fixed(2),
        "environment": lambda: Made(lambda: deep_q.Table(SESSION, 2, 1)),
        "bellman_targets.batch": lambda: Fixed(TRANSITIONS),
        "net": lambda: Fixed(NETWORK),
        "frozen": lambda: Fixed(NETWORK),
        "settings": lambda: DQN,
        "learners": lambda: Knob(2),
        "learner": lambda: OneId(1, 2),
        "checkpoint": lambda: Knob(0),
        "Trained.nets": lambda: Fixed(TRAINED.nets),
        "Trained.steps": lambda: Fixed(TRAINED.steps),
        "Trained.loss": lambda: Fixed(TRAINED.loss),
        "s": lambda: Numbers(np.eye(STATES)[:2]),
        "candidates": lambda: Codes(np.array([[0, 1], [1, 0]]), 2),
        "state": lambda: Fixed(state()),
        "stars": numbers(3, 4),
        "spread": lambda: Knob(1.0),
        "sessions.kinship.vectors": numbers(4, 3),
        "genres": lambda: Numbers(np.eye(4)),
        "sessions.World.click": some(4, 6),
        "alike": lambda: Numbers(films().alike),
        "n_candidates": lambda: Knob(2),
        "sessions.World.n": lambda: Knob(2, dear=True),
        **{f"sessions.{name}.users": lambda: Ids(np.array([0, 2, 3]), 4) for name in SIMULATED},
        "worth": some(4, 6),
        "sessions.simulate.policy": lambda: sessions.uniform,
        "probabilities": policy(4, 3),
        "shape": lambda: Fixed((4, 3)),
        "films": numbers(6, 2),
        "Features.users": numbers(4, 2),
        "memory": lambda: Knob(0.5),
        "groups": lambda: Numbers(np.eye(2)),
        "Features.state.state": lambda: Fixed(state()),
        "features": features,
        "Visitors.reward": lambda: Fixed(None),
        "Visitors.n": lambda: Knob(2, dear=True),
        "Visits.user": lambda: Fixed(np.array([0, 1])),
        **{f"Visits.{name}": lambda: Fixed(np.ones((2, 3), dtype=bool)) for name in ("film", "clicked", "there")},
        "Visits.discounted.reward": some(2, 3),
        # worlds with visitors
        "worlds.World.click": some(4, 3),
        "worlds.World.users": numbers(4, 2),
        "worlds.World.items": numbers(3, 2),
        "arm": lambda: Codes(np.array([0, 1, 2, 0]), 3),
        "three_parts.profile": lambda: Knob(0.3),
        "likes": lambda: Numbers(np.random.default_rng(0).integers(0, 2, (8, 6))),
        "part": lambda: Fixed(worlds.three_parts((8, 6), 1, 0.2, 0.4)),
        "columns": numbers(5, 2),
        "known_likes": lambda: Numbers(np.random.default_rng(0).integers(0, 2, (5, 4)).astype(float)),
        "profiles.vectors": numbers(4, 2),
        # the loop
        "loop": lambda: Made(loop),
        "play.user": lambda: Fixed(lambda decision: 1),
        "until": lambda: Knob(2, dear=True),
    }
)
HELD = {
    "Counting", "SharedModel", "SharedLearner", "DisjointLearner",  # at work inside a simulation
    "Outcome", "Learned", "Replayed", "State", "Decision",
    "OnlineLoop",  # among its methods is close: see test_bandits_online
}  # fmt: skip


@pytest.mark.parametrize("target", targets(bandits, HELD), ids=str)
def test_every_parameter(target: Target) -> None:
    check(target, PANTRY)
