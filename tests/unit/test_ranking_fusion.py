"""The sum over k is one layer in disguise, the pair's text keeps its answer to itself, and text search finds texts."""

import numpy as np
import pandas as pd
import pytest
import torch

from course_lib.data import movielens, splits
from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError
from course_lib.evaluation.metrics import rmse
from course_lib.ranking.baselines import BiasModel, Popularity
from course_lib.ranking.fusion import Fusion, Mix, PairText, zscore
from course_lib.ranking.retrieval import Content, TextSearch, centred, middle, principal, unit
from course_lib.ranking.ways import histories, text_neighbours


def made(n_users: int = 30, n_items: int = 20, seed: int = 0) -> tuple[Interactions, np.ndarray]:
    """Ratings that depend on the user's taste for the items' text; user 0 and item 0 have none."""
    rng = np.random.default_rng(seed)
    E, taste = rng.normal(size=(n_items, 6)), rng.normal(size=(n_users, 6))
    user, item = np.nonzero(rng.random((n_users, n_items)) < 0.5)
    user, item = user[(user > 0) & (item > 0)], item[(user > 0) & (item > 0)]
    rating = np.clip(np.round(3 + (taste[user] * E[item]).sum(1) / 2), 1, 5)
    return Interactions(pd.DataFrame({"user": user, "item": item, "rating": rating, "time": 0}), n_users, n_items), E


TRAIN, E = made()
SMALL = {"d": 3, "d_t": 4, "epochs": 3, "batch": 64}


# ── content ──────────────────────────────────────────────────────────────────────────────────────────────────
def test_centred_vectors_have_length_one_and_missing_texts_stay_zero():
    vectors = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    assert centred(vectors) == pytest.approx(np.array([[1, -1], [-1, 1], [0, 0]]) / np.sqrt(2))
    assert middle(vectors) == pytest.approx([0.5, 0.5])
    assert (centred(np.zeros((2, 3))) == 0).all()


def test_principal_coordinates_keep_the_cosines():
    e = principal(E, 6)
    assert e @ e.T == pytest.approx(centred(E) @ centred(E).T)
    assert (e**2).sum(axis=0).tolist() == sorted((e**2).sum(axis=0), reverse=True)


def test_nan_in_the_vectors_is_one_sentence():
    with pytest.raises(CourseError, match="Text vectors hold NaN or an infinite value, 1 of 4"):
        centred(np.array([[np.nan, 1.0], [0.0, 1.0]]))


def test_content_is_the_cosine_of_the_mean_text():
    model, e = Content(E).fit(TRAIN), centred(E)
    history = TRAIN.item[TRAIN.user == 5]
    p = e[history].mean(axis=0)
    assert model.score(np.array([5]))[0] == pytest.approx(e @ p / np.linalg.norm(p))
    assert (model.score(np.array([0])) == Popularity().fit(TRAIN).score(np.array([0]))).all()  # nothing known of him
    with pytest.raises(CourseError, match="user id 30 is unknown"):
        model.score(np.array([30]))
    with pytest.raises(CourseError, match="3 text vectors for 20 items"):
        Content(E[:3]).fit(TRAIN)


class Lookup:
    """An encoder that knows the items' own texts."""

    def encode(self, texts):
        return np.stack([E[int(text)] for text in texts])


def test_search_puts_an_items_own_text_first():
    scores = TextSearch(Lookup(), E).score(["3", "17"])
    assert scores.argmax(axis=1).tolist() == [3, 17] and scores.max(axis=1) == pytest.approx([1, 1])
    for wrong in ("3", [""], [None]):
        with pytest.raises(CourseError, match=r"list of strings|not empty|missing one"):
            TextSearch(Lookup(), E).score(wrong)


# ── the text of a pair ───────────────────────────────────────────────────────────────────────────────────────
def test_a_training_pair_does_not_see_its_own_rating():
    e, model = centred(E), PairText(centred(E), shrink=2.0).fit(TRAIN)
    for row in (0, 7, 100):
        without = TRAIN.keep(np.arange(len(TRAIN)) != row)
        i, j, r = TRAIN.user[[row]], TRAIN.item[[row]], TRAIN.rating[[row]]
        retold = PairText(e, shrink=2.0).fit(without)
        assert model.pairs(i, j, r) / model.scale_ == pytest.approx(retold.pairs(i, j) / retold.scale_)
        mine = without.user == i[0]
        left = without.rating[mine] - without.rating[mine].mean()
        by_hand = left @ e[without.item[mine]] / (mine.sum() + 2.0) * e[j[0]]
        assert model.pairs(i, j, r)[0] / model.scale_ == pytest.approx(by_hand)


def test_a_user_without_history_has_an_empty_text_profile():
    assert (PairText(centred(E)).fit(TRAIN).pairs(np.array([0]), np.array([4])) == 0).all()


# ── the sum and its collapse ─────────────────────────────────────────────────────────────────────────────────
def test_the_net_computes_the_formula():
    model = Fusion(E, K=3, **SMALL).fit(TRAIN)
    net, i, j = model.net_, np.array([4, 9]), np.array([2, 11])
    t = model.pair_text_.pairs(i, j)
    U, V, w, alpha = (x.detach().numpy() for x in (net.U, net.V, net.w, net.alpha_k))
    for m in range(2):
        r = sum(alpha[k] * (U[i[m]] @ V[j[m]] + t[m] @ w[k]) for k in range(3))
        r += net.mu + net.b_i[i[m]].item() + net.b_j[j[m]].item()
        assert model.predict(i, j)[m] == pytest.approx(np.clip(r, 1, 5), abs=1e-5)
        assert model.score(i)[m, j[m]] == pytest.approx(r, abs=1e-5)
        behaviour, text = model.parts(i, j)
        assert behaviour[m] + text[m] == pytest.approx(
            r - net.mu - net.b_i[i[m]].item() - net.b_j[j[m]].item(), abs=1e-5
        )


@pytest.mark.parametrize("K", [1, 2, 5])
def test_k_layers_collapse_to_one(K):
    model = Fusion(E, K=K, **SMALL).fit(TRAIN)
    one, users = model.collapse(), np.arange(30)
    assert one.net_.w.shape == (1, 4) and one.alpha(users[:1], users[:1]).shape == (1, 1)
    assert one.score(users) == pytest.approx(model.score(users), abs=1e-5)


def test_a_gate_does_not_collapse():
    model = Fusion(E, K=2, gate=True, **SMALL).fit(TRAIN)
    alpha = model.alpha(TRAIN.user, TRAIN.item)
    assert alpha.shape == (len(TRAIN), 2) and (alpha > 0).all() and (alpha < 1).all()
    assert np.ptp(alpha, axis=0).min() > 0  # it depends on the pair
    with pytest.raises(CourseError, match="does not collapse"):
        model.collapse()


def test_a_gate_starts_as_the_sum():
    plain, gated = (Fusion(E, K=4, gate=gate, lr=0.0, **SMALL).fit(TRAIN) for gate in (False, True))
    assert gated.predict(TRAIN.user, TRAIN.item) == pytest.approx(plain.predict(TRAIN.user, TRAIN.item), abs=1e-5)


def test_dropped_parts_say_nothing():
    behaviour = Fusion(E, text=False, **SMALL).fit(TRAIN).parts(TRAIN.user, TRAIN.item)
    text = Fusion(E, collaborative=False, **SMALL).fit(TRAIN).parts(TRAIN.user, TRAIN.item)
    assert (behaviour[1] == 0).all() and behaviour[0].any() and (text[0] == 0).all() and text[1].any()


def test_the_same_seed_gives_the_same_scores_and_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    a, b = (Fusion(E, gate=True, K=2, **SMALL).fit(TRAIN).score(np.arange(30)) for _ in range(2))
    assert (a == b).all() and (torch.get_rng_state() == before).all()
    assert (Fusion(E, gate=True, K=2, seed=1, **SMALL).fit(TRAIN).score(np.arange(30)) != a).any()


def test_the_best_epoch_on_validation_is_kept():
    keep = np.random.default_rng(0).random(len(TRAIN)) < 0.8
    valid = TRAIN.keep(~keep)
    model = Fusion(E, d=8, lam=0.0, lam_w=0.0, lr=0.3, epochs=15, batch=16).fit(TRAIN.keep(keep), valid)
    error = np.sqrt(np.mean((model.predict(valid.user, valid.item) - valid.rating) ** 2))
    assert error == pytest.approx(min(model.valid_rmse_), abs=1e-6) and error < model.valid_rmse_[-1]


def test_unknown_ids_and_missing_vectors_are_one_sentence():
    model = Fusion(E, **SMALL).fit(TRAIN)
    with pytest.raises(CourseError, match="user id 30 is unknown"):
        model.predict(np.array([30]), np.array([0]))
    with pytest.raises(CourseError, match=r"item id 20 is unknown.*numbered 0 to 19"):
        model.predict(np.array([0]), np.array([20]))
    with pytest.raises(CourseError, match="5 text vectors for 20 items"):
        Fusion(E[:5], **SMALL).fit(TRAIN)
    with pytest.raises(CourseError, match="no rows"):
        Fusion(E, **SMALL).fit(TRAIN.keep(np.zeros(len(TRAIN), dtype=bool)))
    assert np.isfinite(model.predict(np.array([0]), np.array([0]))).all()  # known ids without a single rating


def test_text_helps_where_ratings_follow_the_text():
    train, E = made(120, 60, seed=1)
    keep = np.random.default_rng(0).random(len(train)) < 0.7
    fit, test = train.keep(keep), train.keep(~keep)

    def rmse(model: Fusion) -> float:
        return float(np.sqrt(np.mean((model.predict(test.user, test.item) - test.rating) ** 2)))

    settings = {"d_t": 6, "lam_w": 1.0, "lr": 0.05, "epochs": 15}
    means = rmse(Fusion(E, collaborative=False, text=False, **settings).fit(fit))
    assert rmse(Fusion(E, collaborative=False, **settings).fit(fit)) < 0.9 * means


# ── mixing rankings ──────────────────────────────────────────────────────────────────────────────────────────
def test_a_mix_adds_z_scores():
    assert zscore(np.array([[1.0, 3.0], [2.0, 2.0]])).tolist() == [[-1, 1], [0, 0]]
    users, popular, content = np.arange(1, 30), Popularity(), Content(E)
    mix = Mix({"popularity": (popular, 1.0), "text": (content, 0.5)}).fit(TRAIN)
    a, b = popular.score(users), content.score(users)
    expected = (a - a.mean(1, keepdims=True)) / a.std(1, keepdims=True) + 0.5 * unit(b - b.mean(1, keepdims=True)) * (
        np.sqrt(20)
    )
    assert mix.score(users) == pytest.approx(expected)
    with pytest.raises(CourseError, match="finite scores"):
        zscore(np.array([[np.nan, 1.0]]))


def test_the_factors_reach_the_published_rmse():
    """Random per user, 80 % of the ratings to learn from: a tuned SVD reaches .904 on 90 %."""
    split = splits.random_per_user(movielens.load_ratings(), 0)
    model = Fusion(np.eye(1682, 8), text=False).fit(split.train, split.valid)
    means, test = BiasModel().fit(split.train), split.test
    rmse = [np.sqrt(np.mean((m.predict(test.user, test.item) - test.rating) ** 2)) for m in (model, means)]
    assert rmse[0] < 0.92 and rmse[0] < rmse[1] - 0.015


# ── other ways for text to enter ─────────────────────────────────────────────────────────────────────────────
def two_crowds(seed: int = 0, n: int = 60) -> tuple[Interactions, np.ndarray]:
    """Ratings 5 where user and film are of the same kind, else 1; the text of a film says its kind."""
    rng = np.random.default_rng(seed)
    kind_u, kind_j = rng.integers(0, 2, n), rng.integers(0, 2, n)
    pairs = np.argwhere(rng.random((n, n)) < 0.4)
    table = pd.DataFrame(pairs, columns=["user", "item"])
    table["rating"] = np.where(kind_u[table.user] == kind_j[table.item], 5.0, 1.0)
    vectors = np.eye(2)[kind_j] + 0.1 * rng.normal(size=(n, 2))
    return Interactions(table.assign(time=0), n, n), vectors


@pytest.mark.parametrize(
    ("name", "learns"), [("concat", False), ("bilinear", True), ("mlp", True), ("attention", True)]
)
def test_each_way_learns_what_its_formula_can_say(name, learns):
    ratings, vectors = two_crowds()
    split = splits.random_per_user(ratings, seed=1)
    settings = {"collaborative": False, "d_t": 2, "lam_w": 0.1, "epochs": 60, "lr": 0.05}
    model = Fusion(vectors, way=name, **settings).fit(split.train)
    error = rmse(split.test.rating, model.predict(split.test.user, split.test.item))
    assert error < 1.0 if learns else error > 1.6  # a sum of two numbers cannot say "the two go together"


@pytest.mark.parametrize("name", ["product", "concat", "bilinear", "mlp", "attention"])
def test_all_items_and_pair_by_pair_agree_in_every_way(name):
    ratings, vectors = two_crowds(n=12)
    model = Fusion(vectors, way=name, d_t=2, d=3, epochs=2).fit(ratings)
    scores = model.score(np.array([3, 5]))
    pairs = model.predict(np.repeat([3, 5], 12), np.tile(np.arange(12), 2)).reshape(2, 12)
    assert np.clip(scores, 1, 5) == pytest.approx(pairs, abs=1e-5)


def test_attention_reads_the_history_and_never_the_item_itself():
    ratings, vectors = two_crowds(n=12)
    net = Fusion(vectors, way="attention", d_t=2, epochs=1).fit(ratings).net_.way
    i, j = torch.tensor(ratings.user[:20]), torch.tensor(ratings.item[:20])
    with torch.no_grad():
        a, items = net.weights(i, j).numpy(), net.items[i].numpy()  # (20, H)
    for row, user, item in zip(range(20), ratings.user, ratings.item, strict=False):
        asked = items[row][a[row] > 0]
        assert set(asked) == set(ratings.item[ratings.user == user]) - {item}
    assert (a.sum(axis=1) < 1).all()  # the empty item takes the rest


def test_the_weights_of_one_pair_are_those_of_its_history():
    ratings, vectors = two_crowds(n=12)
    model = Fusion(vectors, way="attention", d_t=2, epochs=1).fit(ratings)
    user, item = int(ratings.user[0]), int(ratings.item[0])
    items, a = model.attention(user, item)
    assert set(items) == set(ratings.item[ratings.user == user]) and a[items == item] == 0 < a.sum() < 1
    with pytest.raises(CourseError, match="weighs no history"):
        Fusion(vectors, d_t=2, epochs=1).fit(ratings).attention(user, item)
    with pytest.raises(CourseError, match="item id 12 is unknown"):
        model.attention(user, 12)


@pytest.mark.parametrize("name", ["product", "concat", "mlp", "attention"])
def test_without_text_no_way_lets_it_in(name):
    ratings, vectors = two_crowds(n=12)
    one, other = (Fusion(v, way=name, text=False, d_t=2, epochs=2).fit(ratings) for v in (vectors, vectors[::-1]))
    assert np.allclose(one.score(np.arange(3)), other.score(np.arange(3)))


def test_a_training_rating_does_not_change_its_own_prediction_by_attention():
    ratings, vectors = two_crowds(n=12)
    net = Fusion(vectors, way="attention", d_t=2, epochs=1).fit(ratings).net_.way
    i, j = torch.tensor(ratings.user[:1]), torch.tensor(ratings.item[:1])
    with torch.no_grad():
        before = net(None, None, None, i, j)
        net.deviations[i, net.items[i][0] == j] = 99.0
        assert torch.equal(net(None, None, None, i, j), before)


def test_histories_hold_each_users_ratings_around_his_mean():
    table = pd.DataFrame({"user": [1, 1, 0], "item": [2, 0, 1], "rating": [5.0, 2.0, 3.0], "time": 0})
    items, left = histories(Interactions(table, 3, 3))
    assert items.tolist() == [[1, -1], [0, 2], [-1, -1]]
    assert left.tolist() == [[0, 0], [-1.5, 1.5], [0, 0]]


def test_neighbours_in_text_pull_item_vectors_together():
    ratings, vectors = two_crowds()
    S = text_neighbours(unit(vectors), 5)
    assert S.to_dense().sum(dim=1) == pytest.approx(1) and S.to_dense().diagonal().sum() == 0

    def apart(lam_n: float) -> float:
        V = Fusion(vectors, d_t=2, text=False, lam=1.0, lam_n=lam_n, neighbours=5).fit(ratings).net_.V.detach()
        return float(((V - S @ V) ** 2).sum() / (V**2).sum())

    assert apart(30.0) < 0.7 * apart(0.0)


def test_unknown_ways_and_a_gate_without_layers_are_one_sentence():
    ratings, vectors = two_crowds(n=12)
    with pytest.raises(CourseError, match="no way of fusion 'magic': choose one of product, concat"):
        Fusion(vectors, way="magic").fit(ratings)
    with pytest.raises(CourseError, match="the way 'mlp' has none"):
        Fusion(vectors, way="mlp", gate=True).fit(ratings)
