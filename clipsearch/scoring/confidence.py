"""How relevant a picture must be, so that few queries that nothing answers are given one.

Split conformal prediction: texts of the bank are asked, and how relevant the best picture of each is says what best
pictures come to. A query that is like them and has no answer does better than a share c of them with a chance of 1 - c
at most; those of them that have an answer only raise that bar. Names and whole captions are calibrated apart and the
stricter of the two counts, as nobody says which of them a query is like. Source: Vovk, Gammerman and Shafer,
"Algorithmic Learning in a Random World", 2005, chapter 4 (conditional on a category), and Papadopoulos et al.,
"Inductive Confidence Machines for Regression", ECML 2002 (split).
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
from clipsearch.scoring.number_cache import keep_numbers, read_numbers
from clipsearch.scoring.relevance import Background

# Texts asked of each kind: of one in ten they leave an error of 0.017.
_TEXTS = 300

# Pictures looked at for each of them, the nearest: the most relevant one is hardly ever further down.
_NEAREST = 8

# Another one whenever these numbers would come out otherwise.
_CALIBRATION = "conformal 1"

Fetch = Callable[[Sequence[int]], Mapping[int, NDArray[np.float32]]]
"""Embeddings (dim,) by id."""


@dataclass(frozen=True, slots=True)
class BestRelevances:
    """How relevant the most relevant picture of a catalog is.

    Attributes:
        captions, names: for texts of each kind, ascending.
    """

    captions: tuple[float, ...]
    names: tuple[float, ...]

    def cutoff(self, confidence: float) -> float:
        """The least relevance of a hit, so that of queries that nothing answers at most 1 - confidence have one.

        Raises:
            QueryError: it is not above 0 and below 1, or more than so few texts can tell.
        """
        if not 0 < confidence < 1:
            raise QueryError(f"confidence lies between 0 and 1, such as 0.9, got {confidence:g}")
        return max(_quantile(self.captions, confidence), _quantile(self.names, confidence))


def _quantile(best: Sequence[float], confidence: float) -> float:
    # A text that is like these n lies above the k-th of them with a chance of 1 - k / (n + 1) at most.
    rank = math.ceil(confidence * (len(best) + 1) - 1e-9)
    if rank > len(best):
        most = math.floor(1000 * len(best) / (len(best) + 1)) / 1000
        raise QueryError(f"a confidence of {confidence:g} is more than can be known here: at most {most:g}")
    return float(np.nextafter(best[rank - 1], 2.0))


def learn_best_relevances(background: Background, index: VectorIndex, fetch: Fetch) -> BestRelevances:
    """Ask a catalog the texts of the bank; kept in the cache folder for as long as the catalog stays as it is."""
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
    keep_numbers("confidence", name, found)
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
    different, places = np.unique(ids, return_inverse=True)
    levels = background.own_levels_of(different.tolist(), fetch)[places].reshape(ids.shape)
    return [
        float(direction.relevances(row, own).max())
        for direction, row, own in zip(directions, scores, levels, strict=True)
    ]
