"""A run's figures are the committed ones, each within the tolerance that its lesson states."""

import pytest
from conftest import EXPECTED, LESSONS, fresh, read


@pytest.mark.parametrize("lesson", LESSONS)
def test_figures_of_the_run_are_the_committed_ones(lesson):
    committed, run = read(EXPECTED / f"{lesson}.json"), fresh(lesson)
    assert committed, f"no figures are committed: course run {lesson} --update"
    assert run["seed"] == committed["seed"]
    assert run["figures"].keys() == committed["figures"].keys()
    beyond = {
        name: f"{run['figures'][name]} against {value}, more than {committed['tolerance'][name]:.1%} off"
        for name, value in committed["figures"].items()
        if run["figures"][name] != pytest.approx(value, rel=committed["tolerance"][name], abs=1e-9)
    }
    assert not beyond


def test_every_committed_file_belongs_to_a_lesson():
    assert {path.stem for path in EXPECTED.glob("*.json")} - {"summary", "fingerprints"} == set(LESSONS)


@pytest.mark.parametrize("lesson", LESSONS)
def test_tolerances_are_small_enough_to_fail(lesson):
    committed = read(EXPECTED / f"{lesson}.json")
    assert committed["figures"].keys() == committed["tolerance"].keys()
    assert all(0 <= tolerance <= 0.25 for tolerance in committed["tolerance"].values()), committed["tolerance"]
