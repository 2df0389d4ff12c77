"""The pages that people see: HTML, whole or in parts for htmx to put in its place."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from clipsearch.errors import ClipSearchError, UnknownPictureError
from clipsearch.scoring.relevance import has_match
from clipsearch.web.errors import message_of, status_of
from clipsearch.web.page_query import Asked, AskedFor
from clipsearch.web.schemas import name_of
from clipsearch.web.search_view import find_results, make_tiles, weigh_links
from clipsearch.web.state import Site
from clipsearch.web.templating import render

_EXAMPLES = ("a glazed donut", "beach - people", "dog & snow", "sunset taken:2024..", "orientation:portrait")

# Labels of the detail view: the most common things there are pictures of.
_LABELS = "coco"


def make_pages(site: Site) -> APIRouter:
    pages = APIRouter(include_in_schema=False)
    catalog = site.catalog

    @pages.get("/")
    @site.lanes.questions
    def home(asked: AskedFor) -> Response:
        results = find_results(asked, site)
        return render(
            "home.html",
            status_code=results.status,
            asked=asked,
            results=results,
            examples=_EXAMPLES,
            status=site.status,
            facets=site.facets,
            may_index=site.may_index,
            is_indexing=site.job.status.state == "running",
            current_run=catalog.admin.current_run(),
        )

    @pages.get("/results")
    @site.lanes.questions
    def more(asked: AskedFor, after: Annotated[str, Query(max_length=300)]) -> Response:
        results = find_results(asked, site, after=after)
        return render("results.html", status_code=results.status, asked=asked, results=results)

    @pages.get("/pictures/{content_id}")
    @site.lanes.questions
    def picture(content_id: int, asked: AskedFor) -> Response:
        try:
            details = catalog.pictures.get(content_id)
        except UnknownPictureError as error:
            return render("message.html", status_code=404, message=str(error))
        hit, words = None, list[str]()
        links: tuple[str | None, str | None] = (None, None)
        try:
            links = weigh_links(content_id, asked)
            meant = replace(asked.meaning(), filters=())
            words = [term.value for group in meant.groups for term in group if term.kind == "words"]
            if meant.groups:
                hit = catalog.match(meant, content_id, pictures=site.uploads.for_query(meant))
        except ClipSearchError:
            pass  # the page with the hits says what is wrong; the picture can be looked at all the same
        path = Path(details.paths[0])
        return render(
            "picture.html",
            asked=asked,
            details=details,
            name=name_of(details.paths[0]),
            folder=str(path.parent),
            is_there=path.exists(),
            hit=hit,
            words=words,
            plus=links[0],
            minus=links[1],
            more_like=Asked(q=f"id:{content_id}").url(),
        )

    @pages.get("/pictures/{content_id}/words")
    @site.lanes.questions
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

    @pages.get("/pictures/{content_id}/similar")
    @site.lanes.questions
    def similar(content_id: int) -> Response:
        try:
            found = catalog.pictures.near_duplicates(content_id)
        except ClipSearchError as error:
            return render("message.html", status_code=status_of(error), message=message_of(error))
        return render("similar.html", tiles=make_tiles(found, Asked(), site))

    return pages
