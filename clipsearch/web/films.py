"""Serve films, by id and in ranges of bytes, for the player of the page."""

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse, Response

from clipsearch.gallery.details import is_film_file
from clipsearch.web.schemas import problems
from clipsearch.web.state import Site


def add_films(api: APIRouter, site: Site) -> None:
    """Add the route of films to the HTTP API."""
    catalog = site.catalog

    @api.get(
        "/films/{id}",
        summary="Get a film, whole or a range of its bytes",
        tags=["pictures"],
        response_class=FileResponse,
        responses={200: {"content": {"video/*": {}}, "description": "The file."}, **problems(404)},
    )
    @site.lanes.queries
    def film(id: int) -> Response:
        path = next((path for path in catalog.pictures.get(id).paths if is_film_file(path)), None)
        if path is None:
            raise HTTPException(404, "it is no film, or its file is not there")
        return FileResponse(path, headers={"Cache-Control": "private, no-cache"})
