"""Texts a second, the same weights and the same vectors: the course's encoder, sentence-transformers, transformers."""

import numpy as np
import sentence_transformers
import torch
from runner import Row, in_turns, main, row
from sentence_transformers import SentenceTransformer, models
from transformers import AutoModel, AutoTokenizer

from course_lib.data.films import item_texts, load_catalogue
from course_lib.data.runway import load_reviews
from course_lib.text.encoder import Encoder, mean_pool, weights_folder

MAX_TOKENS = 256
SENTENCE_TRANSFORMERS = f"sentence-transformers {sentence_transformers.__version__}"


def films() -> list[Row]:
    """The 1,682 film texts of the course, about 50 tokens each."""
    return compare(item_texts(load_catalogue()), plain=True)


def reviews() -> list[Row]:
    """5,000 reviews of rented clothes, from a word to more than 256 tokens."""
    texts = load_reviews(("text",)).text
    said = texts[texts != ""].to_numpy()
    return compare(list(said[np.random.default_rng(2026).permutation(len(said))[:5000]]))


def compare(texts: list[str], plain: bool = False) -> list[Row]:
    """Rows for ``texts``; AssertionError if a number of a unit vector differs from ours by more than 1e-5."""
    weights = str(weights_folder("minilm"))
    body = models.Transformer(weights, max_seq_length=MAX_TOKENS)
    peer = SentenceTransformer(modules=[body, models.Pooling(384), models.Normalize()], device="cpu")
    ours = Encoder.load("minilm", max_tokens=MAX_TOKENS)
    ways = {"course_lib": lambda: ours.encode(texts), SENTENCE_TRANSFORMERS: lambda: peer.encode(texts)}
    if plain:
        ways["transformers, batches of 32 as they come"] = unsorted(texts, weights)
    seconds, vectors = in_turns(ways)
    for name, V in vectors.items():
        difference = np.abs(V - vectors["course_lib"]).max()
        print(f"{name}: largest difference in a number of a unit vector {difference:.1e}")
        assert difference <= 1e-5, f"vectors of {name} differ by {difference:.1e}"
    return [row(name, len(texts) / s, "texts/s", ours=name == "course_lib") for name, s in seconds.items()]


def unsorted(texts: list[str], weights: str):
    """The loop of a model card, without gradients: 32 texts, padded to the longest of them, mean over the mask."""
    tokenizer, model = AutoTokenizer.from_pretrained(weights), AutoModel.from_pretrained(weights).eval()

    def encode() -> np.ndarray:
        parts = []
        for start in range(0, len(texts), 32):
            some = texts[start : start + 32]
            batch = tokenizer(some, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
            with torch.no_grad():
                pooled = mean_pool(model(**batch).last_hidden_state, batch["attention_mask"])
            parts.append(torch.nn.functional.normalize(pooled, dim=1).numpy())
        return np.concatenate(parts)

    return encode


BENCHES = {"encode_films_per_second": films, "encode_reviews_per_second": reviews}

if __name__ == "__main__":
    main(BENCHES)
