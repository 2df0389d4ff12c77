"""Whether words mean anything to a model: told by the words alone, whatever pictures there are.

What a model has learnt lies near to other texts that it has learnt; letters at random, names that nobody taught it and
most typing errors lie apart from all of them.
"""

import numpy as np
from numpy.typing import NDArray

# Texts of the bank that a text is held against: the nearest alone may be near by chance.
_NEAREST = 5

# Every so many-th text of the bank is held against all others: that says what known words look like.
_EVERY = 7

# Of queries so many are taken to be made of words that mean nothing.
_STRANGE_SHARE = 0.4

# Of the logistic: keeps it finite where known and strange words lie fully apart.
_RIDGE = 1e-3
_ROUNDS = 30

Rows = NDArray[np.float32]


def nearness_of(cosines: Rows) -> NDArray[np.float64]:
    """(q, n) of texts with those of a bank → (q,) the mean of each row's five largest."""
    count = min(_NEAREST, cosines.shape[1])
    return np.asarray(np.partition(cosines, -count, axis=1)[:, -count:].mean(axis=1), dtype=np.float64)


def fit_familiarity(embeddings: Rows, strange: Rows) -> tuple[float, float]:
    """Slope and intercept of the log-odds that a model knows a text, by its nearness to the bank.

    Args:
        embeddings: (n, dim) unit-norm, of the bank; some of them are held against the others.
        strange: (m, dim) unit-norm, of words that mean nothing.
    """
    rows = np.arange(0, len(embeddings), _EVERY)
    among = embeddings[rows] @ embeddings.T
    among[np.arange(len(rows)), rows] = -1.0
    known, unknown = nearness_of(among), nearness_of(strange @ embeddings.T)
    nearness = np.concatenate([known, unknown])
    is_known = np.arange(len(nearness)) < len(known)
    weights = np.where(is_known, (1 - _STRANGE_SHARE) / len(known), _STRANGE_SHARE / len(unknown))
    return _fit_logistic(nearness, is_known, weights)


def _fit_logistic(
    values: NDArray[np.float64], is_it: NDArray[np.bool_], weights: NDArray[np.float64]
) -> tuple[float, float]:
    """Slope and intercept by Newton's method, with a penalty on the slope of values in standard deviations."""
    middle, spread = float(values.mean()), max(float(values.std()), 1e-6)
    columns = np.stack([(values - middle) / spread, np.ones_like(values)], axis=1)
    penalty = np.diag([_RIDGE, 0.0])
    found = np.array([0.0, np.log((1 - _STRANGE_SHARE) / _STRANGE_SHARE)])
    for _ in range(_ROUNDS):
        chances = 1 / (1 + np.exp(-np.clip(columns @ found, -50, 50)))
        gradient = columns.T @ (weights * (is_it - chances)) - penalty @ found
        curvature = (columns * (weights * chances * (1 - chances))[:, np.newaxis]).T @ columns + penalty
        found = found + np.linalg.solve(curvature + 1e-9 * np.eye(2), gradient)
    # Where known texts lie apart and strange ones together, nearness says nothing.
    slope = max(float(found[0]), 0.0)
    if slope == 0:
        return 0.0, float(np.log((1 - _STRANGE_SHARE) / _STRANGE_SHARE))
    return slope / spread, float(found[1]) - slope * middle / spread
