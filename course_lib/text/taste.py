"""Text and behaviour together, from few examples: a rating counts for all films that read alike.

Smoothed means pull a film's share of likes towards the average. Here it is pulled towards the films whose *texts* are
near, and the user's towards what they said of films near the target. This is a Gaussian process (Rasmussen & Williams
2006, chapters 2 and 5) over the ratings (e, j): film i at place j of example e, label l, average μ. With κ the cosine
of two films' centred text vectors, the covariance of two ratings is

    text κ(i, i') + film [i = i'] + [e = e'] (user ((1 - mood) + mood · fade^|j - j'|) + taste κ(i, i'))

and `noise` more of a rating with itself; together A. Prediction, and a rating's error if all *others* foretell it:

    p = μ + kᵀ A⁻¹ (l - μ),        l_n - p_n without n = [A⁻¹ (l - μ)]_n / [A⁻¹]_nn

The second, squared, is the loss that trains LoRA inside BERT: κ changes until ratings foretell each other better.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import pandas as pd
import torch
from torch import nn

from course_lib import inputs
from course_lib.errors import CourseError
from course_lib.text.encoder import Encoder
from course_lib.text.few_shot import FewShot
from course_lib.text.training import Progress, Recipe, seeded, train


@dataclass(frozen=True)
class Variances:
    """How much of a label's variance comes from where (see the head of the file); chosen on the validation part.

    noise: > 0; mood, fade: 0 to 1; all others ≥ 0.
    """

    text: float = 0.02
    film: float = 0.01
    user: float = 0.05
    mood: float = 0.5  # share of the user's part that changes with time …
    fade: float = 0.9  # … and how much of it is left one rating later
    taste: float = 0.04
    noise: float = 0.17

    def __post_init__(self) -> None:
        inputs.number("noise", self.noise, above=0)
        for name in ("mood", "fade"):
            inputs.number(name, getattr(self, name), at_least=0, at_most=1)
        for name in ("text", "film", "user", "taste"):
            inputs.number(name, getattr(self, name), at_least=0)


def alike(vectors: torch.Tensor) -> torch.Tensor:
    """κ (m, m): cosines of the vectors (m, d), made unit, after their mean is taken away."""
    unit = nn.functional.normalize(vectors, dim=1)
    centred = nn.functional.normalize(unit - unit.mean(0), dim=1)
    return centred @ centred.T


def covariance(K: torch.Tensor, items: torch.Tensor, v: Variances) -> torch.Tensor:
    """A (n p, n p) of the ratings of n examples with p films each. K (m, m): κ; items (n, p): rows of K."""
    n, p = items.shape
    i = items.ravel()
    k = K[i][:, i]
    same_film, same_example = i[:, None] == i[None], torch.eye(n).repeat_interleave(p, 0).repeat_interleave(p, 1)
    A = v.text * k + v.film * same_film + same_example * (v.taste * k + user_part(p, v).repeat(n, n))
    return A + v.noise * torch.eye(n * p)


def user_part(p: int, v: Variances) -> torch.Tensor:
    """(p, p): covariance of a user's ratings at places 0 … p - 1, whatever the films. p: ≥ 1."""
    p = inputs.COUNT("p", p)
    j = torch.arange(p, dtype=torch.float32)
    return v.user * ((1 - v.mood) + v.mood * v.fade ** (j[:, None] - j[None]).abs())


def left_out_errors(A: torch.Tensor, centred_labels: torch.Tensor) -> torch.Tensor:
    """(n p,): each rating minus its prediction from all others, in closed form. A: `covariance`; labels minus μ."""
    inverse = torch.linalg.inv(A)
    return inverse @ centred_labels / inverse.diagonal()


def predict(K: torch.Tensor, shots: FewShot, of: FewShot, v: Variances) -> np.ndarray:
    """(n,) predictions for the targets of ``of`` from the ratings of ``shots`` and from the past films of ``of``.

    K (n_items, n_items): κ. First the films, given the shots: mean m and covariance C. Then each example on its own.
    """
    K = torch.as_tensor(inputs.array("K", K, ndim=2), dtype=torch.float32)
    if K.shape[0] != K.shape[1]:
        raise CourseError(f"K holds the likeness of every two films, (n_items, n_items); got {tuple(K.shape)}.")
    for some in (shots, of):
        inputs.ids("films", some.items.ravel(), len(K))
    items, labels = torch.as_tensor(shots.items), torch.as_tensor(shots.liked, dtype=torch.float32)
    mu, i = labels.mean(), items.ravel()
    prior = v.text * K + v.film * torch.eye(len(K))
    factor = torch.linalg.cholesky(covariance(K, items, v))
    half = torch.linalg.solve_triangular(factor, prior[i], upper=False)  # (n p, n_items)
    residual = torch.linalg.solve_triangular(factor, (labels.ravel() - mu)[:, None], upper=False)
    m, G = mu + (half.T @ residual)[:, 0], prior - half.T @ half + v.taste * K
    H, t = torch.as_tensor(of.items[:, :-1]), torch.as_tensor(of.items[:, -1])
    U, p = user_part(of.items.shape[1], v), H.shape[1]
    A = G[H[:, :, None], H[:, None, :]] + U[:p, :p] + v.noise * torch.eye(p)  # (n, p, p)
    k = G[t[:, None], H] + U[p, :p]  # (n, p)
    said = torch.as_tensor(of.liked[:, :-1], dtype=torch.float32) - m[H]
    found = (m[t] + (k * torch.linalg.solve(A, said)).sum(1)).numpy()
    return inputs.all_finite("The predictions", found, "look for NaN in the films' vectors")


class FilmTexts:
    """Texts of all films, read once by a frozen BERT up to its last matrix W: what comes next is cheap to train.

    The last layer's end is LayerNorm(W f + h). f (T, 4 d) and h (T, d) of every token are kept, and `vectors` goes on
    from there with W as it is or adapted. batch_size: ≥ 1.
    """

    def __init__(self, texts: Sequence[str], encoder: str = "minilm", batch_size: int = 64):
        texts, batch_size = inputs.texts("Texts", texts, empty=True), inputs.whole("batch_size", batch_size, at_least=1)
        if not texts or not all(text.strip() for text in texts):
            raise CourseError("FilmTexts takes one text with at least a word for every film: write its title.")
        self.encoder = Encoder.load(encoder, max_tokens=64)
        tokenizer, model = self.encoder.tokenizer, self.encoder.model
        ids = tokenizer(texts, truncation=True, max_length=self.encoder.max_tokens)["input_ids"]
        self.kept: list[tuple[torch.Tensor, torch.Tensor]] = [(torch.empty(0), torch.empty(0))] * len(texts)
        seen: list[tuple[torch.Tensor, torch.Tensor]] = []
        hook = self.end.register_forward_pre_hook(lambda module, inputs: seen.append(inputs))
        order = np.argsort([-len(row) for row in ids], kind="stable")
        with torch.no_grad():
            for rows in np.split(order, range(batch_size, len(order), batch_size)):
                model(**tokenizer.pad({"input_ids": [ids[i] for i in rows]}, return_tensors="pt"))
                f, h = seen.pop()
                for i, one, other in zip(rows, f, h, strict=True):
                    self.kept[i] = one[: len(ids[i])].clone(), other[: len(ids[i])].clone()
        hook.remove()

    @cached_property
    def end(self) -> nn.Module:
        """The module LayerNorm(W f + h) of the last layer, without dropout."""
        end = self.encoder.model.get_submodule("encoder.layer")[-1].output  # type: ignore[index]
        end.dropout.p = 0.0
        return end.requires_grad_(False)

    def vectors(self, end: nn.Module, films: np.ndarray) -> torch.Tensor:
        """(len(films), d): the mean over each text's tokens, after ``end``. films: positions among the texts."""
        films = inputs.ids("films", films, len(self.kept))
        if not len(films):
            raise CourseError("There is no film to make a vector of: name at least one.")
        f, h = (torch.cat(part) for part in zip(*(self.kept[i] for i in films), strict=True))
        lengths = torch.tensor([len(self.kept[i][1]) for i in films])
        sums = torch.zeros(len(films), h.shape[1])
        sums = sums.index_add(0, torch.arange(len(films)).repeat_interleave(lengths), end(f, h))
        return sums / lengths[:, None]


class TextAndTaste:
    """The Gaussian process above, with LoRA of rank ``rank`` ≥ 0 in BERT's last matrix; 0: BERT as it came.

    Learned: W + (2 r / r) B A, with A: (r, 4 d) and B: (d, r) from 0. recipe: batches are of examples.
    """

    def __init__(
        self,
        texts: FilmTexts,
        rank: int = 8,
        recipe: Recipe = Recipe(epochs=5, learning_rate=1e-3),  # noqa: B008 (frozen)
        variances: Variances = Variances(),
    ):
        self.texts, self.recipe, self.variances = texts, recipe, variances
        self.rank = inputs.whole("rank", rank, at_least=0)

    def fit(self, shots: FewShot, progress: Progress | None = None) -> Self:
        """Train LoRA on the ratings of ``shots``, each foretold by the others; then keep κ of all films, ``K_``."""
        if not len(shots):
            raise CourseError("There is no example to learn from: draw at least one.")
        inputs.ids("films", shots.items.ravel(), len(self.texts.kept))
        end, self.shots_, self.trained_parameters_ = self.texts.end, shots, 0
        if self.rank:
            end = self._tune(shots, progress)
        with torch.no_grad():
            self.K_ = alike(self.texts.vectors(end, np.arange(len(self.texts.kept))))
        return self

    def scores(self, of: FewShot) -> np.ndarray:
        """(n,): higher means more likely liked. Reads the past labels of ``of``, never its targets' labels."""
        if not hasattr(self, "K_"):
            raise CourseError("This TextAndTaste has not been fitted yet: call fit before scores.")
        return predict(self.K_, self.shots_, of, self.variances)

    def _tune(self, shots: FewShot, progress: Progress | None) -> nn.Module:
        from peft import LoraConfig, get_peft_model  # here, since it takes its time

        labels = torch.as_tensor(shots.liked, dtype=torch.float32)

        def loss(model: nn.Module, rows: np.ndarray) -> torch.Tensor:
            films, place = np.unique(shots.items[rows], return_inverse=True)
            K = alike(self.texts.vectors(model, films))
            A = covariance(K, torch.as_tensor(place.reshape(len(rows), -1)), self.variances)
            return (left_out_errors(A, labels[rows].ravel() - labels.mean()) ** 2).mean()

        with seeded(self.recipe.seed):
            config = LoraConfig(r=self.rank, lora_alpha=2 * self.rank, target_modules=["dense"])
            model = get_peft_model(copy.deepcopy(self.texts.end), config)
            self.trained_parameters_ = sum(p.numel() for p in model.parameters() if p.requires_grad)
            self.trained_ = train(model, loss, np.ones(len(shots)), self.recipe, progress=progress)
        self.history_: pd.DataFrame = self.trained_.history
        return model
