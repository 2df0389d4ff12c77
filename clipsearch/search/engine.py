"""Answer a query: embed its terms, search the index, diversify and explain the hits."""

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from clipsearch.errors import QueryError, UnknownPictureError
from clipsearch.search.terms import as_query, embed_terms, explain_hits
from clipsearch.session.session import CatalogParts
from clipsearch.text import check_top_k
from clipsearch.types import SearchHit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clipsearch.encoders.embed_image import PictureSource
    from clipsearch.query import Query


def answer_query(
    query: "PictureSource | Query",
    parts: CatalogParts,
    *,
    top_k: int,
    pictures: "Mapping[str, PictureSource | NDArray[np.float32]]",
    min_relevance: float,
    diverse: bool,
    explain: bool,
) -> list[SearchHit]:
    """Answer a query; arguments, result and errors as in `Catalog.search`."""
    from clipsearch.scoring.diversity import candidates_for, diversify
    from clipsearch.search.retrieval import newest_pictures, search_pictures

    check_top_k(top_k)
    if not 0 <= min_relevance <= 1:
        raise QueryError(f"min_relevance must be between 0 and 1, not {min_relevance}")
    parsed, known_pictures = as_query(query, pictures)
    parts.require_pictures()
    if not parsed.groups:
        return newest_pictures(parsed.filters, store=parts.store, top_k=top_k)
    parts.model.row  # noqa: B018 (evaluate the lazy property before two threads use it)
    # The first time, the model and the index are opened in parallel: both take long, and mostly without the GIL.
    with ThreadPoolExecutor(1) as pool:
        opening = None if parts.is_open("images") else pool.submit(parts.index, "images")
        groups = embed_terms(parsed, model=parts.model, store=parts.store, pictures=known_pictures)
        index = parts.index("images") if opening is None else opening.result()
    background = parts.background(index)
    directions = [group.direction(background) for group in groups]
    hits = search_pictures(
        directions,
        background=background,
        index=index,
        store=parts.store,
        model_id=parts.model.row.model_id,
        top_k=candidates_for(top_k) if diverse else top_k,
        filters=parsed.filters,
        min_relevance=min_relevance,
    )
    if diverse:
        row = parts.model.row
        known = parts.store.reader.embeddings([hit.content_id for hit in hits], model_id=row.model_id, dim=row.dim)
        hits = [hit for hit in hits if hit.content_id in known]
        embeddings = np.array([known[hit.content_id] for hit in hits], dtype=np.float32).reshape(-1, row.dim)
        hits = diversify(hits, embeddings, usual=background.pictures.location, top_k=top_k)
    return explain_hits(hits, groups, directions, model=parts.model, store=parts.store) if explain else hits


def match_picture(
    query: "PictureSource | Query",
    content_id: int,
    parts: CatalogParts,
    *,
    pictures: "Mapping[str, PictureSource | NDArray[np.float32]]",
) -> SearchHit:
    """Score one picture against a query; arguments, result and errors as in `Catalog.match`."""
    parsed, known_pictures = as_query(query, pictures)
    parts.require_pictures()
    row = parts.model.row
    embedding = parts.store.reader.find_embedding(content_id, model_id=row.model_id, dim=row.dim)
    paths = parts.store.reader.paths([content_id], filters=parsed.filters).get(content_id)
    if embedding is None or not paths:
        raise UnknownPictureError(content_id)
    hit = SearchHit(0, math.nan, 1.0, paths[0], content_id, copies=tuple(paths[1:]))
    if not parsed.groups:
        return hit
    groups = embed_terms(parsed, model=parts.model, store=parts.store, pictures=known_pictures)
    background = parts.background(parts.index("images"))
    directions = [group.direction(background) for group in groups]
    scores = np.array([direction.embedding @ embedding for direction in directions], dtype=np.float32)
    worth = np.array([float(each.worth(score)) for each, score in zip(directions, scores, strict=True)])
    least = int(worth.argmin())
    own_level = background.own_levels_of([content_id], lambda _: {content_id: embedding})
    (relevance,) = directions[least].relevances(scores[least], own_level).tolist()
    hit = replace(hit, score=float(scores[least]), relevance=relevance)
    return explain_hits([hit], groups, directions, model=parts.model, store=parts.store)[0]


def find_cutoff(confidence: float, parts: CatalogParts) -> float:
    """Return the relevance threshold of a confidence; result and errors as in `Catalog.cutoff_for`."""
    parts.require_pictures()
    return parts.best_relevances().cutoff(confidence)
