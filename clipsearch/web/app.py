"""Assemble the web application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from starlette.middleware import Middleware

from clipsearch.catalog import Catalog
from clipsearch.version import __version__
from clipsearch.web import metrics, pages
from clipsearch.web.album_api import make_album_api
from clipsearch.web.api import make_api
from clipsearch.web.api_page import add_api_page
from clipsearch.web.concept_api import make_concept_api
from clipsearch.web.curation_api import make_curation_api
from clipsearch.web.duplicate_api import make_duplicate_api
from clipsearch.web.duplicate_pages import make_duplicate_pages
from clipsearch.web.duplicate_search import DuplicateSearch
from clipsearch.web.errors import add_handlers
from clipsearch.web.index_job import IndexJob
from clipsearch.web.map_api import make_map_api
from clipsearch.web.map_job import MapJob
from clipsearch.web.not_found import add_not_found_page
from clipsearch.web.picture_api import make_picture_api
from clipsearch.web.reveal import make_reveal_api
from clipsearch.web.saved_api import make_saved_api
from clipsearch.web.security import Guard, GuardRules
from clipsearch.web.state import Site
from clipsearch.web.static_files import static_file
from clipsearch.web.uploads import remove_leftovers
from clipsearch.web.watcher import Watcher


def make_app(
    catalog: Catalog,
    *,
    rules: GuardRules | None = None,
    may_index: bool = True,
    may_reveal: bool = False,
    watch: bool = False,
) -> FastAPI:
    """Create the ASGI application of a catalog that was opened with `shared=True`; the caller closes the catalog.

    Args:
        rules: access rules; None: any client, under the host names of the loopback.
        may_index: allow clients to index folders of this machine.
        may_reveal: allow clients on this machine to have folders shown; only where it listens on the loopback.
        watch: also index what changes in the indexed folders.
    """
    site = Site(catalog, may_index=may_index, may_reveal=may_reveal)
    measured = metrics.Metrics(site)
    watcher = Watcher(catalog, site.job) if watch else None

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await anyio.to_thread.run_sync(remove_leftovers)
        background: list[IndexJob | DuplicateSearch | MapJob | Watcher] = [site.job, site.duplicates, site.map_job]
        background += [] if watcher is None else [watcher]
        if watcher is not None:
            watcher.start()
        yield
        site.job.end()
        for each in background:
            each.stop()
        for each in background:
            await anyio.to_thread.run_sync(each.join)
        site.uploads.close()

    app = FastAPI(
        title="clipsearch",
        version=__version__,
        summary="Pictures by words, words by pictures.",
        # FastAPI's documentation pages load scripts from other hosts: see `api_page`.
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
    add_not_found_page(app)
    app.include_router(make_api(site))
    app.include_router(make_concept_api(site))
    app.include_router(make_album_api(site))
    app.include_router(make_saved_api(site))
    app.include_router(make_curation_api(site))
    app.include_router(make_map_api(site))
    app.include_router(make_duplicate_api(site))
    app.include_router(make_reveal_api(site))
    app.include_router(make_picture_api(site))
    app.include_router(pages.make_pages(site))
    app.include_router(make_duplicate_pages(site))
    app.add_api_route("/static/{name:path}", static_file, methods=["GET", "HEAD"], include_in_schema=False)

    add_api_page(app)

    @app.get("/healthz", summary="Check that the server responds", tags=["server"])
    async def healthz() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    @app.get(
        "/metrics",
        summary="Get metrics for Prometheus",
        tags=["server"],
        response_class=Response,
        responses={200: {"content": {"text/plain": {}}, "description": "Counters."}},
    )
    @site.lanes.monitoring
    def metrics_text() -> Response:
        return Response(measured.text(), media_type=metrics.MEDIA_TYPE)

    return app
