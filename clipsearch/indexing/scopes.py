"""Resolve the folders that the user named to scopes of a run."""

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
    """Validate the folders, and return a function that registers them, so that nothing is written if one is invalid.

    The function must be called while no other process writes: the registered folders may have changed by then.

    Args:
        with_urls: whether folders behind URLs can be read.

    Raises:
        InputError: a folder is missing or is a file, or none was ever indexed.
        MissingExtraError: the package that reads a URL is not installed.
    """
    if not folders:
        if not roots.list_all():
            raise InputError("no folder was indexed before: name one, as in 'clipsearch index FOLDER'")
        return lambda: _readable_scopes(roots.list_all(), with_urls=with_urls)
    missing: list[str] = []
    places: list[str] = []
    for folder in map(local_path, folders):
        if isinstance(folder, str) and is_folder_url(folder):
            place = check_folder_url(folder)
            if not with_urls:
                raise InputError(f"only Ray can read the URL {place}: clipsearch index {place} --runner ray")
            exists = _url_exists(place)
            if not exists and not (prune and roots.find_scope(place) is not None):
                raise InputError(f"no folder {place}")
            (places if exists else missing).append(place)
            continue
        place = os.path.realpath(paths.folder_path(folder))
        if prune and not os.path.lexists(place) and roots.find_scope(place) is not None:
            missing.append(place)
        else:
            _check_folder(folder)
            places.append(place)
    # A folder inside another named folder is scanned with that one, unless it is excluded there.
    outer = [place for place in dict.fromkeys(places) if not any(is_shown_below(place, other) for other in places)]

    def register() -> list[Scope]:
        for place in places:
            roots.include(place)
        return [*map(roots.add, outer), *filter(None, map(roots.find_scope, missing))]

    return register


def known_scopes(folders: Sequence[str], *, roots: RootStore) -> list[Scope]:
    """Return the scopes of folders that a scan of the indexed ones reaches; the user has not named them."""
    found = [(folder, scope) for folder in folders if (scope := roots.find_scope(folder)) is not None]
    return [scope for folder, scope in found if not scope.subfolder or is_shown_below(folder, scope.root)]


def exclude_from(scopes: Sequence[Scope], patterns: Sequence[str], *, roots: RootStore) -> list[Scope]:
    """Persist more exclude patterns for folders; an empty pattern clears all earlier ones.

    Raises:
        InputError: a pattern is invalid; nothing is changed.
    """
    patterns_by_root = {scope.root_id: list(scope.exclude) for scope in scopes}
    for scope in scopes:
        below = plain_path(scope.root, scope.subfolder)
        for pattern in patterns:
            known = patterns_by_root[scope.root_id]
            if not pattern:
                patterns_by_root[scope.root_id] = [each for each in known if not is_pattern_below(each, below)]
                continue
            added = pattern_below(check_pattern(pattern, full_path(scope, scope.subfolder)), below)
            # The last match decides.
            patterns_by_root[scope.root_id] = [*(each for each in known if each != added), added]
    for each in patterns_by_root.values():
        Exclusion(each)
    for root_id, each in patterns_by_root.items():
        roots.set_exclude(root_id, each)
    return [replace(scope, exclude=tuple(patterns_by_root[scope.root_id])) for scope in scopes]


def _readable_scopes(scopes: list[Scope], *, with_urls: bool) -> list[Scope]:
    unreadable = [scope.root for scope in scopes if is_folder_url(scope.root) and not with_urls]
    if unreadable:
        reason = "not scanned, since only --runner ray can read URLs"
        notify(f"{', '.join(unreadable)}: {reason}")
    return [scope for scope in scopes if scope.root not in unreadable]


def local_path(folder: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """Convert a URL that begins with file:/// to a path."""
    if isinstance(folder, str) and folder.lower().startswith("file:///"):
        return url2pathname(folder[len("file://") :])
    return folder


def _url_exists(url: str) -> bool:
    """Return whether the folder of a URL exists.

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
    """Check that a folder can be listed.

    Raises:
        InputError: the folder is missing, is not a folder, or can't be listed.
    """
    path = paths.folder_path(folder)
    try:
        with os.scandir(path):
            pass
    except FileNotFoundError as error:
        raise InputError(f"no folder {path}") from error
    except NotADirectoryError as error:
        raise InputError(f"{path} is a file, not a folder: name the folder that contains it") from error
    except (OSError, ValueError) as error:
        raise InputError(f"can't list the folder {path}: {getattr(error, 'strerror', None) or error}") from error
