"""Find the parts of contents, and the contents of parts; in plain SQL, as importing SQLAlchemy takes longer than that.

The ids of contents and of their parts come from one sequence: an index of embeddings has one space of ids, and a
content of one part, as most are, has no row here.
"""

from collections.abc import Sequence
from typing import NamedTuple, get_args

from clipsearch.errors import StoreError
from clipsearch.parts import Part, PartKind, Parts, unpack_parts
from clipsearch.store.backends.base import ReadConnection, chunks
from clipsearch.store.records import REPAIR_HINT
from clipsearch.store.values import valid_ids

_ANY = "SELECT 1 FROM parts LIMIT 1"
_COUNT = (
    "SELECT count(*), coalesce(sum(part_count), 0) FROM parts p WHERE described LIKE ? AND EXISTS "
    "(SELECT 1 FROM files f WHERE f.content_id = p.content_id AND f.removed_at IS NULL)"
)
_OF_CONTENTS = "SELECT content_id, first_part_id, part_count, described FROM parts WHERE content_id IN ({})"
_OF_IDS = (
    "WITH wanted(id) AS (VALUES {}) SELECT w.id, p.content_id, p.first_part_id, p.part_count, p.described "
    "FROM wanted w JOIN parts p ON p.first_part_id = (SELECT max(q.first_part_id) FROM parts q "
    "WHERE q.first_part_id <= w.id) WHERE w.id < p.first_part_id + p.part_count"
)

ORPHANS = (
    "part_id NOT IN (SELECT content_id FROM contents) AND NOT EXISTS (SELECT 1 FROM parts p WHERE "
    "p.first_part_id = (SELECT max(q.first_part_id) FROM parts q WHERE q.first_part_id <= part_id) "
    "AND part_id < p.first_part_id + p.part_count)"
)
"""Condition on embeddings of pictures whose content or part does not exist."""


_RANGE = "p.first_part_id AND p.first_part_id + p.part_count - 1"

MISPLACED = (
    "content_id IN (SELECT p.content_id FROM parts p WHERE p.part_count > 0 AND ("  # noqa: S608
    f"EXISTS (SELECT 1 FROM contents c WHERE c.content_id BETWEEN {_RANGE}) "
    f"OR EXISTS (SELECT 1 FROM parts q WHERE q.first_part_id > p.first_part_id AND q.first_part_id BETWEEN {_RANGE}) "
    "OR EXISTS (SELECT 1 FROM parts q WHERE q.first_part_id + q.part_count > p.first_part_id AND q.first_part_id = "
    "(SELECT max(r.first_part_id) FROM parts r WHERE r.first_part_id < p.first_part_id))))"
)
"""Condition on parts whose ids are those of a content, or of parts of another one."""

_EMBEDDED_PARTS = (
    "(SELECT count(*) FROM image_embeddings o WHERE o.model_id = e.model_id "  # noqa: S608
    f"AND o.part_id BETWEEN {_RANGE})"
)

INCOMPLETE = (
    "SELECT e.embedding_id FROM parts p CROSS JOIN models m JOIN image_embeddings e ON e.model_id = m.model_id "  # noqa: S608
    f"AND e.part_id = p.content_id WHERE p.part_count > 0 AND {_EMBEDDED_PARTS} != p.part_count "
    # Another model may have embedded pictures without their crops.
    f"AND (replace(p.described, '\"crop\"', '') = p.described OR {_EMBEDDED_PARTS} > 0)"
)
"""Query of the embeddings of covers of which some parts have none: without them, the next run embeds all."""

COVERS_OF = (
    "SELECT o.embedding_id FROM image_embeddings e JOIN parts p ON p.first_part_id = (SELECT max(q.first_part_id) "
    "FROM parts q WHERE q.first_part_id <= e.part_id) AND e.part_id < p.first_part_id + p.part_count "
    "JOIN image_embeddings o ON o.model_id = e.model_id AND o.part_id = p.content_id WHERE e.embedding_id = ?"
)
"""Query of the embedding of the cover of a part with an embedding."""


class StoredPart(NamedTuple):
    """A part, or the cover of a content of several.

    Attributes:
        content_id: the content that it is a part of.
        part: None: a whole picture that has crops besides.
    """

    content_id: int
    part: Part | None


class PartReader:
    """Thread-safe reader of parts."""

    def __init__(self, connection: ReadConnection) -> None:
        self._rows = connection.rows

    def has_any(self) -> bool:
        """Return whether any content has several parts, or was looked at for them."""
        return bool(self._rows(_ANY))

    def count(self) -> dict[str, tuple[int, int]]:
        """Return the number of contents with a file that have parts of a kind, and of these parts."""
        counts: dict[str, tuple[int, int]] = {}
        for kind in get_args(PartKind):
            # A picture with crops is itself the first part, without a kind; one without any has one part.
            ((contents, parts),) = self._rows(_COUNT, f'%"kind":"{kind}"%')
            if contents:
                counts[kind] = int(contents), int(parts) + (int(contents) if kind != "crop" else 0)
        return counts

    def find(self, ids: Sequence[int]) -> dict[int, StoredPart]:
        """Return the parts of ids of an index; those of contents of one part are left out.

        Raises:
            StoreError: a description is damaged.
        """
        if not ids or not self.has_any():
            return {}
        found: dict[int, StoredPart] = {}
        for chunk in chunks(valid_ids(ids)):
            for content_id, first, count, described in self._rows(statement_for(chunk), *chunk):
                found[content_id] = StoredPart(content_id, _unpack(content_id, first, count, described)[0])
            others = [number for number in chunk if number not in found]
            described_by_content: dict[int, Parts] = {}
            if others:
                for number, content_id, first, count, described in self._rows(
                    _OF_IDS.format(",".join(("(?)",) * len(others))), *others
                ):
                    if content_id not in described_by_content:
                        described_by_content[content_id] = _unpack(content_id, first, count, described)
                    parts = described_by_content[content_id]
                    found[number] = StoredPart(content_id, parts[number - first + 1])
        return found

    def of_contents(self, content_ids: Sequence[int]) -> dict[int, tuple[tuple[int, Part | None], ...]]:
        """Return (id, part) of all parts of contents, the cover first; contents of one part are left out.

        Raises:
            StoreError: a description is damaged.
        """
        found: dict[int, tuple[tuple[int, Part | None], ...]] = {}
        for chunk in chunks(valid_ids(content_ids)):
            for content_id, first, count, described in self._rows(statement_for(chunk), *chunk):
                parts = _unpack(content_id, first, count, described)
                found[content_id] = tuple(zip((content_id, *range(first, first + count)), parts, strict=True))
        return found


def statement_for(content_ids: Sequence[int]) -> str:
    """Return the query of (content id, first part id, number of parts besides the cover, description) of contents."""
    return _OF_CONTENTS.format(",".join("?" * len(content_ids)))


def _unpack(content_id: int, first: object, count: object, described: str) -> Parts:
    try:
        parts = unpack_parts(described)
    except ValueError as error:
        raise StoreError(f"the parts of picture {content_id} are damaged; {REPAIR_HINT}") from error
    if not isinstance(first, int) or len(parts) - 1 != count:
        raise StoreError(f"the parts of picture {content_id} are damaged; {REPAIR_HINT}")
    return parts
