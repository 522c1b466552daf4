from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributed._tools.mem_tracker import MemTracker

from course_lib.errors import CourseError
from course_lib.evaluation.classification import score
from course_lib.text.cost import LiveTensors, training_cost
from course_lib.text.fine_tune import BertClassifier, BertRegressor, class_weights
from course_lib.text.frozen import bottom_up
from course_lib.text.tfidf import TfidfClassifier, TfidfRegressor
from course_lib.text.training import Recipe, batches_by_length, warm_up

GOOD = ["loved it", "a wonderful fit", "perfect dress", "so comfortable", "great colour", "amazing night", "fits well"]
BAD = ["hated it", "a terrible fit", "awful dress", "so painful", "ugly colour", "horrible night", "fits badly"]
TEXTS = [f"{a}, {b}" for side in (GOOD, BAD) for a in side for b in side if a != b]  # 42 + 42
LABELS = np.repeat([1, 0], 42)
ORDER = np.random.default_rng(0).permutation(84)
TRAIN, VALID = ORDER[:56], ORDER[56:]
FAST = Recipe(learning_rate=5e-4, batch_size=8, seed=3)
SMALL = {"frozen_layers": 4, "max_tokens": 16}


def texts(rows: np.ndarray) -> list[str]:
    return [TEXTS[i] for i in rows]


def fitted(labels: np.ndarray = LABELS, recipe: Recipe = FAST, **settings) -> BertClassifier:
    model = BertClassifier(2, recipe=recipe, **(SMALL | settings))
    return model.fit(texts(TRAIN), labels[TRAIN], (texts(VALID), labels[VALID]))


@pytest.fixture(scope="module")
def model() -> BertClassifier:
    return fitted()


def test_separable_texts_are_learned(model):
    P = model.predict_proba(texts(VALID))
    assert P.shape == (28, 2) and np.allclose(P.sum(1), 1, atol=1e-5)
    assert score("auc", LABELS[VALID], P) > 0.95
    assert model.trained_.history["loss"].iloc[-1] < model.trained_.history["loss"].iloc[0] * 0.7


def test_the_same_seed_gives_the_same_predictions_whatever_ran_before(model):
    torch.manual_seed(999)
    before = torch.random.get_rng_state()
    again = fitted()
    np.testing.assert_allclose(again.predict_proba(texts(VALID)), model.predict_proba(texts(VALID)), atol=1e-6)
    assert torch.equal(torch.random.get_rng_state(), before)  # and nobody else's random numbers were used up


def test_another_seed_gives_other_predictions(model):
    other = fitted(recipe=replace(FAST, seed=4, epochs=1))
    assert not np.allclose(other.predict_proba(texts(VALID)), model.predict_proba(texts(VALID)), atol=1e-3)


def test_shuffled_labels_end_at_chance():
    shuffled, rng = LABELS.copy(), np.random.default_rng(1)
    for side in (0, 1):  # half of the good and half of the bad texts are called good
        rows = rng.permutation(TRAIN[LABELS[TRAIN] == side])
        shuffled[rows] = np.arange(len(rows)) % 2
    P = fitted(shuffled, replace(FAST, epochs=2)).predict_proba(texts(VALID))
    assert abs(score("auc", LABELS[VALID], P) - 0.5) < 0.3


def test_the_best_epoch_is_kept_and_patience_stops_training(monkeypatch):
    marks, seen = iter([0.6, 0.9, 0.5, 0.4, 0.3]), []

    def scripted(metric, y, P):
        seen.append(P)
        return next(marks)

    monkeypatch.setattr("course_lib.text.fine_tune.score", scripted)
    model = fitted(recipe=replace(FAST, epochs=5, patience=2, learning_rate=5e-5))
    assert model.trained_.best_epoch == 2 and list(model.trained_.history.index) == [1, 2, 3, 4]
    kept = model.predict_proba(texts(VALID))
    np.testing.assert_allclose(kept, seen[1], atol=1e-6)
    assert not np.allclose(kept, seen[3], atol=1e-3)


def test_frozen_layers_stay_as_they_were_and_the_others_move(model):
    fresh = BertClassifier(2, **SMALL)
    torch.manual_seed(0)
    fresh.build()
    pairs = list(zip(bottom_up(model.model_), bottom_up(fresh.model_), strict=True))
    moved = [not all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True)) for a, b in pairs]
    assert moved == [False] * 5 + [True] * 2  # embeddings and four layers; the two above
    assert model.trained_parameters_ == sum(p.numel() for p in model.model_.parameters() if p.requires_grad) < 4e6


def test_predictions_do_not_depend_on_the_order_or_company_of_texts(model):
    rows = np.random.default_rng(2).permutation(84)
    there = model.predict_proba([TEXTS[i] for i in rows])
    np.testing.assert_allclose(there, model.predict_proba(TEXTS)[rows], atol=1e-5)


def test_pairs_are_two_segments_and_keep_their_order(model):
    tokens = model._tokens([("loved it", "hated it")])[0]
    assert tokens["token_type_ids"] == [0, 0, 0, 0, 1, 1, 1]
    assert model._tokens([("hated it", "loved it")])[0] != tokens


def test_a_cached_lower_half_trains_to_the_same_model(model):
    uncached = fitted(cache=False)
    np.testing.assert_allclose(uncached.predict_proba(TEXTS), model.predict_proba(TEXTS), atol=2e-4)
    np.testing.assert_allclose(uncached.trained_.step_losses, model.trained_.step_losses, atol=1e-4)


def test_gradients_of_pieces_add_up_to_those_of_the_batch():
    weights = class_weights(LABELS[TRAIN], 2) * [1, 3]
    whole, pieces = (
        fitted(recipe=replace(FAST, epochs=1, micro_batch=m), dropout=0, weights=weights) for m in (None, 3)
    )
    np.testing.assert_allclose(whole.predict_proba(TEXTS), pieces.predict_proba(TEXTS), atol=2e-4)


def test_a_batch_that_does_not_fit_is_halved_and_done_again(monkeypatch):
    real, sizes = BertClassifier._loss, []

    def small_memory(self, logits, y, rows):
        sizes.append(len(rows))
        if len(rows) > 3 and logits.requires_grad:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")
        return real(self, logits, y, rows)

    whole = fitted(recipe=replace(FAST, epochs=1), dropout=0)
    monkeypatch.setattr(BertClassifier, "_loss", small_memory)
    halved = fitted(recipe=replace(FAST, epochs=1), dropout=0)
    assert sizes[:3] == [8, 4, 2] and halved.trained_.micro_batch == 2
    np.testing.assert_allclose(whole.predict_proba(TEXTS), halved.predict_proba(TEXTS), atol=2e-4)


def test_one_example_too_many_for_the_memory_is_said(monkeypatch):
    def no_memory(*_):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")

    monkeypatch.setattr(BertClassifier, "_loss", no_memory)
    with pytest.raises(CourseError, match="Memory runs out with a single example"):
        fitted()


def test_another_error_of_the_loss_is_not_hidden(monkeypatch):
    def broken(*_):
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(BertClassifier, "_loss", broken)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        fitted()


def test_sgd_and_bf16_learn_too():
    for recipe in (replace(FAST, optimiser="sgd", learning_rate=2e-2, head_rate=1, epochs=6), replace(FAST, bf16=True)):
        P = fitted(recipe=recipe).predict_proba(texts(VALID))
        assert score("auc", LABELS[VALID], P) > 0.9


def test_ratings_are_learned_and_kept_within_the_stars_seen():
    stars = np.where(LABELS == 1, 5.0, 2.0)
    model = BertRegressor(recipe=FAST, **SMALL)
    model.fit(texts(TRAIN), stars[TRAIN], (texts(VALID), stars[VALID]))
    predicted = model.predict(texts(VALID))
    assert np.sqrt(np.mean((predicted - stars[VALID]) ** 2)) < 0.5 * stars.std()
    assert predicted.min() >= 2 and predicted.max() <= 5
    assert model.trained_.history["r2"].max() > 0.75


@pytest.mark.parametrize("targets", [[1.0, np.nan], [1.0], ["good", "bad"], [1.0, None]])
def test_missing_ratings_are_refused(targets):
    with pytest.raises(CourseError, match="targets are one finite number"):
        BertRegressor().fit(["a", "b"], targets, (["c"], [1.0]))


def test_awkward_texts_get_an_answer(model):
    P = model.predict_proba(["", "word " * 10_000, "🎬🍿", "裙子 fits well"])
    assert P.shape == (4, 2) and np.isfinite(P).all()
    assert model.predict_proba([]).shape == (0, 2)


@pytest.mark.parametrize("labels", [[0, None], [0, 2], [0, -1], [0.0, 0.5], [0, np.nan], [0]])
def test_missing_or_impossible_labels_are_refused(labels):
    with pytest.raises(CourseError, match="labels are one whole number"):
        BertClassifier(2).fit(["a", "b"], labels, (["c"], [0]))


def test_mistakes_are_named():
    with pytest.raises(CourseError, match="no metric 'f2': choose one of accuracy"):
        BertClassifier(metric="f2")
    with pytest.raises(CourseError, match="no optimiser 'adam': choose one of adamw, sgd"):
        BertClassifier(recipe=Recipe(optimiser="adam")).fit(["a"], [0], (["b"], [1]))
    with pytest.raises(CourseError, match="frozen_layers is from 0 to 6"):
        BertClassifier(frozen_layers=7).fit(["a"], [0], (["b"], [1]))
    with pytest.raises(CourseError, match="no encoder called 'nobert'"):
        BertClassifier(encoder="nobert").fit(["a"], [0], (["b"], [1]))
    with pytest.raises(CourseError, match="not been fitted"):
        BertClassifier().predict(["a"])
    with pytest.raises(CourseError, match="number 1 is None: write '' for a missing one"):
        BertClassifier().fit(["a", None], [0, 1], (["b"], [1]))


def test_warm_up_by_hand():
    assert [warm_up(s, 10, 0.2) for s in range(10)] == pytest.approx(
        [0.5, 1, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8]
    )
    assert [warm_up(s, 3, 0.0) for s in range(3)] == pytest.approx([1, 1, 0.5])


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 500), st.floats(0, 0.9))
def test_warm_up_stays_between_0_and_1_and_reaches_its_peak_once_or_twice(steps, share):
    rates = np.array([warm_up(s, steps, share) for s in range(steps)])
    assert (rates > 0).all() and rates.max() == pytest.approx(1)
    assert (np.diff(np.sign(np.diff(rates[rates < 1]))) <= 0).all()


def test_class_weights_make_every_class_weigh_the_same():
    y = np.array([0, 0, 0, 1])
    w = class_weights(y, 3)
    assert w[:2] == pytest.approx([4 / 9, 4 / 3])
    assert w[0] * 3 == pytest.approx(w[1] * 1) and np.isfinite(w).all()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=300), st.integers(1, 9), st.integers(0, 99))
def test_batches_hold_every_example_once(lengths, size, seed):
    batches = batches_by_length(np.array(lengths), size, np.random.default_rng(seed))
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    assert max(map(len, batches)) <= size


def test_batches_of_one_length_are_padded_less_than_random_ones():
    lengths = np.random.default_rng(0).integers(5, 60, 1000)
    padded = sum(lengths[b].max() * len(b) for b in batches_by_length(lengths, 10, np.random.default_rng(0)))
    at_random = sum(lengths[b].max() * len(b) for b in np.array_split(np.arange(1000), 100))
    assert padded < 0.75 * at_random


def test_tfidf_learns_and_ignores_words_of_validation():
    y = LABELS
    m = TfidfClassifier(2, metric="auc").fit(texts(TRAIN), y[TRAIN], (texts(VALID), y[VALID]))
    assert score("auc", y[VALID], m.predict_proba(texts(VALID))) > 0.95
    m = TfidfClassifier(2, min_df=1).fit(["yes", "no"] * 4, np.array([1, 0] * 4), (["unseen", "yes"], np.array([0, 1])))
    assert list(m.vectorizers_[0].vocabulary_) == ["yes", "no"]


def test_tfidf_gives_a_class_that_training_never_saw_no_probability():
    m = TfidfClassifier(3, min_df=1).fit(["aa bb", "cc dd"], np.array([0, 2]), (["aa bb"], np.array([0])))
    assert m.predict_proba(["aa bb"]).shape == (1, 3) and m.predict_proba(["aa bb"])[0, 1] == 0


def test_tfidf_learns_stars_and_chooses_its_penalty_on_validation():
    stars = np.where(LABELS == 1, 5.0, 2.0)
    model = TfidfRegressor().fit(texts(TRAIN), stars[TRAIN], (texts(VALID), stars[VALID]))
    predicted = model.predict(texts(VALID))
    assert np.sqrt(np.mean((predicted - stars[VALID]) ** 2)) < 0.6 * stars.std()
    assert predicted.min() >= 2 and predicted.max() <= 5
    worse = TfidfRegressor(penalties=(1e6,)).fit(texts(TRAIN), stars[TRAIN], (texts(VALID), stars[VALID]))
    assert np.ptp(worse.predict(texts(VALID))) < 0.01 and model.penalty_ < 30


def test_freezing_keeps_less_for_the_way_back_and_trains_fewer_parameters():
    costs = [
        training_cost(BertClassifier(2, frozen_layers=k, recipe=Recipe(batch_size=4)), TEXTS, steps=1)
        for k in (0, 3, 6)
    ]
    assert costs[0].kept_mb > 1.8 * costs[1].kept_mb > 3 * costs[2].kept_mb > 0
    weights = 4 * (22_713_216 + 770) / 1e6  # MB
    assert costs[0].peak_mb > 4 * weights and weights < costs[2].peak_mb < 1.3 * weights
    assert costs[0].trained_parameters == 22_713_216 + 770
    assert costs[2].trained_parameters == 384 * 385 + 770  # the pooler and the head
    assert all(c.examples_per_second > 0 for c in costs)


def test_live_tensors_are_counted_once_while_they_live():
    with LiveTensors([torch.ones(5)]) as memory:  # 20 bytes, gone at once
        a = torch.zeros(100)
        b = a.view(10, 10) + 1  # the view takes no memory of its own
        assert memory.now == memory.most == 800
        a.add_(1)
        del a
        assert (memory.now, memory.most) == (400, 800) and len(torch.topk(b, 10)) == 2
        assert (memory.now, memory.most) == (400, 1600)  # 100 numbers and their places came and went
    torch.zeros(1000)
    assert memory.most == 1600


def test_memory_of_a_step_is_what_pytorchs_own_tracker_sees():
    classifier = BertClassifier(2, recipe=Recipe(batch_size=4))
    model, loss_of = classifier.build().model_, classifier.loss_of(TEXTS[:8], np.zeros(8, dtype=np.int64))
    optimiser = torch.optim.AdamW(model.parameters())
    tracker = MemTracker()  # it cannot follow frozen weights, so that the course does not use it
    tracker.track_external(model, optimiser)
    with tracker:
        for rows in (np.arange(4), np.arange(4, 8)):
            loss = loss_of(rows)
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()
            tracker.reset_mod_stats()
    theirs = tracker.get_tracker_snapshot("peak")[torch.device("cpu")]["Total"]
    assert training_cost(classifier, TEXTS[:4], steps=0).peak_mb == pytest.approx(theirs / 1e6, rel=1e-3)


def test_what_is_kept_grows_with_the_batch():
    one, eight = (
        training_cost(BertClassifier(2, recipe=Recipe(batch_size=b)), ["the same text"] * 16, steps=1) for b in (1, 8)
    )
    assert 6 < eight.kept_mb / one.kept_mb < 9


def test_16_bits_keep_less_for_the_way_back():
    whole, half = (
        training_cost(BertClassifier(2, frozen_layers=4, recipe=Recipe(batch_size=16, bf16=b)), ["word " * 99] * 16, 0)
        for b in (False, True)
    )
    assert 0.5 < half.kept_mb / whole.kept_mb < 0.9  # not half: sums stay in 32 bits, and weights lie there twice
