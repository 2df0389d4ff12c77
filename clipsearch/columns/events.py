"""Cut the pictures of all segments into events: by day, by pauses, and by place."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipsearch.columns.descriptions import UNRATED
from clipsearch.columns.segment import Segment
from clipsearch.description import UNRATED as NO_STARS
from clipsearch.places import city_codes

_HOUR = 3_600_000_000

PAUSE = 4 * _HOUR
"""Microseconds without a picture after which another event begins."""

DAY_BEGINS = 4 * _HOUR
"""Microseconds after midnight at which another event begins, so that an evening that goes on past midnight is one."""

_DAY = 24 * _HOUR
_NOWHERE = -1

# A star counts more than any distance from the middle of an event.
_STAR = 1 << 40


@dataclass(frozen=True, slots=True)
class EventRows:
    """Events, the last begun first: arrays (n,).

    Attributes:
        first, last: microseconds since 1970 of the first and the last picture.
        count: number of pictures.
        code: of the city, as `places.place_of` takes it; -1: unknown.
        best: id of the picture that represents it.
        undated: number of pictures whose date is unknown or doubtful, which are in no event.
    """

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    count: NDArray[np.int64]
    code: NDArray[np.int64]
    best: NDArray[np.int64]
    undated: int

    def __len__(self) -> int:
        return len(self.first)


def find_events(segments: Sequence[Segment], masks: Sequence[NDArray[np.bool_]]) -> EventRows:
    """Cut the rows of masks (n,) of segments into events.

    In the order of time another event begins after `PAUSE` without a picture, and at `DAY_BEGINS`; what was taken in
    several cities in between is an event of each. A picture without a place belongs to the city before it, or else to
    the one after it. The picture of the highest rating that is nearest to the middle represents the event.
    """
    taken, ids, codes, stars = (
        (np.concatenate(each) for each in zip(*map(_columns, segments, masks), strict=True))
        if (segments)
        else (np.empty(0, dtype=np.int64),) * 4
    )
    undated = sum(int(np.count_nonzero(mask)) for mask in masks) - len(taken)
    if len(segments) > 1:
        order = np.lexsort((ids, taken))
        taken, ids, codes, stars = taken[order], ids[order], codes[order], stars[order]
    if not len(taken):
        return EventRows(taken, taken, taken, taken, taken, undated)
    days = (taken - DAY_BEGINS) // _DAY
    runs = np.concatenate(([0], np.cumsum((np.diff(taken) > PAUSE) | (np.diff(days) != 0))))
    codes = _with_neighbours(codes, runs)
    keys = runs * (int(codes.max()) + 2) + codes + 1
    # The cities of a run follow each other, the pictures of each in the order of time.
    order = np.argsort(keys, kind="stable")
    keys, taken, ids, codes, stars = keys[order], taken[order], ids[order], codes[order], stars[order]
    starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    counts = np.diff(np.concatenate((starts, [len(keys)])))
    first, last = taken[starts], taken[starts + counts - 1]
    # Twice the distance from the middle, which may be between two pictures.
    offsets = np.abs(2 * (np.arange(len(keys)) - np.repeat(starts, counts)) - np.repeat(counts - 1, counts))
    worth = stars * _STAR - offsets
    is_best = worth == np.repeat(np.maximum.reduceat(worth, starts), counts)
    places = np.flatnonzero(is_best)
    best = ids[places[np.searchsorted(places, starts)]]
    newest = np.lexsort((best, first))[::-1]
    return EventRows(first[newest], last[newest], counts[newest], codes[starts][newest], best[newest], undated)


def _columns(segment: Segment, mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], ...]:
    """Return times, ids, cities and ratings of the rows of a mask that have a sure date, in the order of time."""
    sure = int(np.count_nonzero(segment.arrays["is_sure"]))
    rows = segment.arrays["order"][:sure][::-1]
    rows = rows[mask[rows]]
    codes = np.full(len(rows), _NOWHERE, dtype=np.int64)
    if segment.may_have_places:
        column = segment.places
        codes = np.concatenate(([_NOWHERE], city_codes(column.rows))).astype(np.int64)[column.number[rows]]
    stars = segment.arrays["rating"][rows].astype(np.int64)
    return segment.arrays["taken"][rows], segment.ids[rows], codes, np.where(stars == UNRATED, NO_STARS, stars)


def _with_neighbours(codes: NDArray[np.int64], runs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give each picture without a place that of the one before it in its run, else of the one after it."""
    for _ in range(2):
        rows = np.arange(len(codes))
        nearest = np.maximum.accumulate(np.where(codes == _NOWHERE, 0, rows))
        codes = np.where((codes == _NOWHERE) & (runs[nearest] == runs), codes[nearest], codes)[::-1]
        runs = runs[::-1]
    return codes
