"""Full-text index of documents: a table of SQLite's FTS5 with trigrams, in a file or in memory.

Trigrams find any part of a word, in any script, from three characters on; shorter ones are looked for in all texts. The
texts are folded before: the tokenizer's own folding knows fewer letters than `text.fold_name`. A document is found by
its content id.

Not in the catalog's database, whose virtual tables `store.schema` takes for foreign, and the same for catalogs on
PostgreSQL, which so need no extension (pg_trgm) and find the same.

Source: https://sqlite.org/fts5.html, 4.3.4 (trigram tokenizer).
"""

import os
import sqlite3
import threading
import weakref
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import VectorIndexError
from clipsearch.files import is_regular
from clipsearch.written.documents import FIELDS, Document

_COLUMNS = ", ".join(FIELDS)
_FTS = f"CREATE VIRTUAL TABLE words USING fts5({_COLUMNS}, columnsize=0, tokenize='trigram case_sensitive 1')"
# Where SQLite has no FTS5, all texts are read for each search.
_PLAIN = f"CREATE TABLE words ({_COLUMNS})"
_META = "CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL)"
_INSERT = f"INSERT INTO words (rowid, {_COLUMNS}) VALUES (?, {', '.join('?' * len(FIELDS))})"  # noqa: S608

# Trigrams that are gathered before they are written, in bytes: fewer, larger segments take less time and space.
_HASH_BYTES = 1 << 24

# Characters of a text from which on trigrams find it.
_GRAM = 3

# Documents that are read in one query.
_SOME = 500


@cache
def has_full_text() -> bool:
    """Return whether this SQLite has FTS5 with trigrams (3.34); without it, all texts are read for each search."""
    with closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.execute(_FTS)
        except sqlite3.OperationalError:
            return False
    return True


class WrittenTable:
    """Thread-safe table of documents; errors of SQLite mean that its file is damaged."""

    def __init__(self, connection: sqlite3.Connection, *, has_fts: bool) -> None:
        self._connection, self._has_fts = connection, has_fts
        self._lock = threading.Lock()
        # Others may still search it when it is replaced: closed when the last of them has released it.
        weakref.finalize(self, connection.close)

    @classmethod
    def create(cls, path: Path | None = None) -> "WrittenTable":
        """Make an empty table in an empty file, or in memory."""
        connection = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        try:
            # Written once, and renamed when it is complete: a crash leaves nothing that is used.
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("PRAGMA synchronous = OFF")
            has_fts = has_full_text()
            connection.execute(_FTS if has_fts else _PLAIN)
            if has_fts:
                connection.execute("INSERT INTO words (words, rank) VALUES ('hashsize', ?)", (_HASH_BYTES,))
            connection.execute(_META)
        except BaseException:
            connection.close()
            raise
        return cls(connection, has_fts=has_fts)

    @classmethod
    def open(cls, path: Path) -> "WrittenTable":
        """Open a file, which is only read, even while another one is put in its place.

        Raises:
            VectorIndexError: it is missing, damaged, or not such a file.
        """
        if not is_regular(path):
            raise VectorIndexError(f"can't read the file of written words {path}")
        try:
            uri = f"file:{quote(os.fsencode(path))}?mode=ro&immutable=1"
            connection = sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)
            try:
                connection.execute("PRAGMA trusted_schema = OFF")
                connection.execute("PRAGMA cell_size_check = ON")
                connection.execute("PRAGMA query_only = ON")
                _check_schema(connection)
            except BaseException:
                connection.close()
                raise
        except (sqlite3.Error, UnicodeDecodeError, ValueError) as error:
            raise VectorIndexError(f"the file of written words {path} is damaged") from error
        return cls(connection, has_fts=True)

    def add(self, documents: Iterable[tuple[int, Document]], about: Mapping[str, str] | None = None) -> int:
        """Add documents by content id, each for the first time, and what is known of the table.

        Returns:
            The number of documents.
        """
        with self._lock:
            self._connection.execute("BEGIN")
            added = self._connection.executemany(_INSERT, ((number, *document) for number, document in documents))
            self._connection.executemany("INSERT INTO about VALUES (?, ?)", (about or {}).items())
            self._connection.execute("COMMIT")
            return max(0, added.rowcount)

    def replace(self, content_ids: Iterable[int], documents: Mapping[int, Document]) -> None:
        """Replace the documents of contents that have changed; those without one have none any more."""
        with self._lock:
            self._connection.execute("BEGIN")
            self._connection.executemany("DELETE FROM words WHERE rowid = ?", ((number,) for number in content_ids))
            self._connection.executemany(_INSERT, ((number, *document) for number, document in documents.items()))
            self._connection.execute("COMMIT")

    def about(self) -> dict[str, str]:
        """Return what is known of the table."""
        rows = self._rows("SELECT name, value FROM about LIMIT 100")
        return {name: value for name, value in rows if isinstance(name, str) and isinstance(value, str)}

    def find(self, parts: Sequence[str], most: int = -1, fields: Sequence[str] = FIELDS) -> NDArray[np.int64]:
        """Return the ids (n,), sorted, of documents that have all parts of a text, each in one of their texts.

        Args:
            parts: folded by `text.fold_words`, with or without the blanks around words.
            most: number of ids; -1: all.
            fields: of `FIELDS`, that are looked at.
        """
        indexed = [part for part in parts if len(part) >= _GRAM and self._has_fts]
        conditions = ["words MATCH ?"] if indexed else []
        wanted = " AND ".join(f'"{part}"' for part in indexed)
        if fields != FIELDS:  # all of them take half as long again with a filter of columns
            wanted = f"{{{' '.join(fields)}}} : ({wanted})"
        values: list[object] = [wanted] if indexed else []
        for part in parts:
            if part not in indexed:
                conditions.append("(" + " OR ".join(f"instr({name}, ?)" for name in fields) + ")")
                values += [part] * len(fields)
        where = " AND ".join(conditions)
        rows = self._rows(f"SELECT rowid FROM words WHERE {where} LIMIT ?", *values, most)  # noqa: S608
        ids = np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))
        ids.sort()
        return ids

    def documents(self, ids: Sequence[int]) -> dict[int, Document]:
        """Return documents by content id; unknown ones are left out."""
        found: dict[int, Document] = {}
        for start in range(0, len(ids), _SOME):
            some = [int(number) for number in ids[start : start + _SOME]]
            marks = ",".join("?" * len(some))
            statement = f"SELECT rowid, {_COLUMNS} FROM words WHERE rowid IN ({marks})"  # noqa: S608
            for number, *texts in self._rows(statement, *some):
                title, names, caption, others, path, read = (text if isinstance(text, str) else "" for text in texts)
                found[number] = title, names, caption, others, path, read
        return found

    def check(self) -> None:
        """Check the whole file.

        Raises:
            sqlite3.Error: it is damaged.
        """
        if self._rows("PRAGMA quick_check(1)") != [("ok",)]:
            raise sqlite3.DatabaseError("damaged")

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _rows(self, statement: str, *values: object) -> list[Any]:
        with self._lock:
            return self._connection.execute(statement, values).fetchall()


def _check_schema(connection: sqlite3.Connection) -> None:
    """Check that a file has the tables of a new one and nothing else, no trigger and no view, before any is used.

    Raises:
        ValueError: it has not.
    """
    if _schema_of(connection) != _own_schema():
        raise ValueError("foreign tables")


@cache
def _own_schema() -> frozenset[tuple[object, ...]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(_FTS)
        connection.execute(_META)
        return _schema_of(connection)


def _schema_of(connection: sqlite3.Connection) -> frozenset[tuple[object, ...]]:
    return frozenset(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master LIMIT 100"))
