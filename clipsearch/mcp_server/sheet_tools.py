"""Tool that shows many pictures in one."""

from typing import Annotated, Any

from mcp.server.mcpserver import Image as ImageContent
from pydantic import Field

from clipsearch.catalog import Catalog
from clipsearch.errors import QueryError, UnknownPictureError
from clipsearch.gallery.sheet_image import MOST_TILES
from clipsearch.mcp_server.answers import After, Id, Tool, hit_lines, next_lines
from clipsearch.mcp_server.search_tools import checked


def add_sheet_tools(tool: Tool, catalog: Catalog) -> None:
    """Add the tool to a server."""

    @tool(
        "Show up to 48 pictures in one, in rows, each above its number and id: of a query, or of ids. It costs as much "
        "as a single picture."
    )
    def contact_sheet(
        query: Annotated[str, Field(description="As of search; empty where ids are given.", max_length=4000)] = "",
        ids: Annotated[tuple[Id, ...], Field(description="Ids of pictures.", max_length=MOST_TILES)] = (),
        top_k: Annotated[int, Field(description="Number of pictures of a query.", ge=1, le=MOST_TILES)] = 20,
        after: After = None,
    ) -> list[Any]:
        if bool(query.strip()) == bool(ids):
            raise QueryError("name a query or ids of pictures")
        if ids:
            known = catalog.pictures.summaries(ids)
            missing = [each for each in ids if each not in known]
            if len(missing) == len(ids):
                raise UnknownPictureError(missing[0])
            shown = [each for each in ids if each in known]
            lines = [f"no picture with the number {each} in the catalog" for each in missing]
            return [*lines, ImageContent(data=catalog.pictures.contact_sheet(shown), format="jpeg")]
        page = catalog.search_page(checked(catalog.understand(query).query), page_size=top_k, after=after)
        if not page.hits:
            return ["No picture matches."]
        sheet = ImageContent(data=catalog.pictures.contact_sheet(page.hits), format="jpeg")
        return ["\n".join([*hit_lines(page.hits, catalog), *next_lines(page.next)]), sheet]
