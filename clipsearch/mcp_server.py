"""Serve the catalog to assistants over the Model Context Protocol, as tools that return text and thumbnails.

Source: https://modelcontextprotocol.io/specification; the server comes from the package `mcp`, version 2.
"""

import functools
import io
import logging
import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from mcp.server.mcpserver import Image as ImageContent
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from PIL import Image
from pydantic import Field

from clipsearch.catalog import Catalog
from clipsearch.errors import ClipSearchError, ImageReadError, QueryError
from clipsearch.gallery.details import SMALL_SIDE
from clipsearch.notices import message_for_others
from clipsearch.quantities import count
from clipsearch.query import parse_query, words_query
from clipsearch.query.phrases import Understanding
from clipsearch.scoring.relevance import DEFAULT_CUTOFF, has_match
from clipsearch.search.hits import SearchHit
from clipsearch.types import CaptionHit, Sort
from clipsearch.version import __version__

_LOG = logging.getLogger("clipsearch.mcp")

# Side of a thumbnail in pixels, and size limit of all thumbnails of an answer: a picture of this size costs an
# assistant about as much as a paragraph.
_SIDE = 256
_MOST_LINES = 400
_MAX_BYTES = 400_000

# Ids that a line names of the others in a stack.
_SHOWN_IDS = 10

_INSTRUCTIONS = (
    "Searches the user's own pictures, on this machine, by what they show. A result's relevance is the "
    f"probability, 0 to 1, that it matches the query; below {DEFAULT_CUTOFF:g} it is likely something else. Pictures "
    "have numeric ids."
)

_READS_ONLY = ToolAnnotations(read_only_hint=True, open_world_hint=False)

Id = Annotated[int, Field(description="The id of a picture, from a result.", ge=1, lt=1 << 62)]
TopK = Annotated[int, Field(description="Number of results.", ge=1, le=50)]


def make_server(catalog: Catalog) -> "MCPServer[Any]":
    """Create the MCP server of a catalog that was opened with `shared=True`."""
    server: MCPServer[Any] = MCPServer("clipsearch", version=__version__, instructions=_INSTRUCTIONS, log_level="ERROR")

    def tool(description: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def add(function: Callable[..., Any]) -> Callable[..., Any]:
            wrapped = _report_errors(function, catalog)
            return server.tool(description=description, annotations=_READS_ONLY, structured_output=False)(wrapped)

        return add

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
                "title:harbour, creator:anna, has:tags, kind:receipt (or screenshot, document, whiteboard), "
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
    ) -> list[Any]:
        understanding = Understanding(words_query(query), query) if text else catalog.understand(query)
        parsed = understanding.query
        if any(term.kind == "picture" for group in parsed.groups for term in group):
            raise QueryError("name a picture by its id, as in id:42; put words that look like a path in quotes")
        hits = catalog.search(
            parsed, top_k=top_k, min_relevance=min_relevance, stacks=stacks, sort=sort, reverse=reverse
        )
        suggestion = catalog.suggest(parsed)
        extra = [] if suggestion is None else [f"suggestion: {_text(suggestion)}"]
        extra += [
            f"{_text(phrase.text)!r} was taken as {_text(phrase.meaning)}; quotes keep it as words"
            if phrase.is_applied
            else f"{_text(phrase.text)!r} may mean {_text(phrase.meaning)}: add that where it is no part of the picture"
            for phrase in understanding.phrases
        ]
        if not hits:
            return ["\n".join(["No picture matches.", *extra])]
        lines = [*_lines(hits), *extra]
        return ["\n".join(lines), *(_thumbnails(catalog, hits) if thumbnails else [])]

    @tool("Return the text that was read in a picture: a receipt, a sign, a screenshot, a page.")
    def text(id: Id) -> str:
        return _text_in(catalog, id)

    @tool("List the user's own captions that fit a picture best, with relevance and probabilities.")
    def caption(id: Id, top_k: TopK = 5) -> str:
        return _nearest_captions(catalog.caption(catalog.pictures.embedding(id), top_k=top_k))

    @tool("Choose which of several texts fits a picture best, with probabilities that add up to 1.")
    def classify(
        id: Id, texts: Annotated[list[str], Field(description="Candidates.", min_length=1, max_length=200)]
    ) -> str:
        return _captions(catalog.classify(catalog.pictures.embedding(id), texts))

    @tool("Find the pictures that look most like a given one.")
    def similar(id: Id, top_k: TopK = 8, thumbnails: bool = True) -> list[Any]:
        found = catalog.search(parse_query(f"id:{id}"), top_k=top_k + 1)
        hits = [hit for hit in found if id not in (hit.content_id, *hit.stack)][:top_k]
        if not hits:
            return ["The catalog has no other picture."]
        return ["\n".join(_lines(hits)), *(_thumbnails(catalog, hits) if thumbnails else [])]

    @tool("Describe the catalog: folders, number of pictures and captions, model, taught concepts.")
    def status() -> str:
        known, concepts = catalog.admin.status(), catalog.concepts.list()
        return "\n".join(
            [
                f"{count(known.pictures, 'picture')} in {count(known.files, 'file')}, "
                f"{count(known.captions, 'caption')}",
                f"model: {known.model or 'none yet: nothing is indexed'}",
                *(f"folder: {_text(folder)}" for folder in known.folders),
                *([f"concepts: {', '.join(f'@{concept.name}' for concept in concepts)}"] if concepts else []),
                *([str(known.current_run)] if known.current_run is not None else []),
            ]
        )

    return server


def _report_errors(function: Callable[..., Any], catalog: Catalog) -> Callable[..., Any]:
    """Wrap a tool so that its expected errors reach the assistant, which may correct its request."""

    @functools.wraps(function)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        try:
            catalog.admin.check_place()
            return function(*arguments, **options)
        except (ClipSearchError, OSError) as error:
            raise ToolError(message_for_others(error, _LOG)) from error

    return wrapped


def _nearest_captions(hits: Sequence[CaptionHit]) -> str:
    if has_match(hit.relevance for hit in hits):
        return _captions(hits)
    return f"{_captions(hits)}\nLikely none of these fits: they are the nearest captions."


def _text_in(catalog: Catalog, content_id: int) -> str:
    lines = catalog.pictures.text(content_id)
    shown = [_text(line.text) for line in lines[:_MOST_LINES]]
    if len(lines) > _MOST_LINES:
        shown.append(f"… {len(lines) - _MOST_LINES:,} more lines")
    return "\n".join(shown) or "No text was read in this picture."


def _lines(hits: Sequence[SearchHit]) -> list[str]:
    """Return a line for each hit, after a remark when none of them is a match."""
    is_match = has_match(hit.relevance for hit in hits) or any(hit.written for hit in hits)
    return [*([] if is_match else ["Nothing seems to match; these are the nearest pictures:"]), *map(_line, hits)]


def _line(hit: SearchHit) -> str:
    relevance = "" if math.isnan(hit.score) else f", relevance {hit.relevance:.2f}"
    ids = ", ".join(map(str, hit.stack[:_SHOWN_IDS])) + (", …" if len(hit.stack) > _SHOWN_IDS else "")
    stack = f" (+ {len(hit.stack)} in its stack: id {ids})" if hit.stack else ""
    written = f', written: "{_text(hit.written)}"' if hit.written else ""
    return f"{hit.rank}. id {hit.content_id}{relevance}: {_text(hit.location)}{stack}{written}"


def _text(path: str) -> str:
    """Return a name as one line of text: invalid UTF-8 and control characters become "?"."""
    readable = path.encode("utf-8", "replace").decode()
    return "".join(character if character.isprintable() else "?" for character in readable)


def _captions(hits: Sequence[CaptionHit]) -> str:
    return "\n".join(
        ("" if hit.relevance is None else f"relevance {hit.relevance:.2f}, probability ")
        + f"{hit.probability:.3f} {_text(hit.text)}"
        for hit in hits
    )


def _thumbnails(catalog: Catalog, hits: Sequence[SearchHit]) -> list[Any]:
    """Return the thumbnails of hits, each after its id, up to `_MAX_BYTES` in all."""
    shown: list[Any] = []
    remaining_bytes = _MAX_BYTES
    for hit in hits:
        try:
            jpeg = _shrink(catalog.pictures.thumbnail(hit.content_id, side=SMALL_SIDE, part=hit.part))
        except ImageReadError as error:
            shown.append(f"id {hit.content_id}: {_text(str(error))}")
            continue
        remaining_bytes -= len(jpeg)
        if remaining_bytes < 0:
            shown.append("Size limit reached: the remaining pictures are omitted.")
            break
        shown += [f"id {hit.content_id}:", ImageContent(data=jpeg, format="jpeg")]
    return shown


def _shrink(jpeg: bytes) -> bytes:
    with Image.open(io.BytesIO(jpeg)) as image:
        image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
        content = io.BytesIO()
        image.save(content, "JPEG", quality=75)
    return content.getvalue()
