"""Evaluate filters on a segment of the columns, with the result that SQL has: what is unknown passes no filter."""

from collections.abc import Callable, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from clipsearch.columns.matching import match
from clipsearch.columns.places import is_within
from clipsearch.columns.segment import UNKNOWN, UNKNOWN_TIME, Segment
from clipsearch.formats import RAW_KINDS
from clipsearch.query.filters import Choice, Circle, Filter, Pattern, Period, Span
from clipsearch.query.globs import STAR, Items, expression_of, items_of, splits_of

FORMATS = {"jpeg": ("JPEG", "MPO"), "bmp": ("BMP", "DIB"), "raw": tuple(sorted(RAW_KINDS))}
"""Names of formats by that of the filter; formats that are missing here have the filter's own name in upper case."""

_COLUMNS = {"size": "size", "w": "width", "h": "height", "sharp": "sharpness", "bright": "brightness"}

# The table of codes that a mask of codes is looked up in: not more codes are compared one by one.
_FEW = 2


def passing(segment: Segment, filters: Sequence[Filter]) -> NDArray[np.bool_]:
    """Return which rows (n,) of a segment pass all filters; those on paths are about one and the same file."""
    is_passing = np.ones(len(segment), dtype=np.bool_)
    if not len(segment):
        return is_passing
    for each in filters:
        if each.key != "path":
            is_passing &= ~_condition(segment, each) if each.is_negated else _condition(segment, each)
    if any(each.key == "path" for each in filters):
        is_passing &= _with_file(segment, filters)
    return is_passing


def _condition(segment: Segment, wanted: Filter) -> NDArray[np.bool_]:
    """Return which rows (n,) a filter matches, whether it is negated or not."""
    match wanted.value:
        case Pattern() as pattern:
            is_like = expression_of(items_of(pattern))
            return _has_code(
                segment.arrays["camera"],
                np.array([is_like.fullmatch(name) is not None for name in segment.folded_cameras], dtype=np.bool_),
            )
        case Period(start, end):
            return _between(segment.arrays["taken"], _microseconds(start), _microseconds(end), unknown=UNKNOWN_TIME)
        case Span(low, high):
            column = segment.arrays[_COLUMNS[wanted.key]]
            return _between(column, low, None if high is None else high + 1, unknown=int(np.iinfo(column.dtype).min))
        case Circle() as circle:
            return is_within(segment.arrays, circle)
        case Choice(name):
            return _has_choice(segment, wanted.key, name)


def _has_choice(segment: Segment, key: str, name: str) -> NDArray[np.bool_]:
    arrays = segment.arrays
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
    if first > limits.max:
        return np.zeros(len(column), dtype=np.bool_)
    found: NDArray[np.bool_] = column >= column.dtype.type(first)
    if end is not None and end <= limits.max:
        found &= column < column.dtype.type(max(end, limits.min))
    return found


def _microseconds(time: datetime | None) -> int | None:
    return None if time is None else int(np.datetime64(time, "us").astype(np.int64))


def _with_file(segment: Segment, filters: Sequence[Filter]) -> NDArray[np.bool_]:
    """Return which rows (n,) have a file that passes all filters on paths."""
    count = len(segment.arrays["folder"])
    is_passing = np.ones(count, dtype=np.bool_)
    for each in filters:
        if each.key == "path" and isinstance(each.value, Pattern):
            matched = _files_like(segment, each.value)
            is_passing &= ~matched if each.is_negated else matched
    rows = is_passing[: len(segment)]
    rows[segment.arrays["extra_rows"][is_passing[len(segment) :]]] = True
    return rows


def _files_like(segment: Segment, pattern: Pattern) -> NDArray[np.bool_]:
    """Return which files (files,) a pattern matches.

    One with wildcards may match from the top, or from the indexed folder.
    """
    stars, others = splits_of(items_of(pattern))
    found = np.zeros(len(segment.arrays["folder"]), dtype=np.bool_)
    left = np.ones(segment.wholes.count, dtype=np.bool_)
    for start, rest in stars:
        folders = _folders_like(segment, start, is_wild=pattern.is_wild) & left
        left &= ~folders
        _add_files(found, segment, folders, rest)
    for start, rest in others:
        _add_files(found, segment, _folders_like(segment, start, is_wild=pattern.is_wild), rest)
    return found


def _folders_like(segment: Segment, items: Items, *, is_wild: bool) -> NDArray[np.bool_]:
    folders = match(segment.wholes, items)
    return folders | match(segment.relatives, items) if is_wild else folders


def _add_files(found: NDArray[np.bool_], segment: Segment, folders: NDArray[np.bool_], rest: Items) -> None:
    """Add the files in some folders whose names match the rest of a pattern."""
    if not folders.any():
        return
    files = match(segment.names, rest)
    if not folders.all() and files.any():
        in_folders = np.take(folders, segment.arrays["folder"], mode="clip")
        files = in_folders if rest == (STAR,) else files & in_folders
    found |= files
