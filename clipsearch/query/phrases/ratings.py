"""Find ratings in the words of a query: "5 stars", "rated 4 or better", "my favourites", "au moins 4 étoiles"."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from clipsearch.description import BEST
from clipsearch.query.phrases import calendar_words as names
from clipsearch.query.phrases.dates import find_date
from clipsearch.query.phrases.file_facts import FoundFilter
from clipsearch.query.phrases.words import GENERIC, Word, longest, phrase_list, vocabulary

_STARS = vocabulary("star stars stern sterne sternen étoile étoiles etoile etoiles estrella estrellas")
_RATED = phrase_list(
    "rated | rated with | rated at | rating | rating of | bewertet mit | mit bewertung | bewertung | noté | notée | "
    "notés | notées | valorada con | valoradas con | valorado con | valorados con | puntuadas con"
)
_WITH = vocabulary("with mit avec con of de à")
_AT_LEAST = phrase_list(
    "at least | minimum | min | more than or equal to | mindestens | ab | wenigstens | au moins | minimum | al menos | "
    "como mínimo | por lo menos"
)
_OR_MORE = phrase_list(
    "or more | or better | or higher | or above | and up | and above | and more | and better | plus | oder mehr | oder "
    "besser | und mehr | und besser | ou plus | ou mieux | et plus | o más | o mas | o mejor | y más | o superior"
)
_NO_NUMBERS = vocabulary("a an ein eine einen einem einer un une una uno")
_PICTURES = vocabulary(
    "photo photos photograph photographs picture pictures pic pics image images shot shots fotos foto bilder bild "
    "aufnahmen imágenes imagenes photographies"
)
_OF = vocabulary("of von vom de d' du des del")
_FAVOURITES = phrase_list(
    "my favourites | my favorites | my favourite photos | my favorite photos | my favourite pictures | my favorite "
    "pictures | my favourite images | my favorite images | my favourite shots | my favorite shots | favourite photos | "
    "favorite photos | favourite pictures | favorite pictures | meine favoriten | meine lieblingsfotos | meine "
    "lieblingsbilder | lieblingsfotos | lieblingsbilder | mes favoris | mes favorites | mes photos préférées | mes "
    "images préférées | mes photos favorites | mis favoritos | mis favoritas | mis fotos favoritas | mis imágenes "
    "favoritas | mis fotos preferidas"
)
# Alone these are all of a query.
_LONE_FAVOURITES = vocabulary("favourites favorites favoriten favoris favoritos favoritas")
_BEST = phrase_list(
    "best rated | best-rated | top rated | top-rated | highest rated | highest-rated | am besten bewertet | am besten "
    "bewertete | am besten bewerteten | bestbewertete | bestbewerteten | les mieux notées | mieux notées | les mieux "
    "notés | mieux notés | mejor valoradas | las mejor valoradas | mejor valorados | mejor puntuadas | las mejor "
    "puntuadas"
)
# They have stars of their own.
_RATED_THINGS = vocabulary(
    "hotel hotels hôtel hôtels restaurant restaurants resort resorts general admiral review reviews michelin movie "
    "film films cuisine dinner hostel restaurante service flag flags fahne flagge drapeau bandera hotelzimmer suite"
)
_COMPOUND = re.compile(r"(\w+)-sterne-(?:fotos|bilder|aufnahmen)|(\w+)-stars?")


class KnowsRatings(Protocol):
    """Whatever knows the day and whether pictures are rated."""

    @property
    def today(self) -> date:
        """The date of today."""
        ...

    @property
    def is_rated(self) -> bool:
        """Whether any picture has a rating."""
        ...

    @property
    def favourites(self) -> tuple[str, str] | None:
        """Key and value of the filter for favourites; None where there are none."""
        ...


def find_rating(words: Sequence[Word], at: int, context: KnowsRatings) -> FoundFilter | None:
    """Find a rating, or favourites, at a word, with the words that lead to it."""
    if count := _favourites(words, at):
        return None if context.favourites is None else FoundFilter(count, *context.favourites)
    found = _best(words, at) or _stars(words, at, context.today)
    return found if found is not None and context.is_rated else None


def _favourites(words: Sequence[Word], at: int) -> int:
    """Return the number of words that say "my favourites"."""
    count = longest(words, at, _FAVOURITES)
    if not count and words[at].key in _LONE_FAVOURITES and at == 0:
        count = int(len(words) == 1 or words[1].key in _OF or words[1].follows_break)
    return count + _of(words, at + count) if count else 0


def _best(words: Sequence[Word], at: int) -> FoundFilter | None:
    count = longest(words, at, _BEST)
    if not count or (at + count < len(words) and words[at + count].key in _RATED_THINGS):
        return None
    end = at + count
    if end < len(words) and words[end].key in _PICTURES and not words[end].follows_break:
        end += 1 + _of(words, end + 1)
    return FoundFilter(end - at, "rating", str(BEST))


def _of(words: Sequence[Word], at: int) -> int:
    return int(at < len(words) - 1 and words[at].key in _OF and not words[at].follows_break)


def _number(key: str) -> int | None:
    """Return the stars of a word; articles are none."""
    if key in _NO_NUMBERS:
        return None
    number = int(key) if re.fullmatch("[1-5]", key) else names.NUMBERS.get(key)
    return number if number is not None and number <= BEST else None


def _stars(words: Sequence[Word], at: int, today: date) -> FoundFilter | None:
    """Find a number of stars: "5 stars", "five-star photos", "rated 4 or better", "at least 3 stars"."""
    if found := _COMPOUND.fullmatch(words[at].key):
        return _compound(words, at, _number(found[1] or found[2]), names_pictures=found[1] is not None)
    scale = _read_scale(words, at)
    if scale is None or _is_of_a_thing(words, at, scale.end):
        return None
    end = scale.end
    if scale.is_rated or scale.is_least:
        is_sure = scale.is_rated or _is_over(words, end, today) or words[end].key in _PICTURES | _OF
        value = f">={scale.number}" if scale.is_least else str(scale.number)
        return FoundFilter(_end_of_pictures(words, at, end) - at, "rating", value, is_sure)
    pictured = _of_pictures(words, at, end, scale.number)
    if pictured is not None or not _is_over(words, end, today):
        return pictured
    is_alone = at == 0 or words[at].follows_break or all(word.key in GENERIC for word in words[:at])
    is_sure = scale.is_digit if scale.number == 1 or not is_alone else True  # "one star" is in the sky
    is_sure = is_sure and (is_alone or not scale.has_with)
    return FoundFilter(end - at, "rating", str(scale.number), is_sure)


def _compound(words: Sequence[Word], at: int, number: int | None, *, names_pictures: bool) -> FoundFilter | None:
    """Find "Fünf-Sterne-Fotos", "five-star photos"."""
    if number is None or not names_pictures:
        return None if number is None else _of_pictures(words, at, at + 1, number)
    return FoundFilter(1 + _of(words, at + 1), "rating", str(number))


@dataclass(frozen=True, slots=True)
class _Scale:
    """Stars in words, up to `end`: after "rated", after "with", "at least" or "or more", and as a digit."""

    number: int
    end: int
    is_rated: bool
    has_with: bool
    is_least: bool
    is_digit: bool


def _read_scale(words: Sequence[Word], at: int) -> _Scale | None:
    rated = longest(words, at, _RATED)
    has_with = not rated and words[at].key in _WITH
    place = at + rated + has_with
    least = longest(words, place, _AT_LEAST)
    place += least
    if place >= len(words) or (place > at and words[place].follows_break):
        return None
    key = words[place].key
    number = _number(key.removesuffix("+"))
    end = place + 1
    has_stars = _is_stars(words, end)
    is_least = least > 0 or key.endswith("+") or (has_stars and words[end].key.endswith("+"))
    end += has_stars
    tail = longest(words, end, _OR_MORE) if end < len(words) and not words[end].follows_break else 0
    end += tail
    if not has_stars and tail and _is_stars(words, end):  # "4 or more stars"
        has_stars, end = True, end + 1
    if number is None or not (rated or has_stars):
        return None
    return _Scale(number, end, rated > 0, has_with, is_least or tail > 0, key[0].isdigit())


def _is_stars(words: Sequence[Word], at: int) -> bool:
    return at < len(words) and words[at].key.removesuffix("+") in _STARS and not words[at].follows_break


def _is_of_a_thing(words: Sequence[Word], at: int, end: int) -> bool:
    """Return whether the stars are those of a hotel, or of a flag."""
    is_after = at > 0 and words[at - 1].key in _RATED_THINGS
    return is_after or (end < len(words) and words[end].key in _RATED_THINGS)


_WITHOUT = vocabulary("without ohne sans sin no kein keine with mit avec con taken")


def _is_over(words: Sequence[Word], end: int, today: date) -> bool:
    """Return whether nothing follows, or an absence, people or a date."""
    return (
        end >= len(words)
        or words[end].follows_break
        or words[end].key in _WITHOUT
        or bool(find_date(words, end, today=today))
    )


def _end_of_pictures(words: Sequence[Word], at: int, end: int) -> int:
    """Return the end with the pictures that are rated, at the start of a query: "4+ star photos of"."""
    if at == 0 and end < len(words) and words[end].key in _PICTURES and not words[end].follows_break:
        return end + 1 + _of(words, end + 1)
    return end


def _of_pictures(words: Sequence[Word], at: int, end: int, number: int) -> FoundFilter | None:
    """Find "five star photos of", "five-star pictures"."""
    if end >= len(words) or words[end].key not in _PICTURES or words[end].follows_break:
        return None
    return FoundFilter(end + 1 + _of(words, end + 1) - at, "rating", str(number))
