import numpy as np
import pandas as pd
import pytest

from course_lib.bandits import ranker
from course_lib.bandits.policies import UCB1, EpsilonGreedy, ThompsonSampling, Uniform, simulate
from course_lib.bandits.ranker import BanditRanked
from course_lib.data.interactions import Interactions, Split
from course_lib.errors import CourseError
from course_lib.evaluation.protocol import evaluate
from course_lib.ranking.baselines import Popularity, Random

N_USERS, RATES = 300, np.linspace(0.05, 0.75, 15)


def log_of(pairs: np.ndarray, n_users: int, n_items: int) -> Interactions:
    table = pd.DataFrame(pairs, columns=["user", "item"]).astype("int64").assign(rating=5.0, time=0)
    return Interactions(table, n_users, n_items)


def likes(seed: int = 0) -> Interactions:
    """Everybody likes item j with probability RATES[j], independently."""
    clicked = np.random.default_rng(seed).random((N_USERS, len(RATES))) < RATES
    return log_of(np.argwhere(clicked), *clicked.shape)


@pytest.mark.parametrize("policy", [Uniform(), EpsilonGreedy(), UCB1(), ThompsonSampling()])
def test_every_round_shows_one_item_and_everybody_gets_the_same_ranking(policy):
    model = BanditRanked(policy, n_rounds=500).fit(likes())
    assert model.shown_.shape == (len(RATES),) and model.shown_.sum() == 500 and (model.shown_ >= 0).all()
    scores = model.score(np.array([7, 0, 7, 299]))
    assert scores.shape == (4, len(RATES)) and (scores == model.shown_).all()
    assert model.score(np.array([], dtype=int)).shape == (0, len(RATES))


@pytest.mark.parametrize("policy", [EpsilonGreedy(), UCB1(0.3), ThompsonSampling()])
def test_where_one_item_is_clearly_best_it_is_shown_most_whatever_the_luck(policy):
    rates = np.array([0.1, 0.9, 0.3, 0.2])
    pairs = np.argwhere(np.arange(100)[:, None] < 100 * rates)  # exactly these shares of a hundred users
    for seed in range(5):
        shown = BanditRanked(policy, n_rounds=400, seed=seed).fit(log_of(pairs, 100, 4)).shown_
        assert shown.argmax() == 1 and shown[1] > 0.6 * 400


def test_the_click_rate_of_an_item_is_its_share_of_the_users_who_have_a_row(monkeypatch):
    seen = []

    def watched(policy, rates, *others):
        seen.append(rates)
        return simulate(policy, rates, *others)

    monkeypatch.setattr(ranker, "simulate", watched)
    pairs = np.array([(0, 0), (0, 0), (0, 1), (2, 0), (5, 0), (5, 3)])  # user 0 has item 0 twice; 1, 3, 4 never came
    BanditRanked(n_rounds=5).fit(log_of(pairs, 6, 5))
    np.testing.assert_allclose(seen[0], [1, 1 / 3, 0, 1 / 3, 0])


def test_the_same_seed_shows_the_same_and_another_seed_does_not():
    train = likes()
    first, again, other = (BanditRanked(n_rounds=300, seed=s).fit(train).shown_ for s in (3, 3, 4))
    assert (first == again).all() and (first != other).any()


def test_a_second_fit_forgets_the_first():
    model = BanditRanked(n_rounds=300).fit(likes())
    mirrored = likes()
    table = mirrored.table.assign(item=len(RATES) - 1 - mirrored.table["item"])
    mirrored = Interactions(table, N_USERS, len(RATES))
    np.testing.assert_array_equal(model.fit(mirrored).shown_, BanditRanked(n_rounds=300).fit(mirrored).shown_)


def test_stars_and_times_are_not_looked_at():
    train = likes()
    other = Interactions(train.table.assign(rating=1.0, time=np.arange(len(train))), train.n_users, train.n_items)
    np.testing.assert_array_equal(*(BanditRanked(n_rounds=300).fit(t).shown_ for t in (train, other)))


def test_it_ranks_better_than_noise_and_no_better_than_the_count_it_has_to_find_out():
    log = likes()
    test = np.random.default_rng(5).random(len(log)) < 0.3
    train, held_out = log.keep(~test), log.keep(test)
    models = {"bandit": BanditRanked(n_rounds=3000), "random": Random(), "popular": Popularity()}
    fitted = {name: model.fit(train) for name, model in models.items()}
    ndcg = evaluate(fitted, Split("random", train, train.keep(train.user < 0), held_out), n=5).table["ndcg"]
    assert ndcg["bandit"] > ndcg["random"] + 0.1 and ndcg["bandit"] < ndcg["popular"] + 0.02


def test_with_one_round_a_single_item_has_been_shown():
    assert sorted(BanditRanked(n_rounds=1).fit(likes()).shown_) == [0] * (len(RATES) - 1) + [1]


def test_a_bandit_without_visitors_or_rounds_is_refused():
    with pytest.raises(CourseError, match="no rows"):
        BanditRanked().fit(likes().keep(np.zeros(0, dtype=int)))
    with pytest.raises(CourseError, match="at least one round"):
        BanditRanked(n_rounds=0).fit(likes())
