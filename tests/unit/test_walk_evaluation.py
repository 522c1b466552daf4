"""Everything public in course_lib.evaluation, found by inspection, with what goes wrong elsewhere."""

import numpy as np
import pandas as pd
import pytest
from optuna.distributions import FloatDistribution
from pantry import (
    COMMON,
    N_ITEMS,
    N_USERS,
    Choice,
    Each,
    Ids,
    Knob,
    Labels,
    Mask,
    Matrix,
    Numbers,
    Rows,
    numbers,
    split,
)
from walk import Pantry, Target, check, targets, untold

from course_lib import evaluation
from course_lib.evaluation.claims import paired
from course_lib.evaluation.protocol import Evaluation, evaluate
from course_lib.ranking.baselines import EASE, Popularity

RNG = np.random.default_rng(0)
LABELS = np.array([0, 1, 1, 0, 1, 0])
LISTS = np.stack([RNG.permutation(N_ITEMS)[:3] for _ in range(5)])
EVIDENCE = paired(RNG.normal(size=9), RNG.normal(size=9), "users", split_sd=0)


def probabilities(seed: int) -> Numbers:
    rows = np.random.default_rng(seed).random((len(LABELS), 2))
    return Numbers(rows / rows.sum(axis=1, keepdims=True))


def fitted() -> dict[str, EASE | Popularity]:
    return {"EASE": EASE().fit(split().train), "popular": Popularity().fit(split().train)}


def result() -> Evaluation:
    return evaluate(fitted(), split(), 3)


PANTRY: Pantry = COMMON | {
    "y": lambda: Labels(LABELS, 2),
    "P": lambda: probabilities(0),
    "W": lambda: Numbers(np.array([[1.0, 1, 1, 1, 1, 1], [2, 1, 0, 1, 1, 1]])),
    "score.metric": lambda: Choice("auc"),
    "classification.paired_difference.metric": lambda: Choice("auc"),
    "classification.paired_difference.a": lambda: probabilities(1),
    "classification.paired_difference.b": lambda: probabilities(2),
    "groups": lambda: Numbers(np.array([0, 0, 1, 1, 2, 2])),
    "resamples.n": lambda: Knob(6, dear=True),
    "n_resamples": lambda: Knob(50, dear=True),
    "compare.models": lambda: Each({"a": probabilities(1), "b": probabilities(2)}),
    "metrics": lambda: ("accuracy", "auc"),
    "models": fitted,
    "split": COMMON["split"],
    "values": numbers(8),
    "compare_pairs.values": lambda: Each({"a": numbers(8, seed=1)(), "b": numbers(8, seed=2)()}),
    "a": numbers(8, seed=1),
    "b": numbers(8, seed=2),
    "names": lambda: ("low", "middle", "high"),
    "result": result,
    "group_of_user": lambda: pd.Series(["odd", "even"] * (N_USERS // 2)),
    "group_of_item": lambda: Numbers(np.array(["old", "new", "new"] * (N_ITEMS // 3), dtype=object)),
    "relevant": lambda: Rows(split().test),
    "make_models": lambda: lambda: {"EASE": EASE()},
    "make_split": lambda: lambda seed: split(),
    "seeds": lambda: [0, 1],
    "hits": lambda: Numbers(np.array([[True, False, True], [False, False, False], [False, True, False]])),
    "n_relevant": lambda: Numbers(np.array([2, 1, 4])),
    "lists": lambda: Numbers(LISTS),
    "n_items": lambda: Knob(N_ITEMS),
    "novelty.train": lambda: Matrix(split().train.matrix()),
    "truth": numbers(8, seed=1),
    "predicted": numbers(8, seed=2),
    "scores": numbers(4, N_ITEMS),
    "seen": lambda: Matrix(split().train.matrix()[:4]),
    "candidates": lambda: Mask(np.arange(N_ITEMS) % 3 > 0),
    "users": lambda: Ids(np.array([0, 2, 5]), N_USERS),
    "n_negatives": lambda: Knob(2),
    "make_model": lambda: EASE,
    "space": lambda: {"lam": FloatDistribution(1, 100, log=True)},
    "budget_seconds": lambda: Knob(1e6),
    "unit": lambda: "users",
    "split_sd": lambda: Knob(0.01),
    "paired_metric.metric": lambda: Choice("auc"),
    "paired_metric.a": lambda: probabilities(1),
    "paired_metric.b": lambda: probabilities(2),
    "paired_metric.users": lambda: Numbers(np.array([0, 0, 1, 1, 2, 2])),
    "two_samples.assignment": lambda: "by lot",
    "differences.splits": lambda: [result(), result(), result()],
    "differences.a": lambda: "EASE",
    "differences.b": lambda: "popular",
    "differences.metric": lambda: "ndcg",
    "difference": numbers(4, 6),
    "test_share": lambda: Knob(0.2),
    "value.units": lambda: "users",
    "value.estimate": lambda: Knob(0.25),
    "above": lambda: Knob(0.1),
    "below": lambda: Knob(0.9),
    "found": numbers(5),
    "expected": numbers(5),
    "within": lambda: Knob(1e-6),
    "words": lambda: "Text helps",
    "evidence": lambda: [EVIDENCE],
    "as_json.said": lambda: EVIDENCE.verdict,
}
HELD = {"Interval", "Evaluation", "Tuned", "Evidence"}


WALKED = targets(evaluation, HELD)


@pytest.mark.parametrize("target", WALKED, ids=str)
def test_every_parameter(target: Target) -> None:
    check(target, PANTRY)


def test_every_range_is_told() -> None:
    assert [knob for target in WALKED for knob in untold(target, PANTRY)] == []
