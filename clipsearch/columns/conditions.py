"""Evaluate filters on a segment of the columns, with the result that SQL has: what is unknown passes no filter."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsearch.columns.days import is_on_day
from clipsearch.columns.matching import match
from clipsearch.columns.places import is_within
from clipsearch.columns.segment import Segment
from clipsearch.columns.values import UNKNOWN, UNKNOWN_TIME
from clipsearch.columns.written import written_condition
from clipsearch.formats import FILM_FORMATS, RAW_KINDS
from clipsearch.query.areas import Circle, Rectangle
from clipsearch.query.filters import Choice, Filter, Listed, Pattern
from clipsearch.query.globs import STAR, Items, expression_of, items_of, splits_of
from clipsearch.query.spans import Span
from clipsearch.query.times import DayOfYear, Period

FORMATS = {
    "jpeg": ("JPEG", "MPO"),
    "bmp": ("BMP", "DIB"),
    "raw": tuple(sorted(RAW_KINDS)),
    "film": tuple(sorted(FILM_FORMATS)),
    **{name.lower(): (name,) for name in FILM_FORMATS},
}
"""Names of formats by that of the filter; formats that are missing here have the filter's own name in upper case."""

_COLUMNS = {
    **{"size": "size", "w": "width", "h": "height", "sharp": "sharpness", "bright": "brightness"},
    "length": "duration",
    "rating": "rating",
}

# The table of codes that a mask of codes is looked up in: not more codes are compared one by one.
_FEW = 2

# Where fewer than one row in this many is left, only these are looked at.
_SPARSE = 16

# Rows that are compared at once, so that what is between stays in the processor's cache.
_CHUNK = 1 << 15


class _SomeRows(Mapping[str, NDArray[Any]]):
    """Columns of some rows: those that are read are copied."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]], rows: NDArray[np.int64]) -> None:
        self._arrays, self._rows = arrays, rows

    def __getitem__(self, name: str) -> NDArray[Any]:
        found: NDArray[Any] = self._arrays[name][self._rows]
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)


def passing(segment: Segment, filters: Sequence[Filter]) -> NDArray[np.bool_]:
    """Return which rows (n,) of a segment pass all filters; those on paths are about one and the same file."""
    count = len(segment)
    if not count:
        return np.zeros(0, dtype=np.bool_)
    is_passing, rows = np.ones(count, dtype=np.bool_), None
    # Places last, as they take the longest: few rows may be left by then.
    others = sorted((each for each in filters if each.key != "path"), key=lambda each: isinstance(each.value, Circle))
    for number, each in enumerate(others):
        if rows is None and number and np.count_nonzero(is_passing) * _SPARSE < count:
            rows = np.flatnonzero(is_passing)
        found = written_condition(segment, each)
        if found is None:
            found = _condition(segment, segment.arrays if rows is None else _SomeRows(segment.arrays, rows), each)
        elif rows is not None:
            found = found[rows]
        if each.is_negated:
            found = ~found
        if rows is None:
            is_passing &= found
        else:
            is_passing[rows[~found]] = False
            rows = rows[found]
    paths = [
        (each.value, each.is_negated) for each in filters if isinstance(each.value, Pattern) and each.key == "path"
    ]
    if paths:
        is_passing &= _with_file(segment, paths, is_passing)
    return is_passing


def _condition(  # noqa: PLR0911
    segment: Segment, arrays: Mapping[str, NDArray[Any]], wanted: Filter
) -> NDArray[np.bool_]:
    """Return which rows (n,) of some arrays of a segment a filter matches, whether it is negated or not."""
    match wanted.value:
        case Pattern() as pattern:
            is_like = expression_of(items_of(pattern))
            return _has_code(
                arrays["camera"],
                np.array([is_like.fullmatch(name) is not None for name in segment.folded_cameras], dtype=np.bool_),
            )
        case Period(start, end):
            return _between(arrays["taken"], _microseconds(start), _microseconds(end), unknown=UNKNOWN_TIME)
        case DayOfYear() as day:
            return is_on_day(arrays["taken"], day)
        case Span(low, high):
            column = arrays[_COLUMNS[wanted.key]]
            return _between(column, low, None if high is None else high + 1, unknown=int(np.iinfo(column.dtype).min))
        case Circle() as circle:
            return is_within(arrays, circle)
        case Choice(name):
            return _has_choice(segment, arrays, wanted.key, name)
        case Listed(content_ids):
            return np.isin(arrays["ids"], content_ids)
        case Rectangle():
            raise AssertionError("it was listed")  # see `list_elsewhere`


def _has_choice(segment: Segment, arrays: Mapping[str, NDArray[Any]], key: str, name: str) -> NDArray[np.bool_]:
    if key == "type" and name == "animation":  # of other formats, what has a duration
        is_other = (arrays["format"] != 0) & ~_has_choice(segment, arrays, key, "film")
        found: NDArray[np.bool_] = is_other & (arrays["duration"] != UNKNOWN_TIME)
        return found
    if key == "type":
        names = FORMATS.get(name, (name.upper(),))
        return _has_code(arrays["format"], np.array([each in names for each in segment.formats], dtype=np.bool_))
    if key == "has":
        is_known: dict[str, Callable[[], NDArray[np.bool_]]] = {
            "gps": lambda: ~np.isnan(arrays["latitude"]),
            "date": lambda: arrays["taken"] != UNKNOWN_TIME,
            "camera": lambda: arrays["camera"] != 0,
        }
        return is_known[name]()
    width, height = arrays["width"], arrays["height"]
    compare = {"portrait": np.less, "landscape": np.greater, "square": np.equal}[name]
    compared: NDArray[np.bool_] = compare(width, height) & (width != UNKNOWN) & (height != UNKNOWN)
    return compared


def _has_code(codes: NDArray[np.unsignedinteger], is_wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which codes (n,) are of wanted names (m,)."""
    wanted = (1 + np.flatnonzero(is_wanted)).tolist()
    if len(wanted) <= _FEW:
        found = np.zeros(len(codes), dtype=np.bool_)
        for code in wanted:
            found |= codes == codes.dtype.type(code)
        return found
    return np.take(np.concatenate(([False], is_wanted)), codes, mode="clip")


def _between(column: NDArray[np.integer], low: int | None, end: int | None, *, unknown: int) -> NDArray[np.bool_]:
    """Return which values (n,) are known, at least `low` and less than `end`."""
    limits = np.iinfo(column.dtype)
    first = unknown + 1 if low is None else max(low, unknown + 1)
    last = limits.max if end is None else min(end - 1, limits.max)
    found = np.zeros(len(column), dtype=np.bool_)
    if first > last:
        return found
    # One comparison for both ends: what is lower than the first becomes a high number.
    unsigned = np.dtype(f"u{column.dtype.itemsize}").type
    offset, width = unsigned(first % (1 << 8 * column.dtype.itemsize)), unsigned(last - first)
    numbers = column.view(unsigned)
    for begin in range(0, len(column), _CHUNK):
        chunk = numbers[begin : begin + _CHUNK] - offset
        np.less_equal(chunk, width, out=found[begin : begin + _CHUNK])
    return found


def _microseconds(time: datetime | None) -> int | None:
    return None if time is None else int(np.datetime64(time, "us").astype(np.int64))


def _with_file(
    segment: Segment, patterns: Sequence[tuple[Pattern, bool]], among: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return which rows (n,) of some have a file that passes all patterns, each of which may be negated."""
    is_passing = np.concatenate((among, among[segment.arrays["extra_rows"]]))
    for pattern, is_negated in patterns:
        matched = _files_like(segment, pattern, is_passing)
        is_passing &= ~matched if is_negated else matched
    rows = is_passing[: len(segment)]
    rows[segment.arrays["extra_rows"][is_passing[len(segment) :]]] = True
    return rows


def _files_like(segment: Segment, pattern: Pattern, among: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which files (files,) of some a pattern matches.

    One with wildcards may match from the top, or from the indexed folder.
    """
    stars, others = splits_of(items_of(pattern))
    found = np.zeros(len(among), dtype=np.bool_)
    left = np.ones(segment.wholes.count, dtype=np.bool_)
    for start, rest in stars:
        folders = _folders_like(segment, start, is_wild=pattern.is_wild) & left
        left &= ~folders
        _add_files(found, segment, folders, rest, among)
    for start, rest in others:
        _add_files(found, segment, _folders_like(segment, start, is_wild=pattern.is_wild), rest, among)
    return found


def _folders_like(segment: Segment, items: Items, *, is_wild: bool) -> NDArray[np.bool_]:
    folders = match(segment.wholes, items)
    return folders | match(segment.relatives, items) if is_wild else folders


def _add_files(
    found: NDArray[np.bool_], segment: Segment, folders: NDArray[np.bool_], rest: Items, among: NDArray[np.bool_]
) -> None:
    """Add the files of some that are in some folders and whose names match the rest of a pattern."""
    if not folders.any():
        return
    files = among if rest == (STAR,) else match(segment.names, rest) & among
    if folders.all():
        found |= files
        return
    codes = segment.arrays["folder"]
    if np.count_nonzero(files) * _SPARSE < len(files):
        some = np.flatnonzero(files)
        found[some[folders[codes[some]]]] = True
    else:
        found |= files & np.take(folders, codes, mode="clip")
