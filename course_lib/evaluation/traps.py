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
    n_negatives: int = 100,
    n: int = 10,
    metric: str = "ndcg",
    *,
    seed: int = 0,
    ties: Literal["for", "against"] = "against",
) -> dict[str, np.ndarray]:
    """Rank each test item among ``n_negatives`` random items the user never touched: {model: (n_test_rows,)}.

    This is the protocol of He et al. (2017), Neural Collaborative Filtering, WWW. It is not a small version of the
    full ranking: it can order models differently (Krichene & Rendle 2020, On Sampled Metrics, KDD), because being
    ahead of 100 random items says little about being ahead of all.
    ``ties``: whether an equal score counts for the test item or against it; papers seldom say.
    """
    rng, items = np.random.default_rng(seed), np.arange(split.test.n_items)
    touched = split.fit_part.concat(split.test).matrix()
    users, rows = np.unique(split.test.user, return_inverse=True)
    untouched = {u: np.setdiff1d(items, touched[u].indices) for u in users}
    negatives = np.stack([rng.choice(untouched[u], n_negatives, replace=False) for u in split.test.user])
    out = {}
    for name, model in models.items():
        scores = model.score(users)
        target = scores[rows, split.test.item][:, None]
        others = scores[rows[:, None], negatives]
        place = (others >= target if ties == "against" else others > target).sum(axis=1)  # 0 is the top
        hits = np.arange(n) == place[:, None]
        out[name] = metrics.RANKING[metric](hits, np.ones(len(hits), dtype=int))
    return out
