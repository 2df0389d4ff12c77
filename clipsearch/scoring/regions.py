"""Divide positions in two dimensions into regions of several sizes, smaller ones within larger ones."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Positions that the centers are learnt from, and rounds of k-means.
_SAMPLE_ROWS, _ROUNDS = 20_000, 20

# Positions that are compared with all centers at once.
_CHUNK = 8_192


def divide(
    positions: NDArray[np.float32], counts: Sequence[int], *, seed: int = 0
) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    """Divide positions (n, 2) by k-means, then the centers of the smaller regions into larger ones; deterministic.

    Args:
        counts: of regions of each level, growing, at most n.

    Returns:
        The smallest region (n,) of each position, and for each level but the first the region of the level above,
        (count,), that each of its regions is part of.
    """
    random = np.random.default_rng(seed)
    some = positions[np.arange(min(len(positions), _SAMPLE_ROWS)) * len(positions) // min(len(positions), _SAMPLE_ROWS)]
    centers = _cluster(some, np.ones(len(some), dtype=np.float32), counts[-1], random)
    regions = _nearest(positions, centers)
    parents: list[NDArray[np.int64]] = []
    weights = np.bincount(regions, minlength=len(centers)).astype(np.float32)
    for count in counts[-2::-1]:
        larger = _cluster(centers, weights, count, random)
        parents.insert(0, _nearest(centers, larger))
        weights = np.bincount(parents[0], weights, minlength=count).astype(np.float32)
        centers = larger
    return regions, parents


def _cluster(
    positions: NDArray[np.float32], weights: NDArray[np.float32], count: int, random: np.random.Generator
) -> NDArray[np.float32]:
    """Return centers (count, 2) of weighted positions; initial ones far from each other (k-means++)."""
    chosen = [int(random.integers(len(positions)))]
    far = np.full(len(positions), np.inf)
    for _ in range(count - 1):
        far = np.minimum(far, ((positions - positions[chosen[-1]]) ** 2).sum(axis=1))
        share = far * np.maximum(weights, np.float32(1e-9))
        total = float(share.sum())
        chosen.append(int(random.choice(len(positions), p=share / total)) if total > 0 else chosen[-1])
    centers = positions[chosen].copy()
    for _ in range(_ROUNDS):
        nearest = _nearest(positions, centers)
        sums = np.bincount(nearest, weights, count)
        for axis in (0, 1):
            moved = np.bincount(nearest, weights * positions[:, axis], count)
            centers[:, axis] = np.where(sums > 0, moved / np.maximum(sums, 1e-9), centers[:, axis])
    return centers


def _nearest(positions: NDArray[np.float32], centers: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the nearest center (n,) of each position."""
    return np.concatenate(
        [
            ((positions[first : first + _CHUNK, np.newaxis] - centers) ** 2).sum(axis=2).argmin(axis=1)
            for first in range(0, len(positions), _CHUNK)
        ]
    ).astype(np.int64)
