"""Rows of an index in a file, in the order they were added, and found by id: read on demand, not kept in memory.

The file starts with float16 rows (count, dim); then, at a multiple of the page size, all ids in ascending order as
int64 (count,), and the row number of each as uint32 (count,). Other content may follow.
"""

import contextlib
import mmap
import os
import weakref
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import VectorIndexError
from clipsearch.files import open_regular_file, recreate_file, remove_file

# Ids start at a multiple of it, so that they are aligned, and that pages with rows alone can be released.
_PAGE = 4096

# Up to this number, rows are read one by one: mapped pages cost five times as much (measured: 250 rows of 512
# dimensions in memory, anywhere among ten million: 0.4 ms, mapped and released 2.0 ms).
_FEW_ROWS = 4_096

# Bytes of rows that are copied at a time.
_COPIED_AT_ONCE = 1 << 24


def rows_end(dim: int, count: int) -> int:
    """Return the size of the file's part that this module describes."""
    return _ids_start(dim, count) + 12 * count


def _ids_start(dim: int, count: int) -> int:
    return -(-2 * dim * count // _PAGE) * _PAGE


class RowFile:
    """Rows of a complete file; few are read, many are memory-mapped.

    Mapped pages of rows are released after each use, so that they don't count as memory of the process; the system's
    cache keeps them while nothing else needs the memory.

    Attributes:
        path: of the file.
        sorted_ids: all ids (n,), ascending.
    """

    def __init__(self, path: Path, *, dim: int, count: int) -> None:
        """Map the file.

        Raises:
            VectorIndexError: it can't be read, or is too short.
        """
        start = _ids_start(dim, count)
        try:
            with open_regular_file(path) as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                self._descriptor = os.dup(file.fileno())
                weakref.finalize(self, os.close, self._descriptor)
            self._rows = np.frombuffer(self._map, "<f2", dim * count).reshape(count, dim)
            self.sorted_ids = np.frombuffer(self._map, "<i8", count, start)
            self._numbers = np.frombuffer(self._map, "<u4", count, start + 8 * count)
        except (OSError, ValueError) as error:
            raise VectorIndexError(f"can't read the index {path}") from error
        self.path = path
        self._released_bytes = start

    def tail(self) -> NDArray[np.uint8]:
        """Return a view of what follows, valid as long as this object exists."""
        return np.frombuffer(self._map, np.uint8)[rows_end(self._rows.shape[1], len(self._rows)) :]

    @property
    def ids(self) -> NDArray[np.int64]:
        """All ids (n,) in row order."""
        ids = np.full(len(self._rows), -1, dtype=np.int64)
        ids[self._valid(self._numbers)] = self.sorted_ids
        return ids

    def rows(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the embeddings (n, dim) at these positions, exactly as stored."""
        if len(positions) <= _FEW_ROWS and hasattr(os, "pread"):  # Windows has none
            return self._read(positions)
        found = self._rows[positions].astype(np.float32)
        if hasattr(mmap, "MADV_DONTNEED"):  # Windows has none, and trims the process by itself
            self._map.madvise(mmap.MADV_DONTNEED, 0, self._released_bytes)
        return found

    def _read(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        dim = self._rows.shape[1]
        try:
            parts = [os.pread(self._descriptor, 2 * dim, 2 * dim * position) for position in positions.tolist()]
            return np.frombuffer(b"".join(parts), "<f2").reshape(len(parts), dim).astype(np.float32)
        except (OSError, ValueError) as error:
            raise VectorIndexError(f"can't read the index {self.path}") from error

    def places(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the position of each id (n,); -1 for a missing one.

        Raises:
            VectorIndexError: the file is damaged.
        """
        if not len(self.sorted_ids):
            return np.full(len(ids), -1, dtype=np.int64)
        found = np.minimum(np.searchsorted(self.sorted_ids, ids), len(self.sorted_ids) - 1)
        numbers = self._valid(self._numbers[found]).astype(np.int64)
        return np.where(self.sorted_ids[found] == ids, numbers, -1)

    def _valid(self, numbers: NDArray[np.uint32]) -> NDArray[np.uint32]:
        if len(numbers) and numbers.max() >= len(self._rows):
            raise VectorIndexError(f"the index {self.path} is damaged")
        return numbers


class RowWriter:
    """Writes such a file, row by row."""

    def __init__(self, path: Path, dim: int) -> None:
        """Create the file, for the owner alone.

        Raises:
            VectorIndexError: it can't be created.
        """
        self.path = path
        self._dim = dim
        self._ids: list[NDArray[np.int64]] = []
        try:
            self._file: BinaryIO = recreate_file(path)
        except OSError as error:
            raise _unwritable(path, error) from error

    def add(self, ids: NDArray[np.int64], embeddings: NDArray[np.float32]) -> None:
        """Append rows: ids (n,), embeddings (n, dim).

        Raises:
            VectorIndexError: they can't be written.
        """
        self._write(np.ascontiguousarray(embeddings, dtype="<f2"))
        self._ids.append(np.array(ids, dtype=np.int64))

    def copy(self, path: Path, rows: RowFile) -> None:
        """Append all rows of the file at `path`, which `rows` has mapped.

        Raises:
            VectorIndexError: they can't be read or written.
        """
        left = 2 * self._dim * len(rows.sorted_ids)
        try:
            with open_regular_file(path) as file:
                while left and (part := file.read(min(left, _COPIED_AT_ONCE))):
                    self._file.write(part)
                    left -= len(part)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        if left:
            raise VectorIndexError(f"can't read the index {path}")
        self._ids.append(rows.ids)

    def finish(self) -> RowFile:
        """Write the ids, close the file and map it.

        Raises:
            VectorIndexError: it can't be written.
        """
        ids = np.concatenate(self._ids) if self._ids else np.empty(0, np.int64)
        self._ids = []
        order = np.argsort(ids, kind="stable")
        self._write(np.zeros(_ids_start(self._dim, len(ids)) - 2 * self._dim * len(ids), np.uint8))
        self._write(ids[order].astype("<i8"))
        self._write(order.astype("<u4"))
        try:
            self._file.close()
        except OSError as error:
            raise _unwritable(self.path, error) from error
        return RowFile(self.path, dim=self._dim, count=len(ids))

    def discard(self) -> None:
        """Close the file and delete it, unless it was moved."""
        with contextlib.suppress(OSError):  # its last bytes are not needed
            self._file.close()
        remove_file(self.path)

    def _write(self, values: NDArray[np.generic]) -> None:
        try:
            self._file.write(values.data)
        except OSError as error:
            raise _unwritable(self.path, error) from error


def _unwritable(path: Path, error: OSError) -> VectorIndexError:
    return VectorIndexError(f"can't write the index in {path.parent}: {error.strerror}")
