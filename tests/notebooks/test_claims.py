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
