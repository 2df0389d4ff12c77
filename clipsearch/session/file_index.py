"""Keep a catalog's FAISS index files in step with the store: load, refresh and rebuild snapshots."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from clipsearch.errors import VectorIndexError
from clipsearch.indexes.flat import FaissIndex
from clipsearch.indexes.ivf import IvfIndex
from clipsearch.indexes.ivf_tuning import AUTO_ROWS, Cells, Tuning, find_cells, is_tuning, usual_cells
from clipsearch.indexes.snapshot import SnapshotIndex, index_path, load_snapshot
from clipsearch.notices import notify
from clipsearch.session.index_files import (
    OUTGROWN,
    Rows,
    describe_snapshot,
    generation_of,
    get_model,
    write_ann_snapshot,
    write_snapshot,
)
from clipsearch.store import Kind, Store, StoredModel, StoredSnapshot

# The tail of an approximate index is compared row by row, so that it is extended sooner.
_MAX_TAIL_SHARE_ANN = 0.02

# An exact search slower than this gets an approximate index, unless the user has chosen one.
_SLOW_MS = 100.0
_MAYBE_SLOW_ROWS = 200_000

# The tail, rows that are not in the snapshot, is loaded from SQL whenever a catalog is opened, about 10 ms a thousand:
# a snapshot is rewritten when the tail exceeds both this number and this share of it.
_MAX_TAIL_ROWS = 1_000
_MAX_TAIL_SHARE = 0.2


class CatalogIndex:
    """Thread-safe index over all stored embeddings of a kind: the snapshot, and the rows that came after it.

    It stays current while others write: every `get` adds new rows.
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
        """Return the index, refreshed with all rows stored by now."""
        with self._lock:
            return self._get()

    def release(self) -> None:
        """Release the index; searches that are going on keep it."""
        with self._lock:
            self._index = None

    def close(self) -> None:
        """Release the index, and unmap its file: searches that are going on fail."""
        with self._lock:
            if self._index is not None:
                self._index.close()
            self._index = None

    def _get(self) -> SnapshotIndex:
        model = get_model(self._store, self._model_id)
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
        # An approximate index takes minutes to build, and texts to tune it on: an index run does it.
        base_rows = 0 if base is None else base.count
        if not isinstance(base, IvfIndex) and index.tail_count > _allowed_tail(base_rows, _MAX_TAIL_SHARE):
            self._write()
        self._index, self._generation = index, generation_of(model, self._kind)
        return index

    def _load_base(self, model: StoredModel) -> tuple[FaissIndex | None, int]:
        """Load the snapshot in use, with its last row; (None, 0) without one. A damaged one is rebuilt."""
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
                    notify(f"{error}: rebuilt from the catalog")
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
    """Refresh the snapshots of the model in use, see `refresh_snapshot`; before the first index run there are none."""
    current = store.reader.find_current_model()
    if current is not None:
        for kind in kinds:
            refresh_snapshot(kind, store=store, model_id=current.model_id, folder=folder)


def refresh_snapshot(
    kind: Kind, *, store: Store, model_id: int, folder: Path, texts: Callable[[], Rows] | None = None
) -> None:
    """Rewrite the snapshot when it is missing, too far behind, or to be of another kind.

    Args:
        texts: what an approximate index is tuned on, (n, dim) unit-norm; without them none is built, and an existing
            one stays.
    """
    model = get_model(store, model_id)
    count = store.embeddings.count(kind, model_id=model_id)
    if count == 0:
        return
    snapshot = store.reader.find_snapshot(kind, model_id=model_id)
    if snapshot is not None:
        path = index_path(folder, describe_snapshot(kind, store.uuid, model, snapshot), snapshot.blake3)
        snapshot = snapshot if path.exists() and is_tuning(snapshot.ann) else None
    cells = None if texts is None else _wanted_cells(kind, snapshot, count, ann=store.reader.find_ann())
    is_behind = snapshot is None or _is_behind(snapshot, count)
    if texts is not None and cells is not None:
        if is_behind or snapshot is None or snapshot.ann is None or Tuning.from_json(snapshot.ann).cells != cells:
            write_ann_snapshot(cells, store=store, model_id=model_id, folder=folder, texts=texts(), before=snapshot)
    elif snapshot is not None and snapshot.ann is not None:
        if texts is not None:  # the index is to be exact now
            write_snapshot(kind, store=store, model_id=model_id, folder=folder)
    elif is_behind:
        write_snapshot(kind, store=store, model_id=model_id, folder=folder)
        if texts is not None and _is_slow(kind, store=store, model=model, folder=folder):
            cells = usual_cells(count)
            write_ann_snapshot(cells, store=store, model_id=model_id, folder=folder, texts=texts())


def rebuild_snapshot(
    kind: Kind, *, store: Store, model_id: int, folder: Path, texts: Callable[[], Rows] | None = None
) -> None:
    """Rebuild the index file from SQL, exact or approximate; arguments as in `refresh_snapshot`.

    Raises:
        VectorIndexError, StoreError: it can't be written, or recorded in the catalog.
    """
    snapshot = store.reader.find_snapshot(kind, model_id=model_id)
    snapshot = snapshot if snapshot is not None and is_tuning(snapshot.ann) else None
    count = store.embeddings.count(kind, model_id=model_id)
    ann = store.reader.find_ann()
    cells = None if texts is None else _wanted_cells(kind, snapshot, count, ann=ann)
    if texts is not None and cells is not None:
        if ann is None:  # an older version may have chosen another kind
            cells = replace(cells, codes=usual_cells(count).codes)
        write_ann_snapshot(cells, store=store, model_id=model_id, folder=folder, texts=texts(), is_required=True)
    elif count:
        write_snapshot(kind, store=store, model_id=model_id, folder=folder, is_required=True)


def _wanted_cells(kind: Kind, snapshot: StoredSnapshot | None, count: int, *, ann: str | None) -> Cells | None:
    """Return the kind of the pictures' approximate index; None for an exact one.

    Captions always have an exact one: a picture's probabilities are over all of them.
    """
    if kind != "images":
        return None
    if ann is not None:
        wanted = find_cells(ann)
        return None if wanted is None else replace(wanted, nlist=min(wanted.nlist, count))
    if snapshot is not None and snapshot.ann is not None:
        tuning = Tuning.from_json(snapshot.ann)
        if count > OUTGROWN * tuning.trained_rows:
            return usual_cells(count)
        return replace(tuning.cells, nlist=min(tuning.nlist, count))
    return usual_cells(count) if count >= AUTO_ROWS else None


def _is_slow(kind: Kind, *, store: Store, model: StoredModel, folder: Path) -> bool:
    """Return whether an exact search is too slow on this machine, and the user has not chosen the kind of index."""
    snapshot = store.reader.find_snapshot(kind, model_id=model.model_id)
    if kind != "images" or store.reader.find_ann() is not None or snapshot is None:
        return False
    if snapshot.ann is not None or snapshot.row_count < _MAYBE_SLOW_ROWS:
        return False
    index = load_snapshot(folder, describe_snapshot(kind, store.uuid, model, snapshot), snapshot.blake3)
    seconds = []
    for row in index.sample(5):
        start = perf_counter()
        index.search(row[np.newaxis], 10)
        seconds.append(perf_counter() - start)
    return 1000 * median(seconds) > _SLOW_MS


def _is_behind(snapshot: StoredSnapshot, count: int) -> bool:
    share = _MAX_TAIL_SHARE if snapshot.ann is None else _MAX_TAIL_SHARE_ANN
    return count - snapshot.row_count > _allowed_tail(snapshot.row_count, share)


def _allowed_tail(rows: int, share: float) -> float:
    return max(_MAX_TAIL_ROWS, share * rows)
