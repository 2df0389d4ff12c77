"""Validate the byte layout of an untrusted index file before FAISS reads it.

FAISS trusts a file's content: nested index types, and sizes that it allocates. The three types of index files written
here have exactly one layout for a given number of rows and dimensions; a file with any other layout is rejected,
whatever its origin and checksum.

Source: faiss/impl/index_write.cpp at v1.15.1 (write_index_header, write_ScalarQuantizer, write_InvertedLists).
"""

import os
import struct
from pathlib import Path
from typing import BinaryIO

from clipsearch.errors import VectorIndexError
from clipsearch.files import is_regular
from clipsearch.indexes.ivf_tuning import Cells
from clipsearch.indexes.row_file import rows_end

_FP16 = 4  # ScalarQuantizer::QT_fp16
_4BIT = 1  # ScalarQuantizer::QT_4bit
_INNER_PRODUCT = 0
_UNUSED = 1 << 20  # two numbers that FAISS writes and ignores


def check_layout(path: Path, *, dim: int, count: int, cells: Cells | None = None) -> None:
    """Validate the layout of an index file.

    Args:
        path: the index file.
        dim: dimensions of a row.
        count: number of rows.
        cells: kind of an IVF index; None for a flat index.

    Raises:
        VectorIndexError: the path is not a regular file, or has another layout.
    """
    try:
        is_right = is_regular(path)
        if is_right:
            with path.open("rb") as file:
                is_right = _is_flat(file, dim, count) if cells is None else _has_cells(file, dim, count, cells)
    except (OSError, struct.error, OverflowError, MemoryError) as error:
        raise VectorIndexError(f"can't read the index {path}") from error
    if not is_right:
        raise VectorIndexError(f"the index {path} is damaged")


def _header(dim: int, count: int) -> bytes:
    return struct.pack("<iqqqBi", dim, count, _UNUSED, _UNUSED, 1, _INNER_PRODUCT)


def _quantizer(dim: int) -> bytes:
    return struct.pack("<iifQQQ", _FP16, 0, 0.0, dim, 2 * dim, 0)


def _quantizer_of_codes(dim: int) -> bytes:
    # Followed by the range of each dimension: its least value and its width.
    return struct.pack("<iifQQQ", _4BIT, 0, 0.0, dim, code_bytes(dim), 2 * dim)


def code_bytes(dim: int) -> int:
    """Return the size of a row's 4-bit code."""
    return (dim + 1) // 2


def _is_flat(file: BinaryIO, dim: int, count: int) -> bool:
    head = b"IxMp" + _header(dim, count) + b"IxSQ" + _header(dim, count) + _quantizer(dim)
    head += struct.pack("<Q", 2 * dim * count)
    if _size(file) != len(head) + 2 * dim * count + 8 + 8 * count or file.read(len(head)) != head:
        return False
    file.seek(2 * dim * count, os.SEEK_CUR)
    return file.read(8) == struct.pack("<Q", count)


def _has_cells(file: BinaryIO, dim: int, count: int, cells: Cells) -> bool:
    nlist, is_coded = cells.nlist, cells.codes == "SQ4"
    start, code_size = (rows_end(dim, count), code_bytes(dim)) if is_coded else (0, 2 * dim)
    size, row_bytes = _size(file), code_size + 8
    if size < start + count * row_bytes + 4 * dim * nlist or not _matches(
        file,
        start,
        b"IwSq" + _header(dim, count) + struct.pack("<Q", nlist),
        8,  # nprobe, which is overwritten after loading
        b"IxFI" + _header(dim, nlist) + struct.pack("<Q", dim * nlist),
        4 * dim * nlist,
        struct.pack("<BQ", 0, 0) + (_quantizer_of_codes(dim) if is_coded else _quantizer(dim)),
        8 * dim if is_coded else 0,
        struct.pack("<QB", code_size, 0) + b"ilar" + struct.pack("<QQ", nlist, code_size),
    ):
        return False
    kind, (numbers,) = file.read(4), struct.unpack("<Q", file.read(8))
    if kind == b"full":
        sizes = _numbers(file, numbers) if numbers == nlist else []
    elif kind == b"sprs" and numbers % 2 == 0 and numbers <= 2 * nlist:
        pairs = _numbers(file, numbers)
        numbered, sizes = pairs[::2], pairs[1::2]
        if numbered != sorted(set(numbered)) or any(cell >= nlist for cell in numbered):
            return False
    else:
        return False
    return sum(sizes) == count and size == file.tell() + count * row_bytes


def _matches(file: BinaryIO, *parts: bytes | int) -> bool:
    """Return whether a file goes on with these bytes; a number stands for that number of any bytes."""
    for part in parts:
        if isinstance(part, int):
            file.seek(part, os.SEEK_CUR)
        elif file.read(len(part)) != part:
            return False
    return True


def _numbers(file: BinaryIO, count: int) -> list[int]:
    return list(struct.unpack(f"<{count}Q", file.read(8 * count)))


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size
