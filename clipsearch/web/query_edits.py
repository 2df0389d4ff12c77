"""Edit the weights of a query, for the buttons next to pictures and terms."""

from dataclasses import dataclass, replace

from clipsearch.query import Query, Term
from clipsearch.query.syntax import content_id_of

STEP = 0.5
"""Step of a weight; words have 1."""

_MAX_WEIGHT = 5.0

# Each chip's buttons repeat the whole query, so that a page grows quadratically with the chips.
MAX_CHIPS = 32


@dataclass(frozen=True, slots=True)
class Chip:
    """A term of a query, and the edited queries of its buttons.

    Attributes:
        text: the term as written in the query, without its sign.
        content_id: of a picture term, else None.
        less, more, without: None when the edited query would be empty or unchanged.
    """

    text: str
    kind: str
    weight: float
    content_id: int | None
    less: Query | None
    more: Query | None
    without: Query | None


def weigh_picture(query: Query, content_id: int, change: float) -> Query | None:
    """Change the weight of a catalog picture in a query; None when no positive term would be left."""
    picture = Term("id", str(content_id))
    groups = query.groups or ((),)
    known = next((term for term in groups[0] if (term.kind, term.value) == (picture.kind, picture.value)), None)
    terms = [term for term in groups[0] if term is not known]
    weight = _clamp((known.weight if known is not None else 0.0) + change)
    if weight:
        terms.append(replace(picture, weight=weight))
    return _with_group(query, 0, tuple(terms))


def words_to_locate(query: Query) -> list[str]:
    """Return the words and concepts of a query, as `Catalog.heat_map` takes them."""
    return [
        f"@{term.value}" if term.kind == "concept" else term.value
        for group in query.groups
        for term in group
        if term.kind in ("words", "concept")
    ]


def chips_of(query: Query) -> list[Chip]:
    """Return a chip for each of the first 32 terms; none for a query of a single words term."""
    terms = [(place, term) for place, group in enumerate(query.groups) for term in group]
    if len(terms) == 1 and terms[0][1].kind == "words":
        return []
    return [
        Chip(
            text=str(replace(term, weight=1.0)),
            kind=term.kind,
            weight=term.weight,
            content_id=content_id_of(term.value) if term.kind == "id" else None,
            less=_reweighed(query, place, term, term.weight - STEP),
            more=_reweighed(query, place, term, term.weight + STEP),
            without=_reweighed(query, place, term, 0.0),
        )
        for place, term in terms[:MAX_CHIPS]
    ]


def _reweighed(query: Query, place: int, changed: Term, weight: float) -> Query | None:
    weight = _clamp(weight)
    if weight == changed.weight:
        return None
    terms = tuple(
        replace(term, weight=weight) if term is changed else term
        for term in query.groups[place]
        if term is not changed or weight
    )
    return _with_group(query, place, terms)


def _clamp(weight: float) -> float:
    return max(-_MAX_WEIGHT, min(_MAX_WEIGHT, round(weight, 3)))


def _with_group(query: Query, place: int, terms: tuple[Term, ...]) -> Query | None:
    """Replace a group of terms; None when all of its terms are negative, or the query would be empty."""
    if terms and all(term.weight < 0 for term in terms):
        return None
    groups = [*query.groups[:place], terms, *query.groups[place + 1 :]]
    remaining = tuple(group for group in groups if group)
    return Query(remaining, query.filters) if remaining or query.filters else None
