"""Keep a catalog current: index folders again where something in them has changed."""

import os
import stat
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, time_ns
from typing import TypeAlias

from clipsearch.errors import CatalogBusyError, InputError
from clipsearch.images.volume import find_file_system
from clipsearch.notices import notify
from clipsearch.types import IndexReport

Index: TypeAlias = Callable[[Sequence[str], Collection[str]], IndexReport]
"""Indexes folders, recursively, but for files that are still being written."""

RESCAN_S = 30.0
"""Seconds between two scans of folders in which the system tells no changes."""

# Seconds between two scans of all other folders: changes can be lost, as when very many come at once.
_LOCAL_RESCAN_S = 900.0

# Milliseconds without a change after which those before are looked at, and after which they are at the latest.
_QUIET_MS, _LONGEST_MS = 200, 1_000

# How often folders that come and go, files that were being written, and the token are looked at.
_TIMEOUT_MS = 250

# Nanoseconds since the last change after which a file is complete.
_COMPLETE_AFTER_NS = 400_000_000

# Seconds after which the folders are listed again: other processes index more of them, or forget some.
_LISTED_S = 5.0

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
        scanned_at: when it was last indexed as a whole; None: to be done now.
    """

    path: str
    is_told: bool
    identity: tuple[int, int] | None = None
    scanned_at: float | None = None


def watch_folders(
    list_folders: Callable[[], Sequence[str]],
    index: Index,
    *,
    stop: threading.Event,
    ignored: str | None = None,
    rescan_s: float = RESCAN_S,
) -> Iterator[IndexReport]:
    """Index folders, then what changes in them, until `stop` is set or Ctrl-C; yield the report of each run.

    Folders that vanish, as on a drive that is taken away, are indexed when they are back. Files that are still being
    written are left out until they are complete. What changes during a run is indexed by the next one.

    Args:
        list_folders: returns those to watch, absolute; called again now and then.
        ignored: a folder in which changes mean nothing: that of the catalog.
        rescan_s: seconds between two scans of folders in which the system tells no changes: on other machines, or
            where too many folders are watched.

    Raises:
        InputError: none of the folders is there.
    """
    folders = list_folders()
    if not any(map(_identity, folders)):
        raise InputError(f"no folder to watch is there: {', '.join(folders)}")
    watched = _WatchedFolders(list_folders, rescan_s)
    while not stop.is_set():
        told = watched.reopen()
        # The first scan comes after the system has begun to tell changes: none falls between the two.
        for changes in _changes(told, stop, ignored) if told else _ticks(stop):
            if changes is None:
                watched.tell_none()
                break
            due = watched.take_due(changes)
            report = _index(index, due, watched.unfinished, stop) if due else None
            if report is not None:
                yield report
                if report.interrupted:
                    return
            if watched.must_reopen(changes):
                break


class _WatchedFolders:
    """Folders that are watched, and what in them is to be indexed."""

    def __init__(self, list_folders: Callable[[], Sequence[str]], rescan_s: float) -> None:
        self._list_folders = list_folders
        self._rescan_s = rescan_s
        self._folders: list[_Folder] = []
        self._listed_at = 0.0
        self._pending: set[str] = set()
        self.unfinished: Collection[str] = ()
        """Files that are still being written."""

    def reopen(self) -> list[str]:
        """List the folders; return those in which the system can tell changes."""
        known = {each.path: each for each in self._folders}
        self._listed_at = monotonic()
        self._folders = [known.get(path) or _Folder(path, not is_remote(path)) for path in self._list_folders()]
        for each in self._folders:
            identity = _identity(each.path)
            if each.is_told or identity != each.identity:  # changes are told from now on, not those before
                each.scanned_at = None
            each.identity = identity
        return self._told

    def tell_none(self) -> None:
        """Note that the system can't tell changes."""
        for each in self._folders:
            each.is_told = False

    def take_due(self, changes: set[str]) -> list[str]:
        """Return the folders to index now, none inside another: as a whole, or because of changes."""
        self._pending |= changes
        self.unfinished = {path for path in self._pending if _is_unfinished(path)}
        whole = [each for each in self._folders if self._needs_scan(each)]
        for each in whole:
            each.scanned_at = monotonic()
        taken = self._pending - self.unfinished
        if whole:
            paths = [each.path for each in whole]
            self._pending -= {path for path in taken if any(Path(path).is_relative_to(each) for each in paths)}
            return paths
        self._pending -= taken
        return _affected(taken, self._told)

    def must_reopen(self, changes: set[str]) -> bool:
        """Return whether a folder has come, gone or been replaced."""
        if any(each.path in changes or _identity(each.path) != each.identity for each in self._folders):
            return True
        if monotonic() - self._listed_at < _LISTED_S:
            return False
        self._listed_at = monotonic()
        return [each.path for each in self._folders] != list(self._list_folders())

    @property
    def _told(self) -> list[str]:
        return [each.path for each in self._folders if each.is_told and each.identity is not None]

    def _needs_scan(self, folder: _Folder) -> bool:
        if folder.identity is None or folder.scanned_at is None:
            return folder.identity is not None
        pause = _LOCAL_RESCAN_S if folder.is_told else self._rescan_s
        return monotonic() - folder.scanned_at >= pause


def has_changes(report: IndexReport) -> bool:
    """Return whether a run has found anything new."""
    return bool(report.embedded or report.reused or report.removed or report.moved or report.sidecars)


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


def _is_unfinished(path: str) -> bool:
    """Return whether a file was written a moment ago. Copies get their time of change when they are complete."""
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(found.st_mode) and abs(time_ns() - found.st_mtime_ns) < _COMPLETE_AFTER_NS


def _index(
    index: Index, folders: Sequence[str], unfinished: Collection[str], stop: threading.Event
) -> IndexReport | None:
    """Index folders; None where one has vanished meanwhile, which tells of itself, or others write until the end."""
    try:
        return index(folders, unfinished)
    except InputError:
        if all(Path(folder).is_dir() for folder in folders):
            raise
    except CatalogBusyError:
        if not stop.is_set():
            raise
    return None


def _changes(folders: Sequence[str], stop: threading.Event, ignored: str | None) -> Iterator[set[str] | None]:
    """Yield paths that have changed, an empty set now and then; None when the system can't tell.

    Ends where changes were lost.
    """
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
            # Folders that are watched count only where they have gone: their time of change is nothing new.
            gone = watchfiles.Change.deleted
            yield {path for change, path in changes if change is gone or path not in folders}
    except FileNotFoundError:  # a folder has vanished, and is looked for again
        stop.wait(_TIMEOUT_MS / 1000)
    except (OSError, RuntimeError) as error:  # as beyond the system's limit of watched folders
        if "decode path" in str(error):  # watchfiles knows only names in UTF-8
            stop.wait(_TIMEOUT_MS / 1000)
            return
        notify(f"can't watch {', '.join(folders)}: {error}: scanned now and then instead")
        yield None


def _ticks(stop: threading.Event) -> Iterator[set[str]]:
    yield set()
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
