"""Sort the hits of a query by date, by when they were added or by name, and list the pictures that pass filters."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, get_args

from clipsearch.columns.orders import Order, SortKey
from clipsearch.errors import QueryError
from clipsearch.scoring.relevance import DEFAULT_CUTOFF
from clipsearch.search.hits import SearchHit, reachable
from clipsearch.search.stacks import Shown, show_best, stack_keys
from clipsearch.session.session import Session
from clipsearch.types import Sort

if TYPE_CHECKING:
    from clipsearch.columns.table import Columns
    from clipsearch.query.filters import Filter

MOST_SORTED = 10_000
"""Upper limit of the hits that are sorted: the most relevant ones."""

NEAREST = 40
"""Hits that are sorted where none is relevant enough: the nearest ones."""

# Hits that are looked for first: mostly fewer are relevant enough.
_FIRST_SORTED = 1_000

DOUBTFUL = "doubtful"
"""In the place of the month of a doubtful date, see `months_of`."""

_EPOCH = datetime(1970, 1, 1)


def check_sort(sort: Sort, *, diverse: bool) -> None:
    """Check the order that is requested.

    Raises:
        QueryError: there is none of this name, or diverse hits, which have an order of their own, are to be sorted.
    """
    if sort not in get_args(Sort):
        *names, last = get_args(Sort)
        raise QueryError(f"sort takes {', '.join(names)} or {last}, not {str(sort)[:40]}")
    if diverse and sort != "relevance":
        raise QueryError(f"diverse hits have an order of their own: leave out sort={sort} or diverse")


def order_of(sort: Sort, *, reverse: bool, has_terms: bool) -> Order | None:
    """Return the order of pictures for a way to sort; None for that of relevance, which only terms have."""
    if sort == "relevance":
        return None if has_terms else Order("taken", reverse)
    return Order(sort, reverse)


def list_pictures(
    filters: "Sequence[Filter]",
    order: Order,
    session: Session,
    *,
    top_k: int,
    excluded: Sequence[int] = (),
    stacks: bool = False,
    newest: int | None = None,
) -> list[SearchHit]:
    """Return the first `top_k` pictures in an order that pass all filters, without the excluded ids.

    Args:
        stacks, newest: as in `search_pictures`; of a stack, the first one in the order.
    """
    store = session.store
    left_out = set(stack_keys(excluded, store).values()) if stacks else set(excluded)
    wanted = top_k + len(excluded)
    while True:
        in_order = session.columns.ask(partial(_first, filters, wanted, order))
        ids = [content_id for content_id in in_order if newest is None or content_id <= newest]
        keys = stack_keys(ids, store) if stacks else {content_id: content_id for content_id in ids}
        first: dict[int, int] = {}
        for content_id in ids:
            if keys[content_id] not in left_out:
                first.setdefault(keys[content_id], content_id)
        if len(first) >= top_k or len(in_order) < wanted:
            break
        wanted *= 2
    ids = list(first.values())[:top_k]
    paths = store.reader.paths(ids, filters=filters)
    found = [(content_id, reachable(paths[content_id])) for content_id in ids if content_id in paths]
    return [
        SearchHit(
            rank=rank, score=math.nan, relevance=1.0, path=files[0], content_id=content_id, copies=tuple(files[1:])
        )
        for rank, (content_id, files) in enumerate(found, start=1)
    ]


def _first(filters: "Sequence[Filter]", count: int, order: Order, columns: "Columns") -> list[int]:
    return columns.first(filters, count, order)


def find_fitting(find: Callable[[int, float], list[SearchHit]], min_relevance: float) -> list[SearchHit]:
    """Return the hits to sort, up to `MOST_SORTED`: those that are likely matches; else the `NEAREST` ones.

    Args:
        find: returns the best hits, up to a number, with at least a relevance.
        min_relevance: threshold; 0: `DEFAULT_CUTOFF`, and where no hit reaches that, none.
    """
    hits: list[SearchHit] = []
    for most in (_FIRST_SORTED, MOST_SORTED):
        hits = find(most, min_relevance or DEFAULT_CUTOFF)
        if len(hits) < most:
            break
    return hits if hits or min_relevance else find(NEAREST, 0.0)


def sort_hits(hits: Sequence[SearchHit], order: Order | None, shown: Shown | None, session: Session) -> list[SearchHit]:
    """Sort hits: a stack is where the first of its pictures is.

    Args:
        order: None: by relevance, the least relevant first.
        shown: which pictures of stacks may be shown; None: without stacks.
    """
    if order is None:
        ordered = list(reversed(hits))
    else:
        as_shown = hits if shown is None else show_best(hits, shown, session.store)
        keys = _keys_of(as_shown, order, session)
        known = [(key, hit) for key, hit in zip(keys, hits, strict=True) if key is not None]
        known.sort(key=lambda each: each[0], reverse=order.descends)
        ordered = [hit for _, hit in known]  # without those that were deleted meanwhile
    return [replace(hit, rank=rank) for rank, hit in enumerate(ordered, start=1)]


def months_of(hits: Sequence[SearchHit], order: Order, session: Session) -> list[str]:
    """Return the month of the date by which each hit is sorted: "2023-07", `DOUBTFUL`, or "" without a date."""
    found = []
    for key in _keys_of(hits, order, session):
        if key is None or key[1]:
            found.append("")
        elif key[0]:
            found.append(DOUBTFUL)
        else:
            found.append((_EPOCH + timedelta(microseconds=_date_of(key, order))).date().isoformat()[:7])
    return found


def _date_of(key: SortKey, order: Order) -> int:
    date: int = key[2] if order.is_reverse else -key[2]
    return date


def _keys_of(hits: Sequence[SearchHit], order: Order, session: Session) -> list[SortKey | None]:
    """Return what each hit is sorted by; None for one that is gone."""
    ids = [number for hit in hits for number in (hit.content_id, *hit.stack)]
    keys = session.columns.ask(lambda columns: columns.sort_keys(ids, order))
    first = max if order.descends else min
    return [
        first((keys[number] for number in (hit.content_id, *hit.stack) if number in keys), default=None) for hit in hits
    ]
