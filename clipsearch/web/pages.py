"""Define the HTML pages, whole or as fragments for htmx."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from clipsearch.description import NOTHING
from clipsearch.errors import ClipSearchError, UnknownPictureError
from clipsearch.formats import FILM_FORMATS
from clipsearch.gallery.details import CatalogFacets
from clipsearch.ocr.lines import TextLine
from clipsearch.parts import Part, locate
from clipsearch.query.filters import Filter, Pattern
from clipsearch.scoring.relevance import has_match
from clipsearch.web.errors import message_of, status_of
from clipsearch.web.films import can_play, is_film
from clipsearch.web.page_query import PageQuery, PageQueryDep
from clipsearch.web.query_edits import words_to_locate
from clipsearch.web.schemas import name_of
from clipsearch.web.search_view import (
    find_narrower,
    find_results,
    find_stack,
    make_tiles,
    mark_links,
    mark_of,
    picture_url,
    weigh_links,
)
from clipsearch.web.state import Site
from clipsearch.web.templating import render

_EXAMPLES = ("a glazed donut", "beach - people", "dog & snow", "sunset taken:2024..", "orientation:portrait")

# Label set of the detail view: the most common subjects.
_LABELS = "coco"


def _kinds_of(facets: CatalogFacets) -> list[tuple[str, str, int | None]]:
    """Return the kinds of files to choose from besides single formats: value of `type:`, label, number if known."""
    films = sum(number for name, number in facets.formats.items() if name in FILM_FORMATS)
    may_move = any(facets.formats.get(name) for name in ("GIF", "WEBP", "PNG", "AVIF"))
    kinds: list[tuple[str, str, int | None]] = [("film", "films", films)] if films else []
    return kinds + ([("animation", "animations", None)] if may_move else [])


def _name_links(key: str, names: Sequence[str]) -> list[tuple[str, str]]:
    """Return names with the pages of the pictures that have them."""
    return [(name, PageQuery(q=str(Filter(key, Pattern(name)))).url()) for name in names]


def make_pages(site: Site) -> APIRouter:
    """Create the router of the pages."""
    pages = APIRouter(include_in_schema=False)
    catalog = site.catalog

    @pages.get("/")
    @site.lanes.queries
    def home(page_query: PageQueryDep) -> Response:
        results = find_results(page_query, site)
        facets, current_run = catalog.pictures.facets(), catalog.admin.current_run()
        return render(
            "home.html",
            status_code=results.status,
            page_query=page_query,
            results=results,
            examples=_EXAMPLES,
            status=site.status,
            facets=facets,
            kinds=_kinds_of(facets),
            may_index=site.may_index,
            is_indexing=site.job.status.state == "running",
            current_run=current_run,
        )

    @pages.get("/results")
    @site.lanes.queries
    def more(page_query: PageQueryDep, after: Annotated[str, Query(max_length=300)]) -> Response:
        results = find_results(page_query, site, after=after)
        return render("results.html", status_code=results.status, page_query=page_query, results=results)

    @pages.get("/suggestions")
    @site.lanes.queries
    def suggestions(page_query: PageQueryDep) -> Response:
        return render("suggestions.html", found=find_narrower(page_query, site))

    @pages.get("/pictures/{content_id}")
    @site.lanes.queries
    def picture(
        content_id: int, page_query: PageQueryDep, part: Annotated[str | None, Query(max_length=64)] = None
    ) -> Response:
        try:
            details = catalog.pictures.get(content_id)
        except UnknownPictureError as error:
            return render("message.html", status_code=404, message=str(error))
        hit, words = None, list[str]()
        links: tuple[str | None, str | None] = (None, None)
        try:
            links = weigh_links(content_id, page_query)
            parsed = replace(page_query.parse(), filters=())
            words = words_to_locate(parsed)
            if parsed.groups or page_query.more:
                pictures = site.uploads.for_query(parsed)
                marks = page_query.more, page_query.less
                hit = catalog.match(parsed, content_id, pictures=pictures, more=marks[0], less=marks[1])
        except ClipSearchError:
            pass  # the page of hits reports the error; the picture is shown without a match
        path = Path(details.paths[0])
        known = catalog.pictures.parts(content_id)
        wanted = next((each for each in known if each.fragment == part), None if hit is None else hit.part)
        crop = None if wanted is None else wanted.box
        strip = [(each, picture_url(content_id, page_query, each)) for each in known if each.box is None]
        shown = (strip[0][0] if strip else None) if wanted is None or crop is not None else wanted
        return render(
            "picture.html",
            shown=shown,
            heat_part=wanted or shown,
            crop=crop,
            film_url=f"/api/films/{content_id}" if can_play(details) else None,
            is_film=is_film(details),
            parts=strip,
            lines=catalog.pictures.text(content_id),
            kind=catalog.pictures.kind(content_id),
            line=_drawn(None if hit is None else hit.line, shown),
            page_query=page_query,
            details=details,
            described=details.metadata.description or NOTHING,
            place=details.place,
            name_links=_name_links,
            name=name_of(details.paths[0]),
            folder=str(path.parent),
            is_there=path.exists(),
            hit=hit,
            words=words,
            plus=links[0],
            minus=links[1],
            mark=mark_of(content_id, page_query),
            marks=mark_links(content_id, page_query),
            more_like=PageQuery(q=f"id:{locate(str(content_id), wanted or shown)}").url(),
        )

    @pages.get("/pictures/{content_id}/words")
    @site.lanes.queries
    def words(content_id: int) -> Response:
        try:
            embedding = catalog.pictures.embedding(content_id)
            labels = catalog.labels.assign(embedding, _LABELS, top_k=5)
            captions = catalog.caption(embedding, top_k=3) if site.status.captions else []
        except ClipSearchError as error:
            return render("message.html", status_code=status_of(error), message=message_of(error))
        return render(
            "words.html",
            labels=labels,
            captions=captions,
            captions_match=has_match(hit.relevance for hit in captions),
        )

    @pages.get("/pictures/{content_id}/stack")
    @site.lanes.queries
    def stack(content_id: int, page_query: PageQueryDep) -> Response:
        return render("stack.html", tiles=find_stack(content_id, page_query, site))

    @pages.get("/pictures/{content_id}/similar")
    @site.lanes.queries
    def similar(content_id: int) -> Response:
        try:
            found = catalog.pictures.near_duplicates(content_id)
        except ClipSearchError as error:
            return render("message.html", status_code=status_of(error), message=message_of(error))
        return render("similar.html", tiles=make_tiles(found, PageQuery(), site))

    return pages


def _drawn(line: TextLine | None, shown: Part | None) -> TextLine | None:
    """Return a line where the page of a document that it is on is the one that is shown."""
    page = None if shown is None else shown.page
    return line if line is not None and line.page in (None, page) else None
