"""Times that filters compare the date taken with: periods, and days and months of every year."""

import calendar
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

DATE = r"(?:\d{4}(?:-\d{1,2}){0,2}|--\d{1,2}(?:-\d{1,2})?)"
"""Pattern of a date, or of a day or a month of every year."""

# With a 29th of February.
_LEAP_YEAR = 2000


@dataclass(frozen=True, slots=True)
class Period:
    """Time from `start`, included, to `end`, excluded, which is a day after the last day; None: unbounded."""

    start: datetime | None
    end: datetime | None

    def __str__(self) -> str:
        first = "" if self.start is None else self.start.date().isoformat()
        last = "" if self.end is None else (self.end - timedelta(days=1)).date().isoformat()
        return first if first == last else f"{first}..{last}"


@dataclass(frozen=True, slots=True)
class DayOfYear:
    """Day of every year, or a month where `day` is None. Source: ISO 8601:2000, 5.2.1.3 d to f."""

    month: int
    day: int | None = None

    def __str__(self) -> str:
        return f"--{self.month:02}" + ("" if self.day is None else f"-{self.day:02}")

    def ordinals(self, year: int) -> tuple[int, int]:
        """Return the proleptic ordinal of its first day in a year, and of the day after it; twice the same for none."""
        first = date(year, self.month, 1).toordinal()
        following = first + _days_of(year, self.month)
        if self.day is None:
            return first, following
        start = min(first + self.day - 1, following)
        return start, min(start + 1, following)


def parse_times(value: str) -> Period | DayOfYear:
    """Parse a date, a limit, a range, or a day or a month of every year.

    Raises:
        ValueError: it is none of them.
    """
    if value.startswith("--"):
        return _day_of_year(value)
    if (sign := re.match("(<=?|>=?|=)(.*)", value, re.DOTALL)) is not None:
        start, end = _days(sign[2])
        if sign[1] == "<" and start == datetime.min:
            raise ValueError(f"there is no day before {sign[2].strip()}")
        return {
            "<": Period(None, start),
            "<=": Period(None, end),
            ">": Period(end, None),
            ">=": Period(start, None),
            "=": Period(start, end),
        }[sign[1]]
    first, dots, last = value.partition("..")
    if not dots:
        return Period(*_days(value))
    begin = _days(first)[0] if first else None
    finish = _days(last)[1] if last else None
    if (begin, finish) == (None, None) or (begin is not None and finish is not None and begin >= finish):
        raise ValueError("an empty range; write the earlier date first, as in taken:2024-05..2025")
    return Period(begin, finish)


def _days(text: str) -> tuple[datetime, datetime]:
    """Parse a year, a month or a day and return its start and the start of the next one."""
    text = text.strip()
    found = re.fullmatch(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?", text, re.ASCII)
    if found is None:
        raise ValueError(f"takes a year, a month, a day or a range, as in taken:2024-05..2025, not {text[:40]}")
    year, month, day = (int(part) if part else None for part in found.groups())
    try:
        start = datetime(year or 0, month or 1, day or 1)
        if day is not None:
            return start, start + timedelta(days=1)
        months = 12 * start.year + start.month - 1 + (1 if month is not None else 12)
        return start, datetime(months // 12, months % 12 + 1, 1)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"there is no day {text}") from error


def on_this_day(today: date) -> str:
    """Return the filters, in the query language, that pictures of a day and month of earlier years pass."""
    return f"taken:{DayOfYear(today.month, today.day)} taken:..{today.year - 1:04}"


def _day_of_year(value: str) -> DayOfYear:
    found = re.fullmatch(r"--(\d{1,2})(?:-(\d{1,2}))?", value, re.ASCII)
    if found is None:
        raise ValueError(f"a day or a month of every year stands alone, as in taken:--07-04, not {value[:40]}")
    month, day = int(found[1]), int(found[2]) if found[2] else None
    if not 1 <= month <= 12 or (day is not None and not 1 <= day <= _days_of(_LEAP_YEAR, month)):
        raise ValueError(f"there is no day {value}" if day is not None else f"there is no month {value}")
    return DayOfYear(month, day)


def _days_of(year: int, month: int) -> int:
    """Return the number of days of a month."""
    return calendar.monthrange(year, month)[1]
