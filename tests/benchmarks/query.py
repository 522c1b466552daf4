"""From a sentence to ranked films: what somebody waits for, one question at a time and in batches, on one thread."""

import numpy as np
from runner import Row, main, row

from course_lib.data import films, movielens, splits
from course_lib.device import one_thread
from course_lib.evaluation.protocol import rank
from course_lib.ranking.baselines import ALS
from course_lib.ranking.fusion import zscore
from course_lib.ranking.retrieval import TextSearch, milliseconds
from course_lib.text.encoder import Encoder

N, BATCH, WARM_UP = 200, 32, 20
TOPICS = (
    "space",
    "a bank robbery",
    "two friends on the road",
    "the war in Vietnam",
    "a haunted house",
    "love in Paris",
)


def query() -> list[Row]:
    """p50 and p95 of text and behaviour fused over all 1,682 films; the encoding alone is the floor."""
    liked = splits.random_per_user(movielens.positives(movielens.load_ratings()), seed=0)
    encoder, als, seen = Encoder.load("minilm"), ALS().fit(liked.train), liked.train.matrix()
    search = TextSearch(encoder, encoder.encode(films.item_texts(films.load_catalogue()), cache=True))
    sentences = [f"I would like to see a film about {TOPICS[n % len(TOPICS)]}, number {n}" for n in range(N + WARM_UP)]

    def answer(first: int, n: int = 1) -> np.ndarray:
        users = np.arange(first, first + n) % liked.train.n_users
        some = [sentences[(first + k) % len(sentences)] for k in range(n)]
        scores = zscore(search.score(some)) + 0.5 * zscore(als.score(users))
        return rank(scores, seen[users], 10)

    with one_thread():
        whole = milliseconds(answer, N, WARM_UP)
        encoding = milliseconds(lambda number: encoder.encode([sentences[number]]), N, WARM_UP)
        together = milliseconds(lambda number: answer(number * BATCH, BATCH), 15) / BATCH
    found = {
        "one question, p95": np.quantile(whole, 0.95), "one question, p50": np.median(whole),
        "its encoding alone, p50": np.median(encoding), f"{BATCH} questions at once, p50 of each": np.median(together),
    }  # fmt: skip
    return [row(f"course_lib, {name}", ms, "ms", ours=True, higher=False) for name, ms in found.items()]


BENCHES = {"query_p95_ms": query}

if __name__ == "__main__":
    main(BENCHES)
