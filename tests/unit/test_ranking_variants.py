import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib.data.interactions import Interactions
from course_lib.ranking.baselines import BiasModel
from course_lib.ranking.graph import LightGCN
from course_lib.ranking.variants import SimGCL, TwoHeads, info_nce


def rated(seed: int = 0, n_users: int = 50, n_items: int = 30) -> Interactions:
    """Stars of a planted factor: users and items of the same sign get along."""
    rng = np.random.default_rng(seed)
    a, b = rng.choice([-1, 1], size=n_users), rng.choice([-1, 1], size=n_items)
    user, item = np.nonzero(rng.random((n_users, n_items)) < 0.5)
    stars = np.where(a[user] == b[item], 5.0, 2.0)
    table = pd.DataFrame({"user": user, "item": item, "rating": stars, "time": 0}).astype({"time": "int64"})
    return Interactions(table, n_users, n_items)


# ── contrast ──
def test_info_nce_of_equal_views_that_are_at_right_angles_is_known():
    expected = -np.log(np.exp(2) / (np.exp(2) + 3))
    assert float(info_nce(torch.eye(4), 7 * torch.eye(4), tau=0.5)) == pytest.approx(expected)


def test_info_nce_of_views_that_say_nothing_is_the_log_of_their_number():
    assert float(info_nce(torch.ones(8, 3), torch.ones(8, 3), tau=0.2)) == pytest.approx(np.log(8))


@given(st.integers(0, 1000))
def test_info_nce_is_cross_entropy_of_cosines_and_blind_to_length(seed):
    rng = np.random.default_rng(seed)
    A, B = rng.normal(size=(2, 6, 3))
    cosines = (A / np.linalg.norm(A, axis=1)[:, None]) @ (B / np.linalg.norm(B, axis=1)[:, None]).T / 0.2
    by_hand = np.mean(np.log(np.exp(cosines).sum(axis=1)) - np.diag(cosines))
    assert float(info_nce(torch.from_numpy(A), torch.from_numpy(3 * B), 0.2)) == pytest.approx(by_hand)


def test_noise_has_its_length_and_keeps_the_signs():
    model = SimGCL(d=8, L=1, steps=2, eps=0.1).fit(rated())
    H = (model.A_hat_ @ model.E_).detach()
    noise = model.view().detach() - H
    torch.testing.assert_close(noise.norm(dim=1), torch.full((len(H),), 0.1))
    assert (noise * torch.sign(H) >= 0).all()


def test_without_contrast_it_is_lightgcn_to_the_bit():
    train, users = rated(), np.arange(50)
    plain = LightGCN(d=8, steps=10).fit(train).score(users)
    np.testing.assert_array_equal(SimGCL(d=8, steps=10, contrast=0.0).fit(train).score(users), plain)
    np.testing.assert_array_equal(SimGCL(d=8, steps=10, contrast=1.0).fit(train).score(users),
                                  SimGCL(d=8, steps=10, contrast=1.0).fit(train).score(users))  # fmt: skip


def test_contrast_spreads_the_vectors():
    train = rated()

    def alikeness(contrast: float) -> float:
        Z = torch.nn.functional.normalize(SimGCL(d=8, steps=60, contrast=contrast).fit(train).embed().detach(), dim=1)
        return float((Z[:50] @ Z[:50].T).abs().mean())

    assert alikeness(2.0) < alikeness(0.0) - 0.05


# ── two heads ──
def test_without_stars_it_is_lightgcn_on_the_likes_and_the_means_of_the_ratings():
    train, users = rated(), np.arange(50)
    model = TwoHeads(d=8, steps=10, stars=0.0).fit(train)
    likes = train.keep(train.rating >= 4)
    np.testing.assert_array_equal(model.score(users), LightGCN(d=8, steps=10).fit(likes).score(users))
    predicted = model.predict(train.user, train.item)
    np.testing.assert_array_equal(predicted, BiasModel().fit(train).predict(train.user, train.item))


def test_the_second_head_learns_what_means_cannot_say_and_shuffled_stars_teach_it_nothing():
    train, rng = rated(), np.random.default_rng(1)
    test = rng.random(len(train)) < 0.2

    def error(of: Interactions) -> float:
        model = TwoHeads(d=8, steps=100, stars=1.0).fit(of.keep(~test))
        return float(np.sqrt(np.mean((of.rating - model.predict(of.user, of.item))[test] ** 2)))

    shuffled = Interactions(train.table.assign(rating=rng.permutation(train.rating)), 50, 30)
    assert error(train) < 0.7 < 1.3 < error(shuffled)
