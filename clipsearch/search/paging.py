"""Page through hits with a cursor that is stable while pictures are indexed."""

from dataclasses import dataclass, replace

from clipsearch.query import Query
from clipsearch.search.cursors import MOST_HITS, cursor_key, decode_cursor, encode_cursor
from clipsearch.search.engine import SearchOptions, answer_query, find_cutoff
from clipsearch.search.expansion import resolve_query
from clipsearch.search.hits import SearchHit, hits_html
from clipsearch.search.sorting import months_of, order_of
from clipsearch.search.unmeasured import count_unmeasured
from clipsearch.session.session import Session
from clipsearch.text import check_top_k

__all__ = ["MOST_HITS", "SearchOptions", "SearchPage", "find_page"]


@dataclass(frozen=True, slots=True)
class SearchPage:
    """One page of the hits of a query.

    Attributes:
        hits: ranks continue from the previous page.
        next: cursor of the next page, for `after`; None when this is the last page.
        months: of each hit that of the date by which it is sorted, "2023-07", "doubtful", or "" without a date; empty
            where the hits are not sorted by date.
        month_before: of the last hit of the page before; None on the first page, and where `months` is empty.
        unmeasured: pictures of which its filters know nothing, see `search.unmeasured`; no notice is given of them.
    """

    hits: tuple[SearchHit, ...]
    next: str | None
    unmeasured: int = 0
    months: tuple[str, ...] = ()
    month_before: str | None = None

    def _repr_html_(self) -> str:
        """Render the pictures for a notebook, if their files exist."""
        return hits_html(self.hits)


@dataclass(frozen=True, slots=True)
class _Position:
    """Decoded cursor: the end of a page.

    Attributes:
        rank, content_id: of its last hit.
        newest: newest content id at the time of the first page; later pictures are excluded.
    """

    rank: int
    content_id: int
    newest: int


def find_page(
    query: str | Query, session: Session, options: SearchOptions, *, after: str | None, confidence: float | None
) -> SearchPage:
    """Return one page of `options.top_k` hits: the first one, or the one after a cursor."""
    page_size, min_relevance = options.top_k, options.min_relevance
    check_top_k(page_size)
    parsed = resolve_query(options.feedback.parse(query) if isinstance(query, str) else query, session)
    session.require_pictures()
    # The confidence itself, not its threshold, which changes with the catalog and would invalidate the cursor.
    others = f"{min_relevance} {confidence} {options.feedback} {options.stacks} {options.sort} {options.reverse}"
    others += "" if options.written else " unwritten"
    key = cursor_key(session.store.uuid, others, parsed)
    if confidence is not None:
        min_relevance = max(min_relevance, find_cutoff(confidence, session))
    if after is None:
        position = _Position(0, 0, session.store.reader.newest_content_id())
    else:
        position = _Position(*decode_cursor(after, key, 3))
    # One more than the page shows, to know whether there is a next page.
    wanted = min(position.rank + page_size + 1, MOST_HITS)
    unmeasured = count_unmeasured(parsed.filters, session)
    page_options = replace(options, top_k=wanted, min_relevance=min_relevance, newest=position.newest, notifies=False)
    hits = answer_query(parsed, session, page_options)
    left = hits[_end_of(position, hits) :]
    shown = [replace(hit, rank=rank) for rank, hit in enumerate(left[:page_size], start=position.rank + 1)]
    is_last = len(left) <= page_size or not shown
    cursor = None if is_last else encode_cursor(key, shown[-1].rank, shown[-1].content_id, position.newest)
    order = order_of(options.sort, reverse=options.reverse, has_terms=bool(parsed.groups or options.feedback.more))
    if order is None or order.by != "taken":
        return SearchPage(tuple(shown), cursor, unmeasured)
    before = hits[: len(hits) - len(left)][-1:]
    months = months_of([*before, *shown], order, session)
    month_before = months.pop(0) if before else None
    return SearchPage(tuple(shown), cursor, unmeasured, tuple(months), month_before)


def _end_of(position: _Position, hits: list[SearchHit]) -> int:
    """Return the number of hits up to the last one of a page."""
    if position.rank == 0:
        return 0
    for place, hit in enumerate(hits):
        if hit.content_id == position.content_id or position.content_id in hit.stack:
            return place + 1
    # The last hit was deleted, so those after it have moved up by one.
    return position.rank - 1
