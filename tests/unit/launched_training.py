"""Run by a test under `accelerate launch`: train a small classifier, write its predictions from the first process."""

import sys
from pathlib import Path

import numpy as np
from accelerate import PartialState

from course_lib.text.fine_tune import BertClassifier
from course_lib.text.training import Recipe

TEXTS = [f"{word} dress, number {i}" for i in range(9) for word in ("a lovely", "an awful", "a perfect", "a horrible")]
LABELS = np.tile([1, 0], 18)
RECIPE = Recipe(epochs=2, batch_size=5, learning_rate=5e-4, seed=1)  # 5: a batch that two processes share unequally


def train() -> np.ndarray:
    """Probabilities after training without dropout, whose random numbers would differ between processes."""
    model = BertClassifier(2, recipe=RECIPE, frozen_layers=5, max_tokens=12, dropout=0)
    return model.fit(TEXTS, LABELS, (TEXTS[:8], LABELS[:8])).predict_proba(TEXTS)


if __name__ == "__main__":
    probabilities = train()
    state = PartialState()
    if state.is_main_process:
        np.savez(Path(sys.argv[1]), probabilities=probabilities, processes=state.num_processes)
    state.wait_for_everyone()
    state.destroy_process_group()
