"""Serve films, also those inside of photographs, by id: see `streams`."""

from functools import partial
from typing import BinaryIO

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from clipsearch.formats import FILM_FORMATS
from clipsearch.gallery.details import PictureDetails
from clipsearch.images.films.motion_photo import PHOTO_FORMATS, motion_photo
from clipsearch.web.schemas import problems
from clipsearch.web.state import Site
from clipsearch.web.streams import OpenStream, Streams, open_file

# Source: IANA media types; RFC 9559 (Matroska). QuickTime is played as the MP4 that it nearly is.
MEDIA_TYPES = {
    "MP4": "video/mp4",
    "Matroska": "video/matroska",
    "AVI": "video/x-msvideo",
    "MPEG-TS": "video/mp2t",
    "MPEG-PS": "video/mpeg",
    "ASF": "video/x-ms-asf",
    "FLV": "video/x-flv",
    "Ogg": "video/ogg",
    "MXF": "application/mxf",
    "DV": "video/dv",
}
"""Media types of films by format."""


def add_films(api: APIRouter, site: Site, streams: Streams) -> None:
    """Add the route to the HTTP API."""
    catalog = site.catalog

    @site.lanes.thumbnails
    def open_film(content_id: int) -> OpenStream:
        return _open(catalog.pictures.get(content_id))

    @api.get(
        "/films/{id}",
        summary="Get a film, or the film of a motion photo, whole or a range of its bytes",
        tags=["pictures"],
        response_class=Response,
        responses={
            200: {"content": {"video/*": {}}, "description": "The film."},
            206: {"content": {"video/*": {}}, "description": "The range of `Range`, of which there may be one."},
            416: {"description": "The range begins behind the end."},
            **problems(404),
        },
    )
    @api.head("/films/{id}", include_in_schema=False)
    async def film(id: int, request: Request) -> Response:
        return await streams.answer(request, lambda: open_film(id))


def is_film(details: PictureDetails) -> bool:
    """Return whether a picture is a film, by its content."""
    return details.metadata.format in FILM_FORMATS


def can_play(details: PictureDetails) -> bool:
    """Return whether there is a film to play: of its own, or inside of a photograph."""
    try:
        _open(details).file.close()
    except HTTPException:
        return False
    return True


def _open(details: PictureDetails) -> OpenStream:
    """Open the file of a film or motion photo; a file of another size has replaced it.

    Raises:
        HTTPException: there is no film in it, or its file is missing or has changed (404).
    """
    if not is_film(details) and details.metadata.format not in PHOTO_FORMATS:
        raise HTTPException(404, "it is not a film")
    return open_file(details, partial(_find, details=details), noun="film")


def _find(file: BinaryIO, path: str, *, details: PictureDetails) -> OpenStream:
    etag = f'"{details.blake3[:32]}"'
    if is_film(details):
        kind = MEDIA_TYPES[details.metadata.format]
        is_webm = kind == "video/matroska" and path.lower().endswith(".webm")
        return OpenStream(file, 0, details.size_bytes, etag, "video/webm" if is_webm else kind)
    inside = motion_photo(file)
    if inside is None:
        raise HTTPException(404, "it is not a film")
    return OpenStream(file, *inside, etag, "video/mp4")
