"""Serve thumbnails of pictures and their parts by id."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import Response

from clipsearch.errors import ImageReadError
from clipsearch.gallery.details import LARGE_SIDE, SMALL_SIDE
from clipsearch.images.thumbnail_cache import RENDERING
from clipsearch.parts import Part
from clipsearch.web.schemas import problems
from clipsearch.web.state import Site

# Cache-Control for a URL that contains the content's hash.
_IMMUTABLE = "private, max-age=31536000, immutable"

FragmentQuery = Annotated[str | None, Query(max_length=64, description="Fragment of a part.", examples=["t=83.5"])]


def add_thumbnails(api: APIRouter, site: Site) -> None:
    """Add the route to the HTTP API."""
    catalog = site.catalog

    @api.get(
        "/thumbnail/{id}",
        summary="Get a thumbnail, upright, without metadata",
        tags=["pictures"],
        response_class=Response,
        responses={200: {"content": {"image/jpeg": {}}, "description": "A JPEG."}, **problems(404)},
    )
    @site.lanes.thumbnails
    def thumbnail(
        id: int,
        request: Request,
        size: Annotated[Literal["small", "large"], Query(description="At most 512 or 2,048 pixels.")] = "small",
        v: Annotated[str | None, Query(max_length=64, description="Start of its blake3, for caching.")] = None,
        part: FragmentQuery = None,
    ) -> Response:
        details = catalog.pictures.get(id)
        shown = None if part is None else find_part(catalog.pictures.parts(id), part)
        etag = f'"{details.blake3[:32]}-{size}-{RENDERING}{"" if shown is None else f"-{shown.fragment}"}"'
        caching = _IMMUTABLE if v and details.blake3.startswith(v) else "private, no-cache"
        headers = {"ETag": etag, "Cache-Control": caching}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        try:
            jpeg = catalog.pictures.thumbnail(id, side=SMALL_SIDE if size == "small" else LARGE_SIDE, part=shown)
        except ImageReadError as error:
            raise HTTPException(404, str(error)) from error
        return Response(jpeg, media_type="image/jpeg", headers=headers)


def find_part(parts: Sequence[Part], fragment: str) -> Part:
    """Return the part of a fragment; HTTPException: there is none (404)."""
    found = next((part for part in parts if part.fragment == fragment), None)
    if found is None:
        raise HTTPException(404, f"the picture has no part {fragment!r}")
    return found
