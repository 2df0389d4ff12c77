"""Where the index of a catalog is, and how it is made anew."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from clipsearch import paths
from clipsearch.session.session import CatalogParts

if TYPE_CHECKING:
    from clipsearch.session.server_index import IndexPlace
    from clipsearch.types import ForgetReport


class IndexingCatalog:
    """The part of `Catalog` that is about its index."""

    directory: Path
    _parts: CatalogParts

    def forget(self, folder: str | os.PathLike[str], *, dry_run: bool = False, wait: bool = False) -> "ForgetReport":
        """Takes a folder out of the catalog, or a subfolder of an indexed one, whose files are untouched. `index` with
        its name takes it back without embedding anything, until garbage is collected.

        Args:
            folder: need not be there any more.
            dry_run: change nothing, only say what would be forgotten.
            wait: until no other process changes the catalog.

        Raises:
            InputError: nothing below it is in the catalog.
            CatalogBusyError: another process changes the catalog and `wait` is false.
        """
        from clipsearch.indexing.forget import forget_folder

        return forget_folder(folder, store=self._parts.store, dry_run=dry_run, wait=wait)

    def use_index(self, where: str) -> None:
        """Puts the index on a server, or back into files; the catalog remembers it. What is indexed already is sent
        with the next query, or with the next run.

        Args:
            where: "files", or milvus://HOST[:PORT]/[DATABASE/][COLLECTION][?type=FLAT|HNSW|IVF_FLAT|DISKANN].

        Raises:
            InputError: neither.
            MissingExtraError: pymilvus is not installed.
            VectorIndexError: the server can't be reached, or the collection is of something else.
        """
        from clipsearch.session.server_index import choose_index

        choose_index(self._parts.store, where)
        self._parts.forget_indexes()

    def index_place(self) -> "IndexPlace":
        """Where the index is, and whether it is up to date; asks the server when it is on one, and loads no model."""
        from clipsearch.session.server_index import find_index_place

        return find_index_place(self._parts.store)

    def reindex(self, *, wait: bool = False) -> "IndexPlace":
        """Makes the index of the model in use anew from the embeddings, in files or on the server.

        Raises:
            CatalogNotFoundError: nothing was ever indexed.
            CatalogBusyError: another process changes the catalog and `wait` is false.
            VectorIndexError: the server can't be reached, or the files can't be written.
            StoreError: the catalog can't be written.
        """
        from clipsearch.session.server_index import rebuild_index

        self._parts.require_pictures()
        with self._parts.store.writing(wait=wait):
            self._parts.forget_indexes()
            folder = paths.index_folder(self.directory)
            rebuild_index(self._parts.store, folder, texts=self._parts.texts_to_tune_on)
        return self.index_place()
