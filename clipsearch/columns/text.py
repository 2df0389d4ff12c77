"""Column of strings that is searched for parts of them: one blob, and an index of all runs of four bytes.

The strings stand in the blob between zero bytes, which none of them contains, so that a search for a start or an end is
one for a part with a zero byte before or after it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]

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
_CHUNK = 1 << 22

# Where more places than this are left, two runs are first compared as wholes: they often occur in the same places.
_MANY = 20_000

Piece = tuple[int, bytes]


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
    packed = np.empty(int(starts[-1]) - 1, dtype=np.uint64)
    wide = []
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
        part |= postings.astype(np.uint64) & np.uint64(0xFFFF_FFFF)
        is_wide = blob[begin:end] >= 0x80
        if is_wide.any():
            wide.append(np.unique(np.searchsorted(starts, begin + np.flatnonzero(is_wide), side="right") - 1))
    packed.sort()
    keys, postings32 = np.empty(len(packed), dtype=np.uint32), np.empty(len(packed), dtype=np.uint32)
    for begin in range(0, len(packed), _CHUNK):
        part = packed[begin : begin + _CHUNK]
        keys[begin : begin + _CHUNK] = part >> np.uint64(32)
        postings32[begin : begin + _CHUNK] = part & np.uint64(0xFFFF_FFFF)
    del packed
    changes = np.flatnonzero(keys[1:] != keys[:-1]) + 1
    gram_starts = np.concatenate(([0], changes, [len(keys)])) if len(keys) else np.zeros(1, dtype=np.int64)
    return {
        "blob": blob,
        "starts": starts,
        "gram_keys": keys[gram_starts[:-1]],
        "gram_starts": gram_starts,
        "postings": postings32,
        "wide": np.concatenate([np.empty(0, dtype=np.int64), *wide]),
        "long": np.flatnonzero(lengths >= 1 << offset_bits),
        "offset_bits": np.array([offset_bits]),
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


class TextColumn:
    """Strings that are searched; immutable."""

    def __init__(self, arrays: Arrays, name: str) -> None:
        """Take the arrays, which are read when they are needed.

        Args:
            arrays: those of `text_arrays`, their names after `name` and a point.
        """
        self._arrays, self._name = arrays, name
        self._runs: dict[bytes, tuple[int, int]] = {}

    def _get(self, name: str) -> NDArray[Any]:
        return self._arrays[f"{self._name}.{name}"]

    @property
    def count(self) -> int:
        """Number of strings."""
        return len(self._get("starts")) - 1

    @property
    def _offset_bits(self) -> int:
        return int(self._get("offset_bits")[0])

    @property
    def long(self) -> NDArray[np.int64]:
        """Strings that are too long for the index; `find` does not find all in them."""
        return self._get("long")

    @property
    def wide(self) -> NDArray[np.int64]:
        """Strings with characters of more than one byte."""
        return self._get("wide")

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Bytes of each string (n,)."""
        found: NDArray[np.int64] = np.diff(self._get("starts")) - 1
        return found

    def string(self, number: int) -> bytes:
        """Return one string."""
        starts = self._get("starts")
        return self._get("blob")[int(starts[number]) : int(starts[number + 1]) - 1].tobytes()

    def take(self, numbers: NDArray[np.int64]) -> list[bytes]:
        """Return some strings."""
        starts, content = self._get("starts"), self._get("blob").tobytes()
        firsts, ends = starts[numbers].tolist(), (starts[numbers + 1] - 1).tolist()
        return [content[first:end] for first, end in zip(firsts, ends, strict=True)]

    def containing(self, part: bytes) -> NDArray[np.bool_]:
        """Return which strings (n,) contain a part, a zero byte for a start or an end; long ones may be missing."""
        is_found = np.zeros(self.count, dtype=np.bool_)
        if not part:
            is_found[:] = True
            return is_found
        first, last = self._range(part[:GRAM])
        if len(part) > GRAM and not self._is_one_run(part):
            strings = self.find([(0, part)])[0]
        else:
            # Indexing by 64-bit numbers is three times as fast.
            strings = (self._get("postings")[first:last] >> np.uint32(self._offset_bits)).astype(np.int64)
        is_found[strings] = True
        return is_found

    def _is_one_run(self, part: bytes) -> bool:
        """Return whether the first run of a part is followed by the rest everywhere, if that is seen at once.

        So it is with the start of names that a camera gives, and with their ending: many, where a look at each is slow.
        """
        first, last = self._range(part[:GRAM])
        if last - first < _MANY:
            return False
        places = self._get("postings")[first:last]
        return all(
            ends - begins == len(places) and np.array_equal(self._get("postings")[begins:ends], places + np.uint32(at))
            for at in _steps(part, GRAM)[1:]
            for begins, ends in [self._range(part[at : at + GRAM])]
        )

    def find(
        self, pieces: Sequence[Piece], among: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Find all places where pieces stand at their offsets from one another.

        Args:
            pieces: (offset, bytes), at least one, none of them empty.
            among: which strings (n,) are looked at; None: all.

        Returns:
            The strings (n,) and the offsets (n,) in them that offset 0 of the pieces is at, where 1 is the first
            character: a place may begin before a string, or end behind it, where no piece stands there.
        """
        runs = [(offset + at, piece[at : at + GRAM]) for offset, piece in pieces for at in _steps(piece, 1)]
        sizes = [last - first for first, last in (self._range(run) for _, run in runs)]
        best = min(range(len(runs)), key=sizes.__getitem__)
        places = self._places(*runs[best])
        if among is not None:
            places = places[among[places >> self._offset_bits]]
        covering = [(offset + at, piece[at : at + GRAM]) for offset, piece in pieces for at in _steps(piece, GRAM)]
        rest = [run for run in covering if run != runs[best]]
        if len(places) > _MANY:
            rest = [run for run in rest if not self._is_everywhere(run, places)]
        bits = self._offset_bits
        strings, offsets = places >> bits, places & ((1 << bits) - 1)
        if rest and len(places):
            starts, words = self._get("starts"), _words(self._get("blob"))
            at = starts[strings] - 1 + offsets
            for offset, run in rest:
                value, mask = (int.from_bytes(byte * len(run), "little") for byte in (b"\0", b"\xff"))
                value = int.from_bytes(run, "little")
                is_there = (words[np.minimum(at + offset, len(words) - 1)] & np.uint32(mask)) == np.uint32(value)
                at, strings, offsets = at[is_there], strings[is_there], offsets[is_there]
        return strings, offsets

    def _places(self, offset: int, run: bytes) -> NDArray[np.int64]:
        """Return where offset 0 would be (n,), as numbers of strings and offsets, for all places of a run."""
        first, last = self._range(run)
        places = self._get("postings")[first:last].astype(np.int64)
        if offset:
            places = places[(places & ((1 << self._offset_bits) - 1)) >= offset] - offset
        return places

    def _is_everywhere(self, run: tuple[int, bytes], places: NDArray[np.int64]) -> bool:
        """Return whether a run is in all of the places and in no others, if that is seen at once."""
        first, last = self._range(run[1])
        return last - first == len(places) and np.array_equal(self._get("postings")[first:last], places + run[0])

    def _range(self, run: bytes) -> tuple[int, int]:
        """Return the postings of a run of up to four bytes: first, and after the last."""
        found = self._runs.get(run)
        if found is None:
            keys, starts = self._get("gram_keys"), self._get("gram_starts")
            low, high = (int.from_bytes(run.ljust(GRAM, byte), "big") for byte in (b"\0", b"\xff"))
            first = np.searchsorted(keys, np.uint32(low), side="left")
            last = np.searchsorted(keys, np.uint32(high), side="right")
            found = int(starts[first]), int(starts[last])
            if len(self._runs) < 1_000:
                self._runs[run] = found
        return found


def _steps(piece: bytes, step: int) -> list[int]:
    """Return where the runs of a piece begin, every `step` bytes, and the last one."""
    last = max(0, len(piece) - GRAM)
    return sorted({*range(0, last + 1, step), last})


def _words(blob: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Return a view of the four bytes at each position."""
    return np.ndarray((len(blob) - GRAM + 1,), dtype="<u4", buffer=blob, strides=(1,))
