"""Find the stacks of contents, and read what they are found by; in plain SQL, as importing SQLAlchemy takes longer.

A stack is several contents that are one item to a person: camera raw file and JPEG, the two files of a live photo, the
frames of a burst. A content that is an item of its own, as most are, has no row.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

from clipsearch.errors import StoreError
from clipsearch.formats import RAW_KINDS
from clipsearch.store.backends.base import Dialect, ReadConnection, chunks
from clipsearch.store.content_rows import as_time
from clipsearch.store.records import REPAIR_HINT
from clipsearch.store.values import MAX_ROW, is_below, is_number

MOST_MEMBERS = 300
"""Members of one stack; a longer series is several."""

_ANY = "SELECT 1 FROM stack_members LIMIT 1"
_STACKS_OF = "SELECT content_id, stack_id FROM stack_members WHERE content_id IN ({})"
_MEMBERS = (
    "SELECT m.stack_id, m.content_id, c.format, c.duration_s, c.sharpness FROM stack_members m "
    "JOIN contents c ON c.content_id = m.content_id WHERE m.stack_id IN ({})"
)
_ALL = "SELECT content_id, stack_id FROM stack_members WHERE content_id > ? ORDER BY content_id LIMIT ?"

_STATE = "SELECT stacked_change, coalesce(last_change, 0) FROM catalog"
_CHANGED = "SELECT content_id FROM contents WHERE changed > ? LIMIT ?"

_HAS_FILE = "EXISTS (SELECT 1 FROM files f WHERE f.content_id = contents.content_id AND f.removed_at IS NULL)"
_COLUMNS = "content_id, taken_at, camera, phash, sharpness, format, duration_s"
_FRAME = f"SELECT {_COLUMNS} FROM contents WHERE {_HAS_FILE} AND "  # noqa: S608
_SURE = "(is_date_doubtful IS NULL OR NOT is_date_doubtful) AND "
_FRAMES = _FRAME + "content_id IN ({})"
_FROM = _FRAME + _SURE + "taken_at >= ? ORDER BY taken_at, content_id LIMIT ?"
_AFTER = _FRAME + _SURE + "(taken_at, content_id) > (?, ?) ORDER BY taken_at, content_id LIMIT ?"
_BEFORE = _FRAME + _SURE + "(taken_at, content_id) < (?, ?) ORDER BY taken_at DESC, content_id DESC LIMIT ?"

_FILE = "SELECT file_id, content_id, root_id, relative_path FROM files WHERE removed_at IS NULL AND "
_FILES_OF = _FILE + "content_id IN ({})"
_FILES_OF_FORMATS = (
    "SELECT f.file_id, f.content_id, f.root_id, f.relative_path FROM files f JOIN contents c "
    "ON c.content_id = f.content_id WHERE f.removed_at IS NULL AND f.file_id > ? "
    "AND (c.duration_s IS NOT NULL OR c.format IN ({})) ORDER BY f.file_id LIMIT ?"
)
_SIBLINGS = (
    "WITH wanted(root_id, first, last) AS (VALUES {}) SELECT f.file_id, f.content_id, f.root_id, f.relative_path "
    "FROM wanted w JOIN files f ON f.root_id = w.root_id AND f.relative_path > w.first AND f.relative_path < w.last "
    "WHERE f.removed_at IS NULL AND f.content_id IS NOT NULL"
)

# Rows at once: with many more, Python's garbage collector looks at the same tuples again and again.
_ROWS = 2_000
# Files whose siblings are looked up at once, with three values each.
_NAMES = 1_000

_Key: TypeAlias = tuple[object, int]
"""Time as it is stored, and content id: where reading goes on."""


class Frame(NamedTuple):
    """A content with a file, as far as stacks depend on it.

    Attributes:
        taken_at: None also where it is not a date.
        key: its place in the order of time.
    """

    content_id: int
    taken_at: datetime | None
    camera: str | None
    phash: int | None
    sharpness: int | None
    format: str
    duration_s: float | None
    key: _Key

    @property
    def is_film(self) -> bool:
        """Whether it has a length: a film, or an animation."""
        return self.duration_s is not None

    @property
    def is_raw(self) -> bool:
        return self.format in RAW_KINDS


class StackFile(NamedTuple):
    """A file of a content; the path as bytes, parts joined by "/"."""

    content_id: int
    root_id: int
    relative_path: bytes


def member_order(frame: Frame) -> tuple[bool, bool, int, int]:
    """Key that sorts the members of a stack, the best first.

    What people look at before the film and the raw file of it; then the sharpest.
    """
    return (frame.is_film, frame.is_raw, -(frame.sharpness or 0), frame.content_id)


class StackReader:
    """Thread-safe reader of stacks."""

    def __init__(self, connection: ReadConnection) -> None:
        self._rows = connection.rows
        self._dialect: Dialect = connection.dialect

    def has_any(self) -> bool:
        """Return whether there is any stack."""
        return bool(self._rows(_ANY))

    def of_contents(self, content_ids: Sequence[int]) -> dict[int, tuple[int, ...]]:
        """Return the members of the stacks of contents, the best first; contents in no stack are left out."""
        stacks = self.stack_ids(content_ids)
        wanted = sorted(set(stacks.values()))
        members: dict[int, list[tuple[tuple[bool, ...] | tuple[bool, bool, bool, int, int], int]]] = {}
        for chunk in chunks(wanted):
            for row in self._rows(_MEMBERS.format(_marks(chunk)), *chunk):
                stack_id, content_id, image_format, duration_s, sharpness = row
                frame = _frame((content_id, None, None, None, sharpness, image_format, duration_s))
                # The best of the stack as it was found: a tie stays as it was decided.
                members.setdefault(stack_id, []).append(((content_id != stack_id, *member_order(frame)), content_id))
        ordered = {stack_id: tuple(number for _, number in sorted(each)) for stack_id, each in members.items()}
        return {number: ordered[stack_id] for number, stack_id in stacks.items() if stack_id in ordered}

    def stack_ids(self, content_ids: Sequence[int]) -> dict[int, int]:
        """Return the stack ids of contents; those in no stack are left out."""
        return dict(
            _checked(row)
            for chunk in chunks([int(number) for number in content_ids])  # SQLite takes those of numpy for blobs
            for row in self._rows(_STACKS_OF.format(_marks(chunk)), *chunk)
        )

    def members(self, stack_ids: Sequence[int]) -> list[int]:
        """Return the members of stacks."""
        return [
            int(row[1]) for chunk in chunks(stack_ids) for row in self._rows(_MEMBERS.format(_marks(chunk)), *chunk)
        ]

    def all_stack_ids(self) -> dict[int, int]:
        """Return the stack ids of all contents in a stack."""
        found: dict[int, int] = {}
        last = 0
        while rows := self._rows(_ALL, last, _ROWS):
            found.update(map(_checked, rows))
            last = rows[-1][0]
        return found

    def state(self) -> tuple[int | None, int]:
        """Return the change up to which stacks were found, None for a catalog without, and the last change."""
        [(stacked, last)] = self._rows(_STATE)
        return (stacked if is_number(stacked, 0, last) else None), last

    def changed_after(self, change: int, most: int) -> list[int]:
        """Return the contents that have changed after a change, up to `most`."""
        return [row[0] for row in self._rows(_CHANGED, change, most)]

    def frames(self, content_ids: Sequence[int]) -> dict[int, Frame]:
        """Return contents that have a file, by id."""
        return {
            frame.content_id: frame
            for chunk in chunks(content_ids)
            for frame in map(_frame, self._rows(_FRAMES.format(_marks(chunk)), *chunk))
        }

    def frames_from(self, first: datetime | None = None, *, chunk: int = _ROWS) -> Iterator[Frame]:
        """Yield contents with a file and a sure date, in the order of time; read in chunks that bound the memory.

        Args:
            chunk: rows that are read at first; later chunks grow.
        """
        rows = self._rows(_FROM, self._time(first or datetime.min), chunk)
        while rows:
            frames = [_frame(row) for row in rows]
            yield from frames
            chunk = min(2 * chunk, _ROWS)
            rows = self._rows(_AFTER, *frames[-1].key, chunk)

    def frames_before(self, frame: Frame, *, chunk: int) -> Iterator[Frame]:
        """Yield contents as `frames_from`, before one, the latest first."""
        key = frame.key
        while rows := self._rows(_BEFORE, *key, chunk):
            yield from map(_frame, rows)
            key, chunk = _frame(rows[-1]).key, min(2 * chunk, _ROWS)

    def files_of(self, content_ids: Sequence[int]) -> Iterator[StackFile]:
        """Yield the files of contents."""
        for chunk in chunks(content_ids):
            yield from _files(self._rows(_FILES_OF.format(_marks(chunk)), *chunk))

    def files_of_films_and_raws(self) -> Iterator[list[StackFile]]:
        """Yield the files of all films and camera raw files, in chunks."""
        kinds, last = sorted(RAW_KINDS), -1
        while rows := self._rows(_FILES_OF_FORMATS.format(_marks(kinds)), last, *kinds, _ROWS):
            last = rows[-1][0]
            yield list(_files(rows))

    def siblings(self, files: Sequence[StackFile]) -> Iterator[StackFile]:
        """Yield all files in the folders of files that have the stem of one of them."""
        wanted = sorted({(file.root_id, stem_of(file.relative_path)) for file in files})
        for start in range(0, len(wanted), _NAMES):
            part = wanted[start : start + _NAMES]
            values = [value for root_id, stem in part for value in (root_id, stem + b".", stem + b"/")]
            rows = self._rows(_SIBLINGS.format(",".join(["(?, ?, ?)"] * len(part))), *values)
            stems = set(part)
            yield from (each for each in _files(rows) if (each.root_id, stem_of(each.relative_path)) in stems)

    def _time(self, time: datetime) -> object:
        return time.isoformat(" ", "microseconds") if self._dialect == "sqlite" else time


def stem_of(path: bytes) -> bytes:
    """Return a path without its last suffix."""
    folder, slash, name = path.rpartition(b"/")
    stem, dot, _ = name.rpartition(b".")
    return folder + slash + (stem if dot and stem else name)


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))


def _files(rows: Sequence[Any]) -> Iterator[StackFile]:
    for _, content_id, root_id, relative_path in rows:
        if is_below(relative_path):
            yield StackFile(content_id, root_id, relative_path)


def _checked(row: Sequence[Any]) -> tuple[int, int]:
    content_id, stack_id = row
    if not is_number(stack_id, 1, MAX_ROW):
        raise StoreError(f"the stack of picture {content_id} is damaged; {REPAIR_HINT}")
    return content_id, stack_id


def _frame(row: Sequence[Any]) -> Frame:
    """Convert a row, whose values are untrusted."""
    content_id, stored_time, camera, phash, sharpness, image_format, duration_s = row
    try:
        taken_at = None if stored_time is None else as_time(stored_time)
    except (ValueError, TypeError):
        taken_at = None
    return Frame(
        content_id=content_id,
        taken_at=taken_at,
        camera=camera if isinstance(camera, str) else None,
        phash=phash if isinstance(phash, int) else None,
        sharpness=sharpness if isinstance(sharpness, int) else None,
        format=image_format if isinstance(image_format, str) else "",
        duration_s=duration_s if isinstance(duration_s, int | float) else None,
        key=(stored_time, content_id),
    )
