"""The columns of folded names, see `folding`: what SQL compares, and how it is filled where Python did not write it.

A column is empty where the name is ASCII: SQL's own small letters are right there, and most names take no room twice.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from clipsearch.store.backends.base import Dialect
from clipsearch.text import stored_fold

if TYPE_CHECKING:
    import psycopg

# Table, number, name, and where it is folded.
_COLUMNS = (
    ("roots", "root_id", "path", "folded_path"),
    ("files", "file_id", "relative_path", "folded_path"),
    ("contents", "content_id", "camera", "folded_camera"),
)

# Rows that are read, and changed, at once, and a number before the first one.
_ROWS = 10_000
_FIRST = -(1 << 63)

_FOLDED_TEXT: dict[Dialect, str] = {
    "sqlite": "coalesce({0}, CAST({1} AS TEXT))",
    "postgresql": 'coalesce({0}, lower({1} COLLATE "C"))',
}
_FOLDED_BYTES: dict[Dialect, str] = {
    "sqlite": _FOLDED_TEXT["sqlite"],
    "postgresql": "coalesce({0}, lower(convert_from({1}, 'UTF8') COLLATE \"C\"))",
}


def folded_text(dialect: Dialect, folded: str, name: str) -> str:
    """SQL for the folded name of a column of texts; small letters but on SQLite, whose LIKE takes capitals for them."""
    return _FOLDED_TEXT[dialect].format(folded, name)


def folded_path(dialect: Dialect, folded: str, path: str) -> str:
    """As `folded_text`, of a column of paths, which are bytes."""
    return _FOLDED_BYTES[dialect].format(folded, path)


def fill_sqlite(connection: sqlite3.Connection) -> None:
    """Folds all names whose folded one is missing or wrong; in the transaction of the caller."""
    for table, key, name, folded in _COLUMNS:
        # As bytes: a damaged database may have anything there.
        statement = f"SELECT {key}, CAST({name} AS BLOB), CAST({folded} AS BLOB) FROM {table} WHERE {key} > ? "  # noqa: S608
        last = _FIRST
        while rows := connection.execute(f"{statement} ORDER BY {key} LIMIT {_ROWS}", (last,)).fetchall():
            last = rows[-1][0]
            connection.executemany(f"UPDATE {table} SET {folded} = ? WHERE {key} = ?", _to_change(rows))  # noqa: S608


def fill_server(connection: "psycopg.Connection[Any]") -> None:
    """As `fill_sqlite`, on a PostgreSQL server."""
    for table, key, name, folded in _COLUMNS:
        statement: Any = f"SELECT {key}, {name}, {folded} FROM {table} WHERE {key} > %s ORDER BY {key} LIMIT {_ROWS}"  # noqa: S608
        change: Any = (
            f"UPDATE {table} SET {folded} = made.folded FROM "  # noqa: S608
            f"unnest(%s::text[], %s::bigint[]) AS made(folded, row_number) WHERE {key} = made.row_number"
        )
        last = _FIRST
        while rows := connection.execute(statement, (last,)).fetchall():
            last = rows[-1][0]
            if changed := list(_to_change(rows)):
                connection.execute(change, tuple(map(list, zip(*changed, strict=True))))


def _to_change(rows: Iterable[Any]) -> Iterator[tuple[str | None, int]]:
    """(folded name, row number) of those of (row number, name, folded name) that are not right."""
    for number, name, found in rows:
        folded = None if name is None else stored_fold(os.fsdecode(name))
        if found != (folded if folded is None or isinstance(found, str) else folded.encode()):
            yield folded, number
