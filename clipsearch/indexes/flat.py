"""The FAISS index in memory or mapped from a file. Only this file and `ivf_index` import faiss."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import IndexMismatchError, VectorIndexError
from clipsearch.files import recreate_file
from clipsearch.indexes.base import NearPairs
from clipsearch.indexes.near_pairs import compare_rows, places_of

# Flat float16: exact for rows that SQL keeps as float16 anyway, half the memory of float32 and, measured on 2 cores
# at 512 dimensions, five times as fast as IndexFlatIP (7 ms at 200,000 rows, 32 ms at a million).
FACTORY = "IDMap,SQfp16"

THREADS: int = faiss.omp_get_max_threads()

# Up to this id, sets of ids are bitmaps (at most 8 MB), beyond it hash tables. Measured on a million rows of 512
# dimensions with 10 % and 1 % of the ids: bitmap 26 and 6 ms, hash table 55 and 8 ms, all rows 40 ms.
_MAX_BITMAP_ID = 1 << 26

# k-means ends in different places; of a few groups one try often finds two as one.
_TRIES = 3

NO_SCORE = np.finfo(np.float32).min


class FaissIndex:
    """`VectorIndex` over one FAISS index; see the protocol for the methods."""

    def __init__(self, dim: int) -> None:
        # The metric is named: FAISS's default for scalar quantizers is L2.
        self._faiss: Any = faiss.index_factory(dim, FACTORY, faiss.METRIC_INNER_PRODUCT)
        self._is_mapped = False

    @classmethod
    def load(cls, path: Path) -> Self:
        """Maps a file that `save` wrote; pages are read when a search needs them. Such an index is read-only.

        Raises:
            VectorIndexError: it can't be read as an index.
        """
        return cls._read(path, faiss.IO_FLAG_MMAP_IFC)

    @classmethod
    def _read(cls, path: Path, flags: int) -> Self:
        index = cls.__new__(cls)
        index._is_mapped = bool(flags & faiss.IO_FLAG_MMAP_IFC)
        try:
            index._faiss = faiss.read_index(str(path), flags)
        except RuntimeError:
            # FAISS can't open every path on Windows; Python can.
            try:
                index._faiss = faiss.deserialize_index(np.fromfile(path, dtype=np.uint8))
            except (RuntimeError, OSError) as error:
                raise VectorIndexError(f"can't read the index {path}") from error
        return index

    def save(self, path: Path) -> None:
        """Writes through Python's own files: FAISS can't open every path on Windows."""
        with recreate_file(path) as file:
            # Piece by piece: serialize_index would hold the whole index twice more.
            faiss.write_index(self._faiss, faiss.PyCallbackIOWriter(file.write))  # type: ignore[attr-defined]

    @property
    def dim(self) -> int:
        return int(self._faiss.d)

    @property
    def count(self) -> int:
        return int(self._faiss.ntotal)

    @property
    def ids(self) -> NDArray[np.int64]:
        """All ids (n,) in row order."""
        return np.asarray(faiss.vector_to_array(self._faiss.id_map), dtype=np.int64)

    def rows(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """The embeddings (n, dim) at these positions in row order, exactly as they are stored."""
        inner = faiss.downcast_index(self._faiss.index)
        return np.asarray(inner.reconstruct_batch(np.asarray(positions, dtype=np.int64)), dtype=np.float32)

    def sample(self, max_rows: int) -> NDArray[np.float32]:
        """As in the protocol."""
        return self.rows(spaced(self.count, max_rows))

    def add(self, ids: NDArray[np.int64], embeddings: NDArray[np.float32]) -> None:
        self._refuse_when_mapped()
        if embeddings.ndim != 2 or embeddings.shape[1] != self.dim or len(ids) != len(embeddings):
            raise IndexMismatchError(
                f"the index takes rows of {self.dim} numbers, got {len(ids)} ids and embeddings {embeddings.shape}"
            )
        # FAISS takes a duplicate id in silence and then returns it twice.
        if len(np.unique(ids)) != len(ids) or self.contains(ids).any():
            raise VectorIndexError("an id is in the index already")
        self._faiss.add_with_ids(np.ascontiguousarray(embeddings, dtype=np.float32), np.asarray(ids, dtype=np.int64))

    def remove(self, ids: NDArray[np.int64]) -> int:
        self._refuse_when_mapped()
        return int(self._faiss.remove_ids(np.asarray(ids, dtype=np.int64)))

    def contains(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the ids (n,) are in the index, bool (n,)."""
        return np.isin(ids, self.ids)

    def _refuse_when_mapped(self) -> None:
        if self._is_mapped:
            raise VectorIndexError("an index mapped from a file can't be changed")

    def search(
        self,
        queries: NDArray[np.float32],
        top_k: int,
        *,
        among: NDArray[np.int64] | None = None,
        without: Sequence[int] = (),
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """As in the protocol; `without`: ids in the index that are passed over."""
        if queries.ndim != 2 or queries.shape[1] != self.dim:
            raise IndexMismatchError(f"the index takes queries of {self.dim} numbers, got {queries.shape}")
        left_out = np.asarray(without, dtype=np.int64)
        allowed_count, selector = self.count - len(left_out), None
        if among is not None:
            allowed = np.asarray(among, dtype=np.int64) if not without else np.setdiff1d(among, left_out)
            allowed_count, selector = min(allowed_count, len(allowed)), _selector(allowed)
        elif without:
            selector = faiss.IDSelectorNot(_selector(left_out))
        top_k = min(top_k, allowed_count)
        if top_k <= 0:
            return np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        scores, ids = self._search(queries, top_k, selector, allowed_count / self.count)
        scores, ids = sort_by_score(scores, ids, top_k)
        # FAISS fills up with the lowest of scores where fewer ids were allowed than asked for.
        found = int(np.count_nonzero(scores[:1] > NO_SCORE))
        return scores[:, :found], ids[:, :found]

    def _search(
        self, queries: NDArray[np.float32], top_k: int, selector: Any, share: float
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """As FAISS gives it. `selector`: of the ids that are allowed, a `share` of all; None: all are."""
        # One query is searched by one thread in any case; the others would spin for a while afterwards, on cores that
        # the model needs for the next query.
        faiss.omp_set_num_threads(1 if len(queries) == 1 else THREADS)
        parameters: Any = faiss.SearchParameters  # FAISS's Python takes more than its stubs say
        params = None if selector is None else parameters(sel=selector)
        found: tuple[NDArray[np.float32], NDArray[np.int64]] = self._faiss.search(queries, top_k, params=params)
        return found

    def pairs_above(
        self, threshold: float, ids: NDArray[np.int64], *, on_progress: Callable[[int, int], None] | None = None
    ) -> Iterator[NearPairs]:
        return compare_rows(self.rows, places_of(ids, self.ids), threshold, on_progress=on_progress)


def cluster_rows(rows: NDArray[np.float32], count: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """rows (n, dim) unit-norm → `count` unit-norm centroids (count, dim) and the nearest one of each row (n,), by
    k-means on the sphere, the best of several tries; the same ones each time. count is at most n."""
    found: list[tuple[float, NDArray[np.float32], NDArray[np.int64]]] = []
    for seed in range(1, _TRIES + 1):
        means = faiss.Kmeans(
            rows.shape[1],
            count,
            niter=20,
            seed=seed,
            spherical=True,
            min_points_per_centroid=1,
            max_points_per_centroid=1_000,
        )
        means.train(np.ascontiguousarray(rows, dtype=np.float32), init_centroids=_spread_rows(rows, count, seed))
        centroids = np.asarray(means.centroids, dtype=np.float32)
        scores = rows @ centroids.T
        found.append((float(scores.max(axis=1).sum()), centroids, scores.argmax(axis=1)))
    _, centroids, groups = max(found, key=lambda each: each[0])
    return centroids, groups


def _spread_rows(rows: NDArray[np.float32], count: int, seed: int) -> NDArray[np.float32]:
    """Rows to begin with, far from each other: by chance alone, two of a few groups would often begin as one.

    Source: Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.
    """
    random = np.random.default_rng(seed)
    chosen = [int(random.integers(len(rows)))]
    far = np.full(len(rows), np.inf)
    while len(chosen) < count:
        # Of unit rows the squared distance is 2 - 2 cosine.
        far = np.minimum(far, np.maximum(1 - rows @ rows[chosen[-1]], 0))
        far[chosen] = 0
        total = float(far.sum())
        if total > 0:
            chosen.append(int(random.choice(len(rows), p=far / total)))
        else:  # hardly anything but copies
            chosen.append(next(row for row in range(len(rows)) if row not in chosen))
    return np.ascontiguousarray(rows[chosen], dtype=np.float32)


def spaced(count: int, wanted: int) -> NDArray[np.int64]:
    """`wanted` of `count` positions (n,), evenly spaced; all when there are no more."""
    wanted = min(count, wanted)
    return np.arange(wanted, dtype=np.int64) * count // max(wanted, 1)


def _selector(ids: NDArray[np.int64]) -> Any:
    """The set of these ids as FAISS takes it."""
    if len(ids) == 0 or ids.min() < 0 or ids.max() > _MAX_BITMAP_ID:
        return faiss.IDSelectorBatch(ids)
    is_wanted = np.zeros(int(ids.max()) + 1, dtype=np.bool_)
    is_wanted[ids] = True
    bitmap: Any = faiss.IDSelectorBitmap  # its type is declared as that of the C++ class
    return bitmap(np.packbits(is_wanted, bitorder="little"))


def sort_by_score(
    scores: NDArray[np.float32], ids: NDArray[np.int64], top_k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(q, n) scores and ids → the best `top_k` of each row, best first, equal scores by id."""
    order = np.lexsort((ids, -scores), axis=-1)[:, :top_k]
    return np.take_along_axis(scores, order, axis=-1), np.take_along_axis(ids, order, axis=-1)
