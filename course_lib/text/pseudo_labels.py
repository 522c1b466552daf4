"""Labels that a model gives itself, and how to choose them.

With probabilities P (n, C) of n texts that nobody has labelled, a text gets the label argmax_c P_ic and is trained on

    by a threshold    where max_c P_ic ≥ τ                            Yarowsky 1995; Lee 2013
    by quotas         if it is among the q_c surest of its class c    Zou, Yu, Kumar & Wang 2018

A threshold takes mostly from the common class, which the model is sure of; quotas keep the shares of the classes.
"""

from collections.abc import Sequence

import numpy as np

from course_lib import inputs
from course_lib.errors import CourseError


def probabilities(P: np.ndarray) -> np.ndarray:
    """``P`` (n, C) as an array, C ≥ 1; CourseError where one is NaN or not between 0 and 1."""
    found = inputs.array("Probabilities", P, ndim=2)
    if not found.shape[1] or (found < 0).any() or (found > 1 + 1e-6).any():
        raise CourseError(f"P holds probabilities, 0 to 1, of a class or more for each text; got {found.shape}.")
    return found


def confident(P: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows of P (n, C) whose largest probability is at least ``threshold``, in order, and their labels: (m,), (m,).

    threshold: 0 to 1.
    """
    P, threshold = probabilities(P), inputs.number("threshold", threshold, at_least=0, at_most=1)
    rows = np.flatnonzero(P.max(axis=1) >= threshold)
    return rows, P[rows].argmax(axis=1)


def surest_per_class(P: np.ndarray, quotas: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ``quotas[c]`` surest rows of each class c, or all where fewer choose it: rows in order, and labels.

    P: (n, C) probabilities. quotas: (C,) whole numbers of at least 0.
    """
    P = probabilities(P)
    quotas = [inputs.whole("a quota", quota, at_least=0) for quota in inputs.listed("quotas", quotas, "numbers")]
    if len(quotas) != P.shape[1]:
        raise CourseError(f"There is one quota for each of {P.shape[1]} classes; got {len(quotas)}.")
    label = P.argmax(axis=1)
    order = np.argsort(-P.max(axis=1), kind="stable")
    rows = np.sort(np.concatenate([order[label[order] == c][:quota] for c, quota in enumerate(quotas)]))
    return rows, label[rows]
