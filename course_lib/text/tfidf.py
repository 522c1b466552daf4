"""The baseline beside every fine-tuned BERT: TF-IDF with a linear model, tuned on validation."""

from collections.abc import Sequence
from typing import Self, TypeVar

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge

from course_lib import inputs
from course_lib.errors import CourseError
from course_lib.evaluation.classification import SCORES, score
from course_lib.text.examples import Text, checked_labels, checked_targets, texts_or_pairs
from course_lib.text.words import halves


class TfidfClassifier:
    """Words and pairs of words, weighted by rarity, into a linear model. Same manners as `BertClassifier`.

    Of a pair of texts each half has its own vocabulary: "liked Heat" and "is Heat" are different facts. n_classes: C ≥
    2. ``C_grid``: strengths of regularisation, each > 0, of which the one with the best ``metric`` on validation is
    kept. balanced: classes weighted inversely to how common they are. min_df: texts that a word needs, ≥ 1.
    """

    def __init__(
        self,
        n_classes: int = 2,
        *,
        C_grid: Sequence[float] = (0.01, 0.1, 1.0, 10.0),
        metric: str = "macro_f1",
        balanced: bool = False,
        min_df: int = 2,
    ):
        self.n_classes = inputs.whole("n_classes", n_classes, at_least=2)
        self.C_grid, self.min_df = _grid("C_grid", C_grid), inputs.whole("min_df", min_df, at_least=1)
        self.metric, self.balanced = inputs.choice("metric", metric, SCORES), balanced

    def fit(self, texts: Sequence[Text], labels: np.ndarray, valid: tuple[Sequence[Text], np.ndarray]) -> Self:
        """The vocabulary and the weights come from ``texts`` (n,) alone; ``valid`` chooses C.

        labels: (n,) whole numbers from 0 to C - 1, of at least two classes.
        """
        texts, valid_texts = (texts_or_pairs("Texts", some) for some in (texts, valid[0]))
        labels = checked_labels("The train labels", labels, texts, self.n_classes)
        valid_labels = checked_labels("The validation labels", valid[1], valid_texts, self.n_classes)
        if len(np.unique(labels)) < 2:
            raise CourseError(f"All train labels are {labels[0]}: a classifier needs texts of two classes or more.")
        self.vectorizers_ = vocabularies(texts, self.min_df)
        X, valid_X = (features(self.vectorizers_, some) for some in (texts, valid_texts))
        best = -np.inf
        for C in self.C_grid:
            model = LogisticRegression(C=C, class_weight="balanced" if self.balanced else None, max_iter=2000)
            model.fit(X, labels)
            reached = score(self.metric, valid_labels, self._proba(model, valid_X))
            if reached > best:
                best, self.C_, self.model_ = reached, C, model
        return self

    def predict_proba(self, texts: Sequence[Text]) -> np.ndarray:
        """Probabilities of the classes, (n, C)."""
        return self._proba(_fitted(self).model_, features(self.vectorizers_, texts))

    def _proba(self, model: LogisticRegression, X: csr_matrix) -> np.ndarray:
        P = np.zeros((X.shape[0], self.n_classes))
        P[:, model.classes_] = model.predict_proba(X)  # a class that training never saw keeps probability 0
        return inputs.all_finite("The probabilities", P)


class TfidfRegressor:
    """Words and pairs of words into one number, such as stars: ridge regression, its penalty chosen on validation.

    penalties: each > 0. min_df: texts that a word needs, ≥ 1.
    """

    def __init__(self, *, penalties: Sequence[float] = (0.3, 1.0, 3.0, 10.0, 30.0), min_df: int = 2):
        self.penalties, self.min_df = _grid("penalties", penalties), inputs.whole("min_df", min_df, at_least=1)

    def fit(self, texts: Sequence[Text], targets: np.ndarray, valid: tuple[Sequence[Text], np.ndarray]) -> Self:
        """The vocabulary and the weights come from ``texts`` (n,) alone; ``valid`` chooses the penalty."""
        texts, valid_texts = (texts_or_pairs("Texts", some) for some in (texts, valid[0]))
        targets = checked_targets("The train targets", targets, texts)
        valid_targets = checked_targets("The validation targets", valid[1], valid_texts)
        self.vectorizers_ = vocabularies(texts, self.min_df)
        X, valid_X = (features(self.vectorizers_, some) for some in (texts, valid_texts))
        models = {a: Ridge(alpha=a).fit(X, targets) for a in self.penalties}
        misses = [
            inputs.all_finite("The predictions", model.predict(valid_X)) - valid_targets for model in models.values()
        ]
        self.penalty_ = list(models)[int(np.argmin([np.mean(miss**2) for miss in misses]))]
        self.model_, self.range_ = models[self.penalty_], (np.min(targets), np.max(targets))
        return self

    def predict(self, texts: Sequence[Text]) -> np.ndarray:
        """Predicted numbers, (n,), kept within the targets seen in training."""
        return np.clip(_fitted(self).model_.predict(features(self.vectorizers_, texts)), *self.range_)


def vocabularies(texts: Sequence[Text], min_df: int) -> list[TfidfVectorizer]:
    """One vectorizer for single texts, two for pairs, fitted on ``texts``. min_df: texts that a word needs, ≥ 1."""
    min_df, halves = inputs.whole("min_df", min_df, at_least=1), _halves(texts_or_pairs("Texts", texts))
    try:
        return [TfidfVectorizer(ngram_range=(1, 2), min_df=min_df, sublinear_tf=True).fit(half) for half in halves]
    except ValueError as error:  # an empty vocabulary
        raise CourseError(f"No word is in {min_df} of the texts: give more texts, or a smaller min_df.") from error


def features(vectorizers: Sequence[TfidfVectorizer], texts: Sequence[Text]) -> csr_matrix:
    """TF-IDF of ``texts``, (n, words), n ≥ 1; the halves of a pair side by side."""
    halves = _halves(texts_or_pairs("Texts", texts))
    if len(halves) != len(vectorizers):
        kinds = ("single texts", "pairs of texts")
        raise CourseError(f"The words were learned from {kinds[len(vectorizers) - 1]}; got {kinds[len(halves) - 1]}.")
    return hstack([v.transform(half) for v, half in zip(vectorizers, halves, strict=True)], format="csr")


def _halves(texts: Sequence[Text]) -> list[list[str]]:
    return [list(half) for half in zip(*map(halves, texts), strict=True)]


def _grid(name: str, values: Sequence[float]) -> list[float]:
    """The values to choose from, each above 0, at least one."""
    grid = [inputs.number(f"a value of {name}", value, above=0) for value in inputs.listed(name, values, "numbers")]
    if not grid:
        raise CourseError(f"{name} is empty: give a value or more to choose from.")
    return grid


Model = TypeVar("Model", "TfidfClassifier", "TfidfRegressor")


def _fitted(model: Model) -> Model:
    if not hasattr(model, "model_"):
        raise CourseError(f"This {type(model).__name__} has not been fitted yet: call fit before it predicts.")
    return model
