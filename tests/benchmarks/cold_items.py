"""Recall@20 of films that nobody has rated yet: what contrastive tuning adds to the words, as in lesson 02c.

Of the 1,447 films with a rating of at least 4, 145 are held out whole and ranked among themselves; five draws. A user's
profile is the mean of the vectors of her films.
"""

import numpy as np
from runner import Row, main, row
from sklearn.feature_extraction.text import TfidfVectorizer

from course_lib.data import films, movielens, splits
from course_lib.evaluation.protocol import evaluate
from course_lib.ranking.content import ContentProfile
from course_lib.ranking.retrieval import centred
from course_lib.text.contrastive import ContrastiveTuner, co_liked
from course_lib.text.encoder import Encoder

DRAWS = range(5)


def cold_recall() -> list[Row]:
    """Means over the draws."""
    liked, texts = movielens.positives(movielens.load_ratings()), films.short_texts(films.load_catalogue())
    encoder = Encoder.load("minilm")
    tuner = ContrastiveTuner(encoder, texts)
    E, words = encoder.encode(texts), TfidfVectorizer(sublinear_tf=True).fit_transform(texts).toarray()
    found: dict[str, list[float]] = {}
    for draw in DRAWS:
        cold = splits.cold_items(liked, 145, seed=draw)
        tuned = centred(tuner.fit(co_liked(cold.train)).vectors_)
        vectors = {
            "MiniLM as it came and tuned on co-liked films, side by side": np.hstack([centred(E), tuned]),
            "MiniLM, centred": centred(E),
            "TF-IDF": words,
        }
        models = {name: ContentProfile(X).fit(cold.train) for name, X in vectors.items()}
        outcome = evaluate(models, cold, n=20, candidates=np.isin(np.arange(len(texts)), cold.test.item))
        for name, of in outcome.per_user.items():
            found.setdefault(name, []).append(of["recall"].mean())
        print(f"draw {draw}:", {name: round(float(values[-1]), 4) for name, values in found.items()}, flush=True)
    return [row(name, np.mean(values), "Recall@20", ours="tuned" in name) for name, values in found.items()]


BENCHES = {"cold_recall@20": cold_recall}

if __name__ == "__main__":
    main(BENCHES)
