"""Columns of all pictures of a catalog: segments that are immutable, and rows of them that later segments replace."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from clipsearch.columns.conditions import passing
from clipsearch.columns.counting import Chosen, chosen_rows, count_below, count_codes
from clipsearch.columns.days import count_years, years_of
from clipsearch.columns.events import EventRows, find_events
from clipsearch.columns.facets import WrittenCounts
from clipsearch.columns.neighbours import Moment, moment_of, moments_around
from clipsearch.columns.orders import Order, SortKey, first_rows, growing, sort_keys
from clipsearch.columns.segment import Rows, Segment, make_segment
from clipsearch.columns.values import UNKNOWN, UNKNOWN_TIME, places_of
from clipsearch.columns.written import FindListed, list_elsewhere
from clipsearch.description import WrittenFacets
from clipsearch.indexes.id_set import IdSet
from clipsearch.query.filters import BLURRED_BELOW, DARK_BELOW, Filter

_EPOCH = datetime(1970, 1, 1)

# A segment that is not this many times as large as what comes after it is made one with it.
_TIMES_LARGER = 2

# Up to this id, or this multiple of the pictures, ids become a bitmap.
_DENSE_ID, _DENSE_TIMES = 1 << 20, 64

# Rows in the order of dates that are looked at first for the first and the last one.
_FIRST_CHUNK = 1 << 9


@dataclass(frozen=True, slots=True)
class Facets:
    """Values that pictures have, with the number of pictures of each.

    Attributes:
        pictures: number of pictures.
        cameras, formats: sorted by name; what is unknown is left out.
        roots: ids of the indexed folders with a file of one of them, sorted.
        first_taken, last_taken: None when no picture has a date that is not doubtful.
        blurred, dark: number of pictures that pass `is:blurred` and `is:dark`.
        written: what is written about pictures.
    """

    pictures: int
    cameras: dict[str, int]
    formats: dict[str, int]
    roots: tuple[int, ...]
    first_taken: datetime | None
    last_taken: datetime | None
    blurred: int
    dark: int
    written: WrittenFacets


class Columns:
    """Immutable columns of all pictures with a file, as of one change."""

    def __init__(
        self,
        segments: Sequence[Segment] = (),
        stale: Sequence[NDArray[np.bool_] | None] = (),
        *,
        find_listed: FindListed | None = None,
    ) -> None:
        """Take the segments, the oldest first.

        Args:
            stale: of each segment, which rows (n,) are out of date; None: none.
            find_listed: evaluates filters on what is not in the columns: written words, albums and the map.
        """
        self._find_listed = find_listed
        self.segments = tuple(segments)
        self._stale = tuple(stale) or (None,) * len(self.segments)

    def __len__(self) -> int:
        return sum(
            len(segment) - (0 if stale is None else int(np.count_nonzero(stale)))
            for segment, stale in zip(self.segments, self._stale, strict=True)
        )

    @property
    def tail_count(self) -> int:
        """Number of rows that are not in the first segment."""
        return sum(map(len, self.segments[1:]))

    def with_changes(self, ids: NDArray[np.int64], rows: Rows, root_paths: dict[int, bytes]) -> "Columns":
        """Return the columns after some contents have changed.

        Args:
            ids: (n,) of all that have changed.
            rows: what they are now; a content without a file is no picture any more.
            root_paths: as in `make_segment`.
        """
        changed = np.unique(ids)
        segments, stale = (
            list(self.segments),
            [_mark(segment, old, changed) for segment, old in zip(self.segments, self._stale, strict=True)],
        )
        count = len(changed)
        # The file stays; what came after it is merged, so that there are only a few segments.
        while len(segments) > 1 and len(segments[-1]) <= _TIMES_LARGER * count:
            segment, is_stale = segments.pop(), stale.pop()
            rows.add_segment(segment, np.ones(len(segment), dtype=np.bool_) if is_stale is None else ~is_stale)
            count += len(segment)
        new = make_segment(rows, root_paths)
        if len(new):
            segments.append(new)
            stale.append(None)
        return Columns(segments, stale, find_listed=self._find_listed)

    def select(self, filters: Sequence[Filter]) -> IdSet | NDArray[np.int64]:
        """Return the ids of all parts of the pictures that pass all filters; as an array (n,) where ids are sparse."""
        masks = self._passing(filters)
        highest = max((segment.highest_id for segment in self.segments), default=-1)
        lowest = min((int(segment.ids.min(initial=0)) for segment in self.segments), default=0)
        parts = [_part_ids(segment, mask) for segment, mask in zip(self.segments, masks, strict=True)]
        if lowest < 0 or highest > max(_DENSE_ID, _DENSE_TIMES * (len(self) + sum(map(len, parts)))):
            chosen = [segment.ids[mask] for segment, mask in zip(self.segments, masks, strict=True)]
            return np.unique(np.concatenate([*chosen, *parts]))
        is_member = np.zeros(highest + 1, dtype=np.bool_)
        for segment, mask, is_stale in zip(self.segments, masks, self._stale, strict=True):
            if is_stale is None and segment.first_id is not None:
                is_member[segment.first_id : segment.first_id + len(segment)] = mask
            elif is_stale is None and len(segment) > 0:
                is_member[segment.ids] = mask
            else:
                is_member[segment.ids[mask]] = True
        for ids in parts:
            is_member[ids] = True
        return IdSet(is_member)

    def select_ids(self, filters: Sequence[Filter]) -> NDArray[np.int64]:
        """Return the ids (n,) of the pictures that pass all filters, sorted; of several parts, that of the cover."""
        masks = self._passing(filters)
        chosen = [segment.ids[mask] for segment, mask in zip(self.segments, masks, strict=True)]
        return np.unique(np.concatenate([np.empty(0, dtype=np.int64), *chosen]))

    def count(self, filters: Sequence[Filter] = ()) -> int:
        """Count the pictures that pass all filters."""
        return sum(int(np.count_nonzero(mask)) for mask in self._passing(filters))

    def cameras(self) -> tuple[str, ...]:
        """Return the names of all cameras, sorted; some may be of pictures that are gone."""
        return tuple(sorted({name for segment in self.segments for name in segment.cameras}))

    def count_unread(self) -> int:
        """Count the pictures of which it is not known what is written in their files: those of earlier versions."""
        return sum(
            int(np.count_nonzero(mask & ~segment.arrays["is_read"]))
            for segment, mask in zip(self.segments, self._passing(()), strict=True)
        )

    @cached_property
    def people(self) -> tuple[str, ...]:
        """Names of all people, sorted; some may be of pictures that are gone."""
        return tuple(sorted({name for segment in self.segments for name in segment.listings["person"].names}))

    def count_unmeasured(self) -> int:
        """Count the pictures whose sharpness and brightness are unknown: those of earlier versions."""
        return sum(
            int(np.count_nonzero(mask & (segment.arrays["sharpness"] == UNKNOWN)))
            for segment, mask in zip(self.segments, self._passing(()), strict=True)
        )

    def first(self, filters: Sequence[Filter], top_k: int, order: Order) -> list[int]:
        """Return the first pictures in an order that pass all filters, up to `top_k`."""
        found: list[tuple[SortKey, int]] = []
        for segment, mask in zip(self.segments, self._passing(filters), strict=True):
            rows = first_rows(segment, mask, top_k, order)
            found += zip(sort_keys(segment, rows, order), segment.ids[rows].tolist(), strict=True)
        found.sort(reverse=order.descends)
        return [content_id for _, content_id in found[:top_k]]

    def sort_keys(self, content_ids: Sequence[int], order: Order) -> dict[int, SortKey]:
        """Return what pictures are compared by in an order; those without a file are omitted."""
        ids = np.unique(np.array(content_ids, dtype=np.int64))
        found: dict[int, SortKey] = {}
        for segment, is_stale in zip(self.segments, self._stale, strict=True):
            rows, _ = places_of(ids, segment.ids)
            if is_stale is not None:
                rows = rows[~is_stale[rows]]
            found |= zip(segment.ids[rows].tolist(), sort_keys(segment, rows, order), strict=True)
        return found

    def years(self, filters: Sequence[Filter] = ()) -> dict[int, int]:
        """Count the pictures that pass all filters by the year of their date, without doubtful dates; sorted."""
        counts: Counter[int] = Counter()
        for segment, mask in zip(self.segments, self._passing(filters), strict=True):
            counts.update(count_years(segment.arrays["taken"][mask & segment.arrays["is_sure"]]))
        return dict(sorted(counts.items()))

    def years_of(self, content_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the year (n,) of the date of each picture; 0 where it is unknown, doubtful, or the picture is gone."""
        found = np.zeros(len(content_ids), dtype=np.int64)
        for segment, is_stale in zip(self.segments, self._stale, strict=True):
            rows, is_there = places_of(content_ids, segment.ids)
            is_known = segment.arrays["is_sure"][rows]
            if is_stale is not None:
                is_known = is_known & ~is_stale[rows]
            found[np.flatnonzero(is_there)[is_known]] = years_of(segment.arrays["taken"][rows[is_known]])
        return found

    def events(
        self, filters: Sequence[Filter] = (), *, among: Sequence[int] | None = None, newest: int | None = None
    ) -> EventRows:
        """Cut the pictures that pass all filters into events, see `find_events`.

        Args:
            among: ids of the pictures; None: all.
            newest: highest id; None: any.
        """
        masks = self._passing(filters)
        if among is not None:
            wanted = np.unique(np.array(among, dtype=np.int64))
            masks = [mask & _is_among(segment, wanted) for segment, mask in zip(self.segments, masks, strict=True)]
        if newest is not None:
            masks = [mask & (segment.ids <= newest) for segment, mask in zip(self.segments, masks, strict=True)]
        return find_events(self.segments, masks)

    def neighbours(self, content_id: int, count: int) -> tuple[list[int], list[int]]:
        """Return the ids of up to `count` pictures taken before a picture, and after it, the nearest first.

        Doubtful dates are left out; of a picture that has none, or a doubtful one, nothing is found.
        """
        segments = list(zip(self.segments, self._stale, strict=True))
        moment = next(filter(None, (moment_of(*segment, content_id) for segment in segments)), None)
        if moment is None:
            return [], []
        before: list[Moment] = []
        after: list[Moment] = []
        for segment in segments:
            earlier, later = moments_around(*segment, moment, count)
            before += earlier
            after += later
        return [each for _, each in sorted(before)[::-1][:count]], [each for _, each in sorted(after)[:count]]

    def facets(self, filters: Sequence[Filter] = ()) -> Facets:
        """Return the facets of the pictures that pass all filters."""
        masks = self._passing(filters)
        cameras: dict[str, int] = {}
        formats: dict[str, int] = {}
        roots: set[int] = set()
        written = WrittenCounts()
        pictures = blurred = dark = 0
        first, last = np.iinfo(np.int64).max, UNKNOWN_TIME
        for segment, mask in zip(self.segments, masks, strict=True):
            arrays, count = segment.arrays, int(np.count_nonzero(mask))
            chosen = chosen_rows(mask, count)
            pictures += count
            _count_names(cameras, segment.cameras, arrays["camera"], chosen)
            _count_names(formats, segment.formats, arrays["format"], chosen)
            roots |= _roots(segment, mask)
            written.add(segment, mask, chosen)
            blurred += count_below(arrays["sharpness"], BLURRED_BELOW, chosen)
            dark += count_below(arrays["brightness"], DARK_BELOW, chosen)
            period = _sure_period(segment, chosen)
            if period is not None:
                first, last = min(first, period[0]), max(last, period[1])
        return Facets(
            pictures=pictures,
            cameras=dict(sorted(cameras.items())),
            formats=dict(sorted(formats.items())),
            roots=tuple(sorted(roots)),
            first_taken=None if last == UNKNOWN_TIME else _EPOCH + timedelta(microseconds=first),
            last_taken=None if last == UNKNOWN_TIME else _EPOCH + timedelta(microseconds=last),
            blurred=blurred,
            dark=dark,
            written=written.facets(),
        )

    def _passing(self, filters: Sequence[Filter]) -> list[NDArray[np.bool_]]:
        filters = list_elsewhere(filters, self._find_listed)
        return [
            mask if is_stale is None else mask & ~is_stale
            for mask, is_stale in zip(
                (passing(segment, filters) for segment in self.segments), self._stale, strict=True
            )
        ]


def _part_ids(segment: Segment, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the ids of the parts besides the covers of the rows of a mask."""
    arrays = segment.arrays
    if not len(arrays["part_rows"]):
        return np.empty(0, dtype=np.int64)
    chosen = mask[arrays["part_rows"]]
    first, count = arrays["part_first"][chosen], arrays["part_count"][chosen]
    places = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    ids: NDArray[np.int64] = np.repeat(first, count) + places
    return ids


def _is_among(segment: Segment, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which rows (n,) are those of some ids."""
    rows, _ = places_of(ids, segment.ids)
    found = np.zeros(len(segment), dtype=np.bool_)
    found[rows] = True
    return found


def _mark(segment: Segment, stale: NDArray[np.bool_] | None, changed: NDArray[np.int64]) -> NDArray[np.bool_] | None:
    """Return which rows (n,) are stale when contents have changed too."""
    if not len(segment):
        return stale
    rows, _ = places_of(changed, segment.ids)
    if not len(rows):
        return stale
    marked = np.zeros(len(segment), dtype=np.bool_) if stale is None else stale.copy()
    marked[rows] = True
    return marked


def _count_names(
    counts: dict[str, int], names: Sequence[str], codes: NDArray[np.unsignedinteger], chosen: Chosen
) -> None:
    """Add the number of chosen rows of each name."""
    for name, count in zip(names, count_codes(codes, len(names), chosen).tolist(), strict=True):
        if count:
            counts[name] = counts.get(name, 0) + count


def _sure_period(segment: Segment, chosen: Chosen) -> tuple[int, int] | None:
    """Return the first and the last sure date of the chosen rows; None without any."""
    is_sure, taken = segment.arrays["is_sure"], segment.arrays["taken"]
    if chosen.dtype != np.bool_:
        dates = taken[chosen[is_sure[chosen]]]
        return (int(dates.min()), int(dates.max())) if len(dates) else None
    sure = chosen & is_sure
    if not sure.any():
        return None
    # In the order of dates, the first row and the last: found soon where there are many.
    order = segment.arrays["order"][: int(np.count_nonzero(is_sure))]
    ends = []
    for rows in (order, order[::-1]):
        for begin, end in growing(len(rows), _FIRST_CHUNK):
            some = rows[begin:end].astype(np.int64)
            found = sure[some]
            if found.any():
                ends.append(int(taken[some[int(found.argmax())]]))
                break
    return ends[1], ends[0]


def _roots(segment: Segment, mask: NDArray[np.bool_]) -> set[int]:
    """Return the roots that have a file of one of the rows."""
    roots = segment.arrays["folder_root"]
    if len(roots) and (roots == roots[0]).all():
        return {int(roots[0])} if mask.any() else set()
    is_used = np.zeros(len(roots), dtype=np.bool_)
    folder = segment.arrays["folder"]
    is_used[folder[: len(segment)][mask]] = True
    is_used[folder[len(segment) :][mask[segment.arrays["extra_rows"]]]] = True
    return set(roots[is_used].tolist())
