"""Restrict a catalog to its owner, since it holds paths, dates and places of somebody's pictures."""

import contextlib
import os
import re
import stat
from pathlib import Path

from clipsearch import paths
from clipsearch.files import is_link, is_regular, restrict_to_owner
from clipsearch.indexes.names import list_own_files
from clipsearch.store.backends.connection import DATABASE_NAME
from clipsearch.store.backends.lock import LOCK_NAME
from clipsearch.store.recovery.database_files import COPY_NAMES, SCRATCH_NAMES

# The database with the files SQLite puts next to it, complete and partial copies of it, and the lock.
_FILE_NAMES = re.compile(
    rf"{re.escape(DATABASE_NAME)}(-wal|-shm|-journal)?|{COPY_NAMES.pattern}|{SCRATCH_NAMES.pattern}|"
    rf"{re.escape(LOCK_NAME)}",
    re.ASCII,
)


def find_exposed_paths(directory: Path) -> list[Path]:
    """Return files and folders of the catalog that others than the owner may use; none without POSIX permissions.

    The catalog's folder itself is left out when it holds other files, which may be meant for others.
    """
    if os.name != "posix":
        return []
    folder = paths.index_folder(directory)
    entries = list(directory.iterdir())
    own = [path for path in entries if _is_own(path)]
    places = [*own, *list_own_files(folder)]
    if len(own) == len(entries):
        places.append(directory)
    return sorted(place for place in places if _is_exposed(place))


def restrict_paths(places: list[Path]) -> None:
    for place in places:
        with contextlib.suppress(OSError):  # another user's: it stays a finding
            restrict_to_owner(place)


def _is_own(path: Path) -> bool:
    if path == paths.index_folder(path.parent):
        return path.is_dir() and not is_link(path)
    return _FILE_NAMES.fullmatch(path.name) is not None and is_regular(path)


def _is_exposed(place: Path) -> bool:
    try:
        status = place.lstat()
    except OSError:  # deleted meanwhile
        return False
    return not stat.S_ISLNK(status.st_mode) and bool(status.st_mode & 0o077)
