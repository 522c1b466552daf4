"""Ways of evaluating that mislead, written out so that lesson 06 can show what they do. Use `protocol.evaluate`."""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from course_lib.data.interactions import Split
from course_lib.evaluation import metrics
from course_lib.evaluation.protocol import Recommender


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
    item or against it; papers seldom say.
    """
    rng = np.random.default_rng(seed)
    touched = np.asarray(split.fit_part.concat(split.test).matrix().todense(), dtype=bool)
    users, rows = np.unique(split.test.user, return_inverse=True)
    drawn = np.empty((len(split.test), 0 if n_negatives is None else n_negatives), dtype=int)
    for k, user in enumerate(split.test.user if n_negatives is not None else ()):
        drawn[k] = rng.choice(np.flatnonzero(~touched[user]), n_negatives, replace=False)
    out = {}
    for name, model in models.items():
        scores = np.asarray(model.score(users), dtype=float)
        target = scores[rows, split.test.item][:, None]
        others = scores[rows[:, None], drawn] if n_negatives else np.where(touched[users], -np.inf, scores)[rows]
        place = (others >= target if ties == "against" else others > target).sum(axis=1)  # 0 is the top
        out[name] = metrics.RANKING[metric](np.arange(n) == place[:, None], np.ones(len(place), dtype=int))
    return out
