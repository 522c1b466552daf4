"""The network of deep Q-learning: several learners' networks side by side, computed as one batch.

Letters: R learners, B states each, C candidates; s state features (d_s); F films with features x_a (d_a).
"""

from copy import copy

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from course_lib import inputs
from course_lib.errors import CourseError


class QNetwork(nn.Module):
    """R networks side by side: Q(s, a) = w · relu(W_s s + W_x x_a + W_p p(s, a) + b) + b_0, one hidden layer.

    p(s, a) are products of the film's features with the state's. The first ``views`` · d_a numbers of s are vectors in
    the space of the films' features (profile, memory, last film); each is multiplied with x_a and summed over each
    group of features. groups: (d_a, G), 0 or 1. With them the network need not learn from clicks alone what likeness
    is. All parameters have a leading axis R and are multiplied as a batch: R small networks cost little more than one.
    n (R), hidden: ≥ 1. seed: ≥ 0.
    """

    items: Tensor
    groups: Tensor

    def __init__(
        self,
        n: int,
        d_s: int,
        items: np.ndarray,
        hidden: int,
        seed: int,
        views: int = 0,
        groups: np.ndarray | None = None,
    ) -> None:
        super().__init__()
        n, hidden, seed = inputs.COUNT("n", n), inputs.COUNT("hidden", hidden), inputs.SEED("seed", seed)
        if items.ndim != 2 or not np.isfinite(items).all():
            raise CourseError("Film features are a table of finite numbers, one row a film; got NaN or a wrong shape.")
        d_a, self.views = items.shape[1], views
        groups = np.ones((d_a, 1)) if groups is None else np.asarray(groups, dtype=float)
        if len(groups) != d_a or views * d_a > d_s:
            raise CourseError(
                f"{views} views of {d_a} film features and groups of {len(groups)} do not fit a state of {d_s}."
            )
        self.register_buffer("items", torch.tensor(items, dtype=torch.float32))  # (F, d_a)
        self.register_buffer("groups", torch.tensor((groups / groups.sum(axis=0)).T, dtype=torch.float32))  # (G, d_a)
        dice = torch.Generator().manual_seed(seed)

        def layer(d_in: int, d_out: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(n, d_in, d_out, generator=dice) / max(d_in, 1) ** 0.5)

        self.W_s, self.W_x, self.W_p = layer(d_s, hidden), layer(d_a, hidden), layer(views * groups.shape[1], hidden)
        self.b, self.w, self.b_0 = (
            nn.Parameter(torch.zeros(n, 1, hidden)),
            layer(hidden, 1),
            nn.Parameter(torch.zeros(n, 1, 1)),
        )

    def only(self, learner: int) -> "QNetwork":
        """The network of one learner, R = 1."""
        one = copy(self)
        one._parameters = {k: nn.Parameter(v[learner : learner + 1], False) for k, v in self.named_parameters()}
        return one

    def forward(self, s: Tensor, a: Tensor) -> Tensor:
        """Q-values of the films ``a`` (R, B, C) in the states ``s`` (R, B, d_s): (R, B, C)."""
        (R, B, C), (n_films, d_a) = a.shape, self.items.shape
        state = torch.baddbmm(self.b, s, self.W_s)  # (R, B, hidden), once for all candidates
        film = (self.items @ self.W_x).flatten(0, 1)  # (R · F, hidden), once for all states
        z = state[:, :, None] + embedding(a + n_films * torch.arange(R)[:, None, None], film)  # (R, B, C, hidden)
        z = z.flatten(1, 2)
        if self.views:
            views = s[..., : self.views * d_a].unflatten(2, (self.views, 1, d_a)) * self.groups  # (R, B, views, G, d_a)
            p = embedding(a, self.items) @ views.flatten(2, 3).transpose(2, 3)  # (R, B, C, views · G)
            z = torch.baddbmm(z, p.flatten(1, 2), self.W_p)
        return torch.baddbmm(self.b_0, torch.relu(z), self.w).view(R, B, C)
