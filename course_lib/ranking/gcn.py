"""Kipf & Welling's graph convolution as a recommender: weights and ReLU in every layer, text as node features.

    H_0 = E + X Θ,   H_k = ReLU(Â H_{k-1} W_k),   z = H_K without the last ReLU,   s_uj = z_u · z_j

Â is normalised with loops. X holds a vector for every node: an item's text vector, and for a user the mean of
the texts of her training items, so that a new item is a node with a text and no edges. The rest is LightGCN's:
the same propagation, the same losses, the same training (``course_lib.ranking.graph``).
"""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import Parameter

from course_lib.data.interactions import Interactions
from course_lib.inputs import COUNT, NATURAL, NOT_NEGATIVE, RATE, SEED, choice, settings
from course_lib.ranking.checks import checked
from course_lib.ranking.content import features_of
from course_lib.ranking.graph import (
    LOSSES,
    Loss,
    Watch,
    bipartite,
    descend,
    dot_scores,
    kipf_welling_layer,
    normalise,
    on,
    propagate,
    sparse,
)


def node_features(items: np.ndarray, train: Interactions) -> np.ndarray:
    """X (n, f): for each user the mean of her training items' rows of ``items`` (n_items, f), then ``items``."""
    R = train.matrix()
    count = np.maximum(np.diff(R.indptr), 1)[:, None]
    return np.vstack([(R @ items) / count, items])


@dataclass
class KipfWelling:
    """GCN on the user–item graph, with one row of ``features`` (n_items, f) for each item, or None.

    Defaults were chosen on the validation part of the random split of MovieLens-100K. d, K, batch ≥ 1; lam, steps,
    seed ≥ 0; lr > 0.
    """

    features: np.ndarray | None = field(default=None, repr=False)
    d: int = 64
    K: int = 2
    loss: Loss = "softmax"
    lam: float = 0.03
    lr: float = 0.01
    steps: int = 200
    batch: int = 2048
    seed: int = 0
    device: torch.device | str = "cpu"

    def __post_init__(self) -> None:
        settings(self, d=COUNT, K=COUNT, lam=NOT_NEGATIVE, lr=RATE, steps=NATURAL, batch=COUNT, seed=SEED)
        choice("loss", self.loss, LOSSES)

    def fit(self, train: Interactions, watch: Watch | None = None) -> Self:
        """Learn E, Θ and the W_k from the edges of ``train``."""
        self.X_ = checked(train).matrix()
        self.popularity_ = np.asarray(self.X_.sum(axis=0)).ravel()
        device, rng = on(self.device), np.random.default_rng(self.seed)
        self.A_hat_ = sparse(normalise(bipartite(train), loops=True), device)

        def weight(rows: int, columns: int, scale: float) -> Parameter:
            start = rng.normal(scale=scale, size=(rows, columns))
            return Parameter(torch.from_numpy(start).float().to(device))

        self.E_ = weight(self.A_hat_.shape[0], self.d, 0.1)
        self.W_ = [weight(self.d, self.d, np.sqrt(2 / self.d)) for _ in range(self.K)]
        if self.features is not None:
            X = node_features(features_of(self.features, train), train)
            self.text_ = torch.from_numpy(X).float().to(device)  # (n, f)
            self.Theta_ = weight(X.shape[1], self.d, 1 / np.sqrt(self.d))
        learned = [self.E_, *self.W_] + ([self.Theta_] if self.features is not None else [])
        self.losses_ = descend(
            self.embed, learned, train, loss=self.loss, lam=self.lam, lr=self.lr, steps=self.steps,
            batch=self.batch, seed=self.seed, decay=True, after=lambda step: watch(step, self) if watch else None,
        )  # fmt: skip
        return self

    def embed(self) -> Tensor:
        """Z (n, d): users first."""
        H: Tensor = self.E_
        if self.features is not None:
            H = H + self.text_ @ self.Theta_
        for W in self.W_[:-1]:
            H = kipf_welling_layer(self.A_hat_, H, W)
        return propagate(self.A_hat_, H @ self.W_[-1])

    def score(self, users: np.ndarray) -> np.ndarray:
        """z_u · z_j, (len(users), n_items); popularity for a user without an edge."""
        return dot_scores(self.embed(), users, self.X_, self.popularity_)
