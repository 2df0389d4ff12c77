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


def collect_garbage(
    store: Store, directory: Path, *, older_than_days: float = 0, dry_run: bool = False, wait: bool = False
) -> GarbageReport:
    """Delete removed files, pictures without a file, and index files that nothing uses.

    Catalogs that are open meanwhile still give correct answers.

    Args:
        older_than_days: files that were removed later than this number of days ago are kept.
        dry_run: only report what would be deleted.
        wait: wait until no other process changes the catalog.

    Raises:
        InputError: `older_than_days` is negative or not a number.
        CatalogBusyError: another process changes the catalog and `wait` is false.
    """
    if not 0 <= older_than_days <= 1_000_000:
        raise InputError(f"invalid number of days: {older_than_days}; use 0 or more")
    cutoff = utc_now() - timedelta(days=min(older_than_days, _MAX_DAYS)) if older_than_days else None
    if not dry_run:
        with store.writing(wait=wait):
            return _collect(store, directory, cutoff)
    found = store.garbage.delete(removed_before=cutoff, dry_run=True)
    leftovers = find_leftovers(directory, store.reader)
    freed = found.freed_bytes + size_of((*leftovers, *find_partial_copies(directory)))
    return replace(found, index_files=len(leftovers), freed_bytes=freed)


def _collect(store: Store, directory: Path, cutoff: datetime | None) -> GarbageReport:
    before = _size(store, directory)
    named, leftovers = named_files(directory, store.reader), find_leftovers(directory, store.reader)
    found = store.garbage.delete(removed_before=cutoff)
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
