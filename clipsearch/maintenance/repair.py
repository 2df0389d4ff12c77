"""Repair what the checks of a catalog have found; every change of the database keeps a copy of the previous one."""

from dataclasses import dataclass, field
from pathlib import Path

from clipsearch import paths
from clipsearch.errors import VectorIndexError
from clipsearch.files import remove_file
from clipsearch.maintenance.checks import Examination
from clipsearch.maintenance.orphans import remove_leftovers
from clipsearch.maintenance.permissions import restrict_paths
from clipsearch.notices import notify
from clipsearch.paths import CatalogPlace
from clipsearch.session.columns import rebuild_columns
from clipsearch.session.index_files import generation_of, write_snapshot
from clipsearch.session.map_file import check_map, map_path
from clipsearch.session.server_index import rebuild_index, refresh_or_notice
from clipsearch.session.written import written_path
from clipsearch.store import KINDS, Kind, Store
from clipsearch.store.backends.connection import DATABASE_NAME
from clipsearch.store.migrate import upgrade
from clipsearch.store.recovery.database_files import dated_name, keep_copy, prepare, replace_database, scratch_file
from clipsearch.store.recovery.integrity import FileInspection, Inspection
from clipsearch.store.recovery.row_repair import repair_rows
from clipsearch.store.recovery.salvage import rebuild_indexes, salvage

_ALL_CONTENT = {"pages", "database indexes", "foreign"}
_ROWS = {"rows", "embeddings"}
REPAIRABLE = _ALL_CONTENT | _ROWS | {"schema", "snapshots", "collection", "leftovers", "permissions"}
"""Checks whose findings can be repaired."""


@dataclass(slots=True)
class Repair:
    """Copies that were kept, and the number of rows saved from a damaged database, by table."""

    copies: list[Path] = field(default_factory=list)
    saved_rows: dict[str, int] = field(default_factory=dict)


def repair(place: CatalogPlace, found: Examination, done: Repair) -> None:
    """Run one round of repairs, under the writer lock; it may reveal more damage.

    Raises:
        StoreError: something can't be repaired; the database is unchanged.
    """
    checks = {finding.check for finding in found.findings if finding.severity != "info"}
    if place.server is None:
        _repair_file_and_rows(place.directory / DATABASE_NAME, checks, found, done)
    elif checks & _ROWS:
        _delete_broken(place, found)
    if checks & (_ALL_CONTENT | _ROWS | {"snapshots"}):
        _rewrite_snapshots(place)
    if "collection" in checks:
        _rebuild_collection(place)
    remove_leftovers(found.leftovers)
    restrict_paths(found.exposed_paths)


def _repair_file_and_rows(database: Path, checks: set[str], found: Examination, done: Repair) -> None:
    if checks & _ALL_CONTENT:
        _repair_file(database, done, is_foreign="foreign" in checks)
    elif "schema" in checks:
        copy = upgrade(database)
        done.copies += [copy] if copy is not None else []
    elif checks & _ROWS and not done.copies:  # otherwise the previous round has kept one
        done.copies.append(keep_copy(database, "before-repair"))
    if checks & (_ALL_CONTENT | _ROWS):
        with FileInspection(database) as inspection:
            broken = _all_broken(inspection, found)
        repair_rows(database, broken)


def _delete_broken(place: CatalogPlace, found: Examination) -> None:
    """Delete broken rows on a server, which keeps its other rows consistent by itself."""
    with Store(place) as store:
        store.pictures.delete_invalid()
        for kind, broken in _all_broken(Inspection(store.connection), found).items():
            if broken:
                store.embeddings.delete(kind, broken)
        inspection = Inspection(store.connection)
        invalid = inspection.invalid_parts()
        if invalid or inspection.count_misplaced_parts() or inspection.count_incomplete_parts():
            store.embeddings.repair_parts(invalid)


def _repair_file(database: Path, done: Repair, *, is_foreign: bool) -> None:
    with scratch_file(database.parent) as fresh:
        is_whole = rebuild_indexes(database, fresh)
        if not is_whole:
            fresh.unlink()
            fresh.touch(mode=0o600)
            done.saved_rows = salvage(database, fresh)
        prepare(fresh, replaced=database)
        kept = dated_name(database, "before-repair" if is_whole or is_foreign else "damaged")
        replace_database(database, fresh, keep_as=kept)
        done.copies.append(kept)


def _all_broken(inspection: Inspection, found: Examination) -> dict[Kind, list[int]]:
    """Return the broken embeddings that were found, and those that a sample may have missed."""
    return {
        kind: sorted({*found.broken.get(kind, ()), *inspection.check_embeddings(kind, sample=None).broken})
        for kind in KINDS
    }


def _rewrite_snapshots(place: CatalogPlace) -> None:
    folder = paths.index_folder(place.directory)
    with Store(place) as store:
        for kind, model, snapshot in store.reader.list_snapshots():
            if snapshot.generation == generation_of(model, kind):
                write_snapshot(kind, store=store, model_id=model.model_id, folder=folder)
        rebuild_columns(store, folder)
        remove_file(written_path(folder, store.uuid))  # the next query of words rebuilds it
        for model in store.reader.list_models():
            path = map_path(folder, store.uuid, model.fingerprint)
            if check_map(path) is not None:
                remove_file(path)  # the page, or 'clipsearch map', makes it again
        refresh_or_notice(store, folder, *KINDS)


def _rebuild_collection(place: CatalogPlace) -> None:
    with Store(place) as store:
        try:
            rebuild_index(store, paths.index_folder(place.directory))
        except VectorIndexError as error:
            notify(str(error))
