"""Hits a page at a time, the same whatever is indexed meanwhile."""

import base64
import binascii
import json
from dataclasses import dataclass, replace

from blake3 import blake3

from clipsearch.errors import QueryError
from clipsearch.query import Query
from clipsearch.search.engine import SearchOptions, answer_query, find_cutoff
from clipsearch.search.hits import SearchHit, hits_html
from clipsearch.search.terms import parse_local
from clipsearch.session.session import Session
from clipsearch.text import check_top_k

__all__ = ["SearchOptions", "SearchPage", "find_page"]

MOST_HITS = 10_000
"""Each page looks at all hits before it; whoever wants more than this does not look at pictures."""


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Some hits of a query.

    Attributes:
        hits: ranks go on from the page before.
        next: what to ask for the next page with; None when this is the last.
    """

    hits: tuple[SearchHit, ...]
    next: str | None

    def _repr_html_(self) -> str:
        """Show the pictures in a notebook, where their files are there."""
        return hits_html(self.hits)


@dataclass(frozen=True, slots=True)
class _Position:
    """Where a page ends.

    Attributes:
        rank, content_id: of its last hit.
        newest: pictures with greater numbers came after the first page, and are left out.
    """

    rank: int
    content_id: int
    newest: int


def find_page(
    query: str | Query, session: Session, options: SearchOptions, *, after: str | None, confidence: float | None
) -> SearchPage:
    """Find a page of `options.top_k` hits, those that come after another page or the first ones."""
    page_size, min_relevance = options.top_k, options.min_relevance
    check_top_k(page_size)
    parsed = parse_local(query) if isinstance(query, str) else query
    session.require_pictures()
    # Of the confidence itself: what it comes to changes with the catalog, and a page must not become another search's.
    least = f"{min_relevance} {confidence}"
    key = blake3(f"{session.store.uuid} {least} {parsed}".encode("utf-8", "surrogatepass")).hexdigest()[:16]
    if confidence is not None:
        min_relevance = max(min_relevance, find_cutoff(confidence, session))
    position = _Position(0, 0, session.store.reader.newest_content_id()) if after is None else _read(after, key)
    # One more than is shown: whether there is a next page.
    wanted = min(position.rank + page_size + 1, MOST_HITS)
    while True:
        hits = answer_query(parsed, session, replace(options, top_k=wanted, min_relevance=min_relevance))
        left = _after(position, [hit for hit in hits if hit.content_id <= position.newest])
        if len(left) > page_size or len(hits) < wanted or wanted == MOST_HITS:
            break
        wanted = min(2 * wanted, MOST_HITS)
    shown = [replace(hit, rank=rank) for rank, hit in enumerate(left[:page_size], start=position.rank + 1)]
    is_last = len(left) <= page_size or not shown
    return SearchPage(tuple(shown), None if is_last else _cursor(shown[-1], position.newest, key))


def _after(position: _Position, hits: list[SearchHit]) -> list[SearchHit]:
    """The hits that come after the last one of a page."""
    if position.rank == 0:
        return hits
    for place, hit in enumerate(hits):
        if hit.content_id == position.content_id:
            return hits[place + 1 :]
    # It is gone; those after it have moved up by one.
    return hits[position.rank - 1 :]


def _cursor(last: SearchHit, newest: int, key: str) -> str:
    text = json.dumps([last.rank, last.content_id, newest, key], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read(cursor: str, key: str) -> _Position:
    """
    Raises:
        QueryError: it was not made for this query.
    """
    try:
        rank, content_id, newest, its_key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        numbers = [int(number) for number in (rank, content_id, newest)]
    except (ValueError, TypeError, binascii.Error, RecursionError, OverflowError):
        raise QueryError("that is no page of a search: leave 'after' out for the first one") from None
    if its_key != key or not all(0 < number < 1 << 62 for number in numbers):
        raise QueryError("that page belongs to another search: leave 'after' out for the first one")
    return _Position(*numbers)
