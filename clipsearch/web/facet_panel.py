"""Prepare the facets of the page: what narrows the results, with exact counts, and what can be taken back."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from clipsearch.description import BEST
from clipsearch.errors import ClipSearchError, QueryError
from clipsearch.formats import FILM_FORMATS
from clipsearch.gallery.details import CatalogFacets
from clipsearch.quantities import count
from clipsearch.query import Query
from clipsearch.query.filters import listed, parse_filter
from clipsearch.search.sorting import MOST_SORTED
from clipsearch.web.page_query import FIELDS, MAX_LINK_CHARS, SEVERAL, PageQuery
from clipsearch.web.query_edits import MAX_CHIPS
from clipsearch.web.state import Site

# Values of a facet that are shown at once, and behind "more".
_MOST_SHOWN, _MOST_VALUES = 8, 60

_LABELS = {"since": "from", "until": "to"}


@dataclass(frozen=True, slots=True)
class Facet:
    """A value that narrows the results, for the field and for display, and the number of pictures it leaves."""

    value: str
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class FacetGroup:
    """The values of one facet, of which the first `most` are shown at once."""

    name: str
    label: str
    facets: list[Facet]
    most: int = _MOST_SHOWN


@dataclass(frozen=True, slots=True)
class FacetPanel:
    """Template data of the filters.

    Attributes:
        hidden: name and value of each filter that is chosen and has no input that shows it.
        counted: what the counts are of, as a sentence.
        is_countable: the likely matches of the query can be counted, and are not yet.
    """

    groups: list[FacetGroup]
    hidden: list[tuple[str, str]]
    counted: str
    is_countable: bool


def make_panel(page_query: PageQuery, site: Site, *, likely: bool = False) -> tuple[FacetPanel, CatalogFacets]:
    """Build the panel of a query, and return the facets that it counts; of a query with a mistake, those of all.

    Args:
        likely: of a query with terms, count the likely matches, which takes longer than to search.
    """
    collection = site.catalog.pictures
    try:
        parsed = _parse(page_query, site)
        passing, has_terms = Query(filters=parsed.filters), bool(parsed.groups)
        found = collection.likely(parsed, pictures=site.uploads.for_query(parsed)) if likely and has_terms else []
        if found:
            passing = Query(filters=(*parsed.filters, listed(found)))
        facets = collection.facets(passing)
    except ClipSearchError:
        found, passing, has_terms = [], Query(), False
        facets = collection.facets()
    counted = f"{'Nothing is likely a match. ' if likely and has_terms and not found else ''}Counted: the "
    counted += f"{count(facets.pictures, 'picture')} that "
    counted += (
        "the filters let pass." if not found else "are likely matches." if len(found) < MOST_SORTED else "match best."
    )
    hidden = [(name, value) for name in FIELDS if name not in _SHOWN for value in _values(page_query, name)]
    groups = [
        FacetGroup(
            name,
            label,
            [
                Facet(value, text, _exact(name, value, values, passing, site))
                for value, text, number in values[:_MOST_VALUES]
                if number and value not in _values(page_query, name)
            ],
        )
        for name, label, values in _values_of(facets, passing, site)
        if name in SEVERAL or not getattr(page_query, name)
    ]
    return FacetPanel([group for group in groups if group.facets], hidden, counted, has_terms and not likely), facets


# Fields with an input that shows their value.
_SHOWN = ("since", "until", "folder")


def filter_links(page_query: PageQuery) -> list[tuple[str, str | None]]:
    """Return the filters of a query, in its fields and in its words, and the URL without each; None: it is too long.

    Raises:
        QueryError: it can't be understood.
    """
    found = [
        (f"{_LABELS.get(name, name)}: {value}", page_query.without(name, value))
        for name in FIELDS
        for value in _values(page_query, name)
    ]
    typed = page_query.typed
    for place, each in enumerate(typed.filters):
        rest = replace(typed, filters=typed.filters[:place] + typed.filters[place + 1 :])
        found.append((str(each), replace(page_query, q=str(rest) if rest != Query() else "")))
    links = [(label, without.url()) for label, without in found[:MAX_CHIPS]]
    return [(label, url if len(url) <= MAX_LINK_CHARS else None) for label, url in links]


def _parse(page_query: PageQuery, site: Site) -> Query:
    if page_query.q and not page_query.text:
        page_query = replace(page_query, q=site.catalog.understand(page_query.q).text)
    return page_query.parse()


def _values(page_query: PageQuery, name: str) -> tuple[str, ...]:
    value = getattr(page_query, name)
    return value if name in SEVERAL else (value,) if value else ()


Values: TypeAlias = Sequence[tuple[str, str, int]]
"""Values of a facet: as in its field, for display, and the number of pictures."""


def _exact(name: str, value: str, values: Values, passing: Query, site: Site) -> int:
    """Return the number of pictures that a value leaves: also those of names that have it in them."""
    folded = value.casefold()
    (known,) = (number for other, _, number in values if other == value)
    if name not in (*SEVERAL, "camera") or not any(
        folded in other.casefold() for other, *_ in values if other != value
    ):
        return known
    try:
        return _count(name, value, passing, site)
    except QueryError:
        return known


def _count(name: str, value: str, passing: Query, site: Site) -> int:
    narrowed = replace(passing, filters=(*passing.filters, parse_filter(name, value)))
    return site.catalog.pictures.count(narrowed)


def _values_of(facets: CatalogFacets, passing: Query, site: Site) -> tuple[tuple[str, str, Values], ...]:
    """Return the name, the label and the values of each facet, the most frequent first."""
    written, formats = facets.written, Counter[str]()
    for name, number in facets.formats.items():
        formats[{"MPO": "JPEG", "DIB": "BMP"}.get(name, name)] += number
    films = sum(number for name, number in facets.formats.items() if name in FILM_FORMATS)
    types: list[tuple[str, str, int]] = [("film", "films", films)]
    types += [("animation", "animations", _count("type", "animation", passing, site))]
    types += [(name.lower(), name, number) for name, number in formats.most_common()]
    stars = [
        (
            str(least),
            "★" * least + (" and more" if least < BEST else ""),
            sum(number for rating, number in written.ratings.items() if rating >= least),
        )
        for least in range(1, BEST + 1)
    ]
    return (
        ("type", "Type", types),
        ("camera", "Camera", _named(facets.cameras)),
        ("place", "Place", _named(written.places)),
        ("person", "Person", _named(written.people)),
        ("tag", "Tag", _named(written.tags)),
        ("album", "Album", _named(facets.albums)),
        ("kind", "Kind", _named(written.kinds)),
        ("rating", "Rating", stars),
        ("quality", "Quality", [("blurred", "blurred", facets.blurred), ("dark", "dark", facets.dark)]),
    )


def _named(counts: Mapping[str, int]) -> Values:
    return [(name, name, number) for name, number in sorted(counts.items(), key=lambda each: (-each[1], each[0]))]
