"""List and remove the indexed folders of an untrusted database before it is used."""

import os
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

from clipsearch.errors import StoreError
from clipsearch.store.backends.connection import SQLITE_ERRORS, open_sqlite
from clipsearch.store.column_rows import make_file_stale
from clipsearch.store.migrate import is_inert
from clipsearch.store.records import utc_now
from clipsearch.store.recovery.database_files import flush
from clipsearch.store.values import is_folder

_FOLDERS = "SELECT path FROM roots WHERE removed_at IS NULL ORDER BY root_id"


def list_folders(path: Path) -> list[str]:
    """List the indexed folders of a database as recorded there; empty when it can't be read."""
    if not path.exists() or not is_inert(path):
        return []
    with suppress(*SQLITE_ERRORS), closing(open_sqlite(path)) as connection:
        return [os.fsdecode(row[0]) for row in connection.execute(_FOLDERS) if is_folder(row[0])]
    return []


def mark_removed(path: Path, folders: Iterable[str]) -> None:
    """Mark indexed folders and their files as removed, as `forget` does; `index` with their names restores them.

    Raises:
        StoreError: it can't be written.
    """
    now = utc_now().isoformat(" ", "microseconds")
    names = [(now, os.fsencode(folder)) for folder in folders]
    try:
        with closing(open_sqlite(path)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "UPDATE files SET removed_at = ? WHERE removed_at IS NULL AND root_id IN "
                "(SELECT root_id FROM roots WHERE path = ?)",
                names,
            )
            connection.executemany("UPDATE roots SET removed_at = ? WHERE path = ?", names)
            make_file_stale(connection)
            connection.execute("COMMIT")
    except SQLITE_ERRORS as error:
        raise StoreError(f"can't prepare {path}: {error}") from error
    flush(path)
