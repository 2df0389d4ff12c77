"""Share the crops of decoded pictures between a worker process and its parent, in a block of memory without a name.

Before the crops stands which file the worker decodes, so that the parent knows it when the process ends.

The block is an open file descriptor, which ends with the processes that have it, however they end. Its size is sealed:
a worker that could shrink it would take the parent with it (SIGBUS). Only Linux has both.

Source: memfd_create(2), fcntl(2) "File Sealing".
"""

import math
import mmap
import os
import sys
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from clipsearch.images.preprocess import Preprocess

MOST_FILES = 32
"""Pictures of one slot, which is that of one list of files."""

# Bytes of one slot: models with large crops get shorter lists.
_MAX_SLOT_BYTES = 8 << 20

# Bytes before the crops, which begin at a cache line of their own.
_HEADER_BYTES = 64

SLOTS = 8
"""Slots of one worker: it fills one while the crops of others are encoded. One that is never used takes no memory."""


def files_at_once(spec: Preprocess) -> int:
    """Return how many files a list may have, 1 to `MOST_FILES`."""
    return max(1, min(MOST_FILES, _MAX_SLOT_BYTES // (spec.height * spec.width * 3)))


def create_block(spec: Preprocess) -> int | None:
    """Return the descriptor of a new block for one worker; None where the system has none."""
    if sys.platform != "linux":
        return None
    import fcntl

    with suppress(OSError, AttributeError):  # another libc, an old kernel, no more descriptors
        descriptor = os.memfd_create("clipsearch-crops", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(descriptor, _size_bytes(spec))
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor
    return None


class SharedCrops:
    """Crops uint8 (slots, files, height, width, 3) in a block; the memory is given back with the last array of it."""

    def __init__(self, descriptor: int, spec: Preprocess) -> None:
        memory = mmap.mmap(descriptor, _size_bytes(spec))
        self._position: NDArray[np.int64] = np.frombuffer(memory, dtype=np.int64, count=1)
        crops = np.frombuffer(memory, dtype=np.uint8, offset=_HEADER_BYTES)
        self._crops: NDArray[np.uint8] = crops.reshape(_shape(spec))

    @property
    def position(self) -> int:
        """Position in its request of the file that the worker decodes, or decoded when it ended; -1 for none."""
        return int(self._position[0])

    @position.setter
    def position(self, position: int) -> None:
        self._position[0] = position

    def rows(self, slot: int) -> NDArray[np.uint8]:
        """Return the crops (files, height, width, 3) of one slot."""
        rows: NDArray[np.uint8] = self._crops[slot]
        return rows


def _size_bytes(spec: Preprocess) -> int:
    return _HEADER_BYTES + math.prod(_shape(spec))


def _shape(spec: Preprocess) -> tuple[int, ...]:
    return SLOTS, files_at_once(spec), spec.height, spec.width, 3
