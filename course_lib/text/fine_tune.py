"""Fine-tune BERT: one encoder, a head for the job.

The encoder's vector of the first token, [CLS], passes through one dense layer, tanh and dropout to the head: C logits
for classes (`BertClassifier`), one number for ratings (`BertRegressor`). A slate, where every token gets a label, is in
`course_lib.text.slates`. The loop, with warm-up and early stopping, is `course_lib.text.training.train`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import nn
from transformers import BatchEncoding, BertForSequenceClassification, PreTrainedModel

from course_lib import inputs
from course_lib.errors import CourseError
from course_lib.evaluation.classification import SCORES, score
from course_lib.text.encoder import checked_length, load_tokenizer, quiet, weights_folder
from course_lib.text.examples import Text, checked_labels, checked_targets, texts_or_pairs
from course_lib.text.frozen import Tokens, freeze, lower_outputs, pad_outputs, upper_part
from course_lib.text.training import Progress, Recipe, Trained, seeded, train, train_mode

Adapt = Callable[[nn.Module], nn.Module]
Targets = Sequence[Any] | np.ndarray | None
Batches = Callable[[np.ndarray], Mapping[str, Any]]  # positions to what the model takes


def class_weights(labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Weights inverse to how common a class is, n / (C · n_c): (C,). Weighted by them all classes count the same.

    labels: (n,), n ≥ 1, each from 0 to ``n_classes`` - 1.
    """
    labels = inputs.labels("labels", labels, inputs.whole("n_classes", n_classes, at_least=1))
    if not len(labels):
        raise CourseError("There is no label, so no class is common or rare: give at least one.")
    counts = np.bincount(labels, minlength=n_classes)
    return len(labels) / (n_classes * np.maximum(counts, 1))


class FineTuned(ABC):
    """What all heads share, in scikit-learn's manners: ``fit``, then predictions; learned state ends in _.

    recipe: how to train. frozen_layers: how many lower layers (with the embeddings) keep their pre-trained weights, 0
    to all; they run once and their outputs are kept (``cache``). max_tokens: where texts are cut, from 3 to the model's
    positions (512). dropout: share of the numbers set to 0 at random while training, from 0 to below 1. adapt: a change
    of the loaded model before training, e.g. `course_lib.text.adapt`.
    """

    head: ClassVar[type[PreTrainedModel]] = BertForSequenceClassification
    n_outputs: int

    def __init__(
        self,
        encoder: str = "minilm",
        *,
        recipe: Recipe = Recipe(),  # noqa: B008 (frozen, so sharing one is safe)
        frozen_layers: int = 0,
        max_tokens: int = 64,
        dropout: float = 0.1,
        adapt: Adapt | None = None,
        cache: bool = True,
        device: torch.device | str = "cpu",
    ):
        self.encoder, self.recipe, self.adapt, self.cache, self.device = encoder, recipe, adapt, cache, device
        self.frozen_layers = inputs.whole("frozen_layers", frozen_layers, at_least=0)
        self.max_tokens = inputs.whole("max_tokens", max_tokens, at_least=3)
        self.dropout = inputs.number("dropout", dropout, at_least=0, below=1)

    def fit(
        self,
        texts: Sequence[Any],
        targets: Targets,
        valid: tuple[Sequence[Any], Targets],
        progress: Progress | None = None,
    ) -> Self:
        """Train on ``texts`` and their ``targets``; choose the epoch on ``valid``, a pair of the same two.

        progress(iterable, label) wraps the batches of an epoch. Leaves ``model_``, ``trained_parameters_`` and
        ``trained_``: the history (one row an epoch), the loss of every step, the best epoch.
        """
        if not (isinstance(valid, tuple | list) and len(valid) == 2):
            raise CourseError("valid is a pair: the texts to choose the epoch on, and their targets.")
        texts, valid_texts = self._texts(texts), self._texts(valid[0])
        y, valid_y = self._targets(targets, texts, "train"), self._targets(valid[1], valid_texts, "validation")
        with seeded(self.recipe.seed, self.device):  # dropout and the head's first weights: ours, whatever ran before
            self.build()
            tokens, valid_tokens = self._tokens(texts), self._tokens(valid_texts)
            y, valid_y = self._prepare(y, tokens, "train"), self._prepare(valid_y, valid_tokens, "validation")
            (model, batch), (_, valid_batch) = self._above(tokens), self._above(valid_tokens)
            lengths, valid_lengths = ([len(t["input_ids"]) for t in some] for some in (tokens, valid_tokens))
            self.trained_: Trained = train(
                model,
                lambda model, rows: self._loss(model(**batch(rows)).logits, y, rows),
                np.array(lengths),
                self.recipe,
                validate=lambda model: self._judge(self._outputs(model, valid_batch, valid_lengths), valid_y),
                progress=progress,
                device=self.device,
            )
        return self

    def build(self) -> Self:
        """Load the pre-trained weights under a fresh head and freeze what is to be frozen, without training."""
        self.tokenizer_ = load_tokenizer(self.encoder)
        with quiet():
            model: nn.Module = self.head.from_pretrained(
                weights_folder(self.encoder),
                num_labels=self.n_outputs,
                hidden_dropout_prob=self.dropout,
                attention_probs_dropout_prob=self.dropout,
                local_files_only=True,
            )
        checked_length(self.max_tokens, model)
        freeze(model, self.frozen_layers)
        self.model_ = (self.adapt(model) if self.adapt else model).to(self.device)
        self.trained_parameters_ = sum(p.numel() for p in self.model_.parameters() if p.requires_grad)
        return self

    def fitted(self) -> nn.Module:
        """The model; CourseError before `fit` or `build`."""
        if not hasattr(self, "model_"):
            raise CourseError(f"This {type(self).__name__} has not been fitted yet: call fit before it predicts.")
        return self.model_

    def loss_of(self, texts: Sequence[Any], targets: Targets) -> Callable[[np.ndarray], torch.Tensor]:
        """A function from positions in ``texts`` to their mean loss, for ``backward``; frozen layers have run then."""
        texts = self._texts(texts)
        tokens = self._tokens(texts)
        y = self._prepare(self._targets(targets, texts, "train"), tokens, "train")
        model, batch = self._above(tokens)
        train_mode(model)
        return lambda rows: self._loss(model(**batch(rows)).logits, y, rows)

    @abstractmethod
    def _targets(self, targets: Any, texts: Sequence[Any], part: str) -> Any:
        """The targets, checked, as an array or list that positions pick from."""

    @abstractmethod
    def _loss(self, logits: torch.Tensor, y: Any, rows: np.ndarray) -> torch.Tensor:
        """Mean loss of the examples ``rows``."""

    @abstractmethod
    def _judge(self, outputs: list[np.ndarray], y: Any) -> dict[str, float]:
        """Scores on validation, the judging one first."""

    def _prepare(self, y: Any, tokens: list[Tokens], part: str) -> Any:
        """The targets as the loss wants them; a head may also keep what it needs of the training targets."""
        return y

    def _predict(self, texts: Sequence[Any], batch_size: int = 64) -> list[np.ndarray]:
        """Logits of each text, in the order of ``texts``."""
        model = self.fitted()
        size, tokens = inputs.whole("batch_size", batch_size, at_least=1), self._tokens(self._texts(texts))
        lengths = [len(t["input_ids"]) for t in tokens]
        return self._outputs(model, self._batches(tokens), lengths, size)

    def _outputs(self, model: nn.Module, batch: Batches, lengths: Sequence[int], size: int = 64) -> list[np.ndarray]:
        model.eval()
        outputs: list[np.ndarray] = [np.empty(0)] * len(lengths)
        order = np.argsort([-n for n in lengths], kind="stable")
        with torch.inference_mode():
            for rows in np.split(order, range(size, len(order), size)):
                if len(rows):
                    logits = model(**batch(rows)).logits.float().cpu().numpy()
                    inputs.all_finite(
                        "The model's outputs", logits, "its training diverged, so lower the learning rate"
                    )
                    for i, z in zip(rows, logits, strict=True):
                        outputs[i] = z
        return outputs

    def _batches(self, tokens: list[Tokens]) -> Batches:
        return lambda rows: self._pad([tokens[i] for i in rows])

    def _above(self, tokens: list[Tokens]) -> tuple[nn.Module, Batches]:
        """The part of the model that trains, and what it takes for the texts at given positions."""
        if not (self.cache and self.frozen_layers and self.adapt is None):
            return self.model_, self._batches(tokens)
        outputs = lower_outputs(self.model_, self.frozen_layers, tokens, self._pad)
        return upper_part(self.model_, self.frozen_layers), lambda rows: pad_outputs([outputs[i] for i in rows])

    def _pad(self, tokens: list[Tokens]) -> BatchEncoding:
        known = [{key: t[key] for key in ("input_ids", "token_type_ids")} for t in tokens]
        return self.tokenizer_.pad(known, return_tensors="pt").to(self.device)

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(values, device=self.device)

    def _texts(self, texts: Any) -> list[Any]:
        """What is read, in a plain list."""
        return list(texts_or_pairs("Texts", texts, empty=True))

    def _tokens(self, texts: Sequence[Any]) -> list[Tokens]:
        """Token numbers of each text or pair, cut to max_tokens (of a pair, the longer half gives way), not padded."""
        if not len(texts):
            return []
        pairs = isinstance(texts[0], tuple)
        halves = [list(half) for half in zip(*texts, strict=True)] if pairs else [list(texts)]
        coded = self.tokenizer_(*halves, truncation=True, max_length=self.max_tokens, return_token_type_ids=True)
        return [
            {"input_ids": i, "token_type_ids": t}
            for i, t in zip(coded["input_ids"], coded["token_type_ids"], strict=True)
        ]


class BertClassifier(FineTuned):
    """Texts, or pairs of texts, into C classes: softmax and (weighted) cross-entropy.

        L = mean over the examples of -w_y log softmax(z)_y

    n_classes: C ≥ 2. metric: "macro_f1", "auc" or "accuracy", judged on validation after every epoch. weights: w (C,)
    ≥ 0 and not all 0, or None. Labels are whole numbers from 0 to C - 1.
    """

    def __init__(
        self,
        n_classes: int = 2,
        encoder: str = "minilm",
        *,
        metric: str = "macro_f1",
        weights: Sequence[float] | np.ndarray | None = None,
        **settings: Any,
    ):
        super().__init__(encoder, **settings)
        self.n_classes = self.n_outputs = inputs.whole("n_classes", n_classes, at_least=2)
        self.metric, self.weights = inputs.choice("metric", metric, SCORES), None
        if weights is not None:
            self.weights = inputs.array("weights", weights, ndim=1)
            if len(self.weights) != n_classes or (self.weights < 0).any() or not self.weights.any():
                raise CourseError(f"weights are {n_classes} numbers of at least 0, not all 0; got {weights}.")

    def predict_proba(self, texts: Sequence[Text], batch_size: int = 64) -> np.ndarray:
        """Probabilities of the classes, (n, C), in the order of ``texts``."""
        return self._softmax(self._predict(texts, batch_size))

    def predict(self, texts: Sequence[Text]) -> np.ndarray:
        """The most probable class of each text, (n,)."""
        return self.predict_proba(texts).argmax(1)

    def _softmax(self, logits: list[np.ndarray]) -> np.ndarray:
        return torch.tensor(np.array(logits).reshape(-1, self.n_classes)).softmax(1).numpy()

    def _loss(self, logits: torch.Tensor, y: np.ndarray, rows: np.ndarray) -> torch.Tensor:
        each = nn.functional.cross_entropy(logits.float(), self._tensor(y[rows]), reduction="none")  # (B,)
        if self.weights is None:
            return each.mean()
        return (self._tensor(np.asarray(self.weights, dtype=np.float32)[y[rows]]) * each).mean()

    def _judge(self, outputs: list[np.ndarray], y: np.ndarray) -> dict[str, float]:
        P = self._softmax(outputs)
        loss = self._loss(self._tensor(np.array(outputs)), y, np.arange(len(y)))
        return {self.metric: score(self.metric, y, P), "valid_loss": float(loss)}

    def _targets(self, targets: Any, texts: Sequence[Text], part: str) -> np.ndarray:
        return checked_labels(f"The {part} labels", targets, texts, self.n_classes)


class BertRegressor(FineTuned):
    """Texts, or pairs of texts, into one number, such as stars: mean squared error.

        L = mean of ((r - m) / s - z)²,   prediction m + s · z, kept within the ratings seen in training

    with m and s the mean and standard deviation of the training targets, so that the head starts near the mean.
    """

    n_outputs = 1

    def predict(self, texts: Sequence[Text]) -> np.ndarray:
        """Predicted numbers, (n,), in the order of ``texts``."""
        return self._numbers(self._predict(texts))

    def _prepare(self, y: np.ndarray, tokens: list[Tokens], part: str) -> np.ndarray:
        if part == "train":
            self.mean_, self.scale_, self.range_ = float(y.mean()), float(y.std()) or 1.0, (y.min(), y.max())
        return y

    def _numbers(self, outputs: list[np.ndarray]) -> np.ndarray:
        return np.clip(self.mean_ + self.scale_ * np.array(outputs).reshape(-1), *self.range_)

    def _loss(self, logits: torch.Tensor, y: np.ndarray, rows: np.ndarray) -> torch.Tensor:
        z = (y[rows] - self.mean_) / self.scale_
        return nn.functional.mse_loss(logits.float()[:, 0], self._tensor(z.astype(np.float32)))

    def _judge(self, outputs: list[np.ndarray], y: np.ndarray) -> dict[str, float]:
        error = float(np.mean((self._numbers(outputs) - y) ** 2))
        return {"r2": 1 - error / max(float(y.var()), 1e-12), "rmse": error**0.5}

    def _targets(self, targets: Any, texts: Sequence[Text], part: str) -> np.ndarray:
        return checked_targets(f"The {part} targets", targets, texts)
