"""What becomes of known files that are not there any more.

They are marked as gone, unless it looks as if not the files but their drive had gone. Either way nothing is deleted:
a file that comes back as it was is found again, without being read.
"""

import os
from collections import Counter
from collections.abc import Sequence

from clipsearch.images.exclude import exclusion_of
from clipsearch.images.patterns import plain_path
from clipsearch.images.volume import find_volume
from clipsearch.indexing.runner import Run
from clipsearch.indexing.scan import Changes, full_path
from clipsearch.notices import notify
from clipsearch.paths import is_folder_url
from clipsearch.quantities import count
from clipsearch.store import Store

# When more of a folder's files than both of these vanish at once, somebody is asked.
_MANY_FILES = 50
_LARGE_SHARE = 0.2

_DIGEST_BYTES = 32

_HOW_TO = "If they are really gone: clipsearch index --prune"


def remove_gone(changes: Changes, *, store: Store, prune: bool) -> list[int]:
    """To be called when a folder was listed and all files that were found are stored.

    Args:
        changes: the last ones of the folder.
        prune: the user says that what is gone is gone.

    Returns:
        The numbers of the files that were marked as gone.
    """
    scope = changes.scope
    volume, known_volume = find_volume(scope.root), store.roots.find_volume(scope.root_id)
    if changes.gone and not prune:
        is_other = known_volume is not None and volume != known_volume
        doubt = _find_doubt(changes, store=store, is_other_volume=is_other)
        if doubt is not None:
            notify(f"{doubt}: nothing is removed. {_HOW_TO}")
            return []
    if changes.gone:
        store.pictures.remove_files(changes.gone)
    if changes.is_missing:
        if prune and not scope.subfolder:
            store.roots.remove(scope.root_id)
    elif volume != known_volume and not (scope.subfolder and known_volume):
        store.roots.set_volume(scope.root_id, volume)
    return list(changes.gone)


def count_moved(gone: Sequence[int], run: Run, *, store: Store) -> int:
    """How many files that are gone were moved: the run has come upon their content in other places, once for each."""
    if not gone or not run.reused:
        return 0
    arrived = Counter(
        bytes(run.arrived[start : start + _DIGEST_BYTES]) for start in range(0, len(run.arrived), _DIGEST_BYTES)
    )
    arrived += store.pictures.count_contents(run.returned)
    return sum((store.pictures.count_contents(gone) & arrived).values())


def _find_doubt(changes: Changes, *, store: Store, is_other_volume: bool) -> str | None:
    """Why the files may not really be gone."""
    # What is left out on purpose: by --exclude, and what is there by an ignore file.
    root, exclusion = changes.scope.root, exclusion_of(changes.scope.exclude)
    gone = [
        file_id
        for file_id, path in changes.gone.items()
        if not (exclusion is not None and exclusion.leaves_out_file(plain_path(root, path)))
        and not os.path.lexists(full_path(changes.scope, path))
    ]
    if not gone:
        return None
    indexed = count(len(gone), "file that was indexed", "files that were indexed")
    if changes.is_empty:
        why = "" if is_folder_url(changes.scope.root) else ", as if its drive were not mounted"
        return f"{changes.folder} is not there or holds no pictures any more, {indexed}{why}"
    if is_other_volume:
        return f"{changes.folder} lies on another drive than before, without {indexed}"
    if len(gone) > _MANY_FILES:
        # A file that was moved has its content in another place.
        lost = len(store.pictures.last_of_their_content(gone))
        if lost > max(_MANY_FILES, _LARGE_SHARE * changes.known):
            return f"{lost:,} of {changes.known:,} pictures in {changes.folder} have vanished at once"
    return None
