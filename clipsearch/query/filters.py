"""Parse filters on the metadata of pictures: the part of a query that needs no model."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from clipsearch.errors import QueryError
from clipsearch.query.file_types import OTHER_TYPES, TYPES
from clipsearch.query.times import DATE, DayOfYear, Period, parse_times
from clipsearch.text import fold_name

MOST_FILTERS = 64
"""Upper limit of filters in one query: each of them is evaluated for every picture."""

MOST_CHARACTERS = 4_096
"""Upper limit of a folded pattern: no path is longer, and each part of it is looked up."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """Text to match names with, after `text.fold_name`.

    With * or ? it is a wildcard pattern of the whole name, ? for one character of the folded name; else a substring.
    """

    text: str

    @property
    def is_wild(self) -> bool:
        """Whether the text contains wildcards."""
        return "*" in self.text or "?" in self.text

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a fixed set of words."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Span:
    """Integers from `low` to `high`, both included; None: unbounded."""

    low: int | None
    high: int | None

    def __str__(self) -> str:
        if self.low == self.high:
            return str(self.low)
        return f"{'' if self.low is None else self.low}..{'' if self.high is None else self.high}"


@dataclass(frozen=True, slots=True)
class Length(Span):
    """Durations from `low` to `high` in milliseconds, both included; written in seconds."""

    def __str__(self) -> str:
        low, high = ("" if limit is None else _seconds(limit) for limit in (self.low, self.high))
        return low if low == high else f"{low}..{high}"


@dataclass(frozen=True, slots=True)
class Circle:
    """Circle around a place on earth, in degrees and kilometres."""

    latitude: float
    longitude: float
    radius_km: float

    def __str__(self) -> str:
        return ",".join(_number(value) for value in (self.latitude, self.longitude, self.radius_km)) + "km"


FilterValue: TypeAlias = Pattern | Choice | Span | Period | DayOfYear | Circle


# Values that need no quotes: without characters that have a meaning outside of quotes.
_PLAIN = re.compile(r"[\w./\\*?~][\w./\\*?~-]*")


@dataclass(frozen=True, slots=True)
class Filter:
    """Condition on the metadata of pictures.

    Attributes:
        key: one of `KEYS`; determines the type of `value`.
        is_negated: exclude the pictures that match; those with unknown metadata stay.
    """

    key: str
    value: FilterValue
    is_negated: bool = False

    def __str__(self) -> str:
        value = str(self.value)
        plain = value if self.key in SHAPES or _PLAIN.fullmatch(value) else quoted(value)
        return f"{'-' if self.is_negated else ''}{self.key}:{plain}"


def parse_filter(key: str, value: str, *, is_negated: bool = False) -> Filter:
    """Parse the value of a filter.

    Args:
        key: one of `KEYS`, or "is" before one of `SHORTHANDS`.

    Raises:
        QueryError: the value is not valid for this filter.
    """
    try:
        if key == "is":
            key, value = SHORTHANDS[_choice(*SHORTHANDS)(value.strip()).name]
        return Filter(key, _PARSERS[key](value.strip()), is_negated)
    except ValueError as error:
        raise QueryError(f"{key}: {error}") from error


def quoted(text: str) -> str:
    """Put a text into straight quotes, with backslashes before quotes and backslashes in it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def unquoted(text: str) -> str:
    """Return the text between quotes; in straight ones a backslash escapes a quote or a backslash, else is literal."""
    return re.sub(r'\\(["\\])', r"\1", text[1:-1]) if text.startswith('"') else text[1:-1]


def _pattern(value: str) -> Pattern:
    folded = fold_name(value)
    if not folded.strip("*"):
        raise ValueError("takes a part of the name, or a pattern with * and ?")
    if len(folded) > MOST_CHARACTERS:
        raise ValueError(f"takes up to {MOST_CHARACTERS:,} characters")
    return Pattern(value)


def _choice(*names: str, **others: str) -> Callable[[str], Choice]:
    """Return a parser of one of these names; `others` maps synonyms, and names left out of messages, to names."""

    def parse(value: str) -> Choice:
        name = value.lower().removeprefix(".")
        name = others.get(name, name)
        if name not in names and name not in others.values():
            raise ValueError(f"takes {', '.join(names[:-1])} or {names[-1]}, not {value}")
        return Choice(name)

    return parse


BLURRED_BELOW = 45
"""Sharpness below which a picture is blurred: `is:blurred`. Source: `python -m tests.benchmarks.quality`."""

DARK_BELOW = 30
"""Brightness below which a picture is dark: `is:dark`. Source: likewise."""

_DEFAULT_RADIUS_KM = 10.0

# A tenth of a millimetre in degrees; floats of this precision survive formatting and parsing.
_DECIMALS = 9

_OTHER_ORIENTATIONS = {"vertical": "portrait", "tall": "portrait", "horizontal": "landscape", "wide": "landscape"}

_BYTES = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_UNITS = {
    "": 1,
    "byte": 1,
    "bytes": 1,
    **{prefix + "b": 1000**power for prefix, power in _BYTES.items()},
    **{prefix: 1000**power for prefix, power in _BYTES.items() if prefix},
    **{prefix + "ib": 1024**power for prefix, power in _BYTES.items() if prefix},
    **{
        name + ending: 1000**power
        for power, name in enumerate(("kilobyte", "megabyte", "gigabyte", "terabyte"), start=1)
        for ending in ("", "s")
    },
}
_DURATIONS = {
    **dict.fromkeys(("", "s", "sec", "secs", "second", "seconds"), 1_000),
    **dict.fromkeys(("ms",), 1),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60_000),
    **dict.fromkeys(("h", "hour", "hours"), 3_600_000),
}
_SHARES = {"": 1, "%": 1}
_PIXELS = {"": 1, "px": 1, "pixel": 1, "pixels": 1}

_NUMBER = r"\d+(?:\.\d+)?"
_DEGREES = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)"
_DISTANCE = r"(?:km|kilomet(?:er|re)s?|m|met(?:er|re)s?|mi|miles?|ft|feet|yd|yards?|nm)"


def _words_of(units: dict[str, int]) -> str:
    return "(?:" + "|".join(sorted(filter(None, units), key=len, reverse=True)) + ")"


def _shape(one: str) -> str:
    """Return the pattern of a value, a limit (<, >=, …) or a range with two dots, and the blanks allowed in them."""
    span = rf"{one}(?:\s*\.\.(?:\s*{one})?)?|\.\.\s*{one}"
    return rf"(?:(?:[<>]=?|=)\s*{one}|{span})(?=\s|$)"


_SIZE, _EXTENT, _LEVEL, _DURATION = (
    _shape(rf"{_NUMBER}(?:\s*{_words_of(units)})?") for units in (_UNITS, _PIXELS, _SHARES, _DURATIONS)
)
SHAPES = {
    "taken": _shape(DATE),
    "near": rf"{_DEGREES}(?:\s*[,;]\s*|\s+){_DEGREES}"
    rf"(?:\s*[,;]\s*{_DEGREES}(?:\s*{_DISTANCE})?|\s+{_DEGREES}\s*{_DISTANCE})?(?=\s|$)",
    "size": _SIZE,
    "w": _EXTENT,
    "h": _EXTENT,
    "sharp": _LEVEL,
    "bright": _LEVEL,
    "length": _DURATION,
}
"""Patterns of the values that may contain blanks, up to the blank that ends them, by filter key.

They match more than `parse_filter` accepts, such as unknown units, so that its error names the whole value. Text, which
`match_shape` compiles when it is first needed: most queries have no filter.
"""


def match_shape(key: str, text: str, position: int) -> re.Match[str] | None:
    """Match the value of a filter that may contain blanks at a position; None where there is none, or no such key."""
    form = SHAPES.get(key)
    return None if form is None else re.compile(form, re.ASCII | re.IGNORECASE).match(text, position)


def _span(*, example: str, units: dict[str, int], most: int | None = None) -> Callable[[str], Span]:
    def number(text: str) -> int:
        found = re.fullmatch(r"(\d{1,100}(?:\.\d{1,9})?)\s*([a-z%]*)", text.strip().lower(), re.ASCII)
        if found is None or found[2] not in units:
            raise ValueError(f"takes a number or a range, as in {example}, not {text.strip()[:40]}")
        value = round(Fraction(found[1]) * units[found[2]])
        if most is not None and value > most:
            raise ValueError(f"goes from 0 to {most}, as in {example}, not {text.strip()[:40]}")
        return value

    def parse(value: str) -> Span:
        low, dots, high = value.partition("..")
        if dots:
            span = Span(number(low) if low else None, number(high) if high else None)
        elif (sign := re.match("[<>]=?", value)) is not None:
            limit = number(value[sign.end() :])
            is_open = len(sign[0]) == 1
            span = Span(limit + is_open, None) if sign[0][0] == ">" else Span(None, limit - is_open)
        else:
            exact = number(value.removeprefix("="))
            span = Span(exact, exact)
        if span == Span(None, None) or (span.high is not None and span.high < (span.low or 0)):
            raise ValueError(f"{value} is an empty range; write the smaller number first, as in {example}")
        return span

    return parse


def _length(value: str) -> Length:
    span = _span(example="length:>60 or length:2min..1h", units=_DURATIONS)(value)
    return Length(span.low, span.high)


def _circle(value: str) -> Circle:
    number = r"[+-]?(?:\d{1,6}(?:\.\d*)?|\.\d+)"
    between = r"(?:\s*[,;]\s*|\s+)"
    found = re.fullmatch(
        rf"({number}){between}({number})(?:{between}({number})\s*(km|m)?)?", value, re.ASCII | re.IGNORECASE
    )
    if found is None:
        raise ValueError(
            f"takes a latitude, a longitude and a distance in km or m, as in near:48.85,2.35,10km, not {value[:40]}"
        )
    latitude, longitude = round(float(found[1]), _DECIMALS), round(float(found[2]), _DECIMALS)
    meters = (found[4] or "").lower() == "m"
    radius_km = round(float(found[3] or _DEFAULT_RADIUS_KM) / (1_000 if meters else 1), _DECIMALS)
    if abs(latitude) > 90 or abs(longitude) > 180:
        raise ValueError("latitudes lie between -90 and 90, longitudes between -180 and 180: near:48.85,2.35,10km")
    if radius_km <= 0:
        raise ValueError("the distance must be greater than 0, as in near:48.85,2.35,10km")
    return Circle(latitude, longitude, radius_km)


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds // 1000}.{milliseconds % 1000:03}".rstrip("0").rstrip(".")


def _number(value: float) -> str:
    return f"{value:.{_DECIMALS}f}".rstrip("0").rstrip(".")


_PARSERS: dict[str, Callable[[str], FilterValue]] = {
    "path": _pattern,
    "taken": parse_times,
    "near": _circle,
    "camera": _pattern,
    "type": _choice(
        *TYPES,
        **OTHER_TYPES,
    ),
    "size": _span(example="size:>2MB or size:500k..2MB", units=_UNITS),
    "w": _span(example="w:1920 or w:>=1000 or w:1000..2000", units=_PIXELS),
    "h": _span(example="h:1080 or h:>=1000 or h:1000..2000", units=_PIXELS),
    "sharp": _span(example="sharp:<20 or sharp:40..100", units=_SHARES, most=100),
    "bright": _span(example="bright:<15 or bright:80..100", units=_SHARES, most=100),
    "length": _length,
    "orientation": _choice("portrait", "landscape", "square", **_OTHER_ORIENTATIONS),
    "has": _choice("gps", "date", "camera", taken="date", geo="gps", location="gps", coordinates="gps"),
}

KEYS = tuple(_PARSERS)
"""Keys of all filters."""

SHORTHANDS = {
    **dict.fromkeys(("blurred", "blurry"), ("sharp", f"<{BLURRED_BELOW}")),
    "sharp": ("sharp", f">={BLURRED_BELOW}"),
    **dict.fromkeys(("dark", "underexposed"), ("bright", f"<{DARK_BELOW}")),
}
"""Filter, as key and value, by the word after `is:` that it is written for."""

NAME_FORM = rf"(?ai:{'|'.join(KEYS)}|is(?=[:：](?:{'|'.join(SHORTHANDS)})(?!\w)))"
"""Pattern of what may stand before the colon of a filter; "is: a sign" is words."""

EXAMPLES = {
    "path": "path:2024/*.jpg",
    "taken": "taken:2024-05..2025",
    "near": "near:48.85,2.35,10km",
    "camera": 'camera:"Nikon D80"',
    "type": "type:jpeg",
    "size": "size:>2MB",
    "w": "w:>=1920",
    "h": "h:..1080",
    "sharp": "sharp:>40",
    "bright": "bright:<15",
    "length": "length:>60",
    "orientation": "orientation:portrait",
    "has": "has:gps",
}
"""A valid example of each filter, by key."""
