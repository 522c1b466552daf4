"""No new sentence compares without a claim; claims say today what they said when they were stored."""

import json

import pytest
from conftest import EXPECTED, LESSONS, fresh, read
from told import LIST, compares, pointers, unclaimed

from course_lib.evaluation.claims import Evidence, Kind, Verdict
from course_lib.paths import ROOT

LISTED = json.loads(LIST.read_text(encoding="utf-8"))


MOST = 381  # lower it whenever the list has shrunk; it never rises


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_sentence_that_compares_points_to_a_claim_or_is_on_the_list(lesson):
    found, listed = unclaimed(ROOT / "notebooks" / f"{lesson}.ipynb"), LISTED[lesson]
    new = [one for one in found if one not in listed]
    assert not new, f"point to a claim (tests/notebooks/told.py says how), or say less: {new}"
    assert found == listed, "the list is longer than it need be: run python tests/notebooks/told.py"


def test_the_list_only_shrinks():
    assert LISTED.keys() == set(LESSONS) and sum(map(len, LISTED.values())) <= MOST


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("ALS ranks better than EASE. It is fast.", 1),
        ("ALS ranks better than EASE.<!-- claim: als -->", 0),
        ("ALS ranks better than EASE <!-- claim: als -->. Text helps.", 1),
        ("- Text helps\n- EASE has one knob\n- more users than films", 2),
        ("Nothing is said here; read more.", 0),
        ("**EASE is ahead.** And ALS costs less than it did.", 2),
    ],
)
def test_a_sentence_that_compares_is_found(text, n):
    assert len(compares(text)) == n


@pytest.mark.parametrize("lesson", LESSONS)
def test_what_a_lesson_points_to_is_claimed(lesson):
    assert pointers(ROOT / "notebooks" / f"{lesson}.ipynb") <= read(EXPECTED / f"{lesson}.json")["claims"].keys()


@pytest.mark.parametrize("lesson", LESSONS)
def test_claims_of_the_run_say_what_they_said_when_they_were_stored(lesson):
    stored, run = read(EXPECTED / f"{lesson}.json")["claims"], fresh(lesson)["claims"]
    assert {name: one["verdict"] for name, one in run.items()} == {name: one["verdict"] for name, one in stored.items()}
    assert {name: one["words"] for name, one in run.items()} == {name: one["words"] for name, one in stored.items()}


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_opposite_of_a_claim_that_holds_does_not_hold(lesson):
    """A false claim comes out as false: both sides of each comparison exchanged."""
    for one in read(EXPECTED / f"{lesson}.json")["claims"].values():
        evidence = [Evidence(**row) for row in one["evidence"]]
        again = [row.verdict for row in evidence]
        assert (set(again) == {Verdict.HOLDS}) == (one["verdict"] == "holds")
        if one["verdict"] == "holds" and all(
            row["kind"] != Kind.NUMBER and not row["margin"] for row in one["evidence"]
        ):
            assert {row.swapped().verdict for row in evidence} == {Verdict.DOES_NOT_HOLD}
