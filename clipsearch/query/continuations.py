"""Detect filter values that continue after the blank that ended them, such as `camera:Nikon D80`.

Without this check the rest of the value would be searched as words.
"""

import re
from collections.abc import Callable
from itertools import islice
from typing import NamedTuple

from clipsearch.errors import QueryError
from clipsearch.query.filters import EXAMPLES, WRITTEN, parse_filter
from clipsearch.query.operators import OPERATORS_NEXT_TO_FILTERS
from clipsearch.query.tokens import FILTER, PATH, has_picture_suffix

# Words that continue the name of a camera model.
_SERIES = re.compile(
    r"(?=[\w.-]*\d)[\w.-]+|[A-Z][A-Z0-9-]+|[B-HJ-Z]|(?i:powershot|ixus|coolpix|finepix|lumix|alpha|cyber-?shot|optio|exilim"
    r"|pixel|galaxy|iphone|ipad|hero|rebel|stylus|easyshare|mavic)"
)
_MONTHS = (
    "jan(?:uary)?|feb(?:ruary)?|march|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    "|nov(?:ember)?|dec(?:ember)?"
)
_END = r"\s*(?=$|[&+])"
_NUMBER = r"\d+(?:[.,]\d+)*"
_TO = r"[-–—,;/]|\b(?:to|until|till|til|through|thru|bis|and|or)\b"
_LIMIT = r"\s*(?:[,;&]|\b(?:and|but)\b)?\s*(?:[<>]=?|=[<>]|[≤≥])\s*"

_BYTES = (
    r"(?:[kmgtpe]i?b|[kmgp]i?o|tio|[kmgtpeb]|[kmgt]i|[kmgt]ibi|(?:kilo|mega|giga|tera|kibi|mebi|gibi|tebi|[kmgt]i?)?-?"
    r"(?:bytes?|bits?|octets?)|megs?|gigs?|megas?|gigas?|mio|thousand|million|billion|mp|megapixels?|px|pixels?)"
)
_LENGTH = r"(?:px|pixels?|pix|dots|[cm]m|cms|inch(?:es)?|ft|feet|pt|dpi|ppi|[kp]|mp|megapixels?|%|percent)"
_DURATION = r"(?:ms|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|frames?)"
_SHARE = r"(?:percent|pct|points?|px|pixels?|stops?|ev)"
_DISTANCE = r"(?:k?ms?|kilomet(?:er|re)s?|met(?:er|re)s?|mi|miles?|ft|feet|yds?|yards?|nm)"
_WITHIN = r"(?:within|radius|distance|range|around|about|circa|±|\+/?-|<=?|~)"


def _limits(unit: str, *, short: str = "(?!)") -> dict[str, str]:
    """Return patterns of text that continues a number, by kind of mistake.

    Args:
        unit: pattern of the units of the number.
        short: pattern of units that are also English words ("in", "m").
    """
    return {
        "limit": rf"{_LIMIT}\d",
        "more": rf"\s*(?:{_TO})\s*{_NUMBER}\s*(?:{unit}(?=\s|$)|{_END})|\s*(?:[–—x×*]|\b(?:to|by)\b)\s*\d"
        rf"|(?:\s+\d{{3}})+{_END}|\s+(?:[wh]\s+)?{_NUMBER}\s*(?:{unit}(?=\s|$)|{_END})",
        "unit": rf"\s+{unit}(?=\s|$)|\s+{short}{_END}",
    }


# Text, compiled when a filter is read: most queries have none, and compiling takes as long as opening a catalog.
_CONTINUATIONS = {
    "taken": {
        "limit": rf"{_LIMIT}\d{{4}}",
        "time": r"\s+\d{1,2}(?::\d{2}|\s*[ap]m\b|h\b)",
        "more": rf"\s*(?:{_TO}|[|])?\s*\d{{4}}(?:-\d{{1,2}}){{0,2}}(?=[\s&+]|$)|\s+(?:{_MONTHS})(?=\s|$)"
        rf"|\s+(?:onwards?|later|earlier|0\d)(?=\s|$)|\s+-?\s*\d{{1,2}}(?:[-\s]+\d{{1,2}})?{_END}",
    },
    "near": {
        "more": rf"\s+{_NUMBER}{_END}|\s*[,;]\s*\d|\s+{_NUMBER}\s*{_DISTANCE}(?=\s|$)|\s+{_DISTANCE}{_END}"
        rf"|\s+{_WITHIN}\s*[:=]?\s*\d"
    },
    "size": _limits(_BYTES),
    "w": _limits(_LENGTH, short="(?:in|m)"),
    "h": _limits(_LENGTH, short="(?:in|m)"),
    "sharp": _limits(_SHARE),
    "bright": _limits(_SHARE),
    "length": _limits(_DURATION),
}
_TWO_LIMITS = {
    "taken": "taken:>2019 taken:<2021",
    "size": "size:>2MB size:<4MB",
    "w": "w:>1000 w:<2000",
    "h": "h:>500 h:<2000",
    "sharp": "sharp:>20 sharp:<40",
    "bright": "bright:>20 bright:<80",
    "length": "length:>60 length:<2min",
}
_UNITS = {
    "size": "bytes, kB, MB, GB, TB, KiB, MiB, GiB and TiB",
    **dict.fromkeys(("w", "h"), "pixels"),
    **dict.fromkeys(("sharp", "bright"), "numbers from 0 to 100"),
    "length": "seconds, min and h",
}
_MOST_WORDS_OF_A_NAME = 8


class Mistake(NamedTuple):
    """Reason of a syntax error, and its offset in the text after the value."""

    reason: str
    offset: int


def find_continuation(key: str, raw: str, following: str, *, is_file: Callable[[int], bool]) -> Mistake | None:
    """Find where a value without quotes continues after the blank that ended it; None when it does not.

    Args:
        raw: the value as the user wrote it.
        following: the query after the value.
        is_file: whether a file name begins at this offset of `following`.
    """
    if key in _CONTINUATIONS:
        return _find_continued_number(key, raw, following)
    found = re.match(r"\s+(?P<next>\S+)(?P<others>.*)", following, re.DOTALL)
    if found is None:
        return None
    word, others = found["next"], found["others"]
    is_other = is_file(found.start("next")) or FILTER.match(word + others) is not None
    if is_other or word[0] in '+-&"“' or word.lower() in OPERATORS_NEXT_TO_FILTERS:
        return None
    if key not in ("camera", "path"):
        is_another = _is_value(key, word) and re.match(rf"{_END}|\s+(?:and|or)\b", others, re.IGNORECASE) is not None
        reason = f"{key}: takes one value, and filters have no 'or': run one query for each; words go in quotes"
        if key in WRITTEN:
            reason = _goes_on(key, f"{raw} {word}")
        return Mistake(reason, found.start("next")) if is_another else None
    name = _rest_of_camera(word, others) if key == "camera" else _rest_of_path(raw, following, is_file)
    if not name:
        return None
    return Mistake(_goes_on(key, f"{raw} {name}"), found.start("next"))


def _goes_on(key: str, value: str) -> str:
    return (
        f'{key}: seems to go on here: a value with blanks goes in quotes, as in {key}:"{value}", and words go before '
        "it, or in quotes"
    )


def _find_continued_number(key: str, raw: str, following: str) -> Mistake | None:
    for kind, form in _CONTINUATIONS[key].items():
        found = re.match(form, following, re.ASCII | re.IGNORECASE)
        if found is None or (key == "taken" and ".." in raw and re.match(r"\s+[a-z]", following, re.IGNORECASE)):
            continue
        more = found[0].strip()
        reason = {
            "limit": f"another limit is another filter, as in {_TWO_LIMITS.get(key)}",
            "time": f"days have no times here: write {EXAMPLES[key]}",
            "unit": f"there is no unit {more} here: {_UNITS.get(key)} are",
            "more": f"seems to go on here: write {EXAMPLES[key]}",
        }[kind]
        return Mistake(f"{key}: {reason}; words go before it, or in quotes", len(found[0]) - len(found[0].lstrip()))
    return None


def _is_value(key: str, word: str) -> bool:
    try:
        parse_filter(key, word)
    except QueryError:
        return False
    return True


def _rest_of_camera(word: str, others: str) -> str:
    if word.isdecimal() and re.match(r"\s+[^\W\d_A-Z]", others):
        return ""  # "camera:canon 3 birds"
    return word if _SERIES.fullmatch(word) else ""


def _rest_of_path(raw: str, following: str, is_file: Callable[[int], bool]) -> str:
    """Return the rest of a path that contains blanks, up to the word that ends it; empty when the path is complete."""
    is_whole = has_picture_suffix(raw) or raw[-1] in "*/\\"
    for place, found in enumerate(islice(re.finditer(r"\S+", following), _MOST_WORDS_OF_A_NAME)):
        word = found[0]
        if FILTER.match(word) or PATH.match(word) or word[0] in '+-&"“' or is_file(found.start()):
            break
        is_more = place == 0 and (raw[-1] == "\\" or re.search(r"[/\\*]", word) is not None)
        if is_more or (not is_whole and has_picture_suffix(word)):
            return following[: found.end()].strip()
    return ""
