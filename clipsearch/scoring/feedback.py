"""Weigh pictures marked as wanted or unwanted against the terms of a query (relevance feedback).

The mean of the wanted pictures is added to the terms (Rocchio), within limits: however many are marked, the terms keep
their share. A minus is not a direction here, since what is unwanted has nothing in common; it costs a picture only what
it is nearer to an unwanted picture than to any wanted one, above a floor, and up to a limit.
`python -m tests.benchmarks.feedback` measures the rule, and others.
Source: Rocchio, "Relevance feedback in information retrieval", in: Salton, "The SMART retrieval system", 1971; Salton
and Buckley, "Improving retrieval performance by relevance feedback", JASIS 41, 1990: positive weights above negative
ones. Nearest wanted against nearest unwanted: Giacinto and Roli, "Instance-based relevance feedback", NIPS 2004.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipsearch.scoring.relevance import SLOPE, Level, scale_of

# Weight of the wanted pictures' mean (Rocchio's beta), in multiples of the weight of the terms.
_BETA = 1.0

# Weight of the nearness to an unwanted picture (Rocchio's gamma), likewise: a minus is weaker than a plus.
_GAMMA = 0.75

# Spreads above unrelated pictures from which nearness to an unwanted picture counts, and the most that counts.
_FLOOR, _MOST = 1.0, 3.0

Rows = NDArray[np.float32]


def weights_of_wanted(weights: Sequence[float], count: int) -> list[float]:
    """Return the weights of `count` wanted pictures next to terms with these weights; of none, their mean alone."""
    total = math.sqrt(sum(weight**2 for weight in weights if weight > 0)) or 1.0
    return [_BETA * total / count] * count if weights else [1.0 / count] * count


@dataclass(frozen=True, slots=True)
class Unwanted:
    """Pictures marked as unwanted, and what it costs others to be near them.

    Attributes:
        ids: of the n unwanted pictures.
        embeddings: (n + m, dim) unit-norm, of these and of the m wanted ones.
        level: of unrelated pictures.
    """

    ids: tuple[int, ...]
    embeddings: Rows
    level: Level

    def nearest(self, cosines: Rows) -> tuple[NDArray[np.intp], Rows]:
        """Return the nearest unwanted picture (k,) to each of k pictures, and the log-odds (k,) that it costs them.

        Args:
            cosines: (n + m, k) of `embeddings` with the pictures.
        """
        margins = (cosines - np.float32(self.level.location)) / np.float32(self.level.spread)
        unwanted, wanted = margins[: len(self.ids)], margins[len(self.ids) :]
        floor = wanted.max(axis=0, initial=_FLOOR)
        # As much evidence as a term of this weight next to the others, see `Background.direction`.
        cost = np.float32(SLOPE * _GAMMA / scale_of(1.0, _BETA if len(wanted) else 0.0))
        return unwanted.argmax(axis=0), cost * np.clip(unwanted.max(axis=0) - floor, 0, _MOST)
