"""Exercises of lesson 05e: an unequal split, CUPED with new users, the variance of a ratio, p-values to look at."""

import numpy as np

from course_lib.bandits import ab_test
from course_lib.exercises.drawing import differ, until
from course_lib.exercises.judge import Case, Exercise


def some_plan(rng: np.random.Generator) -> Case:
    """The spread of a click, a rating or a sum of money, a lift or a loss to find, and the share of the new list."""
    sd = float(rng.choice([rng.uniform(0.03, 0.5), rng.uniform(1.2, 3), rng.uniform(5, 80)]))
    share = float(rng.choice([rng.uniform(0.05, 0.4), rng.uniform(0.6, 0.9)]))
    return round(sd, 4), round(sd * float(rng.uniform(0.2, 0.9) * rng.choice([1, 1, -1])), 6), round(share, 2)


def users(sd: float, difference: float, share: float, z: float = (1.96 + 0.84) ** 2) -> float:
    return z * sd**2 / difference**2 / (share * (1 - share))


def equal_groups(sd: float, difference: float) -> float:
    """Users in each group."""
    return 2 * (1.96 + 0.84) ** 2 * sd**2 / difference**2


def slope(x: np.ndarray, y: np.ndarray) -> float:
    """Of the line of ``y`` over ``x``: Cov(x, y) / Var(x)."""
    return np.cov(x, y)[0, 1] / np.var(x, ddof=1)


def some_past(rng: np.random.Generator) -> Case:
    """Metric and covariate of a few users, of some of whom there is no past; at times it points the other way."""
    n = int(rng.integers(8, 40))
    x = rng.choice([rng.integers(0, 12, n) / 4, rng.random(n)])
    x[-1] = x[:-1].max() + rng.uniform(0.5, 1.5)
    y = rng.choice([0.7, -0.7, 2.0]) * x + rng.normal(rng.uniform(2, 5), 0.5, n)
    x[rng.choice(n - 1, max(2, n // 5), replace=False)] = np.nan
    return y.round(2), x.round(2)


def adjusted(y: np.ndarray, x: np.ndarray, theta: float | None = None) -> np.ndarray:
    """CUPED for users of whom there is a past; the others keep their y."""
    known = ~np.isnan(x)
    theta = slope(x[known], y[known]) if theta is None else theta
    return y - theta * np.where(known, x - x[known].mean(), 0)


def known_only(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    known = ~np.isnan(x)
    return ab_test.cuped(y[known], x[known])[0]


def centred_nowhere(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    known = ~np.isnan(x)
    return y - slope(x[known], y[known]) * np.where(known, x, 0)


def nothing_for_new(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(x), 0, adjusted(y, x))


def mean_for_new(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(x), y[~np.isnan(x)].mean(), adjusted(y, x))


def of_known(y: np.ndarray, x: np.ndarray, theta: str) -> float:
    x, y = x[~np.isnan(x)], y[~np.isnan(x)]
    return {
        "turned": lambda: slope(y, x),
        "correlation": lambda: np.corrcoef(x, y)[0, 1],
        "mixed": lambda: np.cov(x, y)[0, 1] / np.var(x),
        "mixed too": lambda: np.cov(x, y, ddof=0)[0, 1] / np.var(x, ddof=1),
        "covariance": lambda: np.cov(x, y)[0, 1],
    }[theta]()


def some_views(rng: np.random.Generator) -> Case:
    """Clicks and views of a few users, all with a view or more, some without a click."""
    n = int(rng.integers(4, 30))
    views = rng.geometric(rng.uniform(0.03, 0.3), n).astype(float)
    clicks = rng.binomial(views.astype(int), rng.beta(1, 2, n)).astype(float)
    clicks[:2], views[:2] = (0, 5), (6, 8)
    return clicks, views


def residuals(clicks: np.ndarray, views: np.ndarray) -> np.ndarray:
    """Whose variance is the numerator of the delta method: clicks − R · views, (n,)."""
    return clicks - clicks.sum() / views.sum() * views


def tells_much(clicks: np.ndarray, views: np.ndarray) -> bool:
    """Whether the terms of the delta method do not cancel."""
    return residuals(clicks, views).var() > 0.2 * clicks.var() and differ(variance, *VARIANCES.values())(clicks, views)


def variance(clicks: np.ndarray, views: np.ndarray) -> float:
    return float(ab_test.ratio_variance(clicks, views)[1])


def terms(clicks: np.ndarray, views: np.ndarray, covariance: float = -2.0, square: float = 1.0) -> float:
    """The delta method with other factors of the covariance and of the last term."""
    ratio, s = clicks.sum() / views.sum(), np.cov(clicks, views)
    return (s[0, 0] + covariance * ratio * s[0, 1] + square * ratio**2 * s[1, 1]) / (len(views) * views.mean() ** 2)


def some_looks(rng: np.random.Generator) -> Case:
    """Ratios that wander over some looks: below 1, up, down a little, and up again."""
    up = rng.uniform(0.1, 0.8, int(rng.integers(6, 20))).cumsum()
    up[rng.choice(np.arange(2, len(up) - 1), 2, replace=False)] -= 1
    return (np.exp(up - rng.uniform(0.5, 1.5)).round(2) + 0.01,)


def p_so_far(ratios: np.ndarray) -> np.ndarray:
    return np.minimum.accumulate(np.minimum(1.0, 1 / ratios))


five_views = np.array([10.0, 2.0, 30.0, 4.0, 12.0])

VARIANCES = {
    "That is the variance for independent views: users are the units here.": lambda c, v: (
        c.sum() / v.sum() * (1 - c.sum() / v.sum()) / v.sum()
    ),
    "The covariance term is missing: −2 R s_LV.": lambda c, v: terms(c, v, covariance=0),
    "The covariance is taken away: −2 R s_LV.": lambda c, v: terms(c, v, covariance=2),
    "The covariance counts twice: −2 R s_LV.": lambda c, v: terms(c, v, covariance=-1),
    "The last term is missing: R² s_V².": lambda c, v: terms(c, v, square=0),
    "R is squared in the last term: R² s_V².": lambda c, v: terms(c, v, square=v.sum() / c.sum()),
    "Divide by n: that is the variance for one user.": lambda c, v: len(v) * variance(c, v),
    "Divide by the squared mean of the views.": lambda c, v: v.mean() ** 2 * variance(c, v),
    "The mean of the views is squared.": lambda c, v: v.mean() * variance(c, v),
    "Divide by the squared mean of the views, not by that of the squares.": lambda c, v: (
        variance(c, v) * v.mean() ** 2 / (v**2).mean()
    ),
    "That is the variance of the mean of users' own rates, another metric.": lambda c, v: (c / v).var(ddof=1) / len(v),
    "Use ddof=1 (np.cov does, np.var does not).": lambda c, v: variance(c, v) * (len(v) - 1) / len(v),
    "np.cov divides by n − 1 and np.var by n, unless told otherwise: use ddof=1 in both.": lambda c, v: (
        terms(c, v) - (np.var(c, ddof=1) + (c.sum() / v.sum()) ** 2 * np.var(v, ddof=1)) / len(v) ** 2 / v.mean() ** 2
    ),
    "That is the standard error; its square, the variance, is wanted.": lambda c, v: np.sqrt(variance(c, v)),
    "R is all clicks over all views, not the mean of users' rates.": lambda c, v: (
        (np.cov(np.stack([c, v]))[0, 0] - 2 * (r := (c / v).mean()) * np.cov(c, v)[0, 1] + r**2 * v.var(ddof=1))
        / (len(v) * v.mean() ** 2)
    ),
}

EXERCISES = (
    Exercise(
        "5e.1",
        1,
        users,
        [(1.0, 0.3, 0.5), (0.063, 0.0004, 0.1), (12.0, -3.0, 0.8)],
        until(some_plan, lambda *plan: users(*plan) < 500 and 0.2 < users(*plan) % 1 < 0.8),
        {
            "Those are the users in *each* group of an equal split; in all there are more.": lambda sd, d, s: (
                equal_groups(sd, d)
            ),
            "That is right for an equal split; another one needs more users.": lambda sd, d, s: 2 * equal_groups(sd, d),
            "That counts the users, or the spread, of the group with the new list alone.": lambda sd, d, s: (
                s * users(sd, d, s)
            ),
            "That counts the users, or the spread, of the group with the old list alone.": lambda sd, d, s: (
                (1 - s) * users(sd, d, s)
            ),
            "The smaller group is not as large as in an equal split: both spreads count, 1 / n_c + 1 / n_t.": (
                lambda sd, d, s: equal_groups(sd, d) / s
            ),
            "Both groups have a spread, and their sum is 1 / n_c + 1 / n_t: with n_t = share · N and the rest n_c.": (
                lambda sd, d, s: equal_groups(sd, d) / min(s, 1 - s)
            ),
            "The 2 of the formula stands for two equal groups; here it is 1 / share + 1 / (1 − share) instead.": (
                lambda sd, d, s: 2 * users(sd, d, s)
            ),
            "The sum of the two quantiles is squared.": lambda sd, d, s: users(sd, d, s, 1.96 + 0.84),
            "Square the standard deviation and the difference, too.": lambda sd, d, s: (
                (1.96 + 0.84) ** 2 * sd / d / (s * (1 - s))
            ),
            "First add the quantiles, then square.": lambda sd, d, s: users(sd, d, s, 1.96**2 + 0.84**2),
            "Without the second quantile the power is only one half.": lambda sd, d, s: users(sd, d, s, 1.96**2),
            "Do not round: leave the number as it comes out.": lambda sd, d, s: np.ceil(users(sd, d, s)),
            "Do not round: leave the number as it comes out, with its fraction.": lambda sd, d, s: round(
                users(sd, d, s)
            ),
        },
        hint="2 σ² / n of the equal split becomes σ² (1 / n_c + 1 / n_t), with n_t = share · N: solve for N.",
    ),
    Exercise(
        "5e.2",
        2,
        adjusted,
        [
            (np.array([1.0, 3.0, 2.0, 5.0]), np.array([0.0, 2.0, 1.0, 4.0]) ** 1.5),
            (np.array([2.0, 0.0, 7.0, 4.0]), np.array([10.0, 11.0, 15.0, np.nan])),
            (np.array([2.0, 6.0, 0.0, 7.0, 1.0]), np.array([np.nan, 1.0, 1.1, 1.5, np.nan])),
        ],
        some_past,
        {
            "Users without a past, NaN in x, keep their y and stay out of θ and of the mean.": lambda y, x: (
                y - slope(x, y) * (x - x.mean())
            ),
            "Every user has a metric: those without a past keep their y.": known_only,
            "Users without a past keep their y; 0 is no value of theirs.": nothing_for_new,
            "Users without a past keep their y; the others' mean is not theirs.": mean_for_new,
            "A past that is not known is not 0: leave such users out of θ and of the mean.": lambda y, x: ab_test.cuped(
                y, np.nan_to_num(x)
            )[0],
            "Centre the covariate, x minus its mean: otherwise the mean of the metric moves.": centred_nowhere,
            "θ divides by the variance of x, not of y.": lambda y, x: adjusted(y, x, of_known(y, x, "turned")),
            "θ is the slope, not the correlation: divide the covariance by Var(x).": lambda y, x: adjusted(
                y, x, of_known(y, x, "correlation")
            ),
            "θ is the covariance divided by Var(x); that is missing.": lambda y, x: adjusted(
                y, x, of_known(y, x, "covariance")
            ),
            "θ is missing.": lambda y, x: adjusted(y, x, 1),
            "Subtract what the past explains; do not add it.": lambda y, x: 2 * y - adjusted(y, x),
            "np.cov divides by n − 1 and np.var by n, unless told otherwise: use ddof=1 in both.": lambda y, x: (
                adjusted(y, x, of_known(y, x, "mixed"))
            ),
            "That is the part which the past explains; the metric without it is wanted.": lambda y, x: (
                y - adjusted(y, x)
            ),
        },
        hint="θ and the mean of x from the users with a past; they alone are adjusted.",
    ),
    Exercise(
        "5e.3",
        2,
        variance,
        [(np.array([5.0, 0.0, 21.0, 1.0, 6.0]), five_views), (np.array([1.0, 2.0, 3.0, 0.0, 9.0]), five_views)],
        until(some_views, tells_much),
        VARIANCES,
        hint="(s_L² − 2 R s_LV + R² s_V²) / (n · mean(views)²), with R all clicks over all views.",
    ),
    Exercise(
        "5e.4",
        2,
        p_so_far,
        [(np.array([0.5, 0.8, 4.0, 2.0, 30.0, 10.0]),), (np.array([0.9, 0.3, 0.1]),)],
        until(until(some_looks, lambda r: 0.2 < r[0] < 0.9), differ(p_so_far, lambda r: np.minimum(1, 1 / r))),
        {
            "It must not rise again: take the largest ratio so far.": lambda r: np.minimum(1, 1 / r),
            "A p-value is at most 1.": lambda r: 1 / np.maximum.accumulate(r),
            "It must not rise again, and a p-value is at most 1.": lambda r: 1 / r,
            "You looked into the future: only the looks so far count.": lambda r: np.full(len(r), min(1, 1 / r.max())),
            "You looked into the future: at each look those before it count, not those to come.": lambda r: np.minimum(
                1, 1 / np.maximum.accumulate(r[::-1])[::-1]
            ),
            "That is the inverse: a large ratio is a small p.": lambda r: np.minimum(1, np.maximum.accumulate(r)),
            "That is the largest ratio so far; p is 1 over it.": np.maximum.accumulate,
            "The smallest p so far belongs to the largest ratio so far, not to the smallest.": lambda r: np.minimum(
                1, 1 / np.minimum.accumulate(r)
            ),
            "That is the last p-value; one for each look is wanted.": lambda r: min(1, 1 / r.max()),
            "That is the product of all ratios so far; the largest is wanted.": lambda r: np.minimum(
                1, 1 / np.maximum.accumulate(r.cumprod())
            ),
        },
        hint="1 over the largest ratio so far, and never above 1.",
        kind="share",
    ),
)
