"""List the events that pictures were taken at, by day and place."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from clipsearch.places import place_of
from clipsearch.query.syntax import Query
from clipsearch.scoring.relevance import DEFAULT_CUTOFF
from clipsearch.search.cursors import cursor_key, decode_cursor, encode_cursor
from clipsearch.search.engine import SearchOptions, answer_query
from clipsearch.search.expansion import resolve_query
from clipsearch.search.sorting import MOST_SORTED
from clipsearch.search.terms import Pictures
from clipsearch.session.session import Session
from clipsearch.text import check_top_k

_EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Event:
    """Pictures of one day and one city, without a longer pause.

    Attributes:
        first_taken, last_taken: by the cameras' clocks.
        pictures: number of pictures.
        place: city or town, as in "Munich, Bavaria, Germany"; None where no picture has one.
        country: None likewise.
        content_id: the picture that represents it: of the highest rating, the one nearest to the middle.
    """

    first_taken: datetime
    last_taken: datetime
    pictures: int
    place: str | None
    country: str | None
    content_id: int

    @property
    def query(self) -> str:
        """Query of the pictures of its days: "taken:2024-07-04"."""
        first, last = (each.date().isoformat() for each in (self.first_taken, self.last_taken))
        return f"taken:{first}" if first == last else f"taken:{first}..{last}"


@dataclass(frozen=True, slots=True)
class EventPage:
    """One page of events, the last begun first.

    Attributes:
        next: cursor of the next page, for `after`; None when this is the last page.
        total: number of events of all pages.
        undated: number of pictures that are in no event, as their date is unknown or doubtful.
    """

    events: tuple[Event, ...]
    next: str | None
    total: int
    undated: int


def find_events(
    query: str | Query | None,
    session: Session,
    *,
    page_size: int,
    after: str | None,
    pictures: "Pictures | None" = None,
) -> EventPage:
    """Return one page of the events of a query's pictures, or of all; see `columns.events.find_events`.

    With terms these are the hits that are likely matches, up to `MOST_SORTED`. Pictures indexed after the first page
    are in no later one.

    Raises:
        QueryError: the query can't be understood, `page_size` is out of range, or `after` belongs to another query.
    """
    check_top_k(page_size)
    parsed = Query() if query is None else resolve_query(query, session)
    key = cursor_key(session.store.uuid, "events", parsed)
    if after is None:
        start, newest = 0, session.store.reader.newest_content_id()
    else:
        start, newest = decode_cursor(after, key, 2)
    among = _likely_matches(parsed, session, newest, pictures or {}) if parsed.groups else None
    filters = () if parsed.groups else parsed.filters
    rows = session.columns.ask(lambda columns: columns.events(filters, among=among, newest=newest))
    events = []
    for row in range(start, min(start + page_size, len(rows))):
        place = place_of(int(rows.code[row]))
        first, last = (_EPOCH + timedelta(microseconds=int(each[row])) for each in (rows.first, rows.last))
        name, country = (None, None) if place is None else (place.full_name, place.country)
        events.append(Event(first, last, int(rows.count[row]), name, country, int(rows.best[row])))
    end = start + page_size
    return EventPage(
        tuple(events), encode_cursor(key, end, newest) if end < len(rows) else None, len(rows), rows.undated
    )


def _likely_matches(query: Query, session: Session, newest: int, pictures: Pictures) -> Sequence[int]:
    options = SearchOptions(MOST_SORTED, pictures, DEFAULT_CUTOFF, newest=newest)
    return [hit.content_id for hit in answer_query(query, session, options)]
