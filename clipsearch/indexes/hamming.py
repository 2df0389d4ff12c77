"""Find pairs of 64-bit hashes within a Hamming distance."""

from collections.abc import Iterator

import faiss
import numpy as np
from numpy.typing import NDArray

# Queries of a batch: bounds the memory of the pairs, and the delay of Ctrl-C.
_BLOCK = 4_096


def near_hashes(
    queries: NDArray[np.uint64], hashes: NDArray[np.uint64], *, most_bits: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """Yield all pairs of a query and a hash that differ in at most `most_bits` bits.

    Each batch is three arrays (n,): rows of the queries, rows of the hashes, differing bits. Exact (brute force):
    100,000 against 100,000 take about 2 s on two idle cores (`python -m tests.benchmarks.duplicates --hashes 100000`
    does so three times).
    """
    index = faiss.IndexBinaryFlat(64)
    index.add(_as_bytes(hashes))
    for start in range(0, len(queries), _BLOCK):
        # FAISS's radius is exclusive.
        ends, bits, rows = index.range_search(_as_bytes(queries[start : start + _BLOCK]), most_bits + 1)
        counts = np.asarray(ends[1:] - ends[:-1], dtype=np.int64)
        first = np.arange(len(counts)).repeat(counts) + start
        yield first, rows.astype(np.int64), bits.astype(np.int64)


def _as_bytes(hashes: NDArray[np.uint64]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(hashes).view(np.uint8).reshape(-1, 8)
