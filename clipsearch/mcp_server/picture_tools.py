"""Tools that describe pictures whose ids are known: all that is known of them, their text, and words that fit."""

import json
from typing import Annotated, Any

from pydantic import Field

from clipsearch.catalog import Catalog
from clipsearch.gallery.summaries import PictureRecord, summary_json
from clipsearch.mcp_server.answers import After, Id, Tool, TopK, caption_lines, next_lines, one_line
from clipsearch.scoring.relevance import has_match
from clipsearch.search.cursors import cursor_key, find_slice

# Lines of text of one answer, and of each picture of `details`.
_MOST_LINES, _LINES_OF_EACH = 400, 40

# Pictures of one answer of `details`.
_MOST_RECORDS = 20


def add_picture_tools(tool: Tool, catalog: Catalog) -> None:
    """Add the tools to a server."""

    @tool(
        "Return all that is known of up to 20 pictures, as JSON: files, date, camera, place, size, kind, description, "
        "text that was read, the ids of its stack, and those taken before and after it (the nearest first)."
    )
    def details(
        ids: Annotated[list[Id], Field(description="Ids of pictures.", min_length=1, max_length=_MOST_RECORDS)],
    ) -> str:
        unique = list(dict.fromkeys(ids))
        found = [_record_json(record) for record in catalog.pictures.records(unique)]
        known = {each["id"] for each in found}
        return json.dumps({"pictures": found, "missing": [each for each in unique if each not in known]})

    @tool("Return the text that was read in a picture: a receipt, a sign, a screenshot, a page.")
    def text(id: Id, after: After = None) -> str:
        lines = catalog.pictures.text(id)
        page = find_slice(lambda _: lines, page_size=_MOST_LINES, after=after, key=cursor_key("text", id))
        shown = [one_line(line.text) for line in page.items]
        left = len(lines) - page.start - len(shown)
        if left > 0:
            shown += [f"… {left:,} more lines", *next_lines(page.next)]
        return "\n".join(shown) or "No text was read in this picture."

    @tool("List the user's own captions that fit a picture best, with relevance and probabilities.")
    def caption(id: Id, top_k: TopK = 5, after: After = None) -> str:
        embedding = catalog.pictures.embedding(id)
        page = find_slice(
            lambda count: catalog.caption(embedding, top_k=count),
            page_size=top_k,
            after=after,
            key=cursor_key("caption", id),
        )
        lines = caption_lines(page.items)
        if not has_match(hit.relevance for hit in page.items):
            lines.append("Likely none of these fits: they are the nearest captions.")
        return "\n".join([*lines, *next_lines(page.next)])

    @tool("Choose which of several texts fits a picture best, with probabilities that add up to 1.")
    def classify(
        id: Id, texts: Annotated[list[str], Field(description="Candidates.", min_length=1, max_length=200)]
    ) -> str:
        return "\n".join(caption_lines(catalog.classify(catalog.pictures.embedding(id), texts)))


def _record_json(record: PictureRecord) -> dict[str, Any]:
    details = record.details
    return {
        "id": details.content_id,
        "paths": [one_line(path) for path in details.paths],
        "blake3": details.blake3,
        "added_at": details.added_at.isoformat(),
        **summary_json(record.summary),
        "text": [line.text for line in record.lines[:_LINES_OF_EACH]],
        "text_lines": len(record.lines),
        "parts": record.parts,
        "stack": record.stack,
        "before": record.before,
        "after": record.after,
    }
