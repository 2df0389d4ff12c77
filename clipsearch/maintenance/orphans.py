"""Find files that nothing uses: of replaced snapshots, and of killed writers."""

import time
from collections.abc import Iterable
from pathlib import Path

from clipsearch import paths
from clipsearch.columns.file import column_path
from clipsearch.files import is_regular, list_files, remove_file
from clipsearch.indexes.names import list_own_files
from clipsearch.indexes.snapshot import index_path, sidecar_path
from clipsearch.session.index_files import describe_snapshot
from clipsearch.session.map_file import map_path
from clipsearch.session.written import written_path
from clipsearch.store.reader import Reader
from clipsearch.store.recovery.database_files import SCRATCH_NAMES

# A writer records its file in SQL when it is complete: one younger than this may be recorded soon.
_GRACE_S = 600.0


def find_leftovers(directory: Path, reader: Reader) -> list[Path]:
    """Return index files of the catalog in `directory` that SQL does not record, sorted."""
    named = named_files(directory, reader)
    files = list_own_files(paths.index_folder(directory))
    return [file for file in files if file not in named and _is_old(file)]


def find_partial_copies(directory: Path) -> list[Path]:
    """Return partial copies of the database, left by a killed backup, restore or repair, sorted."""
    return [file for file in list_files(directory, SCRATCH_NAMES, may_be_link=True) if _is_old(file)]


def named_files(directory: Path, reader: Reader) -> set[Path]:
    """Return the index files in use, existing or not: those that SQL records, that of written words, and maps."""
    folder, uuid = paths.index_folder(directory), reader.find_uuid() or ""
    named = {
        index_path(folder, describe_snapshot(kind, uuid, model, snapshot), snapshot.blake3)
        for kind, model, snapshot in reader.list_snapshots()
    }
    columns = reader.find_column_file()
    if columns is not None:
        named.add(column_path(folder, columns.blake3))
    maps = {map_path(folder, uuid, model.fingerprint) for model in reader.list_models()}
    return named | {sidecar_path(path) for path in named} | {written_path(folder, uuid)} | maps


def remove_leftovers(files: Iterable[Path]) -> int:
    """Delete files; return their number. One that is open (Windows) stays until the next time."""
    # The catalog's own folder may be a link to another drive, that of its index files must not.
    return sum(remove_file(file, may_be_link=SCRATCH_NAMES.fullmatch(file.name) is not None) for file in files)


def size_of(files: Iterable[Path]) -> int:
    return sum(file.lstat().st_size for file in files if is_regular(file))


def _is_old(file: Path) -> bool:
    try:
        return time.time() - file.lstat().st_mtime > _GRACE_S
    except OSError:  # deleted meanwhile
        return False
