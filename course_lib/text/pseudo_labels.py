"""Labels that a model gives itself, and how to choose them (lesson 02d).

With probabilities P (n, C) of n texts that nobody has labelled, a text gets the label argmax_c P_ic and is trained on

    by a threshold    where max_c P_ic ≥ τ                            Yarowsky 1995; Lee 2013
    by quotas         if it is among the q_c surest of its class c    Zou, Yu, Kumar & Wang 2018

A threshold takes mostly from the common class, which the model is sure of; quotas keep the shares of the classes.
"""

from collections.abc import Sequence

import numpy as np


def confident(P: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows of P (n, C) whose largest probability is at least ``threshold``, in order, and their labels: (m,), (m,)."""
    rows = np.flatnonzero(P.max(axis=1) >= threshold)
    return rows, P[rows].argmax(axis=1)


def surest_per_class(P: np.ndarray, quotas: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ``quotas[c]`` surest rows of each class c, or all where fewer choose it: rows in order, and labels."""
    label = P.argmax(axis=1)
    order = np.argsort(-P.max(axis=1), kind="stable")
    rows = np.sort(np.concatenate([order[label[order] == c][:quota] for c, quota in enumerate(quotas)]))
    return rows, label[rows]
