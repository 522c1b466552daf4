"""Everything public in course_lib.lesson and course_lib.plots, found by inspection, with what goes wrong elsewhere."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from pantry import Each, Fixed, Knob, Numbers, Texts
from walk import Pantry, Target, check, targets, untold

from course_lib import lesson, plots
from course_lib.evaluation.claims import paired

INTERVALS = pd.DataFrame({"ndcg": [0.1, 0.2], "ndcg_low": [0.0, 0.1], "ndcg_high": [0.2, 0.3]}, index=["a", "b"])
PAIRS = pd.DataFrame(
    {"mean": [0.1, 0.2, 0.1], "p_corrected": [0.01, 0.2, 0.3]},
    index=pd.MultiIndex.from_tuples([("a", "b"), ("a", "c"), ("b", "c")], names=["a", "b"]),
)
HISTORY = pd.DataFrame({"valid_loss": [1.0, 0.5], "auc": [0.6, 0.7]}, index=[1, 2])
PANTRY: Pantry = {
    "name": lambda: "42_test",
    "profile": lambda: "quick",
    "Lesson.seed": lambda: Fixed(1),
    "Lesson.start.seed": lambda: Knob(1),
    "Lesson.device": lambda: torch.device("cpu"),
    "Lesson.start.device": lambda: "cpu",
    "started": lambda: Fixed(0.0),
    **{key: lambda: 1 for key in ("quick", "standard", "full")},
    "items": lambda: [1, 2],
    "label": lambda: "steps",
    "figures": lambda: Each({"auc": Knob(0.25, truth=True)}),
    "Lesson.claim.words": lambda: "Text helps",
    "Lesson.claim.name": lambda: "text",
    "evidence": lambda: paired(np.arange(9.0), np.zeros(9), "users", split_sd=0),
    "figure": lambda: Fixed(plt.figure()),
    "alt": lambda: "One sentence that says what one sees.",
    "interval_bars.table": lambda: INTERVALS,
    "metric": lambda: "ndcg",
    "training_curves.metric": lambda: "auc",
    "title": lambda: "A figure",
    "highlight": lambda: ("a",),
    "pairs": lambda: PAIRS,
    "trained": lambda: SimpleNamespace(history=HISTORY, step_losses=[2.0, 1.5, 1.0, 0.5]),
    "reference": lambda: Each({"TF-IDF": Knob(0.55)}),
    "words": lambda: Texts(["a", "fine", "dress"]),
    "rows": lambda: Each({"one": Numbers(np.array([0.5, -1.0, 0.0]))}),
}


WALKED = [*targets(lesson), *targets(plots)]


@pytest.mark.parametrize("target", WALKED, ids=str)
def test_every_parameter(target: Target, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("COURSE_BUILD", str(tmp_path))
    monkeypatch.setattr(lesson, "missing", lambda source: [])  # reading all data takes seconds
    check(target, PANTRY)
    plt.close("all")


def test_every_range_is_told() -> None:
    assert [knob for target in WALKED for knob in untold(target, PANTRY)] == []
