"""Define the HTML pages of one picture, whole or as fragments for htmx."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from clipsearch.description import NOTHING
from clipsearch.errors import ClipSearchError, UnknownPictureError
from clipsearch.ocr.lines import TextLine
from clipsearch.parts import Part, locate
from clipsearch.query.filters import Filter, Pattern
from clipsearch.scoring.relevance import has_match
from clipsearch.web.errors import message_of, status_of
from clipsearch.web.films import can_play, is_film
from clipsearch.web.page_query import PageQuery, PageQueryDep
from clipsearch.web.query_edits import words_to_locate
from clipsearch.web.reveal import is_local
from clipsearch.web.schemas import name_of
from clipsearch.web.search_view import find_stack, make_tiles, mark_links, mark_of, picture_url, weigh_links
from clipsearch.web.state import Site
from clipsearch.web.templating import render

# Label set of the detail view: the most common subjects.
_LABELS = "coco"


def _name_links(key: str, names: Sequence[str]) -> list[tuple[str, str]]:
    """Return names with the pages of the pictures that have them."""
    return [(name, PageQuery(q=str(Filter(key, Pattern(name)))).url()) for name in names]


def add_picture_pages(pages: APIRouter, site: Site) -> None:
    """Add the pages of one picture to those of the site."""
    catalog = site.catalog

    @pages.get("/pictures/{content_id}")
    @site.lanes.queries
    def picture(
        content_id: int,
        request: Request,
        page_query: PageQueryDep,
        part: Annotated[str | None, Query(max_length=64)] = None,
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
            may_reveal=site.may_reveal and is_local(request),
            may_index=site.may_index,
            albums=catalog.albums.of([content_id]).get(content_id, []),
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
    def stack(
        content_id: int, page_query: PageQueryDep, skipped: Annotated[int, Query(ge=0, le=1 << 31)] = 0
    ) -> Response:
        tiles, left = find_stack(content_id, page_query, site, skipped=skipped)
        more_url = page_query.url(f"/pictures/{content_id}/stack", skipped=str(skipped + len(tiles)))
        return render("stack.html", tiles=tiles, left=left, stack_of=content_id, more_url=more_url)

    @pages.get("/pictures/{content_id}/similar")
    @site.lanes.queries
    def similar(content_id: int) -> Response:
        try:
            found = catalog.pictures.near_duplicates(content_id)
        except ClipSearchError as error:
            return render("message.html", status_code=status_of(error), message=message_of(error))
        return render("similar.html", content_id=content_id, tiles=make_tiles(found, PageQuery(), site))


def _drawn(line: TextLine | None, shown: Part | None) -> TextLine | None:
    """Return a line where the page of a document that it is on is the one that is shown."""
    page = None if shown is None else shown.page
    return line if line is not None and line.page in (None, page) else None
