"""The baseline beside every fine-tuned BERT: TF-IDF with a linear model, tuned on validation (lesson 02)."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge

from course_lib.evaluation.classification import score
from course_lib.text.fine_tune import Text


class TfidfClassifier:
    """Words and pairs of words, weighted by rarity, into a linear model. Same manners as `BertClassifier`.

    Of a pair of texts each half has its own vocabulary: "liked Heat" and "is Heat" are different facts. ``C_grid``:
    strengths of regularisation, of which the one with the best ``metric`` on validation is kept. balanced: classes
    weighted inversely to how common they are.
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
        self.n_classes, self.C_grid, self.metric, self.balanced, self.min_df = (
            n_classes,
            C_grid,
            metric,
            balanced,
            min_df,
        )

    def fit(self, texts: Sequence[Text], labels: np.ndarray, valid: tuple[Sequence[Text], np.ndarray]) -> Self:
        """The vocabulary and the weights come from ``texts`` (n,) alone; ``valid`` chooses C."""
        self.vectorizers_ = vocabularies(texts, self.min_df)
        X, valid_X = (features(self.vectorizers_, some) for some in (texts, valid[0]))
        best = -np.inf
        for C in self.C_grid:
            model = LogisticRegression(C=C, class_weight="balanced" if self.balanced else None, max_iter=2000)
            model.fit(X, labels)
            reached = score(self.metric, valid[1], self._proba(model, valid_X))
            if reached > best:
                best, self.C_, self.model_ = reached, C, model
        return self

    def predict_proba(self, texts: Sequence[Text]) -> np.ndarray:
        """Probabilities of the classes, (n, C)."""
        return self._proba(self.model_, features(self.vectorizers_, texts))

    def _proba(self, model: LogisticRegression, X: csr_matrix) -> np.ndarray:
        P = np.zeros((X.shape[0], self.n_classes))
        P[:, model.classes_] = model.predict_proba(X)  # a class that training never saw keeps probability 0
        return P


class TfidfRegressor:
    """Words and pairs of words into one number, such as stars: ridge regression, its penalty chosen on validation."""

    def __init__(self, *, penalties: Sequence[float] = (0.3, 1.0, 3.0, 10.0, 30.0), min_df: int = 2):
        self.penalties, self.min_df = penalties, min_df

    def fit(self, texts: Sequence[Text], targets: np.ndarray, valid: tuple[Sequence[Text], np.ndarray]) -> Self:
        """The vocabulary and the weights come from ``texts`` (n,) alone; ``valid`` chooses the penalty."""
        self.vectorizers_ = vocabularies(texts, self.min_df)
        X, valid_X = (features(self.vectorizers_, some) for some in (texts, valid[0]))
        models = {a: Ridge(alpha=a).fit(X, targets) for a in self.penalties}
        self.penalty_ = min(models, key=lambda a: float(np.mean((models[a].predict(valid_X) - valid[1]) ** 2)))
        self.model_, self.range_ = models[self.penalty_], (np.min(targets), np.max(targets))
        return self

    def predict(self, texts: Sequence[Text]) -> np.ndarray:
        """Predicted numbers, (n,), kept within the targets seen in training."""
        return np.clip(self.model_.predict(features(self.vectorizers_, texts)), *self.range_)


def vocabularies(texts: Sequence[Text], min_df: int) -> list[TfidfVectorizer]:
    """One vectorizer for single texts, two for pairs, fitted on ``texts``."""
    return [TfidfVectorizer(ngram_range=(1, 2), min_df=min_df, sublinear_tf=True).fit(half) for half in _halves(texts)]


def features(vectorizers: Sequence[TfidfVectorizer], texts: Sequence[Text]) -> csr_matrix:
    """TF-IDF of ``texts``, (n, words); the halves of a pair side by side."""
    return hstack([v.transform(half) for v, half in zip(vectorizers, _halves(texts), strict=True)], format="csr")


def _halves(texts: Sequence[Text]) -> list[list[str]]:
    return [list(half) for half in zip(*texts, strict=True)] if isinstance(texts[0], tuple) else [list(map(str, texts))]
