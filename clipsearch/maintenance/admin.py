"""Administer a catalog: status, backups, garbage collection, and the place of its vector index."""

import os
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from clipsearch import paths
from clipsearch.errors import InputError
from clipsearch.maintenance.reports import BackupReport
from clipsearch.session.session import Session
from clipsearch.types import CatalogStatus, CurrentRun, ForgetReport, GarbageReport, IndexReport, TextReport

if TYPE_CHECKING:
    from clipsearch.images.decode import DecodingLimits
    from clipsearch.indexing import Progress
    from clipsearch.session.server_index import IndexPlace


class CatalogAdmin:
    """Administration of a catalog, as `Catalog.admin`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._session.describe()}>"

    def status(self) -> CatalogStatus:
        """Count what is stored and measure its size; loads no model."""
        from clipsearch.maintenance.status import read_status

        return replace(read_status(self._session.store), precision=self._session.model.find_precision())

    def folders(self) -> tuple[str, ...]:
        """List the indexed folders: absolute paths and URLs."""
        return tuple(self._session.store.reader.folders())

    def current_run(self) -> CurrentRun | None:
        """Return the index run in progress, of this process or another; None when there is none."""
        from clipsearch.maintenance.status import find_current_run

        return find_current_run(self._session.store)

    def check_place(self) -> None:
        """Check that the catalog's file is still the one that was opened: writes to a deleted one are lost.

        Raises:
            CatalogReplacedError: it has been deleted or replaced.
        """
        self._session.store.check_place()

    def warm_up(self) -> None:
        """Load the model and the index, so that the first search does not wait for them.

        Raises:
            ModelUnavailableError: the model's files are not on this machine.
        """
        session = self._session
        if session.store.reader.find_current_model() is not None:
            session.background(session.vector_index("images"))
        session.model.encoder.encode_texts(["a picture"])

    def read_texts(
        self,
        *,
        models: str | os.PathLike[str] | None = None,
        limits: "DecodingLimits | None" = None,
        again: bool = False,
        wait: bool = False,
        on_progress: "Progress | None" = None,
        cancel: threading.Event | None = None,
    ) -> TextReport:
        """Look for text in the pictures in which that was not done yet, with the models of the extra "ocr".

        Args:
            models: folder with ONNX models of other languages, or "bundled"; None: as before.
            again: also where it was done; what can't be read now keeps what was read then.
            limits, wait, on_progress, cancel: as in `Catalog.index`.

        Raises:
            InputError: no such models.
            MissingExtraError: the extra "ocr" is not installed; ModelError: its models can't be loaded.
        """
        from clipsearch.indexing.texts import read_texts

        store = self._session.store
        store.require_open()
        with store.writing(wait=wait, alone=False):
            report = read_texts(
                self._session, models=models, limits=limits, again=again, on_progress=on_progress, cancel=cancel
            )
        self._session.refresh("images")
        return report

    def watch(
        self,
        *folders: str | os.PathLike[str],
        stop: threading.Event,
        ocr: bool | None = None,
        limits: "DecodingLimits | None" = None,
        rescan_s: float | None = None,
        on_progress: "Progress | None" = None,
    ) -> Iterator[IndexReport]:
        """Index folders, then what changes in them, until `stop` is set or Ctrl-C; yield the report of each run.

        While another process or thread indexes, it waits.

        Args:
            folders: default: those indexed before, by others meanwhile, too.
            ocr, limits, on_progress: as in `Catalog.index`.
            rescan_s: seconds between two scans of folders in which the system tells no changes; None: 30.

        Raises:
            InputError: none of the folders is there, or none was ever indexed.
        """
        from clipsearch.images.decode import default_limits
        from clipsearch.indexing.options import IndexOptions
        from clipsearch.indexing.pipeline import LocalRunner
        from clipsearch.indexing.run import run_index
        from clipsearch.indexing.watch import RESCAN_S, watch_folders

        session = self._session
        session.store.require_open()
        named = paths.absolute_folders(folders)

        def list_folders() -> list[str]:
            roots = [] if named else session.store.roots.list_all()
            return named or [scope.root for scope in roots if not paths.is_folder_url(scope.root)]

        if not list_folders():
            raise InputError("no folder was indexed before: name one, as in 'clipsearch watch FOLDER'")
        options = IndexOptions(wait=True, ocr=ocr, limits=limits or default_limits())
        runner = LocalRunner(keeps_workers=True)

        def index(changed: Sequence[str], unfinished: Collection[str]) -> IndexReport:
            # Folders inside are not named by the user: one that is hidden or was forgotten stays so.
            is_named = set(changed) <= set(named)
            used = replace(options, is_named=is_named, unfinished=unfinished)
            report = run_index(changed, used, session, on_progress, stop, runner=runner)
            runner.rest()
            return report

        rescan_s = RESCAN_S if rescan_s is None else rescan_s
        with closing(runner):
            yield from watch_folders(list_folders, index, stop=stop, ignored=str(session.directory), rescan_s=rescan_s)

    def backup(self, file: str | os.PathLike[str], *, force: bool = False) -> BackupReport:
        """Copy the database to a file, while others may read and write it.

        Args:
            force: replace an existing file.

        Raises:
            InputError: `file` can't be written, exists already, or is the catalog's own.
            StoreError: the catalog is damaged, or the copy can't be written; nothing is left behind.
        """
        from clipsearch.maintenance.backups import back_up

        store = self._session.store
        store.require_open()
        return back_up(store.place.require_folder(), file, force=force)

    def collect_garbage(
        self, *, older_than_days: float = 0, dry_run: bool = False, wait: bool = False
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
        from clipsearch.maintenance.garbage import cutoff_of, delete_garbage, estimate_garbage

        store, directory, removed_before = self._session.store, self._session.directory, cutoff_of(older_than_days)
        if dry_run:
            return estimate_garbage(store, directory, removed_before=removed_before)
        with store.writing(wait=wait):
            return delete_garbage(store, directory, removed_before=removed_before)

    def forget(self, folder: str | os.PathLike[str], *, dry_run: bool = False, wait: bool = False) -> ForgetReport:
        """Remove a folder, or a subfolder of an indexed one, from the catalog; its files are untouched.

        Until garbage is collected, `Catalog.index` adds it again without embedding anything.

        Args:
            folder: need not exist any more.
            dry_run: only report what would be forgotten.
            wait: wait until no other process changes the catalog.

        Raises:
            InputError: the catalog has nothing below it.
            CatalogBusyError: another process changes the catalog and `wait` is false.
        """
        from clipsearch.indexing.forget import forget_folder

        store = self._session.store
        if dry_run:
            return forget_folder(folder, store=store, dry_run=True)
        with store.writing(wait=wait):
            return forget_folder(folder, store=store)

    def use_index(self, where: str) -> None:
        """Choose where the vector index is stored, on a server or in files; the choice is stored in the catalog.

        Stored embeddings are sent with the next query or index run.

        Args:
            where: "files", or milvus://HOST[:PORT]/[DATABASE/][COLLECTION][?type=FLAT|HNSW|IVF_FLAT|DISKANN].

        Raises:
            InputError: `where` is neither.
            MissingExtraError: pymilvus is not installed.
            VectorIndexError: the server can't be reached, or the collection belongs to another catalog or model.
        """
        from clipsearch.session.server_index import choose_index

        choose_index(self._session.store, where)
        self._session.forget_indexes()

    def index_place(self) -> "IndexPlace":
        """Return where the vector index is and whether it is up to date; queries its server, loads no model."""
        from clipsearch.session.server_index import find_index_place

        return find_index_place(self._session.store)

    def reindex(self, *, wait: bool = False) -> "IndexPlace":
        """Rebuild the vector index of the model in use from the embeddings, in files or on the server.

        Raises:
            CatalogNotFoundError: nothing has been indexed.
            CatalogBusyError: another process changes the catalog and `wait` is false.
            VectorIndexError: the server can't be reached, or the files can't be written.
            StoreError: the catalog can't be written.
        """
        from clipsearch.session.server_index import rebuild_index

        session = self._session
        session.require_pictures()
        with session.store.writing(wait=wait):
            session.forget_indexes()
            folder = paths.index_folder(session.directory)
            rebuild_index(session.store, folder, texts=session.texts_to_tune_on)
        return self.index_place()
