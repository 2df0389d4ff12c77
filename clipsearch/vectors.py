"""Normalise embeddings, convert them to and from float16 bytes, and measure the spread of cosines."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import ModelError

# Standard deviation of a normal distribution, in median absolute deviations (MAD).
_MAD = 1.4826

# Lower bound of a spread: rows that are all equal must not divide by 0.
_LEAST_SPREAD = 1e-3


def normalise(rows: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Normalise rows (n, dim) to unit-norm float32 rows (n, dim).

    Raises:
        ModelError: a row is zero or not finite; such a row has no direction and would match nothing or everything.
    """
    wide = np.asarray(rows, dtype=np.float32)
    norms = np.linalg.norm(wide, axis=-1, keepdims=True)
    if not np.all(np.isfinite(norms)) or np.any(norms == 0):
        raise ModelError("the model gave an embedding that is zero or not finite")
    return np.asarray(wide / norms, dtype=np.float32)


def to_bytes(embedding: NDArray[np.float32]) -> bytes:
    """Encode an embedding (dim,), or rows of them, as little-endian float16, the format of SQL: 2 · dim bytes each."""
    return embedding.astype("<f2").tobytes()


def from_bytes(blobs: list[bytes], dim: int) -> NDArray[np.float32]:
    """Decode n blobs of `to_bytes` to float32 embeddings (n, dim)."""
    rows = np.frombuffer(b"".join(blobs), dtype="<f2").reshape(len(blobs), dim)
    return rows.astype(np.float32)


def sigmoid(log_odds: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Convert log-odds of any shape to probabilities, above 0 and below 1."""
    odds = np.exp(np.clip(log_odds.astype(np.float64), -50, 50))
    return np.asarray(odds / (1 + odds))


def as_score(cosine: float) -> float:
    """Return the score of a measured cosine: within -1 and 1, as stored rows are of unit norm to float16 precision."""
    return min(1.0, max(-1.0, float(cosine)))


def cosines_among(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the cosines (n, n - 1) of each unit-norm row (n, dim) with the others."""
    is_other = ~np.eye(len(rows), dtype=np.bool_)
    return np.asarray((rows @ rows.T)[is_other].reshape(len(rows), -1))


def median_and_spread(cosines: NDArray[np.float32]) -> tuple[float, float]:
    """Return the median of all cosines (p, n) and the spread of each row around its own median.

    The spread is a robust standard deviation (1.4826 · MAD), always above 0.
    """
    deviations = np.abs(cosines - np.median(cosines, axis=1, keepdims=True))
    return float(np.median(cosines)), max(_MAD * float(np.median(deviations)), _LEAST_SPREAD)
