"""Texts to vectors: a pre-trained BERT, mean pooling over the attention mask, unit length.

With hidden states h_t (t = 1..T) and the attention mask m_t in {0, 1}:

    v = Σ_t m_t h_t / Σ_t m_t,   then   v / ‖v‖

Texts are encoded in order of their token count, in batches of about as many tokens: little of a batch is padding, and
what it needs fits the cache of a core. On a CPU each core computes a batch of its own. The vectors come back in the
order of the texts.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from course_lib import inputs
from course_lib.data.fetch import fetch, sources
from course_lib.device import one_thread
from course_lib.errors import CourseError
from course_lib.text.vector_cache import fingerprint, through_cache

ENCODERS = ("minilm", "m3e-small")  # those that datasets/sources.toml also has are the known names
CPU_TOKENS, GPU_TOKENS = 1024, 16_384  # in a batch, padding included: what stays in a core's cache, what fills a GPU


def known() -> list[str]:
    """Names of the encoders that can be loaded."""
    return [name for name in ENCODERS if name in sources()]


def weights_folder(name: str = "minilm") -> Path:
    """Folder for ``from_pretrained``: configuration, tokenizer and weights of encoder ``name``, fetched if need be."""
    if name not in known():
        raise CourseError(f"There is no encoder called {name!r}; known encoders are: {', '.join(known())}.")
    return fetch(name)


def checked_length(max_tokens: int, model: Any) -> int:
    """``max_tokens``, at which texts are cut, if it leaves room for a token and ``model`` has so many positions."""
    return inputs.whole("max_tokens", max_tokens, at_least=3, at_most=model.config.max_position_embeddings)


def mean_pool(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean of ``hidden`` (B, T, d) over the tokens where ``mask`` (B, T) is 1: (B, d). All masked gives zeros."""
    m = mask.unsqueeze(-1).to(hidden.dtype)  # (B, T, 1)
    return (hidden * m).sum(1) / m.sum(1).clamp(min=1)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the loading bar and the report on new heads out of the lesson's output."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def load_tokenizer(name: str = "minilm") -> PreTrainedTokenizerBase:
    """The tokenizer of encoder ``name``, rid of the fixed padding and truncation that some files carry."""
    with quiet():
        tokenizer = AutoTokenizer.from_pretrained(weights_folder(name), local_files_only=True)
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.backend_tokenizer.no_truncation()
    return tokenizer


def batch_starts(lengths: np.ndarray, batch_size: int | None, tokens: int) -> list[int]:
    """Where batches begin in ``lengths`` (n,), token counts from the longest text to the shortest.

    A batch holds ``batch_size`` ≥ 1 texts; with None as many as make at most ``tokens`` ≥ 1 tokens, padding included.
    """
    lengths, tokens = inputs.array("lengths", lengths, ndim=1), inputs.COUNT("tokens", tokens)
    if (lengths < 1).any():
        raise CourseError("A text has at least one token: look at lengths.")
    if batch_size is not None:
        batch_size = inputs.COUNT("batch_size", batch_size)
    starts, at = [], 0
    while at < len(lengths):
        starts.append(at)
        at += batch_size or max(1, tokens // int(lengths[at]))
    return starts


@contextmanager
def _side_by_side(workers: int) -> Iterator[Callable]:
    """``map``, with ``workers`` calls at a time, each computing on one core: nobody waits for a busy core."""
    if workers == 1:
        yield map
    else:
        with one_thread(), ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool.map


@dataclass(frozen=True)
class Encoder:
    """A pre-trained encoder on a device. ``Encoder.load("minilm").encode(texts)`` is all most lessons need.

    max_tokens: longer texts are cut here, special tokens included; from 3 to the model's positions, 512 of minilm.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    max_tokens: int = 256

    def __post_init__(self) -> None:
        object.__setattr__(self, "max_tokens", checked_length(self.max_tokens, self.model))

    @classmethod
    def load(cls, name: str = "minilm", device: torch.device | str = "cpu", max_tokens: int = 256) -> "Encoder":
        """The encoder called ``name`` on ``device``; CourseError with the known names if there is none."""
        tokenizer = load_tokenizer(name)
        with quiet():
            model = AutoModel.from_pretrained(weights_folder(name), local_files_only=True)
        return cls(name, model.to(device).eval(), tokenizer, max_tokens)

    @property
    def dimension(self) -> int:
        """Width d of the vectors."""
        return self.model.config.hidden_size

    @cached_property
    def _key(self) -> bytes:
        return fingerprint(self.model) + self.max_tokens.to_bytes(4, "big")

    def encode(
        self,
        texts: Sequence[str],
        batch_size: int | None = None,
        progress: Callable[[Iterable], Iterable] | None = None,
        cache: bool = False,
    ) -> np.ndarray:
        """Unit vectors of ``texts``: (len(texts), d), float32, in the order of ``texts``.

        A text that is empty (or only white space) says nothing: its vector is zero, so its cosine with
        everything is 0. batch_size: texts in a batch, ≥ 1; None lets their tokens decide. ``progress`` wraps the
        iteration over batches, e.g. ``tqdm``. cache: look the vectors up before computing them, and keep them for the
        next time.
        """
        texts = inputs.texts("Texts", texts, empty=True)
        if batch_size is not None:
            batch_size = inputs.COUNT("batch_size", batch_size)
        if cache:
            return through_cache(texts, self._key, self.dimension, lambda new: self.encode(new, batch_size, progress))
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        said = [i for i, text in enumerate(texts) if text.strip()]
        if not said:
            return vectors
        ids = self.tokenizer([texts[i] for i in said], truncation=True, max_length=self.max_tokens)["input_ids"]
        lengths = np.array([len(row) for row in ids])
        order = np.argsort(-lengths, kind="stable")  # longest first: too little memory shows at once
        device, on_cpu = self.model.device, self.model.device.type == "cpu"
        starts = batch_starts(lengths[order], batch_size, CPU_TOKENS if on_cpu else GPU_TOKENS)
        batches = np.split(order, starts[1:])
        workers = min(torch.get_num_threads(), len(batches)) if on_cpu else 1

        def unit(rows: np.ndarray) -> np.ndarray:
            batch = self.tokenizer.pad({"input_ids": [ids[i] for i in rows]}, return_tensors="pt").to(device)
            with torch.inference_mode():  # here, since each thread has a mode of its own
                pooled = mean_pool(self.model(**batch).last_hidden_state, batch["attention_mask"])
                return nn.functional.normalize(pooled, dim=1).float().cpu().numpy()

        with _side_by_side(workers) as each:
            for _, rows, found in zip(
                progress(starts) if progress else starts, batches, each(unit, batches), strict=True
            ):
                vectors[[said[i] for i in rows]] = found
        return inputs.all_finite("The vectors", vectors, "the weights of this encoder are damaged, so load it anew")
