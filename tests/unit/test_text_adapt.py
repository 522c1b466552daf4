import gc
from functools import cache

import numpy as np
import pytest
import torch
from torch.optim import optimizer as optimisers

from course_lib.errors import CourseError
from course_lib.text import adapt
from course_lib.text.fine_tune import BertClassifier
from course_lib.text.training import HEAD, Recipe

GOOD = ["loved it", "a wonderful fit", "perfect dress", "so comfortable"]
BAD = ["hated it", "a terrible fit", "awful dress", "so painful"]
TEXTS = [f"{a}, {b}" for side in (GOOD, BAD) for a in side for b in side if a != b]  # 12 + 12
LABELS = np.repeat([1, 0], 12)
STEPS = adapt.training_steps(24, 4, 4)
METHODS = list(adapt.SIZE)


def recipe(method: str, **others) -> Recipe:
    return adapt.recipe(method, epochs=4, batch_size=4, seed=1, **others)


def built(method: str | None, **others) -> BertClassifier:
    if method:
        others |= {"adapt": adapt.adapter(method, steps=STEPS), "recipe": recipe(method)}
    torch.manual_seed(5)  # the head's first weights, where nothing is trained
    return BertClassifier(2, max_tokens=16, **others).build()


untrained = cache(built)  # to look at, not to change


@pytest.fixture(scope="module")
def fitted() -> dict[str, BertClassifier]:
    return {method: built(method).fit(TEXTS, LABELS, (TEXTS, LABELS)) for method in METHODS}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns_separable_texts_with_few_numbers(fitted, method):
    model = fitted[method]
    assert (model.predict(TEXTS) == LABELS).mean() > 0.9
    body, head = adapt.split_count(model.model_)
    assert body + head == model.trained_parameters_ and body < 0.01 * 22_565_376
    assert head == 384 * 384 + 384 + 384 * 2 + 2  # pooler and classifier


@pytest.mark.parametrize(
    ("method", "count"),
    {
        "lora": 6 * 2 * 8 * (384 + 384),  # layers · (query, value) · r · (d_in + d_out)
        "adalora": 6 * 2 * 6 * (384 + 384 + 1),  # it starts with rank 6 to end with 4 on average
        "prefix": 6 * 2 * 16 * 384,  # layers · (key, value) · p · d
        "ia3": 6 * (384 + 384 + 1536),
        "bottleneck": 6 * 2 * (2 * 16 * 384 + 16 + 384) + 6 * 2 * 2 * 384,  # and the normalisations
    }.items(),
)
def test_the_numbers_that_learn_are_those_of_the_formula(method, count):
    assert adapt.split_count(untrained(method).model_)[0] == count


@pytest.mark.parametrize("method", ["lora", "adalora", "ia3", "bottleneck"])
def test_an_adapter_changes_nothing_before_it_has_learned(method):
    plain = untrained(None).predict_proba(TEXTS)
    np.testing.assert_allclose(untrained(method).predict_proba(TEXTS), plain, atol=1e-6)


def test_a_prefix_changes_the_answer_at_once_and_padding_does_not():
    model = untrained("prefix")
    assert not np.allclose(model.predict_proba(TEXTS), untrained(None).predict_proba(TEXTS), atol=1e-4)
    long = "a much longer text that makes the short one be padded"
    together = model._predict([TEXTS[0], long])[0]
    np.testing.assert_allclose(together, model._predict([TEXTS[0]])[0], atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_not_saved_has_not_changed(fitted, method):
    before, after = (dict(m.model_.named_parameters()) for m in (untrained(method), fitted[method]))
    small = adapt.small_part(fitted[method].model_)
    frozen = [name for name in after if name not in small and "original_module" not in name]  # peft keeps the old head
    assert len(frozen) > 70 and all(torch.equal(before[name], after[name]) for name in frozen)
    assert all(not torch.equal(before[name], p) for name, p in small.items() if "weight" in name)


@pytest.mark.parametrize("method", METHODS)
def test_the_saved_small_part_gives_the_same_predictions_and_without_its_head_it_does_not(fitted, method, tmp_path):
    expected = fitted[method].predict_proba(TEXTS)
    mb = adapt.save_small(fitted[method].model_, tmp_path / "small.safetensors")
    assert mb < 1.5  # the whole model has 91 MB
    fresh = built(method)
    assert not np.allclose(fresh.predict_proba(TEXTS), expected, atol=0.05)
    adapt.load_small(fresh.model_, tmp_path / "small.safetensors")
    np.testing.assert_allclose(fresh.predict_proba(TEXTS), expected, atol=1e-6)

    headless = {n: p for n, p in adapt.small_part(fitted[method].model_).items() if not any(h in n for h in HEAD)}
    with pytest.raises(CourseError, match=r"lacks .*(pooler|classifier)"):
        adapt.load_small(fresh.model_, headless)
    lost = built(method)
    lost.model_.load_state_dict(headless, strict=False)  # what a careless loader does, without a word
    assert np.abs(lost.predict_proba(TEXTS) - expected).max() > 0.05


def test_a_small_part_of_another_method_or_size_is_refused():
    part = adapt.small_part(untrained("lora").model_)
    with pytest.raises(CourseError, match="lacks"):
        adapt.load_small(untrained("ia3").model_, part)
    other = BertClassifier(2, adapt=adapt.adapter("lora", 4), max_tokens=16).build().model_
    with pytest.raises(CourseError, match="does not fit"):
        adapt.load_small(other, part)


def test_lora_merged_into_the_weights_is_a_plain_bert_with_the_same_answers(fitted):
    model = fitted["lora"]
    tokens = model._batches(model._tokens(TEXTS))(np.arange(len(TEXTS)))
    with torch.inference_mode():
        apart = model.model_.eval()(**tokens).logits
    merged = adapt.merged(model)
    assert not any("lora" in name for name, _ in merged.model_.named_parameters())
    assert any("lora" in name for name, _ in model.model_.named_parameters())  # the original stays as it was
    with torch.inference_mode():
        torch.testing.assert_close(merged.model_(**tokens).logits, apart, atol=1e-4, rtol=1e-4)


def test_adalora_cuts_ranks_to_its_budget_in_any_loop():
    model = built("adalora")
    assert set(adapt.ranks_left(model.model_).values()) == {0}  # it starts from no change
    optimiser = torch.optim.AdamW([p for p in model.model_.parameters() if p.requires_grad], lr=3e-3)
    rows, loss = np.random.default_rng(0).integers(24, size=(STEPS, 4)), model.loss_of(TEXTS, LABELS)
    for step in range(STEPS):
        loss(rows[step]).backward()
        optimiser.step()
        optimiser.zero_grad()
        if step == 0:
            assert set(adapt.ranks_left(model.model_).values()) == {6}
    left = adapt.ranks_left(model.model_)
    assert len(left) == 12 and "layer.0.attention.self.query" in left
    assert sum(left.values()) == 12 * 4 and len(set(left.values())) > 1  # some matrices are given more than others


def test_the_rank_cutter_goes_when_its_model_goes():
    hooks = optimisers._global_optimizer_post_hooks
    gc.collect()
    before = len(hooks)
    model = built("adalora")
    assert len(hooks) == before + 1
    del model
    gc.collect()
    assert len(hooks) == before


def test_bottleneck_by_hand():
    part = adapt.Bottleneck(2, 1)
    with torch.no_grad():
        part.down.weight[:] = torch.tensor([[1.0, -1.0]])
        part.up.weight[:] = torch.tensor([[2.0], [0.0]])
    gelu_3 = 3 * 0.9986501
    torch.testing.assert_close(
        part(torch.tensor([[5.0, 2.0]])), torch.tensor([[5 + 2 * gelu_3, 2.0]]), atol=1e-4, rtol=0
    )


@pytest.mark.parametrize(
    ("arguments", "word"),
    [(("dora",), "dora"), (("lora", 0), "at least 1"), (("ia3", 2), "1, always"), (("adalora",), "steps")],
)
def test_a_wrong_wish_is_named(arguments, word):
    with pytest.raises(CourseError, match=word):
        adapt.adapter(*arguments)


def test_the_head_learns_at_one_rate_with_every_method():
    assert len({round(adapt.recipe(m).learning_rate * adapt.recipe(m).head_rate, 9) for m in METHODS}) == 1
    assert adapt.recipe("ia3", epochs=7).epochs == 7
