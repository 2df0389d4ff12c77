"""Parse filters on the metadata of pictures: the part of a query that needs no model."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from clipsearch.errors import QueryError
from clipsearch.formats import TEXT_KINDS
from clipsearch.query.areas import (
    CIRCLE_SHAPE,
    RECTANGLE_SHAPE,
    Circle,
    Rectangle,
    parse_circle,
    parse_country,
    parse_rectangle,
)
from clipsearch.query.file_types import OTHER_TYPES, TYPES
from clipsearch.query.spans import SPAN_PARSERS, SPAN_SHAPES, Span, span_shape
from clipsearch.query.times import DATE, DayOfYear, Period, parse_times
from clipsearch.text import fold_name, fold_words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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


@dataclass(frozen=True, slots=True, eq=False)
class Listed:
    """Content ids (n,) of the pictures that pass, for filters that are evaluated elsewhere; in no parsed query."""

    content_ids: "NDArray[np.int64]"


WRITTEN = ("tag", "person", "label", "title", "creator", "album", "written", "text", "place")
"""Keys of filters on names and texts that any words may be the value of."""

FilterValue: TypeAlias = Pattern | Choice | Span | Period | DayOfYear | Circle | Rectangle | Listed


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


def listed(content_ids: Iterable[int], *, is_negated: bool = False) -> Filter:
    """Return the filter that some pictures pass, or all others."""
    import numpy as np  # few queries have one

    return Filter("written", Listed(np.array(sorted(content_ids), dtype=np.int64)), is_negated)


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


def _words(value: str) -> Pattern:
    if not fold_words(value):
        raise ValueError("takes words, or a part of one")
    return _pattern(value)


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

_OTHER_KINDS = {
    **{f"{name}s": name for name in TEXT_KINDS},
    **dict.fromkeys(("blackboard", "blackboards", "chalkboard"), "whiteboard"),
}

_ORIENTATIONS = ("portrait", "landscape", "square")
_OTHER_ORIENTATIONS = {"vertical": "portrait", "tall": "portrait", "horizontal": "landscape", "wide": "landscape"}

_KNOWN = ("gps", "date", "camera", "place", "tags", "people", "rating", "label", "title", "caption", "creator", "text")

SHAPES = {
    "taken": span_shape(DATE),
    "near": CIRCLE_SHAPE,
    "map": RECTANGLE_SHAPE,
    **SPAN_SHAPES,
}
"""Patterns of the values that may contain blanks, up to the blank that ends them, by filter key.

They match more than `parse_filter` accepts, such as unknown units, so that its error names the whole value. Text, which
`match_shape` compiles when it is first needed: most queries have no filter.
"""


def match_shape(key: str, text: str, position: int) -> re.Match[str] | None:
    """Match the value of a filter that may contain blanks at a position; None where there is none, or no such key."""
    form = SHAPES.get(key)
    return None if form is None else re.compile(form, re.ASCII | re.IGNORECASE).match(text, position)


_PARSERS: dict[str, Callable[[str], FilterValue]] = {
    "path": _pattern,
    "taken": parse_times,
    "near": parse_circle,
    "place": _pattern,
    "country": lambda value: Choice(parse_country(value)),
    "camera": _pattern,
    "type": _choice(
        *TYPES,
        **OTHER_TYPES,
    ),
    **SPAN_PARSERS,
    "kind": _choice(*TEXT_KINDS, **_OTHER_KINDS),
    "orientation": _choice(*_ORIENTATIONS, **_OTHER_ORIENTATIONS),
    **dict.fromkeys(("tag", "person", "label", "title", "creator", "album"), _pattern),
    **dict.fromkeys(("written", "text"), _words),
    "map": parse_rectangle,
    "has": _choice(
        *_KNOWN,
        **{"taken": "date", "geo": "gps", "location": "gps", "coordinates": "gps"},
        **{"keywords": "tags", "keyword": "tags", "person": "people", "faces": "people"},
        **{"stars": "rating", "description": "caption", "author": "creator"},
    ),
}

KEYS = tuple(_PARSERS)
"""Keys of all filters."""

FAVOURITES = "favourites"
"""Name of the album that `is:favourite` stands for."""

_OTHER_FAVOURITES = ("favourites", "favorite", "favorites")

SHORTHANDS = {
    **dict.fromkeys(("blurred", "blurry"), ("sharp", f"<{BLURRED_BELOW}")),
    "sharp": ("sharp", f">={BLURRED_BELOW}"),
    **dict.fromkeys(("dark", "underexposed"), ("bright", f"<{DARK_BELOW}")),
    **dict.fromkeys(("favourite", *_OTHER_FAVOURITES), ("album", FAVOURITES)),
    **{name: ("kind", name) for name in (*TEXT_KINDS, *_OTHER_KINDS)},
}
"""Filter, as key and value, by the word after `is:` that it is written for."""

SYNONYMS = frozenset({"blurry", "underexposed", *_OTHER_FAVOURITES, *_OTHER_KINDS})
"""Words of `SHORTHANDS` that messages leave out."""

CHOICES = {
    "type": TYPES,
    "kind": TEXT_KINDS,
    "orientation": _ORIENTATIONS,
    "has": _KNOWN,
    "is": tuple(word for word in SHORTHANDS if word not in SYNONYMS),
}
"""Words that the filters with a fixed set of values list, by what stands before the colon."""

_KIND_FORM = "|".join((*TEXT_KINDS, *_OTHER_KINDS))
NAMED_FORM = rf"is(?=[:：](?:{'|'.join(SHORTHANDS)})(?!\w))|kind(?=[:：][\"“]?(?:{_KIND_FORM})(?!\w))"
"""Pattern of names that are filters before certain words alone: "is: a sign" and "kind: of blue" are words."""

NAME_FORM = rf"(?ai:{'|'.join(key for key in KEYS if key != 'kind')}|{NAMED_FORM})"
"""Pattern of what may stand before the colon of a filter."""

EXAMPLES = {
    "path": "path:2024/*.jpg",
    "taken": "taken:2024-05..2025",
    "near": "near:48.85,2.35,10km",
    "place": "place:munich",
    "country": "country:de",
    "camera": 'camera:"Nikon D80"',
    "type": "type:jpeg",
    "size": "size:>2MB",
    "w": "w:>=1920",
    "h": "h:..1080",
    "sharp": "sharp:>40",
    "bright": "bright:<15",
    "length": "length:>60",
    "rating": "rating:>=4",
    "kind": "kind:receipt",
    "orientation": "orientation:portrait",
    "tag": "tag:holiday",
    "person": 'person:"Anna Lee"',
    "label": "label:red",
    "title": "title:harbour",
    "creator": "creator:anna",
    "album": 'album:"Italy 2023"',
    "written": 'written:"summer camp"',
    "text": 'text:"RE16"',
    "map": "map:0.2,0.3,0.4,0.5",
    "has": "has:gps",
}
"""A valid example of each filter, by key."""
