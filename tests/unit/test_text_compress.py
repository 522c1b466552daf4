import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import nn
from transformers import BertConfig, BertForSequenceClassification

from course_lib.errors import CourseError
from course_lib.text import compress
from course_lib.text.compress import DistilledClassifier
from course_lib.text.encoder import Encoder
from course_lib.text.fine_tune import BertClassifier
from course_lib.text.training import Recipe

GOOD = ["loved it", "a wonderful fit", "perfect dress", "so comfortable"]
BAD = ["hated it", "a terrible fit", "awful dress", "so painful"]
TEXTS = [f"{a}, {b}" for side in (GOOD, BAD) for a in side for b in side if a != b]  # 12 + 12
LABELS = np.repeat([1, 0], 12)
MIXED = [f"{a}, {b}" for a in GOOD for b in BAD]
STUDENT = Recipe(epochs=2, batch_size=4, learning_rate=5e-4)
LAYERS, HEADS, SIZE = 3, 4, 6  # of the small BERT below: heads of 6 numbers, side by side in 24


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.clone() for name, p in model.state_dict().items()}


def same(before: dict[str, torch.Tensor], model: nn.Module) -> bool:
    after = model.state_dict()
    return before.keys() == after.keys() and all(torch.equal(p, after[name]) for name, p in before.items())


def matrices(model: nn.Module) -> list[torch.Tensor]:
    return [part.weight.detach() for part in model.bert.encoder.modules() if isinstance(part, nn.Linear)]


@pytest.fixture(scope="module")
def teacher() -> BertClassifier:
    recipe = Recipe(epochs=1, batch_size=4, learning_rate=5e-4)
    return BertClassifier(2, frozen_layers=4, max_tokens=16, recipe=recipe).fit(TEXTS, LABELS, (TEXTS, LABELS))


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.load("minilm", max_tokens=16)


@pytest.fixture(scope="module")
def small(teacher) -> BertClassifier:
    """A BERT of three layers and random numbers that reads the teacher's tokens: quick, and good for any algebra."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=30_522, hidden_size=HEADS * SIZE, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
        intermediate_size=40, num_labels=2, initializer_range=0.3,
    )  # fmt: skip
    return compress.shrunk(teacher, BertForSequenceClassification(config).eval())


def without_outputs_of(model: nn.Module, gone: dict[int, list[int]]) -> nn.Module:
    """The oracle: these heads' outputs count 0 times in what follows, and no matrix gets smaller."""
    model = copy.deepcopy(model)
    for layer, heads in gone.items():
        W = model.bert.encoder.layer[layer].attention.output.dense.weight
        with torch.no_grad():
            for h in heads:
                W[:, h * SIZE : (h + 1) * SIZE] = 0
    return model


# ── Distillation ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_shortened_model_has_copies_of_the_wished_layers_and_the_original_stays(small):
    model, before = small.model_, weights(small.model_)
    short = compress.shortened(model, [2, 0])
    layers = short.bert.encoder.layer
    assert len(layers) == short.config.num_hidden_layers == 2
    for mine, origin in zip(layers, (2, 0), strict=True):
        assert same(weights(model.bert.encoder.layer[origin]), mine)
    assert not any(p.requires_grad for p in short.bert.embeddings.parameters())
    assert all(p.requires_grad for n, p in short.named_parameters() if "embeddings" not in n)
    with torch.no_grad():
        for p in short.parameters():
            p += 1
    assert same(before, model) and len(model.bert.encoder.layer) == model.config.num_hidden_layers == LAYERS
    assert all(p.requires_grad for p in model.parameters())


def test_shortened_to_all_its_layers_a_model_says_the_same(small):
    whole = compress.shrunk(small, compress.shortened(small.model_, range(LAYERS)))
    np.testing.assert_array_equal(whole.predict_proba(TEXTS), small.predict_proba(TEXTS))


@pytest.mark.parametrize("layers", [[], [3], [-1], [0, 7]])
def test_layers_that_a_model_does_not_have_are_refused(small, layers):
    with pytest.raises(CourseError, match=r"layers are ids from 0 to 2|layers 0 to 2; got none"):
        compress.shortened(small.model_, layers)


LOGITS = arrays(np.float64, (3, 4), elements=st.floats(-20, 20))


@settings(max_examples=50, deadline=None)
@given(LOGITS, LOGITS, st.floats(0.5, 8))
def test_the_soft_loss_is_divergence_plus_the_teachers_own_entropy(z, z_teacher, T):
    z, z_teacher = torch.tensor(z), torch.tensor(z_teacher)
    p = (z_teacher / T).softmax(1)
    divergence = nn.functional.kl_div((z / T).log_softmax(1), p, reduction="none").sum(1)
    entropy = torch.distributions.Categorical(probs=p).entropy()
    loss = compress.soft_target_loss(z, z_teacher, T)
    torch.testing.assert_close(loss, T**2 * (divergence + entropy), atol=1e-5, rtol=1e-5)
    assert (loss >= compress.soft_target_loss(z_teacher, z_teacher, T) - 1e-6).all()  # the teacher answers best


def test_the_soft_loss_by_hand():
    z, z_teacher = torch.tensor([[0.0, 0.0], [0.0, 2 * np.log(3)]]), torch.tensor([[0.0, 2 * np.log(3)]] * 2)
    q = 1 / 4 * np.log(4) + 3 / 4 * np.log(4 / 3)  # of the teacher, with T = 2: a quarter and three quarters
    assert compress.soft_target_loss(z, z_teacher, 2.0).tolist() == pytest.approx([4 * np.log(2), 4 * q], abs=1e-5)


def test_the_pull_of_the_soft_loss_hardly_depends_on_the_temperature():
    z_teacher, pulls = torch.tensor([[0.3, -0.1, -0.2]]), []
    for T in (5.0, 10.0, 20.0):
        z = torch.zeros(1, 3, requires_grad=True)
        pulls.append(torch.autograd.grad(compress.soft_target_loss(z, z_teacher, T).sum(), z)[0])
    for pull in pulls:  # for large T it is (z - z_teacher) / C: Hinton, Vinyals & Dean 2015, equation 4
        torch.testing.assert_close(pull, -z_teacher / 3, atol=5e-3, rtol=0)


@pytest.fixture(scope="module")
def student(teacher) -> DistilledClassifier:
    return DistilledClassifier(teacher, [0, 3], recipe=STUDENT).fit(TEXTS, None, (TEXTS, None))


def test_without_any_label_a_student_learns_to_answer_like_its_teacher(teacher, student):
    before = DistilledClassifier(teacher, [0, 3]).build()
    P, P_before, P_teacher = (m.predict_proba(TEXTS) for m in (student, before, teacher))
    assert ((P.argmax(1) == P_teacher.argmax(1)).mean(), (P_before.argmax(1) == P_teacher.argmax(1)).mean()) == (1, 0.5)
    assert np.abs(P - P_teacher).mean() < 0.5 * np.abs(P_before - P_teacher).mean()
    assert len(student.model_.bert.encoder.layer) == 2 and len(teacher.model_.bert.encoder.layer) == 6
    assert student.trained_parameters_ == sum(
        p.numel() for n, p in student.model_.named_parameters() if "embeddings" not in n
    )


def test_teaching_leaves_the_teacher_and_the_word_vectors_as_they_are(teacher):
    before = weights(teacher.model_)
    taught = DistilledClassifier(teacher, [5], recipe=Recipe(epochs=1, batch_size=8)).fit(TEXTS, None, (TEXTS, None))
    assert same(before, teacher.model_)
    assert same(weights(teacher.model_.bert.embeddings), taught.model_.bert.embeddings)
    assert not same(weights(teacher.model_.bert.encoder.layer[5]), taught.model_.bert.encoder.layer[0])


def test_the_same_seed_gives_the_same_student(teacher, student):
    torch.manual_seed(999)
    again = DistilledClassifier(teacher, [0, 3], recipe=STUDENT).fit(TEXTS, None, (TEXTS, None))
    np.testing.assert_allclose(again.predict_proba(TEXTS), student.predict_proba(TEXTS), atol=1e-6)


def test_labels_count_by_their_share_and_with_share_1_not_at_all(teacher):
    one = Recipe(epochs=1, batch_size=8, learning_rate=5e-4)
    right, wrong = (
        {
            share: DistilledClassifier(teacher, [5], share=share, recipe=one).fit(TEXTS, y, (TEXTS, LABELS))
            for share in (1.0, 0.5)
        }
        for y in (LABELS, 1 - LABELS)
    )
    P = {share: (right[share].predict_proba(TEXTS), wrong[share].predict_proba(TEXTS)) for share in right}
    np.testing.assert_allclose(*P[1.0], atol=1e-6)
    assert (P[0.5][0] - P[0.5][1])[np.arange(24), LABELS].mean() > 0.05


def test_the_loss_of_a_student_by_hand(teacher):
    judge = DistilledClassifier(teacher, [0], temperature=3.0, share=0.3)
    judge.weights = [1.0, 4.0]
    y = judge._targets(LABELS, TEXTS, "train")
    rows = np.array([2, 20])
    z, z_teacher = torch.tensor([[0.5, -1.0], [2.0, 0.0]]), torch.tensor(np.array(teacher._predict(TEXTS))[rows])
    np.testing.assert_allclose(y["logits"][rows], z_teacher, atol=1e-6)
    soft = compress.soft_target_loss(z, z_teacher, 3.0).mean()
    hard = (4 * np.log1p(np.exp(1.5)) + 1 * np.log1p(np.exp(-2.0))) / 2  # of class 1, weight 4, and of class 0
    assert float(judge._loss(z, y, rows)) == pytest.approx(0.3 * float(soft) + 0.7 * hard, rel=1e-5)
    assert (judge._targets(None, TEXTS, "train")["label"] == teacher.predict(TEXTS)).all()


def test_labels_that_no_student_can_learn_are_refused(teacher):
    for texts, labels in ((TEXTS[:2], [0, 2]), (TEXTS[:2], [0]), ([], None)):
        with pytest.raises(CourseError, match="labels are one whole number from 0 to 1"):
            DistilledClassifier(teacher, [0]).fit(texts, labels, (TEXTS, LABELS))
    with pytest.raises(CourseError, match="not been fitted"):
        DistilledClassifier(BertClassifier(2), [0]).fit(TEXTS, None, (TEXTS, None))
    with pytest.raises(CourseError, match="layers are ids from 0 to 5"):
        DistilledClassifier(teacher, [6]).fit(TEXTS, None, (TEXTS, None))


def test_a_student_encoder_points_where_its_teacher_does(encoder):
    before, layers = weights(encoder.model), [0, 2, 5]
    recipe = Recipe(epochs=3, batch_size=8, learning_rate=5e-4)
    student = compress.distil_encoder(encoder, layers, TEXTS, recipe)
    assert same(before, encoder.model) and student.model.config.num_hidden_layers == 3
    untaught = compress.shrunk(encoder, compress.shortened(encoder.model, layers))
    new = ["a lovely dress", "it hurts, sadly", "so wonderful"]  # texts that it has not been taught with
    for texts, gain in ((TEXTS, 0.1), (new, 0.05)):
        t, s, u = (e.encode(texts) for e in (encoder, student, untaught))
        np.testing.assert_allclose(np.linalg.norm(s, axis=1), 1, atol=1e-5)
        assert (s * t).sum(1).mean() > (u * t).sum(1).mean() + gain


# ── 8-bit numbers ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("activations", [True, False])
@pytest.mark.parametrize("embeddings", [True, False])
def test_in_8_bits_a_model_is_smaller_and_says_nearly_the_same(teacher, activations, embeddings):
    before = weights(teacher.model_)
    small = compress.int8(teacher.model_, activations=activations, embeddings=embeddings)
    P, P_small = (m.predict_proba(TEXTS + MIXED) for m in (teacher, compress.shrunk(teacher, small)))
    assert np.abs(P - P_small).mean() < 0.05 and (P[:24].argmax(1) == P_small[:24].argmax(1)).all()
    assert (P_small != P).any()
    assert compress.size_mb(small) < (0.3 if embeddings else 0.7) * compress.size_mb(teacher.model_)
    assert same(before, teacher.model_)


def test_an_8_bit_row_is_whole_numbers_times_its_scale(teacher):
    small = compress.int8(teacher.model_, activations=False)
    layer, quick = (m.bert.encoder.layer[1].attention.self.query for m in (teacher.model_, small))
    words, quick_words = (m.bert.embeddings.word_embeddings for m in (teacher.model_, small))
    some = torch.tensor([101, 2000, 7592])
    with torch.inference_mode():
        pairs = [
            (layer.weight, (quick(torch.eye(384)) - quick.bias).T),  # the product with 1 shows the matrix
            (words(some), quick_words(some)),
        ]
    for W, W_8 in pairs:
        for row, row_8 in zip(W.detach(), W_8, strict=True):
            s = row.abs().max() / 127.5
            numbers = (row_8 / s).round()
            torch.testing.assert_close(numbers * s, row_8, atol=1e-6, rtol=0)
            assert numbers.min() >= -128 and numbers.max() <= 127 and numbers.abs().max() >= 127
            assert (row - row_8).abs().max() <= s / 2 * 1.001


def test_an_encoder_in_8_bits_keeps_its_manners_and_its_directions(encoder):
    small = compress.shrunk(encoder, compress.int8(encoder.model))
    vectors, vectors_8 = encoder.encode(["", *TEXTS]), small.encode(["", *TEXTS])
    assert not vectors_8[0].any() and (vectors * vectors_8).sum(1)[1:].min() > 0.98
    assert small.name == encoder.name and small.max_tokens == 16 and small.model is not encoder.model


def test_a_holder_keeps_its_own_model_when_another_takes_its_place_in_a_copy(teacher, encoder):
    for holder, attribute in ((teacher, "model_"), (encoder, "model")):
        own, other = getattr(holder, attribute), nn.Identity()
        other.config = own.config
        twin = compress.shrunk(holder, other)
        assert type(twin) is type(holder) and getattr(twin, attribute) is other and getattr(holder, attribute) is own


# ── Pruning ──────────────────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=12, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_pruning_zeroes_exactly_the_share_that_is_smallest(small, share):
    before = weights(small.model_)
    pruned = compress.without_small_weights(small.model_, share)
    for W, V in zip(matrices(small.model_), matrices(pruned), strict=True):
        gone = V == 0
        assert int(gone.sum()) == int(share * W.numel())
        assert torch.equal(V[~gone], W[~gone])
        if gone.any():
            assert W[gone].abs().max() <= W[~gone].abs().min()
    assert same(before, small.model_)
    untouched = [n for n, p in before.items() if p.ndim < 2 or "encoder" not in n]
    assert all(torch.equal(before[n], pruned.state_dict()[n]) for n in untouched)
    assert compress.size_mb(pruned) == pytest.approx(compress.size_mb(small.model_), rel=1e-3)  # zeros take their place


@pytest.mark.parametrize("share", [-0.1, 1, 1.5, np.nan])
def test_a_share_that_leaves_nothing_or_is_none_is_refused(small, share):
    with pytest.raises(CourseError, match=r"share is (at least 0 and below 1|a number)"):
        compress.without_small_weights(small.model_, share)


def test_a_head_matters_as_much_as_the_loss_moves_when_its_output_is_scaled(small):
    precise = compress.shrunk(small, copy.deepcopy(small.model_).double())
    texts, labels, eps = TEXTS[:2] + TEXTS[-2:], np.array([1, 0, 1, 0]), 1e-4

    def losses(layer: int, head: int, factor: float) -> torch.Tensor:
        model = copy.deepcopy(precise.model_)
        with torch.no_grad():
            model.bert.encoder.layer[layer].attention.output.dense.weight[:, head * SIZE : (head + 1) * SIZE] *= factor
            logits = model(**precise._batches(precise._tokens(texts))(np.arange(4))).logits
        return nn.functional.cross_entropy(logits, torch.as_tensor(labels), reduction="none")

    slopes = np.array(
        [
            [((losses(i, h, 1 + eps) - losses(i, h, 1 - eps)) / (2 * eps)).abs().mean() for h in range(HEADS)]
            for i in range(LAYERS)
        ]
    )
    expected = slopes / np.linalg.norm(slopes, axis=1, keepdims=True)
    np.testing.assert_allclose(compress.head_importance(precise, texts, labels), expected, rtol=1e-3, atol=1e-4)


def test_importance_has_a_row_of_length_one_for_each_layer_and_a_head_nobody_hears_has_none(small):
    deaf = compress.shrunk(small, without_outputs_of(small.model_, {1: [2]}))
    before = weights(deaf.model_)
    importance = compress.head_importance(deaf, TEXTS * 2, np.tile(LABELS, 2))  # more than one batch
    assert importance.shape == (LAYERS, HEADS) and (importance >= 0).all()
    np.testing.assert_allclose((importance**2).sum(1), 1)
    assert importance[1, 2] == 0 and (importance > 0).sum() == LAYERS * HEADS - 1
    assert same(before, deaf.model_)
    np.testing.assert_allclose(compress.head_importance(deaf, TEXTS, LABELS), importance, atol=1e-5)
    assert not deaf.model_.bert.encoder.layer[0].attention.output.dense._forward_pre_hooks


def test_the_hooks_go_even_when_something_fails(small, monkeypatch):
    monkeypatch.setattr(torch.autograd, "grad", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        compress.head_importance(small, TEXTS, LABELS)
    assert not any(part._forward_pre_hooks for part in small.model_.modules())


def test_a_model_that_has_lost_heads_has_no_importance_of_heads(small):
    pruned = compress.shrunk(small, compress.without_heads(small.model_, {0: [1]}))
    with pytest.raises(CourseError, match="lost heads already"):
        compress.head_importance(pruned, TEXTS, LABELS)


IMPORTANCE = st.tuples(st.integers(1, 5), st.integers(1, 6)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.integers(0, 5).map(float))  # ties abound
)


@settings(max_examples=200, deadline=None)
@given(IMPORTANCE, st.data())
def test_of_the_least_important_exactly_n_go_and_every_layer_keeps_its_best(importance, data):
    layers, heads = importance.shape
    n = data.draw(st.integers(0, layers * (heads - 1)))
    gone = compress.least_important(importance, n)
    assert list(gone) == list(range(layers)) and sum(map(len, gone.values())) == n
    free = np.ones(importance.shape, dtype=bool)  # may go: all but one of the best of each layer
    for i, some in gone.items():
        assert len(set(some)) == len(some) and importance[i].argmax() not in some and some == sorted(some)
        free[i, importance[i].argmax()] = False
    lost = np.zeros(importance.shape, dtype=bool)
    for i, some in gone.items():
        lost[i, some] = True
    if n and (free & ~lost).any():
        assert importance[lost].max() <= importance[free & ~lost].min()


def test_the_least_important_by_hand():
    importance = np.array([[0.1, 0.2, 0.3], [0.9, 0.15, 0.05]])
    assert compress.least_important(importance, 3) == {0: [0], 1: [1, 2]}
    assert compress.least_important(importance, 4) == {0: [0, 1], 1: [1, 2]}
    for n in (-1, 5):
        with pytest.raises(CourseError, match="From 2 layers of 3 heads 0 to 4 can go"):
            compress.least_important(importance, n)


GONE = st.dictionaries(st.integers(0, LAYERS - 1), st.lists(st.integers(0, HEADS - 1), max_size=3, unique=True))


@settings(max_examples=12, deadline=None)
@given(gone=GONE)
def test_without_heads_a_model_says_what_it_says_when_they_count_zero_times(small, gone):
    before = weights(small.model_)
    pruned = compress.without_heads(small.model_, gone)
    oracle = compress.shrunk(small, without_outputs_of(small.model_, gone))
    mixed = ["short", *TEXTS[:3], "a longer one that makes the others be padded"]
    ours, theirs = (np.array(m._predict(mixed)) for m in (compress.shrunk(small, pruned), oracle))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    for i, layer in enumerate(pruned.bert.encoder.layer):
        left = HEADS - len(gone.get(i, []))
        assert layer.attention.self.query.weight.shape == (left * SIZE, HEADS * SIZE)
        assert layer.attention.output.dense.weight.shape == (HEADS * SIZE, left * SIZE)
    assert same(before, small.model_)


def test_minilm_without_its_least_important_heads_too(teacher):
    importance = compress.head_importance(teacher, TEXTS, LABELS)
    gone = compress.least_important(importance, 24)
    pruned, silent = compress.without_heads(teacher.model_, gone), copy.deepcopy(teacher.model_)
    assert importance.shape == (6, 12)

    def silence(heads: list[int]):
        def hook(part: nn.Module, inputs: tuple[torch.Tensor]) -> torch.Tensor:
            h = inputs[0].clone().unflatten(-1, (12, 32))
            h[:, :, heads] = 0
            return h.flatten(-2)

        return hook

    for i, heads in gone.items():
        silent.bert.encoder.layer[i].attention.output.dense.register_forward_pre_hook(silence(heads))
    ours, theirs = (np.array(compress.shrunk(teacher, m)._predict(TEXTS)) for m in (pruned, silent))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert sum(p.numel() for p in pruned.parameters()) == sum(
        p.numel() for p in teacher.model_.parameters()
    ) - 24 * 32 * (4 * 384 + 3)


def test_heads_can_go_one_after_the_other_and_their_numbers_close_up(small):
    at_once = compress.without_heads(small.model_, {0: [0, 2]})
    in_turn = compress.without_heads(compress.without_heads(small.model_, {0: [0]}), {0: [1]})
    assert same(weights(at_once), in_turn)


def test_heads_that_a_layer_must_keep_or_does_not_have_are_refused(small):
    with pytest.raises(CourseError, match="Layer 1 would lose all its heads"):
        compress.without_heads(small.model_, {1: [0, 1, 2, 3]})
    for gone in ({0: [4]}, {0: [-1]}, {2: [0, 12]}):
        with pytest.raises(CourseError, match="has heads 0 to 3"):
            compress.without_heads(small.model_, gone)


# ── What it is worth ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_megabyte_is_a_million_bytes():
    assert compress.size_mb(nn.Linear(1000, 1000, bias=False)) == pytest.approx(4.0, abs=0.01)
    assert compress.size_mb(nn.Linear(1000, 1000, bias=False).half()) == pytest.approx(2.0, abs=0.01)


def test_the_speed_is_that_of_the_best_round_and_the_calls_take_turns(monkeypatch):
    now, order = [0.0], []

    def takes(name: str, *seconds: float):
        left = iter(seconds)

        def call(texts: list[str]) -> None:
            order.append(name)
            now[0] += next(left)

        return call

    monkeypatch.setattr(compress, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    calls = {"teacher": takes("teacher", 9.0, 4.0, 5.0), "student": takes("student", 2.0, 3.0, 8.0)}
    assert compress.texts_per_second(calls, ["a"] * 20) == pytest.approx({"teacher": 5, "student": 10})
    assert order == ["teacher", "student"] * 3


def test_overlap_by_hand():
    full = np.array([[9, 8, 7, 0, 0], [1, 2, 3, 4, 5]])
    S = np.array([[9, 0, 7, 8, 0], [1, 2, 3, 5, 4]])
    assert compress.overlap(S, full, k=2) == pytest.approx((1 / 2 + 2 / 2) / 2)
    assert compress.overlap(S, full, k=3) == pytest.approx((2 / 3 + 3 / 3) / 2)
    assert compress.overlap(full, full, k=4) == compress.overlap(2 * full + 1, full, k=1) == 1
    assert compress.overlap(-full[1:], full[1:], k=2) == 0


def test_vectors_of_an_encoder_in_8_bits_are_kept_apart_from_those_of_others(encoder):
    rounded = [compress.int8(encoder.model, activations=activations) for activations in (False, True)]
    found = []
    for one in (encoder, *(compress.shrunk(encoder, model) for model in rounded)):
        kept = one.encode(TEXTS[:3], cache=True)
        np.testing.assert_allclose(kept, one.encode(TEXTS[:3]), atol=1e-6)
        assert all(np.abs(kept - other).max() > 1e-5 for other in found)
        found.append(kept)


def test_a_student_is_not_taught_by_empty_texts(encoder):
    with pytest.raises(CourseError, match="leave out those that are empty"):
        compress.distil_encoder(encoder, [0], ["a text", " "])
