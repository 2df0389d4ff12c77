"""Order the pictures of a segment: by the date taken, by when they were added, or by name."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from clipsearch.columns.natural import natural_keys
from clipsearch.columns.segment import Segment
from clipsearch.columns.values import UNKNOWN_TIME

SortKey: TypeAlias = tuple[Any, ...]
"""What pictures are compared by; those of one order are comparable, and no two pictures have the same."""

# Rows in their order that are looked at first.
_CHUNK = 1 << 14

# Where fewer than one row in this many is wanted, these are compared with each other.
_SPARSE = 16


@dataclass(frozen=True, slots=True)
class Order:
    """Order of pictures.

    Attributes:
        by: taken: the last first; then the doubtful dates, and last what has none, reversed or not. added: the last
            first. name: the natural order of folded file names, and of equal ones of the folders'; of several files
            the one that comes first counts.
        is_reverse: the other way round.
    """

    by: Literal["taken", "added", "name"] = "taken"
    is_reverse: bool = False

    @property
    def descends(self) -> bool:
        """Whether the highest `sort_keys` come first: names can't be negated."""
        return self.by == "name" and self.is_reverse


def sort_keys(segment: Segment, rows: NDArray[np.int64], order: Order) -> list[SortKey]:
    """Return what some rows (n,) of a segment are compared by."""
    ids = segment.ids[rows].tolist()
    sign = 1 if order.is_reverse else -1
    if order.by == "added":
        return [(sign * each,) for each in ids]
    if order.by == "name":
        return _name_keys(segment, rows)
    taken, is_sure = (segment.arrays[name][rows].tolist() for name in ("taken", "is_sure"))
    return [
        (not sure, date == UNKNOWN_TIME, sign * date, sign * each)
        for sure, date, each in zip(is_sure, taken, ids, strict=True)
    ]


def first_rows(segment: Segment, mask: NDArray[np.bool_], top_k: int, order: Order) -> NDArray[np.int64]:
    """Return the first rows of a mask in an order, up to `top_k`; themselves in any order."""
    left = int(np.count_nonzero(mask))
    if left <= top_k:
        return np.flatnonzero(mask)
    if order.by == "added":
        rows = np.flatnonzero(mask)
        return rows[:top_k] if order.is_reverse else rows[len(rows) - top_k :]
    if order.by == "taken" and left * _SPARSE < len(segment):
        rows, is_sure = np.flatnonzero(mask), segment.arrays["is_sure"]
        sure = _latest(rows[is_sure[rows]], segment, top_k, is_reverse=order.is_reverse)
        others = _latest(rows[~is_sure[rows]], segment, top_k - len(sure), is_reverse=order.is_reverse)
        return np.concatenate((sure, others))
    found, count = [np.empty(0, dtype=np.int64)], 0
    for part in _in_order(segment, order):
        for begin, end in growing(len(part), _CHUNK):
            if count >= top_k:
                break
            some = part[begin:end].astype(np.int64)
            some = some[mask[some]]
            found.append(some)
            count += len(some)
    return np.concatenate(found)[:top_k]


def growing(count: int, chunk: int) -> list[tuple[int, int]]:
    """Return ranges that cover `count`, each twice as long as the one before."""
    ranges, first = [], 0
    while first < count:
        ranges.append((first, min(first + chunk, count)))
        first, chunk = first + chunk, 2 * chunk
    return ranges


def _name_keys(segment: Segment, rows: NDArray[np.int64]) -> list[SortKey]:
    extra = np.flatnonzero(np.isin(segment.arrays["extra_rows"], rows))
    files = np.concatenate((rows, len(segment) + extra))
    owners = np.concatenate((rows, segment.arrays["extra_rows"][extra])).tolist()
    folders = segment.arrays["folder"][files].tolist()
    paths = {code: segment.wholes.string(code) for code in set(folders)}
    first: dict[int, tuple[bytes, bytes]] = {}
    for owner, key, folder in zip(owners, natural_keys(segment.names.take(files)), folders, strict=True):
        found = (key, paths[folder])
        if owner not in first or found < first[owner]:
            first[owner] = found
    return [(*first[row], number) for row, number in zip(rows.tolist(), segment.ids[rows].tolist(), strict=True)]


def _in_order(segment: Segment, order: Order) -> list[NDArray[np.uint32]]:
    """Return all rows of a segment in an order, in parts."""
    if order.by == "name":
        rows = segment.arrays["by_name"]
        return [rows[::-1] if order.is_reverse else rows]
    rows = segment.arrays["order"]
    if not order.is_reverse:
        return [rows]
    sure = int(np.count_nonzero(segment.arrays["is_sure"]))
    known = int(np.count_nonzero(segment.arrays["taken"] != UNKNOWN_TIME))
    return [rows[:sure][::-1], rows[sure:known][::-1], rows[known:][::-1]]


def _latest(rows: NDArray[np.int64], segment: Segment, top_k: int, *, is_reverse: bool) -> NDArray[np.int64]:
    """Return the rows of the latest dates, or of the earliest, up to `top_k`, in any order.

    Of equal dates those of the highest ids, or of the lowest. Unknown ones, the lowest, stay so when they are negated.
    """
    if len(rows) <= top_k:
        return rows
    if top_k <= 0:
        return rows[:0]
    dates = segment.arrays["taken"][rows]
    if is_reverse:
        rows, dates = rows[::-1], -dates[::-1]
    limit = np.partition(dates, len(rows) - top_k)[len(rows) - top_k]
    later, same = rows[dates > limit], rows[dates == limit]
    return np.concatenate((later, same[len(same) - (top_k - len(later)) :]))
