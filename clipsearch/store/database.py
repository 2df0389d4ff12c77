"""One SQLite file in WAL mode: opening, transactions."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from clipsearch.errors import CatalogNotFoundError, StoreError
from clipsearch.store.connection import open_sqlite
from clipsearch.store.migrate import upgrade

DATABASE_NAME = "catalog.sqlite3"

# Parameters of one IN (...): SQLite allows 32,766. Source: https://sqlite.org/limits.html
IN_LIMIT = 10_000


class Database:
    """The only holder of connections. Every method of the store is one `read()` or one `write()` block."""

    def __init__(self, directory: Path, *, create: bool) -> None:
        """Opens the catalog in `directory`, upgrading an older schema after a backup.

        Raises:
            CatalogNotFoundError: nothing there and `create` is false.
            SchemaOutdatedError: written by a newer version.
            StoreError: can't be made or opened.
        """
        self.path = directory / DATABASE_NAME
        if not _exists(self.path):
            if not create:
                raise CatalogNotFoundError(f"no catalog in {directory}: make one with 'clipsearch index FOLDER'")
            try:
                directory.mkdir(parents=True, exist_ok=True, mode=0o700)
                # For the owner only: paths, dates and places of somebody's pictures.
                self.path.touch(mode=0o600)
            except OSError as error:
                raise StoreError(f"can't make a catalog in {directory}: {error.strerror}") from error
        self.backup = upgrade(self.path)
        # The pool is named: for a URL without a file SQLAlchemy takes one that closes connections other threads use.
        self._engine = create_engine("sqlite://", creator=self._connect, poolclass=QueuePool, max_overflow=-1)
        event.listen(self._engine, "begin", _begin)

    def _connect(self) -> sqlite3.Connection:
        connection = open_sqlite(self.path)
        if connection.execute("PRAGMA journal_mode").fetchone()[0] == "delete":  # a new file
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                # Another process is at the same: one of two gets the lock, and the mode is the file's, for both.
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    connection.close()
                    raise
        # NORMAL in WAL mode: a power cut can lose the last commits but never damages the file;
        # what is lost is embedded again by the next run. Source: https://sqlite.org/pragma.html#pragma_synchronous
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read transaction: one consistent state, whatever a writer does meanwhile."""
        with self._wrapped(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A write transaction: committed at the end of the block, rolled back on any exception."""
        with self._wrapped(), self._engine.execution_options(write=True).begin() as connection:
            yield connection

    @contextmanager
    def _wrapped(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            if "readonly" in str(error.orig):
                raise StoreError(
                    f"the catalog {self.path.parent} can only be read: it can't be changed here"
                ) from error
            raise StoreError(f"the catalog {self.path} failed: {error.orig}") from error
        except sqlite3.Error as error:
            raise StoreError(f"can't open the catalog {self.path}: {error}") from error

    def close(self) -> None:
        self._engine.dispose()

    @property
    def size_bytes(self) -> int:
        """The file with its write-ahead log."""
        parts = (self.path, self.path.with_name(DATABASE_NAME + "-wal"))
        return sum(part.stat().st_size for part in parts if part.exists())


def _exists(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise StoreError(f"can't open the catalog {path.parent}: {error.strerror}") from error
    return True


def _begin(connection: Connection) -> None:
    # IMMEDIATE takes the write lock at once: a transaction that reads first and writes later could not wait for it.
    options: Any = connection.get_execution_options()
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("write") else "BEGIN")
