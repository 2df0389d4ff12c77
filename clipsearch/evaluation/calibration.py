"""How far relevances keep what they claim: counted batch by batch, on arrays alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 10
"""Of relevance, equally wide."""

LEAST_RELEVANCE = 0.05
"""What is less relevant claims nothing: nearly all pairs of a query and a picture, which would hide the others."""

# Steps of the histogram, over the range of cosines and differences of two: 3e-5 each.
_STEPS, _LOWEST, _HIGHEST = 1 << 17, -2.0, 2.0

Relevances = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Pairs of a query and a picture that are about equally relevant.

    Attributes:
        claimed: their mean relevance.
        right: the share of them that is right.
        pairs: how many there are, at least one.
    """

    claimed: float
    right: float
    pairs: int


class Reliability:
    """Counts of relevances, and of those that are right, in `BINS` bins, however much is added."""

    def __init__(self) -> None:
        self._pairs = np.zeros(BINS, dtype=np.int64)
        self._right = np.zeros(BINS, dtype=np.int64)
        self._claimed = np.zeros(BINS)

    def add(self, relevances: Relevances, is_right: NDArray[np.bool_]) -> None:
        """Both of one shape; relevances from 0 to 1."""
        is_claimed = relevances >= LEAST_RELEVANCE
        claimed, right = relevances[is_claimed], is_right[is_claimed]
        places = np.minimum((claimed * BINS).astype(np.int64), BINS - 1)
        self._pairs += np.bincount(places, minlength=BINS)
        self._right += np.bincount(places[right], minlength=BINS)
        self._claimed += np.bincount(places, claimed, minlength=BINS)

    @property
    def bins(self) -> tuple[ReliabilityBin, ...]:
        """From the least relevant to the most; those without a pair are left out."""
        rows = zip(self._claimed.tolist(), self._right.tolist(), self._pairs.tolist(), strict=True)
        return tuple(ReliabilityBin(claimed / pairs, right / pairs, pairs) for claimed, right, pairs in rows if pairs)


def calibration_error(bins: tuple[ReliabilityBin, ...]) -> float:
    """The expected calibration error, 0 to 1: how far claim and share lie apart, over all pairs; 0 without any.

    Source: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", ICML 2017, equation 3.
    """
    return sum(each.pairs * abs(each.claimed - each.right) for each in bins) / max(1, sum(each.pairs for each in bins))


class ScoreHistogram:
    """Counts of scores, and of those that are right, in steps of 3e-5, however much is added."""

    def __init__(self) -> None:
        self._all = np.zeros(_STEPS, dtype=np.int64)
        self._right = np.zeros(_STEPS, dtype=np.int64)

    def add(self, scores: NDArray[np.floating], is_right: NDArray[np.bool_]) -> None:
        """Both of one shape; scores from -2 to 2."""
        shares = (scores.astype(np.float64) - _LOWEST) / (_HIGHEST - _LOWEST)
        places = np.clip(shares * _STEPS, 0, _STEPS - 1).astype(np.int64)
        self._all += np.bincount(places.ravel(), minlength=_STEPS)
        self._right += np.bincount(places[is_right], minlength=_STEPS)

    def best_f1(self) -> float:
        """F1 at that threshold for all queries that makes it highest, 0 to 1; 0 where nothing is right."""
        found, right = (np.cumsum(counts[::-1]) for counts in (self._all, self._right))
        return float((2 * right / np.maximum(found + right[-1], 1)).max())
