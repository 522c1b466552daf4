"""What a sentence may rest on: the right unit, the right test, and no way around them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from course_lib.errors import CourseError
from course_lib.evaluation import claims
from course_lib.evaluation.claims import Evidence, Kind, Verdict
from course_lib.evaluation.protocol import Evaluation
from course_lib.evaluation.significance import Interval, bootstrap_interval, paired_difference

rng = np.random.default_rng(7)
HARD = rng.normal(size=400)  # what makes users easy or hard for every model
A, B = HARD + 0.1 + 0.3 * rng.normal(size=400), HARD + 0.3 * rng.normal(size=400)


def evidence(low: float, high: float, **more: object) -> Evidence:
    return Evidence((low + high) / 2, low, high, Kind.PAIRED, "paired over 9 users", (high - low) / 4, **more)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (evidence(0.1, 0.3), Verdict.HOLDS),
        (evidence(-0.1, 0.3), Verdict.CANNOT_TELL),
        (evidence(-0.3, -0.1), Verdict.DOES_NOT_HOLD),
        (evidence(0.0, 0.3), Verdict.CANNOT_TELL),
        (evidence(-0.3, 0.0), Verdict.DOES_NOT_HOLD),
        (evidence(0.1, 0.3, below=0.2), Verdict.CANNOT_TELL),
        (evidence(0.1, 0.3, above=0.4), Verdict.DOES_NOT_HOLD),
    ],
)
def test_the_whole_interval_decides(one, said):
    assert claims.verdict("A ranks better than B", [one]) is said


@given(st.floats(-5, 5), st.floats(0, 5))
def test_the_opposite_of_what_holds_does_not_hold(low, wide):
    one = evidence(low, low + wide)
    if one.verdict is Verdict.HOLDS:
        assert one.swapped().verdict is Verdict.DOES_NOT_HOLD
    if one.verdict is Verdict.CANNOT_TELL and low < 0:
        assert one.swapped().verdict is Verdict.CANNOT_TELL
    assert one.swapped().swapped() == one


def test_several_pieces_hold_only_together():
    better, unclear, worse = evidence(1, 2), evidence(-1, 2), evidence(-2, -1)
    assert claims.verdict("A is better than B, and B than C", [better, better]) is Verdict.HOLDS
    assert claims.verdict("A is better than B, and B than C", [better, unclear]) is Verdict.CANNOT_TELL
    assert claims.verdict("A is better than B, and B than C", [worse, unclear]) is Verdict.DOES_NOT_HOLD


def test_a_paired_difference_sees_what_two_intervals_hide():
    one = claims.paired(A, B, "users", split_sd=0)
    a, b = bootstrap_interval(A, 0), bootstrap_interval(B, 0)
    assert a.low < b.high and one.verdict is Verdict.HOLDS
    interval, p = paired_difference(A, B, 0)
    assert (one.low, one.high, one.p) == (interval.low, interval.high, p) and "400 users" in one.units
    assert one.smallest == pytest.approx(2.8016 * (A - B).std(ddof=1) / 20, rel=1e-4)


def test_few_units_get_students_interval():
    a, b = np.array([1.0, 2.0, 2.5]), np.array([0.5, 1.2, 2.2])
    one, oracle = claims.paired(a, b, "learners", split_sd=0), stats.ttest_rel(a, b)
    assert (one.low, one.high) == pytest.approx(tuple(oracle.confidence_interval(0.95)))
    assert one.p == pytest.approx(oracle.pvalue)


def test_one_split_cannot_tell_what_splits_move_more():
    assert claims.paired(A, B, "users", split_sd=0).verdict is Verdict.HOLDS
    mean = float((A - B).mean())
    moved = claims.paired(A, B, "users", split_sd=mean)
    assert moved.verdict is Verdict.CANNOT_TELL and moved.p > 0.05 and moved.units.endswith("and over splits")
    assert claims.paired(A + 1, B, "users", split_sd=mean).verdict is Verdict.HOLDS


def test_users_whom_the_metric_leaves_out_are_no_units():
    a, b = A.copy(), B.copy()
    a[:100] = np.nan
    one = claims.paired(a, b, "users", split_sd=0)
    assert "300 users" in one.units and one.estimate == pytest.approx((A - B)[100:].mean())


def test_a_metric_of_all_rows_is_paired_over_users():
    y, users = rng.integers(0, 2, 300), np.repeat(np.arange(60), 5)
    p = np.clip(0.3 * y + rng.random(300), 0, 1.3) / 1.3
    good, chance = np.stack([1 - p, p], axis=1), np.full((300, 2), 0.5)
    one = claims.paired_metric("auc", good, chance, y, "users", split_sd=0, users=users)
    assert one.estimate == pytest.approx(roc_auc_score(y, p) - 0.5) and "60 users" in one.units
    assert one.verdict is Verdict.HOLDS


def test_two_samples_are_welchs_and_name_the_assignment():
    a, b = rng.normal(1, 1, 40), rng.normal(0, 2, 60)
    one, oracle = claims.two_samples(a, b, "visitors", "by lot"), stats.ttest_ind(a, b, equal_var=False)
    assert (one.p, one.low) == pytest.approx((oracle.pvalue, oracle.confidence_interval(0.95).low))
    assert one.units == "40 and 60 visitors, by lot"
    with pytest.raises(CourseError, match="assignment is ''"):
        claims.two_samples(a, b, "visitors", "")


def test_over_splits_by_hand():
    D = np.array([[0.1, 0.3, np.nan], [0.2, 0.0, 0.4], [0.3, 0.3, 0.3]])
    one = claims.over_splits(D, test_share=0.2)
    means, own = np.array([0.2, 0.2, 0.3]), np.array([0.2, 0.2, 0.35])
    splits, users = means.var(ddof=1) * (1 / 3 + 0.25), own.var(ddof=1) / 3
    freedom = (splits + users) ** 2 / (splits**2 / 2 + users**2 / 2)
    assert one.error == pytest.approx(np.sqrt(splits + users)) and one.units == "3 splits of 3 users"
    assert one.high == pytest.approx(means.mean() + stats.t.ppf(0.975, freedom) * one.error)


def test_over_splits_covers_the_truth_where_training_parts_overlap():
    """Users, splits that share a part of their luck, and rows: in at least 93 of 100 worlds the interval is right."""
    inside, splits, users = 0, 5, 80
    for world in range(400):
        draw = np.random.default_rng(world)
        luck = 0.03 * (np.sqrt(0.3) * draw.normal() + np.sqrt(0.7) * draw.normal(size=(splits, 1)))
        D = 0.05 + luck + 0.2 * draw.normal(size=users) + 0.3 * draw.normal(size=(splits, users))
        one = claims.over_splits(D, test_share=0.2)
        inside += one.low < 0.05 < one.high
    assert inside >= 0.93 * 400


def test_differences_line_users_up():
    def one(users, a, b):
        per_user = {"A": {"ndcg": np.array(a)}, "B": {"ndcg": np.array(b)}}
        return Evaluation(10, np.array(users), per_user, {}, 5, 0)

    found = claims.differences(
        [one([0, 4], [1.0, 0.5], [0.5, 0.5]), one([4, 7], [0.2, 0.1], [0.1, 0.4])], "A", "B", "ndcg"
    )
    assert found == pytest.approx(np.array([[0.5, 0, np.nan], [np.nan, 0.1, -0.3]]), nan_ok=True)


@pytest.mark.parametrize("words", ["A ranks better than B", "Text helps", "The graph costs accuracy", "A comes first"])
def test_a_sentence_that_compares_takes_a_difference(words):
    for wrong in (claims.value(0.3, above=0.1), claims.value(bootstrap_interval(A, 0), above=0)):
        with pytest.raises(CourseError, match="compares, and rests on a single number"):
            claims.verdict(words, [wrong])
    with pytest.raises(CourseError, match="Two intervals side by side are no evidence"):
        claims.verdict(words, [bootstrap_interval(A, 0), bootstrap_interval(B, 0)])
    with pytest.raises(CourseError, match="rests on nothing"):
        claims.verdict(words, [])


def test_as_good_as_takes_a_margin_and_nothing_else_does():
    close = claims.paired(A, B + 0.1, "users", split_sd=0)
    with pytest.raises(CourseError, match="takes a margin"):
        claims.verdict("A is as good as B", [close])
    with pytest.raises(CourseError, match="nothing else"):
        claims.verdict("A ranks better than B", [close.as_good(0.1)])
    assert claims.verdict("A is as good as B", [close.as_good(0.1)]) is Verdict.HOLDS
    assert claims.verdict("A is no worse than B", [close.as_good(1e-4)]) is Verdict.CANNOT_TELL
    assert claims.verdict("A is as good as B", [claims.paired(A - 1, B, "users", split_sd=0).as_good(0.1)]) is (
        Verdict.DOES_NOT_HOLD
    )
    with pytest.raises(CourseError, match="margin"):
        close.as_good(0)


def test_a_number_has_a_bound_and_equal_results_are_equal():
    assert claims.verdict("Popularity reaches a tenth", [claims.value(0.11, above=0.1)]) is Verdict.HOLDS
    assert claims.verdict("AUC is above .5", [claims.value(Interval(0.6, 0.48, 0.7), above=0.5)]) is Verdict.CANNOT_TELL
    with pytest.raises(CourseError, match="give a bound"):
        claims.value(0.11)
    assert claims.equal(A, A + 1e-7, within=1e-6).verdict is Verdict.HOLDS
    assert claims.equal(A, B, within=1e-6).verdict is Verdict.DOES_NOT_HOLD
    with pytest.raises(CourseError, match="cannot be equal"):
        claims.equal(A, A[1:], within=1e-6)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: claims.paired(A[:1], B[:1], "users", split_sd=0),
        lambda: claims.paired(A, B[1:], "users", split_sd=0),
        lambda: claims.paired(A, np.full(400, np.inf), "users", split_sd=0),
        lambda: claims.paired(A, B, "", split_sd=0),
        lambda: claims.paired(A, B, "users", split_sd=-1),
        lambda: claims.two_samples(A, np.append(B, np.nan), "users", "by lot"),
        lambda: claims.over_splits(np.ones((2, 5)), 0.2),
        lambda: claims.over_splits(np.ones((3, 5)), 1.0),
        lambda: claims.over_splits(np.full((3, 5), np.nan), 0.2),
    ],
)
def test_what_cannot_be_evidence_is_one_sentence(ask):
    with pytest.raises(CourseError):
        ask()


def test_a_claim_is_plain_data():
    kept = claims.as_json("A ranks better", Verdict.HOLDS, [claims.paired(A, B, "users", split_sd=0)])
    assert kept["verdict"] == "holds" and "below" not in kept["evidence"][0] and kept["evidence"][0]["above"] == 0
    assert Evidence(**kept["evidence"][0]).verdict is Verdict.HOLDS


@pytest.mark.parametrize(
    ("one", "shown"),
    [
        (Evidence(0.0324, 0.024, 0.0423, Kind.PAIRED, "u", 0.0047), "+0.0324 [+0.0240, +0.0423], u"),
        (Evidence(-1.5, -310.4, 12.0, Kind.SPLITS, "u", 81.0), "-2 [-310, +12], u"),
        (Evidence(0.1, 0.1, 0.1, Kind.NUMBER, ""), "0.1"),
    ],
)
def test_all_numbers_of_a_claim_have_the_places_of_its_error(one, shown):
    assert str(one) == shown
