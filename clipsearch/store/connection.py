"""One way to open the SQLite file."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

_Value = TypeVar("_Value")

DATABASE_NAME = "catalog.sqlite3"

# Parameters of one IN (...): SQLite allows 32,766. Source: https://sqlite.org/limits.html
_IN_LIMIT = 10_000

# How long one process waits for another to finish its transaction.
BUSY_TIMEOUT_S = 30.0


def parts(values: Sequence[_Value]) -> Iterator[Sequence[_Value]]:
    """No more at once than one IN (...) takes."""
    for start in range(0, len(values), _IN_LIMIT):
        yield values[start : start + _IN_LIMIT]


def open_sqlite(path: Path) -> sqlite3.Connection:
    """A connection that begins no transaction of its own and may be handed from thread to thread.

    Raises:
        sqlite3.Error: it can't be opened.
    """
    if not path.exists() or (os.access(path.parent, os.W_OK) and os.access(path, os.W_OK)):
        return sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, check_same_thread=False, isolation_level=None)
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size:
        raise sqlite3.OperationalError("it can't be written and its last changes are still in its log; copy both files")
    # In WAL mode SQLite wants to write even to read. On a read-only medium nobody writes: `immutable` says so.
    uri = f"file:{quote(os.fsencode(path))}?mode=ro&immutable=1"
    return sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)
