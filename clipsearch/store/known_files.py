"""Look up what earlier runs knew of files, a folder at a time: every run looks up every file."""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from operator import itemgetter
from typing import Any, cast

from sqlalchemy import Connection

from clipsearch.store.backends.base import chunks
from clipsearch.store.backends.database import Database
from clipsearch.store.records import KnownFile, Scope, StampedFile

# The fields of `KnownFile`. Plain SQL: SQLAlchemy takes longer to compile it than SQLite to answer.
_KNOWN = (
    "SELECT relative_path, size_bytes, mtime_ns, ctime_ns, inode, file_id, content_id, removed_at IS NOT NULL, "
    "skip_reason, limit_kind, limit_value FROM files WHERE root_id = ? AND relative_path"
)

# The fields of `StampedFile`, which are fewer: they are read for every file of every run.
_STAMPED = (
    "SELECT relative_path, size_bytes, mtime_ns, ctime_ns, inode, file_id, content_id FROM files "
    "WHERE content_id IS NOT NULL AND removed_at IS NULL AND root_id = ? AND relative_path"
)

# Rows of a range, for each file that is looked up, from which on files are looked up one by one.
_ROWS_A_FILE = 2


_PATH: Callable[[Sequence[Any]], bytes] = itemgetter(0)


def find_known_files(database: Database, scope: Scope, relative_paths: Sequence[str]) -> dict[str, KnownFile]:
    """Return the files that earlier runs knew, removed ones too, by relative path."""
    known: dict[str | None, KnownFile] = {}
    with database.read() as connection:
        for chunk in chunks(relative_paths):
            paths = dict(zip(encoded_paths(chunk), chunk, strict=True))
            rows = _find_rows(_KNOWN, database, connection, scope, paths)
            # Without a step of Python for each.
            known.update(zip(map(paths.get, map(_PATH, rows)), map(KnownFile._make, rows), strict=True))
    known.pop(None, None)
    return cast("dict[str, KnownFile]", known)


def find_stamped_files(
    database: Database, scope: Scope, relative_paths: Sequence[bytes]
) -> Iterator[Sequence[StampedFile]]:
    """Yield the files with a picture that were there in the last run, perhaps with some other files of the folder."""
    with database.read() as connection:
        for chunk in chunks(relative_paths):
            yield _find_rows(_STAMPED, database, connection, scope, chunk)


def _find_rows(
    statement: str, database: Database, connection: Connection, scope: Scope, paths: Collection[bytes]
) -> Sequence[Any]:
    """Return the rows of some files, and perhaps some of other files.

    The files of a folder lie next to each other in the index of paths, and one range of it is read twice as fast as
    each is looked up; not so when other folders, with many files, lie among them.
    """
    most, first, last = _ROWS_A_FILE * len(paths), min(paths), max(paths)
    rows = database.fetch(connection, f"{statement} BETWEEN ? AND ? LIMIT {most}", scope.root_id, first, last)
    if len(rows) < most:
        return rows
    return database.fetch(connection, f"{statement} IN ({','.join('?' * len(paths))})", scope.root_id, *paths)


def encoded_paths(paths: Sequence[str]) -> list[bytes]:
    """Encode paths as `os.fsencode` does, all at once: none contains a NUL."""
    return os.fsencode("\0".join(paths)).split(b"\0") if paths else []
