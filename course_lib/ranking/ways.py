"""Ways in which behaviour and text can meet in a rating: the text term of `fusion.Fusion`, chosen by name.

Each is a module that answers a batch of B pairs with one number a pair, in stars. It gets u (B, d) and v (B, d), the
learned vectors of the pairs' users and items, p (B, d_t), the users' text profiles, and the ids i and j (B,); the
items' text vectors e (n_items, d_t) it holds itself.

    "product"    sum_k alpha_k w_k · (p * e_j)      the article's layers; part of `fusion.FusionNet`
    "concat"     w · [p; e_j]                       one weight a number: it cannot say "these two go together"
    "bilinear"   p' W e_j                           every direction of the profile with every direction of the text
    "mlp"        f([u; v; p; e_j; p * e_j])         a hidden layer over all of them (He et al. 2017, NCF, without its
                                                    second tower)
    "attention"  sum_l a_l(j) (r_il - mean_i)       u's own ratings, weighted by how well their texts answer e_j

The "outer product" that one of the articles writes for vectors of unlike length is the bilinear form: W says which
entry p_a e_b counts how much.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from course_lib.errors import CourseError


class Concat(nn.Module):
    """w · [p; e_j]."""

    e: Tensor

    def __init__(self, e: Tensor, d: int, deviations: Tensor) -> None:
        super().__init__()
        self.register_buffer("e", e)
        self.w = nn.Parameter(torch.zeros(2 * e.shape[1]))

    def forward(self, u: Tensor, v: Tensor, p: Tensor, i: Tensor, j: Tensor) -> Tensor:
        """(B,)."""
        return torch.cat([p, self.e[j]], dim=1) @ self.w


class Bilinear(nn.Module):
    """p' W e_j, W (d_t, d_t)."""

    e: Tensor

    def __init__(self, e: Tensor, d: int, deviations: Tensor) -> None:
        super().__init__()
        self.register_buffer("e", e)
        self.W = nn.Parameter(torch.zeros(e.shape[1], e.shape[1]))

    def forward(self, u: Tensor, v: Tensor, p: Tensor, i: Tensor, j: Tensor) -> Tensor:
        """(B,)."""
        return ((p @ self.W) * self.e[j]).sum(dim=1)


class MLP(nn.Module):
    """One hidden layer over [u; v; p; e_j; p * e_j]."""

    e: Tensor

    def __init__(self, e: Tensor, d: int, deviations: Tensor, hidden: int = 32) -> None:
        super().__init__()
        self.register_buffer("e", e)
        self.layers = nn.Sequential(nn.Linear(2 * d + 3 * e.shape[1], hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, u: Tensor, v: Tensor, p: Tensor, i: Tensor, j: Tensor) -> Tensor:
        """(B,)."""
        e_j = self.e[j]
        return self.layers(torch.cat([u, v, p, e_j, p * e_j], dim=1))[:, 0]


class Attention(nn.Module):
    """scale * sum_l a_l (r_il - mean_i) over the items l that user i has rated, with e_j as the query.

    a = softmax over l of q_j · k_l, q_j = Q e_j, k_l = K e_l. The item j itself is never among the l: a training pair
    would find its own answer there. One "empty" item with the logit 0 takes the weight when nothing in the history
    answers the query.
    """

    e: Tensor
    deviations: Tensor

    def __init__(self, e: Tensor, d: int, deviations: Tensor) -> None:
        super().__init__()
        self.register_buffer("e", e)
        self.register_buffer("deviations", deviations)  # (n_users, n_items): r_il - mean_i, NaN where not rated
        self.Q, self.K = (nn.Parameter(torch.eye(e.shape[1])) for _ in range(2))
        self.heat, self.scale = nn.Parameter(torch.tensor(5.0)), nn.Parameter(torch.tensor(0.5))

    def weights(self, i: Tensor, j: Tensor) -> Tensor:
        """a (B, n_items): the share of each rated item; 0 where user i has no rating, and for j itself."""
        logits = self.heat * (self.e[j] @ self.Q) @ (self.e @ self.K).T  # (B, n_items)
        hidden = torch.isnan(self.deviations[i])
        hidden[torch.arange(len(j)), j] = True
        logits = logits.masked_fill(hidden, -torch.inf)
        empty = logits.new_zeros(len(j), 1)
        return torch.softmax(torch.cat([logits, empty], dim=1), dim=1)[:, :-1]

    def forward(self, u: Tensor, v: Tensor, p: Tensor, i: Tensor, j: Tensor) -> Tensor:
        """(B,)."""
        return self.scale * (self.weights(i, j) * torch.nan_to_num(self.deviations[i])).sum(dim=1)


Build = Callable[[Tensor, int, Tensor], nn.Module]
WAYS: dict[str, Build] = {"concat": Concat, "bilinear": Bilinear, "mlp": MLP, "attention": Attention}


def way(name: str, e: Tensor, d: int, deviations: Tensor) -> nn.Module | None:
    """The module called ``name``; None for "product". CourseError for a name that there is not.

    e: (n_items, d_t). d: length of u and v. deviations: (n_users, n_items) ratings minus the user's mean, NaN where
    there is none; only "attention" reads them.
    """
    if name != "product" and name not in WAYS:
        raise CourseError(f"There is no way of fusion called {name!r}: choose one of product, {', '.join(WAYS)}.")
    return None if name == "product" else WAYS[name](e, d, deviations)
