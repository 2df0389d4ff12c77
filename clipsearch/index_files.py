"""Where a catalog's index files lie, and when they are made anew from the store."""

import threading
import warnings
from pathlib import Path

from clipsearch.errors import ClipSearchNotice, StoreError, VectorIndexError
from clipsearch.indexes.faiss_index import FaissIndex
from clipsearch.indexes.snapshot import (
    Sidecar,
    SnapshotIndex,
    index_path,
    load_snapshot,
    remove_snapshots,
    save_snapshot,
)
from clipsearch.store import Kind, Store, StoredModel, StoredSnapshot

# Rows beside the snapshot are loaded from SQL whenever a catalog is opened, about 10 ms a thousand: a snapshot is
# written anew when they are more than this many and more than this share of it.
_MAX_TAIL_ROWS = 1_000
_MAX_TAIL_SHARE = 0.2


class CatalogIndex:
    """The index over all stored embeddings of a kind: the snapshot, and the rows that came after it.

    It stays right while others write: every `get` looks for what is new. For any number of threads.
    """

    def __init__(self, kind: Kind, *, store: Store, model_id: int, folder: Path) -> None:
        self._kind = kind
        self._store = store
        self._model_id = model_id
        self._folder = folder
        self._index: SnapshotIndex | None = None
        self._generation = -1
        self._last_embedding_id = 0
        self._lock = threading.Lock()

    def get(self) -> SnapshotIndex:
        """The index as of now."""
        with self._lock:
            return self._get()

    def _get(self) -> SnapshotIndex:
        model = _get_model(self._store, self._model_id)
        index = self._index
        if index is None or generation_of(model, self._kind) != self._generation:
            index = self._open(model)
        else:
            self._add_new_rows(index, model)
        return index

    def _open(self, model: StoredModel) -> SnapshotIndex:
        base, self._last_embedding_id = self._load_base(model)
        index = SnapshotIndex(model.dim, base)
        self._add_new_rows(index, model)
        if _is_far_behind(index.tail_count, index.count - index.tail_count):
            self._write()
        self._index, self._generation = index, generation_of(model, self._kind)
        return index

    def _load_base(self, model: StoredModel) -> tuple[FaissIndex | None, int]:
        """The snapshot in use and the last row in it, (None, 0) when there is none; a damaged one is made anew."""
        for attempt in range(3):
            snapshot = self._store.reader.find_snapshot(self._kind, model_id=self._model_id)
            if snapshot is None:
                break
            sidecar = describe_snapshot(self._kind, self._store.uuid, model, snapshot)
            try:
                return load_snapshot(self._folder, sidecar, snapshot.blake3), snapshot.last_embedding_id
            except VectorIndexError as error:
                # Another process may have written a newer one and deleted this one meanwhile.
                if self._store.reader.find_snapshot(self._kind, model_id=self._model_id) != snapshot:
                    continue
                if attempt == 0:
                    warnings.warn(f"{error}: made anew from the catalog", ClipSearchNotice, stacklevel=5)
                if not self._write():
                    break
        return None, 0

    def _write(self) -> bool:
        return write_snapshot(self._kind, store=self._store, model_id=self._model_id, folder=self._folder)

    def _add_new_rows(self, index: SnapshotIndex, model: StoredModel) -> None:
        for rows in self._store.reader.rows_after(
            self._kind, model_id=self._model_id, dim=model.dim, embedding_id=self._last_embedding_id
        ):
            index.add(rows.ids, rows.embeddings)
            self._last_embedding_id = rows.last_embedding_id


def refresh_current(store: Store, folder: Path, *kinds: Kind) -> None:
    """`refresh_snapshot` for the model in use; there is none before the first index run."""
    current = store.reader.find_current_model()
    if current is not None:
        for kind in kinds:
            refresh_snapshot(kind, store=store, model_id=current.model_id, folder=folder)


def refresh_snapshot(kind: Kind, *, store: Store, model_id: int, folder: Path) -> None:
    """Writes the snapshot anew when there is none or it is far behind."""
    model = _get_model(store, model_id)
    count = store.embeddings.count(kind, model_id=model_id)
    snapshot = store.reader.find_snapshot(kind, model_id=model_id)
    if count == 0:
        return
    if (
        snapshot is None
        or _is_far_behind(count - snapshot.row_count, snapshot.row_count)
        or not index_path(folder, describe_snapshot(kind, store.uuid, model, snapshot), snapshot.blake3).exists()
    ):
        write_snapshot(kind, store=store, model_id=model_id, folder=folder)


def write_snapshot(kind: Kind, *, store: Store, model_id: int, folder: Path) -> bool:
    """Makes the index file from SQL; says whether it could. A catalog that can't be written is still answered from,
    only more slowly."""
    model = _get_model(store, model_id)
    index = FaissIndex(model.dim)
    last_embedding_id = 0
    for rows in store.reader.rows_after(kind, model_id=model_id, dim=model.dim):
        index.add(rows.ids, rows.embeddings)
        last_embedding_id = rows.last_embedding_id
    snapshot = StoredSnapshot("", index.count, generation_of(model, kind), last_embedding_id)
    sidecar = describe_snapshot(kind, store.uuid, model, snapshot)
    try:
        checksum = save_snapshot(index, folder, sidecar)
        # From here on it is the one in use; until here it was the one before.
        store.embeddings.set_snapshot(
            kind,
            StoredSnapshot(checksum, snapshot.row_count, snapshot.generation, snapshot.last_embedding_id),
            model_id=model_id,
        )
    except (VectorIndexError, StoreError) as error:
        warnings.warn(f"{error}: searches are answered from the database alone", ClipSearchNotice, stacklevel=3)
        return False
    remove_snapshots(folder, sidecar, keep=checksum)
    return True


def _is_far_behind(tail_rows: int, snapshot_rows: int) -> bool:
    return tail_rows > max(_MAX_TAIL_ROWS, _MAX_TAIL_SHARE * snapshot_rows)


def _get_model(store: Store, model_id: int) -> StoredModel:
    """The row as it is now: another process may have changed a generation.

    Raises:
        StoreError: there is none.
    """
    model = store.reader.find_model(model_id)
    if model is None:
        raise StoreError(f"the catalog has no model {model_id}")
    return model


def generation_of(model: StoredModel, kind: Kind) -> int:
    return model.image_generation if kind == "images" else model.caption_generation


def describe_snapshot(kind: Kind, uuid: str, model: StoredModel, snapshot: StoredSnapshot) -> Sidecar:
    """What lies beside an index file of the catalog `uuid`."""
    return Sidecar(
        catalog=uuid,
        fingerprint=model.fingerprint,
        kind=kind,
        dim=model.dim,
        metric="inner_product",
        count=snapshot.row_count,
        generation=snapshot.generation,
        last_embedding_id=snapshot.last_embedding_id,
    )
