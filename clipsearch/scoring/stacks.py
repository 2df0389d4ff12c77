"""Decide which photographs, seconds apart, show the same: frames of a burst.

The thresholds were chosen on made bursts, and measured on others: `python -m tests.benchmarks.stacks`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# (share, bits): frames are alike when their distance (1 - cosine) is at most this share of the median distance between
# pictures, which differs from model to model, and at most this number of the 63 bits of their hashes differ. The first
# is for frames whose hash is unknown too.
_LIMITS = ((0.1, 64), (0.25, 24), (0.6, 16))

# Bounds of the median cosine, for catalogs of few pictures or of hardly anything but bursts.
_LEAST_USUAL, _MOST_USUAL = 0.0, 0.6


@dataclass(frozen=True, slots=True)
class Likeness:
    """What makes two frames alike.

    Attributes:
        limits: (least cosine, most differing bits) of which one has to be kept.
    """

    limits: tuple[tuple[float, int], ...]

    @classmethod
    def of(cls, sample: NDArray[np.float32]) -> "Likeness":
        """Learn it from a sample (n, dim) of the catalog's embeddings, unit-norm."""
        usual = _MOST_USUAL
        if len(sample) > 1:
            usual = float(np.median((sample @ sample.T)[np.triu_indices(len(sample), 1)]))
        distance = 1 - min(max(usual, _LEAST_USUAL), _MOST_USUAL)
        return cls(tuple((1 - share * distance, bits) for share, bits in _LIMITS))

    def are_alike(self, cosines: NDArray[np.float32], bits: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return which pairs are alike (n,), by cosines (n,) and differing bits of their hashes (n,), 64 if unknown."""
        is_alike = np.zeros(len(cosines), dtype=np.bool_)
        for least, most in self.limits:
            is_alike |= (cosines >= least) & (bits <= most)
        return is_alike
