"""Delete what is unreferenced: files marked as removed, contents without a file, and the space they took."""

import sqlite3
from contextlib import closing
from datetime import datetime

from sqlalchemy import Connection, Select, delete, select, text, update

from clipsearch.errors import StoreError
from clipsearch.store import tables
from clipsearch.store.backends.connection import open_sqlite
from clipsearch.store.backends.database import Database, SqliteDatabase
from clipsearch.store.changes import next_change, touch_contents
from clipsearch.store.part_rows import ORPHANS
from clipsearch.types import GarbageReport


class GarbageStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def delete(self, *, removed_before: datetime | None = None, dry_run: bool = False) -> GarbageReport:
        """Delete removed files, contents without a file, and empty removed roots, in one transaction.

        Contents go with their embeddings of all models, and leave the albums and the examples of concepts. Space that
        becomes free inside the database file counts as freed.

        Args:
            removed_before: files that were removed later than this stay; None: none of them do.
            dry_run: only report what would be deleted.
        """
        file, content, root = tables.files, tables.contents, tables.roots
        example, member = tables.concept_examples, tables.album_members
        images, snapshot, model = tables.image_embeddings, tables.snapshots, tables.models
        is_removed = file.c.removed_at.is_not(None) if removed_before is None else file.c.removed_at < removed_before
        in_use = select(file.c.content_id).where(file.c.content_id.is_not(None))
        with self._database.write() as connection:

            def free_bytes() -> int:
                if self._database.is_server:  # it reclaims space itself
                    return 0
                pages, size = (
                    connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                    for name in ("freelist_count", "page_size")
                )
                return int(pages) * int(size)

            free_before = free_bytes()
            gone = select(file.c.file_id).where(is_removed)
            connection.execute(delete(tables.sidecars).where(tables.sidecars.c.file_id.in_(gone)))
            files = connection.execute(delete(file).where(is_removed)).rowcount
            connection.execute(delete(example).where(example.c.content_id.not_in(in_use)))
            connection.execute(delete(member).where(member.c.content_id.not_in(in_use)))
            connection.execute(delete(tables.parts).where(tables.parts.c.content_id.not_in(in_use)))
            connection.execute(delete(tables.texts).where(tables.texts.c.content_id.not_in(in_use)))
            _leave_stacks(connection, in_use)
            pictures = connection.execute(delete(content).where(content.c.content_id.not_in(in_use))).rowcount
            embeddings = connection.execute(delete(images).where(text(ORPHANS))).rowcount
            roots = connection.execute(
                delete(root).where(root.c.removed_at.is_not(None), root.c.root_id.not_in(select(file.c.root_id)))
            ).rowcount
            if embeddings:
                # The snapshots hold deleted ids: a new generation makes them stale.
                connection.execute(update(model).values(image_generation=model.c.image_generation + 1))
            # A stale snapshot is never used again.
            for kind, generation in (("images", model.c.image_generation), ("captions", model.c.caption_generation)):
                current = select(generation).where(model.c.model_id == snapshot.c.model_id).scalar_subquery()
                connection.execute(delete(snapshot).where(snapshot.c.kind == kind, snapshot.c.generation != current))
            freed_bytes = free_bytes() - free_before
            if dry_run:
                connection.rollback()
        return GarbageReport(
            files=files,
            pictures=pictures,
            embeddings=embeddings,
            folders=roots,
            index_files=0,
            freed_bytes=freed_bytes,
            is_dry_run=dry_run,
        )

    def shrink(self) -> None:
        """Return the space of deleted rows to the disk; a server does that by itself.

        Raises:
            StoreError: it failed: SQLite writes a second copy of the database, and needs the space for it.
        """
        if not isinstance(self._database, SqliteDatabase):
            return
        try:
            with closing(open_sqlite(self._database.path)) as connection:
                if connection.execute("PRAGMA freelist_count").fetchone()[0]:
                    connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"the catalog {self._database.path} can't be made smaller: {error}") from error


def _leave_stacks(connection: Connection, in_use: Select[tuple[int | None]]) -> None:
    """Dissolve the stacks of unused contents, and mark the other members as changed: the next run finds them again."""
    member = tables.stack_members
    left = select(member.c.stack_id).where(member.c.content_id.not_in(in_use))
    if not connection.execute(left.limit(1)).first():
        return
    others = select(member.c.content_id).where(member.c.stack_id.in_(left))
    touch_contents(connection, tables.contents.c.content_id.in_(others), change=next_change(connection))
    connection.execute(delete(member).where(member.c.stack_id.in_(left)))
