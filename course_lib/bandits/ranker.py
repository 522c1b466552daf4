"""A bandit in the table of recommenders: what does it show, once it has tried?"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from course_lib import inputs
from course_lib.bandits.policies import Policy, ThompsonSampling, simulate
from course_lib.data.interactions import Interactions
from course_lib.ranking.checks import checked, known


@dataclass
class BanditRanked:
    """Items in the order in which ``policy`` showed them most often in ``n_rounds`` rounds, the same for everybody.

    In each round a visitor is drawn from the users of the training part, and clicks if they have a row for the item
    shown: item j has the click rate (users with j) / (users). A count of the log gives these rates at once; the
    bandit has to find them out, one shown item at a time. n_rounds: ≥ 1. seed: ≥ 0.
    """

    policy: Policy = ThompsonSampling()  # noqa: RUF009 (frozen)
    n_rounds: int = 20_000
    seed: int = 0

    def __post_init__(self) -> None:
        inputs.settings(self, n_rounds=inputs.whole, seed=inputs.SEED)

    def fit(self, train: Interactions) -> Self:
        """Play the rounds."""
        train, self.n_users_ = checked(train), train.n_users
        rates = np.diff(train.matrix().tocsc().indptr) / len(np.unique(train.user))
        self.shown_ = simulate(self.policy, rates, self.n_rounds, [self.seed]).plays[0]  # (n_items,)
        return self

    def score(self, users: np.ndarray) -> np.ndarray:
        """How often each item was shown, (len(users), n_items)."""
        return np.tile(self.shown_, (len(known(users, self.n_users_)), 1))
