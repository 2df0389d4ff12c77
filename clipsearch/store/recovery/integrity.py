"""Check the rows of a database, read-only, assuming only that SQLite can open the file."""

import os
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import StoreError
from clipsearch.parts import unpack_parts
from clipsearch.store.backends.base import ReadConnection, chunks
from clipsearch.store.backends.connection import SQLITE_ERRORS, open_sqlite
from clipsearch.store.part_rows import ORPHANS
from clipsearch.store.records import Kind
from clipsearch.store.recovery.database_files import has_sound_header, is_damage
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
from clipsearch.vectors import from_bytes

# float16 keeps a norm of 1 to about 2e-4.
_MAX_NORM_ERROR = 1e-2

_TABLES: dict[Kind, tuple[str, str]] = {
    "images": ("image_embeddings", "part_id"),
    "captions": ("caption_embeddings", "caption_id"),
}


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
    ("parts", "described"),
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
    "parts",
    "stack_members",
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
    "parts": "content_id",
    "stack_members": "content_id",
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


class CheckedEmbeddings(NamedTuple):
    """Number of stored embeddings, number checked one by one, and ids of the broken ones."""

    stored: int
    checked: int
    broken: list[int]


class RecordedFile(NamedTuple):
    """File with the content that it had when it was indexed; times and inode as in `FileStamp`.

    Attributes:
        root: absolute, the indexed folder that contains it.
        path: absolute.
    """

    root: str
    path: str
    size_bytes: int
    mtime_ns: int
    ctime_ns: int | None
    inode: int | None
    blake3: bytes


class Inspection:
    """Checks of a database, one a method; a server keeps its tables consistent, so that some find nothing."""

    # Conditions on the length of an embedding.
    _other_length = "octet_length(embedding) != 2 * dim"
    _valid_length = "octet_length(embedding) = ?"

    def __init__(self, connection: ReadConnection) -> None:
        self._read_connection = connection

    def find_orphans(self) -> Counter[tuple[str, str]]:
        """Count rows by (table, referenced table) whose referenced row is missing."""
        return Counter()

    def count_broken_texts(self) -> int:
        """Count texts that are not UTF-8 and can't be read."""
        return 0

    def find_invalid(self) -> Counter[str]:
        """Count rows with an invalid value, by table."""
        (row,) = self._rows("SELECT count(*) FROM files WHERE file_id NOT BETWEEN 0 AND ?", MAX_ROW)
        return Counter({"files": int(row[0])} if row[0] else {})

    def count_unknown_files(self) -> int:
        """Count files with neither a content nor a skip reason."""
        (row,) = self._rows("SELECT count(*) FROM files WHERE content_id IS NULL AND skip_reason IS NULL")
        return int(row[0])

    def count_pictures_without_embedding(self) -> int:
        """Count pictures that have a file and that the model in use has not embedded."""
        (row,) = self._rows(
            "SELECT count(DISTINCT content_id) FROM files, catalog WHERE removed_at IS NULL AND content_id IS NOT NULL "
            "AND catalog.model_id IS NOT NULL AND content_id NOT IN (SELECT part_id FROM image_embeddings e "
            "WHERE e.model_id = catalog.model_id)"
        )
        return int(row[0])

    def list_folders(self) -> list[str]:
        """List the indexed folders that were not removed."""
        rows = self._rows("SELECT path FROM roots WHERE removed_at IS NULL")
        return [os.fsdecode(row[0]) for row in rows if is_folder(row[0])]

    def picture_files(self) -> NDArray[np.int64]:
        """Return the ids of all files that have a content, in indexed folders, ascending."""
        rows = self._rows(
            "SELECT file_id FROM files f JOIN roots r ON r.root_id = f.root_id JOIN contents c ON "
            "c.content_id = f.content_id WHERE f.removed_at IS NULL AND r.removed_at IS NULL ORDER BY file_id"
        )
        return np.array(rows, dtype=np.int64).reshape(len(rows))

    def recorded_files(self, numbers: NDArray[np.int64]) -> Iterator[list[RecordedFile]]:
        """Yield files by id, in parts; invalid rows are left out."""
        for chunk in chunks(numbers.tolist()):
            rows = self._rows(
                "SELECT r.path, f.relative_path, f.size_bytes, f.mtime_ns, f.ctime_ns, f.inode, c.blake3 "  # noqa: S608
                "FROM files f "
                "JOIN roots r ON r.root_id = f.root_id JOIN contents c ON c.content_id = f.content_id "
                f"WHERE file_id IN ({','.join('?' * len(chunk))}) ORDER BY file_id",
                *chunk,
            )
            found = []
            for root, relative, size_bytes, mtime_ns, ctime_ns, inode, blake3 in rows:
                if isinstance(root, bytes) and isinstance(relative, bytes):
                    folder = os.fsdecode(root)
                    path = os.path.join(folder, os.fsdecode(relative))  # noqa: PTH118
                    found.append(RecordedFile(folder, path, size_bytes, mtime_ns, ctime_ns, inode, blake3))
            yield found

    def check_embeddings(self, kind: Kind, *, sample: int | None) -> CheckedEmbeddings:
        """Find embeddings of all models that are not unit-norm rows of their model's dimension.

        Args:
            sample: number of embeddings of each model that are checked one by one, chosen at random; None: all. The
                length of all is checked.
        """
        table, _ = _TABLES[kind]
        wrong = self._rows(
            f"SELECT embedding_id FROM {table} JOIN models USING (model_id) "  # noqa: S608
            f"WHERE {self._other_length}"
        )
        broken = [row[0] for row in wrong]
        stored = checked = 0
        for model_id, dim in self._rows("SELECT model_id, dim FROM models"):
            if not is_number(dim, 1, MAX_DIM):
                continue
            numbers, _ = self.embedding_ids(kind, model_id=model_id)
            stored += len(numbers)
            chosen = choose(numbers, sample)
            checked += len(chosen)
            for chunk, rows in self.embeddings(kind, chosen, dim=dim):
                with np.errstate(over="ignore", invalid="ignore"):
                    errors = np.abs(np.linalg.norm(rows, axis=1) - 1)
                broken += chunk[~(errors <= _MAX_NORM_ERROR)].tolist()  # NaN compares false
        return CheckedEmbeddings(stored, checked, broken)

    def embedding_ids(
        self, kind: Kind, *, model_id: int, up_to: int | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return (embedding ids, content or caption ids) of a model's embeddings in the order they were stored."""
        table, owner = _TABLES[kind]
        rows = self._rows(
            f"SELECT embedding_id, {owner} FROM {table} WHERE model_id = ? AND embedding_id <= ? "  # noqa: S608
            "ORDER BY embedding_id",
            model_id,
            2**62 if up_to is None else up_to,
        )
        rows = [row for row in rows if isinstance(row[1], int)]
        both = np.array(rows, dtype=np.int64).reshape(len(rows), 2)
        return both[:, 0], both[:, 1]

    def embeddings(
        self, kind: Kind, numbers: NDArray[np.int64], *, dim: int
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield (embedding ids, embeddings (n, dim)) in parts; rows of another length are left out."""
        table, _ = _TABLES[kind]
        for chunk in chunks(numbers.tolist()):
            rows = self._rows(
                f"SELECT embedding_id, embedding FROM {table} WHERE embedding_id IN "  # noqa: S608
                f"({','.join('?' * len(chunk))}) AND {self._valid_length} "
                "ORDER BY embedding_id",
                *chunk,
                2 * dim,
            )
            yield np.array([row[0] for row in rows], dtype=np.int64), from_bytes([row[1] for row in rows], dim)

    def _rows(self, statement: str, *values: object) -> list[Any]:
        return self._read_connection.rows(statement, *values)


class FileInspection(Inspection):
    """Checks of an SQLite file, assuming only that SQLite can open it."""

    _other_length = "typeof(embedding) != 'blob' OR length(embedding) != 2 * dim"
    _valid_length = "typeof(embedding) = 'blob' AND length(embedding) = ?"

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            StoreError: it can't be opened at all.
        """
        self._path = path
        try:
            self._connection = open_sqlite(path)
            self._connection.text_factory = lambda text: text.decode("utf-8", "replace")
            add_functions(self._connection)
        except SQLITE_ERRORS as error:
            raise StoreError(f"can't open the catalog {path}: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()

    def find_damage(self, *, full: bool) -> list[str]:
        """Return SQLite's messages on the damage that it finds.

        Args:
            full: also check whether SQLite's own indexes agree with the tables.
        """
        if not has_sound_header(self._path):
            return ["its header is not that of a database"]
        try:
            rows = self._connection.execute(f"PRAGMA {'integrity_check' if full else 'quick_check'}(100)").fetchall()
        except SQLITE_ERRORS as error:
            if is_damage(error):
                return [str(error)]
            raise StoreError(f"can't read the catalog {self._path}: {error}") from error
        lines = [line for (text,) in rows for line in str(text).splitlines()]
        return [line for line in lines if line not in ("ok", "*** in database main ***")]

    def find_orphans(self) -> Counter[tuple[str, str]]:
        found = Counter((row[0], row[2]) for row in self._rows("PRAGMA foreign_key_check"))
        ((count,),) = self._rows(f"SELECT count(*) FROM image_embeddings WHERE {ORPHANS}")  # noqa: S608
        return found + Counter({("image_embeddings", "contents"): count})

    def count_broken_texts(self) -> int:
        return sum(
            self._rows(f"SELECT count(*) FROM {table} WHERE {INVALID_TEXT.format(name)}")[0][0]  # noqa: S608
            for table, name in TEXTS
        )

    def find_invalid(self) -> Counter[str]:
        conditions_by_table = {table: [self._wrong_type_condition(table)] for table in self._tables()}
        for table, is_wrong in INVALID_ROWS.items():
            conditions_by_table[table].append(is_wrong)
        for table in ROW_IDS:
            if table in conditions_by_table:
                conditions_by_table[table].append(invalid_row_id(table))
        conditions_by_table["models"] += map(INVALID_GENERATION.format, GENERATIONS)
        conditions_by_table["catalog"].append(INVALID_UUID)
        found = {
            table: self._rows(f"SELECT count(*) FROM {table} WHERE {' OR '.join(conditions)}")[0][0]  # noqa: S608
            for table, conditions in conditions_by_table.items()
        }
        return Counter({table: count for table, count in found.items() if count})

    def _tables(self) -> list[str]:
        existing = {row[0] for row in self._rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
        return [table for table in TABLES_WITH_VALUES if table in existing]

    def _wrong_type_condition(self, table: str) -> str:
        columns = self._rows(f"PRAGMA table_info({table})")
        return " OR ".join(f"NOT ({type_condition(name, declared)})" for _, name, declared, *_ in columns)

    def _rows(self, statement: str, *values: object) -> list[Any]:
        try:
            return self._connection.execute(statement, values).fetchall()
        except SQLITE_ERRORS as error:
            raise StoreError(f"the catalog {self._path} can't be read: {error}") from error


def check_values(path: Path) -> None:
    """Check the values of a database with a valid schema.

    Raises:
        StoreError: some are invalid.
    """
    with FileInspection(path) as inspection:
        found = inspection.find_invalid()
    if found:
        raise StoreError(f"{path} has invalid values in {', '.join(sorted(found))}")


def choose(values: NDArray[np.int64], sample: int | None) -> NDArray[np.int64]:
    """Return all of some sorted values, or a sorted random sample of them."""
    if sample is None or len(values) <= sample:
        return values
    return np.sort(np.random.default_rng().choice(values, sample, replace=False))
