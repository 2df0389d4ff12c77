"""A catalog is for its owner only: it knows paths, dates and places of somebody's pictures."""

import contextlib
import os
import stat
from pathlib import Path

from clipsearch import settings
from clipsearch.store.connection import DATABASE_NAME
from clipsearch.store.copies import SCRATCH_PREFIX
from clipsearch.store.lock import LOCK_NAME


def find_open_places(directory: Path) -> list[Path]:
    """Files and folders of the catalog that others than the owner may use; none where the system has no such rights.

    The catalog's folder itself is left out when other things lie in it: they may be meant for others.
    """
    if os.name != "posix":
        return []
    folder = settings.index_folder(directory)
    there = list(directory.iterdir())
    own = [path for path in there if _is_own(path)]
    places = [*own, *(folder.iterdir() if folder.is_dir() else ())]
    if len(own) == len(there):
        places.append(directory)
    return sorted(place for place in places if _is_open(place))


def close_places(places: list[Path]) -> None:
    for place in places:
        with contextlib.suppress(OSError):  # somebody else's: it stays a finding
            place.chmod(stat.S_IMODE(place.stat().st_mode) & 0o700)


def _is_own(path: Path) -> bool:
    name, database = path.name, Path(DATABASE_NAME)
    return (
        name == LOCK_NAME
        or path == settings.index_folder(path.parent)
        or name.startswith(SCRATCH_PREFIX)
        or (name.startswith(f"{database.stem}.") and database.suffix in name)
    )


def _is_open(place: Path) -> bool:
    try:
        status = place.lstat()
    except OSError:  # gone meanwhile
        return False
    return not stat.S_ISLNK(status.st_mode) and bool(status.st_mode & 0o077)
