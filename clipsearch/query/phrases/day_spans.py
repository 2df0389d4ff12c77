"""Find several days of one or two months: "from 3 to 5 July 2019", "July 3-5, 2019", "3. und 4. Mai 2020"."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from clipsearch.query.phrases import calendar_words as names
from clipsearch.query.phrases.found_date import FoundDate
from clipsearch.query.phrases.words import Word, longest, phrase_list, skip_word, vocabulary

_LEADS = phrase_list(
    "from | from the | between | between the | on | on the | the | vom | von | zwischen dem | am | du | entre le | le "
    "| les | del | entre el | el | los | los días"
)
_BETWEEN = vocabulary("between zwischen entre")
_TO = vocabulary("to until till through thru bis au à al a hasta - – —")
_AND = vocabulary("and und et y & the le el den 1er")
_DAY = r"(\d{1,2})(?:st|nd|rd|th|er|\.)?"
_ONE_DAY = re.compile(_DAY, re.ASCII)
_TWO_DAYS = re.compile(rf"{_DAY}[-–—]{_DAY}", re.ASCII)
_NUMERIC = re.compile(r"(\d{1,2})\.[-–—](\d{1,2})\.(\d{1,2})\.(\d{4})", re.ASCII)
_DAY_AND_MONTH = re.compile(r"(\d{1,2})\.(\d{1,2})", re.ASCII)
_DAY_TO_YEAR = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", re.ASCII)
_OF = ("of", "de", "del")
_MOST_DAYS = 62


@dataclass(frozen=True, slots=True)
class _Days:
    """First and last day of a month, and where the words of it end; `has_list`: joined by "and"."""

    first: int
    last: int
    end: int


def find_day_span(words: Sequence[Word], at: int, today: date) -> FoundDate | None:
    """Find consecutive days with their month and year, with the words that lead to them.

    Raises:
        ValueError: there is no such day.
    """
    lead = longest(words, at, _LEADS)
    start = at + lead
    if start >= len(words) or (lead and words[start].follows_break):
        return None
    is_between = lead > 0 and words[at].key in _BETWEEN
    found = (
        _numeric(words, start)
        or _days_first(words, start, is_between=is_between)
        or _month_first(words, start, is_between=is_between)
        or _two_months(words, start, is_between=is_between)
    )
    if found is None:
        return None
    first, last, end = found
    if not 1826 <= last.year <= today.year + 1 or not first < last <= first + timedelta(days=_MOST_DAYS):
        return None
    return FoundDate(end - at, first, last + timedelta(days=1))


_Span = tuple[date, date, int]
"""First and last day, and the position after the words."""


def _numeric(words: Sequence[Word], at: int) -> _Span | None:
    """Find "3.-5.7.2019" and "3.7. bis 5.7.2019"."""
    if found := _NUMERIC.fullmatch(words[at].key):
        first, last, month, year = map(int, found.groups())
        return date(year, month, first), date(year, month, last), at + 1
    begin = _DAY_AND_MONTH.fullmatch(words[at].key)
    if begin is None or at + 2 >= len(words) or words[at + 1].key not in _TO:
        return None
    end = _DAY_TO_YEAR.fullmatch(words[at + 2].key)
    if end is None:
        return None
    year = int(end[3])
    return date(year, int(begin[2]), int(begin[1])), date(year, int(end[2]), int(end[1])), at + 3


def _days(words: Sequence[Word], at: int, *, is_between: bool) -> _Days | None:
    """Find "3 to 5", "3-5", "3., 4. und 5.": a range, or a list without gaps."""
    if pair := _TWO_DAYS.fullmatch(words[at].key):
        return _Days(int(pair[1]), int(pair[2]), at + 1)
    day = _ONE_DAY.fullmatch(words[at].key)
    if day is None:
        return None
    first = last = int(day[1])
    place = at + 1
    while place < len(words):
        is_range = words[place].key in _TO and first == last
        is_list = words[place].key in _AND
        following = place + (is_range or is_list)
        following = skip_word(words, following, ("the", "le", "el", "den", "dem", "zum"))
        if following >= len(words) or (following == place and not words[place].follows_break):
            break
        day = _ONE_DAY.fullmatch(words[following].key)
        if day is None:
            break
        number = int(day[1])
        if not (is_range or is_between) and number != last + 1:
            return None
        last, place = number, following + 1
        if is_range or is_between:
            break
    return _Days(first, last, place) if last > first else None


def _days_first(words: Sequence[Word], at: int, *, is_between: bool) -> _Span | None:
    """Find "3 to 5 July 2019", "3 al 5 de julio de 2019"."""
    days = _days(words, at, is_between=is_between)
    if days is None:
        return None
    place = skip_word(words, days.end, _OF)
    month = names.MONTHS.get(words[place].key) if place < len(words) else None
    place = skip_word(words, place + 1, _OF)
    year = _year(words, place)
    if month is None or year is None:
        return None
    return date(year, month, days.first), date(year, month, days.last), place + 1


def _month_first(words: Sequence[Word], at: int, *, is_between: bool) -> _Span | None:
    """Find "July 3-5, 2019"."""
    month = names.MONTHS.get(words[at].key)
    days = _days(words, at + 1, is_between=is_between) if month is not None and at + 1 < len(words) else None
    year = _year(words, days.end) if days is not None else None
    if month is None or days is None or year is None:
        return None
    return date(year, month, days.first), date(year, month, days.last), days.end + 1


def _two_months(words: Sequence[Word], at: int, *, is_between: bool) -> _Span | None:
    """Find "28 June to 3 July 2019", "June 28 - July 3, 2019"."""
    begin = _day_of_month(words, at)
    if begin is None:
        return None
    place = begin[2]
    joiners = _TO | _AND if is_between else _TO
    if place >= len(words) or words[place].key not in joiners:
        return None
    place = skip_word(words, place + 1, ("the", "le", "el", "den", "dem", "zum"))
    end = _day_of_month(words, place)
    if end is None:
        return None
    place = skip_word(words, end[2], _OF)
    year = _year(words, place)
    if year is None:
        return None
    return date(year - (begin[1] > end[1]), begin[1], begin[0]), date(year, end[1], end[0]), place + 1


def _day_of_month(words: Sequence[Word], at: int) -> tuple[int, int, int] | None:
    """Return day, month, and the position after them, in either order."""
    if at + 1 >= len(words):
        return None
    if day := _ONE_DAY.fullmatch(words[at].key):
        place = skip_word(words, at + 1, _OF)
        month = names.MONTHS.get(words[place].key) if place < len(words) else None
        return None if month is None else (int(day[1]), month, place + 1)
    month = names.MONTHS.get(words[at].key)
    day = _ONE_DAY.fullmatch(words[at + 1].key)
    return None if month is None or day is None else (int(day[1]), month, at + 2)


def _year(words: Sequence[Word], at: int) -> int | None:
    return int(words[at].key) if at < len(words) and re.fullmatch(r"\d{4}", words[at].key, re.ASCII) else None
