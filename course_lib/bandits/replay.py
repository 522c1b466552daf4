"""Letting a policy that learns play against a log in which every item had the same chance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from course_lib import inputs
from course_lib.bandits.checks import checked_run, columns
from course_lib.bandits.policies import Policy, best
from course_lib.errors import CourseError


@dataclass(frozen=True)
class Replayed:
    """What each of R runs met in the rows that matched. plays, clicks: (R, A)."""

    plays: np.ndarray
    clicks: np.ndarray


def replay(
    policy: Policy, time: np.ndarray, item: np.ndarray, click: np.ndarray, n_items: int, seeds: Sequence[int]
) -> Replayed:
    """Replay (Li et al. 2011): go through the log in time; where the policy would show the logged item, it learns.

    All other rows are skipped, about (A − 1) / A of them. The rows that match are rows as the policy would have met
    them live, if the logging policy was uniform over the items; clicks / plays is then unbiased. Rows of equal time
    keep their order in the log. time, item, click: (n,), clicks 0 or 1; one run for each seed ≥ 0. n_items: ≥ 1.
    CourseError if time runs backwards.
    """
    n_items, (_, seeds) = inputs.whole("n_items", n_items, at_least=1), checked_run(1, seeds)
    (item, click), time = columns(item=item, click=click), np.asarray(time)
    if time.ndim != 1 or pd.isna(time).any():
        raise CourseError("The log has one time for each row, none of them missing: drop or mend those rows.")
    if len(time) != len(item):
        raise CourseError(f"The log has {len(item)} rows and {len(time)} times: one for each row is needed.")
    back = np.flatnonzero(time[1:] < time[:-1])
    if len(back):
        raise CourseError(
            f"Row {back[0] + 1} of the log is earlier than the row before it: sort the log by time first."
        )
    if np.min(item) < 0 or np.max(item) >= n_items:
        raise CourseError(f"The log names item {np.max(item)}, but the policy chooses among {n_items}.")
    item = inputs.ids("item", item, n_items)
    if not np.isin(click, (0, 1)).all():
        raise CourseError("A click is 0 or 1, and the log holds other rewards: say which of them count as a click.")
    rng, plays = inputs.generator(seeds), np.zeros((len(seeds), n_items))
    clicks = np.zeros_like(plays)
    for a, r in zip(item, click, strict=True):
        match = best(policy.scores(clicks, plays, rng)) == a  # (R,)
        plays[match, a] += 1
        clicks[match, a] += r
    return Replayed(plays, clicks)
