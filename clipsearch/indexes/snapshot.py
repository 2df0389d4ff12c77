"""A snapshot file mapped into memory, plus the rows that came after it.

Ten new pictures among a million don't rewrite the file: it stays as it is, and what came later is kept beside it in
memory. A JSON sidecar says what the file holds. Both are derived: whatever is wrong with them, SQL makes them anew.
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
from clipsearch.indexes.ivf import load_index
from clipsearch.indexes.names import list_own_files, require_own_folder
from clipsearch.indexes.near_pairs import compare_rows, places_of

# A file that is being written is seconds old, and then read once. By age and not by process number, which another
# process may have by now, and which says nothing of other machines that share the folder.
_ABANDONED_AFTER_S = 3600

# Index files with cells are read in part: of larger ones only the size is looked at when they are opened, which would
# else read far more than the search does (10 GB, 5 s, of 10,000,000 pictures). doctor looks at every byte.
_MAX_CHECKED_BYTES = 1 << 30

# Ten lines; with how an index is searched some hundred bytes more.
_MAX_SIDECAR_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What a snapshot holds.

    Attributes:
        catalog: uuid of the catalog it was made from.
        fingerprint: of the model.
        kind: "images" or "captions".
        dim: numbers a row.
        metric: "inner_product".
        count: rows.
        generation: of the catalog's embeddings when it was made.
        last_embedding_id: rows of SQL up to this one are in it.
        ann: of an index that does not compare with all rows, how it is searched (`Tuning`, as JSON); else None.
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
        """As it is written."""
        values = asdict(self)
        if self.ann is None:  # as in files that are older than this value
            del values["ann"]
        return values


class SnapshotIndex:
    """`VectorIndex` of a read-only base and a growing tail; see the protocol for the methods.

    Several threads may search while another one adds.
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
        """Lets go of the mapped file, also where somebody still has the index; whatever is asked of it then raises
        VectorIndexError."""
        self._files = None

    @property
    def _base(self) -> FaissIndex:
        return self._require_open()[0]

    @property
    def _tail(self) -> FaissIndex:
        return self._require_open()[1]

    def _require_open(self) -> tuple[FaissIndex, FaissIndex]:
        if self._files is None:
            raise VectorIndexError("the index is closed")
        return self._files

    @property
    def count(self) -> int:
        return self._base.count - len(self._removed) + self._tail.count

    @property
    def tail_count(self) -> int:
        """Rows that are not in the snapshot file."""
        return self._tail.count

    def add(self, ids: NDArray[np.int64], embeddings: NDArray[np.float32]) -> None:
        # Ids grow: what comes later is hardly ever in the base, whose ids take a while to go through.
        if self._newest_id is None:
            self._newest_id = int(self._base.ids.max(initial=-1))
        old = ids[ids <= self._newest_id]
        if len(old) and set(old[self._base.contains(old)].tolist()) - self._removed:
            raise VectorIndexError("an id is in the index already")
        with self._tail_lock:
            self._tail.add(ids, embeddings)

    def remove(self, ids: NDArray[np.int64]) -> int:
        from_base = set(ids[self._base.contains(ids)].tolist()) - self._removed
        self._removed |= from_base
        return len(from_base) + self._tail.remove(ids)

    def sample(self, max_rows: int) -> NDArray[np.float32]:
        # Of base and tail as one; of some thousand rows a few that are gone make no difference to what they are for.
        return self._rows(spaced(self._base.count + self._tail.count, max_rows))

    def pairs_above(
        self, threshold: float, ids: NDArray[np.int64], *, on_progress: Callable[[int, int], None] | None = None
    ) -> Iterator[NearPairs]:
        rows = np.concatenate((self._base.ids, self._tail.ids))
        is_gone = np.isin(rows, list(self._removed))
        is_gone[self._base.count :] = False  # back again
        there = np.flatnonzero(~is_gone)
        found = places_of(ids, rows[there])
        places = np.where(found >= 0, there[found], -1) if len(there) else found
        return compare_rows(self._rows, places, threshold, on_progress=on_progress)

    def _rows(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """The embeddings (n, dim) at these positions of the base and the tail as one, in their order."""
        is_base = positions < self._base.count
        rows = np.empty((len(positions), self.dim), dtype=np.float32)
        rows[is_base] = self._base.rows(positions[is_base])
        with self._tail_lock:
            rows[~is_base] = self._tail.rows(positions[~is_base] - self._base.count)
        return rows

    def search(
        self, queries: NDArray[np.float32], top_k: int, *, among: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        base_scores, base_ids = self._base.search(queries, top_k, among=among, without=sorted(self._removed))
        with self._tail_lock:
            tail_scores, tail_ids = self._tail.search(queries, top_k, among=among)
        scores = np.concatenate((base_scores, tail_scores), axis=1)
        ids = np.concatenate((base_ids, tail_ids), axis=1)
        return sort_by_score(scores, ids, min(top_k, self.count))


def index_path(folder: Path, sidecar: Sidecar, checksum: str) -> Path:
    """Where a snapshot lies. Its content is part of its name: a new one never takes the place of one in use."""
    return folder / f"{sidecar.fingerprint[:16]}-{sidecar.kind}-{checksum[:16]}.faiss"


def sidecar_path(path: Path) -> Path:
    return path.with_suffix(".json")


def save_snapshot(index: FaissIndex, folder: Path, sidecar: Sidecar) -> str:
    """Writes the index file and its sidecar and returns the file's checksum (blake3, hex).

    Raises:
        VectorIndexError: they can't be written, or the folder is a link; nothing is left behind.
    """
    # Not `atomic_write`: FAISS writes one of the two, and both get their names once both are complete. What a killed
    # process leaves is found by its name.
    stem = f"{sidecar.fingerprint[:16]}-{sidecar.kind}.{os.getpid()}"
    fresh, described = folder / f"{stem}.new", folder / f"{stem}.json.new"
    try:
        require_own_folder(folder)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        index.save(fresh)
        checksum = file_checksum(fresh)
        path = index_path(folder, sidecar, checksum)
        with recreate_file(described) as file:
            file.write((json.dumps(sidecar.described(), indent=1) + "\n").encode("utf-8"))
        described.replace(sidecar_path(path))
        fresh.replace(path)
    except OSError as error:
        raise VectorIndexError(f"can't write the index in {folder}: {error.strerror}") from error
    finally:  # after Ctrl-C as well; when all went well they have their names by now
        for path in (fresh, described):
            remove_file(path)
    return checksum


def remove_snapshots(folder: Path, sidecar: Sidecar, *, keep: str) -> None:
    """Deletes the files of this model and kind but the one with the checksum `keep`. Processes that have an older one
    open go on with it; where such a file can't be deleted (Windows), the next time will. What a process that was killed
    had written goes too."""
    kept, family = index_path(folder, sidecar, keep).stem, f"{sidecar.fingerprint[:16]}-{sidecar.kind}"
    for path in list_own_files(folder):
        if path.name.startswith(f"{family}-") and path.stem != kept:
            remove_file(path)
        elif path.name.startswith(f"{family}."):
            with contextlib.suppress(OSError):
                if time.time() - path.lstat().st_mtime > _ABANDONED_AFTER_S:
                    remove_file(path)


def read_sidecar(path: Path) -> Any:
    """What the sidecar of the index file `path` says: any JSON.

    Raises:
        VectorIndexError: there is none, or it is no JSON.
    """
    described = sidecar_path(path)
    try:
        if not is_regular(described) or described.stat().st_size > _MAX_SIDECAR_BYTES:
            raise OSError
        return json.loads(described.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise VectorIndexError(f"can't read the index {path}") from error


def load_snapshot(folder: Path, expected: Sidecar, checksum: str) -> FaissIndex:
    """Opens a snapshot after checking every byte of it, or, of a large one with cells, its size.

    Raises:
        VectorIndexError: missing, damaged, or not what is expected.
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
    """blake3, hex."""
    # Read at 4 GB/s and more, which a search of the whole file would do anyway; a flipped bit is then found here
    # and not in somebody's results.
    return blake3(max_threads=blake3.AUTO).update_mmap(_require_regular(path)).hexdigest()


def _require_regular(path: Path) -> Path:
    if not is_regular(path):  # a pipe would be waited for
        raise OSError(errno.EINVAL, f"{path} is no file")
    return path
