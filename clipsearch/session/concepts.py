"""Learn the concepts of a catalog from their stored examples, for the model in use."""

import threading
from typing import TYPE_CHECKING

from clipsearch.errors import QueryError, UnknownConceptError
from clipsearch.session.model import CatalogModel
from clipsearch.store import Store
from clipsearch.types import Concept

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from clipsearch.scoring.concepts import ConceptDirection, WeakNegatives
    from clipsearch.scoring.relevance import Background

# Directions that are cached, of the concepts used last.
_MOST_CACHED = 64


class ConceptLearner:
    """Concepts as directions, cached while their examples and the background stay the same. Thread-safe.

    The cache is the only place of a direction: with another model, all are learnt again from its stored embeddings.
    """

    def __init__(self, store: Store, model: CatalogModel) -> None:
        self._store = store
        self._model = model
        self._cached: dict[Concept, ConceptDirection] = {}
        self._others: tuple[Background, WeakNegatives] | None = None
        self._lock = threading.Lock()

    def learn(self, name: str, background: "Background") -> "ConceptDirection":
        """Return the direction of a concept.

        Raises:
            UnknownConceptError: there is none of this name.
            QueryError: nothing tells it from other pictures.
        """
        concept = get_concept(name, self._store, is_in_query=True)
        with self._lock:
            others = self._others_of(background)
            found = self._cached.pop(concept, None)
            if found is not None:
                self._cached[concept] = found  # most recently used last, for eviction
                return found
        found = self._learn(concept, background, others)
        with self._lock:
            if self._others is not None and self._others[1] is others:
                self._cached[concept] = found
                while len(self._cached) > _MOST_CACHED:
                    del self._cached[next(iter(self._cached))]
        return found

    def forget(self) -> None:
        """Drop all directions, and the background that they were learnt for."""
        with self._lock:
            self._cached.clear()
            self._others = None

    def _others_of(self, background: "Background") -> "WeakNegatives":
        """Return the weak negatives of a background; another one, as of another model, invalidates the cache."""
        from clipsearch.scoring.concepts import WeakNegatives

        if self._others is None or self._others[0] is not background:
            self._cached.clear()
            self._others = background, WeakNegatives.learn(background.sample)
        return self._others[1]

    def _learn(self, concept: Concept, background: "Background", others: "WeakNegatives") -> "ConceptDirection":
        from clipsearch.scoring.concepts import ConceptExamples, learn_concept

        words, familiarity = None, 1.0
        if concept.words is not None:
            (words,) = self._model.encode_labels([concept.words])
            familiarity = background.bank.familiarity_of(words)
        positives, negatives = (self._embeddings(ids) for ids in (concept.positives, concept.negatives))
        if not len(positives) and words is None:
            raise QueryError(
                f"@{concept.name} has no picture that the model knows: add some with 'clipsearch concept add "
                f"{concept.name} PICTURE...'"
            )
        found = learn_concept(ConceptExamples(positives, negatives, words, familiarity), others)
        if found is None:
            raise QueryError(f"nothing tells the examples of @{concept.name} from the catalog's other pictures")
        return found

    def _embeddings(self, content_ids: tuple[int, ...]) -> "NDArray[np.float32]":
        """Return the embeddings (n, dim) of contents that the model has embedded."""
        import numpy as np

        row = self._model.row
        found = self._store.reader.embeddings(content_ids, model_id=row.model_id, dim=row.dim)
        return np.array([found[number] for number in content_ids if number in found], np.float32).reshape(-1, row.dim)


def get_concept(name: str, store: Store, *, is_in_query: bool = False) -> Concept:
    """Return a concept by its folded name.

    Args:
        is_in_query: where there is none, a saved search or words may be meant.

    Raises:
        UnknownConceptError: there is none of this name.
    """
    concept = store.concepts.find(name)
    if concept is None:
        from difflib import get_close_matches

        names = store.concepts.names()
        if is_in_query:
            names = sorted([*names, *(saved.name for saved in store.saved_searches.list_all())])
        if near := get_close_matches(name, names, n=3):
            hint = f"did you mean {' or '.join(f'@{each}' for each in near)}?"
        else:
            known = f"; known are {', '.join(f'@{each}' for each in names[:3])}" if names else ""
            more = " …" if len(names) > 3 else ""
            hint = f"teach it with 'clipsearch concept add {name} PICTURE...'{known}{more}"
        if is_in_query:
            hint += " (words with an @ go in quotes)"
        raise UnknownConceptError(f"there is no concept{' or saved search' if is_in_query else ''} @{name}: {hint}")
    return concept
