"""Write answers for assistants: a line for each hit, what is told of its picture, and thumbnails within a budget."""

import io
import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeAlias

from mcp.server.mcpserver import Image as ImageContent
from PIL import Image
from pydantic import Field

from clipsearch.catalog import Catalog
from clipsearch.errors import ImageReadError
from clipsearch.gallery.details import SMALL_SIDE
from clipsearch.gallery.summaries import PictureSummary
from clipsearch.scoring.relevance import has_match
from clipsearch.search.hits import SearchHit
from clipsearch.types import CaptionHit

Tool: TypeAlias = Callable[[str], Callable[[Callable[..., Any]], Callable[..., Any]]]
"""Decorator that adds a tool with a description."""

MOST_IDS = 1 << 62

Id = Annotated[int, Field(description="The id of a picture, from a result.", ge=1, lt=MOST_IDS)]
TopK = Annotated[int, Field(description="Number of results.", ge=1, le=50)]
After = Annotated[
    str | None, Field(description="The cursor after 'next:' in the previous answer, to get more.", max_length=300)
]

MAX_BYTES = 400_000
"""Size limit of all pictures of an answer."""

# Side of a thumbnail in pixels: a picture of this size costs an assistant about as much as a paragraph.
_SIDE = 256

# Ids that a line names of the others in a stack.
_SHOWN_IDS = 10

# Characters of a title or a caption in a line.
_MOST_CHARACTERS = 200


def hit_lines(hits: Sequence[SearchHit], catalog: Catalog) -> list[str]:
    """Return a line for each hit, after a remark when none of them is a match."""
    is_match = has_match(hit.relevance for hit in hits) or any(hit.written for hit in hits)
    summaries = catalog.pictures.summaries([hit.content_id for hit in hits])
    return [
        *([] if is_match else ["Nothing seems to match; these are the nearest pictures:"]),
        *(_line(hit, summaries.get(hit.content_id)) for hit in hits),
    ]


def next_lines(cursor: str | None) -> list[str]:
    """Return the line that ends an answer of which there is more."""
    return [] if cursor is None else [f"next: {cursor}"]


def _line(hit: SearchHit, summary: PictureSummary | None) -> str:
    relevance = "" if math.isnan(hit.score) else f", relevance {hit.relevance:.2f}"
    ids = ", ".join(map(str, hit.stack[:_SHOWN_IDS])) + (", …" if len(hit.stack) > _SHOWN_IDS else "")
    stack = f" (+ {len(hit.stack)} in its stack: id {ids})" if hit.stack else ""
    written = f', written: "{one_line(hit.written)}"' if hit.written else ""
    told, described = ("", "") if summary is None else (_told(summary), _described(summary))
    return f"{hit.rank}. id {hit.content_id}{relevance}{told}: {one_line(hit.location)}{stack}{written}{described}"


def _told(summary: PictureSummary) -> str:
    """Return date, place, size and kind, each after a comma."""
    metadata = summary.metadata
    known = ["date unknown"]
    if metadata.taken_at is not None:
        doubtful = " (doubtful)" if metadata.is_date_doubtful else ""
        known = [f"taken {metadata.taken_at.isoformat(' ', 'seconds')}{doubtful}"]
    place = one_line(summary.place or summary.country or "")
    at = "" if metadata.latitude is None else f"at {metadata.latitude:.5f}, {metadata.longitude:.5f}"
    if place or at:
        known.append(f"{place} ({at})" if place and at else place or at)
    known.append(f"{metadata.width} x {metadata.height} pixels, {summary.size_bytes:,} bytes {metadata.format}")
    if summary.kind is not None:
        known.append(summary.kind)
    return "".join(f", {each}" for each in known)


def _described(summary: PictureSummary) -> str:
    """Return title, caption and rating, each after a comma."""
    described = summary.description
    texts = [(name, getattr(described, name)) for name in ("title", "caption")]
    found = [f'{name}: "{one_line(text[:_MOST_CHARACTERS])}"' for name, text in texts if text]
    if described.rating:
        found.append(f"rating {described.rating}")
    return "".join(f", {each}" for each in found)


def one_line(text: str) -> str:
    """Return a text as one line: invalid UTF-8 and control characters become "?"."""
    readable = text.encode("utf-8", "replace").decode()
    return "".join(character if character.isprintable() else "?" for character in readable)


def caption_lines(hits: Sequence[CaptionHit]) -> list[str]:
    return [
        ("" if hit.relevance is None else f"relevance {hit.relevance:.2f}, probability ")
        + f"{hit.probability:.3f} {one_line(hit.text)}"
        for hit in hits
    ]


def thumbnails(catalog: Catalog, hits: Sequence[SearchHit], *, max_bytes: int = MAX_BYTES) -> list[Any]:
    """Return the thumbnails of hits, each after its id, up to `max_bytes` in all."""
    shown: list[Any] = []
    remaining_bytes = max_bytes
    for hit in hits:
        try:
            jpeg = _shrink(catalog.pictures.thumbnail(hit.content_id, side=SMALL_SIDE, part=hit.part))
        except ImageReadError as error:
            shown.append(f"id {hit.content_id}: {one_line(str(error))}")
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
