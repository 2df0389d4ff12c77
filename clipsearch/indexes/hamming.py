"""Hashes of 64 bits that differ in few of them."""

from collections.abc import Iterator

import faiss
import numpy as np
from numpy.typing import NDArray

# Hashes that are compared with all at once: their pairs stay few, and Ctrl-C is heard.
_BLOCK = 4_096


def near_hashes(
    queries: NDArray[np.uint64], hashes: NDArray[np.uint64], *, most_bits: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """All pairs of a query and a hash that differ in at most so many bits, in parts: rows of the queries, rows of the
    hashes, and bits (n,). Exact: each is compared with each, 100,000 with 100,000 in about 2 s on two idle
    cores (`python -m tests.benchmarks.duplicates --hashes 100000` does so three times).
    """
    index = faiss.IndexBinaryFlat(64)
    index.add(_as_bytes(hashes))
    for start in range(0, len(queries), _BLOCK):
        # FAISS's radius is the first distance that is too large.
        ends, bits, rows = index.range_search(_as_bytes(queries[start : start + _BLOCK]), most_bits + 1)
        counts = np.asarray(ends[1:] - ends[:-1], dtype=np.int64)
        first = np.arange(len(counts)).repeat(counts) + start
        yield first, rows.astype(np.int64), bits.astype(np.int64)


def _as_bytes(hashes: NDArray[np.uint64]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(hashes).view(np.uint8).reshape(-1, 8)
