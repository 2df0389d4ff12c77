"""A catalog is for its owner only: it knows paths, dates and places of somebody's pictures."""

import contextlib
import os
import re
import stat
from pathlib import Path

from clipsearch import paths
from clipsearch.files import close_to_others, is_link, is_regular
from clipsearch.indexes.names import list_own_files
from clipsearch.store.backends.connection import DATABASE_NAME
from clipsearch.store.backends.lock import LOCK_NAME
from clipsearch.store.recovery.database_files import COPY_NAMES, SCRATCH_NAMES

# The database with what SQLite puts beside it, copies of it, half ones too, and the lock.
_FILE_NAMES = re.compile(
    rf"{re.escape(DATABASE_NAME)}(-wal|-shm|-journal)?|{COPY_NAMES.pattern}|{SCRATCH_NAMES.pattern}|"
    rf"{re.escape(LOCK_NAME)}",
    re.ASCII,
)


def find_open_places(directory: Path) -> list[Path]:
    """Files and folders of the catalog that others than the owner may use; none where the system has no such rights.

    The catalog's folder itself is left out when other things lie in it: they may be meant for others.
    """
    if os.name != "posix":
        return []
    folder = paths.index_folder(directory)
    there = list(directory.iterdir())
    own = [path for path in there if _is_own(path)]
    places = [*own, *list_own_files(folder)]
    if len(own) == len(there):
        places.append(directory)
    return sorted(place for place in places if _is_open(place))


def close_places(places: list[Path]) -> None:
    for place in places:
        with contextlib.suppress(OSError):  # somebody else's: it stays a finding
            close_to_others(place)


def _is_own(path: Path) -> bool:
    if path == paths.index_folder(path.parent):
        return path.is_dir() and not is_link(path)
    return _FILE_NAMES.fullmatch(path.name) is not None and is_regular(path)


def _is_open(place: Path) -> bool:
    try:
        status = place.lstat()
    except OSError:  # gone meanwhile
        return False
    return not stat.S_ISLNK(status.st_mode) and bool(status.st_mode & 0o077)
