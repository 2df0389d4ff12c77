"""The folders somebody named, as what is to be looked through."""

import os
from collections.abc import Callable, Sequence

from clipsearch import settings
from clipsearch.errors import InputError
from clipsearch.store import Scope
from clipsearch.store.roots import RootStore, is_shown_below


def plan_scopes(
    folders: Sequence[str | os.PathLike[str]], *, roots: RootStore, prune: bool
) -> Callable[[], list[Scope]]:
    """Checks the folders; what comes back registers them, so that nothing is written when one is wrong. It is to be
    called while no other process writes: what is known of the folders may have changed by then.

    Raises:
        InputError: a folder is missing or is a file, or none was ever indexed.
    """
    if not folders:
        if not roots.list_all():
            raise InputError("no folder was indexed before: say which, as in 'clipsearch index FOLDER'")
        return roots.list_all
    gone: list[str] = []
    places: list[str] = []
    for folder in folders:
        place = os.path.realpath(settings.folder_path(folder))
        if prune and not os.path.lexists(place) and roots.find_scope(place) is not None:
            gone.append(place)
        else:
            _check_folder(folder)
            places.append(place)
    # A folder inside another one that was named is looked through with that one, unless it is hidden there.
    outer = [place for place in dict.fromkeys(places) if not any(is_shown_below(place, other) for other in places)]
    return lambda: [*map(roots.add, outer), *filter(None, map(roots.find_scope, gone))]


def _check_folder(folder: str | os.PathLike[str]) -> None:
    """
    Raises:
        InputError: the folder is missing, is no folder, or may not be looked at.
    """
    path = settings.folder_path(folder)
    try:
        with os.scandir(path):
            pass
    except FileNotFoundError as error:
        raise InputError(f"no folder {path}") from error
    except NotADirectoryError as error:
        raise InputError(f"{path} is a file: say the folder that holds it") from error
    except (OSError, ValueError) as error:
        raise InputError(f"can't look into {path}: {getattr(error, 'strerror', None) or error}") from error
