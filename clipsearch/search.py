"""A query's embedding against the pictures' index, and back to the files that have those contents."""

import os

import numpy as np
from numpy.typing import NDArray

from clipsearch.indexes.base import VectorIndex
from clipsearch.store import Store
from clipsearch.types import SearchHit


def _reachable(paths: list[str]) -> list[str]:
    """Those of several files that are there; all of them when none is, as on a drive that is not mounted."""
    if len(paths) == 1:
        return paths
    return [path for path in paths if os.path.lexists(path)] or paths


def search_pictures(query: NDArray[np.float32], *, index: VectorIndex, store: Store, top_k: int) -> list[SearchHit]:
    """query (dim,) unit-norm → the `top_k` nearest pictures that have a file, best first; fewer when there are fewer.

    The index may hold contents whose last file is gone: SQL decides what is shown, and the search reaches further
    until `top_k` remain.
    """
    wanted = top_k
    while True:
        scores, ids = index.search(query[np.newaxis], wanted)
        paths = store.reader.paths(ids[0].tolist())
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
