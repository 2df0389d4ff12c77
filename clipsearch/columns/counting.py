"""Count chosen rows by the codes and numbers of a column, in pieces that stay in the processor's cache."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from clipsearch.columns.values import UNKNOWN

# Rows that are counted at once.
_CHUNK = 1 << 18

# Where fewer than one row in this many is wanted, these are looked at one by one.
_SPARSE = 4

Chosen: TypeAlias = NDArray[np.bool_] | NDArray[np.int64]
"""Rows of a segment: as a mask (n,), or few of them as numbers."""


def chosen_rows(mask: NDArray[np.bool_], count: int) -> Chosen:
    """Return the rows of a mask (n,), of which `count` are chosen, in the form that is counted fastest."""
    return np.flatnonzero(mask) if count * _SPARSE < len(mask) else mask


def count_codes(codes: NDArray[np.unsignedinteger], most: int, chosen: Chosen) -> NDArray[np.int64]:
    """Return the number of chosen rows of each code from 1 to `most` (most,).

    Args:
        codes: (n,); 0: none. The highest code of the type does not occur, unless that has four bytes.
    """
    if codes.dtype.itemsize > 2 or chosen.dtype != np.bool_:
        return np.bincount(codes[chosen], minlength=most + 1)[1 : most + 1]
    # Rows that are left out get the highest code, which none has: faster than to choose the others.
    found = np.zeros(1 << 8 * codes.dtype.itemsize, dtype=np.int64)
    for rows in _slices(len(codes)):
        left_out = chosen[rows].view(np.uint8).astype(codes.dtype) - codes.dtype.type(1)
        found += _bincount(codes[rows] | left_out)
    return found[1 : most + 1]


def _bincount(codes: NDArray[np.unsignedinteger]) -> NDArray[np.int64]:
    """Count the rows of each code of one or two bytes; those of one byte in pairs, which takes half the time."""
    if codes.dtype.itemsize == 2:
        return np.bincount(codes, minlength=1 << 16)
    half = len(codes) // 2
    pairs = np.bincount(codes[: 2 * half].view(np.uint16), minlength=1 << 16).reshape(256, 256)
    counts: NDArray[np.int64] = pairs.sum(axis=0) + pairs.sum(axis=1) + np.bincount(codes[2 * half :], minlength=256)
    return counts


def count_below(column: NDArray[np.int32], limit: int, chosen: Chosen) -> int:
    """Count the chosen rows whose number is known and below a limit."""
    if chosen.dtype != np.bool_:
        column = column[chosen]
        chosen = np.ones(len(column), dtype=np.bool_)
    # One comparison: an unknown number, the lowest of all, becomes the highest.
    numbers, lowest, width = (
        column.view(np.uint32),
        np.uint32(UNKNOWN + 1 & 0xFFFF_FFFF),
        np.uint32(limit - UNKNOWN - 1),
    )
    return sum(int(np.count_nonzero((numbers[rows] - lowest < width) & chosen[rows])) for rows in _slices(len(column)))


def _slices(count: int) -> list[slice]:
    return [slice(first, first + _CHUNK) for first in range(0, count, _CHUNK)]
