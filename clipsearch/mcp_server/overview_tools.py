"""Tools that give an overview of the catalog: its status, facets and events."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from clipsearch.catalog import Catalog
from clipsearch.gallery.details import CatalogFacets
from clipsearch.gallery.events import Event
from clipsearch.mcp_server.answers import After, Tool, next_lines, one_line
from clipsearch.mcp_server.search_tools import checked
from clipsearch.quantities import count
from clipsearch.query import Query

# Values of one facet, and saved searches or albums.
_MOST_VALUES, _MOST_SAVED = 40, 500

QueryText = Annotated[str, Field(description="As of search; empty: all pictures.", max_length=4000)]


def add_overview_tools(tool: Tool, catalog: Catalog) -> None:
    """Add the tools to a server."""

    @tool("Describe the catalog: folders, number of pictures and captions, model, taught concepts.")
    def status() -> str:
        known, concepts = catalog.admin.status(), catalog.concepts.list()
        return "\n".join(
            [
                f"{count(known.pictures, 'picture')} in {count(known.files, 'file')}, "
                f"{count(known.captions, 'caption')}",
                f"model: {known.model or 'none yet: nothing is indexed'}",
                *(f"folder: {one_line(folder)}" for folder in known.folders),
                *([f"concepts: {', '.join(f'@{concept.name}' for concept in concepts)}"] if concepts else []),
                *([str(known.current_run)] if known.current_run is not None else []),
            ]
        )

    @tool(
        "Count pictures by camera, format, folder, keyword, person, rating, place and kind, with the period of their "
        f"dates, as JSON: the {_MOST_VALUES} most frequent values of each. They are what filters of search take."
    )
    def facets(
        query: Annotated[str, Field(description="Filters, as of search; empty: all pictures.", max_length=4000)] = "",
    ) -> str:
        parsed = understood(query)
        found = _facets_json(catalog.pictures.facets(parsed))
        if parsed.groups:
            found["note"] = "only the filters of the query count: its words are ignored"
        return json.dumps(found)

    @tool(
        "List the user's saved searches, which search takes as @NAME, and albums, as album:NAME, with their numbers of "
        "pictures."
    )
    def saved() -> str:
        searches = [f"@{each.name}: {one_line(each.query)}" for each in catalog.saved.list()[:_MOST_SAVED]]
        albums = catalog.albums.list()[:_MOST_SAVED]
        lines = [*searches, *(f"album {one_line(each.name)}: {count(each.count, 'picture')}" for each in albums)]
        return "\n".join(lines) or "There are no saved searches and no albums."

    @tool(
        "List events, the newest first: pictures of one day and one city without a pause of 4 hours, with the number "
        "of pictures and the id of one that represents it; contact_sheet shows these."
    )
    def events(
        query: QueryText = "",
        top_k: Annotated[int, Field(description="Number of events.", ge=1, le=200)] = 40,
        after: After = None,
    ) -> str:
        page = catalog.pictures.events(understood(query), page_size=top_k, after=after)
        lines = [f"{count(page.total, 'event')}; {count(page.undated, 'picture')} without a date are in none"]
        return "\n".join([*lines, *map(_event_line, page.events), *next_lines(page.next)])

    def understood(text: str) -> Query:
        return checked(catalog.understand(text).query) if text.strip() else Query()


def _event_line(event: Event) -> str:
    first, last = (each.isoformat(" ", "minutes") for each in (event.first_taken, event.last_taken))
    place = f", {one_line(event.place)}" if event.place else ""
    return f"{first} to {last}{place}: {count(event.pictures, 'picture')}, id {event.content_id}, {event.query}"


def _facets_json(facets: CatalogFacets) -> dict[str, Any]:
    written = facets.written
    counts: dict[str, Mapping[Any, int]] = {
        "cameras": facets.cameras,
        "formats": facets.formats,
        "tags": written.tags,
        "people": written.people,
        "labels": written.labels,
        "creators": written.creators,
        "ratings": written.ratings,
        "places": written.places,
        "kinds": written.kinds,
        "albums": facets.albums,
    }
    dates = {"first_taken": facets.first_taken, "last_taken": facets.last_taken}
    return {
        "pictures": facets.pictures,
        **{name: None if date is None else date.isoformat() for name, date in dates.items()},
        "blurred": facets.blurred,
        "dark": facets.dark,
        "folders": [one_line(folder) for folder in facets.folders[:_MOST_VALUES]],
        **{
            name: dict(sorted(values.items(), key=lambda each: -each[1])[:_MOST_VALUES])
            for name, values in counts.items()
        },
    }
