"""Files, and the contents those files have."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from clipsearch.errors import StoreError
from clipsearch.store import tables
from clipsearch.store.backends.base import parts
from clipsearch.store.backends.database import Database, InsertInto
from clipsearch.store.records import (
    GONE_BEFORE,
    MENDS,
    SEEN,
    ContentRecord,
    FileRecord,
    KnownFile,
    Scope,
    utc_now,
)
from clipsearch.store.values import MAX_ROW, is_number
from clipsearch.vectors import to_bytes

# What `contents` keeps of an `ImageMetadata`, under the same names.
_METADATA_COLUMNS = (
    *("width", "height", "format", "taken_at", "camera", "latitude", "longitude", "is_date_doubtful"),
    "phash",
)


class PictureStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def known_files(self, scope: Scope, relative_paths: Sequence[str]) -> dict[str, KnownFile]:
        """Those of the paths that earlier runs knew, those that were gone included."""
        known: dict[str, KnownFile] = {}
        with self._database.read() as connection:
            for part in parts(relative_paths):
                paths = {os.fsencode(path): path for path in part}
                # As text and as plain rows: asked for every file in every run. Only question marks are filled in.
                rows = self._database.ask(
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
        """Of files that are as they were: (file_id, ctime_ns, inode), as in `FileStamp`."""
        with self._database.write() as connection:
            connection.execute(
                update(tables.files)
                .where(tables.files.c.file_id == bindparam("number"))
                .values(ctime_ns=bindparam("time"), inode=bindparam("node")),
                [{"number": number, "time": ctime_ns, "node": inode} for number, ctime_ns, inode in files],
            )

    def find_digests(self, content_ids: Iterable[int]) -> dict[int, bytes]:
        """The blake3 of contents, by their number."""
        content = tables.contents
        found: dict[int, bytes] = {}
        with self._database.read() as connection:
            for part in parts(list(content_ids)):
                rows = connection.execute(
                    select(content.c.content_id, content.c.blake3).where(content.c.content_id.in_(part))
                )
                found.update((row[0], row[1]) for row in rows)
        return found

    def count_contents(self, file_ids: Sequence[int]) -> Counter[bytes]:
        """How many of the files have each content, by its blake3."""
        file, content = tables.files, tables.contents
        found: Counter[bytes] = Counter()
        with self._database.read() as connection:
            for part in parts(file_ids):
                joined = content.join(file, file.c.content_id == content.c.content_id)
                wanted = select(content.c.blake3).select_from(joined).where(file.c.file_id.in_(part))
                found.update(connection.execute(wanted).scalars())
        return found

    def last_file_id(self) -> int:
        """Files that are recorded from now on have higher numbers; 0 when there are none.

        Raises:
            StoreError: a file has a number that can't be one.
        """
        number = tables.files.c.file_id
        with self._database.read() as connection:
            first, last = connection.execute(select(func.min(number), func.max(number))).one()
        for each in (first or 0, last or 0):
            if not is_number(each, 0, MAX_ROW):
                raise StoreError(f"a file of the catalog has the number {str(each)[:40]}, which can't be one; {MENDS}")
        return last or 0

    def delete_impossible(self) -> None:
        """Of files whose number can't be one: the next run reads them again."""
        number = tables.files.c.file_id
        with self._database.write() as connection:
            connection.execute(delete(tables.files).where(or_(number < 0, number > MAX_ROW)))

    def files_besides(self, scope: Scope, seen: bytearray) -> dict[int, str]:
        """Relative paths, by file id, of the files of a scope that were there, up to number `len(seen) - 1`, but for
        those that have a mark in `seen[file_id]`: SEEN or GONE_BEFORE."""
        file = tables.files
        wanted = and_(_is_in(scope), file.c.file_id < len(seen))
        with self._database.read() as connection:
            count = connection.execute(select(func.count()).select_from(file).where(wanted)).scalar_one()
            if count == seen.count(SEEN) and not seen.count(GONE_BEFORE):
                return {}
            rows = connection.execute(select(file.c.file_id, file.c.relative_path).where(wanted))
            return {file_id: path for file_id, path in rows if not seen[file_id]}

    def last_of_their_content(self, file_ids: Sequence[int]) -> list[int]:
        """Those of the files whose content no file has that is there and not among them: what would be lost."""
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
        """True when this content is stored with an embedding of the model. Safe to call from any thread."""
        with self._database.read() as connection:
            # As text: asked for every new file, and SQLAlchemy takes longer to put the question than SQLite to answer.
            found = self._database.ask(
                connection,
                "SELECT 1 FROM contents JOIN image_embeddings USING (content_id) WHERE blake3 = ? AND model_id = ?",
                blake3,
                model_id,
            )
            return found.first() is not None

    def with_embedding(self, blake3s: Sequence[bytes], *, model_id: int) -> set[bytes]:
        """Those of the contents that are stored with an embedding of the model."""
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
        """The blake3 of all contents that are stored with an embedding of the model, 32 bytes each."""
        content, embedding = tables.contents, tables.image_embeddings
        wanted = select(content.c.blake3).join(embedding, embedding.c.content_id == content.c.content_id)
        with self._database.read() as connection:
            return b"".join(connection.execute(wanted.where(embedding.c.model_id == model_id)).scalars())

    def contents_without_embedding(self, *, model_id: int, with_removed: bool = False) -> set[int]:
        """Contents that have a file and that the model has not embedded yet. `with_removed`: the file may be gone."""
        file, embedding = tables.files, tables.image_embeddings
        embedded = select(embedding.c.content_id).where(embedding.c.model_id == model_id)
        wanted = select(file.c.content_id).where(file.c.content_id.is_not(None), file.c.content_id.not_in(embedded))
        if not with_removed:
            wanted = wanted.where(file.c.removed_at.is_(None))
        with self._database.read() as connection:
            return set(connection.execute(wanted).scalars())

    def record(self, contents: Sequence[ContentRecord], files: Sequence[FileRecord], *, model_id: int) -> None:
        """Stores contents with their embeddings and the files that have them, all or nothing.

        A content or an embedding that is stored already is kept: a second writer does no harm.
        """
        with self._database.write() as connection:
            if contents:
                _insert_contents(connection, contents, model_id, insert=self._database.insert)
            if files:
                try:
                    _upsert_files(connection, files, insert=self._database.insert)
                except IntegrityError as error:
                    raise StoreError(
                        "another process has made the folder part of a larger one meanwhile: run index again"
                    ) from error

    def set_phashes(self, phashes: Mapping[int, int]) -> None:
        """Stores perceptual hashes, by content id."""
        statement = update(tables.contents).where(tables.contents.c.content_id == bindparam("number"))
        with self._database.write() as connection:
            for part in parts(list(phashes.items())):
                connection.execute(
                    statement.values(phash=bindparam("hash")),
                    [{"number": number, "hash": phash} for number, phash in part],
                )

    def remove_files(self, file_ids: Iterable[int]) -> None:
        """Marks files as gone: they are not found any more. What is known of them stays until garbage is collected."""
        self._set_removed(file_ids, utc_now())

    def forget(self, scopes: Sequence[Scope], *, dry_run: bool = False) -> tuple[int, int]:
        """Marks all files of some folders as gone, all or nothing.

        Returns:
            How many files these are, skipped ones included, and how many pictures have no file then. `dry_run`: would
            have.
        """
        file = tables.files
        pictures = select(func.count(file.c.content_id.distinct())).where(file.c.removed_at.is_(None))
        with self._database.write() as connection:
            before = connection.execute(pictures).scalar_one()
            marked = [
                connection.execute(update(file).where(_is_in(scope)).values(removed_at=utc_now())).rowcount
                for scope in scopes
            ]
            left = connection.execute(pictures).scalar_one()
            if dry_run:
                connection.rollback()
        return sum(marked), before - left

    def restore_files(self, file_ids: Iterable[int]) -> None:
        """Files that were gone are there again."""
        self._set_removed(file_ids, None)

    def _set_removed(self, file_ids: Iterable[int], removed_at: datetime | None) -> None:
        with self._database.write() as connection:
            for part in parts(list(file_ids)):
                connection.execute(
                    update(tables.files).where(tables.files.c.file_id.in_(part)).values(removed_at=removed_at)
                )

    def counts(self) -> tuple[int, int, int]:
        """(files with a content, different contents among them, skipped files), without those that are gone."""
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
    is_there = and_(file.c.root_id == scope.root_id, file.c.removed_at.is_(None))
    if not scope.subfolder:
        return is_there
    # "0" is the character after "/".
    first, end = f"{scope.subfolder}/", f"{scope.subfolder}0"
    return and_(is_there, file.c.relative_path > first, file.c.relative_path < end)


def _content_ids(connection: Connection, digests: Iterable[bytes]) -> dict[bytes, int]:
    content = tables.contents
    rows = connection.execute(select(content.c.blake3, content.c.content_id).where(content.c.blake3.in_(set(digests))))
    return {row[0]: row[1] for row in rows}


def _insert_contents(
    connection: Connection, contents: Sequence[ContentRecord], model_id: int, *, insert: InsertInto
) -> None:
    now = utc_now()
    connection.execute(
        insert(tables.contents).on_conflict_do_nothing(),
        [
            {
                "blake3": content.blake3,
                "size_bytes": content.size_bytes,
                "added_at": now,
                **{name: getattr(content.metadata, name) for name in _METADATA_COLUMNS},
            }
            for content in contents
        ],
    )
    ids = _content_ids(connection, (content.blake3 for content in contents))
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


def _upsert_files(connection: Connection, files: Sequence[FileRecord], *, insert: InsertInto) -> None:
    ids = _content_ids(connection, (file.blake3 for file in files if file.blake3 is not None))
    statement = insert(tables.files)
    fresh = statement.excluded
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["root_id", "relative_path"],
            set_={
                "size_bytes": fresh.size_bytes,
                "mtime_ns": fresh.mtime_ns,
                "content_id": fresh.content_id,
                "skip_reason": fresh.skip_reason,
                "ctime_ns": fresh.ctime_ns,
                "inode": fresh.inode,
                "limit_kind": fresh.limit_kind,
                "limit_value": fresh.limit_value,
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
