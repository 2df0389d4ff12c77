"""A query with a little more or less of something: what the buttons beside a picture lead to."""

from dataclasses import dataclass, replace

from clipsearch.query import Query, Term

STEP = 0.5
"""Of a weight; words have 1."""

_MOST = 5.0

# Each chip's buttons repeat the whole query: a page grows with the square of the chips.
MOST_CHIPS = 32


@dataclass(frozen=True, slots=True)
class Chip:
    """A term of a query, and the queries that its buttons lead to.

    Attributes:
        text: as it stands in the query, without its sign.
        content_id: of the picture that it is, else None.
        less, more, without: None where there is nothing left to ask for.
    """

    text: str
    kind: str
    weight: float
    content_id: int | None
    less: Query | None
    more: Query | None
    without: Query | None


def weigh_picture(query: Query, content_id: int, change: float) -> Query | None:
    """The query with more, or less, of a picture of the catalog; None when nothing that is wanted would be left."""
    wanted = Term("id", str(content_id))
    groups = query.groups or ((),)
    known = next((term for term in groups[0] if (term.kind, term.value) == (wanted.kind, wanted.value)), None)
    terms = [term for term in groups[0] if term is not known]
    weight = _bounded((known.weight if known is not None else 0.0) + change)
    if weight:
        terms.append(replace(wanted, weight=weight))
    return _with_group(query, 0, tuple(terms))


def chips_of(query: Query) -> list[Chip]:
    """A chip for each of the first 32 terms, where there is anything to weigh: more than one, or a picture."""
    terms = [(place, term) for place, group in enumerate(query.groups) for term in group]
    if len(terms) == 1 and terms[0][1].kind == "words":
        return []
    return [
        Chip(
            text=str(replace(term, weight=1.0)),
            kind=term.kind,
            weight=term.weight,
            content_id=int(term.value) if term.kind == "id" else None,
            less=_reweighed(query, place, term, term.weight - STEP),
            more=_reweighed(query, place, term, term.weight + STEP),
            without=_reweighed(query, place, term, 0.0),
        )
        for place, term in terms[:MOST_CHIPS]
    ]


def _reweighed(query: Query, place: int, changed: Term, weight: float) -> Query | None:
    weight = _bounded(weight)
    if weight == changed.weight:
        return None
    terms = tuple(
        replace(term, weight=weight) if term is changed else term
        for term in query.groups[place]
        if term is not changed or weight
    )
    return _with_group(query, place, terms)


def _bounded(weight: float) -> float:
    return max(-_MOST, min(_MOST, round(weight, 3)))


def _with_group(query: Query, place: int, terms: tuple[Term, ...]) -> Query | None:
    """None when the group has terms and none of them is wanted, or nothing is left at all."""
    if terms and all(term.weight < 0 for term in terms):
        return None
    groups = [*query.groups[:place], terms, *query.groups[place + 1 :]]
    left = tuple(group for group in groups if group)
    return Query(left, query.filters) if left or query.filters else None
