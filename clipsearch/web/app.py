"""The parts of the web, put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio.to_thread
from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.middleware import Middleware
from starlette.types import Scope

from clipsearch import __version__
from clipsearch.catalog import Catalog
from clipsearch.web import metrics, pages
from clipsearch.web.api import make_api
from clipsearch.web.guard import Guard, GuardRules
from clipsearch.web.problems import add_handlers
from clipsearch.web.site import Site

_STATIC = Path(__file__).parent / "static"

# Requests that are worked on at once; more would only take turns on the same cores, and memory.
_THREADS = 16


def make_app(catalog: Catalog, *, rules: GuardRules | None = None, may_index: bool = True) -> FastAPI:
    """The ASGI application over a catalog that was opened with `shared=True`; whoever opened it closes it.

    Args:
        rules: who may ask; None: whoever can connect, under the names of the loopback.
        may_index: folders of this machine may be indexed from the page.
    """
    site = Site(catalog, may_index=may_index)
    measured = metrics.Metrics(site)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
        yield
        site.job.stop()
        await anyio.to_thread.run_sync(site.job.join)

    app = FastAPI(
        title="clipsearch",
        version=__version__,
        summary="Pictures by words, words by pictures.",
        # The usual pages about an API load their scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        lifespan=lifespan,
        middleware=[
            Middleware(Guard, rules=rules or GuardRules()),
            Middleware(metrics.MeteredApp, metrics=measured),
        ],
    )
    add_handlers(app)
    app.include_router(make_api(site))
    app.include_router(pages.make_pages(site))
    app.mount("/static", _KeptFiles(directory=_STATIC), name="static")

    @app.get("/healthz", summary="Whether the server answers", tags=["server"])
    def healthz() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    @app.get(
        "/metrics",
        summary="For Prometheus",
        tags=["server"],
        response_class=Response,
        responses={200: {"content": {"text/plain": {}}, "description": "Counters."}},
    )
    def metrics_text() -> Response:
        return Response(measured.text(), media_type=metrics.MEDIA_TYPE)

    return app


class _KeptFiles(StaticFiles):
    """Their addresses change with their content (`rendering`): browsers may keep them."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if response.status_code == 200 and scope["query_string"]:
            response.headers["Cache-Control"] = "private, max-age=31536000, immutable"
        return response
