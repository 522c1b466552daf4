"""Macro-F1 of reading a fit out of short reviews, by the number of reviews to learn from: lesson 02's job A, with more.

People are divided into train, validation and test; both models learn from the same reviews, choose on the same 1,000
and report on the same 3,000. The paired difference, with its interval over people, is printed.
"""

import numpy as np
from runner import Row, main, row

from course_lib.data import runway
from course_lib.evaluation.classification import paired_difference, score
from course_lib.text.fine_tune import BertClassifier, class_weights
from course_lib.text.tfidf import TfidfClassifier
from course_lib.text.training import Recipe

SEED = 2026


def reading(n: int) -> list[Row]:
    """Rows for ``n`` reviews."""
    reviews = runway.load_reviews(("user", "item", "fit", "text", "summary"))
    reviews["words"] = reviews.summary + ". " + reviews.text
    reviews = reviews[~runway.repeats(reviews) & (reviews.text != "") & (reviews.words.str.len() <= 220)]
    fit = reviews.fit.map({name: c for c, name in enumerate(runway.FITS)}).to_numpy()
    rng = np.random.default_rng(SEED)
    part = rng.choice(3, reviews.user.max() + 1, p=[0.8, 0.1, 0.1])[reviews.user.to_numpy()]
    drawn = [rng.permutation(np.flatnonzero(part == k))[:size] for k, size in enumerate((20_000, 1000, 3000))]
    (texts, y), valid, (asked, truth) = ((reviews.words.iloc[rows].tolist(), fit[rows]) for rows in drawn)
    texts, y = texts[:n], y[:n]  # a larger n keeps the reviews of a smaller one
    recipe = Recipe(epochs=3, batch_size=16, learning_rate=3e-4, seed=SEED)
    bert = BertClassifier(3, recipe=recipe, frozen_layers=4, max_tokens=64, weights=np.sqrt(class_weights(y, 3)))
    answers = {
        "BERT, top 2 layers": bert.fit(texts, y, valid).predict_proba(asked),
        "TF-IDF + logistic regression": TfidfClassifier(3, balanced=True).fit(texts, y, valid).predict_proba(asked),
    }
    gap = paired_difference(*answers.values(), truth, "macro_f1", SEED, reviews.user.to_numpy()[drawn[2]])
    print(f"{n} reviews: BERT minus TF-IDF {gap.mean:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]", flush=True)
    return [row(name, score("macro_f1", truth, P), "macro-F1", ours="BERT" in name) for name, P in answers.items()]


BENCHES = {"reading_macro_f1_1300": lambda: reading(1300), "reading_macro_f1_5000": lambda: reading(5000)}

if __name__ == "__main__":
    main(BENCHES)
