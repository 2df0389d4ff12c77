"""Open the SQLite file, always in the same safe way."""

import os
import sqlite3
import stat
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from clipsearch.errors import StoreError
from clipsearch.files import is_link, is_regular
from clipsearch.store.backends.base import Dialect

# End of a journal that names a super-journal. Source: sqlite/src/pager.c, aJournalMagic.
_JOURNAL_MAGIC = bytes((0xD9, 0xD5, 0x05, 0xF9, 0x20, 0xA1, 0x63, 0xD7))


DATABASE_NAME = "catalog.sqlite3"

SCRATCH_PREFIX = ".clipsearch-"
"""Prefix of the names of scratch files next to the database."""

SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What Python raises when SQLite fails; UnicodeDecodeError for a message that quotes damaged names."""


# How long one process waits for another to finish its transaction.
BUSY_TIMEOUT_S = 30.0


def require_own_database(path: Path) -> None:
    """Check that a catalog's database is a regular file.

    Raises:
        StoreError: it is a link, or not a file: its target may belong to anybody.
    """
    if is_link(path) or (os.path.lexists(path) and not is_regular(path)):
        raise StoreError(
            f"{path} is a link or not a file, and is neither read nor changed: to keep a catalog on another drive, "
            "link to its whole folder"
        )


def open_sqlite(path: Path) -> sqlite3.Connection:
    """Open a connection that begins no transaction of its own and may be passed between threads.

    Raises:
        sqlite3.Error: it can't be opened, or an adjacent file would lead SQLite to other files.
    """
    _check_adjacent_files(path)
    connection = _connect(path)
    # A file's own schema can't call functions that have side effects or are costly.
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    if not path.exists() or (os.access(path.parent, os.W_OK) and os.access(path, os.W_OK)):
        return sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, check_same_thread=False, isolation_level=None)
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size:
        raise sqlite3.OperationalError(
            "it can't be written and its last changes are still in its write-ahead log; copy both files"
        )
    # In WAL mode SQLite writes even to read. On a read-only medium nobody writes: `immutable` says so.
    uri = f"file:{quote(os.fsencode(path))}?mode=ro&immutable=1"
    return sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)


def _check_adjacent_files(path: Path) -> None:
    """Check the files next to a database, which SQLite opens by name.

    SQLite writes to them, and deletes the file that a journal names as its super-journal, that of a transaction over
    several databases, which never exists here.

    Source: https://sqlite.org/fileformat.html#the_rollback_journal, https://sqlite.org/tempfiles.html (super-journal)
    """
    database = os.path.realpath(path)
    with suppress(OSError, ValueError):
        if not stat.S_ISREG(os.stat(database).st_mode):  # noqa: PTH116 (a pipe would block)
            raise sqlite3.OperationalError("it is not a regular file")
    for ending in ("-wal", "-shm", "-journal"):
        try:
            mode = os.lstat(database + ending).st_mode
        except (OSError, ValueError):
            continue
        if not stat.S_ISREG(mode):
            raise sqlite3.OperationalError(f"{os.path.basename(database)}{ending} next to it is not a regular file")  # noqa: PTH119
    with suppress(FileNotFoundError), open(f"{database}-journal", "rb") as journal:  # noqa: PTH123
        size = journal.seek(0, os.SEEK_END)
        journal.seek(max(0, size - len(_JOURNAL_MAGIC)))
        if journal.read() == _JOURNAL_MAGIC:
            raise sqlite3.OperationalError("the journal next to it names another file, which SQLite would delete")


class SqliteReadConnection:
    """`ReadConnection` to an SQLite file with the newest schema."""

    dialect: Dialect = "sqlite"

    def __init__(self, path: Path, *, is_snapshot: bool = False) -> None:
        self._path = path
        self._is_snapshot = is_snapshot
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._is_closed = False

    def rows(self, statement: str, *values: object) -> list[Any]:
        try:
            with self._lock:
                if self._is_closed:
                    raise StoreError(f"the catalog {self._path.parent} is closed")
                if self._connection is None:
                    self._connection = open_sqlite(self._path)
                    if self._is_snapshot:
                        self._connection.execute("BEGIN")
                return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"the catalog {self._path} failed: {error}") from error

    def open_snapshot(self) -> "SqliteReadConnection":
        return SqliteReadConnection(self._path, is_snapshot=True)

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            if self._connection is not None:
                self._connection.close()
                self._connection = None
