"""Random unit-norm rows and an exact scan over them."""

import numpy as np
from numpy.typing import NDArray

from clipsearch.vectors import from_bytes, normalise, to_bytes

DIM = 48
Rows = NDArray[np.float32]


def unit_rows(count: int, seed: int = 0, dim: int = DIM) -> Rows:
    """Unit rows as SQL gives them back: rounded to float16."""
    rows = normalise(np.random.default_rng(seed).standard_normal((count, dim)))
    return from_bytes([to_bytes(row) for row in rows], dim)


def brute_force(ids: NDArray[np.int64], rows: Rows, queries: Rows, top_k: int) -> tuple[Rows, NDArray[np.int64]]:
    scores = queries @ rows.T
    order = np.lexsort((np.broadcast_to(ids, scores.shape), -scores))[:, :top_k]
    return np.take_along_axis(scores, order, 1), ids[order]
