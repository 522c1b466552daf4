"""A student's answer as plain data: what leaves the sandbox is JSON, arrays as their bytes, nothing that could run."""

import re
import sys
from base64 import b64decode, b64encode
from typing import Any

import numpy as np

from course_lib.exercises.difference import is_unsolved, numbers_of  # as they are now: a student's code may patch them
from course_lib.exercises.judge import Raised

MOST_MB = 5  # of one answer
MOST_WORDS = 500  # characters of what was raised
MOST_DEEP = 20  # lists in lists
DTYPE = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248]|U\d{1,4})")


def encode(answer: Any, deep: int = 0) -> Any:
    """``answer`` as JSON: numbers and arrays of them, texts, sets, dicts, lists; of others only the type's name.

    Arrays, tensors and Series keep their precision, as the judge sees it in a notebook.
    """
    if is_unsolved(answer):
        return None
    if isinstance(answer, Raised):
        return {"raised": answer.words[:MOST_WORDS]}
    if issubclass(type(answer), str):  # not isinstance: a class can say that it is another
        return {"text": str.__str__(answer)}
    if issubclass(type(answer), set):
        return {"set": [encode(one) for one in set.__iter__(answer)]}
    if issubclass(type(answer), dict):
        return {"dict": [[encode(key), encode(value)] for key, value in dict.items(answer)]}
    array = numbers_of(answer)
    if array is not None and array.dtype.itemsize > 8 and array.dtype.kind == "f":
        array = array.astype(float)  # np.longdouble has another size on another machine
    if array is not None and array.nbytes > MOST_MB * 1e6:
        return {"raised": f"an answer of {array.nbytes / 1e6:.0f} MB, much more than an exercise asks for"}
    if array is not None and DTYPE.fullmatch(array.dtype.str):
        data = b64encode(array.tobytes()).decode()
        return {"dtype": array.dtype.str, "shape": list(array.shape), "data": data}
    if type(answer) in (list, tuple) and deep < MOST_DEEP:
        return {type(answer).__name__: [encode(one, deep + 1) for one in answer]}
    return {"other": type(answer).__name__[:80]}


def decode(document: Any) -> Any:
    """The answer that `encode` wrote down. Raises ValueError for a document that it cannot have written."""
    try:
        return _decode(document)
    except (TypeError, OverflowError, RecursionError) as error:
        raise ValueError("not an answer written down by the sandbox") from error


def _decode(document: Any) -> Any:
    match document:
        case None:
            return None
        case {"raised": str(words)}:
            return Raised(words[:MOST_WORDS])
        case {"text": str(text)}:
            return text
        case {"set": list(ones)}:
            return {_hashable(_decode(one)) for one in ones}
        case {"list": list(ones)}:
            return [_decode(one) for one in ones]
        case {"tuple": list(ones)}:
            return tuple(_decode(one) for one in ones)
        case {"dict": list(pairs)}:
            return {_hashable(_decode(key)): _decode(value) for key, value in pairs}
        case {"dtype": str(dtype), "shape": list(shape), "data": str(data)} if DTYPE.fullmatch(dtype):
            return _array(b64decode(data), np.dtype(dtype)).reshape(shape)[()]
        case {"other": str(name)}:
            return type(name[:80], (), {})()  # of which the judge says: this is a ``name``
    raise ValueError("not an answer written down by the sandbox")


def _array(data: bytes, dtype: np.dtype) -> np.ndarray:
    if dtype.kind == "U" and np.frombuffer(data, f"{dtype.str[0]}u4").max(initial=0) > sys.maxunicode:
        raise ValueError("not text")  # and Python would fail wherever it is looked at
    return np.frombuffer(data, dtype)


def _hashable(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
