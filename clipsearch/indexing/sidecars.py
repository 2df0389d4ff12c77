"""Read the sidecars of an indexed folder that are new or have changed, and forget those that are gone."""

import os
from collections.abc import Iterator

from clipsearch.description import NOTHING
from clipsearch.errors import InputError
from clipsearch.files import open_regular_file, read_limited
from clipsearch.images.descriptions.sidecars import read_sidecar, read_takeout
from clipsearch.images.find import FoundSidecar
from clipsearch.images.xmp.packets import MAX_SIDECAR_BYTES
from clipsearch.indexing.scan import Changes, full_path, is_unseen
from clipsearch.notices import notify
from clipsearch.quantities import count
from clipsearch.store import Scope, Store
from clipsearch.store.known_files import encoded_paths
from clipsearch.store.sidecars import SidecarRecord

# Sidecars that are read and stored together: a run that is stopped loses no more.
_AT_ONCE = 500

_READERS = {"xmp": read_sidecar, "takeout": read_takeout}


def update_sidecars(changes: Changes, *, store: Store, again: bool) -> Iterator[int]:
    """Bring the stored sidecars up to date with a folder, some at a time; call it when all its files are stored.

    Nothing is embedded. One that can't be read counts as one that says nothing, until it changes; a notice names it.

    Args:
        changes: the last chunk of the folder.
        again: read unchanged ones, too.

    Yields:
        The number that was read of each lot.
    """
    scope = changes.scope
    gone = store.sidecars.known(scope)
    to_read: list[tuple[bytes, FoundSidecar]] = []
    paths = encoded_paths([each.relative_path for each in changes.sidecars])
    names = encoded_paths([each.name for each in changes.sidecars])
    for path, name, found in zip(paths, names, changes.sidecars, strict=True):
        old = gone.pop((path, found.kind), None)
        if again or old is None or old[:3] != (name, found.size_bytes, found.mtime_ns):
            to_read.append((path, found))
    files = store.sidecars.file_ids(scope, sorted({path for path, _ in to_read}))
    to_read = [each for each in to_read if each[0] in files]
    problems: list[str] = []
    for first in range(0, len(to_read), _AT_ONCE):
        lot = to_read[first : first + _AT_ONCE]
        store.sidecars.record([_read(files[path], found, scope, problems) for path, found in lot])
        yield len(lot)
    left = [(old.file_id, kind) for (path, kind), old in gone.items() if _is_gone(os.fsdecode(path), changes)]
    if left:
        store.sidecars.record([], gone=left)
    if problems:
        notify(f"{count(len(problems), 'sidecar')} can't be read, such as {problems[0]}")


def _is_gone(path: str, changes: Changes) -> bool:
    """Return whether a picture's sidecar, which was not found, lies in a part of the folder that was listed."""
    if changes.is_missing:
        return False
    subfolder = changes.scope.subfolder
    return (not subfolder or path.startswith(f"{subfolder}/")) and not is_unseen(path, changes.unseen)


def _read(file_id: int, found: FoundSidecar, scope: Scope, problems: list[str]) -> SidecarRecord:
    folder, slash, _ = found.relative_path.rpartition("/")
    path = full_path(scope, folder + slash + found.name)
    description = NOTHING
    try:
        with open_regular_file(path) as file:
            description = _READERS[found.kind](read_limited(file, MAX_SIDECAR_BYTES))
    except InputError as error:
        problems.append(f"{path}: {error}")
    except OSError as error:
        problems.append(f"{path}: {error.strerror or error}")
    return SidecarRecord(file_id, found.kind, os.fsencode(found.name), found.size_bytes, found.mtime_ns, description)
