"""Protocol of all vector indexes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from clipsearch.indexes.id_set import IdSet


@dataclass(frozen=True, slots=True)
class NearPairs:
    """Batch of pairs of near rows, sorted by `first`, then by `second`.

    Attributes:
        first, second: int64 (n,), positions among the ids that were compared; first < second.
        scores: float32 (n,), cosines.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    scores: NDArray[np.float32]


class VectorIndex(Protocol):
    """Index of unit-norm rows by inner product: the score is the cosine, higher is better."""

    @property
    def dim(self) -> int:
        """Number of dimensions of a row."""
        ...

    @property
    def count(self) -> int:
        """Number of rows that a search can return."""
        ...

    def add(self, ids: NDArray[np.int64], embeddings: NDArray[np.float32]) -> None:
        """Add rows: ids (n,), embeddings (n, dim) unit-norm.

        Raises:
            IndexMismatchError: the embeddings have another dimension.
            VectorIndexError: duplicate id: in the index already, or twice in `ids`.
        """
        ...

    def remove(self, ids: NDArray[np.int64]) -> int:
        """Remove rows and return their number; unknown ids are ignored."""
        ...

    def search(
        self, queries: NDArray[np.float32], top_k: int, *, among: NDArray[np.int64] | IdSet | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return scores (q, k) and ids (q, k), best first, ties by id; k = min(top_k, count).

        Args:
            queries: (q, dim) unit-norm rows.
            top_k: upper limit of the hits of each query.
            among: ids that the search is restricted to, in any order; ids that are not in the index are ignored.
                The result is exact: k is top_k whenever that many of these ids are in the index.
        """
        ...

    def sample(self, max_rows: int) -> NDArray[np.float32]:
        """Return up to `max_rows` embeddings (n, dim), evenly spaced in storage order; deterministic."""
        ...

    def pairs_above(
        self, threshold: float, ids: NDArray[np.int64], *, on_progress: Callable[[int, int], None] | None = None
    ) -> Iterator[NearPairs]:
        """Yield all pairs among these ids whose cosine is at least `threshold`, each once; exact.

        Pairs are yielded in batches of bounded size: a block of consecutive ids is compared with itself, then with all
        later blocks, before the next block starts. So when a batch pairs a block with a later one, the caller has
        already seen all pairs within the block and with earlier ids.

        Args:
            ids: (n,) unique; pairs are positions among them. Ids that are not in the index are in no pair.
            on_progress: called with (ids done, ids in total).
        """
        ...
