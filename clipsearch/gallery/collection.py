"""The part of a catalog that has to do with looking at its pictures."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from clipsearch.session.session import CatalogParts
from clipsearch.types import SearchHit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from clipsearch.encoders.embed_image import PictureSource
    from clipsearch.gallery.details import CatalogFacets, PictureDetails
    from clipsearch.gallery.duplicates import NearDuplicate
    from clipsearch.gallery.heat_map import HeatMap
    from clipsearch.query import Query
    from clipsearch.search.paging import SearchPage


class BrowsingCatalog:
    """What `Catalog` does to show its pictures; made by it alone."""

    _parts: CatalogParts

    def warm_up(self) -> None:
        """Loads what the first search would have to wait for.

        Raises:
            ModelUnavailableError: the model's files are not here.
        """
        if self._parts.store.reader.find_current_model() is not None:
            self._parts.background(self._parts.index("images"))
        self._parts.model.encoder.encode_texts(["a picture"])

    def check_place(self) -> None:
        """For programs that keep a catalog open for long; what they write would be lost with its file.

        Raises:
            CatalogReplacedError: it was deleted or replaced since it was opened.
        """
        self._parts.store.check_place()

    def search_page(
        self,
        query: "str | Query",
        *,
        page_size: int = 40,
        after: str | None = None,
        pictures: "Mapping[str, PictureSource | NDArray[np.float32]] | None" = None,
        min_relevance: float = 0.0,
        confidence: float | None = None,
    ) -> "SearchPage":
        """The hits of a query a page at a time, as in `search`. What is indexed after the first page is not in the
        others, so that no picture comes twice and none is left out; the first 10,000 can be had.

        Args:
            query: `Query()` means all pictures, the last taken first.
            after: `SearchPage.next` of the page before.
            confidence: leave out what is less relevant than `Catalog.cutoff_for` says, too.

        Raises:
            QueryError: `after` belongs to another query; else as in `search` and `cutoff_for`.
        """
        from clipsearch.search.paging import search_page

        return search_page(
            query,
            self._parts,
            page_size=page_size,
            after=after,
            pictures=pictures or {},
            min_relevance=min_relevance,
            confidence=confidence,
        )

    def suggest(self, query: "str | Query") -> str | None:
        """The query with its typing errors corrected, in the language of queries; None where it seems to have none.

        Words are known that captions, labels or the texts of the bank have, or that the model has a token for. Queries
        with pictures or filters in them are left alone.

        Raises:
            CatalogNotFoundError: nothing was ever indexed.
            QueryError: it can't be understood.
        """
        from clipsearch.search.suggestions import suggest_query

        return suggest_query(query, self._parts)

    def match(
        self,
        query: "PictureSource | Query",
        content_id: int,
        *,
        pictures: "Mapping[str, PictureSource | NDArray[np.float32]] | None" = None,
    ) -> SearchHit:
        """What one picture has to do with a query, term by term; its rank is 0, for it is not looked for.

        Raises:
            UnknownPictureError: the catalog has no picture with that number; else as in `search`.
        """
        from clipsearch.search.engine import match_picture

        return match_picture(query, content_id, self._parts, pictures=pictures or {})

    def details(self, content_id: int) -> "PictureDetails":
        """What is known of one picture.

        Raises:
            UnknownPictureError: the catalog has no picture with that number.
        """
        from clipsearch.gallery.details import get_details

        return get_details(content_id, self._parts)

    def list_details(self, content_ids: Sequence[int]) -> "list[PictureDetails]":
        """What is known of some pictures, in their order; those that are not there any more are left out."""
        from clipsearch.gallery.details import find_details

        return find_details(content_ids, self._parts)

    def facets(self) -> "CatalogFacets":
        """What there is to filter by: cameras, formats, folders, dates."""
        from clipsearch.gallery.details import find_facets

        return find_facets(self._parts)

    def thumbnail(self, content_id: int, *, side: int = 512) -> bytes:
        """A picture as people see it, as a JPEG at most `side` pixels wide and high, without any metadata. It is kept
        in the cache; what has to be decoded is decoded in a process of its own, within limits of time and memory.

        Raises:
            UnknownPictureError: the catalog has no picture with that number.
            ImageReadError: its file is not there, has changed, or can't be decoded.
            InputError: `side` is not from 1 to 65,535.
        """
        from clipsearch.gallery.details import thumbnail_of

        return thumbnail_of(content_id, side, self._parts, self._parts.thumbnails)

    def embedding(self, content_id: int) -> "NDArray[np.float32]":
        """The embedding (dim,), unit-norm, of a picture of the catalog; `caption`, `label` and `classify` take it in
        place of the picture.

        Raises:
            CatalogNotFoundError: nothing was ever indexed.
            UnknownPictureError: the catalog has no picture with that number.
        """
        from clipsearch.gallery.details import get_embedding

        return get_embedding(content_id, self._parts)

    def explain(self, picture: "PictureSource", words: str) -> "HeatMap":
        """Where in a picture words are found; `draw_heat_map` makes a picture of it.

        Raises:
            QueryError: no words.
            ImageReadError: the picture can't be read.
        """
        from clipsearch.gallery.heat_map import make_heat_map
        from clipsearch.text import check_text

        check_text(words, "text")
        model = self._parts.model
        return make_heat_map(picture, words, model.encode_text(words), encoder=model.encoder)

    def near_duplicates(self, content_id: int, *, top_k: int = 12) -> "list[NearDuplicate]":
        """Copies of a picture of the catalog and pictures similar to it, as `duplicates` decides, likely ones first.

        Raises:
            CatalogNotFoundError: nothing was ever indexed.
            UnknownPictureError: the catalog has no picture with that number.
        """
        from clipsearch.gallery.duplicates.nearest import near_duplicates

        return near_duplicates(content_id, self._parts, top_k=top_k)

    def embed_file(self, path: str) -> "NDArray[np.float32]":
        """The embedding (dim,), unit-norm, of a picture file that nobody vouches for: it is decoded in a process of its
        own, within limits of time and memory.

        Raises:
            InputError: there is no such file.
            ImageReadError: it can't be read or decoded.
        """
        from clipsearch.gallery.details import embed_file

        return embed_file(path, self._parts)
