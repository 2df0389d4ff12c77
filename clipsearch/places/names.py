"""Find places by name, in any language."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from clipsearch.places.keys import CODE_MARK, MOST_LETTERS, plain_name
from clipsearch.places.place import Place
from clipsearch.places.table import Table, table

MOST_WORDS = 6
"""Upper limit of the words of a mention."""

_LEAST_KNOWN = 20_000
"""Names of cities with fewer people are ambiguous in a sentence: most words are the name of some village."""

_OWN_SHARE = 0.25
"""A city with this share of the people of its region comes before the region, if both have the name."""

_MOST_QUALIFIERS = 3


@dataclass(frozen=True, slots=True)
class Mention:
    """The name of a place in a text.

    Attributes:
        length: number of words of the name.
        is_ambiguous: whether the name is also a frequent word, a given name or a surname, has a letter or two, or is
            that of a small place only, so that the place is to be offered rather than taken.
    """

    length: int
    place: Place
    is_ambiguous: bool


def look_up(name: str) -> tuple[Place, ...]:
    """Find the cities, regions and countries with a name, in any language, the most populous first.

    "Paris, Texas", "Paris, US" and "paris/texas" are qualified by a region or a country, or by the code of either.
    A country's code of two letters is a name. Case, accents, hyphens and apostrophes make no difference. A city with at
    least a quarter of the people of its region comes before the region, if both have the name: New York.
    """
    places = table()
    return tuple(places.place(row) for row in _rows(places, name))


def mention(words: Sequence[str], start: int = 0) -> Mention | None:
    """Find the longest name of a place that begins at a word; the most populous place with it is taken.

    Punctuation at the ends of words separates a name from what qualifies it. Words of Chinese and Japanese are to be
    separated by the caller. A region or country after the name qualifies it: ("paris", "texas").
    """
    places = table()
    for length in range(min(MOST_WORDS, len(words) - start), 0, -1):
        chosen = [word.strip(",;.!?") for word in words[start : start + length]]
        if not all(chosen):
            continue
        if rows := _rows_of(places, plain_name(" ".join(chosen))):
            return Mention(length, places.place(rows[0]), _is_ambiguous(places, " ".join(chosen), rows[0]))
        for last in range(length - 1, 0, -1):
            rows = _rows_of(places, plain_name(" ".join(chosen[:last])))
            areas = _areas(places, plain_name(" ".join(chosen[last:])), with_codes=False)
            if rows := _inside(places, rows, areas):
                return Mention(length, places.place(rows[0]), False)
    return None


def is_ambiguous(name: str) -> bool:
    """Return whether a name of a place is also a frequent word, given name or surname, or has a letter or two.

    Chinese and Japanese names of two letters are not ambiguous.
    """
    return _is_word(table(), plain_name(name))


def _is_ambiguous(places: Table, name: str, row: int) -> bool:
    is_small = row < places.cities and places.population(row) < _LEAST_KNOWN
    return is_small or _is_word(places, plain_name(name))


def _is_word(places: Table, plain: str) -> bool:
    return places.is_common(plain) or len(plain) <= (2 if plain < "\u2e80" else 1)


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
    return _by_population(places, places.rows_named(plain))


def _by_population(places: Table, rows: Iterable[int]) -> list[int]:
    people = {row: places.population(row) for row in rows}
    for city in [row for row in people if row < places.cities]:
        region = places.region_row(city)
        if people[city] >= _OWN_SHARE * people.get(region, people[city] * 100 + 1):
            people[region] = people[city] - 1
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
