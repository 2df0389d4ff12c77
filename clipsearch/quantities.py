"""Numbers in messages: counts with their nouns, sizes, rates, and two numbers that must not look the same."""

import math

# A double has no more digits than this behind the point that say anything.
_MAX_DECIMALS = 15
# How far a number may be rounded, as a share of it.
_TOLERANCE = 0.01


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Write a number with its noun: "1 file", "1,200 files"; the noun may bring its verb along.

    Args:
        plural: where it is not the noun with an s, as in `count(n, "file is", "files are")`.
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def size(size_bytes: float) -> str:
    """Write a number of bytes in the unit that leaves one to three digits before the point."""
    for unit in ("B", "KB", "MB", "GB"):
        text = f"{size_bytes:.0f}" if unit == "B" else f"{size_bytes:.1f}"
        if float(text) < 1000:
            return f"{text} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:,.1f} TB"


def rate(number: float) -> str:
    """Write how many a second: whole from ten on, else to two digits, so that few are not none."""
    decimals = 0 if number >= 10 or number <= 0 else min(1 - math.floor(math.log10(number)), _MAX_DECIMALS)
    return _decimal(number, decimals)


def value_and_limit(value: float, limit: float) -> tuple[str, str]:
    """Write a number and the limit that it exceeds with as few decimals as tell both from each other and from 0."""
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
