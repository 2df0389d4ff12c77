"""Choose pictures of a folder, of filters or of hits: the unusual ones, and a few that represent all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipsearch.gallery.folders import files_below
from clipsearch.indexes.flat import spaced
from clipsearch.query.syntax import Query
from clipsearch.scoring.relevance import DEFAULT_CUTOFF
from clipsearch.search.engine import SearchOptions, answer_query
from clipsearch.search.expansion import resolve_query
from clipsearch.search.terms import Pictures
from clipsearch.search.unmeasured import notify_unmeasured
from clipsearch.session.session import Session
from clipsearch.text import check_top_k

# Neighbours that a picture is compared with: a copy or two do not make it usual.
_NEIGHBOURS = 10

# Rows that all pictures are compared with in the first pass, and candidates of the second, at least and in multiples of
# `top_k`: `python -m tests.benchmarks.curation` compares the result with that of all pairs.
_SAMPLE_ROWS = 2_048
_CANDIDATES, _CANDIDATES_TIMES = 512, 8

# Pictures that representatives are chosen from, and that they are chosen for: their cosines take 80 MB.
_MEDOIDS, _CLIENTS = 2_000, 10_000

# Rounds of exchanging representatives; each raises the sum of the cosines, and the last ones hardly.
_ROUNDS = 8

# Hits of a query with terms that are taken as its pictures.
_MOST_HITS = 1_000

# Rows in memory at once.
_CHUNK = 4_096


@dataclass(frozen=True, slots=True)
class UnusualPicture:
    """A picture that is unlike the others.

    Attributes:
        rank: from 1, the most unusual.
        path: absolute.
        similarity: mean cosine to its 10 nearest of the pictures that it was compared with.
        copies: absolute paths of other files with the same content.
    """

    rank: int
    path: str
    content_id: int
    similarity: float
    copies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RepresentativePicture:
    """A picture that stands for others like it.

    Attributes:
        rank: from 1, by `pictures`.
        path: absolute.
        pictures: number of those nearest to this one, itself included.
        copies: absolute paths of other files with the same content.
    """

    rank: int
    path: str
    content_id: int
    pictures: int
    copies: tuple[str, ...] = ()


def find_unusual(
    query: str | Query | None,
    folders: Sequence[str],
    session: Session,
    *,
    top_k: int,
    pictures: "Pictures | None" = None,
) -> list[UnusualPicture]:
    """Find the pictures with the lowest mean cosine to their nearest neighbours; deterministic.

    Two passes: all n pictures are compared with a sample of 2,048, then 512 candidates or more exactly with all. That
    takes O(n) for a fixed `top_k`, and up to 2,048 pictures are compared exactly anyway.

    Source: F. Angiulli and C. Pizzuti, "Fast outlier detection in high dimensional spaces", PKDD 2002: the weight of a
    point is the sum of the distances to its nearest neighbours.

    Args:
        folders: absolute; of several, pictures below any.
        top_k: number of pictures.
        pictures: those of the query, as in `Catalog.search`.

    Raises:
        QueryError: as in `Catalog.search`.
    """
    paths = _paths_of(query, folders, session, top_k, pictures or {})
    ids = np.array(sorted(paths), dtype=np.int64)
    neighbours = min(_NEIGHBOURS, len(ids) - 1)
    if neighbours < 1:
        return []
    rows = {int(number): row for part, found in _chunks(ids[spaced(len(ids), _SAMPLE_ROWS)], session)
            for number, row in zip(part, found, strict=True)}  # fmt: skip
    if not rows:  # a model that has embedded none of them
        return []
    sample_ids, sample = np.array(list(rows)), np.stack(list(rows.values()))
    near = max(1, round(neighbours * len(sample) / len(ids)))
    found_ids, similarities = [], []
    for part, chunk in _chunks(ids, session):
        scores = chunk @ sample.T
        scores[part[:, np.newaxis] == sample_ids] = -np.inf  # itself
        found_ids.append(part)
        similarities.append(_mean_of_best(scores, near))
    all_ids, usual = np.concatenate(found_ids), np.concatenate(similarities)
    order = np.lexsort((all_ids, usual))
    if len(sample) < len(ids):
        candidates = all_ids[order[: max(_CANDIDATES, _CANDIDATES_TIMES * top_k)]]
        all_ids, usual = _compare_with_all(candidates, ids, session, neighbours)
        order = np.lexsort((all_ids, usual))
    return [
        UnusualPicture(rank, paths[number][0], number, round(float(usual[row]), 6), tuple(paths[number][1:]))
        for rank, (row, number) in enumerate(((row, int(all_ids[row])) for row in order[:top_k].tolist()), start=1)
    ]


def find_representative(
    query: str | Query | None,
    folders: Sequence[str],
    session: Session,
    *,
    top_k: int,
    pictures: "Pictures | None" = None,
) -> list[RepresentativePicture]:
    """Choose pictures so that the sum of the cosines of all pictures to the nearest of them is high; deterministic.

    Chosen greedily, which reaches at least 1 - 1/e of the highest sum, then exchanged for better ones as in k-medoids.
    Beyond 2,000 pictures they are chosen from an evenly spaced sample, for 10,000: O(n) for a fixed `top_k`.

    Source: G. Nemhauser, L. Wolsey and M. Fisher, "An analysis of approximations for maximizing submodular set
    functions", Mathematical Programming 14, 1978 (facility location).

    Arguments and errors as in `find_unusual`.
    """
    paths = _paths_of(query, folders, session, top_k, pictures or {})
    ids = np.array(sorted(paths), dtype=np.int64)
    if not len(ids):
        return []
    parts = list(_chunks(ids[spaced(len(ids), _CLIENTS)], session))
    if not parts:
        return []
    clients, rows = np.concatenate([part for part, _ in parts]), np.concatenate([found for _, found in parts])
    places = spaced(len(clients), _MEDOIDS)
    chosen = places[choose_medoids(rows[places] @ rows.T, top_k)]
    counts = np.zeros(len(chosen), dtype=np.int64)
    for _, chunk in _chunks(ids, session):
        counts += np.bincount((chunk @ rows[chosen].T).argmax(axis=1), minlength=len(chosen))
    numbers = clients[chosen]
    return [
        RepresentativePicture(rank, paths[number][0], number, int(counts[row]), tuple(paths[number][1:]))
        for rank, (row, number) in enumerate(
            ((row, int(numbers[row])) for row in np.lexsort((numbers, -counts)).tolist()), start=1
        )
    ]


def choose_medoids(scores: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Choose rows of scores (candidates, clients) so that the sum of the highest of each column is high.

    Returns:
        Up to `count` different rows.
    """
    best = np.full(scores.shape[1], -1.0, dtype=np.float32)
    chosen: list[int] = []
    for _ in range(min(count, len(scores))):
        gains = np.maximum(scores, best).sum(axis=1, dtype=np.float64)
        gains[chosen] = -np.inf
        chosen.append(int(gains.argmax()))
        best = np.maximum(best, scores[chosen[-1]])
    medoids = np.array(chosen, dtype=np.int64)
    total = float(best.sum(dtype=np.float64))
    for _ in range(_ROUNDS):
        groups = scores[medoids].argmax(axis=0)
        # In each group the row that is nearest to all of it; copies may be chosen twice, which is no gain.
        moved = np.array(
            [int(scores[:, groups == group].sum(axis=1, dtype=np.float64).argmax()) if (groups == group).any() else row
             for group, row in enumerate(medoids.tolist())]
        )  # fmt: skip
        new_total = float(scores[moved].max(axis=0).sum(dtype=np.float64))
        if new_total <= total + 1e-6 or len(np.unique(moved)) < len(moved):
            break
        medoids, total = moved, new_total
    return medoids


def _paths_of(
    query: str | Query | None, folders: Sequence[str], session: Session, top_k: int, pictures: Pictures
) -> dict[int, list[str]]:
    """Return the paths of the requested pictures, by content id.

    With terms these are the hits of the query that are likely matches, up to 1,000.
    """
    check_top_k(top_k)
    session.require_pictures()
    reader = session.store.reader
    parsed = Query() if query is None else resolve_query(query, session)
    paths: dict[int, list[str]] = {}
    if parsed.groups:
        options = SearchOptions(_MOST_HITS, pictures, DEFAULT_CUTOFF)
        paths = {hit.content_id: [hit.path, *hit.copies] for hit in answer_query(parsed, session, options)}
    elif parsed.filters:
        notify_unmeasured(parsed.filters, session)
        filters = parsed.filters
        chosen = session.columns.ask(lambda columns: columns.select_ids(filters))
        paths = reader.paths(chosen.tolist(), filters=filters)
    if folders or not (parsed.groups or parsed.filters):
        below: dict[int, list[str]] = {}
        for file in files_below(folders, session):
            below.setdefault(file.content_id, []).append(file.path)
        is_all = not (parsed.groups or parsed.filters)
        paths = {number: files for number, files in below.items() if is_all or number in paths}
    return paths


def _chunks(ids: NDArray[np.int64], session: Session) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Yield ids (n,) and their unit-norm embeddings (n, dim), in chunks; those without one are left out."""
    row = session.model.row
    for first in range(0, len(ids), _CHUNK):
        part = ids[first : first + _CHUNK].tolist()
        known = session.store.reader.embeddings(part, model_id=row.model_id, dim=row.dim)
        present = [number for number in part if number in known]
        if present:
            yield np.array(present, dtype=np.int64), np.stack([known[number] for number in present])


def _compare_with_all(
    candidates: NDArray[np.int64], ids: NDArray[np.int64], session: Session, neighbours: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the candidates with an embedding (n,), and their exact mean cosines to their neighbours among `ids`."""
    parts = list(_chunks(np.sort(candidates), session))
    known, rows = np.concatenate([part for part, _ in parts]), np.concatenate([found for _, found in parts])
    best = np.full((len(known), neighbours), -np.inf, dtype=np.float32)
    for part, chunk in _chunks(ids, session):
        scores = rows @ chunk.T
        scores[known[:, np.newaxis] == part] = -np.inf  # itself
        best = -np.partition(-np.concatenate([best, scores], axis=1), neighbours - 1, axis=1)[:, :neighbours]
    return known, _mean_of_best(best, neighbours)


def _mean_of_best(scores: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return the mean (n,) of the highest finite scores of each row, up to `count`."""
    best = -np.partition(-scores, min(count, scores.shape[1]) - 1, axis=1)[:, :count]
    is_known = np.isfinite(best)
    sums = np.where(is_known, best, 0).sum(axis=1)
    return np.asarray(sums / np.maximum(is_known.sum(axis=1), 1), dtype=np.float32)
