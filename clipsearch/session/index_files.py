"""Build index files from the store, exact or approximate, and put them into use."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import StoreError, VectorIndexError
from clipsearch.indexes.flat import FaissIndex
from clipsearch.indexes.ivf import ROWS_TO_LEARN, IvfIndex
from clipsearch.indexes.ivf_codes import CodedIvfIndex
from clipsearch.indexes.ivf_tuning import Cells, Tuning
from clipsearch.indexes.row_file import RowWriter
from clipsearch.indexes.snapshot import (
    Sidecar,
    create_row_path,
    index_path,
    load_snapshot,
    remove_snapshots,
    save_snapshot,
)
from clipsearch.notices import notify
from clipsearch.store import EmbeddingRows, Kind, Store, StoredModel, StoredSnapshot

# From this number of pictures on, cells take so long to learn that a notice says it.
_MANY_ROWS = 200_000

# An approximate index is built again from other cells when its rows have doubled since they were learnt.
OUTGROWN = 2

# Pictures that an index is tuned on; half of them, and of the texts, to choose the search parameters, half to measure
# them.
_TUNING_PICTURES = 128

Rows = NDArray[np.float32]


def write_ann_snapshot(
    cells: Cells,
    *,
    store: Store,
    model_id: int,
    folder: Path,
    texts: Rows,
    before: StoredSnapshot | None = None,
    is_required: bool = False,
) -> bool:
    """Build, tune and measure an approximate index of the pictures, and put it into use; return whether that succeeded.

    Args:
        texts: (n, dim) unit-norm.
        before: the one in use: while its cells are good enough, they are kept, and only new rows are added.
        is_required: as in `write_snapshot`.
    """
    model = get_model(store, model_id)
    row_file: RowWriter | None = None
    try:
        if cells.codes == "SQ4":
            row_file = RowWriter(create_row_path(folder, model.fingerprint, "images"), model.dim)
        index, new = _build_ann(cells, row_file, store=store, model=model, folder=folder, texts=texts, before=before)
        return _put_in_use("images", index, new, store=store, model=model, folder=folder, is_required=is_required)
    except VectorIndexError as error:  # the rows can't be written
        if is_required:
            raise
        notify(f"{error}: searches are answered from the database alone")
        return False
    finally:  # also after Ctrl-C; on success it was moved
        if row_file is not None:
            row_file.discard()


def _build_ann(
    cells: Cells,
    row_file: RowWriter | None,
    *,
    store: Store,
    model: StoredModel,
    folder: Path,
    texts: Rows,
    before: StoredSnapshot | None,
) -> tuple[IvfIndex, StoredSnapshot]:
    reader = store.reader
    count = store.embeddings.count("images", model_id=model.model_id)
    grown = _index_to_grow(before, cells, count, row_file, store=store, model=model, folder=folder)
    if grown is None:
        if count >= _MANY_ROWS:
            notify(
                f"sorting {count:,} pictures into {cells.nlist:,} cells, so that searches need not look at all of "
                "them: this takes some minutes, once",
            )
        index, trained_rows, last_embedding_id = _new_index(cells, model.dim, row_file), count, 0
        index.learn(_spread_rows(ROWS_TO_LEARN * cells.nlist, store=store, model=model).embeddings)
    else:
        index, trained_rows, last_embedding_id = grown
    for rows in reader.rows_after("images", model_id=model.model_id, dim=model.dim, embedding_id=last_embedding_id):
        index.add(rows.ids, rows.embeddings)
        last_embedding_id = rows.last_embedding_id
    pictures = _spread_rows(_TUNING_PICTURES, store=store, model=model)
    tuning = index.tune(texts, pictures.embeddings, pictures.ids, trained_rows=trained_rows)
    return index, StoredSnapshot("", index.count, generation_of(model, "images"), last_embedding_id, tuning.to_json())


def _new_index(cells: Cells, dim: int, row_file: RowWriter | None) -> IvfIndex:
    return IvfIndex(dim, cells.nlist) if row_file is None else CodedIvfIndex(dim, cells.nlist, rows=row_file)


def _index_to_grow(
    before: StoredSnapshot | None,
    cells: Cells,
    count: int,
    row_file: RowWriter | None,
    *,
    store: Store,
    model: StoredModel,
    folder: Path,
) -> tuple[IvfIndex, int, int] | None:
    """Return the index in use, the rows its cells were learnt from and its last row; None when they are outgrown."""
    if before is None or before.ann is None or before.generation != generation_of(model, "images"):
        return None
    tuning = Tuning.from_json(before.ann)
    if tuning.cells != cells or count > OUTGROWN * tuning.trained_rows:
        return None
    sidecar = describe_snapshot("images", store.uuid, model, before)
    path = index_path(folder, sidecar, before.blake3)
    index: IvfIndex
    try:
        load_snapshot(folder, sidecar, before.blake3)
        if row_file is None:
            index = IvfIndex.load_whole(path)
    except VectorIndexError:
        return None
    if row_file is not None:  # an error is one of the new file, which is not empty then
        index = CodedIvfIndex.copy_file(path, dim=model.dim, count=before.row_count, rows=row_file)
    return index, tuning.trained_rows, before.last_embedding_id


def _spread_rows(wanted: int, *, store: Store, model: StoredModel) -> EmbeddingRows:
    """Return about n embeddings of pictures, evenly spaced in the order they were stored."""
    last = store.reader.newest_embedding_id("images")
    # Some ids are deleted, or belong to other models: request proportionally more.
    count = max(1, store.embeddings.count("images", model_id=model.model_id))
    numbers = np.unique(np.linspace(1, last, min(last, -(-wanted * last // count))).round().astype(np.int64))
    return store.reader.some_rows("images", model_id=model.model_id, dim=model.dim, embedding_ids=numbers.tolist())


def write_snapshot(kind: Kind, *, store: Store, model_id: int, folder: Path, is_required: bool = False) -> bool:
    """Build the exact index file from SQL, and put it into use; return whether that succeeded.

    A catalog that can't be written is still searched, only more slowly.

    Args:
        is_required: a failed write is an error.

    Raises:
        VectorIndexError, StoreError: `is_required` and it can't be written, or recorded in the catalog.
    """
    model = get_model(store, model_id)
    index = FaissIndex(model.dim)
    last_embedding_id = 0
    for rows in store.reader.rows_after(kind, model_id=model_id, dim=model.dim):
        index.add(rows.ids, rows.embeddings)
        last_embedding_id = rows.last_embedding_id
    new = StoredSnapshot("", index.count, generation_of(model, kind), last_embedding_id)
    return _put_in_use(kind, index, new, store=store, model=model, folder=folder, is_required=is_required)


def _put_in_use(
    kind: Kind,
    index: FaissIndex,
    new: StoredSnapshot,
    *,
    store: Store,
    model: StoredModel,
    folder: Path,
    is_required: bool,
) -> bool:
    sidecar = describe_snapshot(kind, store.uuid, model, new)
    try:
        checksum = save_snapshot(index, folder, sidecar)
        # This puts it into use; until here the previous one was.
        store.embeddings.set_snapshot(kind, replace(new, blake3=checksum), model_id=model.model_id)
    except (VectorIndexError, StoreError) as error:
        if is_required:
            raise
        notify(f"{error}: searches are answered from the database alone")
        return False
    remove_snapshots(folder, sidecar, keep=checksum)
    return True


def get_model(store: Store, model_id: int) -> StoredModel:
    """Return the current row of a model: another process may have changed a generation.

    Raises:
        StoreError: there is no such model.
    """
    model = store.reader.find_model(model_id)
    if model is None:
        raise StoreError(f"the catalog has no model {model_id}")
    return model


def generation_of(model: StoredModel, kind: Kind) -> int:
    return model.image_generation if kind == "images" else model.caption_generation


def describe_snapshot(kind: Kind, uuid: str, model: StoredModel, snapshot: StoredSnapshot) -> Sidecar:
    """Return the sidecar of an index file of the catalog `uuid`."""
    return Sidecar(
        catalog=uuid,
        fingerprint=model.fingerprint,
        kind=kind,
        dim=model.dim,
        metric="inner_product",
        count=snapshot.row_count,
        generation=snapshot.generation,
        last_embedding_id=snapshot.last_embedding_id,
        ann=snapshot.ann,
    )
