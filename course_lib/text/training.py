"""The one training loop of the course's text models: batches of like length, warm-up, early stopping.

What is learned comes in as a function, ``loss(model, rows)``: classes, ratings, slates, masked words and contrasts all
train here. Under `accelerate launch` each process computes its share of every batch, and the gradients are added up.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from accelerate import PartialState
from accelerate.utils import reduce
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from torch import nn

from course_lib import inputs
from course_lib.errors import CourseError

Loss = Callable[[nn.Module, np.ndarray], torch.Tensor]
Progress = Callable[[Iterable, str], Iterable]  # wraps the batches of an epoch, with a label
HEAD = ("pooler", "classifier")  # what lies between BERT's last layer and the logits: new, so it learns faster


@dataclass(frozen=True)
class Recipe:
    """How to train.

    epochs: ≥ 0, of which `train` needs one. batch_size: ≥ 1. learning_rate: the peak, > 0. optimiser: "adamw" or "sgd"
    (with momentum 0.9). The head, which no earlier training has made ready, learns ``head_rate`` (> 0) times faster.
    weight_decay: ≥ 0. warm_up_share: of the steps, 0 to 1. micro_batch: examples computed at once, ≥ 1; the gradients
    of a batch's pieces are added up before the step (gradient accumulation), and where memory runs out, pieces are
    halved and the batch is done again. bf16: matrix products in 16 bits. patience: epochs without a better score before
    training stops, ≥ 1. seed: ≥ 0.
    """

    epochs: int = 3
    batch_size: int = 32
    learning_rate: float = 5e-5
    head_rate: float = 10.0
    optimiser: str = "adamw"
    weight_decay: float = 0.01
    warm_up_share: float = 0.1
    micro_batch: int | None = None
    bf16: bool = False
    patience: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("epochs", 0), ("batch_size", 1), ("patience", 1), ("seed", 0)):
            inputs.whole(name, getattr(self, name), at_least=least)
        for name in ("learning_rate", "head_rate"):
            inputs.number(name, getattr(self, name), above=0)
        inputs.number("weight_decay", self.weight_decay, at_least=0)
        inputs.number("warm_up_share", self.warm_up_share, at_least=0, at_most=1)
        inputs.choice("optimiser", self.optimiser, ("adamw", "sgd"))
        if self.micro_batch is not None:
            inputs.whole("micro_batch", self.micro_batch, at_least=1)


@dataclass(frozen=True)
class Trained:
    """What `train` reports: one row an epoch, the loss of every step, the epoch whose weights were kept, the pieces."""

    history: pd.DataFrame
    step_losses: np.ndarray
    best_epoch: int
    micro_batch: int


def warm_up(step: int, steps: int, share: float = 0.1) -> float:
    """Factor of the peak learning rate at ``step`` (0 … steps - 1): up to 1 over ``share`` of the steps, then down.

    With w = max(1, round(share · steps)):  (step + 1) / w  while step < w,  then  (steps - step) / (steps - w).
    steps: ≥ 1. share: 0 to 1.
    """
    steps = inputs.whole("steps", steps, at_least=1)
    step, share = (
        inputs.whole("step", step, at_least=0, at_most=steps - 1),
        inputs.number("share", share, at_least=0, at_most=1),
    )
    w = max(1, round(share * steps))
    return (step + 1) / w if step < w else (steps - step) / (steps - w)


def batches_by_length(lengths: np.ndarray, batch_size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Shuffled batches of positions, each of texts of about one length, so that little is padded.

    Random pools of 16 batches are sorted inside, cut, and the batches shuffled: order stays random, padding falls.
    lengths: (n,). batch_size: ≥ 1; the last batch of a pool may be smaller.
    """
    lengths, batch_size = inputs.array("lengths", lengths, ndim=1), inputs.whole("batch_size", batch_size, at_least=1)
    pool, order = 16 * batch_size, rng.permutation(len(lengths))
    order = np.concatenate(
        [p[np.argsort(lengths[p], kind="stable")] for p in np.split(order, range(pool, len(order), pool))]
    )
    cut = np.split(order, range(batch_size, len(order), batch_size))
    return [cut[i] for i in rng.permutation(len(cut))]


def parameter_groups(model: nn.Module, recipe: Recipe) -> list[dict]:
    """The parameters that learn, for an optimiser: the head learns faster; biases and norms are not pulled to 0."""
    groups = []
    for head in (False, True):
        for decays in (False, True):
            chosen = [
                p
                for name, p in model.named_parameters()
                if p.requires_grad and any(part in name for part in HEAD) == head and (p.ndim > 1) == decays
            ]
            rate = recipe.learning_rate * (recipe.head_rate if head else 1)
            groups.append({"params": chosen, "lr": rate, "weight_decay": recipe.weight_decay if decays else 0.0})
    return groups


def train_mode(model: nn.Module) -> None:
    """Dropout on, except inside what is frozen: what does not learn gives the same output every time."""
    model.train()
    for module in model.modules():
        own = list(module.parameters())
        if own and not any(p.requires_grad for p in own):
            module.eval()


def seeded(seed: int, device: torch.device | str = "cpu") -> AbstractContextManager[None]:
    """Torch's random numbers (first weights, dropout) from ``seed`` ≥ 0 inside a ``with``, and as before after it."""
    return _seeded(inputs.SEED("seed", seed), device)


@contextmanager
def _seeded(seed: int, device: torch.device | str) -> Iterator[None]:
    cuda = [device] if torch.device(device).type == "cuda" else []
    with torch.random.fork_rng(cuda):
        torch.manual_seed(seed)
        yield


def train(
    model: nn.Module,
    loss: Loss,
    lengths: np.ndarray,
    recipe: Recipe,
    *,
    validate: Callable[[nn.Module], dict[str, float]] | None = None,
    progress: Progress | None = None,
    divisible: bool = True,
    device: torch.device | str = "cpu",
) -> Trained:
    """Train what requires a gradient in ``model``, in place; at the end it holds the weights of the best epoch.

    loss(model, rows): the mean loss of the examples at positions ``rows``, in training mode. lengths: (n,) tokens of
    each example. validate(model): scores after an epoch, the first of which judges, higher is better; without it the
    last epoch is kept. progress(batches, label) wraps the batches of an epoch. divisible: the loss of a batch is the
    mean over its examples; where examples meet inside the batch, as in a contrast, pieces would change it: False.
    CourseError as soon as a loss, a gradient or a score is not finite.
    """
    if not (recipe.epochs and len(lengths)):
        raise CourseError(f"Training takes an epoch and an example or more; got {recipe.epochs} and {len(lengths)}.")
    if not divisible and (recipe.micro_batch or PartialState().num_processes > 1):
        raise CourseError("This loss compares the examples of a batch: leave out micro_batch, and use one process.")
    processes, rng = PartialState(cpu=torch.device(device).type == "cpu"), np.random.default_rng(recipe.seed)
    plan = [batches_by_length(np.asarray(lengths), recipe.batch_size, rng) for _ in range(recipe.epochs)]
    steps, groups = sum(map(len, plan)), parameter_groups(model, recipe)
    optimiser = torch.optim.AdamW(groups) if recipe.optimiser == "adamw" else torch.optim.SGD(groups, momentum=0.9)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: warm_up(min(step, steps - 1), steps, recipe.warm_up_share)
    )
    learning = [p for group in groups for p in group["params"]]
    micro, best_epoch, best, kept = recipe.micro_batch or recipe.batch_size, 0, -np.inf, {}
    rows, step_losses = list[dict[str, float]](), list[float]()
    for epoch, batches in enumerate(plan, start=1):
        started = time.perf_counter()
        train_mode(model)
        for batch in progress(batches, f"epoch {epoch} of {recipe.epochs}") if progress else batches:
            value, micro = _gradients(model, loss, batch, micro, recipe.bf16, divisible, device, processes)
            if processes.num_processes > 1:
                value = _sum_over_processes(learning, value)
            norm = float(nn.utils.clip_grad_norm_(learning, 1.0))
            _checked_loss(value + norm, len(step_losses) + 1, steps, recipe.learning_rate)
            optimiser.step()
            schedule.step()
            optimiser.zero_grad()
            step_losses.append(value)
        row = {"epoch": epoch, "loss": float(np.average(step_losses[-len(batches) :], weights=list(map(len, batches))))}
        scores = checked_scores(validate(model), f"after epoch {epoch}") if validate else {}
        rows.append(row | scores | {"seconds": time.perf_counter() - started})
        reached = next(iter(scores.values()), float(epoch))
        if reached > best:
            best, best_epoch = reached, epoch
            kept = {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}
        elif epoch - best_epoch >= recipe.patience:
            break
    model.load_state_dict(kept, strict=False)
    return Trained(pd.DataFrame(rows).set_index("epoch"), np.array(step_losses), best_epoch, micro)


def _checked_loss(value: float, step: int, steps: int, rate: float) -> float:
    """``value``, a loss (or the length of its gradient) at ``step`` of ``steps``; CourseError if it is not finite."""
    if not math.isfinite(value):
        raise CourseError(
            f"Training diverged: the loss or its gradient is not finite at step {step} of {steps}. Lower the learning"
            f" rate, which is {rate:g}, and look for NaN in the data."
        )
    return value


def checked_scores(scores: dict[str, float], when: str) -> dict[str, float]:
    """``scores`` on validation; CourseError if one is not finite, since it would choose the epoch."""
    for name, value in scores.items():
        if not math.isfinite(value):
            raise CourseError(
                f"Training diverged: {when} the {name} on validation is {value}. Lower the learning rate."
            )
    return scores


def products_in_16_bits(device: torch.device | str, enabled: bool) -> torch.autocast:
    """While entered and ``enabled``, products on ``device`` are in bfloat16; weights and sums stay in float32."""
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=enabled)


def _gradients(
    model: nn.Module,
    loss: Loss,
    batch: np.ndarray,
    micro: int,
    bf16: bool,
    divisible: bool,
    device: torch.device | str,
    processes: PartialState,
) -> tuple[float, int]:
    """Gradients of this process's share of ``batch``, in pieces of ``micro``: the loss, and micro as it is now."""
    share = batch[processes.process_index :: processes.num_processes]
    while True:
        try:
            total = 0.0
            for start in range(0, len(share), micro):
                piece = share[start : start + micro]
                with products_in_16_bits(device, bf16):
                    part = loss(model, piece) * (len(piece) / len(batch))
                part.backward()
                total += part.item()
            return total, micro
        except (RuntimeError, MemoryError) as error:
            if not should_reduce_batch_size(error):
                raise
            if micro == 1 or not divisible:
                least = "a single example" if divisible else f"a batch of {len(share)} that cannot be cut"
                raise CourseError(
                    f"Memory runs out with {least}: cut texts shorter (max_tokens) or freeze more layers."
                ) from error
            micro = max(1, min(micro, len(share)) // 2)
            model.zero_grad()
            clear_device_cache(garbage_collection=True)


def _sum_over_processes(learning: list[nn.Parameter], value: float) -> float:
    """Add up the gradients of all processes, in place, and the loss: each has computed its share of the mean."""
    for p in learning:
        p.grad = reduce(torch.zeros_like(p) if p.grad is None else p.grad, "sum")
    return float(reduce(torch.tensor(value, dtype=torch.float64), "sum"))
