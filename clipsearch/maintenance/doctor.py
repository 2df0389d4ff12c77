"""Check and repair a catalog."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Literal

from clipsearch import paths
from clipsearch.errors import CatalogNotFoundError, InputError, StoreError
from clipsearch.maintenance.check_pictures import ComparedPictures, Progress, compare_pictures
from clipsearch.maintenance.checks import Examination, examine
from clipsearch.maintenance.repair import REPAIRABLE, Repair, repair
from clipsearch.maintenance.reports import CheckReport, Finding
from clipsearch.paths import CatalogPlace
from clipsearch.store import Store
from clipsearch.store.backends.connection import DATABASE_NAME, require_own_database
from clipsearch.store.backends.lock import writer_lock
from clipsearch.store.recovery.integrity import FileInspection, Inspection

# A repair may reveal more damage: a salvaged database has rows to repair, a repaired one index files to rebuild.
_MAX_ROUNDS = 4


def check_catalog(
    directory: str | os.PathLike[str] | None = None,
    *,
    full: bool = False,
    fix: bool = False,
    pictures: int | Literal["all"] | None = None,
    wait: bool = False,
    on_progress: Progress | None = None,
) -> CheckReport:
    """Check a catalog for everything that may be wrong, even one that can't be opened.

    Args:
        directory: the catalog's folder; None: CLIPSEARCH_CATALOG, else the platform's data folder.
        full: check every embedding and every row of the index, not a sample.
        fix: repair what can be repaired. When the database is changed, a copy of the previous one is kept.
        pictures: number of picture files, chosen at random, to compare with the hashes of what was indexed. Ctrl-C ends
            that early.
        wait: wait until no other process changes the catalog; only `fix` needs that.
        on_progress: called with (files compared, files to compare).

    Raises:
        InputError: `pictures` is less than 1.
        CatalogNotFoundError: there is no catalog.
        CatalogBusyError: another process changes the catalog and `wait` is false.
        StoreError: the file can't be read, or is a link.
    """
    if isinstance(pictures, int) and pictures < 1:
        raise InputError(f"invalid number of pictures to compare: {pictures}; use 1 or more")
    place = paths.catalog_place(directory)
    if place.server is None:
        require_own_database(place.directory / DATABASE_NAME)
    if place.server is None and not (place.directory / DATABASE_NAME).exists():
        raise CatalogNotFoundError(f"no catalog in {place}")
    found = examine(place, full=full)
    done, first = Repair(), found.findings
    if fix and _is_repairable(found):
        with _locked(place, wait=wait):
            found, first = _repair_in_rounds(place, examine(place, full=full), done, full=full)
    left = {_key(finding) for finding in found.findings}
    fixed = [replace(finding, is_fixed=True) for finding in first if _key(finding) not in left]
    compared = ComparedPictures()
    if pictures is not None and found.is_readable:
        with _inspected(place) as inspection:
            sample = None if pictures == "all" else pictures
            compared = compare_pictures(inspection, sample=sample, on_progress=on_progress)
    elif pictures is not None:
        found.add("info", "pictures", "no picture was compared: the database comes first", "repair or restore it")
    return CheckReport(
        directory=str(place),
        findings=(
            *(finding for finding in fixed if finding.severity != "info"),
            *found.findings,
            *compared.findings,
        ),
        is_full=full,
        stored_embeddings=found.stored_embeddings,
        checked_embeddings=found.checked_embeddings,
        index_rows=found.index_rows,
        compared_rows=found.compared_rows,
        copies=tuple(map(str, done.copies)),
        saved_rows=done.saved_rows,
        picture_files=compared.files,
        compared_files=compared.compared,
        is_interrupted=compared.is_interrupted,
    )


@contextmanager
def _inspected(place: CatalogPlace) -> Iterator[Inspection]:
    if place.server is None:
        with FileInspection(place.directory / DATABASE_NAME) as inspection:
            yield inspection
    else:
        with Store(place) as store:
            yield Inspection(store.connection)


def _locked(place: CatalogPlace, *, wait: bool) -> AbstractContextManager[None]:
    # Not through a store: a damaged file can't be opened as one.
    if place.server is None:
        return writer_lock(place.directory, wait=wait)
    from clipsearch.store.backends.postgres import server_lock

    return server_lock(place, alone=True, wait=wait)


def _repair_in_rounds(
    place: CatalogPlace, found: Examination, done: Repair, *, full: bool
) -> tuple[Examination, list[Finding]]:
    """Repair in rounds; return the state afterwards, and all findings on the way."""
    seen = list(found.findings)
    for _ in range(_MAX_ROUNDS):
        if not _is_repairable(found):
            break
        before = {_key(finding) for finding in found.findings}
        try:
            repair(place, found, done)
        except StoreError as error:
            found = examine(place, full=full)
            found.add("error", "repair", str(error), "the database is unchanged")
            break
        found = examine(place, full=full)
        seen += [finding for finding in found.findings if finding not in seen]
        if {_key(finding) for finding in found.findings} == before:
            break
    return found, seen


def _is_repairable(found: Examination) -> bool:
    return any(finding.severity != "info" and finding.check in REPAIRABLE for finding in found.findings)


def _key(finding: Finding) -> tuple[str, str]:
    return finding.check, finding.message
