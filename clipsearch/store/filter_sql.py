"""Compile query filters to SQL."""

import math
import os
import re
import sqlite3
from collections.abc import Sequence

from clipsearch.query.filters import Choice, Circle, Filter, Pattern, Period, Span
from clipsearch.store.backends.base import Dialect
from clipsearch.store.folded_names import folded_path, folded_text
from clipsearch.text import fold_name

# Pillow's format names; formats that are missing here have the filter's own name in upper case.
_FORMATS = {"jpeg": ("JPEG", "MPO"), "bmp": ("BMP", "DIB")}

_COLUMNS = {"size": "c.size_bytes", "w": "c.width", "h": "c.height", "sharp": "c.sharpness", "bright": "c.brightness"}
_ORIENTATIONS = {"portrait": "c.width < c.height", "landscape": "c.width > c.height", "square": "c.width = c.height"}
_WILD = {"*": "%", "?": "_"}
_KNOWN = {"gps": "c.latitude IS NOT NULL", "date": "c.taken_at IS NOT NULL", "camera": "c.camera IS NOT NULL"}

_DISTANCE_KM: dict[Dialect, str] = {"sqlite": "distance_km", "postgresql": "clipsearch_distance_km"}

# Mean radius. Source: International Union of Geodesy and Geophysics, R1.
_EARTH_KM = 6371.0088


def select_statement(filters: Sequence[Filter], dialect: Dialect = "sqlite") -> tuple[str, list[object]]:
    """Compile filters to SQL that selects the content ids that pass all of them.

    For connections prepared by `add_functions`, and for servers whose migrations have added the functions.

    Returns:
        The statement, and the values for its question marks.
    """
    conditions, values = [], []
    for each in filters:
        if each.key != "path":
            condition, new_values = _condition(each, dialect)
            # For an unknown value a condition is NULL, neither true nor false.
            conditions.append(f"({condition}) IS {'NOT TRUE' if each.is_negated else 'TRUE'}")
            values += new_values
    passes, new_values = path_condition(filters, dialect)
    if new_values:
        conditions.append(
            "c.content_id IN (SELECT f.content_id FROM files f JOIN roots r ON r.root_id = f.root_id "  # noqa: S608
            f"WHERE f.removed_at IS NULL AND {passes})"
        )
        values += new_values
    return f"SELECT c.content_id FROM contents c WHERE {' AND '.join(conditions) or 'TRUE'}", values  # noqa: S608


def path_condition(filters: Sequence[Filter], dialect: Dialect = "sqlite") -> tuple[str, list[object]]:
    """Compile path filters to a condition on a file f below a root r, with its values; others are ignored."""
    conditions, values = ["TRUE"], []
    relative = folded_path(dialect, "f.folded_path", "f.relative_path")
    # The root of the file system ends in the separator, other folders don't.
    whole = f"rtrim({folded_path(dialect, 'r.folded_path', 'r.path')}, '{os.sep}') || '{os.sep}' || {relative}"
    for each in filters:
        if each.key == "path" and isinstance(each.value, Pattern):
            condition, new_values = _like(whole, each.value)
            if each.value.is_wild:
                # The pattern may match from the top, or from the indexed folder.
                below, more = _like(relative, each.value)
                condition, new_values = f"{condition} OR {below}", new_values + more
            conditions.append(f"{'NOT ' if each.is_negated else ''}({condition})")
            values += new_values
    return " AND ".join(conditions), values


def add_functions(connection: sqlite3.Connection) -> None:
    connection.create_function("distance_km", 4, _distance_km, deterministic=True)


def _condition(wanted: Filter, dialect: Dialect) -> tuple[str, list[object]]:
    match wanted.value:
        case Pattern() as pattern:
            return _like(folded_text(dialect, "c.folded_camera", "c.camera"), pattern)
        case Period(start, end):
            return _between("c.taken_at", start and start.isoformat(" "), end and end.isoformat(" "), "<")
        case Span(low, high):
            return _between(_COLUMNS[wanted.key], _as_int64(low), _as_int64(high), "<=")
        case Circle() as circle:
            return _circle_condition(circle, dialect)
        case Choice(name):
            return _choice_condition(wanted.key, name)


def _choice_condition(key: str, name: str) -> tuple[str, list[object]]:
    if key == "type":
        formats = _FORMATS.get(name, (name.upper(),))
        return f"c.format IN ({','.join('?' * len(formats))})", list(formats)
    return (_ORIENTATIONS if key == "orientation" else _KNOWN)[name], []


def _like(column: str, pattern: Pattern) -> tuple[str, list[object]]:
    """Compile a pattern to LIKE on a column whose values are folded, as the pattern will be."""
    parts = re.split(r"([*?])" if pattern.is_wild else r"(?!)", pattern.text)
    text = "".join(_WILD.get(part) or re.sub(r"[\\%_]", r"\\\g<0>", fold_name(part)) for part in parts)
    return f"{column} LIKE ? ESCAPE '\\'", [text if pattern.is_wild else f"%{text}%"]


def _as_int64(number: int | None) -> int | None:
    """Clamp a number to 64 bits, the largest that columns hold."""
    return None if number is None else max(-(1 << 63), min((1 << 63) - 1, number))


def _between(column: str, low: object, high: object, below: str) -> tuple[str, list[object]]:
    limits = [(f"{column} >= ?", low), (f"{column} {below} ?", high)]
    return " AND ".join(sql for sql, limit in limits if limit is not None), [
        limit for _, limit in limits if limit is not None
    ]


def _circle_condition(circle: Circle, dialect: Dialect) -> tuple[str, list[object]]:
    # The distance is computed only between two parallels.
    degrees = math.degrees(circle.radius_km / _EARTH_KM)
    return (
        f"c.latitude BETWEEN ? AND ? AND {_DISTANCE_KM[dialect]}(c.latitude, c.longitude, ?, ?) <= ?",
        [
            circle.latitude - degrees,
            circle.latitude + degrees,
            circle.latitude,
            circle.longitude,
            circle.radius_km,
        ],
    )


def _distance_km(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Return the distance of two places on a sphere, by the haversine formula."""
    one, other = math.radians(latitude), math.radians(other_latitude)
    half = math.radians(other_longitude - longitude) / 2
    root = math.sin((other - one) / 2) ** 2 + math.cos(one) * math.cos(other) * math.sin(half) ** 2
    return 2 * _EARTH_KM * math.asin(min(1.0, math.sqrt(root)))
