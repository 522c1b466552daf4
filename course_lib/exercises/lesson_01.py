"""Exercises of lesson 01: a key for titles, a permutation test, a split by date, means from train alone."""

import re

import numpy as np

from course_lib.exercises.judge import Case, Exercise

WORDS = "Night Love Devil's 12 Pret-A-Porter Schindler's Mr. L.A. Rock'n'Roll Story: Spider-Man Other & Theatre (1995)"


def some_title(rng: np.random.Generator) -> Case:
    """A title of one to five words: an article in front, at the end or nowhere, at times a comma within."""
    words = [str(word) for word in rng.choice(WORDS.split(), size=rng.integers(1, 6))]
    if len(words) > 1 and rng.random() < 0.3:
        words[0] += ","
    article = str(rng.choice(["The", "A", "An"]))
    title = str(rng.choice([" ", "  "], p=[0.8, 0.2])).join(words)
    return (str(rng.choice([f"{title}, {article}", f"{title}, {article}", f"{article} {title}", title])),)


def key(title: str, article: str = "the|a|an", apart: str = "'") -> str:
    """The key; article: which ones move to the front; apart: the signs that leave no space."""
    title = re.sub(rf"^(.*), ({article})$", r"\2 \1", title.lower().strip())
    return " ".join(re.findall("[a-z0-9]+", re.sub(f"[{apart}]", "", title)))


def with_capitals(title: str) -> str:
    title = re.sub(r"^(.*), (The|A|An)$", r"\2 \1", title)
    return " ".join(re.findall("[A-Za-z0-9]+", title.replace("'", "")))


def some_draws(rng: np.random.Generator) -> Case:
    """A statistic and its values in shuffled joins, often with ties; at times it is above them all."""
    shuffled = rng.normal(size=rng.integers(1, 40)).round(1)
    return float(rng.choice([rng.choice(shuffled), rng.choice(shuffled), rng.normal(), 9.0]).round(1)), shuffled


def some_times(rng: np.random.Generator) -> Case:
    """Times out of order and with ties. The share is in sixteenths, so that (1 - share) · (n - 1) has no rounding."""
    n = int(rng.integers(2, 30))
    return 893_286_638 + rng.integers(0, n, size=n), int(rng.integers(1, 16)) / 16


def cut(time: np.ndarray, share: float) -> int:
    return np.sort(time)[int((1 - share) * (len(time) - 1))]


def some_ratings(rng: np.random.Generator) -> Case:
    """Rows of train and of the test; some of the test's users have no row in train."""
    n, k, m = rng.integers(1, 20), rng.integers(1, 12), int(rng.integers(2, 6))
    train, test = rng.integers(0, m, size=n), rng.integers(0, m + 2, size=k)
    return train, rng.integers(1, 6, size=n).astype(float), test, rng.integers(1, 6, size=k).astype(float)


def centred(train_user: np.ndarray, train_rating: np.ndarray, user: np.ndarray, rating: np.ndarray) -> np.ndarray:
    return rating - np.array(
        [train_rating[train_user == i].mean() if i in train_user else train_rating.mean() for i in user]
    )


def by_both(train_user: np.ndarray, train_rating: np.ndarray, user: np.ndarray, rating: np.ndarray) -> np.ndarray:
    return centred(np.append(train_user, user), np.append(train_rating, rating), user, rating)


def without_unknown(
    train_user: np.ndarray, train_rating: np.ndarray, user: np.ndarray, rating: np.ndarray
) -> np.ndarray:
    return np.where(np.isin(user, train_user), centred(train_user, train_rating, user, rating), rating)


EXERCISES = (
    Exercise(
        "1.1",
        1,
        key,
        [
            ("Usual Suspects, The",),
            ("Schindler's List!",),
            ("Bronx Tale, A",),
            ("Cook the Thief His Wife & Her Lover, The",),
            ("Others, Other Rooms",),
            ("Pret-A-Porter",),
        ],
        some_title,
        {
            "The article is still at the end: move it before you drop the comma.": lambda t: key(t, article="-"),
            'An apostrophe leaves no space behind: "schindlers", not "schindler s".': lambda t: key(t, apart="\n"),
            "Lower case is wanted.": with_capitals,
            "Only an apostrophe leaves no space; in the place of any other sign the words stay apart.": lambda t: key(
                t, apart="'.:!(),&-"
            ),
        },
    ),
    Exercise(
        "1.2",
        1,
        lambda o, s: (1 + (s >= o).sum()) / (1 + len(s)),
        [
            (0.5, np.array([0.1, 0.2, 0.6, 0.3])),
            (9.0, np.zeros(99)),
            (0.2, np.array([0.2, 0.1, 0.3])),
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
        },
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
        some_times,
        {
            "Rows at the very instant of the cut are training: use >, not >=.": lambda t, s: t >= cut(t, s),
            "The rows are not in order of time: sort the times before you look for the cut.": lambda t, s: (
                t > t[int((1 - s) * (len(t) - 1))]
            ),
            "That marks the early part; the test is the late one.": lambda t, s: t <= cut(t, s),
        },
    ),
    Exercise(
        "1.4",
        2,
        centred,
        [
            (np.array([0, 0, 1]), np.array([5.0, 3.0, 2.0]), np.array([0, 1, 1]), np.array([5.0, 2.0, 4.0])),
            (np.array([0, 0, 2]), np.array([4.0, 5.0, 3.0]), np.array([1, 2]), np.array([4.0, 1.0])),
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
            "A user without a training row gets the mean of all training ratings.": without_unknown,
        },
    ),
)
