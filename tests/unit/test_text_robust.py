import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.errors import CourseError
from course_lib.text.pseudo_labels import confident, surest_per_class
from course_lib.text.robust import attack, typos, weakest_edit
from course_lib.text.tfidf import TfidfClassifier


class Looks:
    """Says class 1 with p = 0.9 where the word "large" stands, and 0.2 elsewhere."""

    model_ = None

    def predict_proba(self, texts):
        p = np.array([0.9 if "large" in text.split() else 0.2 for text in texts])
        return np.stack([1 - p, p], axis=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("runs large", ["rnus large", "runs lrage", "runs lagre"]),
        ("too big", []),
        ("seems", ["semes"]),  # "ee" is left alone, "em" is swapped
        ("Did NOt", []),
        ("don't", ["dno't"]),  # the apostrophe stays where it is
        ("2015 5678", []),
        ("这件衣服 👗👗👗👗 !!!!", []),
        ("", []),
    ],
)
def test_typos_swap_two_inner_letters_of_one_word(text, expected):
    assert typos(text) == expected


@given(st.text(max_size=30))
@settings(deadline=None, max_examples=50)
def test_a_typo_keeps_the_letters_and_changes_the_text(text):
    for edit in typos(text):
        assert edit != text and sorted(edit) == sorted(text) and edit.split()[0][:1] == text.split()[0][:1]


def test_typos_of_a_pair_are_refused():
    with pytest.raises(CourseError, match="typos takes one string; got a tuple"):
        typos(("a", "b"))


def test_the_weakest_edit_lowers_the_true_class_most_or_is_none():
    after = np.array([[0.6, 0.4], [0.3, 0.7], [0.9, 0.1]])
    assert weakest_edit(np.array([0.7, 0.3]), after, 0) == 1 and weakest_edit(np.array([0.7, 0.3]), after, 1) == 2
    assert weakest_edit(np.array([0.3, 0.7]), after, 0) == -1  # as low as before is no lower
    assert weakest_edit(np.array([0.3, 0.7]), np.empty((0, 2)), 0) == -1


def test_an_attack_flips_what_hangs_on_one_word():
    texts = ["runs large", "runs big", "so large so fine", "a b"]
    report = attack(Looks(), texts, np.array([1, 1, 0, 0]), [typos(text) for text in texts])
    assert report.right.tolist() == [True, False, False, True] and report.flipped.tolist() == [True] + [False] * 3
    assert report.edit.tolist() == ["runs lrage", "runs big", "so large so fine", "a b"]
    assert report.before.tolist() == [0.9, 0.2, pytest.approx(0.1), 0.8] and report.after[0] == 0.2
    assert report.share.tolist() == [pytest.approx(2 / 3), 0, 0, 0] and report.said.tolist() == [0, 0, 1, 0]


def test_an_attack_needs_a_fitted_model_and_parts_of_one_length():
    with pytest.raises(CourseError, match="has not been fitted"):
        attack(TfidfClassifier(2), ["a"], np.array([0]), [[]])
    with pytest.raises(CourseError, match="belong together; got 1, 2 and 1"):
        attack(Looks(), ["a"], np.array([0, 1]), [[]])


P = np.array([[0.2, 0.8, 0.0], [0.5, 0.25, 0.25], [0.1, 0.0, 0.9], [0.95, 0.05, 0.0], [0.6, 0.2, 0.2]])


@pytest.mark.parametrize(
    ("threshold", "rows", "labels"),
    [(0.8, [0, 2, 3], [1, 2, 0]), (0.0, [0, 1, 2, 3, 4], [1, 0, 2, 0, 0]), (0.96, [], [])],
)
def test_confident_rows_reach_the_threshold(threshold, rows, labels):
    chosen, said = confident(P, threshold)
    assert chosen.tolist() == rows and said.tolist() == labels


def test_quotas_take_the_surest_of_each_class():
    rows, labels = surest_per_class(P, [2, 0, 5])
    assert rows.tolist() == [2, 3, 4] and labels.tolist() == [2, 0, 0]


def test_without_texts_there_are_no_pseudo_labels():
    for rows, labels in (confident(np.empty((0, 3)), 0.5), surest_per_class(np.empty((0, 3)), [1, 1, 1])):
        assert len(rows) == len(labels) == 0
