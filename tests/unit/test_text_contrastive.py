from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError
from course_lib.text.contrastive import ContrastiveTuner, Pooled, co_liked, in_batch_softmax
from course_lib.text.encoder import Encoder
from course_lib.text.training import Recipe

TEXTS = [  # the first four are liked by the same people, the next four by others; nobody has seen the last two yet
    "a documentary about steam trains",
    "a romance in Paris",
    "zombies attack a city",
    "how to bake bread",
    "a biography of a chess champion",
    "a love story in Rome",
    "a vampire comes to town",
    "cooking with herbs",
    "a film on railways",
    "a haunted castle",
]
N_ITEMS, GROUP, COLD = len(TEXTS), np.repeat([0, 1, -1], [4, 4, 2]), [8, 9]
RECIPE = Recipe(epochs=10, batch_size=8, learning_rate=5e-4)


def interactions(pairs, n_users: int, n_items: int) -> Interactions:
    table = pd.DataFrame(list(pairs), columns=["user", "item"]).astype("int64").assign(rating=5.0, time=0)
    return Interactions(table, n_users, n_items)


def log(seed: int = 0) -> Interactions:
    """40 people who like three films of one group each, and now and then a film that is to be cold."""
    rng = np.random.default_rng(seed)
    pairs = [(u, j) for u in range(40) for j in rng.choice(np.flatnonzero(u % 2 == GROUP), 3, replace=False)]
    return interactions(pairs + [(u, 8 + u % 2) for u in rng.choice(40, 15, replace=False)], 40, N_ITEMS)


LOG = log()
TRAIN = LOG.keep(~np.isin(LOG.item, COLD))
W = co_liked(TRAIN)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.load("minilm", max_tokens=24)


@pytest.fixture(scope="module")
def tuner(encoder) -> ContrastiveTuner:
    return ContrastiveTuner(encoder, TEXTS).fit(W, RECIPE)


# ── The weights ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_co_liked_by_hand():
    pairs = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 2), (2, 2), (3, 1)]  # who likes a film twice likes it once
    ours = co_liked(interactions(pairs, 5, 4))
    by_hand = np.zeros((4, 4))
    by_hand[0, 1] = by_hand[1, 0] = 2**2
    by_hand[0, 2] = by_hand[2, 0] = 1**2
    np.testing.assert_allclose(ours, by_hand, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.sets(st.tuples(st.integers(0, 5), st.integers(0, 6)), min_size=1))
def test_co_liked_counts_people_and_cold_films_have_none(pairs):
    train = interactions(pairs, 6, 7)
    X, ours = train.matrix().toarray(), co_liked(train)
    for i in range(7):
        for j in range(7):
            both = sum(1 for person in X if person[i] and person[j])
            assert ours[i, j] == (both**2 if i != j else 0)


# ── The loss ─────────────────────────────────────────────────────────────────────────────────────────────────────


def unit(rng: np.random.Generator, n: int, d: int = 5) -> np.ndarray:
    E = rng.standard_normal((n, d))
    return E / np.linalg.norm(E, axis=1, keepdims=True)


def loss_in_loops(E: np.ndarray, W: np.ndarray, temperature: float) -> float:
    """The formula at the head of the module, a sum at a time."""
    terms = []
    for i in range(len(E)):
        others = [j for j in range(len(E)) if j != i]
        all_weights = sum(W[i, j] for j in others)
        if all_weights > 0:
            below = sum(np.exp(E[i] @ E[k] / temperature) for k in others)
            terms.append(
                -sum(W[i, j] / all_weights * np.log(np.exp(E[i] @ E[j] / temperature) / below) for j in others)
            )
    return float(np.mean(terms)) if terms else 0.0


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 7), st.floats(0.05, 2), st.floats(0, 1), st.integers(0, 2**31 - 1))
def test_the_loss_is_the_formula_whoever_has_partners(n, temperature, filled, seed):
    rng = np.random.default_rng(seed)
    E, W = unit(rng, n), rng.random((n, n)) * (rng.random((n, n)) < filled)
    ours = in_batch_softmax(torch.tensor(E), torch.tensor(W), temperature)
    assert float(ours) == pytest.approx(loss_in_loops(E, W, temperature), rel=1e-6, abs=1e-9)


def test_with_one_partner_each_it_is_info_nce():
    rng, partner, temperature = np.random.default_rng(0), np.array([3, 2, 1, 0, 5, 4]), 0.1
    E = torch.tensor(unit(rng, 6))
    W = torch.zeros(6, 6, dtype=E.dtype)
    W[np.arange(6), partner] = torch.tensor(rng.random(6))  # how much does not matter where there is but one
    logits = (E @ E.T / temperature).fill_diagonal_(-torch.inf)
    torch.testing.assert_close(
        in_batch_softmax(E, W, temperature), nn.functional.cross_entropy(logits, torch.tensor(partner))
    )


def test_a_film_whose_partners_are_not_in_the_batch_is_left_out_of_the_mean_but_stays_a_negative():
    E = torch.tensor(unit(np.random.default_rng(1), 4))
    W = torch.zeros(4, 4, dtype=E.dtype)
    W[0, 1] = W[1, 0] = 0.5  # 2 and 3 have nobody here
    q = (E @ E.T / 0.5).exp()
    by_hand = -(q[0, 1] / (q[0, 1] + q[0, 2] + q[0, 3])).log() / 2 - (q[1, 0] / (q[1, 0] + q[1, 2] + q[1, 3])).log() / 2
    torch.testing.assert_close(in_batch_softmax(E, W, 0.5), by_hand)


def test_what_stands_on_the_diagonal_is_not_looked_at():
    rng = np.random.default_rng(2)
    E, W = torch.tensor(unit(rng, 5)), torch.tensor(rng.random((5, 5)))
    assert in_batch_softmax(E, W, 0.1) == in_batch_softmax(E, W + 7 * torch.eye(5), 0.1)


@pytest.mark.parametrize(("n", "weight"), [(1, 1.0), (3, 0.0)])
def test_a_batch_with_nothing_to_learn_from_costs_nothing_and_pulls_nowhere(n, weight):
    E = torch.tensor(unit(np.random.default_rng(3), n), requires_grad=True)
    loss = in_batch_softmax(E, torch.full((n, n), weight, dtype=E.dtype), 0.1)
    loss.backward()
    assert loss == 0 and torch.equal(E.grad, torch.zeros_like(E))


def test_the_loss_falls_when_partners_come_nearer():
    angles = torch.tensor([0.0, 1.0, 2.5, 4.0])
    W = torch.zeros(4, 4)
    W[0, 1] = W[1, 0] = W[2, 3] = W[3, 2] = 1
    losses = []
    for step in (0.0, 0.3, 0.6):  # 1 towards 0
        a = angles - torch.tensor([0, step, 0, 0])
        losses.append(float(in_batch_softmax(torch.stack([a.cos(), a.sin()], 1), W, 0.5)))
    assert losses == sorted(losses, reverse=True) and losses[0] > losses[2] + 0.05


# ── The tuner ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_pooled_gives_the_vectors_of_the_encoder(encoder):
    batch = encoder.tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        vectors = Pooled(encoder.model)(**batch).numpy()
    np.testing.assert_allclose(vectors, encoder.encode(TEXTS), atol=1e-5)


def test_films_that_the_same_people_like_come_together_and_apart_from_the_others(encoder, tuner):
    together = (GROUP[:8, None] == GROUP[:8]) & ~np.eye(8, dtype=bool)
    apart = GROUP[:8, None] != GROUP[:8]
    before, after = (V[:8] @ V[:8].T for V in (encoder.encode(TEXTS), tuner.vectors_))
    assert after[together].mean() > before[together].mean() + 0.1
    assert after[together].mean() > after[apart].mean() + 0.3
    assert before[together].mean() < before[apart].mean() + 0.1  # their words alone do not say it
    assert tuner.trained_.history["loss"].iloc[-1] < tuner.trained_.history["loss"].iloc[0]


def test_it_starts_from_the_loss_of_the_published_vectors_without_any_dropout(encoder, tuner):
    V = torch.tensor(encoder.encode(TEXTS[:8]))
    expected = in_batch_softmax(V, torch.tensor(W[:8, :8], dtype=V.dtype), 0.1)
    assert tuner.trained_.step_losses[0] == pytest.approx(float(expected), rel=1e-4)


def test_the_vectors_are_those_that_the_tuned_encoder_gives_the_texts(encoder, tuner):
    np.testing.assert_allclose(tuner.vectors_, tuner.encoder_.encode(TEXTS), atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(tuner.vectors_, axis=1), 1, atol=1e-5)
    assert tuner.vectors_.shape == (N_ITEMS, encoder.dimension) and tuner.encoder_.max_tokens == 24


def test_the_encoder_it_starts_from_is_not_changed(encoder, tuner):
    fresh = Encoder.load("minilm").model
    assert all(torch.equal(p, fresh.state_dict()[name]) for name, p in encoder.model.state_dict().items())
    assert all(p.requires_grad for p in encoder.model.parameters()) and not encoder.model.training
    assert {m.p for m in encoder.model.modules() if isinstance(m, nn.Dropout)} == {0.1}


def test_only_the_upper_layers_learn(encoder, tuner):
    old, new = encoder.model.state_dict(), tuner.encoder_.model.state_dict()
    changed = {name for name, p in old.items() if not torch.equal(p, new[name])}
    assert {name.split(".")[2] for name in changed if name.startswith("encoder.layer")} == {"5"}
    assert all(name.startswith("encoder.layer") for name in changed)
    assert len(changed) == sum(name.startswith("encoder.layer.5") for name in old)


def test_what_people_said_of_cold_films_changes_nothing(tuner, encoder):
    """The leak test: ratings that the split keeps from training are forged, and every vector is as before."""
    cold, forged = np.isin(LOG.item, COLD), LOG.table.copy()
    rng = np.random.default_rng(9)
    forged.loc[cold, "user"] = rng.permutation(40)[: cold.sum()]
    forged.loc[cold, "rating"] = rng.integers(1, 6, cold.sum()).astype(float)
    everybody = pd.DataFrame({"user": range(40), "item": 9, "rating": 5.0, "time": 1}).astype({"user": "int64"})
    forged = Interactions(pd.concat([forged, everybody]).astype({"item": "int64"}), 40, N_ITEMS)
    assert len(forged) > len(LOG)
    train = forged.keep(~np.isin(forged.item, COLD))
    np.testing.assert_array_equal(co_liked(train), W)
    again = ContrastiveTuner(encoder, TEXTS).fit(co_liked(train), RECIPE)
    np.testing.assert_allclose(again.vectors_, tuner.vectors_, atol=1e-6)
    leaked = co_liked(forged)  # and it is no matter of course: with them in it, the weights do change
    assert leaked[COLD].sum() > 0 and not W[COLD].any() and not W[:, COLD].any()


def test_cold_films_take_no_part_not_even_with_their_words(encoder, tuner):
    alone = ContrastiveTuner(encoder, TEXTS[:8]).fit(W[:8, :8], RECIPE)
    np.testing.assert_allclose(alone.vectors_, tuner.vectors_[:8], atol=1e-4)
    np.testing.assert_allclose(alone.encoder_.encode(TEXTS), tuner.vectors_, atol=1e-4)  # they are read all the same
    assert len(tuner.trained_.step_losses) == RECIPE.epochs  # eight warm films are one batch


def test_a_cold_film_moves_with_the_words_it_shares(encoder, tuner):
    before, after = encoder.encode(TEXTS), tuner.vectors_
    nearer = (after[8] @ after[:8].T) - (before[8] @ before[:8].T)  # "a film on railways" follows the steam trains
    assert nearer[GROUP[:8] == 0].mean() > nearer[GROUP[:8] == 1].mean()


def test_every_fit_starts_anew_and_the_same_seed_gives_the_same_vectors(encoder, tuner):
    short = replace(RECIPE, epochs=2, batch_size=4)
    other = ContrastiveTuner(encoder, TEXTS)
    first = other.fit(W, short).vectors_
    swapped = other.fit(W, replace(short, seed=1)).vectors_
    torch.manual_seed(99)
    np.testing.assert_allclose(other.fit(W, short).vectors_, first, atol=1e-6)
    assert not np.allclose(first, swapped, atol=1e-4)


def test_a_last_batch_of_one_film_does_no_harm(encoder):
    tuned = ContrastiveTuner(encoder, TEXTS).fit(W, replace(RECIPE, epochs=1, batch_size=7))
    assert np.isfinite(tuned.vectors_).all() and 0 in tuned.trained_.step_losses


def test_without_frozen_layers_the_vectors_still_are_those_of_the_encoder(encoder):
    tuned = ContrastiveTuner(encoder, TEXTS, frozen_layers=0).fit(W, replace(RECIPE, epochs=1))
    np.testing.assert_allclose(tuned.vectors_, tuned.encoder_.encode(TEXTS), atol=1e-4)
    words = [e.model.embeddings.word_embeddings.weight for e in (encoder, tuned.encoder_)]
    assert torch.equal(*words)


@pytest.mark.parametrize("texts", [["a film", ""], [" \n", "a film"]])
def test_a_film_without_a_text_is_refused(encoder, texts):
    with pytest.raises(CourseError, match="Every item needs a text"):
        ContrastiveTuner(encoder, texts)


def test_weights_of_another_catalogue_or_without_a_pair_are_refused(encoder, tuner):
    for wrong in (W[:8, :8], W[0], W[:, :9]):
        with pytest.raises(CourseError, match="one row and column for each of 10 items"):
            tuner.fit(wrong)
    lonely = co_liked(interactions([(u, u) for u in range(8)], 40, N_ITEMS))  # everybody likes one film, each another
    with pytest.raises(CourseError, match="No two films are liked by the same person"):
        tuner.fit(lonely)


def test_pieces_of_a_batch_are_refused_since_films_are_compared_inside_it(tuner):
    with pytest.raises(CourseError, match="compares the examples of a batch: leave out micro_batch"):
        tuner.fit(W, replace(RECIPE, micro_batch=2))


def test_a_batch_that_memory_cannot_hold_is_not_cut_in_silence(tuner, monkeypatch):
    def no_memory(*_):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")

    monkeypatch.setattr("course_lib.text.contrastive.in_batch_softmax", no_memory)
    with pytest.raises(CourseError, match="a batch of 8 that cannot be cut"):
        tuner.fit(W, RECIPE)


def test_at_least_one_layer_has_to_learn(encoder):
    with pytest.raises(CourseError, match="frozen_layers is from 0 to 5"):
        ContrastiveTuner(encoder, TEXTS, frozen_layers=6)
