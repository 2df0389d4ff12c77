"""Remember folders and URLs that the user has named on this machine.

A catalog, a backup or an export records its folders and is untrusted: files are read, and the user's credentials and
position in the network are used, only for folders that the user has named.
"""

import os
from collections.abc import Iterable, Sequence
from urllib.parse import quote, unquote_to_bytes, urlsplit

from clipsearch.errors import InputError
from clipsearch.images.remote.files import check_folder_url
from clipsearch.paths import is_folder_url
from clipsearch.store.roots import RootStore, is_inside
from clipsearch.trust import add_to_list, read_list

URLS_NAME = "folder-urls"
FOLDERS_NAME = "folders"


def require_named_folders(folders: Sequence[str | os.PathLike[str]], roots: RootStore) -> None:
    """Remember the URLs among the named folders; without any, require that those of the catalog were named.

    Raises:
        InputError: a URL was never named on this machine; it was not contacted.
    """
    for folder in folders:
        if isinstance(folder, str) and is_folder_url(folder) and not folder.lower().startswith("file:"):
            add_to_list(URLS_NAME, _origin(check_folder_url(folder)))
    if folders:
        return
    named = set(read_list(URLS_NAME))
    for scope in roots.list_all():
        if is_folder_url(scope.root) and _origin(scope.root) not in named:
            raise InputError(
                f"the catalog's folder {_origin(scope.root)} was never named on this machine and was not "
                "contacted. If it is yours, name it once: clipsearch index URL --runner ray"
            )


def remember_folders(folders: Iterable[str]) -> None:
    """Remember absolute folders of this machine that the user has named; URLs are ignored.

    A folder inside a remembered one needs no entry of its own. One that can't be saved has to be named again after a
    restore.
    """
    known = _local_folders()
    for folder in folders:
        if not is_folder_url(folder) and not _is_below_any(folder, known):
            add_to_list(FOLDERS_NAME, quote(os.fsencode(folder)))
            known.add(folder)


def find_unnamed(folders: Iterable[str], named: Iterable[str]) -> list[str]:
    """Return the folders that were not named on this machine and lie in no folder that was.

    Args:
        folders: of a catalog, absolute or URLs; untrusted.
        named: more folders that count as named, absolute.
    """
    local, origins = {*_local_folders(), *named}, set(read_list(URLS_NAME))

    def is_named(folder: str) -> bool:
        if is_folder_url(folder):
            return folder in local or _origin(folder) in origins
        return folder in local or _is_below_any(os.path.realpath(folder), local)

    return [folder for folder in folders if not is_named(folder)]


def _local_folders() -> set[str]:
    return {os.fsdecode(unquote_to_bytes(entry)) for entry in read_list(FOLDERS_NAME)}


def _is_below_any(folder: str, others: Iterable[str]) -> bool:
    return any(folder == other or is_inside(folder, other) for other in others)


def _origin(url: str) -> str:
    """Return the server or bucket of a URL; an invalid URL as a whole."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return f"{parts.scheme.lower()}://{parts.netloc.rpartition('@')[2]}"
