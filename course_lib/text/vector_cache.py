"""Vectors of texts, kept by content: the same text through the same weights is computed once on a machine.

The key of a vector is a hash of the weights, the length at which texts are cut, and the text. So a fine-tuned encoder
never meets the vectors of another, and nothing has to be declared out of date.
"""

import hashlib
import os
import sqlite3
import warnings
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import numpy as np
from torch import nn

from course_lib import inputs
from course_lib.errors import CourseError
from course_lib.paths import cache_dir

T = TypeVar("T")


def fingerprint(model: nn.Module) -> bytes:
    """SHA-256 of all weights of ``model`` with their names: about 0.1 s for 22 million numbers."""
    digest = hashlib.sha256()
    for name, values in sorted(model.state_dict().items()):
        used = getattr(values, "act_quant_kwargs", "")  # of 8-bit weights: how torchao rounds what they meet
        digest.update(f"{name}{tuple(values.shape)}{values.dtype}{used}".encode())
        digest.update(values.detach().dequantize().cpu().float().numpy().tobytes())  # int8 weights have no bytes
    return digest.digest()


def through_cache(
    texts: Sequence[str], key: bytes, dimension: int, compute: Callable[[list[str]], np.ndarray]
) -> np.ndarray:
    """Vectors of ``texts``, (len(texts), dimension) float32: read where they are known, else computed and kept.

    key: what identifies the encoder. dimension: width of a vector, ≥ 1. compute: vectors of a list of texts, which are
    finite. Texts that occur twice are computed once. A cache that cannot be read or written is left alone, with a
    warning: it only saves time.
    """
    texts, dimension = inputs.texts("Texts", texts, empty=True), inputs.whole("dimension", dimension, at_least=1)
    hashes = [hashlib.sha256(key + text.encode("utf-8", "surrogatepass")).digest() for text in texts]
    path = cache_dir() / "vectors.sqlite"
    known = _guarded(path, lambda: _read(path, set(hashes), dimension)) or {}
    new = {h: text for h, text in zip(hashes, texts, strict=True) if h not in known}
    if new:
        vectors = inputs.array("The vectors", compute(list(new.values()))).astype(np.float32)
        if vectors.shape != (len(new), dimension):
            raise CourseError(
                f"{len(new)} texts have vectors ({len(new)}, {dimension}); got the shape {vectors.shape}."
            )
        fresh = dict(zip(new, vectors, strict=True))
        known |= fresh
        _guarded(path, lambda: _write(path, fresh))
    return np.stack([known[h] for h in hashes]) if hashes else np.zeros((0, dimension), dtype=np.float32)


def _guarded(path: Path, work: Callable[[], T]) -> T | None:
    try:
        return work()
    except (sqlite3.Error, OSError) as error:
        warnings.warn(f"Vectors are not kept in {path} ({error}): if it is damaged, delete it.", stacklevel=3)
        return None


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not os.access(path, os.W_OK):  # nobody writes there: it can be read without a lock
        return sqlite3.connect(f"{path.resolve().as_uri()}?immutable=1", uri=True)
    connection = sqlite3.connect(path, timeout=30)  # two lessons may run at once
    connection.execute("CREATE TABLE IF NOT EXISTS vectors (hash BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID")
    return connection


def _read(path: Path, hashes: set[bytes], dimension: int) -> dict[bytes, np.ndarray]:
    with closing(_connect(path)) as connection:
        found = {h: connection.execute("SELECT vector FROM vectors WHERE hash = ?", (h,)).fetchone() for h in hashes}
    vectors = {h: np.frombuffer(row[0], dtype=np.float32) for h, row in found.items() if row}
    return {h: vector for h, vector in vectors.items() if vector.shape == (dimension,)}


def _write(path: Path, vectors: dict[bytes, np.ndarray]) -> None:
    with closing(_connect(path)) as connection, connection:  # one transaction: all or nothing
        rows = [(h, vector.tobytes()) for h, vector in vectors.items()]
        connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)
