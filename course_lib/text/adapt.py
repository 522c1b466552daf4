"""Adapt a BERT by training a small part of it: LoRA, AdaLoRA, prefix tuning, IA³, bottleneck adapters.

The pre-trained weights stay as they are, and few new ones learn. With W a frozen matrix, h a token's vector, σ = GELU:

    LoRA        W h + (a/r) B A h         A: (r, d_in), B: (d_out, r) from 0, on queries and values  Hu et al. 2022
    AdaLoRA     W h + (a/r) P Λ Q h       Λ diagonal, from 0; its least important entries are cut    Zhang et al. 2023
    prefix      [P; K], [P'; V]           p learned keys and values a layer, in front of the text's  Li & Liang 2021
    IA³         l ⊙ k, l ⊙ v, W (l ⊙ f)   one factor, from 1, a key, value and hidden feature        Liu et al. 2022
    bottleneck  h + U σ(D h + b) + c      D: (m, d), U: (d, m) from 0, behind both halves of a layer Houlsby et al. 2019

The head (pooler and classifier) is new for the job, so it always trains in full, and is part of what is saved: without
it, an adapter comes back under a random head. All but the bottleneck, which peft lacks, come from `peft`.

Learning rates chosen on validation (macro-F1; Rent the Runway fit, see `RATE`): the fewer numbers learn, the larger the
steps they need.
"""

import copy
import math
import warnings
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from course_lib import inputs
from course_lib.errors import CourseError
from course_lib.text.fine_tune import Adapt, FineTuned
from course_lib.text.training import HEAD, Recipe

Model = TypeVar("Model", bound=FineTuned)
SIZE = {"lora": 8, "adalora": 4, "prefix": 16, "ia3": 1, "bottleneck": 16}  # r, mean r at the end, p, one factor, m
RATE = {"lora": 3e-3, "adalora": 1e-2, "prefix": 3e-2, "ia3": 3e-2, "bottleneck": 3e-3}  # peak learning rates
HEAD_RATE = 3e-3
ATTENTION = ["query", "value"]
IA3_INNER = r".*layer\.\d+\.output\.dense$"  # what it multiplies are the hidden features that go in


def adapter(method: str, size: int | None = None, *, steps: int | None = None) -> Adapt:
    """A function that adapts a loaded BERT with a head, for ``BertClassifier(..., adapt=adapter("lora"))``.

    method: one of `SIZE`. size: the rank r (for AdaLoRA the mean rank that is left in the end; it starts from one and
    a half times as much), the length p of the prefix, the width m of the bottleneck, each ≥ 1; IA³ has none. steps: how
    many training steps there will be, ≥ 10, which AdaLoRA must know to spread its cuts over them (see
    `training_steps`); where validation keeps an early epoch, more ranks than that are left.
    """
    if method not in SIZE:
        raise CourseError(f"There is no adapter called {method!r}; known are {', '.join(SIZE)}.")
    n = SIZE[method] if size is None else inputs.whole("size", size)
    if n < 1 or (method == "ia3" and n != 1):
        raise CourseError(f"The size of {method} is {'1, always' if method == 'ia3' else 'at least 1'}; got {n}.")
    steps = 0 if steps is None else inputs.whole("steps", steps)
    if method == "adalora" and steps < 10:
        raise CourseError(f"adalora cuts ranks while it trains: give steps, at least 10 of them; got {steps}.")
    return lambda model: bottleneck(model, n) if method == "bottleneck" else _peft(model, method, n, steps)


def training_steps(examples: int, batch_size: int, epochs: int) -> int:
    """How many times the optimiser steps: epochs · ⌈examples / batch_size⌉. All three: ≥ 1."""
    for name, value in (("examples", examples), ("batch_size", batch_size), ("epochs", epochs)):
        inputs.whole(name, value, at_least=1)
    return epochs * math.ceil(examples / batch_size)


def recipe(method: str, **others: Any) -> Recipe:
    """A `Recipe` with the learning rate that suits ``method``, and the same rate for the head whatever the method."""
    inputs.choice("adapter", method, RATE)
    return Recipe(learning_rate=RATE[method], head_rate=HEAD_RATE / RATE[method], **others)


def small_part(model: nn.Module) -> dict[str, torch.Tensor]:
    """The weights that learn, by name, head included: all that has to be kept of an adapted model."""
    return {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}


def save_small(model: nn.Module, path: Path | str) -> float:
    """Write the small part of ``model`` to ``path`` (safetensors); returns the size in MB."""
    part, path = {name: p.cpu().clone().contiguous() for name, p in small_part(model).items()}, Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(part, path)
    return path.stat().st_size / 1e6


def load_small(model: nn.Module, part: Path | str | Mapping[str, torch.Tensor]) -> nn.Module:
    """Put a saved small part into ``model``, which was built and adapted in the same way; changes and returns it."""
    if isinstance(part, str | Path) and not Path(part).is_file():
        raise CourseError(f"There is no file {Path(part).name} to load: save with save_small first.")
    given, own = load_file(part) if isinstance(part, str | Path) else part, small_part(model)
    wrong = sorted(set(own) ^ set(given)) or [n for n in own if own[n].shape != given[n].shape]
    if wrong:
        lost = [name for name in wrong if name not in given]
        raise CourseError(
            f"The saved part {'lacks' if lost else 'does not fit this model at'} {(lost or wrong)[0]!r}"
            f" ({len(wrong)} such weights): save with save_small, and build with the same method, size and classes."
        )
    with torch.no_grad():
        for name, p in own.items():
            p.copy_(given[name])
    return model


def split_count(model: nn.Module) -> tuple[int, int]:
    """How many numbers learn in the body of the model, and how many in the head."""
    part = small_part(model)
    head = sum(p.numel() for name, p in part.items() if any(word in name for word in HEAD))
    return sum(p.numel() for p in part.values()) - head, head


def merged(classifier: Model) -> Model:
    """A copy of a fitted LoRA, AdaLoRA or IA³ model with the change worked into W: a plain BERT, as fast as before."""
    twin, adapted = copy.copy(classifier), cast(Any, copy.deepcopy(classifier.model_))
    twin.model_ = adapted.merge_and_unload()
    return twin


class Bottleneck(nn.Module):
    """h + U σ(D h + b) + c for h (…, d), with σ = GELU. U and c start at 0, so that at first nothing changes.

    d, m: ≥ 1.
    """

    def __init__(self, d: int, m: int):
        super().__init__()
        d, m = inputs.whole("d", d, at_least=1), inputs.whole("m", m, at_least=1)
        self.down, self.up = nn.Linear(d, m), nn.Linear(m, d)
        nn.init.normal_(self.down.weight, std=1 / math.sqrt(d))
        for zero in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(zero)

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        """(…, d) to (…, d)."""
        return h + self.up(nn.functional.gelu(self.down(h)))


def bottleneck(model: nn.Module, m: int) -> nn.Module:
    """Freeze ``model``; hang a `Bottleneck` behind attention and behind the feed-forward part of every layer, in place.

    Both stand before the addition of what went in; the layers' normalisations learn too, as in Houlsby et al. (2019).
    m: ≥ 1.
    """
    m = inputs.whole("m", m, at_least=1)
    for name, p in model.named_parameters():
        p.requires_grad_(any(word in name for word in HEAD) or (".layer." in name and "LayerNorm" in name))
    for layer in model.get_submodule("bert.encoder.layer").children():
        for half in (layer.get_submodule("attention.output"), layer.get_submodule("output")):
            dense: Any = half.dense
            half.dense = nn.Sequential(dense, Bottleneck(dense.out_features, m).to(dense.weight.device))
    return model


def _peft(model: nn.Module, method: str, size: int, steps: int) -> nn.Module:
    """``model`` inside peft's wrapper, with the head among what learns and what is saved."""
    import peft  # here, since it takes its time

    head = [name.rsplit(".", 1)[-1] for name, _ in model.named_modules() if name.rsplit(".", 1)[-1] in HEAD]
    tokens = type(model).__name__.endswith("TokenClassification")
    common: dict[str, Any] = {"task_type": "TOKEN_CLS" if tokens else "SEQ_CLS", "modules_to_save": head}
    configs = {
        "lora": lambda: peft.LoraConfig(r=size, lora_alpha=2 * size, target_modules=ATTENTION, **common),
        "adalora": lambda: peft.AdaLoraConfig(
            init_r=max(size + 1, size * 3 // 2), target_r=size, lora_alpha=2 * size, target_modules=ATTENTION,
            total_step=steps, tinit=steps // 5, tfinal=steps // 3, **common,
        ),
        "prefix": lambda: peft.PrefixTuningConfig(num_virtual_tokens=size, **common),
        "ia3": lambda: peft.IA3Config(
            target_modules=rf".*\.(key|value)$|{IA3_INNER}", feedforward_modules=IA3_INNER, **common
        ),
    }  # fmt: skip
    with warnings.catch_warnings():  # peft still asks transformers for names of an older version
        warnings.simplefilter("ignore", FutureWarning)
        adapted = peft.get_peft_model(model, configs[method]())
    if method == "adalora":
        _cut_ranks(adapted)
    return adapted


def _cut_ranks(model: nn.Module) -> None:
    """After each step of an optimiser that trains ``model``, let AdaLoRA weigh its ranks and cut the least important.

    That has to happen between the step and zero_grad, whoever wrote the loop: so it hangs on the optimiser's step.
    """
    alive, seen = weakref.ref(model), 0

    def after_step(optimiser: torch.optim.Optimizer, *_: object) -> None:
        nonlocal seen
        adapted: Any = alive()
        own = {id(p) for p in adapted.parameters() if p.requires_grad} if adapted is not None else set()
        if any(id(p) in own for group in optimiser.param_groups for p in group["params"]):
            adapted.base_model.update_and_allocate(seen)
            seen += 1

    weakref.finalize(model, register_optimizer_step_post_hook(after_step).remove)


def ranks_left(model: nn.Module) -> dict[str, int]:
    """Of an AdaLoRA model: how many entries of Λ are not 0, by the name of the adapted matrix."""
    left = {name: int((p != 0).sum()) for name, p in model.named_parameters() if "lora_E" in name}
    return {name.removeprefix("base_model.model.bert.encoder.").split(".lora_E")[0]: n for name, n in left.items()}
