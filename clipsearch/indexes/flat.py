"""Flat FAISS index, in memory or memory-mapped from a file, and k-means clustering."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import IndexMismatchError, VectorIndexError
from clipsearch.files import recreate_file
from clipsearch.indexes.base import NearPairs
from clipsearch.indexes.id_set import IdSet
from clipsearch.indexes.near_pairs import compare_rows, places_of

# Flat float16: exact, as SQL stores rows as float16, half the memory of float32 and five times as fast as IndexFlatIP
# (measured on 2 cores at 512 dimensions: 7 ms at 200,000 rows, 32 ms at a million).
FACTORY = "IDMap,SQfp16"

THREADS: int = faiss.omp_get_max_threads()

# Up to this id, sets of ids are bitmaps (at most 8 MB), beyond it hash tables. Measured on a million rows of 512
# dimensions with 10 % and 1 % of the ids: bitmap 26 and 6 ms, hash table 55 and 8 ms, all rows 40 ms.
_MAX_BITMAP_ID = 1 << 26

# Restarts of k-means with other seeds: with few groups, one run often merges two of them (local optimum).
_TRIES = 3

NO_SCORE = np.finfo(np.float32).min


class FaissIndex:
    """`VectorIndex` of one FAISS index; see the protocol for the methods."""

    def __init__(self, dim: int) -> None:
        # The metric is explicit: FAISS's default for scalar quantizers is L2.
        self._faiss: Any = faiss.index_factory(dim, FACTORY, faiss.METRIC_INNER_PRODUCT)
        self._is_mapped = False

    @classmethod
    def load(cls, path: Path) -> Self:
        """Memory-map a file that `save` wrote; pages are read on demand, and the index is read-only.

        Raises:
            VectorIndexError: the file can't be read as an index.
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
        """Write the index to a file, through Python's I/O: FAISS can't open every path on Windows."""
        with recreate_file(path) as file:
            # In chunks: serialize_index would hold two more copies of the index in memory.
            faiss.write_index(self._faiss, faiss.PyCallbackIOWriter(file.write))  # type: ignore[attr-defined]

    @property
    def dim(self) -> int:
        """Number of dimensions of a row."""
        return int(self._faiss.d)

    @property
    def count(self) -> int:
        """Number of rows."""
        return int(self._faiss.ntotal)

    @property
    def ids(self) -> NDArray[np.int64]:
        """All ids (n,) in row order."""
        return np.asarray(faiss.vector_to_array(self._faiss.id_map), dtype=np.int64)

    def rows(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the embeddings (n, dim) at these positions in row order, exactly as stored."""
        inner = faiss.downcast_index(self._faiss.index)
        return np.asarray(inner.reconstruct_batch(np.asarray(positions, dtype=np.int64)), dtype=np.float32)

    def sample(self, max_rows: int) -> NDArray[np.float32]:
        """Return an evenly spaced sample of the rows; see the protocol."""
        return self.rows(spaced(self.count, max_rows))

    def add(self, ids: NDArray[np.int64], embeddings: NDArray[np.float32]) -> None:
        self._refuse_when_mapped()
        if embeddings.ndim != 2 or embeddings.shape[1] != self.dim or len(ids) != len(embeddings):
            raise IndexMismatchError(
                f"the index takes rows of {self.dim} numbers, got {len(ids)} ids and embeddings {embeddings.shape}"
            )
        # FAISS accepts a duplicate id silently and then returns it twice.
        if len(np.unique(ids)) != len(ids) or self.contains(ids).any():
            raise VectorIndexError("duplicate id: an id is in the index already")
        self._faiss.add_with_ids(np.ascontiguousarray(embeddings, dtype=np.float32), np.asarray(ids, dtype=np.int64))

    def remove(self, ids: NDArray[np.int64]) -> int:
        self._refuse_when_mapped()
        return int(self._faiss.remove_ids(np.asarray(ids, dtype=np.int64)))

    def contains(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of the ids (n,) are in the index, as bool (n,)."""
        return np.isin(ids, self.ids)

    def _refuse_when_mapped(self) -> None:
        if self._is_mapped:
            raise VectorIndexError("an index mapped from a file can't be changed")

    def search(
        self,
        queries: NDArray[np.float32],
        top_k: int,
        *,
        among: NDArray[np.int64] | IdSet | None = None,
        without: Sequence[int] = (),
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Search as in the protocol; `without`: ids in the index that are excluded."""
        if queries.ndim != 2 or queries.shape[1] != self.dim:
            raise IndexMismatchError(f"the index takes queries of {self.dim} numbers, got {queries.shape}")
        left_out = np.asarray(without, dtype=np.int64)
        allowed_count, selector = self.count - len(left_out), None
        if among is not None:
            if isinstance(among, IdSet):
                among = among.without(without) if without else among
            else:
                among = np.setdiff1d(among, left_out) if without else np.asarray(among, dtype=np.int64)
            allowed_count = min(allowed_count, len(among))
        top_k = min(top_k, allowed_count)
        if top_k <= 0:
            return np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        found_few = None if among is None else self._search_few(queries, top_k, among)
        if found_few is not None:
            scores, ids = found_few
        else:
            if among is not None:
                selector = _selector(among)
            elif without:
                selector = faiss.IDSelectorNot(_selector(left_out))
            scores, ids = self._search(queries, top_k, selector, allowed_count / self.count)
        scores, ids = sort_by_score(scores, ids, top_k)
        # FAISS pads with the lowest score when fewer ids were allowed than requested.
        found = int(np.count_nonzero(scores[:1] > NO_SCORE))
        return scores[:, :found], ids[:, :found]

    def _search(
        self, queries: NDArray[np.float32], top_k: int, selector: Any, share: float
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Search without sorting ties or removing padding.

        Args:
            queries: (q, dim) float32, contiguous.
            top_k: hits of each query.
            selector: FAISS set of the allowed ids; None: all.
            share: share of all ids that is allowed.
        """
        # FAISS uses one thread for one query anyway; idle OpenMP threads would spin on cores that the model needs.
        faiss.omp_set_num_threads(1 if len(queries) == 1 else THREADS)
        parameters: Any = faiss.SearchParameters  # FAISS's Python takes more than its stubs say
        params = None if selector is None else parameters(sel=selector)
        found: tuple[NDArray[np.float32], NDArray[np.int64]] = self._faiss.search(queries, top_k, params=params)
        return found

    def _search_few(
        self, queries: NDArray[np.float32], top_k: int, among: NDArray[np.int64] | IdSet
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]] | None:
        """Compare the queries with each of a few ids, as `_search` does; None where that is not faster."""
        return None

    def pairs_above(
        self, threshold: float, ids: NDArray[np.int64], *, on_progress: Callable[[int, int], None] | None = None
    ) -> Iterator[NearPairs]:
        return compare_rows(self.rows, places_of(ids, self.ids), threshold, on_progress=on_progress)


def cluster_rows(rows: NDArray[np.float32], count: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Cluster rows (n, dim) unit-norm by spherical k-means, the best of several restarts; deterministic.

    Returns:
        Unit-norm centroids (count, dim), and the nearest centroid of each row (n,). `count` is at most n.
    """
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
    """Choose initial centroids far from each other (k-means++), as random ones would often merge two of few groups.

    Source: Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.
    """
    random = np.random.default_rng(seed)
    chosen = [int(random.integers(len(rows)))]
    far = np.full(len(rows), np.inf)
    while len(chosen) < count:
        # The squared distance of unit-norm rows is 2 - 2 cosine.
        far = np.minimum(far, np.maximum(1 - rows @ rows[chosen[-1]], 0))
        far[chosen] = 0
        total = float(far.sum())
        if total > 0:
            chosen.append(int(random.choice(len(rows), p=far / total)))
        else:  # fewer distinct rows than centroids
            chosen.append(next(row for row in range(len(rows)) if row not in chosen))
    return np.ascontiguousarray(rows[chosen], dtype=np.float32)


def spaced(count: int, wanted: int) -> NDArray[np.int64]:
    """Return `wanted` evenly spaced positions (n,) of `count`; all when there are no more."""
    wanted = min(count, wanted)
    return np.arange(wanted, dtype=np.int64) * count // max(wanted, 1)


def _selector(ids: NDArray[np.int64] | IdSet) -> Any:
    """Return the FAISS selector of a set of ids."""
    bitmap: Any = faiss.IDSelectorBitmap  # its type is declared as that of the C++ class
    if isinstance(ids, IdSet):
        return bitmap(ids.bits)
    if len(ids) == 0 or ids.min() < 0 or ids.max() > _MAX_BITMAP_ID:
        return faiss.IDSelectorBatch(ids)
    return bitmap(IdSet.of(ids).bits)


def sort_by_score(
    scores: NDArray[np.float32], ids: NDArray[np.int64], top_k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the best `top_k` of each row of scores and ids (q, n), best first, ties by id."""
    order = np.lexsort((ids, -scores), axis=-1)[:, :top_k]
    return np.take_along_axis(scores, order, axis=-1), np.take_along_axis(ids, order, axis=-1)
