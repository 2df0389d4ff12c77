"""What pictures must be like, whatever they show: the part of a query that needs no model."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from clipsearch.errors import QueryError


@dataclass(frozen=True, slots=True)
class Pattern:
    """Text, without regard to case. With * or ? in it, it is a pattern of the whole; else a part."""

    text: str

    @property
    def is_wild(self) -> bool:
        return "*" in self.text or "?" in self.text

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Span:
    """Whole numbers from `low` to `high`, both included; None: as far as they go."""

    low: int | None
    high: int | None

    def __str__(self) -> str:
        if self.low == self.high:
            return str(self.low)
        return f"{'' if self.low is None else self.low}..{'' if self.high is None else self.high}"


@dataclass(frozen=True, slots=True)
class Period:
    """From the beginning of `start` to the beginning of `end`, which is a day later than the last one; None: as far as
    times go."""

    start: datetime | None
    end: datetime | None

    def __str__(self) -> str:
        first = "" if self.start is None else self.start.date().isoformat()
        last = "" if self.end is None else (self.end - timedelta(days=1)).date().isoformat()
        return first if first == last else f"{first}..{last}"


@dataclass(frozen=True, slots=True)
class Circle:
    """Around a place on earth, in degrees and kilometres."""

    latitude: float
    longitude: float
    radius_km: float

    def __str__(self) -> str:
        return ",".join(_number(value) for value in (self.latitude, self.longitude, self.radius_km)) + "km"


FilterValue: TypeAlias = Pattern | Choice | Span | Period | Circle


@dataclass(frozen=True, slots=True)
class Filter:
    """
    Attributes:
        key: one of `KEYS`; says what kind of value it has.
        is_negated: pictures that are so are left out, and those of which it is not known stay.
    """

    key: str
    value: FilterValue
    is_negated: bool = False

    def __str__(self) -> str:
        value = str(self.value)
        plain = value if re.fullmatch(r'[^\s"]+', value) else quoted(value)
        return f"{'-' if self.is_negated else ''}{self.key}:{plain}"


def parse_filter(key: str, value: str, *, is_negated: bool = False) -> Filter:
    """
    Args:
        key: one of `KEYS`.

    Raises:
        QueryError: that is no value of this filter.
    """
    try:
        return Filter(key, _PARSERS[key](value.strip()), is_negated)
    except ValueError as error:
        raise QueryError(f"{key}: {error}") from error


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def unquoted(text: str) -> str:
    """What stands in quotes; a backslash takes the character after it as it is."""
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)


def _pattern(value: str) -> Pattern:
    if not value.strip("*"):
        raise ValueError("takes a part of the name, or a pattern with * and ?")
    return Pattern(value)


def _choice(*names: str, **others: str) -> Callable[[str], Choice]:
    """`others`: more words for some of the names."""

    def parse(value: str) -> Choice:
        name = others.get(value.lower(), value.lower())
        if name not in names:
            raise ValueError(f"takes {', '.join(names[:-1])} or {names[-1]}, not {value}")
        return Choice(name)

    return parse


_DEFAULT_RADIUS_KM = 10.0

# A tenth of a millimetre; so many can be printed and read again.
_DECIMALS = 9

# Other names for what Pillow calls the formats; a JPEG of several pictures (MPO) is one.
_OTHER_TYPES = {
    "jpg": "jpeg",
    "mpo": "jpeg",
    "tif": "tiff",
    "heic": "heif",
    "jp2": "jpeg2000",
    "pgm": "ppm",
    "pnm": "ppm",
}

_UNITS = {"": 1, "b": 1, "k": 10**3, "kb": 10**3, "m": 10**6, "mb": 10**6, "g": 10**9, "gb": 10**9}


def _span(*, example: str, units: dict[str, int]) -> Callable[[str], Span]:
    def number(text: str) -> int:
        found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,9})?) ?([a-z]*)", text.strip().lower(), re.ASCII)
        if found is None or found[2] not in units:
            raise ValueError(f"takes a number or a span of them, as in {example}")
        return round(float(found[1]) * units[found[2]])

    def parse(value: str) -> Span:
        low, dots, high = value.partition("..")
        if dots:
            span = Span(number(low) if low else None, number(high) if high else None)
        elif (sign := re.match("[<>]=?", value)) is not None:
            limit = number(value[sign.end() :])
            is_open = len(sign[0]) == 1
            span = Span(limit + is_open, None) if sign[0][0] == ">" else Span(None, limit - is_open)
        else:
            span = Span(number(value), number(value))
        if span == Span(None, None) or (span.low is not None and span.high is not None and span.low > span.high):
            raise ValueError(f"{value} is an empty span; it goes from the smaller to the larger, as in {example}")
        return span

    return parse


def _period(value: str) -> Period:
    first, dots, last = value.partition("..")
    if not dots:
        return Period(*_days(value))
    start = _days(first)[0] if first else None
    end = _days(last)[1] if last else None
    if (start, end) == (None, None) or (start is not None and end is not None and start >= end):
        raise ValueError("an empty span; it goes from the earlier to the later, as in taken:2024-05..2025")
    return Period(start, end)


def _days(text: str) -> tuple[datetime, datetime]:
    """A year, a month or a day: its beginning, and that of the next one."""
    found = re.fullmatch(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?", text.strip(), re.ASCII)
    if found is None:
        raise ValueError(f"takes a year, a month, a day or a span of them, as in taken:2024-05..2025, not {text}")
    year, month, day = (int(part) if part else None for part in found.groups())
    try:
        start = datetime(year or 0, month or 1, day or 1)
        if day is not None:
            return start, start + timedelta(days=1)
        months = 12 * start.year + start.month - 1 + (1 if month is not None else 12)
        return start, datetime(months // 12, months % 12 + 1, 1)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"there is no day {text}") from error


def _circle(value: str) -> Circle:
    number = r"[+-]?(?:\d{1,6}(?:\.\d*)?|\.\d+)"
    found = re.fullmatch(rf"({number}) ?, ?({number})(?: ?, ?({number}) ?(km|m)?)?", value, re.ASCII | re.IGNORECASE)
    if found is None:
        raise ValueError("takes a latitude, a longitude and a distance, as in near:48.85,2.35,10km")
    latitude, longitude = round(float(found[1]), _DECIMALS), round(float(found[2]), _DECIMALS)
    meters = (found[4] or "").lower() == "m"
    radius_km = round(float(found[3] or _DEFAULT_RADIUS_KM) / (1_000 if meters else 1), _DECIMALS)
    if abs(latitude) > 90 or abs(longitude) > 180:
        raise ValueError("latitudes lie between -90 and 90, longitudes between -180 and 180: near:48.85,2.35,10km")
    if radius_km <= 0:
        raise ValueError("the distance must be more than nothing, as in near:48.85,2.35,10km")
    return Circle(latitude, longitude, radius_km)


def _number(value: float) -> str:
    return f"{value:.{_DECIMALS}f}".rstrip("0").rstrip(".")


_PARSERS: dict[str, Callable[[str], FilterValue]] = {
    "path": _pattern,
    "taken": _period,
    "near": _circle,
    "camera": _pattern,
    "type": _choice("jpeg", "png", "webp", "gif", "tiff", "bmp", "heif", "avif", "jpeg2000", "ppm", **_OTHER_TYPES),
    "size": _span(example="size:>2MB or size:500k..2MB", units=_UNITS),
    "w": _span(example="w:1920 or w:>=1000 or w:1000..2000", units={"": 1}),
    "h": _span(example="h:1080 or h:>=1000 or h:1000..2000", units={"": 1}),
    "orientation": _choice("portrait", "landscape", "square"),
    "has": _choice("gps", "date", "camera", taken="date"),
}

KEYS = tuple(_PARSERS)
"""What pictures can be filtered by."""
