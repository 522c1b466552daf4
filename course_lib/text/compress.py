"""Make a trained BERT smaller: distillation, 8-bit weights, pruned weights and pruned heads.

All functions leave the given model as it is and return a smaller copy. `shrunk` puts a copy in the place of the
original, in a `BertClassifier` or an `Encoder`, whose manners stay the same.
"""

import copy
import dataclasses
import io
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, TypeVar

import numpy as np
import torch
from torch import nn

from course_lib import inputs
from course_lib.errors import CourseError
from course_lib.evaluation.classification import score
from course_lib.text.encoder import Encoder, load_tokenizer, mean_pool
from course_lib.text.examples import Text, checked_labels, texts_or_pairs
from course_lib.text.fine_tune import BertClassifier
from course_lib.text.training import Progress, Recipe, seeded, train

Holder = TypeVar("Holder", BertClassifier, Encoder)
STUDENT = Recipe(epochs=6, batch_size=16, learning_rate=5e-4, patience=6)


def body(model: nn.Module) -> Any:
    """The `BertModel` inside a BERT with a head, or the model itself if it has none."""
    return getattr(model, "bert", model)


def shrunk(holder: Holder, model: nn.Module) -> Holder:
    """``holder``, a fitted classifier or an encoder, with ``model`` in the place of its own."""
    if isinstance(holder, Encoder):
        return dataclasses.replace(holder, model=model)  # type: ignore[arg-type]
    twin = copy.copy(holder)
    twin.model_ = model
    return twin


def shortened(model: nn.Module, layers: Sequence[int]) -> nn.Module:
    """A copy with only the layers at positions ``layers`` of the original, in that order; the embeddings are frozen."""
    depth = len(body(model).encoder.layer)
    if not (layers := inputs.ids("layers", layers, depth).tolist()):
        raise CourseError(f"A student keeps at least one of the layers 0 to {depth - 1}; got none.")
    short = copy.deepcopy(model).requires_grad_(True)
    inner = body(short)
    inner.encoder.layer = nn.ModuleList([inner.encoder.layer[i] for i in layers])
    inner.config.num_hidden_layers = len(layers)
    inner.embeddings.requires_grad_(False)
    return short


def soft_target_loss(student: torch.Tensor, teacher: torch.Tensor, temperature: float = 2.0) -> torch.Tensor:
    """Cross-entropy between softened answers, of each example: (B, C), (B, C) to (B,). Hinton, Vinyals & Dean 2015.

        p_c = softmax(teacher / T)_c,   q_c = softmax(student / T)_c,   T² · (-Σ_c p_c log q_c)

    T² makes up for gradients that shrink by 1 / T², so that T > 0 can be chosen without changing the learning rate.
    """
    temperature = inputs.number("temperature", temperature, above=0, at_most=1e6)
    if student.shape != teacher.shape or student.ndim != 2:
        raise CourseError(f"Both answer the same examples, (B, C); got {[*student.shape]} and {[*teacher.shape]}.")
    p = (teacher / temperature).softmax(1)
    return -(temperature**2) * (p * (student / temperature).log_softmax(1)).sum(1)


class DistilledClassifier(BertClassifier):
    """A student with a few of the teacher's layers, taught by its answers and by the labels.

        L = mean of  share · soft_target_loss(z, z_teacher, T) + (1 - share) · w_y · cross-entropy(z, y)

    ``fit`` takes labels, or None for texts without any: then the teacher's answer is the label. layers: those of the
    teacher to start from. temperature: T > 0. share: 0 to 1. weights: as in `BertClassifier`, for the hard labels only.
    """

    def __init__(
        self,
        teacher: BertClassifier,
        layers: Sequence[int],
        *,
        temperature: float = 2.0,
        share: float = 0.5,
        recipe: Recipe = STUDENT,
    ):
        super().__init__(
            teacher.n_classes, teacher.encoder, metric=teacher.metric, weights=teacher.weights, recipe=recipe,
            max_tokens=teacher.max_tokens, cache=False, device=teacher.device,
        )  # fmt: skip
        self.teacher, self.layers, self.share = teacher, layers, inputs.number("share", share, at_least=0, at_most=1)
        self.temperature = inputs.number("temperature", temperature, above=0, at_most=1e6)

    def build(self) -> Self:
        """The student as it starts: the teacher's embeddings, some of its layers, its head."""
        self.tokenizer_ = load_tokenizer(self.encoder)
        self.model_ = shortened(self.teacher.model_, self.layers)
        self.trained_parameters_ = sum(p.numel() for p in self.model_.parameters() if p.requires_grad)
        return self

    def _targets(self, targets: Any, texts: Sequence[Text], part: str) -> np.ndarray:
        """(n,) records: label, and the teacher's logits (C,)."""
        logits = np.array(self.teacher._predict(texts), dtype=np.float32).reshape(-1, self.n_classes)
        labels = super()._targets(logits.argmax(1) if targets is None else targets, texts, part)
        y = np.zeros(len(labels), dtype=[("label", np.int64), ("logits", np.float32, (self.n_classes,))])
        y["label"], y["logits"] = labels, logits
        return y

    def _loss(self, logits: torch.Tensor, y: np.ndarray, rows: np.ndarray) -> torch.Tensor:
        soft = soft_target_loss(logits.float(), self._tensor(y["logits"][rows]), self.temperature).mean()
        return self.share * soft + (1 - self.share) * super()._loss(logits, y["label"], rows)

    def _judge(self, outputs: list[np.ndarray], y: np.ndarray) -> dict[str, float]:
        loss = self._loss(self._tensor(np.array(outputs)), y, np.arange(len(y)))
        return {self.metric: score(self.metric, y["label"], self._softmax(outputs)), "valid_loss": float(loss)}


def distil_encoder(
    encoder: Encoder,
    layers: Sequence[int],
    texts: Sequence[str],
    recipe: Recipe = STUDENT,
    progress: Progress | None = None,
) -> Encoder:
    """A student encoder whose unit vectors s point where the teacher's t do on ``texts``: the mean of 1 - s·t falls.

    It starts from ``layers`` of the teacher and is used like it; vectors of teacher and student can be compared.
    """
    texts = inputs.texts("Texts", texts)
    if not all(text.strip() for text in texts):
        raise CourseError("A student learns from texts with words in them: leave out those that are empty.")
    device = encoder.model.device
    with seeded(recipe.seed, device):
        student = shrunk(encoder, shortened(encoder.model, layers))
        T = torch.as_tensor(encoder.encode(texts), device=device)  # (n, d)
        ids = encoder.tokenizer(texts, truncation=True, max_length=encoder.max_tokens)["input_ids"]

        def loss(model: nn.Module, rows: np.ndarray) -> torch.Tensor:
            batch = encoder.tokenizer.pad({"input_ids": [ids[i] for i in rows]}, return_tensors="pt").to(device)
            pooled = mean_pool(model(**batch).last_hidden_state, batch["attention_mask"])
            return (1 - nn.functional.cosine_similarity(pooled, T[rows])).mean()

        if student.model.pooler is not None:  # it plays no part in mean pooling
            student.model.pooler.requires_grad_(False)
        train(student.model, loss, np.array([len(row) for row in ids]), recipe, progress=progress, device=device)
    student.model.eval()
    return student


def int8(model: nn.Module, *, activations: bool = False, embeddings: bool = True) -> nn.Module:
    """A copy on the CPU whose layers keep their weights as whole numbers from -128 to 127, with one scale s a row.

        W ≈ s · round(W / s),   s = max |row| / 127.5

    The weights are kept small; for a product they become floats again. activations: what goes into a product is rounded
    too, so that whole numbers are multiplied: for processors with instructions for that (VNNI, AMX); others take many
    times as long. embeddings: the word vectors, half of a small BERT, too. The head stays as it is. By `torchao`.
    """
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig, Int8WeightOnlyConfig, quantize_

    small = copy.deepcopy(model).cpu().eval()
    linear = Int8DynamicActivationInt8WeightConfig() if activations else Int8WeightOnlyConfig()
    quantize_(body(small).encoder, linear)
    if embeddings:
        quantize_(
            body(small).embeddings, Int8WeightOnlyConfig(), filter_fn=lambda part, _: isinstance(part, nn.Embedding)
        )
    return small


def without_small_weights(model: nn.Module, share: float) -> nn.Module:
    """A copy in which the ``share`` of each layer matrix's entries that is smallest in size is 0 (magnitude pruning).

    The matrices keep their shapes and zeros are multiplied like any number: nothing gets faster or smaller, unless
    file and processor know sparse matrices.
    """
    share = inputs.number("share", share, at_least=0, below=1)
    pruned = copy.deepcopy(model)
    with torch.no_grad():
        for part in body(pruned).encoder.modules():
            if isinstance(part, nn.Linear):
                W = part.weight
                smallest = W.abs().flatten().argsort(stable=True)[: int(share * W.numel())]
                W.view(-1)[smallest] = 0
    return pruned


def head_importance(classifier: BertClassifier, texts: Sequence[Text], labels: np.ndarray) -> np.ndarray:
    """How much the loss depends on each attention head: (layers, heads). Michel, Levy & Neubig 2019.

        I_h = mean over the examples of |∂L/∂ξ_h| at ξ = 1,   where head h's output is multiplied by ξ_h

    scaled so that the squares of each layer sum to 1, as they do.
    """
    layers, texts = body(classifier.fitted()).encoder.layer, texts_or_pairs("Texts", texts)
    labels = checked_labels("The labels", labels, texts, classifier.n_classes)
    heads, batch = [layer.attention.self.num_attention_heads for layer in layers], 32
    if len(set(heads)) > 1:
        raise CourseError("The importance of heads is that of a whole model: this one has lost heads already.")
    importance = np.zeros((len(layers), heads[0]))
    gates: list[torch.Tensor] = []

    def gate(part: nn.Module, given: tuple[torch.Tensor]) -> torch.Tensor:
        h = given[0]  # (B, T, heads · head size): the heads side by side
        xi = torch.ones(len(h), heads[0], device=h.device, requires_grad=True)  # one ξ_h an example
        gates.append(xi)
        return (h.unflatten(-1, (heads[0], -1)) * xi[:, None, :, None]).flatten(-2)

    hooks = [layer.attention.output.dense.register_forward_pre_hook(gate) for layer in layers]
    try:
        classifier.model_.eval()
        tokens = classifier._tokens(texts)
        for start in range(0, len(tokens), batch):
            rows = np.arange(start, min(start + batch, len(tokens)))
            gates.clear()
            logits = classifier.model_(**classifier._batches(tokens)(rows)).logits
            loss = nn.functional.cross_entropy(
                logits, torch.as_tensor(labels[rows], device=logits.device), reduction="sum"
            )
            for layer, gradient in enumerate(torch.autograd.grad(loss, gates)):
                importance[layer] += gradient.abs().sum(0).cpu().numpy() / len(tokens)
    finally:
        for hook in hooks:
            hook.remove()
    return importance / np.linalg.norm(importance, axis=1, keepdims=True).clip(1e-12)


def least_important(importance: np.ndarray, n: int) -> dict[int, list[int]]:
    """The ``n`` heads of least importance (layers, heads), {layer: heads}; every layer keeps its most important one."""
    free = inputs.array("importance", importance, ndim=2)  # a copy
    (layers, heads), best = free.shape, free.argmax(1)
    if not 0 <= inputs.whole("n", n) <= layers * (heads - 1):
        raise CourseError(f"From {layers} layers of {heads} heads 0 to {layers * (heads - 1)} can go; got {n}.")
    free[np.arange(layers), best] = np.inf
    chosen = np.argsort(free, axis=None, kind="stable")[:n]
    return {i: sorted(int(k % heads) for k in chosen if k // heads == i) for i in range(layers)}


def without_heads(model: nn.Module, heads: Mapping[int, Sequence[int]]) -> nn.Module:
    """A copy without ``heads`` ({layer: positions}): their rows of Q, K, V and columns of what follows are cut.

    Exactly what multiplying these heads' outputs by 0 gives, in smaller matrices.
    """
    pruned, depth = copy.deepcopy(model), len(body(model).encoder.layer)
    inputs.ids("layers", list(heads), depth)
    for i, gone in heads.items():
        attention = body(pruned).encoder.layer[i].attention
        own, size = attention.self, attention.self.attention_head_size
        stay = [h for h in range(own.num_attention_heads) if h not in set(gone)]
        if len(stay) + len(set(gone)) != own.num_attention_heads:
            raise CourseError(f"Layer {i} has heads 0 to {own.num_attention_heads - 1}; got {sorted(gone)}.")
        if not stay:
            raise CourseError(f"Layer {i} would lose all its heads: leave it at least one.")
        keep = torch.cat([torch.arange(h * size, (h + 1) * size) for h in stay]).to(own.query.weight.device)
        for name in ("query", "key", "value"):
            setattr(own, name, _cut(getattr(own, name), keep, rows=True))
        attention.output.dense = _cut(attention.output.dense, keep, rows=False)
        own.num_attention_heads, own.all_head_size = len(stay), len(keep)
    return pruned


def _cut(part: nn.Linear, keep: torch.Tensor, rows: bool) -> nn.Linear:
    W, b = part.weight.detach(), part.bias.detach()
    smaller = nn.Linear(*((W.shape[1], len(keep)) if rows else (len(keep), W.shape[0])), device=W.device)
    with torch.no_grad():
        smaller.weight.copy_(W[keep] if rows else W[:, keep])
        smaller.bias.copy_(b[keep] if rows else b)
    return smaller


def size_mb(model: nn.Module) -> float:
    """Megabytes of the model's weights as a file."""
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    return file.tell() / 1e6


def texts_per_second(
    calls: Mapping[str, Callable[[Sequence[Any]], Any]], texts: Sequence[Any], rounds: int = 3
) -> dict:
    """Speed of each of ``calls`` (name: function of texts), the best of ``rounds`` ≥ 1, in turn: {name: texts/s}."""
    best = dict.fromkeys(calls, np.inf)
    for _ in range(inputs.whole("rounds", rounds, at_least=1)):
        for name, call in calls.items():
            started = time.perf_counter()
            call(texts)
            best[name] = min(best[name], time.perf_counter() - started)
    return {name: len(texts) / seconds for name, seconds in best.items()}


def overlap(S: np.ndarray, full: np.ndarray, k: int = 10) -> float:
    """Share of the ``k`` best items by ``full`` (n, items) that are among the ``k`` best by ``S``: mean over rows."""
    S, full = inputs.array("S", S, ndim=2), inputs.array("full", full, ndim=2)
    if S.shape != full.shape or not S.size:
        raise CourseError(f"S and full score the same items for the same rows; got {S.shape} and {full.shape}.")
    k = inputs.whole("k", k, at_least=1, at_most=S.shape[1])
    top, top_full = (np.argsort(-M, axis=1, kind="stable")[:, :k] for M in (S, full))
    return float(np.mean([len(set(a) & set(b)) / k for a, b in zip(top, top_full, strict=True)]))
