"""Fine-tune BERT to put texts, or pairs of texts, into classes (lesson 02).

The model is Hugging Face's `BertForSequenceClassification`: the encoder's vector of the first token, [CLS], passes
through one dense layer, tanh and dropout to C logits. Training minimises the (weighted) cross-entropy with AdamW; the
learning rate climbs linearly to its peak during the first share of the steps and falls linearly to 0 after it; after
every epoch the validation part is scored, and the weights of the best epoch are those that are kept.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Self

import numpy as np
import pandas as pd
import torch
from torch import nn
from transformers import BatchEncoding, BertForSequenceClassification

from course_lib.errors import CourseError
from course_lib.evaluation.classification import SCORES, score
from course_lib.text.encoder import load_tokenizer, quiet, weights_folder

Text = str | tuple[str, str]  # one text, or a pair: BERT's first and second segment
HEAD = ("bert.pooler", "classifier")  # what lies between the vector of [CLS] and the logits
Tokens = dict[str, list[int]]
Progress = Callable[[Iterable, str], Iterable]  # wraps the batches of an epoch, with a label


def warm_up(step: int, steps: int, share: float = 0.1) -> float:
    """Factor of the peak learning rate at ``step`` (0 … steps - 1): up to 1 over ``share`` of the steps, then down.

    With w = max(1, round(share · steps)):  (step + 1) / w  while step < w,  then  (steps - step) / (steps - w).
    """
    w = max(1, round(share * steps))
    return (step + 1) / w if step < w else (steps - step) / (steps - w)


def class_weights(labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Weights inverse to how common a class is, n / (C · n_c): (C,). Weighted by them all classes count the same."""
    counts = np.bincount(labels, minlength=n_classes)
    return len(labels) / (n_classes * np.maximum(counts, 1))


def bottom_up(model: nn.Module) -> list[nn.Module]:
    """The embeddings and then the layers of a BERT with a head, lowest first."""
    return [model.get_submodule("bert.embeddings"), *model.get_submodule("bert.encoder.layer").children()]


def freeze(model: nn.Module, layers: int) -> int:
    """Freeze the embeddings and the ``layers`` lowest layers (0: nothing); returns how many parameters still learn."""
    parts = bottom_up(model)
    if not 0 <= layers < len(parts):
        raise CourseError(f"frozen_layers is from 0 to {len(parts) - 1}, the layers of this BERT; got {layers}.")
    for part in parts[: layers + 1] if layers else []:
        part.requires_grad_(False)
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def batches_by_length(lengths: np.ndarray, batch_size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Shuffled batches of positions, each of texts of about one length, so that little is padded.

    Random pools of 16 batches are sorted inside, cut, and the batches shuffled: order stays random, padding falls.
    """
    pool, order = 16 * batch_size, rng.permutation(len(lengths))
    order = np.concatenate(
        [p[np.argsort(lengths[p], kind="stable")] for p in np.split(order, range(pool, len(order), pool))]
    )
    cut = np.split(order, range(batch_size, len(order), batch_size))
    return [cut[i] for i in rng.permutation(len(cut))]


class BertClassifier:
    """BERT with a classification head, in scikit-learn's manners: ``fit``, ``predict_proba``, learned state ends in _.

    frozen_layers: how many lower layers (with the embeddings) keep their pre-trained weights. metric: "macro_f1" or
    "auc", judged on validation after every epoch. patience: epochs without a better score before training stops.
    weights: per-class weights of the loss, (C,), or None. The head (pooler and classifier), which no earlier training
    has made ready, learns ``head_rate`` times faster.
    """

    def __init__(
        self,
        n_classes: int = 2,
        encoder: str = "minilm",
        *,
        epochs: int = 3,
        batch_size: int = 32,
        learning_rate: float = 5e-5,
        head_rate: float = 10.0,
        warm_up_share: float = 0.1,
        weight_decay: float = 0.01,
        frozen_layers: int = 0,
        max_tokens: int = 64,
        metric: str = "macro_f1",
        patience: int = 2,
        weights: Sequence[float] | np.ndarray | None = None,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ):
        self.n_classes, self.encoder, self.epochs, self.batch_size = n_classes, encoder, epochs, batch_size
        self.learning_rate, self.head_rate, self.warm_up_share = learning_rate, head_rate, warm_up_share
        self.weight_decay, self.frozen_layers, self.max_tokens = weight_decay, frozen_layers, max_tokens
        self.metric, self.patience, self.weights, self.seed, self.device = metric, patience, weights, seed, device

    def fit(
        self,
        texts: Sequence[Text],
        labels: Sequence[int] | np.ndarray,
        valid: tuple[Sequence[Text], Sequence[int] | np.ndarray],
        progress: Progress | None = None,
    ) -> Self:
        """Train on ``texts`` and ``labels`` (n,) in 0 … C - 1; choose the epoch on ``valid``.

        progress(iterable, label) wraps the batches of an epoch. Leaves ``history_`` (one row an epoch: loss,
        valid_loss, the metric, seconds), ``step_losses_``, ``best_epoch_``, ``trained_parameters_`` and ``model_``.
        """
        if self.metric not in SCORES:
            raise CourseError(f"There is no metric {self.metric!r}; known are {', '.join(SCORES)}.")
        y, valid_y = self._labels(labels, texts, "train"), self._labels(valid[1], valid[0], "validation")
        cuda = [self.device] if torch.device(self.device).type == "cuda" else []
        with torch.random.fork_rng(cuda):  # dropout and the head's first weights: ours, whatever ran before
            torch.manual_seed(self.seed)
            self.build()
            self._train(
                self._tokens(texts), y, self._tokens(valid[0]), valid_y, progress or (lambda batches, label: batches)
            )
        return self

    def predict_proba(self, texts: Sequence[Text], batch_size: int = 64) -> np.ndarray:
        """Probabilities of the classes, (n, C), in the order of ``texts``."""
        if not hasattr(self, "model_"):
            raise CourseError("This classifier has not been fitted yet: call fit before predict_proba.")
        return self._proba(self._tokens(texts), batch_size)

    def predict(self, texts: Sequence[Text]) -> np.ndarray:
        """The most probable class of each text, (n,)."""
        return self.predict_proba(texts).argmax(1)

    def build(self) -> Self:
        """Load the pre-trained weights under a fresh head and freeze what is to be frozen, without training."""
        self.tokenizer_ = load_tokenizer(self.encoder)
        with quiet():
            model: nn.Module = BertForSequenceClassification.from_pretrained(
                weights_folder(self.encoder), num_labels=self.n_classes, local_files_only=True
            )
        self.model_ = model.to(self.device)
        self.trained_parameters_ = freeze(self.model_, self.frozen_layers)
        return self

    def loss(self, texts: Sequence[Text], labels: np.ndarray) -> torch.Tensor:
        """Cross-entropy of one batch in training mode, ready for ``backward``: for a training loop of your own."""
        self._train_mode()
        return self._cross_entropy()(self.model_(**self._batch(self._tokens(texts))).logits, self._tensor(labels))

    def _train(
        self, tokens: list[Tokens], y: np.ndarray, valid_tokens: list[Tokens], valid_y: np.ndarray, progress: Progress
    ) -> None:
        rng, lengths = np.random.default_rng(self.seed), np.array([len(t["input_ids"]) for t in tokens])
        plan = [batches_by_length(lengths, self.batch_size, rng) for _ in range(self.epochs)]
        steps = sum(map(len, plan))
        optimiser = torch.optim.AdamW(self._parameter_groups(), weight_decay=self.weight_decay)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda step: warm_up(min(step, steps - 1), steps, self.warm_up_share)
        )
        cross_entropy = self._cross_entropy()
        rows: list[dict[str, float]] = []
        step_losses: list[float] = []
        best, kept = -np.inf, {}
        for epoch, batches in enumerate(plan, start=1):
            started, total = time.perf_counter(), 0.0
            self._train_mode()
            for batch in progress(batches, f"epoch {epoch} of {self.epochs}"):
                logits = self.model_(**self._batch([tokens[i] for i in batch])).logits  # (B, C)
                loss = cross_entropy(logits, self._tensor(y[batch]))
                optimiser.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(self.model_.parameters(), 1.0)
                optimiser.step()
                schedule.step()
                step_losses.append(loss.item())
                total += step_losses[-1] * len(batch)
            probabilities = self._proba(valid_tokens)
            valid_loss = float(cross_entropy(self._tensor(probabilities).clamp(min=1e-12).log(), self._tensor(valid_y)))
            row = {"epoch": epoch, "loss": total / len(y), "valid_loss": valid_loss}
            row |= {self.metric: score(self.metric, valid_y, probabilities), "seconds": time.perf_counter() - started}
            rows.append(row)
            if row[self.metric] > best:
                best, self.best_epoch_ = row[self.metric], epoch
                kept = {n: p.detach().clone() for n, p in self.model_.named_parameters() if p.requires_grad}
            elif epoch - self.best_epoch_ >= self.patience:
                break
        self.model_.load_state_dict(kept, strict=False)
        self.history_, self.step_losses_ = pd.DataFrame(rows).set_index("epoch"), np.array(step_losses)

    def _parameter_groups(self) -> list[dict]:
        """The head learns faster; biases and layer norms are not pulled towards 0."""
        groups = []
        for head in (False, True):
            for decays in (False, True):
                chosen = [
                    p
                    for name, p in self.model_.named_parameters()
                    if p.requires_grad
                    and name.startswith(("bert.pooler", "classifier")) == head
                    and (p.ndim > 1) == decays
                ]
                rate = self.learning_rate * (self.head_rate if head else 1)
                groups.append({"params": chosen, "lr": rate} | ({} if decays else {"weight_decay": 0.0}))
        return groups

    def _train_mode(self) -> None:
        """Dropout on, except in frozen layers: what does not learn gives the same output every time."""
        self.model_.train()
        for part in bottom_up(self.model_):
            if not any(p.requires_grad for p in part.parameters()):
                part.eval()

    def _cross_entropy(self) -> nn.CrossEntropyLoss:
        weights = None if self.weights is None else torch.as_tensor(np.asarray(self.weights), dtype=torch.float32)
        return nn.CrossEntropyLoss(weight=weights).to(self.device)

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(values, device=self.device)

    def _proba(self, tokens: list[Tokens], batch_size: int = 64) -> np.ndarray:
        self.model_.eval()
        probabilities = np.zeros((len(tokens), self.n_classes), dtype=np.float32)
        order = np.argsort([len(t["input_ids"]) for t in tokens], kind="stable")
        with torch.inference_mode():
            for rows in np.split(order, range(batch_size, len(order), batch_size)):
                if len(rows):
                    logits = self.model_(**self._batch([tokens[i] for i in rows])).logits
                    probabilities[rows] = logits.softmax(1).float().cpu().numpy()
        return probabilities

    def _tokens(self, texts: Sequence[Text]) -> list[Tokens]:
        """Token numbers of each text or pair, cut to max_tokens (of a pair, the longer half gives way), not padded."""
        if isinstance(texts, str) or not all(
            isinstance(t, str) or (isinstance(t, tuple) and len(t) == 2) for t in texts
        ):
            raise CourseError("Texts are a list of strings or of pairs (string, string); write '' for a missing one.")
        if not len(texts):
            return []
        pairs = isinstance(texts[0], tuple)
        halves = [list(half) for half in zip(*texts, strict=True)] if pairs else [list(texts)]
        coded = self.tokenizer_(*halves, truncation=True, max_length=self.max_tokens, return_token_type_ids=True)
        return [
            {"input_ids": i, "token_type_ids": t}
            for i, t in zip(coded["input_ids"], coded["token_type_ids"], strict=True)
        ]

    def _batch(self, tokens: list[Tokens]) -> BatchEncoding:
        return self.tokenizer_.pad(tokens, return_tensors="pt").to(self.device)

    def _labels(self, labels: Sequence[int] | np.ndarray, texts: Sequence[Text], part: str) -> np.ndarray:
        y = np.asarray(labels)
        if (
            y.shape != (len(texts),)
            or y.dtype.kind not in "iu"
            or not len(y)
            or y.min() < 0
            or y.max() >= self.n_classes
        ):
            raise CourseError(
                f"The {part} labels are one whole number from 0 to {self.n_classes - 1} for each of {len(texts)} texts;"
                f" got shape {y.shape} of type {y.dtype}: drop the texts whose label is missing."
            )
        return y.astype(np.int64)
