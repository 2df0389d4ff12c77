"""Columns with case-folded names, which filters compare, and how they are filled where Python did not write them.

A column is NULL where the name is ASCII: lower case is right there, and most names are not stored twice. See
`text.stored_fold`.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from clipsearch.text import stored_fold

if TYPE_CHECKING:
    import psycopg

# Table, key, name column and folded column.
_COLUMNS = (
    ("roots", "root_id", "path", "folded_path"),
    ("files", "file_id", "relative_path", "folded_path"),
    ("contents", "content_id", "camera", "folded_camera"),
)

# Rows read and changed at once, and a key below the first one.
_ROWS = 10_000
_FIRST = -(1 << 63)


def fill_sqlite(connection: sqlite3.Connection) -> None:
    """Fill all folded columns that are missing or wrong, in the transaction of the caller."""
    for table, key, name, folded in _COLUMNS:
        # As bytes: a damaged database may hold anything.
        statement = f"SELECT {key}, CAST({name} AS BLOB), CAST({folded} AS BLOB) FROM {table} WHERE {key} > ? "  # noqa: S608
        last = _FIRST
        while rows := connection.execute(f"{statement} ORDER BY {key} LIMIT {_ROWS}", (last,)).fetchall():
            last = rows[-1][0]
            connection.executemany(f"UPDATE {table} SET {folded} = ? WHERE {key} = ?", _find_changes(rows))  # noqa: S608


def fill_server(connection: "psycopg.Connection[Any]") -> None:
    """Fill the folded columns as in `fill_sqlite`, on a PostgreSQL server."""
    for table, key, name, folded in _COLUMNS:
        statement: Any = f"SELECT {key}, {name}, {folded} FROM {table} WHERE {key} > %s ORDER BY {key} LIMIT {_ROWS}"  # noqa: S608
        change: Any = (
            f"UPDATE {table} SET {folded} = changed.folded FROM "  # noqa: S608
            f"unnest(%s::text[], %s::bigint[]) AS changed(folded, row_number) WHERE {key} = changed.row_number"
        )
        last = _FIRST
        while rows := connection.execute(statement, (last,)).fetchall():
            last = rows[-1][0]
            if changed := list(_find_changes(rows)):
                connection.execute(change, tuple(map(list, zip(*changed, strict=True))))


def _find_changes(rows: Iterable[Any]) -> Iterator[tuple[str | None, int]]:
    """Yield (folded name, key) of rows (key, name, folded name) whose folded name is wrong."""
    for number, name, found in rows:
        folded = None if name is None else stored_fold(os.fsdecode(name))
        if found != (folded if folded is None or isinstance(found, str) else folded.encode()):
            yield folded, number
