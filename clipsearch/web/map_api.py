"""Define the map of meaning: its page, and the routes of the HTTP API."""

import threading
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from blake3 import blake3
from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from clipsearch.errors import InputError
from clipsearch.session.map_file import MapRegion, PictureMap
from clipsearch.session.maps import is_outgrown
from clipsearch.web.page_query import PageQuery
from clipsearch.web.schemas import problems
from clipsearch.web.state import Site
from clipsearch.web.templating import render

# Cache-Control for a URL that contains the version, and for others.
_IMMUTABLE, _CHECKED = "private, max-age=31536000, immutable", "private, no-cache"

# Positions are sent as integers from 0 to this one, and years as bytes from the first one on.
_STEPS = 65_535
_YEAR_BEFORE_FIRST, _MOST_YEARS = 1_899, 255

Version = Annotated[str | None, Query(max_length=64, description="Version of the map, for caching.")]


class Region(BaseModel):
    name: str = Field(description="A label more frequent in it than elsewhere.")
    level: int = Field(ge=0, description="0 for the large ones, which those of the next levels are parts of.")
    parent: int | None = Field(description="Place in `regions` of the one that it is part of.")
    pictures: int = Field(ge=0)
    first: int | None = Field(
        description="Of a smallest region the place of its first picture; the others follow. Null for larger ones."
    )
    box: tuple[float, float, float, float] = Field(description="What nearly all of its pictures lie in: x, y, x, y.")
    center: tuple[float, float]
    query: str = Field(description="Filter of the pictures in the box.", examples=["map:0.1,0.2,0.3,0.4"])


class Map(BaseModel):
    """The map of meaning, without the positions of the pictures."""

    version: str
    pictures: int = Field(ge=0)
    outgrown: bool = Field(description="So many pictures have come since that it should be made again.")
    regions: list[Region]


class MapProgress(BaseModel):
    running: bool
    progress: float = Field(ge=0, le=1)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What is sent of a map: its description, and the positions."""

    source: PictureMap
    described: Map
    positions: bytes


def make_map_api(site: Site) -> APIRouter:
    """Create the router of /map and of /api/map."""
    api = APIRouter(responses=problems())
    catalog = site.catalog
    lock = threading.Lock()
    shown: list[_Shown] = []

    def find() -> _Shown:
        """Return the map; 404 where it is not made yet."""
        found = catalog.pictures.find_map()
        if found is None:
            error = site.map_job.error
            if error is not None:
                raise error.with_traceback(None)
            how = f"{site.map_job.progress:.0%} of it is" if site.map_job.is_running else "POST /api/map starts it"
            raise HTTPException(404, f"the map of the pictures is not made yet: {how}")
        with lock:
            if not shown or shown[0].source is not found:
                shown[:] = [_describe(found)]
            return shown[0]

    @api.get("/map", include_in_schema=False)
    @site.lanes.queries
    def map_page() -> Response:
        if not site.status.pictures:
            return render("empty.html", title="Map of the pictures", may_index=site.may_index)
        found = _find_or_start(site)
        return render(
            "map.html",
            regions=() if found is None else _tree(found),
            found=found,
            url=lambda region: PageQuery(q=region.query).url(),
        )

    @api.get(
        "/api/map",
        summary="Get the map of meaning: its regions and version",
        tags=["pictures"],
        responses=problems(404),
    )
    @site.lanes.queries
    def described() -> Map:
        return find().described

    @api.post("/api/map", summary="Make the map where it is missing or outgrown", tags=["pictures"], status_code=202)
    @site.lanes.queries
    def make() -> MapProgress:
        _find_or_start(site)
        return MapProgress(running=site.map_job.is_running, progress=site.map_job.progress)

    @api.get(
        "/api/map/positions",
        summary="Get the positions of all pictures on the map",
        description="Of n pictures, in little-endian: n ids (uint32), n x and n y (uint16, from 0 to 65,535).",
        tags=["pictures"],
        response_class=Response,
        responses={200: {"content": {"application/octet-stream": {}}, "description": "8 n bytes."}, **problems(404)},
    )
    @site.lanes.queries
    def positions(request: Request, v: Version = None) -> Response:
        found = find()
        return _cached(found.positions, found.described.version, v, request)

    @api.get(
        "/api/map/years",
        summary="Get the years of all pictures on the map",
        description="A byte for each picture, in the order of the positions: its year less 1899; 0: not sure.",
        tags=["pictures"],
        response_class=Response,
        responses={200: {"content": {"application/octet-stream": {}}, "description": "n bytes."}, **problems(404)},
    )
    @site.lanes.queries
    def years(request: Request, v: Version = None) -> Response:
        found = find()
        known = catalog.pictures.years_of(found.source.content_ids)
        numbers = np.where(known == 0, 0, np.clip(known - _YEAR_BEFORE_FIRST, 1, _MOST_YEARS)).astype(np.uint8)
        # A date may change without the map: never without asking.
        content = numbers.tobytes()
        return _cached(content, blake3(content).hexdigest()[:16], None, request)

    return api


def _find_or_start(site: Site) -> PictureMap | None:
    """Return the map that is there, and start to make one where it is missing or outgrown."""
    found = site.catalog.pictures.find_map()
    if found is None or is_outgrown(found):
        site.map_job.start()
    return found


def _cached(content: bytes, version: str, wanted: str | None, request: Request) -> Response:
    headers = {"ETag": f'"{version}"', "Cache-Control": _IMMUTABLE if wanted == version else _CHECKED}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/octet-stream", headers=headers)


def _describe(found: PictureMap) -> _Shown:
    ids = found.content_ids
    if len(ids) and int(ids.max()) >= 1 << 32:
        raise InputError("the map is sent for content ids below 2^32 only")
    places = np.rint(found.positions.T * _STEPS).astype("<u2")
    content = ids.astype("<u4").tobytes() + np.ascontiguousarray(places).tobytes()
    smallest = np.searchsorted(found.region_of, np.arange(len(found.regions)))
    has_own = np.bincount(found.region_of, minlength=len(found.regions)) > 0
    regions = [
        Region(
            name=each.name,
            level=each.level,
            parent=each.parent,
            pictures=each.pictures,
            first=first if is_smallest else None,
            box=(each.box.left, each.box.top, each.box.right, each.box.bottom),
            center=each.center,
            query=each.query,
        )
        for each, first, is_smallest in zip(found.regions, smallest.tolist(), has_own.tolist(), strict=True)
    ]
    names = repr([(each.name, each.level, each.parent) for each in regions]).encode()
    version = blake3(content + names).hexdigest()[:16]
    described = Map(version=version, pictures=len(ids), outgrown=is_outgrown(found), regions=regions)
    return _Shown(found, described, content)


def _tree(found: PictureMap) -> list[tuple[MapRegion, list[MapRegion]]]:
    """Return the large regions with those of the next level in them, the largest first."""
    below: dict[int | None, list[MapRegion]] = {}
    for each in sorted(found.regions, key=lambda region: -region.pictures):
        if each.pictures and each.level <= 1:
            below.setdefault(each.parent, []).append(each)
    numbers = {each: number for number, each in enumerate(found.regions)}
    return [(each, below.get(numbers[each], [])) for each in below.get(None, [])]
