"""Match all strings of a column with a wildcard pattern."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipsearch.columns.text import NEVER, Piece, Places, TextColumn, gathered
from clipsearch.query.globs import ANY, STAR, Items, expression_of, segments_of

# Where no more than one string in this many is left, these are looked at one by one, else all places of a part.
_SPARSE = 8

# Strings at once, so that they stay in the processor's cache.
_STRINGS = 1 << 13

# Longer parts are not compared with each other: they are looked for instead.
_MOST_COMPARED = 1 << 12


@dataclass(frozen=True, slots=True)
class _Part:
    """What stands between two * of a pattern, without each ? next to one.

    Attributes:
        items: without a *; not empty.
        is_start, is_end: it stands where a string starts, or ends.
    """

    items: Items
    is_start: bool = False
    is_end: bool = False

    def __len__(self) -> int:
        return len(self.items)

    @property
    def pieces(self) -> list[Piece]:
        """Runs of bytes between each ?, with their offsets; a zero byte for the start or the end."""
        # Not behind a ?: the zero byte would be found as that of the next string's start; the length says the end.
        has_end = self.is_end and self.items[-1:] != (ANY,)
        return _pieces((0,) * self.is_start + self.items + (0,) * has_end)


def match(text: TextColumn, items: Items) -> NDArray[np.bool_]:
    """Return which strings (n,) match a pattern."""
    if items == (STAR,):
        return np.ones(text.count, dtype=np.bool_)
    is_match = _match_indexed(text, items)
    # A character of several bytes is one for a ?, and the index does not know all of a long string.
    slow = text.long if ANY not in items else np.union1d(text.long, text.wide)
    if len(slow):
        pattern = expression_of(items)
        is_match[slow] = [pattern.fullmatch(text.string(number)) is not None for number in slow.tolist()]
    return is_match


def _match_indexed(text: TextColumn, items: Items) -> NDArray[np.bool_]:
    if STAR not in items:
        return gathered(text.count, *_find(text, _Part(items, is_start=True, is_end=True))).is_in
    parts, gaps = _parts_of(items)
    if not parts:
        return text.lengths >= gaps[0]
    is_match = np.ones(text.count, dtype=np.bool_)
    places: dict[_Part, Places] = {}
    # The rarest first: where it is nowhere, the others need not be looked up.
    for part in sorted(set(parts), key=lambda part: text.rarity(part.pieces)):
        places[part] = _places(text, part)
        is_match &= places[part].is_in
        if places[part].most < 0:
            return is_match
    if not _are_in_order(parts, gaps, places):
        rows = np.flatnonzero(is_match)
        if len(rows) * _SPARSE <= text.count and ANY not in {item for part in parts for item in part.items}:
            is_match[rows] = _follow_in(text, rows, parts, gaps)
        else:
            is_match &= _follow(text, is_match, parts, gaps)
    return is_match


def _parts_of(items: Items) -> tuple[list[_Part], list[int]]:
    """Split a pattern at each *.

    Returns:
        The parts that are not empty, and the least number of characters before the first one, between each two, and
        after the last one: the number of ? that stand there beside a *.
    """
    segments = segments_of(items)
    parts, gaps, gap = [], [], 0
    for number, segment in enumerate(segments):
        is_start, is_end = number == 0, number == len(segments) - 1
        first, last = 0, len(segment)
        while not is_start and first < last and segment[first] == ANY:
            first += 1
        while not is_end and first < last and segment[last - 1] == ANY:
            last -= 1
        gap += first
        if first < last:
            parts.append(_Part(segment[first:last], is_start, is_end))
            gaps.append(gap)
            gap = 0
        gap += len(segment) - last
    return parts, [*gaps, gap]


def _places(text: TextColumn, part: _Part) -> Places:
    """Return the strings that have a part, and where its first character is in them; 1 is the first of a string."""
    pieces = part.pieces
    if len(pieces) > 1 or ANY in part.items:
        return gathered(text.count, *_find(text, part))
    found = text.containing(pieces[0][1])
    return Places(found.is_in, 1, 1) if part.is_start and found.most >= 0 else found


def _are_in_order(parts: Sequence[_Part], gaps: Sequence[int], places: dict[_Part, Places]) -> bool:
    """Return whether parts always follow each other where a string has them all, if that is seen at once.

    So it is with most patterns, such as one of a number in a name and of what it ends with.
    """
    if (gaps[0] and places[parts[0]].least <= gaps[0]) or gaps[-1]:
        return False
    for one, other, gap in zip(parts, parts[1:], gaps[1:], strict=False):
        if places[one].most + len(one) + gap <= places[other].least:
            continue
        # A place that does not overlap with the start is after it, one that does not with the end before it.
        is_apart = (one.is_start and not _may_overlap(one.items, other.items)) or (
            other.is_end and not _may_overlap(other.items[::-1], one.items[::-1])
        )
        if gap or not is_apart:
            return False
    return True


def _may_overlap(start: Items, other: Items) -> bool:
    """Return whether a part may begin in what a string starts with."""
    return len(start) * len(other) > _MOST_COMPARED or any(
        all(one == another or ANY in (one, another) for one, another in zip(start[first:], other, strict=False))
        for first in range(len(start))
    )


def _follow_in(
    text: TextColumn, rows: NDArray[np.int64], parts: Sequence[_Part], gaps: Sequence[int]
) -> NDArray[np.bool_]:
    """Return in which strings (n,) of those that have all parts these follow each other; parts without a ?."""
    found = []
    for begin in range(0, len(rows), _STRINGS):
        strings, lengths = text.padded(rows[begin : begin + _STRINGS])
        at = np.full(len(strings), gaps[0], dtype=np.int64)
        is_match = np.ones(len(strings), dtype=np.bool_)
        for part, gap in zip(parts, gaps[1:], strict=True):
            if part.is_start:
                at += len(part) + gap
            elif part.is_end:
                is_match &= at + len(part) <= lengths
            else:
                place = np.strings.find(strings, bytes(part.items), at, lengths)
                is_match &= place >= 0
                at = place + len(part) + gap
        found.append(is_match if parts[-1].is_end else is_match & (at <= lengths))
    return np.concatenate(found) if found else np.empty(0, dtype=np.bool_)


def _follow(
    text: TextColumn, among: NDArray[np.bool_], parts: Sequence[_Part], gaps: Sequence[int]
) -> NDArray[np.bool_]:
    """Return in which strings (n,) parts follow each other; those of `among` have all of them."""
    # The first place that each string may go on at; offset 1 is its first character.
    at = np.full(text.count, 1 + gaps[0], dtype=np.int64)
    for part, gap in zip(parts, gaps[1:], strict=True):
        if part.is_start:
            at += len(part) + gap
        elif part.is_end:
            return at + len(part) <= text.lengths + 1
        else:
            strings, offsets = _find(text, part, among)
            is_later = offsets >= at[strings]
            at = np.full(text.count, NEVER, dtype=np.int64)
            np.minimum.at(at, strings[is_later], offsets[is_later] + len(part) + gap)
    return at <= text.lengths + 1


def _find(
    text: TextColumn, part: _Part, among: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find a part: strings, and the offsets of its first character; 1 is the first of a string."""
    pieces = part.pieces
    if pieces:
        strings, offsets = text.find(pieces, among)
        offsets += part.is_start
    else:
        strings = np.arange(text.count)
        offsets = text.lengths + 1 - len(part)
    if ANY in part.items:
        # A ? is not what ends a string.
        last = text.lengths[strings] + 1 - len(part)
        is_inside = (offsets == last if part.is_end else offsets <= last) & (offsets >= 1)
        strings, offsets = strings[is_inside], offsets[is_inside]
    if part.is_start:
        is_first = offsets == 1
        strings, offsets = strings[is_first], offsets[is_first]
    return strings, offsets


def _pieces(items: Sequence[int]) -> list[Piece]:
    pieces: list[tuple[int, bytearray]] = []
    for place, item in enumerate(items):
        if item == ANY:
            continue
        if pieces and pieces[-1][0] + len(pieces[-1][1]) == place:
            pieces[-1][1].append(item)
        else:
            pieces.append((place, bytearray([item])))
    return [(offset, bytes(piece)) for offset, piece in pieces]
