"""Seconds for an epoch over 320 texts of 32 tokens: frozen layers run once, against full fine-tuning."""

import time

import numpy as np
import torch
from runner import Row, in_turns, main, row
from transformers import AutoTokenizer, BertForSequenceClassification

from course_lib.data.runway import load_reviews
from course_lib.text.encoder import weights_folder
from course_lib.text.fine_tune import BertClassifier

N, TOKENS, BATCH, FROZEN = 320, 32, 16, 4
PASS = f"course_lib, the one pass through the frozen layers of {N} texts"


def frozen_epoch() -> list[Row]:
    """Ours: the upper 2 of 6 layers, from kept outputs of the lower 4; and the one pass that these take."""
    texts = load_reviews(("text",)).text
    texts = texts[texts.str.len() > 300].head(N).tolist()  # all longer than 32 tokens: nothing is padded
    labels = np.random.default_rng(2026).integers(0, 2, N)
    classifier, before = BertClassifier(2, frozen_layers=FROZEN, max_tokens=TOKENS).build(), []
    for _ in range(3):
        started = time.perf_counter()
        loss_of = classifier.loss_of(texts, labels)
        before.append(time.perf_counter() - started)

    weights = weights_folder("minilm")
    full = BertForSequenceClassification.from_pretrained(weights, num_labels=2).train()
    tokens = AutoTokenizer.from_pretrained(weights)(texts, truncation=True, max_length=TOKENS, return_tensors="pt")
    assert tokens["input_ids"].shape == (N, TOKENS)
    y = torch.as_tensor(labels)

    def full_loss(rows: np.ndarray) -> torch.Tensor:
        return full(**{key: values[rows] for key, values in tokens.items()}, labels=y[rows]).loss

    ways = {
        f"course_lib, {FROZEN} of 6 layers frozen, their outputs kept": epoch(classifier.model_, loss_of),
        "transformers, full fine-tuning in a plain loop": epoch(full, full_loss),
    }
    seconds, losses = in_turns(ways)
    assert all(np.isfinite(loss) and loss < 1 for loss in losses.values()), losses  # both have learned something
    found = [row(name, s, "s", ours="course_lib" in name, higher=False) for name, s in seconds.items()]
    return [*found, row(PASS, min(before), "s", ours=True, higher=False)]


def epoch(model: torch.nn.Module, loss_of):
    """A function that trains for one epoch in shuffled batches of 16 and returns its mean loss: the loop of both."""
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=5e-5)
    rng = np.random.default_rng(2026)

    def run() -> float:
        total = 0.0
        for rows in np.split(rng.permutation(N), N // BATCH):
            loss = loss_of(rows)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item() / (N // BATCH)
        return total

    return run


BENCHES = {"frozen_epoch_seconds": frozen_epoch}

if __name__ == "__main__":
    main(BENCHES)
