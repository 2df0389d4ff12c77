"""Filters as SQL: which pictures are so."""

import math
import os
import sqlite3
import unicodedata
from collections.abc import Sequence

from clipsearch.filters import Choice, Circle, Filter, Pattern, Period, Span
from clipsearch.store.connection import Dialect

# Pillow's names; what is not here has the filter's own name in capitals.
_FORMATS = {"jpeg": ("JPEG", "MPO"), "bmp": ("BMP", "DIB")}

_COLUMNS = {"size": "c.size_bytes", "w": "c.width", "h": "c.height"}
_ORIENTATIONS = {"portrait": "c.width < c.height", "landscape": "c.width > c.height", "square": "c.width = c.height"}
_KNOWN = {"gps": "c.latitude IS NOT NULL", "date": "c.taken_at IS NOT NULL", "camera": "c.camera IS NOT NULL"}

# Columns of bytes; a server has its own functions, which migrations make.
_FULL_PATH: dict[Dialect, str] = {
    "sqlite": f"r.path || '{os.sep}' || f.relative_path",
    "postgresql": f"r.path || '{os.sep}'::bytea || f.relative_path",
}
_CAMERA: dict[Dialect, str] = {"sqlite": "c.camera", "postgresql": "convert_to(c.camera, 'UTF8')"}
_DISTANCE_KM: dict[Dialect, str] = {"sqlite": "distance_km", "postgresql": "clipsearch_distance_km"}

# Nearly all names are ASCII, for which this is seven times as fast as the function; "C" knows no other letters.
_FOLDED = (
    "CASE WHEN strpos(encode({0}, 'escape'), '\\') = 0 THEN lower(encode({0}, 'escape') COLLATE \"C\") "
    "ELSE clipsearch_folded({0}) END"
)

# Mean radius. Source: International Union of Geodesy and Geophysics, R1.
_EARTH_KM = 6371.0088


def select_statement(filters: Sequence[Filter], dialect: Dialect = "sqlite") -> tuple[str, list[object]]:
    """SQL, and the values for its question marks, that gives the content ids that pass all filters; for connections
    that were prepared by `add_functions`, and for servers whose migrations have added them."""
    conditions, values = [], []
    for each in filters:
        if each.key != "path":
            condition, its_values = _condition(each, dialect)
            # Where nothing is known, SQL says neither yes nor no.
            conditions.append(f"({condition}) IS {'NOT TRUE' if each.is_negated else 'TRUE'}")
            values += its_values
    passes, its_values = path_condition(filters, dialect)
    if its_values:
        conditions.append(
            "c.content_id IN (SELECT f.content_id FROM files f JOIN roots r ON r.root_id = f.root_id "  # noqa: S608
            f"WHERE f.removed_at IS NULL AND {passes})"
        )
        values += its_values
    return f"SELECT c.content_id FROM contents c WHERE {' AND '.join(conditions) or 'TRUE'}", values  # noqa: S608


def path_condition(filters: Sequence[Filter], dialect: Dialect = "sqlite") -> tuple[str, list[object]]:
    """SQL, with its values, that says whether a file f below a root r passes those filters that are about paths."""
    conditions, values = ["TRUE"], []
    for each in filters:
        if each.key == "path" and isinstance(each.value, Pattern):
            condition, its_values = _like(_FULL_PATH[dialect], each.value, dialect)
            if _is_wild(each.value):
                # As written from the top, or from the indexed folder.
                below, more = _like("f.relative_path", each.value, dialect)
                condition, its_values = f"{condition} OR {below}", its_values + more
            conditions.append(f"{'NOT ' if each.is_negated else ''}({condition})")
            values += its_values
    return " AND ".join(conditions), values


def add_functions(connection: sqlite3.Connection) -> None:
    connection.create_function("folded", 1, _folded, deterministic=True)
    connection.create_function("distance_km", 4, _distance_km, deterministic=True)


def _condition(wanted: Filter, dialect: Dialect) -> tuple[str, list[object]]:
    match wanted.value:
        case Pattern() as pattern:
            return _like(_CAMERA[dialect], pattern, dialect)
        case Period(start, end):
            return _between("c.taken_at", start and start.isoformat(" "), end and end.isoformat(" "), "<")
        case Span(low, high):
            return _between(_COLUMNS[wanted.key], low, high, "<=")
        case Circle() as circle:
            return _circle_condition(circle, dialect)
        case Choice(name):
            return _choice_condition(wanted.key, name)


def _choice_condition(key: str, name: str) -> tuple[str, list[object]]:
    if key == "type":
        formats = _FORMATS.get(name, (name.upper(),))
        return f"c.format IN ({','.join('?' * len(formats))})", list(formats)
    return (_ORIENTATIONS if key == "orientation" else _KNOWN)[name], []


def _like(column: str, pattern: Pattern, dialect: Dialect) -> tuple[str, list[object]]:
    if dialect == "postgresql":
        folded = _FOLDED.format(column)
        return f"{folded} LIKE clipsearch_folded(?) ESCAPE '\\'", [os.fsencode(_escaped(pattern))]
    # SQLite's LIKE knows small and capital letters of ASCII only.
    text = _escaped(pattern)
    if not text.isascii():
        text, column = _fold(text), f"folded(CAST({column} AS BLOB))"
    # As bytes: names that are no text are no text here either.
    return f"CAST({column} AS TEXT) LIKE CAST(? AS TEXT) ESCAPE '\\'", [os.fsencode(text)]


def _escaped(pattern: Pattern) -> str:
    """As LIKE takes it."""
    text = pattern.text
    for special in ("\\", "%", "_"):
        text = text.replace(special, f"\\{special}")
    return text.replace("*", "%").replace("?", "_") if _is_wild(pattern) else f"%{text}%"


def _is_wild(pattern: Pattern) -> bool:
    return "*" in pattern.text or "?" in pattern.text


def _between(column: str, low: object, high: object, below: str) -> tuple[str, list[object]]:
    limits = [(f"{column} >= ?", low), (f"{column} {below} ?", high)]
    return " AND ".join(sql for sql, limit in limits if limit is not None), [
        limit for _, limit in limits if limit is not None
    ]


def _circle_condition(circle: Circle, dialect: Dialect) -> tuple[str, list[object]]:
    # The distance is calculated for those between two parallels.
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


def _folded(name: bytes | None) -> bytes | None:
    return None if name is None else os.fsencode(_fold(os.fsdecode(name)))


def _fold(text: str) -> str:
    """Without regard to case and to how accents are put together, in which systems differ."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _distance_km(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Of two places on a sphere, by the haversine formula."""
    one, other = math.radians(latitude), math.radians(other_latitude)
    half = math.radians(other_longitude - longitude) / 2
    root = math.sin((other - one) / 2) ** 2 + math.cos(one) * math.cos(other) * math.sin(half) ** 2
    return 2 * _EARTH_KM * math.asin(min(1.0, math.sqrt(root)))
