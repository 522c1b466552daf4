"""Off-policy estimators: the course's against the Open Bandit Pipeline's own, on random inputs and on the real log.

`python tests/benchmarks/off_policy.py record`, run in the peers' environment (build/bench after `course bench`), writes
tests/unit/data/off_policy_obp.json anew: small random logs with the pipeline's estimates of them, and the pipeline's
own picture of Thompson sampling (its prior, drawn 400,000 times), with which its authors published relative errors.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from obp import ope
from obp.policy import BernoulliTS
from runner import Row, main, row

from course_lib.bandits import off_policy
from course_lib.bandits.policies import smoothed_rates
from course_lib.data import open_bandit

VALUES = Path(__file__).parents[1] / "unit" / "data" / "off_policy_obp.json"
THRESHOLD, OURS, PEER = 2.0, "course_lib", f"obp {version('obp')}"


@dataclass(frozen=True)
class Inputs:
    """policy, q_hat: (n, A, positions); position counted from 0, item, reward, propensity: (n,)."""

    policy: np.ndarray
    q_hat: np.ndarray
    position: np.ndarray
    item: np.ndarray
    reward: np.ndarray
    propensity: np.ndarray


def random_inputs(n: int, n_items: int, n_positions: int, seed: int) -> Inputs:
    """A log of noise: nothing in it is equal to anything else by chance."""
    rng = np.random.default_rng(seed)
    policy = rng.dirichlet(np.full(n_items, 0.5), size=(n, n_positions)).transpose(0, 2, 1)
    return Inputs(
        policy,
        rng.random(policy.shape),
        rng.integers(n_positions, size=n),
        rng.integers(n_items, size=n),
        rng.integers(2, size=n).astype(float),
        rng.uniform(0.02, 1, size=n),
    )


def real_inputs() -> Iterator[tuple[str, Inputs]]:
    """Every campaign in both directions; q̂ is the smoothed click rate of each item."""
    for logging, evaluated in (("random", "bts"), ("bts", "random")):
        for campaign, n_items in open_bandit.N_ITEMS.items():
            log, other = open_bandit.load_log(logging, campaign), open_bandit.load_log(evaluated, campaign)
            position, item = log["position"].to_numpy() - 1, log["item"].to_numpy()
            pi = off_policy.choice_frequencies(other["item"].to_numpy(), other["position"].to_numpy(), n_items)
            click, propensity = log["click"].to_numpy(dtype=float), log["propensity"].to_numpy()
            q = smoothed_rates(np.bincount(item, click, n_items), np.bincount(item, minlength=n_items))
            policy, q_hat = np.tile(pi.T, (len(log), 1, 1)), np.tile(q[:, None], (len(log), 1, 3))
            yield f"{logging} {campaign}", Inputs(policy, q_hat, position, item, click, propensity)


def by_obp(given: Inputs) -> dict[str, float]:
    """The pipeline's estimates. It has no clipping: there its IPW and DR get the propensities that clipping means."""
    logged = given.policy[np.arange(len(given.item)), given.item, given.position]
    common = {"reward": given.reward, "action": given.item, "position": given.position, "action_dist": given.policy}
    common["estimated_rewards_by_reg_model"] = given.q_hat
    clipped = np.maximum(given.propensity, logged / THRESHOLD)
    ways = {
        "DM": (ope.DirectMethod(), given.propensity),
        "IPW": (ope.InverseProbabilityWeighting(), given.propensity),
        "SNIPW": (ope.SelfNormalizedInverseProbabilityWeighting(), given.propensity),
        "clipped IPW": (ope.InverseProbabilityWeighting(), clipped),
        "DR": (ope.DoublyRobust(), given.propensity),
        "SNDR": (ope.SelfNormalizedDoublyRobust(), given.propensity),
        "clipped DR": (ope.DoublyRobust(), clipped),
        "switch-DR": (ope.SwitchDoublyRobust(tau=THRESHOLD), given.propensity),
        "DRos": (ope.DoublyRobustWithShrinkage(lambda_=THRESHOLD**2), given.propensity),
    }
    return {name: float(way.estimate_policy_value(pscore=p, **common)) for name, (way, p) in ways.items()}


def by_us(given: Inputs) -> dict[str, float]:
    """The course's estimates of the same."""
    rows = np.arange(len(given.item))
    policy, q = given.policy[rows, :, given.position], given.q_hat[rows, :, given.position]  # (n, A)
    w = off_policy.policy_weights(policy, given.item, given.propensity)
    log = (given.reward, w, q[rows, given.item], (policy * q).sum(axis=1))
    return off_policy.all_estimates(*log, threshold=THRESHOLD)


def max_abs_difference() -> list[Row]:
    """AssertionError if an estimator differs by more than 1e-6 anywhere."""
    random = ((f"random {seed}", random_inputs(500, 7, 3, seed)) for seed in range(20))
    worst: dict[str, float] = {}
    for kind, cases in (("random inputs", random), ("the real log", real_inputs())):
        for label, given in cases:
            ours, theirs = by_us(given), by_obp(given)
            for name, value in theirs.items():
                difference = abs(ours[name] - value)
                worst[kind] = max(worst.get(kind, 0.0), difference)
                assert difference < 1e-6, f"{name} on {label}: ours {ours[name]}, obp's {value}"
        print(f"{kind}: largest difference {worst[kind]:.1e}")
    return [
        row(f"{OURS} against {PEER}, {kind}", d, "difference", ours=True, higher=False) for kind, d in worst.items()
    ]


def record() -> None:
    """Write off_policy_obp.json."""
    small = [random_inputs(12, 4, 2, seed) for seed in range(5)]
    prior = BernoulliTS(n_actions=80, len_list=3, random_state=12345, is_zozotown_prior=True, campaign="all")
    thompson = prior.compute_batch_action_dist(n_sim=400_000)[0].T  # (3, A)
    found = {
        "how": f"python tests/benchmarks/off_policy.py record, with {PEER}",
        "threshold": THRESHOLD,
        "cases": [
            {name: getattr(given, name).tolist() for name in given.__annotations__} | {"values": by_obp(given)}
            for given in small
        ],
        "real_log": {label: by_obp(given) for label, given in real_inputs()},
        "thompson_prior_all": np.round(thompson, 7).tolist(),
    }
    VALUES.write_text(json.dumps(found) + "\n", encoding="utf-8")


BENCHES = {"ope_max_abs_difference": max_abs_difference}

if __name__ == "__main__":
    record() if sys.argv[1:] == ["record"] else main(BENCHES)
