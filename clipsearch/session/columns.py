"""Keep the columns of a catalog in step with the store: map their file, follow changes, and rebuild it."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from clipsearch.columns.file import ColumnFileName, column_path, load_segment, save_segment
from clipsearch.columns.segment import Rows, Segment, make_segment
from clipsearch.columns.table import Columns
from clipsearch.columns.values import as_text
from clipsearch.columns.written import FindListed
from clipsearch.description import Description, unpack
from clipsearch.errors import StoreError, VectorIndexError
from clipsearch.files import remove_file
from clipsearch.indexes.names import list_own_files
from clipsearch.notices import notify
from clipsearch.query.globs import folded_root
from clipsearch.session.derived import REBUILT, Derived
from clipsearch.store import Store
from clipsearch.store.column_rows import ColumnReader, ColumnState
from clipsearch.store.records import StoredColumnFile
from clipsearch.store.sidecar_rows import Sources, merge_sources

# Up to this number of pictures, reading them from SQL takes no longer than opening a file.
_FEW_ROWS = 1_000

# Rows that are not in the file are read from SQL whenever a catalog is opened, about 10 ms a thousand: the file is
# rewritten when they exceed both a thousand and this share of it.
_MAX_TAIL_SHARE = 0.05


class CatalogColumns(Derived[Columns]):
    """Columns of an open catalog, see `Derived`."""

    # Another program than this may have written any numbers into the file.
    damage = (VectorIndexError, IndexError, ValueError)

    def __init__(self, store: Store, folder: Path, find_listed: FindListed | None = None) -> None:
        """Take the store and the folder of the index files.

        Args:
            find_listed: evaluates filters on what is not in the columns: written words and albums.
        """
        super().__init__(store, folder)
        self._find_listed = find_listed

    def _describe_damage(self, error: Exception) -> str | None:
        return str(error) if isinstance(error, VectorIndexError) else None

    def _open(self, state: ColumnState) -> Columns:
        file = self._store.column_rows.find_file()
        if file is None or not state.stale_before <= file.last_change <= state.last_change:
            return self._build()
        try:
            segment = load_segment(self._folder, file.blake3, _describe(self._store, file))
        except VectorIndexError as error:
            if column_path(self._folder, file.blake3).exists():
                notify(f"{error}: {REBUILT}")
            return self._build()
        self._made_from = self._last_change = file.last_change
        columns = self._follow(Columns([segment], find_listed=self._find_listed))
        return self._build() if columns.tail_count > allowed_tail(len(segment)) else columns

    def _build(self) -> Columns:
        """Make the columns from SQL, and their file of many."""
        segment, last_change = rebuild_columns(self._store, self._folder)
        self._made_from = self._last_change = last_change
        return Columns([segment], find_listed=self._find_listed)

    def _follow(self, columns: Columns) -> Columns:
        """Return the columns with the changes since the last ones; rebuilt when most have changed."""
        with self._store.column_rows.at_one_moment() as reader:
            state = reader.state()
            changed = reader.changed_after(self._last_change)
            if state.stale_before <= self._made_from and len(changed) <= max(_FEW_ROWS, len(columns)):
                if changed:
                    ids = np.array(changed, dtype=np.int64)
                    columns = columns.with_changes(ids, _read_rows(reader, changed), root_paths(reader))
                self._last_change = state.last_change
                return columns
        return self._build()


def refresh_columns(store: Store, folder: Path) -> None:
    """Rewrite the file of columns when it is missing, stale or too far behind; after an index run."""
    file, state = store.column_rows.find_file(), store.column_rows.state()
    if file is not None and file.last_change >= state.stale_before:
        behind = len(store.column_rows.changed_after(file.last_change))
        if behind <= allowed_tail(file.row_count) and column_path(folder, file.blake3).exists():
            return
    elif store.reader.newest_content_id() <= _FEW_ROWS:
        return
    rebuild_columns(store, folder)


def rebuild_columns(store: Store, folder: Path) -> tuple[Segment, int]:
    """Make the columns from SQL and rewrite their file; few pictures have none.

    A catalog that can't be written is searched all the same.

    Returns:
        The columns, mapped where there is a file, and the number of the last change in them.
    """
    segment, last_change = read_segment(store)
    if len(segment) > _FEW_ROWS:
        with suppress(VectorIndexError, StoreError):
            segment = write_file(segment.with_places(), last_change, store=store, folder=folder)
    return segment, last_change


def allowed_tail(rows: int) -> float:
    """Return how many rows may be outside a file of this number of rows before it is rewritten."""
    return max(_FEW_ROWS, _MAX_TAIL_SHARE * rows)


def read_segment(store: Store) -> tuple[Segment, int]:
    """Make columns of the whole catalog from SQL; return them and the number of the last change in them."""
    from concurrent.futures import ThreadPoolExecutor  # few commands get here

    with store.column_rows.at_one_moment() as reader:
        state = reader.state()
        rows = Rows()
        for files in reader.files():
            if files:
                rows.add_files(files)
        with ThreadPoolExecutor(1, thread_name_prefix="clipsearch") as pool:
            rows.index_names(pool)
            sidecars = reader.sidecars()
            for contents in reader.contents():
                if contents:
                    rows.add_contents(contents, _merge(contents, sidecars))
            for parts in reader.parts():
                if parts:
                    rows.add_parts(parts)
            rows.add_texts(reader.with_text())
            return make_segment(rows, root_paths(reader)), state.last_change


def write_file(segment: Segment, last_change: int, *, store: Store, folder: Path) -> Segment:
    """Write columns to a file, put it into use, delete older ones, and return it mapped.

    Raises:
        VectorIndexError, StoreError: it can't be written, or recorded in the catalog.
    """
    described = ColumnFileName(store.uuid, len(segment), last_change)
    checksum = save_segment(segment, folder, described)
    mapped = load_segment(folder, checksum, described)
    store.column_files.set(StoredColumnFile(checksum, len(segment), last_change))
    current = column_path(folder, checksum)
    for path in list_own_files(folder):
        if path.name.startswith("columns-") and path != current:
            remove_file(path)
    return mapped


def root_paths(reader: ColumnReader) -> dict[int, bytes]:
    """Return the folded paths of all indexed folders by id, without a separator at the end."""
    return {root_id: folded_root(path) for root_id, path in reader.folders() if isinstance(path, bytes)}


def _read_rows(reader: ColumnReader, content_ids: Sequence[int]) -> Rows:
    """Read some contents and their files."""
    rows = Rows()
    sidecars = reader.sidecars(content_ids)
    for contents in reader.some_contents(content_ids):
        if contents:
            rows.add_contents(contents, _merge(contents, sidecars))
    for files in reader.files_of(content_ids):
        if files:
            rows.add_files(files)
    for parts in reader.parts(content_ids):
        if parts:
            rows.add_parts(parts)
    rows.add_texts(reader.with_text(content_ids))
    return rows


def _merge(contents: Sequence[Sequence[Any]], sidecars: Sources) -> dict[int, Description]:
    """Return what all sources say of those of some contents, rows of `ColumnReader.contents`, that have sidecars."""
    if not sidecars:
        return {}
    return {row[0]: merge_sources(unpack(as_text(row[-1])), sidecars[row[0]]) for row in contents if row[0] in sidecars}


def _describe(store: Store, file: StoredColumnFile) -> ColumnFileName:
    return ColumnFileName(store.uuid, file.row_count, file.last_change)
