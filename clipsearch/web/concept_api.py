"""Define the routes of the HTTP API that teach concepts; they name pictures by content id only, never by path."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from clipsearch.web import schemas
from clipsearch.web.paging import LINKED, PageDep
from clipsearch.web.schemas import problems
from clipsearch.web.state import Site

ConceptName = Annotated[str, Path(min_length=1, max_length=200, examples=["rex"])]


def make_concept_api(site: Site) -> APIRouter:
    """Create the router of /api/concepts; what changes a concept needs a server that may index."""
    api = APIRouter(prefix="/api", responses=problems())
    catalog = site.catalog

    @api.get("/concepts", summary="List the concepts taught by examples", tags=["concepts"], responses=LINKED)
    @site.lanes.queries
    def concepts(
        page: PageDep, k: Annotated[int, Query(ge=1, le=1000, description="Number of concepts.")] = 1000
    ) -> list[schemas.Concept]:
        return [schemas.Concept.of(concept) for concept in page.list(lambda _: catalog.concepts.list(), page_size=k)]

    @api.post(
        "/concepts",
        summary="Teach a concept, or add examples to one",
        tags=["concepts"],
        responses=problems(403, 404),
    )
    @site.lanes.queries
    def teach(request: schemas.Lesson) -> schemas.Concept:
        site.require_changes()
        found = catalog.concepts.add(request.name, request.positives, negatives=request.negatives, words=request.words)
        return schemas.Concept.of(found)

    @api.get("/concepts/{name}", summary="Get a concept", tags=["concepts"], responses=problems(404))
    @site.lanes.queries
    def concept(name: ConceptName) -> schemas.Concept:
        return schemas.Concept.of(catalog.concepts.get(name))

    @api.delete(
        "/concepts/{name}",
        summary="Remove a concept",
        tags=["concepts"],
        status_code=204,
        responses=problems(403, 404),
    )
    @site.lanes.queries
    def remove_concept(name: ConceptName) -> None:
        site.require_changes()
        catalog.concepts.remove(catalog.concepts.get(name).name)

    @api.delete(
        "/concepts/{name}/examples/{id}",
        summary="Remove an example of a concept",
        tags=["concepts"],
        responses=problems(403, 404),
    )
    @site.lanes.queries
    def remove_example(name: ConceptName, id: Annotated[int, Path(ge=1, le=1 << 62)]) -> schemas.Concept:
        site.require_changes()
        catalog.concepts.remove_examples(name, [id])
        return schemas.Concept.of(catalog.concepts.get(name))

    return api
