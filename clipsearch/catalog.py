"""Wire store, model and vector indexes into one public class."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from clipsearch.captions.collection import CaptionCollection
from clipsearch.concepts.collection import ConceptCollection
from clipsearch.gallery.albums import AlbumCollection
from clipsearch.gallery.collection import PictureCollection
from clipsearch.labels.collection import LabelCollection
from clipsearch.maintenance.admin import CatalogAdmin
from clipsearch.paths import StrPath, absolute_folders
from clipsearch.query import Query
from clipsearch.renamed import get_renamed
from clipsearch.search.engine import SearchOptions, answer_query, find_cutoff, match_picture
from clipsearch.search.feedback import Feedback, Marks
from clipsearch.search.hits import SearchHit, picture_of
from clipsearch.search.paging import SearchPage, find_page
from clipsearch.search.saved import SavedSearches
from clipsearch.search.suggestions import suggest_query
from clipsearch.search.terms import AnyQuery, Pictures
from clipsearch.session.session import Session
from clipsearch.store import StoredModel
from clipsearch.text import as_list
from clipsearch.types import CaptionHit, ImageMatch, IndexReport, ModelOptions, Sort

if TYPE_CHECKING:
    from clipsearch.encoders.base import Encoder
    from clipsearch.encoders.embed_image import Picture, PictureSource
    from clipsearch.gallery.clusters import PictureCluster
    from clipsearch.gallery.duplicates import DuplicateGroup
    from clipsearch.gallery.heat_map import HeatMap
    from clipsearch.images.decode import DecodingLimits
    from clipsearch.indexing import Progress
    from clipsearch.query.phrases import Understanding
    from clipsearch.search.narrowing import Suggestions
    from clipsearch.transfer.export import ExportReport
    from clipsearch.transfer.imports import ImportReport


class Catalog:
    """Pictures and captions that can be searched.

    >>> with Catalog.open("photos.catalog", create=True) as catalog:
    ...     catalog.index("photos")
    ...     print(catalog.search("a glazed donut", top_k=3))

    Attributes:
        directory: the catalog's folder.
        captions: the stored captions. labels: sets of labels, and what fits the pictures of them.
        concepts: what examples have taught. pictures: what is known of the pictures.
        albums: sets of pictures. saved: searches under a name. admin: status, backups, garbage, the place of the index.

    Raises:
        StoreError: at any call, also: the catalog is closed, damaged, or can't be written.
        CatalogNotFoundError: where pictures are needed: nothing was ever indexed.
        CatalogBusyError: where `wait` is false: another process changes the catalog.
        ModelUnavailableError, IndexMismatchError: the model's files are not here, or are not those of the embeddings.
        ImageReadError: where a picture is given: it can't be read.
    """

    def __init__(self, session: Session) -> None:
        self.directory = session.directory
        self.captions = CaptionCollection(session)
        self.labels = LabelCollection(session)
        self.concepts = ConceptCollection(session)
        self.pictures = PictureCollection(session)
        self.albums = AlbumCollection(session)
        self.saved = SavedSearches(session)
        self.admin = CatalogAdmin(session)
        self._session = session

    @classmethod
    def open(
        cls,
        directory: StrPath | None = None,
        *,
        model: str | None = None,
        device: str | None = None,
        runtime: str | None = None,
        precision: str | None = None,
        create: bool = False,
        show_progress: bool = False,
        shared: bool = False,
    ) -> Self:
        """Open a catalog. The model is loaded when it is first needed.

        Args:
            directory: the catalog's folder, or postgresql+psycopg://[NAME@]HOST[:PORT]/DATABASE; None:
                CLIPSEARCH_CATALOG, else the platform's data folder.
            model: "starter", a hub id with optional "@revision", or a directory. None: the catalog's own; a new
                catalog takes CLIPSEARCH_MODEL, else CLIP where it is cached or can be downloaded, else the starter.
            device, runtime, precision: see `ModelOptions`; None: those of the environment, else the best there are.
            create: make an empty catalog when there is none; one that is still empty when its block fails is deleted.
            show_progress: draw a bar on stderr while a model is downloaded.
            shared: several threads use it at once, as in a server: the model takes what they ask in batches.

        Raises:
            InputError: no such device, runtime or precision. CatalogNotFoundError: none is there, `create` is false.
            SchemaOutdatedError: it was written by a newer clipsearch.
        """
        options = ModelOptions(model, device, runtime, show_progress, precision)
        return cls(Session.open(directory, options, create=create, is_shared=shared))

    def close(self) -> None:
        """Release models, index files, workers and connections; idempotent. Later calls raise StoreError."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.close()
        if error is not None:
            self._session.store.discard_if_empty()

    def __repr__(self) -> str:
        return f"<Catalog {self._session.describe()}>"

    if not TYPE_CHECKING:  # our own code uses no old name

        def __getattr__(self, name: str) -> Any:
            return get_renamed(self, name)

    @property
    def encoder(self) -> "Encoder":
        """The model in use, loaded now if it was not."""
        return self._session.model.encoder

    @property
    def model(self) -> StoredModel:
        """The catalog's row for the model in use; the first model of a new catalog is registered here."""
        return self._session.model.row

    def use_model(
        self,
        name: str,
        *,
        limits: "DecodingLimits | None" = None,
        wait: bool = False,
        on_progress: "Progress | None" = None,
    ) -> IndexReport:
        """Switch the catalog to a model, embedding with it what it has not embedded yet.

        Embeddings of other models stay. The switch is made when all is embedded; after an interrupted run, the old
        model stays in use and the next call goes on. The options are those of `index`.
        """
        from clipsearch.indexing.run import IndexOptions, switch_model

        return switch_model(name, IndexOptions(limits=limits, wait=wait), self._session, on_progress)

    def index(
        self,
        *folders: StrPath,
        prune: bool = False,
        retry: bool = False,
        again: bool = False,
        detail: bool = False,
        exclude: str | Sequence[str] = (),
        limits: "DecodingLimits | None" = None,
        ann: str | None = None,
        runner: str = "local",
        address: str | None = None,
        wait: bool = False,
        on_progress: "Progress | None" = None,
        cancel: threading.Event | None = None,
        ocr: bool | None = None,
    ) -> IndexReport:
        """Index folders, recursively; without any, those indexed before. Only new and changed files are read.

        Args:
            prune: forget missing files, however many. retry: read unchanged unreadable files again. again: read all.
            detail: also embed five to nine crops of each picture, in which small things are found.
            exclude: persisted patterns of gitignore, relative to each folder; "" takes back those given before.
            limits: what a picture may cost; None: the default ones, fewer megapixels where memory is short.
            ann: persisted: "off": exact, "IVF1024,SQfp16": 1,024 cells, "auto": by their number; None: unchanged.
            runner: "local", or "ray" for a Ray cluster, where folders may be URLs, as in s3://bucket/photos.
            address: of the cluster, HOST:PORT or "auto"; None: RAY_ADDRESS, else a Ray of its own on this machine.
            wait: until no other process changes the catalog. ocr: read text in pictures, too; None: if it was before.
            on_progress: called with (done, to do). cancel: set by another thread, it ends the run, then `interrupted`.

        Raises:
            InputError: `ann`, `runner`, `address` or a pattern is invalid, or a folder is missing or is a file.
            MissingExtraError: Ray, or what reads a URL, is not installed; RunnerError: the cluster has failed.
        """
        from clipsearch.indexing.run import IndexOptions, run_index

        given = (prune, retry, again, detail, tuple(as_list(exclude)), limits, ann, runner, address, wait, ocr)
        return run_index(folders, IndexOptions(*given), self._session, on_progress, cancel=cancel)

    def export(
        self,
        target: StrPath,
        *,
        part_rows: int = 1_000_000,
        captions: bool = False,
        force: bool = False,
        on_progress: "Progress | None" = None,
    ) -> "ExportReport":
        """Write the embeddings of all pictures that have a file, and what is known of them, as one snapshot.

        Args:
            target: a folder, in the layout of clip-retrieval, or a file that ends in ".parquet"; replaced atomically.
            part_rows, captions, force: as in `transfer.export.ExportOptions`. on_progress: called with (done, to do).

        Raises:
            MissingExtraError: pyarrow is not installed.
            InputError: `target` holds other things, or no captions. StoreError: there is nothing to export.
        """
        from clipsearch.transfer.export import ExportOptions, export_embeddings

        return export_embeddings(target, ExportOptions(part_rows, captions, force), self._session, on_progress)

    def import_embeddings(
        self,
        source: StrPath,
        *,
        images: StrPath | None = None,
        roots: Sequence[StrPath] = (),
        trust: bool = False,
        captions: bool = False,
        limits: "DecodingLimits | None" = None,
        wait: bool = False,
        on_progress: "Progress | None" = None,
    ) -> "ImportReport":
        """Add embeddings that were made elsewhere. Pictures whose files are there are hashed, not embedded.

        An export must come from the catalog's model; a new catalog takes the export's. See `transfer.model_check`.

        Args:
            source: an export, a folder of clip-retrieval or LAION, or a Parquet file with a column "embedding".
            images, …: as in `transfer.imports.ImportOptions`. on_progress: called with (rows done, rows).

        Raises:
            MissingExtraError: pyarrow is not installed. IndexMismatchError: the embeddings come from another model.
            InputError: the source can't be read or is not whole, or nothing could be compared.
        """
        from clipsearch.transfer.imports import ImportOptions, import_embeddings

        options = ImportOptions(images, tuple(roots), trust, captions, limits, wait)
        return import_embeddings(source, options, self._session, on_progress)

    def search(
        self,
        query: AnyQuery,
        *,
        top_k: int = 10,
        pictures: "Pictures | None" = None,
        min_relevance: float = 0.0,
        diverse: bool = False,
        explain: bool = False,
        more: Marks = (),
        less: Marks = (),
        stacks: bool = True,
        sort: Sort = "relevance",
        reverse: bool = False,
        written: bool = True,
    ) -> list[SearchHit]:
        """Find the pictures nearest to a query, best first.

        Args:
            query: a str in the query language, or a Query; a Path, a Pillow image, a FetchedPicture; a hit, not read.
            top_k: of the pictures that pass the query's filters.
            pictures: those in the query that are here already, or their embeddings (dim,), by what it calls them.
            min_relevance: omit what is less relevant, 0 to 1, but what few have in writing; see `DEFAULT_CUTOFF`.
            diverse: rank hits that differ from those above them first, see `scoring.diversity`.
            explain: fill in what each term contributes to each hit.
            more: ids, hits or files: others like them rank higher, also for "". less: left out, and others rank lower.
            stacks: show pictures that are one item, such as a burst, as one hit, see `search.stacks`.
            sort, reverse: the order, see `types.Sort`, of the likely matches, up to 10,000, or of the nearest 40.
            written: also look for plain words in what is written about pictures, see `search.written`.

        Raises:
            QueryError: it can't be understood, `top_k`, `min_relevance`, the order or the marks are out of range.
        """
        marks = Feedback.of(more, less, self._session)
        options = SearchOptions(top_k, pictures or {}, min_relevance, diverse, explain, marks, stacks, sort, reverse)
        return answer_query(query, self._session, replace(options, written=written))

    def search_page(
        self,
        query: str | Query,
        *,
        page_size: int = 40,
        after: str | None = None,
        pictures: "Pictures | None" = None,
        min_relevance: float = 0.0,
        confidence: float | None = None,
        more: Marks = (),
        less: Marks = (),
        stacks: bool = True,
        sort: Sort = "relevance",
        reverse: bool = False,
        written: bool = True,
    ) -> SearchPage:
        """Find up to 10,000 hits of a query a page at a time, the same whatever is indexed meanwhile.

        Args:
            query: `Query()` means all pictures, the last taken first.
            after: `SearchPage.next` of the page before.
            confidence: leave out what is less relevant than `cutoff_for` says, too.
            more, …, written: as in `search`, like its errors; or `after` belongs to another query.
        """
        marks = Feedback.of(more, less, self._session)
        options = SearchOptions(page_size, pictures or {}, min_relevance, False, False, marks, stacks, sort, reverse)
        return find_page(query, self._session, replace(options, written=written), after=after, confidence=confidence)

    def match(
        self,
        query: AnyQuery,
        content_id: int,
        *,
        pictures: "Pictures | None" = None,
        more: Marks = (),
        less: Marks = (),
    ) -> SearchHit:
        """Compare one picture with a query, term by term; its rank is 0. Errors as in `search`."""
        options = SearchOptions(pictures=pictures or {}, feedback=Feedback.of(more, less, self._session))
        return match_picture(query, content_id, self._session, options)

    def understand(self, text: str, *, may_name_files: bool = False) -> "Understanding":
        """Parse a query and phrases of its plain words ("in July 2023"), see `search.phrases.understand_query`."""
        from clipsearch.search.phrases import understand_query

        return understand_query(text, self._session, may_name_files=may_name_files)

    def suggest(self, query: str | Query) -> str | None:
        """Correct the typing errors of a query; None: it seems to have none. Errors as in `search`."""
        return suggest_query(query, self._session)

    def suggestions(self, query: str | Query, *, pictures: "Pictures | None" = None) -> "Suggestions":
        """Suggest queries that narrow this one, related ones, and a corrected one; errors as in `search`."""
        from clipsearch.search.narrowing import find_suggestions

        return find_suggestions(query, self._session, pictures=pictures or {})

    def cutoff_for(self, confidence: float) -> float:
        """Return the least relevance for a confidence in 0 to 1, see `scoring.confidence`; the first call is slow."""
        return find_cutoff(confidence, self._session)

    def caption(self, picture: "Picture | SearchHit", *, top_k: int = 5) -> list[CaptionHit]:
        """Find captions nearest to a picture, a hit or an embedding, with probabilities. QueryError: there are none."""
        from clipsearch.captions.embedding import caption_picture

        return caption_picture(picture_of(picture, self._session), self._session, top_k=top_k)

    def classify(self, picture: "Picture | SearchHit", texts: str | Sequence[str]) -> list[CaptionHit]:
        """Rank candidate texts for a picture, a hit or an embedding, with probabilities over these texts."""
        from clipsearch.captions.embedding import classify_picture

        return classify_picture(picture_of(picture, self._session), as_list(texts), encoder=self.encoder)

    def classify_text(self, text: str, pictures: "Sequence[PictureSource]") -> list[ImageMatch]:
        """Rank candidate pictures for a text, with probabilities over these pictures."""
        from clipsearch.captions.embedding import classify_text

        return classify_text(text, pictures, encoder=self.encoder)

    def heat_map(self, picture: "PictureSource | SearchHit", words: str) -> "HeatMap":
        """Find where in a picture words, or a concept as in "@rex", fit, see `draw_heat_map`; QueryError: no words."""
        from clipsearch.gallery.heat_map import find_heat_map

        return find_heat_map(picture, words, self._session)

    def duplicates(
        self,
        *folders: StrPath,
        threshold: float | None = None,
        exact_only: bool = False,
        on_progress: "Progress | None" = None,
    ) -> "list[DuplicateGroup]":
        """Group pictures that are there more than once, below the folders or anywhere.

        Exact ones and copies, the most wasteful first, before similar ones; without files that are missing or changed.

        Args:
            threshold: the cosine, 0 to 1 or QueryError, from which pixels are compared; None: by how alike they are.
            exact_only: files with the very same content alone.

        InputError: nothing below one of the folders was indexed.
        """
        from clipsearch.gallery.duplicates import find_duplicates

        return find_duplicates(absolute_folders(folders), self._session, threshold, exact_only, on_progress)

    def clusters(
        self, *folders: StrPath, labels: str | Sequence[str], count: int | None = None
    ) -> "list[PictureCluster]":
        """Group pictures by what they show, the largest group first; below the folders, or all.

        Args:
            labels: what to call them, as in `LabelCollection.assign`. QueryError: there is no such set.
            count: of groups, QueryError below 1; None: about as many as pictures in each, 50 at most.
        """
        from clipsearch.gallery.clusters import cluster_pictures

        return cluster_pictures(absolute_folders(folders), self._session, count=count, labels=labels)
