"""Prepare the tabs of the page: saved searches and albums, and the search that can be saved."""

from dataclasses import dataclass, field

from clipsearch.errors import QueryError
from clipsearch.query.filters import FAVOURITES, Filter, Pattern, quoted
from clipsearch.search.saved import MOST_QUERY_CHARACTERS
from clipsearch.web.page_query import PageQuery
from clipsearch.web.state import Site

# Tabs of each kind.
_MOST_TABS = 50


@dataclass(frozen=True, slots=True)
class Tab:
    """A saved search, or an album."""

    label: str
    url: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class Tabs:
    """Template data of the tabs.

    Attributes:
        tabs: all pictures first; empty where nothing is saved.
        to_save: text of the query with its filters; "" where there is nothing that can be saved.
    """

    tabs: list[Tab] = field(default_factory=list)
    to_save: str = ""


def make_tabs(page_query: PageQuery, site: Site) -> Tabs:
    """Build the tabs, with the one that shows what the page does."""
    saved = [(f"@{each.name}", f"@{each.name}") for each in site.catalog.saved.list()[:_MOST_TABS]]
    albums = [
        ("★ Favourites" if name == FAVOURITES else name, str(Filter("album", Pattern(name))))
        for name in site.catalog.albums.names()[:_MOST_TABS]
    ]
    queries = [("All pictures", ""), *albums[:1], *saved, *albums[1:]]
    shown = _shown(page_query)
    tabs = [Tab(label, PageQuery(q=q).url(), q == shown) for label, q in queries]
    is_saved = any(tab.is_current for tab in tabs)
    return Tabs(tabs if len(tabs) > 1 else [], "" if is_saved else _text_of(page_query))


def _shown(page_query: PageQuery) -> str | None:
    """Return the query that the page is of, in one form; None where it has more, or is not valid."""
    try:
        return str(page_query.typed) if page_query == PageQuery(q=page_query.q) else None
    except QueryError:
        return None


def _text_of(page_query: PageQuery) -> str:
    """Return a query with its filters in the query language, the words as they were written."""
    try:
        filters = page_query.parse().filters[len(page_query.typed.filters) :]
    except QueryError:
        return ""
    words = quoted(page_query.q) if page_query.text and page_query.q else page_query.q
    text = " ".join(filter(None, (words, *map(str, filters))))
    is_named = not any(term.kind == "picture" for group in page_query.typed.groups for term in group)
    return text if is_named and len(text) <= MOST_QUERY_CHARACTERS else ""
