"""Exercises of lesson 02: the mean over real tokens, weights for rare classes, warm-up, what the majority scores."""

from collections.abc import Callable

import numpy as np
import torch

from course_lib.exercises.judge import Case, Exercise
from course_lib.text.encoder import mean_pool
from course_lib.text.training import warm_up

Line = Callable[[np.ndarray], np.ndarray]


def some_tokens(rng: np.random.Generator) -> Case:
    """Vectors of padded texts, and the mask: one text padded behind, the others in front.

    The vectors are in eighths: in whatever order they are added, 32 bits hold the sum exactly.
    """
    B, T, d = (int(size) for size in rng.integers((2, 4, 2), 7))
    mask = np.arange(T) < rng.integers(2, T, size=(B, 1))
    mask[1:] = mask[1:, ::-1]  # both kinds in one batch
    return torch.tensor(rng.integers(-16, 17, size=(B, T, d)) / 8, dtype=torch.float32), torch.tensor(mask).long()


def some_labels(rng: np.random.Generator) -> Case:
    """Labels of unequally frequent classes, of which one or two do not occur."""
    C = int(rng.integers(4, 8))
    there = rng.permutation(C)[: C - int(rng.integers(1, 3))]
    more = rng.choice(there, size=rng.integers(5, 50), p=rng.dirichlet(np.ones(len(there))))
    return rng.permutation(np.append(there, more)), C


def balanced(labels: np.ndarray, n_classes: int) -> np.ndarray:
    """n / (C n_c) with C the classes that occur; 0 for those that do not."""
    counts = np.bincount(labels, minlength=n_classes)
    return np.where(counts > 0, len(labels) / ((counts > 0).sum() * np.maximum(counts, 1)), 0)


def some_steps(rng: np.random.Generator) -> Case:
    """How many steps a training has, and how many of them warm up."""
    S = int(rng.integers(12, 60))
    return S, int(rng.integers(3, S - 3))


def schedule(S: int, w: int, up: Line, down: Line) -> np.ndarray:
    s = np.arange(S)
    return np.where(s < w, up(s), down(s))


def rates(S: int, w: int) -> np.ndarray:
    return np.array([warm_up(s, S, w / S) for s in range(S)])


hidden, mask = torch.arange(24.0).reshape(2, 4, 3), torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])

EXERCISES = (
    Exercise(
        "2.1",
        2,
        mean_pool,
        [(hidden, mask), (hidden**2, mask.flip(0)), (hidden - 5, mask.flip(1))],
        some_tokens,
        {
            "This averages the padding too: multiply by the mask and divide by the number of real tokens.": (
                lambda h, m: h.mean(1)
            ),
            "The padding is out of the sum, but the sum is still divided by the padded length T.": lambda h, m: (
                h * m[..., None]
            ).mean(1),
            "This is the sum over the real tokens: divide it by how many there are.": lambda h, m: (
                h * m[..., None]
            ).sum(1),
            "This is the first token alone ([CLS]); the mean of all real tokens is wanted.": lambda h, m: h[:, 0],
            "The padding need not stand at the end: the mask says which tokens are real, not only how many.": (
                lambda h, m: torch.stack([text[:n].mean(0) for text, n in zip(h, m.sum(1), strict=True)])
            ),
            "This is the mean over the whole batch: each text has a mean of its own.": lambda h, m: (
                h[m.bool()].mean(0).expand(len(h), -1)
            ),
            "This is the largest value of the real tokens; their mean is wanted.": lambda h, m: h.masked_fill(
                ~m[..., None].bool(), -torch.inf
            ).amax(1),
            "Each text is divided by its own number of real tokens, not by that of the whole batch.": lambda h, m: (
                (h * m[..., None]).sum(1) / m.sum()
            ),
            "This is the mean of the padding: 1 in the mask is a real token.": lambda h, m: (
                (h * (1 - m)[..., None]).sum(1) / (1 - m).sum(1, keepdim=True)
            ),
        },
        "Multiply by mask[..., None], sum over dim=1, and divide by the number of real tokens of each text.",
        rtol=1e-5,
    ),
    Exercise(
        "2.2",
        1,
        balanced,
        [(np.array([0, 0, 0, 1]), 2), (np.array([0, 3, 3, 2, 2, 2, 2, 2]), 4), (np.array([1, 1, 2]), 5)],
        some_labels,
        {
            "These are the shares of the classes: a rare class must get a large weight.": lambda y, C: (
                np.bincount(y, minlength=C) / len(y)
            ),
            "The classes are balanced, but the scale is off: divide by the number of classes, so that the average "
            "weight is 1.": lambda y, C: len(y) / np.bincount(y, minlength=C),
            "The classes are balanced, but the scale is off: multiply 1 / n_c by n / C.": lambda y, C: (
                1 / np.bincount(y, minlength=C)
            ),
            "C counts the classes that occur, not all n_classes.": lambda y, C: balanced(y, C) * len(np.unique(y)) / C,
            "A class that does not occur gets weight 0; yours is infinite.": lambda y, C: (
                len(y) / (len(np.unique(y)) * np.bincount(y, minlength=C))
            ),
            "A class that does not occur gets weight 0, not that of a class which occurs once.": lambda y, C: (
                len(y) / (len(np.unique(y)) * np.maximum(np.bincount(y, minlength=C), 1))
            ),
            "C counts the classes that occur, and a class that does not occur gets weight 0.": lambda y, C: (
                len(y) / (C * np.maximum(np.bincount(y, minlength=C), 1))
            ),
            "One weight for each of the n_classes: those that do not occur are missing.": lambda y, C: balanced(y, C)[
                np.unique(y)
            ],
            "These are the counts: a rare class must get a large weight.": lambda y, C: np.bincount(y, minlength=C),
            "One weight a class, not one an example.": lambda y, C: balanced(y, C)[y],
            "A class that does not occur gets weight 0, not 1.": lambda y, C: np.where(
                np.bincount(y, minlength=C) > 0, balanced(y, C), 1
            ),
            "No square root here: then the common class would still weigh more than the others.": lambda y, C: np.sqrt(
                balanced(y, C)
            ),
            "These weights are all the same: a rare class must get a large one.": lambda y, C: np.ones(C),
        },
        "Count with np.bincount(labels, minlength=n_classes), and divide only where the count is not 0.",
    ),
    Exercise(
        "2.3",
        2,
        rates,
        [(10, 4), (5, 1), (8, 7)],
        some_steps,
        {
            "Your first step has rate 0 and is wasted: count s + 1 while warming up.": lambda S, w: schedule(
                S, w, lambda s: s / w, lambda s: (S - s) / (S - w)
            ),
            "It climbs well and then stays at the peak: after step w it must fall.": lambda S, w: schedule(
                S, w, lambda s: (s + 1) / w, np.ones_like
            ),
            "It falls from the start: the first w steps must climb.": lambda S, w: (S - np.arange(S)) / S,
            "The way down must start at 1 when s = w: divide by S - w, not by S.": lambda S, w: schedule(
                S, w, lambda s: (s + 1) / w, lambda s: (S - s) / S
            ),
            "The last step has rate 1 / (S - w), not 0: subtract s, not s + 1.": lambda S, w: schedule(
                S, w, lambda s: (s + 1) / w, lambda s: (S - s - 1) / (S - w)
            ),
            "The way down counts from the end, (S - s) / (S - w), not how far it has come.": lambda S, w: schedule(
                S, w, lambda s: (s + 1) / w, lambda s: (s - w) / (S - w)
            ),
            "The way up begins at 1 / w, in step 0.": lambda S, w: schedule(
                S, w, lambda s: (s + 2) / w, lambda s: (S - s) / (S - w)
            ),
            "The peak is reached at step w - 1, and step w has it once more: the steps of the way up are s < w.": (
                lambda S, w: schedule(S, w + 1, lambda s: (s + 1) / w, lambda s: (S - s) / (S - w))
            ),
            "One factor for each of the S steps is wanted, not for the way up alone.": lambda S, w: (
                (np.arange(w) + 1) / w
            ),
            "The way down has S - w steps: divide by S - w, not by S - w - 1.": lambda S, w: schedule(
                S, w, lambda s: (s + 1) / w, lambda s: (S - s - 1) / max(S - w - 1, 1)
            ),
            "The way down is a straight line, not a cosine.": lambda S, w: schedule(
                S, w, lambda s: (s + 1) / w, lambda s: (1 + np.cos(np.pi * (s - w) / (S - w))) / 2
            ),
            "The first w steps must climb; yours stand at the peak.": lambda S, w: schedule(
                S, w, np.ones_like, lambda s: (S - s) / (S - w)
            ),
            "The way up ends at 1: divide by w, not by S.": lambda S, w: schedule(
                S, w, lambda s: (s + 1) / S, lambda s: (S - s) / (S - w)
            ),
            "The way up ends at 1: divide by w, not by w + 1.": lambda S, w: schedule(
                S, w, lambda s: (s + 1) / (w + 1), lambda s: (S - s) / (S - w)
            ),
            "It stays the same all the time: the first w steps must climb, and the others fall.": lambda S, w: np.ones(
                S
            ),
        },
        "Two straight lines: (s + 1) / w while s < w, and from there on a line that ends at 1 / (S - w) for s = S - 1.",
        kind="share",
    ),
    Exercise(
        "2.4",
        1,
        2 * 0.74 / 1.74 / 3,
        mistakes={
            "This is the F1 of the common class; the mean over three classes is wanted, and two of them have F1 = 0.": (
                2 * 0.74 / 1.74
            ),
            "This is its accuracy.": 0.74,
            "F1 of the common class is 2 tp / (predicted + present) = 2 · 0.74 / (1 + 0.74), not 0.74.": 0.74 / 3,
            "This is the mean of the recalls, 1, 0 and 0; that of the F1 is asked for.": 1 / 3,
            "There are three classes, and those that are never predicted count too.": 2 * 0.74 / 1.74 / 2,
            "F1 has a 2 above the line: 2 tp / (predicted + present).": 0.74 / 1.74 / 3,
            "This weighs each class by its share; in macro-F1 all classes weigh the same.": 0.74 * 2 * 0.74 / 1.74,
        },
        hint="Per 100 examples: predicted 100, present 74, hits 74. The other two classes are never predicted.",
        rtol=0.002,
        kind="share",
    ),
)
