"""Hold the parts of an open catalog: store, model, indexes, and what scores are calibrated against."""

import os
import threading
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from clipsearch import paths, settings
from clipsearch.errors import CatalogNotFoundError, StoreError
from clipsearch.notices import notify, timed
from clipsearch.query.areas import Rectangle
from clipsearch.session.concepts import ConceptLearner
from clipsearch.session.model import CatalogModel
from clipsearch.store import Kind, Store
from clipsearch.text import fold_words
from clipsearch.types import ModelOptions
from clipsearch.written.documents import READ, WRITING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from clipsearch.images.thumbnail_cache import ThumbnailCache
    from clipsearch.images.worker_pool import WorkerPool
    from clipsearch.indexes.base import VectorIndex
    from clipsearch.query.filters import Pattern
    from clipsearch.query.spelling import Vocabulary
    from clipsearch.scoring.concepts import ConceptDirection
    from clipsearch.scoring.confidence import BestRelevances
    from clipsearch.scoring.labels import LabelSpace
    from clipsearch.scoring.narrowing import KnownLabels
    from clipsearch.scoring.relevance import Background
    from clipsearch.session.columns import CatalogColumns
    from clipsearch.session.file_index import CatalogIndex
    from clipsearch.session.maps import CatalogMap
    from clipsearch.session.server_index import ServerIndex
    from clipsearch.session.written import CatalogWriting

# Texts that an index is tuned on: every other text of the bank, and up to 200 of the user's own captions.
_TUNING_CAPTIONS = 200
_EVERY_TEXT = 2

# Sets of labels that are cached: those of the web page, and one or two that the user tries.
_LABEL_SPACES = 4

# Limit for a picture that the user waits for.
_MAX_SECONDS = 20


class Session:
    """Parts of an open catalog, each opened when it is first used. Thread-safe."""

    def __init__(self, store: Store, directory: Path, *, model: CatalogModel) -> None:
        self.directory = directory
        self.store = store
        self.model = model
        self._indexes: dict[Kind, CatalogIndex | ServerIndex] = {}
        self._background: Background | None = None
        self._label_spaces: dict[tuple[str, ...], tuple[Background, LabelSpace]] = {}
        self._best_relevances: tuple[Background, BestRelevances] | None = None
        self._known_labels: tuple[Background, KnownLabels] | None = None
        self._words: tuple[object, Vocabulary] | None = None
        self._concepts = ConceptLearner(store, model)
        self._workers: dict[str, WorkerPool] = {}
        self._is_closed = False
        self.has_told_unmeasured = False
        self.run_lock = threading.Lock()
        """Held by the thread of this process that indexes."""
        self._lock, self._learn_lock = threading.Lock(), threading.Lock()

    @classmethod
    def open(
        cls, directory: str | os.PathLike[str] | None, options: ModelOptions, *, create: bool, is_shared: bool
    ) -> "Session":
        """Open the catalog in a folder or on a server; device, runtime and precision default to the environment."""
        options = settings.with_environment(options)
        settings.check_device(options.device)
        settings.check_runtime(options.runtime)
        settings.check_precision(options.precision)
        place = paths.catalog_place(directory)
        with timed(f"open the catalog {place}"):
            store = Store(place, create=create)
        if store.backup is not None:
            notify(f"the catalog was upgraded; a copy of the old one is {store.backup}")
        return cls(store, place.directory, model=CatalogModel(store, options, is_shared=is_shared))

    def describe(self) -> str:
        """Describe the place, the model and the number of pictures, if the store can be read; loads no model."""
        place = repr(str(self.store.place))
        try:
            model, (_, pictures, _) = self.store.reader.find_current_model(), self.store.pictures.counts()
        except StoreError:  # closed, damaged, or on a server that can't be reached
            return place
        used = "no model yet" if model is None else f"model {model.name!r}"
        return f"{place}, {used}, pictures: {pictures:,}"

    def require_pictures(self) -> None:
        """Check that the catalog was indexed.

        Raises:
            CatalogNotFoundError: nothing was ever indexed.
        """
        if self.store.reader.find_current_model() is None:
            raise CatalogNotFoundError(f"nothing is indexed in {self.store.place} yet: clipsearch index FOLDER")

    def is_open(self, kind: Kind) -> bool:
        """Return whether `vector_index` of this kind returns at once."""
        return kind in self._indexes

    def vector_index(self, kind: Kind) -> "VectorIndex":
        """Return the index, refreshed with all rows stored by now, those of other processes too.

        Raises:
            StoreError: the catalog is closed.
            VectorIndexError: it is on a server that can't be reached.
        """
        model_id = self.model.row.model_id
        with self._lock:
            self.require_open()
            index = self._indexes.get(kind)
            is_new = index is None
            if index is None:
                index = self._indexes[kind] = self._open_index(kind, model_id)
        with timed(f"open the index of {kind}") if is_new else nullcontext():
            return index.get()

    def _open_index(self, kind: Kind, model_id: int) -> "CatalogIndex | ServerIndex":
        url = self.store.reader.find_index_url()
        if url is not None:
            from clipsearch.session.server_index import ServerIndex

            return ServerIndex(kind, store=self.store, model_id=model_id, url=url)
        from clipsearch.session.file_index import CatalogIndex

        return CatalogIndex(kind, store=self.store, model_id=model_id, folder=paths.index_folder(self.directory))

    @cached_property
    def columns(self) -> "CatalogColumns":
        """Columns of all pictures, for filters, counts and facets."""
        from clipsearch.session.columns import CatalogColumns

        return CatalogColumns(self.store, paths.index_folder(self.directory), self.find_listed)

    @cached_property
    def written(self) -> "CatalogWriting":
        """Full-text index of what is written about pictures."""
        from clipsearch.session.written import CatalogWriting

        return CatalogWriting(self.store, paths.index_folder(self.directory))

    @cached_property
    def map(self) -> "CatalogMap":
        """Map of meaning: all pictures in two dimensions."""
        from clipsearch.session.maps import CatalogMap

        folder = paths.index_folder(self.directory)
        return CatalogMap(self.store, folder, model=self.model, columns=self.columns)

    def find_listed(self, key: str, pattern: "Pattern | Rectangle") -> "NDArray[np.int64]":
        """Return the ids (n,), sorted, of pictures that a filter passes that the columns can't evaluate."""
        if isinstance(pattern, Rectangle):
            return self.map.find_inside(pattern)
        if key == "album":
            from clipsearch.session.albums import find_in_albums

            return find_in_albums(pattern, self.store)
        part, fields = fold_words(pattern.text), (READ,) if key == "text" else WRITING
        return self.written.ask(lambda words: words.find([part], fields=fields))

    def background(self, index: "VectorIndex") -> "Background":
        """Return the background that scores are calibrated against; learnt again when the index has grown or shrunk."""
        from clipsearch.scoring.background_cache import load_background

        with self._learn_lock:
            if self._background is None or self._background.is_outdated(index.count):
                self._background = load_background(self._sample(index), index.count, self.model.load_bank())
            return self._background

    def _sample(self, index: "VectorIndex") -> "NDArray[np.float32]":
        """Return a sample (n, dim) of the pictures; without crops and scenes, which would be many of one content."""
        from clipsearch.scoring.relevance import SAMPLE_ROWS

        reader, row = self.store.reader, self.model.row
        if not reader.parts.has_any():
            return index.sample(SAMPLE_ROWS)
        return reader.sample_covers(SAMPLE_ROWS, model_id=row.model_id, dim=row.dim)

    def label_space(self, labels: Sequence[str]) -> "LabelSpace":
        """Return labels calibrated against the catalog's pictures, where it has any.

        The last few are cached while the background stays the same. Two threads may learn the same one at once.

        Raises:
            StoreError: the catalog is closed.
        """
        from clipsearch.scoring.labels import learn_labels

        background, key = self.background(self.vector_index("images")), tuple(labels)
        with self._lock:
            cached = self._label_spaces.pop(key, None)
            if cached is not None and cached[0] is background:
                self._label_spaces[key] = cached  # most recently used last, for eviction
                return cached[1]
        embeddings = self.model.encode_labels(labels)
        space = learn_labels(labels, embeddings, bank=background.bank, pictures=background.sample)
        with self._lock:
            if not self._is_closed:
                self._label_spaces[key] = (background, space)
                while len(self._label_spaces) > _LABEL_SPACES:
                    del self._label_spaces[next(iter(self._label_spaces))]
        return space

    def concept(self, name: str) -> "ConceptDirection":
        """Return the direction of a concept by its folded name, learnt when its examples or the catalog have changed.

        Raises:
            QueryError: it is unknown, or nothing tells it from other pictures.
        """
        return self._concepts.learn(name, self.background(self.vector_index("images")))

    def best_relevances(self) -> "BestRelevances":
        """Return how relevant the best picture is for texts of the bank; learnt once for each background."""
        from clipsearch.scoring.confidence import learn_best_relevances

        index, row = self.vector_index("images"), self.model.row
        background = self.background(index)
        fetch = partial(self.store.reader.embeddings, model_id=row.model_id, dim=row.dim)
        with self._learn_lock:
            if self._best_relevances is None or self._best_relevances[0] is not background:
                self._best_relevances = background, learn_best_relevances(background, index, fetch)
            return self._best_relevances[1]

    def known_labels(self) -> "KnownLabels":
        """Return the bank's labels, calibrated on the catalog's pictures; learnt once for each background, no model."""
        from clipsearch.data import bank_labels
        from clipsearch.scoring.narrowing import learn_known_labels

        background = self.background(self.vector_index("images"))
        with self._learn_lock:
            if self._known_labels is None or self._known_labels[0] is not background:
                self._known_labels = background, learn_known_labels(bank_labels(), background)
            return self._known_labels[1]

    def known_words(self) -> "Vocabulary":
        """Return the words expected in a query; read again when captions or labels have changed."""
        from clipsearch.query.spelling import known_words

        reader = self.store.reader
        version = reader.texts_version()
        with self._learn_lock:
            if self._words is None or self._words[0] != version:
                self._words = version, known_words(reader.list_texts())
            return self._words[1]

    @property
    def workers(self) -> "WorkerPool":
        """Processes that decode the catalog's own pictures, which are untrusted."""
        return self._worker_pool("own")

    @property
    def upload_workers(self) -> "WorkerPool":
        """Separate processes for uploaded pictures, so that slow ones don't delay those of the catalog."""
        return self._worker_pool("uploads")

    def _worker_pool(self, purpose: str) -> "WorkerPool":
        from clipsearch.images.decode import default_limits
        from clipsearch.images.worker_pool import WorkerPool

        spec = self.model.encoder.preprocess
        with self._lock:
            self.require_open()
            if purpose not in self._workers:
                self._workers[purpose] = WorkerPool(spec, limits=replace(default_limits(), max_seconds=_MAX_SECONDS))
            return self._workers[purpose]

    @cached_property
    def thumbnails(self) -> "ThumbnailCache":
        from clipsearch.files import make_cache_dir
        from clipsearch.images.thumbnail_cache import ThumbnailCache

        with suppress(OSError):
            make_cache_dir()
        return ThumbnailCache(paths.cache_dir() / "thumbnails")

    def close(self) -> None:
        """Close the model, the indexes, the workers and the store, even when one of them fails to close."""
        with self._lock:
            self._is_closed = True
            indexes, self._indexes = self._indexes, {}
            workers, self._workers = self._workers, {}
        self._forget_learnt()
        self._words = None
        if "columns" in self.__dict__:
            self.columns.release()
        if "written" in self.__dict__:
            self.written.release()
        with ExitStack() as closing:
            closing.callback(self.store.close)
            closing.callback(self.model.close)
            for index in indexes.values():
                closing.callback(index.close)
            for pool in workers.values():
                closing.callback(pool.close)

    def require_open(self) -> None:
        """Raise StoreError where the catalog is closed."""
        if self._is_closed:
            raise StoreError(f"the catalog {self.store.place} is closed")

    def refresh(self, *kinds: Kind) -> None:
        """Refresh what the first query would wait for, while the model is loaded; call after storing embeddings.

        The index is rewritten when enough has changed.

        Raises:
            VectorIndexError: it is on a server that can't be reached.
        """
        if self.store.reader.find_index_url() is not None:
            for kind in kinds:
                self.vector_index(kind)
        else:
            from clipsearch.session.file_index import refresh_snapshot

            folder = paths.index_folder(self.directory)
            for kind in kinds:
                model_id = self.model.row.model_id
                refresh_snapshot(kind, store=self.store, model_id=model_id, folder=folder, texts=self.texts_to_tune_on)
        if "images" in kinds:
            from clipsearch.session.columns import refresh_columns
            from clipsearch.session.written import refresh_written

            refresh_columns(self.store, paths.index_folder(self.directory))
            refresh_written(self.store, paths.index_folder(self.directory))
            self.model.load_bank()

    def texts_to_tune_on(self) -> "NDArray[np.float32]":
        """Return queries like a user's, (n, dim): texts of the bank, and the catalog's own captions."""
        import numpy as np

        row = self.model.row
        captions = [np.empty((0, row.dim), dtype=np.float32)]
        for rows in self.store.reader.rows_after("captions", model_id=row.model_id, dim=row.dim):
            captions.append(rows.embeddings)
        own = np.concatenate(captions)
        bank = self.model.load_bank().embeddings[::_EVERY_TEXT]
        return np.concatenate([bank, own[:: max(1, len(own) // _TUNING_CAPTIONS)]])

    def forget_indexes(self) -> None:
        """Invalidate the indexes after the model or the index place has changed; running searches keep the old ones."""
        with self._lock:
            indexes, self._indexes = self._indexes, {}
        for index in indexes.values():
            index.release()
        self._forget_learnt()

    def _forget_learnt(self) -> None:
        """Drop the background, and all that was learnt for it."""
        with self._lock:
            self._label_spaces = {}
        self._background = self._best_relevances = self._known_labels = None
        self._concepts.forget()
