"""The part of a catalog that has to do with embeddings in files."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from clipsearch.session.session import CatalogParts

if TYPE_CHECKING:
    from clipsearch.images.decode import DecodingLimits
    from clipsearch.indexing import Progress
    from clipsearch.transfer.export import ExportReport
    from clipsearch.transfer.imports import ImportReport


class EmbeddingCatalog:
    """How embeddings get out of and into a `Catalog`; made by it alone."""

    _parts: CatalogParts

    def export(
        self,
        target: str | os.PathLike[str],
        *,
        part_rows: int = 1_000_000,
        captions: bool = False,
        force: bool = False,
        on_progress: "Progress | None" = None,
    ) -> "ExportReport":
        """Writes the embeddings of all pictures that have a file, and what is known of them, as of one moment.

        Args:
            target: a folder, which gets the layout of clip-retrieval, see `embedding_files`; or a file that ends in
                ".parquet". An export that is there is replaced when the new one is whole.
            part_rows: of a folder's files.
            captions: write the stored captions too.
            force: replace a file, or put the export into a folder, that is no export.
            on_progress: called with (pictures written, pictures to write).

        Raises:
            MissingExtraError: pyarrow is not installed.
            CatalogNotFoundError: nothing was ever indexed.
            InputError: `target` holds other things, or has no place for captions.
            StoreError: there is nothing to export, or it can't be written.
        """
        from clipsearch.transfer.export import export_embeddings

        return export_embeddings(
            target, self._parts, part_rows=part_rows, captions=captions, force=force, on_progress=on_progress
        )

    def import_embeddings(
        self,
        source: str | os.PathLike[str],
        *,
        images: str | os.PathLike[str] | None = None,
        roots: Sequence[str | os.PathLike[str]] = (),
        trust: bool = False,
        captions: bool = False,
        limits: "DecodingLimits | None" = None,
        wait: bool = False,
        on_progress: "Progress | None" = None,
    ) -> "ImportReport":
        """Takes in embeddings that were made elsewhere. Pictures whose files are there are hashed, not embedded.

        An export of clipsearch must come from the catalog's model, by its fingerprint; a new catalog takes the
        export's. Of other embeddings some are made again and compared, see `importing.check`.

        Args:
            source: what `export` wrote, a folder in the layout of clip-retrieval or LAION, or a Parquet file with a
                column "embedding".
            images: the folder that relative paths start from; it is indexed from now on.
            roots: folders below which those count that the export names: they are indexed from now on, as far as
                pictures of the export lie there. An export that this user has made on this machine needs no such.
            trust: take embeddings of a foreign source though no picture is there to compare.
            captions: take in captions too.
            limits: as in `index`, like `wait`.
            on_progress: called with (rows done, rows).

        Raises:
            MissingExtraError: pyarrow is not installed.
            InputError: the source can't be read or is not whole, or nothing could be compared.
            IndexMismatchError: the embeddings come from another model.
            CatalogBusyError: another process changes the catalog and `wait` is false.
        """
        from clipsearch.transfer.imports import import_embeddings

        return import_embeddings(
            source,
            self._parts,
            images=images,
            roots=roots,
            trust=trust,
            captions=captions,
            limits=limits,
            wait=wait,
            on_progress=on_progress,
        )
