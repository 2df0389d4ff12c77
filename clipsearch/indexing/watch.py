"""Keep a catalog current: index folders again where something in them has changed."""

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TypeAlias

from clipsearch.errors import InputError
from clipsearch.images.volume import find_file_system
from clipsearch.notices import notify
from clipsearch.types import IndexReport

Index: TypeAlias = Callable[[Sequence[str]], IndexReport]
"""Indexes folders, recursively."""

RESCAN_S = 30.0
"""Seconds between two scans of folders in which the system tells no changes."""

# Seconds between two scans of all other folders: changes can be lost, as when very many come at once.
_LOCAL_RESCAN_S = 900.0

# Milliseconds without a change after which those before are looked at, and after which they are at the latest.
_QUIET_MS, _LONGEST_MS = 200, 1_000

# How often folders that come and go, and the token, are looked at.
_TIMEOUT_MS = 500

# Folders with changes that are indexed one by one; of more, all that is watched.
_MOST_FOLDERS = 20

# File systems of other machines, whose changes the kernel here does not see.
_REMOTE = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "glusterfs", "fuse.", "vboxsf", "vmhgfs", "davfs", "drvfs")

# Endings of files that are still being written or are no pictures of anyone.
_UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".download", "~", ".swp")


@dataclass(slots=True)
class _Folder:
    """A folder that is watched.

    Attributes:
        is_told: the system tells changes.
        identity: device and inode; None: it is not there.
        scanned_at: when it was last indexed as a whole.
    """

    path: str
    is_told: bool
    identity: tuple[int, int] | None
    scanned_at: float


def watch_folders(
    folders: Sequence[str],
    index: Index,
    *,
    stop: threading.Event,
    ignored: str | None = None,
    rescan_s: float = RESCAN_S,
) -> Iterator[IndexReport]:
    """Index folders, then what changes in them, until `stop` is set or Ctrl-C; yield the report of each run.

    Folders that vanish, as on a drive that is taken away, are indexed when they are back.

    Args:
        folders: absolute.
        ignored: a folder in which changes mean nothing: that of the catalog.
        rescan_s: seconds between two scans of folders in which the system tells no changes: on other machines, or
            where too many folders are watched.

    Raises:
        InputError: none of the folders is there.
    """
    watched = [_Folder(path, not is_remote(path), None, 0.0) for path in folders]
    if not any(map(_identity, folders)):
        raise InputError(f"no folder to watch is there: {', '.join(folders)}")
    while not stop.is_set():
        report = _scan(watched, index, rescan_s)
        if report is not None:
            yield report
            if report.interrupted:
                return
        told = [each.path for each in watched if each.is_told and each.identity is not None]
        for changes in _changes(told, stop, ignored) if told else _ticks(stop):
            if changes is None:  # the system can't tell
                for each in watched:
                    each.is_told = False
                break
            affected = _affected(changes, told)
            if affected:
                report = _index(index, affected)
                if report is not None:
                    yield report
                    if report.interrupted:
                        return
            if any(_needs_scan(each, rescan_s) for each in watched):
                break


def is_remote(path: str) -> bool:
    """Return whether a folder is on a file system of another machine, as far as the system says."""
    if sys.platform == "win32":
        return path.startswith("\\\\")
    with suppress(OSError, ValueError, IndexError):
        return sys.platform == "linux" and (find_file_system(path) or "").startswith(_REMOTE)
    return False


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _needs_scan(folder: _Folder, rescan_s: float) -> bool:
    identity = _identity(folder.path)
    if identity != folder.identity:
        return True
    pause = _LOCAL_RESCAN_S if folder.is_told else rescan_s
    return identity is not None and monotonic() - folder.scanned_at >= pause


def _scan(watched: Iterable[_Folder], index: Index, rescan_s: float) -> IndexReport | None:
    """Index the folders that have come back, or were not looked at for long."""
    due = [each for each in watched if _needs_scan(each, rescan_s)]
    for each in due:
        each.identity, each.scanned_at = _identity(each.path), monotonic()
    there = [each.path for each in due if each.identity is not None]
    return _index(index, there) if there else None


def _index(index: Index, folders: Sequence[str]) -> IndexReport | None:
    """Index folders; None where one has vanished meanwhile, which tells of itself."""
    try:
        return index(folders)
    except InputError:
        if all(Path(folder).is_dir() for folder in folders):
            raise
        return None


def _changes(folders: Sequence[str], stop: threading.Event, ignored: str | None) -> Iterator[set[str] | None]:
    """Yield paths that have changed, an empty set now and then; None when the system can't tell."""
    import watchfiles

    own = None if ignored is None else ignored.rstrip(os.sep) + os.sep

    def is_wanted(change: object, path: str) -> bool:
        return not path.lower().endswith(_UNFINISHED) and (own is None or not (path + os.sep).startswith(own))

    try:
        for changes in watchfiles.watch(
            *folders,
            watch_filter=is_wanted,
            debounce=_LONGEST_MS,
            step=_QUIET_MS,
            stop_event=stop,
            rust_timeout=_TIMEOUT_MS,
            yield_on_timeout=True,
            force_polling=False,
        ):
            yield {path for _, path in changes}
    except FileNotFoundError:  # a folder has vanished, and is looked for again
        yield set()
    except (OSError, RuntimeError) as error:  # as beyond the system's limit of watched folders
        notify(f"can't watch {', '.join(folders)}: {error}: scanned now and then instead")
        yield None


def _ticks(stop: threading.Event) -> Iterator[set[str]]:
    while not stop.wait(_TIMEOUT_MS / 1000):
        yield set()


def _affected(changes: Iterable[str], roots: Sequence[str]) -> list[str]:
    """Return the folders to index: those with new and changed files, none inside another.

    Where something is gone, or very many have changed, that is the whole folder that is watched: only of that can be
    told whether a drive was taken away.
    """
    found = set()
    for path in map(Path, changes):
        root = next((root for root in map(Path, roots) if path.is_relative_to(root)), None)
        if root is not None and root.is_dir():
            found.add(root if not path.exists() else path if path.is_dir() else path.parent)
    outer = [str(each) for each in found if not any(parent in found for parent in each.parents)]
    return sorted(outer) if len(outer) <= _MOST_FOLDERS else [root for root in roots if Path(root).is_dir()]
