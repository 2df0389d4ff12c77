"""Where the pictures of an import lie."""

import os
from collections.abc import Iterable, Sequence
from functools import lru_cache

from clipsearch.paths import is_folder_url
from clipsearch.store.roots import RootStore, is_shown_below
from clipsearch.store.trusted_folders import remember_folders


def present_paths(paths: Sequence[str], folder: str | None) -> list[str]:
    """Absolute paths of those that are there. Relative ones are below `folder` or nowhere."""
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
            continue  # another computer, which would be told who asks
        if os.path.isfile(place):  # noqa: PTH113 (False for a name with a NUL)
            found.append(place)
    return found


def wanted_folders(said: Sequence[str], named: Sequence[str], known: Sequence[str], *, is_own: bool) -> list[str]:
    """Folders, as real paths, that an import may have indexed.

    Args:
        said: by the export, anything.
        named: by the user, absolute: of what the export says that counts which lies below one of these; where it says
            more than that, the named one.
        known: indexed already, absolute.
        is_own: the user has made the export here: its folders count unless they would swallow one that is known.
    """
    found: dict[str, None] = {}
    for folder in said:
        if not os.path.isabs(folder) or is_folder_url(folder):  # noqa: PTH117
            continue
        real = os.path.realpath(folder)
        for name in named:
            if real == name or _is_inside(real, name):
                found[real] = None
            elif _is_inside(name, real):
                found[name] = None
        if is_own and not any(_is_inside(each, real) for each in known):
            found[real] = None
    return list(found)


def _is_inside(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip(os.sep) + os.sep)


class IndexedFolders:
    """Where in the indexed folders files lie."""

    def __init__(self, roots: RootStore, folders: Sequence[str]) -> None:
        """`folders`: real paths; each is indexed from the first file on that lies below it."""
        self._roots = roots
        self._known = roots.list_all()
        self._wanted = folders
        self._real_folder = lru_cache(10_000)(os.path.realpath)

    def add_for(self, paths: Iterable[str]) -> None:
        """Has the folders indexed that these files lie below. Roots may change their numbers."""
        for path in paths:
            if self.find(path) is None:
                real = self._real(path)
                holder = next((folder for folder in self._wanted if is_shown_below(real, folder)), None)
                if holder is not None:
                    self._roots.add(holder)
                    remember_folders([holder])
                    self._known = self._roots.list_all()

    def find(self, path: str) -> tuple[int, str] | None:
        """(root_id, relative path) of an absolute path; None where it lies in no indexed folder, or hidden in one."""
        real = self._real(path)
        holders = [scope for scope in self._known if is_shown_below(real, scope.root)]
        if not holders:
            return None
        root = max(holders, key=lambda scope: len(scope.root))
        return root.root_id, os.path.relpath(real, root.root).replace(os.sep, "/")

    def _real(self, path: str) -> str:
        """As `index` would call it: a link keeps its own name, what leads to it does not."""
        folder, name = os.path.split(path)
        return os.path.join(self._real_folder(folder), name)  # noqa: PTH118
