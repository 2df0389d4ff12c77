"""Open a catalog's file, and upgrade its schema with the Alembic migrations after a backup copy."""

import os
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from clipsearch.errors import CatalogNotFoundError, ForeignSchemaError, InputError, SchemaOutdatedError, StoreError
from clipsearch.store.backends.connection import (
    DATABASE_NAME,
    SCRATCH_PREFIX,
    SQLITE_ERRORS,
    open_sqlite,
    require_own_database,
)
from clipsearch.store.schema import KNOWN_REVISION, OBJECTS, check_objects, read_revision

if TYPE_CHECKING:
    from alembic.config import Config

# The newest revision in migrations/versions; a test keeps both equal. A constant, so that opening an up-to-date catalog
# does not import Alembic.
HEAD_REVISION = "0017"


def migrations_folder() -> Path:
    """Return the folder with Alembic's env.py: in the installed package, else at the top of a checkout."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parent / "migrations"


def open_file(directory: Path, *, create: bool) -> tuple[Path, Path | None]:
    """Find or create the catalog's file, and upgrade an older schema after a backup.

    Returns:
        The file, and the backup if one was made.

    Raises:
        CatalogNotFoundError: there is none and `create` is false.
        SchemaOutdatedError: written by a newer version.
        StoreError: it can't be created or opened, or is a link.
    """
    path = directory / DATABASE_NAME
    require_own_database(path)
    is_new = False
    if not _exists(path):
        if not create:
            raise CatalogNotFoundError(f"no catalog in {directory}: make one with 'clipsearch index FOLDER'")
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            # For the owner only: it holds paths, dates and places of somebody's pictures.
            path.touch(mode=0o600, exist_ok=False)
            is_new = True
        except FileExistsError as error:  # another process has created it
            if not directory.is_dir():
                raise InputError(f"{directory} is not a folder: name the folder of a catalog") from error
        except OSError as error:
            raise StoreError(f"can't make a catalog in {directory}: {error.strerror}") from error
    try:
        return path, upgrade(path)
    except BaseException:
        with suppress(OSError):
            if is_new and path.lstat().st_size == 0:  # the migrations are one transaction
                path.unlink()
        raise


def current_revision(database: Path) -> str | None:
    """Return the revision of a database; None for an empty or new one.

    The whole schema is checked, see `schema`.

    Raises:
        ForeignSchemaError: something in it could run by itself, or is not part of a catalog.
        StoreError: the file is not an SQLite database, or has other tables.
    """
    if not database.exists():
        return None
    try:
        with closing(open_sqlite(database)) as connection:
            return read_revision(connection)
    except ForeignSchemaError as error:
        raise ForeignSchemaError(
            f"the catalog {database} holds {error}, and is not opened: 'clipsearch doctor --fix' saves its rows "
            "without it"
        ) from error
    except StoreError as error:
        raise StoreError(f"{database} is an SQLite file but not a clipsearch catalog") from error
    except SQLITE_ERRORS as error:
        raise StoreError(f"can't open the catalog {database}: {error}") from error


def is_inert(database: Path) -> bool:
    """Return whether a database can be queried without running code: a catalog's schema, or a damaged one."""
    try:
        revision = current_revision(database)
    except ForeignSchemaError:
        return False
    except StoreError:
        return True
    return revision is None or revision <= HEAD_REVISION  # newer schemas are not checked any further


def upgrade(database: Path, *, keep_old: bool = True) -> Path | None:
    """Upgrade the database to HEAD_REVISION, creating it when it is new, in one transaction.

    Args:
        keep_old: make a backup copy of an older one first.

    Returns:
        The backup copy, if one was made.

    Raises:
        SchemaOutdatedError: the database was written by a newer clipsearch; it is left unchanged.
        StoreError: it is not a catalog, or can't be upgraded.
    """
    if current_revision(database) == HEAD_REVISION:
        return None
    from alembic import command
    from sqlalchemy import create_engine, event
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    config = alembic_config()
    engine = create_engine("sqlite://", creator=lambda: open_sqlite(database), poolclass=NullPool)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        with engine.begin() as connection:
            # Check again under the write lock: another process may have upgraded it meanwhile.
            revision = current_revision(database)
            if revision == HEAD_REVISION:
                return None
            require_known(revision, config, database.parent)
            backup = _back_up(database, revision) if keep_old and revision is not None else None
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            # A schema that was plain but not a catalog's still is not one: the transaction is rolled back.
            check_objects(connection.exec_driver_sql(OBJECTS).all(), is_newest=HEAD_REVISION == KNOWN_REVISION)
    except ForeignSchemaError as error:
        raise ForeignSchemaError(f"the catalog {database} can't be upgraded: it holds {error}") from error
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        # SQLAlchemy's own text has several lines; SQLite's has one.
        raise StoreError(
            f"can't {'upgrade' if database.stat().st_size else 'make'} the catalog {database}: "
            f"{getattr(error, 'orig', None) or error}"
        ) from error
    return backup


def alembic_config() -> "Config":
    from alembic.config import Config

    config = Config()
    # Alembic interpolates option values: a percent sign in a path must be doubled.
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def require_known(revision: str | None, config: "Config", catalog: object) -> None:
    """Check that a revision is one of the migrations.

    Args:
        catalog: its name in the message.

    Raises:
        SchemaOutdatedError: no migration creates this revision.
    """
    from alembic.script import ScriptDirectory

    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise SchemaOutdatedError(
            f"the catalog {catalog} was written by a newer clipsearch (schema {revision}, this one knows "
            f"{HEAD_REVISION}): upgrade with 'pip install -U clipsearch'"
        )


def _exists(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise StoreError(f"can't open the catalog {path.parent}: {error.strerror}") from error
    return True


def _back_up(database: Path, revision: str) -> Path:
    """Copy a database next to itself, atomically; the copy of an interrupted upgrade is replaced."""
    backup = database.with_name(f"{database.stem}.schema-{revision}.backup{database.suffix}")
    # Not `atomic_write`: SQLite writes the file itself.
    handle, scratch = tempfile.mkstemp(prefix=SCRATCH_PREFIX, suffix=".new", dir=database.parent)
    os.close(handle)
    try:
        with closing(open_sqlite(database)) as source, closing(open_sqlite(Path(scratch))) as target:
            source.backup(target)
        Path(scratch).replace(backup)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise
    return backup
