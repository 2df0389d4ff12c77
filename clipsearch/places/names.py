"""Find places by name, in any language."""

from collections.abc import Sequence
from dataclasses import dataclass

from clipsearch.places.keys import CODE_MARK, MOST_LETTERS, plain_name
from clipsearch.places.place import Place
from clipsearch.places.table import Table, table

MOST_WORDS = 6
"""Upper limit of the words of a mention."""

_LEAST_KNOWN, _LEAST_KNOWN_ABROAD, _LEAST_REGION = 50_000, 250_000, 500_000
"""Names of cities and regions with fewer people are ambiguous in a sentence: most words are the name of some village.
So are names of cities in other languages, since the table does not tell in which.
"""

_MAIN_NAME = 5
"""A place whose main name it is counts as many times its people: Zaragoza comes before Tijuana, once named so too."""

_OWN_SHARE = 0.25
"""A city with this share of the people of its region comes before the region, if both have the name."""

_MOST_QUALIFIERS = 3

_FIRST_OF_ASIA = "\u2e80"
"""Names from here on, in Unicode's order, are in scripts of which a character is a syllable or a word."""


@dataclass(frozen=True, slots=True)
class Mention:
    """The name of a place in a text.

    Attributes:
        length: number of words of the name.
        is_ambiguous: whether the place is to be offered rather than taken, as `is_ambiguous` says.
    """

    length: int
    place: Place
    is_ambiguous: bool


def look_up(name: str) -> tuple[Place, ...]:
    """Find the cities, regions and countries with a name, in any language, the most populous first.

    Those whose main name it is count five times. A city with at least a quarter of the people of its region comes
    before the region, if both have the name: New York.

    "Paris, Texas", "Paris, US" and "paris/texas" are qualified by a region or a country, or by the code of either.
    A country's code of two letters is a name. Case, accents, hyphens and apostrophes make no difference.
    """
    places = table()
    return tuple(places.place(row) for row in _rows(places, name))


def mention(words: Sequence[str], start: int = 0) -> Mention | None:
    """Find the longest name of a place that begins at a word; its place is the first of `look_up`.

    Punctuation at the ends of words separates a name from what qualifies it. Words of Chinese and Japanese are to be
    separated by the caller. A region or country after the name qualifies it: ("paris", "texas").
    """
    places = table()
    for length in range(min(MOST_WORDS, len(words) - start), 0, -1):
        chosen = [word.strip(",;.!?") for word in words[start : start + length]]
        if not all(chosen):
            continue
        plain = plain_name(" ".join(chosen))
        if rows := _rows_of(places, plain):
            return Mention(length, places.place(rows[0]), _is_ambiguous(places, plain, rows[0]))
        for last in range(length - 1, 0, -1):
            rows = _rows_of(places, plain_name(" ".join(chosen[:last])))
            areas = _areas(places, plain_name(" ".join(chosen[last:])), with_codes=False)
            if rows := _inside(places, rows, areas):
                return Mention(length, places.place(rows[0]), False)
    return None


def is_ambiguous(name: str) -> bool:
    """Return whether a name, without qualifiers, may well mean something else in a sentence.

    It does if it is also a frequent word, a given name or a surname, has three Latin letters or fewer (countries: two),
    or is the name of a city or region with few people. A name of no place is not ambiguous.
    """
    rows = _rows_of(table(), plain_name(name))
    return bool(rows) and _is_ambiguous(table(), plain_name(name), rows[0])


def _is_ambiguous(places: Table, plain: str, row: int) -> bool:
    kind, people = places.kind(row), places.population(row)
    if places.is_common(plain) or (plain < _FIRST_OF_ASIA and len(plain) <= (2 if kind == "country" else 3)):
        return True
    if kind == "city":
        is_own = plain == plain_name(places.name(row))
        return people < (_LEAST_KNOWN if is_own else _LEAST_KNOWN_ABROAD)
    return kind == "region" and people < _LEAST_REGION


def _rows(places: Table, name: str) -> list[int]:
    if len(name) > (_MOST_QUALIFIERS + 1) * MOST_LETTERS:
        return []
    first, *qualifiers = [part for part in name.replace("/", ",").split(",") if part.strip()] or [""]
    rows = _rows_of(places, plain_name(first))
    if len(qualifiers) > _MOST_QUALIFIERS:
        return []
    for qualifier in qualifiers:
        rows = _inside(places, rows, _areas(places, plain_name(qualifier), with_codes=True))
    return rows


def _rows_of(places: Table, plain: str) -> list[int]:
    """Return the rows of the places with a folded name, the most populous first."""
    if not plain or len(plain) > MOST_LETTERS or plain.startswith(CODE_MARK):
        return []
    people = {}
    for row in places.rows_named(plain):
        is_main = plain_name(places.name(row)) == plain
        people[row] = places.population(row) * (_MAIN_NAME if is_main else 1)
    return _by_population(places, people)


def _by_population(places: Table, people: dict[int, int]) -> list[int]:
    for city in [row for row in people if row < places.cities]:
        region = places.region_row(city)
        if region in people and places.population(city) >= _OWN_SHARE * places.population(region):
            people[region] = min(people[region], people[city] - 1)
    return sorted(people, key=lambda row: (-people[row], -row if row >= places.cities else row))


def _areas(places: Table, plain: str, *, with_codes: bool) -> set[int]:
    """Return the rows of the regions and countries with a name, or also with a code of one."""
    if not plain or len(plain) > MOST_LETTERS or plain.startswith(CODE_MARK):
        return set()
    rows = places.rows_named(plain)
    if with_codes:
        rows = rows + places.rows_named(CODE_MARK + plain)
    return {row for row in rows if row >= places.cities}


def _inside(places: Table, rows: Sequence[int], areas: set[int]) -> list[int]:
    return [row for row in rows if not areas.isdisjoint({places.region_row(row), places.country_row(row)} - {row})]
