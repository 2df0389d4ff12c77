"""Run transactions on a database through SQLAlchemy."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import Connection, CursorResult, Engine, Table, create_engine, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from clipsearch.errors import CatalogBusyError, StoreError
from clipsearch.paths import CatalogPlace
from clipsearch.store.backends.connection import open_sqlite
from clipsearch.store.records import REPAIR_HINT

if TYPE_CHECKING:  # takes 30 ms to import, for a server alone
    from sqlalchemy.dialects import postgresql

Insert: TypeAlias = "sqlite.Insert | postgresql.Insert"
InsertInto: TypeAlias = Callable[[Table], Insert]


class Database(ABC):
    """Owner of all SQLAlchemy connections; every method of the store is one `read()` or one `write()` block."""

    is_server = False

    def __init__(self, engine: Engine, place: Path | CatalogPlace) -> None:
        """Take the engine.

        Args:
            place: location of the catalog, for errors.
        """
        self._engine = engine
        self._place = place
        self._is_closed = False

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a read transaction: one consistent state, whatever a writer does meanwhile."""
        self.require_open()
        with self._converted_errors(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a write transaction, one at a time: committed at the end, rolled back on any exception."""
        self.require_open()
        with self._converted_errors(), self._engine.execution_options(write=True).begin() as connection:
            yield connection

    @abstractmethod
    def insert(self, table: Table) -> Insert:
        """Return an insert statement that supports ON CONFLICT."""

    @abstractmethod
    def execute_sql(self, connection: Connection, statement: str, *values: object) -> CursorResult[Any]:
        """Execute plain SQL, with a question mark for each value, and no other."""

    def fetch(self, connection: Connection, statement: str, *values: object) -> list[Any]:
        """Return the rows of plain SQL as the driver gives them; SQLAlchemy's take longer to make than to read."""
        cursor: Any = self.execute_sql(connection, statement, *values).cursor
        return list(cursor.fetchall())

    @abstractmethod
    def execute_many(self, connection: Connection, statement: str, rows: Sequence[tuple[object, ...]]) -> int:
        """Execute plain SQL, as `execute_sql`, once for each row of values; return how many rows were changed."""

    @abstractmethod
    def time_value(self, time: datetime | None) -> object:
        """Return a time, in UTC without a zone or local, as plain SQL takes it."""

    @abstractmethod
    def _converted_errors(self) -> Any:
        """Return a context that converts errors of the database into those of the store."""

    def close(self) -> None:
        self._is_closed = True
        self._engine.dispose()

    def require_open(self) -> None:
        if self._is_closed:
            raise StoreError(f"the catalog {self._place} is closed")


class SqliteDatabase(Database):
    """One SQLite file in WAL mode."""

    def __init__(self, path: Path) -> None:
        """Create the engine.

        Args:
            path: of the file, with the newest schema; see `migrate.open_file`.
        """
        self.path = path
        # The pool is explicit: for a URL without a file SQLAlchemy's default closes connections that other threads use.
        super().__init__(
            create_engine("sqlite://", creator=self._connect, poolclass=QueuePool, max_overflow=-1), path.parent
        )
        event.listen(self._engine, "begin", _begin)

    def insert(self, table: Table) -> Insert:
        return sqlite.insert(table)

    def execute_sql(self, connection: Connection, statement: str, *values: object) -> CursorResult[Any]:
        return connection.exec_driver_sql(statement, values)

    def execute_many(self, connection: Connection, statement: str, rows: Sequence[tuple[object, ...]]) -> int:
        return connection.exec_driver_sql(statement, list(rows)).rowcount

    def time_value(self, time: datetime | None) -> object:
        return None if time is None else time.isoformat(" ", "microseconds")

    def _connect(self) -> sqlite3.Connection:
        connection = open_sqlite(self.path)
        if connection.execute("PRAGMA journal_mode").fetchone()[0] == "delete":  # a new file
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                # Another process sets it too: one of two gets the lock, and the mode is stored in the file, for both.
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    connection.close()
                    raise
        # NORMAL in WAL mode: a power cut can lose the last commits but never damages the file; the next run embeds what
        # is lost. Source: https://sqlite.org/pragma.html#pragma_synchronous
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    @contextmanager
    def _converted_errors(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            if "readonly" in str(error.orig):
                raise StoreError(f"the catalog {self.path.parent} is read-only: it can't be changed here") from error
            if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
                raise CatalogBusyError(
                    f"another program is writing to the catalog {self.path.parent}: try again when it is done"
                ) from error
            raise StoreError(f"the catalog {self.path} failed: {error.orig}") from error
        except (TypeError, ValueError) as error:  # of values that SQLAlchemy, or the store, can't convert
            raise StoreError(f"the catalog {self.path.parent} holds an invalid value; {REPAIR_HINT}") from error
        except sqlite3.Error as error:
            raise StoreError(f"can't open the catalog {self.path}: {error}") from error
        except OverflowError as error:  # Python's numbers are unbounded
            raise StoreError(f"a number is too large for the catalog {self.path}") from error


def _begin(connection: Connection) -> None:
    # IMMEDIATE takes the write lock at once: a transaction that reads first and writes later could not wait for it.
    options: Any = connection.get_execution_options()
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("write") else "BEGIN")
