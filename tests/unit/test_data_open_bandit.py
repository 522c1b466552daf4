"""The Open Bandit log: published counts, types, and what is refused."""

import numpy as np
import pytest

from course_lib.data.open_bandit import N_ITEMS, load_log, validated_log
from course_lib.errors import CourseError

CLICKS = {
    ("random", "all"): 38,
    ("random", "men"): 46,
    ("random", "women"): 46,
    ("bts", "all"): 42,
    ("bts", "men"): 69,
    ("bts", "women"): 46,
}


@pytest.mark.parametrize(("policy", "campaign"), CLICKS)
def test_published_counts(policy, campaign):
    log = load_log(policy, campaign)
    assert len(log) == 10_000
    assert log["click"].sum() == CLICKS[policy, campaign]
    assert log["item"].max() + 1 == log["item"].nunique() == N_ITEMS[campaign]
    assert set(log["position"]) == {1, 2, 3}
    assert log["time"].is_monotonic_increasing
    assert str(log["time"].iloc[0])[:10] == "2019-11-24"


@pytest.mark.parametrize("campaign", ["all", "men", "women"])
def test_the_random_policy_is_uniform(campaign):
    log, n_items = load_log("random", campaign), N_ITEMS[campaign]
    np.testing.assert_allclose(log["propensity"], 1 / n_items)
    counts = np.bincount(log["item"], minlength=n_items)
    expected = len(log) / n_items
    chi2 = ((counts - expected) ** 2 / expected).sum()
    assert abs(chi2 - (n_items - 1)) < 4 * np.sqrt(2 * (n_items - 1))  # what drawing uniformly gives


def test_one_row_of_the_womens_log_outweighs_all_others():
    weights = 1 / load_log("bts", "women")["propensity"]
    assert weights.max() > 2 * (weights.sum() - weights.max())


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(CourseError, match="no policy 'ucb': choose one of random, bts"):
        load_log("ucb")
    with pytest.raises(CourseError, match="no campaign 'kids': choose one of all, men, women"):
        load_log("bts", "kids")


@pytest.mark.parametrize(
    ("column", "value"), [("propensity", 0.0), ("propensity", 1.2), ("click", 2), ("position", 4), ("item", -1)]
)
def test_a_wrong_value_is_named_with_its_column(column, value):
    table = load_log("bts", "men")
    table.loc[7, column] = value
    with pytest.raises(CourseError, match=f"column '{column}' fails") as caught:
        validated_log(table, "men", "my log")
    assert "\n" not in str(caught.value)


def test_an_item_outside_the_catalogue_and_a_missing_column_are_refused():
    log = load_log("bts", "women")
    with pytest.raises(CourseError, match="names item 45, but campaign 'men' has 34 items"):
        validated_log(log, "men", "my log")
    with pytest.raises(CourseError, match="wrong schema"):
        validated_log(log.drop(columns="propensity"), "women", "my log")
