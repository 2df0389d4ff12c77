"""Answer browsers that ask for an unknown address with a page, and programs with a problem document."""

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from clipsearch.web.errors import answer
from clipsearch.web.templating import render


def add_not_found_page(app: FastAPI) -> None:
    """Register the handler of status 404; the HTTP API has problem documents for all clients."""

    @app.exception_handler(404)
    async def _not_found(request: Request, error: HTTPException) -> Response:
        path = request.url.path
        if path.startswith(("/api/", "/static/")) or "text/html" not in request.headers.get("accept", ""):
            return answer(404, str(error.detail))
        return render("message.html", status_code=404, message=f"there is no page {path[:200]}")
