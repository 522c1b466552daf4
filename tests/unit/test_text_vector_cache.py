import sqlite3

import numpy as np
import pytest
import torch
from torch import nn

from course_lib.text.encoder import Encoder
from course_lib.text.vector_cache import fingerprint, through_cache


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    return tmp_path / "vectors.sqlite"


class Counting:
    def __init__(self):
        self.asked: list[str] = []

    def __call__(self, texts: list[str]) -> np.ndarray:
        self.asked += texts
        return np.array([[len(t), t.count("a")] for t in texts], dtype=np.float32)


def test_a_text_is_computed_once_and_comes_back_in_its_place():
    compute = Counting()
    first = through_cache(["aa", "b", "aa", ""], b"k", 2, compute)
    again = through_cache(["b", "new", "aa"], b"k", 2, compute)
    assert compute.asked == ["aa", "b", "", "new"]
    np.testing.assert_array_equal(first, [[2, 2], [1, 0], [2, 2], [0, 0]])
    np.testing.assert_array_equal(again, [[1, 0], [3, 0], [2, 2]])
    assert through_cache([], b"k", 2, compute).shape == (0, 2)


def test_another_encoder_does_not_meet_these_vectors():
    compute = Counting()
    through_cache(["a"], b"one", 2, compute)
    through_cache(["a"], b"two", 2, compute)
    assert compute.asked == ["a", "a"]


def test_the_fingerprint_changes_with_any_weight_and_with_nothing_else():
    model = nn.Linear(3, 2)
    before = fingerprint(model)
    assert fingerprint(model) == before and len(before) == 32
    with torch.no_grad():
        model.bias[1] += 1e-3
    assert fingerprint(model) != before


def test_a_damaged_cache_costs_time_and_nothing_else(own_cache):
    own_cache.write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.warns(UserWarning, match="not kept .* delete it"):
        np.testing.assert_array_equal(through_cache(["aa"], b"k", 2, Counting()), [[2, 2]])


def test_a_folder_that_cannot_be_made_costs_time_and_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.warns(UserWarning, match="not kept"):
        assert through_cache(["aa"], b"k", 2, Counting()).shape == (1, 2)


def test_an_interrupted_computation_leaves_nothing_half_written(own_cache):
    def dies(texts):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        through_cache(["aa"], b"k", 2, dies)
    assert sqlite3.connect(own_cache).execute("SELECT count(*) FROM vectors").fetchone() == (0,)


def test_cached_vectors_are_those_of_the_encoder(monkeypatch, own_cache):
    monkeypatch.delenv("COURSE_CACHE")  # the weights lie in the usual place
    encoder = Encoder.load("minilm")
    monkeypatch.setenv("COURSE_CACHE", str(own_cache.parent))
    texts = ["a film about the sea", "", "短い", "a film about the sea"]
    plain, first, second = encoder.encode(texts), encoder.encode(texts, cache=True), encoder.encode(texts, cache=True)
    np.testing.assert_allclose(first, plain, atol=1e-5)
    np.testing.assert_array_equal(first, second)
