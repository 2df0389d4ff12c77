"""Serve films, also those inside of photographs, by id: whole or a range of their bytes, for players that seek.

A film is streamed for as long as it is watched, by threads of its own and no more than a few at a time: what is asked
meanwhile does not wait for it. A client that stops reading is disconnected, see `connections`; players ask again for
the rest. Several ranges in one request are not supported: such a request gets the whole film.

Source: RFC 9110, 13.1.5 (If-Range), 14 (ranges), 15.3.7 (206) and 15.5.17 (416).
"""

import logging
import os
import re
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import BinaryIO

import anyio
import anyio.to_thread
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from clipsearch.files import open_regular_file
from clipsearch.formats import FILM_FORMATS
from clipsearch.gallery.details import PictureDetails
from clipsearch.images.films.motion_photo import PHOTO_FORMATS, motion_photo
from clipsearch.web.lanes import TooBusyError
from clipsearch.web.schemas import problems
from clipsearch.web.state import Site

_LOG = logging.getLogger("clipsearch.web")

MAX_STREAMS = 24
"""Films that are streamed at a time."""

# Threads that read for all streams: a drive that has stopped blocks no others.
_THREADS = 8
_CHUNK_BYTES = 256 << 10

# Source: IANA media types; RFC 9559 (Matroska). QuickTime is played as the MP4 that it nearly is.
_MEDIA_TYPES = {
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

# Digits of the largest file: longer numbers are no places in it.
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


class UnsatisfiableRangeError(Exception):
    """The range begins behind the end of the film."""


@dataclass(frozen=True, slots=True)
class OpenFilm:
    """A film in an open file.

    Attributes:
        start: byte of the file at which it begins: 0, except inside of a photograph.
        etag: of the file's content.
    """

    file: BinaryIO
    start: int
    size_bytes: int
    etag: str
    media_type: str


def add_films(api: APIRouter, site: Site) -> None:
    """Add the route to the HTTP API."""
    catalog = site.catalog
    places, threads = anyio.CapacityLimiter(MAX_STREAMS), anyio.CapacityLimiter(_THREADS)

    @site.lanes.thumbnails
    def open_film(content_id: int) -> OpenFilm:
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
        if places.available_tokens < 1:
            raise TooBusyError
        found = await open_film(id)
        return _FilmResponse(found, request, places, threads)


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


def find_range(header: str | None, size_bytes: int) -> tuple[int, int] | None:
    """Return start and end, excluded, of the range that a header asks for; None: all of it.

    Raises:
        UnsatisfiableRangeError: it begins behind the end.
    """
    found = _RANGE.fullmatch(header.strip()) if header else None
    if found is None or found[0] == "bytes=-":
        return None
    if not found[1]:
        start, end = max(0, size_bytes - int(found[2])), size_bytes
    else:
        start, end = int(found[1]), min(size_bytes, int(found[2]) + 1 if found[2] else size_bytes)
        if found[2] and int(found[2]) < start:
            return None  # invalid
    if start >= size_bytes:
        raise UnsatisfiableRangeError
    return start, end


def _open(details: PictureDetails) -> OpenFilm:
    """Open the file of a film or motion photo; a file of another size has replaced it.

    Raises:
        HTTPException: there is no film in it, or its file is missing or has changed (404).
    """
    if not is_film(details) and details.metadata.format not in PHOTO_FORMATS:
        raise HTTPException(404, "it is not a film")
    for path in details.paths:
        with suppress(OSError, ValueError), ExitStack() as files:
            file = files.enter_context(open_regular_file(path))
            if os.fstat(file.fileno()).st_size == details.size_bytes:
                found = _find(file, path, details)
                files.pop_all()
                return found
    raise HTTPException(404, "the film's file is missing, or has changed since it was indexed")


def _find(file: BinaryIO, path: str, details: PictureDetails) -> OpenFilm:
    etag = f'"{details.blake3[:32]}"'
    if is_film(details):
        kind = _MEDIA_TYPES[details.metadata.format]
        is_webm = kind == "video/matroska" and path.lower().endswith(".webm")
        return OpenFilm(file, 0, details.size_bytes, etag, "video/webm" if is_webm else kind)
    inside = motion_photo(file)
    if inside is None:
        raise HTTPException(404, "it is not a film")
    return OpenFilm(file, *inside, etag, "video/mp4")


class _FilmResponse(Response):
    """Response that streams a film; it closes the file."""

    def __init__(
        self, film: OpenFilm, request: Request, places: anyio.CapacityLimiter, threads: anyio.CapacityLimiter
    ) -> None:
        self._film, self._places, self._threads = film, places, threads
        status, span = 200, (0, film.size_bytes)
        headers = {"ETag": film.etag, "Accept-Ranges": "bytes", "Cache-Control": "private, no-cache"}
        wanted = request.headers
        try:
            if wanted.get("if-none-match") == film.etag:
                status, span = 304, (0, 0)
            elif wanted.get("if-range", film.etag) == film.etag:
                found = find_range(wanted.get("range"), film.size_bytes)
                if found is not None:
                    status, span = 206, found
                    headers["Content-Range"] = f"bytes {span[0]}-{span[1] - 1}/{film.size_bytes}"
        except UnsatisfiableRangeError:
            status, span = 416, (0, 0)
            headers["Content-Range"] = f"bytes */{film.size_bytes}"
        super().__init__(None, status_code=status, headers=headers, media_type=film.media_type)
        if status != 304:
            self.headers["content-length"] = str(span[1] - span[0])
        self._span = (0, 0) if request.method == "HEAD" else span

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._film.file:
            async with self._places, anyio.create_task_group() as tasks:
                tasks.start_soon(self._stop_when_disconnected, receive, tasks.cancel_scope)
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                await self._send_span(send)
                tasks.cancel_scope.cancel()

    async def _send_span(self, send: Send) -> None:
        file, (place, end) = self._film.file, self._span
        if place < end:
            file.seek(self._film.start + place)
        while place < end:
            size = min(_CHUNK_BYTES, end - place)
            try:
                chunk = await anyio.to_thread.run_sync(file.read, size, limiter=self._threads)
            except OSError as error:
                _LOG.error("%s: %s", type(error).__name__, error)
                return  # the server closes the connection, as what it has promised is missing
            if not chunk:  # truncated since it was opened
                return
            place += len(chunk)
            await send({"type": "http.response.body", "body": chunk, "more_body": place < end})
        if self._span[0] == self._span[1]:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    @staticmethod
    async def _stop_when_disconnected(receive: Receive, scope: anyio.CancelScope) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        scope.cancel()
