"""The SQL store: what is known. Everything else can be rebuilt from it."""

import uuid
from pathlib import Path

from sqlalchemy import insert, select

from clipsearch.store import tables
from clipsearch.store.captions import CaptionStore
from clipsearch.store.database import Database
from clipsearch.store.embeddings import EmbeddingRows, EmbeddingStore, Kind, StoredSnapshot
from clipsearch.store.models import ModelStore, StoredModel, utc_now
from clipsearch.store.pictures import ContentRecord, FileRecord, KnownFile, PictureStore, Scope
from clipsearch.store.runs import RunStore

__all__ = [
    "ContentRecord",
    "EmbeddingRows",
    "FileRecord",
    "Kind",
    "KnownFile",
    "Scope",
    "Store",
    "StoredModel",
    "StoredSnapshot",
    "utc_now",
]


class Store:
    """One part for each noun, all over the same database.

    Attributes:
        uuid: names this catalog; files derived from it carry it.
        backup: the copy made because an older schema was upgraded on opening, else None.
    """

    def __init__(self, directory: Path, *, create: bool = False) -> None:
        """Opens the store in `directory`; see `Database` for the errors."""
        self._database = Database(directory, create=create)
        self.backup = self._database.backup
        self.pictures = PictureStore(self._database)
        self.captions = CaptionStore(self._database)
        self.embeddings = EmbeddingStore(self._database)
        self.models = ModelStore(self._database)
        self.runs = RunStore(self._database)
        self.uuid = self._find_uuid() or self._make_uuid()

    def _find_uuid(self) -> str | None:
        with self._database.read() as connection:
            return connection.execute(select(tables.catalog.c.uuid)).scalar()

    def _make_uuid(self) -> str:
        made = str(uuid.uuid4())
        with self._database.write() as connection:
            # Two processes may open a new catalog at once: the first row wins.
            found = connection.execute(select(tables.catalog.c.uuid)).scalar()
            if found is None:
                connection.execute(insert(tables.catalog).values(catalog_id=1, uuid=made, created_at=utc_now()))
        return found or made

    @property
    def size_bytes(self) -> int:
        return self._database.size_bytes

    def close(self) -> None:
        self._database.close()
