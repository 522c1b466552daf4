"""What a training step costs: examples a second, and megabytes of memory."""

import math
import time
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from course_lib import inputs
from course_lib.errors import CourseError
from course_lib.text.examples import Text, texts_or_pairs
from course_lib.text.fine_tune import FineTuned
from course_lib.text.training import products_in_16_bits


class LiveTensors(TorchDispatchMode):
    """While entered, sees every tensor that an operation makes: ``now`` and ``most`` are bytes that tensors take.

    ``held`` are tensors that are there before. Views share the memory of what they look at and count once. What an
    operation needs only for itself is not seen.
    """

    def __init__(self, held: Iterable[torch.Tensor] = ()) -> None:
        super().__init__()
        self._bytes: dict[int, int] = {}  # of each block of memory
        self.most = 0
        self._see(held)

    @property
    def now(self) -> int:
        """Bytes of the tensors seen that still live."""
        return sum(self._bytes.values())

    def _see(self, values: Iterable[Any]) -> None:
        for tensor in values:
            if isinstance(tensor, torch.Tensor) and (block := tensor.untyped_storage())._cdata not in self._bytes:
                self._bytes[block._cdata] = block.nbytes()
                weakref.finalize(block, self._bytes.pop, block._cdata)
        self.most = max(self.most, self.now)

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """What PyTorch calls in place of ``operation``: the operation itself, and a look at what it made."""
        made = operation(*args, **(kwargs or {}))
        self._see(tree_leaves(made))
        return made


@dataclass(frozen=True)
class Cost:
    """Of one training step with AdamW: speed, memory in megabytes, and how many numbers learn."""

    examples_per_second: float
    kept_mb: float  # intermediate results that forward leaves for backward, without the weights
    peak_mb: float  # the most at once: weights, gradients, AdamW's numbers and what it works with, what forward leaves
    trained_parameters: int


def training_cost(classifier: FineTuned, texts: Sequence[Text], steps: int = 3) -> Cost:
    """Time ``steps`` training steps of ``recipe.batch_size`` texts each, after one whose memory is measured.

    The classifier starts from the pre-trained weights; its labels here are made up, which costs the same. With
    ``cache``, frozen layers have run before; with ``recipe.bf16`` products are in 16 bits. Needs
    batch_size · (steps + 1) texts; steps: ≥ 0, and with 0 the speed is nan.
    """
    size, steps = classifier.recipe.batch_size, inputs.whole("steps", steps, at_least=0)
    texts = texts_or_pairs("Texts", texts)
    n = size * (steps + 1)
    if len(texts) < n:
        raise CourseError(f"{steps} + 1 steps of {size} need {n} texts; got {len(texts)}.")
    model = classifier.build().model_
    loss_of = classifier.loss_of(texts[:n], np.zeros(n, dtype=np.int64))
    learning = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learning, lr=1e-5)
    for p in learning:  # a step with gradients of zero: AdamW's numbers come with its first
        p.grad = torch.zeros_like(p)
    optimiser.step()
    optimiser.zero_grad()
    state = (number for numbers in optimiser.state.values() for number in numbers.values())
    memory = LiveTensors((*model.parameters(), *model.buffers(), *state))
    held = memory.now

    def forward(rows: np.ndarray) -> torch.Tensor:
        with products_in_16_bits(classifier.device, classifier.recipe.bf16):
            return loss_of(rows)

    def learn(loss: torch.Tensor) -> None:
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        if torch.device(classifier.device).type == "cuda":
            torch.cuda.synchronize()  # a GPU is still at work when Python is done

    first, *others = np.split(np.arange(n), steps + 1)
    with memory:
        loss = forward(first)
        kept = memory.now - held
        learn(loss)
    started = time.perf_counter()
    for rows in others:
        learn(forward(rows))
    speed = size * steps / (time.perf_counter() - started) if steps else math.nan
    return Cost(speed, kept / 1e6, memory.most / 1e6, classifier.trained_parameters_)
