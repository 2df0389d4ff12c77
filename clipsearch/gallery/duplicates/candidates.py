"""Pairs of pictures that may be copies: near each other by embedding, or by perceptual hash."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipsearch.images.perceptual_hash import turned
from clipsearch.indexes.base import VectorIndex
from clipsearch.indexes.hamming import near_hashes

# Two pictures are looked at when their distance (1 - cosine) is at most this share of what is usual between two
# pictures of the catalog: that differs from model to model.
_NEAR_SHARE = 0.15

# Rows whose cosines to each other are looked at: their median is known to 0.001.
_SAMPLE_ROWS = 512

# For catalogs of very few pictures, or of hardly anything but copies.
_LEAST_THRESHOLD, _MOST_THRESHOLD = 0.85, 0.95

# Or when their hashes differ in at most so many of 63 bits, as those of 1 in 500,000 pairs of different photographs do.
_MOST_BITS = 12

# At so many times the distance, when their hashes differ in at most so many: of cut and framed ones both are far.
_FAR, _FAR_BITS = 5 / 3, 20

# Of each source, the nearest that a picture is compared with: in a folder of pages all are near to all.
_MOST_NEAR = 16

# So many pairs are held before those that are too many are dropped.
_MOST_PAIRS = 4_000_000


def default_threshold(sample: NDArray[np.float32]) -> float:
    """The cosine from which two pictures are looked at; sample (n, dim): embeddings of the catalog."""
    if len(sample) < 2:
        return _MOST_THRESHOLD
    usual = float(np.median((sample @ sample.T)[np.triu_indices(len(sample), 1)]))
    return min(max(1 - _NEAR_SHARE * (1 - usual), _LEAST_THRESHOLD), _MOST_THRESHOLD)


@dataclass(frozen=True, slots=True)
class Limits:
    """Cosines from which two pictures are looked at: `near` in any case, `far` when their hashes are alike."""

    near: float
    far: float

    @classmethod
    def of(cls, index: VectorIndex) -> "Limits":
        near = default_threshold(index.sample(_SAMPLE_ROWS))
        return cls(near, 1 - _FAR * (1 - near))

    def are_near(self, scores: NDArray[np.float32], bits: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """By cosines (n,) and how many bits of the hashes differ (n,)."""
        return (scores >= self.near) | ((scores >= self.far) & (bits <= _FAR_BITS))


def near_by_embedding(
    ids: NDArray[np.int64],
    hashes: NDArray[np.uint64],
    index: VectorIndex,
    *,
    threshold: float | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.int64]:
    """Pairs of positions among the ids, (n, 2), the smaller one first; of each picture those before it that it is
    nearest to.

    Args:
        hashes: (n,) of the same pictures, 0 where there is none.
        threshold: the cosine from which two are looked at; None: by how alike pictures are at all, and less where their
            hashes are alike.
    """
    limits = Limits.of(index) if threshold is None else Limits(threshold, threshold)

    def parts() -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
        for part in index.pairs_above(limits.far, ids, on_progress=on_progress):
            bits = np.bitwise_count(hashes[part.first] ^ hashes[part.second])
            is_near = limits.are_near(part.scores, bits)
            yield part.first[is_near], part.second[is_near], part.scores[is_near]

    return _nearest(parts())


def near_by_hash(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """As `near_by_embedding`, by hashes (n,), also of pictures that were turned by quarters; 0 is near to none."""
    rows = np.flatnonzero(hashes)
    known = hashes[rows]

    def parts() -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
        for quarters in range(3):  # what is turned by three is, seen from the other, turned by one
            for first, second, bits in near_hashes(turned(known, quarters), known, most_bits=_MOST_BITS):
                is_pair = first != second if quarters else first < second
                ends = np.sort(rows[np.stack([first[is_pair], second[is_pair]])], axis=0)
                yield ends[0], ends[1], -bits[is_pair].astype(np.float32)

    return _nearest(parts())


def near_to_hash(phash: int, phashes: Mapping[int, int]) -> list[int]:
    """Of some contents those whose hash is near to one, as `near_by_hash`, the nearest first."""
    ids, hashes = list(phashes), np.fromiter(phashes.values(), dtype=np.int64, count=len(phashes)).view(np.uint64)
    mine = np.array([phash], dtype=np.int64).view(np.uint64)
    if not phash:
        return []
    bits = np.min([np.bitwise_count(turned(mine, quarters) ^ hashes) for quarters in range(4)], axis=0)
    bits[hashes == 0] = 64
    return [ids[row] for row in np.argsort(bits, kind="stable")[: (bits <= _MOST_BITS).sum()]]


def _nearest(
    parts: Iterable[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.floating]]],
) -> NDArray[np.int64]:
    kept = np.empty((3, 0))
    waiting: list[NDArray[np.float64]] = []
    count = 0
    for part in parts:
        waiting.append(np.stack([each.astype(np.float64) for each in part]))
        count += len(part[0])
        if count > _MOST_PAIRS:
            kept, waiting, count = _dropped(np.concatenate([kept, *waiting], axis=1)), [], 0
    kept = _dropped(np.concatenate([kept, *waiting], axis=1))
    return kept[:2].T.astype(np.int64)


def _dropped(pairs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of (first, second, nearness) the nearest of each second."""
    pairs = pairs[:, np.lexsort((pairs[0], -pairs[2], pairs[1]))]
    seconds = pairs[1]
    starts = np.flatnonzero(np.diff(seconds, prepend=-1.0))
    place = np.arange(len(seconds)) - np.repeat(starts, np.diff(np.append(starts, len(seconds))))
    result: NDArray[np.float64] = pairs[:, place < _MOST_NEAR]
    return result
