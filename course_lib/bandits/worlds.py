"""A world with visitors: who clicks what, made from MovieLens so that the truth is known.

A click means: the user has rated the film with 4 or 5 stars. The table of likes (U, A) is 1 there and 0 elsewhere. Its
cells are divided at random into three parts, so that nothing a policy may know has shaped the truth: a model of the
click probabilities is fitted on the first and calibrated on the second; profiles of users are made from the third.
Letters: φ_u (m,) a user's features, ψ_j (k,) a film's; U users, A films.
"""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch.nn.functional import binary_cross_entropy_with_logits

from course_lib import inputs
from course_lib.device import one_thread
from course_lib.errors import CourseError

FIT, CALIBRATION, PROFILE = range(3)


@dataclass(frozen=True)
class World:
    """click: P (U, A), the truth, which no policy may look at; users: φ (U, m); items: ψ (A, k)."""

    click: np.ndarray
    users: np.ndarray
    items: np.ndarray

    def __post_init__(self) -> None:
        for name in ("click", "users", "items"):
            table = inputs.array(f"The table {name!r}", getattr(self, name), finite=False, keep=True)
            object.__setattr__(self, name, table)
        if self.click.ndim != 2 or not self.click.size:
            raise CourseError(f"A world has one click rate for each user and film, (U, A); got {self.click.shape}.")
        if not ((self.click >= 0) & (self.click <= 1)).all():  # also catches NaN
            raise CourseError("A click rate lies between 0 and 1; the table of click rates holds something else.")
        for name, features, n in zip(("users", "items"), (self.users, self.items), self.click.shape, strict=True):
            if features.ndim != 2 or len(features) != n or not features.shape[1]:
                raise CourseError(
                    f"The features of {name} need the shape ({n}, number of features); got {features.shape}."
                )
            if not np.isfinite(features).all():
                row = int(np.argmin(np.isfinite(features).all(axis=1)))
                raise CourseError(f"The features of {name} hold NaN or infinity in row {row}: drop or mend that row.")

    def loss(self, arm: np.ndarray) -> float:
        """Regret a round of showing film arm[u] to user u for ever, when every user visits equally often. arm: (U,)."""
        arm = inputs.ids("arm", arm, self.click.shape[1])
        if len(arm) != len(self.click):
            raise CourseError(f"arm names a film for each of {len(self.click)} users; got {len(arm)}.")
        return float((self.click.max(axis=1) - self.click[np.arange(len(self.click)), arm]).mean())

    def linear(self) -> np.ndarray:
        """Q (U, A): of all functions φ_u' Θ ψ_j the one closest to P in least squares, Θ = φ⁺ P ψ⁺'."""
        theta = np.linalg.pinv(self.users) @ self.click @ np.linalg.pinv(self.items).T  # (m, k)
        return self.users @ theta @ self.items.T


def three_parts(shape: tuple[int, int], seed: int, profile: float = 0.3, calibration: float = 0.1) -> np.ndarray:
    """The part of each cell, (U, A): FIT, CALIBRATION or PROFILE, drawn independently with these shares.

    profile, calibration: above 0, below 1 together. seed: ≥ 0.
    """
    profile, calibration = inputs.number("profile", profile), inputs.number("calibration", calibration)
    n_users, n_items = (inputs.whole("a side of the table", n, at_least=1) for n in shape)
    if min(profile, calibration) <= 0 or profile + calibration >= 1:
        raise CourseError(
            f"The shares {profile} and {calibration} of the parts must be above 0 and leave a rest to fit."
        )
    return inputs.generator(seed).choice(
        3, size=(n_users, n_items), p=[1 - profile - calibration, calibration, profile]
    )


def click_model(
    likes: np.ndarray, part: np.ndarray, d: int = 10, lam: float = 2.0, steps: int = 150, seed: int = 0
) -> np.ndarray:
    """P (U, A): logistic matrix factorisation (Johnson 2014), calibrated by one logistic regression (Platt 1999).

    z_uj = mu + b_u + b_j + u_u · v_j minimises −Σ log-likelihood + lam (|u|² + |v|²) + lam/20 (|b_u|² + |b_j|²) over
    the cells of FIT, by ``steps`` steps of Adam over all of them; P = 1 / (1 + exp(−(a z + b))), a and b fitted on the
    cells of CALIBRATION. likes: (U, A) of 0 and 1; part: (U, A), see `three_parts`. d, steps: ≥ 1; lam, seed: ≥ 0.
    """
    d, steps = inputs.whole("d", d, at_least=1), inputs.whole("steps", steps, at_least=1)
    lam, seed = inputs.number("lam", lam, at_least=0), inputs.whole("seed", seed, at_least=0, at_most=2**63 - 1)
    likes, part = inputs.array("likes", likes, ndim=2), inputs.array("part", part, ndim=2)
    if likes.shape != part.shape or not np.isin(likes, (0, 1)).all():
        raise CourseError(
            f"Likes are a table of 0 and 1, with a part for each cell; got {likes.shape} and {part.shape}."
        )
    for name, place in (("fit", FIT), ("calibrate", CALIBRATION)):
        if len(np.unique(likes[part == place])) < 2:
            raise CourseError(f"The part to {name} on has not both, a like and none: give it more cells.")
    dice, (n_users, n_items) = torch.Generator().manual_seed(seed), likes.shape
    u, v = (0.1 * torch.randn(n, d, generator=dice) for n in (n_users, n_items))
    mu = torch.logit(torch.tensor(likes[part == FIT].mean(), dtype=torch.float32))
    b_u, b_j = torch.zeros(n_users, 1), torch.zeros(1, n_items)
    parameters = [x.requires_grad_() for x in (u, v, b_u, b_j, mu)]
    y, known = (torch.tensor(x, dtype=torch.float32) for x in (likes, part == FIT))
    optimiser = torch.optim.Adam(parameters, lr=0.05)
    with one_thread():
        for _ in range(steps):
            z = torch.addmm(mu + b_u + b_j, u, v.T)
            loss = binary_cross_entropy_with_logits(z, y, weight=known, reduction="sum")
            loss = (
                loss
                + lam * (u.square().sum() + v.square().sum())
                + lam / 20 * (b_u.square().sum() + b_j.square().sum())
            )
            if not torch.isfinite(loss):
                raise CourseError(f"The click model diverged: its loss is not finite; lower lam, which is {lam:g}.")
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    scores = z.detach().double().numpy()
    held_out = part == CALIBRATION
    platt = LogisticRegression(C=1e6).fit(scores[held_out][:, None], likes[held_out])
    return platt.predict_proba(scores.reshape(-1, 1))[:, 1].reshape(likes.shape)


def _columns(columns: np.ndarray) -> np.ndarray:
    """``columns`` (n, d), finite, n ≥ 1, in their own precision."""
    table = inputs.array("Columns", columns, ndim=2, keep=True)
    if not len(table):
        raise CourseError("Columns without a row have no mean: give at least one.")
    return table


def standardised(columns: np.ndarray) -> np.ndarray:
    """Columns with mean 0 and standard deviation 1, so that one prior fits all; a constant column becomes 0."""
    columns = _columns(columns)
    spread = columns.std(axis=0)
    return (columns - columns.mean(axis=0)) / np.where(spread > 1e-12, spread, 1)


def with_constant(columns: np.ndarray) -> np.ndarray:
    """A column of ones in front: (n, 1 + d)."""
    columns = _columns(columns)
    return np.hstack([np.ones((len(columns), 1)), columns])


def profiles(known_likes: np.ndarray, vectors: np.ndarray, shrink: float = 5.0) -> np.ndarray:
    """φ (U, 2 + k): a constant, how much is liked, and the text vectors of what is liked, averaged; standardised.

    known_likes: (U, A), likes of the part PROFILE; vectors: (A, k), films. The average is Σ vectors / (n + shrink):
    a user of whom little is known has a profile near zero. shrink: > 0.
    """
    known_likes, vectors = inputs.array("known_likes", known_likes, ndim=2), inputs.array("vectors", vectors, ndim=2)
    shrink = inputs.number("shrink", shrink, above=0)
    if not len(known_likes) or known_likes.shape[1] != len(vectors) or (known_likes < 0).any():
        raise CourseError(f"known_likes is (U, A), 0 or 1, vectors (A, k); got {known_likes.shape}, {vectors.shape}.")
    n = known_likes.sum(axis=1, keepdims=True)
    return with_constant(np.hstack([standardised(np.log1p(n)), standardised(known_likes @ vectors / (n + shrink))]))
