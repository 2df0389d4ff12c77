"""Load a catalog's model, and check it against the one its embeddings come from."""

import threading
from dataclasses import replace
from typing import TYPE_CHECKING
from weakref import WeakSet

from clipsearch import settings
from clipsearch.errors import IndexMismatchError, StoreError
from clipsearch.notices import notify
from clipsearch.quantities import count
from clipsearch.store import Store, StoredModel
from clipsearch.types import ModelOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from clipsearch.encoders.base import Encoder
    from clipsearch.encoders.spec import EncoderRecipe
    from clipsearch.scoring.bank import Bank


class CatalogModel:
    """A catalog's model, with its row in the store; the encoder is loaded when it is first needed."""

    def __init__(self, store: Store, options: ModelOptions, *, is_shared: bool = False) -> None:
        """Take the store and the options of the encoder; the model is not loaded yet.

        Args:
            options: without a name, the catalog's own model.
            is_shared: several threads may use the encoder at once.
        """
        self._store = store
        self._options = options
        self._is_shared = is_shared
        self._encoder: Encoder | None = None
        self._row: StoredModel | None = None
        self._load_lock, self._registry_lock = threading.RLock(), threading.Lock()
        self._loaded: WeakSet[Encoder] = WeakSet()
        self._is_closed = False

    @property
    def encoder(self) -> "Encoder":
        """Loaded encoder.

        Raises:
            ModelUnavailableError: its files are not on this machine.
            IndexMismatchError: it is not the model that the catalog's embeddings come from.
            StoreError: the catalog is closed.
        """
        encoder = self._encoder
        if encoder is None:
            with self._load_lock:
                self.require_open()
                encoder = self._encoder or self._share(self._load_own())
                self._encoder = encoder
                self.require_open()
        return encoder

    def close(self) -> None:
        """Close every model that was loaded, also by calls that failed: a stored exception keeps its frames alive.

        Does not wait for one that another thread is loading: that thread closes it.
        """
        self._is_closed = True
        self._encoder = None
        with self._registry_lock:
            loaded = list(self._loaded)
        for encoder in loaded:
            encoder.close()

    def require_open(self) -> None:
        """Check that the catalog is open.

        Raises:
            StoreError: it is closed, perhaps while a model was loaded.
        """
        if self._is_closed:
            self.close()
            raise StoreError(f"the catalog {self._store.place} is closed")

    @property
    def row(self) -> StoredModel:
        """Row of the model, known without loading the catalog's own; the first model of a new catalog is registered."""
        row = self._row
        if row is not None:
            self._check_row(row)
            return row
        with self._load_lock:
            if self._row is None:
                self._row = self._find_row()
            return self._row

    def _find_row(self) -> StoredModel:
        current = self._store.reader.find_current_model()
        if current is not None and self._options.name in (None, current.name):
            return current
        encoder, models = self.encoder, self._store.models
        row = models.find(encoder.fingerprint)
        if row is None:
            row = models.add(name=encoder.name, fingerprint=encoder.fingerprint, dim=encoder.dim)
        if current is None:
            models.set_current(row.model_id)
        return row

    def find_precision(self) -> str | None:
        """Return the precision in which the catalog's model runs here, see `load.find_precision`; does not load it."""
        from clipsearch.encoders.load import find_precision

        current = self._store.reader.find_current_model()
        name = self._options.name or (None if current is None else current.name)
        return find_precision(replace(self._options, name=name))

    def suggest(self, name: str) -> None:
        """Set the model of a new catalog when none was requested, here or in the environment."""
        if (
            self._options.name is None
            and settings.model_name() is None
            and self._store.reader.find_current_model() is None
        ):
            self._options = replace(self._options, name=name)

    def encode_text(self, text: str) -> "NDArray[np.float32]":
        """Return a query's embedding (dim,), unit-norm; a cache hit does not load the model.

        Errors as in `encoder`.
        """
        from clipsearch.encoders.text_cache import encode_query

        row = self.row
        options = self._options
        if options.runtime == "torch" or options.device not in (None, "cpu"):  # no cache: the user wants it to run
            embedding: NDArray[np.float32] = self.encoder.encode_texts([text])[0]
            return embedding
        return encode_query(text, fingerprint=self._cache_key(row), dim=row.dim, load_encoder=lambda: self.encoder)

    def load_bank(self) -> "Bank":
        """Load the bank that the model's scores are calibrated against; cached, as encoding it takes some seconds."""
        from clipsearch.encoders.bank import load_bank

        row = self.row
        return load_bank(fingerprint=self._cache_key(row), dim=row.dim, load_encoder=lambda: self.encoder)

    def encode_labels(self, labels: "Sequence[str]") -> "NDArray[np.float32]":
        """Return embeddings (n, dim), unit-norm, of labels in the templates of `encoders.prompts`; cached."""
        from clipsearch.encoders.prompts import label_embeddings

        row = self.row
        return label_embeddings(
            labels, fingerprint=self._cache_key(row), dim=row.dim, load_encoder=lambda: self.encoder
        )

    def _cache_key(self, row: StoredModel) -> str:
        """Return the key of cached texts: those of a requested precision are not mixed with others."""
        precision = self._options.precision
        return row.fingerprint if precision in (None, "auto") else f"{row.fingerprint}@{precision}"

    def recipe(self) -> "EncoderRecipe":
        """Return how another process loads the encoder; errors as in `encoder`."""
        from clipsearch.encoders.spec import EncoderRecipe

        encoder = self.encoder
        return EncoderRecipe(
            encoder.name,
            encoder.fingerprint,
            device=self._options.device,
            runtime=self._options.runtime,
            precision=self._options.precision,
        )

    def load(self, name: str) -> "Encoder":
        """Load another model, with the options of this one."""
        from clipsearch.encoders.load import load_encoder

        return self._register(load_encoder(replace(self._options, name=name)))

    def switch(self, encoder: "Encoder", row: StoredModel) -> None:
        """Make a model, with its row, the catalog's own."""
        self._store.models.set_current(row.model_id)
        self._encoder, self._row = self._share(encoder), row

    def _register(self, encoder: "Encoder") -> "Encoder":
        with self._registry_lock:
            self._loaded.add(encoder)
        self.require_open()
        return encoder

    def _share(self, encoder: "Encoder") -> "Encoder":
        if not self._is_shared:
            return encoder
        from clipsearch.encoders.batching import SharedEncoder

        return SharedEncoder(encoder)

    def _check_row(self, row: StoredModel) -> None:
        """Check that the row still describes the same model.

        Raises:
            StoreError: it does not, as after the backup of another catalog was restored.
        """
        found = self._store.reader.find_model(row.model_id)
        if found is None or found.fingerprint != row.fingerprint:
            raise StoreError("the catalog was replaced by another one meanwhile: open it again")

    def _load_own(self) -> "Encoder":
        from clipsearch.encoders.load import load_chosen_encoder

        # Once a row was returned, the encoder is checked against it, whatever another process does meanwhile.
        current = self._row or self._store.reader.find_current_model()
        if current is None:
            return self._register(load_chosen_encoder(self._options))
        name = self._options.name or current.name
        encoder = self.load(name)
        if encoder.fingerprint != current.fingerprint:
            if self._options.name in (None, current.name):
                raise IndexMismatchError(
                    f"the model {name} has changed since this catalog was made: its embeddings can't be compared. "
                    f"To embed the pictures again: clipsearch model use {name}"
                )
            other = self._store.models.find(encoder.fingerprint)
            if other is None:
                raise IndexMismatchError(
                    f"this catalog was made with the model {current.name}, not {name}. "
                    f"To have both side by side: clipsearch model use {name}"
                )
            left = len(self._store.pictures.contents_without_embedding(model_id=other.model_id))
            if left:
                notify(
                    f"{count(left, 'picture is', 'pictures are')} not embedded with {name}, which is not the catalog's "
                    f"model, and not found. To embed all: clipsearch model use {name}",
                )
        return encoder
