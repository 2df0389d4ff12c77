"""Filters in SQL: what the columns have to select, and what they are measured against."""

import math
import os
import re
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing

from clipsearch.columns.orders import Order
from clipsearch.formats import FILM_FORMATS, RAW_KINDS
from clipsearch.query.areas import Circle
from clipsearch.query.filters import BLURRED_BELOW, DARK_BELOW, Choice, Filter, Pattern
from clipsearch.query.globs import folded, folded_root
from clipsearch.query.spans import Span
from clipsearch.query.times import DayOfYear, Period
from clipsearch.store import Store
from clipsearch.store.backends.base import Dialect
from clipsearch.store.backends.connection import DATABASE_NAME, open_sqlite
from clipsearch.text import fold_name

# Pillow's format names; formats that are missing here have the filter's own name in upper case.
_FORMATS = {
    "jpeg": ("JPEG", "MPO"),
    "bmp": ("BMP", "DIB"),
    "raw": tuple(sorted(RAW_KINDS)),
    "film": tuple(sorted(FILM_FORMATS)),
    **{name.lower(): (name,) for name in FILM_FORMATS},
}

_COLUMNS = {
    **{"size": "c.size_bytes", "w": "c.width", "h": "c.height", "sharp": "c.sharpness", "bright": "c.brightness"},
    "length": "CAST(floor(1000 * c.duration_s + 0.5) AS bigint)",
}
_ORIENTATIONS = {"portrait": "c.width < c.height", "landscape": "c.width > c.height", "square": "c.width = c.height"}
_WILD = {"*": "%", "?": "_"}
_KNOWN = {"gps": "c.latitude IS NOT NULL", "date": "c.taken_at IS NOT NULL", "camera": "c.camera IS NOT NULL"}

_DISTANCE_KM: dict[Dialect, str] = {"sqlite": "distance_km", "postgresql": "clipsearch_distance_km"}

# Mean radius. Source: International Union of Geodesy and Geophysics, R1.
_EARTH_KM = 6371.0088


_FOLDED_TEXT: dict[Dialect, str] = {
    "sqlite": "coalesce({0}, CAST({1} AS TEXT))",
    "postgresql": 'coalesce({0}, lower({1} COLLATE "C"))',
}
_FOLDED_BYTES: dict[Dialect, str] = {
    "sqlite": _FOLDED_TEXT["sqlite"],
    "postgresql": "coalesce({0}, lower(convert_from({1}, 'UTF8') COLLATE \"C\"))",
}


def folded_text(dialect: Dialect, folded: str, name: str) -> str:
    """Return SQL for the folded value of a text column.

    In lower case, except on SQLite, whose LIKE ignores the case of ASCII letters.
    """
    return _FOLDED_TEXT[dialect].format(folded, name)


def folded_path(dialect: Dialect, folded: str, path: str) -> str:
    """Return SQL for the folded value of a path column, which holds bytes; else as `folded_text`."""
    return _FOLDED_BYTES[dialect].format(folded, path)


class FilterSql:
    """Answers of SQL about the pictures of a store that have a file."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.dialect: Dialect = store.connection.dialect

    def rows(self, statement: str, values: Sequence[object]) -> list[Sequence[object]]:
        if self.dialect == "postgresql":
            return self._store.connection.rows(statement, *values)
        with closing(open_sqlite(self._store.place.directory / DATABASE_NAME)) as connection:
            add_functions(connection)
            return connection.execute(statement, values).fetchall()

    def select(self, filters: Sequence[Filter]) -> list[int]:
        """The ids of those that pass all filters, sorted."""
        statement, values = select_statement(filters, self.dialect)
        return sorted(row[0] for row in self.rows(f"{statement} AND {WITH_FILE}", values))

    def newest(self, filters: Sequence[Filter], top_k: int) -> list[int]:
        statement, values = select_statement(filters, self.dialect)
        order = (
            "ORDER BY c.taken_at IS NULL OR coalesce(c.is_date_doubtful, false), c.taken_at IS NULL, c.taken_at DESC, "
            "c.content_id DESC LIMIT ?"
        )
        return [row[0] for row in self.rows(f"{statement} AND {WITH_FILE} {order}", [*values, top_k])]

    def in_order(self, filters: Sequence[Filter], order: Order) -> list[int]:
        """Return all pictures that pass all filters, in an order."""
        selected = self.select(filters)
        if order.by == "added":
            return selected if order.is_reverse else selected[::-1]
        if order.by == "taken":
            numbers = self.newest(filters, len(selected))
            if not order.is_reverse:
                return numbers
            known = self.rows("SELECT content_id, taken_at IS NULL, is_date_doubtful FROM contents", [])
            last = {number: (is_unknown, is_unknown or is_doubtful) for number, is_unknown, is_doubtful in known}
            numbers.reverse()
            return sorted(numbers, key=last.__getitem__)
        names: dict[int, tuple[list[tuple[int, int]], bytes, int]] = {}
        rows = self.rows(
            "SELECT f.content_id, r.path, f.relative_path FROM files f JOIN roots r ON r.root_id = f.root_id "
            "WHERE f.removed_at IS NULL AND f.content_id IS NOT NULL",
            [],
        )
        for number, root, relative in rows:
            below, slash, name = folded(relative).rpartition(b"/")
            key = natural(name), folded_root(root) + os.sep.encode() + below + slash, number
            names[number] = min(key, names.get(number, key))
        return sorted(selected, key=names.__getitem__, reverse=order.is_reverse)

    def years(self, filters: Sequence[Filter]) -> dict[int, int]:
        """Count the pictures that pass all filters by the year of a date that is not doubtful."""
        statement, values = select_statement(filters, self.dialect)
        rows = self.rows(
            f"SELECT CAST(taken_at AS text) FROM contents WHERE content_id IN ({statement} AND {WITH_FILE}) "
            "AND taken_at IS NOT NULL "
            "AND NOT is_date_doubtful",
            values,
        )
        return dict(sorted(Counter(int(taken[:4]) for (taken,) in rows).items()))

    def facets(self, filters: Sequence[Filter]) -> dict[str, object]:
        """Numbers of cameras and formats, blurred and dark ones, and the first and the last date, as text."""
        statement, values = select_statement(filters, self.dialect)
        below = f"FROM contents c WHERE {WITH_FILE} AND c.content_id IN ({statement})"
        found: dict[str, object] = {}
        for name in ("camera", "format"):
            rows = self.rows(f"SELECT c.{name}, count(*) {below} AND c.{name} IS NOT NULL GROUP BY 1", values)
            found[f"{name}s"] = {row[0]: row[1] for row in rows}
        for name, column, limit in (("blurred", "sharpness", BLURRED_BELOW), ("dark", "brightness", DARK_BELOW)):
            found[name] = self.rows(f"SELECT count(*) {below} AND c.{column} < ?", [*values, limit])[0][0]
        sure = "AND NOT coalesce(c.is_date_doubtful, false)"
        ends = self.rows(f"SELECT min(c.taken_at), max(c.taken_at) {below} {sure}", values)[0]
        found["period"] = tuple(None if each is None else str(each)[:19] for each in ends)
        return found


WITH_FILE = "EXISTS (SELECT 1 FROM files w WHERE w.content_id = c.content_id AND w.removed_at IS NULL)"


def select_statement(filters: Sequence[Filter], dialect: Dialect = "sqlite") -> tuple[str, list[object]]:
    """Compile filters to SQL that selects the content ids that pass all of them.

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
            "c.content_id IN (SELECT f.content_id FROM files f JOIN roots r ON r.root_id = f.root_id "
            f"WHERE f.removed_at IS NULL AND {passes})"
        )
        values += new_values
    return f"SELECT c.content_id FROM contents c WHERE {' AND '.join(conditions) or 'TRUE'}", values


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


def natural(name: bytes) -> list[tuple[int, int]]:
    """Return what a name sorts by: its bytes, and the numbers in it, each where its first digit would be."""
    return [(0x30, int(part)) if part.isdigit() else (part[0], 0) for part in re.findall(rb"\d+|\D", name)]


def add_functions(connection: sqlite3.Connection) -> None:
    connection.create_function("distance_km", 4, _distance_km, deterministic=True)


def _condition(wanted: Filter, dialect: Dialect) -> tuple[str, list[object]]:
    match wanted.value:
        case Pattern() as pattern:
            return _like(folded_text(dialect, "c.folded_camera", "c.camera"), pattern)
        case Period(start, end):
            return _between("c.taken_at", start and start.isoformat(" "), end and end.isoformat(" "), "<")
        case DayOfYear(month, day):
            return _on_day(month, day, dialect)
        case Span(low, high):
            return _between(_COLUMNS[wanted.key], _as_int64(low), _as_int64(high), "<=")
        case Circle() as circle:
            return _circle_condition(circle, dialect)
        case Choice(name):
            return _choice_condition(wanted.key, name)


def _on_day(month: int, day: int | None, dialect: Dialect) -> tuple[str, list[object]]:
    shown = "substr(c.taken_at, 6, {})" if dialect == "sqlite" else "substr(CAST(c.taken_at AS text), 6, {})"
    wanted = f"{month:02}" if day is None else f"{month:02}-{day:02}"
    return f"{shown.format(len(wanted))} = ?", [wanted]


def _choice_condition(key: str, name: str) -> tuple[str, list[object]]:
    if key == "type" and name == "animation":
        others, values = _choice_condition(key, "film")
        return f"c.duration_s IS NOT NULL AND c.format IS NOT NULL AND NOT {others}", values
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
