"""Which labels of a set fit a picture, and which stand out from the others.

The cosine alone does not say: some labels lie near to every picture ("hubs"), and all texts of a model lie together on
one side. Both are taken out, so far as that can be known, before labels are compared.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipsearch.types import LabelHit
from clipsearch.vectors import normalise

# What a label scores on pictures that it does not fit: those for which this share of all labels scores higher. The
# mean over all pictures would punish "dog" where dogs are all there is.
_FITTING = 0.4

# Of that, so much is taken off the score: all of it is too much for labels of which pictures there are many.
_STRENGTH = 0.75

# Pictures whose scores stand against those, so that very few change little. With real CLIP ViT-B/32 the scores of one
# label spread 1.6 times as far over pictures as the labels' means do over labels, squared.
_PRIOR_PICTURES = 3

# A standard deviation is so many median absolute deviations of a normal distribution.
_MAD = 1.4826

# Logistic, fitted with the starter model to 10 to 500 names of ImageNet's classes as labels, half of the pictures
# without one: the first label that was right, against the first one that was wrong.
_SLOPE, _INTERCEPT = 1.2, -1.6

# Pictures at once: with 1,200 labels some megabytes.
_BATCH = 1_024


@dataclass(frozen=True, slots=True)
class LabelSpace:
    """A set of labels, ready to be compared with pictures.

    Attributes:
        labels: n of them.
        embeddings: (n, dim) unit-norm.
        compared: (n + m, dim) the same, and those of m captions that have nothing to do with each other, without what
            all of them share.
        offsets: (n + m,) what is taken off each score.
    """

    labels: tuple[str, ...]
    embeddings: NDArray[np.float32]
    compared: NDArray[np.float32]
    offsets: NDArray[np.float32]

    def relevances(self, images: NDArray[np.float32]) -> NDArray[np.float64]:
        """images (p, dim) unit-norm → (p, n) from 0 to 1: how surely a label is more than the best of n that don't
        fit. A label's order for one picture is that of its score less its offset."""
        scores = self._compare(images)
        middle = np.median(scores, axis=1, keepdims=True)
        spread = _MAD * np.median(np.abs(scores - middle), axis=1, keepdims=True)
        count = len(self.labels)
        deviations = (scores[:, :count] - middle) / np.maximum(spread, np.finfo(np.float32).tiny)
        odds = _SLOPE * (deviations.astype(np.float64) - math.sqrt(2 * math.log(max(2, count)))) + _INTERCEPT
        return np.asarray(1 / (1 + np.exp(-np.clip(odds, -50, 50))))

    def scores(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """images (p, dim) → (p, n) by which labels are ordered; for means of unit-norm rows too."""
        return self._compare(images)[:, : len(self.labels)]

    def _compare(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(images @ self.compared.T - self.offsets)

    def name(self, images: NDArray[np.float32], *, top_k: int, min_relevance: float = 0.0) -> list[list[LabelHit]]:
        """images (p, dim) unit-norm → for each of them its labels, the most relevant first."""
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
                LabelHit(rank=rank, label=self.labels[column], score=float(score), relevance=float(relevance[column]))
                for rank, (column, score) in enumerate(zip(columns.tolist(), row, strict=True), start=1)
                if relevance[column] >= min_relevance
            ]
            for columns, row, relevance in zip(best, scores, relevances, strict=True)
        ]


def learn_labels(
    labels: Sequence[str],
    embeddings: NDArray[np.float32],
    *,
    captions: NDArray[np.float32],
    pictures: NDArray[np.float32],
) -> LabelSpace:
    """
    Args:
        embeddings: (n, dim) unit-norm, of the labels.
        captions: (m, dim) unit-norm, of captions that have nothing to do with each other.
        pictures: (p, dim) unit-norm, of any pictures; there may be none.
    """
    texts = np.concatenate((embeddings, captions))
    shared = texts.mean(axis=0)
    # Taken out in proportion to how much of the texts it is: 0.3 of unit length for the starter, 0.86 for CLIP.
    compared = normalise(texts - np.linalg.norm(shared) * shared)
    return LabelSpace(tuple(labels), embeddings, compared, _offsets(pictures @ compared.T))


def _offsets(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """scores (p, n) of pictures and texts → (n,): how far a text scores higher than others on what it does not fit."""
    count = scores.shape[1]
    fitting = max(1, int(_FITTING * count))
    least = -np.partition(-scores, fitting - 1, axis=1)[:, fitting - 1 : fitting]
    is_background = scores < least
    above = np.where(is_background, scores - scores.mean(axis=1, keepdims=True), 0).sum(axis=0)
    return np.asarray(_STRENGTH * above / (is_background.sum(axis=0) + _PRIOR_PICTURES), dtype=np.float32)
