"""Read the date, camera, position and description of a film from the tags of its container.

All of them are untrusted: every value is validated, and invalid ones become None.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import NamedTuple

from clipsearch.description import NOTHING, Description, merge
from clipsearch.images.dates import DateClaim, choose_date, is_doubtful
from clipsearch.images.descriptions.embedded import EmbeddedMetadata, describe
from clipsearch.images.descriptions.keywords import join_keywords
from clipsearch.images.descriptions.ratings import read_stars
from clipsearch.images.descriptions.texts import clean_lines, first_of, first_written, join_creators
from clipsearch.images.metadata import clean_text, join_camera
from clipsearch.images.xmp.properties import parse_properties

# Keys as FFmpeg names them, in lower case: of Apple's metadata, Android's, and the older user data of QuickTime and
# AVI. Source: QuickTime File Format, "Metadata"; FFmpeg 8, libavformat/mov.c, riffdec.c.
_MAKES = ("com.apple.quicktime.make", "com.android.manufacturer", "make")
_MODELS = ("com.apple.quicktime.model", "com.android.model", "model")
_POSITIONS = ("com.apple.quicktime.location.iso6709", "location", "location-eng")
# Local time: Apple writes it with its distance from UTC, cameras that write "date" do likewise or have no zone.
_LOCAL_DATES = ("com.apple.quicktime.creationdate", "date", "date-eng")
_UTC_DATE = "creation_time"
_TITLES = ("com.apple.quicktime.title", "title", "com.apple.quicktime.displayname")
_CAPTIONS = ("com.apple.quicktime.description", "description", "synopsis", "com.apple.quicktime.comment", "comment")
_KEYWORDS = ("com.apple.quicktime.keywords", "keywords")
_CREATORS = ("com.apple.quicktime.author", "author", "artist", "com.apple.quicktime.artist")
_COPYRIGHTS = ("com.apple.quicktime.copyright", "copyright")
_RATING = "com.apple.quicktime.rating.user"
# Only from MP4 and QuickTime, see `container`.
_XMP = "xmp"

# Source: ISO 6709, annex H: degrees, minutes and seconds without separators, told by the number of digits.
_ISO_6709 = re.compile(r"([+-])(\d{1,7})((?:\.\d{0,12})?)([+-])(\d{1,7})((?:\.\d{0,12})?)(?![\d.])", re.ASCII)


class FilmTags(NamedTuple):
    """Fields of `FilmMetadata`, see there."""

    taken_at: datetime | None
    is_utc: bool
    is_date_doubtful: bool
    camera: str | None
    latitude: float | None
    longitude: float | None
    description: Description


def read_tags(tags: Mapping[str, str], *, now: datetime) -> FilmTags:
    """Read the tags of a container; those of its video stream are a fallback that the caller merges in.

    Args:
        tags: by FFmpeg's keys.
        now: local time, without a zone.
    """
    folded = {key.lower(): value for key, value in tags.items()}
    texts = {key: clean_text(value) for key, value in folded.items() if key != _XMP}
    local = choose_date(_claims(texts, _LOCAL_DATES))
    taken_at = local or choose_date(_claims(texts, (_UTC_DATE,)))
    latitude, longitude = next(filter(None, (_position(texts.get(key, "")) for key in _POSITIONS)), (None, None))
    return FilmTags(
        taken_at=taken_at,
        is_utc=taken_at is not None and local is None,
        is_date_doubtful=taken_at is not None and is_doubtful(taken_at, now=now),
        camera=join_camera(_first(texts, _MAKES), _first(texts, _MODELS)),
        latitude=latitude,
        longitude=longitude,
        description=_describe(folded),
    )


def _describe(tags: Mapping[str, str]) -> Description:
    """Return what a film's XMP says, and its own tags where that says nothing."""
    properties = parse_properties(tags.get(_XMP))
    own = Description(
        title=first_written(_values(tags, _TITLES)),
        caption=first_written(_values(tags, _CAPTIONS), clean=clean_lines),
        keywords=join_keywords(name for text in _values(tags, _KEYWORDS) for name in re.split("[,;]", text)),
        rating=read_stars(tags.get(_RATING, "")) or None,
        creator=next(filter(None, (join_creators([name]) for name in _values(tags, _CREATORS))), None),
        copyright=first_of(_values(tags, _COPYRIGHTS)),
    )
    found = [each for each in (describe(EmbeddedMetadata(properties, {}, {})), own) if each]
    return merge(found) if found else NOTHING


def _values(tags: Mapping[str, str], keys: tuple[str, ...]) -> list[str]:
    return [tags.get(key, "") for key in keys]


def _claims(texts: Mapping[str, str], keys: tuple[str, ...]) -> list[Callable[[], DateClaim | None]]:
    return [partial(DateClaim, texts.get(key, "")) for key in keys]


def _first(texts: Mapping[str, str], keys: tuple[str, ...]) -> str:
    return next(filter(None, (texts.get(key) for key in keys)), "")


def _position(text: str) -> tuple[float, float] | None:
    match = _ISO_6709.match(text)
    if match is None:
        return None
    latitude = _degrees(match[1], match[2], match[3], degree_digits=2)
    longitude = _degrees(match[4], match[5], match[6], degree_digits=3)
    # 0, 0 is in the sea off Africa; receivers write it when they have no position.
    if not (abs(latitude) <= 90 and abs(longitude) <= 180) or latitude == longitude == 0:  # NaN fails both
        return None
    return latitude, longitude


def _degrees(sign: str, digits: str, fraction: str, *, degree_digits: int) -> float:
    """Convert "4808.23" or "480813.8" to degrees; NaN where minutes or seconds exceed 60."""
    rest = max(0, len(digits) - degree_digits)
    if rest % 2:
        return math.nan
    parts = [
        digits[: len(digits) - rest],
        *(digits[start : start + 2] for start in range(len(digits) - rest, len(digits), 2)),
    ]
    parts[-1] += fraction
    numbers = [float(part) for part in parts]
    if any(number > 60 for number in numbers[1:]):
        return math.nan
    degrees = math.fsum(number / 60**power for power, number in enumerate(numbers))
    return -degrees if sign == "-" else degrees
