"""A query's embedding against the pictures' index, and back to the files that have those contents."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import QueryError
from clipsearch.indexes.base import VectorIndex
from clipsearch.store import Store
from clipsearch.types import SearchHit
from clipsearch.vectors import normalise

if TYPE_CHECKING:
    from clipsearch.filters import Filter

# Of a sum of embeddings; what is shorter points nowhere.
_MIN_NORM = 1e-3


def _reachable(paths: list[str]) -> list[str]:
    """Those of several files that are there; all of them when none is, as on a drive that is not mounted."""
    if len(paths) == 1:
        return paths
    return [path for path in paths if os.path.lexists(path)] or paths


def search_pictures(
    query: NDArray[np.float32],
    *,
    index: VectorIndex,
    store: Store,
    top_k: int,
    filters: "Sequence[Filter]" = (),
) -> list[SearchHit]:
    """query (dim,) unit-norm → the `top_k` nearest pictures that have a file, best first; fewer when there are fewer.

    Args:
        filters: the search is confined to those that pass all of them.

    The index may hold contents whose last file is gone: SQL decides what is shown, and the search reaches further
    until `top_k` remain.
    """
    among = store.reader.select(filters) if filters else None
    wanted = top_k
    while True:
        scores, ids = index.search(query[np.newaxis], wanted, among=among)
        paths = store.reader.paths(ids[0].tolist(), filters=filters)
        hits = [
            (float(score), _reachable(paths[content_id]), content_id)
            for score, content_id in zip(scores[0], ids[0].tolist(), strict=True)
            if content_id in paths
        ]
        if len(hits) >= top_k or ids.shape[1] < wanted or wanted >= index.count:
            break
        wanted = max(2 * wanted, wanted + 64)
    hits.sort(key=lambda hit: (-hit[0], hit[1][0]))
    return [
        SearchHit(rank=rank, score=score, path=found[0], content_id=content_id, copies=tuple(found[1:]))
        for rank, (score, found, content_id) in enumerate(hits[:top_k], start=1)
    ]


def weighted_sum(embeddings: Sequence[NDArray[np.float32]], weights: Sequence[float]) -> NDArray[np.float32]:
    """Unit-norm embeddings (dim,) → their sum, unit-norm. One embedding alone is itself.

    Raises:
        QueryError: they cancel each other out.
    """
    if len(embeddings) == 1:
        return embeddings[0]
    total: NDArray[np.float32] = np.asarray(weights, dtype=np.float32) @ np.stack(embeddings)
    if not np.linalg.norm(total) > _MIN_NORM * max(map(abs, weights)):
        raise QueryError("what is wanted and what is not cancel each other out")
    (row,) = normalise(total[np.newaxis])
    return np.asarray(row)
