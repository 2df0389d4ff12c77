"""The catalog for assistants that speak the Model Context Protocol: tools that answer with words and small pictures.

Source: https://modelcontextprotocol.io/specification; the server is that of the package `mcp`, version 2.
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
from clipsearch.query import parse_query
from clipsearch.scoring.relevance import DEFAULT_CUTOFF, has_match
from clipsearch.search.hits import SearchHit
from clipsearch.types import CaptionHit
from clipsearch.version import __version__

_LOG = logging.getLogger("clipsearch.mcp")

# Of a thumbnail, in pixels, and of all thumbnails of an answer, in bytes: a picture of this size costs an assistant
# about as much as a paragraph.
_SIDE = 256
_MOST_BYTES = 400_000

_INSTRUCTIONS = (
    "Searches the user's own pictures, on this machine, by what they show. A result's relevance, 0 to 1, is how surely "
    f"it shows what was asked for; below {DEFAULT_CUTOFF:g} it is likely something else. Pictures are named by numbers."
)

_READS_ONLY = ToolAnnotations(read_only_hint=True, open_world_hint=False)

Id = Annotated[int, Field(description="The number of a picture, from a result.", ge=1, lt=1 << 62)]
TopK = Annotated[int, Field(description="Number of results.", ge=1, le=50)]


def make_server(catalog: Catalog) -> "MCPServer[Any]":
    """The server over a catalog that was opened with `shared=True`."""
    server: MCPServer[Any] = MCPServer("clipsearch", version=__version__, instructions=_INSTRUCTIONS, log_level="ERROR")

    def tool(description: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def add(function: Callable[..., Any]) -> Callable[..., Any]:
            told = _telling(function, catalog)
            return server.tool(description=description, annotations=_READS_ONLY, structured_output=False)(told)

        return add

    @tool("Find pictures by what they show.")
    def search(
        query: Annotated[
            str,
            Field(
                description="Words, as one would describe the picture ('a red car in the snow'). Also: '+' and '-' "
                "between terms ('beach - people'), '&' for both, 'id:42' for a picture, filters such as taken:2024, "
                "taken:2024-05..2024-08, camera:pixel, path:holiday, type:png, orientation:portrait.",
                max_length=4000,
            ),
        ],
        top_k: TopK = 8,
        min_relevance: Annotated[float, Field(description="Leave out what is less relevant.", ge=0, le=1)] = 0.0,
        thumbnails: Annotated[bool, Field(description="Also show the pictures, small.")] = True,
    ) -> list[Any]:
        meant = parse_query(query)
        if any(term.kind == "picture" for group in meant.groups for term in group):
            raise QueryError("pictures are named by their numbers here, as in id:42; words like a path go in quotes")
        hits = catalog.search(meant, top_k=top_k, min_relevance=min_relevance)
        suggestion = catalog.suggest(meant)
        also = [] if suggestion is None else [f"suggestion: {_text(suggestion)}"]
        if not hits:
            return ["\n".join(["No picture matches.", *also])]
        lines = [*_lines(hits), *also]
        return ["\n".join(lines), *(_thumbnails(catalog, hits) if thumbnails else [])]

    @tool("The user's own captions that fit a picture best, with relevance and probabilities.")
    def caption(id: Id, top_k: TopK = 5) -> str:
        hits = catalog.caption(catalog.pictures.embedding(id), top_k=top_k)
        if has_match(hit.relevance for hit in hits):
            return _captions(hits)
        return f"{_captions(hits)}\nLikely none of these fits: they are the nearest there are."

    @tool("Which of some texts fits a picture best, with probabilities that add up to 1.")
    def classify(
        id: Id, texts: Annotated[list[str], Field(description="Candidates.", min_length=1, max_length=200)]
    ) -> str:
        return _captions(catalog.classify(catalog.pictures.embedding(id), texts))

    @tool("Pictures that look most like one of them.")
    def similar(id: Id, top_k: TopK = 8, thumbnails: bool = True) -> list[Any]:
        found = catalog.search(parse_query(f"id:{id}"), top_k=top_k + 1)
        hits = [hit for hit in found if hit.content_id != id][:top_k]
        if not hits:
            return ["There is no other picture."]
        return ["\n".join(_lines(hits)), *(_thumbnails(catalog, hits) if thumbnails else [])]

    @tool("What the catalog holds: folders, number of pictures and captions, model.")
    def status() -> str:
        known = catalog.admin.status()
        return "\n".join(
            [
                f"{count(known.pictures, 'picture')} in {count(known.files, 'file')}, "
                f"{count(known.captions, 'caption')}",
                f"model: {known.model or 'none yet: nothing is indexed'}",
                *(f"folder: {_text(folder)}" for folder in known.folders),
                *([str(known.current_run)] if known.current_run is not None else []),
            ]
        )

    return server


def _telling(function: Callable[..., Any], catalog: Catalog) -> Callable[..., Any]:
    """What the function raises on purpose is told to the assistant, which may ask again in another way."""

    @functools.wraps(function)
    def told(*arguments: Any, **options: Any) -> Any:
        try:
            catalog.admin.check_place()
            return function(*arguments, **options)
        except (ClipSearchError, OSError) as error:
            raise ToolError(message_for_others(error, _LOG)) from error

    return told


def _lines(hits: Sequence[SearchHit]) -> list[str]:
    """One for each hit, below one that says so where none is a match."""
    is_any = has_match(hit.relevance for hit in hits)
    return [*([] if is_any else ["Nothing here seems to match; these are the nearest there are:"]), *map(_line, hits)]


def _line(hit: SearchHit) -> str:
    relevance = "" if math.isnan(hit.score) else f", relevance {hit.relevance:.2f}"
    return f"{hit.rank}. id {hit.content_id}{relevance}: {_text(hit.path)}"


def _text(path: str) -> str:
    """A name in one line: bytes that are no UTF-8 and control characters come out as "?"."""
    readable = path.encode("utf-8", "replace").decode()
    return "".join(character if character.isprintable() else "?" for character in readable)


def _captions(hits: Sequence[CaptionHit]) -> str:
    return "\n".join(
        ("" if hit.relevance is None else f"relevance {hit.relevance:.2f}, probability ")
        + f"{hit.probability:.3f} {_text(hit.text)}"
        for hit in hits
    )


def _thumbnails(catalog: Catalog, hits: Sequence[SearchHit]) -> list[Any]:
    """The pictures of hits, small, each after its number, as many as there is room for."""
    shown: list[Any] = []
    left = _MOST_BYTES
    for hit in hits:
        try:
            jpeg = _smaller(catalog.pictures.thumbnail(hit.content_id, side=SMALL_SIDE))
        except ImageReadError as error:
            shown.append(f"id {hit.content_id}: {_text(str(error))}")
            continue
        left -= len(jpeg)
        if left < 0:
            shown.append("There is no room for more pictures.")
            break
        shown += [f"id {hit.content_id}:", ImageContent(data=jpeg, format="jpeg")]
    return shown


def _smaller(jpeg: bytes) -> bytes:
    with Image.open(io.BytesIO(jpeg)) as image:
        image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
        content = io.BytesIO()
        image.save(content, "JPEG", quality=75)
    return content.getvalue()
