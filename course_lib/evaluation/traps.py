"""Ways of evaluating that mislead, written out to show what they do. Use `protocol.evaluate`."""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from course_lib.data.interactions import Split
from course_lib.errors import CourseError
from course_lib.evaluation import metrics
from course_lib.evaluation.protocol import Recommender
from course_lib.inputs import COUNT, SEED, array, choice, whole


def sampled_metric(
    models: Mapping[str, Recommender],
    split: Split,
    n_negatives: int | None = 100,
    n: int = 10,
    metric: str = "ndcg",
    *,
    seed: int = 0,
    ties: Literal["for", "against"] = "against",
) -> dict[str, np.ndarray]:
    """Rank each test item alone among random items that the user never touched: {model: (n_test_rows,)}.

    n_negatives: how many of them; None takes them all, the same ranking without the sample. With 100 this is the
    protocol of He et al. (2017), Neural Collaborative Filtering, WWW. It is not a small version of the full
    ranking: it can order models differently (Krichene & Rendle 2020, On Sampled Metrics, KDD), because being ahead
    of 100 random items says little about being ahead of all. ``ties``: whether an equal score counts for the test
    item or against it; papers seldom say. n_negatives, n ≥ 1; seed ≥ 0.
    """
    n, seed = COUNT("n", n), SEED("seed", seed)
    choice("metric", metric, metrics.RANKING), choice("ties", ties, ("for", "against"))
    if not len(split.test):
        raise CourseError(f"The split {split.name!r} has no test row to rank.")
    rng = np.random.default_rng(seed)
    touched = np.asarray(split.fit_part.concat(split.test).matrix().todense(), dtype=bool)
    users, rows = np.unique(split.test.user, return_inverse=True)
    if n_negatives is not None:
        n_negatives = whole("n_negatives", n_negatives, at_least=1, at_most=int((~touched[users]).sum(axis=1).min()))
    drawn = np.empty((len(split.test), 0 if n_negatives is None else n_negatives), dtype=int)
    for k, user in enumerate(split.test.user if n_negatives is not None else ()):
        drawn[k] = rng.choice(np.flatnonzero(~touched[user]), n_negatives, replace=False)
    out = {}
    for name, model in models.items():
        scores = array(f"Scores of {name!r}", model.score(users), ndim=2)
        target = scores[rows, split.test.item][:, None]
        others = scores[rows[:, None], drawn] if n_negatives else np.where(touched[users], -np.inf, scores)[rows]
        place = (others >= target if ties == "against" else others > target).sum(axis=1)  # 0 is the top
        out[name] = metrics.RANKING[metric](np.arange(n) == place[:, None], np.ones(len(place), dtype=int))
    return out
