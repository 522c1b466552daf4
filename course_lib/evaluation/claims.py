"""What a sentence about numbers may rest on, and what follows from that: holds, cannot tell, does not hold.

A comparison rests on the difference of both sides on the same units, on two samples whose assignment is named, or on
several splits; never on two intervals that lie apart or overlap. All intervals are of 95 %.
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Self

import numpy as np
from scipy import stats

from course_lib.errors import CourseError
from course_lib.evaluation import classification
from course_lib.evaluation.protocol import Evaluation
from course_lib.evaluation.significance import Interval, paired_difference
from course_lib.inputs import NOT_NEGATIVE, POSITIVE, SEED, all_finite, array, number, same_length

FEW = 30  # units; below, a bootstrap's interval is too narrow, and Student's t is taken
POWER = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)  # standard errors that are found four times in five
COMPARES = re.compile(
    r"\b(better|worse|best|worst|beats?|helps?|hurts?|costs?|adds?|gains?|outperforms?|improves?|ahead|behind"
    r"|as good as|(more|less|fewer|higher|lower|larger|smaller|faster|slower|stronger|weaker)( \w+)? than)\b",
    re.IGNORECASE,
)
RANKS = re.compile(r"\b(more|less|fewer|most|least|first|higher|lower|larger|smaller|faster|slower)\b", re.IGNORECASE)
AS_GOOD = re.compile(r"\b(as \w+ as|no (worse|less|more|better)|not (worse|less|more))\b", re.IGNORECASE)


class Verdict(StrEnum):
    """What the evidence says of a sentence."""

    HOLDS = "holds"
    CANNOT_TELL = "cannot tell"
    DOES_NOT_HOLD = "does not hold"
    TOO_LITTLE = "too little data"  # of a quick run, which is for looking and not for concluding


class Kind(StrEnum):
    """How a number came about."""

    PAIRED = "paired"
    TWO_SAMPLES = "two samples"
    SPLITS = "splits"
    NUMBER = "number"  # no comparison: a count, a share, an equality


@dataclass(frozen=True)
class Evidence:
    """A number with its interval, and the range in which it has to lie for the sentence to hold.

    error: its standard error, 0 where nothing was drawn. p: of a test that the number is 0, None where there is none.
    margin: of "as good as", 0 elsewhere.
    """

    estimate: float
    low: float
    high: float
    kind: Kind
    units: str
    error: float = 0.0
    p: float | None = None
    above: float | None = 0.0
    below: float | None = None
    margin: float = 0.0

    @property
    def verdict(self) -> Verdict:
        """Whether the whole interval lies in the range, outside of it, or neither."""
        above = -np.inf if self.above is None else self.above
        below = np.inf if self.below is None else self.below
        if self.low > above and self.high < below:
            return Verdict.HOLDS
        return Verdict.DOES_NOT_HOLD if self.high <= above or self.low >= below else Verdict.CANNOT_TELL

    @property
    def smallest(self) -> float:
        """The smallest effect that such data show four times in five."""
        return float(POWER * self.error)

    def swapped(self) -> Self:
        """The evidence for the opposite sentence of a comparison: both sides exchanged, same range."""
        return replace(self, estimate=-self.estimate, low=-self.high, high=-self.low)

    def as_good(self, margin: float) -> Self:
        """For "as good as": holds where the first side is worse by less than ``margin`` > 0, chosen beforehand."""
        margin = POSITIVE("margin", margin)
        return replace(self, above=-margin, margin=margin)

    def __str__(self) -> str:
        sign = "" if self.kind is Kind.NUMBER else "+"
        if self.error:  # two digits of the standard error, and as many places for all
            form = f"{sign}.{max(0, 1 - int(np.floor(np.log10(self.error))))}f"
            shown = f"{self.estimate:{form}} [{self.low:{form}}, {self.high:{form}}]"
        else:
            shown = f"{self.estimate:{sign}.3g}"
        return f"{shown}, {self.units}" if self.units else shown


def paired(a: np.ndarray, b: np.ndarray, unit: str, split_sd: float, seed: int = 0) -> Evidence:
    """The mean of a - b over units that saw both: users, draws, learners, questions, in the same order.

    a, b: (n,), higher is better; NaN where the metric leaves a unit out. unit: their name in the plural. split_sd ≥ 0:
    by how much the difference itself moves from split to split (its standard deviation, measured over several), since
    units of one split do not tell; 0 where the test part was given and not drawn. Bootstrap, below `FEW` units
    Student's t. seed ≥ 0.
    """
    a, b = array("a", a, ndim=1, finite=False), array("b", b, ndim=1, finite=False)
    same_length(a=a, b=b)
    seed = SEED("seed", seed)
    sd, difference = NOT_NEGATIVE("split_sd", split_sd), a - b
    difference = _enough(unit, difference[~np.isnan(difference)])
    n, mean = len(difference), float(difference.mean())
    error = float(difference.std(ddof=1) / np.sqrt(n))
    if n < FEW:
        half = float(stats.t.ppf(0.975, n - 1) * error)
        interval, p = Interval(mean, mean - half, mean + half), _p(mean, error, n - 1)
    else:
        interval, p = paired_difference(a, b, seed)
    return _paired(interval, p, error, sd, f"paired over {n:,} {_word(unit)}")


def paired_metric(
    metric: str,
    a: np.ndarray,
    b: np.ndarray,
    y: np.ndarray,
    unit: str,
    split_sd: float,
    users: np.ndarray | None = None,
    seed: int = 0,
) -> Evidence:
    """The difference of a metric of all rows, such as "auc", between predictions ``a`` and ``b`` for the same rows.

    a, b: probabilities, y: (n,) classes, as for `classification.score`. users: (n,) whose row it is, who are then drawn
    instead of rows, with all of theirs. unit: what is drawn, in the plural. split_sd ≥ 0, seed ≥ 0: as for `paired`.
    """
    interval, sd = classification.paired_difference(a, b, y, metric, seed, users), NOT_NEGATIVE("split_sd", split_sd)
    error, n = (interval.high - interval.low) / (2 * 1.96), len(y if users is None else np.unique(users))
    return _paired(interval, _p(interval.mean, error, np.inf), error, sd, f"paired over {n:,} {_word(unit)}")


def _paired(interval: Interval, p: float, error: float, sd: float, units: str) -> Evidence:
    """Evidence of one split, wider by what the split itself moves."""
    mean, moved = interval.mean, 1.96 * sd
    low, high = mean - np.hypot(mean - interval.low, moved), mean + np.hypot(interval.high - mean, moved)
    if sd:
        error, units = float(np.hypot(error, sd)), f"{units}, and over splits"
        p = max(p, _p(mean, error, np.inf))
    return Evidence(mean, float(low), float(high), Kind.PAIRED, units, error, p)


def two_samples(a: np.ndarray, b: np.ndarray, unit: str, assignment: str) -> Evidence:
    """The difference of two means of different units, by Welch's t.

    a: (n,), b: (m,). assignment: what decided which unit saw which side ("by lot", "women and men"): without it nobody
    knows what the difference means.
    """
    a, b = (_enough(unit, all_finite(name, array(name, v, ndim=1))) for name, v in (("a", a), ("b", b)))
    test = stats.ttest_ind(a, b, equal_var=False)
    low, high = test.confidence_interval(0.95)
    error = float(np.hypot(a.std(ddof=1) / np.sqrt(len(a)), b.std(ddof=1) / np.sqrt(len(b))))
    units = f"{len(a):,} and {len(b):,} {_word(unit)}, {_word(assignment, 'assignment')}"
    mean = float(a.mean() - b.mean())
    return Evidence(mean, float(low), float(high), Kind.TWO_SAMPLES, units, error, float(test.pvalue))


def differences(splits: Sequence[Evaluation], a: str, b: str, metric: str) -> np.ndarray:
    """The metric of model ``a`` minus that of ``b`` for each user in each split: (splits, users), NaN for none."""
    everybody = np.unique(np.concatenate([one.users for one in splits])) if len(splits) else np.empty(0, int)
    found = np.full((len(splits), len(everybody)), np.nan)
    for row, one in zip(found, splits, strict=True):
        row[np.searchsorted(everybody, one.users)] = one.per_user[a][metric] - one.per_user[b][metric]
    return found


def over_splits(difference: np.ndarray, test_share: float, unit: str = "users") -> Evidence:
    """The mean difference of two models over several random splits of the same users, with its uncertainty from both.

    difference: (splits, users), as of `differences`; at least three splits. test_share: the part of the rows that each
    split tests, above 0 and below 1. Training parts of random splits overlap, so that their results are alike: the
    variance over J splits is multiplied by 1/J + n_test / n_train (Nadeau & Bengio 2003). The variance over users of
    their own mean is added to it; Student's t with the degrees of freedom of Welch and Satterthwaite.
    """
    share = number("test_share", test_share, above=0, below=1)
    D = array("difference", difference, ndim=2, finite=False)
    D = D[:, ~np.isnan(D).all(axis=0)] if D.size else D
    if len(D) < 3 or D.shape[1] < 2 or np.isnan(D).all(axis=1).any():
        raise CourseError(f"Three splits at least, each with {unit}, are needed to say how much splits move a result.")
    means, own = np.nanmean(D, axis=1), np.nanmean(D, axis=0)
    all_finite("difference", own)
    mean, J, n = float(means.mean()), len(means), len(own)
    of_splits = means.var(ddof=1) * (1 / J + share / (1 - share))
    of_users = own.var(ddof=1) / n
    error = float(np.sqrt(of_splits + of_users))
    freedom = error**4 / (of_splits**2 / (J - 1) + of_users**2 / (n - 1)) if error else np.inf
    half = float(stats.t.ppf(0.975, freedom) * error)
    units = f"{J} splits of {n:,} {_word(unit)}"
    return Evidence(mean, mean - half, mean + half, Kind.SPLITS, units, error, _p(mean, error, freedom))


def value(
    estimate: float | Interval, units: str = "", *, above: float | None = None, below: float | None = None
) -> Evidence:
    """A number, or an estimate with its interval, that has to lie between bounds: no comparison of two sides.

    estimate: finite. above, below: finite numbers, one of them at least.
    """
    if above is None and below is None:
        raise CourseError("A number can only be claimed to lie above or below something: give a bound.")
    above = None if above is None else number("above", above)
    below = None if below is None else number("below", below)
    if isinstance(estimate, Interval):
        mean, low, high = estimate.mean, estimate.low, estimate.high
    else:
        mean = low = high = number("A number that is claimed", estimate)
    error = (high - low) / (2 * 1.96)
    return Evidence(mean, low, high, Kind.NUMBER, units, error, None, above, below)


def equal(found: Any, expected: Any, within: float) -> Evidence:
    """Two results, numbers or arrays of one shape, that are the same but for ``within`` > 0 at most."""
    found, expected = array("found", found), array("expected", expected)
    if found.shape != expected.shape or not found.size:
        raise CourseError(f"Results of shapes {found.shape} and {expected.shape} cannot be equal.")
    apart = float(np.abs(found - expected).max())
    return value(apart, f"the largest of {found.size:,} differences", below=POSITIVE("within", within))


def verdict(words: str, evidence: Sequence[Evidence]) -> Verdict:
    """What all of the ``evidence`` says of ``words``. Raises CourseError where it is of the wrong kind for them."""
    if not evidence:
        raise CourseError(f"“{words}” rests on nothing: give the evidence.")
    for one in evidence:
        if not isinstance(one, Evidence):
            raise CourseError(
                f"“{words}” rests on a {type(one).__name__}: give what paired, two_samples, over_splits, value "
                "or equal return. Two intervals side by side are no evidence."
            )
        if one.kind is Kind.NUMBER and (COMPARES.search(words) or RANKS.search(words)):
            raise CourseError(
                f"“{words}” compares, and rests on a single number: give a difference (paired, two_samples or "
                "over_splits)."
            )
        if bool(AS_GOOD.search(words)) != bool(one.margin):
            raise CourseError(
                f"“{words}”: to be as good as another, or no worse, takes a margin chosen beforehand, and nothing else "
                "takes one: evidence.as_good(margin)."
            )
    found = {one.verdict for one in evidence}
    for worst in (Verdict.DOES_NOT_HOLD, Verdict.CANNOT_TELL):
        if worst in found:
            return worst
    return Verdict.HOLDS


def as_json(words: str, said: Verdict, evidence: Sequence[Evidence]) -> dict[str, Any]:
    """A claim as plain data, for the file of a lesson's figures."""
    rows = [{key: held for key, held in asdict(one).items() if held is not None} for one in evidence]
    return {"words": words, "verdict": said, "evidence": rows}


def _enough(unit: str, values: np.ndarray) -> np.ndarray:
    if len(values) < 2:
        raise CourseError(f"Two {unit} at least are needed to say how sure a mean is; got {len(values)}.")
    return all_finite("Values", values)


def _p(mean: float, error: float, freedom: float) -> float:
    return float(2 * stats.t.sf(abs(mean) / error, freedom)) if error else float(mean == 0)


def _word(text: str, name: str = "unit") -> str:
    if not (isinstance(text, str) and text.strip()):
        raise CourseError(f"{name} is {text!r}: say in words what was measured, such as users, draws or splits.")
    return text.strip()
