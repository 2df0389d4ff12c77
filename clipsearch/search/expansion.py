"""Put saved searches in the place of their names in a query."""

import re
from dataclasses import replace

from clipsearch.errors import QueryError
from clipsearch.notices import notify
from clipsearch.query import MOST_TERMS, Query, Term, check_query, concept_name
from clipsearch.query.filters import MOST_FILTERS
from clipsearch.search.parsing import parse_local
from clipsearch.session.session import Session
from clipsearch.store.records import SavedSearch

MOST_NESTED = 16
"""Upper limit of the saved searches that contain each other."""

# A name within words, where it is no term.
_NAME_IN_WORDS = re.compile(r"(?<=\s)@(\S+)")


def resolve_query(query: str | Query, session: Session) -> Query:
    """Parse a query as `parse_local` does, and put saved searches in the place of their names.

    Its filters become filters of the query. The words of one with a single group of terms join the sum in which its
    name stands; several groups stay groups.

    Raises:
        QueryError: the query is invalid, or a saved search in it is, or has a - or a weight though it is more than
            words.
    """
    parsed = parse_local(query) if isinstance(query, str) else query
    has_names = any(term.kind == "concept" for group in parsed.groups for term in group)
    return _expand(parsed, session, ()) if has_names else parsed


def notify_names(query: Query, session: Session) -> None:
    """Say where a known name is part of words, and not looked for."""
    words = [term.value for group in query.groups for term in group if term.kind == "words" and "@" in term.value]
    for found in (name for text in words for name in _NAME_IN_WORDS.findall(text)):
        name = concept_name(found)
        if name is not None and (session.store.saved_searches.find(name) or session.store.concepts.find(name)):
            notify(f"@{name} is taken as one of the words: write a sign before it, as in 'words & @{name}'")


def _expand(query: Query, session: Session, opened: tuple[str, ...]) -> Query:
    """Expand a query inside of some saved searches."""
    groups: list[tuple[Term, ...]] = []
    filters = list(query.filters)
    for group in query.groups:
        terms: list[Term] = []
        apart: list[tuple[Term, ...]] = []
        for term in group:
            inner = _find_inner(term, session, opened)
            if inner is None:
                terms.append(term)
                continue
            filters += inner.filters
            if len(inner.groups) == 1:
                terms += [replace(each, weight=each.weight * term.weight) for each in inner.groups[0]]
            else:
                apart += inner.groups
        if apart and all(term.weight < 0 for term in terms):  # what is excluded needs something it is excluded from
            apart[-1] += tuple(terms)
        elif terms:
            apart.append(tuple(terms))
        groups += apart
    if sum(map(len, groups)) > MOST_TERMS or len(filters) > MOST_FILTERS:
        raise QueryError(f"with saved searches the query has more than {MOST_TERMS} terms or {MOST_FILTERS} filters")
    if any(all(term.weight < 0 for term in group) for group in groups):
        raise QueryError("only excluded terms: add one to search for, as in 'beach - people'")
    return Query(tuple(groups), tuple(filters))


def _find_inner(term: Term, session: Session, opened: tuple[str, ...]) -> Query | None:
    """Return what a term stands for; None where it is no saved search."""
    if term.kind != "concept":
        return None
    if term.value in opened:
        raise QueryError(f"the saved search @{term.value} refers to itself")
    if len(opened) > MOST_NESTED:
        raise QueryError(f"saved searches are nested more than {MOST_NESTED} deep")
    saved = session.store.saved_searches.find(term.value)
    if saved is None:
        return None
    inner = expand_search(saved, session, opened)
    if term.weight != 1 and (inner.filters or len(inner.groups) != 1):
        raise QueryError(f"@{saved.name} is more than words: it takes no - and no weight ({saved.query[:80]})")
    return inner


def expand_search(saved: SavedSearch, session: Session, opened: tuple[str, ...] = ()) -> Query:
    """Return what a saved search stands for; its text is untrusted.

    Args:
        opened: names of saved searches that it is part of.

    Raises:
        QueryError: it is invalid, refers to itself, or names a file or a URL.
    """
    from clipsearch.search.phrases import understand_query  # few queries have a saved search

    try:
        query = understand_query(saved.query, session).query
    except QueryError as error:
        raise QueryError(f"the saved search @{saved.name} can't be understood: {error}") from error
    for term in (term for group in query.groups for term in group):
        if term.kind == "picture":
            raise QueryError(f"a saved search names pictures by their numbers, as in id:42, not as {term.value[:80]}")
    found = _expand(query, session, (*opened, saved.name))
    check_query(found)
    return found
