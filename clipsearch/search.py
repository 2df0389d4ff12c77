"""What a query means against the pictures' index, and back to the files that have those contents."""

import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clipsearch.indexes.base import VectorIndex
from clipsearch.relevance import Background, Direction
from clipsearch.store import Store
from clipsearch.types import SearchHit

if TYPE_CHECKING:
    from clipsearch.filters import Filter

# Of each thing that must hold, so many times the wanted number of hits are looked at first.
_FIRST_REACH = 8


def _reachable(paths: list[str]) -> list[str]:
    """Those of several files that are there; all of them when none is, as on a drive that is not mounted."""
    if len(paths) == 1:
        return paths
    return [path for path in paths if os.path.lexists(path)] or paths


def search_pictures(
    directions: Sequence[Direction],
    *,
    background: Background,
    index: VectorIndex,
    store: Store,
    top_k: int,
    filters: "Sequence[Filter]" = (),
    min_relevance: float = 0.0,
) -> list[SearchHit]:
    """The `top_k` pictures with a file that fit all directions best, best first; fewer when there are fewer.

    Args:
        directions: with several, a picture is worth what it deviates in the one that it fits least.
        filters: the search is confined to those that pass all of them.
        min_relevance: less relevant ones are left out.

    The index may hold contents whose last file is gone: SQL decides what is shown, and the search reaches further
    until `top_k` remain.
    """
    among = store.reader.select(filters) if filters else None
    wanted = top_k
    while True:
        scores, deviations, ids = _nearest(directions, wanted, index=index, among=among)
        paths = store.reader.paths(ids.tolist(), filters=filters)
        hits = [
            (-deviation, _reachable(paths[content_id]), score, relevance, content_id)
            for deviation, score, relevance, content_id in zip(
                deviations.tolist(),
                scores.tolist(),
                background.relevances(deviations).tolist(),
                ids.tolist(),
                strict=True,
            )
            if content_id in paths
        ]
        if len(hits) >= top_k or len(ids) < wanted or wanted >= index.count:
            break
        wanted = max(2 * wanted, wanted + 64)
    hits.sort()
    return [
        SearchHit(
            rank=rank,
            score=score,
            relevance=relevance,
            path=found[0],
            content_id=content_id,
            copies=tuple(found[1:]),
        )
        for rank, (_, found, score, relevance, content_id) in enumerate(hits[:top_k], start=1)
        if relevance >= min_relevance
    ]


def newest_pictures(filters: "Sequence[Filter]", *, store: Store, top_k: int) -> list[SearchHit]:
    """The pictures that pass all filters, the last taken first."""
    ids = store.reader.select_newest(filters, top_k)
    paths = store.reader.paths(ids, filters=filters)
    found = [(content_id, _reachable(paths[content_id])) for content_id in ids if content_id in paths]
    return [
        SearchHit(rank=rank, score=math.nan, relevance=1.0, path=its[0], content_id=content_id, copies=tuple(its[1:]))
        for rank, (content_id, its) in enumerate(found, start=1)
    ]


def _nearest(
    directions: Sequence[Direction], top_k: int, *, index: VectorIndex, among: NDArray[np.int64] | None
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Scores, deviations and ids, (k,) each, best first."""
    if len(directions) == 1:
        scores, ids = index.search(directions[0].embedding[np.newaxis], top_k, among=among)
        return scores[0], directions[0].deviations(scores[0]), ids[0]
    # The threshold algorithm: what is among the first of none of them deviates less, in all of them, than the last
    # ones that were looked at. Source: Fagin, Lotem, Naor, "Optimal aggregation algorithms for middleware", PODS 2001.
    reach = _FIRST_REACH * top_k
    while True:
        found = [index.search(each.embedding[np.newaxis], reach, among=among) for each in directions]
        seen = np.unique(np.concatenate([ids[0] for _, ids in found]))
        scores = np.stack([_scores_of(each, seen, index) for each in directions])
        deviations = np.stack([each.deviations(row) for each, row in zip(directions, scores, strict=True)])
        least = deviations.argmin(axis=0)
        columns = np.arange(len(seen))
        worth = deviations[least, columns]
        order = np.lexsort((seen, -worth))[:top_k]
        is_all = found[0][1].shape[1] < reach
        if is_all or len(order) == 0:
            break
        unseen = min(
            float(each.deviations(ids_scores[0][0, -1:])[0]) for each, ids_scores in zip(directions, found, strict=True)
        )
        if worth[order[-1]] >= unseen and len(order) == top_k:
            break
        reach *= 4
    return scores[least, columns][order], worth[order], seen[order]


def _scores_of(direction: Direction, ids: NDArray[np.int64], index: VectorIndex) -> NDArray[np.float32]:
    """The cosines (n,) of these ids, which are in the index, in their order."""
    scores, found = index.search(direction.embedding[np.newaxis], len(ids), among=ids)
    in_order: NDArray[np.float32] = np.empty(len(ids), dtype=np.float32)
    in_order[np.searchsorted(ids, found[0])] = scores[0]
    return in_order
