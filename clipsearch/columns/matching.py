"""Match all strings of a column with a wildcard pattern."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clipsearch.columns.text import Piece, TextColumn
from clipsearch.query.globs import ANY, STAR, Items, expression_of, segments_of

_NEVER = np.iinfo(np.int64).max


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
    segments = segments_of(items)
    if len(segments) == 1:
        return _mask(text.count, _find(text, segments[0], is_start=True, is_end=True)[0])
    first, *between, last = segments
    between = [segment for segment in between if segment]
    if not first and not last and len(between) == 1 and ANY not in between[0]:
        return text.containing(bytes(between[0]))
    if not between and ANY not in items:
        is_match = np.ones(text.count, dtype=np.bool_)
        if first:
            is_match &= text.containing(b"\0" + bytes(first))
        if last:
            is_match &= text.containing(bytes(last) + b"\0")
        return is_match & (text.lengths >= len(first) + len(last)) if first and last else is_match
    # Only of strings that have all segments: fewer places to look at.
    among = np.ones(text.count, dtype=np.bool_)
    for segment in [first, *between, last]:
        for _, piece in _pieces(segment):
            among &= text.containing(piece)
    if not among.any():
        return among
    # The first place that each string may go on at; offset 1 is its first character.
    at = np.full(text.count, 1, dtype=np.int64)
    if first:
        at[:] = _NEVER
        at[_find(text, first, among, is_start=True)[0]] = 1 + len(first)
    for segment in between:
        at = _go_on(text, segment, at, among)
    end = text.lengths + 1
    if last:
        strings, offsets = _find(text, last, among, is_end=True)
        is_match = np.zeros(text.count, dtype=np.bool_)
        is_match[strings[offsets >= at[strings]]] = True
        return is_match & among
    return (at <= end) & among


def _go_on(text: TextColumn, segment: Items, at: NDArray[np.int64], among: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return where each string goes on after the first place of a segment from `at` on; `_NEVER` without one."""
    if set(segment) == {ANY}:
        return np.where(at < _NEVER, at + len(segment), _NEVER)
    strings, offsets = _find(text, segment, among)
    is_later = offsets >= at[strings]
    reached = np.full(len(at), _NEVER, dtype=np.int64)
    np.minimum.at(reached, strings[is_later], offsets[is_later] + len(segment))
    return reached


def _find(
    text: TextColumn,
    segment: Items,
    among: NDArray[np.bool_] | None = None,
    *,
    is_start: bool = False,
    is_end: bool = False,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find a segment without a *: strings, and the offsets of its first character; 1 is the first of a string."""
    # The zero byte of an end is found as that of the next string's start where a ? is before it: the length says it.
    has_end = is_end and segment[-1:] != (ANY,)
    items = (0,) * is_start + segment + (0,) * has_end
    pieces = _pieces(items)
    if pieces:
        strings, offsets = text.find(pieces, among)
        offsets += is_start
    else:
        strings = np.arange(text.count)
        offsets = text.lengths + 1 - len(segment)
    if ANY in segment:
        # A ? is not what ends a string.
        last = text.lengths[strings] + 1 - len(segment)
        is_inside = (offsets == last if is_end else offsets <= last) & (offsets >= 1)
        strings, offsets = strings[is_inside], offsets[is_inside]
    if is_start:
        is_first = offsets == 1
        strings, offsets = strings[is_first], offsets[is_first]
    return strings, offsets


def _pieces(items: Sequence[int]) -> list[Piece]:
    """Return the runs of bytes between each ?, with their offsets."""
    pieces: list[tuple[int, bytearray]] = []
    for place, item in enumerate(items):
        if item == ANY:
            continue
        if pieces and pieces[-1][0] + len(pieces[-1][1]) == place:
            pieces[-1][1].append(item)
        else:
            pieces.append((place, bytearray([item])))
    return [(offset, bytes(piece)) for offset, piece in pieces]


def _mask(count: int, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
    found = np.zeros(count, dtype=np.bool_)
    found[numbers] = True
    return found
