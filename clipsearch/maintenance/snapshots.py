"""The index files that SQL names, against what SQL says."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from blake3 import blake3

from clipsearch import settings
from clipsearch.errors import VectorIndexError
from clipsearch.index_files import describe_snapshot, generation_of
from clipsearch.indexes.faiss_index import FaissIndex
from clipsearch.indexes.snapshot import Sidecar, index_path, sidecar_path
from clipsearch.store import Kind, StoredModel, StoredSnapshot
from clipsearch.store.integrity import Inspection, choose
from clipsearch.store.reader import Reader


@dataclass(slots=True)
class SnapshotCheck:
    """What was found in all index files in use.

    Attributes:
        faults: a line for each that is wrong.
        rows: in the others.
        compared: of these.
        changed: row numbers, by kind, of embeddings that SQL has otherwise than an index file whose checksum is right:
            they have changed in SQL.
    """

    faults: list[str] = field(default_factory=list)
    rows: int = 0
    compared: int = 0
    changed: dict[Kind, list[int]] = field(default_factory=lambda: {"images": [], "captions": []})


def check_snapshots(directory: Path, reader: Reader, inspection: Inspection, *, sample: int | None) -> SnapshotCheck:
    """`sample`: at most so many rows of each are compared, chosen by chance; None: all."""
    found = SnapshotCheck()
    uuid = reader.find_uuid() or ""
    for kind, model, snapshot in reader.list_snapshots():
        # One of another generation is never used again, and made anew when its model is.
        if snapshot.generation != generation_of(model, kind):
            continue
        sidecar = describe_snapshot(kind, uuid, model, snapshot)
        path = index_path(settings.index_folder(directory), sidecar, snapshot.blake3)
        fault = _find_fault(path, sidecar, snapshot)
        if fault is None:
            fault = _compare(FaissIndex.load(path), found, kind, model, snapshot, inspection, sample)
        # Another process may have put a newer one in its place meanwhile.
        if fault is not None and reader.find_snapshot(kind, model_id=model.model_id) == snapshot:
            found.faults.append(f"the index file {path.name} {fault}")
    return found


def _find_fault(path: Path, sidecar: Sidecar, snapshot: StoredSnapshot) -> str | None:
    if not path.exists():
        return "is missing"
    try:
        if blake3(max_threads=blake3.AUTO).update_mmap(path).hexdigest() != snapshot.blake3:
            return "is damaged: its checksum differs"
        index = FaissIndex.load(path)
        if (index.count, index.dim) != (sidecar.count, sidecar.dim):
            return f"holds {index.count:,} rows of {index.dim} numbers, not {sidecar.count:,} of {sidecar.dim}"
    except (OSError, ValueError, VectorIndexError):
        return "can't be read"
    try:
        described = json.loads(sidecar_path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return f"has no description beside it ({sidecar_path(path).name})"
    return None if described == asdict(sidecar) else "has a description beside it that says something else"


def _compare(
    index: FaissIndex,
    found: SnapshotCheck,
    kind: Kind,
    model: StoredModel,
    snapshot: StoredSnapshot,
    inspection: Inspection,
    sample: int | None,
) -> str | None:
    numbers, owners = inspection.row_numbers(kind, model_id=model.model_id, up_to=snapshot.last_embedding_id)
    ids = index.ids
    if not np.array_equal(ids, owners):
        return f"holds other {'pictures' if kind == 'images' else 'captions'} than the database"
    found.rows += len(numbers)
    for part, embeddings in inspection.embeddings(kind, choose(numbers, sample), dim=model.dim):
        found.compared += len(part)
        rows = index.rows(np.searchsorted(numbers, part))
        differs = ~((rows == embeddings) | (np.isnan(rows) & np.isnan(embeddings))).all(axis=1)
        found.changed[kind] += part[differs].tolist()
    return None
