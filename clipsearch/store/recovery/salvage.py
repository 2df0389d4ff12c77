"""Salvage what can still be read of a damaged database into a new one."""

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
from clipsearch.store.recovery.conditions import type_condition
from clipsearch.store.recovery.database_files import (
    check_database,
    copy_database,
    has_sound_header,
    is_damage,
    scratch_file,
)
from clipsearch.store.recovery.row_repair import repair_rows
from clipsearch.store.schema import OBJECTS, find_active, find_altered

# Tables with their key. Snapshots are left out: they are rebuilt.
_TABLES = {
    "models": "model_id",
    "roots": "root_id",
    "contents": "content_id",
    "captions": "caption_id",
    "files": "file_id",
    "image_embeddings": "embedding_id",
    "caption_embeddings": "embedding_id",
    "label_sets": "label_set_id",
    "concepts": "concept_id",
    "concept_examples": "example_id",
    "albums": "album_id",
    "album_members": "member_id",
    "saved_searches": "saved_search_id",
    "parts": "content_id",
    "stack_members": "content_id",
    "sidecars": "file_id",
    "texts": "content_id",
    "runs": "run_id",
    "catalog": "catalog_id",
}
# Columns that older schemas have by another name.
_FORMER_NAMES = {("image_embeddings", "part_id"): "content_id"}

# Without rows in one of these, a new catalog is pointless.
_NEEDED = ("contents", "files", "captions")

# Rows copied at once where nothing is damaged, and rows tried beyond the last one found.
_BATCH_ROWS = 4_096
_MARGIN_ROWS = 1_000
# Failures after which a table is given up: some seconds.
_MAX_FAILURES = 500_000

# Limits for a foreign schema: ten times the time that copying takes, and no value longer than 16 MB.
_MIN_S, _BYTES_PER_S, _STEPS = 20, 2_000_000, 100_000
_MAX_VALUE_BYTES = 1 << 24

# Rows that differ from one of the database's own indexes: a bit of their id or of a reference has flipped, and they
# would show another picture's data. Embeddings are computed again, files are read again.
_DROP_INCONSISTENT = {
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
            WHERE i.model_id = image_embeddings.model_id AND i.{2} = image_embeddings.{1}
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

# Header of a database as this program creates it: pages of 4,096 bytes, WAL mode.
# Source: https://sqlite.org/fileformat.html#the_database_header
_HEADER = b"SQLite format 3\0" + bytes((0x10, 0x00, 2, 2, 0, 64, 32, 32))


def rebuild_indexes(damaged: Path, fresh: Path) -> bool:
    """Copy a database to `fresh` with SQLite's own indexes rebuilt; return whether the copy is sound."""
    try:
        if not has_sound_header(damaged) or not is_inert(damaged):
            return False
        copy_database(damaged, fresh)
        with closing(open_sqlite(fresh)) as connection:
            _drop_inconsistent(connection, "main")
            connection.execute("REINDEX")
        check_database(fresh)
        return current_revision(fresh) is not None
    except (*SQLITE_ERRORS, StoreError):
        return False


def salvage(damaged: Path, fresh: Path) -> dict[str, int]:
    """Salvage what can be read into the empty file `fresh`; `damaged` stays unchanged.

    Returns:
        The number of rows saved, by table.

    Raises:
        StoreError: nothing worth keeping can be read.
    """
    upgrade(fresh)
    try:
        with _readable(damaged) as copy, closing(open_sqlite(fresh)) as connection:
            # Each statement commits by itself: one that meets damage rolls its transaction back. Until it is complete
            # the new file need not be durable.
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA journal_mode = MEMORY")
            connection.execute("PRAGMA writable_schema = ON")  # read a damaged schema as far as possible
            connection.execute("ATTACH ? AS old", (str(copy),))
            if not is_inert(copy):
                _limit(connection, copy.stat().st_size)
            for table, key in _TABLES.items():
                with suppress(*SQLITE_ERRORS):  # all of the table is lost
                    _copy_table(connection, table, key)
            _drop_inconsistent(connection, "old")
            if not connection.execute("SELECT 1 FROM catalog").fetchone():
                connection.execute(
                    "INSERT INTO catalog (catalog_id, uuid, created_at, model_id) VALUES (1, ?, ?, -1)",
                    (str(uuid.uuid4()), str(utc_now())),
                )
    except (*SQLITE_ERRORS, OSError) as error:
        raise StoreError(f"nothing can be read of {damaged}: {error}") from error
    repair_rows(fresh)
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
    """Make a copy that SQLite opens, deleted afterwards."""
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
            _repair_header(copy)
        if not is_inert(copy):
            _disarm(copy)
        yield copy


def _disarm(copy: Path) -> None:
    """Remove triggers, views and virtual tables from a foreign copy, and restore the SQL of its tables.

    Only the text of the schema is read, so that nothing in it runs.
    """
    with suppress(*SQLITE_ERRORS), closing(open_sqlite(copy)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        objects = connection.execute(OBJECTS).fetchall()
        for active in find_active(objects):
            connection.execute("DELETE FROM sqlite_master WHERE type = ? AND name = ?", active)
        for name, sql in find_altered(objects):
            connection.execute("UPDATE sqlite_master SET sql = ? WHERE type = 'table' AND name = ?", (sql, name))


def _limit(connection: sqlite3.Connection, size_bytes: int) -> None:
    """Limit time and value size, since the rest of a foreign schema may still run code when a row is read."""
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_VALUE_BYTES)
    end = monotonic() + _MIN_S + size_bytes / _BYTES_PER_S
    connection.set_progress_handler(lambda: monotonic() > end, _STEPS)


def _repair_header(copy: Path) -> None:
    """Repair the header, unless the write-ahead log holds a whole first page."""
    with suppress(*SQLITE_ERRORS), closing(open_sqlite(copy)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if has_sound_header(copy):
            return
    with copy.open("r+b") as file:
        file.write(_HEADER)
        file.seek(44)
        file.write((4).to_bytes(4, "big"))  # the newest schema format
        file.seek(56)
        file.write((1).to_bytes(4, "big"))  # UTF-8


def _copy_table(connection: sqlite3.Connection, table: str, key: str) -> None:
    fresh = {row[1]: row[2] for row in connection.execute(f"PRAGMA main.table_info({table})")}
    existing = _columns(connection, "old", table)
    former = {name: name if name in existing else _FORMER_NAMES.get((table, name)) for name in fresh}
    columns = {name: old for name, old in former.items() if old in existing}
    conditions = [type_condition(old, fresh[name]) for name, old in columns.items()]
    statement = (
        f"INSERT OR IGNORE INTO main.{table} ({', '.join(columns)}) "  # noqa: S608
        f"SELECT {', '.join(columns.values())} FROM old.{table} NOT INDEXED "
        f"WHERE {key} BETWEEN ? AND ? AND {' AND '.join(conditions)}"
    )
    _run_in_batches(connection, statement, table, schema="old")


def _run_in_batches(connection: sqlite3.Connection, statement: str, table: str, *, schema: str) -> None:
    """Run a statement on the rows of a table, batch by batch."""
    key = _TABLES[table]
    last = _last_id(connection, table, key, schema=schema)
    failures_left = _MAX_FAILURES
    first = 0
    while first <= last and failures_left > 0:
        with suppress(*SQLITE_ERRORS):  # a flipped bit may leave a gap of millions
            (found,) = connection.execute(_NEXT.format(key, schema, table), (first,)).fetchone()
            if found is None:
                return
            first = max(first, found)
        failures_left -= _run_on_range(connection, statement, first, min(first + _BATCH_ROWS - 1, last))
        first += _BATCH_ROWS


def _run_on_range(connection: sqlite3.Connection, statement: str, first: int, last: int) -> int:
    """Run a statement on a range of ids, bisecting on damage; return the number of failures.

    A single row that fails is skipped.
    """
    try:
        connection.execute(statement, (first, last))
    except SQLITE_ERRORS as error:
        if not is_damage(error):
            raise
        if first == last:
            return 1
        middle = (first + last) // 2
        failures = _run_on_range(connection, statement, first, middle)
        return 1 + failures + _run_on_range(connection, statement, middle + 1, last)
    return 0


def _drop_inconsistent(connection: sqlite3.Connection, schema: str) -> None:
    """Delete or mark rows that differ from the indexes in `schema`; an unreadable index is ignored."""
    for table, statement in _DROP_INCONSISTENT.items():
        with suppress(*SQLITE_ERRORS):
            owners = (_embedded_column(connection, each) for each in ("main", schema))
            _run_in_batches(connection, statement.format(schema, *owners), table, schema="main")


def _embedded_column(connection: sqlite3.Connection, schema: str) -> str:
    """Return the column of `image_embeddings` that says what is embedded."""
    current, former = "part_id", _FORMER_NAMES["image_embeddings", "part_id"]
    return former if former in _columns(connection, schema, "image_embeddings") else current


def _columns(connection: sqlite3.Connection, schema: str, table: str) -> set[str]:
    return {row[1] for row in connection.execute(f"PRAGMA {schema}.table_info({table})")}


def _last_id(connection: sqlite3.Connection, table: str, key: str, *, schema: str) -> int:
    """Return an upper bound of the row ids."""
    with suppress(*SQLITE_ERRORS):
        return int(connection.execute(f"SELECT coalesce(max({key}), 0) FROM {schema}.{table}").fetchone()[0])  # noqa: S608
    with suppress(*SQLITE_ERRORS):
        found = connection.execute(_SEQUENCE.format(schema), (table,)).fetchone()
        if found is not None:
            return int(found[0])
    if table == "files":  # it has no sequence, but an index with its ids
        with suppress(*SQLITE_ERRORS):
            return int(connection.execute(_LAST_FILE.format(schema)).fetchone()[0] or 0)
    # The last page can't be read: scan from the front as far as possible, and add a margin.
    number = 0
    with suppress(*SQLITE_ERRORS):
        for (number,) in connection.execute(f"SELECT {key} FROM {schema}.{table} NOT INDEXED ORDER BY {key}"):  # noqa: B007, S608
            pass
    return int(number) + _MARGIN_ROWS
