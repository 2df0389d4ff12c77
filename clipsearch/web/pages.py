"""Define the HTML pages, whole or as fragments for htmx."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from clipsearch.errors import ClipSearchError
from clipsearch.web.errors import message_of, status_of
from clipsearch.web.facet_panel import make_panel
from clipsearch.web.page_query import PageQueryDep
from clipsearch.web.picture_pages import add_picture_pages
from clipsearch.web.search_view import find_narrower, find_results
from clipsearch.web.start_page import make_start
from clipsearch.web.state import CachedValue, Site
from clipsearch.web.tabs import make_tabs
from clipsearch.web.templating import render


def make_pages(site: Site) -> APIRouter:
    """Create the router of the pages."""
    pages = APIRouter(include_in_schema=False)
    catalog = site.catalog
    start = CachedValue(lambda: make_start(site))

    @pages.get("/")
    @site.lanes.queries
    def home(page_query: PageQueryDep) -> Response:
        results = find_results(page_query, site)
        panel, facets = make_panel(page_query, site)
        current_run = catalog.admin.current_run()
        return render(
            "home.html",
            status_code=results.status,
            page_query=page_query,
            results=results,
            tabs=make_tabs(page_query, site),
            is_live=False,
            start=start.peek(site.job.runs) if page_query.is_blank else None,
            status=site.status,
            panel=panel,
            facets=facets,
            folders=site.status.folders,
            may_index=site.may_index,
            is_indexing=site.job.status.state == "running",
            current_run=current_run,
        )

    @pages.get("/live")
    @site.lanes.queries
    def live(page_query: PageQueryDep) -> Response:
        results = find_results(page_query, site, is_live=True)
        return render(
            "content.html",
            status_code=results.status if results.status >= 500 else 200,
            page_query=page_query,
            results=results,
            tabs=make_tabs(page_query, site),
            is_live=True,
            start=start.peek(site.job.runs) if page_query.is_blank else None,
            status=site.status,
            may_index=site.may_index,
            is_indexing=site.job.status.state == "running",
            current_run=None,
        )

    @pages.get("/start")
    @site.lanes.queries
    def start_page() -> Response:
        try:
            return render("start.html", start=start.get(site.job.runs))
        except ClipSearchError as error:
            return render("message.html", status_code=status_of(error), message=message_of(error))

    @pages.get("/results")
    @site.lanes.queries
    def more(page_query: PageQueryDep, after: Annotated[str, Query(max_length=300)]) -> Response:
        results = find_results(page_query, site, after=after)
        return render("results.html", status_code=results.status, page_query=page_query, results=results)

    @pages.get("/filters")
    @site.lanes.queries
    def filters(page_query: PageQueryDep) -> Response:
        panel, facets = make_panel(page_query, site, likely=True)
        return render("filters.html", page_query=page_query, panel=panel, facets=facets)

    @pages.get("/suggestions")
    @site.lanes.queries
    def suggestions(page_query: PageQueryDep, corrects: bool = False) -> Response:
        return render("suggestions.html", found=find_narrower(page_query, site, corrects=corrects))

    add_picture_pages(pages, site)
    return pages
