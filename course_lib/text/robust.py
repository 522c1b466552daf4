"""How easily is it misled? One small edit of a text, chosen to hurt most.

With edits E(x) of a text x whose true class is y, each leaving the meaning as it was for a person:

    x' = argmin over E(x) of p_y,   taken only if it lowers p_y,   and the answer flips if argmax p(x') ≠ y

The edits here are typos: two neighbouring letters inside a word change places, the first and the last stay, as in
Belinkov & Bisk (2018) and Pruthi, Dhingra & Lipton (2019), who report such attacks on translation and on BERT.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from course_lib import inputs
from course_lib.errors import CourseError
from course_lib.text.examples import checked_labels
from course_lib.text.explain import Classifier, probabilities
from course_lib.text.words import spans


def typos(text: str) -> list[str]:
    """All texts with two neighbouring inner letters of one word swapped, in the order of the text.

    Words of fewer than four letters, Chinese characters and emoji have no such letters. Equal letters are left alone.
    """
    if not isinstance(text, str):
        raise CourseError(f"typos takes one string; got a {type(text).__name__}.")
    places = (i for _, start, end in spans(text) for i in range(start + 1, end - 2))
    swaps = (i for i in places if text[i : i + 2].isalpha() and text[i].lower() != text[i + 1].lower())
    return [text[:i] + text[i + 1] + text[i] + text[i + 2 :] for i in swaps]


def weakest_edit(before: np.ndarray, after: np.ndarray, y: int) -> int:
    """Row of the edit after which class ``y`` has the least probability; -1 if no edit lowers it.

    before: (C,) probabilities of the text as it was. after: (m, C), m ≥ 0, those of its edits. y: 0 to C - 1.
    """
    before = inputs.array("before", before, ndim=1)
    after = (
        inputs.array("after", after).reshape(-1, len(before)) if np.size(after) == 0 else inputs.array("after", after)
    )
    if after.ndim != 2 or after.shape[1] != len(before):
        raise CourseError(f"after has {len(before)} probabilities a row, as before; got the shape {after.shape}.")
    y = inputs.whole("y", y, at_least=0, at_most=len(before) - 1)
    row = int(after[:, y].argmin()) if len(after) else -1
    return row if len(after) and after[row, y] < before[y] else -1


def attack(
    classifier: Classifier, texts: Sequence[str], labels: np.ndarray, edits: Sequence[Sequence[str]]
) -> pd.DataFrame:
    """What one edit can do to each text: columns right, edit, before, after, said, flipped, share.

    edits: for each text the edits to try. edit: the one that lowers the probability of the label most, from ``before``
    to ``after``, or the text itself if none does; ``said`` is the answer to it. flipped: the first answer was right and
    this one is wrong. share: of all edits, how many make a right answer wrong (0 where it was wrong or none is known).
    """
    texts = inputs.texts("Texts", texts)
    edits = [inputs.texts("edits", some, empty=True) for some in inputs.listed("edits", edits, "lists of edits")]
    if not len(texts) == len(labels) == len(edits):
        raise CourseError(f"Texts, labels and edits belong together; got {len(texts)}, {len(labels)} and {len(edits)}.")
    P = probabilities(classifier, [*texts, *(edit for some in edits for edit in some)])
    labels = checked_labels("The labels", labels, texts, P.shape[1])
    ends, rows = len(texts) + np.cumsum([len(some) for some in edits]), []
    for i, (text, y, some, end) in enumerate(zip(texts, labels, edits, ends, strict=True)):
        before, after = P[i], P[end - len(some) : end]
        row, right = weakest_edit(before, after, y), before.argmax() == y
        worst = before if row < 0 else after[row]
        rows.append(
            {
                "right": right,
                "edit": text if row < 0 else some[row],
                "before": before[y],
                "after": worst[y],
                "said": worst.argmax(),
                "flipped": right and worst.argmax() != y,
                "share": float(right and np.mean(after.argmax(1) != y)) if len(some) else 0.0,
            }
        )
    return pd.DataFrame(rows)
