"""Store files and their contents."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from clipsearch.errors import StoreError
from clipsearch.store import tables
from clipsearch.store.backends.base import ReadConnection, chunks
from clipsearch.store.backends.database import Database
from clipsearch.store.changes import make_stale, next_change, touch_contents
from clipsearch.store.known_files import find_known_files, find_stamped_files
from clipsearch.store.recording import (
    READ_AGAIN,
    StoredContent,
    content_ids,
    insert_contents,
    read_again,
    upsert_files,
)
from clipsearch.store.records import (
    GONE_BEFORE,
    REPAIR_HINT,
    SEEN,
    ContentRecord,
    FileRecord,
    KnownFile,
    Scope,
    StampedFile,
    utc_now,
)
from clipsearch.store.values import MAX_ROW, is_number
from clipsearch.types import ImageMetadata

# Not a join, which SQLite may begin with all embeddings of the model.
_EMBEDDED = (
    "SELECT blake3 FROM contents WHERE blake3 IN ({}) AND EXISTS (SELECT 1 FROM image_embeddings "
    "WHERE image_embeddings.part_id = contents.content_id AND model_id = ?)"
)
_HAS_PARTS = (
    "EXISTS (SELECT 1 FROM parts WHERE parts.content_id = contents.content_id AND (part_count = 0 OR EXISTS "
    "(SELECT 1 FROM image_embeddings WHERE part_id = first_part_id AND model_id = ?)))"
)
_EMBEDDED_IN_DETAIL = f"{_EMBEDDED} AND {_HAS_PARTS}"


class PictureStore:
    def __init__(self, database: Database, connection: ReadConnection) -> None:
        self._database = database
        self._connection = connection

    def known_files(self, scope: Scope, relative_paths: Sequence[str]) -> dict[str, KnownFile]:
        """Return the files that earlier runs knew, removed ones too, by relative path."""
        return find_known_files(self._database, scope, relative_paths)

    def stamped_files(self, scope: Scope, relative_paths: Sequence[bytes]) -> Iterator[Sequence[StampedFile]]:
        """Yield rows of the files that have a picture and are not removed, and perhaps of some other such files.

        Args:
            relative_paths: as `encoded_paths` gives them.
        """
        return find_stamped_files(self._database, scope, relative_paths)

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
            for chunk in chunks(list(content_ids)):
                rows = connection.execute(
                    select(content.c.content_id, content.c.blake3).where(content.c.content_id.in_(chunk))
                )
                found.update((row[0], row[1]) for row in rows)
        return found

    def find_contents(self, digests: Iterable[bytes]) -> dict[bytes, int]:
        """Return the content ids of known contents by blake3."""
        with self._database.read() as connection:
            return content_ids(self._database, connection, set(digests))

    def count_contents(self, file_ids: Sequence[int]) -> Counter[bytes]:
        """Count how many of the files have each content, by its blake3."""
        file, content = tables.files, tables.contents
        found: Counter[bytes] = Counter()
        with self._database.read() as connection:
            for chunk in chunks(file_ids):
                joined = content.join(file, file.c.content_id == content.c.content_id)
                wanted = select(content.c.blake3).select_from(joined).where(file.c.file_id.in_(chunk))
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
            is_invalid = or_(number < 0, number > MAX_ROW)
            invalid = select(number).where(is_invalid)
            connection.execute(delete(tables.sidecars).where(tables.sidecars.c.file_id.in_(invalid)))
            connection.execute(delete(tables.files).where(is_invalid))
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
            for chunk in chunks(file_ids):
                rows = connection.execute(select(file.c.file_id, file.c.content_id).where(file.c.file_id.in_(chunk)))
                contents.update({row[0]: row[1] for row in rows})
            kept: set[int] = set()
            for chunk in chunks([content_id for content_id in contents.values() if content_id is not None]):
                others = connection.execute(
                    select(file.c.content_id, file.c.file_id).where(
                        file.c.content_id.in_(chunk), file.c.removed_at.is_(None)
                    )
                )
                kept.update(content_id for content_id, file_id in others if file_id not in contents)
        return [file_id for file_id, content_id in contents.items() if content_id not in kept]

    def has_embedding(self, blake3: bytes, *, model_id: int) -> bool:
        """Return whether a content is stored with an embedding of the model. Thread-safe."""
        return bool(self.with_embedding([blake3], model_id=model_id))

    def with_embedding(self, blake3s: Sequence[bytes], *, model_id: int, detail: bool = False) -> set[bytes]:
        """Return those of the contents that are stored with an embedding of the model. Thread-safe.

        Args:
            detail: and whose parts are known, with embeddings.
        """
        values = [model_id, model_id] if detail else [model_id]
        return self._select_digests(_EMBEDDED_IN_DETAIL if detail else _EMBEDDED, blake3s, *values)

    def contents_without_parts(self, *, model_id: int) -> set[int]:
        """Return ids of contents whose parts are not known, or not embedded by the model."""
        rows = self._connection.rows(f"SELECT content_id FROM contents WHERE NOT {_HAS_PARTS}", model_id)  # noqa: S608
        return {row[0] for row in rows}

    def _select_digests(self, statement: str, blake3s: Sequence[bytes], *values: object) -> set[bytes]:
        """Return the first column of a statement, in which {} stands for the question marks of the contents.

        Without SQLAlchemy, which takes longer than SQLite: every new file is looked up.
        """
        found: set[bytes] = set()
        for chunk in chunks(blake3s):
            rows = self._connection.rows(statement.format(",".join("?" * len(chunk))), *chunk, *values)
            found.update(row[0] for row in rows)
        return found

    def embedded_contents(self, *, model_id: int) -> bytes:
        """Return the blake3 of all contents with an embedding of the model, 32 bytes each."""
        content, embedding = tables.contents, tables.image_embeddings
        wanted = select(content.c.blake3).join(embedding, embedding.c.part_id == content.c.content_id)
        with self._database.read() as connection:
            return b"".join(connection.execute(wanted.where(embedding.c.model_id == model_id)).scalars())

    def contents_without_embedding(self, *, model_id: int, with_removed: bool = False) -> set[int]:
        """Return ids of contents that have a file and no embedding of the model.

        Args:
            with_removed: include contents whose files are all removed.
        """
        file, embedding = tables.files, tables.image_embeddings
        embedded = select(embedding.c.part_id).where(embedding.c.model_id == model_id)
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
            stored: Mapping[bytes, StoredContent] = {}
            if contents:
                stored = insert_contents(self._database, connection, contents, model_id=model_id, change=change)
            if files:
                try:
                    upsert_files(self._database, connection, files, stored=stored, change=change)
                except IntegrityError as error:
                    raise StoreError(
                        "another process has made the folder part of a larger one meanwhile: run index again"
                    ) from error

    def set_phashes(self, phashes: Mapping[int, int]) -> None:
        """Store perceptual hashes by content id."""
        statement = update(tables.contents).where(tables.contents.c.content_id == bindparam("number"))
        with self._database.write() as connection:
            for chunk in chunks(list(phashes.items())):
                connection.execute(
                    statement.values(phash=bindparam("hash")),
                    [{"number": number, "hash": phash} for number, phash in chunk],
                )

    def without_measures(self, blake3s: Sequence[bytes]) -> set[bytes]:
        """Return those of the contents that are stored without their measures or description. Thread-safe."""
        statement = "SELECT blake3 FROM contents WHERE blake3 IN ({}) AND (sharpness IS NULL OR described IS NULL)"
        return self._select_digests(statement, blake3s)

    def unmeasured_contents(self) -> bytes:
        """Return the blake3 of all contents without measures or description, 32 bytes each."""
        content = tables.contents
        with self._database.read() as connection:
            is_unknown = or_(content.c.sharpness.is_(None), content.c.described.is_(None))
            wanted = select(content.c.blake3).where(is_unknown)
            return b"".join(connection.execute(wanted).scalars())

    def set_measures(self, measured: Mapping[bytes, ImageMetadata]) -> None:
        """Store what was measured on the pixels of contents that are stored, and what their files say, by blake3."""
        statement = update(tables.contents).where(tables.contents.c.blake3 == bindparam("digest"))
        with self._database.write() as connection:
            change = next_change(connection)
            connection.execute(
                statement.values({name: bindparam(f"new_{name}") for name in READ_AGAIN} | {"changed": change}),
                [
                    {"digest": blake3, **{f"new_{name}": value for name, value in read_again(metadata).items()}}
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
            for chunk in chunks(list(file_ids)):
                _touch_contents_of(connection, tables.files.c.file_id.in_(chunk), change=change)
                connection.execute(
                    update(tables.files).where(tables.files.c.file_id.in_(chunk)).values(removed_at=removed_at)
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

    def count_formats(self) -> dict[str, int]:
        """Count contents with a file by detected format, the most frequent first."""
        content, file = tables.contents, tables.files
        is_present = exists().where(file.c.content_id == content.c.content_id, file.c.removed_at.is_(None))
        statement = (
            select(content.c.format, func.count())
            .where(is_present)
            .group_by(content.c.format)
            .order_by(func.count().desc(), content.c.format)
        )
        with self._database.read() as connection:
            return {str(name): number for name, number in connection.execute(statement)}


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
