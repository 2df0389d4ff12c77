"""Define the routes of the HTTP API that list duplicates, and those that were marked; nothing is deleted."""

import os
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from clipsearch.errors import InputError
from clipsearch.web import duplicate_schemas as schemas
from clipsearch.web.duplicate_view import (
    GROUPS_PER_PAGE,
    FilterDep,
    find_groups,
    find_marked,
    require_token,
    whole_pictures,
)
from clipsearch.web.schemas import problems
from clipsearch.web.state import Site

# Not text: the bytes of a path may be in any encoding.
_LIST = "application/octet-stream"

GroupCount = Annotated[int, Query(ge=1, le=100, description="Number of groups.")]


def make_duplicate_api(site: Site) -> APIRouter:
    """Create the router of /api/duplicates."""
    api = APIRouter(prefix="/api", responses=problems())
    catalog = site.catalog

    @api.get("/duplicates", summary="List groups of duplicates", tags=["duplicates"])
    @site.lanes.queries
    def duplicates(
        wanted: FilterDep,
        k: GroupCount = GROUPS_PER_PAGE,
        after: Annotated[str | None, Query(max_length=40, description="Cursor: `next` of the previous page.")] = None,
    ) -> schemas.Duplicates:
        status = site.duplicates.ensure()
        page = find_groups(status.found, wanted, site, after=after, count=k)
        return schemas.Duplicates.of(status, page, is_outdated=site.duplicates.is_outdated)

    @api.post("/duplicates", summary="Look for duplicates again", tags=["duplicates"], status_code=202)
    @site.lanes.queries
    def look_again() -> schemas.Started:
        return schemas.Started(state=site.duplicates.start().state)

    @api.post("/duplicates/marked", summary="Count the duplicates that are marked", tags=["duplicates"])
    @site.lanes.queries
    def count_marked(request: schemas.Marks) -> schemas.Marked:
        found = require_token(site.duplicates.status.found, request.result)
        return schemas.Marked.of(find_marked(found, request.changed, request.filter, check=False))

    @api.post(
        "/duplicates/list",
        summary="List the paths of the duplicates that are marked and still there",
        tags=["duplicates"],
        response_class=Response,
        responses={200: {"content": {_LIST: {}}, "description": "Paths, in the bytes of the file system."}},
    )
    @site.lanes.queries
    def list_marked(request: schemas.ListMarks) -> Response:
        found = require_token(site.duplicates.status.found, request.result)
        marked = find_marked(found, request.changed, request.filter)
        end = b"\0" if request.end == "nul" else b"\n"
        paths = [os.fsencode(file.path) for file in marked.files]
        if any(end in path for path in paths):
            raise InputError("a path has a line break: take the list that ends paths with NUL")
        headers = {
            "Content-Disposition": 'attachment; filename="duplicates.txt"',
            "X-Left-Out": str(marked.left_out),
        }
        return Response(b"".join(path + end for path in paths), media_type=_LIST, headers=headers)

    @api.post(
        "/duplicates/album",
        summary="Put the duplicates that are marked into an album",
        tags=["duplicates"],
        responses=problems(403),
    )
    @site.lanes.queries
    def add_marked(request: schemas.AlbumMarks) -> schemas.MarkedAlbum:
        site.require_changes()
        found = require_token(site.duplicates.status.found, request.result)
        marked = find_marked(found, request.changed, request.filter)
        content_ids = whole_pictures(marked, site)
        if not content_ids:
            raise InputError("no picture is marked with all of its files: take the list instead of an album")
        added = catalog.albums.add(request.album, content_ids)
        left_out = len({file.content_id for file in marked.files}) - len(content_ids)
        return schemas.MarkedAlbum(album=catalog.albums.get(request.album).name, added=added, left_out=left_out)

    return api
