"""Two further losses on LightGCN's vectors: two noisy views that must agree, and the stars beside the clicks.

Both add a term to LightGCN's own loss and leave its graph as it is: Z (n, d) comes from Â and E alone, so neither
costs anything when it recommends.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import Parameter
from torch.nn.functional import cross_entropy, normalize

from course_lib.data.interactions import Interactions
from course_lib.data.movielens import positives
from course_lib.inputs import COUNT, NOT_NEGATIVE, POSITIVE, settings
from course_lib.ranking.baselines import BiasModel
from course_lib.ranking.checks import checked, known_pairs
from course_lib.ranking.graph import LightGCN, Watch, propagate


def info_nce(Z1: Tensor, Z2: Tensor, tau: float) -> Tensor:
    """Mean over the rows m of -log softmax_m(cos(z1_m, z2_.) / tau): row m of Z1 has to find row m of Z2 (k, d).

    Van den Oord, Li, Vinyals (2018), Representation learning with contrastive predictive coding. tau > 0.
    """
    tau = POSITIVE("tau", tau)
    cosines = normalize(Z1, dim=1) @ normalize(Z2, dim=1).T
    return cross_entropy(cosines / tau, torch.arange(len(Z1), device=Z1.device))


@dataclass
class SimGCL(LightGCN):
    """LightGCN and ``contrast`` times InfoNCE between two views of ``views`` users and as many items.

    A view is propagation with noise: after each layer h' = h + eps · sign(h) ⊙ |δ| with δ a random vector of length 1,
    so that h' lies in the same orthant; its vectors are the mean of the layers 1 to L. Yu, Yin, Xia, Chen, Cui, Nguyen
    (2022), Are graph augmentations necessary? Simple graph contrastive learning for recommendation, SIGIR.
    contrast, eps ≥ 0; tau > 0; views ≥ 1; the others as LightGCN's.
    """

    contrast: float = 0.02
    eps: float = 0.1
    tau: float = 0.2
    views: int = 512

    def __post_init__(self) -> None:
        super().__post_init__()
        settings(self, contrast=NOT_NEGATIVE, eps=NOT_NEGATIVE, tau=POSITIVE, views=COUNT)

    def fit(self, train: Interactions, watch: Watch | None = None) -> Self:
        """Learn E; only nodes with an edge take part in the contrast, since all others are zeros in every view."""
        R = train.matrix()
        users, items = np.flatnonzero(np.diff(R.indptr)), np.unique(R.indices)
        self.sides_ = [torch.from_numpy(nodes.astype(np.int64)) for nodes in (users, train.n_users + items)]
        self.noise_ = torch.Generator().manual_seed(self.seed)
        return super().fit(train, watch)

    def view(self) -> Tensor:
        """Vectors of all nodes, (n, d), with new noise."""
        H: Tensor = self.E_
        total = torch.zeros_like(H)
        for _ in range(self.L):
            H = propagate(self.A_hat_, H)
            delta = normalize(torch.rand(H.shape, generator=self.noise_), dim=1).to(H)
            H = H + self.eps * torch.sign(H) * delta
            total = total + H
        return total / self.L

    def also(self, Z: Tensor) -> Tensor:
        """contrast · (InfoNCE of users + InfoNCE of items), each on a random ``views`` of them."""
        one, two = self.view(), self.view()
        drawn = [nodes[torch.randperm(len(nodes), generator=self.noise_)[: self.views]] for nodes in self.sides_]
        return self.contrast * sum((info_nce(one[n], two[n], self.tau) for n in drawn), torch.zeros(()).to(Z))


@dataclass
class TwoHeads(LightGCN):
    """One table of vectors, two tasks: what is liked, by z_u · z_j, and how many stars it gets.

    r_uj = b_uj + sum_k w_k z_uk z_jk, where b_uj is `BiasModel`'s rating, which stays as it was fitted, and w (d,) says
    what of the common vectors speaks of stars. Loss: softmax + stars · mean (r - r_uj)^2 over ``ratings`` drawn ratings
    a step. With ``stars`` = 0 it is LightGCN. Caruana (1997), Multitask learning, Machine Learning 28.
    stars ≥ 0; ratings ≥ 1; the others as LightGCN's.
    """

    stars: float = 1.0
    ratings: int = 8192

    def __post_init__(self) -> None:
        super().__post_init__()
        settings(self, stars=NOT_NEGATIVE, ratings=COUNT)

    def fit(self, train: Interactions, watch: Watch | None = None) -> Self:
        """Learn from all ratings of ``train``: those of at least 4 stars are the edges of the graph."""
        train = checked(train)
        self.bias_ = BiasModel().fit(train)
        self.residual_ = train.rating - self.bias_.predict(train.user, train.item)  # (n_ratings,)
        self.pairs_ = np.stack([train.user, train.n_users + train.item])  # (2, n_ratings), as nodes
        self.rng_ = np.random.default_rng(self.seed)
        self.w_ = Parameter(torch.full((self.d,), 0.1))
        return super().fit(positives(train), watch)

    def learned(self) -> list[Parameter]:
        """w, unless nothing is asked of it."""
        return [self.w_] if self.stars else []

    def also(self, Z: Tensor) -> Tensor:
        """stars · the mean squared error, in stars², of a random part of the ratings."""
        if not self.stars:
            return torch.zeros(()).to(Z)
        drawn = self.rng_.integers(len(self.residual_), size=self.ratings)
        u, j = torch.from_numpy(self.pairs_[:, drawn]).to(Z.device)
        left = torch.from_numpy(self.residual_[drawn]).to(Z) - (Z[u] * Z[j] * self.w_.to(Z)).sum(dim=1)
        return self.stars * left.square().mean()

    def predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """The rating of each pair (users[m], items[m]) in stars, (len(users),)."""
        users, items = known_pairs(users, items, len(self.bias_.b_u_), len(self.bias_.b_j_))
        b = self.bias_.predict(users, items)
        if not self.stars:
            return b
        Z = self.embed().detach()
        u, j = Z[torch.from_numpy(users)], Z[torch.from_numpy(len(self.bias_.b_u_) + items)]
        return b + (u * j * self.w_.detach().to(Z)).sum(dim=1).cpu().double().numpy()
