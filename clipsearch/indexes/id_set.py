"""Set of ids that a search is restricted to: as a bitmap, which takes no longer for half a million ids than for ten."""

from collections.abc import Iterable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


class IdSet:
    """Immutable set of ids from 0, one bit for each id up to the highest."""

    def __init__(self, is_member: NDArray[np.bool_]) -> None:
        """Take the set.

        Args:
            is_member: (highest id + 1,), by id.
        """
        self._is_member = is_member

    @classmethod
    def of(cls, ids: NDArray[np.int64]) -> "IdSet":
        """Make a set of ids (n,) in any order."""
        is_member = np.zeros(int(ids.max(initial=-1)) + 1, dtype=np.bool_)
        is_member[ids] = True
        return cls(is_member)

    def __len__(self) -> int:
        return self._count

    @cached_property
    def _count(self) -> int:
        return int(np.count_nonzero(self._is_member))

    @cached_property
    def ids(self) -> NDArray[np.int64]:
        """Return the ids (n,), sorted."""
        return np.flatnonzero(self._is_member).astype(np.int64, copy=False)

    @cached_property
    def bits(self) -> NDArray[np.uint8]:
        """Return the bitmap, the lowest bit of each byte first."""
        return np.packbits(self._is_member, bitorder="little")

    def contains(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of the ids (n,) are in the set, as bool (n,)."""
        is_low = (ids >= 0) & (ids < len(self._is_member))
        return is_low & self._is_member[np.where(is_low, ids, 0)] if len(self._is_member) else is_low

    def without(self, ids: Iterable[int]) -> "IdSet":
        """Return the set without some ids."""
        left_out = np.fromiter(ids, dtype=np.int64)
        is_member = self._is_member.copy()
        is_member[left_out[(left_out >= 0) & (left_out < len(is_member))]] = False
        return IdSet(is_member)
