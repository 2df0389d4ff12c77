"""Find dates in the words of a query: days, months, seasons, holidays, years, ranges of them, and relative ones."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import TypeAlias

from clipsearch.query.phrases import calendar_words as names
from clipsearch.query.phrases.day_spans import find_day_span
from clipsearch.query.phrases.found_date import FoundDate
from clipsearch.query.phrases.relative import RELATIVE_WORDS, find_relative
from clipsearch.query.phrases.words import (
    FUNCTION_WORDS,
    Word,
    longest,
    look_up,
    matches,
    phrase_list,
    skip_word,
    vocabulary,
    words_of,
)
from clipsearch.query.phrases.year_parts import DECADE_WORDS, find_decade, find_part_of_year

# Photographs are not older. The year after the current one is there for clocks that are ahead.
_FIRST_YEAR = 1826
# Of a year without a word before it; older ones are as often part of a name.
_FIRST_BARE_YEAR = 1990


_Finder: TypeAlias = Callable[[Sequence[Word], int, date], FoundDate | None]


def find_date(words: Sequence[Word], at: int, *, today: date) -> FoundDate | None:
    """Find the longest date that starts at a word, with the words that lead to it ("in", "from", "since").

    It is not sure after words that change or negate it, or where the next word goes on with it.
    """
    if not _may_be_dated(words, at) or _is_part_of_more(words, at):
        return None
    found = [
        each
        for find in (_range, find_day_span, find_decade, _comparison, _introduced, find_relative, _bare)
        if (each := _guarded(find, words, at, today)) is not None
    ]
    best = max(found, key=lambda each: (each.count, each.is_sure), default=None)
    if best is None or not best.is_sure:
        return best
    key = words[at - 1].key if at > 0 and not words[at].follows_break else ""
    if _goes_on(words, at + best.count):
        return replace(best, is_sure=False)
    return replace(best, is_sure=key not in _DOUBTS and (not best.may_go_on or is_closed(words, at + best.count)))


# A date, and the words that lead to it, have one about time soon: "à la fin de l'année 2019" after five.
_MOST_WORDS = 7
_LONE_HOLIDAYS = frozenset(first for first, phrases in names.HOLIDAYS.items() if len(phrases[-1][0]) == 1)
_TIME_WORDS = frozenset(
    (*names.MONTHS, *names.SEASONS, *names.UNITS, *RELATIVE_WORDS, *DECADE_WORDS, *words_of(names.HOLIDAYS))
)


def _may_be_dated(words: Sequence[Word], at: int) -> bool:
    """Return soon whether anything from a word on is about time."""
    return any(word.has_digit or word.key in _TIME_WORDS for word in words[at : at + _MOST_WORDS])


def _is_part_of_more(words: Sequence[Word], at: int) -> bool:
    """Return whether the words before say another time with it: "except 2019", "early 2019", "5 to 10 May 2019"."""
    if at == 0:
        return False
    if words[at - 1].has_digit:  # "1. bis 5. Mai", "July 15-20, 2020"
        return True
    if words[at].follows_break:
        return False
    before, second = words[at - 1].key, words[at - 2].key if at > 1 else ""
    if before in _CHANGES or before in names.MONTHS or before in names.SEASONS or before in _LONE_HOLIDAYS:
        return True
    if before in _JOINERS | _OTHER_JOINERS and (second[:1].isdigit() or second in names.MONTHS):
        return True
    return before in _OF_A_THING and second in _CHANGES


def _goes_on(words: Sequence[Word], end: int) -> bool:
    """Return whether another date follows, as in "2018 and 2019"."""
    if end + 1 >= len(words) or words[end].key not in _JOINERS | _OTHER_JOINERS:
        return False
    key = words[end + 1].key
    return key[0].isdigit() or key in names.MONTHS or key in names.SEASONS


def _guarded(find: _Finder, words: Sequence[Word], at: int, today: date) -> FoundDate | None:
    try:
        return find(words, at, today)
    except (ValueError, OverflowError):  # there is no such day
        return None


_INTO = phrase_list(
    "the | der | in | in the | in the year | the year | of the year | from the year | on | on the | during | "
    "during the | from | from the | of | of the | at | taken | taken in | taken on | taken during | shot | shot "
    "in | dated | im | im jahr | im jahre | in den | am | an | vom | von | aus | aus dem jahr | während | zu | an "
    "den | aufgenommen | aufgenommen im | en | de | du | au | en l' | de l' | à l' | des | pendant | pendant l' | "
    "pendant le | durant l' | à | d' | le | les | l' | lors de | lors de l' | l' année | en l' année | de l' "
    "année | du mois de | prises en | prise en | del | del año | el año | en el año | en el | de el | durante | "
    "durante el | durante la | en la | a la | de la | el | la | en las | los | las | tomadas en | tomada en"
)
_SINCE = phrase_list("since | seit | depuis | depuis l' | depuis le | desde | desde el | ab | à partir de")
_AFTER = phrase_list("after | nach | nach dem | après | après le | después de")
_BEFORE = phrase_list("before | vor | vor dem | avant | avant le | antes de")
_UNTIL = phrase_list("until | till | bis | bis zum | jusqu'à | jusqu' à | jusqu' en | hasta")
_RANGE_LEADS = vocabulary("from between von zwischen de entre desde")
_RANGE_JOINERS = vocabulary("to and until till through bis und à et a y hasta - – —")
# Words before a date that change it: what they mean together is not known here.
_CHANGES = vocabulary(
    "except excluding without not until nicht außer ausser sauf excepto later earlier newer older up early late "
    "mid middle around about ca circa um anfang mitte ende début fin finales principios than since before after "
    "vor nach seit depuis avant après desde noel tag day evening week end month"
)
_OTHER_JOINERS = vocabulary("and und et y au al à a")
# Words before a date that stands on a thing, or is part of a name.
_DOUBTS = vocabulary(
    "for saying says year years built born made founded established est no number nr room model calendar sign "
    "plate tag baujahr his her my our their his mein meine mon ma mes mi mis windows office class"
)
# Between two dates without a word before them.
_JOINERS = vocabulary("to until till through bis - – —")
# With a year these may be the name of a thing, as in "class of 2019"; and Mars 2020 is a rover, if not a French month.
_OF_A_THING = vocabulary("of de von at am an à")
_FRENCH = vocabulary("en de du au depuis pendant")
_AMBIGUOUS_MONTHS = frozenset(("mars",))


def _range(words: Sequence[Word], at: int, today: date) -> FoundDate | None:
    """Find "from May to July 2019", "2015-2018", "between 2015 and 2018"."""
    if (pair := re.fullmatch(r"(\d{4})[-–—/](\d{4}|\d\d)", words[at].key, re.ASCII)) is not None:
        return _year_pair(pair[1], pair[2], today)
    lead = int(words[at].key in _RANGE_LEADS)
    begin = at + lead
    start = _point(words, begin, today)
    middle = begin + (start.count if start is not None else 1)
    has_joiner = middle + 1 < len(words) and words[middle].key in (_RANGE_JOINERS if lead else _JOINERS)
    end = _point(words, middle + 1, today) if has_joiner else None
    if end is None or end.start is None or end.end is None:
        return None
    first = _month_of_range(words[begin].key, end) if start is None else start.start
    if first is None or first >= end.end:
        return None
    are_sure = end.is_sure and (start is None or start.is_sure)
    return FoundDate(middle + 1 + end.count - at, first, end.end, lead > 0 or are_sure, end.may_go_on)


def _year_pair(first: str, last: str, today: date) -> FoundDate | None:
    """Return the years of "2015-2018" or "2015-18"; "2015-08" is a month."""
    start, end = int(first), int(first[: 4 - len(last)] + last)
    is_month = len(last) == 2 and 1 <= int(last) <= 12
    if is_month or not (_is_year(start, today) and _is_year(end, today) and start < end):
        return None
    return FoundDate(1, date(start, 1, 1), date(end + 1, 1, 1), is_sure=start >= _FIRST_BARE_YEAR, may_go_on=True)


def _month_of_range(key: str, end: FoundDate) -> date | None:
    """Return the first day of a month whose year stands at the end: "from May to July 2019"."""
    month = names.MONTHS.get(key)
    if month is None or end.start is None or end.end is None or (end.end - end.start).days > 31:
        return None
    return date(end.start.year - (month > end.start.month), month, 1)


def _point(words: Sequence[Word], at: int, today: date) -> FoundDate | None:
    if at >= len(words):
        return None
    found, year = _dated(words, at, today), _year(words, at, today)
    if found is None and year is not None:
        return FoundDate(1, *names.year_days(year), year >= _FIRST_BARE_YEAR, may_go_on=True)
    return found


def _dated(words: Sequence[Word], at: int, today: date) -> FoundDate | None:
    """Find a date that needs no word before it to be one."""
    part = find_part_of_year(words, at)
    if part is not None and part.start is not None and _is_year(part.start.year, today):
        return part
    return _guarded(find_relative, words, at, today) or _guarded(_calendar, words, at, today)


def _comparison(words: Sequence[Word], at: int, today: date) -> FoundDate | None:
    """Find "since 2019", "before last summer", "until May 2020"."""
    for entries, is_start, is_included in (
        (_SINCE, True, True),
        (_AFTER, True, False),
        (_BEFORE, False, False),
        (_UNTIL, False, True),
    ):
        lead = longest(words, at, entries)
        found = _point(words, at + lead, today) if lead else None
        if found is None or found.start is None or found.end is None:
            continue
        count = lead + found.count
        if is_start:
            return FoundDate(count, found.start if is_included else found.end, None, may_go_on=found.may_go_on)
        return FoundDate(count, None, found.end if is_included else found.start, may_go_on=found.may_go_on)
    return None


def _introduced(words: Sequence[Word], at: int, today: date) -> FoundDate | None:
    """Find a date after a word such as "in" or "from"."""
    leads = {len(entry) for entry in _INTO.get(words[at].key, ()) if matches(words, at, entry)}
    for lead in sorted(leads, reverse=True):
        begin = at + lead
        if begin >= len(words) or words[begin].follows_break:
            continue
        found = _dated(words, begin, today)
        if found is not None:
            is_sure = found.is_sure or (words[begin].key in _AMBIGUOUS_MONTHS and words[at].key in _FRENCH)
            return replace(found, count=lead + found.count, is_sure=is_sure)
        year = _year(words, begin, today)
        if year is not None:
            is_last = is_closed(words, begin + 1)
            is_of_a_thing = words[at].key in _OF_A_THING
            return FoundDate(lead + 1, *names.year_days(year), is_sure=is_last and not is_of_a_thing)
    return None


def is_closed(words: Sequence[Word], end: int) -> bool:
    """Return whether nothing goes on with what ends there: a noun would, as in "this winter coat", "in 2000 pieces"."""
    return end >= len(words) or words[end].follows_break or words[end].key in FUNCTION_WORDS


def _bare(words: Sequence[Word], at: int, today: date) -> FoundDate | None:
    """Find a date without a word before it; a year alone only at the end."""
    found = _dated(words, at, today)
    if found is not None:
        return found
    year = _year(words, at, today)
    if year is None:
        return None
    is_after_months = at > 0 and any(part in names.MONTHS for part in re.split("[-–/]", words[at - 1].key))
    is_sure = at == len(words) - 1 and _FIRST_BARE_YEAR <= year <= today.year and not is_after_months
    return FoundDate(1, *names.year_days(year), is_sure=is_sure)


def _is_year(year: int, today: date) -> bool:
    return _FIRST_YEAR <= year <= today.year + 1


def _year(words: Sequence[Word], at: int, today: date) -> int | None:
    if at < len(words) and re.fullmatch(r"\d{4}", words[at].key, re.ASCII):
        year = int(words[at].key)
        return year if _is_year(year, today) else None
    return None


def _calendar(words: Sequence[Word], at: int, today: date) -> FoundDate | None:
    """Find a day, a month, a season or a holiday, each with its year."""
    return (
        _numeric_day(words[at].key, today)
        or _named_day(words, at, today)
        or _month_first_day(words, at, today)
        or _month(words, at, today)
        or _season(words, at, today)
        or _holiday(words, at, today)
    )


def _numeric_day(key: str, today: date) -> FoundDate | None:
    is_sure = True
    if found := re.fullmatch(r"(\d{4})[-/.](\d{1,2})(?:[-/.](\d{1,2}))?", key, re.ASCII):
        year, month, day = int(found[1]), int(found[2]), int(found[3]) if found[3] else None
    elif found := re.fullmatch(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})", key, re.ASCII):
        day, month, year = int(found[1]), int(found[2]), int(found[3])
        if "/" in key or "-" in key:
            is_sure = day > 12 or month > 12 or day == month
            if month > 12:
                day, month = month, day
    elif found := re.fullmatch(r"(\d{1,2})[./](\d{4})", key, re.ASCII):
        day, month, year = None, int(found[1]), int(found[2])
    else:
        return None
    if not _is_year(year, today):
        return None
    first = date(year, month, day or 1)
    return FoundDate(1, first, names.add_months(first, 1) if day is None else first + timedelta(days=1), is_sure)


_DAY = re.compile(r"(\d{1,2})(?:st|nd|rd|th|er|e|\.)?", re.ASCII)


def _named_day(words: Sequence[Word], at: int, today: date) -> FoundDate | None:
    """Find "15th of July 2023", "15. Juli 2023", "15 de julio de 2023"."""
    day = _DAY.fullmatch(words[at].key)
    place = skip_word(words, at + 1, ("of", "de"))
    month = names.MONTHS.get(words[place].key) if day is not None and place < len(words) else None
    if day is None or month is None:
        return None
    place = skip_word(words, place + 1, ("de", "del", "of"))
    year = _year(words, place, today)
    if year is None:
        return None
    first = date(year, month, int(day[1]))
    return FoundDate(place + 1 - at, first, first + timedelta(days=1))


def _month_first_day(words: Sequence[Word], at: int, today: date) -> FoundDate | None:
    """Find "July 15, 2023"."""
    month = names.MONTHS.get(words[at].key)
    day = _DAY.fullmatch(words[at + 1].key) if at + 1 < len(words) else None
    year = _year(words, at + 2, today)
    if month is None or day is None or year is None:
        return None
    first = date(year, month, int(day[1]))
    return FoundDate(3, first, first + timedelta(days=1))


def _month(words: Sequence[Word], at: int, today: date) -> FoundDate | None:
    month = names.MONTHS.get(words[at].key)
    place = skip_word(words, at + 1, ("of", "de", "del"))
    year = _year(words, place, today)
    if month is None or year is None or words[place].follows_break:
        return None
    is_sure = words[at].key not in _AMBIGUOUS_MONTHS
    return FoundDate(place + 1 - at, *names.month_days(year, month), is_sure)


def _season(words: Sequence[Word], at: int, today: date) -> FoundDate | None:
    season = names.SEASONS.get(words[at].key)
    place = skip_word(words, at + 1, ("of", "de", "del"))
    if season is None or place >= len(words) or words[place].follows_break:
        return None
    pair = re.fullmatch(r"(\d{4})[-/–](\d{4}|\d\d)", words[place].key, re.ASCII)
    year = int(pair[1]) if pair and season == names.WINTER else _year(words, place, today)
    if year is None or not _is_year(year, today):
        return None
    return FoundDate(place + 1 - at, *names.season_days(season, year))


def _holiday(words: Sequence[Word], at: int, today: date) -> FoundDate | None:
    found = look_up(words, at, names.HOLIDAYS)
    if found is None:
        return None
    count, holiday = found
    place = skip_word(words, at + count, ("of", "de", "del"))
    year = _year(words, place, today)
    return None if year is None else FoundDate(place + 1 - at, *names.holiday_days(holiday, year))
