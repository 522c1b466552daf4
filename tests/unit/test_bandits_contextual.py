import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.bandits import worlds
from course_lib.bandits.contextual import DisjointLinUCB, LinearThompson, LinUCB, SharedModel, visit, visit_all
from course_lib.bandits.policies import UCB1, EpsilonGreedy, ThompsonSampling, Uniform, simulate
from course_lib.bandits.worlds import World
from course_lib.errors import CourseError

POLICIES = [LinUCB(), LinearThompson(), DisjointLinUCB()]
NAMES = [type(policy).__name__ for policy in POLICIES]


def a_world(n_users: int = 30, n_items: int = 12, m: int = 3, k: int = 4, seed: int = 0) -> World:
    """Clicks that are linear in the features: φ' Θ ψ between 0.02 and 0.98."""
    rng = np.random.default_rng(seed)
    users, items = (worlds.with_constant(rng.normal(size=(n, d - 1))) for n, d in ((n_users, m), (n_items, k)))
    scores = users @ rng.normal(size=(m, k)) @ items.T
    low, high = scores.min(), scores.max()
    return World(0.02 + 0.96 * (scores - low) / (high - low), users, items)


# ── the models ───────────────────────────────────────────────────────────────────────────────────────────────
def taught(n_rounds: int, ridge: float, seed: int = 1) -> tuple[World, SharedModel, np.ndarray, np.ndarray]:
    """A shared model after random rounds in 2 runs; with its rows x (n_rounds, 2, d) and clicks (n_rounds, 2)."""
    world, rng = a_world(), np.random.default_rng(seed)
    model, rows, clicks = SharedModel(world, 2, ridge), [], []
    for _ in range(n_rounds):
        u, j, r = rng.integers(30, size=2), rng.integers(12, size=2), rng.random(2) < 0.5
        model.learn(u, j, r)
        rows.append((world.users[u][:, :, None] * world.items[j][:, None, :]).reshape(2, -1))
        clicks.append(r)
    return world, model, np.array(rows), np.array(clicks).astype(float)


@settings(max_examples=20, deadline=None)
@given(n_rounds=st.integers(1, 60), ridge=st.floats(0.1, 20), seed=st.integers(0, 1000))
def test_click_by_click_is_ridge_regression_at_once(n_rounds, ridge, seed):
    _, model, x, r = taught(n_rounds, ridge, seed)
    for run in range(2):
        inverse = np.linalg.inv(x[:, run].T @ x[:, run] + ridge * np.eye(12))
        np.testing.assert_allclose(model.root[run] @ model.root[run].T, inverse, atol=1e-9)
        np.testing.assert_allclose(model.theta[run].ravel(), inverse @ x[:, run].T @ r[:, run], atol=1e-8)


def test_mean_and_variance_of_all_films_are_those_of_the_long_way():
    world, model, *_ = taught(40, 1.0)
    visitor = np.array([4, 17])
    mean, variance = model.mean(visitor, model.theta), model.variance(visitor)
    for run, u in enumerate(visitor):
        for j in range(12):
            x = np.outer(world.users[u], world.items[j]).ravel()
            assert mean[run, j] == pytest.approx(x @ model.theta[run].ravel())
            assert variance[run, j] == pytest.approx(x @ model.root[run] @ model.root[run].T @ x)


def test_draws_have_the_posterior_s_mean_and_covariance():
    _, model, *_ = taught(25, 1.0)
    rng = np.random.default_rng(3)
    draws = np.array([model.draw(0.5, rng)[0].ravel() for _ in range(20_000)])
    covariance = 0.25 * model.root[0] @ model.root[0].T
    np.testing.assert_allclose(draws.mean(axis=0), model.theta[0].ravel(), atol=0.02)
    np.testing.assert_allclose(np.cov(draws.T), covariance, atol=0.012)


def test_the_root_stays_a_root_over_thousands_of_rounds():
    _, model, x, _ = taught(4000, 1.0)
    A = x[:, 0].T @ x[:, 0] + np.eye(12)
    np.testing.assert_allclose(model.root[0] @ model.root[0].T @ A, np.eye(12), atol=1e-8)


def test_linucb_s_first_step_by_hand():
    world = World(np.full((1, 2), 0.5), np.array([[2.0]]), np.array([[1.0], [0.5]]))  # x = 2 or 1, one number
    learner = LinUCB(width=1.0, ridge=4.0).learner(world, np.array([[0, 1]]))
    u = np.array([0])
    scores = learner.policy.scores(learner.model, u, np.random.default_rng(0))
    np.testing.assert_allclose(scores, [[2 / 2, 1 / 2]])  # x / √ridge: nothing known but the prior
    learner.learn(u, np.array([0]), np.array([True]))  # A = 4 + 4, θ̂ = 2 / 8
    scores = learner.policy.scores(learner.model, u, np.random.default_rng(0))
    np.testing.assert_allclose(scores, [[0.5 + 2 / np.sqrt(8), 0.25 + 1 / np.sqrt(8)]])


def test_a_disjoint_model_is_one_ridge_regression_a_film():
    world, rng = a_world(), np.random.default_rng(2)
    order = np.array([rng.permutation(12) for _ in range(2)])
    learner = DisjointLinUCB(width=0.7, ridge=2.0).learner(world, order)
    history = [(rng.integers(30, size=2), rng.integers(12, size=2), rng.random(2) < 0.5) for _ in range(60)]
    for event in history:
        learner.learn(*event)
    visitor = np.array([5, 9])
    for run in range(2):
        scores = []
        for j in range(12):
            x = np.array([world.users[u[run]] for u, arm, _ in history if arm[run] == j]).reshape(-1, 3)
            r = np.array([float(click[run]) for _, arm, click in history if arm[run] == j])
            inverse, phi = np.linalg.inv(x.T @ x + 2 * np.eye(3)), world.users[visitor[run]]
            scores.append(phi @ inverse @ x.T @ r + 0.7 * np.sqrt(phi @ inverse @ phi))
        assert learner.choose(visitor, rng)[run] == np.argmax(scores)


# ── the simulation ───────────────────────────────────────────────────────────────────────────────────────────
def test_where_the_truth_is_linear_features_win_and_regret_flattens():
    world = a_world(n_users=50, n_items=200, m=3, k=5)
    bold = [LinUCB(width=1.0, ridge=1.0), LinearThompson(width=0.3, ridge=1.0), DisjointLinUCB()]
    policies = {"uniform": Uniform(), "Thompson": ThompsonSampling()} | dict(zip(NAMES, bold, strict=True))
    regret = {name: r.mean(axis=0) for name, r in visit_all(policies, world, 1500, range(20)).items()}
    assert regret["uniform"][-1] == pytest.approx(1500 * (world.click.max(1).mean() - world.click.mean()), rel=0.01)
    for name in ("LinUCB", "LinearThompson"):
        assert regret[name][-1] < 0.25 * regret["Thompson"][-1]
        assert regret[name][-1] - regret[name][749] < 0.6 * regret[name][749]
    assert regret["LinUCB"][-1] < regret["DisjointLinUCB"][-1] < regret["uniform"][-1]


def test_a_film_never_shown_is_scored_by_those_that_resemble_it():
    world = World(np.full((1, 3), 0.5), np.ones((1, 1)), np.array([[1.0, 0.0], [0.99, 0.1], [0.0, 1.0]]))
    learner = LinUCB(width=0.0, ridge=1.0).learner(world, np.arange(3)[None])
    for _ in range(20):
        learner.learn(np.array([0]), np.array([0]), np.array([True]))
    near, far = learner.policy.scores(learner.model, np.array([0]), np.random.default_rng(0))[0, 1:]
    assert near > 0.9 and abs(far) < 0.1  # without one look at either


def test_without_features_each_film_is_a_stranger_and_all_are_tried():
    world = World(np.zeros((4, 30)), np.ones((4, 1)), np.ones((30, 1)))
    learner = DisjointLinUCB().learner(world, np.random.default_rng(0).permutation(30)[None])
    seen = []
    for _ in range(30):
        arm = learner.choose(np.array([0]), np.random.default_rng(0))
        learner.learn(np.array([0]), arm, np.array([False]))
        seen.append(int(arm[0]))
    assert sorted(seen) == list(range(30)) and seen != list(range(30))  # each run has its own order


@pytest.mark.parametrize("policy", [*POLICIES, EpsilonGreedy()], ids=lambda p: type(p).__name__)
def test_same_seeds_same_regret_and_runs_do_not_know_each_other(policy):
    world = a_world()
    first, again, other = (visit(policy, world, 150, seeds) for seeds in ([1, 2], [1, 2], [3, 4]))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("policy", [LinUCB(), DisjointLinUCB()], ids=lambda p: type(p).__name__)
def test_a_run_without_dice_is_the_same_alone_and_among_others(policy):
    world = a_world()
    together = visit(policy, world, 150, [5, 6, 7])
    np.testing.assert_allclose(visit(policy, world, 150, [6])[0], together[1])


def test_several_at_a_time_give_what_each_gives_alone():
    world = a_world()
    both = visit_all(dict(zip(NAMES, POLICIES, strict=True)), world, 100, [1, 2, 3], delay=5)
    for name, policy in zip(NAMES, POLICIES, strict=True):
        np.testing.assert_array_equal(both[name], visit(policy, world, 100, [1, 2, 3], delay=5))


def test_feedback_that_never_comes_teaches_nothing():
    world = a_world()
    late = visit(LinUCB(), world, 200, [1], delay=500)[0]
    learner = LinUCB().learner(world, np.arange(12)[None])
    stream = np.random.default_rng(1)
    stream.permutation(12)
    visitors = stream.integers(30, size=200)
    lost = [world.click[u].max() - world.click[u, learner.choose(np.array([u]), stream)[0]] for u in visitors]
    np.testing.assert_allclose(late, np.cumsum(lost))


# ── against MABWiser, recorded once ──────────────────────────────────────────────────────────────────────────
# tests/benchmarks/bandits.py made the file, with the versions in it, and `course bench bandits` runs both again.
RECORDED = json.loads((Path(__file__).parent / "data" / "bandits_mabwiser.json").read_text())


@pytest.mark.parametrize("name", ["epsilon-greedy", "UCB1", "Thompson", "LinUCB"])
def test_regret_is_that_of_mabwiser_s_policies_on_the_same_draws(name):
    seeds, theirs = range(RECORDED["n_seeds"]), np.array(RECORDED["regret"][name])
    if name == "LinUCB":
        click, users = np.array(RECORDED["click"]), np.array(RECORDED["users"])
        world = World(click, users, np.ones((click.shape[1], 1)))
        ours = visit(DisjointLinUCB(width=0.5, ridge=1.0), world, RECORDED["n_rounds"], seeds)[:, -1]
    else:
        policy = {"epsilon-greedy": EpsilonGreedy(0.1), "UCB1": UCB1(), "Thompson": ThompsonSampling()}[name]
        ours = simulate(policy, RECORDED["rates"], RECORDED["n_rounds"], seeds).regret[:, -1]
    standard_error = theirs.std(ddof=1) / np.sqrt(len(theirs))
    assert abs(ours.mean() - theirs.mean()) < 1.96 * standard_error
    same = np.mean(np.abs(ours - theirs) < 1e-4)  # run by run, where a policy has no dice of its own
    assert same >= {"UCB1": 1.0, "LinUCB": 0.8}.get(name, 0.0)


# ── bad input ────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_world_with_rates_that_are_no_probabilities_is_refused():
    for wrong in (1.2, -0.1, np.nan):
        click = np.full((3, 2), 0.5)
        click[1, 1] = wrong
        with pytest.raises(CourseError, match="click rate lies between 0 and 1"):
            World(click, np.ones((3, 1)), np.ones((2, 1)))
    with pytest.raises(CourseError, match="one click rate for each user and film"):
        World(np.array([0.5, 0.2]), np.ones((2, 1)), np.ones((1, 1)))


def test_features_with_holes_or_of_the_wrong_shape_are_refused():
    click = np.full((3, 2), 0.5)
    with pytest.raises(CourseError, match=r"features of items hold NaN or infinity in row 1"):
        World(click, np.ones((3, 1)), np.array([[1.0], [np.nan]]))
    fits = np.ones((2, 1))
    for users, items in ((np.ones((2, 1)), fits), (np.ones((3, 1)), np.ones(2)), (np.ones((3, 0)), fits)):
        with pytest.raises(CourseError, match=r"features of (users|items) need the shape"):
            World(click, users, items)


def test_settings_and_simulations_that_make_no_sense_are_refused():
    world = a_world()
    for policy in (LinUCB, LinearThompson, DisjointLinUCB):
        for wrong in ({"width": -1}, {"ridge": 0}, {"width": np.nan}, {"ridge": True}):
            with pytest.raises(CourseError, match=f"{next(iter(wrong))} is "):
                policy(**wrong)
    for rounds, seeds in ((0, [1]), (5, [])):
        with pytest.raises(CourseError, match="at least one round and one seed"):
            visit(LinUCB(), world, rounds, seeds)
    with pytest.raises(CourseError, match="the delay is -1"):
        visit(UCB1(), world, 5, [1], delay=-1)
