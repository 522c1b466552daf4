"""What a text model learns from: texts or pairs of texts, and for each a label or a number."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from course_lib import inputs
from course_lib.errors import CourseError

Text = str | tuple[str, str]  # one text, or a pair: BERT's first and second segment


def texts_or_pairs(what: str, values: Any, *, empty: bool = False) -> list[Text]:
    """``values`` as a list of strings, or as a list of pairs of strings: a tuple, a list or a table's row of two.

    A missing text, a mixture of both and, unless ``empty``, no text at all are refused.
    """
    found = inputs.listed(what, values, "strings or of pairs (string, string)")
    paired = [isinstance(text, tuple | list | np.ndarray) and len(text) == 2 for text in found]
    if not any(paired):
        return list(inputs.texts(what, found, empty=empty))
    if not all(paired):
        raise CourseError(
            f"{what} are a list of strings or of pairs (string, string), all alike; number {paired.index(False)} is"
            f" no pair, number {paired.index(True)} is one: write ('', text) or (text, '')."
        )
    first, second = (
        inputs.texts(f"{what}' {name} halves", [pair[k] for pair in found])
        for k, name in enumerate(("first", "second"))
    )
    return list(zip(first, second, strict=True))


def checked_labels(what: str, labels: Any, texts: Sequence[Any], n_classes: int) -> np.ndarray:
    """Labels (n,) int64 from 0 to ``n_classes`` - 1, one for each of ``texts``, at least one; else CourseError."""
    n_classes = inputs.COUNT("n_classes", n_classes)
    told = f"{what} are one whole number from 0 to {n_classes - 1} for each of {len(texts)} texts"
    try:
        y = inputs.labels("they", labels, n_classes)
    except CourseError as error:
        raise CourseError(f"{told}, and {error} Drop the texts whose label is missing.") from error
    return _one_each(told, y, texts)


def checked_targets(what: str, targets: Any, texts: Sequence[Any]) -> np.ndarray:
    """Targets (n,) float64, finite, one for each of ``texts``, at least one; else CourseError."""
    told = f"{what} are one finite number for each of {len(texts)} texts"
    try:
        y = inputs.array("they", targets, ndim=1)
    except CourseError as error:
        raise CourseError(f"{told}, and {error} Drop the texts whose target is missing.") from error
    return _one_each(told, y, texts)


def _one_each(told: str, y: np.ndarray, texts: Sequence[Any]) -> np.ndarray:
    if len(y) != len(texts) or not len(y):
        raise CourseError(f"{told}, at least one; got {len(y)}.")
    return y
