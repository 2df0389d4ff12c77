"""Discard a catalog that a command has created in a folder without storing anything."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

from clipsearch.errors import StoreError
from clipsearch.paths import index_folder
from clipsearch.store.backends.connection import DATABASE_NAME
from clipsearch.store.backends.lock import LOCK_NAME, writer_lock

# Rows of the other tables (models, roots, runs) only record what was tried.
CONTENT_TABLES = ("files", "contents", "captions", "label_sets", "concepts", "saved_searches")


def missing_folders(directory: Path) -> list[Path]:
    """Return those of a folder and its parents that do not exist, the innermost first."""
    return [folder for folder in (directory, *directory.parents) if not folder.exists()]


def discard_if_empty(directory: Path, folders: Sequence[Path]) -> None:
    """Delete a catalog's database that holds nothing and that nobody else has open; ignore errors.

    Args:
        folders: those created for it, the innermost first; deleted when nothing else is in them.
    """
    database = directory / DATABASE_NAME
    with suppress(StoreError, OSError, sqlite3.Error):
        with writer_lock(directory):
            if not _is_empty(database) or not _is_exclusive(database):
                return
            for ending in ("", "-wal", "-shm"):
                database.with_name(database.name + ending).unlink(missing_ok=True)
        (directory / LOCK_NAME).unlink(missing_ok=True)
        remove_folders([index_folder(directory)])
        remove_folders(folders)


def remove_folders(folders: Sequence[Path]) -> None:
    """Delete empty folders, up to the first that is not empty."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _is_empty(database: Path) -> bool:
    with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        return not any(
            connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()  # noqa: S608
            for table in CONTENT_TABLES
            if table in tables
        )


def _is_exclusive(database: Path) -> bool:
    with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as connection:
        # Refused while any other connection is open. Source: https://sqlite.org/wal.html#persistence_of_wal_mode
        return bool(connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0] == "delete")
