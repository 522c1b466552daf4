import time
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from course_lib.data import movielens, splits
from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError
from course_lib.evaluation.protocol import evaluate
from course_lib.evaluation.tuning import for_choosing, tune
from course_lib.ranking.baselines import EASE, ItemKNN, Popularity

X = FloatDistribution(0.0, 1.0)


@pytest.fixture(scope="module")
def split():
    ratings = movielens.load_ratings()
    liked = movielens.positives(ratings.keep((ratings.user < 60) & (ratings.item < 200)))
    return splits.random_per_user(liked, seed=0)


class Peak:
    """Knows the validation part as well as ``x`` is near 0.3; remembers all that fit and score were given."""

    given: list = []  # noqa: RUF012 (one list for all)

    def __init__(self, valid, x):
        self.valid, self.x = valid, x

    def fit(self, train):
        Peak.given.append(train)
        return self

    def score(self, users):
        noise = np.random.default_rng(0).random((len(users), self.valid.n_items))
        return noise + (1 - min(1, 2 * abs(self.x - 0.3))) * self.valid.matrix()[users].toarray()


def peak(split):
    return lambda x: Peak(split.valid, x)


def test_the_search_finds_a_known_peak_and_keeps_its_model(split):
    found = tune(peak(split), {"x": X}, split, trials=40, seed=1)
    assert abs(found.params["x"] - 0.3) < 0.05 and found.model.x == found.params["x"]
    assert found.score == found.trials["score"].max() == found.trials["best"].iloc[-1]
    assert list(found.trials.columns) == ["x", "score", "best", "seconds"] and len(found.trials) == 40
    assert (found.trials["best"].diff().dropna() >= 0).all()
    late = (found.trials["x"].tail(20) - 0.3).abs()
    assert late.median() < 0.15  # it looks where good trials were: at random the median is .25


def test_fit_sees_the_training_rows_and_nothing_else(split):
    Peak.given.clear()
    tune(peak(split), {"x": X}, split, trials=3)
    assert len(Peak.given) == 3 and all(part.table.equals(split.train.table) for part in Peak.given)


def test_tuning_works_where_there_is_no_test_part_at_all(split):
    without = SimpleNamespace(name="sealed", train=split.train, valid=split.valid)  # .test would be an AttributeError
    sealed, whole = (tune(ItemKNN, {"K": IntDistribution(1, 50)}, part, trials=5) for part in (without, split))
    pd.testing.assert_frame_equal(sealed.trials.drop(columns="seconds"), whole.trials.drop(columns="seconds"))


def test_the_split_for_choosing_has_validation_as_its_test_and_no_row_of_the_test(split):
    choosing = for_choosing(split)
    assert choosing.test is split.valid and choosing.train is split.train and len(choosing.valid) == 0


def test_the_score_is_that_of_evaluate_on_validation(split):
    found = tune(ItemKNN, {"K": IntDistribution(5, 40), "shrink": FloatDistribution(1, 100, log=True)}, split, trials=4)
    again = evaluate({"again": ItemKNN(**found.params).fit(split.train)}, split, relevant=split.valid)
    assert found.score == pytest.approx(again.per_user["again"]["ndcg"].mean(), abs=1e-12)
    other = tune(ItemKNN, {"K": IntDistribution(5, 40)}, split, trials=1, metric="recall", n=3)
    expected = evaluate({"a": ItemKNN(**other.params).fit(split.train)}, split, 3, relevant=split.valid)
    assert other.score == pytest.approx(expected.per_user["a"]["recall"].mean())


def test_the_same_seed_tries_the_same_and_another_one_does_not(split):
    a, b, c = (tune(peak(split), {"x": X}, split, trials=6, seed=seed).trials["x"] for seed in (3, 3, 4))
    assert a.equals(b) and not a.equals(c)


@dataclass
class Slow(Popularity):
    x: float = 0.0

    def fit(self, train):
        time.sleep(0.05)
        return super().fit(train)


def test_no_trial_begins_after_the_budget_and_one_is_always_done(split):
    assert 1 <= len(tune(Slow, {"x": X}, split, trials=1000, budget_seconds=0.4).trials) <= 9
    assert len(tune(Slow, {"x": X}, split, trials=5, budget_seconds=0).trials) == 1


@dataclass
class Diverging(Popularity):
    x: float = 0.0
    limit: float = 0.5

    def fit(self, train):
        if self.x > self.limit:
            raise CourseError("training diverged; lower the learning rate.")
        return super().fit(train)


def test_a_trial_that_diverges_is_kept_as_failed_and_the_search_goes_on(split):
    found = tune(Diverging, {"x": X}, split, trials=12, seed=0)
    failed = found.trials["score"].isna()
    assert 0 < failed.sum() < 12 and (found.trials["x"] > 0.5).equals(failed) and found.params["x"] <= 0.5


class Singular(Popularity):
    """Without a solution where ``lam`` is small."""

    def __init__(self, lam):
        self.lam = lam

    def fit(self, train):
        np.linalg.solve(np.eye(2) * (self.lam > 0.5), np.ones(2))
        return super().fit(train)


def test_a_setting_out_of_range_or_without_a_solution_does_not_end_the_search(split):
    lam = CategoricalDistribution([0.0, 100.0])
    for make, why in ((EASE, "lam is above 0; got 0"), (Singular, "Singular matrix")):
        found = tune(make, {"lam": lam}, split, trials=8, seed=0)
        failed = found.trials["lam"] == 0
        assert failed.any() and found.trials["score"].isna().equals(failed) and found.params == {"lam": 100.0}
        assert (
            list(found.failed) == list(np.flatnonzero(failed)) and why in found.failed[int(np.flatnonzero(failed)[0])]
        )


def test_a_search_in_which_all_fails_says_why(split):
    with pytest.raises(CourseError, match=r"All 3 trials failed.*diverged"):
        tune(Diverging, {"x": X, "limit": CategoricalDistribution([-1.0])}, split, trials=3)


def test_mistakes_in_the_request_are_named(split):
    with pytest.raises(CourseError, match="parameter to vary"):
        tune(Popularity, {}, split)
    with pytest.raises(CourseError, match="trials is at least 1"):
        tune(Slow, {"x": X}, split, trials=0)
    with pytest.raises(CourseError, match=r"'NDCG'.*ndcg"):
        tune(Slow, {"x": X}, split, metric="NDCG")


def test_progress_sees_every_trial(split):
    seen = []

    def bar(numbers):
        for number in numbers:
            seen.append(number)
            yield number

    tune(peak(split), {"x": X}, split, trials=4, progress=bar)
    assert seen == [0, 1, 2, 3]


def test_tensorboard_reads_the_trials_that_were_done(split, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = tune(Diverging, {"x": X, "limit": CategoricalDistribution([0.7])}, split, trials=6, log_dir=tmp_path / "tb")
    events = EventAccumulator(str(tmp_path / "tb")).Reload()
    done = found.trials["score"].dropna()
    curve = events.Scalars("search/score")
    assert [point.step for point in curve] == done.index.tolist()
    assert [point.value for point in curve] == pytest.approx(done.tolist(), abs=1e-6)
    runs = sorted(path.name for path in (tmp_path / "tb").iterdir() if path.is_dir())
    assert runs == [f"trial_{number:03d}" for number in done.index]
    (best,) = (EventAccumulator(str(tmp_path / "tb" / runs[0])).Reload(),)
    assert best.Scalars("validation/ndcg@10")[0].value == pytest.approx(done.iloc[0], abs=1e-6)
    assert "_hparams_/session_start_info" in best.Tags()["tensors"] or best.summary_metadata


def test_a_folder_that_cannot_be_written_is_a_sentence(split, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CourseError, match="log_dir"):
        tune(peak(split), {"x": X}, split, trials=1, log_dir=tmp_path / "file" / "tb")


def test_a_tuned_model_on_shuffled_validation_is_at_chance(split):
    """Nothing leaks: with validation rows at random items, tuning finds no more than chance and luck."""
    rng = np.random.default_rng(0)
    free = split.train.matrix().toarray() == 0
    item = np.array([rng.choice(np.flatnonzero(free[user])) for user in split.valid.user])
    table = split.valid.table.assign(item=item)
    shuffled = SimpleNamespace(name="x", train=split.train, valid=Interactions(table, 60 + 883, 1682))
    score = tune(ItemKNN, {"K": IntDistribution(1, 60)}, shuffled, trials=6).score
    honest = tune(ItemKNN, {"K": IntDistribution(1, 60)}, split, trials=6).score
    assert score < 0.05 < 3 * 0.05 < honest
