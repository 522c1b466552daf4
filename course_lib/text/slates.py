"""A slate of items in one input: BERT labels every token O, Click or Ignore.

The input is `[CLS] profile [SEP] item , item , … [SEP]`. Tokens of an item carry the item's label,
all others are O.
The model is Hugging Face's `BertForTokenClassification`: every token's vector h_t gives three logits,

    L = mean over all tokens of all slates of -w_y log softmax(W h_t + b)_y

so an item is judged with the profile and the *other items of the slate* in view. An item's click probability is the
mean over its tokens of P(Click) / (P(Click) + P(Ignore)).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from transformers import BertForTokenClassification

from course_lib import inputs
from course_lib.data.interactions import Interactions
from course_lib.errors import CourseError
from course_lib.evaluation.classification import score
from course_lib.text.clicks import checked_counts, checked_item_texts, histories, profile_text
from course_lib.text.fine_tune import FineTuned
from course_lib.text.frozen import Tokens

LABELS = ("O", "Click", "Ignore")


@dataclass(frozen=True)
class Slate:
    """A profile in words, and the texts of the items that were shown together with it."""

    profile: str
    items: tuple[str, ...]

    def __post_init__(self) -> None:
        (profile,) = inputs.texts("The profile", [self.profile])
        object.__setattr__(self, "profile", profile)
        object.__setattr__(self, "items", tuple(inputs.texts("The items of a slate", self.items, empty=True)))


@dataclass(frozen=True)
class SlateExamples:
    """Slates and what became of them. table: a row for each item: slate (position), user, item, label (1: click)."""

    slates: list[Slate]
    table: pd.DataFrame

    @property
    def clicked(self) -> list[np.ndarray]:
        """For each slate, whether each of its items was clicked."""
        return [rows.to_numpy() == 1 for _, rows in self.table.groupby("slate")["label"]]

    def __len__(self) -> int:
        return len(self.slates)


def slate_examples(
    targets: Interactions,
    train: Interactions,
    item_texts: Sequence[str],
    titles: Sequence[str],
    n: int,
    seed: int,
    *,
    size: int = 4,
    past: int = 4,
    at_least: float = 4,
    min_history: int = 5,
) -> SlateExamples:
    """``n`` random slates (fewer if there are not so many): ``size`` consecutive ratings of one user in ``targets``.

    An item counts as clicked if it has at least ``at_least`` stars. The profile names only films of ``train`` that the
    user rated strictly before the first item of the slate, the latest ``past``; there are ``min_history`` or more. No
    rating is in two slates. n, size, past, min_history: ≥ 1; seed: ≥ 0.
    """
    checked_counts(n=n, size=size, past=past, min_history=min_history)
    item_texts, titles = checked_item_texts(targets, item_texts=item_texts, titles=titles)
    earlier = histories(train)
    order = np.lexsort((np.arange(len(targets)), targets.time, targets.user))
    begin = np.searchsorted(targets.user[order], np.arange(targets.n_users + 1))
    starts = np.concatenate([np.arange(a, b - size + 1, size) for a, b in pairwise(begin)])
    slates: list[Slate] = []
    rows: list[tuple[int, int, int, int]] = []
    for start in inputs.generator(seed).permutation(starts):
        if len(slates) == n:
            break
        shown = order[start : start + size]
        user = int(targets.user[shown[0]])
        history = earlier(user, int(targets.time[shown].min()))
        if len(history) < min_history:
            continue
        rows += [
            (len(slates), user, int(i), int(r >= at_least))
            for i, r in zip(targets.item[shown], targets.rating[shown], strict=True)
        ]
        profile = profile_text(titles, train.item[history], train.rating[history], past, at_least)
        slates.append(Slate(profile, tuple(item_texts[i] for i in targets.item[shown])))
    if not slates:
        raise CourseError(f"No user has {size} ratings to show after {min_history} earlier ones: give more data.")
    return SlateExamples(slates, pd.DataFrame(rows, columns=["slate", "user", "item", "label"]))


class BertSlates(FineTuned):
    """BERT with a label for every token. ``fit`` takes slates and, for each, whether each item was clicked."""

    head = BertForTokenClassification
    n_outputs = len(LABELS)

    def predict_tokens(self, slates: Sequence[Slate]) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each slate: label numbers of its tokens (T,), and which item each token belongs to (T,), -1 for none."""
        found, tokens = self._predict(slates), self._tokens(self._texts(slates))
        return [(z[: len(t["item"])].argmax(1), np.array(t["item"])) for z, t in zip(found, tokens, strict=True)]

    def predict_proba(self, slates: Sequence[Slate]) -> list[np.ndarray]:
        """Click probability of each item of each slate: arrays (items,). An item cut off by max_tokens gets 0.5."""
        slates = self._texts(slates)
        found, tokens = self._predict(slates), self._tokens(slates)
        return [
            self._click(z, np.array(t["item"]), len(slate.items))
            for z, t, slate in zip(found, tokens, slates, strict=True)
        ]

    def _click(self, logits: np.ndarray, item: np.ndarray, n_items: int) -> np.ndarray:
        p = 1 / (1 + np.exp(logits[: len(item), 2] - logits[: len(item), 1]))  # P(Click) / (P(Click) + P(Ignore))
        return np.array([p[item == k].mean() if (item == k).any() else 0.5 for k in range(n_items)])

    def _loss(self, logits: torch.Tensor, y: list[np.ndarray], rows: np.ndarray) -> torch.Tensor:
        labels = [torch.as_tensor(y[i], device=logits.device) for i in rows]
        padded = nn.utils.rnn.pad_sequence(labels, batch_first=True, padding_value=-100)  # (B, T)
        each = nn.functional.cross_entropy(logits.float().transpose(1, 2), padded, reduction="none")  # 0 where padded
        return (each.sum(1) / (padded >= 0).sum(1)).mean()

    def _judge(self, outputs: list[np.ndarray], y: list[np.ndarray]) -> dict[str, float]:
        p, clicked = [], []
        for z, labels, item in zip(outputs, y, self._valid_items, strict=True):
            shown = np.unique(item[item >= 0])
            p += list(self._click(z, item, shown.max() + 1)[shown])
            clicked += [labels[item == k][0] == 1 for k in shown]
        P = np.stack([1 - np.array(p), np.array(p)], axis=1)
        return {"auc": score("auc", np.array(clicked, dtype=int), P)}

    def _prepare(self, y: list[np.ndarray], tokens: list[Tokens], part: str) -> list[np.ndarray]:
        """Labels of the tokens: 0 for O, 1 for Click, 2 for Ignore."""
        items = [np.array(t["item"]) for t in tokens]
        if part == "validation":
            self._valid_items = items
        return [np.where(item < 0, 0, np.where(c[item], 1, 2)) for item, c in zip(items, y, strict=True)]

    def _texts(self, texts: Any) -> list[Slate]:
        slates = inputs.listed("Slates", texts, "Slate objects")
        if not all(isinstance(slate, Slate) for slate in slates):
            raise CourseError("Slates are a list of Slate objects: write Slate(profile, items) for each.")
        return slates

    def _targets(self, targets: Any, texts: Sequence[Slate], part: str) -> list[np.ndarray]:
        y = [np.asarray(clicked) for clicked in inputs.listed(f"The {part} targets", targets, "arrays")]
        wrong = [c.shape != (len(slate.items),) or c.dtype != bool for c, slate in zip(y, texts, strict=False)]
        if len(y) != len(texts) or any(wrong) or not y:
            raise CourseError(
                f"The {part} targets are, for each of {len(texts)} slates, one True or False for each of its items:"
                f" {f'slate {wrong.index(True)} has others' if any(wrong) else f'got {len(y)}'}."
            )
        return y

    def _tokens(self, texts: Sequence[Slate]) -> list[Tokens]:
        """Token numbers, segments (0: profile, 1: slate) and the item of each token; cut at max_tokens."""
        cls, sep = self.tokenizer_.cls_token_id, self.tokenizer_.sep_token_id
        comma = self.tokenizer_.convert_tokens_to_ids(",")

        def plain(strings: Sequence[str]) -> list[list[int]]:
            return self.tokenizer_(list(strings), add_special_tokens=False)["input_ids"] if len(strings) else []

        coded = []
        for slate in texts:
            (profile,), ids, item = plain([slate.profile]), [], []
            for k, shown in enumerate(plain(slate.items)):
                ids += [*shown, comma]
                item += [k] * len(shown) + [-1]
            ids, item = ids[: self.max_tokens - 3], item[: self.max_tokens - 3]  # a long slate leaves no profile
            profile = profile[: self.max_tokens - 3 - len(ids)]
            coded.append(
                {
                    "input_ids": [cls, *profile, sep, *ids, sep],
                    "token_type_ids": [0] * (len(profile) + 2) + [1] * (len(ids) + 1),
                    "item": [-1] * (len(profile) + 2) + item + [-1],
                }
            )
        return coded


def slate_report(predicted: Sequence[tuple[np.ndarray, np.ndarray]], clicked: Sequence[np.ndarray]) -> pd.DataFrame:
    """Precision, recall, F1 and support of Click and Ignore, by token and by whole item; and of O, by token.

    predicted: from `BertSlates.predict_tokens`. "whole item" is strict, as seqeval (Nakayama 2018) is with entities: an
    item counts as labelled only if all its tokens carry the same label, Click or Ignore.
    """
    inputs.same_length(predicted=predicted, clicked=clicked)
    counts: dict[tuple[str, str], np.ndarray] = {}  # true positives, predicted, present

    def count(level: str, said: np.ndarray, truth: np.ndarray, labels: Sequence[int]) -> None:
        for c in labels:
            both = np.array([((said == c) & (truth == c)).sum(), (said == c).sum(), (truth == c).sum()])
            counts[level, LABELS[c]] = counts.get((level, LABELS[c]), 0) + both

    for (labels, item), clicks in zip(predicted, clicked, strict=True):
        count("token", labels, np.where(item < 0, 0, np.where(clicks[item], 1, 2)), (0, 1, 2))
        shown = np.unique(item[item >= 0])
        whole = np.array([labels[item == k][0] if len(set(labels[item == k])) == 1 else 0 for k in shown])
        count("whole item", whole, np.where(clicks[shown], 1, 2), (1, 2))
    tp, said, present = np.array(list(counts.values()), dtype=float).T
    table = pd.DataFrame({"precision": tp / np.maximum(said, 1), "recall": tp / np.maximum(present, 1)})
    table["f1"] = 2 * tp / np.maximum(said + present, 1)
    table["support"] = present.astype(int)
    table.index = pd.MultiIndex.from_tuples(counts, names=["level", "label"])
    return table
