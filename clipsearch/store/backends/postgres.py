"""A catalog's database on a PostgreSQL server: connections, what is asked over them, and who may write."""

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipsearch.errors import CatalogBusyError, MissingExtraError, StoreError
from clipsearch.notices import notify
from clipsearch.paths import NO_SAFE_NAME, CatalogPlace
from clipsearch.store.backends.base import Asking, Dialect

if TYPE_CHECKING:
    import psycopg

_CONNECT_TIMEOUT_S = 10

# The server's locks have numbers, one space for each database: "clips" in ASCII.
WRITING = 0x636C697073
"""The number of the writer's lock."""
MIGRATING = WRITING + 1
"""The number of the lock under which the schema is made or changed."""

APPLICATION = "clipsearch"
"""What the server calls connections of this program."""

# A machine is known by it to the database, where its index files are named.
_MACHINE = "machine"


def connect(place: CatalogPlace, *, autocommit: bool = True) -> "psycopg.Connection[Any]":
    """
    Raises:
        MissingExtraError: psycopg is not installed.
        StoreError: the server can't be reached, or refuses.
    """
    try:
        import psycopg
    except ImportError as error:
        raise MissingExtraError("a catalog on a server needs psycopg: pip install 'clipsearch[postgres]'") from error
    try:
        psycopg.conninfo.conninfo_to_dict(place.server or "")
        is_clear = str(place) != NO_SAFE_NAME
    except psycopg.Error:
        is_clear = False
    if not is_clear:  # what libpq says of it may hold a part of the password
        raise StoreError(
            "the catalog's URL can't be read: write special letters in names and passwords as %40 for @, %2F for /"
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
    """The server's words in one line."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


class AskingServer:
    """`Asking` of a PostgreSQL database with the newest schema; a connection that is lost is made once more."""

    dialect: Dialect = "postgresql"

    def __init__(self, place: CatalogPlace, *, is_one_moment: bool = False) -> None:
        """`is_one_moment`: all that is asked is as of the first question."""
        self._place = place
        self._is_one_moment = is_one_moment
        self._lock = threading.Lock()
        self._connection: psycopg.Connection[Any] | None = None
        self._is_closed = False

    def rows(self, statement: str, *values: object, is_selection: bool = False) -> list[Any]:
        asked: Any = statement.replace("?", "%s")
        with self._lock:
            for attempt in range(2):
                connection = self._open()
                import psycopg  # there by now

                try:
                    return connection.execute(asked, values).fetchall()
                except psycopg.Error as error:
                    is_lost = connection.closed and not self._is_one_moment
                    if not is_lost or attempt:
                        raise StoreError(f"the catalog {self._place} failed: {reason_of(error)}") from error
        raise AssertionError("unreachable")

    def _open(self) -> "psycopg.Connection[Any]":
        if self._is_closed:
            raise StoreError(f"the catalog {self._place} is closed")
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._place)
            if self._is_one_moment:
                self._connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return self._connection

    def at_one_moment(self) -> "AskingServer":
        return AskingServer(self._place, is_one_moment=True)

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            if self._connection is not None:
                self._connection.close()
                self._connection = None


@contextmanager
def server_lock(place: CatalogPlace, *, alone: bool, wait: bool = False) -> Iterator[None]:
    """What `lock.writer_lock` is for a file; the server lets go of it when the process ends, however that is.

    Args:
        alone: nobody else may write; else others may who don't need to be alone: single transactions are kept apart by
            a row that each of them locks.
        wait: until the others are done, after a notice.

    Raises:
        CatalogBusyError: others write and `wait` is false.
        StoreError: the server can't be reached.
    """
    connection = connect(place)
    import psycopg

    try:
        shared = "" if alone else "_shared"
        found = connection.execute(f"SELECT pg_try_advisory_lock{shared}(%s)", (WRITING,)).fetchone()
        if found is None or not found[0]:
            if not wait:
                raise CatalogBusyError(
                    f"another clipsearch is changing the catalog {place}: try again when it is done, or wait for it "
                    "with --wait"
                )
            notify(f"another clipsearch is changing the catalog {place}: waiting for it")
            connection.execute(f"SELECT pg_advisory_lock{shared}(%s)", (WRITING,))
        try:
            yield
        finally:
            # The server notices some time later that a connection is closed.
            with suppress(psycopg.Error):
                connection.execute(f"SELECT pg_advisory_unlock{shared}(%s)", (WRITING,))
    finally:
        connection.close()


def is_locked(asking: Asking) -> bool:
    """Whether a process, on any machine, is within `server_lock`."""
    # Source: https://www.postgresql.org/docs/16/view-pg-locks.html: the upper half of a 64-bit number is the classid.
    return bool(
        asking.rows(
            "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND classid::bigint = ? "
            "AND objid::bigint = ? AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            WRITING >> 32,
            WRITING & 0xFFFFFFFF,
        )
    )


def machine_name(directory: Path) -> str:
    """What this machine is called in the database: made up once and kept in `directory`. One that can't be kept is good
    for as long as the process."""
    path = directory / _MACHINE
    with suppress(OSError):
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = str(uuid.uuid4())
        try:
            with path.open("x", encoding="ascii") as file:
                file.write(made)
        except FileExistsError:
            kept = path.read_text(encoding="ascii", errors="replace").strip()
            with suppress(ValueError):
                return str(uuid.UUID(kept))
            path.write_text(made, encoding="ascii")
        return made
    return str(uuid.uuid4())
