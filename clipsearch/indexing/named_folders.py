"""Folders behind URLs that the user has named on this machine.

A catalog remembers the URLs of its folders, and may come from anybody: credentials of this user, and his place in the
network, are used only for servers and buckets that he has named here.
"""

import os
from collections.abc import Sequence
from urllib.parse import urlsplit

from clipsearch.errors import InputError
from clipsearch.images.urls import check_folder_url
from clipsearch.named_places import add_to_list, read_list
from clipsearch.settings import is_folder_url
from clipsearch.store.roots import RootStore

LIST_NAME = "folder-urls"


def require_named_folders(folders: Sequence[str | os.PathLike[str]], roots: RootStore) -> None:
    """Notes the URLs among the folders that were named now; without any, those of the catalog must have been.

    Raises:
        InputError: one was never named on this machine; nothing was asked there.
    """
    for folder in folders:
        if isinstance(folder, str) and is_folder_url(folder) and not folder.lower().startswith("file:"):
            add_to_list(LIST_NAME, _origin(check_folder_url(folder)))
    if folders:
        return
    named = set(read_list(LIST_NAME))
    for scope in roots.list_all():
        if is_folder_url(scope.root) and _origin(scope.root) not in named:
            raise InputError(
                f"the catalog's folder {_origin(scope.root)} was never named on this machine, and nothing was asked "
                "there. If it is yours, name it once: clipsearch index URL --runner ray"
            )


def _origin(url: str) -> str:
    """The server or bucket."""
    parts = urlsplit(url)
    return f"{parts.scheme.lower()}://{parts.netloc.rpartition('@')[2]}"
