"""Save searches under a name, search for them as `@name`, and report the new pictures that match one."""

import builtins
from collections.abc import Iterator
from dataclasses import replace

from clipsearch.errors import InputError, NameTakenError, QueryError, UnknownConceptError
from clipsearch.query import Query, concept_name
from clipsearch.query.filters import listed
from clipsearch.search.engine import SearchOptions, answer_query
from clipsearch.search.expansion import expand_search, resolve_query
from clipsearch.search.hits import SearchHit
from clipsearch.session.concepts import get_concept
from clipsearch.session.session import Session
from clipsearch.store.records import SavedSearch, utc_now
from clipsearch.text import check_text

MOST_QUERY_CHARACTERS = 4_000
"""Upper limit of a saved query, that of the page's search field."""


class SavedSearches:
    """`Catalog.saved`: searches under a name, to search for as `@name`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._session.describe()}>"

    def add(self, name: str, query: str, *, replace: bool = False) -> SavedSearch:
        """Save a search under a name.

        It is kept as it is written: "last month" is the month before the one in which it is searched for.

        Args:
            name: letters, digits, hyphens and underscores, with or without an @; case-insensitive.
            query: in the query language. A picture in it is one of the catalog, as in "id:42".
            replace: an older search of this name.

        Raises:
            InputError: the name is invalid, or that of a concept.
            NameTakenError: it is that of another search, without `replace`.
            QueryError: the query is invalid, names a file or a URL, or refers to itself or to an unknown name.
        """
        folded, store = _folded(name), self._session.store
        check_text(query, "query")
        query = " ".join(query.split())
        if not query.isprintable():
            raise QueryError(f"the query has characters that are no text: {query[:80]!r}")
        if len(query) > MOST_QUERY_CHARACTERS:
            raise QueryError(f"a saved search has up to {MOST_QUERY_CHARACTERS:,} characters, not {len(query):,}")
        if store.concepts.find(folded) is not None:
            raise InputError(f"@{folded} is a concept: choose another name")
        found = expand_search(SavedSearch(folded, query, utc_now()), self._session)
        for other in sorted({term.value for group in found.groups for term in group if term.kind == "concept"}):
            get_concept(other, store, is_in_query=True)
        if not store.saved_searches.set(folded, query, replace=replace):
            raise NameTakenError(f"there is a saved search @{folded} already: {self.get(folded).query[:80]}")
        return self.get(folded)

    def list(self) -> builtins.list[SavedSearch]:
        """List all saved searches by name."""
        return self._session.store.saved_searches.list_all()

    def get(self, name: str) -> SavedSearch:
        """Return a saved search.

        Raises:
            UnknownConceptError: there is none of this name.
        """
        folded = _folded(name)
        found = self._session.store.saved_searches.find(folded)
        if found is None:
            raise UnknownConceptError(f"there is no saved search @{folded}")
        return found

    def remove(self, name: str) -> bool:
        """Delete a saved search; return whether there was one."""
        return self._session.store.saved_searches.remove(_folded(name))

    def expand(self, query: "str | Query") -> Query:
        """Return a query with saved searches in the place of their names, as a search does it.

        Raises:
            QueryError: it is invalid, or a saved search in it is.
        """
        return resolve_query(query, self._session)

    def new_matches(self, name: str) -> Iterator[SearchHit]:
        """Yield the likely matches of a saved search that were indexed since it was asked for its matches last.

        In the order they were indexed; at the first time there are none. A picture is recorded as reported when the
        next one is asked for, so that an interrupted caller gets the last one again and loses none.

        Raises:
            UnknownConceptError: there is no saved search of this name.
            QueryError: it is invalid.
        """
        saved, store = self.get(name), self._session.store
        newest = store.reader.newest_content_id()
        if saved.reported_id is not None and saved.reported_id < newest:
            yield from self._matches(saved, range(saved.reported_id + 1, newest + 1))
        store.saved_searches.set_reported(saved.name, newest)

    def _matches(self, saved: SavedSearch, content_ids: range) -> Iterator[SearchHit]:
        from clipsearch.scoring.relevance import DEFAULT_CUTOFF

        query = expand_search(saved, self._session)
        query = replace(query, filters=(*query.filters, listed(content_ids)))
        options = SearchOptions(
            len(content_ids), min_relevance=DEFAULT_CUTOFF if query.groups else 0.0, newest=content_ids[-1]
        )
        hits = answer_query(query, self._session, replace(options, notifies=False))
        for hit in sorted(hits, key=lambda hit: hit.content_id):
            yield hit
            self._session.store.saved_searches.set_reported(saved.name, hit.content_id)


def _folded(name: str) -> str:
    folded = concept_name(name.removeprefix("@"))
    if folded is None:
        raise InputError(
            f"invalid name of a saved search: {name[:80]!r}; use letters, digits, - and _, up to 64, as in last-summer"
        )
    return folded
