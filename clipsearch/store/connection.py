"""One way to open the SQLite file, and what is asked of either kind of database."""

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar
from urllib.parse import quote

from clipsearch.errors import StoreError

Dialect = Literal["sqlite", "postgresql"]

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


class Asking(Protocol):
    """One connection that only reads, opened when it is first asked; may be used from any thread."""

    @property
    def dialect(self) -> Dialect: ...

    def rows(self, statement: str, *values: object, is_selection: bool = False) -> list[Any]:
        """What a statement gives: one consistent state.

        Args:
            statement: with a question mark for each value, and no other.
            is_selection: it may use the functions of `selection`.

        Raises:
            StoreError: it failed, or is closed.
        """
        ...

    def at_one_moment(self) -> "Asking":
        """Another one, to be closed by itself: all that it is asked is as of its first question."""
        ...

    def close(self) -> None: ...


class AskingSqlite:
    """`Asking` of the SQLite file `path`, with the newest schema."""

    dialect: Dialect = "sqlite"

    def __init__(self, path: Path, *, is_one_moment: bool = False) -> None:
        self._path = path
        self._is_one_moment = is_one_moment
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._is_closed = False

    def rows(self, statement: str, *values: object, is_selection: bool = False) -> list[Any]:
        try:
            with self._lock:
                if self._is_closed:
                    raise StoreError(f"the catalog {self._path.parent} is closed")
                if self._connection is None:
                    self._connection = open_sqlite(self._path)
                    if self._is_one_moment:
                        self._connection.execute("BEGIN")
                if is_selection:
                    # Not at the top: most searches have no filters.
                    from clipsearch.store.selection import add_functions

                    add_functions(self._connection)
                return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"the catalog {self._path} failed: {error}") from error

    def at_one_moment(self) -> "AskingSqlite":
        return AskingSqlite(self._path, is_one_moment=True)

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            if self._connection is not None:
                self._connection.close()
                self._connection = None
