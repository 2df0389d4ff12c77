"""Find candidate pairs of duplicates by embedding and by perceptual hash."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipsearch.images.perceptual_hash import turned
from clipsearch.indexes.base import VectorIndex
from clipsearch.indexes.hamming import near_hashes

# Two pictures are candidates when their distance (1 - cosine) is at most this share of the median distance between
# pictures of the catalog, which differs from model to model.
_NEAR_SHARE = 0.15

# Rows sampled for the median cosine, which is then accurate to 0.001.
_SAMPLE_ROWS = 512

# Bounds for catalogs of very few pictures, or of hardly anything but copies.
_MIN_THRESHOLD, _MAX_THRESHOLD = 0.85, 0.95

# Or when their hashes differ in at most this number of 63 bits, as in 1 of 500,000 pairs of different photographs.
_MAX_BITS = 12

# Or at this multiple of the distance with at most this number of differing bits: cropped and framed copies.
_FAR, _FAR_BITS = 5 / 3, 20

# Nearest candidates per picture and source: in a folder of scanned pages all are near to all.
_MAX_NEAR = 16

# Pairs held in memory before the surplus ones are dropped.
_MAX_PAIRS = 4_000_000


def default_threshold(sample: NDArray[np.float32]) -> float:
    """Return the cosine from which two pictures are candidates, from a sample (n, dim) of the catalog's embeddings."""
    if len(sample) < 2:
        return _MAX_THRESHOLD
    usual = float(np.median((sample @ sample.T)[np.triu_indices(len(sample), 1)]))
    return min(max(1 - _NEAR_SHARE * (1 - usual), _MIN_THRESHOLD), _MAX_THRESHOLD)


@dataclass(frozen=True, slots=True)
class Limits:
    """Cosine thresholds of candidate pairs: `near` in any case, `far` when their hashes are similar."""

    near: float
    far: float

    @classmethod
    def of(cls, index: VectorIndex) -> "Limits":
        near = default_threshold(index.sample(_SAMPLE_ROWS))
        return cls(near, 1 - _FAR * (1 - near))

    def are_near(self, scores: NDArray[np.float32], bits: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return which pairs are candidates (n,), by cosines (n,) and Hamming distances of their hashes (n,)."""
        return (scores >= self.near) | ((scores >= self.far) & (bits <= _FAR_BITS))


def near_by_embedding(
    ids: NDArray[np.int64],
    hashes: NDArray[np.uint64],
    index: VectorIndex,
    *,
    threshold: float | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.int64]:
    """Find candidate pairs by cosine, as rows of `ids` (n, 2), the smaller row first.

    Each picture is paired with its nearest ones among those before it.

    Args:
        hashes: (n,) perceptual hashes of the same pictures, 0 for none.
        threshold: minimum cosine; None: relative to the catalog's median, and lower for similar hashes.
    """
    limits = Limits.of(index) if threshold is None else Limits(threshold, threshold)

    def parts() -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
        for part in index.pairs_above(limits.far, ids, on_progress=on_progress):
            bits = np.bitwise_count(hashes[part.first] ^ hashes[part.second])
            is_near = limits.are_near(part.scores, bits)
            yield part.first[is_near], part.second[is_near], part.scores[is_near]

    return _nearest(parts())


def near_by_hash(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Find candidate pairs by hashes (n,), also of pictures rotated by quarter turns; the hash 0 has no candidates."""
    rows = np.flatnonzero(hashes)
    known = hashes[rows]

    def parts() -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
        for quarters in range(3):  # three quarters are one quarter seen from the other picture
            for first, second, bits in near_hashes(turned(known, quarters), known, most_bits=_MAX_BITS):
                is_pair = first != second if quarters else first < second
                ends = np.sort(rows[np.stack([first[is_pair], second[is_pair]])], axis=0)
                yield ends[0], ends[1], -bits[is_pair].astype(np.float32)

    return _nearest(parts())


def near_to_hash(phash: int, phashes: Mapping[int, int]) -> list[int]:
    """Return the contents whose hash is near to a given one, as in `near_by_hash`, nearest first."""
    ids, hashes = list(phashes), np.fromiter(phashes.values(), dtype=np.int64, count=len(phashes)).view(np.uint64)
    own = np.array([phash], dtype=np.int64).view(np.uint64)
    if not phash:
        return []
    bits = np.min([np.bitwise_count(turned(own, quarters) ^ hashes) for quarters in range(4)], axis=0)
    bits[hashes == 0] = 64
    return [ids[row] for row in np.argsort(bits, kind="stable")[: (bits <= _MAX_BITS).sum()]]


def _nearest(
    parts: Iterable[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.floating]]],
) -> NDArray[np.int64]:
    nearest = np.empty((3, 0))
    waiting: list[NDArray[np.float64]] = []
    count = 0
    for part in parts:
        waiting.append(np.stack([each.astype(np.float64) for each in part]))
        count += len(part[0])
        if count > _MAX_PAIRS:
            nearest, waiting, count = _drop_surplus(np.concatenate([nearest, *waiting], axis=1)), [], 0
    nearest = _drop_surplus(np.concatenate([nearest, *waiting], axis=1))
    return nearest[:2].T.astype(np.int64)


def _drop_surplus(pairs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keep the `_MAX_NEAR` nearest pairs of each second picture; rows are (first, second, nearness)."""
    pairs = pairs[:, np.lexsort((pairs[0], -pairs[2], pairs[1]))]
    seconds = pairs[1]
    starts = np.flatnonzero(np.diff(seconds, prepend=-1.0))
    place = np.arange(len(seconds)) - np.repeat(starts, np.diff(np.append(starts, len(seconds))))
    result: NDArray[np.float64] = pairs[:, place < _MAX_NEAR]
    return result
