"""Parse filters on numbers: limits and ranges, with units."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction


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
_STARS = dict.fromkeys(("", "star", "stars", "*"), 1)

_NUMBER = r"\d+(?:\.\d+)?"


def _words_of(units: dict[str, int]) -> str:
    return "(?:" + "|".join(sorted(map(re.escape, filter(None, units)), key=len, reverse=True)) + ")"


def span_shape(one: str) -> str:
    """Return the pattern of a value, a limit (<, >=, …) or a range with two dots, and the blanks allowed in them."""
    span = rf"{one}(?:\s*\.\.(?:\s*{one})?)?|\.\.\s*{one}"
    return rf"(?:(?:[<>]=?|=)\s*{one}|{span})(?=\s|$)"


SPAN_SHAPES = {
    key: span_shape(rf"{_NUMBER}(?:\s*{_words_of(units)})?")
    for key, units in {
        "size": _UNITS,
        "w": _PIXELS,
        "h": _PIXELS,
        "sharp": _SHARES,
        "bright": _SHARES,
        "length": _DURATIONS,
        "rating": _STARS,
    }.items()
}
"""Patterns of the values of these filters, see `filters.SHAPES`."""


def _span(*, example: str, units: dict[str, int], most: int | None = None) -> Callable[[str], Span]:
    def number(text: str) -> int:
        found = re.fullmatch(r"(\d{1,100}(?:\.\d{1,9})?)\s*([a-z%*]*)", text.strip().lower(), re.ASCII)
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


SPAN_PARSERS: dict[str, Callable[[str], Span]] = {
    "size": _span(example="size:>2MB or size:500k..2MB", units=_UNITS),
    "w": _span(example="w:1920 or w:>=1000 or w:1000..2000", units=_PIXELS),
    "h": _span(example="h:1080 or h:>=1000 or h:1000..2000", units=_PIXELS),
    "sharp": _span(example="sharp:<20 or sharp:40..100", units=_SHARES, most=100),
    "bright": _span(example="bright:<15 or bright:80..100", units=_SHARES, most=100),
    "length": _length,
    "rating": _span(example="rating:>=4 or rating:3..5", units=_STARS, most=5),
}
"""Parsers of the values of these filters; they raise ValueError."""


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds // 1000}.{milliseconds % 1000:03}".rstrip("0").rstrip(".")
