from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from transformers import BertForMaskedLM

from course_lib.errors import CourseError
from course_lib.text.encoder import Encoder
from course_lib.text.pretrain import IGNORED, MaskedLanguageModel, mask_tokens
from course_lib.text.training import Recipe

SENTENCES = [
    "the red dress fits very well at the wedding",
    "the blue shirt was too small for the party",
    "a quiet film about two old friends in paris",
    "a loud film about three young robbers in berlin",
]
TEXTS, VALID = SENTENCES * 8, SENTENCES * 3  # each time with other words hidden
HEAD = Recipe(epochs=2, batch_size=8, learning_rate=5e-3)
LAYERS = Recipe(epochs=3, batch_size=8, learning_rate=3e-4)
SETTINGS = {"head_recipe": HEAD, "recipe": LAYERS, "max_tokens": 24, "share": 0.3}
MASK, CLS, SEP = 103, 101, 102


@pytest.fixture(scope="module")
def model() -> MaskedLanguageModel:
    return MaskedLanguageModel(**SETTINGS).fit(TEXTS, VALID)


@pytest.fixture(scope="module")
def untrained() -> MaskedLanguageModel:
    return MaskedLanguageModel(**SETTINGS).build()


# ── Masks ────────────────────────────────────────────────────────────────────────────────────────────────────────

IDS = arrays(np.int64, st.integers(1, 60), elements=st.integers(1000, 2000))


@settings(max_examples=200, deadline=None)
@given(IDS, st.data(), st.floats(0, 1), st.integers(0, 2**31 - 1))
def test_the_chosen_have_a_label_and_nothing_else_is_touched(ids, data, share, seed):
    special = data.draw(arrays(bool, len(ids)))
    before, words = ids.copy(), np.arange(500)  # random tokens are told apart from the originals
    seen, labels = mask_tokens(ids, special, MASK, words, np.random.default_rng(seed), share)
    chosen, free = labels != IGNORED, int((~special).sum())
    assert chosen.sum() == (max(1, round(share * free)) if free else 0)
    assert not (chosen & special).any()
    assert (labels[chosen] == ids[chosen]).all() and (seen[~chosen] == ids[~chosen]).all()
    assert ((seen == ids) | (seen == MASK) | np.isin(seen, words))[chosen].all()
    assert seen.shape == labels.shape == ids.shape and (ids == before).all()


def test_of_the_chosen_80_in_100_are_hidden_10_swapped_and_10_left_and_no_place_is_preferred():
    rng, n_texts = np.random.default_rng(0), 4000
    ids = np.array([CLS, *range(1000, 1020), SEP])
    special, words = np.isin(ids, [CLS, SEP]), np.delete(np.arange(500), MASK)
    seen, labels = (
        np.stack(x) for x in zip(*(mask_tokens(ids, special, MASK, words, rng) for _ in range(n_texts)), strict=True)
    )
    chosen = labels != IGNORED
    n = chosen.sum()
    assert n == 3 * n_texts  # 15 % of 20
    swapped = chosen & (seen < 500) & (seen != MASK)
    for share, where in ((0.8, chosen & (seen == MASK)), (0.1, swapped), (0.1, chosen & (seen == ids))):
        assert abs(where.sum() / n - share) < 4 * np.sqrt(share * (1 - share) / n)
    assert len(np.unique(seen[swapped])) > 400  # any word may come
    places = chosen[:, ~special].sum(0) / n_texts
    assert np.abs(places - 0.15).max() < 4 * np.sqrt(0.15 * 0.85 / n_texts)


def test_masks_depend_on_the_generator_alone():
    ids = np.arange(1000, 1100)
    draw = [mask_tokens(ids, ids < 0, MASK, np.arange(500), np.random.default_rng(s))[0] for s in (1, 1, 2)]
    assert (draw[0] == draw[1]).all() and (draw[0] != draw[2]).any()


# ── The model ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_hidden_words_of_a_few_sentences_are_learned(model):
    history = model.history_
    assert list(history["stage"]) == ["untrained"] + ["head"] * 2 + ["layers"] * 3
    assert history["accuracy"][0] < 0.1 and history["valid_loss"][0] > 0.5 * np.log(30_522)
    best = history.groupby("stage")["accuracy"].max()
    assert best["head"] > best["untrained"] + 0.2 and best["layers"] > best["head"] + 0.1
    assert history["valid_loss"].iloc[-1] < 0.5 * history["valid_loss"][0]


def test_the_score_of_the_end_is_that_of_the_best_epoch(model):
    layers = model.history_[model.history_["stage"] == "layers"]
    best = layers.loc[layers["accuracy"].idxmax()]
    score = model.score(VALID)
    assert score["accuracy"] == pytest.approx(best["accuracy"])
    assert score["valid_loss"] == pytest.approx(best["valid_loss"], rel=1e-3)


def test_the_score_of_other_texts_is_worse_than_that_of_those_learned(model):
    others = ["nobody expected such a storm in july", "mathematics is the art of naming things"]
    own, other = model.score(TEXTS), model.score(others)
    assert own["accuracy"] > other["accuracy"] + 0.3 and own["valid_loss"] < other["valid_loss"]


def test_the_score_is_that_of_transformers_own_masked_loss(untrained, model):
    for m in (untrained, model):
        tokens = m._masked(["a red film", *SENTENCES, "", "paris"])
        assert len(tokens) == 6  # the empty text has no word to hide
        losses, hits = [], []
        for t in tokens:
            with torch.inference_mode():
                out = m.model_(input_ids=torch.tensor([t["input_ids"]]), labels=t["labels"][None])
            chosen = t["labels"] != IGNORED
            losses += [float(out.loss)] * int(chosen.sum())
            hits += (out.logits[0].argmax(1) == t["labels"])[chosen].tolist()
        score = m.score(["a red film", *SENTENCES, "", "paris"])
        assert score == pytest.approx({"accuracy": np.mean(hits), "valid_loss": np.mean(losses)}, rel=1e-4)


def test_neither_words_nor_lower_layers_change_and_the_upper_ones_do(model, untrained):
    old, new = untrained.model_.state_dict(), model.model_.state_dict()
    changed = {name for name, p in old.items() if not torch.equal(p, new[name])}
    assert not any(".embeddings." in name or f"layer.{i}." in name for name in changed for i in (0, 1, 2))
    assert all(any(f"layer.{i}." in name for name in changed) for i in (3, 4, 5))
    assert any(name.startswith("cls.predictions.transform") for name in changed)
    words = model.model_.bert.embeddings.word_embeddings.weight
    assert model.model_.cls.predictions.decoder.weight is words  # the words that it reads are those it names
    assert torch.equal(words, Encoder.load("minilm").model.embeddings.word_embeddings.weight)


def test_with_no_epoch_for_the_layers_only_the_head_learns(untrained):
    alone = MaskedLanguageModel(**SETTINGS | {"recipe": replace(LAYERS, epochs=0)}).fit(TEXTS, VALID)
    assert set(alone.history_["stage"]) == {"untrained", "head"} and alone.history_["accuracy"].iloc[-1] > 0.2
    for name, p in untrained.model_.bert.state_dict().items():
        assert torch.equal(p, alone.model_.bert.state_dict()[name])


def test_a_learned_word_is_among_the_guesses_for_its_place(model, untrained):
    def named(m: MaskedLanguageModel) -> int:
        words = [sentence.split() for sentence in SENTENCES]
        return sum(w[2] in dict(m.guess(" ".join([*w[:2], "[MASK]", *w[3:]]))[0]) for w in words)

    assert named(model) >= 3 and named(untrained) == 0


def test_each_hidden_place_gets_n_guesses_the_likeliest_first(model):
    guesses = model.guess("the red [MASK] fits very well at the [MASK]", n=3)
    assert len(guesses) == 2
    for one in guesses:
        shares = [share for _, share in one]
        assert len(one) == 3 and shares == sorted(shares, reverse=True) and 0 < sum(shares) <= 1 + 1e-5
    assert [len(one) for one in model.guess("a quiet [MASK]")] == [5]
    assert model.guess("nothing is hidden here") == []


def test_a_guess_is_the_softmax_over_all_words(untrained):
    [everything] = untrained.guess("a [MASK] film", n=len(untrained.tokenizer_))
    assert sum(share for _, share in everything) == pytest.approx(1, abs=1e-3)


def test_the_same_seed_gives_the_same_history_whatever_ran_before():
    quick = SETTINGS | {"head_recipe": replace(HEAD, epochs=1), "recipe": replace(LAYERS, epochs=1)}
    runs = []
    for seed in (0, 0, 5):
        torch.manual_seed(99 + len(runs))
        recipes = {name: replace(quick[name], seed=seed) for name in ("head_recipe", "recipe")}
        runs.append(MaskedLanguageModel(**quick | recipes).fit(TEXTS[:8], SENTENCES).history_.drop(columns="seconds"))
    numbers = [run.drop(columns="stage").to_numpy(dtype=float) for run in runs]
    np.testing.assert_allclose(numbers[0], numbers[1], rtol=1e-4)
    assert not np.allclose(numbers[0], numbers[2], rtol=1e-3, equal_nan=True)


def test_the_encoder_is_the_published_one_before_training_and_another_after(model, untrained):
    plain = Encoder.load("minilm", max_tokens=24).encode(["", *SENTENCES])
    np.testing.assert_allclose(untrained.encoder_.encode(["", *SENTENCES]), plain, atol=1e-5)
    vectors = model.encoder_.encode(["", *SENTENCES])
    assert vectors.shape == plain.shape and not vectors[0].any()
    np.testing.assert_allclose(np.linalg.norm(vectors[1:], axis=1), 1, atol=1e-5)
    assert not np.allclose(vectors, plain, atol=1e-2)
    assert isinstance(model.model_, BertForMaskedLM) and model.encoder_.max_tokens == 24


def test_long_and_awkward_texts_are_cut_and_scored(model):
    score = model.score(["word " * 10_000, "🎬🍿", "裙子 fits well", "   "])
    assert 0 <= score["accuracy"] <= 1 and np.isfinite(score["valid_loss"])
    assert len(model._masked(["word " * 100])[0]["input_ids"]) == 24


def test_mistakes_are_named(model):
    for wrong, told in (("one text", r"wrap one text as \[text\]"), (["fine", None], "number 1 is None")):
        with pytest.raises(CourseError, match=told):
            model.score(wrong)
    for nothing in ([], ["", "  "]):
        with pytest.raises(CourseError, match="no word to hide"):
            model.score(nothing)
    for layers in (0, 6):  # 0 would change the word vectors, 6 would leave nothing for the second step
        with pytest.raises(CourseError, match="frozen_layers is from 1 to 5"):
            MaskedLanguageModel(frozen_layers=layers).build()
    with pytest.raises(CourseError, match="no encoder called 'nobert'"):
        MaskedLanguageModel("nobert").build()
