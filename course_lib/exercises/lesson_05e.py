"""Exercises of lesson 05e: the users a test needs, CUPED, the variance of a ratio, p-values to look at."""

import numpy as np

from course_lib.bandits import ab_test
from course_lib.exercises.judge import Case, Exercise


def some_plan(rng: np.random.Generator) -> Case:
    """The spread of a click, a rating or a sum of money, and a lift or a loss to find that is a share of it."""
    sd = float(rng.choice([rng.uniform(0.03, 0.5), rng.uniform(0.5, 2), rng.uniform(5, 80)]))
    return round(sd, 4), round(sd * float(rng.uniform(0.005, 0.5) * rng.choice([1, 1, -1])), 6)


def slope(x: np.ndarray, y: np.ndarray) -> float:
    """Of the line of ``y`` over ``x``: Cov(x, y) / Var(x)."""
    return np.cov(x, y)[0, 1] / np.var(x, ddof=1)


def some_past(rng: np.random.Generator) -> Case:
    """Metric and covariate of a few users, with ties; at times the past hardly helps, at times it points the other way.

    The last user's past is unlike the others': a covariate with no spread has no slope.
    """
    n = int(rng.integers(3, 40))
    x = rng.choice([rng.integers(0, 12, n).astype(float), rng.random(n).round(2)])
    x[-1] = x[:-1].max() + rng.uniform(0.5, 3)
    y = rng.choice([0.1, 0.7, -0.7, 2.0]) * x + rng.normal(rng.uniform(0, 5), 1, n)
    return y.round(3), x


def some_views(rng: np.random.Generator) -> Case:
    """Clicks and views of a few users, all with a view or more, some without a click; now and then one view each."""
    n = int(rng.integers(3, 40))
    views = np.ones(n) if rng.random() < 0.1 else rng.geometric(rng.uniform(0.03, 0.5), n).astype(float)
    clicks = rng.binomial(views.astype(int), rng.beta(1, 2, n)).astype(float)
    clicks[0], clicks[1] = 0, views[1]  # not all alike: then there would be no variance to find
    return clicks, views


def residuals(clicks: np.ndarray, views: np.ndarray) -> np.ndarray:
    """Whose variance is the numerator of the delta method: clicks − R · views, (n,)."""
    return clicks - clicks.sum() / views.sum() * views


def some_looks(rng: np.random.Generator) -> Case:
    """Ratios that wander up or down from about 1 over a few looks; at times one look only, at times with ties."""
    log_ratios = rng.normal(rng.choice([-0.2, 0.1, 0.3]), 0.8, int(rng.integers(1, 30))).cumsum()
    return (np.exp(log_ratios).round(2) + 0.01,)


five_views = np.array([10.0, 2.0, 30.0, 4.0, 12.0])

EXERCISES = (
    Exercise(
        "5e.1",
        1,
        lambda sd, d: 2 * ((1.96 + 0.84) * sd / d) ** 2,
        [(1.0, 0.1), (0.063, 0.0004), (12.0, -3.0)],
        some_plan,
        {
            "The 2 is missing: both groups have their own chance.": lambda sd, d: ((1.96 + 0.84) * sd / d) ** 2,
            "The sum of the two quantiles is squared.": lambda sd, d: 2 * (1.96 + 0.84) * (sd / d) ** 2,
            "Square the standard deviation and the difference, too.": lambda sd, d: 2 * (1.96 + 0.84) ** 2 * sd / d,
            "First add the quantiles, then square.": lambda sd, d: 2 * (1.96**2 + 0.84**2) * (sd / d) ** 2,
            "Without the second quantile the power is only one half.": lambda sd, d: 2 * (1.96 * sd / d) ** 2,
        },
    ),
    Exercise(
        "5e.2",
        2,
        lambda y, x: ab_test.cuped(y, x)[0],
        [
            (np.array([1.0, 3.0, 2.0, 5.0]), np.array([0.0, 2.0, 1.0, 4.0]) ** 1.5),
            (np.array([2.0, 0.0, 7.0]), np.array([10.0, 11.0, 15.0])),
        ],
        some_past,
        {
            "Centre the covariate, x minus its mean: otherwise the mean of the metric moves.": lambda y, x: (
                y - slope(x, y) * x
            ),
            "θ divides by the variance of x, not of y.": lambda y, x: y - slope(y, x) * (x - x.mean()),
            "θ is the slope, not the correlation: divide the covariance by Var(x).": lambda y, x: (
                y - np.corrcoef(x, y)[0, 1] * (x - x.mean())
            ),
            "Subtract what the past explains; do not add it.": lambda y, x: y + slope(x, y) * (x - x.mean()),
            "np.cov divides by n − 1 and np.var by n, unless told otherwise: use ddof=1 in both.": lambda y, x: (
                y - np.cov(x, y)[0, 1] / np.var(x) * (x - x.mean())
            ),
        },
    ),
    Exercise(
        "5e.3",
        2,
        lambda clicks, views: ab_test.ratio_variance(clicks, views)[1],
        [(np.array([5.0, 0.0, 21.0, 1.0, 6.0]), five_views), (np.array([1.0, 2.0, 3.0, 0.0, 9.0]), five_views)],
        some_views,
        {
            "That is the variance for independent views: users are the units here.": lambda c, v: (
                c.sum() / v.sum() * (1 - c.sum() / v.sum()) / v.sum()
            ),
            "The covariance term is missing: −2 R s_LV.": lambda c, v: (
                (c.var(ddof=1) + (c.sum() / v.sum()) ** 2 * v.var(ddof=1)) / len(v) / v.mean() ** 2
            ),
            "Divide by n: that is the variance for one user.": lambda c, v: residuals(c, v).var(ddof=1) / v.mean() ** 2,
            "Divide by the squared mean of the views.": lambda c, v: residuals(c, v).var(ddof=1) / len(v),
            "That is the variance of the mean of users' own rates, another metric.": lambda c, v: (
                (c / v).var(ddof=1) / len(v)
            ),
            "Use ddof=1 (np.cov does, np.var does not).": lambda c, v: residuals(c, v).var() / len(v) / v.mean() ** 2,
        },
    ),
    Exercise(
        "5e.4",
        2,
        lambda ratios: np.minimum.accumulate(np.minimum(1.0, 1 / ratios)),
        [(np.array([0.5, 0.8, 4.0, 2.0, 30.0, 10.0]),), (np.array([0.9, 0.3, 0.1]),)],
        some_looks,
        {
            "It must not rise again: take the largest ratio so far.": lambda r: np.minimum(1, 1 / r),
            "A p-value is at most 1.": lambda r: 1 / np.maximum.accumulate(r),
            "You looked into the future: only the looks so far count.": lambda r: np.full(len(r), min(1, 1 / r.max())),
            "That is the inverse: a large ratio is a small p.": lambda r: np.minimum(1, np.maximum.accumulate(r)),
        },
    ),
)
