"""Check the index files that SQL records against SQL."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from clipsearch import paths
from clipsearch.columns.file import ColumnFileName, check_columns, column_path
from clipsearch.errors import VectorIndexError
from clipsearch.indexes.flat import FaissIndex
from clipsearch.indexes.load import load_index
from clipsearch.indexes.names import require_own_folder
from clipsearch.indexes.near_pairs import places_of
from clipsearch.indexes.snapshot import Sidecar, file_checksum, index_path, read_sidecar, sidecar_path
from clipsearch.session.index_files import describe_snapshot, generation_of
from clipsearch.session.map_file import check_map, map_path
from clipsearch.session.written import check_written
from clipsearch.store import Kind, StoredModel, StoredSnapshot
from clipsearch.store.reader import Reader
from clipsearch.store.recovery.integrity import Inspection, choose


@dataclass(slots=True)
class SnapshotCheck:
    """Result of checking all index files in use.

    Attributes:
        faults: a line for each file that is wrong.
        rows: in the others.
        compared: of these.
        changed: embedding ids, by kind, whose embedding in SQL differs from an index file with a correct checksum: they
            have changed in SQL.
    """

    faults: list[str] = field(default_factory=list)
    rows: int = 0
    compared: int = 0
    changed: dict[Kind, list[int]] = field(default_factory=lambda: {"images": [], "captions": []})


def check_snapshots(directory: Path, reader: Reader, inspection: Inspection, *, sample: int | None) -> SnapshotCheck:
    """Check all index files in use.

    Args:
        sample: number of rows of each that are compared, chosen at random; None: all.
    """
    found = SnapshotCheck()
    try:
        require_own_folder(paths.index_folder(directory))
    except VectorIndexError:  # nothing there is used
        return found
    uuid = reader.find_uuid() or ""
    for kind, model, snapshot in reader.list_snapshots():
        # One of another generation is stale: never used again, and rebuilt when its model is used.
        if snapshot.generation != generation_of(model, kind):
            continue
        sidecar = describe_snapshot(kind, uuid, model, snapshot)
        path = index_path(paths.index_folder(directory), sidecar, snapshot.blake3)
        index, fault = _load(path, sidecar, snapshot)
        if index is not None:
            fault = _compare(index, found, kind, model, snapshot, inspection, sample)
        # Another process may have replaced it by a newer one meanwhile.
        if fault is not None and reader.find_snapshot(kind, model_id=model.model_id) == snapshot:
            found.faults.append(f"the index file {path.name} {fault}")
    maps = [map_path(paths.index_folder(directory), uuid, model.fingerprint) for model in reader.list_models()]
    faults = _column_fault(directory, reader, uuid), check_written(directory, uuid), *map(check_map, maps)
    found.faults += [fault for fault in faults if fault is not None]
    return found


def _column_fault(directory: Path, reader: Reader, uuid: str) -> str | None:
    """Return what is wrong with the file of columns; a missing one is rebuilt by the next filter."""
    file, folder = reader.find_column_file(), paths.index_folder(directory)
    if file is None or not column_path(folder, file.blake3).exists():
        return None
    try:
        check_columns(folder, file.blake3, ColumnFileName(uuid, file.row_count, file.last_change))
    except VectorIndexError as error:
        # Another process may have replaced it meanwhile.
        return str(error) if reader.find_column_file() == file else None
    return None


def _load(path: Path, sidecar: Sidecar, snapshot: StoredSnapshot) -> tuple[FaissIndex | None, str | None]:
    """Load an index; return it, or what is wrong with its files."""
    if not path.exists():
        return None, "is missing"
    try:
        if file_checksum(path) != snapshot.blake3:
            return None, "is damaged: its checksum differs"
        index = load_index(path, dim=sidecar.dim, count=sidecar.count, ann=sidecar.ann)
    except (OSError, ValueError, VectorIndexError):
        return None, "can't be read"
    if (index.count, index.dim) != (sidecar.count, sidecar.dim):
        return None, f"holds {index.count:,} rows of {index.dim} numbers, not {sidecar.count:,} of {sidecar.dim}"
    try:
        described = read_sidecar(path)
    except VectorIndexError:
        return None, f"has no sidecar ({sidecar_path(path).name})"
    is_match = described == sidecar.described()
    return (index, None) if is_match else (None, "has a sidecar that does not match")


def _compare(
    index: FaissIndex,
    found: SnapshotCheck,
    kind: Kind,
    model: StoredModel,
    snapshot: StoredSnapshot,
    inspection: Inspection,
    sample: int | None,
) -> str | None:
    numbers, owners = inspection.embedding_ids(kind, model_id=model.model_id, up_to=snapshot.last_embedding_id)
    # An index may order its rows differently.
    places = places_of(owners, index.ids)
    if index.count != len(owners) or (places < 0).any():
        return f"holds other {'pictures' if kind == 'images' else 'captions'} than the database"
    found.rows += len(numbers)
    for part, embeddings in inspection.embeddings(kind, choose(numbers, sample), dim=model.dim):
        found.compared += len(part)
        rows = index.rows(places[np.searchsorted(numbers, part)])
        differs = ~((rows == embeddings) | (np.isnan(rows) & np.isnan(embeddings))).all(axis=1)
        found.changed[kind] += part[differs].tolist()
    return None
