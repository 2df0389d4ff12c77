"""Compare dates with a day of every year, and count them by year."""

from datetime import date

import numpy as np
from numpy.typing import NDArray

from clipsearch.columns.values import UNKNOWN_TIME
from clipsearch.query.times import DayOfYear

_MICROSECONDS = 86_400_000_000
_EPOCH = date(1970, 1, 1).toordinal()
_FIRST, _LAST = date.min.toordinal() - _EPOCH, date.max.toordinal() - _EPOCH

# Rows at once, so that what is between stays in the processor's cache.
_CHUNK = 1 << 15


def is_on_day(taken: NDArray[np.int64], wanted: DayOfYear) -> NDArray[np.bool_]:
    """Return which times (n,), in microseconds since 1970, are on a day or in a month of any year; not unknown ones."""
    found = np.zeros(len(taken), dtype=np.bool_)
    known = taken[taken != UNKNOWN_TIME]
    if not len(known):
        return found
    lowest, highest = (_days_of(limit) for limit in (known.min(), known.max()))
    is_wanted = np.zeros(int(highest - lowest) + 1, dtype=np.bool_)
    for year in range(_year_of(int(lowest)), _year_of(int(highest)) + 1):
        start, end = (day - _EPOCH - int(lowest) for day in wanted.ordinals(year))
        is_wanted[max(0, start) : max(0, end)] = True
    for begin in range(0, len(taken), _CHUNK):
        some = taken[begin : begin + _CHUNK]
        on_day = np.take(is_wanted, _days_of(some) - lowest, mode="clip")
        np.logical_and(on_day, some != UNKNOWN_TIME, out=found[begin : begin + _CHUNK])
    return found


def count_years(taken: NDArray[np.int64]) -> dict[int, int]:
    """Count known times (n,), in microseconds since 1970, by their year."""
    if not len(taken):
        return {}
    days = _days_of(taken)
    lowest = int(days.min())
    counts = np.bincount(days - lowest)
    first, last = _year_of(lowest), _year_of(lowest + len(counts) - 1)
    starts = [max(0, date(year, 1, 1).toordinal() - _EPOCH - lowest) for year in range(first, last + 1)]
    sums = np.add.reduceat(counts, starts)
    return {year: count for year, count in zip(range(first, last + 1), sums.tolist(), strict=True) if count}


def years_of(taken: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the years (n,) of known times (n,), in microseconds since 1970."""
    years: NDArray[np.int64] = _days_of(taken).astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    return years


def _days_of(taken: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return days since 1970, in the years that a date can have."""
    return np.clip(taken // _MICROSECONDS, _FIRST, _LAST)


def _year_of(day: int) -> int:
    return date.fromordinal(day + _EPOCH).year
