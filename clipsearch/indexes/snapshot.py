"""Index snapshots: an immutable memory-mapped file, plus a tail of newer rows in memory.

Ten new pictures among a million don't rewrite the file: it stays unchanged, and newer rows go to the tail. A JSON
sidecar describes the file's content. Both are derived data: when they are damaged or stale, they are rebuilt from SQL.
"""

import contextlib
import errno
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from clipsearch.errors import IndexMismatchError, VectorIndexError
from clipsearch.files import is_regular, recreate_file, remove_file
from clipsearch.indexes.base import NearPairs
from clipsearch.indexes.flat import FaissIndex, sort_by_score, spaced
from clipsearch.indexes.id_set import IdSet
from clipsearch.indexes.load import load_index
from clipsearch.indexes.names import list_own_files, require_own_folder
from clipsearch.indexes.near_pairs import compare_rows, places_of

# Age at which a temporary file counts as abandoned. Age, not process id: ids are reused, and are unknown on other
# machines that share the folder.
_ABANDONED_AFTER_S = 3600

# Larger IVF files are checked by size only when opened: a checksum would read far more than a search does (10 GB, 5 s
# for 10,000,000 pictures). `clipsearch doctor` verifies every byte.
_MAX_CHECKED_BYTES = 1 << 30

# Far above the size of a sidecar, ten lines and some hundred bytes of tuning.
_MAX_SIDECAR_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Sidecar:
    """Description of a snapshot's content.

    Attributes:
        catalog: uuid of the catalog it was built from.
        fingerprint: of the model.
        kind: "images" or "captions".
        dim: dimensions of a row.
        metric: "inner_product".
        count: number of rows.
        generation: of the catalog's embeddings when it was built.
        last_embedding_id: newest SQL row in it.
        ann: JSON of the `Tuning` of an IVF index; None for a flat one.
    """

    catalog: str
    fingerprint: str
    kind: str
    dim: int
    metric: str
    count: int
    generation: int
    last_embedding_id: int
    ann: str | None = None

    def described(self) -> dict[str, Any]:
        """Return the JSON object that is written to the sidecar file."""
        values = asdict(self)
        if self.ann is None:  # compatible with files that are older than this field
            del values["ann"]
        return values


class SnapshotIndex:
    """`VectorIndex` of a read-only base and a growing tail; see the protocol for the methods.

    Thread-safe for searches while one thread adds.
    """

    def __init__(self, dim: int, base: FaissIndex | None = None) -> None:
        if base is not None and base.dim != dim:
            raise IndexMismatchError(f"the snapshot has rows of {base.dim} numbers, the model {dim}")
        self._files: tuple[FaissIndex, FaissIndex] | None = (
            (base if base is not None else FaissIndex(dim)),
            FaissIndex(dim),
        )
        self.dim = dim
        self._newest_id: int | None = None
        self._removed: set[int] = set()
        self._tail_lock = threading.Lock()

    def close(self) -> None:
        """Release the memory-mapped file, even while the index is referenced; later calls raise VectorIndexError."""
        self._files = None

    @property
    def _base(self) -> FaissIndex:
        return self.require_open()[0]

    @property
    def _tail(self) -> FaissIndex:
        return self.require_open()[1]

    def require_open(self) -> tuple[FaissIndex, FaissIndex]:
        if self._files is None:
            raise VectorIndexError("the index is closed")
        return self._files

    @property
    def count(self) -> int:
        """Number of rows that a search can return."""
        return self._base.count - len(self._removed) + self._tail.count

    @property
    def tail_count(self) -> int:
        """Number of rows that are not in the snapshot file."""
        return self._tail.count

    def add(self, ids: NDArray[np.int64], embeddings: NDArray[np.float32]) -> None:
        # Ids grow, so newer ones are not in the base: skip the slow lookup of its ids.
        if self._newest_id is None:
            self._newest_id = int(self._base.ids.max(initial=-1))
        old = ids[ids <= self._newest_id]
        if len(old) and set(old[self._base.contains(old)].tolist()) - self._removed:
            raise VectorIndexError("duplicate id: an id is in the index already")
        with self._tail_lock:
            self._tail.add(ids, embeddings)

    def remove(self, ids: NDArray[np.int64]) -> int:
        from_base = set(ids[self._base.contains(ids)].tolist()) - self._removed
        self._removed |= from_base
        return len(from_base) + self._tail.remove(ids)

    def sample(self, max_rows: int) -> NDArray[np.float32]:
        # Over base and tail; removed rows are included, as a few of them don't affect the statistics of a sample.
        return self._rows(spaced(self._base.count + self._tail.count, max_rows))

    def pairs_above(
        self, threshold: float, ids: NDArray[np.int64], *, on_progress: Callable[[int, int], None] | None = None
    ) -> Iterator[NearPairs]:
        rows = np.concatenate((self._base.ids, self._tail.ids))
        is_removed = np.isin(rows, list(self._removed))
        is_removed[self._base.count :] = False  # added again to the tail
        present = np.flatnonzero(~is_removed)
        found = places_of(ids, rows[present])
        places = np.where(found >= 0, present[found], -1) if len(present) else found
        return compare_rows(self._rows, places, threshold, on_progress=on_progress)

    def _rows(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the embeddings (n, dim) at positions of base and tail, concatenated, in the order of the positions."""
        is_base = positions < self._base.count
        rows = np.empty((len(positions), self.dim), dtype=np.float32)
        rows[is_base] = self._base.rows(positions[is_base])
        with self._tail_lock:
            rows[~is_base] = self._tail.rows(positions[~is_base] - self._base.count)
        return rows

    def search(
        self, queries: NDArray[np.float32], top_k: int, *, among: NDArray[np.int64] | IdSet | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        base_scores, base_ids = self._base.search(queries, top_k, among=among, without=sorted(self._removed))
        with self._tail_lock:
            tail_scores, tail_ids = self._tail.search(queries, top_k, among=among)
        scores = np.concatenate((base_scores, tail_scores), axis=1)
        ids = np.concatenate((base_ids, tail_ids), axis=1)
        return sort_by_score(scores, ids, min(top_k, self.count))


def index_path(folder: Path, sidecar: Sidecar, checksum: str) -> Path:
    """Return the path of a snapshot; content-addressed, so that a new one never overwrites one in use."""
    return folder / f"{sidecar.fingerprint[:16]}-{sidecar.kind}-{checksum[:16]}.faiss"


def sidecar_path(path: Path) -> Path:
    """Return the path of an index file's sidecar."""
    return path.with_suffix(".json")


def create_row_path(folder: Path, fingerprint: str, kind: str) -> Path:
    """Create the folder and return the path for the rows of an index that is being built; `save_snapshot` moves them.

    Raises:
        VectorIndexError: the folder can't be created, or is a link.
    """
    try:
        _make_folder(folder)
    except OSError as error:
        raise VectorIndexError(f"can't write the index in {folder}: {error.strerror}") from error
    return _new_path(folder, fingerprint, kind, ".rows")


def _make_folder(folder: Path) -> None:
    require_own_folder(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def _new_path(folder: Path, fingerprint: str, kind: str, suffix: str) -> Path:
    """Return the path of a file that is not complete; `indexes.names` recognises it when the process is killed."""
    return folder / f"{fingerprint[:16]}-{kind}.{os.getpid()}{suffix}.new"


def save_snapshot(index: FaissIndex, folder: Path, sidecar: Sidecar) -> str:
    """Write the index file and its sidecar atomically and return the file's checksum (blake3, hex).

    Raises:
        VectorIndexError: they can't be written, or the folder is a link; no temporary file is left behind.
    """
    # Not `atomic_write`: FAISS writes the index file itself, and both are renamed only once both are complete. Files
    # abandoned by a killed process are recognised by their names.
    new_index, new_sidecar = (_new_path(folder, sidecar.fingerprint, sidecar.kind, suffix) for suffix in ("", ".json"))
    try:
        _make_folder(folder)
        index.save(new_index)
        checksum = file_checksum(new_index)
        path = index_path(folder, sidecar, checksum)
        with recreate_file(new_sidecar) as file:
            file.write((json.dumps(sidecar.described(), indent=1) + "\n").encode("utf-8"))
        new_sidecar.replace(sidecar_path(path))
        new_index.replace(path)
    except OSError as error:
        raise VectorIndexError(f"can't write the index in {folder}: {error.strerror}") from error
    finally:  # also after Ctrl-C; on success they were renamed
        for path in (new_index, new_sidecar):
            remove_file(path)
    return checksum


def remove_snapshots(folder: Path, sidecar: Sidecar, *, keep: str) -> None:
    """Delete the snapshots of this model and kind except the one with the checksum `keep`, and abandoned files.

    Processes that have an older snapshot open keep using it; where an open file can't be deleted (Windows), a later
    call does.
    """
    current, family = index_path(folder, sidecar, keep).stem, f"{sidecar.fingerprint[:16]}-{sidecar.kind}"
    for path in list_own_files(folder):
        if path.name.startswith(f"{family}-") and path.stem != current:
            remove_file(path)
        elif path.name.startswith(f"{family}."):
            with contextlib.suppress(OSError):
                if time.time() - path.lstat().st_mtime > _ABANDONED_AFTER_S:
                    remove_file(path)


def read_sidecar(path: Path) -> Any:
    """Read the sidecar of the index file `path`; returns any JSON value, not validated.

    Raises:
        VectorIndexError: the sidecar is missing, too large, or not JSON.
    """
    described = sidecar_path(path)
    try:
        if not is_regular(described) or described.stat().st_size > _MAX_SIDECAR_BYTES:
            raise OSError
        return json.loads(described.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise VectorIndexError(f"can't read the index {path}") from error


def load_snapshot(folder: Path, expected: Sidecar, checksum: str) -> FaissIndex:
    """Open a snapshot after verifying its checksum, or only the size of a large IVF one.

    Raises:
        VectorIndexError: it is missing, damaged, or not the expected one.
    """
    require_own_folder(folder)
    path = index_path(folder, expected, checksum)
    try:
        is_right = read_sidecar(path) == expected.described() and _is_whole(path, expected, checksum)
    except (OSError, ValueError) as error:
        raise VectorIndexError(f"can't read the index {path}") from error
    if not is_right:
        raise VectorIndexError(f"the index {path} is damaged")
    index = load_index(path, dim=expected.dim, count=expected.count, ann=expected.ann)
    if (index.count, index.dim) != (expected.count, expected.dim):
        raise VectorIndexError(f"the index {path} is damaged")
    return index


def _is_whole(path: Path, expected: Sidecar, checksum: str) -> bool:
    size = _require_regular(path).stat().st_size
    if expected.ann is not None and size > _MAX_CHECKED_BYTES:
        return size >= expected.count * (2 * expected.dim + 8)  # float16, and the id
    return file_checksum(path) == checksum


def file_checksum(path: Path) -> str:
    """Return the checksum of a file (blake3, hex)."""
    # At 4 GB/s and more, no slower than an exact search of the file; so a flipped bit is an error, not a wrong hit.
    return blake3(max_threads=blake3.AUTO).update_mmap(_require_regular(path)).hexdigest()


def _require_regular(path: Path) -> Path:
    if not is_regular(path):  # opening a pipe would block
        raise OSError(errno.EINVAL, f"{path} is not a regular file")
    return path
