"""Small functions on rows of numbers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import ModelError

# A standard deviation is so many median absolute deviations of a normal distribution.
_MAD = 1.4826

# Below it rows are alike.
_LEAST_SPREAD = 1e-3


def normalise(rows: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Rows (n, dim) → unit-norm float32 rows (n, dim).

    Raises:
        ModelError: a row is zero or not finite; such a row has no direction and would match nothing or everything.
    """
    wide = np.asarray(rows, dtype=np.float32)
    norms = np.linalg.norm(wide, axis=-1, keepdims=True)
    if not np.all(np.isfinite(norms)) or np.any(norms == 0):
        raise ModelError("the model gave an embedding that is zero or not finite")
    return np.asarray(wide / norms, dtype=np.float32)


def to_bytes(embedding: NDArray[np.float32]) -> bytes:
    """One embedding (dim,) as little-endian float16, the form in which SQL keeps it: 2 · dim bytes."""
    return embedding.astype("<f2").tobytes()


def from_bytes(blobs: list[bytes], dim: int) -> NDArray[np.float32]:
    """What `to_bytes` made, n blobs → float32 (n, dim)."""
    rows = np.frombuffer(b"".join(blobs), dtype="<f2").reshape(len(blobs), dim)
    return rows.astype(np.float32)


def median_and_spread(cosines: NDArray[np.float32]) -> tuple[float, float]:
    """cosines (p, n): the median of all, and how far each row spreads around its own, as a standard deviation above
    0."""
    away = np.abs(cosines - np.median(cosines, axis=1, keepdims=True))
    return float(np.median(cosines)), max(_MAD * float(np.median(away)), _LEAST_SPREAD)
