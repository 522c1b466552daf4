import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from course_lib.text import encoder as encoder_module
from course_lib.text.encoder import Encoder, weights_folder

TEXTS = [
    "我想找一款实用的笔记本",
    "！",
    "充电宝 power bank 😀 能带上飞机吗",
    "a practical notebook",
    "中文和 English 混在一起 🎬🍿",
    "笔" * 10_000,
    "word " * 10_000,
]


@pytest.fixture(scope="module")
def m3e() -> Encoder:
    return Encoder.load("m3e-small")


@pytest.fixture(scope="module", params=["m3e-small", "minilm"])
def encoder(request) -> Encoder:
    return Encoder.load(request.param)


def test_vectors_equal_plain_transformers(m3e):
    tokenizer = AutoTokenizer.from_pretrained(weights_folder("m3e-small"))
    model = AutoModel.from_pretrained(weights_folder("m3e-small")).eval()
    for text, vector in zip(TEXTS, m3e.encode(TEXTS, batch_size=3), strict=True):
        with torch.no_grad():
            v = model(**tokenizer(text, truncation=True, max_length=256, return_tensors="pt")).last_hidden_state[0]
        np.testing.assert_allclose(vector, v.mean(0) / v.mean(0).norm(), atol=1e-5)


def test_it_is_a_bert_of_4_layers_512_wide_that_reads_single_characters(m3e):
    config = m3e.model.config
    assert (config.model_type, config.num_hidden_layers, m3e.dimension, m3e.max_tokens) == ("bert", 4, 512, 256)
    assert m3e.tokenizer.tokenize(TEXTS[0]) == list(TEXTS[0])


def test_a_capital_letter_hides_a_word_from_it(m3e):
    assert m3e.tokenizer.tokenize("Practical notebook")[0] == "[UNK]"
    assert "[UNK]" not in m3e.tokenizer.tokenize("practical notebook")


def test_mixed_long_and_emoji_texts_have_finite_vectors_of_length_one(encoder):
    vectors = encoder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), encoder.dimension) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_empty_texts_are_zero_vectors_and_disturb_nobody(encoder):
    vectors = encoder.encode(["", TEXTS[2], " \u3000\n"])  # the ideographic space is a space too
    assert not vectors[0].any() and not vectors[2].any()
    np.testing.assert_allclose(vectors[1], encoder.encode([TEXTS[2]])[0], atol=1e-5)


def test_a_text_of_ten_thousand_words_is_read_up_to_its_first_256_tokens(encoder):
    kept = encoder.max_tokens - 2  # the two special tokens
    for word in ("word ", "笔"):
        whole, start, less = encoder.encode([word * 10_000, word * kept, word * (kept - 1)])
        np.testing.assert_allclose(whole, start, atol=1e-5)
        assert np.abs(whole - less).max() > 1e-5


def test_chinese_means_something_to_it_and_a_little_english_does_no_harm(m3e):
    charger, scarf = m3e.encode(["移动电源两万毫安", "羊绒围巾"])
    for question in ("手机没电了", "充电宝 power bank 😀"):
        (q,) = m3e.encode([question])
        assert q @ charger > q @ scarf + 0.1


class Poison:
    """What a poisoned weights file holds: unpickled, it makes a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])  # torch's file format of today, and the plain pickle before it
def test_a_poisoned_weights_file_is_refused_and_never_runs(tmp_path, monkeypatch, zipped):
    folder, harm = tmp_path / "weights", tmp_path / "harm"
    shutil.copytree(weights_folder("m3e-small"), folder)
    weights = torch.load(folder / "pytorch_model.bin", map_location="cpu", weights_only=True)
    poisoned = {"embeddings.LayerNorm.bias": weights["embeddings.LayerNorm.bias"], "more": Poison(harm)}
    (folder / "pytorch_model.bin").unlink()
    torch.save(poisoned, folder / "pytorch_model.bin", _use_new_zipfile_serialization=zipped)
    monkeypatch.setattr(encoder_module, "fetch", lambda name: folder)  # as if its hash were the registered one
    with pytest.raises(pickle.UnpicklingError, match="weights_only"):
        Encoder.load("m3e-small")
    assert not harm.exists()
    torch.load(folder / "pytorch_model.bin", weights_only=False)  # the proof that it was poison
    assert harm.exists()
