"""Read what filters compare, for columns in memory; in plain SQL, as importing SQLAlchemy takes longer than that."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from clipsearch.errors import StoreError
from clipsearch.store.backends.base import Dialect, ReadConnection, chunks
from clipsearch.store.records import REPAIR_HINT, StoredColumnFile
from clipsearch.store.sidecar_rows import SidecarReader, Sources
from clipsearch.store.values import is_number

_STATE = "SELECT coalesce(last_change, 0), coalesce(stale_before, 0) FROM catalog"
_FILE = "SELECT blake3, row_count, last_change FROM column_files WHERE machine = ?"

# Text as bytes: SQLite's may be damaged, and then can't be read as text.
AS_BYTES: dict[Dialect, str] = {"sqlite": "CAST({} AS BLOB)", "postgresql": "{}"}
_CONTENTS = (
    "SELECT content_id, size_bytes, width, height, {format}, {taken_at}, is_date_doubtful, {camera}, latitude, "
    "longitude, sharpness, brightness, duration_s, {described} FROM contents WHERE "
)
_CONTENTS_AFTER = _CONTENTS + "content_id > ? ORDER BY content_id LIMIT ?"
_SOME_CONTENTS = _CONTENTS + "content_id IN ({numbers}) ORDER BY content_id"

FOLDED_PATH: dict[Dialect, str] = {
    "sqlite": "CAST(coalesce(folded_path, relative_path) AS BLOB)",
    "postgresql": "coalesce(convert_to(folded_path, 'UTF8'), relative_path)",
}
_FILES = "SELECT file_id, content_id, root_id, {} FROM files WHERE removed_at IS NULL AND content_id IS NOT NULL AND "
_FILES_AFTER = _FILES + "file_id > ? ORDER BY file_id LIMIT ?"
_FILES_OF = _FILES + "content_id IN ({}) ORDER BY file_id"

_PARTS = "SELECT content_id, first_part_id, part_count FROM parts "
_PARTS_OF = _PARTS + "WHERE content_id IN ({}) ORDER BY content_id"

_WITH_TEXT = "SELECT content_id, lines != '', {} FROM texts WHERE (lines != '' OR kind IS NOT NULL)"

_CHANGED = "SELECT content_id FROM contents WHERE changed > ?"

_LAST_ID = (1 << 63) - 1
# Rows at once: with many more, Python's garbage collector looks at the same tuples again and again.
_ROWS = 2_000

_MAKE_STALE = (
    "UPDATE catalog SET last_change = coalesce(last_change, 0) + 1, stale_before = coalesce(last_change, 0) + 1",
    "DELETE FROM column_files",
)


@dataclass(frozen=True, slots=True)
class ColumnState:
    """What columns have to be compared with.

    Attributes:
        last_change: number of the last change.
        stale_before: columns of a change before this one are stale.
    """

    last_change: int
    stale_before: int


class ColumnReader:
    """Thread-safe reader of contents and files, for columns."""

    def __init__(self, connection: ReadConnection, *, machine: str = "") -> None:
        """Take the connection; `machine` as in `Reader`."""
        self._connection = connection
        self._machine = machine
        as_bytes = AS_BYTES[connection.dialect]
        self._texts = {name: as_bytes.format(name) for name in ("format", "taken_at", "camera", "described", "kind")}

    @contextmanager
    def at_one_moment(self) -> Iterator["ColumnReader"]:
        """Open another reader, all of whose queries see one state."""
        connection = self._connection.open_snapshot()
        try:
            yield ColumnReader(connection, machine=self._machine)
        finally:
            connection.close()

    def state(self) -> ColumnState:
        """Return the state of the catalog.

        Raises:
            StoreError: a number is invalid.
        """
        rows = self._connection.rows(_STATE)
        for number in (value for row in rows for value in row):
            if not is_number(number, 0, 1 << 62):
                raise StoreError(f"the catalog has {str(number)[:40]!r} as number of a change; {REPAIR_HINT}")
        return ColumnState(*rows[0]) if rows else ColumnState(0, 0)

    def find_file(self) -> StoredColumnFile | None:
        """Return the file of columns in use on this machine; None without a valid one."""
        try:
            return next((StoredColumnFile(*row) for row in self._connection.rows(_FILE, self._machine)), None)
        except StoreError:
            return None

    def contents(self) -> Iterator[list[Any]]:
        """Yield all contents by id, in chunks that bound the memory.

        A row is (id, bytes, width, height, format, date taken, is doubtful, camera, latitude, longitude, sharpness,
        brightness, duration in seconds, description); values are untrusted, and those of SQLite's texts and dates are
        bytes.
        """
        statement = _CONTENTS_AFTER.format(**self._texts)
        last = -_LAST_ID - 1
        while rows := self._connection.rows(statement, last, _ROWS):
            last = rows[-1][0]
            yield rows

    def files(self) -> Iterator[list[Any]]:
        """Yield all present files that have a content by file id, in chunks.

        A row is (file id, content id, root id, folded relative path as bytes, ASCII letters of either case).
        """
        statement = _FILES_AFTER.format(FOLDED_PATH[self._connection.dialect])
        last = -_LAST_ID - 1
        while rows := self._connection.rows(statement, last, _ROWS):
            last = rows[-1][0]
            yield rows

    def changed_after(self, change: int) -> list[int]:
        """Return the contents that have changed after a change."""
        return [row[0] for row in self._connection.rows(_CHANGED, change)]

    def some_contents(self, content_ids: Sequence[int]) -> Iterator[list[Any]]:
        """Yield rows as `contents` does, of some of them."""
        for chunk in chunks(content_ids):
            statement = _SOME_CONTENTS.format(numbers=",".join("?" * len(chunk)), **self._texts)
            yield self._connection.rows(statement, *chunk)

    def files_of(self, content_ids: Sequence[int]) -> Iterator[list[Any]]:
        """Yield rows as `files` does, of some contents."""
        for chunk in chunks(content_ids):
            statement = _FILES_OF.format(FOLDED_PATH[self._connection.dialect], ",".join("?" * len(chunk)))
            yield self._connection.rows(statement, *chunk)

    def parts(self, content_ids: Sequence[int] | None = None) -> Iterator[list[Any]]:
        """Yield (content id, first id, number) of the parts besides the cover, of some contents or all."""
        if content_ids is None:
            yield self._connection.rows(_PARTS + "ORDER BY content_id")
            return
        for chunk in chunks(content_ids):
            yield self._connection.rows(_PARTS_OF.format(",".join("?" * len(chunk))), *chunk)

    def sidecars(self, content_ids: Sequence[int] | None = None) -> Sources:
        """Return the sidecars of some contents, or all, see `SidecarReader`."""
        reader = SidecarReader(self._connection)
        return reader.of_all() if content_ids is None else reader.of_contents(content_ids)

    def with_text(self, content_ids: Sequence[int] | None = None) -> list[tuple[int, bool, Any]]:
        """Return (content id, has lines, kind) of the contents with text or of a kind, of some or all.

        Kinds are untrusted, and bytes in SQLite.
        """
        statement = _WITH_TEXT.format(self._texts["kind"])
        if content_ids is None:
            return self._connection.rows(statement)
        found: list[Any] = []
        for chunk in chunks(content_ids):
            marks = ",".join("?" * len(chunk))
            found += self._connection.rows(f"{statement} AND content_id IN ({marks})", *chunk)
        return found

    def folders(self) -> list[tuple[Any, Any]]:
        """Return (root id, path) of all indexed folders, removed ones too; values are untrusted."""
        rows = self._connection.rows("SELECT root_id, path FROM roots ORDER BY root_id")
        return [(root_id, path) for root_id, path in rows]


def make_file_stale(connection: sqlite3.Connection) -> None:
    """Make all columns of a database stale, see `changes.make_stale`; an older schema stays unchanged."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'column_files'").fetchone():
        for statement in _MAKE_STALE:
            connection.execute(statement)
