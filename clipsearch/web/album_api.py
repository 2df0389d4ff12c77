"""Define the routes of the HTTP API for albums and keywords."""

from datetime import UTC
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from clipsearch.errors import UnknownPictureError
from clipsearch.gallery.albums import MOST_NAME_CHARACTERS
from clipsearch.gallery.keywords import MOST_CHARACTERS, MOST_KEYWORDS
from clipsearch.store import album_rows
from clipsearch.web.paging import LINKED, PageDep
from clipsearch.web.schemas import ContentId, StrictId, problems
from clipsearch.web.state import Site

# Pictures that one request adds or takes out, and that one page of an album has.
_MOST_PICTURES = 10_000

AlbumName = Annotated[str, Path(min_length=1, max_length=MOST_NAME_CHARACTERS, examples=["Italy 2023"])]
MostNames = Annotated[int, Query(ge=1, le=1000, description="Number of names.")]


class Album(BaseModel):
    name: str
    count: int = Field(ge=0, description="Number of pictures, those included whose files are not there at the moment.")
    created_at: AwareDatetime

    @classmethod
    def of(cls, album: album_rows.Album) -> "Album":
        return cls(name=album.name, count=album.count, created_at=album.created_at.replace(tzinfo=UTC))


class AlbumPictures(Album):
    pictures: list[ContentId] = Field(description="In the order they were added.")
    next: str | None = Field(description="Cursor for `after`; null on the last page.")


class AlbumChange(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"add": [3, 8], "remove": [5]}})

    add: list[StrictId] = Field(default_factory=list, max_length=_MOST_PICTURES)
    remove: list[StrictId] = Field(default_factory=list, max_length=_MOST_PICTURES)


class Keywords(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"ids": [3, 8], "keywords": ["holiday"]}})

    ids: list[StrictId] = Field(min_length=1, max_length=1000)
    keywords: list[Annotated[str, Field(max_length=MOST_CHARACTERS)]] = Field(min_length=1, max_length=MOST_KEYWORDS)


class WrittenKeywords(BaseModel):
    written: int = Field(ge=0, description="Sidecars that were made or changed.")
    failed: list[str] = Field(description="Why others can't be written.")


def make_album_api(site: Site) -> APIRouter:
    """Create the router of /api/albums and /api/keywords; changes need a server that may index."""
    api = APIRouter(prefix="/api", responses=problems())
    catalog = site.catalog

    @api.get("/albums", summary="List the albums", tags=["albums"], responses=LINKED)
    @site.lanes.queries
    def albums(page: PageDep, k: MostNames = 1000) -> list[Album]:
        return [Album.of(each) for each in page.list(lambda _: catalog.albums.list(), page_size=k)]

    @api.get("/albums/{name:path}", summary="Get an album", tags=["albums"], responses=problems(404))
    @site.lanes.queries
    def album(
        name: AlbumName,
        page: PageDep,
        k: Annotated[int, Query(ge=1, le=_MOST_PICTURES, description="Number of pictures.")] = 1000,
    ) -> AlbumPictures:
        found = catalog.albums.get(name)
        shown = page.slice(lambda _: catalog.albums.pictures(found.name), found.name, page_size=k)
        return AlbumPictures(**Album.of(found).model_dump(), pictures=list(shown.items), next=shown.next)

    @api.post(
        "/albums/{name:path}",
        summary="Add pictures to an album, which is made where there is none, or take some out",
        tags=["albums"],
        responses=problems(403, 404),
    )
    @site.lanes.queries
    def change(name: AlbumName, request: AlbumChange) -> Album:
        site.require_changes()
        # All or nothing: an unknown id is found before anything is written.
        known = catalog.pictures.summaries(request.remove)
        for each in request.remove:
            if each not in known:
                raise UnknownPictureError(each)
        if request.add:
            catalog.albums.add(name, request.add)
        if request.remove:
            catalog.albums.remove(name, request.remove)
        return Album.of(catalog.albums.get(name))

    @api.delete(
        "/albums/{name:path}",
        summary="Delete an album; its pictures stay",
        tags=["albums"],
        status_code=204,
        responses=problems(403, 404),
    )
    @site.lanes.queries
    def delete(name: AlbumName) -> None:
        site.require_changes()
        catalog.albums.delete(catalog.albums.get(name).name)

    @api.post(
        "/keywords",
        summary="Add keywords to the XMP sidecars of pictures",
        tags=["albums"],
        responses=problems(403, 404),
    )
    @site.lanes.queries
    def keywords(request: Keywords) -> WrittenKeywords:
        site.require_changes()
        report = catalog.pictures.add_keywords(list(dict.fromkeys(request.ids)), request.keywords)
        return WrittenKeywords(written=report.written, failed=list(report.failed))

    return api
