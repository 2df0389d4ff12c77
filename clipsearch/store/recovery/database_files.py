"""Copy a whole database, and replace one by a copy, while others may have it open."""

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

# Row ids of a database that replaces another continue this far beyond those of both: what others add between reading
# the ids and replacing the database does not reach that.
_LEAP = 1_000

SCRATCH_NAMES = re.compile(rf"{re.escape(SCRATCH_PREFIX)}[a-z0-9_]+\.new(-wal|-shm|-journal)?", re.ASCII)
"""Names of scratch files, and of the files SQLite puts next to them, by which those of killed processes are found."""

_STEM, _ENDING = map(re.escape, DATABASE_NAME.split("."))
COPY_NAMES = re.compile(
    rf"{_STEM}\.(before-restore|before-repair|damaged)-\d{{8}}-\d{{6}}(-\d+)?\.{_ENDING}(-wal|-shm)?|"
    rf"{_STEM}\.schema-\d{{4}}\.backup\.{_ENDING}(-wal|-shm)?",
    re.ASCII,
)
"""Names of copies of a database that are kept next to it, see `dated_name`."""

_COUNTED = ("contents", "captions", "image_embeddings", "caption_embeddings")
_GENERATIONS = "SELECT coalesce(max(image_generation), 0), coalesce(max(caption_generation), 0) FROM models"
_LAST_CHANGE = "SELECT max(last_change) FROM catalog"

# The file itself is not readable as a database; any other error is of the disk, the system, or a lock.
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def reason_of(error: Exception) -> str:
    """Return the system's message without the name of a file, or SQLite's message."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def is_damage(error: BaseException) -> bool:
    """Return whether SQLite reports that a file is damaged or not a database."""
    if isinstance(error, UnicodeDecodeError):  # of a name in a message
        return True
    if "unsupported file format" in str(error):
        return True
    return isinstance(error, sqlite3.DatabaseError) and (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _DAMAGED


def has_sound_header(path: Path) -> bool:
    """Return whether a file is empty, or has the header of a database that can be written.

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
    """Create an empty file for the owner only, deleted afterwards unless it was renamed.

    Files that SQLite puts next to it are deleted too.

    Raises:
        StoreError: it can't be created.
    """
    # Not `atomic_file`: SQLite writes the file itself, and it is checked before it is renamed.
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
    """Copy everything that is committed in `source` page by page, as one snapshot; others may read and write it.

    `target` becomes one file without a write-ahead log, and is flushed to disk. Page by page: a damaged database gives
    a copy with the same damage.

    Raises:
        sqlite3.Error, OSError: it can't be read or written.
    """
    with closing(open_sqlite(source)) as reading, closing(open_sqlite(target)) as writing:
        reading.backup(writing)
        with suppress(*SQLITE_ERRORS):  # damaged: leave the copy unchanged
            writing.execute("PRAGMA journal_mode = DELETE").fetchall()
    flush(target)


def keep_copy(path: Path, what: str) -> Path:
    """Copy a database next to itself atomically, under a `dated_name`.

    Raises:
        StoreError: it can't be written.
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
    """Check the integrity of a database.

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
    """Return (pictures, captions) of an intact database."""
    with closing(open_sqlite(path)) as connection:
        pictures, captions = (
            connection.execute(statement).fetchone()[0]
            for statement in ("SELECT count(*) FROM contents", "SELECT count(*) FROM captions")
        )
    return pictures, captions


def prepare(fresh: Path, *, replaced: Path) -> bool:
    """Prepare a database to replace another: upgrade its schema, and reset what would look current.

    So that no index file and no open process takes its rows for known ones: the catalog keeps its uuid, generations
    grow past both, and no row id that was ever issued is issued again.

    Returns:
        Whether the schema was upgraded.

    Raises:
        SchemaOutdatedError: it was written by a newer version.
        StoreError: it can't be upgraded.
    """
    was_older = current_revision(fresh) != HEAD_REVISION
    upgrade(fresh, keep_old=False)
    before = _Replaced(replaced)
    try:
        with closing(open_sqlite(fresh)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("DELETE FROM snapshots")
            images, captions = map(_number, connection.execute(_GENERATIONS).fetchone())
            (change,) = connection.execute(_LAST_CHANGE).fetchone()
            # The time is higher than any generation of a database that can't be read any more.
            now = int(time.time())
            connection.execute(
                "UPDATE models SET image_generation = ?, caption_generation = ?",
                (max(images + 1, before.images + 1, now), max(captions + 1, before.captions + 1, now)),
            )
            last_change = max(_number(change) + 1, before.change + 1, now)
            connection.execute("UPDATE catalog SET last_change = ?, stale_before = ?", (last_change, last_change))
            connection.execute("DELETE FROM column_files")
            rows = connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall()
            issued = _issued_ids(rows)
            connection.execute("DELETE FROM sqlite_sequence")
            connection.executemany(
                "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)",
                [(name, max(issued.get(name, 0), before.issued.get(name, 0)) + _LEAP) for name in _COUNTED],
            )
            if before.uuid is not None:
                connection.execute("UPDATE catalog SET uuid = ?", (before.uuid,))
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode = DELETE").fetchall()
    except SQLITE_ERRORS as error:
        raise StoreError(f"can't prepare {fresh}: {error}") from error
    flush(fresh)
    return was_older


def find_index_url(path: Path) -> str | None:
    """Return the URL of the index server recorded in a database; None for files, or when it can't be read."""
    if not path.exists() or not is_inert(path):
        return None
    with suppress(*SQLITE_ERRORS, TypeError), closing(open_sqlite(path)) as connection:
        (url,) = connection.execute("SELECT index_url FROM catalog").fetchone()
        return url if isinstance(url, str) else None
    return None


def forget_index_url(path: Path) -> None:
    """Reset the index of an untrusted database to files.

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
    """Replace the content of `path` by that of `fresh`, all or nothing, and keep the old one as `keep_as`.

    Processes that have it open see the new content from their next transaction on. Only when the file is so damaged
    that SQLite can't write it, it is moved aside, and `fresh` is renamed to its path.

    Raises:
        StoreError: it failed, as for lack of space; everything is unchanged.
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
    """Rename a database with its write-ahead log, which would damage another database of its name."""
    for ending in ("-wal", "-shm", ""):
        part = path.with_name(path.name + ending)
        if part.exists():
            part.replace(target.with_name(target.name + ending))
    flush_folder(path.parent)


def flush(path: Path) -> None:
    """Flush a file to disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Flush the names in a folder to disk, where the system supports it."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def dated_name(path: Path, what: str) -> Path:
    """Return a free name next to a database for a copy of it, with the local time in it."""
    when = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    endings = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
    names = (path.with_name(f"{path.stem}.{what}-{when}{ending}{path.suffix}") for ending in endings)
    return next(name for name in names if not os.path.lexists(name))


class _Replaced:
    """Ids of a database to be replaced that must not be issued again, as far as it can be read."""

    def __init__(self, path: Path) -> None:
        self.images = self.captions = self.change = 0
        self.issued: dict[str, int] = {}
        self.uuid: str | None = None
        if not path.exists() or not is_inert(path):
            return
        with suppress(*SQLITE_ERRORS), closing(open_sqlite(path)) as connection:
            with suppress(*SQLITE_ERRORS):
                self.images, self.captions = map(_number, connection.execute(_GENERATIONS).fetchone())
            with suppress(*SQLITE_ERRORS):
                self.change = _number(connection.execute(_LAST_CHANGE).fetchone()[0])
            with suppress(*SQLITE_ERRORS):
                rows = connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall()
                self.issued = _issued_ids(rows)
            with suppress(*SQLITE_ERRORS):
                (found,) = connection.execute("SELECT uuid FROM catalog").fetchone() or (None,)
                self.uuid = found if is_uuid(found) else None


def _number(value: object, highest: int = 1 << 53) -> int:
    """Return a number of rows or generations; 0 for an invalid one."""
    return value if isinstance(value, int) and 0 <= value <= highest else 0


def _issued_ids(rows: Iterable[tuple[object, object]]) -> dict[str, int]:
    """Return the highest row id that each table has issued, from rows of `sqlite_sequence`."""
    return {str(name): _number(seq, highest_row(str(name)) >> 1) for name, seq in rows}


def _overwrite(path: Path, fresh: Path) -> None:
    with closing(open_sqlite(fresh)) as reading, closing(open_sqlite(path)) as writing:
        writing.execute("PRAGMA synchronous = FULL")
        # A database in WAL mode keeps its page size.
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
