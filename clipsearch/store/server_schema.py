"""Opens a catalog's database on a server, and brings its schema up to date with the Alembic migrations."""

from contextlib import closing
from typing import TYPE_CHECKING, Any

from clipsearch.errors import CatalogNotFoundError, SchemaOutdatedError, StoreError
from clipsearch.settings import CatalogPlace
from clipsearch.store.migrate import HEAD_REVISION, alembic_config, known_revisions
from clipsearch.store.server import MIGRATING, connect, reason_of

if TYPE_CHECKING:
    import psycopg


def open_server(place: CatalogPlace, *, create: bool) -> None:
    """
    Raises:
        CatalogNotFoundError: the database has no catalog and `create` is false.
        MissingExtraError: psycopg is not installed.
        SchemaOutdatedError: written by a newer version.
        StoreError: the server can't be reached, or the tables can't be made.
    """
    with closing(connect(place)) as connection:
        revision = _current_revision(connection, place)
    if revision is None and not create:
        raise CatalogNotFoundError(f"no catalog in {place}: make one with 'clipsearch index FOLDER'")
    if revision != HEAD_REVISION:
        _upgrade(place)


def _upgrade(place: CatalogPlace) -> None:
    """All or nothing, by one process at a time."""
    from alembic import command
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    config = alembic_config()
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: connect(place, autocommit=False), poolclass=NullPool
    )
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATING})")
            raw: Any = connection.connection.driver_connection
            revision = _current_revision(raw, place)
            if revision == HEAD_REVISION:
                return
            if revision is not None and revision not in known_revisions(config):
                raise SchemaOutdatedError(
                    f"the catalog {place} was written by a newer clipsearch (schema {revision}, this one knows "
                    f"{HEAD_REVISION}): upgrade with 'pip install -U clipsearch'"
                )
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except SQLAlchemyError as error:
        reason = reason_of(getattr(error, "orig", None) or error)
        raise StoreError(f"can't make or upgrade the catalog {place}: {reason}") from error


def _current_revision(connection: "psycopg.Connection[Any]", place: CatalogPlace) -> str | None:
    """None where there are no tables of ours.

    Raises:
        StoreError: the database keeps other texts than Unicode, or another application's versions.
    """
    encoding = _first(connection, place, "SHOW server_encoding")
    if encoding != "UTF8":
        raise StoreError(f"the database {place} keeps texts as {encoding}: a catalog needs one with ENCODING 'UTF8'")
    if _first(connection, place, "SELECT to_regclass('alembic_version')") is None:
        return None
    if _first(connection, place, "SELECT to_regclass('image_embeddings')") is None:
        raise StoreError(f"the database {place} is that of another application: give the catalog one of its own")
    found: str | None = _first(connection, place, "SELECT version_num FROM alembic_version")
    return found


def _first(connection: "psycopg.Connection[Any]", place: CatalogPlace, statement: str) -> Any:
    import psycopg

    asked: Any = statement
    try:
        row = connection.execute(asked).fetchone()
    except psycopg.Error as error:
        raise StoreError(f"can't open the catalog {place}: {reason_of(error)}") from error
    return None if row is None else row[0]
