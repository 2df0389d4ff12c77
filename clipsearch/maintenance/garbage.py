"""Deletes for good what is gone."""

import warnings
from datetime import datetime, timedelta
from pathlib import Path

from clipsearch import settings
from clipsearch.errors import ClipSearchNotice, InputError, StoreError
from clipsearch.index_files import refresh_snapshot
from clipsearch.maintenance.leftovers import find_half_copies, find_leftovers, named_files, remove_leftovers, size_of
from clipsearch.store import Garbage, Store, utc_now
from clipsearch.types import GarbageReport


def collect_garbage(
    store: Store, directory: Path, *, older_than_days: float = 0, dry_run: bool = False, wait: bool = False
) -> GarbageReport:
    """Deletes what is known of files that are gone, of pictures that no file has, and files that nothing uses.

    Catalogs that are open meanwhile go on giving right answers.

    Args:
        older_than_days: files that went later than so many days ago stay known.
        dry_run: delete nothing, only say what would be.
        wait: until no other process changes the catalog.

    Raises:
        InputError: `older_than_days` is negative or no number.
        CatalogBusyError: another process changes the catalog and `wait` is false.
    """
    if not 0 <= older_than_days <= 1_000_000:
        raise InputError(f"{older_than_days} is no number of days: use 0 or more")
    cutoff = utc_now() - timedelta(days=older_than_days) if older_than_days else None
    if dry_run:
        found = store.garbage.delete(removed_before=cutoff, dry_run=True)
        leftovers = find_leftovers(directory, store.reader)
        freed = found.free_bytes + size_of((*leftovers, *find_half_copies(directory)))
        index_files = len(leftovers)
    else:
        with store.writing(wait=wait):
            found, index_files, freed = _collect(store, directory, cutoff)
    return GarbageReport(
        files=found.files,
        pictures=found.pictures,
        embeddings=found.embeddings,
        folders=found.folders,
        index_files=index_files,
        freed_bytes=freed,
        is_dry_run=dry_run,
    )


def _collect(store: Store, directory: Path, cutoff: datetime | None) -> tuple[Garbage, int, int]:
    """What was deleted from SQL, how many index files, and the bytes the disk has more."""
    folder, before = settings.index_folder(directory), _size(store, directory)
    named, leftovers = named_files(directory, store.reader), find_leftovers(directory, store.reader)
    found = store.garbage.delete(removed_before=cutoff)
    current = store.reader.find_current_model()
    if current is not None:
        refresh_snapshot("images", store=store, model_id=current.model_id, folder=folder)
    still_named = named_files(directory, store.reader)
    index_files = remove_leftovers({*named, *leftovers} - still_named)
    remove_leftovers(find_half_copies(directory))
    try:
        store.garbage.shrink()
    except StoreError as error:
        warnings.warn(f"{error}; what comes next uses the room inside it", ClipSearchNotice, stacklevel=5)
    return found, index_files, max(0, before - _size(store, directory))


def _size(store: Store, directory: Path) -> int:
    return store.size_bytes + size_of((*settings.index_folder(directory).glob("*"), *find_half_copies(directory)))
