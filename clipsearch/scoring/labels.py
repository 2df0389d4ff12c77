"""Which labels of a set fit a picture.

The cosine alone does not say: some labels lie near to every picture ("hubs"), and all texts of a model lie together on
one side. Both are taken out, so far as that can be known; how surely a label fits is told by what is left, as for the
words of a query (`clipsearch.scoring.relevance`).
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
    relevance_of,
)
from clipsearch.types import LabelHit
from clipsearch.vectors import normalise

# What a label scores on pictures that it does not fit: those for which this share of all texts scores higher. The
# mean over all pictures would punish "dog" where dogs are all there is.
_FITTING = 0.4

# Of that, so much is taken off the score: all of it is too much for labels of which pictures there are many.
_STRENGTH = 0.75

# Pictures whose scores stand against those, so that very few change little. With real CLIP ViT-B/32 the scores of one
# label spread 1.6 times as far over pictures as the labels' means do over labels, squared.
_PRIOR_PICTURES = 3

# Spreads by which a label must lie higher than the words of a query: all labels of a set are asked of each picture.
# `python -m tests.benchmarks.labels` measures it.
_STRICTER = 0.4

# Pictures of the catalog from which levels and shares are learnt.
_LEVEL_ROWS = 256

# Pictures at once: with 1,200 labels some megabytes.
_BATCH = 1_024


@dataclass(frozen=True, slots=True)
class LabelSpace:
    """A set of labels, ready to be compared with pictures.

    Attributes:
        labels: n of them.
        embeddings: (n, dim) unit-norm.
        compared: (n + m, dim) the same, and those of the m texts of a bank, without what all of them share.
        offsets: (n + m,) what is taken off each score.
        logit_scale: see `Bank`.
        level: of the bank's scores above a picture's own level.
        share: of the catalog's pictures that a label of the set fits, on average.
    """

    labels: tuple[str, ...]
    embeddings: NDArray[np.float32]
    compared: NDArray[np.float32]
    offsets: NDArray[np.float32]
    logit_scale: float
    level: Level
    share: float

    def relevances(self, images: NDArray[np.float32]) -> NDArray[np.float64]:
        """images (p, dim) unit-norm → (p, n) from 0 to 1: how surely a label fits. A label's order for one picture is
        that of its score less its offset."""
        margins, _ = _margins(images, self.compared, self.offsets, len(self.labels), self.logit_scale)
        spreads = (margins.astype(np.float64) - self.level.location) / self.level.spread
        return relevance_of(
            evidence_of(spreads, self.level.reach + _STRICTER) + math.log(self.share / (1 - self.share))
        )

    def scores(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """images (p, dim) → (p, n) by which labels are ordered; for means of unit-norm rows too."""
        count = len(self.labels)
        return np.asarray(images @ self.compared[:count].T - self.offsets[:count])

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
    labels: Sequence[str], embeddings: NDArray[np.float32], *, bank: Bank, pictures: NDArray[np.float32]
) -> LabelSpace:
    """
    Args:
        embeddings: (n, dim) unit-norm, of the labels.
        pictures: (p, dim) unit-norm, of any pictures; there may be none.
    """
    texts = np.concatenate((embeddings, bank.embeddings))
    shared = texts.mean(axis=0)
    # Taken out in proportion to how much of the texts it is: 0.3 of unit length for the starter, 0.86 for CLIP.
    compared = normalise(texts - np.linalg.norm(shared) * shared)
    offsets = _offsets(pictures @ compared.T)
    some = pictures[:: max(1, len(pictures) // _LEVEL_ROWS)]
    own, of_bank = _margins(some, compared, offsets, len(labels), bank.logit_scale)
    level = learn_words_level(of_bank, bank.logit_scale)
    spreads = (own.astype(np.float64) - level.location) / level.spread
    _, shares = fit_shares(spreads, level.reach + _STRICTER, is_level_known=True)
    return LabelSpace(tuple(labels), embeddings, compared, offsets, bank.logit_scale, level, share=float(shares.mean()))


def _margins(
    images: NDArray[np.float32],
    compared: NDArray[np.float32],
    offsets: NDArray[np.float32],
    count: int,
    logit_scale: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How far the `count` labels (p, n), and the texts of the bank (p, m), score above each picture's own level."""
    scores = images @ compared.T - offsets
    own_levels = own_levels_from(scores[:, count:], logit_scale)[:, np.newaxis]
    return scores[:, :count] - own_levels, scores[:, count:] - own_levels


def _offsets(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """scores (p, n) of pictures and texts → (n,): how far a text scores higher than others on what it does not fit."""
    count = scores.shape[1]
    fitting = max(1, int(_FITTING * count))
    least = -np.partition(-scores, fitting - 1, axis=1)[:, fitting - 1 : fitting]
    is_background = scores < least
    above = np.where(is_background, scores - scores.mean(axis=1, keepdims=True), 0).sum(axis=0)
    return np.asarray(_STRENGTH * above / (is_background.sum(axis=0) + _PRIOR_PICTURES), dtype=np.float32)
