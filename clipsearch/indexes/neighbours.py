"""Find the nearest neighbours of all rows among themselves, approximately where there are many."""

import faiss
import numpy as np
from numpy.typing import NDArray

from clipsearch.indexes.flat import THREADS

# Up to this number of rows all pairs are compared; beyond, the rows of the cells nearest to each one.
_EXACT_ROWS = 20_000
_CELLS_SEARCHED = 8
_ROWS_TO_LEARN = 40


def find_neighbours(rows: NDArray[np.float32], count: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the nearest rows of each row (n, dim) by Euclidean distance, without itself; deterministic.

    Args:
        count: of neighbours, less than n.

    Returns:
        Squared distances and rows, each (n, count), nearest first.
    """
    faiss.omp_set_num_threads(THREADS)
    total, dim = rows.shape
    index: faiss.Index
    if total <= _EXACT_ROWS:
        index = faiss.IndexFlatL2(dim)
    else:
        cells = round(np.sqrt(total))
        index = faiss.IndexIVFFlat(faiss.IndexFlatL2(dim), dim, cells, faiss.METRIC_L2)
        index.train(np.ascontiguousarray(rows[:: max(1, total // (_ROWS_TO_LEARN * cells))]))
        index.nprobe = _CELLS_SEARCHED
    index.add(rows)
    squares, nearest = index.search(rows, count + 1)
    others = nearest != np.arange(total)[:, np.newaxis]
    others[others.all(axis=1), -1] = False  # of many copies, it was not among the nearest
    squares, nearest = squares[others].reshape(total, count), nearest[others].reshape(total, count)
    # Cells of few rows give fewer: the nearest one stands for the others.
    is_missing = nearest < 0
    nearest = np.where(is_missing, nearest[:, :1], nearest)
    return np.where(is_missing, squares[:, :1], squares), np.maximum(nearest, 0)
