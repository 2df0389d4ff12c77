"""Answer a query: embed its terms, search the index, diversify and explain the hits."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from clipsearch.errors import QueryError, UnknownPictureError
from clipsearch.notices import timed
from clipsearch.query import Query
from clipsearch.query.filters import listed
from clipsearch.search.expansion import notify_names
from clipsearch.search.feedback import Feedback
from clipsearch.search.hits import SearchHit, embeddings_of
from clipsearch.search.terms import AnyQuery, Pictures, as_query, embed_query
from clipsearch.search.unmeasured import notify_unmeasured
from clipsearch.session.session import Session
from clipsearch.text import check_top_k
from clipsearch.types import Sort
from clipsearch.vectors import as_score

if TYPE_CHECKING:
    from clipsearch.columns.orders import Order
    from clipsearch.query.filters import Filter
    from clipsearch.scoring.relevance import Background


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """Options of a search, documented in `Catalog.search`."""

    top_k: int = 10
    pictures: Pictures = field(default_factory=dict)
    min_relevance: float = 0.0
    diverse: bool = False
    explain: bool = False
    feedback: Feedback = field(default_factory=Feedback)
    stacks: bool = False
    sort: Sort = "relevance"
    reverse: bool = False
    newest: int | None = None  # highest content id that is found
    notifies: bool = True  # of pictures that its filters know nothing of, and of names among its words
    written: bool = True


def answer_query(query: AnyQuery, session: Session, options: SearchOptions) -> list[SearchHit]:
    """Find the best hits of a query, best first; result and errors as in `Catalog.search`."""
    from concurrent.futures import ThreadPoolExecutor

    from clipsearch.scoring.diversity import candidates_for
    from clipsearch.scoring.relevance import DEFAULT_CUTOFF
    from clipsearch.search.retrieval import search_pictures
    from clipsearch.search.sorting import MOST_SORTED, find_fitting, order_of, sort_hits
    from clipsearch.search.stacks import Shown, show_best
    from clipsearch.search.written import DEPTH, find_matches, fuse, keys_of, quote_hits

    top_k = options.top_k
    _check_options(options)
    parsed, known_pictures = _with_feedback(query, options, session)
    session.require_pictures()
    if options.notifies:
        _notify(parsed, session)
    filters, store = parsed.filters, session.store
    stacks = options.stacks and store.reader.stacks.has_any()
    order = order_of(options.sort, reverse=options.reverse, has_terms=bool(parsed.groups))
    if not parsed.groups and order is not None:
        return _list(filters, order, session, options, stacks=stacks)
    row = session.model.row  # evaluate the lazy property before two threads use it
    # The first time, the model and the index are opened in parallel: both take long, and mostly without the GIL.
    with ThreadPoolExecutor(1) as pool, timed("embed the query"):
        opening = None if session.is_open("images") else pool.submit(session.vector_index, "images")
        embedded = embed_query(parsed, session, pictures=known_pictures, marked=len(options.feedback.more))
        index = session.vector_index("images") if opening is None else opening.result()
    background = session.background(index)
    directions = embedded.directions(background)
    unwanted = options.feedback.unwanted(session, background)
    among = session.columns.ask(lambda columns: columns.select(filters)) if filters else None

    def find(top_k: int, min_relevance: float, more_filters: "Sequence[Filter]" = ()) -> list[SearchHit]:
        some = session.columns.ask(lambda columns: columns.select([*filters, *more_filters])) if more_filters else among
        return search_pictures(
            directions,
            background=background,
            index=index,
            store=store,
            model_id=row.model_id,
            top_k=top_k,
            among=some,
            filters=filters,
            min_relevance=min_relevance,
            unwanted=unwanted,
            stacks=stacks,
            newest=options.newest,
        )

    shown = Shown(among, filters, options.newest) if stacks else None
    matches = find_matches(parsed, session, filters=filters, newest=options.newest) if options.written else None
    is_sorted = order is not None or options.reverse
    least = options.min_relevance or (DEFAULT_CUTOFF if is_sorted and matches is not None else 0.0)
    depth = top_k if matches is None else max(top_k, DEPTH)
    if is_sorted:
        hits = find_fitting(find, least)
    elif options.diverse:
        hits = _diversify(find(candidates_for(top_k), least), background, session, top_k)
    else:
        hits = find(depth, least)
    keys = keys_of(session, stacks=stacks)
    if matches is not None:
        needed = matches.needed(least, options.min_relevance)
        matched = [hit for ids, lowest in needed for hit in find(len(ids), lowest, [listed(ids)])]
        hits = fuse(hits, matched, matches, MOST_SORTED if is_sorted else top_k, keys)
    if is_sorted:
        hits = sort_hits(hits, order, shown, session)[:top_k]
    if options.explain:
        hits = embedded.explain(hits, directions, unwanted)
    hits = quote_hits(hits, matches, filters, session, keys)
    return hits if shown is None else show_best(hits, shown, store)


def _notify(query: Query, session: Session) -> None:
    """Say what the query's filters know nothing of, and which names it takes as words."""
    if query.filters:
        notify_unmeasured(query.filters, session)
    notify_names(query, session)


def _check_options(options: SearchOptions) -> None:
    from clipsearch.search.sorting import check_sort

    check_top_k(options.top_k)
    if not 0 <= options.min_relevance <= 1:
        raise QueryError(f"min_relevance must be between 0 and 1, not {options.min_relevance}")
    check_sort(options.sort, diverse=options.diverse)


def _list(
    filters: "Sequence[Filter]", order: "Order", session: Session, options: SearchOptions, *, stacks: bool
) -> list[SearchHit]:
    """Return the pictures that pass filters, in an order."""
    from clipsearch.search.sorting import list_pictures
    from clipsearch.search.stacks import Shown, show_best
    from clipsearch.search.written import keys_of, quote_hits

    top_k, less, newest = options.top_k, options.feedback.less, options.newest
    hits = list_pictures(filters, order, session, top_k=top_k, excluded=less, stacks=stacks, newest=newest)
    if stacks:
        among = session.columns.ask(lambda columns: columns.select(filters)) if filters else None
        hits = show_best(hits, Shown(among, filters, newest), session.store)
    return quote_hits(hits, None, filters, session, keys_of(session, stacks=False))


def _diversify(hits: list[SearchHit], background: "Background", session: Session, top_k: int) -> list[SearchHit]:
    """Return hits that differ from those before them first; those that were deleted meanwhile are left out."""
    from clipsearch.scoring.diversity import diversify

    found = zip(hits, embeddings_of(hits, session), strict=True)
    known = [(hit, embedding) for hit, embedding in found if embedding is not None]
    hits = [hit for hit, _ in known]
    embeddings = np.array([embedding for _, embedding in known], dtype=np.float32).reshape(-1, session.model.row.dim)
    relevances = [hit.relevance for hit in hits]
    chosen = diversify(relevances, embeddings, usual=background.pictures.location, top_k=top_k)
    return [replace(hits[place], rank=rank) for rank, place in enumerate(chosen, start=1)]


def _with_feedback(query: AnyQuery, options: SearchOptions, session: Session) -> tuple[Query, Pictures]:
    """Convert a query as `as_query` does, and add the wanted pictures."""
    read = options.feedback.parse(query) if isinstance(query, str) else query
    parsed, known_pictures = as_query(read, options.pictures, session)
    return options.feedback.add_wanted(parsed), known_pictures


def match_picture(
    query: AnyQuery, content_id: int, session: Session, options: SearchOptions | None = None
) -> SearchHit:
    """Score one picture against a query, term by term; its rank is 0. Errors as in `Catalog.match`."""
    from clipsearch.search.retrieval import handicap_of, weigh
    from clipsearch.search.written import quote_picture

    options = options or SearchOptions()
    parsed, known_pictures = _with_feedback(query, options, session)
    session.require_pictures()
    row, reader = session.model.row, session.store.reader
    parts = reader.parts.of_contents([content_id]).get(content_id, ((content_id, None),))
    known = reader.embeddings([part_id for part_id, _ in parts], model_id=row.model_id, dim=row.dim)
    paths = reader.paths([content_id], filters=parsed.filters).get(content_id)
    if not known or not paths:
        raise UnknownPictureError(content_id)
    hit = SearchHit(0, math.nan, 1.0, paths[0], content_id, copies=tuple(paths[1:]))
    if not parsed.groups:
        return quote_picture(hit, parsed, session)
    embedded = embed_query(parsed, session, pictures=known_pictures, marked=len(options.feedback.more))
    background = session.background(session.vector_index("images"))
    directions = embedded.directions(background)
    unwanted = options.feedback.unwanted(session, background)
    embeddings = np.stack(list(known.values()))
    # (directions, parts)
    worth, scores = weigh(directions, lambda rows: rows @ embeddings.T, unwanted)
    part_of = dict(parts)
    handicaps = np.array([handicap_of(part_of[part_id]) for part_id in known], dtype=np.float32)
    best = int((worth.min(axis=0) - handicaps).argmax())
    least = int(worth[:, best].argmin())
    part_id = list(known)[best]
    own_level = background.own_levels_of([part_id], lambda _: {part_id: embeddings[best]})
    score = scores[least, best]
    (relevance,) = directions[least].relevances(score, own_level, handicaps[best]).tolist()
    hit = replace(hit, score=as_score(score), relevance=relevance, part=part_of[part_id])
    return quote_picture(embedded.explain([hit], directions, unwanted)[0], parsed, session)


def find_cutoff(confidence: float, session: Session) -> float:
    """Return the relevance threshold of a confidence, calibrating the catalog on first use."""
    session.require_pictures()
    return session.best_relevances().cutoff(confidence)
