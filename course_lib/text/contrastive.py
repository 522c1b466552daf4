"""Contrastive tuning of item vectors: films that the same people like shall lie together.

A batch holds B films, each once. With unit vectors e_i of their texts, a temperature τ, and c_ij = how many people of
the training part like both films:

    q_ij = exp(e_i·e_j / τ) / Σ_{k≠i} exp(e_i·e_k / τ)          what the vectors say, a softmax inside the batch
    w_ij = c_ij²,  divided by its sum over j≠i                   what the people say
    L = mean over i of -Σ_{j≠i} w_ij log q_ij

Where each film has one partner this is the loss known as InfoNCE (van den Oord, Li & Vinyals 2018, arXiv:1807.03748)
with in-batch negatives; Khosla et al. (2020, NeurIPS) write it for several partners. A film without a rating in the
training part has no partner, so it is in no batch: nothing about a cold film but its own words decides its vector.
"""

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from course_lib import inputs
from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError
from course_lib.text.encoder import Encoder, mean_pool
from course_lib.text.frozen import freeze, lower_outputs, pad_outputs, upper_part
from course_lib.text.training import Progress, Recipe, Trained, seeded, train

RECIPE = Recipe(epochs=3, batch_size=128, learning_rate=5e-4)  # chosen on films that are never cold in draws 0 to 4


def co_liked(train: Interactions) -> np.ndarray:
    """w (n_items, n_items) before it is divided by its sums: the squared number of people who like both films.

    train: the likes of the training part, and nothing else. The diagonal is 0, as are the rows of cold films.
    """
    X = train.matrix()
    W = (X.T @ X).toarray() ** 2
    np.fill_diagonal(W, 0)
    return W


def in_batch_softmax(E: torch.Tensor, W: torch.Tensor, temperature: float) -> torch.Tensor:
    """L of the module's formula. E: (B, d) unit vectors; W: (B, B) weights >= 0, their diagonal is not looked at.

    A film whose partners are all outside the batch has nothing to say and is left out of the mean. temperature: > 0.
    """
    if E.ndim != 2 or W.shape != (len(E), len(E)):
        raise CourseError(f"E is (B, d), W is (B, B); got {tuple(E.shape)} and {tuple(W.shape)}.")
    temperature = inputs.number("temperature", temperature, above=0)
    own = torch.eye(len(E), dtype=torch.bool, device=E.device)
    log_q = (E @ E.T / temperature).masked_fill(own, -torch.inf).log_softmax(1).masked_fill(own, 0)  # (B, B)
    W = W.masked_fill(own, 0)
    total = W.sum(1, keepdim=True)
    w = torch.where(total > 0, W / total.clamp(min=1e-30), 0)
    return -(w * log_q).sum() / (total > 0).sum().clamp(min=1)


class Pooled(nn.Module):
    """A BERT that gives one unit vector a text: (B, T) tokens to (B, d)."""

    def __init__(self, bert: nn.Module):
        super().__init__()
        self.bert = bert

    def forward(self, **batch: torch.Tensor) -> torch.Tensor:
        """Mean over the tokens, then length 1."""
        hidden = self.bert(**batch).last_hidden_state  # (B, T, d)
        return nn.functional.normalize(mean_pool(hidden, batch["attention_mask"]), dim=1)


class ContrastiveTuner:
    """Tunes the upper layers of an encoder on pairs of films; the lower ones run once, when the tuner is made.

    encoder: where it starts; it is not changed. texts: one an item, none of them empty. frozen_layers: how many lower
    layers keep their weights, with the word vectors, which always do. Then `fit`, as often as there are splits: each
    starts from ``encoder`` anew.
    """

    def __init__(self, encoder: Encoder, texts: Sequence[str], frozen_layers: int = 5):
        texts = inputs.texts("Texts", texts)
        if not all(text.strip() for text in texts):
            raise CourseError("Every item needs a text: leave out the items that have none, or name them at least.")
        depth = encoder.model.config.num_hidden_layers
        if not 0 <= inputs.whole("frozen_layers", frozen_layers) < depth:
            raise CourseError(f"frozen_layers is from 0 to {depth - 1}, so that a layer learns; got {frozen_layers}.")
        self.encoder, self.frozen_layers = encoder, frozen_layers
        ids = encoder.tokenizer(texts, truncation=True, max_length=encoder.max_tokens)["input_ids"]
        self._lower = lower_outputs(
            Pooled(encoder.model),
            frozen_layers,
            [{"input_ids": row} for row in ids],
            lambda rows: encoder.tokenizer.pad(rows, return_tensors="pt").to(encoder.model.device),
        )

    def fit(
        self,
        W: np.ndarray,
        recipe: Recipe = RECIPE,
        temperature: float = 0.1,
        progress: Progress | None = None,
    ) -> "ContrastiveTuner":
        """Tune on the weights ``W`` (n_items, n_items) ≥ 0 of `co_liked`; films whose row is 0 take no part.

        temperature: > 0.
        Leaves ``encoder_`` (tuned, usable like any other), ``vectors_`` (n_items, d) and ``trained_``.
        """
        W, temperature = inputs.array("W", W), inputs.number("temperature", temperature, above=0)
        if W.shape != (len(self._lower),) * 2 or (W < 0).any():
            raise CourseError(f"W is one row and column for each of {len(self._lower)} items, ≥ 0; got {W.shape}.")
        warm = np.flatnonzero(W.sum(1) > 0)
        if len(warm) < 2:
            raise CourseError("No two films are liked by the same person: there is no pair to learn from.")
        body = copy.deepcopy(self.encoder.model)
        model, device = Pooled(body), body.device
        model.requires_grad_(True)
        freeze(model, self.frozen_layers)
        if body.pooler is not None:
            body.pooler.requires_grad_(False)  # no part of a mean over tokens
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        upper = upper_part(model, self.frozen_layers)
        weights = torch.as_tensor(W, dtype=torch.float32, device=device)

        def loss(upper: nn.Module, rows: np.ndarray) -> torch.Tensor:
            items = torch.as_tensor(warm[rows], device=device)
            return in_batch_softmax(upper(**self._batch(warm[rows])), weights[items][:, items], temperature)

        with seeded(recipe.seed, device):
            like = np.zeros(len(warm))  # all of one length: batches are random, or short texts would meet short ones
            self.trained_: Trained = train(upper, loss, like, recipe, progress=progress, divisible=False, device=device)
        self.encoder_ = replace(self.encoder, model=body.eval())
        self.vectors_ = inputs.all_finite("The tuned vectors", self._vectors(upper), "lower the learning rate")
        return self

    def _batch(self, rows: np.ndarray) -> dict[str, torch.Tensor]:
        return pad_outputs([self._lower[i] for i in rows])

    def _vectors(self, upper: nn.Module, size: int = 64) -> np.ndarray:
        upper.eval()
        vectors = np.zeros((len(self._lower), self.encoder.dimension), dtype=np.float32)
        order = np.argsort([-len(h) for h in self._lower], kind="stable")
        with torch.inference_mode():
            for rows in np.split(order, range(size, len(order), size)):
                vectors[rows] = upper(**self._batch(rows)).float().cpu().numpy()
        return vectors
