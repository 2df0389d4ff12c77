"""Read what is written about pictures, for the full-text index, in plain SQL."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from clipsearch.description import Description, unpack
from clipsearch.errors import StoreError
from clipsearch.formats import TEXT_KINDS
from clipsearch.ocr.lines import MOST_PACKED, TextLine, unpack_lines
from clipsearch.store.backends.base import ReadConnection, chunks
from clipsearch.store.column_rows import AS_BYTES, FOLDED_PATH, ColumnReader
from clipsearch.store.sidecar_rows import SidecarReader, Sources, merge_sources
from clipsearch.store.values import valid_ids

_CONTENTS_AFTER = "SELECT content_id, {} FROM contents WHERE content_id > ? ORDER BY content_id LIMIT ?"
_CONTENTS = "SELECT content_id, {} FROM contents WHERE content_id IN ({})"
_FILES = "SELECT content_id, {} FROM files WHERE removed_at IS NULL AND {} ORDER BY content_id, file_id"
_TEXTS = (
    "SELECT content_id, {lines}, {kind}, {reader} FROM texts "
    "WHERE (lines != '' OR kind IS NOT NULL) AND {among} AND length(lines) <= {most}"
)
_KINDS = "SELECT content_id, {kind} FROM texts WHERE kind IS NOT NULL AND content_id IN ({marks})"
_BETWEEN = "content_id BETWEEN ? AND ?"
_NEWEST = "SELECT content_id, blake3, changed FROM contents WHERE changed > 0 ORDER BY changed DESC, content_id LIMIT ?"
_STAMPS = "SELECT content_id, blake3, changed FROM contents WHERE content_id IN ({})"

_FIRST_ID, _ROWS = -(1 << 63), 2_000


@dataclass(frozen=True, slots=True)
class Writing:
    """What is written about a picture.

    Attributes:
        lines: that were read in it.
        kind: one of `TEXT_KINDS` or None.
        reader: name of the models that read the lines; "" or None: unknown.
        paths: of its files below their indexed folders, as bytes of folded names, ASCII letters of either case; not
            folded where they come from `WrittenReader.as_written`.
    """

    description: Description
    paths: list[bytes] = field(default_factory=list)
    lines: Sequence[TextLine] = ()
    kind: str | None = None
    reader: str | None = None


class WrittenReader:
    """Thread-safe reader of descriptions and names; values are untrusted."""

    def __init__(self, connection: ReadConnection) -> None:
        self._connection = connection
        self._described = AS_BYTES[connection.dialect].format("described")
        as_bytes = AS_BYTES[connection.dialect]
        self._read_as = {name: as_bytes.format(name) for name in ("lines", "kind", "reader")} | {"most": MOST_PACKED}
        self._path = FOLDED_PATH[connection.dialect]
        self._sidecars = SidecarReader(connection)
        self.changes = ColumnReader(connection)

    @contextmanager
    def at_one_moment(self) -> Iterator["WrittenReader"]:
        """Open another reader, all of whose queries see one state."""
        connection = self._connection.open_snapshot()
        try:
            yield WrittenReader(connection)
        finally:
            connection.close()

    def every(self) -> Iterator[dict[int, Writing]]:
        """Yield all pictures that have a file by content id, in chunks that bound the memory."""
        sidecars, last = self._sidecars.of_all(), _FIRST_ID
        while rows := self._connection.rows(_CONTENTS_AFTER.format(self._described), last, _ROWS):
            first, last = rows[0][0], rows[-1][0]
            files = self._connection.rows(_FILES.format(self._path, _BETWEEN), first, last)
            texts = self._connection.rows(_TEXTS.format(among=_BETWEEN, **self._read_as), first, last)
            yield _join(rows, files, texts, sidecars)

    def some(self, content_ids: Sequence[int]) -> dict[int, Writing]:
        """Return some pictures as `every` does."""
        return self._read(content_ids, self._path)

    def as_written(self, content_ids: Sequence[int]) -> dict[int, Writing]:
        """Return some pictures with the names of their files as they are."""
        return self._read(content_ids, "relative_path")

    def _read(self, content_ids: Sequence[int], path: str) -> dict[int, Writing]:
        found: dict[int, Writing] = {}
        for chunk in chunks(valid_ids(content_ids)):
            marks = ",".join("?" * len(chunk))
            rows = self._connection.rows(_CONTENTS.format(self._described, marks), *chunk)
            files = self._connection.rows(_FILES.format(path, f"content_id IN ({marks})"), *chunk)
            texts = self._connection.rows(_TEXTS.format(among=f"content_id IN ({marks})", **self._read_as), *chunk)
            found |= _join(rows, files, texts, self._sidecars.of_contents(chunk))
        return found

    def kinds(self, content_ids: Sequence[int]) -> dict[int, str]:
        """Return the kinds of pictures with text by content id, without a look at the text; others are left out."""
        found: dict[int, str] = {}
        for chunk in chunks(valid_ids(content_ids)):
            statement = _KINDS.format(kind=self._read_as["kind"], marks=",".join("?" * len(chunk)))
            for content_id, value in self._connection.rows(statement, *chunk):
                kind = _kind(value)
                if kind is not None:
                    found[content_id] = kind
        return found

    def newest(self, count: int) -> list[tuple[int, str, int]]:
        """Return (content id, blake3 in hex, number of its last change) of those that changed last, up to `count`."""
        return _stamps(self._connection.rows(_NEWEST, count))

    def stamps(self, content_ids: Sequence[int]) -> list[tuple[int, str, int]]:
        """Return some contents as `newest` does; unknown ones are left out."""
        ids = valid_ids(content_ids)
        return _stamps(self._connection.rows(_STAMPS.format(",".join("?" * len(ids))), *ids)) if ids else []


def _stamps(rows: Sequence[Sequence[Any]]) -> list[tuple[int, str, int]]:
    try:
        return [(number, bytes(blake3).hex(), changed or 0) for number, blake3, changed in rows]
    except TypeError as error:
        raise StoreError("a checksum in the catalog is not bytes") from error


def _join(rows: Sequence[Any], files: Sequence[Any], texts: Sequence[Any], sidecars: Sources) -> dict[int, Writing]:
    read = {
        content_id: (unpack_lines(_text(packed)), _kind(kind), _text(reader))
        for content_id, packed, kind, reader in texts
    }
    paths: dict[int, list[bytes]] = {}
    for content_id, path in files:
        if isinstance(path, bytes):
            paths.setdefault(content_id, []).append(path)
    found = {}
    for content_id, described in rows:
        if content_id in paths:
            description = merge_sources(unpack(_text(described)), sidecars.get(content_id, ()))
            lines, kind, reader = read.get(content_id, ((), None, None))
            found[content_id] = Writing(description, paths[content_id], lines, kind, reader)
    return found


def _kind(value: Any) -> str | None:
    name = _text(value)
    return name if name in TEXT_KINDS else None


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
