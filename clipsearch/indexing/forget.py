"""Remove folders from a catalog. Their files are only marked: `index` restores them, until garbage is collected."""

import os

from clipsearch.errors import InputError
from clipsearch.images.patterns import folder_pattern, plain_path
from clipsearch.images.remote.files import check_folder_url
from clipsearch.indexing.scopes import local_path
from clipsearch.paths import folder_path, is_folder_url
from clipsearch.store import Scope, Store
from clipsearch.store.roots import is_inside
from clipsearch.types import ForgetReport


def forget_folder(folder: str | os.PathLike[str], *, store: Store, dry_run: bool = False) -> ForgetReport:
    """Mark the files below a folder as deleted, and exclude it until it is passed to `index`.

    An indexed folder is no longer scanned, a subfolder of one is excluded from it. The caller holds the writer lock.

    Args:
        folder: may be missing, and may contain several indexed folders.
        dry_run: change nothing, only report what would be removed.

    Raises:
        InputError: nothing below it is in the catalog.
    """
    for place in _candidate_paths(folder):
        roots, part = _scopes_below(place, store=store)
        scopes = roots if part is None else [*roots, part]
        files, pictures = store.pictures.forget(scopes, dry_run=True)
        if roots or files:
            break
    else:
        known = ", ".join(scope.root for scope in store.roots.list_all()) or "none"
        raise InputError(f"nothing below {place} is in the catalog; indexed folders: {known}")
    if not dry_run:
        files, pictures = store.pictures.forget(scopes)
        for root in roots:
            store.roots.remove(root.root_id)
        if part is not None and part.subfolder:
            pattern = folder_pattern(plain_path(part.root, part.subfolder))
            store.roots.set_exclude(part.root_id, [*(each for each in part.exclude if each != pattern), pattern])
    return ForgetReport(place, tuple(root.root for root in roots), files, pictures, is_dry_run=dry_run)


def _scopes_below(place: str, *, store: Store) -> tuple[list[Scope], Scope | None]:
    """Return the indexed folders at or below a path, and the part of one that contains it."""
    roots = [scope for scope in store.roots.list_all() if scope.root == place or is_inside(scope.root, place)]
    part = store.roots.find_scope(place)
    return roots, part if part is not None and part.subfolder else None


def _candidate_paths(folder: str | os.PathLike[str]) -> list[str]:
    """Return the paths that the folder may be indexed by: the targets of links may have changed since."""
    folder = local_path(folder)
    if isinstance(folder, str) and is_folder_url(folder):
        return [check_folder_url(folder)]
    path = folder_path(folder)
    try:
        return list(dict.fromkeys((os.path.realpath(path), os.path.abspath(path))))  # noqa: PTH100
    except ValueError as error:  # a NUL in the name
        raise InputError(f"no folder {path}") from error
