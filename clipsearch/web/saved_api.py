"""Define the routes of the HTTP API for saved searches."""

from datetime import UTC
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from clipsearch.search.saved import MOST_QUERY_CHARACTERS
from clipsearch.store import records
from clipsearch.web.album_api import MostNames
from clipsearch.web.paging import LINKED, PageDep
from clipsearch.web.schemas import problems
from clipsearch.web.state import Site

SearchName = Annotated[str, Path(min_length=1, max_length=200, examples=["beach-days"])]


class SavedSearch(BaseModel):
    name: str = Field(description="Folded; `@name` stands for it in queries.")
    query: str
    created_at: AwareDatetime

    @classmethod
    def of(cls, saved: records.SavedSearch) -> "SavedSearch":
        return cls(name=saved.name, query=saved.query, created_at=saved.created_at.replace(tzinfo=UTC))


class SearchToSave(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"query": "beach taken:2023.."}})

    query: str = Field(min_length=1, max_length=MOST_QUERY_CHARACTERS)
    replace: bool = Field(default=False, description="An older search of this name.")


def make_saved_api(site: Site) -> APIRouter:
    """Create the router of /api/saved; changes need a server that may index."""
    api = APIRouter(prefix="/api", responses=problems())
    catalog = site.catalog

    @api.get("/saved", summary="List the saved searches", tags=["albums"], responses=LINKED)
    @site.lanes.queries
    def saved(page: PageDep, k: MostNames = 1000) -> list[SavedSearch]:
        return [SavedSearch.of(each) for each in page.list(lambda _: catalog.saved.list(), page_size=k)]

    @api.put("/saved/{name}", summary="Save a search under a name", tags=["albums"], responses=problems(403, 409))
    @site.lanes.queries
    def save(name: SearchName, request: SearchToSave) -> SavedSearch:
        site.require_changes()
        return SavedSearch.of(catalog.saved.add(name, request.query, replace=request.replace))

    @api.delete(
        "/saved/{name}",
        summary="Remove a saved search",
        tags=["albums"],
        status_code=204,
        responses=problems(403, 404),
    )
    @site.lanes.queries
    def remove(name: SearchName) -> None:
        site.require_changes()
        catalog.saved.remove(catalog.saved.get(name).name)

    return api
