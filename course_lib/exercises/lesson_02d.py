"""Exercises of lesson 02d: attacks by typing slips, pseudo-labels, eight bits, distillation."""

from collections.abc import Callable

import numpy as np
import torch

from course_lib.exercises.judge import Case, Exercise
from course_lib.text import compress, pseudo_labels, robust


def some_edits(rng: np.random.Generator) -> Case:
    """A text and its edits; of three texts about one holds, and its weakest edit changes nothing at all."""
    before = rng.dirichlet(np.ones(rng.integers(2, 6)))
    after = 0.7 * before + 0.3 * rng.dirichlet(np.ones(len(before)), size=rng.integers(1, 15))
    y = int(rng.integers(len(before)))
    if rng.random() < 0.3:
        after = np.vstack([after[after[:, y] > before[y]], before])
    return before, after, y


def some_answers(rng: np.random.Generator) -> Case:
    """Answers of a model; often one is exactly as sure as the threshold asks, now and then none is sure enough."""
    P = rng.dirichlet(np.full(rng.integers(2, 6), 0.4), size=rng.integers(1, 25))
    return P, float(rng.choice(P.max(axis=1))) if rng.random() < 0.6 else round(rng.uniform(0.4, 1), 2)


def some_row(rng: np.random.Generator) -> Case:
    row = rng.normal(size=rng.integers(2, 30)) * rng.choice([0.02, 1, 30])
    row[1:] *= rng.random(len(row) - 1) < rng.choice([0.5, 1])  # pruned, or not
    return (row,)


def some_logits(rng: np.random.Generator) -> Case:
    shape = rng.integers(1, 7), rng.integers(2, 6)
    return rng.normal(size=shape) * 3, rng.normal(size=shape) * 3, float(rng.choice([1, 1.5, 2, 4, 10]))


def through_eight_bits(row: np.ndarray, top: int = 127, size: Callable[..., np.ndarray] = np.abs) -> np.ndarray:
    s = size(row).max() / top
    return s * np.round(row / s)


def soft_loss(student: np.ndarray, teacher: np.ndarray, T: float) -> float:
    return float(compress.soft_target_loss(torch.tensor(student), torch.tensor(teacher), T).mean())


four = np.array([[0.6, 0.3, 0.1], [0.45, 0.51, 0.04], [0.3, 0.2, 0.5], [0.9, 0.05, 0.05]])
P = np.array([[0.2, 0.8, 0.0], [0.5, 0.25, 0.25], [0.1, 0.0, 0.9], [0.95, 0.05, 0.0]])
logits = np.array([[2.0, -1.0, 0.5], [0.3, 0.1, -2.2]]), np.array([[1.2, 0.4, -0.6], [-1.5, 2.5, 0.0]])

EXERCISES = (
    Exercise(
        "2d.1",
        2,
        robust.weakest_edit,
        [
            (np.array([0.7, 0.2, 0.1]), four, 0),
            (np.array([0.7, 0.2, 0.1]), four, 1),
            (np.array([0.2, 0.2, 0.6]), four, 2),
            (np.array([0.2, 0.7, 0.1]), four, 0),
            (np.array([0.4, 0.6]), np.array([[0.45, 0.55], [0.4, 0.6]]), 0),
            (np.array([0.8, 0.2]), np.array([[0.75, 0.25], [0.7, 0.3], [0.6, 0.4], [0.9, 0.1]]), 0),
        ],
        some_edits,
        {
            "This is the edit that helps the true class most: the smallest probability is wanted.": lambda b, a, y: (
                i if a[i := a[:, y].argmax(), y] < b[y] else -1
            ),
            "An edit that does not lower the probability is no attack: return -1 if none does.": lambda b, a, y: a[
                :, y
            ].argmin(),
            "This looks at the class that the model says first; the probability of the true class y is wanted.": (
                lambda b, a, y: robust.weakest_edit(b, a, b.argmax())
            ),
            "This asks for a changed answer; here an edit counts as soon as it lowers the probability of y.": (
                lambda b, a, y: i if a[i := a[:, y].argmin()].argmax() != y else -1
            ),
            "This is how far the probability falls; the row of the edit is wanted.": lambda b, a, y: (
                b[y] - a[:, y]
            ).max(),
            "argmin over the whole table counts through rows and columns: take column y first.": lambda b, a, y: (
                a.argmin()
            ),
        },
    ),
    Exercise(
        "2d.2",
        2,
        pseudo_labels.confident,
        [(P, 0.8), (P, 0.5), (P[::-1, ::-1].copy(), 0.85), (P, 0.99)],
        some_answers,
        {
            "A probability equal to the threshold is enough: at least, not more than.": lambda P, t: (
                pseudo_labels.confident(P, np.nextafter(t, 2))
            ),
            "The labels are wanted as classes, not as probabilities: argmax instead of max.": lambda P, t: (
                rows := pseudo_labels.confident(P, t)[0],
                P[rows].max(axis=1),
            ),
            "Only one class is looked at: take the maximum over all classes.": lambda P, t: (
                rows := np.flatnonzero(P[:, 1] >= t),
                P[rows].argmax(axis=1),
            ),
            "Rows and labels have changed places.": lambda P, t: pseudo_labels.confident(P, t)[::-1],
        },
        "Two arrays of one length are wanted: the positions of the chosen rows (np.flatnonzero, not True and False), "
        "and the classes of these rows alone.",
    ),
    Exercise(
        "2d.3",
        1,
        through_eight_bits,
        [(np.array([0.5, -1.27, 0.013, 0.004]),), (np.array([-3.0, 2.0, 0.1]),), (np.linspace(-0.2, 0.12, 7),)],
        some_row,
        {
            "These are the whole numbers; multiply them by the scale again.": lambda r: np.round(
                r / (np.abs(r).max() / 127)
            ),
            "The scale is that of the largest weight *in size*: mind negative ones.": lambda r: through_eight_bits(
                r, size=lambda w: np.maximum(w, 1e-9)
            ),
            "127 steps on each side of 0: divide the largest size by 127, not by 255.": lambda r: through_eight_bits(
                r, 255
            ),
            "127 steps on each side of 0: divide the largest size by 127, not by 128.": lambda r: through_eight_bits(
                r, 128
            ),
        },
    ),
    Exercise(
        "2d.4",
        2,
        soft_loss,
        [(*logits, T) for T in (1.0, 2.0, 5.0)],
        some_logits,
        {
            "T² is missing: without it a larger T also means smaller gradients.": lambda z, t, T: (
                soft_loss(z, t, T) / T**2
            ),
            "The two are exchanged: the teacher's probabilities weigh the student's logarithms.": lambda z, t, T: (
                soft_loss(t, z, T)
            ),
            "The temperature divides the logits of both, before the softmax.": lambda z, t, T: (
                T**2 * soft_loss(z, t, 1.0)
            ),
            "The mean over the batch is wanted, not the sum.": lambda z, t, T: soft_loss(z, t, T) * len(z),
            "That is the divergence: the teacher's own entropy is not subtracted here.": lambda z, t, T: (
                soft_loss(z, t, T) - soft_loss(t, t, T)
            ),
        },
    ),
)
