import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.data import films
from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError
from course_lib.ranking import graph, knowledge
from course_lib.ranking.knowledge import Edges, KnowledgeGCN, LabelPropagation


def interactions(pairs, n_users: int, n_items: int) -> Interactions:
    table = pd.DataFrame(list(pairs), columns=["user", "item"]).astype("int64")
    return Interactions(table.assign(rating=5.0, time=np.int64(0)), n_users, n_items)


def edges(n_items: int, of: dict[str, list[tuple[int, int]]]) -> dict[str, Edges]:
    found = {}
    for kind, pairs in of.items():
        T = sp.csr_matrix(
            (np.ones(len(pairs)), tuple(np.transpose(pairs))), shape=(n_items, 1 + max(e for _, e in pairs))
        )
        found[kind] = Edges(T, [f"{kind} {e}" for e in range(T.shape[1])])
    return found


def blocks(n_users: int = 40, n_items: int = 24, cold: int = 4):
    """Users like items of their parity, which is an item's genre; ``cold`` items have no user."""
    rng = np.random.default_rng(0)
    likes = (np.arange(n_users)[:, None] % 2 == np.arange(n_items) % 2) & (rng.random((n_users, n_items)) < 0.7)
    likes[:, n_items - cold :] = False
    kinds = edges(n_items, {"genre": [(j, j % 2) for j in range(n_items)]})
    return interactions(zip(*np.nonzero(likes), strict=True), n_users, n_items), kinds


SMALL = interactions([(0, 0), (1, 0), (1, 1)], 2, 3)
FACTS = edges(3, {"genre": [(0, 0), (2, 0)], "person": [(1, 0)]})


# ── the graph ──
def test_adjacency_of_a_small_graph_is_the_one_drawn_by_hand():
    A = knowledge.adjacency(SMALL.matrix(), FACTS, {"genre": 2.0}).toarray()
    expected = np.zeros((7, 7))
    for a, b, weight in [(0, 2, 1), (1, 2, 1), (1, 3, 1), (2, 5, 2), (4, 5, 2), (3, 6, 1)]:
        expected[a, b] = expected[b, a] = weight
    np.testing.assert_array_equal(A, expected)


def test_a_weight_of_zero_leaves_the_plain_graph():
    A = knowledge.adjacency(SMALL.matrix(), FACTS, {"genre": 0, "person": 0})
    assert A.nnz == 2 * len(SMALL)
    np.testing.assert_array_equal(A[:5, :5].toarray(), graph.bipartite(SMALL).toarray())


@pytest.mark.parametrize(
    ("weights", "words"),
    [({"actor": 1.0}, "types of edge are genre, person"), ({"genre": -1.0}, "weight of 'genre' is at least 0; got -1")],
)
def test_wrong_weights_are_one_sentence(weights, words):
    with pytest.raises(CourseError, match=words):
        knowledge.adjacency(SMALL.matrix(), FACTS, weights)


def test_edges_of_another_catalogue_are_one_sentence():
    with pytest.raises(CourseError, match="genre edges are of 3 films, the ratings of 4"):
        knowledge.adjacency(sp.csr_matrix((2, 4)), FACTS, {})


def test_the_catalogue_gives_three_types_of_edge_and_somebody_with_two_jobs_is_one_entity():
    kinds = knowledge.knowledge(films.load_catalogue())
    assert list(kinds) == ["genre", "person", "country"]
    assert all(of.T.shape == (1682, len(of.names)) and of.T.max() == 1 for of in kinds.values())
    assert kinds["person"].names.count("Woody Allen") == 1
    assert np.asarray(kinds["person"].T.sum(axis=0)).min() >= 2


# ── label propagation ──
def test_labels_after_one_step_are_the_mean_of_here_and_there():
    model = LabelPropagation(FACTS, alpha=0.5, steps=1).fit(SMALL)
    A_hat = graph.normalise(knowledge.adjacency(SMALL.matrix(), FACTS, {})).toarray()
    Y = np.zeros(7)
    Y[2] = 1
    np.testing.assert_allclose(model.score(np.array([0]))[0], (0.5 * A_hat @ Y + 0.5 * Y)[2:5])


@given(st.floats(0, 1), st.integers(0, 6))
def test_labels_equal_dense_linear_algebra_and_a_new_person_gets_what_a_user_gets(alpha, steps):
    model = LabelPropagation(FACTS, alpha=alpha, steps=steps).fit(SMALL)
    A_hat, Y = model.A_hat_.toarray(), np.zeros((7, 2))
    Y[2:5] = SMALL.matrix().T.toarray()
    F = Y
    for _ in range(steps):
        F = alpha * A_hat @ F + (1 - alpha) * Y
    np.testing.assert_allclose(model.score(np.arange(2)), F[2:5].T, atol=1e-12)
    np.testing.assert_array_equal(model.spread(SMALL.matrix()), model.score(np.arange(2)))


def test_a_cold_film_is_reached_over_its_genre_and_not_without_it():
    users = np.array([0])
    assert LabelPropagation(FACTS).fit(SMALL).score(users)[0, 2] > 0
    assert LabelPropagation().fit(SMALL).score(users)[0, 2] == 0


def test_user_without_films_gets_popularity():
    np.testing.assert_array_equal(
        LabelPropagation(FACTS).fit(interactions([(0, 0), (1, 0), (1, 1)], 3, 3)).score(np.array([2]))[0], [2, 1, 0]
    )


# ── LightGCN on it ──
def test_cold_films_find_the_users_of_their_genre_and_shuffled_genres_do_not():
    train, kinds = blocks()
    cold, users = np.arange(20, 24), np.arange(40)
    right = np.arange(40)[:, None] % 2 == cold % 2

    def advantage(of: dict[str, Edges]) -> float:
        scores = KnowledgeGCN(d=8, steps=60, edges=of).fit(train).score(users)[:, cold]
        return np.mean([np.mean(s[r]) > np.mean(s[~r]) for s, r in zip(scores, right, strict=True)])

    assert advantage(kinds) > 0.95
    by_chance = [kinds["genre"].T[np.random.default_rng(k).permutation(24)] for k in range(6)]
    means = [advantage({"genre": Edges(T, kinds["genre"].names)}) for T in by_chance]
    assert 0.15 < np.mean(means) < 0.85


def test_without_facts_a_cold_film_has_no_vector_and_no_score():
    train, kinds = blocks()
    model = KnowledgeGCN(d=4, steps=3, edges=kinds, weights={"genre": 0}).fit(train)
    assert not model.score(np.arange(40))[:, 20:].any()


def test_vectors_are_those_of_users_and_items_only_and_entities_learn_too():
    train, kinds = blocks()
    start = np.random.default_rng(0).normal(scale=0.1, size=(66, 4)).astype(np.float32)
    model = KnowledgeGCN(d=4, steps=3, edges=kinds).fit(train)
    assert model.embed().shape == (64, 4) and model.E_.shape == (66, 4)
    assert (np.abs(model.E_.detach().numpy() - start)[64:].max(axis=1) > 0.05).all()


# ── paths ──
@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_weights_of_all_paths_add_up_to_the_three_step_walk(seed):
    rng = np.random.default_rng(seed)
    pairs = list(zip(*np.nonzero(rng.random((6, 5)) < 0.5), strict=True)) or [(0, 0)]
    R = interactions(pairs, 6, 5).matrix()
    kinds = edges(5, {"genre": [(j, int(rng.integers(3))) for j in range(5)]})
    table = knowledge.paths(R, kinds, {"genre": 0.7}, user=0, item=3)
    A_hat = graph.normalise(knowledge.adjacency(R, kinds, {"genre": 0.7})).toarray()
    assert table.weight.sum() == pytest.approx(np.linalg.matrix_power(A_hat, 3)[0, 6 + 3])
    assert table.weight.is_monotonic_decreasing and (table.weight > 0).all()
    assert set(table.film) <= set(R[0].indices)


def test_paths_name_the_shared_person_and_the_shared_fan():
    R = interactions([(0, 0), (1, 0), (1, 2)], 2, 3).matrix()
    table = knowledge.paths(R, edges(3, {"person": [(0, 0), (2, 0)]}), {}, user=0, item=2)
    assert set(zip(table.film, table.kind, table.via, strict=True)) == {(0, "user", 1), (0, "person", "person 0")}
    assert knowledge.paths(R, edges(3, {"person": [(0, 0)]}), {}, user=0, item=1).empty


def test_unknown_user_or_item_is_one_sentence():
    with pytest.raises(CourseError, match="user id 9"):
        knowledge.paths(SMALL.matrix(), FACTS, {}, user=9, item=0)
    with pytest.raises(CourseError, match="item id 9"):
        knowledge.paths(SMALL.matrix(), FACTS, {}, user=0, item=9)


# ── missing links ──
@given(st.integers(0, 1000), st.floats(0.05, 0.9))
def test_hidden_and_kept_edges_are_all_edges_and_no_edge_is_both(seed, share):
    T = sp.csr_matrix((np.random.default_rng(seed).random((9, 7)) < 0.5).astype(float))
    kept, f, e = knowledge.hide(T, share, seed)
    again = kept.toarray()
    assert not again[f, e].any() and len(f) == int(share * T.nnz)
    again[f, e] = 1
    np.testing.assert_array_equal(again, T.toarray())


def test_a_text_says_a_name_whatever_its_case_and_not_in_the_middle_of_a_word():
    texts, names = ["Bram Stoker's Dracula (1992).", "Warriors (1979)."], ["Bram Stokers", "War", "DRÁCULA"]
    found = knowledge.says(texts, np.array([0, 0, 1]), names, np.array([0, 2, 1]))
    assert found.tolist() == [True, True, False]


def test_rank_leaves_out_other_true_entities_and_shares_ties():
    scores = np.array([[0.9, 0.5, 0.5, 0.1]])
    T = sp.csr_matrix([[1.0, 1.0, 0.0, 0.0]])  # entity 0 is true as well: it does not stand in the way
    assert knowledge.link_ranks(scores, T, np.array([0]), np.array([1])).tolist() == [1.5]
    nothing_known = knowledge.link_ranks(np.ones((1, 5)), sp.csr_matrix(np.eye(1, 5)), np.array([0]), np.array([0]))
    assert nothing_known.tolist() == [3]  # the middle of five places


def test_ridge_equals_the_normal_equations_and_a_hard_penalty_is_the_frequency():
    rng = np.random.default_rng(0)
    X, T = rng.normal(size=(12, 3)), (rng.random((12, 4)) < 0.4).astype(float)
    B = np.linalg.solve(X.T @ X + 2 * np.eye(3), X.T @ (T - T.mean(axis=0)))
    np.testing.assert_allclose(knowledge.predict_links(X, sp.csr_matrix(T), 2.0), T.mean(axis=0) + X @ B)
    frequency = knowledge.predict_links(X, sp.csr_matrix(T), 1e12)
    np.testing.assert_allclose(frequency, np.tile(T.mean(axis=0), (12, 1)), atol=1e-6)


def test_planted_links_are_found_and_shuffled_vectors_are_at_chance():
    rng = np.random.default_rng(0)
    genre = rng.integers(20, size=300)
    X, T = rng.normal(size=(20, 10))[genre] + rng.normal(scale=0.1, size=(300, 10)), np.eye(20)[genre]
    kept, f, e = knowledge.hide(sp.csr_matrix(T), 0.2, 0)

    def mean_rank(vectors: np.ndarray) -> float:
        return knowledge.link_ranks(knowledge.predict_links(vectors, kept, 1.0), sp.csr_matrix(T), f, e).mean()

    assert mean_rank(X) < 2
    assert 8 < mean_rank(rng.permutation(X)) < 13  # (20 + 1) / 2


def test_titles_do_not_name_the_facts_and_texts_of_facts_do():
    catalogue, kinds = films.load_catalogue(), knowledge.knowledge(films.load_catalogue())
    _, f, e = knowledge.hide(kinds["genre"].T, 0.2, 0)
    told = {name: knowledge.says(texts, f, kinds["genre"].names, e).mean() for name, texts in
            (("title", list(catalogue.title)), ("facts", films.short_texts(catalogue)))}  # fmt: skip
    assert told["title"] < 0.01 and told["facts"] > 0.95


def test_propagation_over_the_knowledge_graph_is_symmetric_as_its_gradient_needs():
    A = knowledge.adjacency(SMALL.matrix(), FACTS, {"genre": 0.3})
    assert isinstance(graph.sparse(graph.normalise(A)), torch.Tensor)
