"""Ratings and rankings from behaviour and text together: the sum over k, its gate, and a mix of rankings.

Letters: e_j (d_t,) is the text vector of item j, p_i (d_t,) the text profile of user i, t_ij = p_i * e_j their
elementwise product, u_i and v_j (d,) the learned factors, w_k (d_t,) the K text weights, alpha_k the K layer weights.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from course_lib.data.interactions import Interactions
from course_lib.device import one_thread
from course_lib.errors import CourseError
from course_lib.evaluation.protocol import Recommender
from course_lib.inputs import (
    COUNT,
    NOT_NEGATIVE,
    RATE,
    SEED,
    all_finite,
    array,
    number,
    settings,
)
from course_lib.ranking.checks import checked, known, known_pairs
from course_lib.ranking.pair_text import PairText
from course_lib.ranking.retrieval import principal, vectors_of
from course_lib.ranking.ways import Attention, histories, text_neighbours, way


class FusionNet(nn.Module):
    """r_ij = mu + b_i + b_j + sum_k alpha_k (u_i . v_j + t_ij . w_k), with alpha_k a number or a gate alpha_k(i, j).

    With ``way``, a module of `ways`, its answer takes the place of the text's sum_k alpha_k t_ij . w_k.
    """

    def __init__(
        self, n_users: int, n_items: int, d: int, d_t: int, K: int, gate: bool, mu: float, way: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.U, self.V = nn.Parameter(0.1 * torch.randn(n_users, d)), nn.Parameter(0.1 * torch.randn(n_items, d))
        self.w = nn.Parameter(0.01 * torch.randn(K, d_t))
        self.b_i, self.b_j, self.mu = nn.Parameter(torch.zeros(n_users)), nn.Parameter(torch.zeros(n_items)), mu
        self.gated, self.K = gate, K
        self.alpha_k = nn.Parameter(torch.zeros(K) if gate else torch.full((K,), 1 / K))
        self.G, self.way = nn.Parameter(torch.zeros(2, K)) if gate else None, way

    def alpha(self, z: Tensor) -> Tensor:
        """(B, K) from z (B, 2), log activity of the user and log popularity of the item; without gate one row for all.

        The gate 2/K sigmoid(alpha_k + z G_k) starts at 1/K, where the sum starts too.
        """
        if self.G is None:
            return self.alpha_k.expand(len(z), -1)
        return 2 / self.K * torch.sigmoid(self.alpha_k + z @ self.G)

    def parts(self, i: Tensor, j: Tensor, t: Tensor, z: Tensor, p: Tensor) -> tuple[Tensor, Tensor]:
        """Both sums over k, in stars: sum_k alpha_k u_i . v_j and sum_k alpha_k t_ij . w_k, (B,) each."""
        alpha, u, v = self.alpha(z), self.U[i], self.V[j]
        text = (alpha * (t @ self.w.T)).sum(1) if self.way is None else self.way(u, v, p, i, j)
        return alpha.sum(1) * (u * v).sum(1), text

    def forward(self, i: Tensor, j: Tensor, t: Tensor, z: Tensor, p: Tensor) -> Tensor:
        """Ratings in stars, (B,)."""
        behaviour, text = self.parts(i, j, t, z, p)
        return self.mu + self.b_i[i] + self.b_j[j] + behaviour + text


@dataclass
class Fusion:
    """`FusionNet` trained on the known ratings by least squares.

    loss = sum (r_ij - r^_ij)^2 + lam (|U|^2 + |V|^2) + lam_b (|b_i|^2 + |b_j|^2) + lam_w |w|^2 + lam_n |V - S V|^2

    collaborative=False drops u_i . v_j, text=False drops t_ij . w_k, gate=True lets alpha depend on the pair. way:
    how text enters, one of "product", "concat", "bilinear", "mlp", "attention" (`ways`). lam_n > 0 pulls each item's
    vector towards the mean of the ``neighbours`` items with the most similar texts, S (n_items, n_items).
    K, d, d_t, neighbours, epochs, batch ≥ 1; lr, lam, lam_b, lam_w, lam_n, seed ≥ 0.
    """

    vectors: np.ndarray  # (n_items, any width), as they come from the encoder
    K: int = 1
    collaborative: bool = True
    text: bool = True
    gate: bool = False
    way: str = "product"
    d: int = 16
    d_t: int = 32
    lam: float = 25.0
    lam_b: float = 3.0
    lam_w: float = 100.0
    lam_n: float = 0.0
    neighbours: int = 20
    lr: float = 0.01
    epochs: int = 20
    batch: int = 1024
    seed: int = 0

    def __post_init__(self) -> None:
        settings(self, **dict.fromkeys(("K", "d", "d_t", "neighbours", "epochs", "batch"), COUNT), seed=SEED)
        settings(self, **dict.fromkeys(("lam", "lam_b", "lam_w", "lam_n", "lr"), NOT_NEGATIVE))
        self.vectors = array("Text vectors", self.vectors, ndim=2, keep=True)
        if self.lr:
            RATE("lr", self.lr)

    def fit(self, train: Interactions, valid: Interactions | None = None) -> Self:
        """Adam on shuffled batches, its step falling to zero; with ``valid`` the epoch best on it is kept."""
        train = checked(train)
        vectors = vectors_of(self.vectors, train)
        if valid is not None and not len(valid):
            raise CourseError("The validation part has no rows: check the split, or leave it out.")
        if self.gate and self.way != "product":
            raise CourseError(f"A gate weighs the K layers of the product; the way {self.way!r} has none: drop one.")
        e = principal(vectors, self.d_t)
        self.pair_text_ = PairText(e).fit(train)
        self.log_n_ = (np.log1p(np.bincount(train.user, minlength=train.n_users)),
                       np.log1p(np.bincount(train.item, minlength=train.n_items)))  # fmt: skip
        with torch.random.fork_rng(devices=[]), one_thread():
            torch.manual_seed(self.seed)
            mu, e_t = float(train.rating.mean()), torch.tensor(e, dtype=torch.float32)
            text = way(self.way, e_t, self.d, histories(train)) if self.text else None
            net = FusionNet(train.n_users, train.n_items, self.d, e.shape[1], self.K, self.gate, mu, text)
            self.net_ = self._without_unused(net)
            self.S_ = text_neighbours(e, self.neighbours) if self.lam_n else None
            self._train(train, valid)
        return self

    def _without_unused(self, net: FusionNet) -> FusionNet:
        """``net`` with the parameters of dropped terms at zero and frozen."""
        unused = ([] if self.collaborative else [net.U, net.V]) + ([] if self.text else [net.w])
        for parameter in unused:
            parameter.requires_grad_(False).zero_()
        return net

    def _train(self, train: Interactions, valid: Interactions | None) -> None:
        net, r = self.net_, torch.tensor(train.rating, dtype=torch.float32)
        inputs = self._inputs(train.user, train.item, train.rating)
        optimizer = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=self.lr)
        self.valid_rmse_: list[float] = []
        for epoch in range(self.epochs):
            optimizer.param_groups[0]["lr"] = self.lr * (1 - epoch / self.epochs)
            for rows in torch.randperm(len(r)).split(self.batch):
                loss = ((r[rows] - net(*(x[rows] for x in inputs))) ** 2).mean() + self._penalty() / len(r)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            with torch.no_grad():
                if not bool(loss.isfinite() & net(*(x[rows] for x in inputs)).isfinite().all()):
                    raise CourseError(f"The loss is not finite after epoch {epoch + 1}: training diverged; lower lr.")
            if valid is not None:
                error = valid.rating - self.predict(valid.user, valid.item)
                self.valid_rmse_.append(float(np.sqrt(np.mean(error**2))))
                if self.valid_rmse_[-1] == min(self.valid_rmse_):
                    best = deepcopy(net.state_dict())
        if valid is not None:
            net.load_state_dict(best)

    def _penalty(self) -> Tensor | float:
        net = self.net_
        text = [net.w] if net.way is None else list(net.way.parameters())
        factors, biases, weights = (
            sum((x**2).sum() for x in group) for group in ((net.U, net.V), (net.b_i, net.b_j), text)
        )
        apart = 0.0 if self.S_ is None else ((net.V - self.S_ @ net.V) ** 2).sum()
        return self.lam * factors + self.lam_b * biases + self.lam_w * weights + self.lam_n * apart

    def _inputs(self, users: np.ndarray, items: np.ndarray, ratings: np.ndarray | None = None) -> tuple[Tensor, ...]:
        """i (B,), j (B,), t (B, d_t), z (B, 2), p (B, d_t) of each pair. ``ratings`` as in `PairText.pairs`."""
        p = self.pair_text_.profiles(users, items, ratings)
        z = np.stack([self.log_n_[0][users] - 4, self.log_n_[1][items] - 4], axis=1)  # e^4 = 55: amid the data
        floats = (torch.tensor(x, dtype=torch.float32) for x in (p * self.pair_text_.e[items], z, p))
        return torch.tensor(users), torch.tensor(items), *floats

    def _pairs(self, users: np.ndarray, items: np.ndarray) -> tuple[Tensor, ...]:
        return self._inputs(*known_pairs(users, items, len(self.log_n_[0]), len(self.log_n_[1])))

    @torch.no_grad()
    def predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """The rating of each pair (users[m], items[m]) in stars, clipped to 1 ... 5, (len(users),)."""
        return self.net_(*self._pairs(users, items)).clamp(1, 5).numpy().astype(float)

    @torch.no_grad()
    def parts(self, users: np.ndarray, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What behaviour and what text add to the means, in stars, (len(users),) each."""
        behaviour, text = self.net_.parts(*self._pairs(users, items))
        return behaviour.numpy().astype(float), text.numpy().astype(float)

    @torch.no_grad()
    def alpha(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """alpha_k of each pair, (len(users), K)."""
        return self.net_.alpha(self._pairs(users, items)[3]).numpy().astype(float)

    @torch.no_grad()
    def attention(self, user: int, item: int) -> tuple[np.ndarray, np.ndarray]:
        """The items of the user's history and the weight of each for the rating of ``item``; way="attention" only."""
        if not isinstance(self.net_.way, Attention):
            raise CourseError(f"The way {self.way!r} weighs no history: fit a Fusion with way='attention'.")
        i, j = known(np.array([user]), len(self.log_n_[0])), known(np.array([item]), len(self.log_n_[1]), "item")
        items, a = self.net_.way.items[i[0]], self.net_.way.weights(torch.from_numpy(i), torch.from_numpy(j))[0]
        return items[items >= 0].numpy(), a[items >= 0].numpy()

    @torch.no_grad()
    def score(self, users: np.ndarray) -> np.ndarray:
        """Predicted ratings of all items, not clipped so that the order is kept, (len(users), n_items).

        The same numbers as pair by pair, but each w_k is folded into the items' texts first: p_i . (e_j * w_k).
        """
        net, users = self.net_, known(users, len(self.log_n_[0]))
        if net.way is not None:  # pair by pair, a user at a time
            items = np.arange(len(self.log_n_[1]))
            if not len(users):
                return np.zeros((0, len(items)))
            rows = (net(*self._inputs(np.full(len(items), user), items)) for user in users)
            return torch.stack(list(rows)).numpy().astype(float)
        p, e, z_i, z_j = (
            torch.tensor(x, dtype=torch.float32)
            for x in (self.pair_text_.profiles(users), self.pair_text_.e, self.log_n_[0][users] - 4, self.log_n_[1] - 4)
        )
        scores = net.mu + net.b_i[users, None] + net.b_j  # (B, n_items)
        for k in range(self.K):
            alpha = net.alpha_k[k]
            if net.G is not None:
                alpha = 2 / self.K * torch.sigmoid(alpha + z_i[:, None] * net.G[0, k] + z_j * net.G[1, k])
            scores += alpha * (net.U[users] @ net.V.T + p @ (e * net.w[k]).T)
        return scores.numpy().astype(float)

    def collapse(self) -> "Fusion":
        """The same scores from one layer: alpha = sum_k alpha_k and w = sum_k alpha_k w_k / alpha. Not for a gate.

        sum_k alpha_k (u.v + t.w_k) = (sum_k alpha_k) u.v + t.(sum_k alpha_k w_k) = alpha (u.v + t.w).
        """
        if self.gate:
            raise CourseError("A gated fusion does not collapse: its alpha differs from pair to pair.")
        one = deepcopy(self)
        one.K = one.net_.K = 1
        alpha, w = self.net_.alpha_k.data, self.net_.w.data
        one.net_.alpha_k = nn.Parameter(alpha.sum().reshape(1))
        one.net_.w = nn.Parameter((alpha @ w / alpha.sum()).reshape(1, -1))
        return one


@dataclass
class Mix:
    """s_u = sum_m weight_m z(s_u of model m), z = minus the mean, over the standard deviation of the user's own row.

    The mean and the deviation bring models with different units to one scale. Infinite scores are refused. A weight is
    any finite number.
    """

    models: Mapping[str, tuple[Recommender, float]]

    def __post_init__(self) -> None:
        if not self.models:
            raise CourseError("A mix wants a model at least: {name: (model, weight)}.")
        for name, (_, weight) in self.models.items():
            number(f"The weight of {name!r}", weight)

    def fit(self, train: Interactions) -> Self:
        """Fit every model."""
        for model, _ in self.models.values():
            model.fit(train)
        return self

    def score(self, users: np.ndarray) -> np.ndarray:
        """The weighted sum, (len(users), n_items)."""
        return np.sum([weight * zscore(model.score(users)) for model, weight in self.models.values()], axis=0)


def zscore(scores: np.ndarray) -> np.ndarray:
    """Each row minus its mean, divided by its standard deviation; a constant row becomes zeros."""
    scores = array("Scores", scores, ndim=2, keep=True, finite=False)
    all_finite("Only finite scores can be mixed; these", scores, "look for NaN or infinity in the models before mixing")
    if not scores.shape[1]:
        raise CourseError("There is no item to score.")
    deviation = scores.std(axis=1, keepdims=True)
    return np.divide(
        scores - scores.mean(axis=1, keepdims=True), deviation, out=np.zeros_like(scores), where=deviation > 0
    )
