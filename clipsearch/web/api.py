"""Define the HTTP API: JSON in and out, pictures by content id."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, File, HTTPException, Query, UploadFile
from fastapi.responses import StreamingResponse

from clipsearch.query import Query as ParsedQuery
from clipsearch.query import parse_query, words_query
from clipsearch.query.phrases import Understanding
from clipsearch.search.feedback import MOST_MARKS
from clipsearch.types import Sort
from clipsearch.version import __version__
from clipsearch.web import index_schemas, schemas
from clipsearch.web.films import add_films
from clipsearch.web.hit_schemas import Hit, Phrase, SearchResult
from clipsearch.web.index_job import JobStatus
from clipsearch.web.lanes import TooBusyError
from clipsearch.web.originals import add_originals
from clipsearch.web.page_query import MarkId
from clipsearch.web.paging import After, PageDep, PageRequest
from clipsearch.web.schemas import problems
from clipsearch.web.state import Site
from clipsearch.web.streams import Streams
from clipsearch.web.thumbnails import add_thumbnails
from clipsearch.web.zips import add_zips

Marks = tuple[MarkId, ...]
TopK = Annotated[int, Query(ge=1, le=1000, description="Number of results.")]
# Interval at which an event stream polls the run, and at which an idle one sends a keep-alive comment.
_POLL_INTERVAL_S, _PING_INTERVAL_S = 0.25, 15.0

# Concurrent event streams: each holds a connection for as long as the run lasts.
_MAX_LISTENERS = 100


def make_api(site: Site) -> APIRouter:
    """Create the router of the HTTP API, below /api."""
    api = APIRouter(prefix="/api", responses=problems())
    catalog = site.catalog

    @api.get(
        "/search",
        summary="Search pictures by words, pictures and filters",
        tags=["search"],
        responses=problems(404),
    )
    @site.lanes.queries
    def search(
        q: Annotated[
            str,
            Query(
                max_length=4000,
                description="A query: words, `+` and `-`, `&`, `id:42`, `@concept`, filters like `taken:2024`.",
                examples=["a glazed donut", "beach - people taken:2023..", "id:3 + 0.5:snow"],
            ),
        ],
        k: TopK = 10,
        after: After = None,
        min_relevance: Annotated[float, Query(ge=0, le=1, description="Omit hits of lower relevance.")] = 0.0,
        confidence: Annotated[
            float | None,
            Query(
                gt=0,
                lt=1,
                description="Raise the minimum relevance so that, of word queries without a matching picture, at most "
                "1 - `confidence` get a hit.",
            ),
        ] = None,
        more: Annotated[Marks, Query(max_length=MOST_MARKS, description="Ids of pictures to find more of.")] = (),
        less: Annotated[
            Marks, Query(max_length=MOST_MARKS, description="Ids of pictures to leave out, and to find less of.")
        ] = (),
        stacks: Annotated[
            bool, Query(description="Show the pictures of a burst, RAW and JPEG, and a live photo as one hit.")
        ] = True,
        sort: Annotated[
            Sort,
            Query(
                description="Order. `taken`: the newest first, doubtful and unknown dates last; `added`: the last "
                "added first; `name`: by the file name. Of words, all but `relevance` sort the likely matches only."
            ),
        ] = "relevance",
        reverse: Annotated[bool, Query(description="Reverse the order; unknown dates stay last.")] = False,
        written: Annotated[bool, Query(description="Also look for plain words in titles, keywords, names …")] = True,
        text: Annotated[
            bool, Query(description="Take the query as plain words, without operators, filters, dates and places.")
        ] = False,
    ) -> SearchResult:
        understanding = None
        if q.strip() or not more:
            understanding = Understanding(words_query(q), q) if text and q.strip() else catalog.understand(q)
        parsed = ParsedQuery() if understanding is None else understanding.query
        page = catalog.search_page(
            parsed,
            page_size=k,
            after=after,
            pictures=site.uploads.for_query(parsed),
            min_relevance=min_relevance,
            confidence=confidence,
            more=more,
            less=less,
            stacks=stacks,
            sort=sort,
            reverse=reverse,
            written=written,
        )
        summaries = catalog.pictures.summaries([hit.content_id for hit in page.hits])
        return SearchResult(
            query=q,
            model=catalog.model.name,
            phrases=[] if understanding is None else [Phrase.of(each) for each in understanding.phrases],
            suggestion=catalog.suggest(parsed),
            unmeasured=page.unmeasured,
            hits=[Hit.of(hit, summaries) for hit in page.hits],
            next=page.next,
        )

    @api.get("/suggestions", summary="Suggest narrower and related queries", tags=["search"], responses=problems(404))
    @site.lanes.queries
    def suggestions(
        q: Annotated[str, Query(max_length=4000, description="A query.", examples=["a dog"])],
    ) -> schemas.Suggestions:
        parsed = parse_query(q)
        return schemas.Suggestions.of(catalog.suggestions(parsed, pictures=site.uploads.for_query(parsed)))

    @api.get("/facets", summary="Count the pictures that pass filters, by camera, format and flaw", tags=["search"])
    @site.lanes.queries
    def facets(
        q: Annotated[
            str,
            Query(max_length=4000, description="A query, of which only the filters count.", examples=["taken:2024"]),
        ] = "",
    ) -> schemas.Facets:
        return schemas.Facets.of(catalog.pictures.facets(parse_query(q) if q.strip() else None))

    @api.get("/on-this-day", summary="Count the pictures of today's day in other years", tags=["search"])
    @site.lanes.queries
    def on_this_day() -> schemas.OnThisDay:
        return schemas.OnThisDay.of(catalog.pictures.on_this_day())

    @api.post(
        "/pictures",
        summary="Upload a picture to search by",
        tags=["search"],
        status_code=201,
        responses=problems(408, 413, 507),
    )
    @site.lanes.uploads
    def send_picture(
        file: Annotated[UploadFile, File(description="Any picture, film or document that can be indexed.")],
    ) -> schemas.Upload:
        return schemas.Upload(term=f"image:{site.uploads.add(site.uploads.embed(file.file, file.filename))}")

    @api.get(
        "/caption",
        summary="List the nearest stored captions of a catalog picture",
        tags=["words"],
        responses=problems(404),
    )
    @site.lanes.queries
    def caption(id: Annotated[int, Query(ge=1, le=1 << 62)], page: PageDep, k: TopK = 5) -> schemas.Captions:
        return captions_of(catalog.pictures.embedding(id), page, k)

    @api.post(
        "/caption",
        summary="List the nearest stored captions of an uploaded picture",
        tags=["words"],
        responses=problems(408, 413, 507),
    )
    @site.lanes.uploads
    def caption_sent(file: Annotated[UploadFile, File()], page: PageDep, k: TopK = 5) -> schemas.Captions:
        return captions_of(site.uploads.embed(file.file, file.filename), page, k)

    def captions_of(embedding: Any, page: PageRequest, k: int) -> schemas.Captions:
        found = page.slice(lambda count: catalog.caption(embedding, top_k=count), embedding.tobytes(), page_size=k)
        captions = [schemas.Caption.of(hit) for hit in found.items]
        return schemas.Captions(model=catalog.model.name, captions=captions, next=found.next)

    @api.get(
        "/classify",
        summary="Choose the text that fits a catalog picture",
        tags=["words"],
        responses=problems(404),
    )
    @site.lanes.queries
    def classify(
        id: Annotated[int, Query(ge=1, le=1 << 62)],
        text: Annotated[
            list[str], Query(min_length=1, max_length=1000, description="A candidate.", examples=[["a cat", "a dog"]])
        ],
    ) -> schemas.Captions:
        return classes_of(catalog.pictures.embedding(id), text)

    @api.post(
        "/classify",
        summary="Choose the text that fits an upload",
        tags=["words"],
        responses=problems(408, 413, 507),
    )
    @site.lanes.uploads
    def classify_sent(
        file: Annotated[UploadFile, File()], text: Annotated[list[str], Query(min_length=1, max_length=1000)]
    ) -> schemas.Captions:
        return classes_of(site.uploads.embed(file.file, file.filename), text)

    def classes_of(embedding: Any, texts: list[str]) -> schemas.Captions:
        found = catalog.classify(embedding, texts)
        return schemas.Captions(model=catalog.model.name, captions=[schemas.Caption.of(hit) for hit in found])

    @api.get("/status", summary="Get the status of the catalog", tags=["catalog"])
    @site.lanes.queries
    def status() -> index_schemas.Status:
        known = site.status
        return index_schemas.Status(
            version=__version__,
            model=known.model,
            pictures=known.pictures,
            files=known.files,
            captions=known.captions,
            skipped=known.skipped,
            folders=[folder.encode("utf-8", "replace").decode() for folder in known.folders],
            indexing=site.job.status.state,
            current_run=index_schemas.CurrentRun.of(catalog.admin.current_run()),
        )

    @api.post(
        "/index", summary="Index a folder of this machine", tags=["catalog"], status_code=202, responses=problems(403)
    )
    @site.lanes.queries
    def start_index(request: index_schemas.IndexRequest) -> index_schemas.IndexStatus:
        require_indexing()
        return index_schemas.IndexStatus.of(site.job.start(request.folder))

    @api.delete(
        "/index",
        summary="Stop indexing; completed work is saved",
        tags=["catalog"],
        status_code=202,
        responses=problems(403),
    )
    async def stop_index() -> index_schemas.IndexStatus:
        require_indexing()
        site.job.stop()
        return index_schemas.IndexStatus.of(site.job.status)

    @site.lanes.queries
    def find_status() -> JobStatus:
        return site.job.find_status()

    @api.get("/index", summary="Get the progress of indexing", tags=["catalog"])
    async def index_status() -> index_schemas.IndexStatus:
        status = site.job.status
        if status.state != "running":
            with suppress(TooBusyError):  # then runs of other processes are not looked up
                status = await find_status()
        return index_schemas.IndexStatus.of(status)

    @api.get(
        "/index/events",
        summary="Stream the progress of indexing",
        tags=["catalog"],
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {}}, "description": "Events, an IndexStatus each."}},
    )
    async def index_events() -> StreamingResponse:
        if site.listeners >= _MAX_LISTENERS:
            raise TooBusyError
        return StreamingResponse(_count_listener(site), media_type="text/event-stream")

    def require_indexing() -> None:
        if not site.may_index:
            raise HTTPException(403, "indexing is disabled on this server: start it with --index")

    add_thumbnails(api, site)
    streams = Streams()
    add_films(api, site, streams)
    add_originals(api, site, streams)
    add_zips(api, site, streams)
    return api


async def _count_listener(site: Site) -> AsyncIterator[str]:
    site.listeners += 1
    try:
        async for event in _status_events(site):
            yield event
    finally:
        site.listeners -= 1


async def _status_events(site: Site) -> AsyncIterator[str]:
    shown, quiet_s = None, 0.0
    while True:
        status = site.job.status
        if status.state != "running":
            status = await anyio.to_thread.run_sync(site.job.find_status)
        if status != shown:
            shown, quiet_s = status, 0.0
            yield f"data: {index_schemas.IndexStatus.of(status).model_dump_json()}\n\n"
            if status.state != "running":
                return
        elif quiet_s >= _PING_INTERVAL_S:
            quiet_s = 0.0
            yield ": still there\n\n"
        await asyncio.sleep(_POLL_INTERVAL_S)
        quiet_s += _POLL_INTERVAL_S
