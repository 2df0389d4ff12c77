"""Read what lies beside files and describes them, in plain SQL."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from clipsearch.description import NOTHING, Description, merge, unpack
from clipsearch.store.backends.base import ReadConnection, chunks
from clipsearch.store.records import ContentDetails
from clipsearch.store.values import valid_ids

if TYPE_CHECKING:
    from clipsearch.images.descriptions.sidecar_names import SidecarKind

# XMP before Takeout, then in the order of the files.
_SELECT = (
    "SELECT f.content_id, s.kind, s.described FROM sidecars s JOIN files f ON f.file_id = s.file_id "
    "WHERE f.removed_at IS NULL AND f.content_id IS NOT NULL AND s.described != ''{} "
    "ORDER BY f.content_id, s.kind DESC, s.file_id"
)
OF_CONTENTS = _SELECT.format(" AND f.content_id IN ({})")
"""Selects (content id, kind, description) of the sidecars of some contents, in the order in which they count."""
_OF_ALL = _SELECT.format("")

Sources: TypeAlias = Mapping[int, Sequence[tuple[str, str]]]
"""(kind, what `description.pack` has made) of sidecars by content id, in the order in which they count."""


class SidecarReader:
    """Thread-safe reader of `sidecars`; values are untrusted."""

    def __init__(self, connection: ReadConnection) -> None:
        self._rows = connection.rows

    def of_contents(self, content_ids: Sequence[int]) -> Sources:
        """Return the sidecars of some contents that say anything; those of removed files are left out."""
        return gather_sources(
            row
            for chunk in chunks(valid_ids(content_ids))
            for row in self._rows(OF_CONTENTS.format(",".join("?" * len(chunk))), *chunk)
        )

    def of_all(self) -> Sources:
        """Return the sidecars of all contents, as `of_contents` does."""
        return gather_sources(self._rows(_OF_ALL))

    def describe(self, contents: Mapping[int, ContentDetails]) -> dict[int, ContentDetails]:
        """Return contents by id with what all sources say of them, see `merge_sources`."""
        sources = self.of_contents(list(contents))
        described = dict(contents)
        for content_id, sidecars in sources.items():
            details = contents[content_id]
            description = merge_sources(details.metadata.description or NOTHING, sidecars)
            described[content_id] = replace(details, metadata=replace(details.metadata, description=description))
        return described


def merge_sources(own: Description, sidecars: Sequence[tuple[str, str]]) -> Description:
    """Join what a file and its sidecars say: an XMP sidecar counts before the file, and Takeout after it.

    Editors that do not write into files keep the latest words in a sidecar; those of Takeout were made elsewhere.
    """
    return merge([*_unpack(sidecars, "xmp"), own, *_unpack(sidecars, "takeout")])


def _unpack(sidecars: Sequence[tuple[str, str]], kind: "SidecarKind") -> Iterator[Description]:
    return (unpack(described) for each, described in sidecars if each == kind)


def gather_sources(rows: Iterable[Sequence[object]]) -> Sources:
    """Gather rows of `OF_CONTENTS`, which are untrusted."""
    found: dict[int, list[tuple[str, str]]] = {}
    for content_id, kind, described in rows:
        if isinstance(content_id, int) and isinstance(kind, str) and isinstance(described, str):
            found.setdefault(content_id, []).append((kind, described))
    return found
