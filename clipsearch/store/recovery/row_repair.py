"""Repair broken rows: delete those that an index run recreates, and mark what it has to read again."""

import sqlite3
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from clipsearch.errors import StoreError
from clipsearch.store.backends.connection import open_sqlite
from clipsearch.store.column_rows import make_file_stale
from clipsearch.store.folded_names import fill_sqlite
from clipsearch.store.part_rows import COVERS_OF, INCOMPLETE, MISPLACED, ORPHANS
from clipsearch.store.records import Kind, utc_now
from clipsearch.store.recovery.conditions import (
    GENERATIONS,
    INVALID_CHANGE,
    INVALID_GENERATION,
    INVALID_ROWS,
    INVALID_TEXT,
    INVALID_UUID,
    ROW_IDS,
    TABLES_WITH_VALUES,
    add_functions,
    invalid_row_id,
    type_condition,
)

_TEXTS = (
    f"DELETE FROM captions WHERE {INVALID_TEXT.format('text')}",  # noqa: S608 (orphans are deleted later)
    f"UPDATE contents SET format = '' WHERE {INVALID_TEXT.format('format')}",  # noqa: S608
    f"UPDATE contents SET camera = NULL WHERE {INVALID_TEXT.format('camera')}",  # noqa: S608
    f"UPDATE contents SET described = NULL WHERE {INVALID_TEXT.format('described')}",  # noqa: S608
    f"DELETE FROM sidecars WHERE {INVALID_TEXT.format('kind')} OR {INVALID_TEXT.format('described')}",  # noqa: S608
    f"DELETE FROM label_sets WHERE {INVALID_TEXT.format('name')} OR {INVALID_TEXT.format('labels')}",  # noqa: S608
    f"DELETE FROM concepts WHERE {INVALID_TEXT.format('name')}",  # noqa: S608
    f"UPDATE concepts SET words = NULL WHERE {INVALID_TEXT.format('words')}",  # noqa: S608
    f"DELETE FROM albums WHERE {INVALID_TEXT.format('name')}",  # noqa: S608
    f"DELETE FROM saved_searches WHERE {INVALID_TEXT.format('name')} OR {INVALID_TEXT.format('query')}",  # noqa: S608
    f"UPDATE files SET skip_reason = NULL WHERE {INVALID_TEXT.format('skip_reason')}",  # noqa: S608
)

# No file has this size, so that the next run sees it as changed.
_READ_AGAIN = (
    "UPDATE files SET content_id = NULL, size_bytes = -1, mtime_ns = -1, "
    "skip_reason = 'to be read again: its row was damaged' "
    "WHERE content_id IS NOT NULL AND content_id NOT IN (SELECT content_id FROM contents) "
    "OR content_id IS NULL AND skip_reason IS NULL"
)

_DROP_EXAMPLES = (
    "DELETE FROM concept_examples WHERE concept_id NOT IN (SELECT concept_id FROM concepts) "
    "OR content_id NOT IN (SELECT content_id FROM contents)"
)

_DROP_MEMBERS = (
    "DELETE FROM album_members WHERE album_id NOT IN (SELECT album_id FROM albums) "
    "OR content_id NOT IN (SELECT content_id FROM contents)"
)

_MODELS = "model_id NOT IN (SELECT model_id FROM models)"
_EMBEDDINGS: dict[Kind, tuple[str, str]] = {
    "images": ("image_embeddings", f"{_MODELS} OR {ORPHANS}"),
    "captions": ("caption_embeddings", _MODELS + " OR caption_id NOT IN (SELECT caption_id FROM captions)"),  # noqa: S608
}
_BUMP_GENERATION: dict[Kind, str] = {
    "images": "UPDATE models SET image_generation = image_generation + 1",
    "captions": "UPDATE models SET caption_generation = caption_generation + 1",
}
_DROP_INCOMPLETE = f"DELETE FROM image_embeddings WHERE embedding_id IN ({INCOMPLETE})"  # noqa: S608
_MOST_USED = (
    "(SELECT model_id FROM models ORDER BY "
    "(SELECT count(*) FROM image_embeddings e WHERE e.model_id = models.model_id) DESC, model_id LIMIT 1)"
)


def repair_rows(path: Path, broken: Mapping[Kind, Sequence[int]] | None = None) -> None:
    """Repair rows in one transaction: invalid values, orphans, unknown files, and broken embeddings.

    Args:
        broken: ids of broken embeddings.

    Raises:
        StoreError: it failed.
    """
    try:
        with closing(open_sqlite(path)) as connection:
            add_functions(connection)
            connection.execute("BEGIN IMMEDIATE")
            covers = _delete_parts(connection, INVALID_ROWS["parts"])
            for table, is_wrong in INVALID_ROWS.items():
                connection.execute(f"DELETE FROM {table} WHERE {is_wrong}")  # noqa: S608
            for table in ROW_IDS:
                connection.execute(f"DELETE FROM {table} WHERE {invalid_row_id(table)}")  # noqa: S608
            for name in GENERATIONS:  # higher than any that an index file may have
                connection.execute(
                    f"UPDATE models SET {name} = ? WHERE {INVALID_GENERATION.format(name)}",  # noqa: S608
                    (int(time.time()),),
                )
            connection.execute(f"UPDATE catalog SET uuid = ? WHERE {INVALID_UUID}", (str(uuid.uuid4()),))  # noqa: S608
            connection.execute(f"UPDATE catalog SET last_change = ? WHERE {INVALID_CHANGE}", (int(time.time()),))  # noqa: S608
            _repair_types(connection)
            for statement in _TEXTS:
                connection.execute(statement)
            fill_sqlite(connection)
            connection.execute("DELETE FROM files WHERE root_id NOT IN (SELECT root_id FROM roots)")
            connection.execute("DELETE FROM sidecars WHERE file_id NOT IN (SELECT file_id FROM files)")
            connection.execute(_READ_AGAIN)
            connection.execute("DELETE FROM parts WHERE content_id NOT IN (SELECT content_id FROM contents)")
            covers += _delete_parts(connection, MISPLACED)
            # The next run embeds a content without its cover, with all its parts.
            covers += connection.executemany(
                f"DELETE FROM image_embeddings WHERE embedding_id IN ({COVERS_OF})",  # noqa: S608
                [(number,) for number in (broken or {}).get("images", ())],
            ).rowcount
            if covers:
                connection.execute(_BUMP_GENERATION["images"])
            connection.execute("DELETE FROM stack_members WHERE content_id NOT IN (SELECT content_id FROM contents)")
            connection.execute("DELETE FROM texts WHERE content_id NOT IN (SELECT content_id FROM contents)")
            connection.execute("UPDATE catalog SET stacked_change = NULL")  # the next run finds stacks for all
            for kind, (table, is_orphan) in _EMBEDDINGS.items():
                deleted = connection.execute(f"DELETE FROM {table} WHERE {is_orphan}").rowcount  # noqa: S608
                deleted += connection.executemany(
                    f"DELETE FROM {table} WHERE embedding_id = ?",  # noqa: S608
                    [(number,) for number in (broken or {}).get(kind, ())],
                ).rowcount
                if kind == "images":
                    deleted += connection.execute(_DROP_INCOMPLETE).rowcount
                if deleted:
                    connection.execute(_BUMP_GENERATION[kind])
            connection.execute(_DROP_EXAMPLES)
            connection.execute(_DROP_MEMBERS)
            connection.execute(f"DELETE FROM snapshots WHERE {_MODELS}")  # noqa: S608
            connection.execute(f"DELETE FROM runs WHERE {_MODELS}")  # noqa: S608
            connection.execute(f"UPDATE catalog SET model_id = {_MOST_USED} WHERE {_MODELS}")  # noqa: S608
            make_file_stale(connection)
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise StoreError(f"the catalog {path} can't be repaired: {error}") from error


def _delete_parts(connection: sqlite3.Connection, is_wrong: str) -> int:
    """Delete rows of `parts`, with the embeddings of their covers; return the number of embeddings."""
    covers = connection.execute(
        f"DELETE FROM image_embeddings WHERE part_id IN (SELECT content_id FROM parts WHERE {is_wrong})"  # noqa: S608
    ).rowcount
    connection.execute(f"DELETE FROM parts WHERE {is_wrong}")  # noqa: S608
    return covers


def _repair_types(connection: sqlite3.Connection) -> None:
    """Set values of a wrong type to NULL, or to now, or delete their row."""
    for table in TABLES_WITH_VALUES:
        for _, name, declared, is_required, *_ in connection.execute(f"PRAGMA table_info({table})").fetchall():
            is_wrong = f"NOT ({type_condition(name, declared)})"
            if not is_required:
                connection.execute(f"UPDATE {table} SET {name} = NULL WHERE {is_wrong}")  # noqa: S608
            elif declared == "DATETIME":
                connection.execute(f"UPDATE {table} SET {name} = ? WHERE {is_wrong}", (str(utc_now()),))  # noqa: S608
            else:
                connection.execute(f"DELETE FROM {table} WHERE {is_wrong}")  # noqa: S608
