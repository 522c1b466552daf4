"""Deep Q-learning: its parts by hand, and a small world in which the optimum is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from course_lib.bandits.deep_q import DQN, QNetwork, Replay, Table, bellman_targets, train
from course_lib.bandits.q_learning import Session, value, value_iteration
from course_lib.bandits.sessions import Features, Visitors, World, greedy, kinship, simulate, uniform
from course_lib.errors import CourseError

SMALL = Session((0.66, 0.62, 0.5, 0.47), turns=6, fatigue=0.95, boredom=0.2)
SHORT = DQN(steps=30, hidden=8, batch=16, capacity=500)


def network(n=2, d_s=9, views=2, seed=0):
    items, groups = np.random.default_rng(0).normal(size=(7, 4)), np.array([[1, 0], [1, 0], [0, 1], [0, 1]])
    return QNetwork(n, d_s, items, 5, seed, views, groups)


def test_q_values_are_the_formula():
    net, dice = network().requires_grad_(False), torch.Generator().manual_seed(1)
    s, a = torch.randn(2, 3, 9, generator=dice), torch.randint(0, 7, (2, 3, 6), generator=dice)
    q = net(s, a)
    assert q.shape == (2, 3, 6)
    for r, b, c in np.ndindex(2, 3, 6):
        x, state = net.items[a[r, b, c]], s[r, b]
        products = [
            (state[4 * v + 2 * g : 4 * v + 2 * g + 2] * x[2 * g : 2 * g + 2]).mean() for v in range(2) for g in range(2)
        ]
        hidden = torch.relu(state @ net.W_s[r] + x @ net.W_x[r] + torch.stack(products) @ net.W_p[r] + net.b[r, 0])
        assert float(q[r, b, c]) == pytest.approx(float(hidden @ net.w[r, :, 0] + net.b_0[r, 0, 0]), abs=1e-5)
        assert float(net.only(r)(s[r : r + 1], a[r : r + 1])[0, b, c]) == pytest.approx(float(q[r, b, c]), abs=1e-6)


def test_targets_by_hand():
    class Fixed:
        def __init__(self, q):
            self.q = torch.tensor(q)

        def __call__(self, s, a):
            return self.q[None, None].expand(1, len(s[0]), -1).gather(2, a)

    batch = {
        "r": torch.tensor([[1.0, 0.0]]),
        "ended": torch.tensor([[False, True]]),
        "s_next": torch.zeros(1, 2, 1),
        "candidates": torch.tensor([[[0, 1, 2], [0, 1, 2]]]),
    }
    online, frozen = Fixed([1.0, 3.0, 2.0]), Fixed([5.0, 0.5, 4.0])
    np.testing.assert_allclose(bellman_targets(batch, online, frozen, 0.9), [[1 + 0.9 * 0.5, 0]])
    np.testing.assert_allclose(bellman_targets(batch, online, frozen, 0.9, double=False), [[1 + 0.9 * 5, 0]])
    batch["candidates"] = torch.tensor([[[0, 2, 2], [0, 1, 2]]])  # film 1 is no candidate any more
    np.testing.assert_allclose(bellman_targets(batch, online, frozen, 0.9), [[1 + 0.9 * 4, 0]])


def test_double_never_values_more_than_the_maximum():
    net, frozen = network(seed=1), network(seed=2)
    batch = {
        "r": torch.zeros(2, 50),
        "ended": torch.zeros(2, 50, dtype=torch.bool),
        "s_next": torch.randn(2, 50, 9),
        "candidates": torch.randint(0, 7, (2, 50, 6)),
    }
    double, plain = (bellman_targets(batch, net, frozen, 1.0, double=d) for d in (True, False))
    assert (double <= plain + 1e-6).all() and (double < plain - 1e-3).any()


def test_replay_is_a_ring_and_keeps_learners_apart():
    memory = Replay(4)
    for t in range(3):
        memory.add({"r": np.array([[2 * t, 2 * t + 1], [100 + 2 * t, 101 + 2 * t]], dtype=np.float32)})
    assert sorted(memory.columns["r"][0]) == [2, 3, 4, 5]  # 0 and 1, the oldest, have made room
    dice = np.random.default_rng(0)
    drawn = memory.sample(4000, dice)["r"].numpy()
    assert set(drawn[0]) == {2, 3, 4, 5} and set(drawn[1]) == {102, 103, 104, 105}
    np.testing.assert_allclose(np.bincount(drawn[0].astype(int))[2:] / 4000, 0.25, atol=0.04)
    assert memory.sample(2, dice, latest=True)["r"].tolist() == [[5, 4], [105, 104]]


def test_transitions_stay_together():
    memory = Replay(50)
    memory.add({"s": np.arange(30.0).reshape(1, 30), "r": 2 * np.arange(30.0).reshape(1, 30)})
    batch = memory.sample(100, np.random.default_rng(0))
    assert (batch["r"] == 2 * batch["s"]).all() and batch["s"].max() < 30


def test_on_the_small_session_dqn_comes_near_the_exact_optimum():
    n, settings = 4, DQN(steps=2500, hidden=32, batch=64, rate=5e-3, target_every=50, epsilon=0.2)
    trained = train(Table(SMALL, n * 16, seed=1), settings, n, seed=1)
    states, genres = np.eye(len(SMALL.states), dtype=np.float32), np.tile(np.arange(4), (len(SMALL.states), 1))
    actions = np.array([trained.values(states, genres, learner).argmax(axis=1) for learner in range(n)])
    exact = value_iteration(SMALL, 0.9)
    best, near = exact[0].max(), value(SMALL, value_iteration(SMALL, 0.0).argmax(axis=1), 0.9)
    found = value(SMALL, actions, 0.9)
    assert found.max() <= best + 1e-12
    assert found.mean() > 0.96 * best > 1.05 * near


def test_with_discount_zero_it_learns_click_rates():
    trained = train(Table(SMALL, 32, seed=2), DQN(gamma=0.0, steps=1500, hidden=16, rate=5e-3), 1, seed=2)
    first = trained.values(np.eye(len(SMALL.states), dtype=np.float32)[:1], np.arange(4)[None], 0)
    np.testing.assert_allclose(first[0], SMALL.click_rates, atol=0.12)


def large():
    dice = np.random.default_rng(0)
    X, genres = dice.normal(size=(12, 4)), dice.random((12, 3)) < 0.5
    world = World(dice.random((20, 12)), kinship(X, genres), 6, 5, boredom=0.3)
    return world, Features(X, dice.normal(size=(20, 4)), 0.7)


@pytest.mark.parametrize("off", ["target", "replay", "double"])
def test_each_part_can_be_switched_off_and_changes_what_is_learned(off):
    world, features = large()
    with_it, without = (
        train(Visitors(world, features, np.arange(20), 8, 1), replace(SHORT, target_every=10, **{off: on}), 2, 3)
        for on in (True, False)
    )
    assert np.isfinite(without.loss).all() and not np.array_equal(with_it.loss[-5:], without.loss[-5:])


def test_same_seed_same_learners_and_other_learners_differ():
    world, features = large()
    a, b = (train(Visitors(world, features, np.arange(20), 8, 1), SHORT, 2, 3, checkpoints=3) for _ in range(2))
    np.testing.assert_array_equal(a.loss, b.loss)
    assert a.steps.tolist() == [10, 20, 30] and len(a.nets) == 3
    assert not np.allclose(a.loss[:, 0], a.loss[:, 1])


def test_a_constant_network_shows_any_film_and_a_learned_policy_is_one():
    world, features = large()
    trained = train(Visitors(world, features, np.arange(20), 8, 1), SHORT, 1, 3)
    p = trained.policy(features, 0)(world.start(np.arange(20), np.random.default_rng(1)))
    assert (p.sum(axis=1) == 1).all() and set(np.unique(p)) == {0.0, 1.0}


def test_it_learns_to_beat_chance_in_the_large_world():
    world, features = large()
    world = replace(world, click=np.tile(np.linspace(0.05, 0.95, 12), (20, 1)))
    trained = train(Visitors(world, features, np.arange(20), 64, 1), DQN(steps=400, rate=4e-3), 2, 3)
    users = np.random.default_rng(1).integers(0, 20, 1000)
    learned = [simulate(world, trained.policy(features, i), users, 5).discounted().mean() for i in range(2)]
    chance, best_now = (simulate(world, p, users, 5).discounted().mean() for p in (uniform, greedy(world)))
    assert min(learned) > chance + 0.5 * (best_now - chance)


def test_bad_input_is_refused():
    for wrong in ({"gamma": 1.1}, {"gamma": -0.1}, {"steps": 0}, {"rate": 0.0}, {"epsilon": 1.5}, {"explore": 0.0}):
        with pytest.raises(CourseError):
            DQN(**wrong)
    with pytest.raises(CourseError, match="empty"):
        Replay(5).sample(2, np.random.default_rng(0))
    with pytest.raises(CourseError, match="NaN"):
        Replay(5).add({"s": np.array([[np.nan]])})
    with pytest.raises(CourseError, match="Film features"):
        QNetwork(1, 4, np.full((3, 2), np.nan), 4, 0)
    with pytest.raises(CourseError, match="do not fit"):
        QNetwork(1, 4, np.ones((3, 2)), 4, 0, views=3)
    with pytest.raises(CourseError, match="shared equally"):
        train(Table(SMALL, 7, 1), SHORT, 2, 1)
