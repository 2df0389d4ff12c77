"""Index a column of strings: where each run of four bytes is, and which strings have a run that many have.

The strings stand in a blob between zero bytes, which none of them contains, so that a search for a start or an end is
one for a part with a zero byte before or after it.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

GRAM = 4
"""Bytes of a run that is looked up."""

# Zero bytes after the last string: runs, and words of 8 bytes, are read beyond its end.
_PADDING = 16

# A posting has 32 bits: the string, and the offset in it.
_POSTING_BITS = 32
MOST_STRINGS = 1 << 27
"""Upper limit of the strings in a column: the offset then has five bits."""

_NO_KEY = 0xFFFF_FFFF

# Positions of the blob that are worked on at once.
_CHUNK = 1 << 20

# A run of one to four bytes that has a place for one string in this many, and as many as this, has a bitmap as well.
_COMMON, _FEWEST_COMMON = 8, 1 << 12


def text_arrays(strings: Sequence[bytes]) -> dict[str, NDArray[Any]]:
    """Make the arrays of a `TextColumn` from strings; a zero byte in one becomes a question mark.

    Raises:
        ValueError: there are too many.
    """
    if len(strings) >= MOST_STRINGS:
        raise ValueError(f"{len(strings):,} strings are more than a column holds")
    joined = b"\0".join((b"", *strings, bytes(_PADDING)))
    if joined.count(0) != len(strings) + 1 + _PADDING:
        return text_arrays([string.replace(b"\0", b"?") for string in strings])
    blob = np.frombuffer(joined, dtype=np.uint8)
    lengths = np.fromiter(map(len, strings), dtype=np.int64, count=len(strings))
    # Of the characters; the zero byte before a string has the offset 0.
    starts = np.concatenate(([1], 1 + np.cumsum(lengths + 1)))
    offset_bits = _POSTING_BITS - max(len(strings) - 1, 1).bit_length()
    arrays = {
        "blob": blob,
        "starts": starts,
        "wide": _wide(blob, starts),
        "long": np.flatnonzero(lengths >= 1 << offset_bits),
        "offset_bits": np.array([offset_bits]),
        **_grams(blob, starts, offset_bits),
    }
    return arrays | _bitmaps(arrays, len(strings), offset_bits)


def _wide(blob: NDArray[np.uint8], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the strings (n,) with characters of more than one byte."""
    found = [np.empty(0, dtype=np.int64)]
    for begin in range(0, len(blob), _CHUNK):
        places = np.flatnonzero(blob[begin : begin + _CHUNK] >= 0x80)
        found.append(np.unique(np.searchsorted(starts, begin + places, side="right") - 1))
    return np.unique(np.concatenate(found))


def _grams(blob: NDArray[np.uint8], starts: NDArray[np.int64], offset_bits: int) -> dict[str, NDArray[Any]]:
    """Return all runs, sorted, and the postings of each."""
    # The key in the upper half, the posting in the lower one.
    packed = np.empty(int(starts[-1]) - 1, dtype=np.uint64)
    for first, last in _chunks(starts):
        begin, end = int(starts[first]) - 1, int(starts[last]) - 1
        part, sizes = packed[begin:end], np.diff(starts[first : last + 1])
        part[:] = _keys(blob, begin, end)
        # Beyond what fits: a key that no text has, which sorts last.
        for number in (first + np.flatnonzero(sizes > 1 << offset_bits)).tolist():
            part[int(starts[number]) - 1 - begin + (1 << offset_bits) : int(starts[number + 1]) - 1 - begin] = _NO_KEY
        part <<= np.uint64(32)
        # string << offset_bits | offset
        numbers = np.arange(first, last, dtype=np.int64) << offset_bits
        postings = np.repeat(numbers - starts[first:last] + 1, sizes)
        postings += np.arange(begin, end, dtype=np.int64)
        part |= postings.view(np.uint64) & np.uint64(0xFFFF_FFFF)
    packed.sort()
    # The postings take the place of what they are read from: the most memory is that of the sort.
    postings32 = packed.view(np.uint32)
    keys, firsts, before = [], [], None
    for begin in range(0, len(packed), _CHUNK):
        part = packed[begin : begin + _CHUNK]
        key = (part >> np.uint64(32)).astype(np.uint32)
        is_first = np.ones(len(key), dtype=np.bool_)
        np.not_equal(key[1:], key[:-1], out=is_first[1:])
        is_first[0] = key[0] != before
        before = key[-1]
        changes = np.flatnonzero(is_first)
        keys.append(key[changes])
        firsts.append(begin + changes)
        postings32[begin : begin + len(part)] = part.astype(np.uint32)
        del part
    del postings32
    count = len(packed)
    packed.resize(-(-count // 2), refcheck=False)  # gives half of the memory back
    return {
        "gram_keys": np.concatenate([np.empty(0, dtype=np.uint32), *keys]),
        "gram_starts": np.concatenate([*firsts, [count]]).astype(np.int64),
        "postings": packed.view(np.uint32)[:count],
    }


def _chunks(starts: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield ranges of strings whose characters are at most `_CHUNK`, or one string."""
    first, count = 0, len(starts) - 1
    while first < count:
        last = int(np.searchsorted(starts, starts[first] + _CHUNK, side="right")) - 1
        last = min(max(last, first + 1), count)
        yield first, last
        first = last


def _keys(blob: NDArray[np.uint8], begin: int, end: int) -> NDArray[np.uint32]:
    """Return the run of bytes at each position as a number, without what comes after a string's end."""
    keys = np.zeros(end - begin, dtype=np.uint32)
    for shift in range(GRAM):
        keys |= blob[begin + shift : end + shift].astype(np.uint32) << np.uint32(8 * (GRAM - 1 - shift))
    keys[(keys & 0x00FF_0000) == 0] &= np.uint32(0xFF00_0000)
    keys[(keys & 0x0000_FF00) == 0] &= np.uint32(0xFFFF_0000)
    return keys


def _bitmaps(arrays: dict[str, NDArray[Any]], count: int, offset_bits: int) -> dict[str, NDArray[Any]]:
    """Return which strings have each run that is common, by its range of postings, and its least and highest offset."""
    common, bits = [], []
    for first, last in sorted(_common_ranges(arrays, max(count // _COMMON, _FEWEST_COMMON))):
        is_in, least, most = np.zeros(count, dtype=np.bool_), 1 << _POSTING_BITS, 0
        for begin in range(first, last, _CHUNK):
            postings = arrays["postings"][begin : min(begin + _CHUNK, last)]
            # Indexing by 64-bit numbers is three times as fast.
            is_in[(postings >> np.uint32(offset_bits)).astype(np.int64)] = True
            offsets = postings & np.uint32((1 << offset_bits) - 1)
            least, most = min(least, int(offsets.min())), max(most, int(offsets.max()))
        common.append((first, last, least, most))
        bits.append(np.packbits(is_in, bitorder="little"))
    return {
        "common": np.array(common, dtype=np.int64).reshape(-1),
        "bits": np.concatenate([np.empty(0, dtype=np.uint8), *bits]),
    }


def _common_ranges(arrays: dict[str, NDArray[Any]], fewest: int) -> set[tuple[int, int]]:
    """Return the postings, first and after the last, of all runs of one to four bytes with `fewest` or more of them."""
    starts, keys, found = arrays["gram_starts"], arrays["gram_keys"], set()
    keys = keys[: np.searchsorted(keys, np.uint32(_NO_KEY))]
    for size in range(1, GRAM + 1):
        prefixes = keys >> np.uint32(8 * (GRAM - size))
        changes = np.concatenate(([0], np.flatnonzero(prefixes[1:] != prefixes[:-1]) + 1, [len(keys)]))
        firsts, lasts = starts[changes[:-1]], starts[changes[1:]]
        is_common = lasts - firsts >= fewest
        found |= set(zip(firsts[is_common].tolist(), lasts[is_common].tolist(), strict=True))
    return found
