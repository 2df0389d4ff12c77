"""Read sidecars: XMP, and the JSON that Google Takeout puts next to each picture."""

import html
import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from clipsearch.description import BEST, MOST_NAMES, NOTHING, Description, join_names
from clipsearch.errors import InputError
from clipsearch.images.descriptions.texts import clean_lines, clean_names, first_written
from clipsearch.images.descriptions.xmp import describe_sidecar
from clipsearch.images.xmp.document import RDF_ROOT
from clipsearch.images.xmp.packets import MAX_SIDECAR_BYTES, parse_document
from clipsearch.images.xmp.properties import own_properties

_MAX_JSON_BYTES = 1_000_000
_EPOCH = datetime(1970, 1, 1)
# Of a time stamp in seconds: the years that `dates.parse_date` takes.
_FIRST, _LAST = datetime(1826, 1, 1), datetime(2101, 1, 1)


def read_sidecar(content: bytes) -> Description:
    """Return what an XMP sidecar says about its picture: all that XMP may say, and its date and coordinates.

    Unlike that of embedded metadata a rating of 0 is returned: a program has taken the stars away.

    Raises:
        InputError: it is not XMP, or is too large; the message does not include the path.
    """
    root = parse_document(content, max_bytes=MAX_SIDECAR_BYTES)
    if next(root.iter(RDF_ROOT), None) is None:
        raise InputError("it has no rdf:RDF")
    return describe_sidecar(own_properties(root))


def read_takeout(content: bytes) -> Description:
    """Return what the JSON of Google Takeout says about its picture.

    Its "title" is the name of the file, and is left out. A favourite has `BEST` as its rating. The date is in UTC, as
    Google gives no other: the picture's own, in the time of its place, is better where there is one.

    Returns:
        `NOTHING` for the JSON of another program, or of an album.

    Raises:
        InputError: it is not JSON, or is too large; the message does not include the path.
    """
    if len(content) > _MAX_JSON_BYTES:
        raise InputError(f"it has more than {_MAX_JSON_BYTES:,} bytes")
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError("it is not JSON") from error
    # Source: exports of 2018 to 2025: all pictures have a title and this time, albums a title and a "date".
    if not isinstance(values, dict) or not isinstance(values.get("title"), str):
        return NOTHING
    taken = values.get("photoTakenTime")
    if not isinstance(taken, dict) or "timestamp" not in taken:
        return NOTHING
    latitude, longitude = _position(values)
    # Texts have the entities of HTML.
    caption = values.get("description")
    return Description(
        caption=first_written([html.unescape(caption)] if isinstance(caption, str) else [], clean=clean_lines),
        people=join_names(clean_names(map(html.unescape, islice(_people(values), 10 * MOST_NAMES)))),
        rating=BEST if values.get("favorited") is True else None,
        taken_at=_date(taken["timestamp"]),
        latitude=latitude,
        longitude=longitude,
    )


def _people(values: Mapping[str, Any]) -> Iterator[str]:
    people = values.get("people")
    for person in people if isinstance(people, list) else ():
        if isinstance(person, dict) and isinstance(person.get("name"), str):
            yield person["name"]


def _date(timestamp: object) -> datetime | None:
    """Convert seconds since 1970, as text or number, to a time in UTC; 0 says nothing."""
    if isinstance(timestamp, bool) or not isinstance(timestamp, int | str) or len(str(timestamp)) > 15:
        return None
    try:
        taken_at = _EPOCH + timedelta(seconds=int(timestamp))
    except (ValueError, OverflowError):
        return None
    return taken_at if taken_at != _EPOCH and _FIRST <= taken_at < _LAST else None


def _position(values: Mapping[str, Any]) -> tuple[float, float] | tuple[None, None]:
    """Return the coordinates in Google's own data, which may be edited, else those of EXIF; 0, 0 are none."""
    for name in ("geoData", "geoDataExif"):
        place = values.get(name)
        if isinstance(place, dict):
            latitude, longitude = _degrees(place.get("latitude"), 90), _degrees(place.get("longitude"), 180)
            if latitude is not None and longitude is not None and (latitude or longitude):
                return latitude, longitude
    return None, None


def _degrees(value: object, limit: int) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and -limit <= value <= limit else None  # type: ignore[arg-type,operator]
