"""Find dates and absences in Chinese, which is written without blanks."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from clipsearch.query.phrases import calendar_words as names
from clipsearch.query.phrases.found_date import FoundDate

_SEASONS = {"春": names.SPRING, "夏": names.SUMMER, "秋": names.AUTUMN, "冬": names.WINTER}


@dataclass(frozen=True, slots=True)
class FoundChinese:
    """A phrase, as positions in the text: a date, or what is excluded."""

    start: int
    end: int
    date: FoundDate | None = None
    thing: str = ""


def _of_year(year: int) -> tuple[date, date]:
    return date(year, 1, 1), date(year + 1, 1, 1)


def _month(year: int, month: int) -> tuple[date, date]:
    first = date(year, month, 1)
    return first, names.add_months(first, 1)


def _day(first: date) -> tuple[date, date]:
    return first, first + timedelta(days=1)


def _week(today: date) -> tuple[date, date]:
    monday = today - timedelta(days=today.weekday() + 7)
    return monday, monday + timedelta(weeks=1)


_Days = tuple[date | None, date | None]
_PATTERNS: tuple[tuple[str, Callable[[re.Match[str], date], _Days]], ...] = (
    (r"(\d{4})年?(?:到|至|-)(\d{4})年", lambda m, _: (date(int(m[1]), 1, 1), date(int(m[2]) + 1, 1, 1))),
    (r"(\d{4})年(\d{1,2})月(\d{1,2})[日号]", lambda m, _: _day(date(int(m[1]), int(m[2]), int(m[3])))),
    (r"(\d{4})年(\d{1,2})月份?", lambda m, _: _month(int(m[1]), int(m[2]))),
    (r"(\d{4})年的?([春夏秋冬])[天季]?", lambda m, _: names.season_days(_SEASONS[m[2]], int(m[1]))),
    (r"(\d{4})年的?圣诞节?", lambda m, _: names.holiday_days(names.CHRISTMAS, int(m[1]))),
    (r"(\d{4})年(?:以后|之后|后)", lambda m, _: (date(int(m[1]) + 1, 1, 1), None)),
    (r"(\d{4})年(?:以前|之前|前)", lambda m, _: (None, date(int(m[1]), 1, 1))),
    (r"(\d{4})年", lambda m, _: _of_year(int(m[1]))),
    (r"去年的?([春夏秋冬])[天季]?", lambda m, today: names.season_days(_SEASONS[m[1]], today.year - 1)),
    (r"去年的?(\d{1,2})月份?", lambda m, today: _month(today.year - 1, int(m[1]))),
    (r"去年", lambda _, today: _of_year(today.year - 1)),
    (r"前年", lambda _, today: _of_year(today.year - 2)),
    (r"今年", lambda _, today: _of_year(today.year)),
    (r"上个?月", lambda _, today: _month(names.add_months(today, -1).year, names.add_months(today, -1).month)),
    (r"这个?月|本月", lambda _, today: _month(today.year, today.month)),
    (r"上个?(?:星期|周|礼拜)", lambda _, today: _week(today)),
    (r"昨天", lambda _, today: _day(today - timedelta(days=1))),
    (r"今天", lambda _, today: _day(today)),
)
_DATE = re.compile(
    "[在于]?(?:" + "|".join(f"(?P<p{n}>{p})" for n, (p, _) in enumerate(_PATTERNS)) + ")(?:的|拍的)?", re.A
)
_ABSENCE = re.compile(r"[，,、但]?(?:没有|不要|不带|无)(?P<thing>[^\s，,。、的]{1,8})(?:的)?", re.ASCII)


def find_chinese(text: str, start: int, end: int, *, today: date) -> Iterator[FoundChinese]:
    """Yield the phrases in a part of a text, which do not overlap."""
    if not any("\u4e00" <= each <= "\u9fff" for each in text[start:end]):
        return
    for found in _DATE.finditer(text, start, end):
        number = next(number for number in range(len(_PATTERNS)) if found[f"p{number}"] is not None)
        pattern, days = _PATTERNS[number]
        part = re.fullmatch(pattern, found[f"p{number}"], re.ASCII)
        try:
            first, last = days(part, today) if part is not None else (None, None)
        except (ValueError, OverflowError):
            continue
        if (first, last) != (None, None):
            yield FoundChinese(found.start(), found.end(), date=FoundDate(1, first, last))
    for found in _ABSENCE.finditer(text, start, end):
        if found.start() > start or found.end() < end:
            yield FoundChinese(found.start(), found.end(), thing=found["thing"])
