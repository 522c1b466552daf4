"""Frozen lower layers run once: their outputs are kept, and training goes on from there.

With L layers of which k are frozen, an epoch computes L - k layers instead of L, and nothing below needs a way back.
What the k layers give for a text never changes, so this is exactly the training of a BERT with k frozen layers.
"""

import copy
from collections.abc import Callable

import torch
from torch import nn
from transformers import BatchEncoding

from course_lib import inputs
from course_lib.errors import CourseError

Tokens = dict[str, list[int]]


def bottom_up(model: nn.Module) -> list[nn.Module]:
    """The embeddings and then the layers of a BERT with a head, lowest first."""
    return [model.get_submodule("bert.embeddings"), *model.get_submodule("bert.encoder.layer").children()]


def freeze(model: nn.Module, layers: int) -> int:
    """Freeze the embeddings and the ``layers`` lowest layers (0: nothing); returns how many parameters still learn."""
    parts = bottom_up(model)
    if not 0 <= inputs.whole("frozen_layers", layers) < len(parts):
        raise CourseError(f"frozen_layers is from 0 to {len(parts) - 1}, the layers of this BERT; got {layers}.")
    for part in parts[: layers + 1] if layers else []:
        part.requires_grad_(False)
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def checked_layers(model: nn.Module, layers: int) -> int:
    """``layers``, a number of lower layers, if ``model`` has so many."""
    depth = len(model.get_submodule("bert.encoder.layer"))  # type: ignore[arg-type]
    return inputs.whole("layers", layers, at_least=0, at_most=depth)


class Given(nn.Module):
    """In the place of the embeddings: what comes in as ``inputs_embeds`` goes on as it is."""

    def forward(self, inputs_embeds: torch.Tensor, **others: object) -> torch.Tensor:
        """(B, T, d) to (B, T, d)."""
        return inputs_embeds


def upper_part(model: nn.Module, layers: int) -> nn.Module:
    """``model`` without its embeddings and ``layers`` lowest layers; the other weights are shared, not copied.

    layers: from 0 to those of the model, as in `lower_outputs`.
    """
    checked_layers(model, layers)
    upper = _same_modules(model)
    upper.bert = bert = _same_modules(model.get_submodule("bert"))
    bert.embeddings = Given()
    bert.encoder = _same_modules(bert.get_submodule("encoder"))
    bert.encoder.layer = model.get_submodule("bert.encoder.layer")[layers:]  # type: ignore[index]
    return upper


def _same_modules(module: nn.Module) -> nn.Module:
    """A shallow copy: other parts may be hung into it, those that stay are the same objects."""
    twin = copy.copy(module)
    twin._modules = dict(module._modules)
    return twin


def lower_outputs(
    model: nn.Module, layers: int, tokens: list[Tokens], pad: Callable[[list[Tokens]], BatchEncoding], size: int = 64
) -> list[torch.Tensor]:
    """What the embeddings and the ``layers`` lowest layers make of each text: tensors (T_i, d), in the order given.

    size: texts in a batch, ≥ 1.
    """
    size = inputs.whole("size", size, at_least=1)
    checked_layers(model, layers)
    lower = _same_modules(model.get_submodule("bert"))
    lower.encoder = _same_modules(lower.get_submodule("encoder"))
    lower.encoder.layer = model.get_submodule("bert.encoder.layer")[:layers]  # type: ignore[index]
    lower._modules["pooler"] = None
    lower.eval()
    order = sorted(range(len(tokens)), key=lambda i: -len(tokens[i]["input_ids"]))
    outputs: list[torch.Tensor] = [torch.empty(0)] * len(tokens)
    with torch.no_grad():
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            hidden = lower(**pad([tokens[i] for i in rows])).last_hidden_state  # (B, T, d)
            for i, h in zip(rows, hidden, strict=True):
                outputs[i] = h[: len(tokens[i]["input_ids"])].clone()
    return outputs


def pad_outputs(outputs: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    """A batch for `upper_part`: inputs_embeds (B, T, d), zeros behind the end of a text, and attention_mask (B, T)."""
    lengths = torch.tensor([len(h) for h in outputs])
    mask = torch.arange(int(lengths.max()))[None] < lengths[:, None]
    hidden = nn.utils.rnn.pad_sequence(outputs, batch_first=True)
    return {"inputs_embeds": hidden, "attention_mask": mask.long().to(hidden.device)}
