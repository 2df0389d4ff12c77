"""The SQL store: what is known. Everything else can be rebuilt from it."""

import uuid
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from clipsearch.errors import CatalogReplacedError, StoreError
from clipsearch.paths import CatalogPlace
from clipsearch.store.backends.base import Asking
from clipsearch.store.backends.connection import DATABASE_NAME, AskingSqlite
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
from clipsearch.store.recovery.discard import discard_if_empty, missing_folders

if TYPE_CHECKING:
    from clipsearch.store.backends.database import Database
    from clipsearch.store.captions import CaptionStore
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
        place: where it is.
        asking: for questions in plain SQL.
    """

    def __init__(self, place: Path | CatalogPlace, *, create: bool = False) -> None:
        """Opens the store in a folder, or on a server; see `migrate.open_file` and `server_schema.open_server` for the
        errors."""
        self.place = place = place if isinstance(place, CatalogPlace) else CatalogPlace(place)
        self.backup: Path | None = None
        self._is_closed = False
        self._machine = ""
        self._path = place.directory / DATABASE_NAME
        self._made_folders: list[Path] | None = None
        self._has_made_tables = False
        if place.server is None:
            if create and not self._path.exists():
                self._made_folders = missing_folders(place.directory)
            _, self.backup = open_file(place.directory, create=create)
            self.asking: Asking = AskingSqlite(self._path)
        else:
            from clipsearch.store.backends.postgres import AskingServer, machine_name
            from clipsearch.store.backends.postgres_schema import open_server

            self.asking = AskingServer(place)
            try:
                self._has_made_tables = open_server(place, self.asking, create=create)
            except BaseException:
                self.asking.close()
                raise
            self._machine = machine_name(place.directory)
        self.reader = Reader(self.asking, machine=self._machine)
        try:
            self.uuid = self.reader.find_uuid() or self._make_uuid()
        except BaseException:
            self.close()
            raise
        self._file = self._find_file()

    def check_place(self) -> None:
        """
        Raises:
            CatalogReplacedError: its file was deleted or replaced since it was opened. A restored one is the same file.
        """
        if self._find_file() != self._file:
            raise CatalogReplacedError(f"the catalog {self._path} was deleted or replaced while it was open")

    def _find_file(self) -> tuple[int, int] | None:
        """What names the database's file; None where there is none, as on a server."""
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def writing(self, *, wait: bool = False, alone: bool = True) -> AbstractContextManager[None]:
        """For what takes long and changes the catalog; see `lock.writer_lock` and `server.server_lock` for the errors.

        Args:
            alone: nothing else may change it. What need not be alone may have others like it beside it, where the
                catalog is on a server.
        """
        self.require_open()
        if self.place.server is not None:
            from clipsearch.store.backends.postgres import server_lock

            return server_lock(self.place, alone=alone, wait=wait)
        from clipsearch.store.backends.lock import writer_lock

        return writer_lock(self.place.directory, wait=wait)

    def is_being_written(self) -> bool:
        """Whether some process is in the middle of `writing`."""
        if self.place.server is not None:
            from clipsearch.store.backends.postgres import is_locked

            return is_locked(self.asking)
        from clipsearch.store.backends.lock import is_locked as is_folder_locked

        return is_folder_locked(self.place.directory)

    def exporting(self, *, model_id: int, dim: int) -> "AbstractContextManager[ExportReader]":
        """All that is stored as of one moment; see `exports.open_export` for the errors."""
        from clipsearch.store.exports import open_export

        return open_export(self.asking, model_id=model_id, dim=dim)

    @cached_property
    def _database(self) -> "Database":
        if self.place.server is not None:
            from clipsearch.store.backends.postgres_database import ServerDatabase

            return ServerDatabase(self.place)
        from clipsearch.store.backends.database import SqliteDatabase

        return SqliteDatabase(self._path)

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

        return EmbeddingStore(self._database, machine=self._machine)

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
        from sqlalchemy import select

        from clipsearch.store import tables

        made = str(uuid.uuid4())
        with self._database.write() as connection:
            # Two processes may open a new catalog at once: the first row wins.
            row = {"catalog_id": 1, "uuid": made, "created_at": utc_now()}
            connection.execute(self._database.insert(tables.catalog).values(row).on_conflict_do_nothing())
            found: str = connection.execute(select(tables.catalog.c.uuid)).scalar_one()
        return found

    @property
    def size_bytes(self) -> int:
        """The file with its write-ahead log; of a server's database, its tables."""
        if self.place.server is not None:
            return self.reader.measure_tables()
        parts = (self._path, self._path.with_name(DATABASE_NAME + "-wal"))
        return sum(part.stat().st_size for part in parts if part.exists())

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def require_open(self) -> None:
        """
        Raises:
            StoreError: it is closed.
        """
        if self._is_closed:
            raise StoreError(f"the catalog {self.place} is closed")

    def discard_if_empty(self) -> None:
        """After `close`: deletes a catalog that was made on opening and holds nothing."""
        if self._made_folders is not None:
            discard_if_empty(self.place.directory, self._made_folders)
        elif self._has_made_tables:
            from clipsearch.store.backends.postgres_schema import discard_if_empty as discard_tables

            discard_tables(self.place)

    def close(self) -> None:
        self._is_closed = True
        self.reader.close()
        if "_database" in self.__dict__:
            self._database.close()
