"""Rows that are broken: those are deleted that an index run makes anew, and what it has to read again is marked."""

import sqlite3
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from clipsearch.errors import StoreError
from clipsearch.store.backends.connection import open_sqlite
from clipsearch.store.folded_names import fill_sqlite
from clipsearch.store.records import Kind, utc_now
from clipsearch.store.recovery.integrity import (
    GENERATIONS,
    IMPOSSIBLE,
    NO_GENERATION,
    NO_TEXT,
    NO_UUID,
    ROW_NUMBERS,
    TABLES_WITH_VALUES,
    add_functions,
    claim_of,
    no_row_number,
)

_TEXTS = (
    f"DELETE FROM captions WHERE {NO_TEXT.format('text')}",  # noqa: S608 (its embeddings go with what points at nothing)
    f"UPDATE contents SET format = '' WHERE {NO_TEXT.format('format')}",  # noqa: S608
    f"UPDATE contents SET camera = NULL WHERE {NO_TEXT.format('camera')}",  # noqa: S608
    f"DELETE FROM label_sets WHERE {NO_TEXT.format('name')} OR {NO_TEXT.format('labels')}",  # noqa: S608
    f"UPDATE files SET skip_reason = NULL WHERE {NO_TEXT.format('skip_reason')}",  # noqa: S608
)

# No file has this size: the next run takes it for changed.
_READ_AGAIN = (
    "UPDATE files SET content_id = NULL, size_bytes = -1, mtime_ns = -1, "
    "skip_reason = 'to be read again: what was known of it was broken' "
    "WHERE content_id IS NOT NULL AND content_id NOT IN (SELECT content_id FROM contents) "
    "OR content_id IS NULL AND skip_reason IS NULL"
)

_MODELS = "model_id NOT IN (SELECT model_id FROM models)"
_EMBEDDINGS: dict[Kind, tuple[str, str]] = {
    "images": ("image_embeddings", _MODELS + " OR content_id NOT IN (SELECT content_id FROM contents)"),  # noqa: S608
    "captions": ("caption_embeddings", _MODELS + " OR caption_id NOT IN (SELECT caption_id FROM captions)"),  # noqa: S608
}
_GROWN: dict[Kind, str] = {
    "images": "UPDATE models SET image_generation = image_generation + 1",
    "captions": "UPDATE models SET caption_generation = caption_generation + 1",
}
_MOST_USED = (
    "(SELECT model_id FROM models ORDER BY "
    "(SELECT count(*) FROM image_embeddings e WHERE e.model_id = models.model_id) DESC, model_id LIMIT 1)"
)


def mend_rows(path: Path, broken: Mapping[Kind, Sequence[int]] | None = None) -> None:
    """All or nothing: rows with values that can't be, rows that point at nothing, files of which nothing is known, and
    the embeddings that are named.

    Args:
        broken: row numbers of embeddings.

    Raises:
        StoreError: it can't be done.
    """
    try:
        with closing(open_sqlite(path)) as connection:
            add_functions(connection)
            connection.execute("BEGIN IMMEDIATE")
            for table, is_wrong in IMPOSSIBLE.items():
                connection.execute(f"DELETE FROM {table} WHERE {is_wrong}")  # noqa: S608
            for table in ROW_NUMBERS:
                connection.execute(f"DELETE FROM {table} WHERE {no_row_number(table)}")  # noqa: S608
            for name in GENERATIONS:  # later than any that an index file may have
                connection.execute(
                    f"UPDATE models SET {name} = ? WHERE {NO_GENERATION.format(name)}",  # noqa: S608
                    (int(time.time()),),
                )
            connection.execute(f"UPDATE catalog SET uuid = ? WHERE {NO_UUID}", (str(uuid.uuid4()),))  # noqa: S608
            _mend_types(connection)
            for statement in _TEXTS:
                connection.execute(statement)
            fill_sqlite(connection)
            connection.execute("DELETE FROM files WHERE root_id NOT IN (SELECT root_id FROM roots)")
            connection.execute(_READ_AGAIN)
            for kind, (table, is_orphan) in _EMBEDDINGS.items():
                deleted = connection.execute(f"DELETE FROM {table} WHERE {is_orphan}").rowcount  # noqa: S608
                deleted += connection.executemany(
                    f"DELETE FROM {table} WHERE embedding_id = ?",  # noqa: S608
                    [(number,) for number in (broken or {}).get(kind, ())],
                ).rowcount
                if deleted:
                    connection.execute(_GROWN[kind])
            connection.execute(f"DELETE FROM snapshots WHERE {_MODELS}")  # noqa: S608
            connection.execute(f"DELETE FROM runs WHERE {_MODELS}")  # noqa: S608
            connection.execute(f"UPDATE catalog SET model_id = {_MOST_USED} WHERE {_MODELS}")  # noqa: S608
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise StoreError(f"the catalog {path} can't be mended: {error}") from error


def _mend_types(connection: sqlite3.Connection) -> None:
    """What is of another type than its column becomes nothing, or now, or goes with its row."""
    for table in TABLES_WITH_VALUES:
        for _, name, declared, is_needed, *_ in connection.execute(f"PRAGMA table_info({table})").fetchall():
            is_wrong = f"NOT ({claim_of(name, declared)})"
            if not is_needed:
                connection.execute(f"UPDATE {table} SET {name} = NULL WHERE {is_wrong}")  # noqa: S608
            elif declared == "DATETIME":
                connection.execute(f"UPDATE {table} SET {name} = ? WHERE {is_wrong}", (str(utc_now()),))  # noqa: S608
            else:
                connection.execute(f"DELETE FROM {table} WHERE {is_wrong}")  # noqa: S608
