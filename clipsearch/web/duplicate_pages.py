"""Define the HTML pages that show duplicates, and two pictures in comparison."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import Response

from clipsearch.errors import UnknownPictureError
from clipsearch.web.duplicate_view import FilterDep, find_groups
from clipsearch.web.schemas import name_of
from clipsearch.web.state import Site
from clipsearch.web.templating import render


def make_duplicate_pages(site: Site) -> APIRouter:
    """Create the router of the pages of duplicates."""
    pages = APIRouter(include_in_schema=False)
    catalog = site.catalog

    @pages.get("/duplicates")
    @site.lanes.queries
    def duplicates(wanted: FilterDep) -> Response:
        if not site.status.pictures:
            return render("empty.html", title="Duplicates", may_index=site.may_index)
        status = site.duplicates.ensure()
        return render(
            "duplicates.html",
            status=status,
            wanted=wanted,
            page=find_groups(status.found, wanted, site),
            known="" if status.found is None else status.found.token,
            known_groups=0 if status.found is None else len(status.found.groups),
            is_outdated=site.duplicates.is_outdated,
            folders=catalog.pictures.facets().folders,
            may_index=site.may_index,
        )

    @pages.get("/duplicates/more")
    @site.lanes.queries
    def more(wanted: FilterDep, after: Annotated[str, Query(max_length=40)]) -> Response:
        try:
            page = find_groups(site.duplicates.status.found, wanted, site, after=after)
        except HTTPException as error:
            return render("message.html", status_code=error.status_code, message=error.detail)
        return render("duplicate_groups.html", page=page, wanted=wanted)

    @pages.get("/duplicates/progress")
    async def progress(
        known: Annotated[str, Query(max_length=40)] = "", groups: Annotated[int, Query(ge=0)] = 0
    ) -> Response:
        return render("duplicate_progress.html", status=site.duplicates.status, known=known, known_groups=groups)

    @pages.get("/pictures/{content_id}/compare/{other_id}")
    @site.lanes.queries
    def compare(content_id: int, other_id: int) -> Response:
        try:
            pictures = [catalog.pictures.get(each) for each in (content_id, other_id)]
        except UnknownPictureError as error:
            return render("message.html", status_code=404, message=str(error))
        properties = catalog.pictures.compare([(each.content_id, each.paths[0]) for each in pictures])
        return render(
            "compare.html",
            pictures=pictures,
            names=[name_of(each.paths[0]) for each in pictures],
            differing=[each for each in properties if each.differs],
        )

    return pages
