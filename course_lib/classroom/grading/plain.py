"""A student's answer as plain data: what leaves the sandbox is JSON, arrays as their bytes, nothing that could run."""

import re
import sys
from base64 import b64decode, b64encode
from typing import Any

import numpy as np
from numpy import asarray  # as it is now: a student's code may patch the module

from course_lib.exercises.judge import Raised, Unsolved

MOST_MB = 5  # of one answer
MOST_WORDS = 500  # characters of what was raised
DTYPE = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248]|U\d{1,4})")


def encode(answer: Any) -> Any:
    """``answer`` as JSON: numbers and arrays of them, texts, sets and dicts; of anything else only the type's name."""
    if any(answer is nothing for nothing in Unsolved):
        return None
    if isinstance(answer, Raised):
        return {"raised": answer.words[:MOST_WORDS]}
    if type(answer) is str:
        return {"text": answer}
    if type(answer) is set:
        return {"set": [encode(one) for one in answer]}
    if type(answer) is dict:
        return {"dict": [[encode(key), encode(value)] for key, value in answer.items()]}
    try:
        array = asarray(answer)
        if array.nbytes > MOST_MB * 1e6:
            return {"raised": f"an answer of {array.nbytes / 1e6:.0f} MB, much more than an exercise asks for"}
        if DTYPE.fullmatch(array.dtype.str):
            data = b64encode(array.tobytes()).decode()
            return {"dtype": array.dtype.str, "shape": list(array.shape), "data": data}
    except Exception:  # numpy's many words for "this is no array"; a student's class can have words of its own
        pass
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
