"""Keep a catalog's index on a Milvus server in step with the store, and choose between server and files."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipsearch.configuration import config_dir
from clipsearch.errors import ClipSearchError, IndexMismatchError, MissingExtraError, VectorIndexError
from clipsearch.indexes.milvus.address import parse_index_url
from clipsearch.indexes.milvus.collection import MilvusCollection
from clipsearch.indexes.milvus.index import MilvusIndex
from clipsearch.indexes.milvus.trusted_servers import (
    SERVERS_VARIABLE,
    TOKEN_VARIABLE,
    is_here,
    origin_of,
    remember,
    require_named,
)
from clipsearch.notices import notify
from clipsearch.store import KINDS, Kind, Store, StoredModel

# Fewer rows are searched fast enough unsealed, and each sealing creates a segment.
_MANY_ROWS = 5_000

# One writer at a time: a cluster takes several, milvus-lite is not safe with them.
_WRITE_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True)
class IndexPlace:
    """Location of a catalog's index.

    Attributes:
        url: of the server; None for files.
        index_type: as the server names it; None for files and when there is none yet.
        rows: that a search finds, of pictures and captions of the model in use; None for files.
        stored: embeddings of the model in use in SQL.
        problem: why the server could not be queried, one line.
    """

    url: str | None = None
    index_type: str | None = None
    rows: int | None = None
    stored: int = 0
    problem: str | None = None


class ServerIndex:
    """Thread-safe index over all stored embeddings of a kind, on a server.

    It stays current while others write: every `get` sends what is new in SQL. Rows are sent before the progress is
    written, and upserts are idempotent: after an interruption some rows are sent again and replace themselves.
    """

    def __init__(self, kind: Kind, *, store: Store, model_id: int, url: str) -> None:
        self._kind = kind
        self._store = store
        self._model_id = model_id
        self._url = url
        self._collection: MilvusCollection | None = None
        self._partition = ""
        self._lock = threading.Lock()

    def get(self) -> MilvusIndex:
        """Return the index, refreshed with all rows stored by now.

        Raises:
            MissingExtraError: pymilvus is not installed.
            IndexMismatchError: the collection belongs to another catalog.
            VectorIndexError: the server can't be reached, or refuses.
        """
        with self._lock:
            if self._collection is None:
                return self._get()
            try:
                return self._get()
            except IndexMismatchError:
                raise
            except VectorIndexError:
                # Another process may have rebuilt the collection meanwhile, or the server was restarted.
                self._disconnect()
                return self._get()

    def close(self) -> None:
        with self._lock:
            self._disconnect()

    release = close  # the next `get` opens it again

    def __enter__(self) -> "ServerIndex":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _disconnect(self) -> None:
        if self._collection is not None:
            self._collection.close()
        self._collection, self._partition = None, ""

    def _get(self) -> MilvusIndex:
        model = self._store.reader.find_model(self._model_id)
        if model is None:
            raise VectorIndexError(f"the catalog has no model {self._model_id}")
        collection = self._open(model)
        partition = partition_of(self._kind, model)
        count = self._send_new_rows(collection, partition, model)
        if partition != self._partition:
            _drop_older(collection, partition)
            self._partition = partition
        return MilvusIndex(
            collection,
            partition,
            count=count,
            list_ids=lambda: self._store.reader.ids(self._kind, model_id=self._model_id),
        )

    def _open(self, model: StoredModel) -> MilvusCollection:
        if self._collection is None:
            collection = connect(self._url, dim=model.dim, catalog=self._store.uuid)
            try:
                with _WRITE_LOCK:
                    collection.make(
                        expected_rows=self._store.embeddings.count(self._kind, model_id=self._model_id),
                    )
            except BaseException:
                collection.close()
                raise
            self._collection = collection
        return self._collection

    def _send_new_rows(self, collection: MilvusCollection, partition: str, model: StoredModel) -> int:
        """Send new rows; return the number of rows afterwards."""
        progress = collection.find_progress(partition)
        if progress is not None and progress["last_embedding_id"] > self._store.reader.newest_embedding_id(self._kind):
            # It holds rows that SQL does not: those of a copy of the catalog that was used separately.
            with _WRITE_LOCK:
                collection.drop_partition(partition)
            progress = None
        if progress is None:
            with _WRITE_LOCK:
                collection.make_partition(partition)
        count = int(progress["row_count"]) if progress is not None else 0
        last = int(progress["last_embedding_id"]) if progress is not None else 0
        is_progress_written, before = progress is not None, count
        for rows in self._store.reader.rows_after(
            self._kind, model_id=self._model_id, dim=model.dim, embedding_id=last
        ):
            with _WRITE_LOCK:
                collection.upsert(partition, rows.ids, rows.embeddings)
                count, last = count + len(rows.ids), rows.last_embedding_id
                collection.write_progress(partition, last_embedding_id=last, row_count=count)
            is_progress_written = True
        if not is_progress_written:
            with _WRITE_LOCK:
                collection.write_progress(partition, last_embedding_id=last, row_count=count)
        if count - before >= _MANY_ROWS:
            with _WRITE_LOCK:
                collection.seal()
        return count


def connect(url: str, *, dim: int, catalog: str) -> MilvusCollection:
    """Connect to the collection at the index URL of a catalog.

    Args:
        catalog: uuid.

    Raises:
        InputError: the URL is invalid.
        MissingExtraError: pymilvus is not installed.
        VectorIndexError: the server was not named on this machine, or it can't be reached.
    """
    address = parse_index_url(url, catalog=catalog)
    require_named(address)
    return MilvusCollection(address, dim=dim, catalog=catalog)


def partition_of(kind: Kind, model: StoredModel) -> str:
    """Return the name of a kind's partition, a new one for each generation.

    What was deleted in SQL is not in the new one, and searches in the old one go on.
    """
    generation = model.image_generation if kind == "images" else model.caption_generation
    return f"{kind}_{model.fingerprint[:16]}_{generation}"


def _drop_older(collection: MilvusCollection, partition: str) -> None:
    """Drop partitions of other generations; one that can't be dropped only takes space."""
    family = partition.rpartition("_")[0] + "_"
    for name in collection.partitions():
        if name.startswith(family) and name != partition:
            try:
                with _WRITE_LOCK:
                    collection.drop_partition(name)
            except VectorIndexError as error:
                notify(f"{error}; 'clipsearch reindex' frees the space")


def refresh_index(store: Store, folder: Path, *kinds: Kind) -> None:
    """Refresh the index of the model in use, wherever it is; before the first index run there is none.

    Args:
        folder: with the index files.

    Raises:
        VectorIndexError: the server can't be reached, or refuses.
    """
    url, current = store.reader.find_index_url(), store.reader.find_current_model()
    if url is None:
        from clipsearch.session.file_index import refresh_current

        refresh_current(store, folder, *kinds)
        return
    if current is None:
        return
    for kind in kinds:
        with ServerIndex(kind, store=store, model_id=current.model_id, url=url) as index:
            index.get()


def refresh_or_notice(store: Store, folder: Path, *kinds: Kind) -> None:
    """Refresh the index, with a notice instead of an error when the server is down: the next query repeats it."""
    try:
        refresh_index(store, folder, *kinds)
    except (VectorIndexError, MissingExtraError) as error:
        notify(str(error))


def rebuild_index(store: Store, folder: Path, *, texts: Callable[[], NDArray[np.float32]] | None = None) -> None:
    """Rebuild the index of the model in use from SQL, wherever it is.

    On a server the whole collection is dropped, with other models' rows: those are sent when their model is used again.

    Args:
        texts: as in `file_index.refresh_snapshot`.

    Raises:
        VectorIndexError: the server can't be reached, or refuses, or the files can't be written.
        StoreError: the catalog can't be written.
    """
    url, current = store.reader.find_index_url(), store.reader.find_current_model()
    if current is None:
        return
    if url is None:
        from clipsearch.session.file_index import rebuild_snapshot

        for kind in KINDS:
            rebuild_snapshot(kind, store=store, model_id=current.model_id, folder=folder, texts=texts)
        return
    collection = connect(url, dim=current.dim, catalog=store.uuid)
    try:
        with _WRITE_LOCK:
            collection.drop()
    finally:
        collection.close()
    refresh_index(store, folder, *KINDS)


def find_index_place(store: Store) -> IndexPlace:
    """Query the server for the state of the index, without changing anything there."""
    url, current = store.reader.find_index_url(), store.reader.find_current_model()
    stored = 0
    if current is not None:
        stored = sum(store.embeddings.count(kind, model_id=current.model_id) for kind in KINDS)
    if url is None or current is None:
        return IndexPlace(url=url, stored=stored)
    try:
        collection = connect(url, dim=current.dim, catalog=store.uuid)
        try:
            if not collection.find():
                return IndexPlace(url=url, rows=0, stored=stored)
            notes = [collection.find_progress(partition_of(kind, current)) for kind in KINDS]
            rows = sum(int(note["row_count"]) for note in notes if note is not None)
            return IndexPlace(url=url, index_type=collection.index_type, rows=rows, stored=stored)
        finally:
            collection.close()
    except ClipSearchError as error:
        return IndexPlace(url=url, stored=stored, problem=str(error))


def choose_index(store: Store, where: str) -> None:
    """Move the catalog's index to a server, or back into files; the next `refresh_index` fills it.

    The server counts as named by the user from then on, see `trusted_servers`.

    Args:
        where: "files" or a URL, see `milvus.address`.

    Raises:
        InputError: neither.
        MissingExtraError: pymilvus is not installed.
        VectorIndexError: the server can't be reached, or the collection belongs to another catalog.
    """
    if where == "files":
        store.embeddings.set_index_url(None)
        return
    address, current = parse_index_url(where, catalog=store.uuid), store.reader.find_current_model()
    if os.environ.get(TOKEN_VARIABLE) and not address.is_secure and not is_here(address):
        notify(
            f"the connection to {address.server} is not encrypted, so others on the network can read {TOKEN_VARIABLE} "
            "and the embeddings: add tls=1 to the URL if the server supports TLS",
        )
    collection = MilvusCollection(address, dim=1 if current is None else current.dim, catalog=store.uuid)
    try:
        if collection.find() and address.index_type not in (None, collection.index_type):
            notify(
                f"the collection's index is still {collection.index_type}: 'clipsearch reindex' changes it to "
                f"{address.index_type}",
            )
    finally:
        collection.close()
    if not remember(address):
        notify(f"{origin_of(address)} can't be saved in {config_dir()}: name it in {SERVERS_VARIABLE}")
    store.embeddings.set_index_url(where)
