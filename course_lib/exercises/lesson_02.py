"""Exercises of lesson 02: the mean over real tokens, weights for rare classes, warm-up, what the majority scores."""

import numpy as np
import torch

from course_lib.exercises.judge import Case, Exercise
from course_lib.text.encoder import mean_pool
from course_lib.text.fine_tune import class_weights
from course_lib.text.training import warm_up


def some_tokens(rng: np.random.Generator) -> Case:
    """Vectors of padded texts, and the mask; at times a text without padding, or padding in front.

    The vectors are in eighths: in whatever order they are added, 32 bits hold the sum exactly.
    """
    B, T, d = (int(size) for size in rng.integers(1, 7, size=3))
    mask = np.arange(T) < rng.integers(1, T + 1, size=(B, 1))
    mask = mask[:, ::-1].copy() if rng.random() < 0.2 else mask
    return torch.tensor(rng.integers(-16, 17, size=(B, T, d)) / 8, dtype=torch.float32), torch.tensor(mask).long()


def some_labels(rng: np.random.Generator) -> Case:
    """Labels of unequally frequent classes, each occurring."""
    C = int(rng.integers(2, 7))
    more = rng.choice(C, size=rng.integers(1, 50), p=rng.dirichlet(np.ones(C)))
    return rng.permutation(np.append(np.arange(C), more)), C


def some_step(rng: np.random.Generator) -> Case:
    """A step of a training: on the way up, on the way down, or one where the way changes."""
    S = int(rng.integers(2, 200))
    w = int(rng.integers(1, S))
    up, down = int(rng.integers(w)), int(rng.integers(w, S))
    return int(rng.choice([up, down, 0, w - 1, w, S - 1])), S, w


hidden, mask = torch.arange(24.0).reshape(2, 4, 3), torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])

EXERCISES = (
    Exercise(
        "2.1",
        2,
        mean_pool,
        [(hidden, mask), (hidden**2, mask.flip(0))],
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
        },
        rtol=1e-5,
    ),
    Exercise(
        "2.2",
        1,
        class_weights,
        [(np.array([0, 0, 0, 1]), 2), (np.array([0, 1, 1, 2, 2, 2, 2, 2]), 3)],
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
        },
    ),
    Exercise(
        "2.3",
        2,
        lambda s, S, w: warm_up(s, S, w / S),
        [(0, 10, 4), (3, 10, 4), (4, 10, 4), (9, 10, 4), (0, 5, 1), (4, 5, 1)],
        some_step,
        {
            "Your first step has rate 0 and is wasted: count s + 1 while warming up.": lambda s, S, w: (
                s / w if s < w else (S - s) / (S - w)
            ),
            "It climbs well and then stays at the peak: after step w it must fall.": lambda s, S, w: min(
                1.0, (s + 1) / w
            ),
            "It falls from the start: the first w steps must climb.": lambda s, S, w: (S - s) / S,
            "The way down must start at 1 when s = w: divide by S - w, not by S.": lambda s, S, w: (
                (s + 1) / w if s < w else (S - s) / S
            ),
        },
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
        },
        hint="Per 100 examples: predicted 100, present 74, hits 74. The other two classes are never predicted.",
        rtol=0.01,
    ),
)
