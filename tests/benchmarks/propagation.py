"""Propagation over the user–item graph: an epoch of LightGCN against its peers, and what more edges cost.

An epoch is 22 batches of 2,048 triples, 3 layers, 64 wide, on the training part of MovieLens-100K (protocol P1), one
thread. Ours draws its triples within its time; the peers get the same ones for nothing.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import scipy.sparse as sp
import torch
from runner import Row, in_turns, main, row
from torch.nn.functional import softplus

from course_lib.data import movielens, splits
from course_lib.device import one_thread
from course_lib.ranking import graph

BATCHES, BATCH, LAYERS, D, EPOCHS, LAM, LR = 22, 2048, 3, 64, 3, 1e-4, 1e-3
EDGES, NODES = (100_000, 1_000_000, 10_000_000), 100_000
Embed = Callable[[torch.Tensor], torch.Tensor]


# ── an epoch ─────────────────────────────────────────────────────────────────────────────────────────────────
def epochs() -> list[Row]:
    """Seconds an epoch, ways in turns; AssertionError if ways with the same loss end in other vectors than ours."""
    train = splits.random_per_user(movielens.positives(movielens.load_ratings()), seed=0).train
    model = graph.LightGCN(d=D, L=LAYERS, loss="bpr", lam=LAM, lr=LR, steps=BATCHES * EPOCHS, batch=BATCH)
    rng = np.random.default_rng(model.seed)
    triples = [graph.sample_triples(train.matrix(), BATCH, rng) for _ in range(BATCHES * EPOCHS)]
    batches = [tuple(map(torch.from_numpy, triple)) for triple in triples]
    A_hat = graph.normalise(graph.bipartite(train)).astype(np.float32)
    start = torch.from_numpy(np.random.default_rng(model.seed).normal(scale=0.1, size=(A_hat.shape[0], D))).float()

    def trained(embed: Embed) -> torch.Tensor:
        E = torch.nn.Parameter(start.clone())
        optimiser = torch.optim.Adam([E], LR)
        for u, i, j in batches:
            Z = embed(E)
            loss = softplus(-(Z[u] * (Z[i] - Z[j])).sum(dim=1)).mean()  # as one writes it, and as PyG's own model does
            loss = loss + LAM * E[torch.cat([u, i, j])].square().sum(dim=1).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        return embed(E).detach()

    peers = {
        "torch, COO matrix": coo(A_hat),
        "torch_geometric, CSR matrix": pyg_csr(A_hat),
        "torch_geometric, edge_index": pyg_edges(A_hat),
    }
    ways: dict[str, Callable[[], torch.Tensor | None]] = {"course_lib": lambda: model.fit(train).embed().detach()}
    ways |= {name: lambda embed=embed: trained(embed) for name, embed in peers.items()}
    ways["RecBole 1.2.1"] = recbole(train, triples)
    with one_thread():
        seconds, vectors = in_turns(ways, rounds=5)
    for name in peers:
        difference = float((vectors[name] - vectors["course_lib"]).abs().max())
        print(f"{name}: largest difference in a number of a trained vector {difference:.1e}")
        assert difference <= 2e-3, f"vectors of {name} differ by {difference:.1e}"
    return [row(name, s / EPOCHS, "s", ours=name == "course_lib", higher=False) for name, s in seconds.items()]


def mean_of_layers(E: torch.Tensor, step: Embed) -> torch.Tensor:
    """(E + step(E) + step(step(E)) + ...) / (LAYERS + 1)."""
    H, total = E, E
    for _ in range(LAYERS):
        H = step(H)
        total = total + H
    return total / (LAYERS + 1)


def coo(A_hat: sp.csr_matrix) -> Embed:
    """Plain torch, as most public code has it."""
    M = sp.coo_matrix(A_hat)
    A = torch.sparse_coo_tensor(np.stack([M.row, M.col]), M.data, M.shape, check_invariants=True).coalesce()
    return lambda E: mean_of_layers(E, lambda H: torch.sparse.mm(A, H))


def pyg_csr(A_hat: sp.csr_matrix) -> Embed:
    """LGConv on a matrix that is normalised already: the fastest that torch_geometric's manual offers."""
    from torch_geometric.nn import LGConv

    layer = LGConv(normalize=False)
    parts = (torch.from_numpy(A_hat.indptr).long(), torch.from_numpy(A_hat.indices).long())
    A = torch.sparse_csr_tensor(*parts, torch.from_numpy(A_hat.data), size=A_hat.shape)
    return lambda E: mean_of_layers(E, lambda H: layer(H, A))


def pyg_edges(A_hat: sp.csr_matrix) -> Embed:
    """torch_geometric's own LightGCN on a list of edges, the form of its examples."""
    from torch_geometric.nn import LightGCN

    M = sp.coo_matrix(A_hat)
    edges = torch.from_numpy(np.stack([M.row, M.col])).long()
    model = LightGCN(A_hat.shape[0], D, LAYERS)
    return lambda E: mean_of_layers(E, lambda H: model.convs[0](H, edges))


def recbole(train, triples: list) -> Callable[[], None]:
    """RecBole's LightGCN with its own loss; its data loader, which takes longer, is left out."""
    from recbole.model.general_recommender.lightgcn import LightGCN

    sp.dok_matrix._update = lambda M, values: M._dict.update(values)  # scipy took away what RecBole relies on
    names = {"USER_ID_FIELD": "u", "ITEM_ID_FIELD": "i", "NEG_PREFIX": "n", "device": "cpu"}
    config = names | {"embedding_size": D, "n_layers": LAYERS, "reg_weight": LAM, "require_pow": True}
    sizes = {"u": train.n_users, "i": train.n_items}
    data = SimpleNamespace(inter_matrix=lambda form: sp.coo_matrix(train.matrix()), num=sizes.get)
    model, n = LightGCN(config, data), train.n_users
    batches = [{"u": torch.from_numpy(u), "i": torch.from_numpy(i - n), "ni": torch.from_numpy(j - n)}
               for u, i, j in triples]  # fmt: skip

    def train_it() -> None:
        optimiser = torch.optim.Adam(model.parameters(), LR)
        for batch in batches:
            optimiser.zero_grad()
            model.calculate_loss(batch).backward()
            optimiser.step()

    return train_it


# ── more edges ───────────────────────────────────────────────────────────────────────────────────────────────
WAYS = {"course_lib": "ours", "torch, COO matrix": "coo", "torch_geometric, edge_index": "edges"}


def measure(way: str, n_edges: int) -> None:
    """In a process of its own: seconds of one product and its gradient, 64 wide, and the peak of memory; as JSON."""
    rng, half = np.random.default_rng(0), NODES // 2
    ends = (rng.integers(half, size=n_edges), rng.integers(half, size=n_edges))
    R = sp.csr_matrix((np.ones(n_edges, dtype=np.float32), ends), shape=(half, half))
    A_hat = graph.normalise(sp.csr_matrix(sp.block_array([[None, R], [R.T, None]]))).astype(np.float32)
    if way == "ours":
        A = graph.sparse(A_hat)
        step: Embed = lambda H: graph.propagate(A, H)  # noqa: E731
    elif way == "coo":
        M = sp.coo_matrix(A_hat)
        C = torch.sparse_coo_tensor(np.stack([M.row, M.col]), M.data, M.shape, check_invariants=True).coalesce()
        step = lambda H: torch.sparse.mm(C, H)  # noqa: E731
    else:
        from torch_geometric.nn import LGConv

        M, layer = sp.coo_matrix(A_hat), LGConv(normalize=False)
        edges, weight = torch.from_numpy(np.stack([M.row, M.col])).long(), torch.from_numpy(M.data)
        step = lambda H: layer(H, edges, weight)  # noqa: E731
    H, best = torch.randn(NODES, D, requires_grad=True), float("inf")
    with one_thread():
        for _ in range(3 if n_edges > 5_000_000 else 7):
            started = time.perf_counter()
            step(H).sum().backward()
            best = min(best, time.perf_counter() - started)
    scale = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in KiB elsewhere
    print(json.dumps({"seconds": best, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 1e6}))


@cache
def against_edges() -> dict[str, list[dict[str, float]]]:
    """{system: [{"seconds", "mb"} of each number of edges]}; one that did not fit into memory ends its list."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in WAYS}
    for n_edges in EDGES:
        for name, way in WAYS.items():
            command = [sys.executable, str(Path(__file__)), "measure", way, str(n_edges)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode and name == "course_lib":
                raise RuntimeError(f"{n_edges:,} edges: {done.stderr.strip().splitlines()[-1:]}")
            if not done.returncode:
                found[name].append(json.loads(done.stdout))
            print(f"{name}, {n_edges:,} edges: {done.stdout.strip() or f'ended with {done.returncode}'}", flush=True)
    return found


def slope() -> list[Row]:
    """Slope of log seconds against log edges, least squares over 1e5, 1e6, 1e7: 1 is a time that is proportional."""
    whole = {name: points for name, points in against_edges().items() if len(points) == len(EDGES)}
    rise = {
        name: np.polyfit(np.log(EDGES), np.log([p["seconds"] for p in points]), 1)[0] for name, points in whole.items()
    }
    return [row(name, value, "slope", ours=name == "course_lib", higher=False) for name, value in rise.items()]


def largest() -> list[Row]:
    """Peak memory of the process with 1e7 edges, which also builds and normalises the graph."""
    whole = {name: points[-1] for name, points in against_edges().items() if len(points) == len(EDGES)}
    return [row(name, point["mb"], "MB", ours=name == "course_lib", higher=False) for name, point in whole.items()]


BENCHES = {"lightgcn_epoch_seconds": epochs, "propagation_slope": slope, "propagation_peak_rss_mb": largest}

if __name__ == "__main__":
    if sys.argv[1] == "measure":
        measure(sys.argv[2], int(sys.argv[3]))
    else:
        main(BENCHES)
