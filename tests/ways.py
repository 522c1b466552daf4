"""Ordinary ways to write a right answer: in what it comes, and as what kind of function."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch

Answer = Callable[..., Any]


def changed(function: Answer, change: Callable[[Any], Any]) -> Answer:
    """``function`` with ``change`` of what it returns; of several arrays, of each."""

    def answer(*case: Any) -> Any:
        found = function(*case)
        return tuple(map(change, found)) if isinstance(found, tuple) else change(found)

    return answer


def numeric(value: Any) -> bool:
    """Whether it is a number, or an array or list of numbers."""
    if isinstance(value, str | set | dict | torch.Tensor):
        return False
    try:
        return np.asarray(value).dtype.kind in "biuf"
    except ValueError:  # lists of different lengths
        return False


def single(value: Any) -> Any:
    """A tensor, in float32 where there are digits after the point: what torch makes of it by itself."""
    if not numeric(value):
        return value
    array = np.asarray(value)
    return torch.tensor(array.astype(np.float32) if array.dtype.kind == "f" else array, requires_grad=False)


def learning(value: Any) -> Any:
    tensor = single(value)
    return tensor.requires_grad_() if isinstance(tensor, torch.Tensor) and tensor.is_floating_point() else tensor


def series(value: Any) -> Any:
    one_row = numeric(value) and np.ndim(value) == 1
    return pd.Series(np.asarray(value), index=np.arange(len(value))[::-1]) if one_row else value


def listed(value: Any) -> Any:
    return np.asarray(value).tolist() if numeric(value) else value


def as_tuple(value: Any) -> Any:
    found = listed(value)
    return tuple(found) if isinstance(found, list) else found


def summed_otherwise(value: Any) -> Any:
    """What a loop in place of a sum over an array makes of the last digits."""
    if not numeric(value) or np.asarray(value).dtype.kind != "f":
        return value
    array = np.asarray(value, dtype=float)
    return array * (1 + 1e-12 * np.cos(np.arange(array.size)).reshape(array.shape))


def decorated(function: Answer) -> Answer:
    @functools.wraps(function)
    def answer(*args: Any, **named: Any) -> Any:
        return function(*args, **named)

    return answer


class Asked:
    """An answer that is an object."""

    def __init__(self, function: Answer) -> None:
        self.function = function

    def __call__(self, *case: Any) -> Any:
        return self.function(*case)


WAYS: dict[str, Callable[[Answer], Answer]] = {
    "as it stands": lambda f: f,
    "tensor in float32": lambda f: changed(f, single),
    "tensor that learns": lambda f: changed(f, learning),
    "Series": lambda f: changed(f, series),
    "a loop's last digits": lambda f: changed(f, summed_otherwise),
    "list": lambda f: changed(f, listed),
    "tuple": lambda f: f if isinstance(f, type) else changed(f, as_tuple),
    "lambda": lambda f: lambda *case: f(*case),
    "decorator": decorated,
    "partial": lambda f: functools.partial(f),
    "object": Asked,
    "default arguments": lambda f: lambda *case, verbose=False, seed=0: f(*case),
    "longdouble": lambda f: changed(f, lambda v: np.asarray(v, dtype=np.longdouble) if numeric(v) else v),
}


def narrow(value: Any) -> Any:
    """``value`` in float32 where it has digits after the point."""
    return np.asarray(value, np.float32)[()] if numeric(value) and np.asarray(value).dtype.kind == "f" else value
