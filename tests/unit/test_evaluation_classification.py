import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from course_lib.errors import CourseError
from course_lib.evaluation.classification import SCORES, compare, paired_difference, resamples, score


def case(seed: int, n: int = 80, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(classes), rng.integers(0, classes, n - classes)])
    P = rng.integers(1, 5, (n, classes)).astype(float)  # many ties
    return y, P / P.sum(1, keepdims=True)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([2, 3, 5]))
def test_scores_equal_scikit_learn(seed, classes):
    y, P = case(seed, classes=classes)
    assert score("accuracy", y, P) == pytest.approx(accuracy_score(y, P.argmax(1)))
    assert score("macro_f1", y, P) == pytest.approx(
        f1_score(y, P.argmax(1), average="macro", labels=range(classes), zero_division=0)
    )
    oracle = roc_auc_score(y, P[:, 1]) if classes == 2 else roc_auc_score(y, P, multi_class="ovr")
    assert score("auc", y, P) == pytest.approx(oracle)


@pytest.mark.parametrize("metric", list(SCORES))
def test_a_weight_is_a_repetition(metric):
    y, P = case(1)
    w = np.random.default_rng(2).integers(0, 4, len(y))
    again = np.repeat(np.arange(len(y)), w)
    assert SCORES[metric](y, P, w[None, :].astype(float))[0] == pytest.approx(score(metric, y[again], P[again]))


def test_constant_probabilities_are_at_chance():
    y, _ = case(3, classes=2)
    P = np.tile([0.4, 0.6], (len(y), 1))
    assert score("auc", y, P) == 0.5 and score("accuracy", y, P) == pytest.approx(y.mean())


def test_groups_are_drawn_whole():
    groups = np.repeat(np.arange(10), 3)
    W = np.concatenate(list(resamples(30, 0, groups, 50)))
    assert (W.reshape(50, 10, 3).std(axis=2) == 0).all() and W.sum(1) == pytest.approx(30)


def test_examples_that_repeat_in_groups_widen_the_interval():
    y, P = case(4)
    alone = compare({"m": P}, y, 0)
    copied = compare({"m": np.repeat(P, 5, 0)}, np.repeat(y, 5), 0)
    grouped = compare({"m": np.repeat(P, 5, 0)}, np.repeat(y, 5), 0, np.repeat(np.arange(len(y)), 5))
    width = [float(t["auc_high"].iloc[0] - t["auc_low"].iloc[0]) for t in (alone, copied, grouped)]
    assert width[1] < 0.7 * width[0] and width[2] == pytest.approx(width[0])


def test_a_model_does_not_differ_from_itself_and_does_from_the_truth():
    y, P = case(5)
    assert str(paired_difference(P, P, y, "macro_f1", 0)) == "0.0000 [0.0000, 0.0000]"
    gap = paired_difference(np.eye(3)[y], P, y, "accuracy", 0)
    assert 0 < gap.low < gap.mean < gap.high


def test_a_training_that_diverged_has_no_score():
    for metric in SCORES:
        for y in ([0, 1, 1], [1, 1, 0]):
            with pytest.raises(CourseError, match="Probabilities hold NaN"):
                score(metric, np.array(y), np.full((3, 2), np.nan))


def test_an_unknown_score_is_refused_with_the_known_ones():
    with pytest.raises(CourseError, match=r"no score .f2.: choose one of accuracy, macro_f1, auc"):
        score("f2", *case(0))
