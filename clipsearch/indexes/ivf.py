"""Inverted file index (IVF): approximate search that compares a query with the rows of the nearest cells only.

It is built once from immutable rows, and memory-mapped from a file. Rows are stored as in SQL (float16), so scores are
exact cosines; a search misses only rows of cells that it does not probe. `nprobe` is tuned on texts and on pictures,
and stored in the index's sidecar. `indexes.ivf_codes` holds a quarter of that in memory.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import VectorIndexError
from clipsearch.indexes.flat import NO_SCORE, THREADS, FaissIndex
from clipsearch.indexes.ivf_tuning import TARGET_RECALL, Tuning

# k of recall@k.
RECALL_AT = 10

# Rows that one thread compares in about 20 ms; beyond, a single query uses several threads.
_MANY_ROWS = 200_000

# Training rows of k-means for each cell; more change little. Source: FAISS's wiki, "Guidelines to choose an index"
# (30 to 256).
ROWS_TO_LEARN = 40
_KMEANS_ROUNDS = 10


@dataclass(frozen=True, slots=True)
class Queries:
    """Queries that an index is tuned on.

    Attributes:
        rows: (n, dim) unit-norm.
        ids: (n,) int64, the id that a query has in the index; -1 for one that is not in it.
        nearest: ids of the ten nearest rows of each, without the query itself.
    """

    rows: NDArray[np.float32]
    ids: NDArray[np.int64]
    nearest: list[set[int]]


class IvfIndex(FaissIndex):
    """Immutable `VectorIndex` with inverted lists; see the protocol for the methods."""

    nprobe: int = 1

    def __init__(self, dim: int, nlist: int) -> None:
        self._faiss = faiss.index_factory(dim, f"IVF{nlist},SQfp16", faiss.METRIC_INNER_PRODUCT)
        self._faiss.by_residual = False  # store the rows themselves, not their difference from the centroid
        self._is_mapped = False

    @classmethod
    def load_whole(cls, path: Path) -> Self:
        """Load an index file into memory, not memory-mapped, so that rows can be added."""
        return cls._read(path, 0)

    @classmethod
    def _read(cls, path: Path, flags: int) -> Self:
        index = super()._read(path, flags)
        if not isinstance(index._faiss, faiss.IndexIVF):
            raise VectorIndexError(f"the index {path} has no cells")
        return index

    def learn(self, rows: NDArray[np.float32]) -> None:
        """Train the cells (k-means) on a sample (n, dim) of the rows to add."""
        means = self._faiss.cp
        means.niter, means.spherical, means.seed = _KMEANS_ROUNDS, True, 1
        means.min_points_per_centroid, means.max_points_per_centroid = 1, 4 * ROWS_TO_LEARN
        faiss.omp_set_num_threads(THREADS)
        self._faiss.train(np.ascontiguousarray(rows, dtype=np.float32))

    @property
    def nlist(self) -> int:
        """Number of cells."""
        return int(self._faiss.nlist)

    @property
    def ids(self) -> NDArray[np.int64]:
        """All ids (n,), cell by cell."""
        return np.concatenate([self._ids_in(cell) for cell in range(self.nlist)])

    def rows(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the embeddings (n, dim) at these positions, cell by cell, exactly as stored."""
        positions = np.asarray(positions, dtype=np.int64)
        found = np.empty((len(positions), self.dim), dtype=np.float32)
        ends = np.cumsum([self._faiss.invlists.list_size(cell) for cell in range(self.nlist)])
        cells = np.searchsorted(ends, positions, side="right")
        for cell in np.unique(cells):
            is_in_cell = cells == cell
            codes = self._codes_in(int(cell))
            found[is_in_cell] = codes[positions[is_in_cell] - (ends[cell] - len(codes))]
        return found

    def _ids_in(self, cell: int) -> NDArray[np.int64]:
        lists = self._faiss.invlists
        size = lists.list_size(cell)
        return np.array(faiss.rev_swig_ptr(lists.get_ids(cell), size)) if size else np.empty(0, np.int64)

    def _codes_in(self, cell: int) -> NDArray[np.float16]:
        """Return a view of the rows of a cell (n, dim), valid as long as the index exists."""
        lists = self._faiss.invlists
        size = lists.list_size(cell)
        if not size:
            return np.empty((0, self.dim), dtype=np.float16)
        codes: NDArray[np.uint8] = faiss.rev_swig_ptr(lists.get_codes(cell), size * lists.code_size)
        return codes.view(np.float16).reshape(size, self.dim)

    def add(self, ids: NDArray[np.int64], embeddings: NDArray[np.float32]) -> None:
        """Add rows whose ids are known to be new; unlike the protocol's method, it does not check for duplicates."""
        self._refuse_when_mapped()
        faiss.omp_set_num_threads(THREADS)
        self._faiss.add_with_ids(np.ascontiguousarray(embeddings, dtype=np.float32), np.asarray(ids, dtype=np.int64))

    def _search(
        self, queries: NDArray[np.float32], top_k: int, selector: Any, share: float
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        nprobe = self._reach(top_k, share)
        scores, ids = self._search_cells(queries, top_k, selector, nprobe)
        if nprobe < self.nlist and (scores <= NO_SCORE).any():  # the cells had too few allowed rows
            scores, ids = self._search_cells(queries, top_k, selector, self.nlist)
        return scores, ids

    def _reach(self, top_k: int, share: float) -> int:
        """Return the number of cells to probe: more for a larger `top_k`, and for a filter that allows fewer rows.

        Small selections are exact.
        """
        reach: float = self.nprobe * max(1.0, top_k / RECALL_AT) ** 0.5 / share
        return min(self.nlist, math.ceil(reach))

    def _search_cells(
        self, queries: NDArray[np.float32], top_k: int, selector: Any, nprobe: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        # Several queries: one thread each. A single one: parallel over cells, but only when there is much to compare,
        # as on busy cores threads that wait for each other are slow (p95 of 1 ms: 32 ms).
        self._faiss.parallel_mode = 1 if len(queries) == 1 else 0
        is_short = len(queries) == 1 and nprobe * self.count < _MANY_ROWS * self.nlist
        faiss.omp_set_num_threads(1 if is_short else THREADS)
        parameters: Any = faiss.SearchParametersIVF  # FAISS's Python takes more than its stubs say
        params = parameters(nprobe=nprobe, sel=selector)
        found: tuple[NDArray[np.float32], NDArray[np.int64]] = self._faiss.search(queries, top_k, params=params)
        return found

    # ------------------------------------------------------------------ tuning

    def tune(
        self,
        texts: NDArray[np.float32],
        pictures: NDArray[np.float32],
        picture_ids: NDArray[np.int64],
        *,
        trained_rows: int,
        target: float = TARGET_RECALL,
    ) -> Tuning:
        """Tune `nprobe` to a target recall and return the tuning with its held-out recalls.

        `nprobe` is the smallest at which one half of the queries of each kind reach the target plus two standard
        errors, then increased until the other half does too. The recalls of that second half are reported.

        Args:
            texts: (n, dim) unit-norm; texts lie apart from pictures (modality gap) and need more cells.
            pictures: (m, dim), a sample of the rows in the index.
            picture_ids: (m,) ids of the sample.
            trained_rows: rows of the index when its cells were trained.
            target: index_recall@10 to reach.
        """
        kinds = self._queries(texts, pictures, picture_ids)
        text_recall, picture_recall = self._tune_nprobe(kinds, target)
        return Tuning(self.nlist, self.nprobe, trained_rows, text_recall, picture_recall)

    def _queries(
        self, texts: NDArray[np.float32], pictures: NDArray[np.float32], picture_ids: NDArray[np.int64]
    ) -> list[Queries]:
        """Find the nearest rows of texts and pictures by an exact search."""
        kinds = [(texts, np.full(len(texts), -1)), (pictures, picture_ids)]
        return [
            Queries(rows, ids, [set(row[:RECALL_AT]) for row in _without(ids, self._nearest(rows))])
            for rows, ids in ((np.ascontiguousarray(rows, dtype=np.float32), ids) for rows, ids in kinds)
        ]

    def _tune_nprobe(self, kinds: Sequence[Queries], target: float) -> list[float]:
        """Set `nprobe` as `tune` describes and return the recall of each kind on the second half."""
        self.nprobe = 1
        for half in (0, 1):
            while True:
                recalls = [self._recall(queries, half) for queries in kinds]
                # A margin of two standard errors: another sample of some hundred queries may have a lower recall, and
                # the smallest number that succeeds is one that was lucky.
                if min(recall - 2 * error for recall, error in recalls) >= target or self.nprobe >= self.nlist:
                    break
                self.nprobe = min(self.nlist, math.ceil(self.nprobe * 1.25))
        return [recall for recall, _ in recalls]

    def _recall(self, queries: Queries, half: int) -> tuple[float, float]:
        rows = queries.rows[half::2]
        return recall_of(queries, half, self._candidates(rows) if len(rows) else np.empty((0, 0), np.int64))

    def _nearest(self, queries: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the ids of the eleven nearest rows (q, 11), the best first: one of them may be the query itself."""
        return self._search_cells(queries, min(RECALL_AT + 1, self.count), None, self.nlist)[1]

    def _candidates(self, queries: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the ids (q, n) among which a search for ten finds its hits, -1 where there are fewer."""
        return self._search_cells(queries, min(RECALL_AT + 1, self.count), None, self.nprobe)[1]


def _without(own: NDArray[np.int64], found: NDArray[np.int64]) -> list[list[int]]:
    """Return the rows of ids without padding and without the query's own id."""
    return [[each for each in row.tolist() if each not in (itself, -1)] for row, itself in zip(found, own, strict=True)]


def recall_of(queries: Queries, half: int, found: NDArray[np.int64]) -> tuple[float, float]:
    """Return the mean recall of every other query and its standard error; 1.0 and 0.0 without queries.

    Args:
        half: 0: of the first query, the third and so on; 1: of the others.
        found: ids (q, n) that were found for each of these, padded with -1.
    """
    recalls = [
        len(nearest.intersection(ids)) / len(nearest)
        for ids, nearest in zip(_without(queries.ids[half::2], found), queries.nearest[half::2], strict=True)
        if nearest
    ]
    if not recalls:
        return 1.0, 0.0
    return float(np.mean(recalls)), float(np.std(recalls) / math.sqrt(len(recalls)))
