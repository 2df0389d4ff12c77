"""Compare the rows of a model in two precisions: cosines, and which rows are neighbours."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# What int8 must reach: chosen so that a query finds the same pictures, whichever precision embedded them.
MIN_WORST, MIN_MEAN, MIN_NEIGHBOURS = 0.99, 0.995, 0.9

_NEIGHBOURS = 10


@dataclass(frozen=True, slots=True)
class Agreement:
    """How near rows are to those of the same inputs in float32.

    Attributes:
        worst: the lowest cosine of a row.
        mean: of the cosines.
        neighbours: share of the ten nearest rows of each row that are the same.
    """

    worst: float
    mean: float
    neighbours: float

    @property
    def is_close(self) -> bool:
        """Whether rows of both may be mixed."""
        return self.worst >= MIN_WORST and self.mean >= MIN_MEAN and self.neighbours >= MIN_NEIGHBOURS

    def __str__(self) -> str:
        return f"cosine {self.worst:.4f} at worst, {self.mean:.4f} on average, {self.neighbours:.0%} of neighbours"


def compare_rows(rows: NDArray[np.float32], exact: NDArray[np.float32]) -> Agreement:
    """Compare unit-norm rows (n, dim) with those of the same n > 1 inputs in float32."""
    cosines = (rows * exact).sum(axis=1)
    count = min(_NEIGHBOURS, len(rows) - 1)
    pairs = zip(_nearest(rows, count), _nearest(exact, count), strict=True)
    same = [len(set(left) & set(right)) / count for left, right in pairs]
    # Rows that are not finite agree with nothing.
    return Agreement(*(float(np.nan_to_num(part)) for part in (cosines.min(), cosines.mean(), np.mean(same))))


def _nearest(rows: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    scores = rows @ rows.T
    np.fill_diagonal(scores, -np.inf)
    return np.argsort(-scores, axis=1, kind="stable")[:, :count]
