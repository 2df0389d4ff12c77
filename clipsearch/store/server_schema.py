"""Opens a catalog's database on a server, and brings its schema up to date with the Alembic migrations."""

from collections.abc import Callable
from typing import Any

from clipsearch.errors import CatalogNotFoundError, StoreError
from clipsearch.settings import CatalogPlace
from clipsearch.store.connection import Asking
from clipsearch.store.migrate import HEAD_REVISION, alembic_config, require_known
from clipsearch.store.server import MIGRATING, connect, reason_of


def open_server(place: CatalogPlace, asking: Asking, *, create: bool) -> None:
    """
    Args:
        asking: of the database, whatever its schema.

    Raises:
        CatalogNotFoundError: the database has no catalog and `create` is false.
        MissingExtraError: psycopg is not installed.
        SchemaOutdatedError: written by a newer version.
        StoreError: the server can't be reached, or the tables can't be made.
    """
    revision = _current_revision(lambda statement: asking.rows(statement)[0][0], place)
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
            revision = _current_revision(lambda statement: connection.exec_driver_sql(statement).scalar(), place)
            if revision == HEAD_REVISION:
                return
            require_known(revision, config, place)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except SQLAlchemyError as error:
        reason = reason_of(getattr(error, "orig", None) or error)
        raise StoreError(f"can't make or upgrade the catalog {place}: {reason}") from error


def _current_revision(ask: Callable[[str], Any], place: CatalogPlace) -> str | None:
    """None where there are no tables of ours.

    Args:
        ask: gives the first value that a statement has.

    Raises:
        StoreError: the database keeps other texts than Unicode, or another application's versions.
    """
    encoding = ask("SHOW server_encoding")
    if encoding != "UTF8":
        raise StoreError(f"the database {place} keeps texts as {encoding}: a catalog needs one with ENCODING 'UTF8'")
    if ask("SELECT to_regclass('alembic_version')") is None:
        return None
    if ask("SELECT to_regclass('image_embeddings')") is None:
        raise StoreError(f"the database {place} is that of another application: give the catalog one of its own")
    found: str | None = ask("SELECT max(version_num) FROM alembic_version")
    return found
