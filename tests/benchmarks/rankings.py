"""Top ten of MovieLens-100K, whole catalogue ranked: the course's models, implicit's ALS and Cornac's BPR, same splits.

P1: liked films, five random splits by user, only the training part masked. P3: the last film of each user, models
refitted on all before it, five orders of the films with tied times. Every choice is made on the validation part.
"""

import time
from collections.abc import Mapping
from typing import Self

import numpy as np
from runner import Row, main, row

from course_lib.data import films, movielens, splits
from course_lib.data.interactions import Interactions
from course_lib.evaluation.protocol import Recommender, evaluate
from course_lib.evaluation.significance import paired_difference
from course_lib.ranking.baselines import ALS, EASE, ItemKNN, Popularity, UserKNN
from course_lib.ranking.checks import known
from course_lib.ranking.fusion import Mix
from course_lib.ranking.graph import LightGCN
from course_lib.ranking.retrieval import Content
from course_lib.ranking.sequence import LLAMAREC, RecentEASE, Transitions
from course_lib.text.encoder import Encoder

SEEDS = range(5)


class ImplicitALS:
    """Alternating least squares of the library implicit, with the settings that are best on validation."""

    def fit(self, train: Interactions) -> Self:
        """Its confidence of a seen cell is its value there."""
        from implicit.als import AlternatingLeastSquares  # only the peers' environment has it

        X = train.matrix().astype(np.float32)
        self.model_ = AlternatingLeastSquares(factors=64, regularization=25.0, alpha=3.0, iterations=15, random_state=0)
        self.model_.fit(X, show_progress=False)
        self.n_users_ = train.n_users
        return self

    def score(self, users: np.ndarray) -> np.ndarray:
        """U V', (len(users), n_items)."""
        return (self.model_.user_factors[known(users, self.n_users_)] @ self.model_.item_factors.T).astype(float)


class CornacBPR:
    """Matrix factorisation by BPR of the library Cornac, with the settings that are best on validation."""

    def fit(self, train: Interactions) -> Self:
        """Cornac numbers users and items itself, in the order in which they come."""
        from cornac.data import Dataset
        from cornac.models import BPR

        self.data_ = Dataset.build(zip(train.user, train.item, train.rating, strict=True), seed=0)
        self.model_ = BPR(k=128, max_iter=800, learning_rate=0.01, lambda_reg=0.01, num_threads=1, seed=0)
        self.model_.fit(self.data_)
        self.n_users_, self.n_items_ = train.n_users, train.n_items
        return self

    def score(self, users: np.ndarray) -> np.ndarray:
        """Scores, (len(users), n_items), -1e9 for an item that nobody has."""
        scores = np.full((len(users), self.n_items_), -1e9)
        for of_user, user in zip(scores, known(users, self.n_users_), strict=True):
            if user in self.data_.uid_map:
                of_user[list(self.data_.iid_map)] = self.model_.score(self.data_.uid_map[user])
        return scores


def fitted(models: Mapping[str, Recommender], train: Interactions) -> dict[str, Recommender]:
    """Each model, fitted on ``train``."""
    return {name: model.fit(train) for name, model in models.items()}


def random_splits() -> list[Row]:
    """P1: mean NDCG@10 over the splits, and the p-value of ours against each other model, user by user."""
    liked = movielens.positives(movielens.load_ratings())
    E = Encoder.load("minilm").encode(films.item_texts(films.load_catalogue()), cache=True)
    of_user: dict[str, list[np.ndarray]] = {}
    for seed in SEEDS:
        split = splits.random_per_user(liked, seed=seed)
        models = {
            "course_lib, EASE": EASE(), "course_lib, ALS": ALS(seed=seed), "course_lib, LightGCN": LightGCN(seed=seed),
            "course_lib, item kNN": ItemKNN(), "course_lib, user kNN": UserKNN(), "popularity": Popularity(),
            "course_lib, BPR": LightGCN(L=0, loss="bpr", d=128, lr=0.002, lam=0.02, steps=3000, seed=seed),
            "implicit, ALS": ImplicitALS(), "Cornac, BPR": CornacBPR(), "text": Content(E),
        }  # fmt: skip
        models = fitted(models, split.train)
        ease, als, graph = (models[f"course_lib, {name}"] for name in ("EASE", "ALS", "LightGCN"))
        text = models.pop("text")
        mixes = [
            Mix({"ease": (ease, 1.0), "als": (als, 3.0), "graph": (graph, 2.0), "text": (text, x)})
            for x in (0.0, 0.5, 1.0, 1.5)
        ]
        models["course_lib, all together"] = max(
            mixes, key=lambda mix: evaluate({"mix": mix}, split, relevant=split.valid).table.ndcg["mix"]
        )
        result = evaluate(models, split)
        for name, values in result.per_user.items():
            whole = np.full(liked.n_users, np.nan)
            whole[result.users] = values["ndcg"]
            of_user.setdefault(name, []).append(whole)
        print(f"split {seed}:", result.table.ndcg.round(4).to_dict(), flush=True)
    best = "course_lib, all together"
    tested = ~np.isnan(of_user[best]).all(axis=0)  # users with a test film in any split
    means = {name: np.nanmean(np.array(v)[:, tested], axis=0) for name, v in of_user.items()}  # over the splits
    for name in means.keys() - {best}:
        gap, p = paired_difference(means[best], means[name], seed=0, n_resamples=10_000)
        print(f"{best} minus {name}: {gap.mean:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}], p = {p:.4f}")
    order = [best, *(name for name in means if name != best)]
    return [row(name, np.mean([np.nanmean(v) for v in of_user[name]]), "NDCG@10", ours=name == best) for name in order]


def last_films(metric: str) -> list[Row]:
    """P3: means over five orders of tied times."""
    ratings, found = movielens.load_ratings(), dict[str, list[float]]()
    for seed in SEEDS:
        split = splits.leave_last_out(ratings, seed=seed)
        recent, chain, als = RecentEASE(), Transitions(), ALS(seed=seed)
        models: dict[str, Recommender] = {"course_lib, fading memory, chain and ALS":
            Mix({"recent": (recent, 1.0), "chain": (chain, 1.0), "als": (als, 0.5)})}  # fmt: skip
        models |= {"course_lib, EASE with a fading memory": recent, "course_lib, chain": chain, "course_lib, ALS": als}
        models |= {"course_lib, EASE": EASE().fit(split.fit_part), "implicit, ALS": ImplicitALS().fit(split.fit_part)}
        models["course_lib, fading memory, chain and ALS"].fit(split.fit_part)
        table = evaluate(models, split, mask_valid=True, seed=seed).table
        for name, value in table[metric].items():
            found.setdefault(str(name), []).append(value)
        print(f"order {seed}:", table[metric].round(4).to_dict(), flush=True)
    rows = [row(name, np.mean(v), f"{metric}@10", ours="chain and" in name) for name, v in found.items()]
    return [*rows, row("LlamaRec, 7 billion parameters", LLAMAREC[metric], f"{metric}@10", published=True)]


def seconds_to_best() -> list[Row]:
    """Seconds of training until NDCG@10 (P1) is within .002 of the best that the same training ever reaches."""
    split = splits.random_per_user(movielens.positives(movielens.load_ratings()), seed=0)
    ways = {
        "course_lib, LightGCN, full softmax": (LightGCN(steps=200), 10),
        "course_lib, LightGCN, BPR in batches of 2,048": (LightGCN(loss="bpr", lr=1e-3, lam=1e-4, steps=6000), 150),
    }
    rows = []
    for name, (model, every) in ways.items():
        clock, curve = [time.perf_counter()], dict[float, float]()

        def watch(step: int, model: LightGCN, every: int = every, clock=clock, curve=curve) -> None:
            if step % every == 0:
                taken = time.perf_counter() - clock[0]  # the look at the lists is not training
                curve[taken] = evaluate({"model": model}, split).table.ndcg["model"]
                clock[0] = time.perf_counter() - taken

        model.fit(split.train, watch)
        reached = next(taken for taken, ndcg in curve.items() if ndcg > max(curve.values()) - 0.002)
        print(f"{name}: best {max(curve.values()):.4f}, within .002 after {reached:.1f} s of {max(curve):.1f} s")
        rows.append(row(name, reached, "s", ours="softmax" in name, higher=False))
    return rows


BENCHES = {
    "lightgcn_to_best_seconds": seconds_to_best,
    "p1_ndcg@10": random_splits,
    "p3_ndcg@10": lambda: last_films("ndcg"),
    "p3_recall@10": lambda: last_films("recall"),
}

if __name__ == "__main__":
    main(BENCHES)
