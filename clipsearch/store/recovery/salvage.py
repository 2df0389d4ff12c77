"""What can still be read of a damaged database, in a new one."""

import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from time import monotonic

from clipsearch.errors import StoreError
from clipsearch.store.backends.connection import SQLITE_ERRORS, open_sqlite
from clipsearch.store.migrate import current_revision, is_inert, upgrade
from clipsearch.store.records import utc_now
from clipsearch.store.recovery.database_files import (
    check_database,
    copy_database,
    has_sound_header,
    is_damage,
    scratch_file,
)
from clipsearch.store.recovery.integrity import claim_of
from clipsearch.store.recovery.row_repair import mend_rows
from clipsearch.store.schema import OBJECTS, find_acting, find_altered

# Tables with the column that numbers their rows. Snapshots are left out: they are made anew.
_TABLES = {
    "models": "model_id",
    "roots": "root_id",
    "contents": "content_id",
    "captions": "caption_id",
    "files": "file_id",
    "image_embeddings": "embedding_id",
    "caption_embeddings": "embedding_id",
    "label_sets": "label_set_id",
    "runs": "run_id",
    "catalog": "catalog_id",
}
# Without these there is nothing worth a new catalog.
_NEEDED = ("contents", "files", "captions")

# Rows copied at once where nothing is wrong, and rows beyond the last one that is found that are asked for.
_STRETCH = 4_096
_BEYOND = 1_000
# A table is given up after so many failures: some seconds.
_MOST_FAILURES = 500_000

# For a database whose schema is not a catalog's: ten times what copying takes, and no value longer than 16 MB.
_LEAST_S, _BYTES_PER_S, _STEPS = 20, 2_000_000, 100_000
_LONGEST_VALUE = 1 << 24

# Rows that one of the database's own indexes has otherwise: a bit of their number or of what they point at has flipped,
# and SQLite would take them for those of something else. Embeddings are made again, files are read again.
_DISTRUST = {
    "contents": """
        DELETE FROM main.contents WHERE content_id BETWEEN ? AND ? AND EXISTS (
            SELECT 1 FROM {0}.contents i INDEXED BY sqlite_autoindex_contents_1
            WHERE i.blake3 = contents.blake3 AND i.content_id != contents.content_id)""",
    "captions": """
        DELETE FROM main.captions WHERE caption_id BETWEEN ? AND ? AND EXISTS (
            SELECT 1 FROM {0}.captions i INDEXED BY sqlite_autoindex_captions_1
            WHERE i.text = captions.text AND i.caption_id != captions.caption_id)""",
    "image_embeddings": """
        DELETE FROM main.image_embeddings WHERE embedding_id BETWEEN ? AND ? AND NOT EXISTS (
            SELECT 1 FROM {0}.image_embeddings i INDEXED BY sqlite_autoindex_image_embeddings_1
            WHERE i.model_id = image_embeddings.model_id AND i.content_id = image_embeddings.content_id
            AND i.embedding_id = image_embeddings.embedding_id)""",
    "caption_embeddings": """
        DELETE FROM main.caption_embeddings WHERE embedding_id BETWEEN ? AND ? AND NOT EXISTS (
            SELECT 1 FROM {0}.caption_embeddings i INDEXED BY sqlite_autoindex_caption_embeddings_1
            WHERE i.model_id = caption_embeddings.model_id AND i.caption_id = caption_embeddings.caption_id
            AND i.embedding_id = caption_embeddings.embedding_id)""",
    "files": """
        UPDATE main.files SET size_bytes = -1, mtime_ns = -1
        WHERE file_id BETWEEN ? AND ? AND content_id IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM {0}.files i INDEXED BY ix_files_content_id
            WHERE i.content_id = files.content_id AND i.file_id = files.file_id)""",
}

_NEXT = "SELECT min({0}) FROM {1}.{2} NOT INDEXED WHERE {0} >= ?"
_LAST_FILE = "SELECT max(file_id) FROM {}.files INDEXED BY ix_files_content_id WHERE content_id > 0"
_SEQUENCE = "SELECT seq FROM {}.sqlite_sequence WHERE name = ?"

# The first bytes of a database as this program makes them: pages of 4,096 bytes, with a log.
# Source: https://sqlite.org/fileformat.html#the_database_header
_HEADER = b"SQLite format 3\0" + bytes((0x10, 0x00, 2, 2, 0, 64, 32, 32))


def rebuild_indexes(damaged: Path, fresh: Path) -> bool:
    """Copies a database to `fresh` with SQLite's own indexes made anew; says whether nothing is wrong with it then."""
    try:
        if not has_sound_header(damaged) or not is_inert(damaged):
            return False
        copy_database(damaged, fresh)
        with closing(open_sqlite(fresh)) as connection:
            _distrust(connection, "main")
            connection.execute("REINDEX")
        check_database(fresh)
        return current_revision(fresh) is not None
    except (*SQLITE_ERRORS, StoreError):
        return False


def salvage(damaged: Path, fresh: Path) -> dict[str, int]:
    """Makes a new database in the empty file `fresh` of what can be read; `damaged` stays as it is.

    Returns:
        The number of rows saved, by table.

    Raises:
        StoreError: nothing worth keeping can be read.
    """
    upgrade(fresh)
    try:
        with _readable(damaged) as copy, closing(open_sqlite(fresh)) as connection:
            # Each statement by itself: one that meets damage takes the transaction with it. Until all is there the new
            # file is worth nothing, and need not be safe.
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA journal_mode = MEMORY")
            connection.execute("PRAGMA writable_schema = ON")  # a broken schema is read as far as it goes
            connection.execute("ATTACH ? AS old", (str(copy),))
            if not is_inert(copy):
                _limit(connection, copy.stat().st_size)
            for table, key in _TABLES.items():
                with suppress(*SQLITE_ERRORS):  # all of the table is lost
                    _copy_table(connection, table, key)
            _distrust(connection, "old")
            if not connection.execute("SELECT 1 FROM catalog").fetchone():
                connection.execute(
                    "INSERT INTO catalog (catalog_id, uuid, created_at, model_id) VALUES (1, ?, ?, -1)",
                    (str(uuid.uuid4()), str(utc_now())),
                )
    except (*SQLITE_ERRORS, OSError) as error:
        raise StoreError(f"nothing can be read of {damaged}: {error}") from error
    mend_rows(fresh)
    with closing(open_sqlite(fresh)) as connection:
        saved = {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
            for table in _TABLES
        }
    if not any(saved[table] for table in _NEEDED):
        raise StoreError(f"nothing can be read of {damaged}")
    check_database(fresh)
    return saved


@contextmanager
def _readable(damaged: Path) -> Iterator[Path]:
    """A copy that SQLite opens; it is gone afterwards."""
    with scratch_file(damaged.parent) as copy:
        try:
            if not has_sound_header(damaged):
                raise sqlite3.DatabaseError("unsupported file format")
            copy_database(damaged, copy)
            with closing(open_sqlite(copy)) as connection:
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except SQLITE_ERRORS as error:
            if not is_damage(error):
                raise
            for ending in ("", "-wal"):
                part, target = (path.with_name(path.name + ending) for path in (damaged, copy))
                if part.exists():
                    target.touch(mode=0o600)
                    shutil.copyfile(part, target)
            copy.with_name(copy.name + "-shm").unlink(missing_ok=True)
            _mend_header(copy)
        if not is_inert(copy):
            _disarm(copy)
        yield copy


def _disarm(copy: Path) -> None:
    """Takes triggers, views and virtual tables out of a foreign copy, and what else its tables would do when they are
    read; the schema is read as texts alone."""
    with suppress(*SQLITE_ERRORS), closing(open_sqlite(copy)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        objects = connection.execute(OBJECTS).fetchall()
        for acting in find_acting(objects):
            connection.execute("DELETE FROM sqlite_master WHERE type = ? AND name = ?", acting)
        for name, sql in find_altered(objects):
            connection.execute("UPDATE sqlite_master SET sql = ? WHERE type = 'table' AND name = ?", (sql, name))


def _limit(connection: sqlite3.Connection, size_bytes: int) -> None:
    """What is left of a foreign schema may still work when a row is read: not for ever, and not with huge values."""
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
    end = monotonic() + _LEAST_S + size_bytes / _BYTES_PER_S
    connection.set_progress_handler(lambda: monotonic() > end, _STEPS)


def _mend_header(copy: Path) -> None:
    """The log may hold a whole first page; else the first bytes are put right."""
    with suppress(*SQLITE_ERRORS), closing(open_sqlite(copy)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if has_sound_header(copy):
            return
    with copy.open("r+b") as file:
        file.write(_HEADER)
        file.seek(44)
        file.write((4).to_bytes(4, "big"))  # the newest form of a schema
        file.seek(56)
        file.write((1).to_bytes(4, "big"))  # UTF-8


def _copy_table(connection: sqlite3.Connection, table: str, key: str) -> None:
    fresh = {row[1]: row[2] for row in connection.execute(f"PRAGMA main.table_info({table})")}
    there = {row[1] for row in connection.execute(f"PRAGMA old.table_info({table})")}
    columns = [name for name in fresh if name in there]
    claims = [claim_of(name, fresh[name]) for name in columns]
    names = ", ".join(columns)
    statement = (
        f"INSERT OR IGNORE INTO main.{table} ({names}) SELECT {names} FROM old.{table} NOT INDEXED "  # noqa: S608
        f"WHERE {key} BETWEEN ? AND ? AND {' AND '.join(claims)}"
    )
    _run_on_all(connection, statement, table, schema="old")


def _run_on_all(connection: sqlite3.Connection, statement: str, table: str, *, schema: str) -> None:
    """Runs a statement on the rows of a table, stretch by stretch."""
    key = _TABLES[table]
    last = _last_number(connection, table, key, schema=schema)
    failures_left = _MOST_FAILURES
    first = 0
    while first <= last and failures_left > 0:
        with suppress(*SQLITE_ERRORS):  # a flipped number may leave a gap of millions
            (found,) = connection.execute(_NEXT.format(key, schema, table), (first,)).fetchone()
            if found is None:
                return
            first = max(first, found)
        failures_left -= _run_on_stretch(connection, statement, first, min(first + _STRETCH - 1, last))
        first += _STRETCH


def _run_on_stretch(connection: sqlite3.Connection, statement: str, first: int, last: int) -> int:
    """What raises is halved until a single row is left, which is passed over. Returns how often it has raised."""
    try:
        connection.execute(statement, (first, last))
    except SQLITE_ERRORS as error:
        if not is_damage(error):
            raise
        if first == last:
            return 1
        middle = (first + last) // 2
        failures = _run_on_stretch(connection, statement, first, middle)
        return 1 + failures + _run_on_stretch(connection, statement, middle + 1, last)
    return 0


def _distrust(connection: sqlite3.Connection, schema: str) -> None:
    """`schema`: whose indexes are asked. One that can't be read says nothing."""
    for table, statement in _DISTRUST.items():
        with suppress(*SQLITE_ERRORS):
            _run_on_all(connection, statement.format(schema), table, schema="main")


def _last_number(connection: sqlite3.Connection, table: str, key: str, *, schema: str) -> int:
    """The highest row number there may be."""
    with suppress(*SQLITE_ERRORS):
        return int(connection.execute(f"SELECT coalesce(max({key}), 0) FROM {schema}.{table}").fetchone()[0])  # noqa: S608
    with suppress(*SQLITE_ERRORS):
        found = connection.execute(_SEQUENCE.format(schema), (table,)).fetchone()
        if found is not None:
            return int(found[0])
    if table == "files":  # its rows are numbered without a sequence, but there is an index that has the numbers
        with suppress(*SQLITE_ERRORS):
            return int(connection.execute(_LAST_FILE.format(schema)).fetchone()[0] or 0)
    # The last page can't be read: as far as it goes from the front, and some more.
    number = 0
    with suppress(*SQLITE_ERRORS):
        for (number,) in connection.execute(f"SELECT {key} FROM {schema}.{table} NOT INDEXED ORDER BY {key}"):  # noqa: B007, S608
            pass
    return int(number) + _BEYOND
