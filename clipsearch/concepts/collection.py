"""Store the concepts of a catalog and their examples."""

import builtins
import re
from collections.abc import Iterable

from clipsearch.errors import InputError, QueryError
from clipsearch.query import concept_name
from clipsearch.search.indexed_pictures import IndexedPicture, find_indexed
from clipsearch.session.concepts import get_concept
from clipsearch.session.session import Session
from clipsearch.text import check_text
from clipsearch.types import Concept

MOST_EXAMPLES = 1_000
"""Upper limit of the examples of a concept, positive and negative ones."""

# A name of letters that a model may know; its hyphens and underscores stand for blanks.
_LIKE_WORDS = re.compile(r"[^\d]{3,}")


class ConceptCollection:
    """`Catalog.concepts`: what examples have taught, to search for as `@name`.

    A concept is learnt when it is first searched for, and again after its examples, the model or many pictures of the
    catalog have changed.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._session.describe()}>"

    def add(
        self,
        name: str,
        positives: Iterable[IndexedPicture] = (),
        *,
        negatives: Iterable[IndexedPicture] = (),
        words: str | None = None,
    ) -> Concept:
        """Teach a concept, or add examples to one.

        Args:
            name: letters, digits, hyphens and underscores, with or without an @; case-insensitive.
            positives: pictures of the catalog that show it; three to twenty are best.
            negatives: pictures that don't, though they look like it.
            words: that describe it, "" for none. None: unchanged; of a new concept, its name where it may be a word.

        Raises:
            InputError: the name is invalid, or a picture is missing or not indexed.
            QueryError: a new concept has no positive example, or there are more than 1,000 examples.
            UnknownPictureError: the catalog has no picture with an id.
            ImageReadError: a file can't be read.
        """
        folded = _folded(name)
        self._session.require_pictures()
        store = self._session.store
        added, excluded = (find_indexed(pictures, store) for pictures in (positives, negatives))
        if both := set(added) & set(excluded):
            raise QueryError(f"id:{min(both)} can't be an example and none: leave it out of one of the two")
        if words is not None and words.strip():
            check_text(words, "description")
        known = store.concepts.find(folded)
        if store.saved_searches.find(folded) is not None:
            raise InputError(f"@{folded} is a saved search: choose another name")
        if known is None and not added:
            raise QueryError(f"name at least one picture of @{folded}, as in 'clipsearch concept add {folded} a.jpg'")
        before = () if known is None else (*known.positives, *known.negatives)
        examples_count = len({*before, *added, *excluded})
        if examples_count > MOST_EXAMPLES:
            raise QueryError(f"a concept has up to {MOST_EXAMPLES:,} examples, not {examples_count:,}")
        if words is None:
            words = _words_of(name) if known is None else known.words
        examples = [*((number, True) for number in added), *((number, False) for number in excluded)]
        store.concepts.add(folded, " ".join((words or "").split()) or None, examples)
        return get_concept(folded, store)

    def list(self) -> builtins.list[Concept]:
        """List all concepts by name."""
        return self._session.store.concepts.list_all()

    def get(self, name: str) -> Concept:
        """Return a concept.

        Raises:
            UnknownConceptError: there is none of this name.
        """
        return get_concept(_folded(name), self._session.store)

    def remove(self, name: str) -> bool:
        """Delete a concept; return whether there was one."""
        return self._session.store.concepts.remove(_folded(name))

    def remove_examples(self, name: str, pictures: Iterable[IndexedPicture]) -> int:
        """Delete examples of a concept, positive or negative ones; return the number deleted.

        Raises:
            UnknownConceptError: there is none of this name.
        """
        concept, store = self.get(name), self._session.store
        return store.concepts.remove_examples(concept.name, find_indexed(pictures, store))


def _folded(name: str) -> str:
    folded = concept_name(name.removeprefix("@"))
    if folded is None:
        raise InputError(
            f"invalid name of a concept: {name[:80]!r}; use letters, digits, - and _, up to 64, as in rex or our-house"
        )
    return folded


def _words_of(name: str) -> str | None:
    """Return the words of a name such as "red-panda"; None for one that is no word."""
    words = re.sub("[-_]+", " ", name.removeprefix("@")).strip()
    return words if _LIKE_WORDS.fullmatch(words) else None
