"""What is written about a picture, in its file and beside it, by people and by their programs."""

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

LEVELS = "/"
"""Separator of the levels of a keyword: "Places/France/Paris"."""

MOST_NAMES = 500
"""Keywords, and people, of one picture."""

MOST_CHARACTERS = 4_000
"""Characters of a caption; other texts have up to `MOST_CHARACTERS_OF_A_NAME`."""

MOST_CHARACTERS_OF_A_NAME = 300

MOST_FACETS = 1_000
"""Names that are counted of each kind in `WrittenFacets`."""

REJECTED, UNRATED, BEST = -1, 0, 5
"""Ratings. Source: XMP Specification Part 1, 2012, 8.4 (xmp:Rating)."""


@dataclass(frozen=True, slots=True)
class Description:
    """What one source says about a picture, or all of them together; None and () where it says nothing.

    Attributes:
        title: a short name.
        caption: a longer text.
        keywords: as written, without duplicates; levels of one are separated by `LEVELS`.
        people: names of persons in it.
        rating: 1 to 5 stars, `UNRATED` or `REJECTED`.
        label: colour label, lower-case: "red", "yellow", "green", "blue", "purple", or another word.
        creator: who made it; several are joined by "; ".
        copyright: notice.
        location: where it was taken: a sight, or part of a city.
        city, country: likewise.
        region: likewise, state or province.
        taken_at: as in `ImageMetadata`; like the coordinates only of what lies beside a file, whose own are there.
        latitude: degrees, north positive; None exactly when `longitude` is None.
        longitude: degrees, east positive.
    """

    title: str | None = None
    caption: str | None = None
    keywords: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    rating: int | None = None
    label: str | None = None
    creator: str | None = None
    copyright: str | None = None
    location: str | None = None
    city: str | None = None
    region: str | None = None
    country: str | None = None
    taken_at: datetime | None = None
    latitude: float | None = None
    longitude: float | None = None

    def __bool__(self) -> bool:
        return self != NOTHING


NOTHING = Description()


@dataclass(frozen=True, slots=True)
class WrittenFacets:
    """What is written about pictures, with the number of pictures of each.

    Attributes:
        tags, people, labels, creators: the most frequent first, up to `MOST_FACETS`.
        ratings: in the order of the stars; those that are not rated are left out.
        places: cities and towns, as in "Munich, Bavaria, Germany", of coordinates and of written names; likewise.
        kinds: what pictures with text are, of `TEXT_KINDS`; likewise.
    """

    tags: Mapping[str, int] = field(default_factory=dict)
    people: Mapping[str, int] = field(default_factory=dict)
    labels: Mapping[str, int] = field(default_factory=dict)
    creators: Mapping[str, int] = field(default_factory=dict)
    ratings: Mapping[int, int] = field(default_factory=dict)
    places: Mapping[str, int] = field(default_factory=dict)
    kinds: Mapping[str, int] = field(default_factory=dict)


_NAMES = frozenset({"keywords", "people"})
_TEXTS = frozenset({"title", "caption", "label", "creator", "copyright", "location", "city", "region", "country"})
_PLACE = ("location", "city", "region", "country")
_MEASURED = ("taken_at", "latitude", "longitude")
_FIELDS = tuple(each.name for each in fields(Description))


def merge(sources: Sequence[Description]) -> Description:
    """Join what several sources say, the most trusted first.

    Keywords and people are those of all; of anything else the first source that says it counts, and the names of a
    place are those of one source.
    """
    if len(sources) == 1:
        return sources[0]
    found: dict[str, Any] = {}
    for source in sources:
        says_place = any(getattr(source, name) for name in _PLACE)
        has_place = any(name in found for name in _PLACE)
        for name in _FIELDS:
            value = getattr(source, name)
            if name in _NAMES or value is None or (name in _PLACE and says_place and has_place):
                continue
            found.setdefault(name, value)
        if says_place and not has_place:
            found.update({name: getattr(source, name) for name in _PLACE})
    # Both coordinates of one source: each source has both or none.
    for name in _NAMES:
        found[name] = join_names(value for source in sources for value in getattr(source, name))
    return Description(**found)


def join_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return names without duplicates, in order; a plain one that is a level of another is left out."""
    known: dict[str, str] = {}
    for name in names:
        known.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
    levels = {level for name in known if LEVELS in name for level in name.split(LEVELS)}
    return tuple(name for folded, name in known.items() if folded not in levels)[:MOST_NAMES]


def pack(description: Description) -> str:
    """Return a description as JSON, "" of nothing: ASCII, the same text for the same description."""
    if not description:
        return ""
    values = {name: value for name in _FIELDS if (value := getattr(description, name)) not in (None, ())}
    if description.taken_at is not None:
        values["taken_at"] = description.taken_at.isoformat()
    return json.dumps(values, separators=(",", ":"))


def unpack(text: object) -> Description:
    """Return what `pack` has described, from an untrusted file; what is invalid is left out."""
    if not isinstance(text, str) or not text:
        return NOTHING
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return NOTHING
    if not isinstance(values, dict):
        return NOTHING
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name in _TEXTS:
            if isinstance(value, str) and _is_text(value, name):
                found[name] = value
        elif name in _NAMES:
            if isinstance(value, list):
                found[name] = tuple(each for each in value if isinstance(each, str) and _is_text(each, name))[
                    :MOST_NAMES
                ]
        elif name == "rating" and type(value) is int and REJECTED <= value <= BEST:
            found[name] = value
        elif name == "taken_at" and isinstance(value, str):
            with suppress(ValueError):
                found[name] = datetime.fromisoformat(value).replace(tzinfo=None)
    latitude: Any = values.get("latitude")
    longitude: Any = values.get("longitude")
    if _is_degree(latitude, 90) and _is_degree(longitude, 180):
        found |= {"latitude": float(latitude), "longitude": float(longitude)}
    return Description(**found)


def to_json(description: Description) -> dict[str, Any]:
    """Return what a description says in words, and the rating, as JSON; what it says nothing of is left out."""
    values = json.loads(pack(description) or "{}")
    return {name: value for name, value in values.items() if name not in _MEASURED}


def _is_text(text: str, name: str) -> bool:
    return 0 < len(text) <= (MOST_CHARACTERS if name == "caption" else MOST_CHARACTERS_OF_A_NAME)


def _is_degree(value: Any, limit: int) -> bool:
    return type(value) in (int, float) and -limit <= value <= limit
