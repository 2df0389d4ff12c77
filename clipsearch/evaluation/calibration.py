"""Measure the calibration of relevances: reliability bins and best thresholds, accumulated in batches."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 10
"""Number of relevance bins, equally wide."""

LEAST_RELEVANCE = 0.05
"""Minimum relevance counted: nearly all pairs of query and picture are below it and would dominate the error."""

# Bins of the histogram over the range of cosines and of differences of two cosines: 3e-5 each.
_STEPS, _LOWEST, _HIGHEST = 1 << 17, -2.0, 2.0

Relevances = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Pairs of query and picture in one bin of relevance.

    Attributes:
        claimed: mean relevance.
        right: share of relevant pairs.
        pairs: number of pairs, at least one.
    """

    claimed: float
    right: float
    pairs: int


class Reliability:
    """Reliability diagram data: counts of pairs and of right ones in `BINS` bins, in constant memory."""

    def __init__(self) -> None:
        self._pairs = np.zeros(BINS, dtype=np.int64)
        self._right = np.zeros(BINS, dtype=np.int64)
        self._claimed = np.zeros(BINS)

    def add(self, relevances: Relevances, is_right: NDArray[np.bool_]) -> None:
        """Add pairs; both arrays have the same shape, relevances are from 0 to 1."""
        is_claimed = relevances >= LEAST_RELEVANCE
        claimed, right = relevances[is_claimed], is_right[is_claimed]
        places = np.minimum((claimed * BINS).astype(np.int64), BINS - 1)
        self._pairs += np.bincount(places, minlength=BINS)
        self._right += np.bincount(places[right], minlength=BINS)
        self._claimed += np.bincount(places, claimed, minlength=BINS)

    @property
    def bins(self) -> tuple[ReliabilityBin, ...]:
        """Bins from the least relevant to the most; empty ones are omitted."""
        rows = zip(self._claimed.tolist(), self._right.tolist(), self._pairs.tolist(), strict=True)
        return tuple(ReliabilityBin(claimed / pairs, right / pairs, pairs) for claimed, right, pairs in rows if pairs)


def calibration_error(bins: tuple[ReliabilityBin, ...]) -> float:
    """Return the expected calibration error, 0 to 1, weighted by pairs; 0 without any.

    Source: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", ICML 2017, equation 3.
    """
    return sum(each.pairs * abs(each.claimed - each.right) for each in bins) / max(1, sum(each.pairs for each in bins))


class ScoreHistogram:
    """Histogram of scores and of right ones, in bins of 3e-5, in constant memory."""

    def __init__(self) -> None:
        self._all = np.zeros(_STEPS, dtype=np.int64)
        self._right = np.zeros(_STEPS, dtype=np.int64)

    def add(self, scores: NDArray[np.floating], is_right: NDArray[np.bool_]) -> None:
        """Add scores; both arrays have the same shape, scores are from -2 to 2."""
        shares = (scores.astype(np.float64) - _LOWEST) / (_HIGHEST - _LOWEST)
        places = np.clip(shares * _STEPS, 0, _STEPS - 1).astype(np.int64)
        self._all += np.bincount(places.ravel(), minlength=_STEPS)
        self._right += np.bincount(places[is_right], minlength=_STEPS)

    def best_f1(self) -> float:
        """Return F1 at the single best threshold for all queries, 0 to 1; 0 when nothing is right."""
        found, right = (np.cumsum(counts[::-1]) for counts in (self._all, self._right))
        return float((2 * right / np.maximum(found + right[-1], 1)).max())
