"""Define the routes of the HTTP API that describe pictures: one, several, events of all, and contact sheets."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from clipsearch.ocr.lines import MOST_LINES
from clipsearch.web import schemas
from clipsearch.web.api import TopK
from clipsearch.web.heat_maps import heat_map_png
from clipsearch.web.hit_schemas import NearDuplicate
from clipsearch.web.paging import LINKED, After, PageDep
from clipsearch.web.part_schemas import Line, PartOf
from clipsearch.web.picture_schemas import Event, Events, Item, Records
from clipsearch.web.schemas import ContentId, problems
from clipsearch.web.sheets import add_contact_sheets
from clipsearch.web.state import Site
from clipsearch.web.thumbnails import FragmentQuery, find_part

# Records of one answer.
_MOST_RECORDS = 50

QueryText = Annotated[
    str,
    Query(
        max_length=4000,
        description="A query whose likely matches are taken, or filters; empty: all pictures.",
        examples=["taken:2024", "a dog"],
    ),
]


def make_picture_api(site: Site) -> APIRouter:
    """Create the router of /api/items, /api/events and /api/contact-sheet."""
    api = APIRouter(prefix="/api", responses=problems())
    catalog = site.catalog

    @api.get("/items", summary="Get all that is known of several pictures", tags=["pictures"])
    @site.lanes.queries
    def records(
        id: Annotated[
            list[ContentId], Query(min_length=1, max_length=_MOST_RECORDS, description="Id of a picture; repeated.")
        ],
    ) -> Records:
        return Records.of(catalog.pictures.records(list(dict.fromkeys(id))), dict.fromkeys(id))

    @api.get("/items/{id}", summary="Get the details of a picture", tags=["pictures"], responses=problems(404))
    @site.lanes.queries
    def item(id: int) -> Item:
        return Item.of(catalog.pictures.get(id))

    @api.get(
        "/items/{id}/parts",
        summary="List the scenes, pages or crops of a picture",
        tags=["pictures"],
        responses=problems(404),
    )
    @site.lanes.queries
    def parts(id: int) -> list[PartOf]:
        return [PartOf.of(part) for part in catalog.pictures.parts(id)]

    @api.get(
        "/items/{id}/text",
        summary="List the lines of text that were read in a picture",
        tags=["pictures"],
        responses={**LINKED, **problems(404)},
    )
    @site.lanes.queries
    def text_of(
        id: int,
        page: PageDep,
        k: Annotated[int, Query(ge=1, le=MOST_LINES, description="Number of lines.")] = MOST_LINES,
    ) -> list[Line]:
        return [Line.of(line) for line in page.list(lambda _: catalog.pictures.text(id), page_size=k)]

    @api.get(
        "/items/{id}/similar",
        summary="List copies and similar pictures",
        tags=["pictures"],
        responses={**LINKED, **problems(404)},
    )
    @site.lanes.queries
    def similar(id: int, page: PageDep, k: TopK = 12) -> list[NearDuplicate]:
        found = page.list(lambda count: catalog.pictures.near_duplicates(id, top_k=count), page_size=k)
        summaries = catalog.pictures.summaries([hit.content_id for hit in found])
        return [NearDuplicate.of(hit, summaries) for hit in found]

    @api.get(
        "/items/{id}/labels",
        summary="List the labels of a set that fit a picture",
        tags=["pictures"],
        responses=problems(404),
    )
    @site.lanes.queries
    def labels(
        id: int,
        page: PageDep,
        labels: Annotated[str, Query(max_length=200, description="Name of the set.", examples=["coco"])] = "coco",
        k: TopK = 5,
    ) -> schemas.Labels:
        embedding = catalog.pictures.embedding(id)
        found = page.slice(lambda count: catalog.labels.assign(embedding, labels, top_k=count), labels, page_size=k)
        shown = [schemas.Label.of(hit) for hit in found.items]
        return schemas.Labels(model=catalog.model.name, labels=shown, next=found.next)

    @api.get(
        "/items/{id}/heatmap",
        summary="Get a heat map of words, to overlay on the picture",
        tags=["pictures"],
        response_class=Response,
        responses={200: {"content": {"image/png": {}}, "description": "A PNG, mostly transparent."}, **problems(404)},
    )
    @site.lanes.thumbnails
    def heat_map(
        id: int,
        words: Annotated[str, Query(min_length=1, max_length=1000, examples=["a glazed donut"])],
        part: FragmentQuery = None,
    ) -> Response:
        shown = None if part is None else find_part(catalog.pictures.parts(id), part)
        png, (across, down) = heat_map_png(catalog, id, words, shown)
        return Response(png, media_type="image/png", headers={"X-Heat-Peak": f"{across:.3f},{down:.3f}"})

    @api.get("/events", summary="List events: pictures by day and place", tags=["pictures"], responses=problems(404))
    @site.lanes.queries
    def events(
        q: QueryText = "",
        k: Annotated[int, Query(ge=1, le=1000, description="Number of events.")] = 40,
        after: After = None,
    ) -> Events:
        parsed = site.understand(q)
        pictures = site.uploads.for_query(parsed)
        page = catalog.pictures.events(parsed, page_size=k, after=after, pictures=pictures)
        found = [Event.of(event) for event in page.events]
        return Events(query=q, events=found, total=page.total, undated=page.undated, next=page.next)

    add_contact_sheets(api, site)
    return api
