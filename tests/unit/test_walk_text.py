"""Everything public in course_lib.text, found by inspection, with what goes wrong elsewhere; BERT is a tiny one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from inspect import Parameter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pantry import (  # fmt: skip
    COMMON,
    N_ITEMS,
    Choice,
    Fixed,
    Ids,
    Kind,
    Knob,
    Labels,
    Numbers,
    OneId,
    Rows,
    Texts,
    Trial,
    filtered,
    forms,
    interactions,
    numbers,
    series,
    split,
    texts,
)
from test_text_rentals import world
from transformers import BertConfig, BertModel, BertTokenizerFast
from walk import Pantry, Target, check, targets

from course_lib import text
from course_lib.text import adapt, encoder, fine_tune, pretrain, taste, tfidf, training, vector_cache
from course_lib.text.encoder import Encoder
from course_lib.text.few_shot import FewShot
from course_lib.text.fine_tune import BertClassifier
from course_lib.text.slates import Slate
from course_lib.text.training import Recipe

LETTERS = [*"abcdefghijklmnopqrstuvwxyz0123456789,."]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "film", "part", "a", "an", "lovely", "awful"]
Y = np.array([0, 1, 0, 1, 0, 1])
RECIPE = Recipe(epochs=1, batch_size=3)


def tiny_bert(folder: Path) -> Path:
    """Two layers of width 8 and a vocabulary of a hundred, in a folder as the real one's."""
    vocabulary = dict.fromkeys([*WORDS, *LETTERS, *(f"##{letter}" for letter in LETTERS)])
    BertTokenizerFast(vocab={word: place for place, word in enumerate(vocabulary)}).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 8}
    config = BertConfig(vocab_size=len(vocabulary), max_position_embeddings=64, **sizes)
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", autouse=True)
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder, build = tiny_bert(tmp_path_factory.mktemp("bert")), fine_tune.FineTuned.build
    with pytest.MonkeyPatch.context() as patch, training.seeded(0):
        for module in (encoder, fine_tune, pretrain):
            patch.setattr(module, "weights_folder", lambda name="minilm": folder)
        patch.setattr(vector_cache, "cache_dir", lambda: folder)
        patch.setattr(fine_tune.FineTuned, "build", lambda self: (torch.manual_seed(0), build(self))[1])
        yield


def kept(make: Callable[[], Any]) -> Callable[[], Fixed]:
    """Made once, when it is first asked for."""
    made: list[Any] = []

    def get() -> Fixed:
        if not made:
            made.append(make())
        return Fixed(made[0])

    return get


class Made(Kind):
    """Made anew for each call, since the call changes it."""

    def fresh(self) -> Any:
        return self.value()


@dataclass(frozen=True)
class Objects(Kind):
    """A list of the course's own objects."""

    def trials(self, parameter: Parameter) -> Iterator[Trial]:
        values = np.empty(len(self.value), dtype=object)
        values[:] = self.value
        for label, value in (
            *forms(values),
            ("an array", values),
            ("a Series", series(values)),
            ("filtered", filtered(values)),
        ):
            yield Trial(label, value, "same")
        yield Trial("None in it", [*self.value[:-1], None], "refused")
        yield Trial("a text", "text", "refused")


FOUND = texts(6)().value
classifier = kept(lambda: BertClassifier(2, recipe=RECIPE, max_tokens=16).fit(FOUND, Y, (FOUND, Y)))
words_model = kept(lambda: tfidf.TfidfClassifier(min_df=1).fit(FOUND, Y, (FOUND, Y)))
bert = kept(lambda: Encoder.load(max_tokens=16))
film_texts = kept(lambda: taste.FilmTexts(texts(N_ITEMS)().value))
SLATES = [Slate("likes a", ("film a", "film b")), Slate("likes b", ("film b", "part c", "a"))]
CLICKED = [np.array([True, False]), np.array([False, True, True])]
RENTALS = world(600)


def built() -> torch.nn.Module:
    return BertClassifier(2).build().model_


def tokens() -> list[dict[str, list[int]]]:
    return [{"input_ids": [2, 5, 3], "token_type_ids": [0, 0, 0]}, {"input_ids": [2, 3], "token_type_ids": [0, 0]}]


def few() -> FewShot:
    rng = np.random.default_rng(0)
    items = np.stack([rng.permutation(N_ITEMS)[:4] for _ in range(20)])
    return FewShot(np.arange(20), np.arange(20.0), items, rng.integers(0, 2, (20, 4)))


def line() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Linear(2, 1)


def learn(model: torch.nn.Module, rows: np.ndarray) -> torch.Tensor:
    return (model(torch.ones(len(rows), 2)) - 1).square().mean()


def probabilities(n: int, seed: int = 0) -> Callable[[], Numbers]:
    rows = np.random.default_rng(seed).random((n, 2))
    return lambda: Numbers(rows / rows.sum(axis=1, keepdims=True))


FINE_TUNED = {
    "frozen_layers": lambda: Knob(1),
    "max_tokens": lambda: Knob(16),
    "n_classes": lambda: Knob(2, dear=True),
    "recipe": lambda: RECIPE,
    "head_recipe": lambda: RECIPE,
    "batch_size": lambda: Knob(3, dear=True),
    "BertClassifier.targets": lambda: Labels(Y, 2),
    "BertClassifier.weights": lambda: Numbers(np.array([1.0, 2.0])),
    "BertRegressor.targets": lambda: Numbers(np.array([1.0, 2, 3, 1, 2, 3])),
    "BertRegressor.valid": lambda: (FOUND, [1.0, 2, 3, 1, 2, 3]),
    "valid": lambda: (FOUND, Y),
    "BertSlates.texts": lambda: Objects(SLATES),
    "slates": lambda: Objects(SLATES),
    "BertSlates.targets": lambda: Fixed(CLICKED),
    "BertSlates.valid": lambda: (SLATES, CLICKED),
    "DistilledClassifier.share": lambda: Knob(0.5),
    "teacher": classifier,
    "layers": lambda: Ids(np.array([0, 1]), 2),
}
PANTRY: Pantry = COMMON | FINE_TUNED | {
    "texts": texts(6),
    "text": lambda: Fixed("a lovely film"),
    "titles": texts(N_ITEMS),
    "metric": lambda: Choice("auc"),
    "item_texts": texts(N_ITEMS),
    "labels": lambda: Labels(Y, 2),
    "targets": lambda: Fixed(Numbers(np.arange(6.0)).value),
    "classifier": words_model,
    "encoder": bert,
    "model": kept(built),
    "what": lambda: "labels",
    **{f"{name}.texts": lambda: Fixed(FOUND) for name in ("checked_labels", "checked_targets")},
    # adapters
    "method": lambda: "lora",
    "size": lambda: Knob(2, dear=True),
    "adapter.steps": lambda: Knob(20, dear=True),
    "examples": lambda: Knob(5, dear=True),
    "bottleneck.model": lambda: Made(built),
    "m": lambda: Knob(2, dear=True),
    "load_small.model": lambda: Made(built),
    "part": lambda: Fixed(adapt.small_part(built())),
    # clicks and slates
    **{f"{name}_examples.targets": lambda: Rows(split().test) for name in ("click", "slate")},
    "ratings": lambda: Rows(interactions()),
    "profile_text.titles": texts(3),
    "profile_text.items": lambda: Ids(np.array([0, 1, 2]), 3),
    "profile_text.past": lambda: Knob(3),
    "profile_text.ratings": lambda: Numbers(np.array([4.0, 2.0, 5.0])),
    "min_history": lambda: Knob(1),
    "past": lambda: Knob(2),
    "slate_examples.size": lambda: Knob(1),
    **{f"LikeMeans.{name}": lambda: Numbers(np.array([0, 1, 2, 0, 1, 2])) for name in ("user", "item")},
    "label": lambda: Labels(Y, 2),
    "Slate.profile": lambda: "likes a",
    "Slate.items": lambda: Texts(["a film", "a part"], words=True),
    "predicted": lambda: Fixed([(np.array([0, 1, 2]), np.array([-1, 0, 1]))]),
    "clicked": lambda: Fixed([np.array([True, False])]),
    # smaller models
    **{f"{name}.classifier": classifier for name in ("head_importance", "attention_rollout")},
    "student": lambda: Fixed(torch.eye(3, 2)),
    "soft_target_loss.teacher": lambda: Fixed(torch.ones(3, 2)),
    "without_small_weights.share": lambda: Knob(0.5),
    "importance": lambda: Numbers(np.array([[1.0, 2, 3], [3, 1, 2]])),
    "heads": lambda: Fixed({0: [1]}),
    "calls": lambda: Fixed({"length": len}),
    "texts_per_second.texts": lambda: Fixed(FOUND),
    "rounds": lambda: Knob(2, dear=True),
    "S": numbers(4, 6),
    "full": numbers(4, 6, seed=1),
    "overlap.k": lambda: Knob(3),
    # contrasts, costs
    "E": lambda: Fixed(torch.eye(3)),
    "W": lambda: Fixed(torch.ones(3, 3)),
    "temperature": lambda: Knob(0.5),
    "ContrastiveTuner.texts": texts(N_ITEMS),
    "ContrastiveTuner.W": lambda: Numbers(np.ones((N_ITEMS, N_ITEMS))),
    "held": lambda: Fixed(()),
    "training_cost.classifier": lambda: Made(lambda: BertClassifier(2, recipe=Recipe(batch_size=2))),
    "training_cost.steps": lambda: Fixed(1),  # with 0 the speed is NaN, as it says
    # encoders
    "Encoder.model": lambda: Fixed(bert().value.model),
    "Encoder.tokenizer": lambda: Fixed(bert().value.tokenizer),
    "Encoder.name": lambda: "minilm",
    "checked_length.model": lambda: Fixed(bert().value.model),
    "lengths": lambda: Numbers(np.array([9.0, 7, 7, 2])),
    "batch_starts.tokens": lambda: Knob(16),
    "key": lambda: b"walk",
    "dimension": lambda: Knob(2, dear=True),
    "compute": lambda: Fixed(lambda texts: [[len(text), 1.0] for text in texts]),
    # explanations
    "occlusion.c": lambda: OneId(1, 2),
    "attentions": lambda: Numbers(np.full((2, 2, 3, 3), 1 / 3)),
    "top": lambda: Knob(1),
    "deletion_curves.weights": lambda: Fixed({"length": [np.arange(6.0)] * 6}),
    "deletion_curves.k": lambda: Knob(2),
    "n_random": lambda: Knob(2, dear=True),
    "a": numbers(5),
    "b": numbers(5, seed=1),
    "before": lambda: Numbers(np.array([0.3, 0.7])),
    "after": probabilities(3),
    "weakest_edit.y": lambda: OneId(1, 2),
    "edits": lambda: Fixed([[f"{text}s"] for text in FOUND]),
    # few examples
    "FewShot.user": lambda: Numbers(few().user),
    "FewShot.time": lambda: Numbers(few().time),
    "FewShot.items": lambda: Numbers(few().items),
    "FewShot.liked": lambda: Numbers(few().liked),
    "FewShot.take.rows": lambda: Ids(np.array([0, 3, 5]), 20),
    "above": lambda: Knob(3.0),
    **{name: lambda: Fixed(few()) for name in ("all_examples", "shots", "of")},
    "last": lambda: Knob(20),
    "scores": numbers(20),
    "class_weights.labels": lambda: Numbers(Y),
    # parts of a BERT
    **{f"{name}.layers": lambda: Knob(1) for name in ("freeze", "checked_layers", "upper_part", "lower_outputs")},
    "freeze.model": lambda: Made(built),
    "lower_outputs.tokens": lambda: Fixed(tokens()),
    "pad": lambda: Fixed(lambda rows: BertClassifier(2).build()._pad(rows)),
    "outputs": lambda: Fixed([torch.ones(2, 3), torch.ones(1, 3)]),
    # hidden words
    "ids": lambda: Numbers(np.array([2, 5, 7, 9, 3])),
    "special": lambda: Fixed(np.array([True, False, False, False, True])),
    "mask_id": lambda: Knob(4),
    "words": lambda: Numbers(np.array([5, 6, 7])),
    "mask_tokens.share": lambda: Knob(0.5),
    "MaskedLanguageModel.encoder": lambda: "minilm",
    "MaskedLanguageModel.valid": texts(4),
    "MaskedLanguageModel.text": lambda: "a [MASK] film",
    # labels that a model gives itself
    "P": probabilities(5),
    "threshold": lambda: Knob(0.5),
    "quotas": lambda: Numbers(np.array([1, 2])),
    # rentals
    "known": lambda: Fixed(RENTALS),
    **{f"{name}.targets": lambda: Fixed(RENTALS.tail(200)) for name in ("counts_before", "rental_examples")},
    "columns": lambda: Texts(["item", "user"], words=True),
    "counts": lambda: Numbers(np.array([[1.0, 2, 3], [0, 0, 0]])),
    "prior": lambda: Numbers(np.array([0.2, 0.5, 0.3])),
    "shares.k": lambda: Knob(5.0),
    # text and taste
    "v": lambda: taste.Variances(),
    **{f"Variances.{name}": lambda: Knob(0.02) for name in ("text", "user")},
    "user_part.p": lambda: Knob(3, dear=True),
    "FilmTexts.encoder": lambda: "minilm",
    "FilmTexts.texts": texts(N_ITEMS),
    "end": lambda: Fixed(film_texts().value.end),
    "films": lambda: Ids(np.array([0, 4, 8]), N_ITEMS),
    "TextAndTaste.texts": film_texts,
    "rank": lambda: Knob(2, dear=True),
    # TF-IDF
    "C_grid": lambda: Numbers(np.array([0.1, 1.0])),
    "penalties": lambda: Numbers(np.array([0.1, 1.0])),
    "TfidfRegressor.targets": lambda: Numbers(np.array([1.0, 2, 3, 1, 2, 3])),
    "TfidfRegressor.valid": lambda: (FOUND, [1.0, 2, 3, 1, 2, 3]),
    "vocabularies.min_df": lambda: Knob(1),
    "vectorizers": lambda: Fixed(tfidf.vocabularies(FOUND, 1)),
    "without.rows": lambda: {0},
    # training
    "micro_batch": lambda: Knob(2, dear=True),
    "step": lambda: Knob(1),
    "train.model": lambda: Made(line),
    "loss": lambda: Fixed(learn),
}  # fmt: skip
HELD = {
    "FineTuned",  # what the others are made of
    "ClickExamples", "RentalExamples", "SlateExamples", "Parts", "Cost", "Trained",
}  # fmt: skip


@pytest.mark.parametrize("target", targets(text, HELD), ids=str)
def test_every_parameter(target: Target) -> None:
    check(target, PANTRY, varies=["compress.texts_per_second", "cost.training_cost"])
