"""Store what an index run has read and encoded.

Plain SQL and plain tuples, since every new file goes through here: for each row SQLAlchemy takes three times as long as
SQLite.
"""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple, cast

import numpy as np
from sqlalchemy import Connection, select

from clipsearch.description import pack
from clipsearch.store import tables
from clipsearch.store.backends.base import chunks
from clipsearch.store.backends.database import Database
from clipsearch.store.changes import touch_contents
from clipsearch.store.edits import follow_edits
from clipsearch.store.parts import insert_parts
from clipsearch.store.records import ContentRecord, FileRecord, utc_now
from clipsearch.text import stored_fold
from clipsearch.types import ImageMetadata
from clipsearch.vectors import to_bytes

_MEASURED = ("phash", "sharpness", "brightness")

READ_AGAIN = (*_MEASURED, "described")
"""Columns of `contents` that are unknown for contents of earlier versions, and of files that were not decoded."""

# Columns of `contents` that are fields of `ImageMetadata`.
_METADATA = (
    *("width", "height", "format", "camera", "latitude", "longitude", "is_date_doubtful", "duration_s"),
    *_MEASURED,
)
_metadata_values = attrgetter(*_METADATA)

_CONTENT_COLUMNS = (
    *("blake3", "size_bytes", "added_at", "changed", "taken_at", "folded_camera", "described"),
    *_METADATA,
)
_FILE_COLUMNS = (
    *("root_id", "relative_path", "folded_path", "size_bytes", "mtime_ns", "content_id", "skip_reason"),
    *("ctime_ns", "inode", "limit_kind", "limit_value"),
)


class StoredContent(NamedTuple):
    """A content that is stored, and the number of its last change; None: before changes were numbered."""

    content_id: int
    changed: int | None


def _insert(table: str, columns: Sequence[str], on_conflict: str) -> str:
    marks = ", ".join("?" * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}) ON CONFLICT {on_conflict}"  # noqa: S608


_INSERT_CONTENT = _insert(
    "contents",
    _CONTENT_COLUMNS,
    # A content of an earlier version has no measures and no description: it was decoded now.
    f"(blake3) DO UPDATE SET {', '.join(f'{each} = coalesce(contents.{each}, excluded.{each})' for each in READ_AGAIN)}"
    ", changed = excluded.changed WHERE contents.sharpness IS NULL AND excluded.sharpness IS NOT NULL "
    "OR contents.described IS NULL AND excluded.described IS NOT NULL",
)
_INSERT_EMBEDDING = _insert("image_embeddings", ("model_id", "part_id", "embedding"), "DO NOTHING")
_INSERT_NEW_FILE = _insert("files", _FILE_COLUMNS, "(root_id, relative_path) DO NOTHING")
_INSERT_FILE = _insert(
    "files",
    _FILE_COLUMNS,
    f"(root_id, relative_path) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _FILE_COLUMNS[3:])}, "
    "removed_at = NULL",
)


def insert_contents(
    database: Database, connection: Connection, contents: Sequence[ContentRecord], *, model_id: int, change: int
) -> dict[bytes, StoredContent]:
    """Insert contents with their embeddings; those that are stored already are kept.

    Returns:
        All of them as they are stored now, by blake3.
    """
    now, time_value = database.time_value(utc_now()), database.time_value
    rows: list[tuple[object, ...]] = []
    for content in contents:
        metadata = content.metadata
        camera = None if metadata.camera is None else stored_fold(metadata.camera)
        taken_at = time_value(metadata.taken_at)
        described = None if metadata.description is None else pack(metadata.description)
        values = _metadata_values(metadata)
        rows.append((content.blake3, content.size_bytes, now, change, taken_at, camera, described, *values))
    database.execute_many(connection, _INSERT_CONTENT, rows)
    stored = _find_stored(database, connection, {content.blake3 for content in contents})
    embeddings = to_bytes(np.stack([content.embedding for content in contents]))
    size = len(embeddings) // len(contents)
    ids = {blake3: content.content_id for blake3, content in stored.items()}
    covers = [
        (model_id, ids[content.blake3], embeddings[row * size : (row + 1) * size])
        for row, content in enumerate(contents)
    ]
    others = insert_parts(database, connection, contents, ids, model_id=model_id)
    if others:
        several = [ids[content.blake3] for content in contents if content.parts]
        touch_contents(connection, tables.contents.c.content_id.in_(several), change=change)
    database.execute_many(connection, _INSERT_EMBEDDING, [*covers, *others])
    return stored


def read_again(metadata: ImageMetadata) -> dict[str, Any]:
    """Return the values of `READ_AGAIN`."""
    described = "" if metadata.description is None else pack(metadata.description)
    return {**{name: getattr(metadata, name) for name in _MEASURED}, "described": described}


def upsert_files(
    database: Database,
    connection: Connection,
    files: Sequence[FileRecord],
    *,
    stored: Mapping[bytes, StoredContent],
    change: int,
) -> None:
    """Insert files, or update those that are stored already; their contents are stored.

    Args:
        stored: some of these contents, such as those that the same transaction has inserted.

    Raises:
        IntegrityError: the folder of a file is not stored any more.
    """
    digests = {file.blake3 for file in files if file.blake3 is not None}
    contents = {**stored, **_find_stored(database, connection, digests - stored.keys())}
    rows = [_file_row(file, contents) for file in files]
    # The contents that the files get. Those inserted just now have the number of this change already.
    touched = {contents[digest].content_id for digest in digests if contents[digest].changed != change}
    if database.execute_many(connection, _INSERT_NEW_FILE, rows) < len(rows):  # some are known: look up what they had
        known = _contents_at(database, connection, files)
        touched |= set(known.values())
        edits = _without_moves(list(_edits_of(rows, known)), connection, new={row[:2] for row in rows} - known.keys())
        database.execute_many(connection, _INSERT_FILE, rows)
        follow_edits(connection, edits)
    for chunk in chunks(sorted(touched)):
        touch_contents(connection, tables.contents.c.content_id.in_(chunk), change=change)


def _contents_at(
    database: Database, connection: Connection, files: Sequence[FileRecord]
) -> dict[tuple[int, bytes], int]:
    """Return the contents that files are recorded with, by folder and relative path."""
    paths: dict[int, list[bytes]] = {}
    for file in files:
        paths.setdefault(file.root_id, []).append(os.fsencode(file.relative_path))
    found: dict[tuple[int, bytes], int] = {}
    for root_id, names in paths.items():
        for chunk in chunks(names):
            marks = ",".join("?" * len(chunk))
            where = f"root_id = ? AND relative_path IN ({marks})"
            statement = f"SELECT relative_path, content_id FROM files WHERE {where}"  # noqa: S608
            rows: Sequence[Any] = database.execute_sql(connection, statement, root_id, *chunk).all()
            found |= {(root_id, bytes(path)): number for path, number in rows if number is not None}
    return found


def _edits_of(rows: Sequence[tuple[object, ...]], known: Mapping[tuple[int, bytes], int]) -> Iterator[tuple[int, int]]:
    """Yield the contents of files before and now, where both are known and differ."""
    for root_id, path, *values in rows:
        before, now = known.get((cast("int", root_id), cast("bytes", path))), values[3]
        if before is not None and isinstance(now, int) and before != now:
            yield before, now


def _without_moves(
    edits: Sequence[tuple[int, int]], connection: Connection, *, new: Collection[tuple[object, ...]]
) -> list[tuple[int, int]]:
    """Leave out contents that other files have had: one of these was renamed to, or copied over, the name of another.

    Args:
        new: folder and relative path of files that were inserted just now.
    """
    file, moved = tables.files, set[int]()
    for chunk in chunks(sorted({now for _, now in edits})):
        found = select(file.c.content_id, file.c.root_id, file.c.relative_path)
        for row in connection.execute(found.where(file.c.content_id.in_(chunk), file.c.removed_at.is_(None))):
            if (row.root_id, os.fsencode(row.relative_path)) not in new:
                moved.add(row.content_id)
    return [(before, now) for before, now in edits if now not in moved]


def _file_row(file: FileRecord, contents: Mapping[bytes, StoredContent]) -> tuple[object, ...]:
    path = file.relative_path
    return (
        file.root_id,
        os.fsencode(path),
        stored_fold(path),
        file.size_bytes,
        file.mtime_ns,
        None if file.blake3 is None else contents[file.blake3].content_id,
        file.skip_reason,
        file.ctime_ns,
        file.inode,
        None if file.limit is None else file.limit[0],
        None if file.limit is None else file.limit[1],
    )


def content_ids(database: Database, connection: Connection, digests: Collection[bytes]) -> dict[bytes, int]:
    """Return the content ids of known contents by blake3."""
    return {digest: each.content_id for digest, each in _find_stored(database, connection, digests).items()}


def _find_stored(database: Database, connection: Connection, digests: Collection[bytes]) -> dict[bytes, StoredContent]:
    """Return known contents by blake3."""
    found: dict[bytes, StoredContent] = {}
    for chunk in chunks(list(digests)):
        marks = ",".join("?" * len(chunk))
        statement = f"SELECT blake3, content_id, changed FROM contents WHERE blake3 IN ({marks})"  # noqa: S608
        found.update((row[0], StoredContent(row[1], row[2])) for row in database.fetch(connection, statement, *chunk))
    return found
