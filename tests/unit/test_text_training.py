"""The training loop alone, on a line with one weight: it stops with a sentence where a number is not finite."""

import numpy as np
import pytest
import torch
from torch import nn

from course_lib.errors import CourseError
from course_lib.text.fine_tune import BertClassifier
from course_lib.text.tfidf import TfidfClassifier, TfidfRegressor
from course_lib.text.training import Recipe, train

RECIPE = Recipe(epochs=3, batch_size=2, learning_rate=0.1)
TEXTS = ["a lovely film", "a lovely part", "an awful film", "an awful part"]


def line() -> nn.Module:
    model = nn.Linear(1, 1, bias=False)
    nn.init.ones_(model.weight)
    return model


def run(loss_of_step, validate=None, recipe=RECIPE) -> tuple[nn.Module, object]:
    model, steps = line(), iter(range(100))
    found = train(
        model, lambda m, rows: loss_of_step(m.weight.sum(), next(steps)), np.ones(4), recipe, validate=validate
    )
    return model, found


def test_a_loss_that_is_not_finite_stops_before_it_spoils_a_weight():
    for bad in (float("nan"), float("inf")):
        with pytest.raises(CourseError, match=r"not finite at step 3 of 6. Lower the learning rate, which is 0.1"):
            run(lambda w, step, bad=bad: w * (bad if step == 2 else 1))


def test_a_gradient_that_is_not_finite_stops_too():
    with pytest.raises(CourseError, match="gradient is not finite at step 1"):
        run(lambda w, step: (w - 1).clamp(min=0).sqrt() + (w - w).sqrt())  # 0, with a slope of 0 · ∞


def test_a_score_that_is_not_finite_chooses_no_epoch():
    for scores in ({"auc": float("nan")}, {"auc": 1.0, "valid_loss": float("nan")}, {"r2": -np.inf}):
        with pytest.raises(CourseError, match=r"after epoch 1 the .* on validation is"):
            run(lambda w, step: w**2, lambda model, scores=scores: scores)


def test_the_best_epoch_is_kept_where_all_is_finite():
    scores = iter([0.5, 0.9, 0.1])
    weights: list[float] = []

    def validate(model: nn.Module) -> dict[str, float]:
        weights.append(model.weight.item())
        return {"auc": next(scores)}

    model, found = run(lambda w, step: w**2, validate)
    assert found.best_epoch == 2 and model.weight.item() == weights[1]


def test_without_an_epoch_or_an_example_there_is_no_training():
    with pytest.raises(CourseError, match="takes an epoch and an example or more; got 0 and 4"):
        run(lambda w, step: w, recipe=Recipe(epochs=0))
    with pytest.raises(CourseError, match="got 3 and 0"):
        train(line(), lambda m, rows: torch.zeros(1), np.zeros(0), RECIPE)


def test_bert_at_a_learning_rate_of_a_million_is_a_sentence_and_no_auc_of_1():
    recipe = Recipe(epochs=2, batch_size=2, learning_rate=1e30)
    with pytest.raises(CourseError, match="diverged"):
        BertClassifier(2, metric="auc", recipe=recipe, max_tokens=8).fit(TEXTS, [1, 1, 0, 0], (TEXTS, [1, 1, 0, 0]))


@pytest.mark.parametrize("missing", [None, np.nan])
def test_tf_idf_learns_no_word_none_or_nan(missing):
    for model, targets in ((TfidfClassifier(min_df=1), [1, 1, 0, 0]), (TfidfRegressor(min_df=1), [1.0, 2, 3, 4])):
        with pytest.raises(CourseError, match=r"number 3 is (None|nan): write '' for a missing one"):
            model.fit([*TEXTS[:3], missing], targets, (TEXTS, targets))
        fitted = model.fit(TEXTS, targets, (TEXTS, targets))
        with pytest.raises(CourseError, match="number 0 is"):
            fitted.predict([missing]) if isinstance(fitted, TfidfRegressor) else fitted.predict_proba([missing])


def test_pairs_are_pairs_however_they_are_written_and_do_not_mix_with_single_texts():
    pairs = [(text, "seen") for text in TEXTS]
    model = TfidfClassifier(min_df=1).fit(pairs, [1, 1, 0, 0], (pairs, [1, 1, 0, 0]))
    for way in ([list(pair) for pair in pairs], np.array(pairs), tuple(pairs)):
        np.testing.assert_array_equal(model.predict_proba(way), model.predict_proba(pairs))
    with pytest.raises(CourseError, match=r"all alike; number 1 is no pair, number 0 is one"):
        model.predict_proba([("a", "b"), "c"])
    with pytest.raises(CourseError, match="learned from pairs of texts; got single texts"):
        model.predict_proba(["a"])
