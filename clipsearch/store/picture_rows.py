"""Insert rows of contents and files, and number their changes."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, and_, select

from clipsearch.store import tables
from clipsearch.store.backends.base import parts
from clipsearch.store.backends.database import InsertInto
from clipsearch.store.changes import touch_contents
from clipsearch.store.records import ContentRecord, FileRecord, utc_now
from clipsearch.vectors import to_bytes

# Columns of `contents` that are fields of `ImageMetadata`.
_METADATA_COLUMNS = (
    *("width", "height", "format", "taken_at", "camera", "latitude", "longitude", "is_date_doubtful"),
    *("phash", "sharpness", "brightness"),
)
MEASURED = ("phash", "sharpness", "brightness")
"""Of these, what is measured on the pixels: unknown for contents of earlier versions, or without decoding."""


def find_content_ids(connection: Connection, digests: Iterable[bytes]) -> dict[bytes, int]:
    """Return the ids of known contents by blake3."""
    content = tables.contents
    rows = connection.execute(select(content.c.blake3, content.c.content_id).where(content.c.blake3.in_(set(digests))))
    return {row[0]: row[1] for row in rows}


def insert_contents(
    connection: Connection, contents: Sequence[ContentRecord], model_id: int, *, insert: InsertInto, change: int
) -> None:
    """Insert contents with their embeddings; stored ones stay, and get their measures where they have none."""
    now = utc_now()
    statement = insert(tables.contents)
    measured = {name: getattr(statement.excluded, name) for name in (*MEASURED, "changed")}
    connection.execute(
        # A content of an earlier version has no measures: it was decoded now.
        statement.on_conflict_do_update(
            index_elements=["blake3"],
            set_=measured,
            where=and_(tables.contents.c.sharpness.is_(None), statement.excluded.sharpness.is_not(None)),
        ),
        [
            {
                "blake3": content.blake3,
                "size_bytes": content.size_bytes,
                "added_at": now,
                "changed": change,
                **{name: getattr(content.metadata, name) for name in _METADATA_COLUMNS},
            }
            for content in contents
        ],
    )
    ids = find_content_ids(connection, (content.blake3 for content in contents))
    connection.execute(
        insert(tables.image_embeddings).on_conflict_do_nothing(),
        [
            {
                "model_id": model_id,
                "content_id": ids[content.blake3],
                "embedding": to_bytes(content.embedding),
            }
            for content in contents
        ],
    )


def upsert_files(connection: Connection, files: Sequence[FileRecord], *, insert: InsertInto, change: int) -> None:
    """Insert or update files, by root and relative path."""
    ids = find_content_ids(connection, (file.blake3 for file in files if file.blake3 is not None))
    # The contents that the files get, and those that they had.
    touched = set(ids.values()) | _contents_at(connection, files)
    for part in parts(sorted(touched)):
        touch_contents(connection, tables.contents.c.content_id.in_(part), change=change)
    statement = insert(tables.files)
    new = statement.excluded
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["root_id", "relative_path"],
            set_={
                "size_bytes": new.size_bytes,
                "mtime_ns": new.mtime_ns,
                "content_id": new.content_id,
                "skip_reason": new.skip_reason,
                "ctime_ns": new.ctime_ns,
                "inode": new.inode,
                "limit_kind": new.limit_kind,
                "limit_value": new.limit_value,
                "removed_at": None,
            },
        ),
        [
            {
                "root_id": file.root_id,
                "relative_path": file.relative_path,
                "size_bytes": file.size_bytes,
                "mtime_ns": file.mtime_ns,
                "content_id": None if file.blake3 is None else ids[file.blake3],
                "skip_reason": file.skip_reason,
                "ctime_ns": file.ctime_ns,
                "inode": file.inode,
                "limit_kind": None if file.limit is None else file.limit[0],
                "limit_value": None if file.limit is None else file.limit[1],
            }
            for file in files
        ],
    )


def _contents_at(connection: Connection, files: Sequence[FileRecord]) -> set[int]:
    """Return the contents that files are recorded with."""
    file = tables.files
    paths: dict[int, list[str]] = {}
    for each in files:
        paths.setdefault(each.root_id, []).append(each.relative_path)
    found: set[int] = set()
    for root_id, names in paths.items():
        for part in parts(names):
            is_there = and_(file.c.root_id == root_id, file.c.relative_path.in_(part), file.c.content_id.is_not(None))
            found.update(connection.execute(select(file.c.content_id).where(is_there)).scalars())
    return found
