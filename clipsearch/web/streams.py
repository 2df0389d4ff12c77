"""Stream files by id, whole or a range of their bytes, for players that seek.

What is streamed for as long as it is watched is read by threads of its own and no more than a few at a time: what is
asked meanwhile does not wait for it. A client that stops reading is disconnected, see `connections`; players ask again
for the rest. Several ranges in one request are not supported: such a request gets the whole file.

Source: RFC 9110, 13.1.5 (If-Range), 14 (ranges), 15.3.7 (206) and 15.5.17 (416).
"""

import logging
import os
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import BinaryIO

import anyio
import anyio.to_thread
from fastapi import HTTPException, Request
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from clipsearch.files import open_regular_file
from clipsearch.gallery.details import PictureDetails
from clipsearch.web.lanes import TooBusyError

_LOG = logging.getLogger("clipsearch.web")

MAX_STREAMS = 24
"""Files that are streamed at a time."""

# Threads that read for all streams: a drive that has stopped blocks no others.
_THREADS = 8
_CHUNK_BYTES = 256 << 10

# Digits of the largest file: longer numbers are no places in it.
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


class UnsatisfiableRangeError(Exception):
    """The range begins behind the end."""


@dataclass(frozen=True, slots=True)
class OpenStream:
    """What is streamed, in an open file.

    Attributes:
        start: byte of the file at which it begins: 0, except for a film inside of a photograph.
        etag: of the file's content.
        headers: more of the answer.
    """

    file: BinaryIO
    start: int
    size_bytes: int
    etag: str
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


def open_file(details: PictureDetails, read: Callable[[BinaryIO, str], OpenStream], *, noun: str) -> OpenStream:
    """Open any file of a picture; a file of another size has replaced it.

    Args:
        read: returns the stream from an open file and its path; an OSError or ValueError is a reason to try the next.

    Raises:
        HTTPException: all are missing or have changed (404), or what `read` raises.
    """
    for path in details.paths:
        with suppress(OSError, ValueError), ExitStack() as files:
            file = files.enter_context(open_regular_file(path))
            if os.fstat(file.fileno()).st_size == details.size_bytes:
                found = read(file, path)
                files.pop_all()
                return found
    raise HTTPException(404, f"the {noun}'s file is missing, or has changed since it was indexed")


class Streams:
    """Streams of one server."""

    def __init__(self) -> None:
        self._places, self._threads = anyio.CapacityLimiter(MAX_STREAMS), anyio.CapacityLimiter(_THREADS)

    async def answer(self, request: Request, open_it: Callable[[], Awaitable[OpenStream]]) -> Response:
        """Return the response to a request, which closes the file.

        Raises:
            TooBusyError: too many are streamed.
        """
        if self._places.available_tokens < 1:
            raise TooBusyError
        return _StreamResponse(await open_it(), request, self._places, self._threads)

    async def answer_chunks(
        self, request: Request, chunks: Iterator[bytes], *, headers: Mapping[str, str], media_type: str
    ) -> Response:
        """Return a response of unknown length, whose chunks are made while it is read.

        Raises:
            TooBusyError: too many are streamed.
        """
        if self._places.available_tokens < 1:
            raise TooBusyError
        return _ChunkResponse(chunks, self._places, self._threads, headers=headers, media_type=media_type)


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


class _StreamResponse(Response):
    """Response that streams a file, and closes it."""

    def __init__(
        self, stream: OpenStream, request: Request, places: anyio.CapacityLimiter, threads: anyio.CapacityLimiter
    ) -> None:
        self._stream, self._places, self._threads = stream, places, threads
        status, span = 200, (0, stream.size_bytes)
        headers = {
            "ETag": stream.etag,
            "Accept-Ranges": "bytes",
            "Cache-Control": "private, no-cache",
            **stream.headers,
        }
        wanted = request.headers
        try:
            if wanted.get("if-none-match") == stream.etag:
                status, span = 304, (0, 0)
            elif wanted.get("if-range", stream.etag) == stream.etag:
                found = find_range(wanted.get("range"), stream.size_bytes)
                if found is not None:
                    status, span = 206, found
                    headers["Content-Range"] = f"bytes {span[0]}-{span[1] - 1}/{stream.size_bytes}"
        except UnsatisfiableRangeError:
            status, span = 416, (0, 0)
            headers["Content-Range"] = f"bytes */{stream.size_bytes}"
        super().__init__(None, status_code=status, headers=headers, media_type=stream.media_type)
        if status != 304:
            self.headers["content-length"] = str(span[1] - span[0])
        self._span = (0, 0) if request.method == "HEAD" else span

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._stream.file:
            async with self._places, anyio.create_task_group() as tasks:
                tasks.start_soon(_stop_when_disconnected, receive, tasks.cancel_scope)
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                await self._send_span(send)
                tasks.cancel_scope.cancel()

    async def _send_span(self, send: Send) -> None:
        file, (place, end) = self._stream.file, self._span
        if place < end:
            file.seek(self._stream.start + place)
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


class _ChunkResponse(Response):
    """Response that streams chunks, the next one when the client has taken the one before."""

    def __init__(
        self,
        chunks: Iterator[bytes],
        places: anyio.CapacityLimiter,
        threads: anyio.CapacityLimiter,
        *,
        headers: Mapping[str, str],
        media_type: str,
    ) -> None:
        self._chunks, self._places, self._threads = chunks, places, threads
        super().__init__(None, headers=dict(headers), media_type=media_type)
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._places, anyio.create_task_group() as tasks:
            tasks.start_soon(_stop_when_disconnected, receive, tasks.cancel_scope)
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            while (
                chunk := await anyio.to_thread.run_sync(next, self._chunks, None, limiter=self._threads)
            ) is not None:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            tasks.cancel_scope.cancel()


async def _stop_when_disconnected(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
