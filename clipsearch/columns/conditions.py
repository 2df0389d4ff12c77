"""Evaluate filters on a part of the columns, with the result that SQL has: what is unknown passes no filter."""

from collections.abc import Callable, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from clipsearch.columns.matching import match
from clipsearch.columns.part import UNKNOWN, UNKNOWN_TIME, Part
from clipsearch.columns.places import is_within
from clipsearch.query.filters import Choice, Circle, Filter, Pattern, Period, Span
from clipsearch.query.globs import STAR, Items, expression_of, items_of, splits_of

FORMATS = {"jpeg": ("JPEG", "MPO"), "bmp": ("BMP", "DIB")}
"""Pillow's format names; formats that are missing here have the filter's own name in upper case."""

_COLUMNS = {"size": "size", "w": "width", "h": "height", "sharp": "sharpness", "bright": "brightness"}

# The table of codes that a mask of codes is looked up in: not more codes are compared one by one.
_FEW = 2


def passing(part: Part, filters: Sequence[Filter]) -> NDArray[np.bool_]:
    """Return which rows (n,) of a part pass all filters; those on paths are about one and the same file."""
    is_passing = np.ones(len(part), dtype=np.bool_)
    if not len(part):
        return is_passing
    for each in filters:
        if each.key != "path":
            is_passing &= ~_condition(part, each) if each.is_negated else _condition(part, each)
    if any(each.key == "path" for each in filters):
        is_passing &= _with_file(part, filters)
    return is_passing


def _condition(part: Part, wanted: Filter) -> NDArray[np.bool_]:
    """Return which rows (n,) a filter matches, whether it is negated or not."""
    match wanted.value:
        case Pattern() as pattern:
            is_like = expression_of(items_of(pattern))
            return _has_code(
                part.arrays["camera"],
                np.array([is_like.fullmatch(name) is not None for name in part.folded_cameras], dtype=np.bool_),
            )
        case Period(start, end):
            return _between(part.arrays["taken"], _microseconds(start), _microseconds(end), unknown=UNKNOWN_TIME)
        case Span(low, high):
            column = part.arrays[_COLUMNS[wanted.key]]
            return _between(column, low, None if high is None else high + 1, unknown=int(np.iinfo(column.dtype).min))
        case Circle() as circle:
            return is_within(part.arrays, circle)
        case Choice(name):
            return _has_choice(part, wanted.key, name)


def _has_choice(part: Part, key: str, name: str) -> NDArray[np.bool_]:
    arrays = part.arrays
    if key == "type":
        names = FORMATS.get(name, (name.upper(),))
        return _has_code(arrays["format"], np.array([each in names for each in part.formats], dtype=np.bool_))
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


def _with_file(part: Part, filters: Sequence[Filter]) -> NDArray[np.bool_]:
    """Return which rows (n,) have a file that passes all filters on paths."""
    count = len(part.arrays["folder"])
    is_passing = np.ones(count, dtype=np.bool_)
    for each in filters:
        if each.key == "path" and isinstance(each.value, Pattern):
            matched = _files_like(part, each.value)
            is_passing &= ~matched if each.is_negated else matched
    rows = is_passing[: len(part)]
    rows[part.arrays["extra_rows"][is_passing[len(part) :]]] = True
    return rows


def _files_like(part: Part, pattern: Pattern) -> NDArray[np.bool_]:
    """Return which files (files,) a pattern matches.

    One with wildcards may match from the top, or from the indexed folder.
    """
    stars, others = splits_of(items_of(pattern))
    found = np.zeros(len(part.arrays["folder"]), dtype=np.bool_)
    left = np.ones(part.wholes.count, dtype=np.bool_)
    for start, rest in stars:
        folders = _folders_like(part, start, is_wild=pattern.is_wild) & left
        left &= ~folders
        _add_files(found, part, folders, rest)
    for start, rest in others:
        _add_files(found, part, _folders_like(part, start, is_wild=pattern.is_wild), rest)
    return found


def _folders_like(part: Part, items: Items, *, is_wild: bool) -> NDArray[np.bool_]:
    folders = match(part.wholes, items)
    return folders | match(part.relatives, items) if is_wild else folders


def _add_files(found: NDArray[np.bool_], part: Part, folders: NDArray[np.bool_], rest: Items) -> None:
    """Add the files in some folders whose names match the rest of a pattern."""
    if not folders.any():
        return
    files = match(part.names, rest)
    if not folders.all() and files.any():
        in_folders = np.take(folders, part.arrays["folder"], mode="clip")
        files = in_folders if rest == (STAR,) else files & in_folders
    found |= files
