"""Conditions in SQL on invalid values of a database that are untrusted, and the functions that they use."""

import sqlite3

from clipsearch.parts import unpack_parts
from clipsearch.store.values import (
    MAX_DIM,
    MAX_EMBEDDING_ROW,
    MAX_ROW,
    highest_row,
    is_below,
    is_folder,
    is_number,
    is_uuid,
)

# Text columns, except those of a single row.
TEXTS = (
    ("captions", "text"),
    ("contents", "format"),
    ("contents", "camera"),
    ("contents", "folded_camera"),
    ("roots", "folded_path"),
    ("files", "folded_path"),
    ("files", "skip_reason"),
    ("label_sets", "name"),
    ("label_sets", "labels"),
    ("concepts", "name"),
    ("concepts", "words"),
    ("albums", "name"),
    ("saved_searches", "name"),
    ("saved_searches", "query"),
    ("parts", "described"),
    ("contents", "described"),
    ("sidecars", "kind"),
    ("sidecars", "described"),
    ("texts", "reader"),
    ("texts", "lines"),
    ("texts", "kind"),
    ("catalog", "text_models"),
)
# Condition on a value by the declared type of its column.
_TYPE_CONDITIONS = {
    "INTEGER": "typeof({0}) IN ('integer', 'null')",
    "BIGINT": "typeof({0}) IN ('integer', 'null')",
    "BOOLEAN": "typeof({0}) IN ('integer', 'null')",
    "FLOAT": "typeof({0}) IN ('real', 'integer', 'null')",
    "BLOB": "typeof({0}) IN ('blob', 'null')",
    "DATETIME": "({0} IS NULL OR typeof({0}) = 'text' AND {0} GLOB '[0-9][0-9][0-9][0-9]-*' "
    "AND datetime({0}) IS NOT NULL)",
    "VARCHAR": "typeof({0}) IN ('text', 'null')",
}
TABLES_WITH_VALUES = (
    "models",
    "catalog",
    "roots",
    "contents",
    "files",
    "captions",
    "label_sets",
    "concepts",
    "concept_examples",
    "albums",
    "album_members",
    "saved_searches",
    "parts",
    "stack_members",
    "sidecars",
    "texts",
    "runs",
    "image_embeddings",
    "caption_embeddings",
    "sqlite_sequence",
)

# Condition for invalid rows by table: untrusted values that become part of names, paths and sizes.
INVALID_ROWS = {
    "models": (
        "typeof(fingerprint) != 'text' OR length(fingerprint) != 64 OR fingerprint GLOB '*[^0-9a-f]*' "
        "OR typeof(name) != 'blob' OR instr(name, x'00') > 0 "
        f"OR typeof(dim) != 'integer' OR dim NOT BETWEEN 1 AND {MAX_DIM} "
    ),
    "roots": "NOT is_folder(path)",
    "files": "NOT is_below(relative_path)",
    "contents": "typeof(blake3) != 'blob' OR length(blake3) != 32",
    "parts": "NOT is_parts(first_part_id, part_count, described)",
    "sidecars": "NOT is_below(name) OR instr(name, '/') > 0 OR kind NOT IN ('xmp', 'takeout')",
    "stack_members": f"typeof(stack_id) != 'integer' OR stack_id NOT BETWEEN 1 AND {MAX_ROW}",
}
GENERATIONS = ("image_generation", "caption_generation")
INVALID_CHANGE = "typeof(last_change) NOT IN ('integer', 'null') OR last_change NOT BETWEEN 0 AND 1 << 53"
ROW_IDS = {
    "models": "model_id",
    "roots": "root_id",
    "contents": "content_id",
    "files": "file_id",
    "captions": "caption_id",
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
    "sqlite_sequence": "seq",
}
INVALID_GENERATION = "typeof({0}) != 'integer' OR {0} NOT BETWEEN 0 AND 1 << 61"
INVALID_UUID = "NOT is_uuid(uuid)"
INVALID_TEXT = "{0} IS NOT NULL AND NOT is_text(CAST({0} AS BLOB))"


# Of issued row ids: half the range is left for later ones.
_HIGHEST_SEQUENCE = f"CASE WHEN name GLOB '*_embeddings' THEN {MAX_EMBEDDING_ROW >> 1} ELSE {MAX_ROW >> 1} END"


def invalid_row_id(table: str) -> str:
    """Return the condition that a row id of one of `ROW_IDS` is invalid."""
    highest = _HIGHEST_SEQUENCE if table == "sqlite_sequence" else highest_row(table)
    return "typeof({0}) != 'integer' OR {0} NOT BETWEEN 0 AND {1}".format(ROW_IDS[table], highest)


def is_text(value: bytes) -> bool:
    """Return whether bytes are UTF-8; a function for SQL."""
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def is_parts(first_part_id: object, part_count: object, described: object) -> bool:
    """Return whether values are those of a row of `parts`; a function for SQL."""
    if not is_number(first_part_id, 1, MAX_ROW) or not isinstance(described, str):
        return False
    try:
        return len(unpack_parts(described)) - 1 == part_count
    except ValueError:
        return False


def type_condition(column: str, declared: str) -> str:
    """Return the condition that a column's values have its declared type."""
    return next(
        (condition for kind, condition in _TYPE_CONDITIONS.items() if declared.startswith(kind)), "TRUE"
    ).format(column)


def add_functions(connection: sqlite3.Connection) -> None:
    """Add the SQL functions that the conditions above use."""
    for function in (is_text, is_below, is_folder, is_uuid):
        connection.create_function(function.__name__, 1, function, deterministic=True)
    connection.create_function(is_parts.__name__, 3, is_parts, deterministic=True)
