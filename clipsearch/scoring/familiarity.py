"""Estimate whether a model knows a text (out-of-distribution detection), from its embedding alone.

A text that the model has learnt lies near other known texts; random letters, unknown names and most typing errors lie
apart from all of them. The distance to the nearest neighbours is calibrated by a logistic regression.
"""

import numpy as np
from numpy.typing import NDArray

from clipsearch.vectors import sigmoid

# Nearest neighbours averaged: a single one may be near by chance.
_NEAREST = 5

# Step of the sample of bank texts that are compared with all others: the positive examples, known words.
_EVERY = 7

# Assumed share of queries whose words are unknown to the model (prior of the logistic regression).
_STRANGE_SHARE = 0.4

# L2 penalty of the logistic regression: keeps it finite when known and strange words are separable.
_RIDGE = 1e-3
_ROUNDS = 30

Rows = NDArray[np.float32]


def nearness_of(cosines: Rows) -> NDArray[np.float64]:
    """Return the mean (q,) of the five largest cosines in each row of (q, n) cosines with a bank's texts."""
    count = min(_NEAREST, cosines.shape[1])
    return np.asarray(np.partition(cosines, -count, axis=1)[:, -count:].mean(axis=1), dtype=np.float64)


def fit_familiarity(embeddings: Rows, strange: Rows) -> tuple[float, float]:
    """Fit slope and intercept of the log-odds that a model knows a text, by its nearness to the bank.

    Args:
        embeddings: (n, dim) unit-norm, of the bank; a sample of them is compared with the others.
        strange: (m, dim) unit-norm, of meaningless words.
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
    values: NDArray[np.float64], labels: NDArray[np.bool_], weights: NDArray[np.float64]
) -> tuple[float, float]:
    """Fit slope and intercept by Newton's method, with an L2 penalty on the slope of the standardised values."""
    middle, spread = float(values.mean()), max(float(values.std()), 1e-6)
    columns = np.stack([(values - middle) / spread, np.ones_like(values)], axis=1)
    penalty = np.diag([_RIDGE, 0.0])
    found = np.array([0.0, np.log((1 - _STRANGE_SHARE) / _STRANGE_SHARE)])
    for _ in range(_ROUNDS):
        chances = sigmoid(columns @ found)
        gradient = columns.T @ (weights * (labels - chances)) - penalty @ found
        curvature = (columns * (weights * chances * (1 - chances))[:, np.newaxis]).T @ columns + penalty
        found = found + np.linalg.solve(curvature + 1e-9 * np.eye(2), gradient)
    # A negative slope means that nearness does not tell known texts from strange ones: use the prior alone.
    slope = max(float(found[0]), 0.0)
    if slope == 0:
        return 0.0, float(np.log((1 - _STRANGE_SHARE) / _STRANGE_SHARE))
    return slope / spread, float(found[1]) - slope * middle / spread
