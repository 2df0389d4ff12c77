"""Errors as HTTP answers.

Source: RFC 9457, "Problem Details for HTTP APIs".
"""

import re
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from clipsearch.errors import (
    CatalogBusyError,
    CatalogNotFoundError,
    ClipSearchError,
    ImageReadError,
    InputError,
    MissingExtraError,
    ModelUnavailableError,
    QuerySyntaxError,
    UnknownPictureError,
)

MEDIA_TYPE = "application/problem+json"

# The first that fits.
_STATUS: tuple[tuple[type[ClipSearchError], int], ...] = (
    (UnknownPictureError, 404),
    (InputError, 400),
    (ImageReadError, 422),
    (CatalogNotFoundError, 409),
    (CatalogBusyError, 409),
    (ModelUnavailableError, 503),
    (MissingExtraError, 501),
    (ClipSearchError, 500),
)


def problem(status: int, detail: str, *, kind: str = "", **more: Any) -> dict[str, Any]:
    """
    Args:
        kind: of the error, such as "query-syntax"; "" where the status says it all.
    """
    return {
        "type": f"urn:clipsearch:{kind}" if kind else "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **more,
    }


def status_of(error: ClipSearchError) -> int:
    return next(status for kind, status in _STATUS if isinstance(error, kind))


def answer(status: int, detail: str, *, kind: str = "", **more: Any) -> Response:
    return JSONResponse(problem(status, detail, kind=kind, **more), status_code=status, media_type=MEDIA_TYPE)


def add_handlers(app: FastAPI) -> None:
    """Every error of `app` becomes a problem."""

    @app.exception_handler(ClipSearchError)
    def _ours(_: Request, error: ClipSearchError) -> Response:
        more = {"position": error.position} if isinstance(error, QuerySyntaxError) else {}
        return answer(status_of(error), str(error), kind=_kind(error), **more)

    @app.exception_handler(RequestValidationError)
    def _invalid(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or "the request"
        return answer(422, f"{where}: {first['msg']}", kind="invalid-request")

    @app.exception_handler(HTTPException)
    def _http(_: Request, error: HTTPException) -> Response:
        response = answer(error.status_code, str(error.detail))
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(Exception)
    def _unforeseen(_: Request, error: Exception) -> Response:
        # What went wrong goes to the log; it may hold paths.
        return answer(500, f"unforeseen: {type(error).__name__}; the server's log has more")


def _kind(error: ClipSearchError) -> str:
    """QuerySyntaxError → query-syntax"""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", type(error).__name__.removesuffix("Error")).lower()
