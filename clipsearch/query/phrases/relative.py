"""Find dates relative to today: "last summer", "two years ago", "vor 2 Jahren", "l'été dernier"."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import TypeAlias

from clipsearch.query.phrases import calendar_words as names
from clipsearch.query.phrases.found_date import FoundDate
from clipsearch.query.phrases.words import Word, look_up, skip_word, vocabulary

_DaysOfYear: TypeAlias = Callable[[int], tuple[date, date]]

_LAST = vocabulary("last letzten letztes letzte letzter letztem vergangenen vergangenes voriges vorigen")
_THIS = vocabulary("this dieses diesen diese dieser diesem ce cet cette este esta")
_LAST_AFTER = vocabulary("dernier dernière derniers dernières passé passée pasado pasada")
_TODAY = vocabulary("today heute aujourd'hui hoy")
_YESTERDAY = vocabulary("yesterday gestern hier ayer")
# "hier" is German for here.
_UNSURE_DAYS = vocabulary("hier")
_NIGHTS = vocabulary("night nacht evening abend")
RELATIVE_WORDS = _TODAY | _YESTERDAY | _NIGHTS | vocabulary("aujourd' hui")
"""Words of these dates, besides units, seasons, months and holidays."""

_AGO = (
    (("vor",), ()),
    (("il", "y", "a"), ()),
    (("hace",), ()),
    ((), ("ago",)),
)


def find_relative(words: Sequence[Word], at: int, today: date) -> FoundDate | None:
    """Find a date relative to today, without a word that leads to it."""
    found = _find(words, at, today)
    return None if found is None else replace(found, may_go_on=True)


def _find(words: Sequence[Word], at: int, today: date) -> FoundDate | None:
    key = words[at].key
    tomorrow = today + timedelta(days=1)
    is_at_an_end = (at in (0, len(words) - 1) or words[at].follows_break) and not (at > 0 and words[at].is_capital)
    if key in _TODAY or (key == "aujourd'" and at + 1 < len(words) and words[at + 1].key == "hui"):
        return FoundDate(2 if key == "aujourd'" else 1, today, tomorrow, is_sure=is_at_an_end)
    if key in _YESTERDAY:
        return FoundDate(1, today - timedelta(days=1), today, is_sure=is_at_an_end and key not in _UNSURE_DAYS)
    return _ago(words, at, today) or _last(words, at, today)


def _ago(words: Sequence[Word], at: int, today: date) -> FoundDate | None:
    """Find "two years ago", "vor 2 Jahren", "il y a deux ans", "hace dos años": that day, week, month or year."""
    for before, after in _AGO:
        place = at + len(before)
        if [word.key for word in words[at:place]] != list(before):
            continue
        count, unit = _number(words, place), names.UNITS.get(words[place + 1].key) if place + 1 < len(words) else None
        tail = [word.key for word in words[place + 2 : place + 2 + len(after)]]
        if count is not None and unit is not None and tail == list(after):
            return FoundDate(len(before) + 2 + len(after), *names.unit_days(unit, today, count))
    return None


def _number(words: Sequence[Word], at: int) -> int | None:
    if at >= len(words):
        return None
    key = words[at].key
    return int(key) if re.fullmatch(r"\d{1,3}", key, re.ASCII) else names.NUMBERS.get(key)


def _last(words: Sequence[Word], at: int, today: date) -> FoundDate | None:
    """Find "last summer", "this year", "the last three months", "l'été dernier", "el año pasado"."""
    place = skip_word(words, at, ("the", "die", "den", "das", "der", "im"))
    if place < len(words) and words[place].key in (*_LAST, "past"):
        begin = place + 1
        number = _number(words, begin)
        if number is not None and begin + 1 < len(words) and words[begin + 1].key in names.UNITS:
            return FoundDate(begin + 2 - at, *_span_of(names.UNITS[words[begin + 1].key], number, today))
        if begin < len(words) and words[place].key in _LAST:
            return _named_unit(words, begin, today, ago=1, count=begin + 1 - at)
        return None
    if place < len(words) and words[place].key in _THIS and place + 1 < len(words):
        return _named_unit(words, place + 1, today, ago=0, count=place + 2 - at)
    # The adjective stands after it.
    begin = skip_word(words, at, ("l'", "le", "la", "el"))
    if begin + 1 < len(words) and words[begin + 1].key in _LAST_AFTER:
        return _named_unit(words, begin, today, ago=1, count=begin + 2 - at)
    return None


def _span_of(unit: str, number: int, today: date) -> tuple[date, date]:
    """Return the days from `number` units before today up to today."""
    tomorrow = today + timedelta(days=1)
    if unit in (names.YEAR, names.MONTH):
        months = number * (12 if unit == names.YEAR else 1)
        month = names.add_months(today, -months)
        last = (names.add_months(month, 1) - timedelta(days=1)).day
        return month.replace(day=min(today.day, last)), tomorrow
    return today - timedelta(days=number * (1 if unit == names.DAY else 7)), tomorrow


def _named_unit(words: Sequence[Word], at: int, today: date, *, ago: int, count: int) -> FoundDate | None:
    """Find the last or the current one of a unit, a season, a month or a holiday.

    Args:
        count: words of the whole date.
    """
    key = words[at].key
    tomorrow = today + timedelta(days=1)
    if key in _NIGHTS and ago:
        return FoundDate(count, today - timedelta(days=1), tomorrow)
    unit = names.UNITS.get(key)
    if unit is not None:  # "the last day" is one of something else
        return None if unit == names.DAY else FoundDate(count, *names.unit_days(unit, today, ago))
    if (season := names.SEASONS.get(key)) is not None:
        return FoundDate(count, *_latest(lambda year: names.season_days(season, year), today, ago))
    if (month := names.MONTHS.get(key)) is not None:
        return FoundDate(count, *_latest(lambda year: names.month_days(year, month), today, ago))
    if (found := look_up(words, at, names.HOLIDAYS)) is not None:
        length, holiday = found
        days = _latest(lambda year: names.holiday_days(holiday, year), today, ago)
        return FoundDate(count - 1 + length, *days)
    return None


def _latest(days: _DaysOfYear, today: date, ago: int) -> tuple[date, date]:
    """Return the days in the year of today, or the latest ones that are over, where `ago` is 1."""
    if ago == 0:  # a winter that began last year may be going on
        start, end = days(today.year - 1)
        return (start, end) if start <= today < end else days(today.year)
    return next(found for year in range(today.year, today.year - 3, -1) if (found := days(year))[1] <= today)
