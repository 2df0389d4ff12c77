"""Serve contact sheets: several pictures as one JPEG."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import Response

from clipsearch.errors import QueryError
from clipsearch.gallery.sheet_image import MOST_TILES
from clipsearch.search.hits import SearchHit
from clipsearch.web.paging import After, next_link
from clipsearch.web.schemas import ContentId, problems
from clipsearch.web.state import Site


def add_contact_sheets(api: APIRouter, site: Site) -> None:
    """Add the route to the HTTP API."""
    catalog = site.catalog

    @api.get(
        "/contact-sheet",
        summary="Draw several pictures as one JPEG, each above its number and id",
        tags=["pictures"],
        response_class=Response,
        responses={
            200: {
                "content": {"image/jpeg": {}},
                "description": "A JPEG of at most 1,536 pixels a side.",
                "headers": {
                    "X-Ids": {"description": "Ids of its pictures, in their order.", "schema": {"type": "string"}},
                    "Link": {"description": "The next page of a query.", "schema": {"type": "string"}},
                },
            },
            **problems(404),
        },
    )
    @site.lanes.thumbnails
    def contact_sheet(
        request: Request,
        q: Annotated[str, Query(max_length=4000, description="A query.", examples=["a dog"])] = "",
        id: Annotated[
            tuple[ContentId, ...], Query(max_length=MOST_TILES, description="Id of a picture, in the place of a query.")
        ] = (),
        k: Annotated[int, Query(ge=1, le=MOST_TILES, description="Number of pictures of a query.")] = 20,
        after: After = None,
    ) -> Response:
        if bool(q.strip()) == bool(id):
            raise QueryError("name a query or ids of pictures: q or id")
        if id and after is not None:
            raise QueryError("after is the cursor of a query: ids have no next page")
        shown: list[int | SearchHit] = []
        headers = {}
        if id:
            known = catalog.pictures.summaries(id)
            shown += [each for each in dict.fromkeys(id) if each in known]
        else:
            parsed = site.understand(q)
            pictures = site.uploads.for_query(parsed)
            page = catalog.search_page(parsed, page_size=k, after=after, pictures=pictures)
            shown += page.hits
            headers = {} if page.next is None else {"Link": next_link(request, page.next)}
        if not shown:
            raise HTTPException(404, "no picture matches")
        headers["X-Ids"] = ",".join(str(each if isinstance(each, int) else each.content_id) for each in shown)
        return Response(catalog.pictures.contact_sheet(shown), media_type="image/jpeg", headers=headers)
