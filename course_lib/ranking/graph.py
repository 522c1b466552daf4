"""The user–item graph and what flows over it: one sparse product behind every rule of propagation.

Nodes are all users, then all items: node u is user u, node n_users + j is item j, n = n_users + n_items.
A (n, n) is the symmetric adjacency with an edge where user and item meet in the training part, D the diagonal
matrix of degrees, Â = D^-1/2 A D^-1/2. H (n, d) holds one vector a node. Three rules for the next layer:

    as printed in the article      H' = ReLU(D H + A H)            grows without bound
    Kipf & Welling (2017)          H' = ReLU(Â H W), with loops    the spectrum of Â lies in [-1, 1]
    LightGCN (He et al. 2020)      H' = Â H, answer: mean of all layers

Kipf & Welling, Semi-supervised classification with graph convolutional networks, ICLR 2017.
He, Deng, Wang, Li, Zhang, Wang, LightGCN: simplifying and powering graph convolution network, SIGIR 2020.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch.nn import Parameter
from torch.nn.functional import softplus

from course_lib.data.interactions import Interactions
from course_lib.device import one_thread
from course_lib.errors import CourseError
from course_lib.inputs import COUNT, NATURAL, NOT_NEGATIVE, RATE, SEED, choice, matrix, settings
from course_lib.ranking.checks import checked, known, or_popular

Loss = Literal["softmax", "bpr"]
LOSSES: tuple[str, ...] = get_args(Loss)
Watch = Callable[[int, Any], None]  # called with the step's number and the model after every step of training


# ── the graph ────────────────────────────────────────────────────────────────────────────────────────────────
def bipartite(train: Interactions) -> sp.csr_matrix:
    """A (n, n): 1 between a user and each item of hers in ``train``, and nowhere else; symmetric."""
    R = train.matrix()
    return sp.csr_matrix(sp.block_array([[None, R], [R.T, None]]))


def degree(A: sp.csr_matrix) -> sp.csr_matrix:
    """D (n, n): the number (weight) of edges of each node on the diagonal."""
    A = matrix("A", A)
    return sp.csr_matrix(sp.diags_array(np.asarray(A.sum(axis=1)).ravel()))


def normalise(A: sp.csr_matrix, loops: bool = False) -> sp.csr_matrix:
    """Â = D^-1/2 A D^-1/2; with ``loops`` of A + I, so that a node hears itself. A node without edges keeps zeros."""
    A = matrix("A", A)
    A = A + sp.eye_array(A.shape[0]) if loops else A
    d = np.asarray(A.sum(axis=1)).ravel()
    scale = sp.diags_array(np.divide(1, np.sqrt(d), out=np.zeros(len(d)), where=d > 0))
    return sp.csr_matrix(scale @ A @ scale)


def sparse(A: sp.csr_matrix, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> Tensor:
    """A as a sparse CSR tensor for ``propagate``; CourseError unless A is symmetric, as its gradient needs it."""
    A = matrix("A", A)
    if A.shape[0] != A.shape[1]:
        raise CourseError(f"propagate needs a square matrix; this one is {A.shape}.")
    difference = abs(A - A.T)
    if difference.nnz and difference.max() > 1e-9:
        raise CourseError("propagate needs a symmetric matrix: normalise with D^-1/2 A D^-1/2, not with D^-1 A.")
    A = sp.csr_matrix(A)
    A.sort_indices()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse")  # torch calls its CSR format beta
        parts = (torch.from_numpy(A.indptr.astype(np.int32)), torch.from_numpy(A.indices.astype(np.int32)))
        values = torch.from_numpy(A.data).to(dtype)
        return torch.sparse_csr_tensor(*parts, values, size=A.shape, check_invariants=True).to(device)


class Propagate(torch.autograd.Function):
    """A H for a symmetric sparse A. Its gradient is A' G = A G: the same fast product, and no transposed copy of A."""

    @staticmethod
    def forward(ctx: Any, A: Tensor, H: Tensor) -> Tensor:
        """A (n, n) times H (n, d)."""
        ctx.A = A
        return A @ H

    @staticmethod
    def backward(ctx: Any, *G: Tensor) -> tuple[None, Tensor]:
        """The gradient with respect to H; A is fixed."""
        return None, propagate(ctx.A, G[0].contiguous())


def propagate(A: Tensor, H: Tensor) -> Tensor:
    """A H: every node gets the weighted sum of its neighbours' vectors. A from ``sparse``, H (n, d)."""
    return Propagate.apply(A, H)


# ── the rules ────────────────────────────────────────────────────────────────────────────────────────────────
def printed_layer(A: Tensor, D: Tensor, H: Tensor) -> Tensor:
    """ReLU(D H + A H), the rule as the article prints it."""
    return torch.relu(propagate(D, H) + propagate(A, H))


def kipf_welling_layer(A_hat: Tensor, H: Tensor, W: Tensor) -> Tensor:
    """ReLU(Â H W), A_hat normalised with loops, W (d, d')."""
    return torch.relu(propagate(A_hat, H @ W))


def lightgcn(A_hat: Tensor, E: Tensor, L: int) -> Tensor:
    """(E + Â E + ... + Â^L E) / (L + 1), L ≥ 0: no weights, no ReLU, only the graph."""
    L = NATURAL("L", L)
    H, total = E, E
    for _ in range(L):
        H = propagate(A_hat, H)
        total = total + H
    return total / (L + 1)


def path_weights(train: Interactions, user: int, item: int) -> np.ndarray:
    """Weight of all walks user → j → anybody → item, for each item j: Â_uj (Â Â)_jitem, (n_items,).

    Their sum is entry (user, item) of Â³: what three layers carry from the item to the user. The largest weight
    belongs to the liked item that explains the recommendation best, as far as the graph alone explains it.
    """
    known(np.array([user]), train.n_users)
    known(np.array([item]), train.n_items, "item")
    A_hat = normalise(bipartite(train))
    to_user = A_hat[[user], :].toarray()[0]
    two_steps = (A_hat @ A_hat[:, [train.n_users + item]]).toarray()[:, 0]
    return (to_user * two_steps)[train.n_users :]


# ── training ─────────────────────────────────────────────────────────────────────────────────────────────────
def softmax_loss(Z: Tensor, A: Tensor, d: Tensor, n_users: int) -> Tensor:
    """Mean over the edges (u, j) of -log p_uj, with p_u = softmax over all items of z_u · z_j.

    A: the plain adjacency, d (n_users,): its users' degrees. The sum of z_u · z_j over all edges is half of
    sum(Z * A Z), one more sparse product, so no dense table of who liked what is needed.
    """
    log_partition = torch.logsumexp(Z[:n_users] @ Z[n_users:].T, dim=1)  # (n_users,)
    return (d @ log_partition - (Z * propagate(A, Z)).sum() / 2) / d.sum()


def bpr_loss(Z: Tensor, u: Tensor, i: Tensor, j: Tensor) -> Tensor:
    """Mean of -log sigmoid(z_u · (z_i - z_j)): the user's node u prefers node i to node j (Rendle et al. 2009)."""
    z_u, z_i, z_j = (Z.index_select(0, nodes) for nodes in (u, i, j))  # Z[u] says the same; its gradient is slower
    return softplus(-(z_u * (z_i - z_j)).sum(dim=1)).mean()


def sample_triples(R: sp.csr_matrix, batch: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """``batch`` triples of nodes (u, i, j): a random edge (u, i) and a random item j without an edge to u."""
    n_users, n_items = R.shape
    edge = rng.integers(R.nnz, size=batch)
    u, i = np.searchsorted(R.indptr, edge, side="right") - 1, R.indices[edge]
    j = rng.integers(n_items, size=batch)
    liked = np.arange(batch)
    for _ in range(20):  # a user with nearly every item may keep a liked one: rare, and harmless
        liked = liked[np.asarray(R[u[liked], j[liked]]).ravel() > 0]
        if not len(liked):
            break
        j[liked] = rng.integers(n_items, size=len(liked))
    return u, n_users + i, n_users + j


def descend(
    embed: Callable[[], Tensor],
    parameters: Sequence[Parameter],
    train: Interactions,
    *,
    loss: Loss,
    lam: float,
    lr: float,
    steps: int,
    batch: int,
    seed: int,
    after: Callable[[int], None],
    decay: bool = False,
    also: Callable[[Tensor], Tensor] | None = None,
) -> list[float]:
    """Fit ``parameters`` by Adam so that ``embed()``, Z (n, d), ranks each user's items high; the loss of each step.

    "softmax": every step sees all users and all items. "bpr": every step sees ``batch`` triples. Both add lam
    times the mean squared length of the rows of ``parameters[0]`` (for "bpr" of the triples' rows). ``decay``: the
    learning rate falls in a straight line to zero, which calms networks that never settle otherwise. ``also(Z)``: a
    further loss, added to the first. CourseError where the loss, or what is learned, is not finite.
    """
    E, R, rng = parameters[0], train.matrix(), np.random.default_rng(seed)
    A = sparse(bipartite(train), E.device)
    d = torch.from_numpy(np.diff(R.indptr)).to(E)
    optimiser, losses = torch.optim.Adam(parameters, lr), []
    with one_thread():
        for step in range(1, steps + 1):
            for group in optimiser.param_groups:
                group["lr"] = lr * (1 - (step - 1) / steps if decay else 1)
            Z = embed()
            if loss == "softmax":
                value = softmax_loss(Z, A, d, train.n_users) + lam * E.square().sum(dim=1).mean()
            else:
                u, i, j = (torch.from_numpy(nodes).to(E.device) for nodes in sample_triples(R, batch, rng))
                value = bpr_loss(Z, u, i, j) + lam * E.index_select(0, torch.cat([u, i, j])).square().sum(dim=1).mean()
            value = value + also(Z) if also else value
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
            losses.append(value.item())
            if not np.isfinite(losses[-1]):
                raise CourseError(
                    f"The loss is {losses[-1]} at step {step}: training diverged; lower the learning rate."
                )
            after(step)
    with torch.no_grad():
        if not bool(embed().square().sum().isfinite()):
            raise CourseError(
                "The vectors of the last step are not finite: training diverged; lower the learning rate."
            )
    return losses


def on(device: torch.device | str) -> torch.device:
    """``device``, or the CPU where torch has no sparse product for it (mps)."""
    return torch.device("cpu" if torch.device(device).type == "mps" else device)


# ── the recommenders ─────────────────────────────────────────────────────────────────────────────────────────
@dataclass
class LightGCN:
    """s_uj = z_u · z_j with Z = (E + Â E + ... + Â^L E) / (L + 1); only E (n, d) is learned.

    Defaults were chosen on the validation part of the random split of MovieLens-100K. With loss="bpr" a step is a
    batch: take lr=0.001, lam=1e-4 and several thousand steps. d, batch ≥ 1; L, lam, steps, seed ≥ 0; lr > 0.
    """

    d: int = 64
    L: int = 3
    loss: Loss = "softmax"
    lam: float = 0.03
    lr: float = 0.05
    steps: int = 200
    batch: int = 2048
    seed: int = 0
    device: torch.device | str = "cpu"

    def __post_init__(self) -> None:
        settings(self, d=COUNT, L=NATURAL, lam=NOT_NEGATIVE, lr=RATE, steps=NATURAL, batch=COUNT, seed=SEED)
        choice("loss", self.loss, LOSSES)

    def fit(self, train: Interactions, watch: Watch | None = None) -> Self:
        """Learn E from the edges of ``train``. ``watch(step, model)`` is called after every step; it may ``score``."""
        self.X_ = checked(train).matrix()
        self.popularity_ = np.asarray(self.X_.sum(axis=0)).ravel()
        device = on(self.device)
        self.A_hat_ = sparse(normalise(self.adjacency(train)), device)
        start = np.random.default_rng(self.seed).normal(scale=0.1, size=(self.A_hat_.shape[0], self.d))
        self.E_ = Parameter(torch.from_numpy(start).float().to(device))
        self.losses_ = descend(
            self.embed, [self.E_, *self.learned()], train, loss=self.loss, lam=self.lam, lr=self.lr, steps=self.steps,
            batch=self.batch, seed=self.seed, also=self.also, after=lambda step: watch(step, self) if watch else None,
        )  # fmt: skip
        return self

    # What variants change: a further loss of Z, further parameters, the graph.
    also: ClassVar[Callable[[Any, Tensor], Tensor] | None] = None

    def learned(self) -> list[Parameter]:
        """Parameters beside E."""
        return []

    def adjacency(self, train: Interactions) -> sp.csr_matrix:
        """A (n, n): users, then items, then what a variant adds."""
        return bipartite(train)

    def embed(self) -> Tensor:
        """Z (n, d): users first."""
        return lightgcn(self.A_hat_, self.E_, self.L)

    def score(self, users: np.ndarray) -> np.ndarray:
        """Z_u Z_j', (len(users), n_items); popularity for a user without an edge."""
        return dot_scores(self.embed(), users, self.X_, self.popularity_)


def dot_scores(Z: Tensor, users: np.ndarray, X: sp.csr_matrix, popularity: np.ndarray) -> np.ndarray:
    """z_u · z_j of ``users`` and all items, (len(users), n_items); ``popularity`` for users whose row in X is empty."""
    users, Z = known(users, X.shape[0]), Z.detach()
    scores = (Z[torch.from_numpy(users).to(Z.device)] @ Z[X.shape[0] :].T).cpu().double().numpy()
    return or_popular(scores, X[users], popularity)
