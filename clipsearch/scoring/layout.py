"""Lay pictures out in two dimensions so that near ones are alike.

Three kinds of pairs pull and push: near neighbours and pairs of middling distance attract each other, pairs at random
repel each other; the middling ones arrange the whole first, and are then let go. `python -m tests.benchmarks.map`
measures how many neighbours stay neighbours, beside the libraries `pacmap` and `umap-learn`, which bring 400 MB.

Source: Y. Wang, H. Huang, C. Rudin and Y. Shaposhnik, "Understanding how dimension reduction tools work", Journal of
Machine Learning Research 22, 2021: the losses (section 5), the pairs, weights and phases of PaCMAP (algorithm 1).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]
Positions = NDArray[np.float32]

# Neighbours that attract a picture, and those that they are chosen from by a distance that is scaled by the density.
_NEAR, _CANDIDATES = 10, 30
_SCALE_FROM, _SCALE_TO = 3, 6

# Pairs of middling distance of a picture: each is the second nearest of some random ones. Random pairs that repel.
_MIDDLING, _DRAWN = 5, 6
_FAR = 20

# Constants of the losses distance / (constant + distance).
_NEAR_CONSTANT, _MIDDLING_CONSTANT = 10.0, 10_000.0

# Steps of the three phases.
_PHASES = (100, 100, 250)
STEPS = sum(_PHASES)
_FIRST_WEIGHT, _LAST_WEIGHT = 1_000.0, 3.0

# Adam: D. Kingma and J. Ba, 2015.
_RATE, _MEAN_DECAY, _SQUARE_DECAY = 1.0, 0.9, 0.999

_PRINCIPAL = 100
_START_SCALE, _START_NOISE = 0.01, 1e-4

FindNearest = Callable[[Rows, int], tuple[NDArray[np.float32], NDArray[np.int64]]]
"""Returns the squared distances and the rows, each (n, k), of the k nearest rows of each row, without itself."""


def lay_out(
    rows: Rows,
    find_nearest: FindNearest,
    *,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> Positions:
    """Return positions (n, 2) of rows (n, dim), in no unit; deterministic.

    Args:
        find_nearest: called once, with the rows' principal components (n, up to 100).
        on_progress: called with (steps done, steps).
    """
    count = len(rows)
    if count < 2:
        return np.zeros((count, 2), dtype=np.float32)
    random = np.random.default_rng(seed)
    # In random order, pairs at random are those at any distance in the order: nothing is looked up for them.
    order = random.permutation(count)
    components = principal_components(rows[order], _PRINCIPAL)
    near = _near_pairs(components, find_nearest)
    middling = _middling_pairs(components, random)
    start = np.zeros((2, count), dtype=np.float32)
    start[: components.shape[1]] = _START_SCALE * components[:, :2].T
    start += random.normal(0, _START_NOISE, start.shape).astype(np.float32)
    found = np.empty((count, 2), dtype=np.float32)
    found[order] = _descend(start, near, middling, random, on_progress).T
    return found


def principal_components(rows: Rows, most: int) -> Rows:
    """Return the principal components (n, up to `most`) of rows (n, dim), those of most variance first."""
    centred = rows - rows.mean(axis=0)
    values, vectors = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    best = vectors[:, np.argsort(-values)[:most]]
    # The sign of an eigenvector is arbitrary: its largest number is made positive.
    best *= np.sign(best[np.abs(best).argmax(axis=0), np.arange(best.shape[1])])
    return np.ascontiguousarray(centred @ best.astype(np.float32))


def _near_pairs(components: Rows, find_nearest: FindNearest) -> NDArray[np.int64]:
    """Return the neighbours (k, n) that attract each row."""
    count = len(components)
    squares, nearest = find_nearest(components, min(_CANDIDATES, count - 1))
    scales = np.sqrt(np.maximum(squares[:, _SCALE_FROM:_SCALE_TO], 0))
    scale = scales.mean(axis=1) if scales.shape[1] else np.ones(count, dtype=np.float32)
    scale = np.maximum(scale, np.float32(1e-6))
    scaled = squares / scale[:, np.newaxis] / scale[nearest]
    best = np.argsort(scaled, axis=1, kind="stable")[:, :_NEAR]
    return np.ascontiguousarray(np.take_along_axis(nearest, best, axis=1).T)


def _middling_pairs(components: Rows, random: np.random.Generator) -> NDArray[np.int64]:
    """Return pairs (k, n) of middling distance: of some random rows, the second nearest of each row."""
    count = len(components)
    pairs = np.empty((_MIDDLING, count), dtype=np.int64)
    every = np.arange(count)
    for pair in pairs:
        drawn = random.integers(count, size=(_DRAWN, count))
        squares = np.stack([((components - components[each]) ** 2).sum(axis=1) for each in drawn])
        pair[:] = drawn[np.argsort(squares, axis=0, kind="stable")[1], every]
    return pairs


def _descend(
    start: NDArray[np.float32],
    near: NDArray[np.int64],
    middling: NDArray[np.int64],
    random: np.random.Generator,
    on_progress: Callable[[int, int], None] | None,
) -> NDArray[np.float32]:
    """Return positions (2, n) of low loss."""
    positions = start
    mean, square = np.zeros_like(start), np.zeros_like(start)
    for step in range(STEPS):
        near_weight, middling_weight = _weights(step)
        gradient = np.zeros_like(start)
        for pair in near:
            _attract(positions, pair, near_weight, _NEAR_CONSTANT, gradient)
        if middling_weight:
            for pair in middling:
                _attract(positions, pair, middling_weight, _MIDDLING_CONSTANT, gradient)
        _repel(positions, random, gradient)
        mean += (1 - _MEAN_DECAY) * (gradient - mean)
        square += (1 - _SQUARE_DECAY) * (gradient**2 - square)
        rate = _RATE * np.sqrt(1 - _SQUARE_DECAY ** (step + 1)) / (1 - _MEAN_DECAY ** (step + 1))
        positions -= np.float32(rate) * mean / (np.sqrt(square) + np.float32(1e-7))
        if on_progress is not None:
            on_progress(step + 1, STEPS)
    return positions


def _weights(step: int) -> tuple[float, float]:
    """Return the weights of near and of middling pairs in a step."""
    first, second, _ = _PHASES
    if step < first:
        return 2.0, _FIRST_WEIGHT + step / first * (_LAST_WEIGHT - _FIRST_WEIGHT)
    return (3.0, _LAST_WEIGHT) if step < first + second else (1.0, 0.0)


def _attract(
    positions: NDArray[np.float32],
    others: NDArray[np.int64],
    weight: float,
    constant: float,
    gradient: NDArray[np.float32],
) -> None:
    """Add the gradient of the attraction of each row by another one, (n,), to both."""
    count = positions.shape[1]
    between = positions - np.take(positions, others, axis=1)
    pull = np.float32(2 * weight * constant) / (np.float32(1 + constant) + (between**2).sum(axis=0)) ** 2
    between *= pull
    gradient += between
    for axis in (0, 1):
        gradient[axis] -= np.bincount(others, between[axis], count)


def _repel(positions: NDArray[np.float32], random: np.random.Generator, gradient: NDArray[np.float32]) -> None:
    """Add the gradient of the repulsion of random pairs to both of each."""
    count = positions.shape[1]
    twice = np.concatenate((positions, positions), axis=1)
    for shift in random.integers(1, count, size=_FAR).tolist():
        between = positions - twice[:, shift : shift + count]
        between *= np.float32(-2) / (np.float32(2) + (between**2).sum(axis=0)) ** 2
        gradient += between
        gradient[:, shift:] -= between[:, : count - shift]
        gradient[:, :shift] -= between[:, count - shift :]
