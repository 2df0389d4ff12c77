"""Keep the full-text index of what is written in step with the store: open its file, follow changes, and rebuild it.

As the columns, see `session.columns`, but for one thing: SQL does not record the file, which is the only one of its
catalog in the folder. A database that was put back is recognised by the contents that had changed last when the file
was written: they are not there, or have not changed so often yet.
"""

import json
import os
import secrets
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from blake3 import blake3

from clipsearch.errors import VectorIndexError
from clipsearch.files import recreate_file, remove_file
from clipsearch.indexes.names import require_own_folder
from clipsearch.notices import notify
from clipsearch.paths import index_folder
from clipsearch.session.columns import allowed_tail
from clipsearch.session.derived import REBUILT, Derived
from clipsearch.store import Store
from clipsearch.store.column_rows import ColumnState
from clipsearch.store.written_rows import Writing, WrittenReader
from clipsearch.written.documents import Document, document_of
from clipsearch.written.table import WrittenTable, has_full_text
from clipsearch.written.words import WrittenWords

# Up to this number of pictures there is no file: their documents are made when a catalog is opened.
_FEW_ROWS = 300

# Version of the documents: files of another one are not found, and are garbage.
_FORMAT = "2"

# Contents that a file names as those that had changed last.
_NEWEST = 16

DAMAGED = (sqlite3.Error, UnicodeDecodeError, ValueError, OverflowError)


def written_path(folder: Path, uuid: str) -> Path:
    """Return the path of a catalog's file of written words."""
    return folder / f"written-{blake3(f'{_FORMAT} {uuid}'.encode()).hexdigest()[:16]}.sqlite3"


class CatalogWriting(Derived[WrittenWords]):
    """Full-text index of an open catalog, see `Derived`."""

    damage = DAMAGED

    def __init__(self, store: Store, folder: Path) -> None:
        """Take the store and the folder of the index files."""
        super().__init__(store, folder)
        self._rows = 0

    def _describe_damage(self, error: Exception) -> str:
        return f"the file of written words {written_path(self._folder, self._store.uuid)} is damaged"

    def _open(self, state: ColumnState) -> WrittenWords:
        try:
            opened = open_file(self._store, self._folder, state)
        except VectorIndexError as error:
            notify(f"{error}: {REBUILT}")
            opened = None
        if opened is None:
            return self._build()
        file, self._last_change, self._rows = opened
        self._made_from = self._last_change
        return self._follow(WrittenWords(WrittenTable.create(), file))

    def _build(self) -> WrittenWords:
        """Make the words from SQL, and their file of many."""
        words, self._last_change, self._rows = build(self._store, self._folder)
        self._made_from = self._last_change
        return words

    def _follow(self, words: WrittenWords) -> WrittenWords:
        """Return the words with the changes since the last ones; rebuilt when many have changed."""
        with self._store.written_rows.at_one_moment() as reader:
            state = reader.changes.state()
            changed = reader.changes.changed_after(self._last_change)
            if state.stale_before <= self._made_from and len(words.changed) + len(changed) <= allowed_tail(self._rows):
                if changed:
                    words = words.with_changes(changed, _documents(reader.some(changed)))
                self._last_change = state.last_change
                return words
        return self._build()


def refresh_written(store: Store, folder: Path) -> None:
    """Rewrite the file when it is missing, stale or too far behind; after an index run."""
    if not has_full_text() or store.reader.newest_content_id() <= _FEW_ROWS:
        return
    try:
        opened = open_file(store, folder, store.column_rows.state())
    except VectorIndexError:
        opened = None
    if opened is not None:
        file, last_change, rows = opened
        file.close()
        if len(store.column_rows.changed_after(last_change)) <= allowed_tail(rows):
            return
    words, _, _ = build(store, folder)
    words.newer.close()
    if words.file is not None:
        words.file.close()


def open_file(store: Store, folder: Path, state: ColumnState) -> tuple[WrittenTable, int, int] | None:
    """Open the file of a catalog.

    Returns:
        The file, the number of the last change in it and its documents; None without one, or for one that is stale.

    Raises:
        VectorIndexError: it is damaged.
    """
    path = written_path(folder, store.uuid)
    require_own_folder(folder)
    if not has_full_text() or not os.path.lexists(path):
        return None
    table = WrittenTable.open(path)
    try:
        about = table.about()
        last_change, rows = int(about["last_change"]), int(about["rows"])
        newest = {int(number): (str(checksum), int(change)) for number, checksum, change in json.loads(about["newest"])}
        is_own = about["catalog"] == store.uuid and rows >= 0 and len(newest) <= _NEWEST
    except (*DAMAGED, KeyError, TypeError, RecursionError) as error:
        table.close()
        raise VectorIndexError(f"the file of written words {path} is damaged") from error
    if is_own and state.stale_before <= last_change <= state.last_change and _is_of(newest, store.written_rows):
        return table, last_change, rows
    table.close()
    return None


def check_written(directory: Path, uuid: str) -> str | None:
    """Return what is wrong with the file of a catalog in a folder; None also where it is missing."""
    path = written_path(index_folder(directory), uuid)
    if not has_full_text() or not os.path.lexists(path):
        return None
    damaged = f"the file of written words {path} is damaged"
    try:
        table = WrittenTable.open(path)
    except VectorIndexError as error:
        return str(error)
    try:
        table.check()
    except DAMAGED:
        return damaged
    finally:
        table.close()
    return None


def _is_of(newest: Mapping[int, tuple[str, int]], reader: WrittenReader) -> bool:
    """Return whether a file was made from an earlier state of a database, not from one that was lost since."""
    found = {number: (checksum, change) for number, checksum, change in reader.stamps(list(newest))}
    return all(
        number in found and found[number][0] == checksum and found[number][1] >= change
        for number, (checksum, change) in newest.items()
    )


def build(store: Store, folder: Path) -> tuple[WrittenWords, int, int]:
    """Make the words from SQL and their file; few pictures have none.

    A catalog that can't be written is searched all the same.

    Returns:
        The words, the number of the last change in them, and the number of documents.
    """
    if has_full_text() and store.reader.newest_content_id() > _FEW_ROWS:
        try:
            return _build_file(store, folder)
        except (OSError, VectorIndexError, sqlite3.Error):
            pass
    table = WrittenTable.create()
    last_change, rows = _fill(table, store)
    return WrittenWords(table), last_change, rows


def _build_file(store: Store, folder: Path) -> tuple[WrittenWords, int, int]:
    path = written_path(folder, store.uuid)
    # Not `atomic_file`: one that a killed process leaves is recognised by its name.
    scratch = folder / f"written.{secrets.randbelow(1_000_000_000)}.new"
    try:
        require_own_folder(folder)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        recreate_file(scratch).close()  # SQLite would let others read it
        table = WrittenTable.create(scratch)
        try:
            last_change, rows = _fill(table, store)
        finally:
            table.close()
        with scratch.open("rb+") as file:
            os.fsync(file.fileno())
        scratch.replace(path)
    finally:  # also after Ctrl-C; on success it was renamed
        remove_file(scratch)
    return WrittenWords(WrittenTable.create(), WrittenTable.open(path)), last_change, rows


def _fill(table: WrittenTable, store: Store) -> tuple[int, int]:
    """Add all documents, and return the number of the last change in them and of the documents."""
    with store.written_rows.at_one_moment() as reader:
        state = reader.changes.state()
        rows = table.add(_every(reader))
        about = {"catalog": store.uuid, "last_change": str(state.last_change), "rows": str(rows)}
        table.add((), about | {"newest": json.dumps(reader.newest(_NEWEST))})
    return state.last_change, rows


def _every(reader: WrittenReader) -> Iterator[tuple[int, Document]]:
    for pictures in reader.every():
        yield from _documents(pictures).items()


def _documents(pictures: Mapping[int, Writing]) -> dict[int, Document]:
    return {
        number: document_of(each.description, _names(each.paths), [line.text for line in each.lines])
        for number, each in pictures.items()
    }  # fmt: skip


def _names(paths: Sequence[bytes]) -> list[str]:
    return [path.decode("utf-8", "replace").lower() for path in paths]
