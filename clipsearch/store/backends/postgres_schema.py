"""Open a catalog's database on a server, and upgrade its schema with the Alembic migrations."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from clipsearch.errors import CatalogNotFoundError, StoreError
from clipsearch.paths import CatalogPlace
from clipsearch.store.backends.base import ReadConnection
from clipsearch.store.backends.postgres import APPLICATION, MIGRATING, WRITING, connect, reason_of
from clipsearch.store.migrate import HEAD_REVISION, alembic_config, require_known
from clipsearch.store.recovery.discard import CONTENT_TABLES

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

# How long the server may still list this process's own closed connections.
_LINGERING_S = 2.0
_POLL_INTERVAL_S = 0.05

_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND application_name = %s"
)


def open_server(place: CatalogPlace, connection: ReadConnection, *, create: bool) -> bool:
    """Open the catalog, creating or upgrading its tables; return whether they were created now.

    Args:
        connection: to the database, whatever its schema.

    Raises:
        CatalogNotFoundError: the database has no catalog and `create` is false.
        MissingExtraError: psycopg is not installed.
        SchemaOutdatedError: written by a newer version.
        StoreError: the server can't be reached, or the tables can't be created.
    """
    revision = _current_revision(lambda statement: connection.rows(statement)[0][0], place)
    if revision is None and not create:
        raise CatalogNotFoundError(f"no catalog in {place}: make one with 'clipsearch index FOLDER'")
    return revision != HEAD_REVISION and _upgrade(place)


def discard_if_empty(place: CatalogPlace) -> None:
    """Drop the tables of a catalog that holds nothing and that nobody else has open; ignore errors."""
    from alembic import command
    from sqlalchemy.exc import SQLAlchemyError

    config = alembic_config()
    with suppress(StoreError, SQLAlchemyError), _engine(place).begin() as connection:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATING})")
        has_lock = connection.exec_driver_sql(f"SELECT pg_try_advisory_xact_lock({WRITING})").scalar()
        if has_lock and not _has_content(connection) and not _is_open_elsewhere(connection):
            config.attributes["connection"] = connection
            command.downgrade(config, "base")
            connection.exec_driver_sql("DROP TABLE alembic_version")


def _has_content(connection: "Connection") -> bool:
    return any(connection.exec_driver_sql(f"SELECT 1 FROM {table} LIMIT 1").first() for table in CONTENT_TABLES)  # noqa: S608


def _is_open_elsewhere(connection: "Connection") -> bool:
    end = time.monotonic() + _LINGERING_S
    while connection.exec_driver_sql(_OTHERS, (APPLICATION,)).scalar():
        if time.monotonic() > end:
            return True
        time.sleep(_POLL_INTERVAL_S)
        connection.exec_driver_sql("SELECT pg_stat_clear_snapshot()")
    return False


def _engine(place: CatalogPlace) -> "Engine":
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    return create_engine("postgresql+psycopg://", creator=lambda: connect(place, autocommit=False), poolclass=NullPool)


def _upgrade(place: CatalogPlace) -> bool:
    """Upgrade the schema in one transaction, one process at a time; return whether it was created."""
    from alembic import command
    from sqlalchemy.exc import SQLAlchemyError

    config = alembic_config()
    try:
        with _engine(place).begin() as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATING})")
            revision = _current_revision(lambda statement: connection.exec_driver_sql(statement).scalar(), place)
            if revision == HEAD_REVISION:
                return False
            require_known(revision, config, place)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            return revision is None
    except SQLAlchemyError as error:
        reason = reason_of(getattr(error, "orig", None) or error)
        raise StoreError(f"can't make or upgrade the catalog {place}: {reason}") from error


def _current_revision(fetch_value: Callable[[str], Any], place: CatalogPlace) -> str | None:
    """Return the revision of the schema; None without tables of ours.

    Args:
        fetch_value: returns the first value of a statement.

    Raises:
        StoreError: the database's encoding is not UTF-8, or its tables are another application's.
    """
    encoding = fetch_value("SHOW server_encoding")
    if encoding != "UTF8":
        raise StoreError(f"the database {place} stores text as {encoding}: a catalog needs one with ENCODING 'UTF8'")
    if fetch_value("SELECT to_regclass('alembic_version')") is None:
        return None
    if fetch_value("SELECT to_regclass('image_embeddings')") is None:
        raise StoreError(f"the database {place} belongs to another application: create one for the catalog alone")
    found: str | None = fetch_value("SELECT max(version_num) FROM alembic_version")
    return found
