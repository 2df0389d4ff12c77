"""Store the contents that already have an embedding as two arrays, which many processes can share."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class KnownContents:
    """A set of blake3 digests, 40 bytes each.

    Attributes:
        starts: (n,) uint64, ascending: the first eight bytes of each.
        digests: (n, 32) uint8, in the same order.
    """

    starts: NDArray[np.uint64]
    digests: NDArray[np.uint8]

    @classmethod
    def of(cls, digests: NDArray[np.uint8]) -> "KnownContents":
        """Build the set from (n, 32) uint8, in any order."""
        starts = np.ascontiguousarray(digests[:, :8]).view(">u8").astype(np.uint64).reshape(-1)
        order = np.argsort(starts, kind="stable")
        return cls(starts[order], digests[order])

    def __contains__(self, digest: bytes) -> bool:
        start = np.uint64(int.from_bytes(digest[:8], "big"))
        first, end = np.searchsorted(self.starts, start, "left"), np.searchsorted(self.starts, start, "right")
        return any(row.tobytes() == digest for row in self.digests[first:end])
