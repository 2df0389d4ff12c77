"""Find dates and absences in Chinese, which is written without blanks."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

from clipsearch.query.phrases import calendar_words as names
from clipsearch.query.phrases.found_date import FoundDate

_SEASONS = {"春": names.SPRING, "夏": names.SUMMER, "秋": names.AUTUMN, "冬": names.WINTER}


@dataclass(frozen=True, slots=True)
class FoundChinese:
    """A phrase, as positions in the text: a date, today's day in earlier years, or what is excluded."""

    start: int
    end: int
    date: FoundDate | None = None
    thing: str = ""
    is_this_day: bool = False


_Days = tuple[date | None, date | None]
_YEAR = r"(1[89]\d\d|20\d\d)年"
# Words about today are none inside of longer words; seasons and months after them leave little doubt.
_START = r"(?<![\u4e00-\u9fff])"
_CLEAR = r"(?<![过失死离上下回出进逝当往])"
_END = r"(?=的|$|[\s，,。、拍在])"
_DECADES = {"五": 1950, "六": 1960, "七": 1970, "八": 1980, "九": 1990}
_YEAR_PARTS = {"初": (1, 5), "中": (5, 9), "底": (9, 13), "末": (9, 13)}


def _part_of_year(year: int, part: str) -> _Days:
    first, end = _YEAR_PARTS[part]
    return date(year, first, 1), names.add_months(date(year, first, 1), end - first)


def _decade(found: re.Match[str]) -> _Days:
    century, tens = found[1], found[2]
    year = _DECADES[tens[0]] if tens[0] in _DECADES else int(tens) + 100 * int(century or 19)
    if century is None and not 1950 <= year < 2000:
        return None, None
    return date(year, 1, 1), date(year + 10, 1, 1)


def _days_of_months(found: re.Match[str]) -> _Days:
    year, month, first, other, last = int(found[1]), int(found[2]), int(found[3]), found[4], int(found[5])
    start, end = date(year, month, first), names.unit_days(names.DAY, date(year, int(other or month), last), 0)[1]
    return (start, end) if start < end else (None, None)


_PATTERNS: tuple[tuple[str, Callable[[re.Match[str], date], _Days]], ...] = (
    (
        r"(1[89]\d\d|20\d\d)年?(?:到|至|-)(1[89]\d\d|20\d\d)年",
        lambda m, _: (date(int(m[1]), 1, 1), date(int(m[2]) + 1, 1, 1)),
    ),
    (_YEAR + r"(\d{1,2})月(\d{1,2})[日号]?[到至\-–~](?:(\d{1,2})月)?(\d{1,2})[日号]", lambda m, _: _days_of_months(m)),
    (
        _YEAR + r"(\d{1,2})月份?[到至\-–~](\d{1,2})月份?",
        lambda m, _: (date(int(m[1]), int(m[2]), 1), names.month_days(int(m[1]), int(m[3]))[1]),
    ),
    (r"(?<!\d)(18|19|20)?(\d0|[五六七八九]十)年代", lambda m, _: _decade(m)),
    (_YEAR + r"([初底末]|中(?=的))" + _END, lambda m, _: _part_of_year(int(m[1]), m[2])),
    (
        _YEAR + r"(\d{1,2})月(\d{1,2})[日号]",
        lambda m, _: names.unit_days(names.DAY, date(int(m[1]), int(m[2]), int(m[3])), 0),
    ),
    (_YEAR + r"(\d{1,2})月(?:份)?(?![到至])", lambda m, _: names.month_days(int(m[1]), int(m[2]))),
    (_YEAR + r"的?([春夏秋冬])[天季]", lambda m, _: names.season_days(_SEASONS[m[2]], int(m[1]))),
    (_YEAR + r"的?圣诞节?", lambda m, _: names.holiday_days(names.CHRISTMAS, int(m[1]))),
    (_YEAR + r"(?:以后|之后)", lambda m, _: (date(int(m[1]) + 1, 1, 1), None)),
    (_YEAR + r"(?:以前|之前)", lambda m, _: (None, date(int(m[1]), 1, 1))),
    # Before a noun without 的, it is an age, an edition or the start of another date.
    (_YEAR + _END, lambda m, _: names.year_days(int(m[1]))),
    (_CLEAR + r"去年的?([春夏秋冬])[天季]", lambda m, today: names.season_days(_SEASONS[m[1]], today.year - 1)),
    (_CLEAR + r"今年的?([春夏秋冬])[天季]", lambda m, today: names.season_days(_SEASONS[m[1]], today.year)),
    (_CLEAR + r"去年的?(\d{1,2})月(?![\d到至])", lambda m, today: names.month_days(today.year - 1, int(m[1]))),
    (_CLEAR + r"前年的?([春夏秋冬])[天季]", lambda m, today: names.season_days(_SEASONS[m[1]], today.year - 2)),
    (_START + r"前年" + _END, lambda _, today: names.year_days(today.year - 2)),
    (_START + r"去年" + _END, lambda _, today: names.year_days(today.year - 1)),
    (_START + r"今年" + _END, lambda _, today: names.year_days(today.year)),
    (_START + r"上个月" + _END, lambda _, today: names.unit_days(names.MONTH, today, 1)),
    (_START + r"上个?(?:星期|礼拜)" + _END, lambda _, today: names.unit_days(names.WEEK, today, 1)),
    (_START + r"昨天" + _END, lambda _, today: names.unit_days(names.DAY, today, 1)),
    (_START + r"今天" + _END, lambda _, today: names.unit_days(names.DAY, today, 0)),
)
_DATE = re.compile(
    "(?:在|于)?(?:" + "|".join(f"(?P<p{n}>{p})" for n, (p, _) in enumerate(_PATTERNS)) + ")(?:拍的|的)?", re.ASCII
)
_THIS_DAY = re.compile(r"(?:历史上的今天|那年今[天日]|往年(?:的今天|今日)|历年今日)(?:拍的|的)?")
# At the start, or after a comma: inside of a clause these are parts of longer words.
_ABSENCE = re.compile(
    r"(?:(?:^|(?<=\s)|[，,、]但?)(?:没有|不要|不带)(?P<thing>[^\s，,。、的和也但只一还]{1,3})(?=的|$|[\s，,。、])|"
    r"没有(?P<people>人)(?=的|$|[\s，,。、])|无(?P<nobody>人)(?=的))(?:的)?"
)


def find_chinese(text: str, start: int, end: int, *, today: date) -> Iterator[FoundChinese]:
    """Yield the phrases in a part of a text, which do not overlap."""
    for found in _DATE.finditer(text, start, end):
        number = next(number for number in range(len(_PATTERNS)) if found[f"p{number}"] is not None)
        pattern, days = _PATTERNS[number]
        part = re.compile(pattern, re.ASCII).match(text, found.start(f"p{number}"))
        try:
            first, last = days(part, today) if part is not None else (None, None)
        except (ValueError, OverflowError):
            continue
        if (first, last) != (None, None):
            yield FoundChinese(found.start(), found.end(), date=FoundDate(1, first, last))
    for found in _THIS_DAY.finditer(text, start, end):
        yield FoundChinese(found.start(), found.end(), is_this_day=True)
    for found in _ABSENCE.finditer(text, start, end):
        thing = found["thing"] or found["people"] or found["nobody"]
        if text[found.start() - 1 : found.start()] not in ("有", "还") and (found.start() > start or found.end() < end):
            yield FoundChinese(found.start(), found.end(), thing=thing)
