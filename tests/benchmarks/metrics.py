"""Users a second, from a table of scores to seven metrics: the course's evaluation, ranx, trec_eval's own code.

All users and all films of MovieLens-100K: scores (943, 1682) of EASE and the likes of the test part go in; nDCG@10,
recall@10 and five more come out, one value a user. Every way starts from the same arrays, ranks everything that the
user has not seen, and makes whatever it needs for that. ranx is measured a second time from the finished lists of
ten, which leaves it the metrics alone.
"""

from importlib.metadata import version

import numpy as np
import pytrec_eval
import ranx
from runner import Row, in_turns, main, row

from course_lib.data import movielens, splits
from course_lib.evaluation.protocol import evaluate
from course_lib.ranking.baselines import EASE

N, OURS = 10, "course_lib"
RANX = ["precision@10", "recall@10", "f1@10", "ndcg@10", "mrr@10", "hit_rate@10", "map@10"]
TREC = ["P_10", "recall_10", "ndcg_cut_10", "recip_rank", "success_10", "map_cut_10"]


class Scored:
    """A model whose scores are there already: what is measured is the evaluation."""

    def __init__(self, scores: np.ndarray) -> None:
        self.scores = scores

    def score(self, users: np.ndarray) -> np.ndarray:
        return self.scores[users]


def users_per_second() -> list[Row]:
    """Ours against both; AssertionError if a user's nDCG or recall differs by more than 1e-6."""
    split = splits.random_per_user(movielens.positives(movielens.load_ratings()), seed=2026)
    scores = EASE().fit(split.train).score(np.arange(split.train.n_users))
    seen = split.train.matrix().toarray().astype(bool)
    tested = np.unique(split.test.user)
    names = np.array([f"film {item}" for item in range(split.train.n_items)])
    ours = {OURS: lambda: evaluate({"EASE": Scored(scores)}, split, N)}
    lists = ours[OURS]().lists["EASE"]

    def truth() -> dict[str, dict[str, int]]:
        by_user: dict[str, dict[str, int]] = {str(user): {} for user in tested}
        for user, item in zip(split.test.user, names[split.test.item], strict=True):
            by_user[str(user)][item] = 1
        return by_user

    def whole() -> dict[str, dict[str, float]]:
        return {
            str(user): dict(zip(names[~seen[user]].tolist(), scores[user][~seen[user]].tolist(), strict=True))
            for user in tested
        }

    def ten() -> dict[str, dict[str, float]]:
        return {
            str(user): {names[item]: float(N - place) for place, item in enumerate(best)}
            for user, best in zip(tested, lists, strict=True)
        }

    def by_ranx(run):
        given, wanted = ranx.Run(run()), ranx.Qrels(truth())
        ranx.evaluate(wanted, given, RANX, make_comparable=False)
        return given.scores

    def by_trec(run):
        return pytrec_eval.RelevanceEvaluator(truth(), set(TREC)).evaluate(run())

    ways = ours | {
        f"ranx {version('ranx')}": lambda: by_ranx(whole),
        "pytrec_eval (trec_eval)": lambda: by_trec(whole),
        f"ranx {version('ranx')}, from our lists of ten": lambda: by_ranx(ten),
    }
    seconds, found = in_turns(ways)
    mine = {metric: found[OURS].per_user["EASE"][metric] for metric in ("ndcg", "recall")}
    for name, theirs in found.items():
        for metric, values in mine.items():
            if "ranx" in name:
                other = np.array([theirs[f"{metric}@10"][str(user)] for user in tested])
            elif name != OURS:
                label = {"ndcg": "ndcg_cut_10", "recall": "recall_10"}[metric]
                other = np.array([theirs[str(user)][label] for user in tested])
            else:
                continue
            difference = np.abs(values - other).max()
            print(f"{name}: largest difference in a user's {metric}@10 {difference:.1e}")
            assert difference < 1e-6, f"{metric} of {name} differs by {difference:.1e}"
    return [row(name, len(tested) / s, "users/s", ours=name == OURS) for name, s in seconds.items()]


BENCHES = {"evaluate_users_per_second": users_per_second}

if __name__ == "__main__":
    main(BENCHES)
