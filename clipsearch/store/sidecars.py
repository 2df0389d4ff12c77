"""Store what lies beside files and describes them, see `sidecar_rows`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, select, update

from clipsearch.description import NOTHING, Description, pack
from clipsearch.images.dates import is_doubtful
from clipsearch.images.descriptions.sidecar_names import SidecarKind
from clipsearch.store import tables
from clipsearch.store.backends.base import chunks
from clipsearch.store.backends.database import Database
from clipsearch.store.changes import next_change, touch_contents
from clipsearch.store.records import Scope
from clipsearch.store.sidecar_rows import OF_CONTENTS, gather_sources, merge_sources

# Bits of `contents.borrowed`.
_DATE, _POSITION = 1, 2

_KNOWN = (
    "SELECT f.relative_path, s.kind, s.name, s.size_bytes, s.mtime_ns, s.file_id FROM sidecars s "
    "JOIN files f ON f.file_id = s.file_id WHERE f.root_id = ? AND f.removed_at IS NULL"
)
_INSERT = (
    "INSERT INTO sidecars (file_id, kind, name, size_bytes, mtime_ns, described) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (file_id, kind) DO UPDATE SET name = excluded.name, size_bytes = excluded.size_bytes, "
    "mtime_ns = excluded.mtime_ns, described = excluded.described"
)
_FILES = "SELECT relative_path, file_id FROM files WHERE root_id = ? AND removed_at IS NULL AND relative_path IN ({})"


class KnownSidecar(NamedTuple):
    """Sidecar as it was when it was last read; `name` as the file system's bytes."""

    name: bytes
    size_bytes: int
    mtime_ns: int
    file_id: int


@dataclass(frozen=True, slots=True)
class SidecarRecord:
    """Sidecar that was read.

    Attributes:
        file_id: of the file that it lies beside.
        name: of the sidecar, in the same folder.
        description: `NOTHING` of one that can't be read.
    """

    file_id: int
    kind: SidecarKind
    name: bytes
    size_bytes: int
    mtime_ns: int
    description: Description


class SidecarStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self, scope: Scope) -> dict[tuple[bytes, str], KnownSidecar]:
        """Return the sidecars of the files of an indexed root, by relative path and kind."""
        with self._database.read() as connection:
            rows = self._database.fetch(connection, _KNOWN, scope.root_id)
        return {(path, kind): KnownSidecar(*others) for path, kind, *others in rows}

    def file_ids(self, scope: Scope, relative_paths: Sequence[bytes]) -> dict[bytes, int]:
        """Return the ids of files that are there, by relative path."""
        found: dict[bytes, int] = {}
        with self._database.read() as connection:
            for chunk in chunks(relative_paths):
                statement = _FILES.format(",".join("?" * len(chunk)))
                found.update(
                    (row[0], row[1]) for row in self._database.fetch(connection, statement, scope.root_id, *chunk)
                )
        return found

    def record(self, sidecars: Sequence[SidecarRecord], *, gone: Iterable[tuple[int, str]] = ()) -> None:
        """Store sidecars, in one transaction, and lend their dates and positions to contents without their own.

        Args:
            gone: (file_id, kind) of those that are not there any more.
        """
        sidecar, left = tables.sidecars, list(gone)
        with self._database.write() as connection:
            rows: list[tuple[object, ...]] = [
                (each.file_id, each.kind, each.name, each.size_bytes, each.mtime_ns, pack(each.description))
                for each in sidecars
            ]
            if rows:
                self._database.execute_many(connection, _INSERT, rows)
            if left:
                connection.execute(
                    delete(sidecar).where(
                        sidecar.c.file_id == bindparam("number"), sidecar.c.kind == bindparam("what")
                    ),
                    [{"number": file_id, "what": kind} for file_id, kind in left],
                )
            files = {each.file_id for each in sidecars} | {file_id for file_id, _ in left}
            self._settle(connection, sorted(files))

    def _settle(self, connection: Connection, file_ids: Sequence[int]) -> None:
        """Mark the contents of files as changed, and lend them again what their sidecars have."""
        content, file = tables.contents, tables.files
        change = next_change(connection)
        now = datetime.now()
        for chunk in chunks(file_ids):
            of_files = select(file.c.content_id).where(file.c.file_id.in_(chunk), file.c.content_id.is_not(None))
            touch_contents(connection, content.c.content_id.in_(of_files), change=change)
            ids = list(connection.execute(of_files.distinct()).scalars())
            beside = OF_CONTENTS.format(",".join("?" * len(ids)))
            sources = gather_sources(self._database.fetch(connection, beside, *ids) if ids else [])
            own = connection.execute(
                select(
                    content.c.content_id,
                    content.c.borrowed,
                    content.c.taken_at,
                    content.c.is_date_doubtful,
                    content.c.latitude,
                    content.c.longitude,
                ).where(content.c.content_id.in_(of_files))
            ).all()
            for row in own:
                said = merge_sources(NOTHING, sources.get(row.content_id, ()))
                values = _borrow(row._asdict(), said, now=now)
                if values:
                    connection.execute(update(content).where(content.c.content_id == row.content_id).values(values))


def _borrow(own: Mapping[str, Any], beside: Description, *, now: datetime) -> dict[str, Any]:
    """Return the values of a content that are another now, given what its sidecars say."""
    borrowed = own["borrowed"] or 0
    values: dict[str, Any] = {}
    lent = 0
    if own["taken_at"] is None or borrowed & _DATE:
        taken_at = beside.taken_at
        values |= {"taken_at": taken_at, "is_date_doubtful": taken_at is not None and is_doubtful(taken_at, now=now)}
        lent |= _DATE if taken_at is not None else 0
    if own["latitude"] is None or borrowed & _POSITION:
        values |= {"latitude": beside.latitude, "longitude": beside.longitude}
        lent |= _POSITION if beside.latitude is not None else 0
    values["borrowed"] = lent or None
    return values if any(own[name] != value for name, value in values.items()) else {}
