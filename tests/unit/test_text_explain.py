import copy
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from course_lib import plots
from course_lib.errors import CourseError
from course_lib.text.adapt import adapter
from course_lib.text.explain import (
    attention_rollout,
    deletion_curves,
    occlusion,
    rank_agreement,
    rollout,
    watched,
)
from course_lib.text.fine_tune import BertClassifier
from course_lib.text.tfidf import TfidfClassifier
from course_lib.text.training import Recipe
from course_lib.text.words import spans, without, words

START = ["the dress was", "my gown is", "this skirt felt", "her jacket seems", "it was"]
END = ["at the waist", "for a wedding", "on the day", "and my friend saw it", "in the photos"]
OTHER = ["blue", "nice", "new", "ready", "there"]
TEXTS = [f"{a} tight {b}" for a in START for b in END]  # one word decides: class 1
TEXTS += [f"{a} {OTHER[(i + j) % 5]} {b}" for i, a in enumerate(START) for j, b in enumerate(END)]
LABELS = np.repeat([1, 0], 25)
ORDER = np.random.default_rng(0).permutation(50)
TRAIN, VALID = ORDER[:40], ORDER[40:]
TIGHT = [TEXTS[i] for i in VALID if LABELS[i]]
PAIR = ("the dress was tight", "for a wedding , tight")


def some(rows: np.ndarray) -> list[str]:
    return [TEXTS[i] for i in rows]


@pytest.fixture(scope="module")
def model() -> BertClassifier:
    recipe = Recipe(epochs=4, learning_rate=1e-3, batch_size=5, patience=4, seed=1)
    model = BertClassifier(2, recipe=recipe, frozen_layers=4, max_tokens=24)
    return model.fit(some(TRAIN), LABELS[TRAIN], (some(VALID), LABELS[VALID]))


@pytest.fixture(scope="module")
def tfidf() -> TfidfClassifier:
    return TfidfClassifier(2).fit(some(TRAIN), LABELS[TRAIN], (some(VALID), LABELS[VALID]))


class Counting:
    """p of class 1 is the share of the words that are "x": all can be computed by hand."""

    model_ = None

    def predict_proba(self, texts):
        p = np.array([np.mean([w == "x" for w in words(t)] or [0.0]) for t in texts])
        return np.stack([1 - p, p], axis=1)


# ── Words ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I didn't love it!!", ["I", "didn't", "love", "it", "!!"]),
        ("size 10, snug-fit", ["size", "10", ",", "snug", "-", "fit"]),
        ("这件衣服 ok", ["这", "件", "衣", "服", "ok"]),
        ("loved it 👗👗", ["loved", "it", "👗👗"]),
        ("tight👗", ["tight", "👗"]),
        ("décor de\u0301cor", ["décor", "de\u0301cor"]),
        ("", []),
        (" \n\t", []),
        (("a b", "b"), ["a", "b", "b"]),
        (("", "b"), ["b"]),
    ],
)
def test_words_are_what_a_reader_calls_a_word(text, expected):
    assert words(text) == expected and len(spans(text)) == len(expected)


@given(st.text(max_size=40))
@settings(deadline=None)
def test_words_hold_every_visible_character_once(text):
    assert "".join(words(text)) == "".join(text.split())
    assert without(text, ()) == text and words(without(text, range(len(words(text))))) == []


def test_a_word_left_out_leaves_its_neighbours_apart():
    assert without("well-made, 很好", {1}) == "well made, 很好" and words(without("很好", {0})) == ["好"]
    assert without(("a b", "b c"), {2}, "[MASK]") == ("a b", "[MASK] c")
    for wrong in ([True, False], [-1], [2]):  # a mask would read as the words 0 and 1
        with pytest.raises(CourseError, match="positions of words are ids"):
            without("a b", wrong)


# ── Rollout, by hand ─────────────────────────────────────────────────────────────────────────────────────────────


def test_who_looks_only_at_himself_hears_only_himself():
    np.testing.assert_array_equal(rollout(np.tile(np.eye(5), (3, 2, 1, 1))), np.eye(5))


@pytest.mark.parametrize("layers", [1, 2, 6])
def test_even_attention_spreads_what_does_not_go_past_it(layers):
    own = 0.5**layers
    expected = own * np.eye(4) + (1 - own) / 4
    np.testing.assert_allclose(rollout(np.full((layers, 3, 4, 4), 0.25)), expected)


def test_the_last_layer_stands_in_front():
    lower, upper = np.array([[1, 0], [1, 0]]), np.array([[0, 1], [0, 1]])
    np.testing.assert_allclose(rollout(np.stack([lower, upper])[:, None]), [[0.75, 0.25], [0.5, 0.5]])
    np.testing.assert_allclose(rollout(np.stack([upper, lower])[:, None]), [[0.5, 0.5], [0.25, 0.75]])


def test_heads_count_as_their_mean():
    one, two = np.array([[1.0, 0], [0, 1]]), np.array([[0.0, 1], [1, 0]])
    np.testing.assert_allclose(rollout(np.stack([one, two])[None]), [[0.75, 0.25], [0.25, 0.75]])


@given(arrays.arrays(float, (3, 2, 4, 4), elements=st.floats(0.01, 1)))
@settings(deadline=None, max_examples=30)
def test_rows_of_a_rollout_sum_to_one(A):
    R = rollout(A / A.sum(-1, keepdims=True))
    np.testing.assert_allclose(R.sum(1), 1)
    assert (R >= 0).all()


@pytest.mark.parametrize("shape", [(2, 3, 3), (2, 1, 3, 5), (0, 2, 3, 3)])
def test_what_is_no_attention_has_no_rollout(shape):
    with pytest.raises(CourseError, match=r"shape \(layers, heads, T, T\)"):
        rollout(np.zeros(shape))


# ── Occlusion ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mask", [False, True])
def test_occlusion_finds_the_word_that_was_planted(model, mask):
    for text in TIGHT:
        table = occlusion(model, text, mask=mask)
        assert list(table.columns) == ["word", "drop"] and table.word.tolist() == words(text)
        assert table.word[table["drop"].idxmax()] == "tight" and table["drop"].max() > 0.2


def test_a_drop_is_the_probability_with_the_word_less_that_without(model):
    text, without_it = "the dress was tight", "the dress was"
    p, q = model.predict_proba([text, without_it])
    assert occlusion(model, text, c=1)["drop"].iloc[3] == pytest.approx(p[1] - q[1], abs=1e-5)
    np.testing.assert_allclose(occlusion(model, text, c=1)["drop"], -occlusion(model, text, c=0)["drop"], atol=1e-5)


def test_words_of_a_pair_are_told_apart_by_their_half(model):
    for table in (occlusion(model, PAIR), attention_rollout(model, PAIR)):
        assert table.word.tolist() == ["the", "dress", "was", "tight", "for", "a", "wedding", ",", "tight"]
        assert table.half.tolist() == [0] * 4 + [1] * 5
    assert list(occlusion(model, ("", "tight")).word) == ["tight"]


def test_occlusion_works_for_every_classifier(tfidf):
    table = occlusion(tfidf, "the dress was tight at the waist")
    assert table.word[table["drop"].idxmax()] == "tight"
    np.testing.assert_allclose(occlusion(Counting(), "x y", c=1)["drop"], [0.5, -0.5])


@pytest.mark.parametrize("text", ["tight", "👗", "好", "!"])
def test_a_single_word_is_compared_with_silence(model, text):
    p, silence = model.predict_proba([text, ""])
    (drop,) = occlusion(model, text)["drop"]
    assert drop == pytest.approx(p.max() - silence[p.argmax()], abs=1e-5)
    assert 0 < attention_rollout(model, text).weight.iloc[0] < 1


def test_chinese_and_emoji_have_one_row_each(model):
    for table in (occlusion(model, "这件 tight 👗"), attention_rollout(model, "这件 tight 👗")):
        assert table.word.tolist() == ["这", "件", "tight", "👗"] and np.isfinite(table.iloc[:, -1]).all()


# ── Attention of a real BERT ─────────────────────────────────────────────────────────────────────────────────────


def test_pieces_of_one_word_count_together(model):
    text = "unflatteringly tight at the waist"
    coded = model.tokenizer_(text, return_tensors="pt")
    ids = coded.word_ids(0)
    assert ids.count(0) > 1  # it falls into pieces
    with watched(model.model_) as attentions, torch.inference_mode():
        model.model_(**coded)
    row = rollout(torch.cat(attentions).numpy())[0]
    table = attention_rollout(model, text)
    np.testing.assert_allclose(table.weight, [sum(row[t] for t, i in enumerate(ids) if i == w) for w in range(5)])
    assert table.weight.sum() == pytest.approx(1 - row[0] - row[-1])


def test_watched_attention_is_what_transformers_reports(model):
    coded = model.tokenizer_("the dress was tight", return_tensors="pt")
    plain = copy.deepcopy(model.model_).eval()
    usual = plain(**coded).logits
    with watched(plain) as seen:
        logits = plain(**coded).logits
    assert len(seen) == 6 and all(a.shape[0] == 1 and a.shape[2] == a.shape[3] for a in seen)
    torch.testing.assert_close(logits, usual, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(torch.stack(seen).sum(-1), torch.ones(6, 1, seen[0].shape[1], seen[0].shape[2]))
    fresh = BertClassifier(2).build().model_.eval()  # never trained, so that the recording of transformers is as new
    with watched(fresh) as seen:
        fresh(**coded)
    fresh.set_attn_implementation("eager")
    for ours, theirs in zip(seen, fresh(**coded, output_attentions=True).attentions, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_looking_leaves_the_model_as_it_was(model):
    before = {name: value.clone() for name, value in model.model_.state_dict().items()}
    hooks = [len(m._forward_hooks) for m in model.model_.modules()]
    P = model.predict_proba(TEXTS[:4])
    occlusion(model, TEXTS[0])
    attention_rollout(model, TEXTS[0])
    with pytest.raises(RuntimeError, match="on purpose"), watched(model.model_):
        raise RuntimeError("on purpose")
    assert model.model_.config._attn_implementation == "sdpa"
    assert [len(m._forward_hooks) for m in model.model_.modules()] == hooks
    assert all(torch.equal(value, before[name]) for name, value in model.model_.state_dict().items())
    np.testing.assert_array_equal(model.predict_proba(TEXTS[:4]), P)


def test_attention_does_not_know_the_class(model):
    upside_down = copy.copy(model)
    upside_down.model_ = copy.deepcopy(model.model_)
    with torch.no_grad():
        for part in upside_down.model_.classifier.parameters():
            part.neg_()
    text = TEXTS[3]
    assert model.predict([text]) != upside_down.predict([text])
    np.testing.assert_array_equal(attention_rollout(model, text).weight, attention_rollout(upside_down, text).weight)
    assert (occlusion(model, text, 0)["drop"] * occlusion(upside_down, text, 0)["drop"]).idxmin() == words(text).index(
        "tight"
    )


def test_the_top_layers_can_be_followed_alone(model):
    text = TEXTS[0]
    coded = model.tokenizer_(text, return_tensors="pt")
    with watched(model.model_) as attentions, torch.inference_mode():
        model.model_(**coded)
    last = attentions[-1].mean(1)[0, 0, 1:-1].numpy()  # every word of the text is one piece
    np.testing.assert_allclose(attention_rollout(model, text, top=1).weight, last / 2, rtol=1e-5)
    np.testing.assert_array_equal(attention_rollout(model, text, top=6), attention_rollout(model, text))
    for wrong in (0, 7):
        with pytest.raises(CourseError, match=f"top is from 1 to 6, the layers of this BERT; got {wrong}"):
            attention_rollout(model, text, top=wrong)


def test_words_behind_the_cut_were_not_read(model):
    table = attention_rollout(model, "tight " * 40)
    assert (table.weight[:22] > 0).all() and (table.weight[22:] == 0).all() and len(table) == 40


def test_adapted_models_can_be_watched_and_a_prefix_is_refused_in_words():
    lora = BertClassifier(2, adapt=adapter("lora")).build()
    assert attention_rollout(lora, "the dress was tight").weight.between(0, 1).all()
    assert lora.model_.config._attn_implementation == "sdpa"
    with pytest.raises(CourseError, match="learned prefix"):
        attention_rollout(BertClassifier(2, adapt=adapter("prefix")).build(), "the dress was tight")


# ── The test of an explanation ───────────────────────────────────────────────────────────────────────────────────


def test_deletion_curves_by_hand():
    texts = ["x x y", "y x x x"]  # p of x: 2/3 and 3/4
    right, wrong = [np.array([2, 1, 0]), np.array([0, 3, 2, 1])], [np.array([0, 1, 2]), np.array([3, 2, 1, 0])]
    curves = deletion_curves(Counting(), texts, {"right": right, "wrong": wrong}, k=2, seed=0)
    assert list(curves) == ["right", "wrong", "random order"]
    np.testing.assert_allclose(curves["right"], [[2 / 3, 1 / 2, 0], [3 / 4, 2 / 3, 1 / 2]])
    np.testing.assert_allclose(curves["wrong"], [[2 / 3, 1, 1], [3 / 4, 1, 1]])
    assert (curves["random order"][:, 0] == curves["right"][:, 0]).all()


def test_random_order_is_the_mean_over_orders_and_repeats_with_the_seed():
    texts, given = ["x " * 3 + "y " * 3] * 200, {"flat": [np.zeros(6)] * 200}
    text = deletion_curves(Counting(), ["y " + "x " * 3], {"flat": [np.zeros(4)]}, k=1, seed=0, n_random=400)
    assert text["random order"][0, 1] == pytest.approx(1 / 4 * 1 + 3 / 4 * 2 / 3, abs=0.03)
    a, b = (deletion_curves(Counting(), texts, given, k=2, seed=s)["random order"] for s in (5, 5))
    np.testing.assert_array_equal(a, b)


def test_occlusion_passes_the_test_that_its_reverse_fails(model):
    drops = [occlusion(model, text)["drop"].to_numpy() for text in TIGHT]
    curves = deletion_curves(model, TIGHT, {"occlusion": drops, "reverse": [-d for d in drops]}, k=2)
    fall = {name: float((p[:, 0] - p[:, 1]).mean()) for name, p in curves.items()}
    assert fall["occlusion"] > 0.2 and fall["occlusion"] > fall["random order"] + 0.1 > fall["reverse"] + 0.1


def test_rank_agreement():
    assert rank_agreement([1, 2, 3], [10, 20, 90]) == pytest.approx(1)
    assert rank_agreement([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert np.isnan(rank_agreement([1, 1], [1, 2])) and np.isnan(rank_agreement([1], [2]))
    with pytest.raises(CourseError, match="one shape"):
        rank_agreement([1, 2], [1, 2, 3])


# ── Faults have words ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("text", ["", "  \n", ("", "")])
def test_there_is_nothing_to_explain_in_an_empty_text(model, text):
    for explain in (occlusion, attention_rollout):
        with pytest.raises(CourseError, match="no word in this text"):
            explain(model, text)


@pytest.mark.parametrize("text", [["a"], None, ("a",), 3])
def test_one_text_at_a_time(model, text):
    for explain in (occlusion, attention_rollout):
        with pytest.raises(CourseError, match="one pair of texts, is explained at a time"):
            explain(model, text)


def test_who_was_not_fitted_cannot_be_asked(tfidf):
    for fresh in (BertClassifier(2), TfidfClassifier(2)):
        with pytest.raises(CourseError, match="has not been fitted yet"):
            occlusion(fresh, "tight")
    for classifier in (BertClassifier(2), tfidf):
        with pytest.raises(CourseError, match="Only a fitted BERT has attention to look at"):
            attention_rollout(classifier, "tight")
    with pytest.raises(CourseError, match=r"Only a fitted BERT has a \[MASK\]"):
        occlusion(tfidf, "tight", mask=True)


def test_other_faults_are_named():
    with pytest.raises(CourseError, match="class c is from 0 to 1; got 2"):
        occlusion(Counting(), "x y", c=2)
    with pytest.raises(CourseError, match="k is from 1 to the words of the shortest text, 2; got 3"):
        deletion_curves(Counting(), ["x y", "x y z"], {}, k=3)
    with pytest.raises(CourseError, match="shortest text, 0; got 1"):
        deletion_curves(Counting(), [], {}, k=1)
    with pytest.raises(CourseError, match="weights of 'a' are one number for each word of each of the 1 texts"):
        deletion_curves(Counting(), ["x y"], {"a": [np.zeros(3)]}, k=1)


# ── The figure ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_figure_shows_every_word_once_a_row_and_draws_without_a_warning():
    text = "The dress cost $5 or $6, 很好 👗 " + "and so on " * 20
    rows = {"one": np.linspace(-1, 1, len(words(text))), "nothing": np.zeros(len(words(text)))}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = plots.word_weights(words(text), rows, "Which words?")
        figure.canvas.draw()
    shown = [t.get_text() for t in figure.axes[0].texts]
    assert len(shown) == 2 * (1 + len(words(text))) and shown.count("dress") == 2 and shown.count("□") == 6
    boxes = [t.get_bbox_patch().get_facecolor() for t in figure.axes[0].texts if t.get_bbox_patch()]
    assert boxes[0][3] == pytest.approx(0.75) and boxes[0][:3] != boxes[len(words(text)) - 1][:3]
    assert all(box[3] == 0 for box in boxes[len(words(text)) :])
    plots.plt.close(figure)
    plots.plt.close(plots.word_weights([], {"one": []}, "Nothing to show"))
