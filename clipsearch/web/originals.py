"""Serve the original file of a picture by its id, to look at or to download."""

from functools import partial
from typing import Annotated, BinaryIO
from urllib.parse import quote

from blake3 import blake3
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from clipsearch.gallery.details import PictureDetails
from clipsearch.web.films import MEDIA_TYPES
from clipsearch.web.schemas import name_of, problems
from clipsearch.web.state import Site
from clipsearch.web.streams import OpenStream, Streams, open_file

# Of formats that browsers show, and in which nothing is run: by what the file holds, whatever its name. Source: IANA
# media types.
_SHOWN = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    "WEBP": "image/webp",
    "BMP": "image/bmp",
    "AVIF": "image/avif",
    **MEDIA_TYPES,
}
# All others are saved, as SVG may hold scripts, with a type that nothing opens by itself.
_SAVED = "application/octet-stream"

# Files up to this size are compared with what was indexed; larger ones, mostly films, by their size.
_MOST_HASHED_BYTES = 64 << 20


def add_originals(api: APIRouter, site: Site, streams: Streams) -> None:
    """Add the route to the HTTP API."""
    catalog = site.catalog

    @site.lanes.thumbnails
    def open_original(content_id: int, *, is_saved: bool) -> OpenStream:
        return _open(catalog.pictures.get(content_id), is_saved=is_saved)

    @api.get(
        "/original/{id}",
        summary="Get the file of a picture, whole or a range of its bytes",
        tags=["pictures"],
        response_class=Response,
        responses={
            200: {"content": {"image/*": {}, "video/*": {}, _SAVED: {}}, "description": "The file."},
            206: {"content": {"image/*": {}}, "description": "The range of `Range`, of which there may be one."},
            416: {"description": "The range begins behind the end."},
            **problems(404),
        },
    )
    @api.head("/original/{id}", include_in_schema=False)
    async def original(
        id: int,
        request: Request,
        download: Annotated[bool, Query(description="Have a browser save it instead of showing it.")] = False,
    ) -> Response:
        return await streams.answer(request, lambda: open_original(id, is_saved=download))


def _open(details: PictureDetails, *, is_saved: bool) -> OpenStream:
    """Open any file of a picture that still has its content.

    Raises:
        HTTPException: all are missing or have changed (404).
    """
    return open_file(details, partial(_find, details=details, is_saved=is_saved), noun="picture")


def _find(file: BinaryIO, path: str, *, details: PictureDetails, is_saved: bool) -> OpenStream:
    """Return the stream of a file.

    Raises:
        ValueError: it has not the content that was indexed; of large ones only the size is compared.
    """
    check_content(file, details)
    kind = _SHOWN.get(details.metadata.format)
    headers = {"Content-Disposition": _disposition(name_of(path), is_saved=is_saved or kind is None)}
    return OpenStream(file, 0, details.size_bytes, f'"{details.blake3[:32]}"', kind or _SAVED, headers)


def check_content(file: BinaryIO, details: PictureDetails) -> None:
    """Check that an open file of the right size has the content that was indexed; large ones are not read.

    Raises:
        ValueError: it is another one.
    """
    if details.size_bytes <= _MOST_HASHED_BYTES:
        if blake3(file.read()).hexdigest() != details.blake3:
            raise ValueError("another file")
        file.seek(0)


def _disposition(name: str, *, is_saved: bool) -> str:
    """Return the header with a file's name. Source: RFC 6266, 4.3 and RFC 8187."""
    return f"{'attachment' if is_saved else 'inline'}; filename*=UTF-8''{quote(name, safe='')}"
