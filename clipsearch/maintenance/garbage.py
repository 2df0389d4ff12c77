"""Collect garbage: delete removed files and unused index files for good."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from clipsearch import paths
from clipsearch.errors import InputError, StoreError
from clipsearch.indexes.names import list_own_files
from clipsearch.maintenance.orphans import find_leftovers, find_partial_copies, named_files, remove_leftovers, size_of
from clipsearch.notices import notify
from clipsearch.session.server_index import refresh_or_notice
from clipsearch.store import Store, utc_now
from clipsearch.types import GarbageReport

# There was no catalog before, and not much further back there are no dates.
_MAX_DAYS = 500_000


def cutoff_of(older_than_days: float) -> datetime | None:
    """Return the UTC time `older_than_days` ago; None for 0, which stands for all times.

    Raises:
        InputError: it is negative or not a number.
    """
    if not 0 <= older_than_days <= 1_000_000:
        raise InputError(f"invalid number of days: {older_than_days}; use 0 or more")
    return utc_now() - timedelta(days=min(older_than_days, _MAX_DAYS)) if older_than_days else None


def estimate_garbage(store: Store, directory: Path, *, removed_before: datetime | None) -> GarbageReport:
    """Count what `delete_garbage` would delete."""
    found = store.garbage.delete(removed_before=removed_before, dry_run=True)
    leftovers = find_leftovers(directory, store.reader)
    freed = found.freed_bytes + size_of((*leftovers, *find_partial_copies(directory)))
    return replace(found, index_files=len(leftovers), freed_bytes=freed)


def delete_garbage(store: Store, directory: Path, *, removed_before: datetime | None) -> GarbageReport:
    """Delete rows of files removed before a time, and index files that nothing uses; the caller holds the lock."""
    before = _size(store, directory)
    named, leftovers = named_files(directory, store.reader), find_leftovers(directory, store.reader)
    found = store.garbage.delete(removed_before=removed_before)
    refresh_or_notice(store, paths.index_folder(directory), "images")
    still_named = named_files(directory, store.reader)
    index_files = remove_leftovers({*named, *leftovers} - still_named)
    remove_leftovers(find_partial_copies(directory))
    try:
        store.garbage.shrink()
    except StoreError as error:
        notify(f"{error}; new rows will use the free space inside it")
    return replace(found, index_files=index_files, freed_bytes=max(0, before - _size(store, directory)))


def _size(store: Store, directory: Path) -> int:
    return store.size_bytes + size_of((*list_own_files(paths.index_folder(directory)), *find_partial_copies(directory)))
