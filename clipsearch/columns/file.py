"""File of columns: immutable, memory-mapped, each column with a checksum that is compared when it is first read.

A magic number, the length of the header in 8 bytes, the header (JSON), and the columns, each from a multiple of 64
bytes on. The database records the checksum of the header.
"""

import json
import mmap
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from clipsearch.columns.segment import Segment
from clipsearch.columns.values import pack_names, unpack_names
from clipsearch.errors import VectorIndexError
from clipsearch.files import is_regular, recreate_file, remove_file
from clipsearch.indexes.names import require_own_folder

# The last character is the version.
_KIND = b"clipcol"
_MAGIC = _KIND + b"6"
_ALIGNED = 64
_MAX_HEADER_BYTES = 1 << 20
_NAMES = ("cameras", "formats")


@dataclass(frozen=True, slots=True)
class ColumnFileName:
    """What the header of a file of columns says, and the database records.

    Attributes:
        catalog: uuid of the catalog.
        row_count: pictures.
        last_change: number of the newest change in it.
    """

    catalog: str
    row_count: int
    last_change: int


def column_path(folder: Path, checksum: str) -> Path:
    """Return the path of a file of columns; content-addressed, so that a new one never overwrites one in use."""
    return folder / f"columns-{checksum[:16]}.bin"


def save_segment(segment: Segment, folder: Path, described: ColumnFileName) -> str:
    """Write a file of columns atomically and return the checksum of its header (blake3, hex).

    Raises:
        VectorIndexError: it can't be written, or the folder is a link.
    """
    columns = {name: np.ascontiguousarray(array) for name, array in segment.arrays.items()}
    for name in _NAMES:
        columns[name] = pack_names(getattr(segment, name))
    offset, entries = 0, {}
    for name, array in columns.items():
        checksum = blake3(array.view(np.uint8).data, max_threads=blake3.AUTO).hexdigest()
        entries[name] = [array.dtype.str, len(array), offset, checksum]
        offset += -(-array.nbytes // _ALIGNED) * _ALIGNED
    values = {
        "catalog": described.catalog,
        "row_count": described.row_count,
        "last_change": described.last_change,
        "columns": entries,
    }
    header = json.dumps(values).encode("ascii")
    checksum = blake3(header).hexdigest()
    start = _MAGIC + len(header).to_bytes(8, "little") + header
    # Not `atomic_file`: one that a killed process leaves is recognised by its name.
    scratch = folder / f"columns.{os.getpid()}.new"
    try:
        require_own_folder(folder)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with recreate_file(scratch) as file:
            file.write(start + bytes(-len(start) % _ALIGNED))
            for array in columns.values():
                file.write(array.view(np.uint8).data)
                file.write(bytes(-array.nbytes % _ALIGNED))
        scratch.replace(column_path(folder, checksum))
    except OSError as error:
        raise VectorIndexError(f"can't write the columns in {folder}: {error.strerror}") from error
    finally:  # also after Ctrl-C; on success it was renamed
        remove_file(scratch)
    return checksum


def load_segment(folder: Path, checksum: str, expected: ColumnFileName) -> Segment:
    """Map a file of columns after comparing its header.

    Raises:
        VectorIndexError: it is missing, damaged, or not the expected one. A damaged column raises it when it is read.
    """
    require_own_folder(folder)
    path = column_path(folder, checksum)
    damaged = VectorIndexError(f"the file of columns {path} is damaged")
    try:
        if not is_regular(path):
            raise VectorIndexError(f"can't read the file of columns {path}")
        with path.open("rb") as file:
            start = file.read(len(_MAGIC) + 8)
            size = int.from_bytes(start[len(_MAGIC) :], "little")
            if start.startswith(_KIND) and not start.startswith(_MAGIC):
                raise VectorIndexError(f"the file of columns {path} is of another version of clipsearch")
            if not start.startswith(_MAGIC) or size > _MAX_HEADER_BYTES:
                raise damaged
            header = file.read(size)
            if blake3(header).hexdigest() != checksum:
                raise damaged
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        found = json.loads(header)
        columns = found.pop("columns")
        if ColumnFileName(**found) != expected:
            raise damaged
        first = -(-(len(start) + size) // _ALIGNED) * _ALIGNED
        arrays = MappedColumns(path, mapped, first, columns)
        cameras, formats = (unpack_names(arrays[name]) for name in _NAMES)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise VectorIndexError(f"can't read the file of columns {path}") from error
    segment = Segment(arrays, cameras=cameras, formats=formats)
    if arrays.length_of("ids") != expected.row_count:
        raise damaged
    return segment


class MappedColumns(Mapping[str, NDArray[Any]]):
    """Columns of a mapped file by name; the checksum of each is compared when it is first read."""

    def __init__(self, path: Path, mapped: mmap.mmap, first: int, columns: Mapping[str, Any]) -> None:
        """Take the file.

        Args:
            first: where the columns begin.
            columns: type, length, offset from `first` and checksum, by name.

        Raises:
            ValueError: a column does not fit.
        """
        self._path, self._mapped = path, mapped
        self._columns: dict[str, tuple[np.dtype[Any], int, int, str]] = {}
        for name, (kind, length, offset, checksum) in columns.items():
            dtype = np.dtype(kind)
            if dtype.hasobject or not 0 <= first + offset <= first + offset + length * dtype.itemsize <= len(mapped):
                raise ValueError(f"column {name} does not fit")
            self._columns[name] = dtype, length, first + offset, checksum
        self._read: dict[str, NDArray[Any]] = {}

    def length_of(self, name: str) -> int:
        return self._columns[name][1]

    def __getitem__(self, name: str) -> NDArray[Any]:
        found = self._read.get(name)
        if found is None:
            dtype, length, offset, checksum = self._columns[name]
            content = memoryview(self._mapped)[offset : offset + length * dtype.itemsize]
            if blake3(content, max_threads=blake3.AUTO).hexdigest() != checksum:
                raise VectorIndexError(f"the file of columns {self._path} is damaged")
            found = self._read[name] = np.frombuffer(content, dtype=dtype)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


def check_columns(folder: Path, checksum: str, expected: ColumnFileName) -> None:
    """Compare all checksums of a file of columns; errors as in `load_segment`."""
    arrays = load_segment(folder, checksum, expected).arrays
    for name in arrays:
        arrays[name]
