"""Define the routes of the HTTP API that choose unusual and representative pictures."""

from typing import Annotated

from fastapi import APIRouter, Query

from clipsearch.query import Query as ParsedQuery
from clipsearch.query import parse_query
from clipsearch.search.terms import Pictures
from clipsearch.web import schemas
from clipsearch.web.api import TopK
from clipsearch.web.paging import LINKED, PageDep
from clipsearch.web.schemas import problems
from clipsearch.web.state import Site

FewPictures = Annotated[int, Query(ge=1, le=100, description="Number of results.")]
Selection = Annotated[
    str,
    Query(
        max_length=4000,
        description="Filters, or a query whose matches are taken; empty: all pictures.",
        examples=["path:2024", "a dog"],
    ),
]


def make_curation_api(site: Site) -> APIRouter:
    """Create the router of /api/unusual and /api/representative."""
    api = APIRouter(prefix="/api", responses=problems())
    catalog = site.catalog

    @api.get("/unusual", summary="List the pictures that are least like the others", tags=["search"], responses=LINKED)
    @site.lanes.queries
    def unusual(page: PageDep, q: Selection = "", k: TopK = 10) -> list[schemas.UnusualPicture]:
        parsed, pictures = selected(q)
        found = page.list(
            lambda count: catalog.pictures.unusual(parsed, top_k=count, pictures=pictures), parsed, page_size=k
        )
        return [schemas.UnusualPicture.of(each) for each in found]

    @api.get("/representative", summary="Choose pictures that represent the others", tags=["search"])
    @site.lanes.queries
    def representative(q: Selection = "", k: FewPictures = 10) -> list[schemas.RepresentativePicture]:
        parsed, pictures = selected(q)
        found = catalog.pictures.representative(parsed, top_k=k, pictures=pictures)
        return [schemas.RepresentativePicture.of(each) for each in found]

    def selected(q: str) -> tuple[ParsedQuery, Pictures]:
        parsed = parse_query(q) if q.strip() else ParsedQuery()
        return parsed, site.uploads.for_query(parsed)

    return api
