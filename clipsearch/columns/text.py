"""Column of strings that is searched for parts of them, with the index that `text_index` makes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsearch.columns.text_index import GRAM

Arrays = Mapping[str, NDArray[Any]]

# Places that are compared at once, so that they stay in the processor's cache.
_CHUNK = 1 << 14

# Where more places than this are left, two runs are first compared as wholes: they often occur in the same places.
_MANY = 20_000

# Bytes that are compared at once.
_WORD = 8

NEVER = 1 << 40
"""An offset beyond all that a string has; a number can be added to it."""

Piece = tuple[int, bytes]


@dataclass(frozen=True, slots=True)
class Places:
    """Where strings have something.

    Attributes:
        is_in: bool (n,), the strings that have it.
        least, most: offsets that no place is below or above, 1 for the first character; `most` is -1 without a place.
    """

    is_in: NDArray[np.bool_]
    least: int
    most: int


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

    def padded(self, numbers: NDArray[np.int64]) -> tuple[NDArray[np.bytes_], NDArray[np.int64]]:
        """Return some strings (n,) of one size, with what comes after them in the column, and their lengths (n,)."""
        starts, words = self._get("starts"), _words(self._get("blob"))
        firsts = starts[numbers]
        lengths = starts[numbers + 1] - 1 - firsts
        size = max(1, -(-int(lengths.max(initial=0)) // _WORD))
        found = np.empty((len(numbers), size), dtype=np.uint64)
        for word in range(size):
            found[:, word] = words[np.minimum(firsts + _WORD * word, len(words) - 1)]
        return found.view(f"S{_WORD * size}")[:, 0], lengths

    def rarity(self, pieces: Sequence[Piece]) -> int:
        """Return the number of places of the rarest run of pieces: an upper limit of those of them together."""
        sizes = (self._size(piece[at : at + GRAM]) for _, piece in pieces for at in _steps(piece, 1))
        return min(sizes, default=self.count)

    def containing(self, part: bytes) -> Places:
        """Return which strings contain a part, a zero byte for a start or an end; long ones may be missing."""
        runs = [self._range(part[at : at + GRAM]) for at in _steps(part, GRAM)]
        if len(runs) == 1 or self._is_one_run(part):
            return self._run_places(*runs[0])
        offset = self._only_offset(part)
        if offset is not None:
            masks = [self._run_places(*run).is_in for run in runs]
            return Places(np.logical_and.reduce(masks), offset, offset)
        return gathered(self.count, *self.find([(0, part)]))

    def _run_places(self, first: int, last: int) -> Places:
        """Return where the run of some postings is."""
        common = self._common.get((first, last))
        if common is not None:
            number, least, most = common
            size = -(-self.count // 8)
            bits = self._get("bits")[number * size : (number + 1) * size]
            return Places(np.unpackbits(bits, count=self.count, bitorder="little").view(np.bool_), least, most)
        postings = self._get("postings")[first:last]
        # Indexing by 64-bit numbers is three times as fast.
        strings = (postings >> np.uint32(self._offset_bits)).astype(np.int64)
        return gathered(self.count, strings, postings & np.uint32((1 << self._offset_bits) - 1))

    @cached_property
    def _common(self) -> dict[tuple[int, int], tuple[int, int, int]]:
        """Number of the bitmap, least and highest offset of each common run, by its postings."""
        entries = self._get("common").reshape(-1, 4).tolist()
        return {(first, last): (number, *ends) for number, (first, last, *ends) in enumerate(entries)}

    def _only_offset(self, part: bytes) -> int | None:
        """Return the one offset that a part may be at, as its runs are nowhere else; None without one.

        So it is with the start of names that cameras give: a string has the part if it has all of its runs.
        """
        found = set()
        for at in _steps(part, GRAM):
            _, least, most = self._common.get(self._range(part[at : at + GRAM]), (0, 0, -1))
            if least != most:
                return None
            found.add(least - at)
        return found.pop() if len(found) == 1 else None

    def _is_one_run(self, part: bytes) -> bool:
        """Return whether the first run of a part is followed by the rest everywhere, if that is seen at once.

        So it is with the ending of names: many, where a look at each is slow.
        """
        first, last = self._range(part[:GRAM])
        return last - first >= _MANY and all(
            self._is_everywhere((at, part[at : at + GRAM]), first, last) for at in _steps(part, GRAM)[1:]
        )

    def _is_everywhere(self, run: tuple[int, bytes], first: int, last: int) -> bool:
        """Return whether a run is at an offset from all places of some postings and nowhere else, if seen at once."""
        begin, end = self._range(run[1])
        if end - begin != last - first:
            return False
        postings, offset = self._get("postings"), np.uint32(run[0] & 0xFFFF_FFFF)  # may be negative
        return all(
            np.array_equal(postings[first + at : min(first + at + _CHUNK, last)] + offset,
                           postings[begin + at : min(begin + at + _CHUNK, end)])
            for at in range(0, last - first, _CHUNK)
        )  # fmt: skip

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
        best = min(runs, key=lambda run: self._size(run[1]))
        first, last = self._range(best[1])
        words = [(offset + at, piece[at : at + _WORD]) for offset, piece in pieces for at in _steps(piece, _WORD)]
        words = [word for word in words if not self._is_covered(word, best, first, last)]
        found = [(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))]
        for begin in range(first, last, _CHUNK):
            postings = self._get("postings")[begin : min(begin + _CHUNK, last)].astype(np.int64)
            found.append(self._compare(postings, best[0], words, among))
        return np.concatenate([strings for strings, _ in found]), np.concatenate([offsets for _, offsets in found])

    def _size(self, run: bytes) -> int:
        first, last = self._range(run)
        return last - first

    def _is_covered(self, word: Piece, best: Piece, first: int, last: int) -> bool:
        """Return whether a word needs not be compared, as its runs are wherever the best one of all is."""
        offset, content = word
        runs = [(offset + at, content[at : at + GRAM]) for at in _steps(content, GRAM)]
        return all(
            run == best or (last - first > _MANY and self._is_everywhere((run[0] - best[0], run[1]), first, last))
            for run in runs
        )

    def _compare(
        self, postings: NDArray[np.int64], before: int, words: Sequence[Piece], among: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the strings and the offsets, less `before`, of those postings that all words are at."""
        bits = self._offset_bits
        strings, offsets = postings >> bits, (postings & ((1 << bits) - 1)) - before
        if among is not None or before > 0:
            is_left = offsets >= 0 if among is None else among[strings] & (offsets >= 0)
            strings, offsets = strings[is_left], offsets[is_left]
        if words and len(strings):
            content = _words(self._get("blob"))
            at = self._get("starts")[strings] - 1 + offsets
            for offset, word in words:
                value, mask = (int.from_bytes(each, "little") for each in (word, b"\xff" * len(word)))
                found = content[np.minimum(at + offset, len(content) - 1)] & np.uint64(mask)
                is_there = found == np.uint64(value)
                at, strings, offsets = at[is_there], strings[is_there], offsets[is_there]
        return strings, offsets

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


def gathered(count: int, strings: NDArray[np.int64], offsets: NDArray[Any]) -> Places:
    """Return places that were found as such of `count` strings."""
    is_in = np.zeros(count, dtype=np.bool_)
    is_in[strings] = True
    return Places(is_in, *((int(offsets.min()), int(offsets.max())) if len(offsets) else (NEVER, -1)))


def _steps(piece: bytes, step: int) -> list[int]:
    """Return where the runs of a piece begin, every `step` bytes, and the last one."""
    last = max(0, len(piece) - max(step, GRAM))
    return sorted({*range(0, last + 1, step), last})


def _words(blob: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return a view of the eight bytes at each position."""
    return np.ndarray((len(blob) - _WORD + 1,), dtype="<u8", buffer=blob, strides=(1,))
