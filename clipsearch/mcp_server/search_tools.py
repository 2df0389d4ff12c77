"""Tools that find pictures: by words and filters, and by a picture."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field

from clipsearch.catalog import Catalog
from clipsearch.errors import QueryError
from clipsearch.mcp_server.answers import After, Id, Tool, TopK, hit_lines, next_lines, one_line, thumbnails
from clipsearch.quantities import count
from clipsearch.query import Query, parse_query, words_query
from clipsearch.query.phrases import Understanding
from clipsearch.search.cursors import cursor_key, find_slice
from clipsearch.search.hits import SearchHit
from clipsearch.types import Sort

# Hits that are looked through for one that is neither the picture itself nor in its stack.
_MOST_SIMILAR = 1_000


def add_search_tools(tool: Tool, catalog: Catalog) -> None:
    """Add the tools to a server."""

    @tool("Find pictures by what they show.")
    def search(
        query: Annotated[
            str,
            Field(
                description="A description of the picture ('a red car in the snow'), also with dates, the camera and "
                "what it lacks ('a beach in July 2023 without people'). Also: '+' and '-' "
                "between terms ('beach - people'), '&' for both, 'id:42' for a picture, '@rex' for a concept that the "
                "user has taught (status lists them), filters such as taken:2024, taken:2024-05..2024-08, "
                "taken:--07-04 (in any year), camera:pixel, path:holiday, type:png, orientation:portrait, is:blurred, "
                "-is:dark, place:munich, country:it, near:paris,10km, tag:holiday, person:anna, rating:>=4, label:red, "
                "title:harbour, creator:anna, album:italy, has:tags, kind:receipt (screenshot, document, whiteboard), "
                'written:"summer camp" (titles, captions, keywords, names of files), text:invoice and has:text (what '
                "was read in the picture).",
                max_length=4000,
            ),
        ],
        top_k: TopK = 8,
        min_relevance: Annotated[float, Field(description="Omit results of lower relevance.", ge=0, le=1)] = 0.0,
        thumbnails: Annotated[bool, Field(description="Also return thumbnails.")] = True,
        stacks: Annotated[
            bool, Field(description="Show a burst, a RAW file with its JPEG, and a live photo as one picture.")
        ] = True,
        sort: Annotated[
            Sort,
            Field(
                description="Order: relevance; taken: the newest first; added: the last added first; name. All but "
                "relevance sort the likely matches only."
            ),
        ] = "relevance",
        reverse: Annotated[bool, Field(description="Reverse the order.")] = False,
        text: Annotated[bool, Field(description="Take the query as plain words, without all of these.")] = False,
        after: After = None,
    ) -> list[Any]:
        understanding = Understanding(words_query(query), query) if text else catalog.understand(query)
        parsed = checked(understanding.query)
        page = catalog.search_page(
            parsed,
            page_size=top_k,
            after=after,
            min_relevance=min_relevance,
            stacks=stacks,
            sort=sort,
            reverse=reverse,
        )
        suggestion = catalog.suggest(parsed)
        extra = [] if suggestion is None else [f"suggestion: {one_line(suggestion)}"]
        extra += [
            f"{one_line(phrase.text)!r} was taken as {one_line(phrase.meaning)}; quotes keep it as words"
            if phrase.is_applied
            else f"{one_line(phrase.text)!r} may mean {one_line(phrase.meaning)}: add that where it is no part of the "
            "picture"
            for phrase in understanding.phrases
        ]
        if page.unmeasured:
            extra.append(f"{count(page.unmeasured, 'picture')} of which the filters know nothing")
        extra += next_lines(page.next)
        if not page.hits:
            return ["\n".join(["No picture matches.", *extra])]
        return answer_of(page.hits, extra, has_thumbnails=thumbnails)

    @tool("Find the pictures that look most like a given one.")
    def similar(id: Id, top_k: TopK = 8, thumbnails: bool = True, after: After = None) -> list[Any]:
        def find(count: int) -> list[SearchHit]:
            found = catalog.search(parse_query(f"id:{id}"), top_k=count + 1)
            others = [hit for hit in found if id not in (hit.content_id, *hit.stack)]
            return [replace(hit, rank=rank) for rank, hit in enumerate(others[:count], start=1)]

        page = find_slice(find, page_size=top_k, after=after, key=cursor_key("similar", id), most=_MOST_SIMILAR)
        if not page.items:
            return ["The catalog has no other picture."]
        return answer_of(page.items, next_lines(page.next), has_thumbnails=thumbnails)

    def answer_of(hits: Sequence[SearchHit], extra: list[str], *, has_thumbnails: bool) -> list[Any]:
        lines = "\n".join([*hit_lines(hits, catalog), *extra])
        return [lines, *(thumbnails(catalog, hits) if has_thumbnails else [])]


def checked(query: Query) -> Query:
    """Return a query that names no picture by a path or a URL.

    Raises:
        QueryError: it does.
    """
    if any(term.kind == "picture" for group in query.groups for term in group):
        raise QueryError("name a picture by its id, as in id:42; put words that look like a path in quotes")
    return query
