"""Search the picture index for the directions of a query, and map the contents found to files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clipsearch.indexes.base import VectorIndex
from clipsearch.parts import Part
from clipsearch.scoring.relevance import Background, Direction, log_odds_of
from clipsearch.search.hits import SearchHit, reachable
from clipsearch.search.stacks import stack_keys
from clipsearch.store import Store
from clipsearch.store.part_rows import StoredPart
from clipsearch.vectors import as_score, sigmoid

if TYPE_CHECKING:
    from clipsearch.indexes.id_set import IdSet
    from clipsearch.query.filters import Filter
    from clipsearch.scoring.feedback import Unwanted

# First depth of each ranking in the threshold algorithm, in multiples of `top_k`.
_FIRST_REACH = 8


# Log-odds that a crop has to make up for: of some eight views of a picture one fits by chance more often than the
# whole does. Source: `python -m tests.benchmarks.detail`.
_CROP_HANDICAP = 1.5


def handicap_of(part: Part | None) -> float:
    """Return what is subtracted from the log-odds of a part of a content."""
    return _CROP_HANDICAP if part is not None and part.kind == "crop" else 0.0


def search_pictures(
    directions: Sequence[Direction],
    *,
    background: Background,
    index: VectorIndex,
    store: Store,
    model_id: int,
    top_k: int,
    among: "NDArray[np.int64] | IdSet | None" = None,
    filters: "Sequence[Filter]" = (),
    min_relevance: float = 0.0,
    unwanted: "Unwanted | None" = None,
    stacks: bool = False,
    newest: int | None = None,
) -> list[SearchHit]:
    """Return up to `top_k` pictures with a file that match all directions best, best first; each by its best part.

    The index may contain contents whose last file was deleted: SQL decides what is shown, and the search goes deeper
    until `top_k` remain.

    Args:
        directions: with several, a picture's log-odds are those of the direction that it matches least.
        model_id: of the embeddings in the index.
        among: ids that the search is restricted to, those that pass the filters.
        filters: of the paths of a hit, those that pass come first.
        min_relevance: threshold; less relevant pictures are excluded and the next ones considered instead.
        unwanted: pictures that are excluded, and lower the log-odds of those near them.
        stacks: return one picture of each stack, that which matches best, and none of a stack of an excluded one.
        newest: highest content id that is returned; None: any.
    """
    excluded = set() if unwanted is None else set(unwanted.ids)
    if stacks and excluded:
        excluded = set(stack_keys(sorted(excluded), store).values())
    fetch = partial(store.reader.embeddings, model_id=model_id, dim=index.dim)
    # Log-odds below this are not relevant enough on any picture.
    easiest = background.least_own_level() * max(direction.own_share for direction in directions)
    least_worth = log_odds_of(min_relevance) + easiest
    wanted = top_k + len(excluded)
    while True:
        found = find_nearest(directions, wanted, index=index, among=among, unwanted=unwanted)
        parts = store.reader.parts.find(found.ids.tolist())
        owners = [parts.get(number) or StoredPart(number, None) for number in found.ids.tolist()]
        contents = list({owner.content_id for owner in owners if newest is None or owner.content_id <= newest})
        paths = store.reader.paths(contents, filters=filters)
        keys = stack_keys(contents, store) if stacks else {number: number for number in contents}
        # Queries by picture have no own level: it comes from texts.
        levels = background.own_levels_of(found.ids.tolist(), fetch) if found.own_shares.any() else np.float32(0)
        handicaps = np.array([handicap_of(owner.part) for owner in owners], dtype=np.float32)
        worths = found.worth - handicaps
        hits: dict[int, tuple[float, Sequence[str], float, float, StoredPart]] = {}
        for worth, score, relevance, owner in zip(
            worths.tolist(),
            found.scores.tolist(),
            sigmoid(worths - found.own_shares * levels).tolist(),
            owners,
            strict=True,
        ):
            content_id = owner.content_id
            if content_id not in paths or relevance < min_relevance:
                continue
            key = keys[content_id]
            is_better = key not in hits or -worth < hits[key][0]  # else another part, or member, is
            if is_better and key not in excluded:
                hits[key] = (-worth, reachable(paths[content_id]), score, relevance, owner)
        is_all = len(found.ids) < wanted or wanted >= index.count
        best = sorted(hits.values(), key=lambda hit: (hit[0], hit[1]))
        if is_all or found.worth[-1] < least_worth:
            break
        # A whole picture that was not seen may lie above the crops among the hits.
        if len(hits) >= top_k and -best[top_k - 1][0] >= found.worth[-1]:
            break
        wanted = max(2 * wanted, wanted + 64)
    return [
        SearchHit(
            rank=rank,
            score=as_score(score),
            relevance=relevance,
            path=files[0],
            content_id=owner.content_id,
            copies=tuple(files[1:]),
            part=owner.part,
        )
        for rank, (_, files, score, relevance, owner) in enumerate(best[:top_k], start=1)
    ]


@dataclass(frozen=True, slots=True)
class Found:
    """Pictures found, best first; arrays (k,).

    With several directions, the values are those of the direction that a picture matches least.

    Attributes:
        scores: cosines, lowered by excluded terms and by the nearness to unwanted pictures.
        worth: log-odds before subtracting the own level, see `Direction`.
        own_shares: see `Direction`.
    """

    ids: NDArray[np.int64]
    scores: NDArray[np.float32]
    worth: NDArray[np.float32]
    own_shares: NDArray[np.float32]


def find_nearest(
    directions: Sequence[Direction],
    top_k: int,
    *,
    index: VectorIndex,
    among: "NDArray[np.int64] | IdSet | None",
    unwanted: "Unwanted | None" = None,
) -> Found:
    """Return the pictures of an index with the highest log-odds in all directions.

    Args:
        among: ids that the search is restricted to.
        unwanted: lower the log-odds of pictures near them.
    """
    if len(directions) == 1 and unwanted is None and directions[0].absences is None:
        scores, ids = index.search(directions[0].embedding[np.newaxis], top_k, among=among)
        own_shares = np.full(len(ids[0]), directions[0].own_share, dtype=np.float32)
        return Found(ids[0], scores[0], directions[0].worth(scores[0]), own_shares)
    # Threshold algorithm: a picture at the top of no ranking scores below the last ones seen in each, and what is
    # excluded only lowers it. Source: Fagin, Lotem, Naor, "Optimal aggregation algorithms for middleware", PODS 2001.
    embeddings = np.stack([direction.embedding for direction in directions])
    reach = _FIRST_REACH * top_k
    while True:
        nearest_scores, nearest_ids = index.search(embeddings, reach, among=among)
        seen = np.unique(nearest_ids)
        worths, scores = weigh(directions, partial(_cosines_of, ids=seen, index=index), unwanted)
        least = worths.argmin(axis=0)
        columns = np.arange(len(seen))
        worth, score = worths[least, columns], scores[least, columns]
        order = np.lexsort((seen, -worth))[:top_k]
        is_all = nearest_ids.shape[1] < reach
        if is_all or len(order) == 0:
            break
        unseen = min(float(each.worth(last)) for each, last in zip(directions, nearest_scores[:, -1], strict=True))
        if worth[order[-1]] >= unseen and len(order) == top_k:
            break
        reach *= 4
    own_shares = np.array([direction.own_share for direction in directions], dtype=np.float32)
    return Found(seen[order], score[order], worth[order], own_shares[least[order]])


def weigh(
    directions: Sequence[Direction],
    cosines_of: "Callable[[NDArray[np.float32]], NDArray[np.float32]]",
    unwanted: "Unwanted | None" = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the log-odds and the scores (d, n) of n pictures in d directions, less what is excluded costs them.

    Args:
        cosines_of: returns the cosines (q, n) of embeddings (q, dim) with the pictures.
    """
    scores = cosines_of(np.stack([direction.embedding for direction in directions]))
    worths = np.stack([each.worth(row) for each, row in zip(directions, scores, strict=True)])
    if not scores.shape[1]:
        return worths, scores
    costs = np.zeros_like(worths)
    for row, direction in enumerate(directions):
        if direction.absences is not None:
            costs[row] += direction.absences.costs(cosines_of(direction.absences.embeddings)).sum(axis=0)
    if unwanted is not None:
        costs += unwanted.nearest(cosines_of(unwanted.embeddings))[1]
    steepness = np.array([[direction.steepness] for direction in directions], dtype=np.float32)
    return worths - costs, scores - costs / steepness


def _cosines_of(embeddings: NDArray[np.float32], ids: NDArray[np.int64], index: VectorIndex) -> NDArray[np.float32]:
    """Return the cosines (q, n) of embeddings (q, dim) with ids that are in the index, in their order."""
    scores, found = index.search(embeddings, len(ids), among=ids)
    in_order: NDArray[np.float32] = np.empty((len(embeddings), len(ids)), dtype=np.float32)
    np.put_along_axis(in_order, np.searchsorted(ids, found), scores, axis=1)
    return in_order
