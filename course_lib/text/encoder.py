"""Texts to vectors: a pre-trained BERT, mean pooling over the attention mask, unit length (lesson 02).

With hidden states h_t (t = 1..T) and the attention mask m_t in {0, 1}:

    v = Σ_t m_t h_t / Σ_t m_t,   then   v / ‖v‖

Texts are encoded in order of their token count, so that a batch holds texts of about one length and little
padding; the vectors come back in the order of the texts.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from course_lib.data.fetch import fetch, sources
from course_lib.errors import CourseError

ENCODERS = ("minilm", "m3e-small")  # those that datasets/sources.toml also has are the known names


def known() -> list[str]:
    """Names of the encoders that can be loaded."""
    return [name for name in ENCODERS if name in sources()]


def weights_folder(name: str = "minilm") -> Path:
    """Folder for ``from_pretrained``: configuration, tokenizer and weights of encoder ``name``, fetched if need be."""
    if name not in known():
        raise CourseError(f"There is no encoder called {name!r}; known encoders are: {', '.join(known())}.")
    return fetch(name)


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


@dataclass(frozen=True)
class Encoder:
    """A pre-trained encoder on a device. ``Encoder.load("minilm").encode(texts)`` is all most lessons need."""

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    max_tokens: int = 256  # longer texts are cut here, special tokens included

    @classmethod
    def load(cls, name: str = "minilm", device: torch.device | str = "cpu", max_tokens: int = 256) -> "Encoder":
        """The encoder called ``name`` on ``device``; CourseError with the known names if there is none."""
        tokenizer = load_tokenizer(name)
        with quiet():
            model = AutoModel.from_pretrained(weights_folder(name), local_files_only=True)
        return cls(name, model.to(device).eval(), tokenizer, min(max_tokens, model.config.max_position_embeddings))

    @property
    def dimension(self) -> int:
        """Width d of the vectors."""
        return self.model.config.hidden_size

    def encode(
        self, texts: Sequence[str], batch_size: int = 32, progress: Callable[[Iterable], Iterable] | None = None
    ) -> np.ndarray:
        """Unit vectors of ``texts``: (len(texts), d), float32, in the order of ``texts``.

        A text that is empty (or only white space) says nothing: its vector is zero, so its cosine with
        everything is 0. ``progress`` wraps the iteration over batches, e.g. ``tqdm``.
        """
        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
            raise CourseError(
                "Encoder.encode takes a list of strings: wrap one text as [text], write '' for a missing one."
            )
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        said = [i for i, text in enumerate(texts) if text.strip()]
        if not said:
            return vectors
        ids = self.tokenizer([texts[i] for i in said], truncation=True, max_length=self.max_tokens)["input_ids"]
        order = np.argsort([-len(row) for row in ids], kind="stable")  # longest first: too little memory shows at once
        starts: Iterable[int] = range(0, len(order), batch_size)
        with torch.inference_mode():
            for start in progress(starts) if progress else starts:
                rows = order[start : start + batch_size]
                batch = self.tokenizer.pad({"input_ids": [ids[i] for i in rows]}, return_tensors="pt")
                batch = batch.to(self.model.device)
                pooled = mean_pool(self.model(**batch).last_hidden_state, batch["attention_mask"])
                unit = torch.nn.functional.normalize(pooled, dim=1)
                vectors[[said[i] for i in rows]] = unit.float().cpu().numpy()
        return vectors
