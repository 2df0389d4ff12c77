"""The SQL store: what is known. Everything else can be rebuilt from it."""

import uuid
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from clipsearch.store.connection import DATABASE_NAME
from clipsearch.store.migrate import open_file
from clipsearch.store.reader import Reader
from clipsearch.store.records import (
    GONE_BEFORE,
    KINDS,
    SEEN,
    ContentDetails,
    ContentRecord,
    EmbeddingRows,
    FileRecord,
    IndexedFile,
    Kind,
    KnownFile,
    Scope,
    StoredModel,
    StoredSnapshot,
    utc_now,
)

if TYPE_CHECKING:
    from clipsearch.store.captions import CaptionStore
    from clipsearch.store.database import Database
    from clipsearch.store.embeddings import EmbeddingStore
    from clipsearch.store.exports import ExportReader
    from clipsearch.store.garbage import GarbageStore
    from clipsearch.store.labels import LabelStore
    from clipsearch.store.models import ModelStore
    from clipsearch.store.pictures import PictureStore
    from clipsearch.store.roots import RootStore
    from clipsearch.store.runs import RunStore

__all__ = [
    "GONE_BEFORE",
    "KINDS",
    "SEEN",
    "ContentDetails",
    "ContentRecord",
    "EmbeddingRows",
    "FileRecord",
    "IndexedFile",
    "Kind",
    "KnownFile",
    "Scope",
    "Store",
    "StoredModel",
    "StoredSnapshot",
    "utc_now",
]


class Store:
    """One part for each noun, all over the same database; each is imported when it is first used, SQLAlchemy with it.

    Attributes:
        uuid: names this catalog; files derived from it carry it.
        backup: the copy made because an older schema was upgraded on opening, else None.
        reader: what a search needs, without SQLAlchemy.
    """

    def __init__(self, directory: Path, *, create: bool = False) -> None:
        """Opens the store in `directory`; see `migrate.open_file` for the errors."""
        self._path, self.backup = open_file(directory, create=create)
        self.reader = Reader(self._path)
        self.uuid = self.reader.find_uuid() or self._make_uuid()

    def writing(self, *, wait: bool = False) -> AbstractContextManager[None]:
        """For what takes long and changes the catalog; see `lock.writer_lock` for the errors."""
        from clipsearch.store.lock import writer_lock

        return writer_lock(self._path.parent, wait=wait)

    def exporting(self, *, model_id: int, dim: int) -> "AbstractContextManager[ExportReader]":
        """All that is stored as of one moment; see `exports.open_export` for the errors."""
        from clipsearch.store.exports import open_export

        return open_export(self._path, model_id=model_id, dim=dim)

    @cached_property
    def _database(self) -> "Database":
        from clipsearch.store.database import Database

        return Database(self._path)

    @cached_property
    def roots(self) -> "RootStore":
        from clipsearch.store.roots import RootStore

        return RootStore(self._database)

    @cached_property
    def pictures(self) -> "PictureStore":
        from clipsearch.store.pictures import PictureStore

        return PictureStore(self._database)

    @cached_property
    def captions(self) -> "CaptionStore":
        from clipsearch.store.captions import CaptionStore

        return CaptionStore(self._database)

    @cached_property
    def labels(self) -> "LabelStore":
        from clipsearch.store.labels import LabelStore

        return LabelStore(self._database)

    @cached_property
    def embeddings(self) -> "EmbeddingStore":
        from clipsearch.store.embeddings import EmbeddingStore

        return EmbeddingStore(self._database)

    @cached_property
    def models(self) -> "ModelStore":
        from clipsearch.store.models import ModelStore

        return ModelStore(self._database)

    @cached_property
    def garbage(self) -> "GarbageStore":
        from clipsearch.store.garbage import GarbageStore

        return GarbageStore(self._database)

    @cached_property
    def runs(self) -> "RunStore":
        from clipsearch.store.runs import RunStore

        return RunStore(self._database)

    def _make_uuid(self) -> str:
        from sqlalchemy import insert, select

        from clipsearch.store import tables

        made = str(uuid.uuid4())
        with self._database.write() as connection:
            # Two processes may open a new catalog at once: the first row wins.
            found = connection.execute(select(tables.catalog.c.uuid)).scalar()
            if found is None:
                connection.execute(insert(tables.catalog).values(catalog_id=1, uuid=made, created_at=utc_now()))
        return found or made

    @property
    def size_bytes(self) -> int:
        """The file with its write-ahead log."""
        parts = (self._path, self._path.with_name(DATABASE_NAME + "-wal"))
        return sum(part.stat().st_size for part in parts if part.exists())

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self.reader.close()
        if "_database" in self.__dict__:
            self._database.close()
