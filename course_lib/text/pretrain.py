"""Domain pre-training: BERT guesses hidden words of the course's own texts, without any label.

Of the tokens of a text, 15 % are chosen. Of these, 80 % become [MASK], 10 % a random token, 10 % stay; the model has
to name the original of every chosen one (Devlin et al. 2019, section 3.1). With the hidden vector h_t of a chosen
place, the word vectors E (30,522, d) and a bias b:

    g_t = LayerNorm(gelu(A h_t + a)),   p(word | t) = softmax(E g_t + b),   L = mean over chosen t of -log p(original)

E is the matrix that also reads the words ("tied"), and stays as it is. A and b form the head. An encoder made for
sentence vectors, such as MiniLM here, was published without one: its head starts from random numbers, and what it
guesses first is noise. So it learns in two steps: the head alone on the encoder as it is, which shows what the encoder
knew before, and then the upper layers with it, which shows what the domain adds.
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
import pandas as pd
import torch
from torch import nn
from transformers import BatchEncoding, BertForMaskedLM

from course_lib import inputs
from course_lib.errors import CourseError
from course_lib.text.encoder import Encoder, checked_length, load_tokenizer, quiet, weights_folder
from course_lib.text.frozen import bottom_up, freeze, lower_outputs, pad_outputs, upper_part
from course_lib.text.training import Progress, Recipe, Trained, checked_scores, seeded, train

IGNORED = -100  # the label of a token that was not chosen
HEAD_RECIPE = Recipe(epochs=3, batch_size=32, learning_rate=2e-3, patience=3)
RECIPE = Recipe(epochs=1, batch_size=32, learning_rate=2e-4)


def mask_tokens(
    ids: np.ndarray, special: np.ndarray, mask_id: int, words: np.ndarray, rng: np.random.Generator, share: float = 0.15
) -> tuple[np.ndarray, np.ndarray]:
    """What the model sees of the tokens ``ids`` (T,), and what it has to name: two arrays (T,).

    special: (T,) bool, [CLS] and [SEP], never chosen. words: numbers from which random tokens are drawn. The labels
    are the originals at the chosen places, else -100. At least one token is chosen if any may be. share: 0 to 1.
    """
    share, special = inputs.number("share", share, at_least=0, at_most=1), np.asarray(special)
    most, mask_id = np.iinfo(np.int64).max, inputs.whole("mask_id", mask_id)
    ids, words = inputs.ids("tokens", ids, most), inputs.ids("words", words, most)
    if not len(words):
        raise CourseError("There is no word to draw random tokens from: give at least one.")
    if np.shape(special) != np.shape(ids) or special.dtype != bool:
        raise CourseError(f"special is True or False for each of {np.shape(ids)} tokens; got {special.dtype}.")
    places = rng.permutation(np.flatnonzero(~special))
    chosen = places[: max(1, round(share * len(places)))]
    seen, labels = ids.copy(), np.full_like(ids, IGNORED)
    labels[chosen] = ids[chosen]
    fate = rng.random(len(chosen))
    seen[chosen[fate < 0.8]] = mask_id
    swapped = chosen[fate >= 0.9]
    seen[swapped] = rng.choice(words, len(swapped))
    return seen, labels


class MaskedLanguageModel:
    """BERT with a head for hidden words: ``fit`` on texts, ``score`` on others, then ``encoder_``.

    frozen_layers: how many lower layers keep their weights, at least 1, since the word vectors stay. head_recipe: for
    the head alone; recipe: for the head and the upper layers after it; one of no epochs skips its step. Masks are drawn
    once a text, from recipe.seed. max_tokens: from 3 to the model's positions (512). share: of the tokens
    to hide, 0 to 1.
    """

    def __init__(
        self,
        encoder: str = "minilm",
        *,
        head_recipe: Recipe = HEAD_RECIPE,
        recipe: Recipe = RECIPE,
        frozen_layers: int = 3,
        max_tokens: int = 64,
        share: float = 0.15,
        device: torch.device | str = "cpu",
    ):
        self.encoder, self.head_recipe, self.recipe, self.frozen_layers = encoder, head_recipe, recipe, frozen_layers
        self.max_tokens, self.device = inputs.whole("max_tokens", max_tokens, at_least=3), device
        self.share = inputs.number("share", share, at_least=0, at_most=1)

    def build(self) -> Self:
        """Load the encoder under a fresh head, without training."""
        self.tokenizer_ = load_tokenizer(self.encoder)
        with quiet(), seeded(self.recipe.seed):
            model: nn.Module = BertForMaskedLM.from_pretrained(
                weights_folder(self.encoder),
                hidden_dropout_prob=0.0,
                attention_probs_dropout_prob=0.0,
                local_files_only=True,
            )
        self.model_ = model.to(self.device).eval()
        self._body = self.model_.get_submodule("bert")
        layers = len(bottom_up(self.model_)) - 1
        checked_length(self.max_tokens, self.model_)
        if not 1 <= inputs.whole("frozen_layers", self.frozen_layers) < layers:
            raise CourseError(f"frozen_layers is from 1 to {layers - 1} for hidden words; got {self.frozen_layers}.")
        return self

    def fit(self, texts: Sequence[str], valid: Sequence[str], progress: Progress | None = None) -> Self:
        """Train on ``texts``; after each epoch guess the hidden words of ``valid``.

        Leaves ``history_``: one row an epoch with stage ("head" or "layers"), loss, accuracy, valid_loss, seconds;
        its row 0 is the head before training. Both stages end with their best epoch on ``valid``.
        """
        texts, valid = inputs.texts("Texts", texts, empty=True), inputs.texts("valid", valid, empty=True)
        self.build()
        tokens, valid_tokens = self._masked(texts), self._masked(valid)
        rows = [pd.DataFrame([{"stage": "untrained"} | self._judge(self.model_, 0, valid_tokens)])]
        every = len(bottom_up(self.model_)) - 1
        for stage, layers, recipe in (("head", every, self.head_recipe), ("layers", self.frozen_layers, self.recipe)):
            if recipe.epochs:
                history = self._train(layers, recipe, tokens, valid_tokens, progress).history
                rows.append(history.reset_index(drop=True).assign(stage=stage))
        self.history_ = pd.concat(rows, ignore_index=True)
        return self

    @property
    def encoder_(self) -> Encoder:
        """The encoder as it is now, for `Encoder.encode`."""
        self._fitted()
        return Encoder(self.encoder, self._body.eval(), self.tokenizer_, self.max_tokens)  # type: ignore[arg-type]

    def score(self, texts: Sequence[str]) -> dict[str, float]:
        """accuracy: share of the hidden words of ``texts`` named right at once; valid_loss: mean -log p, in nats."""
        return checked_scores(self._judge(self._fitted(), 0, self._masked(texts)), "at the end")

    def guess(self, text: str, n: int = 5) -> list[list[tuple[str, float]]]:
        """For each [MASK] in ``text`` the ``n`` likeliest tokens and their probabilities. n: 1 to the tokens known."""
        model, (text,) = self._fitted(), inputs.texts("text", [text])
        n = inputs.whole("n", n, at_least=1, at_most=len(self.tokenizer_))
        batch = self.tokenizer_([text], truncation=True, max_length=self.max_tokens, return_tensors="pt")
        with torch.inference_mode():
            p = model(**batch.to(self.device)).logits[0].softmax(-1)  # (T, words)
        inputs.all_finite("The model's guesses", p.cpu().numpy())
        found = p[batch["input_ids"][0] == self.tokenizer_.mask_token_id].topk(n)
        return [
            [(str(self.tokenizer_.decode([int(word)])).strip(), float(share)) for word, share in zip(i, v, strict=True)]
            for v, i in zip(found.values.cpu(), found.indices.cpu(), strict=True)
        ]

    def _fitted(self) -> nn.Module:
        if not hasattr(self, "model_"):
            raise CourseError("This MaskedLanguageModel has not been fitted yet: call fit, or build, first.")
        return self.model_

    def _train(
        self, layers: int, recipe: Recipe, tokens: list[dict], valid_tokens: list[dict], progress: Progress | None
    ) -> Trained:
        """Train the head and what lies above ``layers`` on texts whose lower part runs once."""
        self.model_.requires_grad_(True)
        freeze(self.model_, layers)
        lower, valid_lower = (lower_outputs(self.model_, layers, some, self._pad) for some in (tokens, valid_tokens))
        upper = upper_part(self.model_, layers)
        with seeded(recipe.seed, self.device):
            return train(
                upper,
                lambda model, rows: self._loss(model, [lower[i] for i in rows], [tokens[i] for i in rows])[0],
                np.array([len(t["input_ids"]) for t in tokens]),
                recipe,
                validate=lambda model: self._judge(model, layers, valid_tokens, valid_lower),
                progress=progress,
                device=self.device,
            )

    def _loss(
        self, upper: nn.Module, lower: list[torch.Tensor], tokens: list[dict]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean loss over the chosen places of some texts, and their hits (n_chosen,)."""
        labels = nn.utils.rnn.pad_sequence([t["labels"] for t in tokens], True, IGNORED).to(self.device)  # (B, T)
        hidden = upper.get_submodule("bert")(**pad_outputs(lower)).last_hidden_state  # (B, T, d)
        chosen = labels != IGNORED
        logits = upper.get_submodule("cls")(hidden[chosen]).float()  # (n_chosen, words): the head's cost, so no others
        return nn.functional.cross_entropy(logits, labels[chosen]), logits.argmax(1) == labels[chosen]

    def _judge(
        self, model: nn.Module, layers: int, tokens: list[dict], lower: list[torch.Tensor] | None = None, size: int = 64
    ) -> dict[str, float]:
        model.eval()
        if lower is None:
            lower = lower_outputs(self.model_, layers, tokens, self._pad)
            model = upper_part(self.model_, layers)
        total, hits = 0.0, []
        with torch.inference_mode():
            for start in range(0, len(tokens), size):
                loss, hit = self._loss(model, lower[start : start + size], tokens[start : start + size])
                total += float(loss) * len(hit)
                hits.append(hit.cpu().numpy())
        found = np.concatenate(hits)
        return {"accuracy": float(found.mean()), "valid_loss": total / len(found)}

    def _masked(self, texts: Sequence[str]) -> list[dict]:
        """Each text's tokens as the model sees them, and its labels; a text without a word is left out."""
        texts = inputs.texts("Texts", texts, empty=True)
        tokenizer, rng = self.tokenizer_, np.random.default_rng(self.recipe.seed)
        special = set(tokenizer.all_special_ids)
        words = np.array(sorted(set(range(len(tokenizer))) - special))
        masked = []
        for ids in tokenizer(texts, truncation=True, max_length=self.max_tokens)["input_ids"] if texts else []:
            is_special = np.isin(ids, list(special))
            if not is_special.all():
                mask_id = int(tokenizer.mask_token_id)
                seen, labels = mask_tokens(np.array(ids), is_special, mask_id, words, rng, self.share)
                masked.append({"input_ids": seen.tolist(), "labels": torch.as_tensor(labels)})
        if not masked:
            raise CourseError("There is no word to hide: give texts that are not empty.")
        return masked

    def _pad(self, tokens: list[dict]) -> BatchEncoding:
        rows = [{"input_ids": t["input_ids"]} for t in tokens]
        return self.tokenizer_.pad(rows, return_tensors="pt").to(self.device)
