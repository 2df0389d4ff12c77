"""Describe a picture from its XMP properties."""

import math
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import islice

from clipsearch.description import MOST_NAMES, NOTHING, REJECTED, Description
from clipsearch.images.dates import DateClaim, choose_date
from clipsearch.images.descriptions.keywords import read_keywords
from clipsearch.images.descriptions.people import read_people
from clipsearch.images.descriptions.ratings import (
    read_darktable_label,
    read_digikam_label,
    read_label,
    read_percent,
    read_stars,
)
from clipsearch.images.descriptions.texts import clean_line, clean_lines, first_of, first_written, join_creators
from clipsearch.images.xmp.properties import Properties

# In the order of trust. Those of the namespace tiff and exif are copies of EXIF; ACDSee's caption is a title, and its
# notes are a caption. Source: XMP Specification Part 2, 2016; digiKam 8, dmetadatasettingscontainer.cpp.
_TITLES = ("dc:title", "photoshop:Headline", "acdsee:caption")
_CAPTIONS = ("dc:description", "acdsee:notes", "tiff:ImageDescription", "exif:UserComment")
_COPYRIGHTS = ("dc:rights", "tiff:Copyright")
_CREATORS = ("dc:creator", "tiff:Artist", "acdsee:author")

# Names of a place, each from one source: where it was taken, and else what it shows. Source: IPTC Photo Metadata
# Standard 2023.1, 6.25 and 6.26.
_PLACE = ("Iptc4xmpCore:Location", "photoshop:City", "photoshop:State", "photoshop:Country")
_PLACE_STRUCTURES = ("Iptc4xmpExt:LocationCreated", "Iptc4xmpExt:LocationShown")
_PLACE_FIELDS = tuple(f"Iptc4xmpExt:{name}" for name in ("Sublocation", "City", "ProvinceState", "CountryName"))

_DATES = ("exif:DateTimeOriginal", "photoshop:DateCreated")

# "48,51.396N" and "48,51,23.76N"; a sign or a direction of its own where programs write plain degrees.
# Source: XMP Specification Part 2, 2016, 1.2.7.4 (GPSCoordinate).
_COORDINATE = re.compile(r"([+-]?\d{1,3}(?:\.\d{1,15})?)(?:,(\d{1,2}(?:\.\d{1,15})?)(?:,(\d{1,2}(?:\.\d{1,15})?))?)?")


def describe_properties(properties: Properties) -> Description:
    """Return all that XMP says about a picture but its date and its coordinates."""
    if not properties:
        return NOTHING
    text = properties.text
    location, city, region, country = _place(properties)
    return Description(
        title=first_written(map(text, _TITLES)),
        caption=first_written(map(text, _CAPTIONS), clean=clean_lines),
        keywords=read_keywords(properties),
        people=read_people(properties),
        rating=_rating(properties),
        label=_label(properties),
        creator=_creator(properties),
        copyright=first_of(map(text, _COPYRIGHTS)),
        location=location,
        city=city,
        region=region,
        country=country,
    )


def describe_sidecar(properties: Properties) -> Description:
    """Return all that XMP says about a picture, with its date and its coordinates."""
    claims = [partial(DateClaim, clean_line(properties.text(name))) for name in _DATES]
    latitude, longitude = _position(properties)
    taken_at: datetime | None = choose_date(claims)
    return replace(describe_properties(properties), taken_at=taken_at, latitude=latitude, longitude=longitude)


def _rating(properties: Properties) -> int | None:
    """Return stars; a picture without any that was rejected by other means is `REJECTED`."""
    text = properties.text
    stars = (read_stars(text("xmp:Rating", "acdsee:rating")), read_percent(text(*_PERCENTS)))
    rating = next((each for each in stars if each is not None), None)
    # Source: digiKam 8, digikam_globals.h, enum PickLabel; XMP Specification Part 2, 2016, 1.2.6 (xmpDM:pick).
    is_rejected = text("digiKam:PickLabel") == "1" or text("xmpDM:pick") == "-1"
    return REJECTED if is_rejected and not rating else rating


_PERCENTS = ("MicrosoftPhoto:Rating", "microsoft:Rating")


def _label(properties: Properties) -> str | None:
    return (
        read_label(properties.text("xmp:Label"))
        or read_digikam_label(properties.text("digiKam:ColorLabel"))
        or read_darktable_label(properties.text("darktable:colorlabels"))
    )


def _creator(properties: Properties) -> str | None:
    return next(filter(None, (join_creators(islice(properties.texts(name), MOST_NAMES)) for name in _CREATORS)), None)


def _place(properties: Properties) -> tuple[str | None, str | None, str | None, str | None]:
    sources: list[tuple[Properties, Iterable[str]]] = [(properties, _PLACE)]
    for name in _PLACE_STRUCTURES:
        sources += [(structure, _PLACE_FIELDS) for structure in islice(properties.structures(name), 1)]
    for source, names in sources:
        location, city, region, country = (clean_line(source.text(name)) or None for name in names)
        if location or city or region or country:
            return location, city, region, country
    return None, None, None, None


def _position(properties: Properties) -> tuple[float, float] | tuple[None, None]:
    latitude = _degrees(properties, "exif:GPSLatitude", "NS", 90)
    longitude = _degrees(properties, "exif:GPSLongitude", "EW", 180)
    # 0, 0 is in the sea off Africa; receivers write it when they have no position.
    if latitude is None or longitude is None or (latitude == 0 and longitude == 0):
        return None, None
    return latitude, longitude


def _degrees(properties: Properties, name: str, directions: str, limit: int) -> float | None:
    """Convert "48,51.396N" to degrees; plain degrees may have a sign, or their direction in the property "…Ref"."""
    text = clean_line(properties.text(name)).replace(" ", "").upper()
    direction = text[-1:] if text[-1:].isalpha() else clean_line(properties.text(f"{name}Ref")).upper()[:1]
    match = _COORDINATE.fullmatch(text.rstrip("NSEW"))
    if match is None or (direction and direction not in directions):
        return None
    degrees, *rest = (float(part or 0) for part in match.groups())
    if any(part > 60 for part in rest):
        return None
    size = math.fsum((abs(degrees), rest[0] / 60, rest[1] / 3600))
    is_negative = match[1].startswith("-") or direction == directions[1]
    return None if size > limit else (-size if is_negative else size)
