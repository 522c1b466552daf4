import numpy as np
import pytest

from course_lib.data import movielens, splits
from course_lib.evaluation.traps import sampled_metric
from course_lib.ranking.baselines import EASE, Popularity


class Constant:
    def score(self, users):
        return np.zeros((len(users), 1682))


@pytest.fixture(scope="module")
def p1():
    return splits.random_per_user(movielens.positives(movielens.load_ratings()), seed=0)


def test_the_side_that_wins_ties_decides_the_score_of_a_model_that_knows_nothing(p1):
    for_it, against = (sampled_metric({"c": Constant()}, p1, ties=side)["c"].mean() for side in ("for", "against"))
    assert for_it == 1 and against == 0


def test_noise_is_at_its_expectation(p1):
    """A random place among 101: the mean of 1 / log2(place + 1) over places 1 to 10, times 10 / 101."""

    class Noise:
        def score(self, users):
            return np.random.default_rng(0).random((len(users), 1682))

    expected = (1 / np.log2(np.arange(2, 12))).sum() / 101
    assert sampled_metric({"n": Noise()}, p1)["n"].mean() == pytest.approx(expected, rel=0.08)


def test_negatives_are_items_the_user_never_touched(p1):
    """A scorer that puts every item of the user's positives on top wins against any other items."""
    whole = p1.fit_part.concat(p1.test).matrix()

    class Touched:
        def score(self, users):
            return np.asarray(whole[users].todense())

    assert sampled_metric({"t": Touched()}, p1)["t"].mean() == 1


def test_sampling_flatters(p1):
    models = {"popularity": Popularity().fit(p1.train), "EASE": EASE().fit(p1.train)}
    sampled = sampled_metric(models, p1)
    assert sampled["popularity"].mean() > 0.25 and sampled["EASE"].mean() > 0.4
