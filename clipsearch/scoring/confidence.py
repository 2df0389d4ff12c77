"""Calibrate the relevance threshold that bounds how many queries without an answer get a hit.

Split conformal prediction: the texts of the bank are the calibration set, run as queries; the nonconformity score of
each is the relevance of its best picture. A query that is exchangeable with them and has no answer exceeds a share c of
them with a probability of at most 1 - c; calibration texts that do have an answer only raise the threshold. Names and
whole captions are calibrated separately and the stricter threshold counts, as the category of a query is unknown.
Source: Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005, chapter 4 (conditional on a
category), and Papadopoulos et al., "Inductive Confidence Machines for Regression", ECML 2002 (split).
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from clipsearch.data import caption_count
from clipsearch.errors import QueryError
from clipsearch.indexes.base import VectorIndex
from clipsearch.scoring.number_cache import cache_numbers, read_numbers
from clipsearch.scoring.relevance import Background

# Calibration texts of each kind: the standard error of a rate of one in ten is 0.017.
_TEXTS = 300

# Nearest pictures compared for each text: the most relevant one is hardly ever further down.
_NEAREST = 8

# Part of the cache key: change it whenever the calibration changes, so that cached numbers are invalidated.
_CALIBRATION = "conformal 1"

Fetch = Callable[[Sequence[int]], Mapping[int, NDArray[np.float32]]]
"""Function that returns embeddings (dim,) by id."""


@dataclass(frozen=True, slots=True)
class BestRelevances:
    """Relevance of the best picture of a catalog for each calibration text.

    Attributes:
        captions, names: for the texts of each kind, ascending.
    """

    captions: tuple[float, ...]
    names: tuple[float, ...]

    def cutoff(self, confidence: float) -> float:
        """Return the relevance threshold at which at most 1 - confidence of the queries without an answer have a hit.

        Raises:
            QueryError: the confidence is not above 0 and below 1, or higher than this number of texts can support.
        """
        if not 0 < confidence < 1:
            raise QueryError(f"confidence must be between 0 and 1, such as 0.9, not {confidence:g}")
        return max(_quantile(self.captions, confidence), _quantile(self.names, confidence))


def _quantile(best: Sequence[float], confidence: float) -> float:
    # A text exchangeable with these n exceeds the k-th smallest with a probability of at most 1 - k / (n + 1).
    rank = math.ceil(confidence * (len(best) + 1) - 1e-9)
    if rank > len(best):
        most = math.floor(1000 * len(best) / (len(best) + 1)) / 1000
        raise QueryError(f"a confidence of {confidence:g} can't be calibrated here: use at most {most:g}")
    return float(np.nextafter(best[rank - 1], 2.0))


def learn_best_relevances(background: Background, index: VectorIndex, fetch: Fetch) -> BestRelevances:
    """Run the texts of the bank as queries; the result is cached on disk until the catalog changes."""
    digest = blake3(background.sample.tobytes())
    digest.update(background.bank.embeddings.tobytes())
    digest.update(json.dumps([_CALIBRATION, index.count]).encode())
    name = digest.hexdigest()[:32]
    captions = caption_count()
    rows = [_spread_over(0, captions), _spread_over(captions, len(background.bank.embeddings))]
    known = read_numbers("confidence", name)
    if known is not None and len(known) == sum(map(len, rows)) and all(0 <= number <= 1 for number in known):
        return BestRelevances(tuple(sorted(known[: len(rows[0])])), tuple(sorted(known[len(rows[0]) :])))
    found = _best_relevances(background, background.bank.embeddings[np.concatenate(rows)], index, fetch)
    cache_numbers("confidence", name, found)
    return BestRelevances(tuple(sorted(found[: len(rows[0])])), tuple(sorted(found[len(rows[0]) :])))


def _spread_over(first: int, last: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(first, last - 1, min(_TEXTS, last - first)).astype(np.int64))


def _best_relevances(
    background: Background, texts: NDArray[np.float32], index: VectorIndex, fetch: Fetch
) -> list[float]:
    directions = [background.direction([text], [1.0], are_words=[True]) for text in texts]
    scores, ids = index.search(np.stack([direction.embedding for direction in directions]), _NEAREST)
    if not ids.shape[1]:
        return [0.0] * len(texts)
    unique_ids, rows = np.unique(ids, return_inverse=True)
    levels = background.own_levels_of(unique_ids.tolist(), fetch)[rows].reshape(ids.shape)
    return [
        float(direction.relevances(row, own_levels).max())
        for direction, row, own_levels in zip(directions, scores, levels, strict=True)
    ]
