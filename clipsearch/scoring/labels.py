"""Score the labels of a set for pictures: zero-shot classification with hubness correction.

The cosine alone does not tell: some labels are near every picture ("hubs"), and a model's texts lie in a narrow cone
away from the pictures (modality gap). Both effects are estimated and subtracted; the remaining margin is calibrated to
a relevance as for the words of a query (`clipsearch.scoring.relevance`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipsearch.scoring.bank import Bank
from clipsearch.scoring.relevance import (
    Level,
    evidence_of,
    fit_shares,
    learn_words_level,
    own_levels_from,
)
from clipsearch.types import LabelHit
from clipsearch.vectors import as_score, normalise, sigmoid

# A label's hubness is its score on pictures that it does not fit: those where this share of all texts scores higher.
# The mean over all pictures would penalise "dog" in a catalog of dogs.
_FITTING = 0.4

# Part of the hubness that is subtracted: all of it is too much for labels that fit many pictures.
_STRENGTH = 0.75

# Pseudo-count of the prior of 0, so that few pictures change little: with CLIP ViT-B/32 the variance of one label's
# scores over pictures is 1.6² times that of the label means.
_PRIOR_PICTURES = 3

# Spreads added to the reach of a query's words: all labels of a set are tried on each picture (multiple comparisons).
# `python -m tests.benchmarks.labels` measures it.
_STRICTER = 0.4

# Sample of the catalog's pictures from which levels and shares are learnt.
_LEVEL_ROWS = 256

# Pictures of a batch: with 1,200 labels some megabytes.
_BATCH = 1_024


@dataclass(frozen=True, slots=True)
class LabelSpace:
    """Calibrated set of labels, ready to be compared with pictures.

    Attributes:
        labels: the n labels.
        embeddings: (n, dim) unit-norm.
        compared: (n + m, dim) unit-norm, of the labels and of the m texts of a bank, their common mean removed.
        offsets: (n + m,) hubness that is subtracted from each score.
        logit_scale: see `Bank`.
        level: of the bank's scores above a picture's own level.
        share: mean share of the catalog's pictures that a label of the set fits.
    """

    labels: tuple[str, ...]
    embeddings: NDArray[np.float32]
    compared: NDArray[np.float32]
    offsets: NDArray[np.float32]
    logit_scale: float
    level: Level
    share: float

    def relevances(self, images: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return relevances (p, n) from 0 to 1 for images (p, dim) unit-norm.

        For one picture, the labels' order is that of their scores minus their offsets.
        """
        margins, _ = _margins(images, self.compared, self.offsets, len(self.labels), self.logit_scale)
        return self._calibrate(margins)

    def relevances_of_bank(self, images: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return relevances (p, r) for images (p, dim) unit-norm of texts of the bank, by their rows (r,) in it."""
        count = len(self.labels)
        _, margins = _margins(images, self.compared[count:], self.offsets[count:], 0, self.logit_scale)
        return self._calibrate(margins[:, rows])

    def _calibrate(self, margins: NDArray[np.float32]) -> NDArray[np.float64]:
        spreads = (margins.astype(np.float64) - self.level.location) / self.level.spread
        return sigmoid(evidence_of(spreads, self.level.reach + _STRICTER) + math.log(self.share / (1 - self.share)))

    def scores(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the scores (p, n) that order the labels, for images (p, dim) unit-norm or means of such rows."""
        count = len(self.labels)
        return np.asarray(images @ self.compared[:count].T - self.offsets[:count])

    def name(self, images: NDArray[np.float32], *, top_k: int, min_relevance: float = 0.0) -> list[list[LabelHit]]:
        """Return the most relevant labels of each image, best first, for images (p, dim) unit-norm."""
        return [
            hits
            for start in range(0, len(images), _BATCH)
            for hits in self._name(images[start : start + _BATCH], top_k, min_relevance)
        ]

    def _name(self, images: NDArray[np.float32], top_k: int, min_relevance: float) -> list[list[LabelHit]]:
        relevances = self.relevances(images)
        best = np.argsort(-relevances, axis=1, kind="stable")[:, :top_k]
        scores = np.einsum("pd,pkd->pk", images, self.embeddings[best])
        return [
            [
                LabelHit(
                    rank=rank, label=self.labels[column], score=as_score(score), relevance=float(relevance[column])
                )
                for rank, (column, score) in enumerate(zip(columns.tolist(), row, strict=True), start=1)
                if relevance[column] >= min_relevance
            ]
            for columns, row, relevance in zip(best, scores, relevances, strict=True)
        ]


def learn_labels(
    labels: Sequence[str], embeddings: NDArray[np.float32], *, bank: Bank, pictures: NDArray[np.float32]
) -> LabelSpace:
    """Calibrate a set of labels on a sample of pictures.

    Args:
        embeddings: (n, dim) unit-norm, of the labels.
        pictures: (p, dim) unit-norm, of any pictures; p may be 0.
    """
    texts = np.concatenate((embeddings, bank.embeddings))
    shared = texts.mean(axis=0)
    # Removed in proportion to its norm, its share of the texts: 0.3 for the starter, 0.86 for CLIP.
    compared = normalise(texts - np.linalg.norm(shared) * shared)
    offsets = _offsets(pictures @ compared.T)
    sample = pictures[:: max(1, len(pictures) // _LEVEL_ROWS)]
    label_margins, bank_margins = _margins(sample, compared, offsets, len(labels), bank.logit_scale)
    level = learn_words_level(bank_margins, bank.logit_scale)
    spreads = (label_margins.astype(np.float64) - level.location) / level.spread
    _, shares = fit_shares(spreads, level.reach + _STRICTER, is_level_known=True)
    return LabelSpace(tuple(labels), embeddings, compared, offsets, bank.logit_scale, level, share=float(shares.mean()))


def _margins(
    images: NDArray[np.float32],
    compared: NDArray[np.float32],
    offsets: NDArray[np.float32],
    count: int,
    logit_scale: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the margins above each picture's own level, of the `count` labels (p, n) and the bank's texts (p, m)."""
    scores = images @ compared.T - offsets
    own_levels = own_levels_from(scores[:, count:], logit_scale)[:, np.newaxis]
    return scores[:, :count] - own_levels, scores[:, count:] - own_levels


def _offsets(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the hubness (n,) of texts, from scores (p, n): how far each exceeds the others on pictures it misfits."""
    count = scores.shape[1]
    fitting = max(1, int(_FITTING * count))
    least = -np.partition(-scores, fitting - 1, axis=1)[:, fitting - 1 : fitting]
    is_background = scores < least
    above = np.where(is_background, scores - scores.mean(axis=1, keepdims=True), 0).sum(axis=0)
    return np.asarray(_STRENGTH * above / (is_background.sum(axis=0) + _PRIOR_PICTURES), dtype=np.float32)
