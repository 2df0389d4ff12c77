"""Count and choose pictures of a catalog or a query: facets, years, events, a map, unusual and representative ones."""

import builtins
from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING

from clipsearch.gallery.details import CatalogFacets, OnThisDay
from clipsearch.paths import StrPath, absolute_folders
from clipsearch.query.times import on_this_day
from clipsearch.session.albums import count_albums
from clipsearch.session.session import Session

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from clipsearch.gallery.curation import RepresentativePicture, UnusualPicture
    from clipsearch.gallery.events import EventPage
    from clipsearch.query.filters import Filter
    from clipsearch.query.syntax import Query
    from clipsearch.search.terms import Pictures
    from clipsearch.session.map_file import PictureMap


class PictureOverview:
    """Part of `PictureCollection` that is about many pictures at once."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def events(
        self,
        query: "str | Query | None" = None,
        *,
        page_size: int = 40,
        after: str | None = None,
        pictures: "Pictures | None" = None,
    ) -> "EventPage":
        """List events, pictures of one day and one city without a pause of 4 hours, the last begun first.

        A day begins at 4 o'clock. Doubtful dates are in no event.

        Args:
            query: filters; with terms, its up to 10,000 hits with a relevance of at least `DEFAULT_CUTOFF`. None: all
                pictures.
            after: `EventPage.next` of the page before.
            pictures: those in the query, as in `Catalog.search`.

        Raises:
            QueryError: it can't be understood, `page_size` is less than 1, or `after` belongs to another query.
        """
        from clipsearch.gallery.events import find_events

        return find_events(query, self._session, page_size=page_size, after=after, pictures=pictures)

    def facets(self, query: "str | Query | None" = None) -> CatalogFacets:
        """Return the facets of the catalog, or of the pictures that pass the filters of a query.

        Cameras, formats, folders, dates, flaws, albums, and what is written about them; empty for an empty catalog.
        What a query has beside filters is ignored.

        Raises:
            QueryError: it can't be understood.
        """
        filters = self._filters_of(query)
        found = self._session.columns.ask(lambda columns: columns.facets(filters))
        folders = self._session.store.reader.folders_by_id()
        shown = folders.values() if query is None else (folders[root] for root in found.roots if root in folders)
        return CatalogFacets(
            cameras=found.cameras,
            formats=found.formats,
            folders=tuple(sorted(shown)),
            first_taken=found.first_taken,
            last_taken=found.last_taken,
            blurred=found.blurred,
            dark=found.dark,
            pictures=found.pictures,
            written=found.written,
            albums=count_albums(
                lambda: self._session.columns.ask(lambda columns: columns.select_ids(filters)), self._session.store
            ),
        )

    def count(self, query: "str | Query | None" = None) -> int:
        """Count the pictures that pass the filters of a query, or all.

        Raises:
            QueryError: it can't be understood.
        """
        filters = self._filters_of(query)
        return self._session.columns.ask(lambda columns: columns.count(filters))

    def likely(self, query: "Query", *, pictures: "Pictures | None" = None) -> "builtins.list[int]":
        """Return the ids of the likely matches of a query with terms, up to the 10,000 most relevant.

        Each picture of a stack counts.

        Args:
            pictures: those in the query, as in `Catalog.search`.

        Raises:
            QueryError: it can't be understood.
            CatalogNotFoundError: no picture was ever indexed.
        """
        from clipsearch.search.likely import find_likely

        return find_likely(query, self._session, pictures or {})

    def years(self, query: "str | Query | None" = None) -> dict[int, int]:
        """Count the pictures that pass the filters of a query by the year they were taken, without doubtful dates.

        Raises:
            QueryError: it can't be understood.
        """
        filters = self._filters_of(query)
        return self._session.columns.ask(lambda columns: columns.years(filters))

    def on_this_day(self, today: date | None = None) -> OnThisDay:
        """Count the pictures of today's day and month in earlier years.

        Args:
            today: None: that of this machine's clock.
        """
        query = on_this_day(today or date.today())
        return OnThisDay(query, self.years(query))

    def last_change(self) -> int:
        """Return the number of the last change of pictures and their files, which grows with each."""
        return self._session.store.column_rows.state().last_change

    def unusual(
        self,
        query: "str | Query | None" = None,
        *,
        folders: Sequence[StrPath] = (),
        top_k: int = 10,
        pictures: "Pictures | None" = None,
    ) -> "builtins.list[UnusualPicture]":
        """Find the pictures that are least like any other of the query and the folders, or of all.

        They have the lowest mean cosine to their 10 nearest neighbours, see `gallery.curation`.

        Args:
            query: filters; with terms, its up to 1,000 hits with a relevance of at least `DEFAULT_CUTOFF`.
            folders: indexed ones, or subfolders of them; any of these.
            pictures: those in the query, as in `Catalog.search`.

        Raises:
            QueryError: it can't be understood, or `top_k` is less than 1.
            InputError: nothing below one of the folders was indexed.
        """
        from clipsearch.gallery.curation import find_unusual

        return find_unusual(query, absolute_folders(folders), self._session, top_k=top_k, pictures=pictures)

    def representative(
        self,
        query: "str | Query | None" = None,
        *,
        folders: Sequence[StrPath] = (),
        top_k: int = 10,
        pictures: "Pictures | None" = None,
    ) -> "builtins.list[RepresentativePicture]":
        """Choose a few pictures that all of the query and the folders are near to, the largest share first.

        Arguments and errors as in `unusual`.
        """
        from clipsearch.gallery.curation import find_representative

        return find_representative(query, absolute_folders(folders), self._session, top_k=top_k, pictures=pictures)

    def count_unmeasured(self, query: "str | Query") -> int:
        """Count the pictures of which a query's filters `sharp:` and `bright:` know nothing; 0 without such filters.

        `Catalog.index` with `again` measures them.

        Raises:
            QueryError: it can't be understood.
        """
        from clipsearch.search.unmeasured import count_unmeasured

        return count_unmeasured(self._filters_of(query), self._session)

    def map(self, *, remake: bool = False, on_progress: Callable[[int, int], None] | None = None) -> "PictureMap":
        """Return the map of meaning: all pictures in two dimensions, near ones alike, with named regions.

        It is made when there is none, or when more than a tenth of its pictures came later; until then, new pictures
        are placed next to those that they are most like. Deterministic; see `scoring.layout`.

        Args:
            remake: make it in any case.
            on_progress: called with (steps done, steps) while it is made.

        Raises:
            CatalogNotFoundError: there is no picture.
        """
        from clipsearch.gallery.map import get_map

        return get_map(self._session, remake=remake, on_progress=on_progress)

    def years_of(self, content_ids: "NDArray[np.int64]") -> "NDArray[np.int64]":
        """Return the year (n,) in which each picture was taken, from its content id; 0 where that is not sure."""
        return self._session.columns.ask(lambda columns: columns.years_of(content_ids))

    def find_map(self) -> "PictureMap | None":
        """Return the map of meaning as `map` does; None where it was not made yet."""
        return self._session.map.find() if self._session.store.reader.find_current_model() is not None else None

    def _filters_of(self, query: "str | Query | None") -> "tuple[Filter, ...]":
        from clipsearch.search.expansion import resolve_query

        return () if query is None else resolve_query(query, self._session).filters
