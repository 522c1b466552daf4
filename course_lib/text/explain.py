"""Why did it say that? Words left out, attention followed through the layers, and a test of both.

A text x has words w_1 … w_n, and p_c(x) is the probability of class c. The weight of a word is, by

    occlusion   p_c(x) - p_c(x without w_i)           Zeiler & Fergus 2014; Li, Monroe & Jurafsky 2016
    rollout     Σ_t R[CLS, t] over the tokens t of w_i,  R = Ā_L ··· Ā_1,  Ā_l = (mean over heads of A_l + I) / 2
                                                      Abnar & Zuidema 2020; A_l: (heads, T, T), rows sum to 1
    the test    p_c after the j heaviest words are left out, j = 0 … k
                                                      Samek et al. 2017; DeYoung et al. 2020

Occlusion asks the model again, so it works for every classifier and for each class. Rollout reads a single run of a
BERT and knows of no class: the same weights "explain" all of them (see Jain & Wallace 2019, Wiegreffe & Pinter 2019).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr
from transformers.models.bert.modeling_bert import BertSelfAttention

from course_lib import inputs
from course_lib.errors import CourseError
from course_lib.text.examples import Text, texts_or_pairs
from course_lib.text.fine_tune import BertClassifier
from course_lib.text.words import halves, spans, without, words


class Classifier(Protocol):
    """What occlusion and the test need: `BertClassifier` and `TfidfClassifier` have it."""

    def predict_proba(self, texts: Sequence[Text]) -> np.ndarray:
        """Probabilities of the classes, (n, C)."""


def occlusion(classifier: Classifier, text: Text, c: int | None = None, mask: bool = False) -> pd.DataFrame:
    """How far the probability of class ``c`` falls when a word is left out: columns word, drop; of a pair also half.

    c: by default the most probable class. mask: put one [MASK] in the place of the word, which keeps the others where
    they are. In a text longer than max_tokens, the words behind the cut move up when one before it is left out.
    """
    table, put = _table(text), _tokenizer(classifier, "a [MASK]").mask_token if mask else " "
    P = probabilities(classifier, [text, *(without(text, {i}, put) for i in range(len(table)))])
    if c is not None and not 0 <= inputs.whole("c", c) < P.shape[1]:
        raise CourseError(f"The class c is from 0 to {P.shape[1] - 1}; got {c}.")
    c = int(P[0].argmax()) if c is None else c
    return table.assign(drop=P[0, c] - P[1:, c])


def rollout(attentions: np.ndarray) -> np.ndarray:
    """R (T, T): how much of token s reaches the last vector of token t. attentions: (L, heads, T, T), lowest first."""
    A = inputs.array("Attentions", attentions)
    if A.ndim != 4 or A.shape[2] != A.shape[3] or not A.size:
        raise CourseError(
            f"Attentions have shape (layers, heads, T, T); got {A.shape}. A BERT with a learned prefix looks at what is"
            " no token, so it has no rollout."
        )
    A = (A.mean(1) + np.eye(A.shape[-1])) / 2  # half attention, half the way past it (the residual connection)
    return reduce(lambda R, layer: layer @ R, A / A.sum(-1, keepdims=True))


def attention_rollout(classifier: BertClassifier, text: Text, top: int | None = None) -> pd.DataFrame:
    """Weight of each word in the rollout of [CLS]: columns word, weight; of a pair also half.

    The weights sum to 1 less what lies on [CLS] and [SEP]. Words behind max_tokens were not read and have weight 0.
    top: follow the ``top`` highest layers only; 1 is the attention of the last layer, halved.
    """
    table, tokenizer = _table(text), _tokenizer(classifier, "attention to look at")
    coded = tokenizer(
        *([half] for half in halves(text)),
        truncation=True,
        max_length=classifier.max_tokens,
        return_token_type_ids=True,
        return_offsets_mapping=True,
        return_tensors="pt",
    )
    starts = coded.pop("offset_mapping")[0, :, 0].numpy()  # (T,) where each token begins
    half_of = np.array([-1 if half is None else half for half in coded.sequence_ids(0)])  # (T,) -1: [CLS], [SEP]
    classifier.model_.eval()
    with watched(classifier.model_) as attentions, torch.inference_mode():
        classifier.model_(**coded.to(classifier.device))
    if top is not None and not 1 <= inputs.whole("top", top) <= len(attentions):
        raise CourseError(f"top is from 1 to {len(attentions)}, the layers of this BERT; got {top}.")
    R = rollout(torch.cat(attentions).float().cpu().numpy()[-(top or 0) :])
    weight = [R[0, (half_of == half) & (a <= starts) & (starts < b)].sum() for half, a, b in spans(text)]
    return table.assign(weight=weight)


@contextmanager
def watched(model: Any) -> Iterator[list[torch.Tensor]]:
    """A list that fills with the attention (B, heads, T, T) of each layer that computes inside a ``with``.

    The usual, fast way (sdpa) never holds these numbers in its hands: inside, attention is computed step by step.
    """
    before, seen = model.config._attn_implementation, list[torch.Tensor]()
    layers = [module for module in model.modules() if isinstance(module, BertSelfAttention)]
    hooks = [layer.register_forward_hook(lambda _layer, _given, out: seen.append(out[1])) for layer in layers]
    model.set_attn_implementation("eager")
    try:
        yield seen
    finally:
        model.set_attn_implementation(before)
        for hook in hooks:
            hook.remove()


def deletion_curves(
    classifier: Classifier,
    texts: Sequence[Text],
    weights: Mapping[str, Sequence[np.ndarray]],
    k: int = 5,
    seed: int = 0,
    n_random: int = 5,
) -> dict[str, np.ndarray]:
    """Probability of the class first predicted after the 0 … k heaviest words of each text are left out: (n, k + 1).

    weights: {method: for each text the weights of its words}. The answer has one entry more, "random order": the mean
    over ``n_random`` orders. The curve of a method that knows what mattered falls faster than that one. k: from 1 to
    the words of the shortest text. seed: ≥ 0. n_random: ≥ 1.
    """
    texts, n_random = texts_or_pairs("Texts", texts, empty=True), inputs.whole("n_random", n_random, at_least=1)
    counts, rng = [len(words(text)) for text in texts], inputs.generator(seed)
    if not 1 <= inputs.whole("k", k) <= min(counts, default=0):
        raise CourseError(f"k is from 1 to the words of the shortest text, {min(counts, default=0)}; got {k}.")
    for name, given in weights.items():
        if [len(w) for w in given] != counts:
            raise CourseError(
                f"The weights of {name!r} are one number for each word of each of the {len(texts)} texts."
            )
    orders = [
        [np.argsort(-inputs.array(f"The weights of {name!r}", w, ndim=1), kind="stable") for w in given]
        for name, given in weights.items()
    ]
    orders += [[rng.permutation(n) for n in counts] for _ in range(n_random)]
    cut = [without(t, set(o[:j])) for some in orders for t, o in zip(texts, some, strict=True) for j in range(k + 1)]
    once = {text: i for i, text in enumerate(dict.fromkeys(cut))}
    P = probabilities(classifier, list(once))[[once[text] for text in cut]].reshape(len(orders), len(texts), k + 1, -1)
    c = P[0, :, 0].argmax(1)
    p = np.take_along_axis(P, c[None, :, None, None], axis=3)[..., 0]  # (orders, n, k + 1)
    return dict(zip(weights, p, strict=False)) | {"random order": p[len(weights) :].mean(0)}


def rank_agreement(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's correlation of two weightings of the same words; NaN where one of them knows no order."""
    a, b = inputs.array("a", a, ndim=1), inputs.array("b", b, ndim=1)
    if np.shape(a) != np.shape(b):
        raise CourseError(f"Two weightings of the same words have one shape; got {np.shape(a)} and {np.shape(b)}.")
    return float(spearmanr(a, b).statistic) if np.size(a) > 1 and np.ptp(a) > 0 < np.ptp(b) else float("nan")


def probabilities(classifier: Classifier, texts: Sequence[Text]) -> np.ndarray:
    """``classifier.predict_proba(texts)``, and a sentence where it has not been fitted or gives NaN."""
    if not hasattr(classifier, "model_"):
        raise CourseError(f"This {type(classifier).__name__} has not been fitted yet: call fit before asking it why.")
    return inputs.all_finite("The classifier's probabilities", np.asarray(classifier.predict_proba(texts)))


def _tokenizer(classifier: Any, wanted: str) -> Any:
    if not hasattr(classifier, "tokenizer_"):
        raise CourseError(f"Only a fitted BERT has {wanted}; this {type(classifier).__name__} is none, or not fitted.")
    return classifier.tokenizer_


def _table(text: Text) -> pd.DataFrame:
    """One row a word."""
    if not isinstance(text, str) and not (isinstance(text, tuple) and len(text) == 2):
        raise CourseError(f"One text, or one pair of texts, is explained at a time; got a {type(text).__name__}.")
    if not words(text):
        raise CourseError("There is no word in this text, so there is nothing to leave out and nothing to look at.")
    half = {} if isinstance(text, str) else {"half": [half for half, _, _ in spans(text)]}
    return pd.DataFrame({"word": words(text)} | half)
