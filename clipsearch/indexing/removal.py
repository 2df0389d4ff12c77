"""Mark missing files as deleted.

Unless it looks as if not the files but their drive is missing. Either way nothing is deleted from the store: an
unchanged file that comes back is found again without being read.
"""

import os
from collections import Counter
from collections.abc import Sequence

from clipsearch.images.exclude import make_exclusion
from clipsearch.images.patterns import plain_path
from clipsearch.images.volume import find_volume
from clipsearch.indexing.runner import Run
from clipsearch.indexing.scan import Changes, full_path
from clipsearch.notices import notify
from clipsearch.paths import is_folder_url
from clipsearch.quantities import count
from clipsearch.store import Store

# When more files of a folder than both of these disappear at once, the user must confirm with --prune.
_MANY_FILES = 50
_LARGE_SHARE = 0.2

_DIGEST_BYTES = 32

_REMEDY = "If they were really deleted: clipsearch index --prune"


def remove_deleted(changes: Changes, *, store: Store, prune: bool) -> list[int]:
    """Mark the missing files of a folder as deleted; call it when all files that were found are stored.

    Args:
        changes: the last chunk of the folder.
        prune: the user confirms that missing files are deleted.

    Returns:
        The ids of the files that were marked as deleted.
    """
    scope = changes.scope
    volume, known_volume = find_volume(scope.root), store.roots.find_volume(scope.root_id)
    if changes.deleted and not prune:
        is_other_volume = known_volume is not None and volume != known_volume
        reason = _find_reason_to_keep(changes, store=store, is_other_volume=is_other_volume)
        if reason is not None:
            notify(f"{reason}: nothing is removed. {_REMEDY}")
            return []
    if changes.deleted:
        store.pictures.remove_files(changes.deleted)
    if changes.is_missing:
        if prune and not scope.subfolder:
            store.roots.remove(scope.root_id)
    elif volume != known_volume and not (scope.subfolder and known_volume):
        store.roots.set_volume(scope.root_id, volume)
    return list(changes.deleted)


def count_moved(deleted: Sequence[int], run: Run, *, store: Store) -> int:
    """Count the deleted files that were moved: their content was found at other paths in this run, once for each."""
    if not deleted or not run.reused:
        return 0
    arrived = Counter(
        bytes(run.arrived[start : start + _DIGEST_BYTES]) for start in range(0, len(run.arrived), _DIGEST_BYTES)
    )
    arrived += store.pictures.count_contents(run.returned)
    return sum((store.pictures.count_contents(deleted) & arrived).values())


def _find_reason_to_keep(changes: Changes, *, store: Store, is_other_volume: bool) -> str | None:
    """Return the reason why the missing files may not be deleted, or None; a heuristic."""
    # Files left out on purpose do not count: excluded by --exclude, or present but ignored by an ignore file.
    root, exclusion = changes.scope.root, make_exclusion(changes.scope.exclude)
    deleted = [
        file_id
        for file_id, path in changes.deleted.items()
        if not (exclusion is not None and exclusion.excludes_file(plain_path(root, path)))
        and not os.path.lexists(full_path(changes.scope, path))
    ]
    if not deleted:
        return None
    indexed = count(len(deleted), "indexed file")
    if changes.is_empty:
        why = "" if is_folder_url(changes.scope.root) else ", as if its drive were not mounted"
        return f"{changes.folder} is missing or has no pictures any more, but had {indexed}{why}"
    if is_other_volume:
        return f"{changes.folder} is on another drive than before and lacks {indexed}"
    if len(deleted) > _MANY_FILES:
        # A moved file has its content at another path.
        lost = len(store.pictures.last_of_their_content(deleted))
        if lost > max(_MANY_FILES, _LARGE_SHARE * changes.known):
            return f"{lost:,} of {changes.known:,} pictures in {changes.folder} have vanished at once"
    return None
