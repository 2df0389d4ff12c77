"""Natural order of file names: "img9.jpg" before "img10.jpg"."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Names at once, so that what is between takes little memory.
_NAMES = 1 << 15

# The number of digits is written into one byte, 0 excepted, which ends a name.
_MOST_DIGITS = 255


def natural_keys(names: Sequence[bytes]) -> list[bytes]:
    """Return bytes (n,) that sort as names do naturally: runs of digits by their number; none has a zero byte.

    A run becomes "0", the number of its digits without leading zeros, in a byte, and these digits.
    """
    keys: list[bytes] = []
    for first in range(0, len(names), _NAMES):
        keys += _keys_of(names[first : first + _NAMES])
    return keys


def name_order(
    names: Sequence[bytes], folders: NDArray[np.integer], paths: Sequence[bytes], owners: NDArray[np.int64]
) -> NDArray[np.uint32]:
    """Return the rows of files in the order of names, each at the first of its files.

    Args:
        names: folded names of the files (m,).
        folders: code of each file's folder (m,).
        paths: folded paths of the folders.
        owners: row of each file (m,); all rows have one.
    """
    ranks = np.empty(len(paths), dtype=">u4")
    ranks[sorted(range(len(paths)), key=paths.__getitem__)] = np.arange(len(paths))
    by_row = np.argsort(owners, kind="stable")
    tails = ranks[folders].tobytes()
    keys = [key + b"\0" + tails[4 * file : 4 * file + 4] for file, key in enumerate(natural_keys(names))]
    files = np.array(sorted(by_row.tolist(), key=keys.__getitem__), dtype=np.int64)
    # Of several writes to one place the last one counts: in reverse that of the first file.
    places = np.empty(int(owners.max(initial=-1)) + 1, dtype=np.int64)
    places[owners[files[::-1]]] = np.arange(len(files))[::-1]
    return np.argsort(places).astype(np.uint32)


def _keys_of(names: Sequence[bytes]) -> list[bytes]:
    ends = np.cumsum(np.fromiter(map(len, names), np.int64, len(names)) + 1) - 1
    text = np.frombuffer(b"\0".join([*names, b""]), dtype=np.uint8).copy()
    text[text == 0] = 1
    text[ends] = 0
    is_digit = text - np.uint8(ord("0")) < 10
    edges = np.flatnonzero(np.diff(is_digit, prepend=False))  # none is at the end, which is no digit
    starts, stops = edges[::2], edges[1::2]
    others = np.flatnonzero(text != ord("0"))
    # The first digit that counts: after the zeros, of which the last one counts where there are only zeros.
    digits = np.minimum(others[np.searchsorted(others, starts)], stops - 1) if len(starts) else starts
    widths = np.ones(len(text), dtype=np.int64)
    for run in np.flatnonzero(digits > starts).tolist():
        widths[starts[run] : digits[run]] = 0
    is_kept = widths > 0
    widths[digits] = 3
    places = np.cumsum(widths) - 1
    found: NDArray[np.uint8] = np.empty(int(places[-1]) + 1, dtype=np.uint8)
    found[places[is_kept]] = text[is_kept]
    found[places[digits] - 2] = ord("0")
    found[places[digits] - 1] = np.minimum(stops - digits, _MOST_DIGITS)
    content, limits = found.tobytes(), places[ends].tolist()
    return [content[first:end] for first, end in zip([0, *(end + 1 for end in limits)], limits, strict=False)]
