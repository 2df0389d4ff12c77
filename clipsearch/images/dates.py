"""Parse the dates that cameras, editors and telephones write, and choose which one to trust.

A date is used when its day is certain, whatever its time of day looks like; a date that could mean two days is not.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

# The first photograph was taken in 1826; years beyond the last one come from a broken clock.
_FIRST_YEAR, _LAST_YEAR = 1826, 2100

# Dates of a clock that was never set: the epochs of Mac OS, Unix, FAT and camera makers.
_RESET_DAYS = {(1904, 1, 1), (1970, 1, 1), (1969, 12, 31), (1980, 1, 1), (1990, 1, 1), (2000, 1, 1)}

# A camera's clock may be ahead of this machine's by its time zone and one hour of daylight saving.
_MAX_CLOCK_AHEAD = timedelta(days=2)

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = rf"({'|'.join(_MONTHS)})[a-z]*\.?"
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,? +)?"
_YEAR = r"([12]\d{3})"

# A character that appears twice between numbers is a separator, even an unusual one or one from a wrong encoding.
_ODD_SEPARATOR = re.compile(r"\d{1,4} ?([^\w\s:/.;,+-]) ?\d{1,2} ?\1 ?\d")

# Year first: "2024:05:06" with any separator or none. Only the digits of a time may follow directly.
_YEAR_FIRST = re.compile(rf"{_YEAR} ?([:/. ;_-]) ?(\d{{1,2}}) ?\2 ?(\d{{1,2}})(?!\d(?!\d:))", re.ASCII)
_COMPACT = re.compile(rf"{_YEAR}(\d\d)(\d\d)(?=\D|$|\d{{4,6}}(?!\d))", re.ASCII)
_YEAR_LAST = re.compile(rf"(\d{{1,2}})([:/.-]) ?(\d{{1,2}})\2 ?{_YEAR}(?!\d)", re.ASCII)
_YEAR_SIGNS = re.compile(rf"{_YEAR} ?[年년] ?(\d{{1,2}}) ?[月월] ?(\d{{1,2}}) ?[日일]", re.ASCII)
_DAY_MONTH = re.compile(rf"{_WEEKDAY}(\d{{1,2}})[ .-]+{_MONTH},?[ -]+{_YEAR}(?!\d)", re.ASCII | re.I)
_MONTH_DAY = re.compile(rf"{_WEEKDAY}{_MONTH} +(\d{{1,2}}),? +{_YEAR}(?!\d)", re.ASCII | re.I)
# As C writes it: "Thu Jul  4 23:30:00 2019", with a zone before the year or none.
_ASCTIME = re.compile(
    rf"{_WEEKDAY}{_MONTH} +(\d{{1,2}}) +(\d{{1,2}}:\d\d:\d\d)(?: [a-z]{{3,5}})? {_YEAR}", re.ASCII | re.I
)
# Each with the groups that hold the year, the month and the day.
_WITH_NAMES = ((_DAY_MONTH, (3, 2, 1)), (_MONTH_DAY, (3, 1, 2)), (_ASCTIME, (4, 1, 2)))

_TIME = re.compile(
    r"(\d{1,2}) ?[:.h;_-] ?(\d{1,2})(?: ?[:.m;_-] ?(\d{1,2})(?:[.,:](\d{1,9}))?)?(?!\d)"
    r"|(\d\d)(\d\d)(\d\d)?(?:\.(\d{1,9}))?(?!\d)",
    re.ASCII,
)
_BEFORE_NOON = re.compile(r"\ba\.?m\b|上午|午前|오전|ص", re.I)
_AFTER_NOON = re.compile(r"\bp\.?m\b|下午|午後|오후|م", re.I)


@dataclass(frozen=True, slots=True)
class DateClaim:
    """A date found in a picture's metadata.

    Attributes:
        text: as written; blank or only zeros where the writer had no date.
        fraction: decimal digits of the second, where they are in a separate field; "" where not.
        is_of_edit: the date may be that of a later edit: it is used only if there is no claim about the original.
    """

    text: str
    fraction: str = ""
    is_of_edit: bool = False

    @property
    def has_content(self) -> bool:
        """Whether the text holds more than blanks and zeros."""
        return any(character.isalnum() and character != "0" for character in self.text)


def choose_date(claims: Iterable[Callable[[], DateClaim | None]]) -> datetime | None:
    """Return the date of the first valid claim, or None; later claims are not read.

    If the original's date is present but unreadable, an edit's date is not used as a fallback: it would be wrong.

    Args:
        claims: readers of the claims, the most trustworthy first.
    """
    has_unreadable = False
    for read in claims:
        claim = read()
        if claim is None or not claim.has_content or (claim.is_of_edit and has_unreadable):
            continue
        taken_at = parse_date(claim.text, fraction=claim.fraction)
        if taken_at is not None:
            return taken_at
        has_unreadable = True
    return None


def parse_date(text: str, *, fraction: str = "") -> datetime | None:
    """Parse a date and a time of day, as far as they are valid.

    Args:
        text: one line; digits of any script.
        fraction: decimal digits of the second, from a separate field.

    Returns:
        The local time of the clock, without a zone; midnight where the time of day is missing or invalid. None where
        the day is ambiguous or invalid: 4/7 or 7/4, a month without a day, the 30th of February.
    """
    text = _with_ascii_digits(text).strip(" \"'")
    if odd := _ODD_SEPARATOR.match(text):
        text = text.replace(odd[1], ":")
    found = _split(text)
    if found is None:
        return None
    (year, month, day), rest = found
    try:
        date = datetime(year, month, day)
    except ValueError:
        return None
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        return None
    return date + _time_of_day(rest, fraction)


def is_doubtful(taken_at: datetime, *, now: datetime) -> bool:
    """Return whether a date is that of a clock that was never set, or is in the future.

    Args:
        now: local time, without a zone.
    """
    day = (taken_at.year, taken_at.month, taken_at.day)
    return day in _RESET_DAYS or taken_at - now > _MAX_CLOCK_AHEAD


def _split(text: str) -> tuple[tuple[int, int, int], str] | None:
    """Split a text into (year, month, day) and the rest, or return None."""
    for pattern in (_YEAR_FIRST, _YEAR_SIGNS, _COMPACT):
        if match := pattern.match(text):
            year, month, day = (int(part) for part in match.groups() if part.isdigit())
            return (year, month, day), text[match.end() :]
    if match := _YEAR_LAST.match(text):
        first, second, year = int(match[1]), int(match[3]), int(match[4])
        # With dots the day comes first everywhere; with other separators it depends on the country.
        if match[2] == "." or first > 12 or first == second:
            return (year, second, first), text[match.end() :]
        return ((year, first, second), text[match.end() :]) if second > 12 else None
    for pattern, order in _WITH_NAMES:
        if match := pattern.match(text):
            year_text, name, day_text = (match[number] for number in order)
            month = _MONTHS.index(name[:3].lower()) + 1
            # C writes the time between the day and the year.
            return (int(year_text), month, int(day_text)), (match[3] if pattern is _ASCTIME else text[match.end() :])
    return None


def _time_of_day(text: str, fraction: str) -> timedelta:
    """Return the time since midnight, zero where invalid. Hour 24 is the first of the same day, as cameras use it."""
    match = _TIME.search(text)
    if match is None or not re.fullmatch(r"[^\d+-]*-?[^\d+-]*", text[: match.start()]):
        return timedelta()
    groups = match.groups()
    hour, minute, second, own_fraction = groups[:4] if groups[0] is not None else groups[4:]
    hours, minutes, seconds = int(hour), int(minute), int(second or 0)
    is_before, is_after = (pattern.search(text) is not None for pattern in (_BEFORE_NOON, _AFTER_NOON))
    if hours == 24 or (is_before and not is_after and hours == 12):
        hours = 0
    elif is_after and not is_before and hours < 12:
        hours += 12
    if hours > 23 or minutes > 59 or seconds > 60:
        return timedelta()
    digits = own_fraction or fraction
    microseconds = int(digits[:6].ljust(6, "0")) if digits.isascii() and digits.isdigit() else 0
    # A leap second is 60.
    return timedelta(hours=hours, minutes=minutes, seconds=min(seconds, 59), microseconds=microseconds)


def _with_ascii_digits(text: str) -> str:
    """Replace decimal digits of any script by ASCII digits: telephones write dates in their own language."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(c)) if unicodedata.decimal(c, None) is not None else c for c in text)
