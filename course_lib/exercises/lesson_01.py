"""Exercises of lesson 01: a key for titles, a permutation test, a split by date, means from train alone."""

import re

import numpy as np

from course_lib.exercises.drawing import until
from course_lib.exercises.judge import Case, Exercise

WORDS = "Night Love 12 Schindler's Story Other Theatre Theory Angels 1995 Annie"
SIGNS = "Pret-A-Porter Spider-Man (1995) Face/Off"
DOTTED, POSSESSIVE = "L.A. S.W.A.T.", "Devil's It's"


def some_title(rng: np.random.Generator) -> Case:
    """A title with signs and full stops in its words, an apostrophe, mostly a comma; at its end mostly an article."""
    words = [
        *rng.choice(WORDS.split(), rng.integers(1, 4)),
        *(rng.choice(some.split()) for some in (SIGNS, DOTTED, POSSESSIVE)),
    ]
    words = [str(word) for word in rng.permutation(words)]
    if rng.random() < 0.9:
        words[0] += ","
    title = str(rng.choice([" ", "  "], p=[0.8, 0.2])).join(words)
    return (f"{title}, {rng.choice(['The', 'A', 'An', 'Theatre'], p=[0.25, 0.35, 0.3, 0.1])}",)


def key(title: str, article: str = "the|a|an", apart: str = "'") -> str:
    """The key; article: which ones move to the front; apart: the signs that leave no space."""
    title = re.sub(rf"^(.*), ({article})$", r"\2 \1", title.lower().strip())
    return " ".join(re.findall("[a-z0-9]+", re.sub(f"[{apart}]", "", title)))


def with_capitals(title: str) -> str:
    title = re.sub(r"^(.*), (The|A|An)$", r"\2 \1", title)
    return " ".join(re.findall("[A-Za-z0-9]+", title.replace("'", "")))


def some_draws(rng: np.random.Generator) -> Case:
    """A statistic and its values in shuffled joins, one of them just as large."""
    shuffled = rng.integers(-12, 13, size=rng.integers(6, 40)) / 8
    return float(rng.choice(shuffled)), shuffled


def some_times(rng: np.random.Generator) -> Case:
    """Times out of order and with ties. The share is in sixteenths, so that (1 - share) · (n - 1) has no rounding."""
    n = int(rng.integers(8, 30))
    return 893_286_638 + rng.integers(0, n, size=n), int(rng.integers(2, 15)) / 16


def cut(time: np.ndarray, share: float) -> int:
    return np.sort(time)[int((1 - share) * (len(time) - 1))]


def some_ratings(rng: np.random.Generator) -> Case:
    """Rows of train and of the test; some of the test's users have no row in train, one of a larger id than any."""
    n, k, m = rng.integers(4, 20), rng.integers(3, 12), int(rng.integers(2, 6))
    train, test = rng.integers(0, m, size=n), np.append(rng.integers(0, m + 2, size=k), m + 2)
    return train, rng.integers(1, 6, size=n).astype(float), test, rng.integers(1, 6, size=k + 1).astype(float)


def means(train_user: np.ndarray, train_rating: np.ndarray, user: np.ndarray, other: float) -> np.ndarray:
    """The mean in train of each of the users, and ``other`` where there is none."""
    return np.array([train_rating[train_user == i].mean() if i in train_user else other for i in user])


def centred(train_user: np.ndarray, train_rating: np.ndarray, user: np.ndarray, rating: np.ndarray) -> np.ndarray:
    return rating - means(train_user, train_rating, user, train_rating.mean())


def by_both(train_user: np.ndarray, train_rating: np.ndarray, user: np.ndarray, rating: np.ndarray) -> np.ndarray:
    return centred(np.append(train_user, user), np.append(train_rating, rating), user, rating)


def by_mean_of_means(
    train_user: np.ndarray, train_rating: np.ndarray, user: np.ndarray, rating: np.ndarray
) -> np.ndarray:
    each = means(train_user, train_rating, np.unique(train_user), 0)
    return rating - means(train_user, train_rating, user, each.mean())


def by_position(time: np.ndarray, share: float) -> np.ndarray:
    """The latest rows by their number: those of one instant can be parted."""
    rows = np.argsort(time, kind="stable")[int((1 - share) * (len(time) - 1)) + 1 :]
    return np.isin(np.arange(len(time)), rows)


def tied(time: np.ndarray, share: float) -> bool:
    """Whether the cut falls between rows of one instant, and something is later."""
    at, times = int((1 - share) * (len(time) - 1)), np.sort(time)
    return times[at] == times[at + 1] < times[-1]


def by_table(train_user: np.ndarray, train_rating: np.ndarray, user: np.ndarray, rating: np.ndarray) -> np.ndarray:
    """Means in a table as long as train's ids: 0 where there is none, and the last one for an id beyond."""
    mean = np.bincount(train_user, train_rating) / np.maximum(np.bincount(train_user), 1)
    return rating - mean[np.minimum(user, len(mean) - 1)]


EXERCISES = (
    Exercise(
        "1.1",
        1,
        key,
        [
            ("Usual Suspects, The",),
            ("Schindler's List!",),
            ("Bronx Tale, A",),
            ("Good, the Bad & the Ugly, The",),
            ("Others, Theatre",),
            ("Pret-A-Porter",),
            ("L.A. Confidential",),
        ],
        some_title,
        {
            "The article is still at the end: move it before you drop the comma.": lambda t: key(t, article="-"),
            "Where the article stood at the end it is gone: it belongs in front.": lambda t: re.sub(
                " (the|a|an)$", "", key(t, article="-")
            ),
            'An apostrophe leaves no space behind: "schindlers", not "schindler s".': lambda t: key(t, apart="\n"),
            "Lower case is wanted.": with_capitals,
            "Only an apostrophe leaves no space; in the place of any other sign the words stay apart.": lambda t: key(
                t, apart="'.:!(),&/-"
            ),
            "A full stop is a sign like any other: a space takes its place.": lambda t: key(t, apart="'."),
            "The signs are still there.": lambda t: re.sub(r"^(.*), (the|a|an)$", r"\2 \1", t.lower()),
        },
        "In this order: small letters, the article to the front, apostrophes out, a space for any other sign, then "
        "single spaces.",
    ),
    Exercise(
        "1.2",
        1,
        lambda o, s: (1 + (s >= o).sum()) / (1 + len(s)),
        [
            (0.5, np.array([0.1, 0.2, 0.6, 0.3])),
            (9.0, np.zeros(99)),
            (0.2, np.array([0.2, 0.1, 0.3])),
            (0.1, np.array([-0.3, 0.2, -0.05])),
            (0.045, np.array([0.041, 0.052, 0.045, 0.039, 0.048, 0.043])),
        ],
        some_draws,
        {
            "The real value is one of the draws: add 1 above and below, so that p is never 0.": lambda o, s: (
                s >= o
            ).mean(),
            "A tie counts as at least as large: use >=.": lambda o, s: (1 + (s > o).sum()) / (1 + len(s)),
            "That is the share of smaller draws; large values are the surprising ones here.": lambda o, s: (
                (1 + (s <= o).sum()) / (1 + len(s))
            ),
            "The real value is one of the draws: it counts below the line too.": lambda o, s: (
                (1 + (s >= o).sum()) / len(s)
            ),
            "The real value is one of the draws: it counts above the line too.": lambda o, s: (
                (s >= o).sum() / (1 + len(s))
            ),
            "That is how many; a share is wanted, so divide by the number of draws.": lambda o, s: 1 + (s >= o).sum(),
            "The sign counts here: no absolute values.": lambda o, s: (1 + (np.abs(s) >= abs(o)).sum()) / (1 + len(s)),
            "A tie counts as at least as large, and the real value is one of the draws: it counts above and "
            "below.": lambda o, s: (s > o).mean(),
            "That is 1 minus the share: the draws that are at least as large are asked for.": lambda o, s: (
                1 - (1 + (s >= o).sum()) / (1 + len(s))
            ),
            "Compare the draws with the real value, not with their own mean.": lambda o, s: (
                (1 + (s >= s.mean()).sum()) / (1 + len(s))
            ),
        },
        "Count the draws that are at least as large, the real one included, and divide by the number of all, the "
        "real one included.",
        kind="share",
    ),
    Exercise(
        "1.3",
        1,
        lambda t, s: t > cut(t, s),
        [
            (np.array([50, 10, 40, 20, 30]), 0.25),
            (np.array([7, 7, 7, 9, 1, 2]), 0.5),
            (np.array([880, 875, 875, 891, 880, 875, 899, 891, 868, 902, 871, 902]), 0.1),
        ],
        until(some_times, tied),
        {
            "Rows at the very instant of the cut are training: use >, not >=.": lambda t, s: t >= cut(t, s),
            "The rows are not in order of time: sort the times before you look for the cut.": lambda t, s: (
                t > t[int((1 - s) * (len(t) - 1))]
            ),
            "That marks the early part; the test is the late one.": lambda t, s: t <= cut(t, s),
            "The last rows are not the latest ones: compare the times with the cut.": lambda t, s: (
                np.arange(len(t)) > int((1 - s) * (len(t) - 1))
            ),
            "The share is that of the test, which comes last: the cut is at 1 − share.": lambda t, s: t > cut(t, 1 - s),
            "These are times; True or False for each row is wanted.": lambda t, s: t[t > cut(t, s)],
            "These are positions; True or False for each row is wanted.": lambda t, s: np.flatnonzero(t > cut(t, s)),
            "Events of the same instant must stay together: compare the times with "
            "the cut, do not count rows.": by_position,
            "The cut is one of the sorted times, by its position, not a share of the way from the first time to "
            "the last.": (lambda t, s: t > t.min() + (1 - s) * (t.max() - t.min())),
            "True or False is wanted for the rows in the order given, not in that of time.": lambda t, s: (
                np.sort(t) > cut(t, s)
            ),
        },
        "The cut is np.sort(time) at the position of the formula; compare each time with it.",
    ),
    Exercise(
        "1.4",
        2,
        centred,
        [
            (np.array([0, 0, 1]), np.array([5.0, 3.0, 2.0]), np.array([0, 1, 1]), np.array([5.0, 2.0, 4.0])),
            (np.array([0, 0, 0, 2]), np.array([1.0, 5.0, 4.5, 2.0]), np.array([0, 2, 7]), np.array([3.0, 1.0, 5.0])),
        ],
        some_ratings,
        {
            "These means were taken from the test itself: that is the leak of section 6.": lambda tu, tr, u, r: centred(
                u, r, u, r
            ),
            "These means were taken from train and test together: that is the leak of section 6.": by_both,
            "One mean for everybody is not enough: each user has a mean of their own.": lambda tu, tr, u, r: (
                r - tr.mean()
            ),
            "For a user without a training row, take the mean of all training ratings off the rating.": (
                lambda tu, tr, u, r: r - means(tu, tr, u, 0)
            ),
            "That is the mean itself: take it *off* the rating.": lambda tu, tr, u, r: means(tu, tr, u, tr.mean()),
            "The rating minus the mean is wanted, not the mean minus the rating.": lambda tu, tr, u, r: (
                -centred(tu, tr, u, r)
            ),
            "A user without a training row has no mean, hence NaN: take the mean of all training ratings there.": (
                lambda tu, tr, u, r: r - means(tu, tr, u, np.nan)
            ),
            "For a user without a training row the rating stays a rating minus a mean, not 0.": (
                lambda tu, tr, u, r: np.where(np.isin(u, tu), centred(tu, tr, u, r), 0)
            ),
            "For a user without a training row take the mean of all ratings, not the mean of the users' means.": (
                by_mean_of_means
            ),
            "The mean is wanted, not the median.": lambda tu, tr, u, r: (
                r - np.array([np.median(tr[tu == i]) if i in tu else tr.mean() for i in u])
            ),
            "An id without a row in train gets the mean of all ratings: not 0, and not another id's mean.": by_table,
            "The mean of a user's own ratings is wanted; this divides by the number of all rows.": (
                lambda tu, tr, u, r: r - np.array([tr[tu == i].sum() / len(tr) if i in tu else tr.mean() for i in u])
            ),
            "For a user without a training row, take the mean of all *training* ratings off; yours is that of "
            "the test.": (lambda tu, tr, u, r: r - means(tu, tr, u, r.mean())),
            "That is one mean for everybody, and one of the test: each user has a "
            "mean of their own in train.": lambda tu, tr, u, r: r - r.mean(),
            "For a user without a training row, take the mean of all training ratings *off* the rating.": (
                lambda tu, tr, u, r: np.where(np.isin(u, tu), centred(tu, tr, u, r), tr.mean())
            ),
            "These are the ratings of train; those of the test are wanted.": lambda tu, tr, u, r: centred(
                tu, tr, tu, tr
            ),
            "A user of the test can have a larger id than any in train: make the list of means long enough.": (
                lambda tu, tr, u, r: r - (np.bincount(tu, tr) / np.maximum(np.bincount(tu), 1))[u]
            ),
        },
        "An id of the test can be larger than any in train, and a user can be in the test without being in train.",
    ),
)
