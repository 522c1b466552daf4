"""AUC from 16, 64 and 256 examples of MovieLens-100K: the course's text and behaviour, means, and the paper's table.

Protocol of Bao et al. (2023) in its own words: ten past films, liked or not, and one to foresee; examples in order of
time, the last tenth is the test. Our numbers are means over the same five draws of the examples.
"""

from functools import cache

import numpy as np
from runner import Row, main, row

from course_lib.data import films, movielens
from course_lib.text import few_shot
from course_lib.text.taste import FilmTexts, TextAndTaste
from course_lib.text.training import Recipe

SEEDS = range(2026, 2031)
EPOCHS = {16: 10, 64: 5, 256: 2}


@cache
def parts() -> few_shot.Parts:
    """Examples to draw from, to choose on, and to report on."""
    return few_shot.by_time(few_shot.examples(movielens.load_ratings()))


@cache
def film_texts() -> FilmTexts:
    """The films in words, as in lesson 02b, read once by the frozen part of BERT."""
    return FilmTexts(films.short_texts(films.load_catalogue()))


def tallrec(n: int) -> list[Row]:
    """Rows for ``n`` examples."""
    train, test = parts().train, parts().test
    found: dict[str, list[float]] = {"text and behaviour, BERT with LoRA": [], "means, same examples": []}
    for seed in SEEDS:
        drawn = train.draw(n, seed)
        recipe = Recipe(epochs=EPOCHS[n], batch_size=32, learning_rate=1e-3, seed=seed)
        for values, model in zip(
            found.values(), (TextAndTaste(film_texts(), 8, recipe), few_shot.ShotMeans()), strict=True
        ):
            values.append(few_shot.auc(test, model.fit(drawn).scores(test)))
        print(
            f"{n} examples, seed {seed}:",
            {name: round(float(values[-1]), 4) for name, values in found.items()},
            flush=True,
        )
    ceiling = few_shot.auc(test, few_shot.ShotMeans().fit(train).scores(test))
    rows = [row(name, np.mean(values), "AUC", ours="BERT" in name) for name, values in found.items()]
    rows.append(row("means, all earlier ratings", ceiling, "AUC"))
    return rows + [row(name, auc, "AUC", published=True) for name, auc in few_shot.PUBLISHED[n].items()]


BENCHES = {
    "tallrec_auc_16": lambda: tallrec(16),
    "tallrec_auc_64": lambda: tallrec(64),
    "tallrec_auc_256": lambda: tallrec(256),
}

if __name__ == "__main__":
    main(BENCHES)
