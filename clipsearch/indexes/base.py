"""What every vector index is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class NearPairs:
    """Some pairs of rows, sorted by `first`, then by `second`.

    Attributes:
        first, second: int64 (n,), positions among the ids that were compared; first < second.
        scores: float32 (n,), cosines.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    scores: NDArray[np.float32]


class VectorIndex(Protocol):
    """Inner product over unit-norm rows: the score is the cosine, higher is better."""

    @property
    def dim(self) -> int: ...

    @property
    def count(self) -> int:
        """Rows that a search can return."""
        ...

    def add(self, ids: NDArray[np.int64], embeddings: NDArray[np.float32]) -> None:
        """ids (n,), embeddings (n, dim) unit-norm.

        Raises:
            IndexMismatchError: another dimension.
            VectorIndexError: an id that is there already, or twice in `ids`.
        """
        ...

    def remove(self, ids: NDArray[np.int64]) -> int:
        """Takes rows out; unknown ids are passed over. Returns how many went."""
        ...

    def search(
        self, queries: NDArray[np.float32], top_k: int, *, among: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """queries (q, dim) → scores (q, k) and ids (q, k), best first, equal scores by id; k = min(top_k, count).

        Args:
            queries: unit-norm rows.
            top_k: at most this many for each query.
            among: ids that the search is confined to, in any order; those that are not in the index are passed over.
                The result is exact: k is top_k whenever that many of these ids are in the index.
        """
        ...

    def sample(self, max_rows: int) -> NDArray[np.float32]:
        """At most so many embeddings (n, dim), evenly spaced in the order they are kept; all of them when they are
        fewer. The same ones each time."""
        ...

    def pairs_above(
        self, threshold: float, ids: NDArray[np.int64], *, on_progress: Callable[[int, int], None] | None = None
    ) -> Iterator[NearPairs]:
        """All pairs among these ids whose cosine is at least `threshold`, each once; exact.

        They come in parts of bounded size: a block of ids that follow each other is compared with itself and then
        with all blocks after it before the next block's turn comes. So whoever goes through the parts knows, when a
        block meets a later one, of all pairs inside of the block and with earlier ids.

        Args:
            ids: (n,) without repetition; the pairs tell positions among them. Those not in the index are in no pair.
            on_progress: called with (ids done, ids to do).
        """
        ...
