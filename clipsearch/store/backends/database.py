"""Transactions over a database, through SQLAlchemy."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy import Connection, CursorResult, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from clipsearch.errors import StoreError
from clipsearch.paths import CatalogPlace
from clipsearch.store.backends.connection import open_sqlite
from clipsearch.store.records import MENDS

Insert: TypeAlias = sqlite.Insert | postgresql.Insert
InsertInto: TypeAlias = Callable[[Table], Insert]


class Database(ABC):
    """The only holder of connections. Every method of the store is one `read()` or one `write()` block."""

    is_server = False

    def __init__(self, engine: Engine, place: Path | CatalogPlace) -> None:
        """`place`: of the catalog, for errors."""
        self._engine = engine
        self._place = place
        self._is_closed = False

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read transaction: one consistent state, whatever a writer does meanwhile."""
        self._require_open()
        with self._wrapped(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A write transaction, one at a time: committed at the end of the block, rolled back on any exception."""
        self._require_open()
        with self._wrapped(), self._engine.execution_options(write=True).begin() as connection:
            yield connection

    @abstractmethod
    def insert(self, table: Table) -> Insert:
        """A statement that can say what to do with rows that are there."""

    @abstractmethod
    def ask(self, connection: Connection, statement: str, *values: object) -> CursorResult[Any]:
        """Plain SQL, with a question mark for each value, and no other."""

    @abstractmethod
    def _wrapped(self) -> Any:
        """A context in which errors of the database become those of the store."""

    def close(self) -> None:
        self._is_closed = True
        self._engine.dispose()

    def _require_open(self) -> None:
        if self._is_closed:
            raise StoreError(f"the catalog {self._place} is closed")


class SqliteDatabase(Database):
    """One SQLite file in WAL mode."""

    def __init__(self, path: Path) -> None:
        """`path`: of the file, with the newest schema; see `migrate.open_file`."""
        self.path = path
        # The pool is named: for a URL without a file SQLAlchemy takes one that closes connections other threads use.
        super().__init__(
            create_engine("sqlite://", creator=self._connect, poolclass=QueuePool, max_overflow=-1), path.parent
        )
        event.listen(self._engine, "begin", _begin)

    def insert(self, table: Table) -> Insert:
        return sqlite.insert(table)

    def ask(self, connection: Connection, statement: str, *values: object) -> CursorResult[Any]:
        return connection.exec_driver_sql(statement, values)

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
    def _wrapped(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            if "readonly" in str(error.orig):
                raise StoreError(
                    f"the catalog {self.path.parent} can only be read: it can't be changed here"
                ) from error
            raise StoreError(f"the catalog {self.path} failed: {error.orig}") from error
        except (TypeError, ValueError) as error:  # of values that SQLAlchemy, or the store, can't make sense of
            raise StoreError(f"the catalog {self.path.parent} holds a value that makes no sense; {MENDS}") from error
        except sqlite3.Error as error:
            raise StoreError(f"can't open the catalog {self.path}: {error}") from error
        except OverflowError as error:  # of Python's numbers, which know no end
            raise StoreError(f"a number is too large for the catalog {self.path}") from error


def _begin(connection: Connection) -> None:
    # IMMEDIATE takes the write lock at once: a transaction that reads first and writes later could not wait for it.
    options: Any = connection.get_execution_options()
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("write") else "BEGIN")
