"""Format numbers for messages: counts with their nouns, sizes, rates, and a value with the limit it exceeds."""

import math

# Significant decimals of a double.
_MAX_DECIMALS = 15
# Largest relative rounding error.
_TOLERANCE = 0.01


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Format a number with its noun: "1 file", "1,200 files"; the noun may include a verb.

    Args:
        plural: when it is not the noun with an s, as in `count(n, "file is", "files are")`.
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def size(size_bytes: float) -> str:
    """Format a number of bytes in the unit that leaves one to three digits before the decimal point."""
    for unit in ("B", "KB", "MB", "GB"):
        text = f"{size_bytes:.0f}" if unit == "B" else f"{size_bytes:.1f}"
        if float(text) < 1000:
            return f"{text} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:,.1f} TB"


def rate(number: float) -> str:
    """Format a rate per second: an integer from 10 on, else two significant digits, so that it never shows as 0."""
    decimals = 0 if number >= 10 or number <= 0 else min(1 - math.floor(math.log10(number)), _MAX_DECIMALS)
    return _decimal(number, decimals)


def value_and_limit(value: float, limit: float) -> tuple[str, str]:
    """Format a value and the limit it exceeds, with the fewest decimals that distinguish both from each other and 0."""
    for decimals in range(_MAX_DECIMALS):
        texts = _decimal(value, decimals), _decimal(limit, decimals)
        if texts[0] != texts[1] and all(map(_is_near, texts, (value, limit))):
            return texts
    return f"{value!r}", f"{limit!r}"


def _decimal(number: float, decimals: int) -> str:
    text = f"{number:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text


def _is_near(text: str, number: float) -> bool:
    return abs(float(text.replace(",", "")) - number) <= _TOLERANCE * abs(number)
