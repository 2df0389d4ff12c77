"""List the files that were marked in groups of duplicates, so that a copy of each is kept."""

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from clipsearch.errors import InputError
from clipsearch.gallery.duplicates.groups import DuplicateGroup, DuplicatePicture

Mark = tuple[int, int]
"""A file of a group: number of the group, and place in it, both from 0."""


@dataclass(frozen=True, slots=True)
class MarkedFiles:
    """Files that were marked to be removed.

    Attributes:
        files: in the order of their groups, each once.
        left_out: number of marked files that are missing, or of whose group no file that is kept is there any more.
    """

    files: tuple[DuplicatePicture, ...]
    left_out: int = 0

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


def mark_files(
    groups: Sequence[DuplicateGroup],
    changed: Collection[Mark],
    *,
    shown: Callable[[DuplicateGroup], bool] | None = None,
    check: bool = True,
) -> MarkedFiles:
    """List the spare files of groups, with changes.

    Args:
        groups: all that were found: a file can be in two, and no choice may leave either without a file.
        changed: spare files that are kept, and others that are marked.
        shown: the groups whose files are listed; None: all.
        check: look whether the files, and those that are kept instead of them, are still there.

    Raises:
        InputError: there is no such file, or all files of a group are marked.
    """
    changes = set(changed)
    if any(not (0 <= number < len(groups) and 0 <= place < len(groups[number].pictures)) for number, place in changes):
        raise InputError("there is no such file among the duplicates")
    marked: set[str] = set()
    for number, group in enumerate(groups):
        first_spare = len(group.pictures) - len(group.spare)
        marked.update(
            file.path
            for place, file in enumerate(group.pictures)
            if (place >= first_spare) != ((number, place) in changes)
        )
    listed: dict[str, DuplicatePicture] = {}
    unsafe: set[str] = set()
    for group in groups:
        chosen = [file for file in group.pictures if file.path in marked]
        kept = [file for file in group.pictures if file.path not in marked]
        if not kept:
            raise InputError(f"all files of the group of {group.best.path} are marked: keep one of them")
        if chosen and check and not any(is_there(file) for file in kept):
            unsafe.update(file.path for file in chosen)
        if shown is None or shown(group):
            listed.update((file.path, file) for file in chosen)
    files = [file for file in listed.values() if not check or (file.path not in unsafe and is_there(file))]
    return MarkedFiles(tuple(files), len(listed) - len(files))


def is_there(file: DuplicatePicture) -> bool:
    """Return whether a file has the size that it had when it was compared."""
    try:
        return os.stat(file.path).st_size == file.size_bytes  # noqa: PTH116 (called for each file of thousands)
    except (OSError, ValueError):
        return False
