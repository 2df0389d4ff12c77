"""Connect to a catalog's database on a PostgreSQL server, query it, and lock it for writing."""

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Any

from clipsearch.errors import CatalogBusyError, MissingExtraError, StoreError
from clipsearch.notices import notify
from clipsearch.paths import NO_SAFE_NAME, CatalogPlace
from clipsearch.store.backends.base import Dialect, ReadConnection
from clipsearch.store.backends.lock import wait_for_lock

if TYPE_CHECKING:
    import psycopg

_CONNECT_TIMEOUT_S = 10

# Advisory locks are numbered, separately for each database: "clips" in ASCII.
WRITING = 0x636C697073
"""Number of the writer lock."""
MIGRATING = WRITING + 1
"""Number of the lock for creating or upgrading the schema."""

APPLICATION = "clipsearch"
"""Name of this program's connections on the server."""

# File with the id of this machine, under which the database records its index files.
_MACHINE_FILE = "machine"


def connect(place: CatalogPlace, *, autocommit: bool = True) -> "psycopg.Connection[Any]":
    """Connect to the server.

    Raises:
        MissingExtraError: psycopg is not installed.
        StoreError: the server can't be reached, or refuses.
    """
    try:
        import psycopg
    except ImportError as error:
        raise MissingExtraError("a catalog on a server", "psycopg", "clipsearch[postgres]") from error
    try:
        psycopg.conninfo.conninfo_to_dict(place.server or "")
        is_valid = str(place) != NO_SAFE_NAME
    except psycopg.Error:
        is_valid = False
    if not is_valid:  # libpq's message may contain a part of the password
        raise StoreError(
            "the catalog's URL is invalid: write special characters in names and passwords as %40 for @, %2F for /"
        )
    try:
        return psycopg.connect(
            place.server or "",
            autocommit=autocommit,
            connect_timeout=_CONNECT_TIMEOUT_S,
            application_name=APPLICATION,
        )
    except psycopg.Error as error:
        raise StoreError(f"can't open the catalog {place}: {reason_of(error)}") from error


def reason_of(error: BaseException | None) -> str:
    """Return the first line of the server's message."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


class PostgresReadConnection:
    """`ReadConnection` to a PostgreSQL database with the newest schema; reconnects once when it is lost."""

    dialect: Dialect = "postgresql"

    def __init__(self, place: CatalogPlace, *, is_snapshot: bool = False) -> None:
        """Take the location.

        Args:
            is_snapshot: use snapshot isolation: all queries see the state at the first of them.
        """
        self._place = place
        self._is_snapshot = is_snapshot
        self._lock = threading.Lock()
        self._connection: psycopg.Connection[Any] | None = None
        self._is_closed = False

    def rows(self, statement: str, *values: object) -> list[Any]:
        query: Any = statement.replace("?", "%s")
        with self._lock:
            for attempt in range(2):
                connection = self._open()
                import psycopg  # installed, see `connect`

                try:
                    return connection.execute(query, values).fetchall()
                except psycopg.Error as error:
                    is_lost = connection.closed and not self._is_snapshot
                    if not is_lost or attempt:
                        raise StoreError(f"the catalog {self._place} failed: {reason_of(error)}") from error
        raise AssertionError("unreachable")

    def _open(self) -> "psycopg.Connection[Any]":
        if self._is_closed:
            raise StoreError(f"the catalog {self._place} is closed")
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._place)
            if self._is_snapshot:
                self._connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return self._connection

    def open_snapshot(self) -> "PostgresReadConnection":
        return PostgresReadConnection(self._place, is_snapshot=True)

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            if self._connection is not None:
                self._connection.close()
                self._connection = None


@contextmanager
def server_lock(
    place: CatalogPlace, *, alone: bool, wait: bool = False, cancel: threading.Event | None = None
) -> Iterator[None]:
    """Hold the writer lock on the server, as `lock.writer_lock` does for a file.

    The server releases it when the process ends, however that ends.

    Args:
        alone: exclude all other writers. Otherwise those that don't need to be alone may write too: single transactions
            are serialised by a row that each of them locks.
        wait: wait for the others, after a notice.
        cancel: cancellation token: ends the waiting.

    Raises:
        CatalogBusyError: others write, and `wait` is false or `cancel` is set.
        StoreError: the server can't be reached.
    """
    connection = connect(place)
    import psycopg

    try:
        shared = "" if alone else "_shared"

        def acquire(seconds: float) -> bool:
            found = connection.execute(f"SELECT pg_try_advisory_lock{shared}(%s)", (WRITING,)).fetchone()
            if found is not None and found[0]:
                return True
            sleep(seconds)
            return False

        if not acquire(0):
            if not wait:
                raise CatalogBusyError(
                    f"another clipsearch is changing the catalog {place}: try again when it is done, or wait for it "
                    "with --wait"
                )
            notify(f"another clipsearch is changing the catalog {place}: waiting for it")
            if cancel is None:
                connection.execute(f"SELECT pg_advisory_lock{shared}(%s)", (WRITING,))
            else:
                wait_for_lock(acquire, cancel)
        try:
            yield
        finally:
            # Unlock explicitly: the server notices a closed connection with a delay.
            with suppress(psycopg.Error):
                connection.execute(f"SELECT pg_advisory_unlock{shared}(%s)", (WRITING,))
    finally:
        connection.close()


def is_locked(connection: ReadConnection) -> bool:
    """Return whether a process, on any machine, holds `server_lock`."""
    # Source: https://www.postgresql.org/docs/16/view-pg-locks.html: the upper half of a 64-bit number is the classid.
    return bool(
        connection.rows(
            "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND classid::bigint = ? "
            "AND objid::bigint = ? AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            WRITING >> 32,
            WRITING & 0xFFFFFFFF,
        )
    )


def machine_name(directory: Path) -> str:
    """Return the id of this machine in the database, created once and stored in `directory`.

    One that can't be stored lasts as long as the process.
    """
    path = directory / _MACHINE_FILE
    with suppress(OSError):
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        new_name = str(uuid.uuid4())
        try:
            with path.open("x", encoding="ascii") as file:
                file.write(new_name)
        except FileExistsError:
            stored = path.read_text(encoding="ascii", errors="replace").strip()
            with suppress(ValueError):
                return str(uuid.UUID(stored))
            path.write_text(new_name, encoding="ascii")
        return new_name
    return str(uuid.uuid4())
