"""Store what an index run has read and encoded.

Plain SQL and plain tuples, since every new file goes through here: for each row SQLAlchemy takes three times as long as
SQLite.
"""

import os
from collections.abc import Collection, Sequence
from operator import attrgetter
from typing import Any

import numpy as np
from sqlalchemy import Connection

from clipsearch.store import tables
from clipsearch.store.backends.base import chunks
from clipsearch.store.backends.database import Database
from clipsearch.store.changes import touch_contents
from clipsearch.store.parts import insert_parts
from clipsearch.store.records import ContentRecord, FileRecord, utc_now
from clipsearch.text import stored_fold
from clipsearch.vectors import to_bytes

MEASURED = ("phash", "sharpness", "brightness")
"""Columns of `contents` that are measured on the pixels: unknown for contents of earlier versions, or not decoded."""

# Columns of `contents` that are fields of `ImageMetadata`.
_METADATA = (
    *("width", "height", "format", "camera", "latitude", "longitude", "is_date_doubtful", "duration_s"),
    *MEASURED,
)
_metadata_values = attrgetter(*_METADATA)

_CONTENT_COLUMNS = ("blake3", "size_bytes", "added_at", "changed", "taken_at", "folded_camera", *_METADATA)
_FILE_COLUMNS = (
    *("root_id", "relative_path", "folded_path", "size_bytes", "mtime_ns", "content_id", "skip_reason"),
    *("ctime_ns", "inode", "limit_kind", "limit_value"),
)


def _insert(table: str, columns: Sequence[str], on_conflict: str) -> str:
    marks = ", ".join("?" * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}) ON CONFLICT {on_conflict}"  # noqa: S608


_INSERT_CONTENT = _insert(
    "contents",
    _CONTENT_COLUMNS,
    # A content of an earlier version has no measures: it was decoded now.
    f"(blake3) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in (*MEASURED, 'changed'))} "
    "WHERE contents.sharpness IS NULL AND excluded.sharpness IS NOT NULL",
)
_INSERT_EMBEDDING = _insert("image_embeddings", ("model_id", "part_id", "embedding"), "DO NOTHING")
_INSERT_FILE = _insert(
    "files",
    _FILE_COLUMNS,
    f"(root_id, relative_path) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _FILE_COLUMNS[3:])}, "
    "removed_at = NULL",
)


def insert_contents(
    database: Database, connection: Connection, contents: Sequence[ContentRecord], *, model_id: int, change: int
) -> None:
    """Insert contents with their embeddings; those that are stored already are kept."""
    now, time_value = database.time_value(utc_now()), database.time_value
    rows: list[tuple[object, ...]] = []
    for content in contents:
        metadata = content.metadata
        camera = None if metadata.camera is None else stored_fold(metadata.camera)
        taken_at = time_value(metadata.taken_at)
        rows.append((content.blake3, content.size_bytes, now, change, taken_at, camera, *_metadata_values(metadata)))
    database.execute_many(connection, _INSERT_CONTENT, rows)
    ids = content_ids(database, connection, {content.blake3 for content in contents})
    embeddings = to_bytes(np.stack([content.embedding for content in contents]))
    size = len(embeddings) // len(contents)
    covers = [
        (model_id, ids[content.blake3], embeddings[row * size : (row + 1) * size])
        for row, content in enumerate(contents)
    ]
    others = insert_parts(database, connection, contents, ids, model_id=model_id)
    if others:
        several = [ids[content.blake3] for content in contents if content.parts]
        touch_contents(connection, tables.contents.c.content_id.in_(several), change=change)
    database.execute_many(connection, _INSERT_EMBEDDING, [*covers, *others])


def upsert_files(database: Database, connection: Connection, files: Sequence[FileRecord], *, change: int) -> None:
    """Insert files, or update those that are stored already; their contents are stored.

    Raises:
        IntegrityError: the folder of a file is not stored any more.
    """
    ids = content_ids(database, connection, {file.blake3 for file in files if file.blake3 is not None})
    # The contents that the files get, and those that they had.
    touched = set(ids.values()) | _contents_at(database, connection, files)
    for chunk in chunks(sorted(touched)):
        touch_contents(connection, tables.contents.c.content_id.in_(chunk), change=change)
    database.execute_many(connection, _INSERT_FILE, [_file_row(file, ids) for file in files])


def _contents_at(database: Database, connection: Connection, files: Sequence[FileRecord]) -> set[int]:
    """Return the contents that files are recorded with."""
    paths: dict[int, list[bytes]] = {}
    for file in files:
        paths.setdefault(file.root_id, []).append(os.fsencode(file.relative_path))
    found: set[int] = set()
    for root_id, names in paths.items():
        for chunk in chunks(names):
            marks = ",".join("?" * len(chunk))
            statement = f"SELECT content_id FROM files WHERE root_id = ? AND relative_path IN ({marks})"  # noqa: S608
            rows: Sequence[Any] = database.execute_sql(connection, statement, root_id, *chunk).all()
            found.update(row[0] for row in rows if row[0] is not None)
    return found


def _file_row(file: FileRecord, ids: dict[bytes, int]) -> tuple[object, ...]:
    path = file.relative_path
    return (
        file.root_id,
        os.fsencode(path),
        stored_fold(path),
        file.size_bytes,
        file.mtime_ns,
        None if file.blake3 is None else ids[file.blake3],
        file.skip_reason,
        file.ctime_ns,
        file.inode,
        None if file.limit is None else file.limit[0],
        None if file.limit is None else file.limit[1],
    )


def content_ids(database: Database, connection: Connection, digests: Collection[bytes]) -> dict[bytes, int]:
    """Return the content ids of known contents by blake3."""
    found: dict[bytes, int] = {}
    for chunk in chunks(list(digests)):
        marks = ",".join("?" * len(chunk))
        statement = f"SELECT blake3, content_id FROM contents WHERE blake3 IN ({marks})"  # noqa: S608
        rows: Sequence[Any] = database.execute_sql(connection, statement, *chunk).all()
        found.update((row[0], row[1]) for row in rows)
    return found
