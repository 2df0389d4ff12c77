"""Copies of a whole database, and a copy put back in its place, while others may have it open."""

import itertools
import os
import re
import sqlite3
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from clipsearch.errors import StoreError
from clipsearch.store.backends.connection import (
    DATABASE_NAME,
    SCRATCH_PREFIX,
    SQLITE_ERRORS,
    open_sqlite,
    require_own_database,
)
from clipsearch.store.migrate import HEAD_REVISION, current_revision, is_inert, upgrade
from clipsearch.store.values import highest_row, is_uuid

# Row numbers of a database that takes the place of another go on so far beyond those of both: what others add between
# the look at them and the change does not reach that.
_LEAP = 1_000

SCRATCH_NAMES = re.compile(rf"{re.escape(SCRATCH_PREFIX)}[a-z0-9_]+\.new(-wal|-shm|-journal)?", re.ASCII)
"""Scratch files, with what SQLite puts beside them: one that a killed process has left can be told by its name."""

_STEM, _ENDING = map(re.escape, DATABASE_NAME.split("."))
COPY_NAMES = re.compile(
    rf"{_STEM}\.(before-restore|before-repair|damaged)-\d{{8}}-\d{{6}}(-\d+)?\.{_ENDING}(-wal|-shm)?|"
    rf"{_STEM}\.schema-\d{{4}}\.backup\.{_ENDING}(-wal|-shm)?",
    re.ASCII,
)
"""Copies of a database that are kept beside it, see `dated_name`."""

_COUNTED = ("contents", "captions", "image_embeddings", "caption_embeddings")
_GENERATIONS = "SELECT coalesce(max(image_generation), 0), coalesce(max(caption_generation), 0) FROM models"

# The file itself can't be read as a database; any other error is one of the disk, the system, or a lock.
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def reason_of(error: Exception) -> str:
    """In the system's words, without the name of a file, or in SQLite's."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def is_damage(error: BaseException) -> bool:
    """True when SQLite says that a file is broken or no database."""
    if isinstance(error, UnicodeDecodeError):  # of a name in a message
        return True
    if "unsupported file format" in str(error):
        return True
    return isinstance(error, sqlite3.DatabaseError) and (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _DAMAGED


def has_sound_header(path: Path) -> bool:
    """Whether the first bytes are those of a database that can be written, or the file is empty.

    Source: https://sqlite.org/fileformat.html#the_database_header
    """
    with path.open("rb") as file:
        header = file.read(60)
    if not header:
        return True
    page_size = int.from_bytes(header[16:18], "big")
    return (
        len(header) == 60
        and header.startswith(b"SQLite format 3\0")
        and (page_size == 1 or (page_size >= 512 and page_size & (page_size - 1) == 0))
        and header[18] in (1, 2)
        and header[19] in (1, 2)
        and header[21:24] == bytes((64, 32, 32))
        and int.from_bytes(header[44:48], "big") <= 4
        and int.from_bytes(header[56:60], "big") <= 3
    )


@contextmanager
def scratch_file(folder: Path) -> Iterator[Path]:
    """A new empty file for the owner only, which is gone afterwards with what SQLite puts beside it, unless it was
    renamed.

    Raises:
        StoreError: it can't be made.
    """
    # Not `atomic_file`: SQLite writes it, and it is checked before it is renamed.
    try:
        handle, name = tempfile.mkstemp(prefix=SCRATCH_PREFIX, suffix=".new", dir=folder)
    except OSError as error:
        raise StoreError(f"can't write in {folder}: {error.strerror or error}") from error
    os.close(handle)
    try:
        yield Path(name)
    finally:
        _remove(Path(name))


def copy_database(source: Path, target: Path) -> None:
    """Everything that is committed in `source`, as of one moment, page by page; who reads or writes it goes on.

    `target` becomes one file without a log beside it, and is on the disk afterwards. Page by page: a damaged database
    gives a copy with the same damage.

    Raises:
        sqlite3.Error, OSError: it can't be read or written.
    """
    with closing(open_sqlite(source)) as reading, closing(open_sqlite(target)) as writing:
        reading.backup(writing)
        with suppress(*SQLITE_ERRORS):  # damaged: it stays as it is
            writing.execute("PRAGMA journal_mode = DELETE").fetchall()
    flush(target)


def keep_copy(path: Path, what: str) -> Path:
    """A copy of a database beside it, see `dated_name`: whole, or none.

    Raises:
        StoreError: it can't be made.
    """
    require_own_database(path)
    with scratch_file(path.parent) as scratch:
        try:
            copy_database(path, scratch)
            kept = dated_name(path, what)
            scratch.replace(kept)
        except (*SQLITE_ERRORS, OSError) as error:
            raise StoreError(f"can't keep a copy of the catalog {path}: {reason_of(error)}") from error
    flush_folder(path.parent)
    return kept


def check_database(path: Path) -> None:
    """
    Raises:
        StoreError: it is damaged.
    """
    try:
        with closing(open_sqlite(path)) as connection:
            (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except SQLITE_ERRORS as error:
        found = str(error)
    if found != "ok":
        raise StoreError(f"{path} is damaged: {' '.join(found.split())}")


def count_rows(path: Path) -> tuple[int, int]:
    """(pictures, captions) of an intact database."""
    with closing(open_sqlite(path)) as connection:
        pictures, captions = (
            connection.execute(statement).fetchone()[0]
            for statement in ("SELECT count(*) FROM contents", "SELECT count(*) FROM captions")
        )
    return pictures, captions


def prepare(fresh: Path, *, instead_of: Path) -> bool:
    """Makes a database ready to take the place of another: the newest schema, and nothing in it that an index file or
    an open process could take for what it knows.

    The catalog keeps its uuid, generations grow past both, and no row number that was ever given out comes again.

    Returns:
        Whether the schema was older.

    Raises:
        SchemaOutdatedError: it was written by a newer version.
        StoreError: it can't be upgraded.
    """
    was_older = current_revision(fresh) != HEAD_REVISION
    upgrade(fresh, keep_old=False)
    present = _Present(instead_of)
    try:
        with closing(open_sqlite(fresh)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("DELETE FROM snapshots")
            images, captions = map(_number, connection.execute(_GENERATIONS).fetchone())
            # The time is later than any generation of a database that can't be read any more.
            now = int(time.time())
            connection.execute(
                "UPDATE models SET image_generation = ?, caption_generation = ?",
                (max(images + 1, present.images + 1, now), max(captions + 1, present.captions + 1, now)),
            )
            rows = connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall()
            given_out = _given_out(rows)
            connection.execute("DELETE FROM sqlite_sequence")
            connection.executemany(
                "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)",
                [(name, max(given_out.get(name, 0), present.given_out.get(name, 0)) + _LEAP) for name in _COUNTED],
            )
            if present.uuid is not None:
                connection.execute("UPDATE catalog SET uuid = ?", (present.uuid,))
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode = DELETE").fetchall()
    except SQLITE_ERRORS as error:
        raise StoreError(f"can't prepare {fresh}: {error}") from error
    flush(fresh)
    return was_older


def find_index_url(path: Path) -> str | None:
    """The server that has the index, as a database says; None for files, and where that can't be read."""
    if not path.exists() or not is_inert(path):
        return None
    with suppress(*SQLITE_ERRORS, TypeError), closing(open_sqlite(path)) as connection:
        (url,) = connection.execute("SELECT index_url FROM catalog").fetchone()
        return url if isinstance(url, str) else None
    return None


def forget_index_url(path: Path) -> None:
    """Has the index of a database that is nobody's yet in files.

    Raises:
        StoreError: it can't be written.
    """
    try:
        with closing(open_sqlite(path)) as connection:
            connection.execute("UPDATE catalog SET index_url = NULL")
    except SQLITE_ERRORS as error:
        raise StoreError(f"can't prepare {path}: {error}") from error
    flush(path)


def replace_database(path: Path, fresh: Path, *, keep_as: Path) -> None:
    """Puts the content of `fresh` in the place of that of `path`, all or nothing, and keeps the latter as `keep_as`.

    Who has it open sees the new content from the next transaction on. Only where the file is so damaged that SQLite
    can't write it, it is moved aside, and `fresh` to its place.

    Raises:
        StoreError: it can't be done, for want of room say; all is as it was.
    """
    require_own_database(path)
    try:
        keep_as.touch(mode=0o600, exist_ok=False)
        try:
            if not has_sound_header(path):
                raise sqlite3.DatabaseError("unsupported file format")
            copy_database(path, keep_as)
            _overwrite(path, fresh)
        except BaseException as error:
            _remove(keep_as)
            if not is_damage(error):
                raise
            move_aside(path, keep_as)
            try:
                fresh.replace(path)
            except BaseException:
                move_aside(keep_as, path)
                raise
            flush_folder(path.parent)
    except (*SQLITE_ERRORS, OSError) as error:
        raise StoreError(f"the catalog {path} can't be replaced: {reason_of(error)}") from error


def move_aside(path: Path, target: Path) -> None:
    """Renames a database with the log beside it, which belongs to it and would spoil another one of its name."""
    for ending in ("-wal", "-shm", ""):
        part = path.with_name(path.name + ending)
        if part.exists():
            part.replace(target.with_name(target.name + ending))
    flush_folder(path.parent)


def flush(path: Path) -> None:
    """Waits until the file is on the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Waits until the names in a folder are on the disk, where the system knows how."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def dated_name(path: Path, what: str) -> Path:
    """A free name beside a database for a copy of it, with the local time in it."""
    when = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    endings = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
    names = (path.with_name(f"{path.stem}.{what}-{when}{ending}{path.suffix}") for ending in endings)
    return next(name for name in names if not os.path.lexists(name))


class _Present:
    """What must not come again of a database that will be replaced; as far as it can be read."""

    def __init__(self, path: Path) -> None:
        self.images = self.captions = 0
        self.given_out: dict[str, int] = {}
        self.uuid: str | None = None
        if not path.exists() or not is_inert(path):
            return
        with suppress(*SQLITE_ERRORS), closing(open_sqlite(path)) as connection:
            with suppress(*SQLITE_ERRORS):
                self.images, self.captions = map(_number, connection.execute(_GENERATIONS).fetchone())
            with suppress(*SQLITE_ERRORS):
                rows = connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall()
                self.given_out = _given_out(rows)
            with suppress(*SQLITE_ERRORS):
                (found,) = connection.execute("SELECT uuid FROM catalog").fetchone() or (None,)
                self.uuid = found if is_uuid(found) else None


def _number(value: object, highest: int = 1 << 53) -> int:
    """0 for what can't be a number of rows or generations."""
    return value if isinstance(value, int) and 0 <= value <= highest else 0


def _given_out(rows: Iterable[tuple[object, object]]) -> dict[str, int]:
    """The highest row number that each table has given out, of rows of `sqlite_sequence`."""
    return {str(name): _number(seq, highest_row(str(name)) >> 1) for name, seq in rows}


def _overwrite(path: Path, fresh: Path) -> None:
    with closing(open_sqlite(fresh)) as reading, closing(open_sqlite(path)) as writing:
        writing.execute("PRAGMA synchronous = FULL")
        # A database with a log keeps the size of its pages.
        sizes = [connection.execute("PRAGMA page_size").fetchone()[0] for connection in (reading, writing)]
        if sizes[0] != sizes[1]:
            reading.execute(f"PRAGMA page_size = {int(sizes[1])}")
            reading.execute("VACUUM")
        reading.backup(writing)
        writing.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _remove(path: Path) -> None:
    for ending in ("", "-journal", "-wal", "-shm"):
        with suppress(OSError):
            path.with_name(path.name + ending).unlink()
