"""Store files and their contents."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from clipsearch.errors import StoreError
from clipsearch.store import tables
from clipsearch.store.backends.base import parts
from clipsearch.store.backends.database import Database
from clipsearch.store.changes import make_stale, next_change, touch_contents
from clipsearch.store.picture_rows import MEASURED, find_content_ids, insert_contents, upsert_files
from clipsearch.store.records import (
    GONE_BEFORE,
    REPAIR_HINT,
    SEEN,
    ContentRecord,
    FileRecord,
    KnownFile,
    Scope,
    utc_now,
)
from clipsearch.store.values import MAX_ROW, is_number
from clipsearch.types import ImageMetadata


class PictureStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def known_files(self, scope: Scope, relative_paths: Sequence[str]) -> dict[str, KnownFile]:
        """Return the files that earlier runs knew, removed ones too, by relative path."""
        known: dict[str, KnownFile] = {}
        with self._database.read() as connection:
            for part in parts(relative_paths):
                paths = {os.fsencode(path): path for path in part}
                # Plain SQL and plain rows, since every run looks up every file. Only the question marks are formatted
                # in.
                rows = self._database.execute_sql(
                    connection,
                    "SELECT relative_path, file_id, size_bytes, mtime_ns, content_id, skip_reason, "  # noqa: S608
                    "removed_at IS NOT NULL, ctime_ns, inode, limit_kind, limit_value FROM files "
                    f"WHERE root_id = ? AND relative_path IN ({','.join('?' * len(paths))})",
                    scope.root_id,
                    *paths,
                )
                known.update((paths[row[0]], KnownFile._make(row[1:])) for row in rows.all())
        return known

    def set_change_times(self, files: Sequence[tuple[int, int | None, int | None]]) -> None:
        """Store (file_id, ctime_ns, inode), as in `FileStamp`, of files that are unchanged."""
        with self._database.write() as connection:
            connection.execute(
                update(tables.files)
                .where(tables.files.c.file_id == bindparam("number"))
                .values(ctime_ns=bindparam("time"), inode=bindparam("node")),
                [{"number": number, "time": ctime_ns, "node": inode} for number, ctime_ns, inode in files],
            )

    def find_digests(self, content_ids: Iterable[int]) -> dict[int, bytes]:
        """Return the blake3 of contents by content id."""
        content = tables.contents
        found: dict[int, bytes] = {}
        with self._database.read() as connection:
            for part in parts(list(content_ids)):
                rows = connection.execute(
                    select(content.c.content_id, content.c.blake3).where(content.c.content_id.in_(part))
                )
                found.update((row[0], row[1]) for row in rows)
        return found

    def find_contents(self, digests: Iterable[bytes]) -> dict[bytes, int]:
        """Return the content ids of known contents by blake3."""
        found: dict[bytes, int] = {}
        with self._database.read() as connection:
            for part in parts(list(digests)):
                found |= find_content_ids(connection, part)
        return found

    def count_contents(self, file_ids: Sequence[int]) -> Counter[bytes]:
        """Count how many of the files have each content, by its blake3."""
        file, content = tables.files, tables.contents
        found: Counter[bytes] = Counter()
        with self._database.read() as connection:
            for part in parts(file_ids):
                joined = content.join(file, file.c.content_id == content.c.content_id)
                wanted = select(content.c.blake3).select_from(joined).where(file.c.file_id.in_(part))
                found.update(connection.execute(wanted).scalars())
        return found

    def last_file_id(self) -> int:
        """Return the highest file id; 0 without files. Files that are recorded later have higher ones.

        Raises:
            StoreError: a file has an invalid id.
        """
        column = tables.files.c.file_id
        with self._database.read() as connection:
            first, last = connection.execute(select(func.min(column), func.max(column))).one()
        for number in (first or 0, last or 0):
            if not is_number(number, 0, MAX_ROW):
                raise StoreError(f"a file of the catalog has the invalid id {str(number)[:40]}; {REPAIR_HINT}")
        return last or 0

    def delete_invalid(self) -> None:
        """Delete files with an invalid id; the next run reads them again."""
        number = tables.files.c.file_id
        with self._database.write() as connection:
            connection.execute(delete(tables.files).where(or_(number < 0, number > MAX_ROW)))
            make_stale(connection)

    def files_besides(self, scope: Scope, seen: bytearray) -> dict[int, str]:
        """Return the files of a scope that a listing has not marked: relative paths by file id.

        Only files that are not removed, with ids below `len(seen)`.

        Args:
            seen: marks by file id, SEEN or GONE_BEFORE.
        """
        file = tables.files
        wanted = and_(_is_in(scope), file.c.file_id < len(seen))
        with self._database.read() as connection:
            count = connection.execute(select(func.count()).select_from(file).where(wanted)).scalar_one()
            if count == seen.count(SEEN) and not seen.count(GONE_BEFORE):
                return {}
            rows = connection.execute(select(file.c.file_id, file.c.relative_path).where(wanted))
            return {file_id: path for file_id, path in rows if not seen[file_id]}

    def last_of_their_content(self, file_ids: Sequence[int]) -> list[int]:
        """Return the files that are the last of their content: removing all of them would lose it."""
        file = tables.files
        with self._database.read() as connection:
            contents: dict[int, int | None] = {}
            for part in parts(file_ids):
                rows = connection.execute(select(file.c.file_id, file.c.content_id).where(file.c.file_id.in_(part)))
                contents.update({row[0]: row[1] for row in rows})
            kept: set[int] = set()
            for part in parts([content_id for content_id in contents.values() if content_id is not None]):
                others = connection.execute(
                    select(file.c.content_id, file.c.file_id).where(
                        file.c.content_id.in_(part), file.c.removed_at.is_(None)
                    )
                )
                kept.update(content_id for content_id, file_id in others if file_id not in contents)
        return [file_id for file_id, content_id in contents.items() if content_id not in kept]

    def has_embedding(self, blake3: bytes, *, model_id: int) -> bool:
        """Return whether a content is stored with an embedding of the model. Thread-safe."""
        with self._database.read() as connection:
            # Plain SQL, since every new file is looked up: SQLAlchemy takes longer to compile it than SQLite to answer.
            found = self._database.execute_sql(
                connection,
                "SELECT 1 FROM contents JOIN image_embeddings USING (content_id) WHERE blake3 = ? AND model_id = ?",
                blake3,
                model_id,
            )
            return found.first() is not None

    def with_embedding(self, blake3s: Sequence[bytes], *, model_id: int) -> set[bytes]:
        """Return those of the contents that are stored with an embedding of the model."""
        content, embedding = tables.contents, tables.image_embeddings
        found: set[bytes] = set()
        with self._database.read() as connection:
            for part in parts(blake3s):
                joined = content.join(embedding, embedding.c.content_id == content.c.content_id)
                found.update(
                    connection.execute(
                        select(content.c.blake3)
                        .select_from(joined)
                        .where(content.c.blake3.in_(part), embedding.c.model_id == model_id)
                    ).scalars()
                )
        return found

    def embedded_contents(self, *, model_id: int) -> bytes:
        """Return the blake3 of all contents with an embedding of the model, 32 bytes each."""
        content, embedding = tables.contents, tables.image_embeddings
        wanted = select(content.c.blake3).join(embedding, embedding.c.content_id == content.c.content_id)
        with self._database.read() as connection:
            return b"".join(connection.execute(wanted.where(embedding.c.model_id == model_id)).scalars())

    def contents_without_embedding(self, *, model_id: int, with_removed: bool = False) -> set[int]:
        """Return ids of contents that have a file and no embedding of the model.

        Args:
            with_removed: include contents whose files are all removed.
        """
        file, embedding = tables.files, tables.image_embeddings
        embedded = select(embedding.c.content_id).where(embedding.c.model_id == model_id)
        wanted = select(file.c.content_id).where(file.c.content_id.is_not(None), file.c.content_id.not_in(embedded))
        if not with_removed:
            wanted = wanted.where(file.c.removed_at.is_(None))
        with self._database.read() as connection:
            return set(connection.execute(wanted).scalars())

    def record(self, contents: Sequence[ContentRecord], files: Sequence[FileRecord], *, model_id: int) -> None:
        """Store contents with their embeddings, and the files that have them, in one transaction.

        Idempotent: a content or an embedding that is stored already is kept, so that a second writer does no harm.
        """
        with self._database.write() as connection:
            change = next_change(connection)
            if contents:
                insert_contents(connection, contents, model_id, insert=self._database.insert, change=change)
            if files:
                try:
                    upsert_files(connection, files, insert=self._database.insert, change=change)
                except IntegrityError as error:
                    raise StoreError(
                        "another process has made the folder part of a larger one meanwhile: run index again"
                    ) from error

    def set_phashes(self, phashes: Mapping[int, int]) -> None:
        """Store perceptual hashes by content id."""
        statement = update(tables.contents).where(tables.contents.c.content_id == bindparam("number"))
        with self._database.write() as connection:
            for part in parts(list(phashes.items())):
                connection.execute(
                    statement.values(phash=bindparam("hash")),
                    [{"number": number, "hash": phash} for number, phash in part],
                )

    def is_measured(self, blake3: bytes) -> bool:
        """Return whether a stored content has its measures. Thread-safe."""
        with self._database.read() as connection:
            found = self._database.execute_sql(
                connection, "SELECT 1 FROM contents WHERE blake3 = ? AND sharpness IS NULL", blake3
            )
            return found.first() is None

    def unmeasured_contents(self) -> bytes:
        """Return the blake3 of all contents without measures, 32 bytes each."""
        content = tables.contents
        with self._database.read() as connection:
            wanted = select(content.c.blake3).where(content.c.sharpness.is_(None))
            return b"".join(connection.execute(wanted).scalars())

    def set_measures(self, measured: Mapping[bytes, ImageMetadata]) -> None:
        """Store what was measured on the pixels of contents that are stored, by their blake3."""
        statement = update(tables.contents).where(tables.contents.c.blake3 == bindparam("digest"))
        with self._database.write() as connection:
            change = next_change(connection)
            connection.execute(
                statement.values({name: bindparam(f"new_{name}") for name in MEASURED} | {"changed": change}),
                [
                    {"digest": blake3, **{f"new_{name}": getattr(metadata, name) for name in MEASURED}}
                    for blake3, metadata in measured.items()
                ],
            )

    def remove_files(self, file_ids: Iterable[int]) -> None:
        """Mark files as removed: they are not found any more, but stay stored until garbage is collected."""
        self._set_removed(file_ids, utc_now())

    def forget(self, scopes: Sequence[Scope], *, dry_run: bool = False) -> tuple[int, int]:
        """Mark all files of some folders as removed, in one transaction.

        Args:
            dry_run: only count.

        Returns:
            Number of these files, skipped ones included, and number of pictures without a file afterwards.
        """
        file = tables.files
        pictures = select(func.count(file.c.content_id.distinct())).where(file.c.removed_at.is_(None))
        with self._database.write() as connection:
            before = connection.execute(pictures).scalar_one()
            change = next_change(connection)
            for scope in scopes:
                _touch_contents_of(connection, _is_in(scope), change=change)
            marked = [
                connection.execute(update(file).where(_is_in(scope)).values(removed_at=utc_now())).rowcount
                for scope in scopes
            ]
            left = connection.execute(pictures).scalar_one()
            if dry_run:
                connection.rollback()
        return sum(marked), before - left

    def restore_files(self, file_ids: Iterable[int]) -> None:
        """Mark removed files as present again."""
        self._set_removed(file_ids, None)

    def _set_removed(self, file_ids: Iterable[int], removed_at: datetime | None) -> None:
        with self._database.write() as connection:
            change = next_change(connection)
            for part in parts(list(file_ids)):
                _touch_contents_of(connection, tables.files.c.file_id.in_(part), change=change)
                connection.execute(
                    update(tables.files).where(tables.files.c.file_id.in_(part)).values(removed_at=removed_at)
                )

    def counts(self) -> tuple[int, int, int]:
        """Count (files with a content, different contents among them, skipped files), without removed files."""
        file = tables.files
        with self._database.read() as connection:
            row = connection.execute(
                select(
                    func.count(file.c.content_id),
                    func.count(file.c.content_id.distinct()),
                    func.count() - func.count(file.c.content_id),
                ).where(file.c.removed_at.is_(None))
            ).one()
        return row[0], row[1], row[2]


def _is_in(scope: Scope) -> ColumnElement[bool]:
    file = tables.files
    is_present = and_(file.c.root_id == scope.root_id, file.c.removed_at.is_(None))
    if not scope.subfolder:
        return is_present
    # "0" is the character after "/".
    first, end = f"{scope.subfolder}/", f"{scope.subfolder}0"
    return and_(is_present, file.c.relative_path > first, file.c.relative_path < end)


def _touch_contents_of(connection: Connection, files: ColumnElement[bool], *, change: int) -> None:
    """Mark the contents of files as changed."""
    chosen = select(tables.files.c.content_id).where(files, tables.files.c.content_id.is_not(None))
    touch_contents(connection, tables.contents.c.content_id.in_(chosen), change=change)
