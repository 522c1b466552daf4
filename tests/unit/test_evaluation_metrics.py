import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_matrix

from course_lib.errors import CourseError
from course_lib.evaluation import metrics

HITS = np.array([[True, False, True, False, False]])  # places 1 and 3
FOUR = np.array([4])


def test_hand_computed_values_of_one_list():
    assert metrics.precision(HITS, FOUR) == pytest.approx([2 / 5])
    assert metrics.recall(HITS, FOUR) == pytest.approx([2 / 4])
    assert metrics.f1(HITS, FOUR) == pytest.approx([2 * 0.4 * 0.5 / 0.9])
    assert metrics.hit_rate(HITS, FOUR) == pytest.approx([1])
    assert metrics.mrr(HITS[:, 1:], FOUR) == pytest.approx([1 / 2])
    assert metrics.average_precision(HITS, FOUR) == pytest.approx([(1 + 2 / 3) / 4])
    dcg, ideal = 1 + 1 / 2, 1 + 1 / np.log2(3) + 1 / 2 + 1 / np.log2(5)
    assert metrics.ndcg(HITS, FOUR) == pytest.approx([dcg / ideal])


def test_more_relevant_items_than_places_can_still_be_perfect():
    perfect = np.ones((1, 5), dtype=bool)
    assert metrics.ndcg(perfect, np.array([9])) == pytest.approx([1])
    assert metrics.average_precision(perfect, np.array([9])) == pytest.approx([1])


@pytest.mark.parametrize("metric", metrics.RANKING.values(), ids=metrics.RANKING)
def test_a_user_without_relevant_items_has_no_value(metric):
    assert np.isnan(metric(np.zeros((1, 5), dtype=bool), np.array([0]))).all()


@given(arrays(bool, (7, 6)), arrays(np.int64, 7, elements=st.integers(1, 12)))
def test_every_metric_stays_between_0_and_1(hits, extra):
    n_relevant = hits.sum(axis=1) + extra - 1 + (hits.sum(axis=1) == 0)
    for metric in metrics.RANKING.values():
        values = metric(hits, n_relevant)
        assert ((values >= 0) & (values <= 1 + 1e-12)).all()


@given(arrays(bool, (1, 8)), st.integers(0, 6))
def test_moving_a_hit_up_never_lowers_a_ranking_metric(hits, place):
    if hits[0, place] or not hits[0, place + 1]:
        return
    better = hits.copy()
    better[0, [place, place + 1]] = True, False
    n_relevant = np.array([hits.sum()])
    for name in ("ndcg", "mrr", "map"):
        assert metrics.RANKING[name](better, n_relevant) >= metrics.RANKING[name](hits, n_relevant)


def test_all_ranking_metrics_equal_the_oracle_library():
    """trec_eval, the reference implementation of these metrics, on 2,000 random users with lists of ten."""
    rng, n_users, n_items, n = np.random.default_rng(0), 2000, 40, 10
    lists = np.stack([rng.permutation(n_items)[:n] for _ in range(n_users)])
    relevant = [rng.permutation(n_items)[: rng.integers(1, 15)] for _ in range(n_users)]
    hits = np.stack([np.isin(row, wanted) for row, wanted in zip(lists, relevant, strict=True)])
    n_relevant = np.array([len(wanted) for wanted in relevant])
    truth = {str(u): {str(i): 1 for i in wanted} for u, wanted in enumerate(relevant)}
    run = {str(u): {str(i): float(n - k) for k, i in enumerate(row)} for u, row in enumerate(lists)}
    measures = {"P_10", "recall_10", "ndcg_cut_10", "recip_rank", "success_10", "map_cut_10"}
    oracle = pytrec_eval.RelevanceEvaluator(truth, measures).evaluate(run)
    theirs = {m: np.array([oracle[str(u)][m] for u in range(n_users)]) for m in measures}
    names = {
        "precision": "P_10",
        "recall": "recall_10",
        "ndcg": "ndcg_cut_10",
        "mrr": "recip_rank",
        "hit_rate": "success_10",
    }
    for ours, name in names.items():
        np.testing.assert_allclose(metrics.RANKING[ours](hits, n_relevant), theirs[name], atol=1e-9, err_msg=ours)
    p, r = theirs["P_10"], theirs["recall_10"]
    np.testing.assert_allclose(metrics.f1(hits, n_relevant), 2 * p * r / np.where(p + r > 0, p + r, 1), atol=1e-9)
    # trec_eval divides average precision by all relevant items, we by those that fit the list.
    scale = n_relevant / np.minimum(n_relevant, n)
    np.testing.assert_allclose(metrics.average_precision(hits, n_relevant), theirs["map_cut_10"] * scale, atol=1e-9)


def test_coverage_counts_each_item_once_and_empty_places_never():
    assert metrics.coverage(np.array([[0, 1], [1, -1]]), n_items=4) == 2 / 4


def test_diversity_of_equal_orthogonal_and_opposite_items():
    features = np.array([[1.0, 0], [2.0, 0], [0, 3.0], [-1.0, 0], [0, 0]])
    lists = np.array([[0, 1], [0, 2], [0, 3], [0, 4]])
    assert metrics.intra_list_diversity(lists, features) == pytest.approx([0, 1, 2, 1])


def test_diversity_of_a_list_of_one_or_with_gaps_is_refused():
    with pytest.raises(CourseError, match="at least two"):
        metrics.intra_list_diversity(np.array([[0]]), np.ones((1, 1)))
    with pytest.raises(CourseError, match="empty places"):
        metrics.intra_list_diversity(np.array([[0, -1]]), np.ones((1, 1)))


def test_novelty_is_the_bits_of_the_smoothed_share_of_users():
    train = csr_matrix(np.array([[1, 0], [1, 0], [1, 0]]))
    assert metrics.novelty(np.array([[0], [1]]), train) == pytest.approx([0, 2])  # 4/4 and 1/4
    with_gaps = metrics.novelty(np.array([[1, -1], [-1, -1]]), train)
    assert with_gaps[0] == pytest.approx(2) and np.isnan(with_gaps[1])


def test_rmse_and_mae_by_hand():
    truth, predicted = np.array([4.0, 2.0]), np.array([3.0, 4.0])
    assert metrics.rmse(truth, predicted) == pytest.approx(np.sqrt(2.5))
    assert metrics.mae(truth, predicted) == pytest.approx(1.5)
