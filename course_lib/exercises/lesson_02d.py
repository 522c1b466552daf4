"""Exercises of lesson 02d: attacks by typing slips, pseudo-labels, eight bits, distillation."""

from collections.abc import Callable

import numpy as np
import torch

from course_lib.exercises.drawing import until
from course_lib.exercises.judge import Case, Exercise
from course_lib.text import compress


def some_edits(rng: np.random.Generator) -> Case:
    """Texts and the edits of each; the first holds, and its weakest edit changes nothing at all."""
    n, m, C = int(rng.integers(3, 6)), int(rng.integers(4, 12)), int(rng.integers(3, 6))
    before = rng.dirichlet(np.ones(C), size=n)
    after = 0.7 * before[:, None] + 0.3 * rng.dirichlet(np.ones(C), size=(n, m))
    y = rng.integers(C, size=n)
    y[0] = before[0].argmin()
    after[0, after[0, :, y[0]] <= before[0, y[0]]] = before[0]
    after[0, rng.integers(m)] = before[0]
    return before, after, y


def of_class(after: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The probability of class y in each edit of each text, (n, m)."""
    return after[np.arange(len(y)), :, y]


def weakest_edits(
    before: np.ndarray, after: np.ndarray, y: np.ndarray, pick: Callable[..., np.ndarray] = np.argmin
) -> np.ndarray:
    p, texts = of_class(after, y), np.arange(len(y))
    row = pick(p, axis=1)
    return np.where(p[texts, row] < before[texts, y], row, -1)


def some_answers(rng: np.random.Generator) -> Case:
    """Answers of a model. Of class 0 more are sure than are taken; of another one is as sure as the threshold asks."""
    C, most = int(rng.integers(3, 5)), int(rng.integers(2, 4))
    P = rng.dirichlet(np.full(C, 0.5), size=int(rng.integers(14, 25)))
    common = rng.permutation(len(P))[: most + 3]
    P[common] = np.sort(rng.dirichlet(np.full(C, 0.2), size=len(common)))[:, ::-1]
    rare = P[P.argmax(axis=1) > 0].max(axis=1)
    return P, float(np.sort(rare)[-min(2, len(rare))]), most


def confident(P: np.ndarray, threshold: float, most: int) -> tuple[np.ndarray, np.ndarray]:
    sure, label = P.max(axis=1), P.argmax(axis=1)
    before = (label[None, :] == label[:, None]) & (sure[None, :] > sure[:, None])  # surer, and of the same class
    return labelled(P, np.flatnonzero((sure >= threshold) & (before.sum(axis=1) < most)))


def labelled(P: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return rows, P[rows].argmax(axis=1)


def first_of_class(P: np.ndarray, threshold: float, most: int) -> tuple[np.ndarray, np.ndarray]:
    rows = np.flatnonzero(P.max(axis=1) >= threshold)
    label = P[rows].argmax(axis=1)
    return labelled(P, np.array([row for n, row in enumerate(rows) if (label[:n] == label[n]).sum() < most], dtype=int))


def several(before: np.ndarray, after: np.ndarray, y: np.ndarray) -> bool:
    """Whether an edit of some text lowers its class, not by as much as to change the answer, and the texts differ."""
    rows = weakest_edits(before, after, y)
    changed = after[np.arange(len(y)), of_class(after, y).argmin(axis=1)].argmax(axis=1) != y
    return rows[0] == -1 and len(np.unique(y)) > 1 and ((rows >= 0) & ~changed).any()


def telling(P: np.ndarray, threshold: float, most: int) -> bool:
    """Whether the threshold, the number of a class, and which of them are taken all matter."""
    ways = [confident(P, np.nextafter(threshold, 2), most), confident(P, threshold, len(P)), confident(P, 0, most)]
    rows = confident(P, threshold, most)[0]
    label = P[rows].argmax(axis=1)
    ways.append(first_of_class(P, threshold, most))
    return all(not np.array_equal(way[0], rows) for way in ways) and (np.diff(label) > 0).any()


def some_rows(rng: np.random.Generator) -> Case:
    """Rows of weights of different size, often with a negative one as the largest in size, and one that is all 0."""
    W = rng.normal(size=rng.integers(3, 9, size=2)) * rng.choice([0.02, 1, 30], size=(1, 1))
    W *= rng.uniform(0.1, 3, size=(len(W), 1))
    W[np.arange(len(W)), rng.integers(W.shape[1], size=len(W))] = -1.5 * np.abs(W).max(axis=1)
    W[rng.integers(len(W))] = 0
    return (W,)


def some_logits(rng: np.random.Generator) -> Case:
    shape = rng.integers(2, 7), rng.integers(3, 6)
    return rng.normal(size=shape) * 3, rng.normal(size=shape) * 3, float(rng.choice([1.5, 2, 4, 10]))


def through_eight_bits(
    W: np.ndarray, top: int = 127, size: Callable[..., np.ndarray] = np.abs, axis: int | None = 1
) -> np.ndarray:
    s = size(W).max(axis=axis, keepdims=True) / top
    return s * np.round(W / np.where(s == 0, 1, s))


def soft_loss(student: np.ndarray, teacher: np.ndarray, T: float) -> float:
    return float(compress.soft_target_loss(torch.tensor(student), torch.tensor(teacher), T).mean())


four = np.array([[0.6, 0.3, 0.1], [0.45, 0.51, 0.04], [0.3, 0.2, 0.5], [0.9, 0.05, 0.05]])
P = np.array([[0.2, 0.8, 0.0], [0.5, 0.25, 0.25], [0.1, 0.0, 0.9], [0.95, 0.05, 0.0]])
logits = np.array([[2.0, -1.0, 0.5], [0.3, 0.1, -2.2]]), np.array([[1.2, 0.4, -0.6], [-1.5, 2.5, 0.0]])

EXERCISES = (
    Exercise(
        "2d.1",
        2,
        weakest_edits,
        [
            (np.array([[0.5, 0.4, 0.1], [0.2, 0.2, 0.6]]), np.stack([four, four]), np.array([0, 2])),
            (np.array([[0.2, 0.7, 0.1], [0.04, 0.9, 0.06]]), np.stack([four, four[::-1]]), np.array([0, 2])),
            (np.array([[0.4, 0.6]]), np.array([[[0.45, 0.55], [0.4, 0.6]]]), np.array([0])),
            (np.array([[0.8, 0.2]]), np.array([[[0.75, 0.25], [0.7, 0.3], [0.6, 0.4], [0.9, 0.1]]]), np.array([0])),
        ],
        until(some_edits, several),
        {
            "These are the edits that help the true class most: the smallest probability is wanted.": lambda b, a, y: (
                weakest_edits(b, a, y, np.argmax)
            ),
            "An edit that does not lower the probability is no attack: return -1 if none does.": lambda b, a, y: (
                of_class(a, y).argmin(axis=1)
            ),
            "An edit that leaves the probability as it is does not lower it: -1.": lambda b, a, y: np.where(
                (p := of_class(a, y)).min(axis=1) <= b[np.arange(len(y)), y], p.argmin(axis=1), -1
            ),
            "This looks at the class that the model says first; the probability of the true class y is wanted.": (
                lambda b, a, y: weakest_edits(b, a, b.argmax(axis=1))
            ),
            "This asks for a changed answer; here an edit counts as soon as it lowers the probability of y.": (
                lambda b, a, y: np.where(
                    a[np.arange(len(y)), (row := of_class(a, y).argmin(axis=1))].argmax(axis=1) != y, row, -1
                )
            ),
            "This is how far the probabilities fall; the rows of the edits are wanted.": lambda b, a, y: (
                b[np.arange(len(y)), y] - of_class(a, y).min(axis=1)
            ),
            "These are the probabilities; the rows of the edits are wanted.": lambda b, a, y: of_class(a, y).min(
                axis=1
            ),
            "Each text has a true class of its own: y[i] belongs to text i.": lambda b, a, y: weakest_edits(
                b, a, np.full(len(y), y[0])
            ),
            "Where no edit lowers the probability the answer is -1, not 0.": lambda b, a, y: np.maximum(
                weakest_edits(b, a, y), 0
            ),
            "Rows count from 0.": lambda b, a, y: weakest_edits(b, a, y) + 1,
            "The edit that hurts most is wanted, not the first one that lowers the probability.": lambda b, a, y: (
                np.where((low := of_class(a, y) < b[np.arange(len(y)), y][:, None]).any(axis=1), low.argmax(axis=1), -1)
            ),
        },
        "after[np.arange(n), :, y] is the probability of each text's true class in each of its edits.",
        kind="indices",
    ),
    Exercise(
        "2d.2",
        2,
        confident,
        [(P, 0.8, 5), (P, 0.5, 1), (P[::-1, ::-1].copy(), 0.85, 1), (P, 0.99, 2)],
        until(some_answers, telling),
        {
            "A probability equal to the threshold is enough: at least, not more than.": lambda P, t, m: confident(
                P, np.nextafter(t, 2), m
            ),
            "At most `most` rows of a class are wanted: keep its surest ones.": lambda P, t, m: confident(P, t, len(P)),
            "`most` holds for each class, not for all rows together.": lambda P, t, m: labelled(
                P, np.sort((r := np.flatnonzero(P.max(axis=1) >= t))[np.argsort(-P[r].max(axis=1))[:m]])
            ),
            "Of too many rows of a class the surest are wanted; yours keeps others.": lambda P, t, m: first_of_class(
                P, t, m
            ),
            "The threshold holds too: fewer than `most` rows of a class may be sure enough.": lambda P, t, m: confident(
                P, 0, m
            ),
            "The chosen rows are wanted in their order in P: sort them again.": lambda P, t, m: labelled(
                P, (r := confident(P, t, m)[0])[np.argsort(P[r].argmax(axis=1), kind="stable")[::-1]]
            ),
            "The labels are wanted as classes, not as probabilities: argmax instead of max.": lambda P, t, m: (
                rows := confident(P, t, m)[0],
                P[rows].max(axis=1),
            ),
            "Only one class is looked at: take the maximum over all classes.": lambda P, t, m: labelled(
                P, np.flatnonzero(P[:, 1] >= t)[:m]
            ),
            "Rows and labels have changed places.": lambda P, t, m: confident(P, t, m)[::-1],
            "The labels of the chosen rows alone are wanted, not of all.": lambda P, t, m: (
                confident(P, t, m)[0],
                P.argmax(axis=1),
            ),
            "The positions of the rows are wanted (np.flatnonzero), not True and False.": lambda P, t, m: (
                np.isin(np.arange(len(P)), confident(P, t, m)[0]),
                confident(P, t, m)[1],
            ),
        },
        "Two arrays of one length are wanted: the positions of the chosen rows (np.flatnonzero, not True and False), "
        "and the classes of these rows alone.",
    ),
    Exercise(
        "2d.3",
        1,
        through_eight_bits,
        [
            (np.array([[0.5, -1.27, 0.013, 0.004], [0.05, 0.02, -0.1, 0.03]]),),
            (np.array([[-3.0, 2.0, 0.1], [0.0, 0.0, 0.0]]),),
            (np.linspace(-0.2, 0.12, 12).reshape(3, 4),),
        ],
        some_rows,
        {
            "These are the whole numbers; multiply them by the scale again.": lambda W: np.round(
                W / np.maximum(np.abs(W).max(axis=1, keepdims=True) / 127, 1e-300)
            ),
            "Each row has a scale of its own; yours is one for the whole matrix.": lambda W: through_eight_bits(
                W, axis=None
            ),
            "Each row has a scale of its own; yours are those of the columns.": lambda W: through_eight_bits(W, axis=0),
            "A row of zeros has scale 0, and 0 / 0 is NaN: it stays a row of zeros.": lambda W: np.where(
                np.abs(W).max(axis=1, keepdims=True) > 0, through_eight_bits(W), np.nan
            ),
            "The scale is that of the largest weight *in size*: mind negative ones.": lambda W: through_eight_bits(
                W, size=lambda w: np.maximum(w, 1e-9)
            ),
            "127 steps on each side of 0: divide the largest size by 127, not by 255.": lambda W: through_eight_bits(
                W, 255
            ),
            "127 steps on each side of 0: divide the largest size by 127, not by 128.": lambda W: through_eight_bits(
                W, 128
            ),
            "Round to the nearest whole number, not down.": lambda W: (
                (s := np.abs(W).max(axis=1, keepdims=True) / 127) * np.floor(W / np.where(s == 0, 1, s))
            ),
            "Nothing is rounded here: between dividing and multiplying come whole numbers.": lambda W: W,
            "The largest size is wanted, so take np.abs first: the largest weight may "
            "be the smaller one in size.": lambda W: through_eight_bits(W, size=np.array),
            "127 steps on each side of 0: divide the largest size by 127, not by 256.": lambda W: through_eight_bits(
                W, 256
            ),
            "The largest size is 127 steps long: the 127 is missing.": lambda W: through_eight_bits(W, 1),
            "Round to the nearest whole number, not towards 0.": lambda W: (
                (s := np.abs(W).max(axis=1, keepdims=True) / 127) * np.trunc(W / np.where(s == 0, 1, s))
            ),
            "The scale is that of the largest size, not of the way from the least to the largest weight.": lambda W: (
                (s := np.ptp(W, axis=1, keepdims=True) / 255) * np.round(W / np.where(s == 0, 1, s))
            ),
        },
        "np.abs(W).max(axis=1, keepdims=True) / 127 is one scale a row; where it is 0, divide by 1 instead.",
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
            "The sum over the classes, then the mean over the examples: yours is the mean over both.": lambda z, t, T: (
                soft_loss(z, t, T) / z.shape[1]
            ),
            "The teacher's logits are softened too.": lambda z, t, T: soft_loss(z, T * t, T),
            "The student's logits are softened too.": lambda z, t, T: soft_loss(T * z, t, T),
            "A loss is positive: minus the sum of p log q.": lambda z, t, T: -soft_loss(z, t, T),
            "The factor is T², not T.": lambda z, t, T: soft_loss(z, t, T) / T,
            "The teacher gives probabilities, not one answer: do not take its argmax.": lambda z, t, T: soft_loss(
                z, 1e3 * t, T
            ),
            "The logits are divided by T, not multiplied.": lambda z, t, T: T**2 * soft_loss(T * z, T * t, 1.0),
            "The softmax is over the classes of each example, axis=1: yours is over the examples.": lambda z, t, T: (
                soft_loss(z.T, t.T, T) * z.shape[1] / len(z)
            ),
            "This is the mean squared difference of the logits; the loss is between probabilities.": lambda z, t, T: (
                float(((z - t) ** 2).mean())
            ),
            "The teacher's logits are not probabilities yet: p is their softmax.": lambda z, t, T: float(
                -T * (t * (z / T - np.log(np.exp(z / T).sum(axis=1, keepdims=True)))).sum(axis=1).mean()
            ),
        },
        "p is the softmax of teacher / T, q that of student / T; sum over the classes, mean over the examples.",
    ),
)
