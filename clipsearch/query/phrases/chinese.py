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
# Words about today stand at the start of what they are said of: inside of longer words they are none.
_START = r"(?<![\u4e00-\u9fff])"
_PATTERNS: tuple[tuple[str, Callable[[re.Match[str], date], _Days]], ...] = (
    (
        r"(1[89]\d\d|20\d\d)年?(?:到|至|-)(1[89]\d\d|20\d\d)年",
        lambda m, _: (date(int(m[1]), 1, 1), date(int(m[2]) + 1, 1, 1)),
    ),
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
    (_YEAR + r"(?=的|$|[\s，,。、])", lambda m, _: names.year_days(int(m[1]))),
    (_START + r"去年的?([春夏秋冬])[天季]", lambda m, today: names.season_days(_SEASONS[m[1]], today.year - 1)),
    (_START + r"今年的?([春夏秋冬])[天季]", lambda m, today: names.season_days(_SEASONS[m[1]], today.year)),
    (_START + r"去年的?(\d{1,2})月(?![\d到至])", lambda m, today: names.month_days(today.year - 1, int(m[1]))),
    (_START + r"去年(?=的|$|[\s，,。、拍])", lambda _, today: names.year_days(today.year - 1)),
    (_START + r"今年(?=的|$|[\s，,。、拍])", lambda _, today: names.year_days(today.year)),
    (_START + r"上个月(?=的|$|[\s，,。、拍])", lambda _, today: names.unit_days(names.MONTH, today, 1)),
    (_START + r"上个?(?:星期|礼拜)(?=的|$|[\s，,。、拍])", lambda _, today: names.unit_days(names.WEEK, today, 1)),
    (_START + r"昨天(?=的|$|[\s，,。、拍])", lambda _, today: names.unit_days(names.DAY, today, 1)),
    (_START + r"今天(?=的|$|[\s，,。、拍])", lambda _, today: names.unit_days(names.DAY, today, 0)),
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
