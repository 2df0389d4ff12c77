"""The folders somebody named, as what is to be looked through."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from urllib.request import url2pathname

from clipsearch import paths
from clipsearch.errors import InputError
from clipsearch.images.exclude import Exclusion
from clipsearch.images.patterns import check_pattern, is_pattern_below, pattern_below, plain_path
from clipsearch.images.remote.files import check_folder_url
from clipsearch.images.remote.walk import UrlWalk
from clipsearch.indexing.scan import full_path
from clipsearch.notices import notify
from clipsearch.paths import is_folder_url
from clipsearch.store import Scope
from clipsearch.store.roots import RootStore, is_shown_below


def plan_scopes(
    folders: Sequence[str | os.PathLike[str]], *, roots: RootStore, prune: bool, with_urls: bool = False
) -> Callable[[], list[Scope]]:
    """Checks the folders; what comes back registers them, so that nothing is written when one is wrong. It is to be
    called while no other process writes: what is known of the folders may have changed by then.

    `with_urls`: folders behind URLs can be read.

    Raises:
        InputError: a folder is missing or is a file, or none was ever indexed.
        MissingExtraError: the package that reads a URL is not installed.
    """
    if not folders:
        if not roots.list_all():
            raise InputError("no folder was indexed before: say which, as in 'clipsearch index FOLDER'")
        return lambda: _readable(roots.list_all(), with_urls=with_urls)
    gone: list[str] = []
    places: list[str] = []
    for folder in map(local_path, folders):
        if isinstance(folder, str) and is_folder_url(folder):
            place = check_folder_url(folder)
            if not with_urls:
                raise InputError(f"{place} is on no drive of this machine: clipsearch index {place} --runner ray")
            is_there = _is_url_there(place)
            if not is_there and not (prune and roots.find_scope(place) is not None):
                raise InputError(f"no folder {place}")
            (places if is_there else gone).append(place)
            continue
        place = os.path.realpath(paths.folder_path(folder))
        if prune and not os.path.lexists(place) and roots.find_scope(place) is not None:
            gone.append(place)
        else:
            _check_folder(folder)
            places.append(place)
    # A folder inside another one that was named is looked through with that one, unless it is hidden there.
    outer = [place for place in dict.fromkeys(places) if not any(is_shown_below(place, other) for other in places)]

    def register() -> list[Scope]:
        for place in places:
            roots.include(place)
        return [*map(roots.add, outer), *filter(None, map(roots.find_scope, gone))]

    return register


def exclude_from(scopes: Sequence[Scope], patterns: Sequence[str], *, roots: RootStore) -> list[Scope]:
    """Leaves more out of folders from now on; an empty pattern takes back what was left out before.

    Raises:
        InputError: a pattern can't be used; nothing is changed.
    """
    kept = {scope.root_id: list(scope.exclude) for scope in scopes}
    for scope in scopes:
        below = plain_path(scope.root, scope.subfolder)
        for pattern in patterns:
            known = kept[scope.root_id]
            if not pattern:
                kept[scope.root_id] = [each for each in known if not is_pattern_below(each, below)]
                continue
            fresh = pattern_below(check_pattern(pattern, full_path(scope, scope.subfolder)), below)
            # The last one that fits decides.
            kept[scope.root_id] = [*(each for each in known if each != fresh), fresh]
    for each in kept.values():
        Exclusion(each)
    for root_id, each in kept.items():
        roots.set_exclude(root_id, each)
    return [replace(scope, exclude=tuple(kept[scope.root_id])) for scope in scopes]


def _readable(scopes: list[Scope], *, with_urls: bool) -> list[Scope]:
    left_out = [scope.root for scope in scopes if is_folder_url(scope.root) and not with_urls]
    if left_out:
        how_to = "nothing new is looked for there without --runner ray"
        notify(f"{', '.join(left_out)}: {how_to}")
    return [scope for scope in scopes if scope.root not in left_out]


def local_path(folder: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """The path of a URL that begins with file:///."""
    if isinstance(folder, str) and folder.lower().startswith("file:///"):
        return url2pathname(folder[len("file://") :])
    return folder


def _is_url_there(url: str) -> bool:
    """
    Raises:
        InputError: it can't be listed.
        MissingExtraError: the package that reads it is not installed.
    """
    try:
        UrlWalk(url)
    except FileNotFoundError:
        return False
    return True


def _check_folder(folder: str | os.PathLike[str]) -> None:
    """
    Raises:
        InputError: the folder is missing, is no folder, or may not be looked at.
    """
    path = paths.folder_path(folder)
    try:
        with os.scandir(path):
            pass
    except FileNotFoundError as error:
        raise InputError(f"no folder {path}") from error
    except NotADirectoryError as error:
        raise InputError(f"{path} is a file: say the folder that holds it") from error
    except (OSError, ValueError) as error:
        raise InputError(f"can't look into {path}: {getattr(error, 'strerror', None) or error}") from error
