"""Bandits against MABWiser's own policies: decisions a second with 1,000 arms, and the regret on the same draws.

MABWiser runs one bandit at a time, an object that predicts an arm and is fitted with what became of it. Ours runs a
hundred at once; a decision is one of one run, with everything around it: the visitor, the click, the update.

Regret: tests/unit/data/bandits_mabwiser.json holds small worlds made from MovieLens and the regret of every seed that
MABWiser had in them; the unit tests hold our policies to it. `bandit_regret` runs both again. Run k of ours and of
MABWiser meet the same visitors, the same uniform number for each round's click and the same order of arms. UCB1 and
LinUCB have no dice of their own, so there run by run has to agree, except where rounding decides between two arms of
LinUCB that have the same history; of the others the means.
`python -c "import bandits; bandits.record()"`, run in this folder with course bench's Python, writes the file anew.
"""

import json
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
from mabwiser.mab import MAB, LearningPolicy
from runner import Row, in_turns, main, row

from course_lib.bandits.contextual import DisjointLinUCB, visit
from course_lib.bandits.policies import UCB1, EpsilonGreedy, Policy, ThompsonSampling, simulate
from course_lib.bandits.worlds import World
from course_lib.paths import ROOT

OURS, THEIRS = "course_lib", f"MABWiser {version('mabwiser')}"
FILE = ROOT / "tests" / "unit" / "data" / "bandits_mabwiser.json"
PAIRS: dict[str, tuple[Any, Any]] = {
    "epsilon-greedy": (EpsilonGreedy(0.1), LearningPolicy.EpsilonGreedy(epsilon=0.1)),
    "UCB1": (UCB1(), LearningPolicy.UCB1(alpha=1.0)),
    "Thompson": (ThompsonSampling(), LearningPolicy.ThompsonSampling()),
    "LinUCB": (DisjointLinUCB(width=0.5, ridge=1.0), LearningPolicy.LinUCB(alpha=0.5, l2_lambda=1.0)),
}


def one_run(policy: Any, click: np.ndarray, users: np.ndarray | None, n_rounds: int, seed: int) -> float:
    """Regret of one run of MABWiser's ``policy``, with the draws that our run with this ``seed`` has.

    click: (U, A); users: (U, m), or None for a policy without context. Ours shows every arm once before it trusts a
    count, except Thompson; MABWiser expects zero of an arm never shown. So there it is fitted with one play of each.
    """
    stream, n_users = np.random.default_rng(seed), len(click)
    order = stream.permutation(click.shape[1])
    visitors = stream.integers(n_users, size=n_rounds) if users is not None else np.zeros(n_rounds, dtype=int)
    luck = stream.random(n_rounds)
    mab = MAB(order.tolist(), policy, seed=seed)
    counts = isinstance(policy, LearningPolicy.EpsilonGreedy | LearningPolicy.UCB1)
    first = order if counts else order[:1]
    clicks = (luck[: len(first)] < click[visitors[: len(first)], first]).astype(float)
    x = {} if users is None else {"contexts": users[visitors[: len(first)]]}
    mab.fit(first, clicks, **x)
    lost = [click[v].max() - click[v, arm] for v, arm in zip(visitors, first, strict=False)]
    for t in range(len(first), n_rounds):
        visitor = visitors[t]
        x = {} if users is None else {"contexts": users[visitor][None]}
        arm = mab.predict(**x)
        reward = float(luck[t] < click[visitor, arm])
        mab.partial_fit(np.array([arm]), np.array([reward]), **x)
        lost.append(click[visitor].max() - click[visitor, arm])
    return float(np.sum(lost))


def ours(policy: Policy | DisjointLinUCB, setting: dict[str, Any], seeds: range) -> np.ndarray:
    """Regret of each run at the end, (R,)."""
    if isinstance(policy, DisjointLinUCB):
        return visit(policy, world_of(setting), setting["n_rounds"], seeds)[:, -1]
    return simulate(policy, setting["rates"], setting["n_rounds"], seeds).regret[:, -1]


def world_of(setting: dict[str, Any]) -> World:
    """The world with visitors in the file; films have no features there."""
    click = np.array(setting["click"])
    return World(click, np.array(setting["users"]), np.ones((click.shape[1], 1)))


def theirs(policy: Any, setting: dict[str, Any], seeds: range) -> np.ndarray:
    """The same of MABWiser's."""
    context = isinstance(policy, LearningPolicy.LinUCB)
    click = np.array(setting["click"] if context else [setting["rates"]])
    users = np.array(setting["users"]) if context else None
    return np.array([one_run(policy, click, users, setting["n_rounds"], seed) for seed in seeds])


def record() -> None:
    """Write what MABWiser does in the worlds of FILE back into it."""
    kept = json.loads(FILE.read_text())
    regret = {name: theirs(pair[1], kept, range(kept["n_seeds"])).round(6).tolist() for name, pair in PAIRS.items()}
    versions = {"mabwiser": version("mabwiser"), "numpy": version("numpy")}
    FILE.write_text(json.dumps(kept | {"versions": versions, "regret": regret}) + "\n")


def inside(mean: float, values: np.ndarray) -> bool:
    """Whether ``mean`` lies in the 95 % interval of the mean of ``values``."""
    return bool(abs(mean - values.mean()) <= 1.96 * values.std(ddof=1) / np.sqrt(len(values)))


def regret() -> list[Row]:
    """Clicks lost in the small worlds; AssertionError if ours and MABWiser's differ by more than the draws allow."""
    kept, rows = json.loads(FILE.read_text()), []
    seeds = range(kept["n_seeds"])
    for name, (mine, other) in PAIRS.items():
        a, b = ours(mine, kept, seeds), theirs(other, kept, seeds)
        print(f"{name}: ours {a.mean():.2f} (sd {a.std():.2f}), MABWiser {b.mean():.2f} (sd {b.std():.2f})", flush=True)
        if name in ("UCB1", "LinUCB"):
            same = np.mean(np.abs(a - b) < 1e-6)
            print(f"{name}: {same:.0%} of the runs agree in every decision")
            assert same >= (1 if name == "UCB1" else 0.8), f"{name}: only {same:.0%} of the runs agree"
        assert inside(a.mean(), b) or inside(b.mean(), a), f"{name}: {a.mean():.2f} and {b.mean():.2f} clicks lost"
        rows += [
            row(f"{OURS}, {name}", a.mean(), "clicks lost", ours=True, higher=False),
            row(f"{THEIRS}, {name}", b.mean(), "clicks lost", higher=False),
        ]
    return rows


def decisions_per_second() -> list[Row]:
    """The four policies with 1,000 arms. First rows: an equal number of decisions of each, one after the other."""
    rng, n_arms, n_runs = np.random.default_rng(0), 1000, 100
    rates = rng.beta(1, 16, size=n_arms)
    world = World(np.tile(rates, (943, 1)), rng.normal(size=(943, 4)), np.ones((n_arms, 1)))
    ways: dict[str, Callable[[], Any]] = {}
    made: dict[str, int] = {}

    def by_mabwiser(policy: Any, decisions: int) -> None:
        mab, context = MAB(list(range(n_arms)), policy, seed=0), isinstance(policy, LearningPolicy.LinUCB)
        every = {"contexts": world.users[:1].repeat(n_arms, axis=0)} if context else {}
        mab.fit(np.arange(n_arms), np.zeros(n_arms), **every)
        for t in range(decisions):
            x = {"contexts": world.users[t % 943][None]} if context else {}
            arm = mab.predict(**x)
            mab.partial_fit(np.array([arm]), np.array([float(rng.random() < rates[arm])]), **x)

    def by_us(policy: Any, n_rounds: int) -> None:
        if isinstance(policy, DisjointLinUCB):
            visit(policy, world, n_rounds, range(n_runs))
        else:
            simulate(policy, rates, n_rounds, range(n_runs))

    for name, (mine, other) in PAIRS.items():
        made |= {f"{OURS}, {name}": 200 * n_runs, f"{THEIRS}, {name}": 200}
        ways[f"{OURS}, {name}"] = lambda policy=mine: by_us(policy, 200)
        ways[f"{THEIRS}, {name}"] = lambda policy=other: by_mabwiser(policy, 200)
    seconds, _ = in_turns(ways)
    speed = {name: made[name] / s for name, s in seconds.items()}
    rows = []
    for system in (OURS, THEIRS):
        each = [1 / speed[f"{system}, {name}"] for name in PAIRS]
        rows.append(row(f"{system}, all four", len(each) / sum(each), "decisions/s", ours=system == OURS))
    for name, value in speed.items():
        rows.append(row(name, value, "decisions/s", ours=name.startswith(OURS)))
    for name in PAIRS:
        print(
            f"{name}: {speed[f'{OURS}, {name}'] / speed[f'{THEIRS}, {name}']:.0f} times MABWiser's decisions a second"
        )
    return rows


BENCHES = {"bandit_decisions_per_second": decisions_per_second, "bandit_regret": regret}

if __name__ == "__main__":
    main(BENCHES)
