"""`VectorIndex` of the rows of one model and kind on a Milvus server."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import IndexMismatchError, VectorIndexError
from clipsearch.indexes.base import NearPairs
from clipsearch.indexes.id_set import IdSet
from clipsearch.indexes.milvus.collection import MAX_LIMIT, MilvusCollection
from clipsearch.indexes.near_pairs import compare_rows, places_of

# Extra hits requested, because the server breaks ties arbitrarily and the lowest ids must come first.
_SPARE = 16

# Unfiltered hits that are post-filtered for large `among` sets: forty pass a filter with a selectivity of 1 %.
_POST_FILTERED = 4_096

Found = tuple[NDArray[np.float32], NDArray[np.int64]]


class MilvusIndex:
    """`VectorIndex` of one partition of a collection; see the protocol for the methods.

    Exact when the collection's index is FLAT. With an approximate one (HNSW, IVF_FLAT, DISKANN), an unfiltered search
    has the recall of that index.
    """

    def __init__(
        self,
        collection: MilvusCollection,
        partition: str,
        *,
        count: int | None = None,
        list_ids: Callable[[], NDArray[np.int64]] | None = None,
    ) -> None:
        """Wrap an existing partition.

        Args:
            collection: an open collection.
            partition: its name.
            count: rows in it; None: requested from the server.
            list_ids: returns all ids in insertion order, when the caller knows them. The server returns them unordered;
                without this function they are sorted.
        """
        self._collection = collection
        self._partition = partition
        self._count = count
        self._list_ids = list_ids or (lambda: collection.ids(partition))

    @property
    def dim(self) -> int:
        """Number of dimensions of a row."""
        return self._collection.dim

    @property
    def count(self) -> int:
        """Number of rows that a search can return."""
        if self._count is None:
            self._count = self._collection.count(self._partition)
        return self._count

    def add(self, ids: NDArray[np.int64], embeddings: NDArray[np.float32]) -> None:
        self._check(ids, embeddings)
        if len(np.unique(ids)) != len(ids) or len(self._collection.known(self._partition, ids)):
            raise VectorIndexError("duplicate id: an id is in the index already")
        self._collection.upsert(self._partition, ids, embeddings)
        self._count = None

    def upsert(self, ids: NDArray[np.int64], embeddings: NDArray[np.float32]) -> None:
        """Add rows, replacing those with the same ids (idempotent); errors as in `add`."""
        self._check(ids, embeddings)
        self._collection.upsert(self._partition, ids, embeddings)
        self._count = None

    def remove(self, ids: NDArray[np.int64]) -> int:
        known = self._collection.known(self._partition, np.unique(ids))
        self._collection.delete(self._partition, known)
        self._count = None
        return len(known)

    def search(
        self, queries: NDArray[np.float32], top_k: int, *, among: NDArray[np.int64] | IdSet | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Search as in the protocol.

        Up to 16,384 ids in `among` are sent to the server as a filter. For more, the 4,096 nearest of all rows are
        post-filtered first; when fewer than `top_k` pass, the filter is sent in batches and the results are merged.
        An approximate index can't be filtered exactly: there the rows of up to 16,384 ids are fetched and compared by
        the client, four bytes a dimension each; for more ids only when post-filtering, which has the recall of the
        index, did not find enough.

        The server returns 16,384 hits at most: for a larger `top_k`, all ids are searched in such batches.
        """
        if queries.ndim != 2 or queries.shape[1] != self.dim:
            raise IndexMismatchError(f"the index takes queries of {self.dim} numbers, got {queries.shape}")
        if top_k <= 0 or len(queries) == 0 or (among is not None and not len(among)):
            return _no_hits(len(queries))
        if among is None:
            if top_k <= MAX_LIMIT:
                return self._nearest(queries, top_k)
            among = self._list_ids()
        wanted = among.ids if isinstance(among, IdSet) else np.unique(among)
        if len(wanted) > MAX_LIMIT and top_k <= _POST_FILTERED // 2:
            found = self._post_filter(queries, top_k, wanted)
            if found is not None:
                return found
        return self._search_among(queries, top_k, wanted)

    def sample(self, max_rows: int) -> NDArray[np.float32]:
        ids = self._list_ids()
        wanted = min(len(ids), max_rows)
        chosen = ids[np.arange(wanted, dtype=np.int64) * len(ids) // max(wanted, 1)]
        found, rows = self._fetch(chosen)
        return rows[places_of(chosen[np.isin(chosen, found)], found)]

    def pairs_above(
        self, threshold: float, ids: NDArray[np.int64], *, on_progress: Callable[[int, int], None] | None = None
    ) -> Iterator[NearPairs]:
        """Yield pairs as in the protocol; all rows are held in memory as float16, the precision of SQL."""
        found, rows = self._fetch(ids, dtype=np.float16)
        return compare_rows(
            lambda places: rows[places].astype(np.float32),
            places_of(ids, found),
            threshold,
            on_progress=on_progress,
        )

    def _check(self, ids: NDArray[np.int64], embeddings: NDArray[np.float32]) -> None:
        if embeddings.ndim != 2 or embeddings.shape[1] != self.dim or len(ids) != len(embeddings):
            raise IndexMismatchError(
                f"the index takes rows of {self.dim} numbers, got {len(ids)} ids and embeddings {embeddings.shape}"
            )

    def _fetch(self, ids: NDArray[np.int64], dtype: type = np.float32) -> tuple[NDArray[np.int64], NDArray[Any]]:
        found: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        rows: list[NDArray[Any]] = [np.empty((0, self.dim), dtype)]
        for part_ids, part_rows in self._collection.rows(self._partition, ids):
            found.append(part_ids)
            rows.append(part_rows.astype(dtype, copy=False))
        return np.concatenate(found), np.concatenate(rows)

    def _nearest(
        self, queries: NDArray[np.float32], top_k: int, *, among: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Search on the server; `top_k` and the number of ids are at most MAX_LIMIT."""
        limit = min(top_k + _SPARE, MAX_LIMIT)
        while True:
            scores, ids = self._collection.nearest(self._partition, queries, limit, among=among)
            is_all = scores.shape[1] < limit or limit == MAX_LIMIT
            # Rows that tie with the last hit may be missing: request more.
            if is_all or (scores.min(axis=1) < np.sort(scores, axis=1)[:, -top_k]).all():
                return _best([(scores, ids)], top_k)
            limit = min(4 * limit, MAX_LIMIT)

    def _post_filter(self, queries: NDArray[np.float32], top_k: int, wanted: NDArray[np.int64]) -> Found | None:
        """Filter the nearest of all rows by the wanted ids; None when too few pass for any query."""
        scores, ids = self._collection.nearest(self._partition, queries, _POST_FILTERED)
        found: list[Found] = []
        for row_scores, row_ids in zip(scores, ids, strict=True):
            is_wanted = np.isin(row_ids, wanted)
            # The last row may tie with rows that were not returned.
            is_wanted &= row_scores > row_scores.min()
            if np.count_nonzero(is_wanted) < top_k:
                return None
            found.append(_best([(row_scores[np.newaxis, is_wanted], row_ids[np.newaxis, is_wanted])], top_k))
        return np.concatenate([each for each, _ in found]), np.concatenate([each for _, each in found])

    def _search_among(self, queries: NDArray[np.float32], top_k: int, wanted: NDArray[np.int64]) -> Found:
        best = _no_hits(len(queries))
        if self._collection.index_type != "FLAT":
            for ids, rows in self._collection.rows(self._partition, wanted):
                scores = np.asarray(queries @ rows.T, dtype=np.float32)
                best = _best([best, (scores, np.broadcast_to(ids, scores.shape))], top_k)
            return best
        for start in range(0, len(wanted), MAX_LIMIT):
            part = wanted[start : start + MAX_LIMIT]
            best = _best([best, self._nearest(queries, min(top_k, len(part)), among=part)], top_k)
        return best


def _no_hits(queries: int) -> Found:
    return np.empty((queries, 0), np.float32), np.empty((queries, 0), np.int64)


def _best(found: list[Found], top_k: int) -> Found:
    """Merge several results to the best `top_k`, best first, ties by id."""
    scores = np.concatenate([each for each, _ in found], axis=1)
    ids = np.concatenate([each for _, each in found], axis=1)
    order = np.lexsort((ids, -scores), axis=-1)[:, :top_k]
    return np.take_along_axis(scores, order, axis=-1), np.take_along_axis(ids, order, axis=-1)
