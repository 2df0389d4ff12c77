"""The one class that wires the parts: store, model, index."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from clipsearch import paths, settings
from clipsearch.catalog_embeddings import EmbeddingCatalog
from clipsearch.gallery.collection import BrowsingCatalog
from clipsearch.labels.collection import LabellingCatalog
from clipsearch.maintenance.admin import IndexingCatalog
from clipsearch.maintenance.reports import BackupReport
from clipsearch.notices import notify
from clipsearch.paths import absolute_folders
from clipsearch.session.model import CatalogModel
from clipsearch.session.session import CatalogParts
from clipsearch.store import Store, StoredModel
from clipsearch.text import as_list, check_text
from clipsearch.types import CaptionHit, CatalogStatus, CurrentRun, GarbageReport, ImageMatch, IndexReport, SearchHit

if TYPE_CHECKING:
    import threading

    import numpy as np
    from numpy.typing import NDArray

    from clipsearch.captions.collection import CaptionsReport
    from clipsearch.encoders.base import Encoder
    from clipsearch.encoders.embed_image import PictureSource
    from clipsearch.gallery.clusters import PictureCluster
    from clipsearch.gallery.duplicates import DuplicateGroup
    from clipsearch.images.decode import DecodingLimits
    from clipsearch.indexing import Progress
    from clipsearch.query import Query


class Catalog(BrowsingCatalog, EmbeddingCatalog, IndexingCatalog, LabellingCatalog):
    """Pictures and captions that can be searched.

    >>> with Catalog.open("photos.catalog", create=True) as catalog:
    ...     catalog.index("photos")
    ...     for hit in catalog.search("a glazed donut", top_k=3):
    ...         print(hit.rank, hit.score, hit.path)
    """

    def __init__(self, store: Store, directory: Path, *, model: CatalogModel):
        self.directory = directory
        self._store = store
        self._model = model
        self._parts = CatalogParts(store, directory, model=model)

    @classmethod
    def open(
        cls,
        directory: str | os.PathLike[str] | None = None,
        *,
        model: str | None = None,
        device: str | None = None,
        runtime: str | None = None,
        create: bool = False,
        show_progress: bool = False,
        shared: bool = False,
    ) -> Self:
        """Opens a catalog. The model is loaded when it is first needed.

        Args:
            directory: the catalog's folder, or postgresql+psycopg://[NAME@]HOST[:PORT]/DATABASE; None:
                CLIPSEARCH_CATALOG, else the platform's data folder.
            model: "starter", a hub id with optional "@revision", or a directory. None: the catalog's own; a new
                catalog takes CLIPSEARCH_MODEL, else CLIP where it is cached or can be downloaded, else the starter.
            device: "cpu", "cuda", "mps"; None: CLIPSEARCH_DEVICE, else the best there is.
            runtime: "torch" or "openvino"; None: CLIPSEARCH_RUNTIME, else OpenVINO where it can run the model.
            create: make an empty catalog when there is none. Where the `with` block fails and there is still nothing in
                it, it is deleted again.
            show_progress: draw a bar on stderr while a model is downloaded.
            shared: several threads use it at once, as in a server; their texts and pictures go through the model
                together.

        Raises:
            InputError: no such device or runtime.
            CatalogNotFoundError: there is none and `create` is false.
            SchemaOutdatedError: it was written by a newer clipsearch.
            StoreError: it can't be opened or made.
        """
        device, runtime = device or settings.device_name(), runtime or settings.runtime_name()
        settings.check_device(device)
        settings.check_runtime(runtime)
        place = paths.catalog_place(directory)
        store = Store(place, create=create)
        if store.backup is not None:
            notify(f"the catalog was upgraded; a copy of the old one is {store.backup}")
        chosen = CatalogModel(
            store,
            requested=model,
            device=device,
            runtime=runtime,
            show_progress=show_progress,
            is_shared=shared,
        )
        return cls(store, place.directory, model=chosen)

    def close(self) -> None:
        """Gives back all it holds: models, index files, workers, connections. What is asked of it then raises
        StoreError; closing it again does nothing."""
        try:
            self._parts.close()
        finally:
            self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if error is not None:
            self._store.discard_if_empty()

    # ------------------------------------------------------------------ the model

    @property
    def encoder(self) -> "Encoder":
        """The model in use, loaded now if it was not.

        Raises:
            ModelUnavailableError: its files are not here.
            IndexMismatchError: it is not the model that this catalog's embeddings come from.
        """
        return self._model.encoder

    @property
    def model(self) -> StoredModel:
        """The catalog's row for the model in use; the first model of a new catalog is registered here."""
        return self._model.row

    def use_model(
        self,
        name: str,
        *,
        limits: "DecodingLimits | None" = None,
        wait: bool = False,
        on_progress: "Progress | None" = None,
    ) -> IndexReport:
        """Switches the catalog to a model, embedding with it what it has not embedded yet.

        Embeddings of other models stay. The switch is made when all that can be read is embedded; when the run is
        interrupted, the old model stays in use and the next call goes on.

        Args:
            limits: as in `index`, like `wait` and `on_progress`.

        Raises:
            CatalogBusyError: another process changes the catalog and `wait` is false.
            ModelUnavailableError: the model's files are not here.
        """
        from clipsearch.indexing.run import switch_model

        return switch_model(name, self._parts, limits=limits, wait=wait, on_progress=on_progress)

    # ------------------------------------------------------------------ pictures

    def index(
        self,
        *folders: str | os.PathLike[str],
        prune: bool = False,
        retry: bool = False,
        again: bool = False,
        exclude: str | Sequence[str] = (),
        limits: "DecodingLimits | None" = None,
        ann: str | None = None,
        runner: str = "local",
        address: str | None = None,
        wait: bool = False,
        on_progress: "Progress | None" = None,
        cancel: "threading.Event | None" = None,
    ) -> IndexReport:
        """Indexes folders, recursively; without any, those indexed before. Only new and changed files are read.

        Args:
            prune: what is not there any more is gone, however much that is.
            retry: read files again that could not be read, though they have not changed.
            again: read all files anew, though nothing says that they have changed, and embed those that have.
            exclude: left out from now on, as the catalog remembers: patterns of gitignore, relative to each folder; ""
                takes back those given before.
            limits: what a picture may cost; None: what is usual, fewer megapixels where memory is short.
            ann: from now on: "off" compares a query with all pictures, "IVF1024,SQfp16" with those in the nearest of
                1,024 cells, "auto" with all unless they are too many; None: as before.
            runner: "local": this machine reads and encodes; "ray": the machines of a Ray cluster, and folders may be
                URLs, as in s3://bucket/photos.
            address: of the cluster, HOST:PORT or "auto"; None: RAY_ADDRESS, else a Ray of its own on this machine.
            wait: until no other process changes the catalog.
            on_progress: called with (done, to do).
            cancel: a token: the run ends early, with `interrupted` set, once another thread has set it.

        Raises:
            InputError: `ann`, `runner`, `address` or a pattern is none, or a folder is missing or is a file.
            MissingExtraError: Ray, or what reads a URL, is not installed.
            RunnerError: the cluster can't be reached or has failed.
            CatalogBusyError: another process changes the catalog and `wait` is false.
            IndexMismatchError: the catalog was asked for with a model that is not the one in use.
        """
        from clipsearch.indexing.run import run_index

        return run_index(
            folders,
            self._parts,
            prune=prune,
            retry=retry,
            again=again,
            exclude=as_list(exclude),
            limits=limits,
            ann=ann,
            runner=runner,
            address=address,
            wait=wait,
            on_progress=on_progress,
            cancel=cancel,
        )

    def search(
        self,
        query: "PictureSource | Query",
        *,
        top_k: int = 10,
        pictures: "Mapping[str, PictureSource | NDArray[np.float32]] | None" = None,
        min_relevance: float = 0.0,
        diverse: bool = False,
        explain: bool = False,
    ) -> list[SearchHit]:
        """The pictures nearest to what is looked for, best first.

        Args:
            query: a str in the language of queries, see `grammar`, or what `parse_query` or `words_query` made of one;
                or a picture: a Path, a Pillow image or a FetchedPicture.
            top_k: when so many pictures pass the query's filters, so many come back.
            min_relevance: leave out what is less relevant, 0 to 1; see `clipsearch.DEFAULT_CUTOFF`.
            pictures: those in the query that are here already, such as fetched ones, or their embeddings (dim,); by
                what the query calls them.
            diverse: hits that differ from those above them come before such as don't; see `diversity`.
            explain: fill in what each term has to do with each hit.

        Raises:
            CatalogNotFoundError: nothing was ever indexed.
            QueryError: it can't be understood, `top_k` is less than 1, or `min_relevance` not from 0 to 1.
            ImageReadError: a picture can't be read.
        """
        from clipsearch.search.engine import answer_query

        return answer_query(
            query,
            self._parts,
            top_k=top_k,
            pictures=pictures or {},
            min_relevance=min_relevance,
            diverse=diverse,
            explain=explain,
        )

    def cutoff_for(self, confidence: float) -> float:
        """The least relevance of a hit with which at most a share of 1 - confidence of the queries in words that
        nothing in the catalog answers get one; see `confidence`.

        The first time for a catalog of this size 600 texts are asked: some seconds for a million pictures.

        Raises:
            CatalogNotFoundError: nothing was ever indexed.
            QueryError: `confidence` does not lie between 0 and 1, or is more than can be known.
        """
        from clipsearch.search.engine import find_cutoff

        return find_cutoff(confidence, self._parts)

    # ------------------------------------------------------------------ captions

    def add_captions(self, texts: str | Sequence[str]) -> "CaptionsReport":
        """Stores and embeds captions; those known already are kept once. Empty ones are left out."""
        from clipsearch.captions.collection import add_captions

        return add_captions(as_list(texts), self._parts)

    def list_captions(self) -> list[str]:
        return self._store.captions.list_all()

    def remove_captions(self, texts: str | Sequence[str] | None = None) -> int:
        """Forgets these captions, all of them for None; returns how many were there."""
        wanted = None if texts is None else as_list(texts)
        for text in wanted or ():
            check_text(text, "caption")
        return self._store.captions.remove(wanted)

    def caption(self, picture: "PictureSource | NDArray[np.float32]", *, top_k: int = 5) -> list[CaptionHit]:
        """The stored captions nearest to a picture or its embedding, with probabilities over all stored captions.

        Raises:
            QueryError: no captions are stored.
            ImageReadError: the picture can't be read.
        """
        from clipsearch.captions.collection import caption_picture

        return caption_picture(picture, self._parts, top_k=top_k)

    def classify(self, picture: "PictureSource | NDArray[np.float32]", texts: str | Sequence[str]) -> list[CaptionHit]:
        """Candidate texts for a picture or its embedding, with probabilities over these texts, the best first."""
        from clipsearch.captions.embedding import classify_picture

        return classify_picture(picture, as_list(texts), encoder=self.encoder)

    def classify_text(self, text: str, pictures: "Sequence[PictureSource]") -> list[ImageMatch]:
        """Candidate pictures for a text, with probabilities over these pictures, the best first."""
        from clipsearch.captions.embedding import classify_text

        return classify_text(text, pictures, encoder=self.encoder)

    # ------------------------------------------------------------------ groups

    def duplicates(
        self,
        *folders: str | os.PathLike[str],
        threshold: float | None = None,
        exact_only: bool = False,
        on_progress: "Progress | None" = None,
    ) -> "list[DuplicateGroup]":
        """Pictures that are there more than once, below the folders or anywhere: groups of exact ones and of copies,
        those that waste most first, then groups of similar ones.

        Embeddings and perceptual hashes say which pictures may be copies, their pixels which are. Files that are gone,
        or hold something else than when they were indexed, are left out: all that is offered as a copy is read again.

        Args:
            threshold: the cosine from which the pixels of two pictures are compared; None: by how alike the catalog's
                pictures are at all.
            exact_only: files with the very same content alone.
            on_progress: called with (done, to do), in each of several steps.

        Raises:
            CatalogNotFoundError: nothing was ever indexed.
            QueryError: `threshold` is not between 0 and 1.
            InputError: nothing below one of the folders was indexed.
        """
        from clipsearch.gallery.duplicates import find_duplicates

        return find_duplicates(
            absolute_folders(folders), self._parts, threshold=threshold, exact_only=exact_only, on_progress=on_progress
        )

    def clusters(
        self, *folders: str | os.PathLike[str], labels: str | Sequence[str], count: int | None = None
    ) -> "list[PictureCluster]":
        """Pictures in groups of what they show, the largest first; below the folders, or all.

        Args:
            labels: what to call them, as in `label`.
            count: of groups; None: about as many as pictures in each, 50 at most.

        Raises:
            CatalogNotFoundError: nothing was ever indexed.
            QueryError: there is no such set of labels, or `count` is less than 1.
        """
        from clipsearch.gallery.clusters import cluster_pictures

        return cluster_pictures(absolute_folders(folders), self._parts, count=count, labels=labels)

    def status(self) -> CatalogStatus:
        """Counts and sizes; loads no model."""
        from clipsearch.maintenance.status import read_status

        return read_status(self._store)

    def current_run(self) -> CurrentRun | None:
        """The index run that goes on, in this process or another; None: there is none."""
        from clipsearch.maintenance.status import find_current_run

        return find_current_run(self._store)

    def collect_garbage(
        self, *, older_than_days: float = 0, dry_run: bool = False, wait: bool = False
    ) -> GarbageReport:
        """Deletes for good what is known of files that are gone; see `maintenance.garbage` for the arguments."""
        from clipsearch.maintenance.garbage import collect_garbage

        return collect_garbage(self._store, self.directory, older_than_days=older_than_days, dry_run=dry_run, wait=wait)

    def backup(self, file: str | os.PathLike[str], *, force: bool = False) -> BackupReport:
        """Copies the database to a file; see `maintenance.backups.back_up` for the errors."""
        from clipsearch.maintenance.backups import back_up

        self._store.require_open()
        return back_up(self._store.place.require_folder(), file, force=force)
