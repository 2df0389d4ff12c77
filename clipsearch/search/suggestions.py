"""Suggest a corrected query ("did you mean") with words that the catalog and the model know."""

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from clipsearch.errors import IndexMismatchError, ModelError
from clipsearch.query import Query
from clipsearch.query.spelling import built_in_words, stems_of
from clipsearch.search.parsing import parse_local
from clipsearch.session.session import Session

if TYPE_CHECKING:
    from clipsearch.encoders.base import Encoder

# Whole words, without parts of names with digits, hyphens or apostrophes.
_WORD = re.compile(r"(?<![\w'’\-])[^\W\d_]{3,30}(?![\w'’\-])")

# A query with more unknown words is taken to be in another language.
_MOST_UNKNOWN = 4

# Shorter stems are tokens by chance.
_SHORTEST_STEM = 4


def suggest_query(query: "str | Query", session: Session) -> str | None:
    """Suggest a query with its typing errors corrected; None if it seems to have none."""
    session.require_open()
    parsed = parse_local(query) if isinstance(query, str) else query
    if parsed.filters or any(term.kind != "words" for group in parsed.groups for term in group):
        return None
    words = {word.lower() for group in parsed.groups for term in group for word in _WORD.findall(term.value)}
    corrections = _corrections_of(words, session)
    if not corrections:
        return None

    def correct(found: re.Match[str]) -> str:
        word = corrections.get(found[0].lower(), found[0])
        return word.capitalize() if found[0].istitle() else word

    groups = (tuple(replace(term, value=_WORD.sub(correct, term.value)) for term in group) for group in parsed.groups)
    return str(replace(parsed, groups=tuple(groups)))


def _corrections_of(words: set[str], session: Session) -> dict[str, str]:
    """Return the likely corrections of unknown words, by word. The cheapest checks come first."""
    unknown = {word for word in words if not built_in_words().knows(word)}
    if not unknown:
        return {}
    vocabulary = session.known_words()
    unknown = {word for word in unknown if not vocabulary.knows(word)}
    if len(unknown) > _MOST_UNKNOWN:
        return {}
    nearest = {word: found for word in unknown if (found := vocabulary.find_nearest(word)) is not None}
    try:
        return {word: found for word, found in nearest.items() if not _is_token(word, session.model.encoder)}
    except (ModelError, IndexMismatchError):  # an answer from the cache needs no model
        return {}


def _is_token(word: str, encoder: "Encoder") -> bool:
    """Return whether a word, or a stem of it, is a single token of the model, which has then seen it often."""
    most = encoder.count_tokens("") + 1
    stems = (stem for stem in stems_of(word) if len(stem) >= _SHORTEST_STEM)
    return any(encoder.count_tokens(each) <= most for each in (word, *stems))
