"""What each lesson claims of its own figures, with margins that could fail."""

from itertools import pairwise

from conftest import figures_of

from course_lib.ranking import ratings, sequence
from course_lib.text import few_shot


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
    assert f["random_split_ndcg@10_matrix factorisation, BPR"] > 0.2031 - 0.007  # Cornac's, less one standard error


def test_06_reading_each_pair_does_not_help_a_good_list_and_a_bandit_has_to_find_out():
    f = figures_of("06_evaluation")
    assert f["reranked_minus_als"] < -0.01
    ndcg = {name.removeprefix("random_split_ndcg@10_"): value for name, value in f.items() if "random_split" in name}
    assert 5 * ndcg["random order"] < ndcg["bandit (Thompson)"] < ndcg["popularity"]


def test_06_samples_ties_and_masks_decide():
    f = figures_of("06_evaluation")
    assert f["knn_difference_sampled_100"] < -0.004 < 0.003 < f["knn_difference_full"]
    assert f["constant_ties_for"] == 1 and f["constant_ndcg"] < 0.01
    assert f["mask_lift_ease"] > 0.015


def test_06_two_columns_of_means_do_most_of_the_work():
    f = figures_of("06_evaluation")
    assert f["rmse_global mean"] - f["rmse_user and item means"] > 0.15
    assert 0.003 < f["rmse_user and item means"] - f["rmse_fusion, gated"] < 0.06


def test_03_text_and_behaviour_each_help_and_together_most():
    f = figures_of("03_fusion_scoring")
    assert f["rmse_means"] < 0.9 * f["rmse_global_mean"]
    assert f["rmse_gap_text_only_vs_user_and_item_means"] < 0.997  # text alone improves on the means
    assert f["rmse_gap_behaviour_only_vs_text_only"] < 0.99
    assert f["rmse_gap_sum_vs_behaviour_only"] < 0.999 and f["rmse_gap_gated_vs_behaviour_only"] < 0.998
    assert 0.985 < f["rmse_gap_gated_vs_sum"] < 1.003  # the gate is no worse than the sum, and no miracle
    assert f["rmse_gated"] < 0.915


def test_03_an_answer_left_in_flatters_and_the_gate_knows_who_is_known():
    f = figures_of("03_fusion_scoring")
    assert f["text_correlation_leaky_train"] > 1.8 * f["text_correlation_honest_train"]
    assert abs(f["text_correlation_honest_train"] - f["text_correlation_test"]) < 0.08 < f["text_correlation_test"]
    assert f["gate_user_20_film_5"] < 0.8 * f["gate_user_20_film_200"]
    assert f["gate_user_20_film_5"] < 0.6 * f["gate_user_200_film_5"]
    assert f["text_share_rare"] > 1.25 * f["text_share_popular"]


def test_03_behaviour_ranks_stars_do_not_and_a_sentence_finds_its_genre():
    f = figures_of("03_fusion_scoring")
    assert f["ndcg@10_random"] < 0.012 < 0.04 < f["ndcg@10_text_only"] < f["ndcg@10_popularity"]
    assert f["ndcg@10_gated_trained_on_stars"] < f["ndcg@10_popularity"]  # the best at stars, and no ranker
    assert 1.7 * f["ndcg@10_popularity"] < f["ndcg@10_item_knn"] < f["ndcg@10_ease"]
    assert min(f["ndcg@10_ease"], f["ndcg@10_als"]) > 0.2
    assert f["ndcg@10_als_text"] > f["ndcg@10_als"] - 0.004  # text does no harm on warm films, and hardly helps
    assert f["query_precision@10_chance"] < 0.11 < 0.7 < f["query_precision@10_centred"]
    assert f["query_precision@10_as_encoded"] < f["query_precision@10_centred"]
    assert f["mean_cosine_raw"] > 0.2  # the common direction that centring takes away


def test_04_the_printed_rule_explodes_and_the_graph_is_a_penalty():
    f = figures_of("04_gcn_propagation")
    assert f["printed_growth_per_layer"] > 100 and f["printed_norm_after_8_layers"] > 1e15
    assert abs(f["normalised_eigenvalue"] - 1) < 1e-3
    assert f["alikeness_after_2_layers"] < 0.2 < 0.7 < f["alikeness_after_16_layers"]
    assert f["valid_ndcg@10_softmax"] > f["valid_ndcg@10_bpr"] + 0.01
    assert f["valid_ndcg@10_depth_3_same_penalty"] > 1.3 * f["valid_ndcg@10_depth_0_same_penalty"]
    own = [f[f"valid_ndcg@10_depth_{L}_own_penalty"] for L in range(4)]
    assert max(own) - min(own) < 0.01  # tuned, the graph adds nothing that one standard error would notice
    assert f["lists_linear"] == 1 and f["lists_product"] > 900


def test_04_lightgcn_beats_popularity_and_the_heavier_network():
    f = figures_of("04_gcn_propagation")
    assert f["ndcg@10_LightGCN"] > 2 * f["ndcg@10_popularity"]
    assert f["ndcg@10_LightGCN"] > f["ndcg@10_Kipf–Welling with text"] + 0.005
    assert f["ndcg@10_LightGCN"] > max(f["ndcg@10_EASE"], f["ndcg@10_ALS"]) - 0.007  # one standard error


def test_04_cold_films_live_on_words_and_facts_and_diversity_has_a_price():
    f = figures_of("04_gcn_propagation")
    cold = {name.removeprefix("cold_recall@20_"): value for name, value in f.items() if name.startswith("cold_")}
    assert 0.12 < cold["chance"] < 0.155
    assert cold["centred text, profile"] > cold["raw text, profile"] + 0.1 > cold["chance"] + 0.2
    assert cold["text, mapped"] > cold["centred text, profile"] + 0.01
    assert cold["text and graph, mapped"] > max(cold["text, mapped"], cold["knowledge graph, mapped"]) + 0.02
    assert cold["text and graph, mapped"] > 0.54
    assert f["diversity_theta_0.50"] > 1.12 * f["diversity_theta_1.00"]
    assert 0.85 * f["recall@10_theta_1.00"] < f["recall@10_theta_0.50"] < f["recall@10_theta_1.00"]


def test_02_reading_is_learned_and_the_words_alone_do_not_beat_the_means():
    f = figures_of("02_bert_fine_tuning")
    assert f["a_bert_macro_f1"] > f["a_majority_macro_f1"] + 0.2 and f["a_bert_auc"] > 0.78
    assert f["a_majority_accuracy"] > 0.7 and f["a_majority_auc"] == 0.5  # respectable, and knows nothing
    assert abs(f["a_bert_macro_f1"] - f["a_tfidf_macro_f1"]) < 0.1  # neither reader is far ahead
    assert f["a_valid_best_epoch"] > f["a_valid_first_epoch"] + 0.1  # the curve rises
    assert 0.57 < f["b_bert_auc"] < f["b_means_all_auc"] - 0.08
    assert f["b_means_minus_bert_auc_low"] > 0.05  # and not by chance
    assert f["b_means_same_auc"] < f["b_bert_auc"] + 0.03 < f["b_means_all_auc"]  # few counts, no lead
    assert abs(f["b_both_auc"] - f["b_means_all_auc"]) < 0.03


def test_02_stars_and_slates_are_learned_a_little_and_the_means_know_more():
    f = figures_of("02_bert_fine_tuning")
    assert f["c_rmse_BERT, fine-tuned"] < f["c_rmse_mean of train"] - 0.03
    assert f["c_rmse_means, all of train"] < f["c_rmse_BERT, fine-tuned"] - 0.08
    assert 0.54 < f["d_bert_auc"] < f["d_means_all_auc"] - 0.07


def test_02_looking_before_splitting_flatters_and_freezing_saves():
    f = figures_of("02_bert_fine_tuning")
    assert f["means_auc_after_looking"] > f["means_auc_honest"] + 0.03
    assert f["kept_share_frozen_4"] < 0.45 and f["trained_share_frozen_4"] < 0.2
    assert 5 < f["kept_mb_per_text"] < 20


def test_02b_small_parts_learn_and_a_rate_suits_its_optimiser():
    f = figures_of("02b_adapting_bert")
    for method in ("lora", "prefix", "ia3", "bottleneck"):
        assert f[f"adapt_{method}_macro_f1"] > 1 / 3 + 0.15, method
        assert f[f"adapt_{method}_peak_mb"] < 0.5 * f["adapt_everything_peak_mb"], method
    weights = 4 * 22_713_216 / 1e6  # MB: as many numbers has MiniLM, of four bytes
    assert 4.8 < f["adapt_everything_peak_mb"] / weights < 5.2
    assert f["recipe_SGD at the same rate_loss"] > 1.05 > 0.95 > f["recipe_AdamW, warm-up, dropout 0.1_loss"]


def test_02b_few_examples_are_counted_well_and_text_adds_to_it():
    f = figures_of("02b_adapting_bert")
    for n, published in few_shot.PUBLISHED.loc["TALLRec, 7 billion parameters"].items():
        means, both = f[f"few_means, same examples_{n}"], f[f"few_text and behaviour, BERT with LoRA_{n}"]
        assert published < means < both - 0.005 < both < f["few_means_all_of_train"] - 0.01


def test_02b_an_encoder_is_good_in_the_language_that_it_learned():
    f = figures_of("02b_adapting_bert")
    assert f["shop_m3e-small_zh_hit@5"] > f["shop_TF-IDF of letters_zh_hit@5"] + 0.08
    assert f["shop_minilm_en_hit@5"] > f["shop_TF-IDF of letters_en_hit@5"] + 0.3
    assert f["shop_m3e-small_en_hit@5"] < f["shop_minilm_en_hit@5"] - 0.3 < f["shop_m3e-small_zh_hit@5"] - 0.2
    across = {
        way: f[f"shop_across_m3e-small, {way}_from_zh_hit@5"] for way in ("as they come", "a mean for each language")
    }
    assert across["a mean for each language"] > across["as they come"] + 0.02 > f["shop_chance_hit@5"] + 0.15


def test_02c_numbers_foresee_and_words_about_the_past_add_nothing():
    f = figures_of("02c_own_texts")
    auc = {name.removeprefix("foresee_"): value for name, value in f.items() if name.startswith("foresee_")}
    assert max(auc, key=auc.get) == "numbers_auc" and auc["numbers_auc"] > 0.66
    assert auc["numbers_auc"] > auc["numbers and vectors_auc"] + 0.03
    assert auc["numbers_auc"] > auc["prompt, BERT_auc"] + 0.03
    assert abs(auc["past reviews, vectors_auc"] - 0.5) < 0.06 and auc["always the majority_auc"] == 0.5


def test_02c_hidden_words_are_learned_and_only_likes_reach_cold_films():
    f = figures_of("02c_own_texts")
    cold = {name.removeprefix("cold_recall@20_"): value for name, value in f.items() if name.startswith("cold_")}
    assert f["masked_accuracy_end"] > f["masked_accuracy_head"] + 0.02 > 0.12
    assert 0.12 < cold["random order"] < 0.155 < 0.4 < cold["BERT as it came"]
    assert abs(cold["after hidden words"] - cold["BERT as it came"]) < 0.02
    assert cold["as it came and tuned, side by side"] > cold["BERT as it came"] + 0.005
    assert abs(f["loss_16_bits"] - f["loss_whole_batches"]) < 0.02


def test_02d_bits_save_space_layers_save_both_and_zeros_neither():
    f = figures_of("02d_small_and_explained")
    teacher = f["teacher, 6 layers_mb"]
    assert f["8 bits_mb"] < 0.3 * teacher and f["student, 2 layers, distilled_mb"] < 0.75 * teacher
    assert f["60 % of the weights are 0_mb"] > 0.99 * teacher
    assert abs(f["8 bits_macro_f1"] - f["teacher, 6 layers_macro_f1"]) < 0.04
    assert f["student, 2 layers, distilled_macro_f1"] > f["teacher, 6 layers_macro_f1"] - 0.06
    assert f["query_6 layers in 8 bits_same"] > 0.7
    assert f["query_3 layers, distilled_genre"] > f["query_6 layers_genre"] - 0.1 > 0.75


def test_02d_leaving_words_out_finds_those_that_matter_and_rollout_looks_elsewhere():
    f = figures_of("02d_small_and_explained")
    assert f["why_occlusion_fall_beyond_chance"] > 0.2 and f["why_last_layer_fall_beyond_chance"] > 0.1
    assert f["why_rollout_on_special_tokens"] > 0.5


def test_03b_text_helps_a_little_and_order_helps_a_lot():
    f = figures_of("03b_more_fusion")
    assert f["rmse_attention"] < f["rmse_behaviour_only"] - 0.003 < f["rmse_user_and_item_means"] - 0.02
    assert f["signal_rmse_facts"] < f["rmse_behaviour_only"] - 0.005
    assert abs(f["signal_rmse_text_and_facts"] - f["signal_rmse_facts"]) < 0.003
    assert f["ndcg@10_all_together"] > max(f[f"ndcg@10_{name}"] for name in ("ease", "als", "lightgcn", "user_knn"))
    assert f["knowing_gain_als"] > 5 * f["ndcg@10_together_minus_als"]  # being told beats being better
    for name in ("ease_fading_memory", "chain", "together_with_als"):
        assert all(f[f"last_{metric}@10_{name}"] > 1.2 * value for metric, value in sequence.LLAMAREC.items())
    for name in ("fading_memory", "chain"):
        assert f[f"last_ndcg@10_{name}_times_shuffled"] < 0.9 * f["last_ndcg@10_ease"]


def test_04b_facts_and_contrast_are_no_revolution_for_warm_films_and_all_there_is_for_cold_ones():
    f = figures_of("04b_knowledge_graph")
    assert 1.005 * f["sweep_warm_without"] < f["sweep_warm_best"] < 1.1 * f["sweep_warm_without"]
    assert f["sweep_warm_last"] < 0.7 * f["sweep_warm_without"]  # heavy facts drown the fans
    assert f["sweep_cold_best"] > 2.5 * f["sweep_cold_without"]
    assert f["sweep_cold_by_type"] > f["sweep_cold_best"] + 0.02  # on the films it was chosen on ...
    assert (
        f["cold_recall@20_labels, a weight for each type"] < f["cold_recall@20_labels, one weight"] + 0.01
    )  # ... only
    for name in ("LightGCN with facts", "LightGCN with contrast"):
        assert abs(f[f"ndcg@10_{name}"] - f["ndcg@10_LightGCN"]) < 0.012
        assert f[f"high_of_{name}_minus_LightGCN"] - 1 < 0.015
    assert 1.6 * f["ndcg@10_popularity"] < f["ndcg@10_labels over facts"] < f["ndcg@10_LightGCN"] - 0.015
    cold = {name.removeprefix("cold_recall@20_"): value for name, value in f.items() if name.startswith("cold_recall")}
    assert min(cold["labels, one weight"], cold["LightGCN with facts"]) > 2.5 * cold["chance"]
    assert cold["facts, mapped"] > max(value for name, value in cold.items() if name != "facts, mapped") + 0.03


def test_04b_a_little_of_the_second_task_is_a_gift_and_much_of_it_is_not():
    f = figures_of("04b_knowledge_graph")
    assert f["two_rmse_0.03"] < f["two_rmse_0"] - 0.008 and f["two_rmse_3"] > f["two_rmse_0"] + 0.02
    assert abs(f["two_ndcg@10_0.03"] - f["two_ndcg@10_0"]) < 0.005 and f["two_ndcg@10_3"] < f["two_ndcg@10_0"] - 0.008


def test_04b_titles_tell_facts_and_texts_of_facts_read_them_out():
    f = figures_of("04b_knowledge_graph")
    mrr = {name.removeprefix("link_mrr_"): value for name, value in f.items() if name.startswith("link_mrr_")}
    assert mrr["genre_leaky text"] > 0.95 > 0.75 > mrr["genre_title, year, who likes it"]
    assert mrr["genre_frequency"] + 0.03 < mrr["genre_title and year"] < mrr["genre_who likes it"] - 0.04
    assert mrr["person_title and year"] > 3 * mrr["person_frequency"]
    assert abs(mrr["person_leaky text"] - mrr["person_title and year"]) < 0.01  # no leak for people
    assert f["link_hits@10_person_title and year"] > 2.5 * f["link_hits@10_person_frequency"]
    assert f["link_hits@10_genre_frequency"] > 0.88  # ten guesses of nineteen


def test_04b_a_few_films_make_a_new_user_known_and_one_does_not():
    f = figures_of("04b_knowledge_graph")
    ndcg = {name.removeprefix("new_ndcg@10_"): value for name, value in f.items() if name.startswith("new_ndcg")}
    for model in ("EASE", "ALS", "label propagation"):
        assert ndcg[f"{model}_1"] < ndcg["popularity_1"] - 0.02
    assert ndcg["LightGCN_1"] > ndcg["popularity_1"] - 0.02
    for model in ("EASE", "ALS", "label propagation", "LightGCN"):
        assert ndcg[f"{model}_10"] > ndcg["popularity_10"] + 0.06 and ndcg[f"{model}_5"] > ndcg["popularity_5"] + 0.01
    said = {name.removeprefix("sentence_ndcg@10_"): value for name, value in f.items() if name.startswith("sentence")}
    assert said["sentence, search"] < 0.5 * said["popularity"] < 0.5 * (said["sentence, mapped"] + 0.05)
    assert said["three films, ALS"] - 0.01 < said["sentence and three films"] < said["three films, ALS"] + 0.03


def test_06b_each_rung_of_the_ladder_is_a_gain():
    f = figures_of("06b_rating_prediction")
    rungs = ("user_and_film_means", "SVD", "FM_ids", "both_histories", "genres_demographics", "own_noise", "the_day")
    errors = [f[f"u1_{rung}"] for rung in rungs]
    assert all(worse - better > 0.001 for worse, better in pairwise(errors))
    others = ("FM_ids", "genres_demographics", "own_noise", "the_day")
    assert f["gain_both_histories"] > 1.5 * max(f[f"gain_{rung}"] for rung in others)
    assert f["random_user_and_film_means"] - f["random_SVD"] > 0.03
    assert (
        min(f["svd_half_penalty"], f["svd_double_penalty"]) > f["random_SVD"] + 0.025
    )  # without the right penalty the factors are worth nothing
    assert 1.12 < f["random_global_mean"] < 1.135 and f["random_user_and_film_means"] < 0.94 and f["random_SVD"] < 0.904


def test_06b_the_course_stands_where_it_says_in_the_printed_table():
    f = figures_of("06b_rating_prediction")
    assert f["u1_both_histories"] < ratings.PUBLISHED["GC-MC with features"] - 0.005  # ahead of the graph networks
    assert abs(f["u1_own_noise"] - ratings.PUBLISHED["GLocal-K"]) < 0.004  # level
    assert f["u1_the_day"] < 0.885 and f["u1_mae"] < 0.696
    assert f["u1_users_in_test"] == 459 and f["half_width"] > 0.015  # the draw of users moves more than all this


def test_06b_no_draw_is_good_and_their_mean_is():
    f = figures_of("06b_rating_prediction")
    assert f["one_draw"] > f["svd_beside_it"] + 0.04 and f["mean_of_draws"] < f["svd_beside_it"] - 0.005


def test_06b_the_day_helps_whom_it_can_and_leans_on_the_future():
    f = figures_of("06b_rating_prediction")
    assert abs(f["day_gain_one_day_plus_1"] - 1) < 0.004 < 0.005 < f["day_gain_several_days_plus_1"] - 1
    assert f["day_mates"] > 0.98 and 0.4 < f["day_mates_later"] < 0.6


def test_06b_own_noise_is_honest_for_each_tenth_and_one_noise_only_on_average():
    f = figures_of("06b_rating_prediction")
    of_own = [f[f"coverage_own_noise{part}"] for part in ("", "_steadiest", "_most_erratic")]
    assert all(0.77 < covered < 0.83 for covered in of_own) and abs(f["coverage_one_noise"] - 0.8) < 0.02
    assert f["coverage_one_noise_steadiest"] > 0.88 and f["coverage_one_noise_most_erratic"] < 0.72
    assert f["calibration_gap_fm_plus_1"] < 1.06


def test_06b_a_small_grid_gains_little_from_peeking():
    f = figures_of("06b_rating_prediction")
    assert 0 <= f["optimism_plus_1"] - 1 < 0.002 and f["seed_sd_plus_1"] < 1.003


def test_06c_settings_of_one_model_differ_more_than_good_models_do():
    f = figures_of("06c_fair_comparisons")
    assert all(f[f"within_{name}"] > 1.5 * f["between_best"] for name in ("item kNN", "EASE", "ALS"))
    assert f["test_ndcg@10_popularity"] < 0.115 < 0.18 < f["test_ndcg@10_item kNN"] < f["test_ndcg@10_EASE"] - 0.005
    assert min(f["test_ndcg@10_EASE"], f["test_ndcg@10_ALS"]) > 0.205  # tuned, they reach what others published
    assert f["valid_ndcg@10_EASE"] > 0.2 and f["valid_ndcg@10_ALS"] > 0.2


def test_06c_the_draw_of_the_split_is_worth_thousandths_and_pairs_share_it():
    f = figures_of("06c_fair_comparisons")
    assert all(0.002 < f[f"draws_sd_{name}"] < 0.012 for name in ("popularity", "item kNN", "EASE", "ALS"))
    assert f["draws_gap_sd"] < 0.8 * f["draws_sd_EASE"]
    assert abs(f["draws_mean_EASE"] - f["draws_mean_ALS"]) < 0.006 < f["draws_mean_EASE"] - f["draws_mean_item kNN"]


def test_06c_the_tail_is_hardly_ever_found():
    f = figures_of("06c_fair_comparisons")
    assert f["films_ease_head"] > 2.5 * f["films_ease_middle"] > 2.5 * 5 * f["films_ease_tail"] > 0
    assert f["films_ease_tail"] < 0.02
    assert abs(f["group_ease_women"] - f["group_ease_men"]) < 0.03  # within the noise of one split


def test_06c_test_edges_in_the_graph_inflate_and_most_where_memory_is_cheap():
    f = figures_of("06c_fair_comparisons")
    clean, graph, both = (f[f"leak_{name}"] for name in ("clean", "test edges in the graph", "in graph and loss"))
    assert clean + 0.02 < graph < both - 0.03
    strong = {
        name: f[f"leak_strong_penalty_{name}"] for name in ("clean", "test edges in the graph", "in graph and loss")
    }
    assert graph - clean > 2 * (strong["test edges in the graph"] - strong["clean"]) > 0
    assert both - clean > 2 * (strong["in graph and loss"] - strong["clean"])
    assert graph - clean > 1.5 * abs(f["test_ndcg@10_ALS"] - f["test_ndcg@10_EASE"])  # more than good models differ
    assert graph > f["test_ndcg@10_EASE"] + 0.01 > clean + 0.01  # a leak turns a loss into a win


def test_06c_the_order_of_tied_rows_moves_a_result_more_than_two_good_models_differ():
    f = figures_of("06c_fair_comparisons")
    moved = f["tie_orders_ease_high"] - f["tie_orders_ease_low"]
    assert moved > 0.007 and moved > 1.5 * f["tie_orders_largest_gap"]
    assert 0.4 < f["tied_users"] < 0.5


def test_05b_features_buy_speed_and_set_a_limit():
    f = figures_of("05b_bandits_with_context")
    assert f["truth_auc"] > 0.9  # the truth predicts clicks that it has not seen
    assert f["floor_films"] < f["floor_everybody"] - 0.04 < f["floor_linear"] - 0.1 < f["floor_random"] - 0.25
    counting = [f[f"regret_{name}"] for name in ("epsilon", "decaying", "ucb1", "thompson")]
    assert max(counting) < 1.12 * min(counting)  # they lie close together
    for name in ("linucb", "linear_thompson"):
        assert f[f"regret_{name}"] < 0.88 * min(counting)
        assert f[f"early_{name}"] < 0.92 * f["early_epsilon"]
        assert f["floor_everybody"] - 0.02 < f[f"late_{name}"] < f["floor_linear"] - 0.05
    assert f["regret_linucb"] < 0.95 * f["regret_disjoint"]


def test_05b_dice_help_while_answers_are_late_and_a_memory_has_a_right_length():
    f = figures_of("05b_bandits_with_context")
    assert f["delay_0_ucb1"] < 0.75 * f["delay_0_thompson"]  # the winner without delay ...
    assert f["delay_300_ucb1"] > 3 * f["delay_300_thompson"]  # ... loses with it
    assert f["delay_300_thompson"] < 2 * f["delay_0_thompson"]
    for name in ("thompson", "ucb1"):
        assert f[f"change_{name}_1600"] < f[f"change_{name}_all"] < f[f"change_{name}_100"] / 1.5
    assert f["change_thompson_1600"] < 0.95 * f["change_thompson_all"]


def test_05b_thompson_ends_near_the_least_slope_and_ucb1_far_above():
    f = figures_of("05b_bandits_with_context")
    assert 0.45 < f["slope_thompson"] < 1.4
    assert f["slope_ucb1"] > 4 > 3 * f["slope_thompson"]


def test_05d_the_published_errors_come_out_and_rank_nothing():
    f = figures_of("05d_off_policy_evaluation")
    published = {"DM": 0.157, "switch-DR": 0.258, "DR": 0.292, "IPW": 0.311, "SNIPW": 0.312}
    for name, value in published.items():
        assert abs(f[f"relative_error_{name}"] - value) < 0.8 * f[f"relative_error_sd_{name}"], name
    assert f["relative_error_DM"] < 0.8 * min(f["relative_error_IPW"], f["relative_error_DR"])
    assert f["luck_of_the_truth"] > f["relative_error_DM"]  # the truth is no surer than the best estimator
    assert f["halves_agree_shifted"] < 1.2 and f["settings_agree_shifted"] < 1.4  # rank correlation + 1
    assert f["rows_with_half_bts_random_women"] == 1 and f["rows_with_half_random_bts_all"] > 800
    assert f["seen_ratio_1_has_seen_them"] > 2 and f["seen_ratio_1_cross"] < 1.1  # memory, not skill


def test_05d_the_world_is_as_hard_as_the_log_and_ranks_the_estimators():
    f = figures_of("05d_off_policy_evaluation")
    assert abs(f["effective_share_uniform"] / f["effective_share_real"] - 1) < 0.25
    assert f["curse_own"] > 1.4 and 0.8 < f["curse_other"] < 1.1
    for n in (10_000, 30_000, 100_000, 300_000, 1_000_000):
        rmse = {name.removeprefix(f"rmse_{n}_"): v for name, v in f.items() if name.startswith(f"rmse_{n}_")}
        assert len(rmse) == 9 and set(sorted(rmse, key=rmse.get)[:2]) == {"clipped DR", "DRos"}, n
        assert abs(rmse["DR"] / rmse["IPW"] - 1) < 0.03  # rare rewards: no calmer
    assert f["rmse_10000_IPW"] > 1.6 * f["rmse_10000_DM"] and f["rmse_1000000_IPW"] < 0.4 * f["rmse_1000000_DM"]
    assert abs(f["bias_1000000_DR"] - 1) < 0.02 < 0.03 < 1 - f["bias_1000000_DRos"] < 0.08 < 1 - f["bias_1000000_DM"]
    assert f["one_log_reversed"] > 0.25 and f["wins_of_the_worst_four"] > 0.25  # one log of 10,000 rows tells little


def test_05d_each_estimator_breaks_where_it_should():
    f = figures_of("05d_off_policy_evaluation")
    assert abs(f["rmse_far_0_IPW"] / f["rmse_far_0_DM"] - 1) < 0.1
    assert f["rmse_far_1_IPW"] > 1.5 * f["rmse_far_1_clipped DR"] and f["effective_share_far_1"] < 0.03
    assert f["bent_dm_0"] > 0.95 and f["bent_dm_1"] < 0.5 and abs(f["bent_dr_1"] - 1) < 0.04
    for half in ("right_right", "right_wrong", "wrong_right"):
        assert abs(f[f"both_dr_{half}"] - 1) < 0.02
    assert f["both_dr_wrong_wrong"] < 0.92
    assert f["frequent_DR"] < 0.75 * f["frequent_IPW"] and f["frequent_clipped DR"] < 0.9 * f["frequent_DR"]
    for name in ("clipped DR", "switch-DR", "DRos"):
        best, bound, none = (f[f"rule_{name}_{rule}"] for rule in ("best", "the_bound", "no_threshold"))
        assert best < bound < 0.75 * none < f[f"rule_{name}_SLOPE"]
    assert abs(f["unsupported"] + f["mean_weight_narrow"] - 1) < 0.01
    assert f["narrow_IPW"] < 0.4 and f["narrow_SNIPW"] < 0.9 and f["narrow_DR"] < 0.8
    assert 100 < f["replay_met_all_Thompson"] < 150  # one row in 80


def test_05e_users_needed_and_power_agree_with_simulation():
    f = figures_of("05e_ab_tests")
    assert f["users_shop_10"] > 300 * f["users_films_10"] > 300_000
    assert abs(f["power_at_needed"] - 0.8) < 0.015
    assert 0.45 < f["power_at_half"] < 0.56  # half the users: a coin


def test_05e_views_as_units_lie_and_users_as_units_do_not():
    f = figures_of("05e_ab_tests")
    assert f["aa_naive"] > 0.6 and 0.04 < f["aa_delta"] < 0.06
    assert f["design_effect"] > 20  # of the variance


def test_05e_lost_users_look_like_success_before_the_counts_ring():
    f = figures_of("05e_ab_tests")
    assert f["srm_false_success_0"] < 0.075
    assert f["srm_false_success_2"] > 0.85 > 0.2 > f["srm_alarm_2"]
    assert f["srm_alarm_5"] > 0.9
    assert f["srm_daily_0"] > 0.2 and f["srm_valid_0"] < 0.05 and f["srm_valid_0.02"] > 0.95


def test_05e_cuped_removes_rho_squared_and_a_late_covariate_removes_the_effect():
    f = figures_of("05e_ab_tests")
    assert abs(f["cuped_variance"] - (1 - f["rho2"])) < 0.03
    assert abs(f["cuped_effect"] - 0.03) < 0.001 and f["trap_effect"] < 0.01
    assert f["cuped_power"] > f["plain_power"] + 0.05
    for key in ("plain", "cuped", "trap"):  # an A/A test does not see the trap
        assert 0.04 < f[f"{key}_alarms"] < 0.065


def test_05e_peeking_costs_and_always_valid_keeps_its_promise_at_a_price():
    f = figures_of("05e_ab_tests")
    assert f["peeking_1"] < 0.055 < 0.1 < f["peeking_4"] < f["peeking_14"] < f["peeking_28"]
    assert f["peeking_28"] > 0.25
    assert f["valid_false"] <= f["valid_long_false"] < 0.03 < 0.045 < f["obf_false"] < 0.057
    assert f["valid_power"] < 0.6 < 0.75 < f["obf_power"] < f["fixed_power"]
    assert 1.5 < f["valid_days_for_80"] / 28 < 1.85  # about two thirds more days
    assert f["valid_long_days"] < 1.15 * 28 and f["valid_long_power"] > f["fixed_power"] + 0.04
    assert f["obf_days"] < 0.8 * 28
    assert f["peeking_told"] > 1.6 and f["obf_told"] > 1.15 and 1.05 < f["fixed_told"] < 1.2


def test_05e_corrections_keep_what_they_promise():
    f = figures_of("05e_ab_tests")
    assert 0.3 < f["family_none"] < 0.5
    for method in ("bonferroni", "holm", "benjamini-hochberg"):
        assert f[f"family_{method}"] < 0.06
    assert f["found_bonferroni"] <= f["found_holm"] < f["found_benjamini-hochberg"] - 0.04 < f["found_none"] - 0.2
    assert f["false_share_benjamini-hochberg"] < 0.055 < 0.15 < f["false_share_none"]


def test_05e_a_bandit_loses_fewer_clicks_and_tells_less_surely():
    f = figures_of("05e_ab_tests")
    assert f["thompson_lost"] < 0.4 * f["split_lost"]
    assert f["thompson_power"] < f["split_power"] - 0.2
    assert f["thompson_right"] > 0.97 and f["split_right"] > 0.985
    assert f["thompson_false"] > 0.08 > 0.065 > f["split_false"]  # nobody peeked; the bandit did
    assert f["thompson_kept"] < 0.97 and abs(f["split_kept"] - 1) < 0.005
    assert f["thompson_covered"] < f["split_covered"] - 0.015 < 0.945


def test_05e_the_killed_loop_goes_on_as_if_nothing_had_been():
    f = figures_of("05e_ab_tests")
    assert f["online_same"] == 1
    assert f["online_best_share"] > 0.7
    assert f["late_counted"] >= 1490 and 240 < f["late_repeated"] < 380
    assert f["intervals_that_hold"] >= 4  # of five films, judged from the probabilities in the log


def test_05c_looking_ahead_beats_the_greedy_bandit_that_knows_the_truth():
    f = figures_of("05c_deep_q_learning")
    assert f["small_share_of_optimum"] > 0.97
    assert f["clicks_dqn_ahead"] > 1.01 * f["clicks_greedy_true"] > 1.3 * f["clicks_random"]
    assert f["gain_low_shifted"] > 1  # lower end of the 95 % interval over learners
    assert f["clicks_dqn_ahead"] > 1.12 * f["clicks_dqn_0"] > 1.2 * f["clicks_random"]
    assert f["clicks_planner_true"] > 1.2 * f["clicks_dqn_ahead"]  # much is left to learn


def test_05c_only_the_target_network_is_missed_and_goals_conflict():
    f = figures_of("05c_deep_q_learning")
    assert f["parts_without target network"] < 0.9 * f["parts_all parts"]
    assert min(f["parts_without replay"], f["parts_without double"]) > 0.9 * f["parts_all parts"]
    assert f["basket_most_money"] > 1.1 * f["basket_most_clicks"]
    assert f["clicks_most_money"] < 0.99 * f["clicks_most_clicks"]
    assert f["dominated_rules"] == 3
