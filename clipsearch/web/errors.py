"""Convert errors to HTTP problem responses.

Source: RFC 9457, "Problem Details for HTTP APIs".
"""

import errno
import json
import logging
import re
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import Send

from clipsearch.errors import (
    CatalogBusyError,
    CatalogNotFoundError,
    CatalogReplacedError,
    ClipSearchError,
    ImageReadError,
    InputError,
    MissingExtraError,
    ModelUnavailableError,
    NameTakenError,
    QuerySyntaxError,
    UnknownAlbumError,
    UnknownConceptError,
    UnknownPictureError,
)
from clipsearch.notices import message_for_others
from clipsearch.web.lanes import RETRY_AFTER_S, ClientDisconnectedError, TooBusyError

MEDIA_TYPE = "application/problem+json"

_LOG = logging.getLogger("clipsearch.web")

# Status of a client that has closed its connection; nginx's, for the metrics only.
_CLIENT_CLOSED_REQUEST = 499

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

# The first match applies.
_STATUS: tuple[tuple[type[ClipSearchError], int], ...] = (
    (UnknownPictureError, 404),
    (UnknownAlbumError, 404),
    (UnknownConceptError, 404),
    (NameTakenError, 409),
    (InputError, 400),
    (ImageReadError, 422),
    (CatalogNotFoundError, 409),
    (CatalogBusyError, 409),
    (CatalogReplacedError, 503),
    (ModelUnavailableError, 503),
    (MissingExtraError, 501),
    (ClipSearchError, 500),
)


def problem(status: int, detail: str, *, kind: str = "", **more: Any) -> dict[str, Any]:
    """Build the JSON document of a problem.

    Args:
        kind: of the error, such as "query-syntax"; "" when the status is sufficient.
    """
    detail = " ".join(detail.encode("utf-8", "replace").decode().split())
    return {
        "type": f"urn:clipsearch:{kind}" if kind else "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **more,
    }


def status_of(error: ClipSearchError) -> int:
    """Return the HTTP status of an error."""
    return next(status for kind, status in _STATUS if isinstance(error, kind))


def answer(status: int, detail: str, *, kind: str = "", **more: Any) -> Response:
    """Build a problem response."""
    content = problem(status, detail, kind=kind, **more)
    return JSONResponse(content, status_code=status, media_type=MEDIA_TYPE, headers=_headers(status))


async def send_problem(send: Send, status: int, detail: str) -> None:
    """Send a problem response from ASGI middleware."""
    content = json.dumps(problem(status, detail)).encode()
    headers = {"content-type": MEDIA_TYPE, "content-length": str(len(content)), **_headers(status)}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": content})


def message_of(error: Exception) -> str:
    """Return the message of an error for a client; details of internal errors, which can hold paths, go to the log."""
    return message_for_others(error, _LOG)


def _headers(status: int) -> dict[str, str]:
    return {401: {"www-authenticate": "Bearer"}, 503: {"retry-after": str(RETRY_AFTER_S)}}.get(status, {})


def add_handlers(app: FastAPI) -> None:
    """Register handlers that convert every error of `app` to a problem response."""

    @app.exception_handler(ClipSearchError)
    async def _ours(_: Request, error: ClipSearchError) -> Response:
        more = {"position": error.position} if isinstance(error, QuerySyntaxError) else {}
        return answer(status_of(error), message_of(error), kind=_kind(error), **more)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            return answer(422, "the body is not valid JSON", kind="invalid-request")
        where = ".".join(str(part) for part in first["loc"][1:]) or "the request"
        return answer(422, f"{where}: {first['msg']}", kind="invalid-request")

    @app.exception_handler(TooBusyError)
    async def _busy(_: Request, error: TooBusyError) -> Response:
        return answer(503, "the server is busy: try again in a moment", kind="busy")

    @app.exception_handler(ClientDisconnectedError)
    async def _disconnected(_: Request, error: ClientDisconnectedError) -> Response:
        return Response(status_code=_CLIENT_CLOSED_REQUEST)

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> Response:
        if isinstance(error.__cause__, OSError):  # raised while the upload was written to disk
            return _failed(error.__cause__)
        response = answer(error.status_code, str(error.detail))
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(OSError)
    async def _system(_: Request, error: OSError) -> Response:
        return _failed(error)

    @app.exception_handler(Exception)
    async def _unexpected(_: Request, error: Exception) -> Response:
        # The details go to the log; they can hold paths.
        return answer(500, f"unexpected error: {type(error).__name__}; see the server's log")


def _failed(error: OSError) -> Response:
    _LOG.error("%s: %s", type(error).__name__, error)
    if error.errno in _FULL:
        return answer(507, "the server's disk is full", kind="no-room")
    return answer(500, f"the server's operating system reported an error: {error.strerror or type(error).__name__}")


def _kind(error: ClipSearchError) -> str:
    """Return the kind of an error: QuerySyntaxError → query-syntax."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", type(error).__name__.removesuffix("Error")).lower()
