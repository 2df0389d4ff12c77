"""The SQL store, the source of truth: everything else can be rebuilt from it."""

import threading
import uuid
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from clipsearch.errors import CatalogReplacedError, StoreError
from clipsearch.paths import CatalogPlace
from clipsearch.store.album_rows import AlbumReader
from clipsearch.store.backends.base import ReadConnection
from clipsearch.store.backends.connection import DATABASE_NAME, SqliteReadConnection
from clipsearch.store.column_rows import ColumnReader
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
    from clipsearch.store.albums import AlbumStore
    from clipsearch.store.backends.database import Database
    from clipsearch.store.captions import CaptionStore
    from clipsearch.store.column_files import ColumnFileStore
    from clipsearch.store.concepts import ConceptStore
    from clipsearch.store.embeddings import EmbeddingStore
    from clipsearch.store.exports import ExportReader
    from clipsearch.store.garbage import GarbageStore
    from clipsearch.store.labels import LabelStore
    from clipsearch.store.models import ModelStore
    from clipsearch.store.pictures import PictureStore
    from clipsearch.store.roots import RootStore
    from clipsearch.store.runs import RunStore
    from clipsearch.store.saved_searches import SavedSearchStore
    from clipsearch.store.sidecars import SidecarStore
    from clipsearch.store.stacks import StackStore
    from clipsearch.store.texts import TextStore
    from clipsearch.store.written_rows import WrittenReader

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
    """Access to the database, one part for each noun.

    Each part is imported when it is first used, and SQLAlchemy with it.

    Attributes:
        uuid: id of this catalog; files derived from it carry it.
        backup: the copy made because an older schema was upgraded on opening, else None.
        reader: what a search needs, without SQLAlchemy.
        column_rows: what filters compare, likewise.
        album_rows: the albums and their pictures, likewise.
        place: location of the catalog.
        connection: for queries in plain SQL.
    """

    def __init__(self, place: Path | CatalogPlace, *, create: bool = False) -> None:
        """Open the store in a folder, or on a server.

        Errors as in `migrate.open_file` and `postgres_schema.open_server`.
        """
        self.place = place = place if isinstance(place, CatalogPlace) else CatalogPlace(place)
        self.backup: Path | None = None
        self._is_closed = False
        self._machine = ""
        self._path = place.directory / DATABASE_NAME
        self._created_folders: list[Path] | None = None
        self._has_created_tables = False
        if place.server is None:
            if create and not self._path.exists():
                self._created_folders = missing_folders(place.directory)
            _, self.backup = open_file(place.directory, create=create)
            self.connection: ReadConnection = SqliteReadConnection(self._path)
        else:
            from clipsearch.store.backends.postgres import PostgresReadConnection, machine_name
            from clipsearch.store.backends.postgres_schema import open_server

            self.connection = PostgresReadConnection(place)
            try:
                self._has_created_tables = open_server(place, self.connection, create=create)
            except BaseException:
                self.connection.close()
                raise
            self._machine = machine_name(place.directory)
        self.reader = Reader(self.connection, machine=self._machine)
        self.column_rows = ColumnReader(self.connection, machine=self._machine)
        self.album_rows = AlbumReader(self.connection)
        try:
            self.uuid = self.reader.find_uuid() or self._make_uuid()
        except BaseException:
            self.close()
            raise
        self._file = self._find_file()

    def check_place(self) -> None:
        """Check that the opened database is still the one at its path.

        Raises:
            CatalogReplacedError: its file was deleted or replaced since it was opened. A restored one is the same file.
        """
        if self._find_file() != self._file:
            raise CatalogReplacedError(f"the catalog {self._path} was deleted or replaced while it was open")

    def _find_file(self) -> tuple[int, int] | None:
        """Return device and inode of the database's file; None without a file, as on a server."""
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def writing(
        self, *, wait: bool = False, alone: bool = True, cancel: threading.Event | None = None
    ) -> AbstractContextManager[None]:
        """Hold the writer lock, for changes that take long.

        Errors as in `lock.writer_lock` and `postgres.server_lock`.

        Args:
            wait: wait for other writers instead of raising.
            alone: exclude all other writers. Without it, on a server, others that don't need to be alone may write too.
            cancel: set by another thread, it ends the waiting with CatalogBusyError.
        """
        self.require_open()
        if self.place.server is not None:
            from clipsearch.store.backends.postgres import server_lock

            return server_lock(self.place, alone=alone, wait=wait, cancel=cancel)
        from clipsearch.store.backends.lock import writer_lock

        return writer_lock(self.place.directory, wait=wait, cancel=cancel)

    def is_being_written(self) -> bool:
        """Return whether some process holds the writer lock, see `writing`."""
        if self.place.server is not None:
            from clipsearch.store.backends.postgres import is_locked

            return is_locked(self.connection)
        from clipsearch.store.backends.lock import is_locked as is_folder_locked

        return is_folder_locked(self.place.directory)

    def exporting(self, *, model_id: int, dim: int) -> "AbstractContextManager[ExportReader]":
        """Open a snapshot of all pictures and captions; see `exports.open_export` for the errors."""
        from clipsearch.store.exports import open_export

        return open_export(self.connection, model_id=model_id, dim=dim)

    @cached_property
    def _database(self) -> "Database":
        if self.place.server is not None:
            from clipsearch.store.backends.postgres_database import ServerDatabase

            return ServerDatabase(self.place)
        from clipsearch.store.backends.database import SqliteDatabase

        return SqliteDatabase(self._path)

    @cached_property
    def written_rows(self) -> "WrittenReader":
        """What is written about pictures, without SQLAlchemy."""
        from clipsearch.store.written_rows import WrittenReader

        return WrittenReader(self.connection)

    @cached_property
    def roots(self) -> "RootStore":
        from clipsearch.store.roots import RootStore

        return RootStore(self._database)

    @cached_property
    def pictures(self) -> "PictureStore":
        from clipsearch.store.pictures import PictureStore

        return PictureStore(self._database, self.connection)

    @cached_property
    def captions(self) -> "CaptionStore":
        from clipsearch.store.captions import CaptionStore

        return CaptionStore(self._database)

    @cached_property
    def labels(self) -> "LabelStore":
        from clipsearch.store.labels import LabelStore

        return LabelStore(self._database)

    @cached_property
    def concepts(self) -> "ConceptStore":
        from clipsearch.store.concepts import ConceptStore

        return ConceptStore(self._database)

    @cached_property
    def albums(self) -> "AlbumStore":
        from clipsearch.store.albums import AlbumStore

        return AlbumStore(self._database)

    @cached_property
    def saved_searches(self) -> "SavedSearchStore":
        from clipsearch.store.saved_searches import SavedSearchStore

        return SavedSearchStore(self._database)

    @cached_property
    def embeddings(self) -> "EmbeddingStore":
        from clipsearch.store.embeddings import EmbeddingStore

        return EmbeddingStore(self._database, machine=self._machine)

    @cached_property
    def column_files(self) -> "ColumnFileStore":
        from clipsearch.store.column_files import ColumnFileStore

        return ColumnFileStore(self._database, machine=self._machine)

    @cached_property
    def models(self) -> "ModelStore":
        from clipsearch.store.models import ModelStore

        return ModelStore(self._database)

    @cached_property
    def garbage(self) -> "GarbageStore":
        from clipsearch.store.garbage import GarbageStore

        return GarbageStore(self._database)

    @cached_property
    def stacks(self) -> "StackStore":
        from clipsearch.store.stacks import StackStore

        return StackStore(self._database)

    @cached_property
    def sidecars(self) -> "SidecarStore":
        from clipsearch.store.sidecars import SidecarStore

        return SidecarStore(self._database)

    @cached_property
    def texts(self) -> "TextStore":
        from clipsearch.store.texts import TextStore

        return TextStore(self._database)

    @cached_property
    def runs(self) -> "RunStore":
        from clipsearch.store.runs import RunStore

        return RunStore(self._database)

    def _make_uuid(self) -> str:
        from sqlalchemy import select

        from clipsearch.store import tables

        new_uuid = str(uuid.uuid4())
        with self._database.write() as connection:
            # Two processes may open a new catalog at once: the first row wins.
            row = {"catalog_id": 1, "uuid": new_uuid, "created_at": utc_now()}
            connection.execute(self._database.insert(tables.catalog).values(row).on_conflict_do_nothing())
            found: str = connection.execute(select(tables.catalog.c.uuid)).scalar_one()
        return found

    @property
    def size_bytes(self) -> int:
        """Size of the file with its write-ahead log; on a server, of the catalog's tables."""
        if self.place.server is not None:
            return self.reader.measure_tables()
        parts = (self._path, self._path.with_name(DATABASE_NAME + "-wal"))
        return sum(part.stat().st_size for part in parts if part.exists())

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def require_open(self) -> None:
        """Check that the store is open.

        Raises:
            StoreError: it is closed.
        """
        if self._is_closed:
            raise StoreError(f"the catalog {self.place} is closed")

    def discard_if_empty(self) -> None:
        """Delete a catalog that was created on opening and holds nothing; call after `close`."""
        if self._created_folders is not None:
            discard_if_empty(self.place.directory, self._created_folders)
        elif self._has_created_tables:
            from clipsearch.store.backends.postgres_schema import discard_if_empty as discard_tables

            discard_tables(self.place)

    def close(self) -> None:
        self._is_closed = True
        self.reader.close()
        if "_database" in self.__dict__:
            self._database.close()
