"""Lists, tuples, arrays, Series and tensors mean the same; what is none of them gets one sentence."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch

from course_lib import inputs
from course_lib.errors import CourseError

WAYS = [list, tuple, np.array, lambda v: pd.Series(v, index=range(len(v))[::-1]), torch.tensor]


@dataclass(frozen=True)
class Settings:
    d: int = 1
    lam: float = 1.0

    def __post_init__(self) -> None:
        inputs.settings(self, d=inputs.COUNT, lam=inputs.POSITIVE)


def test_settings_of_numpy_are_pythons_and_pythons_stay_as_they_are():
    made = Settings(np.int64(2), np.float32(0.5))
    assert (made.d, made.lam) == (2, 0.5) and (type(made.d), type(made.lam)) == (int, float)
    assert repr(Settings(2, 3)) == "Settings(d=2, lam=3)"


def test_a_sparse_matrix_is_itself_and_a_table_becomes_one():
    X = sp.csr_matrix(np.eye(3))
    assert inputs.matrix("X", X) is X and (inputs.matrix("X", np.eye(3).tolist()) != X).nnz == 0


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_write_numbers_down_means_the_same(way):
    assert inputs.ids("users", way([2, 0, 1]), 3).tolist() == [2, 0, 1]
    assert inputs.mask("candidates", way([2, 0]), 4).tolist() == [True, False, True, False]
    assert inputs.mask("candidates", way([True, False, True]), 3).tolist() == [True, False, True]
    assert inputs.array("scores", way([0.5, 2.0])).tolist() == [0.5, 2.0]
    assert inputs.labels("labels", way([1.0, 0.0]), 2).tolist() == [1, 0]


@pytest.mark.parametrize("way", [list, tuple, np.array, lambda v: pd.Series(v, index=range(len(v))[::-1])])
def test_every_way_to_write_texts_down_means_the_same(way):
    assert inputs.texts("texts", way(["b", "a"])) == ["b", "a"]


def test_a_seed_is_numpys():
    for seed in (3, np.int64(3), [3, 1], (3, 1), np.array([3, 1])):
        assert inputs.generator(seed).random() == np.random.default_rng(seed).random()


def test_a_tensor_that_learns_is_read():
    assert inputs.array("scores", torch.ones(2, requires_grad=True)).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: inputs.ids("users", [True, False], 5), "flatnonzero"),
        (lambda: inputs.ids("users", [-1], 5), "from 0 to 4; got -1"),
        (lambda: inputs.ids("users", [5], 5), "got 5"),
        (lambda: inputs.ids("users", [0.5], 5), "whole numbers"),
        (lambda: inputs.mask("items", [True], 2), r"shape \(1,\), expected \(2,\)"),
        (lambda: inputs.labels("labels", [0, 1.5], 2), "whole numbers"),
        (lambda: inputs.array("scores", [1, np.nan]), "1 of 2"),
        (lambda: inputs.array("scores", ["a"]), "numbers"),
        (lambda: inputs.array("scores", [[1], [1, 2]]), "different lengths"),
        (lambda: inputs.array("scores", [[1.0]], ndim=1), r"shape \(1, 1\)"),
        (lambda: inputs.texts("texts", "one"), r"\[text\]"),
        (lambda: inputs.texts("texts", ["a", None]), "number 1 is None"),
        (lambda: inputs.texts("texts", pd.Series(["a", np.nan])), "number 1 is nan"),
        (lambda: inputs.texts("texts", []), "at least one"),
        (lambda: inputs.texts("texts", {"a": "b"}), "a list of strings; got a dict"),
        (lambda: inputs.texts("texts", {"a"}), "got a set"),
        (lambda: inputs.texts("texts", pd.DataFrame({"text": ["a"]})), "got a DataFrame"),
        (lambda: inputs.texts("texts", None), "got a NoneType"),
        (lambda: inputs.choice("metric", "f2", ("auc",)), "no metric 'f2': choose one of auc"),
        (lambda: inputs.generator(-1), "seed is at least 0; got -1"),
        (lambda: inputs.generator([1, -1]), "a seed is at least 0"),
        (lambda: inputs.generator(None), "whole number; got None"),
        (lambda: inputs.same_length(texts=[1], labels=[1, 2]), "1 texts, 2 labels"),
        (lambda: inputs.number("lam", 0, above=0), "lam is above 0; got 0"),
        (lambda: inputs.number("p", 1.5, at_least=0, at_most=1), "at least 0 and at most 1; got 1.5"),
        (lambda: inputs.number("lam", float("nan")), "a number; got nan"),
        (lambda: inputs.number("lam", True), "got True"),
        (lambda: inputs.number("lam", 10**400), "a number; got 1000"),
        (lambda: inputs.whole("d", 3.0), "whole number"),
        (lambda: inputs.SEED("seed", -1), "seed is at least 0"),
        (lambda: inputs.choice("way", "sideways", ("up", "down")), "no way 'sideways': choose one of up, down"),
        (lambda: inputs.choice("way", 1, ("up", "down")), "no way 1"),
        (lambda: inputs.matrix("X", [[np.nan]]), "X hold NaN"),
        (lambda: inputs.matrix("X", np.eye(2), (None, 3)), r"the shape \(2, 2\), expected \(any, 3\)"),
        (lambda: Settings(d=0), "d is at least 1; got 0"),
        (lambda: inputs.whole("d", 0, at_least=1), "at least 1; got 0"),
    ],
)
def test_what_is_none_of_them_is_one_sentence(call, words):
    with pytest.raises(CourseError, match=words):
        call()


def test_numpys_own_scalars_are_pythons():
    assert type(inputs.number("lam", np.float32(2), above=0)) is float
    assert type(inputs.whole("d", np.int64(2))) is int
