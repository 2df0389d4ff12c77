"""Locate the pictures of an import."""

import os
from collections.abc import Iterable, Sequence
from functools import lru_cache

from clipsearch.paths import is_folder_url
from clipsearch.store.roots import RootStore, is_shown_below
from clipsearch.store.trusted_folders import remember_folders


def present_paths(paths: Sequence[str], folder: str | None) -> list[str]:
    """Return absolute paths of the files that exist; relative ones are looked up below `folder` only."""
    found = []
    for path in paths:
        place = path
        if not os.path.isabs(path):  # noqa: PTH117
            below = os.path.normpath(path)
            if folder is None or below == os.pardir or below.startswith(os.pardir + os.sep):
                continue
            place = os.path.join(folder, below)  # noqa: PTH118
            if not _is_inside(place, folder):  # "C:a" leads to another drive
                continue
        elif os.sep != "/" and path[:2].replace("/", "\\") == "\\\\":
            continue  # another computer, to which the user would be authenticated
        if os.path.isfile(place):  # noqa: PTH113 (False for a name with a NUL)
            found.append(place)
    return found


def wanted_folders(claimed: Sequence[str], named: Sequence[str], known: Sequence[str], *, is_own: bool) -> list[str]:
    """Return the folders, as real paths, that an import may index.

    Args:
        claimed: folders that the export claims; untrusted.
        named: by the user, absolute: claimed folders inside one of these count; of a claimed folder around one, the
            named one counts.
        known: indexed already, absolute.
        is_own: the user has made the export here: its folders count unless they would contain a known one.
    """
    found: dict[str, None] = {}
    for folder in claimed:
        if not os.path.isabs(folder) or is_folder_url(folder):  # noqa: PTH117
            continue
        real = os.path.realpath(folder)
        for name in named:
            if real == name or _is_inside(real, name):
                found[real] = None
            elif _is_inside(name, real):
                found[name] = None
        if is_own and not any(_is_inside(root, real) for root in known):
            found[real] = None
    return list(found)


def _is_inside(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip(os.sep) + os.sep)


class IndexedFolders:
    """Map files to their place in the indexed folders."""

    def __init__(self, roots: RootStore, folders: Sequence[str]) -> None:
        """Take the roots.

        Args:
            folders: real paths; each is indexed once a file below it is added.
        """
        self._roots = roots
        self._known = roots.list_all()
        self._wanted = folders
        self._real_folder = lru_cache(10_000)(os.path.realpath)

    def add_for(self, paths: Iterable[str]) -> None:
        """Index the wanted folders that contain these files; ids of roots may change."""
        for path in paths:
            if self.find(path) is None:
                real = self._real(path)
                parent = next((folder for folder in self._wanted if is_shown_below(real, folder)), None)
                if parent is not None:
                    self._roots.add(parent)
                    remember_folders([parent])
                    self._known = self._roots.list_all()

    def find(self, path: str) -> tuple[int, str] | None:
        """Return (root_id, relative path) of an absolute path; None outside of indexed folders, or hidden in one."""
        real = self._real(path)
        scopes = [scope for scope in self._known if is_shown_below(real, scope.root)]
        if not scopes:
            return None
        root = max(scopes, key=lambda scope: len(scope.root))
        return root.root_id, os.path.relpath(real, root.root).replace(os.sep, "/")

    def _real(self, path: str) -> str:
        """Return the path that `index` would use: links among its folders are resolved, the file itself is not."""
        folder, name = os.path.split(path)
        return os.path.join(self._real_folder(folder), name)  # noqa: PTH118
