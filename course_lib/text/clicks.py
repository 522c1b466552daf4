"""Clicks to predict: a film and what the user liked and disliked *before*, in words; and the means to beat.

An example is one rating: label 1 (a "click") if it has at least four stars, else 0. Its profile is written from
ratings of the training part that are strictly earlier than the example, so neither the answer nor anything later
can be in the text.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from course_lib import inputs
from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError

AMOUNT = ("almost none", "few", "some", "half", "many", "most", "almost all")


@dataclass(frozen=True)
class ClickExamples:
    """Ratings to be predicted, in words.

    table: user, item, time, rating (stars), label (0 or 1), history (tuple of row positions in the training part,
    oldest first).
    texts: one pair an example, (the film, the profile): BERT's first and second segment.
    """

    table: pd.DataFrame
    texts: list[tuple[str, str]]

    @property
    def label(self) -> np.ndarray:
        """(n,) int64."""
        return self.table["label"].to_numpy()

    @property
    def rating(self) -> np.ndarray:
        """Stars, (n,) float64."""
        return self.table["rating"].to_numpy()

    @property
    def user(self) -> np.ndarray:
        """(n,) int64."""
        return self.table["user"].to_numpy()

    @property
    def item(self) -> np.ndarray:
        """(n,) int64."""
        return self.table["item"].to_numpy()

    def __len__(self) -> int:
        return len(self.table)


def histories(train: Interactions) -> Callable[[int, int], np.ndarray]:
    """A function (user, time) -> positions in ``train`` of the user's rows strictly before ``time``, oldest first."""
    order = np.lexsort((np.arange(len(train)), train.time, train.user))  # each user's rows, oldest first
    begin = np.searchsorted(train.user[order], np.arange(train.n_users + 1))
    time = train.time[order]

    def earlier(user: int, before: int) -> np.ndarray:
        rows = slice(begin[user], begin[user + 1])
        return order[rows][: np.searchsorted(time[rows], before, side="left")]

    return earlier


def click_examples(
    targets: Interactions,
    train: Interactions,
    item_texts: Sequence[str],
    titles: Sequence[str],
    n: int,
    seed: int,
    *,
    past: int = 10,
    at_least: float = 4,
    min_history: int = 5,
) -> ClickExamples:
    """``n`` random rows of ``targets`` (fewer if there are not so many) that have a history, as click examples.

    targets: the rows to predict (the training, validation or test part). train: the training part, the only source
    of profiles. item_texts, titles: one of each for every item. past: how many of the latest earlier ratings the
    profile names. at_least: stars of a like. min_history: rows with fewer earlier ratings of their user are left out.
    n, past, min_history: ≥ 1; seed: ≥ 0.
    """
    checked_counts(n=n, past=past, min_history=min_history)
    at_least = inputs.number("at_least", at_least)
    item_texts, titles = checked_item_texts(targets, item_texts=item_texts, titles=titles)
    earlier = histories(train)
    rows: list[tuple] = []
    texts: list[tuple[str, str]] = []
    for row in inputs.generator(seed).permutation(len(targets)):
        if len(rows) == n:
            break
        u, i, t = int(targets.user[row]), int(targets.item[row]), int(targets.time[row])
        history = earlier(u, t)
        if len(history) < min_history:
            continue
        stars = float(targets.rating[row])
        rows.append((u, i, t, stars, int(stars >= at_least), tuple(int(h) for h in history)))
        said = profile_text(titles, train.item[history], train.rating[history], past, at_least)
        texts.append((item_texts[i], said))
    if not rows:
        raise CourseError(f"No row of the targets has {min_history} earlier ratings: give more data or ask for fewer.")
    return ClickExamples(pd.DataFrame(rows, columns=["user", "item", "time", "rating", "label", "history"]), texts)


def profile_text(
    titles: Sequence[str], items: np.ndarray, ratings: np.ndarray, past: int = 10, at_least: float = 4
) -> str:
    """A user in words: how often they like what they see, and their latest ``past`` films, newest first.

    items, ratings: (h,) the user's ratings so far, oldest first, h ≥ 1; items are positions in ``titles``. past: ≥ 1.
    """
    titles = titles if isinstance(titles, list) else inputs.texts("titles", titles)
    past = inputs.whole("past", past, at_least=1)
    items, ratings = inputs.ids("items", items, len(titles)), inputs.array("ratings", ratings, ndim=1)
    if not inputs.same_length(items=items, ratings=ratings):
        raise CourseError("A profile is written from at least one rating; got none.")
    inputs.texts("titles", [titles[i] for i in items[-past:]])
    at_least = inputs.number("at_least", at_least)
    liked = ratings >= at_least
    amount = AMOUNT[int(np.clip(liked.mean() * len(AMOUNT), 0, len(AMOUNT) - 1))]
    recent = list(zip(items[-past:][::-1], liked[-past:][::-1], strict=True))
    lists = [", ".join(titles[i] for i, like in recent if bool(like) == side) or "nothing" for side in (True, False)]
    return f"likes {amount}. liked: {lists[0]}. disliked: {lists[1]}."


def checked_counts(**counts: int) -> None:
    """CourseError unless each of ``counts`` is a whole number of at least 1."""
    for name, value in counts.items():
        inputs.whole(name, value, at_least=1)


def checked_item_texts(ratings: Interactions, **named: Sequence[str]) -> Iterator[list[str]]:
    """Each of ``named``, texts of the items of ``ratings``, as a list; CourseError unless each item has one."""
    for name, some in named.items():
        found = inputs.texts(name, some)
        if len(found) != ratings.n_items:
            raise CourseError(f"{name} are one text for each of {ratings.n_items} items; got {len(found)}.")
        yield found


class LikeMeans:
    """Share of likes of the film and of the user, both pulled towards the average: two lines of arithmetic.

    With labels l in {0, 1}, average g, and n_i, n_u ratings of film i and user u:

        b_i = Σ (l - g) / (n_i + k),   b_u = Σ (l - g - b_i) / (n_u + k),   p(u, i) = g + b_i + b_u, kept in [0, 1]

    k: ≥ 0.
    """

    def __init__(self, k: float = 5.0):
        self.k = inputs.number("k", k, at_least=0)

    def fit(self, user: np.ndarray, item: np.ndarray, label: np.ndarray) -> Self:
        """user, item, label: (n,), the ratings to learn from; labels are 0 or 1."""
        user, item, label = _ids("user", user), _ids("item", item), inputs.labels("label", label, 2)
        if not inputs.same_length(user=user, item=item, label=label):
            raise CourseError("There is no rating to learn from: give at least one.")
        self.g_ = float(label.mean())
        self.b_i_ = self._effect(item, label - self.g_)
        self.b_u_ = self._effect(user, label - self.g_ - self.b_i_.reindex(item).to_numpy())
        return self

    def _effect(self, ids: np.ndarray, residual: np.ndarray) -> pd.Series:
        sums = pd.Series(residual).groupby(ids).agg(["sum", "size"])
        return sums["sum"] / (sums["size"] + self.k)

    def predict_proba(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Probabilities of dislike and like, (n, 2); a user or film never seen counts as average."""
        if not hasattr(self, "b_u_"):
            raise CourseError("This LikeMeans has not been fitted yet: call fit before it predicts.")
        user, item = _ids("user", user), _ids("item", item)
        inputs.same_length(user=user, item=item)
        b_i, b_u = (b.reindex(ids, fill_value=0.0).to_numpy() for b, ids in ((self.b_i_, item), (self.b_u_, user)))
        p = np.clip(self.g_ + b_i + b_u, 0, 1)
        return np.stack([1 - p, p], axis=1)


def _ids(what: str, values: np.ndarray) -> np.ndarray:
    """Ids (n,) that need not have been seen before."""
    return inputs.ids(what, values, np.iinfo(np.int64).max)
