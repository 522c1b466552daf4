import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.data import movielens, splits
from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError
from course_lib.evaluation.metrics import rmse
from course_lib.ranking.baselines import BiasModel
from course_lib.ranking.bayesian_fm import BayesianFM, _draw_precision, _Side
from course_lib.ranking.ratings import DAY, PUBLISHED, SVD, demographics, half_step, memberships, rmse_table


def table(user, item, rating, n_users, n_items, time=None):
    time = np.zeros(len(user), dtype=int) if time is None else time
    frame = pd.DataFrame({"user": user, "item": item, "rating": np.asarray(rating, dtype=float), "time": time})
    return Interactions(frame, n_users, n_items)


def planted(seed=0, n_users=60, n_items=50, noise=0.3, share=0.6):
    """Ratings of the model's own form with two factors, all cells in random order; train and test."""
    rng = np.random.default_rng(seed)
    U, V = rng.normal(size=(n_users, 3)), rng.normal(size=(n_items, 3))
    R = 3 + 0.5 * (U[:, :1] + V[:, 0]) + 0.6 * U[:, 1:] @ V[:, 1:].T + noise * rng.normal(size=(n_users, n_items))
    order = rng.permutation(R.size)
    u, j = np.unravel_index(order, R.shape)
    cells, cut = table(u, j, R[u, j], n_users, n_items), int(share * R.size)
    return cells.keep(np.arange(cut)), cells.keep(np.arange(cut, R.size))


def error(model, test, *when):
    return rmse(test.rating, model.predict(test.user, test.item, *when))


QUICK = {"d": 3, "samples": 60, "burn_in": 20}


# ── features ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_memberships_share_one_length_among_a_rows_labels():
    F = memberships([("Drama",), ("Comedy", "Drama"), (), ("Comedy", "Comedy")])
    np.testing.assert_allclose(F, [[0, 1], [0.5**0.5, 0.5**0.5], [0, 0], [1, 0]])  # Comedy, Drama


def test_demographics_put_ages_in_bands_of_five_years():
    users = pd.DataFrame({"age": [20, 24, 25], "gender": ["F", "M", "F"], "occupation": ["artist"] * 3})
    F = demographics(users)
    assert F.shape == (3, 5)  # two bands, two genders, one occupation
    np.testing.assert_allclose(F @ F.T * 3, [[3, 2, 2], [2, 3, 1], [2, 1, 3]])  # labels in common


# ── the steps ────────────────────────────────────────────────────────────────────────────────────────────────
def test_half_step_is_a_regression_by_hand():
    rows = sp.csr_matrix(np.array([[1, 1, 0], [0, 0, 1]]))
    D = np.array([[1.0, 0.0], [1.0, 1.0], [2.0, 0.0]])
    got = half_step(rows, D, np.array([1.0, 3.0, 4.0]), np.array([1.0, 2.0, 1.0]), np.array([1.0, 1.0]))
    # user 0: A = I + (1,0)(1,0)' + 2 (1,1)(1,1)' = [[4, 2], [2, 3]], right 1 (1,0) + 6 (1,1) = (7, 6)
    np.testing.assert_allclose(got, [[9 / 8, 10 / 8], [8 / 5, 0]])


def test_half_step_without_ratings_is_the_prior():
    rows, mean = sp.csr_matrix((1, 2)), np.array([[1.0, -2.0]])
    nothing = np.zeros(0)
    got = half_step(rows, np.ones((2, 2)), nothing, nothing, np.array([3.0, 5.0]), mean)
    np.testing.assert_allclose(got, mean)


def test_half_step_draws_have_the_mean_and_covariance_of_the_posterior():
    n, D = 40_000, np.array([[1.0, 0.5], [0.0, 1.0]])
    rows = sp.csr_matrix(np.ones((n, 2)))
    target, weight, precision = np.tile([1.0, -1.0], n), np.tile([2.0, 1.0], n), np.array([1.0, 2.0])
    draws = half_step(rows, D, target, weight, precision, rng=np.random.default_rng(0))
    best = half_step(rows[:1], D, target[:2], weight[:2], precision)
    A = np.diag(precision) + 2 * np.outer(D[0], D[0]) + np.outer(D[1], D[1])
    np.testing.assert_allclose(draws.mean(axis=0), best[0], atol=0.015)
    np.testing.assert_allclose(np.cov(draws.T), np.linalg.inv(A), atol=0.015)


def test_side_draws_have_the_mean_and_covariance_of_the_posterior():
    rng, F = np.random.default_rng(1), np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 2.0]])
    lam, precision, target = np.array([0.5]), np.array([4.0]), np.array([[1.0], [2.0], [0.0]])
    side, draws = _Side(F, 1), np.empty((12_000, 3))
    for n in range(len(draws)):
        side.lam = lam
        side.draw(target, precision, rng)
        draws[n] = side.G[:, 0]
    C = np.linalg.inv(lam * np.eye(2) + precision * F.T @ F)  # of the two coefficients
    np.testing.assert_allclose(draws.mean(axis=0), (F @ C @ F.T @ (precision * target))[:, 0], atol=0.03)
    np.testing.assert_allclose(np.cov(draws.T), F @ C @ F.T, atol=0.03)


def test_drawn_precision_finds_the_spread():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(4000, 2)) * [0.5, 2.0]
    draws = np.array([_draw_precision(x, rng) for _ in range(200)])
    np.testing.assert_allclose(draws.mean(axis=0), [4, 0.25], rtol=0.07)


# ── SVD ──────────────────────────────────────────────────────────────────────────────────────────────────────
def test_svd_recovers_planted_factors_that_means_miss():
    train, test = planted()
    svd = SVD(d=2, lam=0.1, lam_b=0.1).fit(train)
    assert error(svd, test) < 0.4 < 0.6 < error(BiasModel().fit(train), test)  # the noise alone is 0.3


def test_svd_under_endless_penalties_is_the_global_mean():
    train, test = planted()
    np.testing.assert_allclose(SVD(lam=1e9, lam_b=1e9).fit(train).predict(test.user, test.item), train.rating.mean())


@pytest.mark.parametrize("model", [SVD(d=2, sweeps=3), BayesianFM(d=2, samples=5, burn_in=2)])
def test_scores_are_predictions_and_predictions_stay_in_range(model):
    train, test = planted(noise=1.0)
    model.fit(train)
    scores, predicted = model.score(np.arange(60)), model.predict(test.user, test.item)
    assert scores.shape == (60, 50)
    np.testing.assert_allclose(scores[test.user, test.item].clip(train.rating.min(), train.rating.max()), predicted)
    assert scores.max() > train.rating.max() or scores.min() >= train.rating.min() or predicted.min() >= scores.min()
    assert train.rating.min() <= predicted.min() and predicted.max() <= train.rating.max()


@pytest.mark.parametrize("model", [SVD(d=2, sweeps=3), BayesianFM(d=2, samples=5, burn_in=2)])
def test_neither_the_order_of_rows_nor_an_overwritten_rating_matters(model):
    train, test = planted()
    first = model.fit(train).predict(test.user, test.item)
    stale = train.keep(np.arange(5))
    stale = table(stale.user, stale.item, stale.rating * 0, 60, 50)
    shuffled = stale.concat(train.keep(np.random.default_rng(3).permutation(len(train))))
    np.testing.assert_allclose(model.fit(shuffled).predict(test.user, test.item), first)


# ── the Bayesian factorisation machine ───────────────────────────────────────────────────────────────────────
def test_fm_recovers_planted_factors_and_knows_its_error():
    train, test = planted()
    fm = BayesianFM(**QUICK).fit(train)
    assert error(fm, test) < 0.37
    within = np.abs(test.rating - fm.predict(test.user, test.item)) < 1.2816 * fm.sd(test.user, test.item)
    assert 0.76 < within.mean() < 0.84


def test_shuffled_ratings_teach_nothing():
    train, test = planted()
    rng = np.random.default_rng(4)
    shuffled = table(train.user, train.item, rng.permutation(train.rating), 60, 50)
    by_chance = np.std(test.rating)
    for model in (SVD(d=2, lam=3), BayesianFM(**QUICK)):
        assert 0.95 * by_chance < error(model.fit(shuffled), test) < 1.15 * by_chance


def test_averaging_more_draws_lowers_the_error():
    train, test = planted(noise=0.8, share=0.3)
    R = BayesianFM(**QUICK).fit(train).draws(test.user, test.item)
    alone = np.mean([rmse(test.rating, draw) for draw in R])
    assert R.shape == (60, len(test)) and rmse(test.rating, R.mean(axis=0)) < alone - 0.05


def test_the_same_seed_gives_the_same_draws_and_another_seed_others():
    train, test = planted()
    one, again, other = (BayesianFM(d=2, samples=3, burn_in=1, seed=s).fit(train) for s in (5, 5, 6))
    pairs = (test.user, test.item)
    np.testing.assert_array_equal(one.predict(*pairs), again.predict(*pairs))
    assert np.abs(one.predict(*pairs) - other.predict(*pairs)).max() > 1e-3


def test_features_speak_for_a_user_and_an_item_without_ratings():
    rng, n_users, n_items = np.random.default_rng(7), 80, 60
    kind_u, kind_j = np.arange(n_users) % 2, np.arange(n_items) % 2
    R = 3 + np.where(kind_u[:, None] == kind_j, 1.0, -1.0) + 0.3 * rng.normal(size=(n_users, n_items))
    u, j = (x.ravel() for x in np.indices(R.shape))
    cells = table(u, j, R.ravel(), n_users, n_items)
    cold = (u < 10) | (j < 10)  # five of each kind
    train, test = cells.keep(~cold), cells.keep((u < 10) & (j < 10))
    told = BayesianFM({"kind": np.eye(2)[kind_u]}, {"kind": np.eye(2)[kind_j]}, **QUICK)
    assert error(told.fit(train), test) < 0.5 < 0.9 < error(BayesianFM(**QUICK).fit(train), test)


def test_own_noise_finds_the_users_who_cannot_be_foreseen():
    train, test = planted(noise=0.0)
    rng, wild = np.random.default_rng(8), np.arange(60) < 20

    def noisy(part):
        spread = np.where(wild[part.user], 1.5, 0.2)
        return table(part.user, part.item, part.rating + spread * rng.normal(size=len(part)), 60, 50)

    train, test = noisy(train), noisy(test)
    fm, same_for_all = (BayesianFM(**QUICK, own_noise=own).fit(train) for own in (True, False))
    sd = fm.sd(test.user, test.item)
    assert np.median(sd[wild[test.user]]) > 3 * np.median(sd[~wild[test.user]])
    calm = test.keep(~wild[test.user])
    assert error(fm, calm) < error(same_for_all, calm) - 0.02  # the wild ones no longer disturb


def test_the_test_part_never_enters():
    """What a model says of a pair does not depend on which other pairs it is asked about; histories are train's."""
    train, test = planted()
    fm = BayesianFM(d=2, samples=4, burn_in=1).fit(train)
    together = fm.predict(test.user, test.item)
    np.testing.assert_allclose(fm.predict(test.user[:7], test.item[:7]), together[:7])
    (history,) = fm._sides({}, train.matrix())
    assert (history.F[test.user, test.item] == 0).all() and (history.F[train.user, train.item] > 0).all()
    np.testing.assert_allclose((history.F**2).sum(axis=1), 1)


def test_day_carries_a_mood_and_an_unknown_day_carries_none():
    train, test = planted(noise=0.2)
    rng = np.random.default_rng(9)
    mood = rng.normal(size=(60, 4))  # of each user on each of four days

    def moody(part):
        day = rng.integers(4, size=len(part))
        return table(part.user, part.item, part.rating + mood[part.user, day], 60, 50, day * DAY + 100)

    train, test = moody(train), moody(test)
    fm = BayesianFM(**QUICK, day=True).fit(train)
    assert error(fm, test, test.time) < 0.4 < 0.8 < error(BayesianFM(**QUICK).fit(train), test)
    later = np.full(len(test), 50 * DAY)
    assert error(fm, test, later) > 0.8
    assert fm.sd(test.user, test.item, later).mean() > fm.sd(test.user, test.item, test.time).mean() + 0.3
    np.testing.assert_allclose(
        fm.predict(test.user, test.item, later), fm.score(np.arange(60))[test.user, test.item].clip(*fm.range_)
    )


def test_the_times_are_given_if_and_only_if_the_model_knows_days():
    train, test = planted()
    fm = BayesianFM(d=2, samples=2, burn_in=1).fit(train)
    with pytest.raises(CourseError, match="leave out the times"):
        fm.predict(test.user, test.item, test.time)
    fm.day = True
    with pytest.raises(CourseError, match="give the times"):
        fm.predict(test.user, test.item)


@pytest.mark.parametrize(
    "features", [np.ones(60), np.ones((59, 2)), np.zeros((60, 2)), np.full((60, 1), np.nan)], ids=str
)
def test_features_of_another_shape_are_named(features):
    with pytest.raises(CourseError, match="features 'age'"):
        BayesianFM({"age": features}).fit(planted()[0])


@pytest.mark.parametrize("model", [SVD(d=2, sweeps=1), BayesianFM(d=2, samples=1, burn_in=0)])
def test_bad_input_is_named(model):
    train, _ = planted()
    with pytest.raises(CourseError, match="no rows"):
        model.fit(train.keep(np.zeros(len(train), dtype=bool)))
    model.fit(train)
    for pair in ((np.array([60]), np.array([0])), (np.array([0]), np.array([50])), (np.array([0.5]), np.array([0]))):
        with pytest.raises(CourseError):
            model.predict(*pair)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 30))
def test_any_handful_of_ratings_gives_finite_predictions_within_its_range(seed, n):
    rng = np.random.default_rng(seed)
    train = table(rng.integers(6, size=n), rng.integers(5, size=n), rng.integers(1, 6, size=n), 6, 5)
    u, j = (x.ravel() for x in np.indices((6, 5)))
    for model in (SVD(d=2, sweeps=3), BayesianFM(d=2, samples=3, burn_in=2)):
        predicted = model.fit(train).predict(u, j)
        assert np.isfinite(predicted).all()
        assert train.rating.min() <= predicted.min() and predicted.max() <= train.rating.max()


def test_on_u1_a_short_chain_is_ahead_of_the_means_svd_and_the_papers():
    split = splits.canonical(movielens.load_ratings(), 1)
    features = (
        {"people": demographics(movielens.load_users())},
        {"genres": memberships(movielens.load_films().genres)},
    )
    fm = BayesianFM(*features, samples=30, day=True).fit(split.train)
    means, svd = (error(model.fit(split.train), split.test) for model in (BiasModel(), SVD()))
    assert error(fm, split.test, split.test.time) < 0.895 < PUBLISHED["IGMC"] < svd < means - 0.02


# ── the table ────────────────────────────────────────────────────────────────────────────────────────────────
def test_rmse_table_by_hand_and_paired():
    test = table([0, 0, 1, 2], [0, 1, 0, 1], [3, 3, 3, 3], 5, 2)  # users 3 and 4 have no test rating
    found = rmse_table(test, {"a": np.array([4, 4, 4, 5.0]), "b": np.array([3, 4, 4, 5.0])}, seed=0)
    np.testing.assert_allclose(found.rmse, [(7 / 4) ** 0.5, (6 / 4) ** 0.5])
    np.testing.assert_allclose(found.gain, [0, (7 / 4) ** 0.5 - (6 / 4) ** 0.5])
    assert (found.rmse_low < found.rmse).all() and (found.rmse < found.rmse_high).all()
    np.testing.assert_allclose((found.rmse_low["a"], found.rmse_high["a"]), (1, 2))  # only easy, only hard users
    assert found.gain_low["b"] == 0 and found.gain_high["b"] < 0.3  # never worse, far narrower than the errors
    over_first = rmse_table(
        test, {name: np.full(4, value) for name, value in (("a", 5.0), ("b", 4.0), ("c", 4.0))}, 0, "a"
    )
    np.testing.assert_allclose(over_first.gain, [0, 1, 1])
