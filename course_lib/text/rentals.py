"""Will the next dress fit? A rental that lies ahead, in numbers and words, written from what lies behind.

An example is one rental of Rent the Runway: label 0 small, 1 fit, 2 large. Its review does not exist yet, so not a word
of it is read. Known are the request (item, category, size), what *others* said of the item before, and the person's
own rentals before: what they took, how it fitted, what they wrote. "Before" is an earlier day: rentals of one day know
nothing of each other. All comes from ``known``, the training part; of ``targets`` only the request and the label.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from course_lib import inputs
from course_lib.data.runway import FITS
from course_lib.errors import CourseError
from course_lib.text.clicks import checked_counts

OFTEN = ((0.03, "hardly ever"), (0.1, "seldom"), (0.2, "sometimes"), (0.35, "often"), (1.01, "very often"))
STEPS = ((-3.0, "far below"), (-0.75, "below"), (0.75, "at"), (3.0, "above"), (99.0, "far above"))
REQUEST = ["user", "item", "category", "size", "date", "fit"]  # what is read of a target; fit is its label
SMALL, FIT, LARGE = range(3)


@dataclass(frozen=True)
class RentalExamples:
    """Rentals to be foreseen.

    table: user, item, category, size, date, label and past: a tuple of positions in ``known``, oldest first. item:
    (n, 5) numbers on how the item ran for others. behaviour: (n, 11) numbers on the person's earlier rentals and how
    the size asked for relates to them. past_texts: what the person wrote, the latest first. item_texts, profiles: the
    same facts in words, without what the person wrote.
    """

    table: pd.DataFrame
    item: pd.DataFrame
    behaviour: pd.DataFrame
    past_texts: list[tuple[str, ...]]
    item_texts: list[str]
    profiles: list[str]

    @property
    def label(self) -> np.ndarray:
        """(n,) int64: 0 small, 1 fit, 2 large."""
        return self.table["label"].to_numpy()

    @property
    def user(self) -> np.ndarray:
        """(n,) int64."""
        return self.table["user"].to_numpy()

    def __len__(self) -> int:
        return len(self.table)

    def prompts(self, own_words: bool = True) -> list[tuple[str, str]]:
        """(the item, the person): a pair of texts for BERT; the person's own words come last, so they are cut first."""
        said = [f" wrote: {' / '.join(words)}" if own_words else "" for words in self.past_texts]
        return [(item, who + words) for item, who, words in zip(self.item_texts, self.profiles, said, strict=True)]


def counts_before(known: pd.DataFrame, targets: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """How often each target's like was small, fit, large on earlier days: (len(targets), 3).

    Counted are the rows of ``known`` (with fit and date) that agree with the target in ``columns``. All rows of a group
    lie in order of time, with running totals: a count is the total before the day minus the total before the group.
    """
    columns = inputs.texts("columns", columns)
    lost = [name for name in columns if name not in known or name not in targets]
    if lost:
        raise CourseError(f"There is no column {lost[0]!r} in both tables: choose among those of the rentals.")
    keys = pd.concat([known[list(columns)], targets[list(columns)]]).groupby(list(columns), sort=False).ngroup()
    group = keys.to_numpy(dtype=np.int64) * 1_000_000  # more than days since 1970: group + day sorts by both
    place = group[: len(known)] + _day(known)
    order = np.argsort(place, kind="stable")
    said = known["fit"].to_numpy()[order, None] == np.array(FITS)  # (len(known), 3)
    total = np.concatenate([np.zeros((1, 3)), said.cumsum(0)])
    start = group[len(known) :]
    place = place[order]
    return total[np.searchsorted(place, start + _day(targets))] - total[np.searchsorted(place, start)]


def shares(counts: np.ndarray, prior: np.ndarray, k: float) -> np.ndarray:
    """Shares of small, fit, large, (n, 3), drawn towards ``prior`` by k imaginary rentals: (c + k·prior) / (Σc + k).

    counts: (n, 3) ≥ 0. prior: (3,) or (n, 3). k: > 0.
    """
    counts, prior = inputs.array("counts", counts, ndim=2), inputs.array("prior", prior)
    k = inputs.number("k", k, above=0)
    if (counts < 0).any() or np.shape(prior) not in ((counts.shape[1],), counts.shape):
        raise CourseError(f"counts are at least 0, with a prior for each; got {counts.shape} and {np.shape(prior)}.")
    return (counts + k * prior) / (counts.sum(1, keepdims=True) + k)


def rental_examples(
    targets: pd.DataFrame, known: pd.DataFrame, n: int, seed: int, *, past: int = 2, min_history: int = 2
) -> RentalExamples:
    """``n`` random rentals of ``targets`` (fewer if there are not so many) of people with ``min_history`` earlier ones.

    targets, known: reviews with user, item, category, size, date, fit; known also with rating, summary and text.
    known: the training part, the only source of numbers and profiles. Where targets are known too, as in training,
    each still sees earlier days alone. past: how many of the latest own reviews are kept as words. n, past,
    min_history: ≥ 1; seed: ≥ 0.
    """
    checked_counts(n=n, past=past, min_history=min_history)
    targets = targets[REQUEST]
    enough = counts_before(known, targets, ["user"]).sum(1) >= min_history
    if not enough.any():
        raise CourseError(
            f"No target has {min_history} earlier rentals of its person: give more data or ask for fewer."
        )
    rows = inputs.generator(seed).permutation(np.flatnonzero(enough))[:n]
    asked = targets.iloc[rows].reset_index(drop=True)
    own = known.assign(position=np.arange(len(known)))[known["user"].isin(asked["user"])]
    own = own.sort_values(["user", "date", "position"], kind="stable")
    begin, end = (np.searchsorted(own["user"], asked["user"], side=s) for s in ("left", "right"))
    day, own_day = _day(asked), _day(own)
    histories = [slice(b, b + np.searchsorted(own_day[b:e], d)) for b, e, d in zip(begin, end, day, strict=True)]

    world = np.array([(known["fit"] == name).mean() for name in FITS])
    others = {
        column: counts_before(known, asked, [column]) - counts_before(known, asked, ["user", column])
        for column in ("item", "category")
    }
    of_category = shares(others["category"], world, 20)
    of_item = shares(others["item"], of_category, 10)
    of_person = shares(counts_before(known, asked, ["user"]), world, 4)
    of_size = shares(counts_before(known, asked, ["user", "size"]), of_person, 3)
    item = pd.DataFrame(
        _odds("item", of_item) | _odds("category", of_category) | {"log rentals": np.log1p(others["item"].sum(1))}
    )
    sizes, ratings, fits = (own[c].to_numpy() for c in ("size", "rating", "fit"))
    usual = np.array([sizes[h].mean() for h in histories])
    last = np.array([h.stop - 1 for h in histories])
    step = asked["size"].to_numpy() - usual
    behaviour = pd.DataFrame(
        _odds("person", of_person)
        | _odds("in this size", of_size)
        | {
            "size asked - usual": step.clip(-10, 10),
            "|size asked - usual|": np.abs(step).clip(0, 10),
            "size asked - last": (asked["size"].to_numpy() - sizes[last]).clip(-10, 10),
            "last was small": (fits[last] == "small").astype(float),
            "last was large": (fits[last] == "large").astype(float),
            "mean rating": [np.nanmean(np.append(ratings[h], 9.0)) for h in histories],
            "log rentals": np.log1p([h.stop - h.start for h in histories]),
        }
    )
    words = (own["summary"] + ". " + own["text"]).to_numpy()
    table = asked[["user", "item", "category", "size", "date"]].assign(
        label=pd.Categorical(asked["fit"], categories=FITS).codes.astype(np.int64),
        past=[tuple(own["position"].to_numpy()[h].tolist()) for h in histories],
    )
    asks = zip(asked["category"], asked["size"], of_item, strict=True)
    people = zip(step, of_person, last, strict=True)
    return RentalExamples(
        table,
        item,
        behaviour,
        [tuple(words[h][-past:][::-1]) for h in histories],
        [f"{kind}, size {size}. for others {_fits(s)}." for kind, size, s in asks],
        [
            f"size is {_level(d, STEPS)} their usual. for them {_fits(s)}. last: "
            f"{own['category'].iat[row]}, size {sizes[row]}, {fits[row]}."
            for d, s, row in people
        ],
    )


def past_vectors(examples: RentalExamples, encode: Callable[[list[str]], np.ndarray]) -> np.ndarray:
    """The mean vector of each person's past texts, (n, d). ``encode``: texts to vectors; every text is encoded once."""
    distinct = list(dict.fromkeys(text for texts in examples.past_texts for text in texts))
    vectors = inputs.array("The vectors of past texts", encode(distinct), ndim=2)
    inputs.same_length(texts=distinct, vectors=vectors)
    place = {text: i for i, text in enumerate(distinct)}
    return np.stack([vectors[[place[text] for text in texts]].mean(0) for texts in examples.past_texts])


def means_proba(examples: RentalExamples) -> np.ndarray:
    """The means to beat, (n, 3): p_c ∝ (item's odds of c) · (person's odds of c), odds against "fit", nothing learned.

    Odds are relative to the average of the examples, so that all classes count the same, as in a balanced model.
    """
    odds = sum(
        examples_part[[f"{name}: small", f"{name}: large"]].to_numpy()
        for examples_part, name in ((examples.item, "item"), (examples.behaviour, "person"))
    )
    z = np.insert(odds - odds.mean(0), FIT, 0.0, axis=1)
    return np.exp(z) / np.exp(z).sum(1, keepdims=True)


def _odds(name: str, share: np.ndarray) -> dict[str, np.ndarray]:
    """log of share of small, and of large, over share of fit."""
    return {f"{name}: {FITS[c]}": np.log(share[:, c] / share[:, FIT]) for c in (SMALL, LARGE)}


def _fits(share: np.ndarray) -> str:
    return f"{_level(share[SMALL], OFTEN)} small, {_level(share[LARGE], OFTEN)} large"


def _level(value: float, levels: Sequence[tuple[float, str]]) -> str:
    return next(word for top, word in levels if value < top)


def _day(rows: pd.DataFrame) -> np.ndarray:
    """Days since 1970, (n,) int64."""
    return rows["date"].to_numpy().astype("datetime64[D]").astype(np.int64)
