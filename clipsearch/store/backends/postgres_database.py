"""Run transactions on a PostgreSQL database."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, CursorResult, Table, create_engine, event
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError

from clipsearch.errors import StoreError
from clipsearch.paths import CatalogPlace
from clipsearch.store.backends.database import Database, Insert
from clipsearch.store.backends.postgres import connect, reason_of


class ServerDatabase(Database):
    """Database with writers on any number of machines."""

    is_server = True

    def __init__(self, place: CatalogPlace) -> None:
        """Create the engine.

        Args:
            place: with the newest schema; see `postgres_schema.open_server`.
        """
        super().__init__(
            create_engine(
                "postgresql+psycopg://",
                creator=lambda: connect(place, autocommit=False),
                max_overflow=-1,
                pool_pre_ping=True,
                isolation_level="READ COMMITTED",
            ),
            place,
        )
        event.listen(self._engine, "begin", _begin)

    def insert(self, table: Table) -> Insert:
        return postgresql.insert(table)

    def execute_sql(self, connection: Connection, statement: str, *values: object) -> CursorResult[Any]:
        return connection.exec_driver_sql(statement.replace("?", "%s"), values)

    def execute_many(self, connection: Connection, statement: str, rows: Sequence[tuple[object, ...]]) -> int:
        return connection.exec_driver_sql(statement.replace("?", "%s"), list(rows)).rowcount

    def time_value(self, time: datetime | None) -> object:
        return time

    @contextmanager
    def _converted_errors(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise StoreError(f"the catalog {self._place} failed: {reason_of(error.orig)}") from error


def _begin(connection: Connection) -> None:
    options: Any = connection.get_execution_options()
    if options.get("write"):
        # One write transaction at a time, as in SQLite: row ids are committed in the order they are issued, so that a
        # reader that continues after its last id misses nothing. The lock is on a row: readers don't wait for it.
        connection.exec_driver_sql("SELECT catalog_id FROM catalog FOR UPDATE")
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
