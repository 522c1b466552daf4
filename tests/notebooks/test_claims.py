"""What each lesson claims of its own figures, with margins that could fail."""

from conftest import figures_of


def test_05_exploring_costs_and_looking_ahead_pays():
    f = figures_of("05_q_learning_bandits")
    assert abs(f["regret_uniform"] / f["regret_uniform_expected"] - 1) < 0.01  # a straight line, and the right one
    assert f["regret_thompson"] < 0.7 * f["regret_epsilon_greedy"] < 0.2 * f["regret_uniform"]
    assert f["late_loss_thompson"] < 0.4 * f["late_loss_epsilon_greedy"]  # the curve flattens
    assert f["many_relative_ucb1"] > 0.85  # with 1,000 films UCB1 has learned next to nothing
    assert f["many_relative_epsilon_greedy"] < f["many_relative_thompson"] - 0.1
    assert f["q_share_of_optimum"] > 0.99
    assert f["q_clicks_gamma_0.9"] > 1.2 * f["random_clicks"] > 1.4 * f["q_clicks_gamma_0"]
    assert f["q_clicks_gamma_0.9"] <= f["exact_clicks_gamma_0.9"] * 1.001


def test_05_the_log_can_tell_some_things_and_not_others():
    f = figures_of("05_q_learning_bandits")
    assert f["ess_women"] < 3 and f["ess_women_without_one_row"] > 400
    assert 300 < f["ess_all"] < 400
    assert abs(f["ipw_bias_1000000"] - 1) < 0.01 < 0.1 < f["plain_bias_1000000"] - 1  # right on average, and not
    assert f["direct_error_10000"] < 0.85 * f["ipw_error_10000"]  # bias looks like skill
    assert f["ipw_error_10000"] > 1.5 * f["counting_error_10000"] > 0.15
    assert f["ipw_error_1000000"] < 0.04
    assert 0.85 < f["coverage_ipw_10000"] < 0.945  # a little too narrow


def test_01_the_link_file_is_noise_and_the_title_join_is_not():
    f = figures_of("01_preprocessing")
    assert f["films_matched"] >= 0.88 and f["ratings_matched"] >= 0.97
    assert 0.05 < f["p_value_link_file"] < 0.95  # neither better nor worse than chance
    assert abs(f["agreement_link_file"] - f["agreement_shuffled"]) < 0.005
    assert f["agreement_title_join"] > 8 * f["agreement_shuffled"]
    assert f["graph_same_director"] > 1.7 * f["graph_random_pair"]  # the triples are sound


def test_01_stop_lists_lose_titles_and_wordpiece_loses_nothing():
    f = figures_of("01_preprocessing")
    assert f["titles_that_vanish"] >= 10 and f["cosine_but_him"] < 0.9
    assert f["unknown_pieces"] < 0.001 < 0.1 < f["unknown_words"]
    assert 1.5 * f["explained_variance_texts"] < f["explained_variance_likes"]


def test_01_looking_at_the_test_flatters_and_honest_profiles_have_an_order():
    f = figures_of("01_preprocessing")
    assert f["rmse_means_before_split"] < f["rmse_means_from_train"] - 0.015
    assert f["tag_holds"] > 1.3 * f["tag_of_somebody_else"]
    assert f["random_ndcg@10"] < 0.02 < f["text_svd_ndcg@10"] < f["text_tfidf_ndcg@10"] < f["popularity_ndcg@10"]
    assert f["behaviour_ndcg@10"] > 1.5 * f["popularity_ndcg@10"]
    assert f["leaky_behaviour_ndcg@10"] > 1.4 * f["behaviour_ndcg@10"]
    assert f["leaky_text_ndcg@10"] > 5 * f["text_tfidf_ndcg@10"]


def test_00_popularity_is_far_above_chance():
    f = figures_of("00_start_here")
    assert f["popularity_ndcg@10"] > 10 * f["random_ndcg@10"] > 0
    assert f["clicks_in_random_log"] == 38 and 0.73 < f["majority_fit_share"] < 0.75


def test_06_the_future_turns_the_ranking_around():
    f = figures_of("06_evaluation")
    assert f["recent_minus_ease_random"] < -0.1 < 0.03 < f["recent_minus_ease_global_time"]
    future = {name: value for name, value in f.items() if name.startswith("global_time_ndcg@10_")}
    assert max(future, key=future.get).endswith("recent popularity")
    assert f["random_split_ndcg@10_LightGCN"] > f["random_split_ndcg@10_EASE"] + 0.003
    assert f["random_split_ndcg@10_EASE"] > 2 * f["random_split_ndcg@10_popularity"]
    assert f["random_split_ndcg@10_random order"] < 0.01


def test_06_samples_ties_and_masks_decide():
    f = figures_of("06_evaluation")
    assert f["knn_difference_sampled_100"] < -0.004 < 0.003 < f["knn_difference_full"]
    assert f["constant_ties_for"] == 1 and f["constant_ndcg"] < 0.01
    assert f["mask_lift_ease"] > 0.015


def test_06_two_columns_of_means_do_most_of_the_work():
    f = figures_of("06_evaluation")
    assert f["rmse_global mean"] - f["rmse_user and item means"] > 0.15
    assert 0.003 < f["rmse_user and item means"] - f["rmse_fusion, gated"] < 0.06
