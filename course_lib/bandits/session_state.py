"""What sessions are made of: where they stand, what a policy says of that, and what was seen of them.

Letters: B sessions at once, T turns at most, C candidates a turn.
"""

from dataclasses import dataclass

import numpy as np

from course_lib import inputs
from course_lib.bandits.q_learning import checked_discount
from course_lib.errors import CourseError


@dataclass(frozen=True)
class State:
    """Where B sessions are. user: (B,); shown: (B, T), films in order, −1 where none yet; candidates: (B, C)."""

    user: np.ndarray
    shown: np.ndarray
    candidates: np.ndarray

    @property
    def turn(self) -> np.ndarray:
        """Films shown so far, (B,)."""
        return (self.shown >= 0).sum(axis=1)

    def then(self, films: np.ndarray, candidates: np.ndarray) -> "State":
        """The state after showing ``films`` (B,) to users who stay and then have ``candidates`` (B, C)."""
        shown = self.shown.copy()
        shown[np.arange(len(shown)), self.turn] = films
        return State(self.user, shown, candidates)


def checked_choice(probabilities: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """``probabilities``, or CourseError unless each row is a distribution over the candidates (to 1e-6)."""
    p = inputs.array("A policy's probabilities", probabilities, finite=False)
    if p.shape != shape:
        raise CourseError(f"A policy gives one probability for each candidate, {shape}; got {p.shape}.")
    if not (p >= 0).all() or not np.allclose(p.sum(axis=1), 1, atol=1e-6):  # NaN fails the first test
        raise CourseError("A policy's probabilities are not negative and sum to 1 in each row; these do not.")
    return p


@dataclass(frozen=True)
class Visits:
    """What `simulate` saw. user: (B,); film, clicked, there: (B, T), where ``there`` says the film was really shown."""

    user: np.ndarray
    film: np.ndarray
    clicked: np.ndarray
    there: np.ndarray

    def discounted(self, gamma: float = 1.0, reward: np.ndarray | None = None) -> np.ndarray:
        """Σ_t γ^(t−1) r_t of each session, (B,). gamma: 0 to 1. reward: (B, T), by default 1 for a click."""
        r = self.clicked if reward is None else inputs.array("reward", reward)
        if r.shape != self.there.shape:
            raise CourseError(f"There is a reward for each turn of each session, {self.there.shape}; got {r.shape}.")
        return (r * self.there) @ checked_discount(gamma) ** np.arange(self.film.shape[1])
