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

import numpy as np
import torch
from torch import Tensor, nn

from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError
from course_lib.inputs import COUNT, array, choice
from course_lib.ranking.retrieval import unit

History = tuple[Tensor, Tensor]  # (n_users, H) each: the items a user has rated, -1 after the last; rating minus mean


class Concat(nn.Module):
    """w · [p; e_j]."""

    e: Tensor

    def __init__(self, e: Tensor, d: int, history: History) -> None:
        super().__init__()
        self.register_buffer("e", e)
        self.w = nn.Parameter(torch.zeros(2 * e.shape[1]))

    def forward(self, u: Tensor, v: Tensor, p: Tensor, i: Tensor, j: Tensor) -> Tensor:
        """(B,)."""
        return torch.cat([p, self.e[j]], dim=1) @ self.w


class Bilinear(nn.Module):
    """p' W e_j, W (d_t, d_t)."""

    e: Tensor

    def __init__(self, e: Tensor, d: int, history: History) -> None:
        super().__init__()
        self.register_buffer("e", e)
        self.W = nn.Parameter(torch.zeros(e.shape[1], e.shape[1]))

    def forward(self, u: Tensor, v: Tensor, p: Tensor, i: Tensor, j: Tensor) -> Tensor:
        """(B,)."""
        return ((p @ self.W) * self.e[j]).sum(dim=1)


class MLP(nn.Module):
    """A hidden layer of 32 over [u; v; p; e_j; p * e_j]."""

    e: Tensor

    def __init__(self, e: Tensor, d: int, history: History) -> None:
        super().__init__()
        self.register_buffer("e", e)
        self.layers = nn.Sequential(nn.Linear(2 * d + 3 * e.shape[1], 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, u: Tensor, v: Tensor, p: Tensor, i: Tensor, j: Tensor) -> Tensor:
        """(B,)."""
        e_j = self.e[j]
        return self.layers(torch.cat([u, v, p, e_j, p * e_j], dim=1))[:, 0]


class Attention(nn.Module):
    """scale * sum_l a_l (r_il - mean_i) over the items l that user i has rated, with e_j as the query.

    a = softmax over l of heat * (Q e_j) · (K e_l). The item j itself is never among the l: a training pair would find
    its own answer there. (mean_i still holds it, as one of many.) One "empty" item with the logit 0 takes the weight
    when nothing in the history answers the query.
    """

    e: Tensor
    items: Tensor
    deviations: Tensor

    def __init__(self, e: Tensor, d: int, history: History) -> None:
        super().__init__()
        self.register_buffer("e", e)
        self.register_buffer("items", history[0])
        self.register_buffer("deviations", history[1])
        self.Q, self.K = (nn.Parameter(torch.eye(e.shape[1])) for _ in range(2))
        self.heat, self.scale = nn.Parameter(torch.tensor(5.0)), nn.Parameter(torch.tensor(0.5))

    def weights(self, i: Tensor, j: Tensor) -> Tensor:
        """a (B, H): the share of each place of user i's history; 0 for j itself and where the history has ended."""
        answers = self.heat * (self.e[j] @ self.Q) @ (self.e @ self.K).T  # (B, n_items)
        items = self.items[i]  # (B, H)
        logits = answers.gather(1, items.clamp(min=0))
        logits = logits.masked_fill((items < 0) | (items == j[:, None]), -torch.inf)
        return torch.softmax(torch.cat([logits, logits.new_zeros(len(j), 1)], dim=1), dim=1)[:, :-1]

    def forward(self, u: Tensor, v: Tensor, p: Tensor, i: Tensor, j: Tensor) -> Tensor:
        """(B,)."""
        return self.scale * (self.weights(i, j) * self.deviations[i]).sum(dim=1)


Build = Callable[[Tensor, int, History], nn.Module]
WAYS: dict[str, Build] = {"concat": Concat, "bilinear": Bilinear, "mlp": MLP, "attention": Attention}


def way(name: str, e: Tensor, d: int, history: History) -> nn.Module | None:
    """The module called ``name``; None for "product". CourseError for a name that there is not.

    e: (n_items, d_t). d: length of u and v, ≥ 1. history: what the users have rated; only "attention" reads it.
    """
    d = COUNT("d", d)
    choice("way of fusion", name, ("product", *WAYS))
    return None if name == "product" else WAYS[name](e, d, history)


def text_neighbours(e: np.ndarray, n: int) -> Tensor:
    """S (n_items, n_items), sparse: row j holds 1/n at the n ≥ 1 items whose texts are nearest to e_j by cosine."""
    n, e = COUNT("n", n), array("Text vectors", e, ndim=2, keep=True)
    if not len(e):
        raise CourseError("There are no text vectors.")
    cosine = unit(e) @ unit(e).T
    np.fill_diagonal(cosine, -np.inf)
    nearest = np.argsort(-cosine, axis=1, kind="stable")[:, :n]
    where = torch.tensor(np.stack([np.repeat(np.arange(len(e)), nearest.shape[1]), nearest.ravel()]))
    share = torch.full((where.shape[1],), 1 / nearest.shape[1])
    return torch.sparse_coo_tensor(where, share, (len(e), len(e)), check_invariants=True).coalesce()


def histories(train: Interactions) -> History:
    """(n_users, H) each, H the longest history: the items of each user, -1 after the last, and rating minus mean."""
    R = train.matrix("rating")
    n = np.diff(R.indptr)
    places = np.arange(len(R.data)) - np.repeat(R.indptr[:-1], n)  # 0, 1, 2, ... within each user
    items, left = np.full((len(n), n.max()), -1), np.zeros((len(n), n.max()), dtype=np.float32)
    users, mean = np.repeat(np.arange(len(n)), n), np.asarray(R.sum(axis=1)).ravel() / np.maximum(n, 1)
    items[users, places], left[users, places] = R.indices, R.data - mean[users]
    return torch.from_numpy(items), torch.from_numpy(left)
