"""Inverted file index (IVF) of 4-bit codes, for a first look; exact scores of the best come from the rows in a file.

In memory a row is a quarter of its float16 embedding. A search compares the codes of the nearest cells, reads the rows
of the best ones from the file, and returns their cosines. It misses rows of cells that it does not probe, and rows
whose code ranks too low to be scored again: both numbers, `nprobe` and `rescored`, are tuned together.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import VectorIndexError
from clipsearch.files import open_regular_file
from clipsearch.indexes.flat import NO_SCORE, THREADS, sort_by_score
from clipsearch.indexes.id_set import IdSet
from clipsearch.indexes.ivf import RECALL_AT, IvfIndex, recall_of
from clipsearch.indexes.ivf_tuning import TARGET_RECALL, Tuning
from clipsearch.indexes.row_file import RowFile, RowWriter, rows_end

# Rows that are scored again for ten hits: those that tuning tries, from the fewest to the most.
_FEWEST, _MOST = 20, 1_000

# Recall that codes may cost: to score more rows is cheaper than to search more cells.
_LOST = 0.001

# Least number of rows scored again of a selection of which all cells are searched: a selection of no more is exact.
# More would take longer than to compare its codes.
_SELECTED = 1_000

# Up to this number, rows are read and compared, without their codes: all lists of codes take longer to look through
# (measured on a million rows: 16 ms).
_FEW = 2_000

# Exponent by which the number grows with that of the hits, a tenth of `top_k`.
_GROWTH = 0.75

# Rows that are compared with the queries at a time when an index is tuned.
_BLOCK = 16_384


class CodedIvfIndex(IvfIndex):
    """Immutable `VectorIndex` with inverted lists of codes; see the protocol for the methods.

    It is built with `learn`, `add`, `tune` and `save`, in this order.
    """

    rescored: int = _MOST

    def __init__(self, dim: int, nlist: int, *, rows: RowWriter) -> None:
        """Create an empty index.

        Args:
            dim: dimensions of a row.
            nlist: number of cells.
            rows: new file that the rows are written to; `save` moves it to its place. The caller discards it on errors.
        """
        # SQ4: each dimension has a range of 16 steps, from the least to the greatest value of the training rows.
        # Measured on 200,000 rows like those of CLIP, the share of the ten nearest of words among the first 20, 50 and
        # 100: 0.89, 0.99 and 1.00; with one range for all dimensions 0.26, 0.44 and 0.61, with a range of 3 standard
        # deviations 0.83, 0.94 and 0.97; of differences from the centroids 0.91, 1.00 and 1.00, 9 % slower.
        self._faiss = faiss.index_factory(dim, f"IVF{nlist},SQ4", faiss.METRIC_INNER_PRODUCT)
        self._faiss.by_residual = False
        self._is_mapped = False
        self._writer: RowWriter | None = rows
        self._file: RowFile | None = None

    @classmethod
    def map_file(cls, path: Path, *, dim: int, count: int) -> Self:
        """Memory-map a file that `save` wrote, whose layout has been validated; the index is read-only.

        Raises:
            VectorIndexError: the file can't be read as an index.
        """
        index = cls.__new__(cls)
        index._is_mapped, index._writer = True, None
        index._file = RowFile(path, dim=dim, count=count)
        codes = index._file.tail()
        try:
            index._faiss = faiss.read_index(
                faiss.ZeroCopyIOReader(faiss.swig_ptr(codes), codes.size),  # type: ignore[attr-defined]
                faiss.IO_FLAG_MMAP_IFC,
            )
        except RuntimeError as error:
            raise VectorIndexError(f"can't read the index {path}") from error
        return index

    @classmethod
    def copy_file(cls, path: Path, *, dim: int, count: int, rows: RowWriter) -> Self:
        """Copy an index file, so that rows can be added: codes to memory, rows to the new file `rows`.

        Raises:
            VectorIndexError: the file can't be read as an index, or the rows can't be written.
        """
        index = cls.__new__(cls)
        index._is_mapped, index._file = False, None
        try:
            with open_regular_file(path) as file:
                file.seek(rows_end(dim, count))
                index._faiss = faiss.read_index(faiss.PyCallbackIOReader(file.read))  # type: ignore[attr-defined]
        except (RuntimeError, OSError) as error:
            raise VectorIndexError(f"can't read the index {path}") from error
        index._writer = rows
        index._writer.copy(path, RowFile(path, dim=dim, count=count))
        return index

    def save(self, path: Path) -> None:
        rows = self._written()
        source, count = rows.path, self.count
        # Windows renames no file that is mapped.
        del rows
        self._file = None
        with source.open("ab") as file:
            faiss.write_index(self._faiss, faiss.PyCallbackIOWriter(file.write))  # type: ignore[attr-defined]
        source.replace(path)
        self._file = RowFile(path, dim=self.dim, count=count)

    def _written(self) -> RowFile:
        """Return the rows; there will be no more of them."""
        if self._writer is not None:
            self._file, self._writer = self._writer.finish(), None
        if self._file is None:
            raise VectorIndexError("the rows of the index were moved away")
        return self._file

    @property
    def ids(self) -> NDArray[np.int64]:
        """All ids (n,) in the order they were added."""
        return self._written().ids

    def rows(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the embeddings (n, dim) at these positions, exactly as stored."""
        return self._written().rows(np.asarray(positions, dtype=np.int64))

    def contains(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        return self._written().places(np.asarray(ids, dtype=np.int64)) >= 0

    def add(self, ids: NDArray[np.int64], embeddings: NDArray[np.float32]) -> None:
        """Add rows whose ids are known to be new; unlike the protocol's method, it does not check for duplicates.

        Raises:
            VectorIndexError: the index is complete, or the rows can't be written.
        """
        if self._writer is None:
            raise VectorIndexError("an index mapped from a file can't be changed")
        super().add(ids, embeddings)
        self._writer.add(ids, embeddings)

    # ------------------------------------------------------------------ search

    def _search(
        self, queries: NDArray[np.float32], top_k: int, selector: Any, share: float
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        nprobe = self._reach(top_k, share)
        depth = math.ceil(self.rescored * max(1.0, top_k / RECALL_AT) ** _GROWTH)
        if nprobe == self.nlist:
            depth = max(depth, _SELECTED)
        depth = min(self.count, max(depth, top_k))
        _, ids = self._search_cells(queries, depth, selector, nprobe)
        if nprobe < self.nlist and (ids[:, top_k - 1] < 0).any():  # the cells had too few allowed rows
            _, ids = self._search_cells(queries, depth, selector, self.nlist)
        return _stacked([self._score(query, row[row >= 0], top_k) for query, row in zip(queries, ids, strict=True)])

    def _search_few(
        self, queries: NDArray[np.float32], top_k: int, among: NDArray[np.int64] | IdSet
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]] | None:
        if len(among) * len(queries) > _FEW:
            return None
        ids = among.ids if isinstance(among, IdSet) else np.unique(among)
        ids = ids[self.contains(ids)]
        return _stacked([self._score(query, ids, top_k) for query in queries])

    def _score(
        self, query: NDArray[np.float32], ids: NDArray[np.int64], top_k: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the exact scores and the ids (top_k,) of the best of these, padded as FAISS does."""
        rows = self._written()
        places = rows.places(ids)
        if (places < 0).any():
            raise VectorIndexError("the index is damaged: run 'clipsearch doctor --fix'")
        order = np.argsort(places)  # neighbours in the file are read together
        ids = ids[order]
        # Not a product with BLAS: it may add up equal rows in different orders, and equal scores come by id.
        scores = np.einsum("ij,j->i", rows.rows(places[order]), query)
        best = np.lexsort((ids, -scores))[:top_k]
        scores, ids, padding = scores[best], ids[best], top_k - len(best)
        return (
            np.pad(scores, (0, padding), constant_values=NO_SCORE).astype(np.float32),
            np.pad(ids, (0, padding), constant_values=-1),
        )

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
        """Tune `nprobe` as `IvfIndex` does, with as many rows scored again as are ever tried; then reduce these.

        `rescored` is the smallest number at which both halves of the queries reach the target plus two standard errors,
        and lose next to nothing by it.
        """
        kinds = self._queries(texts, pictures, picture_ids)
        self.rescored = _MOST
        text_recall, picture_recall = self._tune_nprobe(kinds, target)
        found = [self._candidates(queries.rows) for queries in kinds]

        def measure(rescored: int) -> list[tuple[float, float]]:
            return [
                recall_of(queries, half, ids[half::2, :rescored])
                for half in (0, 1)
                for queries, ids in zip(kinds, found, strict=True)
            ]

        most = measure(_MOST)
        self.rescored = _FEWEST
        while self.rescored < _MOST:
            recalls = measure(self.rescored)
            if min(recall - 2 * error for recall, error in recalls) >= target and all(
                recall >= best - _LOST for (recall, _), (best, _) in zip(recalls, most, strict=True)
            ):
                text_recall, picture_recall = (recall for recall, _ in recalls[2:])
                break
            self.rescored = min(_MOST, math.ceil(self.rescored * 1.25))
        return Tuning(self.nlist, self.nprobe, trained_rows, text_recall, picture_recall, "SQ4", self.rescored)

    def _nearest(self, queries: NDArray[np.float32]) -> NDArray[np.int64]:
        faiss.omp_set_num_threads(THREADS)
        ids, top_k = self.ids, min(RECALL_AT + 1, self.count)
        best = np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
        for first in range(0, self.count if len(queries) else 0, _BLOCK):
            places = np.arange(first, min(first + _BLOCK, self.count))
            scores, found = faiss.knn(queries, self.rows(places), min(top_k, len(places)), faiss.METRIC_INNER_PRODUCT)
            best = sort_by_score(
                np.concatenate((best[0], scores), axis=1), np.concatenate((best[1], ids[first + found]), axis=1), top_k
            )
        return best[1]

    def _candidates(self, queries: NDArray[np.float32]) -> NDArray[np.int64]:
        return self._search_cells(queries, min(self.rescored, self.count), None, self.nprobe)[1]


def _stacked(
    found: Sequence[tuple[NDArray[np.float32], NDArray[np.int64]]],
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    return np.stack([scores for scores, _ in found]), np.stack([ids for _, ids in found])
