import numpy as np
import pandas as pd
import pytest
import torch

from course_lib.data import movielens
from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError
from course_lib.text import few_shot, taste
from course_lib.text.few_shot import FewShot, ShotMeans
from course_lib.text.taste import FilmTexts, TextAndTaste, Variances
from course_lib.text.training import Recipe

THEMES = ("war", "love", "space")
TEXTS = [f"a film about {THEMES[j % 3]}, part {j}" for j in range(24)]


def planted(n: int, seed: int, past: int = 6) -> FewShot:
    """People who like one theme and nothing else: text tells what counting single films cannot."""
    rng = np.random.default_rng(seed)
    items = np.array([rng.permutation(24)[: past + 1] for _ in range(n)])
    theme = rng.integers(3, size=n)
    return FewShot(np.arange(n), np.arange(n), items, (items % 3 == theme[:, None]).astype(np.int64))


@pytest.fixture(scope="module")
def parts() -> few_shot.Parts:
    return few_shot.by_time(few_shot.examples(movielens.load_ratings()))


@pytest.fixture(scope="module")
def film_texts() -> FilmTexts:
    return FilmTexts(TEXTS)


def test_an_example_is_a_rating_and_the_ten_before_it_in_time():
    table = pd.DataFrame({"user": 0, "item": range(13), "rating": [5.0, 3.0] * 6 + [4.0], "time": range(13, 0, -1)})
    of = few_shot.examples(Interactions(table.astype({"time": "int64", "user": "int64"}), 1, 13))
    assert of.items.tolist() == [list(range(12, 1, -1)), list(range(11, 0, -1)), list(range(10, -1, -1))]
    assert of.liked[0].tolist() == [1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1]  # item 12 has four stars, 11 three, 10 five …
    assert of.label.tolist() == [1, 0, 1] and of.time.tolist() == [11, 12, 13]


def test_the_protocol_has_the_size_of_the_published_one_and_no_test_example_is_earlier(parts):
    assert [len(part) for part in parts] == [72_456, 9_057, 9_057]
    assert parts.train.time.max() <= parts.valid.time.min() and parts.valid.time.max() <= parts.test.time.min()


def test_smoothed_means_are_at_least_as_good_as_in_an_earlier_measurement(parts):
    for n, measured in ((16, 0.697), (64, 0.693), (256, 0.707)):
        values = [
            few_shot.auc(parts.test, ShotMeans().fit(parts.train.draw(n, s)).scores(parts.test)) for s in range(5)
        ]
        assert measured - 0.01 < np.mean(values) < measured + 0.03


def test_shot_means_by_hand():
    shots = FewShot(np.array([0]), np.array([0]), np.array([[0, 1, 2]]), np.array([[1, 0, 1]]))
    of = FewShot(np.array([9]), np.array([1]), np.array([[5, 6, 0]]), np.array([[1, 1, 0]]))
    g, k = 2 / 3, 5
    assert ShotMeans(k).fit(shots).scores(of) == pytest.approx([g + (1 - g) / (1 + k) + 2 * (1 - g) / (2 + k)])


def test_no_model_reads_the_label_that_it_is_asked_for(film_texts):
    shots, of = planted(30, 0), planted(20, 1)
    flipped = FewShot(of.user, of.time, of.items, np.hstack([of.liked[:, :-1], 1 - of.liked[:, -1:]]))
    for model in (ShotMeans().fit(shots), TextAndTaste(film_texts, rank=0).fit(shots)):
        np.testing.assert_array_equal(model.scores(of), model.scores(flipped))


def test_shuffled_answers_are_at_chance(film_texts):
    shots, of = planted(60, 0), planted(400, 1)
    scores = TextAndTaste(film_texts, rank=0).fit(shots).scores(of)
    assert few_shot.auc(of, scores) > 0.9
    rng = np.random.default_rng(0)
    shuffled = FewShot(of.user, of.time, of.items, np.hstack([of.liked[:, :-1], rng.permutation(of.liked[:, -1:])]))
    assert abs(few_shot.auc(shuffled, scores) - 0.5) < 0.1


def test_text_carries_a_taste_to_films_never_rated(film_texts):
    shots, of = planted(60, 0), planted(400, 1)
    means = few_shot.auc(of, ShotMeans().fit(shots).scores(of))
    assert few_shot.auc(of, TextAndTaste(film_texts, rank=0).fit(shots).scores(of)) > means + 0.2


def test_predictions_are_those_of_a_gaussian_process_written_out_in_full():
    rng, v = np.random.default_rng(0), Variances()
    K = taste.alike(torch.as_tensor(rng.normal(size=(24, 5)), dtype=torch.float32))
    shots, of = planted(5, 2), planted(1, 3)
    both = np.vstack([shots.items, of.items])
    A = taste.covariance(K, torch.as_tensor(both), v).double().numpy() - v.noise * np.eye(both.size)
    mu = shots.liked.mean()
    labels = np.concatenate([shots.liked.ravel(), of.liked[0, :-1]]) - mu
    known = A[:-1, :-1] + v.noise * np.eye(len(labels))
    expected = mu + A[-1, :-1] @ np.linalg.solve(known, labels)
    assert taste.predict(K, shots, of, v) == pytest.approx([expected], abs=1e-4)


def test_left_out_errors_are_those_of_leaving_out():
    rng = np.random.default_rng(1)
    B = rng.normal(size=(6, 6))
    A, y = torch.as_tensor(B @ B.T + np.eye(6)), torch.as_tensor(rng.normal(size=6))
    errors = taste.left_out_errors(A, y)
    for n in range(6):
        rest = [m for m in range(6) if m != n]
        foretold = A[n, rest] @ torch.linalg.solve(A[rest][:, rest], y[rest])
        assert float(errors[n]) == pytest.approx(float(y[n] - foretold))


def test_film_texts_go_on_where_bert_stopped(film_texts):
    with torch.no_grad():
        vectors = film_texts.vectors(film_texts.end, np.arange(24))
    unit = torch.nn.functional.normalize(vectors, dim=1).numpy()
    np.testing.assert_allclose(unit, film_texts.encoder.encode(TEXTS), atol=1e-5)


def test_lora_learns_what_likes_have_in_common_and_leaves_bert_as_it_was(film_texts):
    shots = planted(40, 4)
    before = film_texts.end.dense.weight.clone()
    model = TextAndTaste(film_texts, 4, Recipe(epochs=8, batch_size=20, learning_rate=2e-3)).fit(shots)
    assert model.trained_parameters_ == 4 * (4 * 384 + 384)
    assert torch.equal(before, film_texts.end.dense.weight)
    plain = TextAndTaste(film_texts, rank=0).fit(shots)
    assert left_out_loss(model.K_, shots) < 0.98 * left_out_loss(plain.K_, shots)


def left_out_loss(K: torch.Tensor, shots: FewShot) -> float:
    A = taste.covariance(K, torch.as_tensor(shots.items), Variances())
    labels = torch.as_tensor(shots.liked, dtype=torch.float32).ravel()
    return float((taste.left_out_errors(A, labels - labels.mean()) ** 2).mean())


def test_awkward_input_is_named(film_texts, parts):
    with pytest.raises(CourseError, match="one text with at least a word"):
        FilmTexts(["a film", ""])
    with pytest.raises(CourseError, match="not been fitted"):
        TextAndTaste(film_texts).scores(planted(2, 0))
    with pytest.raises(CourseError, match="ask for 1 to 9057"):
        parts.test.draw(0, 0)
    short = Interactions(
        pd.DataFrame({"user": [0], "item": [0], "rating": [1.0], "time": [0]})
        .astype("int64")
        .astype({"rating": float}),
        1,
        1,
    )
    with pytest.raises(CourseError, match="more than 10 ratings"):
        few_shot.examples(short)
