"""Lower the relevance of pictures by what they have of the excluded terms of a query.

A minus is no direction: of what "a beach without people" looks for, nothing looks like the opposite of people. What is
wanted is ranked alone, and an excluded term costs a picture what its margin above unrelated pictures says, and never
earns it anything. `python -m tests.benchmarks.absence` measures it beside a weighted sum.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Spreads above unrelated pictures from which a picture has some of an excluded term, and the weight of what lies above,
# in multiples of that of a wanted term. Without the first, and with more of the second, what is wanted is lost.
_FLOOR, _GAIN = 0.5, 0.75

Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Absences:
    """Excluded terms of a direction.

    Attributes:
        terms: their places among the terms.
        embeddings: (m, dim) unit-norm.
        steepness, offset: (m,) cost in log-odds, `steepness` · cosine + `offset`; nothing below 0.
    """

    terms: tuple[int, ...]
    embeddings: Rows
    steepness: Rows
    offset: Rows

    def costs(self, cosines: Rows) -> Rows:
        """Return the log-odds (m, k) that each term costs pictures; `cosines` (m, k) are those of `embeddings`."""
        above = self.steepness[:, np.newaxis] * cosines + self.offset[:, np.newaxis]
        return np.asarray(np.maximum(above, np.float32(0)))


def make_absences(
    terms: Sequence[int], embeddings: Sequence[Rows], weights: Sequence[float], levels: Sequence[tuple[float, float]],
    *, slope: float,
) -> Absences:  # fmt: skip
    """Calibrate excluded terms.

    Args:
        weights: below 0, of a wanted term 1.
        levels: cosine of unrelated pictures, and its spread, of each.
        slope: log-odds of a spread.
    """
    gains = np.array([-weight * _GAIN * slope for weight in weights])
    locations, spreads = np.array(levels).T
    steepness = gains / spreads
    offset = -steepness * locations - gains * _FLOOR
    return Absences(tuple(terms), np.stack(embeddings), steepness.astype(np.float32), offset.astype(np.float32))
