import itertools

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.data import movielens, splits
from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError
from course_lib.evaluation.protocol import evaluate
from course_lib.ranking import graph
from course_lib.ranking.graph import LightGCN


def interactions(pairs: list[tuple[int, int]], n_users: int, n_items: int) -> Interactions:
    table = pd.DataFrame(pairs, columns=["user", "item"]).astype("int64")
    return Interactions(table.assign(rating=5.0, time=np.int64(0)), n_users, n_items)


def planted(seed: int, n_users: int = 60, n_items: int = 40, blocks: int = 4) -> Interactions:
    """Users and items in ``blocks`` groups; a user likes about 60 % of the items of her own group and no other."""
    rng = np.random.default_rng(seed)
    likes = (np.arange(n_users)[:, None] % blocks == np.arange(n_items) % blocks) & (rng.random((60, 40)) < 0.6)
    return interactions(list(zip(*np.nonzero(likes), strict=True)), n_users, n_items)


def random_adjacency(seed: int, n_users: int = 7, n_items: int = 5) -> sp.csr_matrix:
    rng = np.random.default_rng(seed)
    pairs = list(zip(*np.nonzero(rng.random((n_users, n_items)) < 0.4), strict=True))
    return graph.bipartite(interactions(pairs or [(0, 0)], n_users, n_items))


@pytest.fixture(scope="module")
def p1():
    return splits.random_per_user(movielens.positives(movielens.load_ratings()), seed=0)


# ── the graph ──
def test_adjacency_of_a_small_graph_is_the_one_drawn_by_hand():
    A = graph.bipartite(interactions([(0, 0), (0, 1), (1, 1)], n_users=2, n_items=3)).toarray()
    expected = np.zeros((5, 5))
    for u, j in [(0, 2), (0, 3), (1, 3)]:
        expected[u, j] = expected[j, u] = 1
    np.testing.assert_array_equal(A, expected)


def test_a_repeated_rating_is_one_edge():
    A = graph.bipartite(interactions([(0, 0), (0, 0)], 1, 1))
    assert A.max() == 1


def test_normalised_weight_is_one_over_the_root_of_both_degrees():
    A_hat = graph.normalise(graph.bipartite(interactions([(0, 0), (0, 1), (1, 1)], 2, 3))).toarray()
    assert A_hat[0, 2] == pytest.approx(1 / np.sqrt(2 * 1))
    assert A_hat[0, 3] == pytest.approx(1 / np.sqrt(2 * 2))
    assert not A_hat[4].any()  # the item nobody rated


@given(st.integers(0, 10_000))
def test_normalised_adjacency_never_stretches_and_plain_adjacency_does(seed):
    A = random_adjacency(seed)
    for loops in (False, True):
        eigenvalues = np.linalg.eigvalsh(graph.normalise(A, loops).toarray())
        assert np.abs(eigenvalues).max() == pytest.approx(1)
    assert np.abs(np.linalg.eigvalsh(A.toarray())).max() >= 1 - 1e-9


def test_test_edges_are_never_in_the_graph(p1):
    A = graph.bipartite(p1.train)
    assert A.nnz == 2 * len(p1.train)
    for part in (p1.valid, p1.test):
        assert not np.asarray(A[part.user, p1.train.n_users + part.item]).any()


# ── propagation ──
@given(st.integers(0, 10_000))
def test_propagation_equals_dense_linear_algebra(seed):
    A, H = random_adjacency(seed), torch.randn(12, 3, dtype=torch.float64)
    S = graph.sparse(A, dtype=torch.float64)
    np.testing.assert_allclose(graph.propagate(S, H).numpy(), A.toarray() @ H.numpy(), atol=1e-12)


@given(st.integers(0, 10_000))
def test_rules_equal_their_formulas_in_dense_linear_algebra(seed):
    A, rng = random_adjacency(seed), np.random.default_rng(seed)
    H, W = rng.normal(size=(12, 3)), rng.normal(size=(3, 2))
    A_hat, D = graph.normalise(A), graph.degree(A)
    a, a_hat, d = (graph.sparse(M, dtype=torch.float64) for M in (A, A_hat, D))
    h, w = torch.from_numpy(H), torch.from_numpy(W)
    dense, hat = A.toarray(), A_hat.toarray()
    np.testing.assert_allclose(graph.printed_layer(a, d, h), np.maximum(D.toarray() @ H + dense @ H, 0), atol=1e-12)
    np.testing.assert_allclose(graph.kipf_welling_layer(a_hat, h, w), np.maximum(hat @ H @ W, 0), atol=1e-12)
    np.testing.assert_allclose(graph.lightgcn(a_hat, h, 2), (H + hat @ H + hat @ hat @ H) / 3, atol=1e-12)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000))
def test_gradient_equals_autograd_through_the_dense_product(seed):
    A_hat = graph.normalise(random_adjacency(seed), loops=True)
    E = torch.from_numpy(np.random.default_rng(seed).normal(size=(12, 3))).requires_grad_()
    (graph.lightgcn(graph.sparse(A_hat, dtype=torch.float64), E, 3) ** 2).sum().backward()
    ours, E.grad = E.grad, None
    dense, H, total = torch.from_numpy(A_hat.toarray()), E, E
    for _ in range(3):
        H = dense @ H
        total = total + H
    ((total / 4) ** 2).sum().backward()
    np.testing.assert_allclose(ours, E.grad, atol=1e-12)


def test_gradient_passes_gradcheck_twice():
    S = graph.sparse(graph.normalise(random_adjacency(1)), dtype=torch.float64)
    H = torch.randn(12, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda X: graph.propagate(S, X) ** 2, H)
    assert torch.autograd.gradgradcheck(lambda X: graph.propagate(S, X) ** 2, H)


def test_matrix_that_is_not_symmetric_is_refused_since_its_gradient_would_be_wrong():
    A = random_adjacency(0)
    by_row = sp.diags_array(1 / np.maximum(np.asarray(A.sum(axis=1)).ravel(), 1)) @ A
    with pytest.raises(CourseError, match="symmetric"):
        graph.sparse(sp.csr_matrix(by_row))


def test_the_printed_rule_grows_each_layer_and_the_normalised_does_not(p1):
    A = graph.bipartite(p1.train)
    a, a_hat = graph.sparse(A), graph.sparse(graph.normalise(A))
    torch.manual_seed(0)
    for D in (graph.degree(A), graph.normalise(A)):  # both readings of the article's D
        H, norms, d = torch.randn(A.shape[0], 8), [], graph.sparse(D)
        for _ in range(4):
            H = graph.printed_layer(a, d, H)
            norms.append(float(H.norm()))
        assert min(b / a for a, b in itertools.pairwise(norms)) > 30
    H = torch.randn(A.shape[0], 8)
    assert graph.propagate(a_hat, H).norm() <= H.norm()


def test_path_weights_add_up_to_the_three_step_walk():
    train = planted(3)
    A_hat = graph.normalise(graph.bipartite(train)).toarray()
    weights = graph.path_weights(train, user=5, item=7)
    assert weights.sum() == pytest.approx(np.linalg.matrix_power(A_hat, 3)[5, 60 + 7])
    assert not weights[train.matrix()[5].toarray()[0] == 0].any()  # a path starts with an item of the user


# ── losses ──
@given(st.integers(0, 10_000))
def test_softmax_loss_is_the_mean_cross_entropy_of_the_edges(seed):
    A, Z = random_adjacency(seed), torch.randn(12, 3, dtype=torch.float64)
    d = torch.from_numpy(np.asarray(A.sum(axis=1)).ravel()[:7])
    log_p = torch.log_softmax(Z[:7] @ Z[7:].T, dim=1).numpy()
    u, j = np.nonzero(A.toarray()[:7, 7:])
    loss = graph.softmax_loss(Z, graph.sparse(A, dtype=torch.float64), d, n_users=7)
    assert float(loss) == pytest.approx(-log_p[u, j].mean())


def test_bpr_loss_of_equal_scores_is_log_two():
    Z = torch.ones(4, 2)
    assert float(graph.bpr_loss(Z, *torch.tensor([[0], [2], [3]]))) == pytest.approx(np.log(2))


def test_sampled_triples_are_an_edge_and_a_non_edge():
    train = planted(0)
    u, i, j = graph.sample_triples(train.matrix(), 5000, np.random.default_rng(0))
    A = graph.bipartite(train)
    assert np.asarray(A[u, i]).all() and not np.asarray(A[u, j]).any()
    assert len(set(zip(u, i, strict=True))) == len(train)  # every edge has its turn


# ── the recommender ──
@pytest.mark.parametrize("settings", [{"loss": "softmax"}, {"loss": "bpr", "lr": 0.01, "lam": 1e-4, "batch": 256}])
def test_lightgcn_learns_a_planted_block_graph_and_a_shuffled_one_stays_at_chance(settings):
    split = splits.random_per_user(planted(0), seed=0, valid=0.0, test=0.2)
    model = LightGCN(d=8, steps=100, **settings)
    chance = 10 / 36  # ten of the about 36 unseen items
    learned = evaluate({"m": model.fit(split.train)}, split).interval("m", "recall").mean
    assert learned > 0.95
    table = split.train.table.copy()
    table["item"] = np.random.default_rng(0).permutation(table["item"])
    shuffled = evaluate({"m": model.fit(Interactions(table, 60, 40))}, split).interval("m", "recall").mean
    assert shuffled == pytest.approx(chance, abs=0.12)


def test_same_seed_same_scores_and_another_seed_other_scores():
    train, users = planted(0), np.arange(60)
    first, again, other = (LightGCN(d=8, steps=5, seed=seed).fit(train).score(users) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


def test_user_without_edges_gets_popularity_and_an_isolated_item_a_finite_score():
    train = interactions([(0, 0), (1, 0), (1, 1)], n_users=3, n_items=3)
    scores = LightGCN(d=4, steps=3).fit(train).score(np.array([2, 0]))
    np.testing.assert_array_equal(scores[0], [2, 1, 0])
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("user", [-1, 60])
def test_unknown_user_is_one_sentence(user):
    with pytest.raises(CourseError, match=f"user id {user} is unknown"):
        LightGCN(d=4, steps=1).fit(planted(0)).score(np.array([user]))


def test_unknown_loss_and_divergence_are_one_sentence():
    with pytest.raises(CourseError, match="softmax"):
        LightGCN(d=4, steps=1, loss="hinge").fit(planted(0))
    with pytest.raises(CourseError, match="lower the learning rate"):
        LightGCN(d=4, steps=50, lr=1e30).fit(planted(0))


def test_watch_is_called_after_each_step_and_may_score():
    seen = []
    LightGCN(d=4, steps=3).fit(planted(0), watch=lambda step, m: seen.append((step, m.score(np.array([0])).shape)))
    assert seen == [(1, (1, 40)), (2, (1, 40)), (3, (1, 40))]


def test_lightgcn_reaches_its_anchor_on_p1_within_one_standard_error(p1):
    interval = evaluate({"LightGCN": LightGCN().fit(p1.train)}, p1).interval("LightGCN", "ndcg")
    assert interval.mean == pytest.approx(0.219, abs=0.007)
