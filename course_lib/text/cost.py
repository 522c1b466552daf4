"""What a training step costs: examples a second, and megabytes kept for the way back (lesson 02)."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from course_lib.text.fine_tune import FineTuned, Text


@dataclass(frozen=True)
class Cost:
    """Of one training step: speed, what the backward pass needs in memory, and how many numbers learn."""

    examples_per_second: float
    kept_mb: float  # intermediate results that forward leaves for backward, without the weights
    trained_parameters: int


def training_cost(classifier: FineTuned, texts: Sequence[Text], steps: int = 3) -> Cost:
    """Time ``steps`` training steps of ``recipe.batch_size`` texts each, after one that is not counted.

    The classifier starts from the pre-trained weights; its labels here are made up, which costs the same. With
    ``cache``, frozen layers have run before the clock starts. Needs batch_size · (steps + 1) texts.
    """
    size = classifier.recipe.batch_size
    n = size * (steps + 1)
    if len(texts) < n:
        raise ValueError(f"{steps} + 1 steps of {size} need {n} texts; got {len(texts)}.")
    model = classifier.build().model_
    loss_of = classifier.loss_of(texts[:n], np.zeros(n, dtype=np.int64))
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-5)
    kept: dict[int, int] = {}

    def remember(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    seconds = []
    for rows in np.split(np.arange(n), steps + 1):
        kept.clear()
        started = time.perf_counter()
        with torch.autograd.graph.saved_tensors_hooks(remember, lambda tensor: tensor):
            loss = loss_of(rows)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        if torch.device(classifier.device).type == "cuda":
            torch.cuda.synchronize()  # a GPU is still at work when Python is done
        seconds.append(time.perf_counter() - started)
    return Cost(size * steps / sum(seconds[1:]), sum(kept.values()) / 1e6, classifier.trained_parameters_)
