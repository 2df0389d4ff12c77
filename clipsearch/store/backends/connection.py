"""One way to open the SQLite file, and what is asked of either kind of database."""

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

# Ends a journal that names a super-journal. Source: sqlite/src/pager.c, aJournalMagic.
_JOURNAL_MAGIC = bytes((0xD9, 0xD5, 0x05, 0xF9, 0x20, 0xA1, 0x63, 0xD7))


DATABASE_NAME = "catalog.sqlite3"

SCRATCH_PREFIX = ".clipsearch-"
"""How names of scratch files beside it begin."""

SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What Python raises when SQLite fails: its messages may name what is damaged."""


# How long one process waits for another to finish its transaction.
BUSY_TIMEOUT_S = 30.0


def require_own_database(path: Path) -> None:
    """
    Raises:
        StoreError: a catalog's database is a link, or no file: what is behind the name may be anybody's.
    """
    if is_link(path) or (os.path.lexists(path) and not is_regular(path)):
        raise StoreError(
            f"{path} is a link or no file, and is neither read nor changed: a link to another drive may be the "
            "catalog's whole folder, and nothing in it"
        )


def open_sqlite(path: Path) -> sqlite3.Connection:
    """A connection that begins no transaction of its own and may be handed from thread to thread.

    Raises:
        sqlite3.Error: it can't be opened, or what lies beside it would lead SQLite to other files.
    """
    _check_beside(path)
    connection = _connect(path)
    # Functions that have effects, or are costly, can't be called from what a file's own schema says.
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    if not path.exists() or (os.access(path.parent, os.W_OK) and os.access(path, os.W_OK)):
        return sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, check_same_thread=False, isolation_level=None)
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size:
        raise sqlite3.OperationalError("it can't be written and its last changes are still in its log; copy both files")
    # In WAL mode SQLite wants to write even to read. On a read-only medium nobody writes: `immutable` says so.
    uri = f"file:{quote(os.fsencode(path))}?mode=ro&immutable=1"
    return sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)


def _check_beside(path: Path) -> None:
    """SQLite writes to the files beside a database by their names, and deletes the file that a journal names as that of
    a transaction over several databases, which there never is here.

    Source: https://sqlite.org/fileformat.html#the_rollback_journal, https://sqlite.org/tempfiles.html (super-journal)
    """
    beside = os.path.realpath(path)
    with suppress(OSError, ValueError):
        if not stat.S_ISREG(os.stat(beside).st_mode):  # noqa: PTH116 (a pipe would be waited for)
            raise sqlite3.OperationalError("it is no file")
    for ending in ("-wal", "-shm", "-journal"):
        try:
            mode = os.lstat(beside + ending).st_mode
        except (OSError, ValueError):
            continue
        if not stat.S_ISREG(mode):
            raise sqlite3.OperationalError(f"{os.path.basename(beside)}{ending} beside it is no file")  # noqa: PTH119
    with suppress(FileNotFoundError), open(f"{beside}-journal", "rb") as journal:  # noqa: PTH123
        size = journal.seek(0, os.SEEK_END)
        journal.seek(max(0, size - len(_JOURNAL_MAGIC)))
        if journal.read() == _JOURNAL_MAGIC:
            raise sqlite3.OperationalError("the journal beside it names another file, which SQLite would delete")


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
                    from clipsearch.store.filter_sql import add_functions

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
