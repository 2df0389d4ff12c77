"""Back up a catalog's database, and restore it."""

import os
import shutil
import stat
from collections.abc import Sequence
from contextlib import suppress
from itertools import filterfalse
from pathlib import Path

from clipsearch import paths
from clipsearch.errors import (
    CatalogNotFoundError,
    ForeignSchemaError,
    InputError,
    SchemaOutdatedError,
    StoreError,
)
from clipsearch.files import is_link, is_replaced
from clipsearch.indexes.milvus.address import parse_index_url, shown_url
from clipsearch.indexes.milvus.trusted_servers import is_named
from clipsearch.indexes.names import list_own_files
from clipsearch.maintenance.orphans import named_files, remove_leftovers
from clipsearch.maintenance.reports import BackupReport, RestoreReport
from clipsearch.notices import notify
from clipsearch.paths import absolute_folders, is_folder_url
from clipsearch.session.server_index import refresh_or_notice
from clipsearch.store import KINDS, Store
from clipsearch.store.backends.connection import DATABASE_NAME, SQLITE_ERRORS, require_own_database
from clipsearch.store.backends.lock import LOCK_NAME, writer_lock
from clipsearch.store.migrate import current_revision
from clipsearch.store.recovery.database_files import (
    check_database,
    copy_database,
    count_rows,
    dated_name,
    find_index_url,
    flush_folder,
    forget_index_url,
    is_damage,
    prepare,
    reason_of,
    replace_database,
    scratch_file,
)
from clipsearch.store.recovery.discard import missing_folders, remove_folders
from clipsearch.store.recovery.integrity import check_values
from clipsearch.store.roots import is_inside
from clipsearch.store.trusted_folders import find_unnamed, remember_folders
from clipsearch.store.unnamed_folders import list_folders, mark_removed


def back_up(directory: Path, file: str | os.PathLike[str], *, force: bool = False) -> BackupReport:
    """Copy the database of the catalog in `directory` to `file`, while others may read and write it.

    The copy is one SQLite file, without the index files, which are rebuilt from it. The write is atomic: to a scratch
    file, which is checked, flushed to disk and renamed.
    """
    database, target = directory / DATABASE_NAME, _absolute(file)
    require_own_database(database)
    if not database.exists():
        raise CatalogNotFoundError(f"no catalog in {directory}")
    _check_target(target, database, force=force)
    with scratch_file(target.parent) as scratch:
        try:
            copy_database(database, scratch)
            current_revision(scratch)
            check_database(scratch)
            pictures, captions = count_rows(scratch)
            size_bytes = scratch.stat().st_size
            scratch.replace(target)
        except ForeignSchemaError:
            current_revision(database)  # the same error with the catalog's name
            raise
        except (*SQLITE_ERRORS, OSError, StoreError) as error:
            if isinstance(error, StoreError) or is_damage(error):
                raise StoreError(
                    f"the catalog {directory} is damaged, nothing was backed up: 'clipsearch doctor' says more"
                ) from error
            raise StoreError(f"can't write the backup {target}: {reason_of(error)}") from error
    flush_folder(target.parent)
    return BackupReport(path=str(target), size_bytes=size_bytes, pictures=pictures, captions=captions)


def restore_catalog(
    file: str | os.PathLike[str],
    directory: str | os.PathLike[str] | None = None,
    *,
    roots: Sequence[str | os.PathLike[str]] = (),
    wait: bool = False,
) -> RestoreReport:
    """Replace a catalog's content by a backup, or create a catalog from it.

    The backup is checked first and stays unchanged; the previous content is kept next to the catalog. Processes that
    have the catalog open continue with the restored content. Of the backup's indexed folders those count that the user
    has named on this machine, that are folders of the catalog it replaces, or that lie inside one of these; the others
    are marked as removed with their pictures, as by `forget`, and listed in the report.

    Args:
        file: what `back_up` wrote, or a copy of a catalog's database.
        directory: the catalog's folder; None: CLIPSEARCH_CATALOG, else the platform's data folder.
        roots: folders that are named now, and need not exist.
        wait: wait until no other process changes the catalog.

    Raises:
        InputError: the file does not exist, or is the catalog's own.
        CatalogBusyError: another process changes the catalog and `wait` is false.
        SchemaOutdatedError: the backup was written by a newer clipsearch.
        ForeignSchemaError: it holds what is not part of a catalog, such as triggers.
        StoreError: it is not a catalog or damaged, or the disk is full; the catalog is unchanged.
    """
    source, place = _absolute(file), paths.catalog_directory(directory)
    database = place / DATABASE_NAME
    named = absolute_folders(roots)
    _check_source(source, database)
    require_own_database(database)
    _check_free_space(source, place)
    made = missing_folders(place)
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreError(f"can't make a catalog in {place}: {error.strerror}") from error
    try:
        with writer_lock(place, wait=wait):
            report = _restore(source, database, named)
            remember_folders(named)
            with Store(place) as store:
                _refresh_index_files(store, place)
    except BaseException:
        if not database.exists():
            (place / LOCK_NAME).unlink(missing_ok=True)
            remove_folders(made)
        raise
    return report


def _restore(source: Path, database: Path, named: Sequence[str]) -> RestoreReport:
    kept: Path | None = None
    with scratch_file(database.parent) as scratch:
        try:
            copy_database(source, scratch)
        except (*SQLITE_ERRORS, OSError) as error:
            raise StoreError(f"can't copy {source} to {database.parent}: {reason_of(error)}") from error
        try:
            # Before any other query: a foreign schema may run code.
            current_revision(scratch)
            check_database(scratch)
            check_values(scratch)
        except ForeignSchemaError as error:
            raise ForeignSchemaError(_foreign_message(source, error)) from error
        except StoreError as error:
            raise StoreError(f"{source} is damaged and was not restored; the catalog is unchanged") from error
        try:
            was_upgraded = prepare(scratch, replaced=database)
        except SchemaOutdatedError as error:
            raise SchemaOutdatedError(
                f"the backup {source} was written by a newer clipsearch: upgrade with 'pip install -U clipsearch'"
            ) from error
        _check_index_url(scratch, database)
        restored = list_folders(scratch)
        _notify_useless(named, restored)
        unnamed = find_unnamed(restored, [*named, *list_folders(database)])
        mark_removed(scratch, unnamed)
        pictures, captions = count_rows(scratch)
        if database.exists():
            kept = dated_name(database, "before-restore")
            replace_database(database, scratch, keep_as=kept)
        else:
            scratch.replace(database)
            flush_folder(database.parent)
    return RestoreReport(
        directory=str(database.parent),
        pictures=pictures,
        captions=captions,
        kept=None if kept is None else str(kept),
        was_upgraded=was_upgraded,
        unnamed=tuple(unnamed),
    )


def _notify_useless(named: Sequence[str], restored: Sequence[str]) -> None:
    """Give a notice of folders that the caller named and that no folder of the backup lies in."""
    for folder in filterfalse(is_folder_url, named):  # a URL names its whole server
        if not any(each == folder or is_inside(os.path.realpath(each), folder) for each in restored):
            has = f"it has {', '.join(restored[:3])}{' …' if len(restored) > 3 else ''}" if restored else "it has none"
            notify(f"the backup has no folder at or below {folder}: {has}")


def _refresh_index_files(store: Store, directory: Path) -> None:
    folder = paths.index_folder(directory)
    refresh_or_notice(store, folder, *KINDS)
    files = {file for file in list_own_files(folder) if file.suffix != ".new"}
    remove_leftovers(files - named_files(directory, store.reader))


def _check_free_space(source: Path, place: Path) -> None:
    """Check that the file fits; a file may claim to be much larger than what it takes on its disk."""
    folder = next(parent for parent in (place, *place.parents) if parent.exists())
    if source.stat().st_size > shutil.disk_usage(folder).free:
        raise StoreError(f"not enough space in {folder} for {source}; the catalog is unchanged")


def _check_target(target: Path, database: Path, *, force: bool) -> None:
    if not target.parent.is_dir():
        raise InputError(f"no folder {target.parent} to write the backup to")
    own = [database.with_name(database.name + ending) for ending in ("", "-wal", "-shm")]
    if any(_is_same(target, part) for part in own):
        raise InputError(f"{target} is the catalog itself: name another file for the backup")
    if is_link(target):
        raise InputError(f"{target} is a link, not a file: name another one for the backup")
    if is_replaced(target) and not force:
        raise InputError(f"{target} is there already: name another file, or replace it with --force")


def _check_source(source: Path, database: Path) -> None:
    try:
        is_file = stat.S_ISREG(source.stat().st_mode)
    except OSError as error:
        raise InputError(f"can't read the backup {source}: {error.strerror}") from error
    if not is_file:
        raise InputError(f"{source} is not a file: name one that 'clipsearch backup' wrote")
    if _is_same(source, database):
        raise InputError(f"{source} is the catalog itself")
    try:
        revision = current_revision(source)
    except ForeignSchemaError as error:
        raise ForeignSchemaError(_foreign_message(source, error)) from error
    except StoreError as error:
        raise StoreError(f"{source} is not a backup of a catalog") from error
    if revision is None:
        raise StoreError(f"{source} is not a backup of a catalog")


def _check_index_url(restored: Path, database: Path) -> None:
    """Reset an untrusted index server to files.

    A backup must not send data anywhere: its server is kept only if it was named here, or is that of the catalog it
    replaces.
    """
    url = find_index_url(restored)
    if url is None or url == find_index_url(database):
        return
    with suppress(InputError):
        if is_named(parse_index_url(url, catalog="")):
            return
    forget_index_url(restored)
    notify(
        f"the backup's index was at {shown_url(url)}, a server that was never named on this machine: nothing was sent "
        "there, and the index is in files now; 'clipsearch index --index URL' puts it on a server",
    )


def _foreign_message(source: Path, error: ForeignSchemaError) -> str:
    return f"{source} holds {error.__cause__}, and was not restored; the catalog is unchanged"


def _is_same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve() or (one.exists() and other.exists() and one.samefile(other))


def _absolute(file: str | os.PathLike[str]) -> Path:
    if not os.fspath(file):
        raise InputError("the name of the backup is empty")
    return paths.expand_user(file).absolute()
