"""Where a catalog's index files lie, and when they are made anew from the store."""

import warnings
from pathlib import Path

from clipsearch.errors import ClipSearchNotice, IndexMismatchError, StoreError, VectorIndexError
from clipsearch.indexes.faiss_index import FaissIndex
from clipsearch.indexes.snapshot import Sidecar, SnapshotIndex, load_snapshot, save_snapshot
from clipsearch.store import Kind, Store, StoredModel

# Rows beside the snapshot are loaded from SQL whenever a catalog is opened, about 10 ms a thousand: a snapshot is
# written anew when they are more than this many and more than this share of it.
_MAX_TAIL_ROWS = 1_000
_MAX_TAIL_SHARE = 0.2


def open_index(kind: Kind, *, store: Store, model_id: int, folder: Path) -> SnapshotIndex:
    """The index over all stored embeddings of a kind: the snapshot, and the rows that came after it.

    A snapshot that is damaged or stale is not used; the index is then made from SQL, and a damaged one replaced.
    """
    model = _get_model(store, model_id)
    path = _snapshot_path(folder, model, kind)
    base: FaissIndex | None = None
    last_embedding_id = 0
    if path.exists():
        try:
            base, sidecar = load_snapshot(path, _expected(kind, store, model))
            last_embedding_id = sidecar.last_embedding_id
        except IndexMismatchError:
            pass
        except VectorIndexError as error:
            warnings.warn(f"{error}: made anew from the catalog", ClipSearchNotice, stacklevel=2)
            _write(kind, store=store, model=model, path=path)
    index = SnapshotIndex(model.dim, base)
    for rows in store.embeddings.rows_after(kind, model_id=model_id, dim=model.dim, embedding_id=last_embedding_id):
        index.add(rows.ids, rows.embeddings)
    return index


def refresh_snapshot(kind: Kind, *, store: Store, model_id: int, folder: Path) -> bool:
    """Writes the snapshot anew when it is missing, unusable or far behind; says whether it did."""
    model = _get_model(store, model_id)
    path = _snapshot_path(folder, model, kind)
    count = store.embeddings.count(kind, model_id=model_id)
    if count == 0:
        return False
    try:
        _, sidecar = load_snapshot(path, _expected(kind, store, model))
    except VectorIndexError:
        pass
    else:
        tail = count - sidecar.count
        if tail <= max(_MAX_TAIL_ROWS, _MAX_TAIL_SHARE * sidecar.count):
            return False
    return _write(kind, store=store, model=model, path=path)


def _write(kind: Kind, *, store: Store, model: StoredModel, path: Path) -> bool:
    """A catalog that can't be written is still answered from, only more slowly."""
    index = FaissIndex(model.dim)
    last_embedding_id = 0
    for rows in store.embeddings.rows_after(kind, model_id=model.model_id, dim=model.dim):
        index.add(rows.ids, rows.embeddings)
        last_embedding_id = rows.last_embedding_id
    described = _expected(kind, store, model, count=index.count, last_embedding_id=last_embedding_id)
    try:
        save_snapshot(index, path, described)
    except VectorIndexError as error:
        warnings.warn(f"{error}: searches are answered from the catalog alone", ClipSearchNotice, stacklevel=3)
        return False
    return True


def _get_model(store: Store, model_id: int) -> StoredModel:
    """The row as it is now: another process may have changed a generation.

    Raises:
        StoreError: there is none.
    """
    model = store.models.find_by_id(model_id)
    if model is None:
        raise StoreError(f"the catalog has no model {model_id}")
    return model


def _snapshot_path(folder: Path, model: StoredModel, kind: Kind) -> Path:
    return folder / f"{model.fingerprint[:16]}-{kind}.faiss"


def _expected(kind: Kind, store: Store, model: StoredModel, *, count: int = 0, last_embedding_id: int = 0) -> Sidecar:
    return Sidecar(
        catalog=store.uuid,
        fingerprint=model.fingerprint,
        kind=kind,
        dim=model.dim,
        metric="inner_product",
        count=count,
        generation=model.image_generation if kind == "images" else model.caption_generation,
        last_embedding_id=last_embedding_id,
    )
