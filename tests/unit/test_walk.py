"""The walk finds what it is there to find: small functions with one fault each, and one without."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pytest
from pantry import COMMON, N_USERS, Knob, Mask, Numbers, Texts
from walk import Target, check, targets

import course_lib.evaluation
from course_lib import inputs

PANTRY = COMMON | {
    "values": lambda: Numbers(np.array([3.0, 1.0, 2.0])),
    "texts": lambda: Texts(["one", "two", "three"]),
    "lam": lambda: Knob(2.0),
    "chosen": lambda: Mask(np.arange(N_USERS) > 7),
}


def sums(values: np.ndarray) -> float:
    return float(sum(values))


def picks(users: np.ndarray) -> np.ndarray:
    return np.arange(N_USERS)[users]


def joins(texts: Sequence[str]) -> str:
    return " ".join(str(texts[k]) for k in range(3))


def scales(lam: float) -> float:
    return 1 / lam


def chooses(way: Literal["up", "down"]) -> str:
    return way


def marks(chosen: np.ndarray) -> np.ndarray:
    return ~np.asarray(chosen)


@dataclass
class Averages:
    lam: float

    def fit(self, train: object) -> "Averages":
        return self

    def score(self, users: np.ndarray) -> np.ndarray:
        return np.zeros(len(inputs.ids("users", users, N_USERS)))


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (sums, "values = one NaN in it gave NaN"),
        (picks, "users = a negative id was not refused"),
        (picks, "users = a mask gave something else|users = too large an id ended with IndexError"),
        (joins, "texts = a shuffled Series gave something else"),
        (joins, "texts = a filtered Series ended with KeyError"),
        (joins, "texts = None in it was not refused"),
        (scales, "lam = 0 ended with ZeroDivisionError"),
        (scales, "lam = NaN was not refused"),
        (chooses, "way = 'something else' was not refused"),
        (marks, "chosen = its ids gave something else"),
        (Averages, "lam = True was not refused"),
    ],
)
def test_a_fault_is_found(thing, words):
    with pytest.raises(AssertionError, match=words):
        check(Target(thing, "here"), PANTRY)


def sound(lam: float, users: np.ndarray, texts: Sequence[str], values: np.ndarray) -> tuple[float, int]:
    lam, texts = inputs.number("lam", lam, above=0), inputs.texts("texts", texts, empty=True)
    total = inputs.array("values", values, ndim=1).sum() / lam
    return float(total), len(texts) + int(inputs.ids("users", users, N_USERS).sum())


def test_what_is_sound_passes_and_what_the_pantry_lacks_is_named():
    check(Target(sound, "here"), PANTRY)
    with pytest.raises(AssertionError, match=r"add 'lam', or 'sound.lam', to the pantry"):
        check(Target(sound, "here"), {key: make for key, make in PANTRY.items() if key != "lam"})


def test_a_package_is_walked_without_naming_what_is_in_it():
    found = {str(target) for target in targets(course_lib.evaluation, ["Tuned"])}
    assert {"protocol.rank", "metrics.ndcg", "significance.Interval"} <= found
    assert not {"protocol.Recommender", "tuning.Tuned"} & found
