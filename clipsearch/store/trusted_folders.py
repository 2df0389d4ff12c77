"""Folders, on this machine and behind URLs, that the user has named here.

A catalog, a backup or an export remembers its folders and may come from anybody: what lies there is read, and
credentials of this user and his place in the network are used, only for folders that he has named himself.
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
    """Notes the URLs among the folders that were named now; without any, those of the catalog must have been.

    Raises:
        InputError: one was never named on this machine; nothing was asked there.
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
                f"the catalog's folder {_origin(scope.root)} was never named on this machine, and nothing was asked "
                "there. If it is yours, name it once: clipsearch index URL --runner ray"
            )


def remember_folders(folders: Iterable[str]) -> None:
    """Notes folders of this machine, absolute, that the user has named; URLs are passed over.

    One inside another that is noted needs no entry of its own. What can't be kept is to be named again after a restore.
    """
    known = _local_folders()
    for folder in folders:
        if not is_folder_url(folder) and not _is_below_any(folder, known):
            add_to_list(FOLDERS_NAME, quote(os.fsencode(folder)))
            known.add(folder)


def find_unnamed(folders: Iterable[str], named: Iterable[str]) -> list[str]:
    """Those of a catalog's folders that are neither named on this machine nor lie inside one that is.

    Args:
        folders: as a catalog has them, absolute or URLs; untrusted.
        named: folders that count beside those that were noted, absolute.
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
    """The server or bucket; all of what is no URL after all."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return f"{parts.scheme.lower()}://{parts.netloc.rpartition('@')[2]}"
