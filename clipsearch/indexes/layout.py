"""Validate the byte layout of an untrusted index file before FAISS reads it.

FAISS trusts a file's content: nested index types, and sizes that it allocates. The two types of index files written
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

_FP16 = 4  # ScalarQuantizer::QT_fp16
_INNER_PRODUCT = 0
_UNUSED = 1 << 20  # two numbers that FAISS writes and ignores


def check_layout(path: Path, *, dim: int, count: int, nlist: int | None = None) -> None:
    """Validate the layout of an index file.

    Args:
        path: the index file.
        dim: dimensions of a row.
        count: number of rows.
        nlist: number of cells; None for a flat index.

    Raises:
        VectorIndexError: the path is not a regular file, or has another layout.
    """
    try:
        is_right = is_regular(path)
        if is_right:
            with path.open("rb") as file:
                is_right = _is_flat(file, dim, count) if nlist is None else _has_cells(file, dim, count, nlist)
    except (OSError, struct.error, OverflowError, MemoryError) as error:
        raise VectorIndexError(f"can't read the index {path}") from error
    if not is_right:
        raise VectorIndexError(f"the index {path} is damaged")


def _header(dim: int, count: int) -> bytes:
    return struct.pack("<iqqqBi", dim, count, _UNUSED, _UNUSED, 1, _INNER_PRODUCT)


def _quantizer(dim: int) -> bytes:
    return struct.pack("<iifQQQ", _FP16, 0, 0.0, dim, 2 * dim, 0)


def _is_flat(file: BinaryIO, dim: int, count: int) -> bool:
    head = b"IxMp" + _header(dim, count) + b"IxSQ" + _header(dim, count) + _quantizer(dim)
    head += struct.pack("<Q", 2 * dim * count)
    if _size(file) != len(head) + 2 * dim * count + 8 + 8 * count or file.read(len(head)) != head:
        return False
    file.seek(2 * dim * count, os.SEEK_CUR)
    return file.read(8) == struct.pack("<Q", count)


def _has_cells(file: BinaryIO, dim: int, count: int, nlist: int) -> bool:
    size, row_bytes = _size(file), 2 * dim + 8
    head = b"IwSq" + _header(dim, count) + struct.pack("<Q", nlist)
    if size < count * row_bytes + 4 * dim * nlist or file.read(len(head)) != head:
        return False
    file.seek(8, os.SEEK_CUR)  # nprobe, which is overwritten after loading
    centroids = b"IxFI" + _header(dim, nlist) + struct.pack("<Q", dim * nlist)
    if file.read(len(centroids)) != centroids:
        return False
    file.seek(4 * dim * nlist, os.SEEK_CUR)
    lists = struct.pack("<BQ", 0, 0) + _quantizer(dim) + struct.pack("<QB", 2 * dim, 0)
    lists += b"ilar" + struct.pack("<QQ", nlist, 2 * dim)
    if file.read(len(lists)) != lists:
        return False
    kind, (numbers,) = file.read(4), struct.unpack("<Q", file.read(8))
    if kind == b"full":
        sizes = _numbers(file, numbers) if numbers == nlist else []
    elif kind == b"sprs" and numbers % 2 == 0 and numbers <= 2 * nlist:
        pairs = _numbers(file, numbers)
        cells, sizes = pairs[::2], pairs[1::2]
        if cells != sorted(set(cells)) or any(cell >= nlist for cell in cells):
            return False
    else:
        return False
    return sum(sizes) == count and size == file.tell() + count * row_bytes


def _numbers(file: BinaryIO, count: int) -> list[int]:
    return list(struct.unpack(f"<{count}Q", file.read(8 * count)))


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size
