"""Suggest what to search for next: a corrected query, narrower queries, and related things in the catalog."""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from clipsearch.query import Query, Term
from clipsearch.query.spelling import stems_of
from clipsearch.scoring.narrowing import choose_narrowing, choose_related
from clipsearch.scoring.relevance import DEFAULT_CUTOFF
from clipsearch.search.engine import SearchOptions, answer_query
from clipsearch.search.expansion import resolve_query
from clipsearch.search.hits import embeddings_of
from clipsearch.search.suggestions import suggest_query
from clipsearch.search.terms import Pictures, embed_query
from clipsearch.session.session import Session
from clipsearch.vectors import normalise

# Hits that are compared with the labels, and suggestions of each kind.
_HITS, _MOST_NARROW, _MOST_RELATED = 100, 6, 5

_WORD = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True, slots=True)
class NarrowerQuery:
    """A query and a label that splits its hits.

    Attributes:
        query: `QUERY & label`, in the query language.
        count: of the first 100 relevant hits, those that the label fits.
    """

    label: str
    query: str
    count: int


@dataclass(frozen=True, slots=True)
class Suggestions:
    """What to search for next.

    Attributes:
        did_you_mean: the query with its typing errors corrected; None without any. Else nothing more is suggested.
        narrow: best first; empty when few hits are relevant.
        related: labels near the words of the query that pictures of the catalog show, nearest first; each is a query.
    """

    did_you_mean: str | None = None
    narrow: tuple[NarrowerQuery, ...] = ()
    related: tuple[str, ...] = ()


def find_suggestions(query: str | Query, session: Session, *, pictures: Pictures) -> Suggestions:
    """Suggest what to search for next; errors as in `Catalog.search`."""
    parsed = resolve_query(query, session)
    corrected = suggest_query(parsed, session)
    if corrected is not None or not parsed.groups:  # what lies near a misspelt word is arbitrary
        return Suggestions(corrected)
    hits = answer_query(parsed, session, SearchOptions(_HITS, pictures, DEFAULT_CUTOFF, notifies=False))
    known, row = session.known_labels(), session.model.row
    found = [embedding for embedding in embeddings_of(hits, session) if embedding is not None]
    rows = np.array(found, dtype=np.float32).reshape(-1, row.dim)
    labels = known.labels
    relevances = known.relevances(rows) if len(rows) else np.empty((0, len(labels)))
    taken = {stem for group in parsed.groups for term in group if term.kind == "words" for stem in _stems(term.value)}

    def is_new(label: str, chosen: Collection[str]) -> bool:
        return taken.isdisjoint(_stems(label)) and all(_stems(each).isdisjoint(_stems(label)) for each in chosen)

    narrow = [
        NarrowerQuery(labels[column], str(narrow_query(parsed, labels[column])), count)
        for column, count in choose_narrowing(relevances, labels, most=_MOST_NARROW, is_new=is_new)
    ]
    words = tuple(term for group in parsed.groups for term in group if term.kind == "words" and term.weight > 0)
    if not words:
        return Suggestions(None, tuple(narrow))
    (embedded,) = embed_query(Query((words,)), session, pictures={}).groups
    (text,) = normalise(np.sum(embedded.embeddings, axis=0)[np.newaxis])
    shown = {each.label for each in narrow}
    related = choose_related(
        known,
        known.nearness(text),
        relevances,
        most=_MOST_RELATED,
        is_new=lambda label, chosen: label not in shown and is_new(label, chosen),
    )
    return Suggestions(None, tuple(narrow), tuple(str(Query(((Term("words", labels[each]),),))) for each in related))


def narrow_query(query: Query, label: str) -> Query:
    """Return `QUERY & label`."""
    return replace(query, groups=(*query.groups, (Term("words", label),)))


def _stems(text: str) -> set[str]:
    words = [word.lower() for word in _WORD.findall(text)]
    return {*words, *(stem for word in words for stem in stems_of(word) if len(stem) > 2)}
