import json
import pickle

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
import torch

from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError
from course_lib.ranking.baselines import ALS, EASE, BiasModel, ItemKNN, Popularity, Random, RecentPopularity, UserKNN
from course_lib.ranking.fusion import Mix
from course_lib.ranking.graph import LightGCN
from course_lib.ranking.saved import MODELS, load, save
from course_lib.ranking.sequence import RecentEASE, Transitions

UNFITTED = {
    "Random": Random(4),
    "Popularity": Popularity(),
    "RecentPopularity": RecentPopularity(days=3),
    "ItemKNN": ItemKNN(K=4, shrink=1.5),
    "UserKNN": UserKNN(K=4),
    "EASE": EASE(lam=7),
    "RecentEASE": RecentEASE(lam=7, tau=3),
    "Transitions": Transitions(window=3),
    "ALS": ALS(d=3, sweeps=2, seed=5),
    "BiasModel": BiasModel(sweeps=3),
    "LightGCN": LightGCN(d=4, L=2, steps=5, seed=3),
}


@pytest.fixture(scope="module")
def train():
    rng = np.random.default_rng(0)
    pairs = rng.permutation(20 * 15)[:90]
    pairs = pairs[pairs // 15 != 7]  # user 7 has no row: popularity answers
    table = pd.DataFrame({"user": pairs // 15, "item": pairs % 15, "rating": 1.0 + pairs % 5, "time": 86_400 * pairs})
    return Interactions(table, 20, 15)


def test_every_model_that_can_be_saved_is_tested_here():
    assert UNFITTED.keys() == MODELS.keys()


@pytest.mark.parametrize("name", MODELS)
def test_a_loaded_model_is_the_same_and_scores_the_same_to_the_last_bit(name, train, tmp_path):
    model, users = UNFITTED[name].fit(train), np.arange(20)
    save(model, tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert type(again) is type(model) and again is not model
    assert np.array_equal(again.score(users), model.score(users))
    assert vars(again).keys() == vars(model).keys()
    assert {k: v for k, v in vars(again).items() if not k.endswith("_")} == {
        k: v for k, v in vars(model).items() if not k.endswith("_")
    }


def test_a_loaded_model_can_be_fitted_again(train, tmp_path):
    model = LightGCN(d=4, steps=5, seed=3, device=torch.device("cpu")).fit(train)
    save(model, tmp_path / "m")
    again = load(tmp_path / "m")
    assert again.losses_ == model.losses_ and again.E_.requires_grad
    assert np.allclose(again.fit(train).score(np.arange(20)), model.score(np.arange(20)))


def test_saving_again_replaces_the_file_and_leaves_nothing_else(train, tmp_path):
    for lam in (5.0, 50.0):
        save(EASE(lam).fit(train), tmp_path / "models" / "ease")
    assert load(tmp_path / "models" / "ease").lam == 50.0
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["ease"]


def test_models_that_hold_others_or_have_learned_nothing_are_refused(train, tmp_path):
    with pytest.raises(CourseError, match="Mix cannot be saved"):
        save(Mix({"a": (Popularity(), 1.0)}).fit(train), tmp_path / "m")
    with pytest.raises(CourseError, match="learned nothing yet"):
        save(EASE(), tmp_path / "m")

    class Popularity2(Popularity):
        pass

    Popularity2.__name__ = "Popularity"
    with pytest.raises(CourseError, match="cannot be saved"):
        save(Popularity2().fit(train), tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_no_file_is_a_sentence(tmp_path):
    with pytest.raises(CourseError, match="no saved model at"):
        load(tmp_path / "absent")


class Evil:
    """A pickle that runs code while it is read."""

    def __reduce__(self):
        return (print, ("this must never be printed",))


def test_a_pickle_is_refused_and_not_run(tmp_path, capsys):
    (tmp_path / "m").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(CourseError, match="not a model"):
        load(tmp_path / "m")
    assert not capsys.readouterr().out


def forged(path, train, change):
    """A saved ALS, with ``change(arrays, metadata)`` done to it."""
    save(ALS(d=3, sweeps=1).fit(train), path)
    with safetensors.safe_open(path, framework="np") as file:
        metadata, arrays = file.metadata(), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    change(arrays, metadata)
    safetensors.numpy.save_file(arrays, path, metadata)


FORGERIES = {
    "another class": lambda a, m: m.update(model="Popen"),
    "an argument too many": lambda a, m: m.update(arguments=json.dumps({"d": 3, "evil": 1})),
    "an array too few": lambda a, m: a.pop("U_"),
    "no metadata": lambda a, m: m.clear(),
    "broken JSON": lambda a, m: m.update(learned="{"),
    "an index beyond the matrix": lambda a, m: a.update({"X_.indices": a["X_.indices"] + 1000}),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_forged_or_foreign_files_are_refused_in_a_sentence(forgery, train, tmp_path):
    forged(tmp_path / "m", train, FORGERIES[forgery])
    with pytest.raises(CourseError, match="not a model"):
        load(tmp_path / "m")


def test_half_a_file_is_refused(train, tmp_path):
    save(EASE().fit(train), tmp_path / "m")
    (tmp_path / "m").write_bytes((tmp_path / "m").read_bytes()[:-10])
    with pytest.raises(CourseError, match="not a model"):
        load(tmp_path / "m")
